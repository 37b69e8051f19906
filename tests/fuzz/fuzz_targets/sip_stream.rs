//! Any stream: the same frames in whatever pieces it arrives, each within the limit.
#![no_main]

use causeway_engine::wire::sip::{Frame, FrameFault, Framer, Message};
use libfuzzer_sys::fuzz_target;

const BYTES_MAX: usize = 600;

fn frames(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<FrameFault>) {
    let mut framer = Framer::new(BYTES_MAX);
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        framer.push(piece);
        loop {
            match framer.poll() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault)),
            }
        }
    }
    (frames, None)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = frames(bytes, bytes.len().max(1));
    let single = frames(bytes, 1);
    assert_eq!(whole, single);
    assert_eq!(whole, frames(bytes, usize::from(*piece).max(1)));
    for frame in whole.0 {
        if let Frame::Message(bytes) = frame {
            assert!(bytes.len() <= BYTES_MAX);
            // What the framer measured, the parser reads to the same end.
            if let Ok(message) = Message::parse(bytes.clone()) {
                assert_eq!(message.bytes().len(), bytes.len());
            }
        }
    }
});
