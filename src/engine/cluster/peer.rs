//! One configured peer: its links, its beats, and what is known of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::base::ids::{PeerId, Position, StreamId};
use crate::base::limits;
use crate::base::socket::{PeerProof, Presented, Service};
use crate::base::time::{Instant, Wall};
use crate::wire::peer::beat::{self, Beat};
use crate::wire::peer::{Head, Hello, Reader, State};

use super::board::Shared;
use super::status::PeerState;
use super::verify::Judgement;

/// First wait before a link is dialled again; doubled up to [`DIAL_WAIT_MAX`].
const DIAL_WAIT: Duration = Duration::from_millis(250);

/// Longest wait before a link is dialled again. A peer that was away is caught up within two
/// seconds of contact (SPEC RP3), so it is short.
const DIAL_WAIT_MAX: Duration = Duration::from_secs(1);

/// One stream to a peer.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: StreamId,
    pub(super) proof: PeerProof,
    pub(super) dialled: bool,
    pub(super) reader: Reader,
    /// The peer's hello, once it was heard and found good.
    pub(super) hello: Option<Hello>,
    pub(super) since: Instant,
}

/// The dialling of one plane.
#[derive(Debug, Default)]
pub(super) struct Dial {
    pub(super) stream: Option<StreamId>,
    pub(super) due: Instant,
    wait: Duration,
}

impl Dial {
    /// Dials again later, and later still the next time; `spread` is chance from 0 to 255.
    pub(super) fn later(&mut self, now: Instant, spread: u64) {
        self.stream = None;
        self.wait = (self.wait * 2).clamp(DIAL_WAIT, DIAL_WAIT_MAX);
        self.due = now + self.wait / 2 + self.wait * (spread as u32) / 512;
    }

    /// The link stands: the next loss is dialled at once.
    pub(super) fn reset(&mut self, now: Instant) {
        self.stream = None;
        self.wait = Duration::ZERO;
        self.due = now;
    }
}

/// Beats in both directions.
#[derive(Debug, Default)]
pub(super) struct Beats {
    key: Option<[u8; 32]>,
    sent: u64,
    sent_at: [(u64, Instant); 8],
    heard: u64,
    pub(super) heard_at: Option<Instant>,
    /// When the peer last said that it hears us.
    pub(super) hears_us_at: Option<Instant>,
    pub(super) round_trip: Option<Duration>,
}

impl Beats {
    /// Begins anew on a channel.
    pub(super) fn begin(&mut self, binding: &[u8; 32]) {
        *self = Self {
            key: Some(beat::key(binding)),
            round_trip: self.round_trip,
            ..Self::default()
        };
    }

    /// The next beat to send; `None` without a channel.
    pub(super) fn next(&mut self, now: Instant, own: PeerId) -> Option<Vec<u8>> {
        let key = self.key?;
        self.sent += 1;
        self.sent_at[(self.sent % 8) as usize] = (self.sent, now);
        let held = self.heard_at.map_or(0, |at| now.since(at).as_millis());
        let beat = Beat {
            number: self.sent,
            heard: self.heard,
            held_ms: held.min(60_000) as u32,
        };
        Some(beat::encode(&key, own, &beat))
    }

    /// Takes in a datagram that claims to be the peer's; says whether it is a new beat.
    pub(super) fn hear(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) -> bool {
        let Some(beat) = self.key.and_then(|key| beat::decode(&key, peer, bytes)) else {
            return false;
        };
        if beat.number <= self.heard {
            return false;
        }
        self.heard = beat.number;
        self.heard_at = Some(now);
        let (number, at) = self.sent_at[(beat.heard % 8) as usize];
        if beat.heard > 0 && beat.heard == number {
            let held = Duration::from_millis(u64::from(beat.held_ms));
            self.round_trip = Some(now.since(at).saturating_sub(held));
        }
        if beat.heard > 0 && self.sent.saturating_sub(beat.heard) < 6 {
            self.hears_us_at = Some(now);
        }
        true
    }
}

/// A snapshot of the configuration on its way in.
pub(super) type Parts = Vec<u8>;

