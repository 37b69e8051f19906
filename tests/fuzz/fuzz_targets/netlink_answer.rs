//! Any datagram from the kernel: read or refused, never a panic, positions within it.
#![no_main]

use causeway_engine::wire::netlink::{answer, messages, route};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = answer::answers(bytes);
    for message in messages(bytes) {
        match message {
            Ok(message) => {
                assert!(message.position <= bytes.len());
                let _ = route::entry(&message);
                let _ = route::interface(&message);
            }
            Err(error) => assert!(error.position <= bytes.len()),
        }
    }
});
