//! Clusters of real processes, each in a network namespace of its own, joined by a relay that
//! delays, loses and cuts (SPEC CL1–CL7, RP3, RP4, RP9, LC1).
//!
//! Phones are sipp with scenarios in `lab/`; the judge of what is sent is tshark. Needs root. What
//! cannot run fails and says `not run`.

mod faults;
mod lab;
mod orders;
mod pair;
mod procedures;
mod six;
mod versions;
