//! All messages of RFC 4475, as far as a parser can judge them.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is well-formed; whether it is served is for others to decide.
    Fine,
    /// A request is answered with this, a response with any fault is dropped.
    Fault(u16, &'static str),
    /// It is no SIP.
    NotSip,
}

use Verdict::{Fault, Fine, NotSip};

/// In the order of the RFC.
const VERDICTS: [(&str, Verdict); 49] = [
    ("wsinv", Fine),
    ("intmeth", Fine),
    ("esc01", Fine),
    ("escnull", Fine),
    ("esc02", Fine),
    ("lwsdisp", Fine),
    ("longreq", Fine),
    ("dblreq", Fine),
    ("semiuri", Fine),
    ("transports", Fine),
    ("mpart01", Fine),
    ("unreason", Fine),
    ("noreason", Fine),
    ("badinv01", Fault(400, "Malformed Via")),
    ("clerr", Fault(400, "Content-Length Beyond The End")),
    ("ncl", Fault(400, "Malformed Content-Length")),
    ("scalar02", Fault(400, "Malformed CSeq")),
    ("scalarlg", Fault(400, "Malformed CSeq")),
    ("quotbal", Fault(400, "Malformed To")),
    ("ltgtruri", Fault(400, "Malformed Request-URI")),
    ("lwsruri", Fault(400, "Malformed Request-URI")),
    ("lwsstart", Fault(400, "Malformed Request-URI")),
    ("trws", Fault(400, "Malformed Request Line")),
    ("escruri", Fault(400, "Header Fields In Request-URI")),
    // Nothing here reads Date, and the RFC lets it pass.
    ("baddate", Fine),
    ("regbadct", Fault(400, "Malformed Contact")),
    ("badaspec", Fault(400, "Malformed To")),
    ("baddn", Fault(400, "Malformed From")),
    ("badvers", Fault(505, "Version Not Supported")),
    ("mismatch01", Fault(400, "CSeq Method Does Not Match")),
    ("mismatch02", Fault(501, "CSeq Method Does Not Match")),
    ("bigcode", NotSip),
    // Transaction layer: falls back to RFC 2543.
    ("badbranch", Fine),
    ("insuf", Fault(400, "Missing From")),
    ("unkscm", Fault(416, "Unsupported URI Scheme")),
    ("novelsc", Fault(416, "Unsupported URI Scheme")),
    // Application layer: the registrar knows no such address, extension, type, scheme, hop.
    ("unksm2", Fine),
    ("bext01", Fine),
    ("invut", Fine),
    ("regaut01", Fine),
    ("multi01", Fault(400, "From Twice")),
    ("mcl01", Fault(400, "Two Content-Lengths")),
    ("bcast", Fine),
    ("zeromf", Fine),
    ("cparam01", Fine),
    ("cparam02", Fine),
    ("regescrt", Fine),
    ("sdp01", Fine),
    ("inv2543", Fine),
];

/// The messages by name, out of the notation of the RFC's section 2.
fn messages() -> BTreeMap<String, Vec<u8>> {
    let text = include_str!("rfc4475.txt");
    let read = |section: &str| {
        let (head, lines) = section.split_once('\n').expect("a line of its own");
        let name = head.split(' ').nth(1).expect("section and name");
        let mut bytes = Vec::new();
        let mut joins = false;
        for line in lines.lines() {
            match line {
                "<allOneLine>" => joins = true,
                "</allOneLine>" => joins = false,
                line => push_line(&mut bytes, line),
            }
            if !joins {
                bytes.extend_from_slice(b"\r\n");
            }
        }
        (name.to_string(), bytes)
    };
    text.split("%%% ").skip(1).map(read).collect()
}

fn push_line(bytes: &mut Vec<u8>, line: &str) {
    let mut rest = line;
    loop {
        let tag = rest.find("<hex>").or_else(|| rest.find("<repeat count="));
        let Some((plain, marked)) = tag.map(|at| rest.split_at(at)) else {
            return bytes.extend_from_slice(rest.as_bytes());
        };
        bytes.extend_from_slice(plain.as_bytes());
        let (open, after) = marked.split_once('>').expect("an end of the tag");
        let (inside, after) = after.split_once("</").expect("an end tag");
        rest = after.split_once('>').expect("an end of the tag").1;
        match open.strip_prefix("<repeat count=") {
            Some(count) => bytes.extend(inside.repeat(count.parse().expect("a count")).bytes()),
            None => bytes.extend((0..inside.len()).step_by(2).map(|at| {
                u8::from_str_radix(&inside[at..at + 2], 16).expect("hexadecimal digits")
            })),
        }
    }
}

fn message(name: &str) -> Message {
    Message::parse(messages()[name].clone()).expect("SIP")
}

