//! The obeying side: orders of the peer that leads, each done once (SPEC CL8).
//!
//! What an order will change is noted on the disk, with the values of before, ahead of the change.
//! So the order can come twice, or this peer can crash at any moment: done again it changes nothing
//! more, and what it takes to bring it back is never lost.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::ids::PeerId;
use crate::base::store::{Record, Write};
use crate::base::time::Instant;
use crate::config::Configuration;
use crate::config::path::Path;
use crate::config::value::HIDDEN;
use crate::wire::peer::Message;

use super::plan::{self, Deed, Done, Order, PlanId, Values};
use super::{Action, Operations, View, Writing};

/// Name of the fact in the store.
const FACT: &[u8] = b"order";

/// How long the answer has to get out before this peer restarts.
const FAREWELL: Duration = Duration::from_millis(500);

/// The order that was obeyed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Obeyed {
    plan: PlanId,
    title: String,
    leader: PeerId,
    leader_name: String,
    number: u16,
    /// Values of before.
    previous: Values,
    /// The life in which it was noted.
    life: u64,
    /// Whether the operation is over.
    ended: bool,
}

/// An order on its way.
#[derive(Debug)]
pub(super) struct Obeying {
    from: PeerId,
    order: Order,
    /// What is answered when it is done.
    previous: Values,
}

impl Obeyed {
    pub(super) fn load(records: &[Record]) -> Option<Self> {
        plan::load(records, FACT)
    }

    /// The operation that it belongs to, in words, while that is not over.
    pub(super) fn under_way(&self) -> Option<String> {
        (!self.ended).then(|| format!("{}, led by {}", self.title, self.leader_name))
    }

    fn write(&self) -> Write {
        plan::put(FACT, self)
    }
}

impl Operations {
    /// Does what a peer orders, unless it is done or under way already.
    pub(super) fn obey(&mut self, now: Instant, from: PeerId, order: Order, view: &View<'_>) {
        match order.deed {
            Deed::Tell => return self.tell_facts(from, &order, view),
            Deed::End => return self.end(&order),
            _ => {}
        }
        let same = |obeying: &Obeying| {
            (obeying.order.plan, obeying.order.number) == (order.plan, order.number)
        };
        if self.obeying.as_ref().is_some_and(same) {
            return;
        }
        if let Some(reason) = self.refuses(from, &order, view) {
            return self.reply(from, &order, Err(reason));
        }
        if self.writing.is_some() || self.obeying.is_some() {
            // Heard too early; it will come again.
            return;
        }
        let held = self
            .obeyed
            .as_ref()
            .filter(|obeyed| obeyed.plan == order.plan);
        if let Deed::Revert { number } = order.deed {
            let held = held.filter(|obeyed| obeyed.number == number);
            let Some(previous) = held.map(|obeyed| obeyed.previous.clone()) else {
                return self.reply(from, &order, Ok(Vec::new()));
            };
            let note = format!("Undone: {}", order.title);
            self.obeying = Some(Obeying {
                from,
                order,
                previous: Vec::new(),
            });
            return self.save(previous, note);
        }
        if let Some(held) = held.filter(|obeyed| obeyed.number == order.number) {
            self.obeying = Some(Obeying {
                from,
                order,
                previous: held.previous.clone(),
            });
            return self.execute(now);
        }
        let previous = before(&order.deed, view.configuration);
        let obeyed = Obeyed {
            plan: order.plan,
            title: order.title.clone(),
            leader: from,
            leader_name: super::called(&view.seen, from),
            number: order.number,
            previous: previous.clone(),
            life: self.life,
            ended: false,
        };
        self.obeying = Some(Obeying {
            from,
            order,
            previous,
        });
        self.persist(obeyed.write(), Writing::Obey(obeyed));
    }

