//! rtnetlink and nf_tables messages.
