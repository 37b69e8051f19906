//! The registrar (RFC 3261 section 10.3, RFC 3327, RFC 5626 section 6).
//!
//! REGISTER is answered without a transaction: the same request gives the same bindings and the
//! same answer, so a retransmission needs no memory. All changes of one request are decided
//! before the first is made.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::answer::{self, Digits, Extra, Refusal};
use super::origin::Origin;
use super::token::Flow;
use super::transport::Hop;
use super::{At, Sip, names, transport};
use crate::base::limits;
use crate::base::time::Wall;
use crate::directory::{Binding, Found};
use crate::wire::sip::{Contact, Contacts, Header, Message, NameAddr, Response, Uri};

/// Lifetime that is granted when none is asked for, and above which no request is too brief,
/// seconds (section 10.3 item 6 and 7).
const DEFAULT_EXPIRES: u32 = 3_600;

/// One Contact value as asked for.
struct Wish<'a> {
    contact: Contact<'a>,
    uri: Uri<'a>,
    /// Lifetime to grant, seconds; zero removes.
    expires: u32,
}

/// What the Contact values ask for.
enum Wishes<'a> {
    /// To remove every binding.
    RemoveAll,
    /// To add, refresh or remove these; none at all is a question.
    Each(Vec<Wish<'a>>),
}

/// What one request changes.
#[derive(Debug, Default)]
struct Changes {
    /// Names of bindings to remove.
    removals: Vec<Vec<u8>>,
    /// Bindings to put.
    additions: Vec<Addition>,
}

#[derive(Debug)]
struct Addition {
    /// Its name: that of the binding it replaces, else a new one.
    id: Vec<u8>,
    /// Position among the wishes.
    wish: usize,
    /// When the device registered first.
    since: Option<Wall>,
}

impl Sip {
    /// Serves a REGISTER.
    pub(super) fn on_register(&mut self, at: &mut At<'_>, message: &Message, origin: &Origin) {
        let mut aor = core::mem::take(&mut self.aor);
        match self.register(at, message, origin, &mut aor) {
            Ok(removed) => {
                let tag = self.stateless_tag(message);
                let mut response = answer::begin(message, &origin.stamp, 200, tag);
                let found = at.directory.bindings(&aor, at.now);
                for found in found.filter(|found| removed.iter().all(|id| id != found.id)) {
                    push_contact(&mut response, at, &found);
                }
                response.copy(message, Header::Path);
                self.reply(at, origin.reply(), response.finish());
            }
            Err(refusal) => self.refuse(at, message, origin, &refusal),
        }
        self.aor = aor;
    }

    /// Makes the changes that a REGISTER asks for; gives the names of what it removed.
    fn register(
        &mut self,
        at: &mut At<'_>,
        message: &Message,
        origin: &Origin,
        aor: &mut String,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        if self.settings.maintenance {
            return Err(self.busy());
        }
        let to = message
            .address(Header::To)
            .and_then(|to| Uri::parse(to.uri).ok());
        let to = to.ok_or(Refusal::new(400))?;
        self.check_place(message)?;
        if !self.is_registrable(&to) || !names::write_aor(self, &to, aor) {
            return Err(Refusal::new(404));
        }
        let unknown: Vec<_> = message
            .values(Header::Require)
            .filter(|tag| !tag.eq_ignore_ascii_case(b"path"))
            .collect();
        if !unknown.is_empty() {
            return Err(Refusal::with(
                420,
                Extra::Unsupported(unknown.join(&b", "[..])),
            ));
        }
        let path = self.path(message)?;
        let changes = match self.wishes(message)? {
            Wishes::RemoveAll => remove_all(at, message, aor)?,
            Wishes::Each(wishes) => {
                let changes = self.changes(at, message, &wishes, aor)?;
                for addition in &changes.additions {
                    self.put(
                        at,
                        message,
                        origin,
                        aor,
                        &wishes[addition.wish],
                        addition,
                        &path,
                    );
                }
                changes
            }
        };
        for id in &changes.removals {
            remove(at, aor, id);
        }
        Ok(changes.removals)
    }

    /// Whether a request is for this registrar: no Route but our own, a Request-URI in our domain
    /// (section 10.3 items 1 and 2).
    fn check_place(&self, message: &Message) -> Result<(), Refusal> {
        let Ok(uri) = Uri::parse(message.request_uri()) else {
            return Err(Refusal::new(400));
        };
        if !uri.scheme().eq_ignore_ascii_case(b"sip") {
            return Err(Refusal::new(416));
        }
        let is_elsewhere = message.values(Header::Route).any(|route| {
            let hop = Uri::parse(names::uri_of(route));
            !hop.is_ok_and(|hop| self.is_own_uri(&hop))
        });
        if is_elsewhere || !self.is_registrable(&uri) {
            return Err(Refusal::new(404));
        }
        Ok(())
    }

