//! The cluster as a picture: peers as columns, links from this peer coloured by state.
//!
//! Links between two other peers are not known here and drawn faintly. State shows in words and
//! in the stroke of a link, never in colour alone.

use causeway_engine::cluster::status::{ClusterStatus, PeerState, PeerStatus};
use maud::{Markup, html};

use super::words;

/// Width of the drawing in its own units; text is legible down to a phone's width.
const WIDTH: f64 = 480.0;

/// Outer radius of a peer's hexagon.
const RADIUS: f64 = 31.0;

/// Characters of an address that fit under a peer.
const LABEL_CHARS: usize = 22;

#[derive(Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
}

/// The picture.
pub(super) fn cluster(cluster: &ClusterStatus) -> Markup {
    let places = places(cluster.peers.len());
    let height = if cluster.peers.len() < 3 {
        176.0
    } else {
        348.0
    };
    let summary: Vec<String> = cluster.peers.iter().map(sentence).collect();
    html! {
        svg.picture viewBox={ "0 0 " (WIDTH) " " (height) } role="img"
            aria-label={ "The cluster. " (summary.join(" ")) } {
            @for (number, (one, from)) in cluster.peers.iter().zip(&places).enumerate() {
                @for (other, to) in cluster.peers.iter().zip(&places).skip(number + 1) {
                    (link(one, other, *from, *to))
                }
            }
            @for (peer, place) in cluster.peers.iter().zip(&places) {
                (node(peer, *place, cluster.primary == Some(peer.position)))
            }
        }
    }
}

fn places(count: usize) -> Vec<Point> {
    match count {
        0 => Vec::new(),
        1 => vec![Point {
            x: WIDTH / 2.0,
            y: 62.0,
        }],
        2 => [0.25, 0.75]
            .map(|share| Point {
                x: WIDTH * share,
                y: 62.0,
            })
            .into(),
        count => (0..count)
            .map(|number| {
                let turn = std::f64::consts::TAU * number as f64 / count as f64;
                Point {
                    x: WIDTH / 2.0 + 160.0 * turn.sin(),
                    y: 158.0 - 112.0 * turn.cos(),
                }
            })
            .collect(),
    }
}

fn link(one: &PeerStatus, other: &PeerStatus, from: Point, to: Point) -> Markup {
    let far = match (one.state, other.state) {
        (PeerState::ThisSystem, _) => Some(other),
        (_, PeerState::ThisSystem) => Some(one),
        (_, _) => None,
    };
    let class = far.map_or("unknown", |peer| words::peer_state(peer.state).0.class());
    let middle = Point {
        x: (from.x + to.x) / 2.0,
        y: (from.y + to.y) / 2.0,
    };
    html! {
        line class={ "link " (class) }
            x1=(at(from.x)) y1=(at(from.y)) x2=(at(to.x)) y2=(at(to.y)) {}
        @if let Some(time) = far.and_then(|peer| peer.round_trip) {
            text.trip x=(at(middle.x)) y=(at(middle.y - 7.0)) { (words::round_trip(time)) }
        }
    }
}

fn node(peer: &PeerStatus, place: Point, primary: bool) -> Markup {
    let (tone, word) = words::peer_state(peer.state);
    let own = peer.state == PeerState::ThisSystem;
    let mut address: String = peer.address.chars().take(LABEL_CHARS).collect();
    if peer.address.chars().count() > LABEL_CHARS {
        address.pop();
        address.push('…');
    }
    let word = if primary {
        format!("{word} · primary")
    } else {
        word.to_owned()
    };
    html! {
        g class={ "node " (tone.class()) @if own { " own" } } {
            polygon points=(hexagon(place, RADIUS)) {}
            @if primary { polygon.ring points=(hexagon(place, RADIUS + 6.0)) {} }
            text.number x=(at(place.x)) y=(at(place.y + 8.0)) { (peer.position) }
            text.address x=(at(place.x)) y=(at(place.y + RADIUS + 24.0)) { (address) }
            text.state x=(at(place.x)) y=(at(place.y + RADIUS + 42.0)) { (word) }
        }
    }
}

/// A hexagon that stands on a corner, as basalt does.
fn hexagon(centre: Point, radius: f64) -> String {
    let corner = |number: u32| {
        let turn = std::f64::consts::FRAC_PI_3 * f64::from(number);
        let (x, y) = (
            centre.x + radius * turn.sin(),
            centre.y - radius * turn.cos(),
        );
        format!("{},{}", at(x), at(y))
    };
    (0..6).map(corner).collect::<Vec<_>>().join(" ")
}

fn at(coordinate: f64) -> String {
    format!("{coordinate:.1}")
}

fn sentence(peer: &PeerStatus) -> String {
    let (_, word) = words::peer_state(peer.state);
    format!("Peer {}, {}: {word}.", peer.position, peer.address)
}
