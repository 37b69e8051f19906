//! Operations of the cluster: what they see, what they ask for, and who answers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::admin::{Actor, Answer, Refusal};
use crate::alarm::Severity;
use crate::base::ids::{PeerId, RequestId, StreamId};
use crate::base::socket::Service;
use crate::base::time::{Instant, Wall};
use crate::cluster::{self, Cluster};
use crate::config::Configuration;
use crate::config::path::Path;
use crate::config::revision::Author;
use crate::config::schema::{SCHEMA, Scope};
use crate::config::settings::{ClusterSettings, lan_addresses};
use crate::config::tree::Tree;
use crate::io::Action;
use crate::net::machine::{MachineRequest, Stop};
use crate::operation::preflight::Facts;
use crate::operation::status::Ask;
use crate::operation::{self, View};

use super::saves;
use super::{Node, Promise};

impl Node {
    /// Takes in what an administrator asks of the cluster.
    pub(super) fn operate(
        &mut self,
        now: Instant,
        wall: Wall,
        request: RequestId,
        actor: Actor,
        ask: Ask,
    ) {
        let author = author_of(actor);
        let facts = self.facts(now);
        let view = view(now, &self.cluster, &self.configuration, facts);
        self.operations.ask(now, wall, request, author, ask, &view);
    }

    /// Hands on what peers have sent, and goes on with what can go on.
    pub(super) fn carry_operations(&mut self, now: Instant, wall: Wall) {
        if let Some(result) = self.saves.operation.take() {
            let result = result.map_err(|refusal| refusal.reasons.join("; "));
            self.operations.saved(now, result);
        }
        while let Some((from, message)) = self.cluster.poll_heard() {
            let facts = self.facts(now);
            let view = view(now, &self.cluster, &self.configuration, facts);
            self.operations.heard(now, from, &message, &view);
        }
        self.forget_gone();
        if self.operations.poll_timeout().is_some_and(|at| at <= now) {
            let facts = self.facts(now);
            let view = view(now, &self.cluster, &self.configuration, facts);
            self.operations.drive(now, &view);
        }
        while let Some(action) = self.operations.poll_action() {
            self.carry_operation(now, wall, action);
        }
    }

    /// Bytes of a system that wants to join, or of the primary that lets this one.
    pub(super) fn join_received(
        &mut self,
        now: Instant,
        wall: Wall,
        stream: StreamId,
        bytes: &[u8],
    ) {
        let facts = self.facts(now);
        let view = view(now, &self.cluster, &self.configuration, facts);
        self.operations.received(now, wall, stream, bytes, &view);
    }

    fn carry_operation(&mut self, now: Instant, wall: Wall, action: operation::Action) {
        let action = match action {
            operation::Action::Persist { token, writes } => {
                self.journal.write(writes, Promise::Operation(token))
            }
            operation::Action::Tell { to, message } => {
                self.cluster.tell(to, &message);
                return;
            }
            operation::Action::Save { changes, note } => {
                let ask = saves::Ask {
                    request: Some(saves::OPERATION),
                    actor: Actor {
                        name: "operation".into(),
                        address: None,
                        face: "operation",
                    },
                    changes,
                    note,
                    writes: Vec::new(),
                    force: false,
                };
                if let Err(refusal) = self.saves.push(ask) {
                    self.saves.operation = Some(Err(refusal));
                }
                return;
            }
            operation::Action::Pin { address, id } => return self.cluster.expect(&address, id),
            operation::Action::Connect { stream, from, to } => {
                let service = Service::PeerConfiguration;
                self.streams.insert(stream, service);
                Action::Connect {
                    stream,
                    service,
                    from: Some(from),
                    to,
                }
            }
            operation::Action::HandOver {
                stream,
                ends,
                proof,
                bytes,
            } => {
                let input = cluster::Input::Opened {
                    stream,
                    service: Service::PeerConfiguration,
                    ends,
                    peer: proof,
                    dialled: false,
                };
                self.cluster_input(now, wall, input);
                let input = cluster::Input::Received { stream, bytes };
                return self.cluster_input(now, wall, input);
            }
            operation::Action::Write { stream, bytes } => Action::Write { stream, bytes },
            operation::Action::Close { stream } => Action::Close { stream },
            operation::Action::Restart => Action::Machine(MachineRequest::Stop(Stop::Restart)),
            operation::Action::Purge(owner) => return self.purge(now, owner),
            operation::Action::Answer { request, answer } => Action::Answer {
                request,
                answer: answer
                    .map(Answer::Text)
                    .map_err(|reasons| Refusal { reasons }),
            },
            operation::Action::Log { level, text } => Action::Log { level, text },
        };
        self.actions.push_back(action);
    }

