//! What must hold after every step, and what must hold once all is quiet.
//!
//! The numbers are those of the invariants in the design of the cluster.

use std::collections::{BTreeMap, BTreeSet};

use causeway_engine::base::ids::PeerId;
use causeway_engine::base::time::Instant;
use causeway_engine::cluster::status::PeerState;
use causeway_engine::config::schema::Scope;
use causeway_engine::directory::Found;
use causeway_engine::node::Node;

use crate::world::{Machine, World};

/// What was seen so far, against which every step is compared.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    primaries: BTreeMap<u64, PeerId>,
    /// By identity: a peer that lost its disk is another peer.
    epochs: BTreeMap<PeerId, u64>,
    revisions: BTreeMap<(u64, u64), [u8; 32]>,
    /// Everything that an owner was ever seen to hold of its own.
    made: BTreeSet<Item>,
    /// What each machine held of others at the last step, and in which life of it.
    held: BTreeMap<usize, (u32, BTreeMap<Item, Instant>)>,
    /// Configurations that were compared with their revision: machine, life, generation.
    compared: BTreeMap<usize, (u32, u64)>,
}

/// A shared item: its owner, its name, its place, what it says.
type Item = (PeerId, String, Vec<u8>, Vec<u8>);

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
            self.configuration_is_a_revision(peer, machine.life, node, &at);
            self.own_items_are_as_started(machine, node, &at);
        }
        self.items_are_their_owners(world);
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

    /// (4) What is in effect is what one revision says, never a mixture.
    fn configuration_is_a_revision(&mut self, peer: usize, life: u32, node: &Node, at: &str) {
        let configuration = node.configuration();
        let now = (life, configuration.generation());
        if self.compared.insert(peer, now) == Some(now) {
            return;
        }
        if let Some(head) = configuration.chain(Scope::Cluster).head() {
            let effective = configuration.tree().scoped(Scope::Cluster).hash();
            assert_eq!(effective, head.content, "(4) a mixture of revisions, {at}");
        }
    }

    /// (5) What belongs to one peer is changed by nobody else.
    fn own_items_are_as_started(&self, machine: &Machine, node: &Node, at: &str) {
        let own = node.configuration().tree().text("SystemUnit Name");
        let started = machine.setting("SystemUnit Name");
        assert!(
            own.is_empty() || started.is_none_or(|name| name == own),
            "(5) an item of the peer itself has changed to {own}, {at}"
        );
    }

    /// (7) What is held of an owner was made by it; (8) it is held until its time is over, or its
    /// owner gives it up.
    fn items_are_their_owners(&mut self, world: &World) {
        let mut own = BTreeSet::new();
        let mut others = BTreeMap::new();
        for (peer, machine) in world.machines.iter().enumerate() {
            let Some(node) = &machine.node else { continue };
            let now = world.clocks(peer).0;
            let living = node
                .directory()
                .all()
                .filter(|(_, found)| found.expires > now);
            let (ours, theirs): (Vec<_>, Vec<_>) =
                living.partition(|(_, found)| found.owner == machine.id);
            own.extend(ours.into_iter().map(item));
            let theirs = theirs.into_iter();
            let theirs = theirs.map(|found| (item(found), found.1.expires));
            others.insert(peer, (machine.life, theirs.collect::<BTreeMap<_, _>>()));
        }
        self.made.extend(own.iter().cloned());
        for (peer, (life, held)) in others {
            let at = format!("peer {peer} at {} ms", world.now_ms);
            for item in held.keys() {
                assert!(self.made.contains(item), "(7) nobody made {item:?}, {at}");
            }
            let before = self.held.insert(peer, (life, held));
            let held = &self.held[&peer].1;
            let before = before.filter(|(before, _)| *before == life);
            for (item, expires) in before.into_iter().flat_map(|(_, items)| items) {
                let dropped = !held.contains_key(&item) && expires > world.clocks(peer).0;
                // An owner that started again begins anew.
                assert!(
                    !dropped || !own.contains(&item) || !world.knows_life(peer, item.0),
                    "(8) {item:?} is dropped before its time, {at}"
                );
            }
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

fn item((aor, found): (&str, Found<'_>)) -> Item {
    (
        found.owner,
        aor.to_string(),
        found.id.to_vec(),
        found.binding.contact.clone(),
    )
}
