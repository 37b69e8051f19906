//! Both sockets with a node that the test plays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use causeway_engine::admin::{Answer, Command, Refusal};
use smol::channel::{self, Sender};
use smol::{Executor, future};

use super::client::{CLI_SOCKET, CONSOLE_SOCKET, Connection};
use super::protocol::{Request, Response};
use super::server::LocalServer;
use crate::accounts::{self, Accounts, PASSWORD_ITEM};
use crate::ask::{Asker, Question};
use crate::scratch::Scratch;

/// The sockets of a node whose configuration is a map; all stops when this is dropped.
struct Served {
    folder: Scratch,
    _stop: Sender<()>,
}

impl Served {
    fn new(items: &[(&str, &str)]) -> Self {
        let folder = Scratch::new();
        let (asker, questions) = Asker::new(8);
        let mut items: BTreeMap<String, String> = items
            .iter()
            .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
            .collect();
        thread::spawn(move || {
            while let Ok(question) = questions.recv_blocking() {
                let Question { command, reply, .. } = question;
                let _ = reply.try_send(answer(command, &mut items));
            }
        });
        let executor = Arc::new(Executor::new());
        let server = LocalServer::start(
            &executor,
            folder.path(),
            &asker,
            &Accounts::new(asker.clone()),
        )
        .expect("sockets");
        let (stop, stopped) = channel::bounded::<()>(1);
        thread::spawn(move || {
            let _ = future::block_on(executor.run(stopped.recv()));
            drop(server);
        });
        Self {
            folder,
            _stop: stop,
        }
    }

    fn open(&self, socket: &str) -> Connection {
        Connection::open(self.folder.path(), socket).expect("connected")
    }
}

fn answer(command: Command, items: &mut BTreeMap<String, String>) -> Result<Answer, Refusal> {
    match command {
        Command::Line(line) if line == "bad" => Err(Refusal::because("bad line")),
        Command::Line(line) => Ok(Answer::Text(format!("did {line}\n"))),
        Command::Complete(text) => Ok(Answer::Completions(vec![text + "x"])),
        Command::Set(changes) => {
            items.extend(changes);
            Ok(Answer::Saved { on: 2, of: 3 })
        }
        Command::Value(path) => Ok(Answer::Value(items.get(&path).cloned().unwrap_or_default())),
        Command::Status
        | Command::Restore { .. }
        | Command::ForceConfigUpdate
        | Command::Stop(_)
        | Command::AcknowledgeAlarm(_)
        | Command::AlarmHistory(_)
        | Command::Unregister(_)
        | Command::Disconnect(_)
        | Command::Backup
        | Command::RestoreBackup { .. }
        | Command::Certificate(_)
        | Command::Attached { .. }
        | Command::Verify(_)
        | Command::Operation(_) => Err(Refusal::because("not in this test")),
    }
}

fn ask(connection: &mut Connection, request: Request) -> Response {
    connection.ask(&request).expect("an answer")
}

fn line(text: &str) -> Request {
    Request::Line(text.into())
}

#[test]
fn whoever_can_open_the_first_socket_is_trusted() {
    let served = Served::new(&[]);
    let mut cli = served.open(CLI_SOCKET);
    assert_eq!(
        ask(&mut cli, line("xStatus")),
        Response::Text("did xStatus\n".into())
    );
    assert_eq!(
        ask(&mut cli, line("bad")),
        Response::Refused(vec!["bad line".into()])
    );
    assert_eq!(
        ask(&mut cli, Request::Complete("xS".into())),
        Response::Completions(vec!["xSx".into()])
    );
    let change = Request::Set(vec![("SystemUnit Name".into(), "a".into())]);
    assert_eq!(
        ask(&mut cli, change),
        Response::Text("Saved on 2 of 3 peers.\n".into())
    );
    let long = line(&"x".repeat(5_000));
    assert!(matches!(ask(&mut cli, long), Response::Refused(_)));
}

#[test]
fn the_console_wants_a_login_first() {
    let hash = accounts::hash("right").expect("a hash");
    let served = Served::new(&[(PASSWORD_ITEM, &hash)]);
    let mut console = served.open(CONSOLE_SOCKET);
    let login = |user: &str, password: &str| Request::Login {
        user: user.into(),
        password: password.into(),
    };
    assert_eq!(ask(&mut console, line("xStatus")), Response::LoginRequired);
    assert_eq!(
        ask(&mut console, Request::Set(Vec::new())),
        Response::LoginRequired
    );
    for (user, password) in [("admin", "wrong"), ("other", "right")] {
        let answer = ask(&mut console, login(user, password));
        assert!(matches!(answer, Response::Refused(_)), "{user} {password}");
    }
    assert_eq!(ask(&mut console, login("admin", "right")), Response::Done);
    assert_eq!(
        ask(&mut console, line("a")),
        Response::Text("did a\n".into())
    );

    // A new password is hashed before the node sees it, and serves the next login.
    let change = Request::Set(vec![(PASSWORD_ITEM.into(), "another one".into())]);
    assert!(matches!(ask(&mut console, change), Response::Text(_)));
    assert_eq!(ask(&mut console, Request::Logout), Response::Done);
    assert_eq!(ask(&mut console, line("a")), Response::LoginRequired);
    assert_eq!(
        ask(&mut console, login("admin", "another one")),
        Response::Done
    );
    let change = line("xConfiguration Administration Account Password: \"yet another\"");
    assert!(matches!(ask(&mut console, change), Response::Text(_)));
    assert_eq!(
        ask(&mut console, login("admin", "yet another")),
        Response::Done
    );
}

#[test]
fn nonsense_ends_one_connection_only() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    let served = Served::new(&[]);
    let mut good = served.open(CLI_SOCKET);
    for bytes in [&[0xff; 16][..], &[0; 16], &[3, 0, 0, 0, 9, 9, 9]] {
        let mut bad = UnixStream::connect(served.folder.path().join(CLI_SOCKET)).expect("open");
        bad.write_all(bytes).expect("written");
        let mut rest = Vec::new();
        let ended = bad.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{ended:?}: {rest:?}");
    }
    assert_eq!(ask(&mut good, line("a")), Response::Text("did a\n".into()));
}
