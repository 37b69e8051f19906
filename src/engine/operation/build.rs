//! From what is asked and what is seen to the steps of a plan, in the safe order (SPEC LC1).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::base::ids::PeerId;
use crate::base::limits;
use crate::base::time::Wall;
use crate::cluster::seen::{Member, Seen};
use crate::config::revision::Author;
use crate::config::settings::lan_addresses;

use super::View;
use super::join::Joiner;
use super::plan::{Deed, Expect, Plan, PlanState, Step, Values};
use super::status::{Kind, Request};

const PRIMARY: &str = "Alternates ConfigurationPrimary";

/// Items beside the list that are the same on every peer without being replicated.
const SHARED: [&str; 3] = [
    "Alternates Cluster Name",
    "Alternates Cluster IPVersion",
    "Alternates Cluster TLSVerification",
];

/// The plan for a request, without its name and author.
///
/// # Errors
///
/// Why it cannot be done here and now.
pub(super) fn plan(request: &Request, view: &View<'_>) -> Result<Plan, Vec<String>> {
    let plan = match request {
        Request::ChangePrimary { peer, force } => change_primary(&view.seen, *peer, *force),
        Request::Create { name, address } => create(view, name, address),
        Request::Remove { peer, dead: false } => remove_live(&view.seen, *peer),
        Request::Remove { peer, dead: true } => remove_dead(&view.seen, *peer),
        Request::Disband => disband(&view.seen),
        Request::RollingRestart => rolling_restart(&view.seen),
        Request::Purge { peer } => purge(&view.seen, *peer),
        _ => Err("this cannot be done in this version".into()),
    };
    plan.map_err(|reason| vec![reason])
}

/// The plan that makes a system a peer, whose identity was proved by a code.
///
/// # Errors
///
/// Why it cannot be done here and now.
pub(super) fn join(joiner: &Joiner, view: &View<'_>) -> Result<Plan, Vec<String>> {
    admit(joiner, view).map_err(|reason| vec![reason])
}

fn admit(joiner: &Joiner, view: &View<'_>) -> Result<Plan, String> {
    let seen = &view.seen;
    leads(seen)?;
    all_active(seen)?;
    let Joiner { id, address, .. } = joiner;
    if seen.members.len() >= limits::PEERS {
        return Err("the cluster has six peers already".into());
    }
    if seen.members.iter().any(|member| member.id == Some(*id)) {
        return Err("a peer has the identity of this system already".into());
    }
    let number = seen.members.len() + 1;
    let item = peer_item(number);
    let title = format!("{address} joins as peer {number}");
    let own = seen
        .members
        .iter()
        .filter(|member| member.id == Some(seen.own));
    let others = seen
        .members
        .iter()
        .filter(|member| member.id != Some(seen.own));
    let living = ids(seen.members.iter());
    let step = |member: &Member| {
        let deed = Deed::Admit {
            values: vec![(item.clone(), address.clone())],
            pins: vec![(address.clone(), *id)],
            secret: false,
        };
        let expect = Expect::InStep {
            peers: living.clone(),
        };
        let title = format!("{} takes {address} into its list", name(member));
        member
            .id
            .map(|target| Step::new(title, target, deed, expect))
    };
    let mut steps: Vec<Step> = own.chain(others).filter_map(step).collect();
    let tree = view.configuration.tree();
    let mut values: Values = SHARED
        .iter()
        .map(|item| (item.to_string(), tree.text(item).to_string()))
        .collect();
    let numbers = ["Alternates Configuration Port", "Alternates State Port"];
    values.extend(numbers.map(|item| (item.to_string(), tree.number(item).to_string())));
    values.push((PRIMARY.to_string(), tree.number(PRIMARY).to_string()));
    let listed = seen.members.iter().map(|member| member.address.clone());
    values.extend(list(listed.chain([address.clone()]).collect()));
    let pin = |member: &Member| Some((member.address.clone(), member.id?));
    let deed = Deed::Admit {
        values,
        pins: seen.members.iter().filter_map(pin).collect(),
        secret: true,
    };
    let everybody: Vec<PeerId> = living.iter().copied().chain([*id]).collect();
    let expect = Expect::InStep { peers: everybody };
    let last = format!("{address} takes the settings and the configuration of the cluster");
    steps.push(Step::new(last, *id, deed, expect));
    let mut plan = whole(Kind::Join, title, steps, seen);
    plan.members.push(*id);
    // What the new peer had is replaced from here on.
    plan.irrevocable = plan.steps.len() - 1;
    Ok(plan)
}

