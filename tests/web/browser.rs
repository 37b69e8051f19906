//! The pages in a real browser, driven over WebDriver (W3C), with and without script.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::gateway::{Gateway, PASSWORD, PATIENCE, folder, free_port, wait_for};

/// What WebDriver calls the reference to an element in its answers (W3C WebDriver, 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window; ended when dropped.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: PathBuf,
}

impl Browser {
    /// A window of this width; a narrow one is that of a phone.
    fn open(width: u32) -> Self {
        let phone = match width {
            ..500 => format!(
                ",\"mobileEmulation\":{{\"deviceMetrics\":{{\"width\":{width},\"height\":844,\
                 \"pixelRatio\":1}}}}"
            ),
            500.. => String::new(),
        };
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|fault| panic!("not run: 1 (chromedriver: {fault})"));
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            profile: folder(),
        };
        wait_for("chromedriver", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let profile = format!("user-data-dir={}", browser.profile.display());
        let size = format!("window-size={width},900");
        let arguments: Vec<String> = [
            "headless",
            "no-sandbox",
            "disable-gpu",
            "disable-quic",
            "no-first-run",
            "disable-background-networking",
            "disable-component-update",
            "disable-sync",
            &profile,
            &size,
        ]
        .map(|argument| format!("\"--{argument}\""))
        .into();
        let wanted = format!(
            "{{\"capabilities\":{{\"alwaysMatch\":{{\"acceptInsecureCerts\":true,\
             \"goog:chromeOptions\":{{\"args\":[{}]{phone}}}}}}}}}",
            arguments.join(",")
        );
        let answer = browser.exchange("POST", "/session", &wanted);
        browser.session = string(&answer, "sessionId").expect("a session");
        browser
    }

    /// Forbids pages to run scripts; what the driver itself runs still works.
    fn without_script(self) -> Self {
        self.call(
            "/goog/cdp/execute",
            "{\"cmd\":\"Emulation.setScriptExecutionDisabled\",\"params\":{\"value\":true}}",
        );
        self
    }

    fn go(&self, gateway: &Gateway, path: &str) {
        self.call("/url", &format!("{{\"url\":\"{}{path}\"}}", gateway.url));
    }

    fn log_in(&self, gateway: &Gateway) {
        self.go(gateway, "/login");
        self.fill("#password", PASSWORD);
        self.click("button[type=submit]");
        self.wait_for_text("Overview");
    }

    /// Puts a text into a field in the place of what is there.
    fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.call(&format!("/element/{element}/clear"), "{}");
        self.call(
            &format!("/element/{element}/value"),
            &format!("{{\"text\":\"{text}\"}}"),
        );
    }

    fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.call(&format!("/element/{element}/click"), "{}");
    }

    fn find(&self, selector: &str) -> String {
        let selector = selector.replace('"', "\\\"");
        let wanted = format!("{{\"using\":\"css selector\",\"value\":\"{selector}\"}}");
        let answer = self.call("/element", &wanted);
        string(&answer, ELEMENT).unwrap_or_else(|| panic!("no {selector}: {answer}"))
    }

    /// What a person reads on the page; nothing while one page gives way to the next.
    fn text(&self) -> String {
        let session = &self.session;
        let wanted = "{\"using\":\"css selector\",\"value\":\"body\"}";
        let found = self.exchange("POST", &format!("/session/{session}/element"), wanted);
        let Some(body) = string(&found, ELEMENT) else {
            return String::new();
        };
        let text = self.exchange(
            "GET",
            &format!("/session/{session}/element/{body}/text"),
            "",
        );
        let text = (!text.contains("\"error\":")).then(|| string(&text, "value"));
        text.flatten().unwrap_or_default()
    }

    /// What the driver computes in the page.
    fn compute(&self, expression: &str) -> String {
        let script = format!("{{\"script\":\"return String({expression})\",\"args\":[]}}");
        string(&self.call("/execute/sync", &script), "value").unwrap_or_default()
    }

    fn wait_for_text(&self, text: &str) {
        wait_for(text, || self.text().contains(text));
    }

    fn call(&self, command: &str, body: &str) -> String {
        let answer = self.exchange("POST", &format!("/session/{}{command}", self.session), body);
        assert!(!answer.contains("\"error\":"), "{command} {body}: {answer}");
        answer
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.port
        )
        .expect("written");
        body_of(&mut BufReader::new(stream))
    }
}