    /// Forgets the shared items of peers that belong to the cluster no more (SPEC RP9).
    pub(super) fn forget_gone(&mut self) {
        while let Some(owner) = self.cluster.poll_gone() {
            self.directory.forget(owner);
        }
    }

    /// Forgets the shared items of a peer; of this one, all its own.
    fn purge(&mut self, now: Instant, owner: PeerId) {
        if owner != self.id {
            return self.directory.forget(owner);
        }
        let own = self.directory.all();
        let own = own.filter(|(_, found)| found.owner == owner);
        let items: Vec<(String, Vec<u8>)> = own
            .map(|(aor, found)| (aor.to_string(), found.id.to_vec()))
            .collect();
        for (aor, id) in items {
            self.directory.remove(now, &aor, &id);
        }
    }

    /// What this peer tells of itself to those who examine whether a cluster can be changed. A
    /// fact of a subsystem that does not exist is not told, and so not taken for good.
    pub(super) fn facts(&self, now: Instant) -> Facts {
        let tree = self.configuration.tree();
        let seen = self.cluster.seen(now, &self.configuration);
        let mut facts = Facts::new();
        let mut tell = |name: &str, values: Vec<String>| {
            let values = values.into_iter().filter(|value| !value.is_empty());
            facts.insert(name.into(), values.collect());
        };
        let text = |name: &str| alloc::vec![tree.text(name).to_string()];
        tell("software", alloc::vec![self.version.to_string()]);
        tell("schema", alloc::vec![schema()]);
        tell("name", text("SystemUnit Name"));
        tell("host", text("IP DNS Hostname"));
        tell("domain", text("IP DNS Domain Name"));
        let addresses = lan_addresses(tree);
        tell(
            "address",
            addresses.iter().map(ToString::to_string).collect(),
        );
        let gateways = ["IP Gateway", "IP V6 Gateway"];
        tell("gateway", gateways.into_iter().flat_map(text).collect());
        tell("peers", ClusterSettings::from(tree).peers);
        let active = seen.members.iter().filter(|member| member.active);
        tell("reaches", active.map(|m| m.address.clone()).collect());
        let trip = |member: &crate::cluster::seen::Member| {
            let time = member.round_trip?.as_millis();
            Some(format!("{} {time}", member.address))
        };
        tell(
            "round-trips",
            seen.members.iter().filter_map(trip).collect(),
        );
        let former = self.former.as_ref();
        tell(
            "former-cluster",
            former
                .map(|former| former.cluster.clone())
                .into_iter()
                .collect(),
        );
        if !seen.members.is_empty() {
            // Peers tell each other by the source address, so one that is reached is seen as it is.
            tell("translated", Vec::new());
        }
        let head = self.configuration.chain(Scope::Cluster);
        let hash: String = head.hash()[..8]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        tell(
            "revision",
            alloc::vec![format!("{} {hash}", head.id().number)],
        );
        tell("restart", self.restart_items());
        let open = self.alarms.raised().filter(|alarm| {
            !alarm.acknowledged && alarm.condition.kind.severity > Severity::Notice
        });
        let kinds = open.map(|alarm| alarm.condition.kind);
        let named = kinds.map(|kind| format!("{} {}", kind.id, kind.title));
        tell("alarms", named.collect());
        facts
    }

    /// Items that were changed since the start and take effect only after a restart.
    pub(super) fn restart_items(&self) -> Vec<String> {
        changed_restart_items(&self.started_with, self.configuration.tree())
    }
}

/// What an operation looks at.
fn view<'a>(
    now: Instant,
    cluster: &Cluster,
    configuration: &'a Configuration,
    facts: Facts,
) -> View<'a> {
    View {
        seen: cluster.seen(now, configuration),
        configuration,
        facts,
    }
}

/// Who asks, as revisions name them.
pub(super) fn author_of(actor: Actor) -> Author {
    let address = actor.address;
    Author {
        name: actor.name,
        address: address.map_or_else(String::new, |address| format!("{address}")),
        face: actor.face.into(),
    }
}

/// Items marked in the schema as needing a restart whose values differ.
fn changed_restart_items(before: &Tree, now: &Tree) -> Vec<String> {
    let changes = before.changes_to(now);
    let needs = changes.into_iter().map(|change| change.path);
    needs
        .filter(|path: &Path| path.item().restart)
        .map(|path| path.to_string())
        .collect()
}

/// The schema by its size and a digest, so that two versions can be told apart.
fn schema() -> String {
    let names: Vec<u8> = SCHEMA
        .iter()
        .flat_map(|item| item.pattern.bytes())
        .collect();
    let digest = crate::base::digest::sha256(&[&names]);
    let digest: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{} items {digest}", SCHEMA.len())
}