fn create(view: &View<'_>, cluster: &str, address: &str) -> Result<Plan, String> {
    let seen = &view.seen;
    if !seen.members.is_empty() {
        return Err("this system is in a cluster already".into());
    }
    let own = lan_addresses(view.configuration.tree());
    let address = match (address, own.first()) {
        ("", Some(first)) => *first,
        ("", None) => return Err("Ethernet 1: a cluster needs this system's own address".into()),
        (typed, _) => typed
            .parse()
            .map_err(|_| format!("Address: {typed} is no IP address"))?,
    };
    let version = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let mut values = vec![
        ("Alternates Cluster Name".to_string(), cluster.to_string()),
        (
            "Alternates Cluster IPVersion".to_string(),
            version.to_string(),
        ),
        (PRIMARY.to_string(), "1".to_string()),
    ];
    values.extend(list(vec![address.to_string()]));
    let expect = Expect::Follow {
        primary: seen.own,
        peers: vec![seen.own],
    };
    let title = format!("Form the cluster {cluster} of this system alone");
    let step = Step::new(title.clone(), seen.own, Deed::Set(values), expect);
    let mut plan = whole(Kind::Create, title, vec![step], seen);
    plan.irrevocable = 0;
    Ok(plan)
}

/// A peer leaves: it takes no new calls, the others take it off their lists, it clears its own and
/// is reset; the primary, over which it was told so, takes it off last.
fn remove_live(seen: &Seen, peer: u8) -> Result<Plan, String> {
    let (gone, id) = leaver(seen, peer)?;
    all_active(seen)?;
    let left = remaining(seen, peer)?;
    let title = format!("Remove peer {peer} ({})", gone.address);
    let mut steps = vec![maintenance(gone, id)];
    steps.extend(shrink(seen, peer, &left, |member| {
        member.id != Some(seen.own)
    }));
    let irrevocable = steps.len();
    steps.push(leave(gone, id));
    steps.extend(shrink(seen, peer, &left, |member| {
        member.id == Some(seen.own)
    }));
    let others = seen.members.iter().filter(|member| member.id != Some(id));
    steps.push(in_step(seen, ids(others)));
    let mut plan = whole(Kind::RemoveLive, title, steps, seen);
    plan.irrevocable = irrevocable;
    Ok(plan)
}

/// A peer that cannot be reached is taken off all lists; if it comes back it is told so.
fn remove_dead(seen: &Seen, peer: u8) -> Result<Plan, String> {
    leads(seen)?;
    let place = |member: &&Member| member.position.number() == peer;
    let gone = seen.members.iter().find(place);
    let gone = gone.ok_or_else(|| format!("there is no peer {peer}"))?;
    if gone.active {
        return Err(format!(
            "peer {peer} ({}) can be reached: remove it without Dead: Yes, so that it is reset",
            gone.address
        ));
    }
    let others = seen
        .members
        .iter()
        .filter(|member| member.position != gone.position);
    if let Some(other) = others.clone().find(|member| !member.active) {
        return Err(format!(
            "{} cannot be reached either: bring it back, or remove it first",
            name(other)
        ));
    }
    let left = remaining(seen, peer)?;
    let title = format!("Remove the dead peer {peer} ({})", gone.address);
    let mut steps = shrink(seen, peer, &left, |member| member.id == Some(seen.own));
    steps.extend(shrink(seen, peer, &left, |member| {
        member.id != Some(seen.own)
    }));
    steps.push(in_step(seen, ids(others)));
    let mut plan = whole(Kind::RemoveDead, title, steps, seen);
    plan.outside.push(
        "If the removed system is ever switched on again: clear its peer addresses and restart it"
            .into(),
    );
    Ok(plan)
}

fn disband(seen: &Seen) -> Result<Plan, String> {
    leads(seen)?;
    all_active(seen)?;
    let others = seen
        .members
        .iter()
        .filter(|member| member.id != Some(seen.own));
    let others: Vec<(&Member, PeerId)> = others.filter_map(|m| Some((m, m.id?))).collect();
    let own = seen.member(seen.own).filter(|_| !others.is_empty());
    let own = own.ok_or("this is a cluster of one: clear its peer addresses and restart it")?;
    let mut steps: Vec<Step> = others.iter().map(|(m, id)| maintenance(m, *id)).collect();
    let irrevocable = steps.len();
    steps.extend(others.iter().map(|(member, id)| leave(member, *id)));
    let mut values = list(vec![own.address.clone()]);
    values.push((PRIMARY.to_string(), "1".to_string()));
    let title = format!("{} is a cluster of one", name(own));
    steps.push(Step::new(
        title,
        seen.own,
        Deed::Set(values),
        Expect::Nothing,
    ));
    let title = "Disband the cluster".to_string();
    let mut plan = whole(Kind::Disband, title, steps, seen);
    plan.irrevocable = irrevocable;
    Ok(plan)
}