    /// Does the order that is noted on the disk.
    pub(super) fn execute(&mut self, now: Instant) {
        let Some(obeying) = &self.obeying else { return };
        let note = obeying.order.title.clone();
        match obeying.order.deed.clone() {
            Deed::Set(values) => self.save(values, note),
            Deed::Admit { values, pins, .. } => {
                for (address, id) in pins {
                    self.actions.push_back(Action::Pin { address, id });
                }
                self.save(values, note);
            }
            Deed::Leave => {
                let clear =
                    |number: u8| (format!("Alternates Peer {number} Address"), String::new());
                self.save((1..=6).map(clear).collect(), note);
            }
            Deed::Restart => {
                if self
                    .obeyed
                    .as_ref()
                    .is_some_and(|obeyed| obeyed.life != self.life)
                {
                    return self.obeyed_with(Ok(()));
                }
                // The answer is for the next life to give.
                self.obeying = None;
                self.restart = Some(now + FAREWELL);
            }
            Deed::Purge(owner) => {
                self.actions.push_back(Action::Purge(owner));
                self.obeyed_with(Ok(()));
            }
            Deed::Nothing | Deed::Tell | Deed::Revert { .. } | Deed::End => {
                self.obeyed_with(Ok(()));
            }
        }
    }

    /// The save of an order has ended.
    pub(super) fn obeyed_save(&mut self, now: Instant, result: Result<(), String>) {
        let leave = |obeying: &Obeying| obeying.order.deed == Deed::Leave;
        if result.is_ok() && self.obeying.as_ref().is_some_and(leave) {
            self.restart = Some(now + FAREWELL);
        }
        self.obeyed_with(result);
    }

    /// Answers the order that is under way.
    pub(super) fn obeyed_with(&mut self, result: Result<(), String>) {
        if let Some(Obeying {
            from,
            order,
            previous,
        }) = self.obeying.take()
        {
            self.reply(from, &order, result.map(|()| previous));
        }
    }

    /// Why an order is not obeyed: one operation at a time, and each order after the one before.
    fn refuses(&self, from: PeerId, order: &Order, view: &View<'_>) -> Option<String> {
        let obeyed = self.obeyed.as_ref()?;
        if obeyed.plan == order.plan {
            let stale = order.number < obeyed.number && order.number.is_multiple_of(2);
            return stale.then(|| "a later step was ordered already".to_string());
        }
        let other = obeyed.leader;
        let active = view.seen.member(other).is_some_and(|member| member.active);
        // A leader that is gone for good must not stand in the way of those who are left.
        (!obeyed.ended && other != from && active && other != self.own)
            .then(|| format!("another operation is under way: {}", obeyed.title))
    }

    fn tell_facts(&mut self, from: PeerId, order: &Order, view: &View<'_>) {
        self.reply(from, order, Ok(super::survey::values_of(&view.facts)));
    }

    fn end(&mut self, order: &Order) {
        self.joined(Ok(String::new()));
        let Some(obeyed) = self
            .obeyed
            .as_mut()
            .filter(|obeyed| obeyed.plan == order.plan)
        else {
            return;
        };
        if !obeyed.ended {
            obeyed.ended = true;
            // Nobody waits for it: an end that gets lost is only less quickly shown.
            let write = obeyed.write();
            self.persist_quietly(write);
        }
    }

    fn save(&mut self, changes: Values, note: String) {
        self.actions.push_back(Action::Save { changes, note });
    }

    fn reply(&mut self, to: PeerId, order: &Order, result: Result<Values, String>) {
        let done = Done {
            plan: order.plan,
            number: order.number,
            result,
        };
        if to == self.own {
            return self.lead_answered(self.own, done);
        }
        self.tell(to, Message::Done(plan::encode(&done)));
    }
}

/// The values that a deed will replace. A secret is not among them: one that is there stays.
fn before(deed: &Deed, configuration: &Configuration) -> Values {
    let (Deed::Set(values) | Deed::Admit { values, .. }) = deed else {
        return Vec::new();
    };
    let value = |name: &String| {
        let path = Path::parse(name).ok()?;
        let text = match path.item().kind.is_secret() {
            true if configuration.secret(name).is_some() => HIDDEN.into(),
            true => String::new(),
            false => configuration.tree().shown(&path),
        };
        Some((name.clone(), text))
    };
    values.iter().filter_map(|(name, _)| value(name)).collect()
}
