//! What is to become of a request (RFC 3261 sections 16.3 to 16.5).

use alloc::string::String;
use alloc::vec::Vec;

use super::answer::{Extra, Refusal};
use super::forward::{Plan, Record};
use super::origin::Origin;
use super::target::{Target, Way};
use super::token::{DialogToken, Flow};
use super::{At, Sip, names};
use crate::wire::sip::{Header, Message, Method, Uri, Via};

/// What is to become of a request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It asks what we can do.
    Options,
    /// It goes on; the most wanted target is the last.
    Forward { plan: Plan, targets: Vec<Target> },
}

/// What the Route header field told.
struct Routed {
    plan: Plan,
    token: Token,
}

enum Token {
    /// There was none: the request is from outside of any dialog, or its sender forgot.
    None,
    /// It goes to a device that is registered here, found by another peer.
    Device(Flow),
    /// It belongs to a dialog that we recorded our route in.
    Dialog(DialogToken),
}

impl Sip {
    /// Decides what becomes of a request other than CANCEL.
    pub(super) fn decide(
        &self,
        at: &At<'_>,
        message: &Message,
        origin: &Origin,
    ) -> Result<Verdict, Refusal> {
        let loop_hash = self.validate(message)?;
        let Routed { mut plan, token } = self.preprocess(message)?;
        plan.loop_hash = loop_hash;
        let target = match token {
            Token::None => return self.resolve(at, message, origin, plan),
            Token::Device(flow) => {
                self.welcome(message)?;
                plan.record = self.record(message, origin);
                plan.is_for_device = true;
                let mut target = Target::onwards(Way::Flow(flow));
                target.is_neighbour = !plan.has_routes;
                target
            }
            Token::Dialog(token) => {
                let is_downstream = message.tag(Header::From).map(|tag| self.tag_hash(tag));
                let flow = if is_downstream == Some(token.caller) {
                    token.downstream
                } else {
                    token.upstream
                };
                Target::onwards(match flow {
                    Flow::Direct => Way::Next,
                    flow => Way::Flow(flow),
                })
            }
        };
        plan.is_known = true;
        let targets = alloc::vec![target];
        Ok(Verdict::Forward { plan, targets })
    }

    /// Section 16.3, items 2 to 5. Gives the hash by which a loop is known (RFC 5393).
    fn validate(&self, message: &Message) -> Result<u64, Refusal> {
        let Ok(uri) = Uri::parse(message.request_uri()) else {
            return Err(Refusal::new(if has_other_scheme(message.request_uri()) {
                416
            } else {
                400
            }));
        };
        if !uri.scheme().eq_ignore_ascii_case(b"sip") {
            return Err(Refusal::new(416));
        }
        let is_ours = || uri.user().is_none() && self.is_own_uri(&uri);
        if message.max_forwards() == Some(0) && !is_ours() {
            return Err(Refusal::new(483));
        }
        let loop_hash = self.loop_hash(message);
        let has_loop = message
            .values(Header::Via)
            .skip(1)
            .filter_map(Via::parse)
            .any(|via| {
                self.is_own_socket(names::literal(via.host()), via.port())
                    && via.branch().and_then(names::loop_hash_of) == Some(loop_hash)
            });
        if has_loop {
            return Err(Refusal::new(482));
        }
        let mut required = message.values(Header::ProxyRequire).peekable();
        if required.peek().is_some() && message.method() != Method::Ack {
            let unknown: Vec<_> = required.collect();
            return Err(Refusal::with(
                420,
                Extra::Unsupported(unknown.join(&b", "[..])),
            ));
        }
        Ok(loop_hash)
    }

    /// What decides the way of a request: if all of it comes round again, it is a loop.
    fn loop_hash(&self, message: &Message) -> u64 {
        let number = message.cseq().map_or(0, |(number, _)| number);
        let route = message.values(Header::Route).next();
        let hash = self
            .keys
            .hasher()
            .part(message.request_uri())
            .part(route.unwrap_or_default())
            .part(message.call_id())
            .part(message.tag(Header::From).unwrap_or_default())
            .part(message.tag(Header::To).unwrap_or_default())
            .part(&number.to_be_bytes())
            .finish();
        hash as u64
    }

