//! Messages, URIs, edits and frames as RFC 3261 and RFC 4475 have them.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

mod torture;

const INVITE: &str = "INVITE sip:bob@biloxi.example SIP/2.0\r\n\
    v: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bK776asdhds;rport , \
    SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bK2\r\n\
    Max-Forwards: 70\r\n\
    t: Bob <sip:bob@biloxi.example>\r\n\
    From: \"Alice \\\" <x>\" <sip:alice@atlanta.example;user=phone>\r\n ;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710@pc33.atlanta.example\r\n\
    CSeq: 314159\r\n  INVITE\r\n\
    Route: <sip:one.example;lr>, <sip:two.example;lr>\r\n\
    Route: <sip:three.example>\r\n\
    m: <sip:alice@pc33.atlanta.example>;q=0.75;expires=60;\
    +sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n\
    X-Odd: caf\u{e9}\r\n\
    l: 4\r\n\r\nbodytrailing";

fn parse(text: &str) -> Message {
    Message::parse(text.as_bytes().to_vec()).unwrap()
}

#[test]
fn a_message_is_read_by_field() {
    let invite = parse(INVITE);
    assert_eq!(invite.fault(), None);
    assert_eq!(invite.method(), Method::Invite);
    assert_eq!(invite.request_uri(), b"sip:bob@biloxi.example");
    assert_eq!(invite.body(), b"body");
    assert_eq!(invite.cseq(), Some((314_159, &b"INVITE"[..])));
    assert_eq!(invite.max_forwards(), Some(70));
    assert_eq!(invite.tag(Header::From), Some(&b"1928301774"[..]));
    assert_eq!(invite.tag(Header::To), None);
    assert_eq!(invite.values(Header::Via).count(), 2);
    assert_eq!(invite.values(Header::Route).count(), 3);
    let via = invite.top_via().unwrap();
    assert_eq!(
        (via.transport(), via.host(), via.port()),
        (&b"UDP"[..], &b"pc33.atlanta.example"[..], None)
    );
    assert_eq!(
        (via.branch(), via.rport()),
        (Some(&b"z9hG4bK776asdhds"[..]), Some(None))
    );
    let Some(Contacts::List(contacts)) = invite.contacts() else {
        panic!("a list")
    };
    assert_eq!(
        (contacts[0].q, contacts[0].expires, contacts[0].reg_id),
        (Some(750), Some(60), Some(1))
    );
    assert_eq!(contacts[0].instance, Some(&b"<urn:uuid:1>"[..]));
    assert_eq!(invite.named(b"x-odd").next(), Some("caf\u{e9}".as_bytes()));
}

#[test]
fn edits_leave_the_rest_alone() {
    let invite = parse(INVITE);
    let mut patch = Patch::new(&invite);
    patch
        .request_uri(b"sip:bob@192.0.2.4")
        .prepend(Header::RecordRoute, b"<sip:p.example;lr>")
        .prepend(Header::Via, b"SIP/2.0/UDP p.example;branch=z9hG4bKp")
        .stamp_via(Some(b"192.0.2.1"), Some(b"5071"))
        .set(Header::MaxForwards, b"69")
        .set(Header::Expires, b"30")
        .pop(Header::Route, 1)
        .remove(Header::Contact);
    let text = String::from_utf8(patch.finish()).unwrap();
    let head: Vec<&str> = text.split("\r\n").take(4).collect();
    assert_eq!(head[0], "INVITE sip:bob@192.0.2.4 SIP/2.0");
    assert_eq!(head[1], "Via: SIP/2.0/UDP p.example;branch=z9hG4bKp");
    assert_eq!(head[2], "Record-Route: <sip:p.example;lr>");
    assert!(
        head[3].contains("branch=z9hG4bK776asdhds;received=192.0.2.1;rport=5071,"),
        "{}",
        head[3]
    );
    let changed = parse(&text);
    assert_eq!(changed.fault(), None);
    assert_eq!(changed.values(Header::Via).count(), 3);
    let routes: Vec<&[u8]> = changed.values(Header::Route).collect();
    assert_eq!(
        routes,
        [&b"<sip:two.example;lr>"[..], b"<sip:three.example>"]
    );
    assert_eq!(
        (changed.max_forwards(), changed.expires()),
        (Some(69), Some(30))
    );
    assert!(changed.header(Header::Contact).is_none());
    assert_eq!(changed.body(), b"body");
    let mut patch = Patch::new(&invite);
    patch.pop(Header::Route, 3).pop(Header::Via, 2);
    let bare = Message::parse(patch.finish()).unwrap();
    assert_eq!(
        (
            bare.values(Header::Route).count(),
            bare.values(Header::Via).count()
        ),
        (0, 0)
    );
}

