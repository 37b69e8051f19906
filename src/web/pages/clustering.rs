//! System > Clustering: the peer list with the state beside each peer (SPEC CL1, CL2).

use causeway_engine::admin::status::Status;
use causeway_engine::cluster::status::{ClusterStatus, PeerState, PeerStatus};
use causeway_engine::config::schema::{Kind, Scope};
use maud::{Markup, html};

use super::overview;
use crate::web::form::{self, Faults, Values};
use crate::web::words::{self, Tone};

/// Items of the whole cluster, with their labels.
const CLUSTER: [(&str, &str); 5] = [
    ("Alternates Cluster Name", "Cluster name"),
    ("Alternates ConfigurationPrimary", "Configuration primary"),
    ("Alternates Cluster IPVersion", "Cluster IP version"),
    (
        "Alternates Cluster TLSVerification",
        "TLS verification mode",
    ),
    ("Alternates Cluster Secret", "Cluster secret"),
];

/// Faults about the list as a whole begin with this.
const LIST: &str = "Alternates Peer";

/// Whether address mappings are used.
const MAPPING: &str = "Alternates Cluster AddressMapping Mode";

/// The two items of one mapping, with their labels.
const PAIR: [(&str, &str); 2] = [("Fqdn", "Name"), ("IpAddress", "Address")];

/// All items of the page.
pub(crate) fn paths() -> Vec<String> {
    let peers = (1..=6).map(address);
    let pairs = (1..=6).flat_map(|number| PAIR.map(|(what, _)| mapping(number, what)));
    CLUSTER
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .chain(peers)
        .chain([MAPPING.to_owned()])
        .chain(pairs)
        .collect()
}

fn mapping(number: u8, what: &str) -> String {
    format!("Alternates Cluster AddressMapping Pair {number} {what}")
}

fn address(number: u8) -> String {
    format!("Alternates Peer {number} Address")
}

/// The content of the page.
pub(crate) fn content(
    status: &Status,
    values: &Values,
    faults: Faults<'_>,
    form_token: &str,
) -> Markup {
    let mut fields = paths();
    fields.push(LIST.into());
    html! {
        (faults.summary(&fields))
        form method="post" action="/system/clustering" {
            input type="hidden" name="form" value=(form_token);
            section.card aria-labelledby="configuration-title" {
                div.head { h2 #configuration-title { "Configuration" } }
                div.fields {
                    @for (path, label) in CLUSTER {
                        @if path == "Alternates ConfigurationPrimary" {
                            (primary(values, faults))
                        } @else {
                            (form::field(path, label, values, faults))
                        }
                    }
                }
            }
            section.card aria-labelledby="peers-title" {
                div.head {
                    h2 #peers-title { "Peers" (form::dagger(Scope::Peer)) }
                    p.hint { "The same addresses in the same order on every peer, without gaps." }
                }
                @if let Some(fault) = faults.of(LIST) { p.fault #alternates-peer { (fault) } }
                ol.peers {
                    @for number in 1..=6 { (peer(number, &status.cluster, values, faults)) }
                }
            }
            (mappings(values, faults))
            div.actions {
                button type="submit" { "Save" }
                p.hint { "† belongs to this peer alone and is not replicated." }
            }
        }
        section.card #database data-live aria-labelledby="database-title" {
            (database(&status.cluster))
        }
    }
}

/// The table that is asked for peers' names before DNS is (SPEC AM1).
fn mappings(values: &Values, faults: Faults<'_>) -> Markup {
    html! {
        section.card aria-labelledby="mapping-title" {
            div.head {
                h2 #mapping-title { "Cluster address mapping" }
                p.hint { "One mapping for every peer, to its private address." }
            }
            div.fields { (form::field(MAPPING, "Cluster address mapping", values, faults)) }
            ol.peers {
                @for number in 1..=6 {
                    li.mapping {
                        @for (what, label) in PAIR {
                            @let path = mapping(number, what);
                            @let id = form::id(&path);
                            @let fault = faults.of(&path);
                            label for=(id) { (label) " " (number) }
                            (form::input(&path, &id, "mapping-title", Kind::Host, values,
                                fault.is_some()))
                            @if let Some(fault) = fault { p.fault { (fault) } }
                        }
                    }
                }
            }
        }
    }
}

/// The primary is chosen among the six places, as the guide has it.
fn primary(values: &Values, faults: Faults<'_>) -> Markup {
    const PATH: &str = "Alternates ConfigurationPrimary";
    const WORDS: Kind = Kind::Choice(&["1", "2", "3", "4", "5", "6"]);
    let id = form::id(PATH);
    let fault = faults.of(PATH);
    html! {
        div.field.faulty[fault.is_some()] {
            label for=(id) { "Configuration primary" (form::dagger(Scope::Peer)) }
            (form::input(PATH, &id, "primary-help", WORDS, values, fault.is_some()))
            @if let Some(fault) = fault { p.fault { (fault) } }
            p.help #primary-help {
                "The number of the peer whose configuration the others take over."
            }
        }
    }
}

