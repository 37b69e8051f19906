//! From what is asked and what is seen to the steps of a plan, in the safe order (SPEC LC1).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::base::ids::PeerId;
use crate::base::time::Wall;
use crate::cluster::seen::{Member, Seen};
use crate::config::revision::Author;

use super::View;
use super::plan::{Deed, Expect, Plan, PlanState, Step};
use super::status::{Kind, Request};

const PRIMARY: &str = "Alternates ConfigurationPrimary";

/// The plan for a request, without its name and author.
///
/// # Errors
///
/// Why it cannot be done here and now.
pub(super) fn plan(request: &Request, view: &View<'_>) -> Result<Plan, Vec<String>> {
    let plan = match request {
        Request::ChangePrimary { peer, force } => change_primary(&view.seen, *peer, *force),
        Request::RollingRestart => rolling_restart(&view.seen),
        Request::Purge { peer } => purge(&view.seen, *peer),
        _ => Err("this cannot be done in this version".into()),
    };
    plan.map_err(|reason| vec![reason])
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
