//! The configuration from outside: saving, loading, replicating.