/// A peer that may be taken out here.
fn leaver(seen: &Seen, peer: u8) -> Result<(&Member, PeerId), String> {
    leads(seen)?;
    let (member, id) = known(seen, peer)?;
    if id == seen.own {
        return Err("this is the primary: make another peer primary first".into());
    }
    if !member.active {
        return Err(format!(
            "peer {peer} ({}) cannot be reached: bring it back, or say Dead: Yes",
            member.address
        ));
    }
    Ok((member, id))
}

/// The list without a peer, the others moved up, and the primary's new number.
fn remaining(seen: &Seen, peer: u8) -> Result<Values, String> {
    let stays = |member: &&Member| member.position.number() != peer;
    let left: Vec<&Member> = seen.members.iter().filter(stays).collect();
    let primary = left
        .iter()
        .position(|member| member.id == seen.state.primary);
    let primary =
        primary.ok_or("the primary cannot be removed: make another peer primary first")?;
    let mut values = list(left.iter().map(|member| member.address.clone()).collect());
    values.push((PRIMARY.to_string(), (primary + 1).to_string()));
    Ok(values)
}

/// Steps in which the peers that stay take a peer off their lists.
fn shrink(seen: &Seen, peer: u8, left: &Values, who: impl Fn(&Member) -> bool) -> Vec<Step> {
    let stays = |member: &&Member| member.position.number() != peer && who(member);
    let step = |member: &Member| {
        let target = member.id?;
        let title = format!("{} takes peer {peer} off its list", name(member));
        let expect = Expect::InStep {
            peers: vec![target],
        };
        Some(Step::new(title, target, Deed::Set(left.clone()), expect))
    };
    seen.members.iter().filter(stays).filter_map(step).collect()
}

fn maintenance(member: &Member, id: PeerId) -> Step {
    let title = format!("{} takes no new calls and registrations", name(member));
    let on = vec![("SystemUnit Maintenance Mode".to_string(), "On".to_string())];
    Step::new(title, id, Deed::Set(on), Expect::Nothing)
}

fn leave(member: &Member, id: PeerId) -> Step {
    let title = format!("{} leaves the cluster and is reset", name(member));
    Step::new(title, id, Deed::Leave, Expect::Nothing)
}

fn change_primary(seen: &Seen, peer: u8, force: bool) -> Result<Plan, String> {
    let (new, id) = known(seen, peer)?;
    if seen.state.primary == Some(id)
        && seen
            .members
            .iter()
            .all(|member| member.state.is_none_or(|state| state.primary == Some(id)))
    {
        return Err(format!(
            "peer {peer} ({}) is the primary already",
            new.address
        ));
    }
    if !new.active {
        return Err(format!("peer {peer} ({}) cannot be reached", new.address));
    }
    let living = ids(seen.members.iter().filter(|member| member.active));
    let old = seen.primary();
    let majority = living.len() * 2 > seen.members.len();
    let old_lives = old.is_some_and(|old| old.active);
    let safe = majority && old_lives;
    if !safe && !force {
        let missing: Vec<&str> = seen
            .members
            .iter()
            .filter(|member| !member.active)
            .map(|member| member.address.as_str())
            .collect();
        return Err(format!(
            "{} cannot be reached: make sure that nobody changes the configuration there, then \
             repeat this with Force: Yes",
            missing.join(", ")
        ));
    }
    let value = || vec![(PRIMARY.to_string(), peer.to_string())];
    let set = |member: &Member, target: PeerId| {
        let title = format!("{} takes peer {peer} as primary", name(member));
        let expect = Expect::Follow {
            primary: id,
            peers: vec![target],
        };
        Step::new(title, target, Deed::Set(value()), expect)
    };
    let mut steps = vec![set(new, id)];
    let old = old.filter(|old| old.active && old.id != Some(id));
    let old = old.and_then(|old| Some((old, old.id?)));
    steps.extend(old.map(|(member, id)| set(member, id)));
    for member in seen.members.iter().filter(|member| member.active) {
        if let Some(target) = member.id
            && !steps.iter().any(|step| step.target == target)
        {
            steps.push(set(member, target));
        }
    }
    steps.push(in_step(seen, living));
    let title = format!("Change the primary to peer {peer} ({})", new.address);
    let mut plan = whole(Kind::ChangePrimary, title, steps, seen);
    if force {
        plan.outside.push(
            "Peers that could not be reached follow the new primary when they return; what only \
             they held is kept there as a branch: xCommand ConfigurationBranches"
                .into(),
        );
    }
    Ok(plan)
}

