//! HTTPS as curl, slow clients and hostile ones see it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::gateway::{Gateway, PASSWORD};

/// What curl prints, headers first.
pub(crate) fn curl(gateway: &Gateway, path: &str, options: &[&str]) -> String {
    let url = format!("{}{path}", gateway.url);
    let output = Command::new("curl")
        .args(["--silent", "--insecure", "--include", "--max-time", "30"])
        .args(options)
        .arg(url)
        .output()
        .unwrap_or_else(|fault| panic!("not run: 1 (curl: {fault})"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("")
}

/// Logs in; the session's cookie.
pub(crate) fn log_in(gateway: &Gateway) -> String {
    let form = format!("name=admin&password={}", PASSWORD.replace(' ', "+"));
    let answer = curl(gateway, "/login", &["--data", &form]);
    let cookie = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    cookie.expect("a cookie").trim().to_owned()
}

#[test]
fn curl_logs_in_and_is_told_what_browsers_are_told() {
    let gateway = Gateway::start();
    let answer = curl(&gateway, "/status/overview", &[]);
    assert!(
        answer.contains("location: /login?then=/status/overview"),
        "{answer}"
    );

    let cookie = log_in(&gateway);
    for part in [
        "__Host-session=",
        "; Path=/",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let session = cookie.split(';').next().expect("name and value");
    let answer = curl(&gateway, "/status/overview", &["--cookie", session]);
    assert_eq!(status(&answer), "200");
    for text in [
        "content-security-policy: ",
        "strict-transport-security: ",
        "gateway-1",
    ] {
        assert!(answer.contains(text), "{text}: {answer}");
    }
    let forged = ["--cookie", session, "--data", "SystemUnit+Name=forged"];
    let answer = curl(&gateway, "/system/administration", &forged);
    assert_eq!(status(&answer), "403", "{answer}");
    assert!(
        !gateway
            .command_line("xConfiguration SystemUnit Name")
            .contains("forged")
    );
}

#[test]
fn guesses_are_refused_and_then_not_even_looked_at() {
    let gateway = Gateway::start();
    let guess = || {
        let answer = curl(&gateway, "/login", &["--data", "name=admin&password=guess"]);
        assert!(!answer.contains("set-cookie"), "{answer}");
        status(&answer).to_owned()
    };
    assert_eq!(guess(), "401");
    let codes: Vec<String> = (0..5).map(|_| guess()).collect();
    assert!(codes.contains(&"429".to_owned()), "{codes:?}");
}

#[test]
fn what_is_too_large_is_turned_away() {
    let gateway = Gateway::start();
    let header = format!("X: {}", "x".repeat(20_000));
    assert_eq!(
        status(&curl(&gateway, "/login", &["--header", &header])),
        "431"
    );
    let form = format!("name=admin&password={}", "x".repeat(100_000));
    assert_eq!(status(&curl(&gateway, "/login", &["--data", &form])), "413");
    assert_eq!(
        status(&curl(&gateway, "/login", &["--request", "DELETE"])),
        "405"
    );
}

#[test]
fn whoever_does_not_speak_tls_or_says_nothing_is_sent_away() {
    let gateway = Gateway::start();
    let address = gateway.url.trim_start_matches("https://").to_owned();
    let began = Instant::now();
    let ended = |first: &[u8]| {
        let mut stream = TcpStream::connect(&address).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        stream.write_all(first).expect("written");
        let mut answer = Vec::new();
        // Closed, by a reset or in good order; either way soon.
        let _ = stream.read_to_end(&mut answer);
        answer
    };
    let plain = ended(b"GET / HTTP/1.1\r\nHost: box\r\n\r\n");
    assert!(!plain.starts_with(b"HTTP"), "no page without TLS");
    ended(b"");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        status(&curl(&gateway, "/login", &[])),
        "200",
        "others are served"
    );
}

#[test]
fn slow_clients_are_cut_off() {
    let gateway = Gateway::start();
    let address = gateway.url.trim_start_matches("https://").to_owned();
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n";
    let starts = [
        "GET /login HTTP/1.1\r\nHo".to_owned(),
        format!("POST /login HTTP/1.1\r\nHost: box\r\n{form}\r\nname="),
        "GET /login HTTP/1.1\r\nHost: box\r\n\r\n".to_owned(),
    ];
    let clients = starts.map(|start| {
        let address = address.clone();
        thread::spawn(move || {
            let began = Instant::now();
            let mut client = Command::new("openssl")
                .args(["s_client", "-quiet", "-connect", &address])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|fault| panic!("not run: 1 (openssl: {fault})"));
            let mut keys = client.stdin.take().expect("a pipe");
            keys.write_all(start.as_bytes()).expect("written");
            // The pipe stays open: only the gateway can end this.
            client.wait().expect("ended");
            drop(keys);
            (start, began.elapsed())
        })
    });
    for client in clients {
        let (start, time) = client.join().expect("a client");
        assert!(
            time < Duration::from_secs(50),
            "{start:?} was served for {time:?}"
        );
    }
}
