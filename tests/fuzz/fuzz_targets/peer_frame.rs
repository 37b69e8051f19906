//! Any stream between peers: no panic, and what is read is what would be written.
#![no_main]

use causeway_engine::wire::peer::{Reader, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::default();
    for piece in bytes.chunks(7) {
        reader.push(piece);
        loop {
            match reader.poll() {
                Ok(Some(message)) => {
                    let mut again = Reader::default();
                    again.push(&encode(&message));
                    assert_eq!(again.poll(), Ok(Some(message)));
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