#[test]
fn every_message_is_judged_as_the_rfc_says() {
    let messages = messages();
    assert_eq!(messages.len(), VERDICTS.len());
    for (name, verdict) in VERDICTS {
        let found = match Message::parse(messages[name].clone()) {
            Ok(message) => message
                .fault()
                .map_or(Fine, |fault| Fault(fault.status, fault.reason)),
            Err(_) => NotSip,
        };
        assert_eq!(found, verdict, "{name}");
    }
}

#[test]
fn whoever_sent_a_wrong_request_can_be_answered() {
    for (name, verdict) in VERDICTS {
        let Fault(status, reason) = verdict else {
            continue;
        };
        let request = message(name);
        if !request.is_request() {
            continue;
        }
        let answer = Response::new(&request, status, reason.as_bytes(), b"t", None, None);
        let answer = Message::parse(answer.finish()).expect("SIP");
        assert_eq!(answer.status(), status, "{name}");
        assert_eq!(answer.reason(), reason.as_bytes(), "{name}");
        assert_eq!(answer.call_id(), request.call_id(), "{name}");
        assert_eq!(answer.header(Header::CSeq), request.header(Header::CSeq));
        assert_eq!(
            answer.headers(Header::From).next(),
            request.header(Header::From)
        );
        // Only of this one the way back cannot be told.
        assert_eq!(request.top_via().is_some(), name != "badinv01", "{name}");
    }
}

#[test]
fn what_is_fine_passes_unchanged() {
    for (name, verdict) in VERDICTS {
        if verdict != Fine {
            continue;
        }
        let bytes = &messages()[name];
        let message = message(name);
        assert!(bytes.starts_with(message.bytes()), "{name}");
        let copy = Patch::new(&message).finish();
        if name == "inv2543" {
            // A body without a length gets one.
            let copy = Message::parse(copy).expect("SIP");
            assert_eq!(copy.header(Header::ContentLength), Some(&b"105"[..]));
            assert_eq!(copy.body(), message.body());
        } else {
            assert_eq!(copy, message.bytes(), "{name}");
        }
    }
}

#[test]
fn a_short_tortuous_invite() {
    let wsinv = message("wsinv");
    assert_eq!(wsinv.method(), Method::Invite);
    assert_eq!(wsinv.tag(Header::To), Some(&b"1918181833n"[..]));
    assert_eq!(wsinv.tag(Header::From), Some(&b"98asjd8"[..]));
    let from = wsinv.address(Header::From).expect("From");
    assert_eq!(from.display, b"\"J Rosenberg \\\\\\\"\"");
    assert_eq!(wsinv.max_forwards(), Some(68));
    assert_eq!(wsinv.cseq(), Some((9, &b"INVITE"[..])));
    assert_eq!(wsinv.header(Header::Subject), Some(&b""[..]));
    let odd = wsinv.named(b"unknownheaderwithunusualvalue").next();
    assert_eq!(odd, Some(&b";;,,;;,;"[..]));
    let vias: Vec<_> = wsinv.values(Header::Via).filter_map(Via::parse).collect();
    let branches: Vec<_> = vias.iter().filter_map(Via::branch).collect();
    assert_eq!(
        branches,
        [&b"390skdjuw"[..], b"z9hG4bK9ikj8", b"z9hG4bK30239"]
    );
    assert_eq!(vias[0].cookie_branch(), None);
    assert_eq!(
        (vias[1].transport(), vias[1].host()),
        (&b"TCP"[..], &b"spindle.example.com"[..])
    );
    let Some(Contacts::List(contacts)) = wsinv.contacts() else {
        panic!("a list")
    };
    assert_eq!((contacts.len(), contacts[0].q), (1, Some(330)));
    assert_eq!(
        contacts[0].params.value(b"newparam"),
        Some(&b"newvalue"[..])
    );
    assert_eq!(wsinv.body().len(), 150);
}

#[test]
fn a_wide_range_of_valid_characters() {
    let intmeth = message("intmeth");
    assert_eq!(intmeth.method(), Method::Other);
    assert_eq!(
        intmeth.method_name(),
        b"!interesting-Method0123456789_*+`.%indeed'~"
    );
    let uri = Uri::parse(intmeth.request_uri()).expect("a URI");
    assert_eq!(
        uri.user(),
        Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..])
    );
    assert_eq!(
        uri.password(),
        Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..])
    );
    assert_eq!(uri.host(), b"example.com");
    assert_eq!(intmeth.tag(Header::From), Some(&b"_token~1'+`*%!-."[..]));
    assert_eq!(
        intmeth.call_id(),
        b"intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    );
    let to = intmeth.address(Header::To).expect("To");
    assert_eq!(to.display, b"\"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\"");
    let odd = intmeth.named(b"extensionHeader-!.%*+_`'~").next();
    assert_eq!(
        odd,
        Some(&b"\xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb"[..])
    );
}