#[test]
fn a_response_copies_what_it_must() {
    let invite = parse(INVITE);
    let mut response = Response::new(
        &invite,
        486,
        b"Busy Here",
        b"tag1",
        Some(b"192.0.2.1"),
        Some(b"5071"),
    );
    response.header(Header::RetryAfter, b"30");
    let response = Message::parse(response.finish()).unwrap();
    assert_eq!(response.fault(), None);
    assert_eq!(
        (response.status(), response.reason()),
        (486, &b"Busy Here"[..])
    );
    assert_eq!(response.method(), Method::Invite);
    assert_eq!(response.tag(Header::To), Some(&b"tag1"[..]));
    assert_eq!(response.values(Header::Via).count(), 2);
    let via = response.top_via().unwrap();
    assert_eq!(
        (via.received(), via.rport()),
        (Some(&b"192.0.2.1"[..]), Some(Some(5071)))
    );
}

/// The message of `INVITE` with one line put in the place of the lines that begin like it.
fn with(line: &str) -> Message {
    let name = line.split(':').next().unwrap();
    let lines = INVITE.split("\r\n").filter(|old| !old.starts_with(name));
    let mut lines: Vec<String> = lines.map(ToString::to_string).collect();
    lines.insert(1, line.to_string());
    parse(&lines.join("\r\n"))
}

#[test]
fn faults_have_a_status_and_a_reason() {
    for (line, status, reason) in [
        ("CSeq: 36893488147419103232 INVITE", 400, "Malformed CSeq"),
        ("CSeq: 1 OPTIONS", 400, "CSeq Method Does Not Match"),
        ("l: 9999", 400, "Content-Length Beyond The End"),
        ("l: -999", 400, "Malformed Content-Length"),
        (
            "t: \"Mr J. User <sip:j.user@example.com>",
            400,
            "Malformed To",
        ),
        ("Max-Forwards: ten", 400, "Malformed Max-Forwards"),
        ("Bad Name: x", 400, "Malformed Header Field"),
        (
            "From : <sip:a@b>;tag=1\r\nFrom: <sip:a@b>;tag=1",
            400,
            "From Twice",
        ),
    ] {
        let fault = with(line).fault();
        let fault = fault.unwrap_or_else(|| panic!("{line} has no fault"));
        assert_eq!((fault.status, fault.reason), (status, reason), "{line}");
    }
    // Section 10.2.1.1 has a value for what is malformed.
    assert_eq!(with("Expires: 10000000000000").expires(), Some(3_600));
    for (first, status, reason) in [
        (
            "INVITE sip:bob@biloxi.example SIP/7.0",
            505,
            "Version Not Supported",
        ),
        (
            "INVITE <sip:bob@biloxi.example> SIP/2.0",
            400,
            "Malformed Request-URI",
        ),
        (
            "INVITE sip:bob@biloxi.example; lr SIP/2.0",
            400,
            "Malformed Request-URI",
        ),
        (
            "INVITE  sip:bob@biloxi.example  SIP/2.0",
            400,
            "Malformed Request-URI",
        ),
    ] {
        let fault =
            parse(&INVITE.replacen("INVITE sip:bob@biloxi.example SIP/2.0", first, 1)).fault();
        let fault = fault.unwrap_or_else(|| panic!("{first} has no fault"));
        assert_eq!((fault.status, fault.reason), (status, reason), "{first}");
    }
    for missing in ["v:", "t:", "From:", "Call-ID:", "CSeq:"] {
        let mut skip = false;
        let kept = INVITE.split("\r\n").filter(|line| {
            skip = line.starts_with(missing) || (skip && line.starts_with(' '));
            !skip
        });
        let fault = parse(&kept.collect::<Vec<_>>().join("\r\n"))
            .fault()
            .unwrap();
        assert!(fault.reason.starts_with("Missing"), "{missing} {fault:?}");
    }
}

