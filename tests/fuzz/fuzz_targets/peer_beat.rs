//! Any datagram on the beat port: no panic, and nothing passes but what the key made.
#![no_main]

use causeway_engine::base::ids::PeerId;
use causeway_engine::wire::peer::beat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (key, sender) = (beat::key(&[7; 32]), PeerId([0x41; 32]));
    if let Some(found) = beat::decode(&key, sender, bytes) {
        let again = beat::encode(&key, sender, &found);
        assert_eq!(beat::decode(&key, sender, &again), Some(found));
    }
    // The authenticator keeps a fuzzer out, so give it a valid one too.
    if let Some(body) = bytes.get(..20) {
        let number = |at: usize| u64::from_le_bytes(body[at..at + 8].try_into().expect("8 bytes"));
        let held_ms = u32::from_le_bytes(body[16..20].try_into().expect("4 bytes"));
        let said = beat::Beat {
            number: number(0),
            heard: number(8),
            held_ms,
        };
        let mut datagram = beat::encode(&key, sender, &said);
        assert_eq!(beat::decode(&key, sender, &datagram), Some(said));
        let at = usize::from(bytes[0]) % datagram.len();
        datagram[at] ^= bytes[1] | 1;
        assert_eq!(beat::decode(&key, sender, &datagram), None);
    }
});