fn rolling_restart(seen: &Seen) -> Result<Plan, String> {
    let primary = seen.primary().ok_or("there is no primary")?;
    all_active(seen)?;
    let everybody = ids(seen.members.iter());
    let mut order: Vec<&Member> = vec![primary];
    order.extend(seen.members.iter().filter(|member| member.id != primary.id));
    let step = |member: &Member| {
        let expect = Expect::InStep {
            peers: everybody.clone(),
        };
        let title = format!("{} restarts", name(member));
        member
            .id
            .map(|id| Step::new(title, id, Deed::Restart, expect))
    };
    let steps: Vec<Step> = order.into_iter().filter_map(step).collect();
    let title = "Restart all peers, the primary first".to_string();
    let mut plan = whole(Kind::RollingRestart, title, steps, seen);
    plan.outside.clear();
    Ok(plan)
}

fn purge(seen: &Seen, peer: u8) -> Result<Plan, String> {
    let (of, owner) = known(seen, peer)?;
    let active = seen.members.iter().filter(|member| member.active);
    let step = |member: &Member| {
        let title = format!("{} forgets the shared state of peer {peer}", name(member));
        let target = member.id?;
        Some(Step::new(
            title,
            target,
            Deed::Purge(owner),
            Expect::Nothing,
        ))
    };
    let steps: Vec<Step> = active.filter_map(step).collect();
    let title = format!("Purge the shared state of peer {peer} ({})", of.address);
    let mut plan = whole(Kind::Purge, title, steps, seen);
    // Registrations that were forgotten come back only from the devices.
    plan.irrevocable = 0;
    plan.outside = vec!["Devices register again by themselves.".into()];
    Ok(plan)
}

/// A plan around its steps.
fn whole(kind: Kind, title: String, steps: Vec<Step>, seen: &Seen) -> Plan {
    let mut members = ids(seen.members.iter());
    if !members.contains(&seen.own) {
        members.push(seen.own);
    }
    Plan {
        id: [0; 16],
        kind,
        title,
        author: Author {
            name: String::new(),
            address: String::new(),
            face: String::new(),
        },
        began: Wall::default(),
        state: PlanState::Running,
        fault: String::new(),
        irrevocable: steps.len(),
        steps,
        members,
        findings: Vec::new(),
        outside: outside(kind),
    }
}

/// The last step of most plans.
fn in_step(seen: &Seen, peers: Vec<PeerId>) -> Step {
    let title = "All peers hold the primary's configuration".to_string();
    let expect = Expect::InStep { peers };
    Step::new(title, seen.own, Deed::Nothing, expect)
}

/// Systems that know the peers of a cluster by themselves.
fn outside(kind: Kind) -> Vec<String> {
    match kind {
        Kind::ChangePrimary | Kind::RollingRestart | Kind::Purge => Vec::new(),
        Kind::Create
        | Kind::Join
        | Kind::RemoveLive
        | Kind::RemoveDead
        | Kind::Disband
        | Kind::ChangeAddress => [
            "Neighbour and traversal client zones of other systems that list the peers",
            "Call managers that list the peers",
            "DNS: SRV, A, AAAA and PTR records of the cluster and of the peer",
            "Endpoints that are configured with a peer's address",
            "Identity provider: the metadata of the cluster",
            "External manager (TMS): add or remove the peer, then force a refresh",
        ]
        .map(String::from)
        .to_vec(),
    }
}

fn known(seen: &Seen, peer: u8) -> Result<(&Member, PeerId), String> {
    let place = |member: &&Member| member.position.number() == peer;
    let member = seen.members.iter().find(place);
    let member = member.ok_or_else(|| match seen.members.len() {
        0 => "this system is in no cluster".to_string(),
        count => format!("there is no peer {peer}: the cluster has {count}"),
    })?;
    let id = member
        .id
        .ok_or_else(|| format!("peer {peer} ({}) has never been met", member.address))?;
    Ok((member, id))
}

/// Whether this peer is the primary.
fn leads(seen: &Seen) -> Result<(), String> {
    match seen.primary() {
        Some(primary) if primary.id == Some(seen.own) => Ok(()),
        Some(primary) => Err(format!("do it on the primary ({})", primary.address)),
        None => Err("this system is in no cluster, or has not met the primary".into()),
    }
}

fn peer_item(number: usize) -> String {
    format!("Alternates Peer {number} Address")
}

/// The whole list of peers, with what is empty in it.
fn list(addresses: Vec<String>) -> Values {
    let address = |number: usize| addresses.get(number - 1).cloned().unwrap_or_default();
    (1..=limits::PEERS)
        .map(|number| (peer_item(number), address(number)))
        .collect()
}

fn all_active(seen: &Seen) -> Result<(), String> {
    match seen.members.iter().find(|member| !member.active) {
        None => Ok(()),
        Some(member) => Err(format!("{} cannot be reached", name(member))),
    }
}

fn ids<'a>(members: impl Iterator<Item = &'a Member>) -> Vec<PeerId> {
    members.filter_map(|member| member.id).collect()
}

fn name(member: &Member) -> String {
    format!("Peer {} ({})", member.position, member.address)
}
