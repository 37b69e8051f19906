//! Any bytes as the answer of a name server: no panic, no endless name.
#![no_main]

use causeway_engine::wire::dns::{RecordKind, answer, question};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for kind in [RecordKind::A, RecordKind::Aaaa] {
        let _ = answer(7, "peer.example.net", kind, bytes);
        // Most bytes miss the question, so let them follow a right one.
        let mut whole = question(7, "peer.example.net", kind).expect("a name");
        (whole[2], whole[7]) = (0x80, 4);
        whole.extend(bytes);
        let _ = answer(7, "peer.example.net", kind, &whole);
    }
});