/// The body of an HTTP answer; the driver says how long it is and keeps the connection.
fn body_of(answer: &mut impl BufRead) -> String {
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line).expect("an answer");
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body).expect("a body");
    String::from_utf8(body).expect("text")
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            self.exchange("DELETE", &format!("/session/{}", self.session), "");
        }
        let _ = self.driver.kill().and_then(|()| self.driver.wait());
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The first string called `name` in a JSON text.
fn string(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\":\""))?;
    let mut text = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => match letters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'u' => {
                    let digits: String = letters.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok()?;
                    text.extend(char::from_u32(code));
                }
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

/// Fills in and saves a cluster of one, after an attempt with a gap.
fn form_a_cluster(browser: &Browser, gateway: &Gateway) {
    browser.go(gateway, "/system/clustering");
    browser.fill("#alternates-cluster-name", "cluster.example.com");
    browser.fill("#alternates-peer-1-address", "127.0.0.1");
    browser.fill("#alternates-peer-3-address", "127.0.0.3");
    browser.click("main form button[type=submit]");
    browser.wait_for_text("Not saved");
    let text = browser.text();
    assert!(text.contains("without gaps"), "{text}");
    assert!(
        !gateway
            .command_line("xConfiguration Alternates")
            .contains("127.0.0.3")
    );

    browser.fill("#alternates-peer-3-address", "");
    browser.click("main form button[type=submit]");
    browser.wait_for_text("Saved.");
    let saved = gateway.command_line("xConfiguration Alternates Peer 1 Address");
    assert!(saved.contains("\"127.0.0.1\""), "{saved}");
    wait_for("the state beside the peer", || {
        browser.go(gateway, "/system/clustering");
        browser.text().contains("This system")
    });
}

#[test]
fn a_browser_logs_in_looks_and_forms_a_cluster() {
    let gateway = Gateway::start();
    let browser = Browser::open(1280);
    browser.log_in(&gateway);
    let text = browser.text();
    for wanted in ["gateway-1", "Registrations", "Listening on", "SIP over UDP"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    form_a_cluster(&browser, &gateway);
    browser.go(&gateway, "/status/overview");
    assert!(browser.text().contains("cluster.example.com"));
    assert_eq!(
        browser.compute("document.querySelectorAll('svg.picture .node').length"),
        "1"
    );
    browser.go(&gateway, "/maintenance/history?scope=Peer");
    assert!(browser.text().contains("Alternates Cluster Name"));
}

#[test]
fn everything_works_without_script() {
    let gateway = Gateway::start();
    let browser = Browser::open(1280).without_script();
    browser.log_in(&gateway);
    form_a_cluster(&browser, &gateway);
    browser.click(".side .leave button");
    browser.wait_for_text("Log in");
    browser.go(&gateway, "/status/overview");
    assert!(browser.text().contains("Password"), "logged out");
}

#[test]
fn pages_stay_up_to_date_by_themselves() {
    let gateway = Gateway::start();
    let browser = Browser::open(1280);
    browser.log_in(&gateway);
    browser.compute("window.mark = 'the same page'");
    gateway.command_line("xConfiguration SystemUnit Name: \"renamed\"");
    wait_for("the new name", || {
        browser
            .compute("document.querySelector('#system').innerText")
            .contains("renamed")
    });
    assert_eq!(browser.compute("window.mark"), "the same page");
}

#[test]
fn no_page_is_wider_than_a_phone() {
    let gateway = Gateway::start();
    let browser = Browser::open(390);
    browser.log_in(&gateway);
    for path in [
        "/status/overview",
        "/status/registrations",
        "/status/alarms",
        "/system/clustering",
        "/system/network",
        "/maintenance/history",
    ] {
        browser.go(&gateway, path);
        assert_eq!(browser.compute("window.innerWidth"), "390");
        let fits = "document.documentElement.scrollWidth <= window.innerWidth";
        assert_eq!(browser.compute(fits), "true", "{path}");
    }
}
