//! Numbers and states in words, the same on every page.

use std::time::Duration;

use causeway_engine::alarm::Severity;
use causeway_engine::base::socket::Service;
use causeway_engine::base::time::Wall;
use causeway_engine::cluster::status::{PeerState, PeerStatus};
use maud::{Markup, html};

/// A time span in its two largest units: `3 d 4 h`, `12 min 5 s`, `850 ms`.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => format!("{} ms", time.as_millis()),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

/// A round trip; beats are timed in whole milliseconds.
pub(super) fn round_trip(time: Duration) -> String {
    match time.as_millis() {
        0 => "< 1 ms".into(),
        millis => format!("{millis} ms"),
    }
}

/// A point in time, readable and exact.
pub(super) fn time(time: Wall) -> Markup {
    let text = time.to_string();
    let shown = text.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(text) { (shown) } }
}

/// What a socket is for.
pub(super) const fn service(service: Service) -> &'static str {
    match service {
        Service::SipUdp => "SIP over UDP",
        Service::SipTcp => "SIP over TCP",
        Service::PeerConfiguration => "Cluster configuration (TLS)",
        Service::PeerState => "Cluster state (TLS)",
        Service::PeerBeat => "Cluster beats (UDP)",
        Service::Web => "Web pages (HTTPS)",
    }
}

/// How something fares; each tone has a colour, a sign and words, so that no one needs the colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Goes on, but needs a look.
    Warning,
    /// Does not work.
    Bad,
    /// Neither good nor bad.
    Calm,
}

impl Tone {
    /// Its class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Calm => "calm",
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Warning => "!",
            Self::Bad => "✕",
            Self::Calm => "•",
        }
    }
}

/// A word with its tone.
pub(super) fn pill(tone: Tone, text: &str) -> Markup {
    html! {
        span class={ "pill " (tone.class()) } {
            span.sign aria-hidden="true" { (tone.sign()) }
            (text)
        }
    }
}

/// The guide's word for a peer's state.
pub(super) const fn peer_state(state: PeerState) -> (Tone, &'static str) {
    match state {
        PeerState::ThisSystem => (Tone::Good, "This system"),
        PeerState::Active => (Tone::Good, "Active"),
        PeerState::Failed => (Tone::Bad, "Failed"),
        PeerState::Unknown => (Tone::Calm, "Unknown"),
    }
}

/// A peer's certificate; an invalid one is no fault in Permissive mode.
pub(super) fn certificate(peer: &PeerStatus) -> (Tone, String) {
    let tone = if peer.certificate.starts_with("Valid") {
        Tone::Good
    } else {
        Tone::Calm
    };
    (tone, peer.certificate.clone())
}

/// How much an alarm matters.
pub(super) const fn severity(severity: Severity) -> (Tone, &'static str) {
    match severity {
        Severity::Notice => (Tone::Calm, "Notice"),
        Severity::Warning => (Tone::Warning, "Warning"),
        Severity::Error => (Tone::Bad, "Error"),
        Severity::Critical => (Tone::Bad, "Critical"),
    }
}

/// A number with a thin space between thousands.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1 alarm`, `2 alarms`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_name_their_two_largest_units() {
        for (seconds, text) in [
            (0, "0 ms"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_600, "1 h 0 min"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        assert_eq!(round_trip(Duration::from_micros(420)), "< 1 ms");
        assert_eq!(round_trip(Duration::from_millis(84)), "84 ms");
        assert_eq!(count(1, "alarm"), "1 alarm");
        assert_eq!([7, 1_234, 48_211, 1_000_000].map(number).join(" "), {
            "7 1\u{202f}234 48\u{202f}211 1\u{202f}000\u{202f}000"
        });
    }
}
