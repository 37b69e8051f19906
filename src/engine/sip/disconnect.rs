//! Ending a call on an administrator's word (SPEC MM2).
//!
//! A proxy may not invent requests of others on the wire (RFC 3261 section 16), so it does what
//! either end would do: it makes the BYE that the caller would send, and the one that the called
//! would send, and handles both as if they had arrived. Their Route begins with our own entry, so
//! they find the same way as any request within the call, with the same retransmissions.

use alloc::vec::Vec;

use super::answer::Digits;
use super::calls::{Dialog, Party};
use super::origin::Origin;
use super::route::Verdict;
use super::{At, Directory, Instant, Sip, Wall, names, transport};
use crate::base::limits;
use crate::directory::shared::{Call, CallId};
use crate::wire::sip::{Header, MAGIC_COOKIE, Message, Uri};

/// What became of calls that were to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disconnected {
    /// Calls whose two ends were told.
    pub told: usize,
    /// Calls that were only taken off the list: their messages did not tell how to reach the ends,
    /// or there was no room for more requests.
    pub forgotten: usize,
}

impl Sip {
    /// Ends the call of this name, or all that pass this peer.
    pub fn disconnect(
        &mut self,
        now: Instant,
        wall: Wall,
        directory: &mut Directory,
        id: Option<CallId>,
    ) -> Disconnected {
        let at = &mut At {
            now,
            wall,
            directory,
        };
        let mut done = Disconnected::default();
        for (id, dialog) in self.calls.take(id) {
            at.directory.remove_call(id);
            let told = dialog.is_some_and(|dialog| {
                let to_called = self.say_bye(at, &dialog, &dialog.caller, &dialog.called);
                let to_caller = self.say_bye(at, &dialog, &dialog.called, &dialog.caller);
                to_called || to_caller
            });
            done.told += usize::from(told);
            done.forgotten += usize::from(!told);
        }
        done
    }

    /// A call was answered: keeps it, and shares it.
    pub(super) fn begin_call(
        &mut self,
        at: &mut At<'_>,
        call: u128,
        invite: &Message,
        accepted: &Message,
    ) {
        let id = CallId::of(invite.call_id());
        let dialog = self.dialog(invite, accepted);
        let controlled = dialog.is_some();
        if !self.calls.begin(at.now, call, id, dialog) {
            return;
        }
        let uri = |header| {
            let value = invite.header(header).unwrap_or_default();
            names::uri_of(value)
        };
        let shown = Call::new(uri(Header::From), uri(Header::To), at.wall, controlled);
        at.directory.put_call(id, &shown);
    }

    /// What the INVITE of a call and its 2xx tell; `None` when we are not on the way of requests
    /// within the call, or it takes too many bytes.
    fn dialog(&self, invite: &Message, accepted: &Message) -> Option<Dialog> {
        let routes: Vec<&[u8]> = accepted.values(Header::RecordRoute).collect();
        let ours = |value: &&[u8]| {
            let uri = Uri::parse(names::uri_of(value)).ok();
            let uri = uri.filter(|uri| self.is_own_uri(uri));
            let token = uri.as_ref().and_then(Uri::user);
            token.is_some_and(|t| self.tokens.open_dialog(t, invite.call_id()).is_some())
        };
        let first = routes.iter().position(&ours)?;
        let last = routes.iter().rposition(ours)?;
        // The called sees the entries in this order, the caller in the reverse (section 12.1).
        let to_caller = routes[first..].join(&b", "[..]);
        let mut to_called = routes[..=last].to_vec();
        to_called.reverse();
        let contact = |message: &Message| {
            let value = message.values(Header::Contact).next()?;
            Some(names::uri_of(value).to_vec())
        };
        let dialog = Dialog {
            call_id: invite.call_id().to_vec(),
            caller_tag: invite.tag(Header::From)?.to_vec(),
            caller: Party {
                name: accepted.header(Header::From)?.to_vec(),
                contact: contact(invite)?,
                routes: to_caller,
                cseq: invite.cseq()?.0,
            },
            called: Party {
                name: accepted.header(Header::To)?.to_vec(),
                contact: contact(accepted)?,
                routes: to_called.join(&b", "[..]),
                cseq: 0,
            },
        };
        (dialog.bytes() <= limits::SIP_DIALOG_BYTES).then_some(dialog)
    }

    /// Handles the BYE that `from` would send to `to`; says whether it went out.
    fn say_bye(&mut self, at: &mut At<'_>, dialog: &Dialog, from: &Party, to: &Party) -> bool {
        let Some(bytes) = self.bye(dialog, from, to) else {
            return false;
        };
        let Ok(message) = Message::parse(bytes) else {
            return false;
        };
        let origin = Origin::own();
        let key = self.server_key(&message);
        match self.decide(at, &message, &origin) {
            Ok(Verdict::Forward { plan, targets }) => {
                self.open(at, message, &origin, key, plan, targets);
                true
            }
            Ok(Verdict::Options) | Err(_) => false,
        }
    }

    fn bye(&mut self, dialog: &Dialog, from: &Party, to: &Party) -> Option<Vec<u8>> {
        let own = transport::text(self.primary_address()?);
        let mut branch = MAGIC_COOKIE.to_vec();
        super::answer::push_hexadecimal(&mut branch, self.random.bits(), 16);
        let number = Digits::of(from.cseq.saturating_add(1));
        let parts: [&[u8]; 21] = [
            b"BYE ",
            &to.contact,
            b" SIP/2.0\r\nVia: SIP/2.0/UDP ",
            &own,
            b";branch=",
            &branch,
            b"\r\nRoute: ",
            &to.routes,
            b"\r\nMax-Forwards: 70\r\nFrom: ",
            &from.name,
            b"\r\nTo: ",
            &to.name,
            b"\r\nCall-ID: ",
            &dialog.call_id,
            b"\r\nCSeq: ",
            number.bytes(),
            b" BYE\r\n",
            // RFC 3326: normal, unspecified.
            b"Reason: Q.850;cause=31;text=\"",
            b"Ended by the administrator",
            b"\"\r\n",
            b"Content-Length: 0\r\n\r\n",
        ];
        Some(parts.concat())
    }
}
