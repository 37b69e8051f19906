//! SIP counters as a person sees them.

/// Counters since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SipStatus {
    /// Calls set up and not ended.
    pub calls: u64,
    /// Transactions alive.
    pub transactions: u64,
    /// Own registrations alive.
    pub registrations: u64,
    /// Requests received.
    pub requests: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Requests turned away for overload or maintenance.
    pub shed: u64,
    /// Responses that belong to nothing.
    pub stray: u64,
}
