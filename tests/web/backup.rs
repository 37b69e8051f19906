//! A backup as a browser takes and brings it back, by curl (SPEC UP4).

use std::fs;
use std::path::PathBuf;

use crate::gateway::Gateway;
use crate::https::{curl, log_in, status};

const PAGE: &str = "/maintenance/backup";

/// A file of one test, removed at its end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("causeway-web-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("written");
        Self(path)
    }

    fn field(&self) -> String {
        format!("file=@{}", self.0.display())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a body").1
}

#[test]
fn a_backup_is_downloaded_looked_at_and_restored() {
    let gateway = Gateway::start();
    let cookie = log_in(&gateway);
    let session = cookie.split(';').next().expect("name and value").to_owned();
    let page = curl(&gateway, PAGE, &["--cookie", &session]);
    let (_, rest) = page.split_once("name=\"form\" value=\"").expect("a token");
    let token = format!("form={}", rest.split('"').next().expect("its end"));
    let cookie = ["--cookie", session.as_str()];
    let post = |path: &str, fields: &[&str]| {
        let mut options = cookie.to_vec();
        for field in [&[token.as_str()][..], fields].concat() {
            options.extend(["--data-urlencode", field]);
        }
        curl(&gateway, path, &options)
    };
    let upload = |fields: &[&str]| {
        let mut options = cookie.to_vec();
        for field in [&[token.as_str()][..], fields].concat() {
            options.extend(["--form", field]);
        }
        curl(&gateway, PAGE, &options)
    };
    let secret = "password=a good password";

    let answer = post(PAGE, &["task=take", "password=short"]);
    assert_eq!(status(&answer), "422");
    assert!(answer.contains("at least 8 characters"), "{answer}");
    let answer = post(PAGE, &["task=take", secret]);
    assert_eq!(status(&answer), "200");
    assert!(
        answer.contains("attachment; filename=\"causeway.backup\""),
        "{answer}"
    );
    let file = File::new("backup", body(&answer));

    let name = "SystemUnit Name";
    let answer = post("/system/administration", &[&format!("{name}=later")]);
    assert_eq!(status(&answer), "303", "{answer}");

    let answer = upload(&["task=preview", "password=another one", &file.field()]);
    assert_eq!(status(&answer), "422");
    assert!(answer.contains("the password is wrong"), "{answer}");
    let nonsense = File::new("nonsense", "nonsense");
    let answer = upload(&["task=preview", secret, &nonsense.field()]);
    assert!(answer.contains("no backup file"), "{answer}");
    let answer = upload(&["task=preview", secret, &file.field()]);
    assert_eq!(status(&answer), "200");
    assert!(
        answer.contains(&format!("- {name}: &quot;later&quot;")),
        "{answer}"
    );
    let page = curl(&gateway, "/system/administration", &cookie);
    assert!(page.contains("value=\"later\""), "a look changes nothing");

    let answer = upload(&["task=restore", secret, &file.field()]);
    assert_eq!(status(&answer), "303", "{answer}");
    let page = curl(&gateway, "/system/administration", &cookie);
    assert!(!page.contains("value=\"later\""));
    let history = curl(&gateway, "/maintenance/history?scope=Peer", &cookie);
    assert!(history.contains("Restored from the backup"), "{history}");
}
