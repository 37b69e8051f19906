//! Command line for people: `causeway cli`, and the serial console.
