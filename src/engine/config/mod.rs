//! The configuration: one typed schema, and revisions of what administrators set.

pub mod revision;
pub mod schema;
pub mod tree;
