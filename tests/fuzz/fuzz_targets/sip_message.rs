//! Any datagram: nothing panics, and what is well-formed stays so through edits and answers.
#![no_main]

use causeway_engine::wire::sip::{Header, Message, Patch, Response, Uri, Via};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::parse(bytes.to_vec()) else {
        return;
    };
    let _ = (message.contacts(), message.expires(), message.event());
    let _ = (message.reason(), message.body(), message.status());
    let _ = Uri::parse(message.request_uri()).map(|uri| uri.aor());
    let fault = message.fault();
    let hops = message.values(Header::Via).count();
    if fault.is_none() && message.has(Header::ContentLength) {
        let copy = Patch::new(&message).finish();
        let copy = Message::parse(copy).expect("a copy is SIP");
        assert_eq!(copy.fault(), None, "a copy is as good");
        assert_eq!(copy.body(), message.body());
    }
    let mut patch = Patch::new(&message);
    patch
        .request_uri(b"sip:a@192.0.2.1")
        .stamp_via(Some(b"192.0.2.2"), Some(b"5060"))
        .prepend(Header::Via, b"SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKx")
        .pop(Header::Route, 1)
        .set(Header::MaxForwards, b"9")
        .remove(Header::Contact);
    let edited = Message::parse(patch.finish());
    if fault.is_none() {
        let edited = edited.expect("an edited message is SIP");
        assert_eq!(edited.fault(), None, "an edited message is as good");
        assert_eq!(edited.values(Header::Via).count(), hops + 1);
        assert!(!edited.has(Header::Contact));
        let second = edited.values(Header::Via).nth(1).and_then(Via::parse);
        let second = second.expect("the stamped Via");
        assert_eq!(second.received(), Some(&b"192.0.2.2"[..]));
        assert_eq!(second.rport(), Some(Some(5060)));
    }
    if message.is_request() {
        let response = Response::new(&message, 400, b"Bad", b"tag", Some(b"192.0.2.2"), None);
        let response = Message::parse(response.finish()).expect("a response is SIP");
        if fault.is_none() {
            assert_eq!(response.fault(), None, "a response is well-formed");
            assert!(response.tag(Header::To).is_some());
        }
    }
});
