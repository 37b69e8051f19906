//! Peers of a formed cluster start in any order, and come to the same state (SPEC CL6).

use crate::lab::{Family, Lab};
use crate::six::Six;

/// Twelve of the 720 orders; the simulator tries all.
const ORDERS: [[usize; 6]; 12] = [
    [0, 1, 2, 3, 4, 5],
    [5, 4, 3, 2, 1, 0],
    [1, 0, 3, 2, 5, 4],
    [2, 4, 0, 5, 1, 3],
    [3, 5, 1, 0, 2, 4],
    [4, 2, 5, 1, 3, 0],
    [5, 0, 4, 1, 3, 2],
    [1, 2, 3, 4, 5, 0],
    [2, 0, 1, 5, 4, 3],
    [3, 2, 1, 0, 5, 4],
    [4, 5, 0, 1, 2, 3],
    [5, 3, 1, 4, 2, 0],
];

#[test]
fn six_peers_start_in_any_order() {
    let mut six = Six::new(Lab::new("o", 6, Family::V4, 32));
    six.members = (0..6).collect();
    let all = six.members.clone();
    six.type_in(&all);
    six.wait_until_one(&all);
    for (round, order) in ORDERS.iter().enumerate() {
        for host in order {
            six.lab.hosts[*host].kill();
        }
        for host in order {
            six.lab.hosts[*host].start();
        }
        six.wait_until_one(&all);
        six.change_arrives(&format!("order{round}.example"), &all);
    }
}