fn peer(number: u8, cluster: &ClusterStatus, values: &Values, faults: Faults<'_>) -> Markup {
    let path = address(number);
    let id = form::id(&path);
    let fault = faults.of(&path);
    let state = cluster
        .peers
        .iter()
        .find(|peer| peer.position.number() == number);
    let described = format!("{id}-state");
    html! {
        li.faulty[fault.is_some()] {
            label for=(id) { "Peer " (number) " address" }
            (form::input(&path, &id, &described, Kind::Host, values, fault.is_some()))
            @if let Some(fault) = fault { p.fault { (fault) } }
            div.state id=(described) data-live {
                @if let Some(peer) = state { (seen(peer, cluster)) }
            }
        }
    }
}

fn seen(peer: &PeerStatus, cluster: &ClusterStatus) -> Markup {
    let (tone, word) = words::peer_state(peer.state);
    let (judged, certificate) = words::certificate(peer);
    html! {
        p.words {
            (words::pill(tone, word))
            @if cluster.primary == Some(peer.position) { (words::pill(Tone::Calm, "Primary")) }
            @if !certificate.is_empty() {
                (words::pill(judged, &format!("Certificate: {certificate}")))
            }
        }
        @if let Some(reason) = &peer.reason { p.fault { (reason) } }
        dl.inline {
            @if let Some(version) = &peer.version { (fact("Version", &html! { (version) })) }
            @if peer.state != PeerState::ThisSystem {
                @if let Some(time) = peer.round_trip {
                    (fact("Round trip", &html! { (words::round_trip(time)) }))
                }
                @if let Some(time) = peer.last_contact {
                    (fact("Last contact", &words::time(time)))
                }
            }
            @if let Some(revision) = peer.revision {
                (fact("Revision", &html! { (overview::revision(revision)) }))
            }
            @match peer.lag {
                Some(0) => (fact("Lag", &html! { "none" })),
                Some(lag) => {
                    @let revisions = usize::try_from(lag).unwrap_or(usize::MAX);
                    (fact("Lag", &html! { (words::count(revisions, "revision")) }))
                }
                None => {}
            }
            @if let Some(id) = peer.id { (fact("Identity", &html! { span.code { (id) } })) }
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn database(cluster: &ClusterStatus) -> Markup {
    html! {
        div.head {
            h2 #database-title { "Cluster database status" }
            @if cluster.peers.is_empty() {
                (words::pill(Tone::Calm, "No cluster"))
            } @else if cluster.database_active {
                (words::pill(Tone::Good, "Active"))
            } @else {
                (words::pill(Tone::Bad, "Not active"))
            }
        }
        dl.facts {
            dt { "Revision here" } dd { (overview::revision(cluster.revision)) }
            @if let Some(own) = cluster.own { dt { "This system" } dd { "Peer " (own) } }
            dt { "Term of the primary" } dd { (cluster.epoch) }
        }
    }
}
