//! Words that every other module uses: time, identities, limits, randomness, digests.
//!
//! Nothing here knows a protocol or keeps state between calls.

pub mod digest;
pub mod ids;
pub mod limits;
pub mod random;
pub mod socket;
pub mod store;
pub mod time;
