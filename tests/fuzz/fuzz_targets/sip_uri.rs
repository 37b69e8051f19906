//! Any two URIs: equivalence is symmetric, each equals itself, and parts lie within.
#![no_main]

use causeway_engine::wire::sip::{NameAddr, Uri};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (one, two) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, bytes),
    };
    let _ = NameAddr::parse(bytes);
    let (Ok(one), Ok(two)) = (Uri::parse(one), Uri::parse(two)) else {
        return;
    };
    assert!(one.matches(&one) || has_doubled_params(&one));
    assert_eq!(one.matches(&two), two.matches(&one));
    if one.is_sip() {
        assert!(!one.host().is_empty());
        assert!(one.aor().len() <= one.bytes().len());
        // The key is a URI of its own once the user is escaped again: hosts stay hosts.
        let host = one
            .aor()
            .rsplit(|byte| *byte == b'@')
            .next()
            .map(<[u8]>::to_vec);
        assert_eq!(host, Some(one.host().to_ascii_lowercase()));
    }
});

/// A parameter that occurs twice with different values contradicts itself.
fn has_doubled_params(uri: &Uri<'_>) -> bool {
    let count = uri.params().into_iter().count();
    (0..count).any(|at| {
        let (name, value) = uri.params().into_iter().nth(at).expect("within the count");
        uri.param(name) != Some(value)
    })
}
