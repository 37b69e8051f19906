//! Status > Overview: how this system and its cluster fare, at one glance.

use causeway_engine::admin::status::{DrainStatus, ListenerStatus, Status};
use causeway_engine::cluster::status::{ClusterStatus, PeerState};
use causeway_engine::net::status::LanStatus;
use maud::{Markup, html};

use crate::web::picture;
use crate::web::words::{self, Tone};

/// The content of the page.
pub(crate) fn content(status: &Status) -> Markup {
    html! {
        div.tiles #figures data-live { (figures(status)) }
        div #drains data-live {
            @let resting: Vec<_> = status.drains.iter().filter(|d| d.load.maintenance).collect();
            @if !resting.is_empty() {
                section.card aria-labelledby="drains-title" { (drains(&resting)) }
            }
        }
        div.columns {
            section.card.cluster #cluster data-live aria-labelledby="cluster-title" {
                (cluster(&status.cluster))
            }
            section.card #system data-live aria-labelledby="system-title" { (system(status)) }
        }
        @if !status.lans.is_empty() {
            section.card #lans data-live aria-labelledby="lans-title" { (lans(&status.lans)) }
        }
        section.card #listeners data-live aria-labelledby="listeners-title" {
            (listeners(&status.listeners))
        }
    }
}

fn figures(status: &Status) -> Markup {
    let registrations = status.registrations.len() as u64;
    let here = format!("{} here", words::number(status.sip.registrations));
    html! {
        (figure("Registrations", &words::number(registrations), &here))
        (figure("Calls", &words::number(status.calls.len() as u64), &calls_here(status)))
        (figure("SIP requests", &words::number(status.sip.requests), &trouble(status)))
        (figure("Alarms", &status.alarms.len().to_string(), &seen(status)))
    }
}

fn calls_here(status: &Status) -> String {
    format!("{} here", words::number(status.sip.calls))
}

/// What peers in maintenance mode have left to do (SPEC MM1).
fn drains(drains: &[&DrainStatus]) -> Markup {
    html! {
        div.head { h2 #drains-title { "Maintenance mode" } }
        div.scroll tabindex="0" role="region" aria-labelledby="drains-title" {
            table.stacked {
                thead { tr {
                    th scope="col" { "Peer" } th scope="col" { "Calls left" }
                    th scope="col" { "Registrations left" } th scope="col" { "State" }
                } }
                tbody {
                    @for drain in drains {
                        tr {
                            th scope="row" {
                                @match drain.peer {
                                    Some(peer) => { "Peer " (peer.to_string()) }
                                    None => "This system",
                                }
                            }
                            td.number data-label="Calls left" { (drain.load.calls) }
                            td.number data-label="Registrations left" {
                                (drain.load.registrations)
                            }
                            td data-label="State" {
                                @if drain.is_drained() {
                                    (words::pill(Tone::Good, "No calls left"))
                                } @else {
                                    (words::pill(Tone::Warning, "Calls go on"))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn figure(name: &str, value: &str, more: &str) -> Markup {
    html! {
        div.tile {
            p.name { (name) }
            p.value { (value) }
            p.more { (more) }
        }
    }
}

fn trouble(status: &Status) -> String {
    match (status.sip.malformed, status.sip.shed) {
        (0, 0) => "none refused".into(),
        (malformed, 0) => format!("{malformed} malformed"),
        (malformed, shed) => format!("{malformed} malformed, {shed} turned away"),
    }
}

fn seen(status: &Status) -> String {
    match status
        .alarms
        .iter()
        .filter(|alarm| !alarm.acknowledged)
        .count()
    {
        0 if status.alarms.is_empty() => "all is well".into(),
        0 => "all acknowledged".into(),
        count => format!("{count} to look at"),
    }
}

fn cluster(cluster: &ClusterStatus) -> Markup {
    html! {
        div.head {
            h2 #cluster-title { "Cluster" }
            @if !cluster.peers.is_empty() { (database(cluster)) }
        }
        @if cluster.peers.is_empty() {
            div.empty {
                p { "This system is on its own." }
                p { a href="/system/clustering" { "Form a cluster, or join one" } }
            }
        } @else {
            p.lead { (cluster.name) }
            (picture::cluster(cluster))
            p.foot {
                "Configuration revision " (revision(cluster.revision)) ". "
                a href="/system/clustering" { "Clustering" }
            }
        }
    }
}

/// The guide's cluster database status.
pub(crate) fn database(cluster: &ClusterStatus) -> Markup {
    let failed = cluster
        .peers
        .iter()
        .any(|peer| peer.state == PeerState::Failed);
    match (cluster.database_active, failed) {
        (true, _) => words::pill(Tone::Good, "Database active"),
        (false, true) => words::pill(Tone::Bad, "Database not active"),
        (false, false) => words::pill(Tone::Warning, "Database not active"),
    }
}

/// Term of the primary and number of the change.
pub(crate) fn revision((epoch, number): (u64, u64)) -> String {
    format!("{number} (term {epoch})")
}

fn system(status: &Status) -> Markup {
    let system = &status.system;
    let place = match (status.cluster.own, status.cluster.primary) {
        (Some(own), Some(primary)) if own == primary => format!("Peer {own}, primary"),
        (Some(own), _) => format!("Peer {own}"),
        (None, _) => "On its own".into(),
    };
    html! {
        div.head { h2 #system-title { "System" } }
        dl.facts {
            dt { "Name" } dd { @if system.name.is_empty() { "not set" } @else { (system.name) } }
            dt { "Version" } dd { (system.version) }
            dt { "Up for" } dd { (words::span(system.uptime)) }
            dt { "Time" } dd { (words::time(system.time)) }
            dt { "Cluster" } dd { (place) }
            dt { "Serial number" } dd.code { (system.id) }
        }
    }
}

fn lans(lans: &[LanStatus]) -> Markup {
    html! {
        div.head { h2 #lans-title { "Network interfaces" } }
        div.scroll tabindex="0" role="region" aria-labelledby="lans-title" {
            table.stacked {
                thead { tr {
                    th scope="col" { "LAN" } th scope="col" { "Link" }
                    th scope="col" { "Addresses" } th scope="col" { "Hardware" }
                } }
                tbody {
                    @for lan in lans {
                        tr {
                            th scope="row" { "LAN" (lan.number) }
                            td data-label="Link" {
                                @if lan.link { (words::pill(Tone::Good, "Up")) }
                                @else { (words::pill(Tone::Warning, "Down")) }
                                @if let Some(fault) = &lan.fault { p.fault { (fault) } }
                            }
                            td.code data-label="Addresses" {
                                @for (address, prefix) in &lan.addresses {
                                    (address) "/" (prefix) " "
                                }
                            }
                            td.code data-label="Hardware" {
                                @if let Some(name) = &lan.interface { (name) " " }
                                @if let Some(mac) = lan.mac { (hardware(mac)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn hardware(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn listeners(listeners: &[ListenerStatus]) -> Markup {
    html! {
        div.head { h2 #listeners-title { "Listening on" } }
        div.scroll tabindex="0" role="region" aria-labelledby="listeners-title" {
            table.stacked {
                thead { tr {
                    th scope="col" { "Service" } th scope="col" { "Address" }
                    th scope="col" { "State" }
                } }
                tbody {
                    @for listener in listeners {
                        tr {
                            th scope="row" { (words::service(listener.service)) }
                            td.code data-label="Address" { (listener.address) }
                            td data-label="State" {
                                @match &listener.fault {
                                    None => (words::pill(Tone::Good, "Open")),
                                    Some(fault) => {
                                        (words::pill(Tone::Bad, "Closed")) p.fault { (fault) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
