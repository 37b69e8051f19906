//! Backups as a user makes them: taken, looked at, brought back elsewhere, refused with the reason
//! (SPEC UP4).

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const CAUSEWAY: &str = env!("CARGO_BIN_EXE_causeway");

/// A running gateway on a data directory of its own; both are gone at the end.
struct Gateway {
    folder: PathBuf,
    child: Child,
}

impl Gateway {
    /// Starts with ports that the kernel chooses, and waits for the ready line.
    fn start(settings: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("causeway-backup-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let mut command = Command::new(CAUSEWAY);
        command.arg("run").arg("--data").arg(&folder);
        // No socket is needed here, and none can be in anybody's way.
        let quiet = ["SIP Mode: Off", "Administration HTTPS Mode: Off"];
        for setting in quiet.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let ready = output
            .lines()
            .map_while(Result::ok)
            .any(|line| line.starts_with("ready"));
        assert!(ready, "it ended before it was ready");
        Self { folder, child }
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(CAUSEWAY)
            .arg(words[0])
            .arg("--data")
            .arg(&self.folder)
            .args(&words[1..])
            .output()
            .expect("the program starts")
    }

    /// What a command prints that must succeed.
    #[track_caller]
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Why a command is refused.
    #[track_caller]
    fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn settings(&self) -> String {
        self.done(&["cli", "xConfiguration"])
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("written");
        text_of(&path)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("UTF-8").into()
}

#[test]
fn a_backup_brings_everything_back_on_another_system() {
    let one = Gateway::start(&[
        "SystemUnit Name: first",
        "SIP Domain 1 Name: video.example",
        "SIP UDP Port: 5070",
        "Alternates Cluster Secret: open-sesame",
        "Administration Account Password: correct-horse",
    ]);
    let password = one.file("password", "a good password\n");
    let file = text_of(&one.folder.join("backup.txt"));
    one.done(&["backup", "--password-file", &password, &file]);
    let mode = fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("text");
    assert!(
        !text.contains("sesame") && !text.contains("video.example"),
        "{text}"
    );

    let two = Gateway::start(&["SIP Domain 2 Name: gone.example", "SIP UDP Port: 5080"]);
    let before = two.settings();
    let arguments = ["--password-file", &password, &file];
    let preview = two.done(&[&["restore", "--preview"], &arguments[..]].concat());
    assert!(preview.contains("Backup of \"first\""), "{preview}");
    assert!(preview.contains("- SIP UDP Port: \"5080\""), "{preview}");
    assert!(preview.contains("+ SIP UDP Port: \"5070\""), "{preview}");
    assert!(!preview.contains("sesame"), "{preview}");
    assert_eq!(two.settings(), before, "a look changes nothing");

    let saved = two.done(&[&["restore"], &arguments[..]].concat());
    assert!(saved.contains("Saved"), "{saved}");
    assert_eq!(two.settings(), one.settings());
    let history = two.done(&["cli", "xCommand ConfigurationHistory Count: 1"]);
    assert!(
        history.contains("Restored from the backup of first"),
        "{history}"
    );
    let again = two.refused(&[&["restore"], &arguments[..]].concat());
    assert!(again.contains("everything is as in the backup"), "{again}");
}

#[test]
fn only_what_belongs_to_the_peer_comes_back_when_asked() {
    let one = Gateway::start(&["SystemUnit Name: first", "SIP UDP Port: 5070"]);
    let password = one.file("password", "a good password\n");
    let file = text_of(&one.folder.join("backup.txt"));
    one.done(&["backup", "--password-file", &password, &file]);
    let two = Gateway::start(&["SIP UDP Port: 5080"]);
    two.done(&[
        "restore",
        "--peer-only",
        "--password-file",
        &password,
        &file,
    ]);
    let settings = two.settings();
    assert!(
        settings.contains("SystemUnit Name: \"first\""),
        "{settings}"
    );
    assert!(settings.contains("SIP UDP Port: \"5080\""), "{settings}");
}

#[test]
fn what_cannot_be_restored_is_refused_with_the_reason_and_changes_nothing() {
    let one = Gateway::start(&["SystemUnit Name: first"]);
    let good = one.file("password", "a good password\n");
    let wrong = one.file("wrong", "another password\n");
    let short = one.file("short", "abc\n");
    let file = text_of(&one.folder.join("backup.txt"));
    let refused = one.refused(&["backup", "--password-file", &short, &file]);
    assert!(refused.contains("at least 8 characters"), "{refused}");
    assert!(!Path::new(&file).exists());
    one.done(&["backup", "--password-file", &good, &file]);
    one.done(&["cli", "xConfiguration SystemUnit Name: changed"]);
    let before = one.settings();

    let text = fs::read_to_string(&file).expect("text");
    let cut = one.file("cut", &text[..text.len() / 2]);
    let middle = text.len() / 2;
    let other = if text[middle..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let altered = format!("{}{other}{}", &text[..middle], &text[middle + 1..]);
    let altered = one.file("altered", &altered);
    let nonsense = one.file("nonsense", "nonsense");
    let missing = text_of(&one.folder.join("missing"));
    for (password, file, reason) in [
        (&wrong, &file, "the password is wrong"),
        (&good, &cut, "not whole"),
        (&good, &altered, "damaged"),
        (&good, &nonsense, "no backup file"),
        (&good, &missing, "no such file"),
    ] {
        let told = one.refused(&["restore", "--password-file", password, file]);
        assert!(told.contains(reason), "{reason}: {told}");
    }
    assert_eq!(one.settings(), before);
}