    /// Section 16.4: takes our own entries off the front of Route, repairs what a strict router
    /// did, and reads our tokens.
    fn preprocess(&self, message: &Message) -> Result<Routed, Refusal> {
        let mut plan = Plan::default();
        let routes: Vec<&[u8]> = message.values(Header::Route).map(names::uri_of).collect();
        let mut routes = &routes[..];
        let mut token = Token::None;
        let uri = if let Some((last, before)) = routes.split_last()
            && let Some(user) = self.own_token(message.request_uri())
        {
            token = self
                .read_token(message, last, user)
                .ok_or(Refusal::new(403))?;
            plan.is_last_route_left_off = true;
            plan.uri = last.to_vec();
            routes = before;
            last
        } else {
            message.request_uri()
        };
        while let Some((first, after)) = routes.split_first() {
            let Ok(hop) = Uri::parse(first) else {
                return Err(Refusal::new(400));
            };
            if !self.is_own_uri(&hop) {
                break;
            }
            // One entry is read; a second one that says the same is our other side (RFC 5658).
            match (hop.user(), &token) {
                (None, _) => {}
                (Some(user), Token::None) => {
                    token = self
                        .read_token(message, uri, user)
                        .ok_or(Refusal::new(403))?;
                }
                (Some(user), Token::Dialog(known)) => match self.read_token(message, uri, user) {
                    Some(Token::Dialog(same)) if same == *known => {}
                    _ => break,
                },
                (Some(_), Token::Device(_)) => break,
            }
            plan.routes_left_off += 1;
            routes = after;
        }
        plan.has_routes = !routes.is_empty();
        Ok(Routed { plan, token })
    }

    /// The token in a Request-URI that a strict router took from our Record-Route.
    fn own_token<'a>(&self, uri: &'a [u8]) -> Option<&'a [u8]> {
        let uri = Uri::parse(uri).ok()?;
        if uri.is_loose() && self.is_own_socket(names::literal(uri.host()), uri.port()) {
            uri.user()
        } else {
            None
        }
    }

    fn read_token(&self, message: &Message, uri: &[u8], user: &[u8]) -> Option<Token> {
        if let Some(flow) = self.tokens.open_device(user, uri) {
            return Some(Token::Device(flow));
        }
        self.tokens
            .open_dialog(user, message.call_id())
            .map(Token::Dialog)
    }

    /// Section 16.5 for a request without any token of ours.
    fn resolve(
        &self,
        at: &At<'_>,
        message: &Message,
        origin: &Origin,
        mut plan: Plan,
    ) -> Result<Verdict, Refusal> {
        let Ok(uri) = Uri::parse(message.request_uri()) else {
            return Err(Refusal::new(400));
        };
        if plan.has_routes || !self.is_own_uri(&uri) {
            // No open relay.
            return Err(Refusal::new(403));
        }
        let mut aor = String::new();
        if !names::write_aor(self, &uri, &mut aor) {
            return match message.method() {
                Method::Options => Ok(Verdict::Options),
                _ => Err(Refusal::new(404)),
            };
        }
        self.welcome(message)?;
        let targets = self.targets(at, &aor);
        if targets.is_empty() {
            return Err(Refusal::new(480));
        }
        plan.record = self.record(message, origin);
        Ok(Verdict::Forward { plan, targets })
    }

    /// Refuses new calls in maintenance mode (SPEC MM1) and without a licence (SPEC LI2).
    fn welcome(&self, message: &Message) -> Result<(), Refusal> {
        let is_new_call = message.method() == Method::Invite && message.tag(Header::To).is_none();
        if (self.settings.maintenance || self.is_full) && is_new_call {
            return Err(Refusal::with(503, Extra::RetryAfter(super::RETRY_AFTER)));
        }
        Ok(())
    }

    /// What Record-Route shall say, for requests that make a dialog.
    fn record(&self, message: &Message, origin: &Origin) -> Option<Record> {
        let makes_dialog = matches!(
            message.method(),
            Method::Invite | Method::Subscribe | Method::Refer | Method::Notify
        );
        let tag = message.tag(Header::From).filter(|_| makes_dialog)?;
        Some(Record {
            caller: self.tag_hash(tag),
            upstream: self.caller_flow(message, origin),
            arrival: self.transport.listener_of(origin.hop),
        })
    }

    /// How a caller is reached later: by its Contact when that leads to where the request came
    /// from, else the way it came. A request that passed a proxy goes back by that proxy's route.
    fn caller_flow(&self, message: &Message, origin: &Origin) -> Flow {
        if message.values(Header::Via).nth(1).is_some()
            || message.header(Header::RecordRoute).is_some()
        {
            return Flow::Direct;
        }
        let contact = message.header(Header::Contact).map(names::uri_of);
        origin.flow(contact.unwrap_or_default())
    }

    /// Enough of a tag to tell both ends of a dialog apart.
    fn tag_hash(&self, tag: &[u8]) -> u32 {
        self.keys.hasher().part(tag).finish() as u32
    }
}

/// Whether what is no SIP URI is at least a URI of another kind.
fn has_other_scheme(uri: &[u8]) -> bool {
    let scheme = uri.split(|byte| *byte == b':').next().unwrap_or_default();
    scheme.len() < uri.len()
        && !scheme.eq_ignore_ascii_case(b"sip")
        && scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}
