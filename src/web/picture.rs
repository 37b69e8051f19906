//! The cluster as a picture: peers as columns, links from this peer coloured by state.
//!
//! Only this peer's own links are drawn: it knows no others. State shows in words and in the stroke
//! of a link, never in colour alone.

use causeway_engine::cluster::status::{ClusterStatus, PeerState, PeerStatus};
use maud::{Markup, html};

use super::words;

/// Width of the drawing in its own units; text is legible down to a phone's width.
const WIDTH: f64 = 480.0;

/// Outer radius of a peer's hexagon.
const RADIUS: f64 = 31.0;

/// Middle of a ring of peers.
const CENTRE: f64 = 198.0;

/// Middle of one or two peers beside each other; their names are below.
const ROW: f64 = 44.0;

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
        146.0
    } else {
        398.0
    };
    let peers = || cluster.peers.iter().zip(&places);
    let summary: Vec<String> = cluster.peers.iter().map(sentence).collect();
    html! {
        svg.picture viewBox={ "0 0 " (WIDTH) " " (height) } role="img"
            aria-label={ "The cluster. " (summary.join(" ")) } {
            @if let Some((_, own)) = peers().find(|(peer, _)| is_own(peer)) {
                @for (peer, place) in peers().filter(|(peer, _)| !is_own(peer)) {
                    (link(peer, *own, *place))
                }
            }
            @for (peer, place) in peers() {
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
            y: ROW,
        }],
        2 => [0.25, 0.75]
            .map(|share| Point {
                x: WIDTH * share,
                y: ROW,
            })
            .into(),
        count => (0..count)
            .map(|number| {
                let turn = std::f64::consts::TAU * number as f64 / count as f64;
                Point {
                    x: WIDTH / 2.0 + 165.0 * turn.sin(),
                    y: CENTRE - 100.0 * turn.cos(),
                }
            })
            .collect(),
    }
}

fn is_own(peer: &PeerStatus) -> bool {
    peer.state == PeerState::ThisSystem
}

fn link(peer: &PeerStatus, from: Point, to: Point) -> Markup {
    let (tone, _) = words::peer_state(peer.state);
    html! {
        line class={ "link " (tone.class()) }
            x1=(at(from.x)) y1=(at(from.y)) x2=(at(to.x)) y2=(at(to.y)) {}
    }
}

fn node(peer: &PeerStatus, place: Point, primary: bool) -> Markup {
    let (tone, word) = words::peer_state(peer.state);
    let own = is_own(peer);
    let mut address: String = peer.address.chars().take(LABEL_CHARS).collect();
    if peer.address.chars().count() > LABEL_CHARS {
        address.pop();
        address.push('…');
    }
    let mut words = vec![word.to_owned()];
    words.extend(primary.then(|| "primary".to_owned()));
    words.extend(peer.round_trip.filter(|_| !own).map(words::round_trip));
    // The upper ones carry their name on top, out of the way of their links.
    let label = if place.y < CENTRE - 1.0 && place.y > ROW {
        -RADIUS - 29.0
    } else {
        RADIUS + 24.0
    };
    html! {
        g class={ "node " (tone.class()) @if own { " own" } } {
            polygon points=(hexagon(place, RADIUS)) {}
            @if primary { polygon.ring points=(hexagon(place, RADIUS + 6.0)) {} }
            text.number x=(at(place.x)) y=(at(place.y + 8.0)) { (peer.position) }
            text.address x=(at(place.x)) y=(at(place.y + label)) { (address) }
            text.state x=(at(place.x)) y=(at(place.y + label + 18.0)) { (words.join(" · ")) }
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