#[test]
fn uris_compare_as_section_19_1_4_says() {
    let uri = |text: &'static str| Uri::parse(text.as_bytes()).unwrap();
    for (one, two, same) in [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp",
            true,
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com;newparam=5",
            true,
        ),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;newparam=5",
            true,
        ),
        (
            "sip:alice@atlanta.com?subject=a&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=a",
            true,
        ),
        ("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false),
        (
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com;transport=udp",
            false,
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next",
            false,
        ),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
            false,
        ),
        ("sip:a@b", "sips:a@b", false),
        ("sip:a@b", "sip:a:secret@b", false),
    ] {
        assert_eq!(uri(one).matches(&uri(two)), same, "{one} {two}");
        assert_eq!(uri(two).matches(&uri(one)), same, "{two} {one}");
    }
    assert_eq!(
        uri("sip:%61lice:pw@AtLanTa.CoM:5080;x=y").aor(),
        b"alice@atlanta.com"
    );
    assert_eq!(uri("sip:[2001:DB8::1]:5080").port(), Some(5080));
    for bad in [
        "",
        "sip",
        "sip:",
        "sip:@b",
        "sip:a@",
        "sip:a@b:port",
        "sip:a@b:99999",
        "sip:a b@c",
        "1:a@b",
    ] {
        assert!(Uri::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_stream_is_cut_at_any_byte() {
    let body = INVITE.replace("trailing", "");
    let stream = std::format!("\r\n\r\n\r\n{body}{body}\r\n\r\n");
    for step in [1, 2, 3, 7, 100, 10_000] {
        let mut framer = Framer::new(4_096);
        let mut frames = Vec::new();
        for bytes in stream.as_bytes().chunks(step) {
            framer.push(bytes);
            while let Some(frame) = framer.poll().unwrap() {
                frames.push(frame);
            }
        }
        let message = Frame::Message(body.clone().into_bytes());
        assert_eq!(
            frames,
            vec![Frame::Ping, message.clone(), message, Frame::Ping],
            "step {step}"
        );
    }
}

#[test]
fn a_stream_that_cannot_go_on_says_so() {
    let fault = |text: &str| {
        let mut framer = Framer::new(2_000);
        framer.push(text.as_bytes());
        loop {
            match framer.poll() {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(fault) => return Some(fault),
            }
        }
    };
    assert_eq!(fault(&"x".repeat(2_001)), Some(FrameFault::TooLong));
    assert_eq!(
        fault("A b SIP/2.0\r\nl: 3000\r\n\r\n"),
        Some(FrameFault::TooLong)
    );
    assert_eq!(
        fault("A b SIP/2.0\r\nVia: x\r\n\r\n"),
        Some(FrameFault::ContentLength)
    );
    assert_eq!(
        fault("A b SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n"),
        Some(FrameFault::ContentLength)
    );
    assert_eq!(fault("A b SIP/2.0\r\nl: 5\r\n\r\n123"), None);
    // Too long comes first, whether the end of the header is there already or not.
    let long = std::format!("A b SIP/2.0\r\n{}\r\n", "a: b\r\n".repeat(400));
    assert_eq!(fault(&long), Some(FrameFault::TooLong));
    assert_eq!(fault("\x16\x03\x01"), Some(FrameFault::NotSip));
}

#[test]
fn a_response_has_no_request_uri_to_replace() {
    let response = parse("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    let mut patch = Patch::new(&response);
    patch.request_uri(b"sip:a@b");
    assert_eq!(patch.finish(), response.bytes());
}

/// Asks a message everything; nothing may panic.
fn exercise(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes.to_vec()) else {
        return;
    };
    let _ = (
        message.fault(),
        message.contacts().is_some(),
        message.top_via().is_some(),
    );
    let _ = (
        message.expires(),
        message.max_forwards(),
        message.cseq(),
        message.method(),
    );
    let _ = (
        message.address(Header::From).is_some(),
        message.tag(Header::To),
        message.body(),
    );
    let response = Response::new(&message, 400, b"Bad", b"t", Some(b"192.0.2.1"), Some(b"1"));
    let _ = Message::parse(response.finish());
    let mut patch = Patch::new(&message);
    patch
        .prepend(Header::Via, b"x")
        .pop(Header::Via, 1)
        .pop(Header::Route, 2);
    patch
        .stamp_via(Some(b"192.0.2.1"), None)
        .set(Header::MaxForwards, b"1")
        .remove(Header::Contact);
    if message.is_request() {
        patch.request_uri(b"sip:a@b");
    }
    let _ = Message::parse(patch.finish());
}

#[test]
fn truncation_at_every_length_is_survived() {
    (0..INVITE.len()).for_each(|length| exercise(&INVITE.as_bytes()[..length]));
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        exercise(&bytes);
        let mut framer = Framer::new(256);
        framer.push(&bytes);
        while let Ok(Some(_)) = framer.poll() {}
    }

    #[test]
    fn mutated_messages_are_survived(
        changes in prop::collection::vec((0..INVITE.len(), any::<u8>()), 1..12)
    ) {
        let mut bytes = INVITE.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        exercise(&bytes);
    }
}
