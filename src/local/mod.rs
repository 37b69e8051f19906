//! The command line's sockets: `DIR/cli.sock` and `DIR/console.sock`.
//!
//! Whoever can open `cli.sock` (mode 0600) is the administrator. On `console.sock` a login comes
//! first. Both speak [`protocol`]: the client asks, the server answers each request once, in
//! order. `causeway cli` is [`client`]; the serial console uses the same [`client::Connection`].

pub(crate) mod client;
pub(crate) mod files;
pub(crate) mod protocol;
pub(crate) mod server;

#[cfg(test)]
mod tests;