    /// Reads every Contact value, or refuses them all.
    fn wishes<'a>(&self, message: &'a Message) -> Result<Wishes<'a>, Refusal> {
        let header = message.expires();
        let contacts = match message.contacts().ok_or(Refusal::new(400))? {
            // The wildcard stands alone, with an Expires of zero (section 10.3 item 6).
            Contacts::Star if header == Some(0) => return Ok(Wishes::RemoveAll),
            Contacts::Star => return Err(Refusal::new(400)),
            Contacts::List(contacts) => contacts,
        };
        let mut wishes = Vec::with_capacity(contacts.len());
        for contact in contacts {
            let uri = Uri::parse(contact.uri).map_err(|_| Refusal::new(400))?;
            if contact.uri.len() > limits::CONTACT_BYTES || !uri.headers().is_empty() {
                return Err(Refusal::new(400));
            }
            // A malformed parameter means the default (section 10.2.1.1).
            let asked = match contact.params.get(b"expires") {
                Some(_) => contact.expires.or(Some(DEFAULT_EXPIRES)),
                None => header,
            };
            let expires = self.grant(asked)?;
            wishes.push(Wish {
                contact,
                uri,
                expires,
            });
        }
        Ok(Wishes::Each(wishes))
    }

    /// The lifetime to grant for the one asked for (section 10.3 item 7).
    fn grant(&self, asked: Option<u32>) -> Result<u32, Refusal> {
        let (minimum, maximum) = (self.settings.refresh_minimum, self.settings.refresh_maximum);
        match asked {
            None => Ok(DEFAULT_EXPIRES.clamp(minimum.min(maximum), maximum)),
            Some(0) => Ok(0),
            Some(asked) if asked < minimum && asked < DEFAULT_EXPIRES => {
                Err(Refusal::with(423, Extra::MinExpires(minimum)))
            }
            Some(asked) => Ok(asked.min(maximum)),
        }
    }

    /// Decides what changes, without changing anything yet.
    fn changes(
        &mut self,
        at: &At<'_>,
        message: &Message,
        wishes: &[Wish<'_>],
        aor: &str,
    ) -> Result<Changes, Refusal> {
        let existing: Vec<_> = at.directory.bindings(aor, at.now).collect();
        let mut changes = Changes::default();
        let mut count = existing.len();
        for (position, wish) in wishes.iter().enumerate() {
            let old = existing.iter().find(|found| is_same(found.binding, wish));
            let repeated = old.map_or(Ok(false), |old| check_order(message, old.binding, wish))?;
            match (old, wish.expires) {
                _ if repeated => {}
                (Some(old), 0) => {
                    changes.removals.push(old.id.to_vec());
                    count -= 1;
                }
                (None, 0) => {}
                (old, _) => {
                    count += usize::from(old.is_none());
                    let id = old.map(|old| old.id.to_vec());
                    changes.additions.push(Addition {
                        id: id.unwrap_or_else(|| self.random.bits().to_be_bytes().to_vec()),
                        wish: position,
                        since: old.map(|old| old.binding.since),
                    });
                }
            }
        }
        let is_new = existing.is_empty() && count > 0;
        if count > limits::BINDINGS_PER_AOR && count > existing.len()
            || is_new && at.directory.count(at.directory.own()) >= limits::REGISTRATIONS
        {
            return Err(self.busy());
        }
        Ok(changes)
    }

    #[allow(clippy::too_many_arguments)]
    fn put(
        &mut self,
        at: &mut At<'_>,
        message: &Message,
        origin: &Origin,
        aor: &str,
        wish: &Wish<'_>,
        addition: &Addition,
        path: &[&[u8]],
    ) {
        let contact = wish.contact.uri;
        // Behind a Path the next hop is its first URI, and an alias leads to ourselves, whatever
        // way this request came.
        let flow = if path.is_empty() && !self.is_own_uri(&wish.uri) {
            origin.flow(contact)
        } else {
            Flow::Direct
        };
        let reg_id = wish.contact.reg_id;
        let owner_address = self.primary_address().unwrap_or(origin.remote);
        let mut hops = Vec::with_capacity(1 + path.len());
        hops.push(self.own_hop(flow, contact, owner_address));
        hops.extend(path.iter().map(|hop| hop.to_vec()));
        let call_id = message.call_id();
        let agent = message.header(Header::UserAgent).unwrap_or_default();
        let agent = agent.get(..limits::USER_AGENT_BYTES).unwrap_or(agent);
        let instance = wish.contact.instance;
        let binding = Binding {
            contact: contact.to_vec(),
            path: hops,
            instance: instance.map(|instance| (instance.to_vec(), reg_id.unwrap_or(0))),
            q: wish.contact.q.unwrap_or(1_000),
            call_id: call_id.to_vec(),
            cseq: number_of(message),
            source: origin.remote,
            owner_address,
            user_agent: String::from_utf8_lossy(agent).into_owned(),
            since: addition.since.unwrap_or(at.wall),
        };
        if let (Hop::Stream(stream), Some(_), Some(_)) = (origin.hop, instance, reg_id) {
            let held = self.flows.entry(stream).or_default();
            let is_known = held
                .iter()
                .any(|(name, id)| name == aor && *id == addition.id);
            if !is_known && held.len() < limits::SIP_FLOW_BINDINGS {
                held.push((aor.into(), addition.id.clone()));
            }
        }
        let lifetime = Duration::from_secs(wish.expires.into());
        at.directory
            .put(at.now, aor, &addition.id, binding, lifetime);
    }

    /// The inner hop by which other peers reach a device through us.
    fn own_hop(&self, flow: Flow, contact: &[u8], own: SocketAddr) -> Vec<u8> {
        let token = self.tokens.device(flow, contact);
        let mut hop = Vec::with_capacity(token.len() + 40);
        hop.extend_from_slice(b"sip:");
        hop.extend_from_slice(&token);
        hop.push(b'@');
        hop.extend_from_slice(&transport::text(own));
        hop.extend_from_slice(b";lr");
        hop
    }

    /// The URIs of Path (RFC 3327 section 5.3).
    fn path<'a>(&self, message: &'a Message) -> Result<Vec<&'a [u8]>, Refusal> {
        let mut path = Vec::new();
        for value in message.values(Header::Path) {
            let hop = NameAddr::parse(value).ok_or(Refusal::new(400))?.uri;
            if path.len() == limits::PATH_HOPS || hop.len() > limits::CONTACT_BYTES {
                return Err(Refusal::new(400));
            }
            path.push(hop);
        }
        Ok(path)
    }
}

