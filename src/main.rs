//! Causeway: one static binary, many roles. This file only chooses the role.

fn main() {}