/// One configured peer that is not this system.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) position: Position,
    pub(super) address: String,
    /// What the address is, or resolves to.
    pub(super) ip: Option<IpAddr>,
    /// Its identity: pinned when it was met first.
    pub(super) id: Option<PeerId>,
    pub(super) configuration: Option<Link>,
    pub(super) state: Option<Link>,
    pub(super) dials: [Dial; 2],
    pub(super) beats: Beats,
    /// Why one of us refused the other, until a link stands.
    pub(super) refusal: Option<String>,
    /// What it says when it has taken this system off its list.
    pub(super) removed: Option<String>,
    pub(super) software: Option<String>,
    /// Whether its schema is ours, so that configuration may be shared.
    pub(super) same_schema: bool,
    pub(super) follows: Option<State>,
    pub(super) last_contact: Option<Wall>,
    /// What it said it holds of the replicated configuration.
    pub(super) holds: Option<Head>,
    /// Primary's side: whether revisions are on their way to it.
    pub(super) feeding: bool,
    /// Subordinate's side: a snapshot on its way in.
    pub(super) parts: Parts,
    /// Newest of our own changes that was sent to it; `None` until it said what it holds.
    pub(super) items_sent: Option<u64>,
    /// A snapshot of our items on its way to it: where it stands and where it ends.
    pub(super) items_whole: Option<(u64, u64)>,
    /// How our board stands with it; `None` until it said that it understands boards.
    pub(super) board: Option<Shared>,
    /// The certificate that it presented last.
    pub(super) presented: Option<Presented>,
    /// What it would say of the others' certificates.
    pub(super) told: Option<Judgement>,
    /// What it was told of that by us, over the link that stands.
    pub(super) judged: Option<Judgement>,
    /// When its certificate was presented from elsewhere, and from where.
    pub(super) misplaced: Option<(Instant, String)>,
    /// Whether it was ever active since it was configured: before that it is no failure.
    pub(super) met: bool,
    /// When it was configured, or this system started.
    pub(super) since: Instant,
}

impl Peer {
    /// A peer that was just configured.
    pub(super) fn new(
        now: Instant,
        position: Position,
        address: String,
        ip: Option<IpAddr>,
    ) -> Self {
        Self {
            position,
            ip,
            address,
            id: None,
            configuration: None,
            state: None,
            dials: [Dial::default(), Dial::default()],
            beats: Beats::default(),
            refusal: None,
            removed: None,
            software: None,
            same_schema: false,
            follows: None,
            last_contact: None,
            holds: None,
            feeding: false,
            parts: Vec::new(),
            items_sent: None,
            items_whole: None,
            presented: None,
            told: None,
            judged: None,
            misplaced: None,
            board: None,
            met: false,
            since: now,
        }
    }

    /// Whether another entry of the list means the same place: the same address, or one that
    /// resolves to the same.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        self.address == other.address || (self.ip.is_some() && self.ip == other.ip)
    }

    /// The link of a plane.
    pub(super) fn link(&mut self, service: Service) -> &mut Option<Link> {
        if service == Service::PeerConfiguration {
            &mut self.configuration
        } else {
            &mut self.state
        }
    }

    /// The dialling of a plane.
    pub(super) fn dial(&mut self, service: Service) -> &mut Dial {
        &mut self.dials[usize::from(service != Service::PeerConfiguration)]
    }

    /// Whether a plane's link stands with hellos exchanged.
    pub(super) fn stands(&self, service: Service) -> bool {
        let link = match service {
            Service::PeerConfiguration => &self.configuration,
            _ => &self.state,
        };
        link.as_ref().is_some_and(|link| link.hello.is_some())
    }

    /// Whether beats were heard lately enough.
    pub(super) fn is_heard(&self, now: Instant, within: Duration) -> bool {
        self.beats.heard_at.is_some_and(|at| now.since(at) < within)
    }

    /// Whether its absence is a failure: it was here, or there was time enough to set it up.
    pub(super) fn is_expected(&self, now: Instant) -> bool {
        self.met || now.since(self.since) >= limits::FORMING
    }

    /// Its state in the guide's words.
    pub(super) fn state_word(&self, now: Instant) -> PeerState {
        let planes = self.stands(Service::PeerConfiguration) && self.stands(Service::PeerState);
        if planes && self.is_heard(now, limits::BEAT_FAILED) {
            PeerState::Active
        } else if self.is_expected(now) || self.refusal.is_some() || self.ip.is_none() {
            PeerState::Failed
        } else {
            PeerState::Unknown
        }
    }

    /// Forgets what belonged to a link that is gone.
    pub(super) fn lost(&mut self, service: Service) {
        *self.link(service) = None;
        if service == Service::PeerConfiguration {
            self.feeding = false;
            self.judged = None;
            self.told = None;
            self.holds = None;
            self.parts.clear();
        } else {
            self.items_sent = None;
            self.items_whole = None;
            self.board = None;
        }
    }
}