/// Section 10.3 item 6: all bindings go, if the request is the newest of its Call-ID.
fn remove_all(at: &At<'_>, message: &Message, aor: &str) -> Result<Changes, Refusal> {
    let mut changes = Changes::default();
    for found in at.directory.bindings(aor, at.now) {
        let same = found.binding.call_id == message.call_id();
        if same && number_of(message) <= found.binding.cseq {
            return Err(Refusal::new(500));
        }
        changes.removals.push(found.id.to_vec());
    }
    Ok(changes)
}

/// Removes a binding. Another peer's can only be outlived: a newer copy of our own, gone in a
/// moment, makes its owner let go of it.
fn remove(at: &mut At<'_>, aor: &str, id: &[u8]) {
    let own = at.directory.own();
    let others = at
        .directory
        .bindings(aor, at.now)
        .find(|found| found.id == id && found.owner != own)
        .map(|found| found.binding.clone());
    match others {
        Some(copy) => at.directory.put(at.now, aor, id, copy, LETTING_GO),
        None => {
            at.directory.remove(at.now, aor, id);
        }
    }
}

/// How long the copy lives that makes another peer let go of a binding.
const LETTING_GO: Duration = Duration::from_secs(2);

/// Whether a wish speaks of this binding: the same flow of the same instance (RFC 5626 section
/// 6), else an equivalent URI (section 19.1.4).
fn is_same(binding: &Binding, wish: &Wish<'_>) -> bool {
    if let (Some((instance, reg_id)), Some(wanted), Some(wanted_id)) = (
        &binding.instance,
        wish.contact.instance,
        wish.contact.reg_id,
    ) && *reg_id > 0
    {
        return instance == wanted && *reg_id == wanted_id;
    }
    binding.contact == wish.contact.uri
        || Uri::parse(&binding.contact).is_ok_and(|uri| uri.matches(&wish.uri))
}

/// Section 10.3 item 7: a request that is older than the binding fails. Says whether it is the
/// very request that made the binding, come again.
fn check_order(message: &Message, binding: &Binding, wish: &Wish<'_>) -> Result<bool, Refusal> {
    let number = number_of(message);
    if binding.call_id != message.call_id() || number > binding.cseq {
        return Ok(false);
    }
    if number == binding.cseq && wish.expires > 0 {
        return Ok(true);
    }
    Err(Refusal::new(500))
}

fn number_of(message: &Message) -> u32 {
    message.cseq().map_or(0, |(number, _)| number)
}

/// One Contact of a 200, with what remains of its life (section 10.3 item 8).
fn push_contact(response: &mut Response, at: &At<'_>, found: &Found<'_>) {
    let binding = found.binding;
    let mut value = Vec::with_capacity(binding.contact.len() + 128);
    value.push(b'<');
    value.extend_from_slice(&binding.contact);
    value.push(b'>');
    if binding.q < 1_000 {
        value.extend_from_slice(b";q=0.");
        let digits = [binding.q / 100, binding.q / 10 % 10, binding.q % 10];
        let kept = digits.iter().rposition(|digit| *digit > 0).unwrap_or(0);
        value.extend(digits[..=kept].iter().map(|digit| b'0' + *digit as u8));
    }
    if let Some((instance, reg_id)) = &binding.instance {
        value.extend_from_slice(b";+sip.instance=\"");
        value.extend_from_slice(instance);
        value.push(b'"');
        if *reg_id > 0 {
            value.extend_from_slice(b";reg-id=");
            value.extend_from_slice(Digits::of(*reg_id).bytes());
        }
    }
    let left = found.expires.since(at.now).as_millis().div_ceil(1_000);
    value.extend_from_slice(b";expires=");
    value.extend_from_slice(Digits::of(u32::try_from(left).unwrap_or(u32::MAX)).bytes());
    response.header(Header::Contact, &value);
}
