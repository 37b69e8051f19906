//! SIP messages (RFC 3261 section 25).
