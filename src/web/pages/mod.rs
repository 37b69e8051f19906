//! The pages: pure functions from values to HTML.

pub(super) mod alarms;
pub(super) mod backup;
pub(super) mod calls;
pub(super) mod clustering;
pub(super) mod history;
pub(super) mod login;
pub(super) mod operations;
pub(super) mod overview;
pub(super) mod registrations;
pub(super) mod security;
pub(super) mod settings;
pub(super) mod setup;
