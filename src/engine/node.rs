//! One peer: the only module that knows every engine.
