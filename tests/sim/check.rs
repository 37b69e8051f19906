//! What must hold after every step, and what must hold once all is quiet.
//!
//! The numbers are those of the invariants in the design of the cluster.

use std::collections::BTreeMap;

use causeway_engine::base::ids::PeerId;
use causeway_engine::cluster::status::PeerState;
use causeway_engine::config::schema::Scope;
use causeway_engine::node::Node;

use crate::world::World;

/// What was seen so far, against which every step is compared.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    primaries: BTreeMap<u64, PeerId>,
    /// By identity: a peer that lost its disk is another peer.
    epochs: BTreeMap<PeerId, u64>,
    revisions: BTreeMap<(u64, u64), [u8; 32]>,
}

impl Invariants {
    /// Checks every running machine; panics with the machine, the time and what is wrong.
    pub(crate) fn check(&mut self, world: &World) {
        for (peer, machine) in world.machines.iter().enumerate() {
            let Some(node) = &machine.node else { continue };
            let at = format!("peer {peer} at {} ms", world.now_ms);
            let (epoch, primary) = node.epoch();
            self.epoch_never_falls(machine.id, epoch, &at);
            if let Some(primary) = primary {
                let known = self.primaries.entry(epoch).or_insert(primary);
                assert_eq!(*known, primary, "(1) two primaries in epoch {epoch}, {at}");
            }
            let head = node.configuration().chain(Scope::Cluster).head();
            if let Some(head) = head.filter(|head| head.id.epoch > 0) {
                let id = (head.id.epoch, head.id.number);
                let known = self.revisions.entry(id).or_insert(head.hash);
                assert_eq!(*known, head.hash, "(3) two revisions {id:?}, {at}");
            }
        }
    }

    /// Demands that all machines hold the same and know each other.
    pub(crate) fn converged(&self, world: &World) {
        let nodes: Vec<_> = world
            .machines
            .iter()
            .map(|machine| machine.node.as_ref().expect("all machines are on"))
            .collect();
        let hash = |node: &&Node| node.configuration().chain(Scope::Cluster).hash();
        let hashes: Vec<[u8; 32]> = nodes.iter().map(hash).collect();
        assert!(
            hashes.windows(2).all(|pair| pair[0] == pair[1]),
            "(6) configurations differ at {} ms: {hashes:02x?}",
            world.now_ms
        );
        for (peer, node) in nodes.iter().enumerate() {
            let (now, wall) = world.clocks(peer);
            let status = node.cluster_status(now, wall);
            for row in &status.peers {
                assert!(
                    matches!(row.state, PeerState::ThisSystem | PeerState::Active),
                    "peer {peer} sees {} as {:?}: {:?}",
                    row.address,
                    row.state,
                    row.reason
                );
            }
            assert_eq!(
                node.directory().summary(now),
                nodes[0].directory().summary(world.clocks(0).0),
                "(6) peer {peer} knows other items than peer 0"
            );
            assert!(
                node.directory().calls().eq(nodes[0].directory().calls()),
                "(6) peer {peer} knows other calls than peer 0"
            );
        }
    }

    fn epoch_never_falls(&mut self, peer: PeerId, epoch: u64, at: &str) {
        let highest = self.epochs.entry(peer).or_insert(epoch);
        assert!(
            epoch >= *highest,
            "(2) epoch fell from {highest} to {epoch}, {at}"
        );
        *highest = epoch;
    }
}
