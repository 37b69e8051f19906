//! Uploads: what is accepted, and what is said of the rest.

use super::*;
use std::string::String as Text;

const CERTIFICATE: &str = include_str!("../wire/x509/test-certificate.pem");
const LIST: &str = include_str!("../wire/x509/test-list.pem");
const NOW: Wall = Wall::from_millis(1_790_000_000_000);

fn refused(pem: &str, at: Wall) -> Text {
    let mut certificates = Certificates::default();
    let ask = Ask::Install { pem: pem.into() };
    certificates.ask(at, &ask).expect_err("a fault").join("; ")
}

#[test]
fn faults_of_uploads_are_named_with_their_place() {
    let key = pem::encode("PRIVATE KEY", b"not looked at here");
    let whole = format!("{CERTIFICATE}{key}");
    assert!(refused(CERTIFICATE, NOW).contains("no private key"));
    assert!(refused("nonsense", NOW).starts_with("line 1: there is no line"));
    assert!(refused(&whole[..300], NOW).starts_with("line 1: the block"));
    assert!(refused(&whole, Wall::from_millis(0)).contains("holds only from"));
    let late = Wall::from_millis(2_600_000_000_000);
    assert!(refused(&whole, late).contains("expired on 2051"));
    assert!(refused(&format!("{whole}{key}"), NOW).contains("a second key"));
    let twice = format!("{CERTIFICATE}{CERTIFICATE}{key}");
    assert!(refused(&twice, NOW).contains("did not issue the certificate before it"));
    let encrypted = pem::encode("ENCRYPTED PRIVATE KEY", b"x");
    assert!(refused(&encrypted, NOW).contains("decrypt it"));
    assert!(refused(LIST, NOW).contains("X509 CRL does not belong here"));
}

#[test]
fn nothing_takes_effect_before_the_disk_has_it() {
    let mut certificates = Certificates::default();
    let key = pem::encode("PRIVATE KEY", b"not looked at here");
    let ask = Ask::Install {
        pem: format!("{CERTIFICATE}{key}"),
    };
    let step = certificates.ask(NOW, &ask).expect("a good one");
    assert!(matches!(step, Step::Task(Task::Fit(..))));
    assert!(
        certificates.ask(NOW, &Ask::SelfSigned).is_err(),
        "one at a time"
    );
    let refused = certificates.done(Err("the key does not fit".into()));
    assert_eq!(refused, Err(Vec::from(["the key does not fit".into()])));
    assert_eq!(certificates.held(), &Held::default());

    certificates.ask(NOW, &ask).expect("a good one");
    let writes = certificates.done(Ok(Done::Fits(None))).expect("it fits");
    assert!(certificates.written(Err("full".into())).is_err());
    assert_eq!(certificates.held(), &Held::default());
    certificates.ask(NOW, &ask).expect("a good one");
    certificates.done(Ok(Done::Fits(None))).expect("it fits");
    certificates.written(Ok(())).expect("on the disk");
    assert!(certificates.held().own.is_some());

    let Write::Put { table, key, value } = writes[0].clone() else {
        panic!("a record");
    };
    let value = Some(value);
    let record = Record { table, key, value };
    let (again, fault) = Certificates::load(&[record]);
    assert_eq!((again.held(), fault), (certificates.held(), None));
    let near = Wall::from_millis(2_561_000_000_000);
    assert_eq!(again.conditions(near, false).len(), 1);
}