#[test]
fn escapes_count_in_uris_alone() {
    let esc01 = message("esc01");
    let uri = Uri::parse(esc01.request_uri()).expect("a URI");
    assert_eq!(uri.user(), Some(&b"sips%3Auser%40example.com"[..]));
    let to = Uri::parse(esc01.address(Header::To).expect("To").uri).expect("a URI");
    assert!(to.matches(&Uri::parse(b"sip:user@example.com").expect("a URI")));
    let Some(Contacts::List(contacts)) = esc01.contacts() else {
        panic!("a list")
    };
    let contact = Uri::parse(contacts[0].uri).expect("a URI");
    assert!(contact.is_loose());
    assert!(
        contact.matches(
            &Uri::parse(b"sip:caller@host5.example.net;lr;name=value%2541").expect("a URI")
        )
    );
    let escnull = message("escnull");
    let to = Uri::parse(escnull.address(Header::To).expect("To").uri).expect("a URI");
    assert_eq!(to.aor(), b"null-\0-null@example.com");
    let Some(Contacts::List(contacts)) = escnull.contacts() else {
        panic!("a list")
    };
    let uris: Vec<_> = contacts
        .iter()
        .filter_map(|c| Uri::parse(c.uri).ok())
        .collect();
    assert!(uris.len() == 2 && !uris[0].matches(&uris[1]));
    let esc02 = message("esc02");
    assert_eq!(esc02.method(), Method::Other);
    assert_eq!(esc02.values(Header::Contact).count(), 2);
}

#[test]
fn the_other_valid_ones_say_what_they_mean() {
    let longreq = message("longreq");
    assert_eq!(longreq.values(Header::Via).count(), 34);
    assert_eq!(
        longreq.tag(Header::From).map(<[u8]>::len),
        Some(1 + 150 + 4)
    );
    let dblreq = message("dblreq");
    assert_eq!(
        (dblreq.method(), dblreq.body()),
        (Method::Register, &b""[..])
    );
    let semiuri = message("semiuri");
    let uri = Uri::parse(semiuri.request_uri()).expect("a URI");
    assert_eq!(uri.user(), Some(&b"user;par=u%40example.net"[..]));
    assert_eq!(message("transports").values(Header::Via).count(), 5);
    assert_eq!(message("mpart01").body().len(), 553);
    assert_eq!(message("unreason").reason().len(), 74);
    let noreason = message("noreason");
    assert_eq!((noreason.status(), noreason.reason()), (100, &b""[..]));
    let badbranch = message("badbranch");
    assert_eq!(badbranch.top_via().expect("Via").cookie_branch(), None);
    let bext01 = message("bext01");
    assert!(bext01.lists(Header::ProxyRequire, b"norDoAnyProxiesSupportThis"));
    assert_eq!(message("zeromf").max_forwards(), Some(0));
    for (name, outside) in [("cparam01", true), ("cparam02", false)] {
        let message = message(name);
        let contact = message.address(Header::Contact).expect("Contact");
        assert_eq!(contact.params.get(b"unknownparam").is_some(), outside);
    }
    let regescrt = message("regescrt");
    let contact = regescrt.address(Header::Contact).expect("Contact");
    let headers = Uri::parse(contact.uri).expect("a URI").headers();
    assert_eq!(headers, b"Route=%3Csip:sip.example.com%3E");
}

#[test]
fn streams_carry_them_too() {
    let frames = |name: &str| {
        let mut framer = Framer::new(65_536);
        let mut messages = Vec::new();
        for byte in &messages_of(name) {
            framer.push(&[*byte]);
            while let Some(frame) = framer.poll()? {
                messages.push(frame);
            }
        }
        Ok::<_, FrameFault>(messages)
    };
    for (name, verdict) in VERDICTS {
        let expected = match name {
            "inv2543" | "ncl" | "mcl01" => Err(FrameFault::ContentLength),
            // Two messages, and the second is longer than it says.
            "dblreq" => Err(FrameFault::ContentLength),
            // The rest of the body is still to come.
            "clerr" => Ok(0),
            _ => Ok(1),
        };
        let found = frames(name);
        assert_eq!(
            found.as_ref().map(Vec::len).map_err(|f| *f),
            expected,
            "{name}"
        );
        if verdict == Fine && expected == Ok(1) {
            let whole = Frame::Message(message(name).bytes().to_vec());
            assert_eq!(found, Ok(Vec::from([whole])), "{name}");
        }
    }
}

fn messages_of(name: &str) -> Vec<u8> {
    messages()[name].clone()
}

#[test]
fn each_cut_off_anywhere_is_survived() {
    for bytes in messages().values() {
        (0..bytes.len()).for_each(|length| exercise(&bytes[..length]));
    }
}
