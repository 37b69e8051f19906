//! The answering end of the command line's sockets.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use causeway_engine::admin::line::{self, Parsed};
use causeway_engine::admin::status::Status;
use causeway_engine::admin::{self, Actor, Answer, Command, Refusal};
use causeway_engine::base::limits::{COMMAND_LINE_CHARS, COMMAND_LINES};
use causeway_engine::base::socket::Service;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::Semaphore;
use smol::{Executor, Task};

use super::client::{CLI_SOCKET, CONSOLE_SOCKET};
use super::protocol::{self, Identity, REQUEST_BYTES_MAX, Request, Response};
use crate::accounts::{self, ADMINISTRATOR, Accounts};
use crate::ask::{Asker, Reply};
use crate::backup;

/// How long a wrong password takes, so that guessing is slow.
const WRONG_PASSWORD: Duration = Duration::from_secs(2);

/// The item that bounds a session without input, in minutes.
const INACTIVITY_ITEM: &str = "Management Session InactivityTimeout";

/// Both sockets; they are served and their files exist while this does.
pub(crate) struct LocalServer {
    files: Vec<PathBuf>,
    _tasks: Vec<Task<()>>,
}

impl LocalServer {
    /// Opens both sockets in `data`, which this process holds alone.
    pub(crate) fn start(
        executor: &Arc<Executor<'static>>,
        data: &Path,
        asker: &Asker,
        accounts: &Arc<Accounts>,
    ) -> io::Result<Self> {
        let (mut files, mut tasks) = (Vec::new(), Vec::new());
        let places = Arc::new(Semaphore::new(COMMAND_LINES));
        for (name, face) in [(CLI_SOCKET, Face::Cli), (CONSOLE_SOCKET, Face::Console)] {
            let path = data.join(name);
            // One that a killed process left behind.
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            let listener = UnixListener::bind(&path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            files.push(path);
            let serve = accept(
                Arc::clone(executor),
                Async::new(listener)?,
                face,
                asker.clone(),
                Arc::clone(accounts),
                Arc::clone(&places),
            );
            tasks.push(executor.spawn(serve));
        }
        Ok(Self {
            files,
            _tasks: tasks,
        })
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        for file in &self.files {
            // The next start removes what stays.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Which socket a session came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    /// Trusted: whoever can open the file is the administrator.
    Cli,
    /// A login comes first.
    Console,
}

async fn accept(
    executor: Arc<Executor<'static>>,
    listener: Async<UnixListener>,
    face: Face,
    asker: Asker,
    accounts: Arc<Accounts>,
    places: Arc<Semaphore>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Some(place) = places.try_acquire_arc() else {
                    log::warn!("too many command lines are connected");
                    continue;
                };
                let mut session = Session {
                    face,
                    asker: asker.clone(),
                    accounts: Arc::clone(&accounts),
                    login: None,
                };
                let task = async move {
                    // A command line that goes away in the middle is no fault.
                    let _ = session.serve(stream).await;
                    drop(place);
                };
                executor.spawn(task).detach();
            }
            Err(error) => {
                log::warn!("accepting command lines: {error}");
                Timer::after(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection.
struct Session {
    face: Face,
    asker: Asker,
    accounts: Arc<Accounts>,
    /// When the session that was logged in was used last.
    login: Option<Instant>,
}

impl Session {
    async fn serve(&mut self, mut stream: Async<UnixStream>) -> io::Result<()> {
        loop {
            let mut head = [0; 4];
            stream.read_exact(&mut head).await?;
            let mut body = vec![0; protocol::body_length(head, REQUEST_BYTES_MAX)?];
            stream.read_exact(&mut body).await?;
            let response = self.answer(protocol::decode(&body)?).await;
            stream.write_all(&protocol::encode(&response)?).await?;
        }
    }

    async fn answer(&mut self, request: Request) -> Response {
        match request {
            Request::Hello => self.hello().await,
            Request::Login { user, password } => self.log_in(&user, password).await,
            Request::Logout => {
                self.login = None;
                Response::Done
            }
            Request::Line(line) if line.chars().count() > COMMAND_LINE_CHARS => {
                Response::Refused(vec![format!(
                    "A line has at most {COMMAND_LINE_CHARS} characters."
                )])
            }
            Request::Line(line) => match line::parse(&line) {
                Ok(Parsed::Set(changes)) if accounts::names_password(&changes) => {
                    if self.is_allowed().await {
                        self.set(changes).await
                    } else {
                        Response::LoginRequired
                    }
                }
                Ok(_) | Err(_) => self.ask_if_allowed(Command::Line(line)).await,
            },
            Request::Attached { line, text } => {
                self.ask_if_allowed(Command::Attached { line, text }).await
            }
            Request::Complete(text) => self.ask_if_allowed(Command::Complete(text)).await,
            Request::Backup { password } => {
                if self.is_allowed().await {
                    self.back_up(password).await
                } else {
                    Response::LoginRequired
                }
            }
            Request::Restore {
                file,
                password,
                shared,
                preview,
            } => {
                if !self.is_allowed().await {
                    return Response::LoginRequired;
                }
                match smol::unblock(move || backup::open(&file, &password)).await {
                    Ok(contents) => {
                        let command = Command::RestoreBackup {
                            contents,
                            shared,
                            preview,
                        };
                        response(self.ask(command).await)
                    }
                    Err(reason) => Response::Refused(vec![reason]),
                }
            }
            Request::Set(changes) => {
                if !self.is_allowed().await && !self.is_set_up_wanted().await {
                    return Response::LoginRequired;
                }
                self.set(changes).await
            }
        }
    }

    async fn ask_if_allowed(&mut self, command: Command) -> Response {
        if self.is_allowed().await {
            response(self.ask(command).await)
        } else {
            Response::LoginRequired
        }
    }

    /// Saves changes; a password in clear is hashed first, and off the loop.
    async fn set(&self, changes: Vec<(String, String)>) -> Response {
        match smol::unblock(move || accounts::hash_passwords(changes)).await {
            Ok(changes) => response(self.ask(Command::Set(changes)).await),
            Err(reason) => Response::Refused(vec![reason]),
        }
    }

    async fn back_up(&self, password: String) -> Response {
        match self.ask(Command::Backup).await {
            Ok(Answer::Backup(contents)) => {
                match smol::unblock(move || backup::seal(&contents, &password)).await {
                    Ok(file) => Response::Text(file),
                    Err(reason) => Response::Refused(vec![reason]),
                }
            }
            Ok(_) => Response::Refused(vec!["The gateway gives no backup.".into()]),
            Err(refusal) => Response::Refused(refusal.reasons),
        }
    }

    async fn hello(&mut self) -> Response {
        let login = !self.is_allowed().await;
        match self.ask(Command::Status).await {
            Ok(Answer::Status(status)) => Response::Hello(identity(&status, login)),
            Ok(_) => Response::Refused(vec!["The gateway does not say who it is.".into()]),
            Err(refusal) => Response::Refused(refusal.reasons),
        }
    }

    async fn log_in(&mut self, user: &str, password: String) -> Response {
        match self.accounts.log_in(None, user, password).await {
            Ok(()) => {
                self.login = Some(Instant::now());
                log::info!("{ADMINISTRATOR} logged in on the console");
                Response::Done
            }
            Err(denied) => {
                log::warn!("a login on the console was refused");
                Timer::after(WRONG_PASSWORD).await;
                Response::Refused(vec![denied.to_string()])
            }
        }
    }

    /// Whether commands are taken; an idle login ends here.
    async fn is_allowed(&mut self) -> bool {
        if self.face == Face::Cli {
            return true;
        }
        let Some(used) = self.login else { return false };
        let minutes = self.asker.value(self.actor(), INACTIVITY_ITEM).await;
        // No number, or none: a session without end.
        let minutes = minutes.parse::<u64>().unwrap_or(0);
        if minutes > 0 && used.elapsed() > Duration::from_secs(minutes.saturating_mul(60)) {
            self.login = None;
            return false;
        }
        self.login = Some(Instant::now());
        true
    }

    async fn is_set_up_wanted(&self) -> bool {
        match self.ask(Command::Status).await {
            Ok(Answer::Status(status)) => status.system.set_up,
            Ok(_) | Err(_) => false,
        }
    }

    async fn ask(&self, command: Command) -> Reply {
        self.asker.ask(self.actor(), command).await
    }

    fn actor(&self) -> Actor {
        Actor {
            name: ADMINISTRATOR.into(),
            address: None,
            face: match self.face {
                Face::Cli => "cli",
                Face::Console => "console",
            },
        }
    }
}

/// Who we are, without anything that a stranger at the terminal should not see.
fn identity(status: &Status, login: bool) -> Identity {
    let lans = status.lans.iter().flat_map(|lan| &lan.addresses);
    let listeners = status.listeners.iter();
    let pages = listeners.filter(|listener| listener.service == Service::Web);
    Identity {
        name: status.system.name.clone(),
        version: status.system.version.clone(),
        serial: status.system.id.to_string(),
        addresses: lans
            .map(|(address, prefix)| format!("{address}/{prefix}"))
            .collect(),
        pages: pages
            .map(|page| format!("https://{}/", page.address))
            .collect(),
        login,
        set_up: status.system.set_up,
    }
}

fn response(reply: Reply) -> Response {
    match reply {
        Ok(Answer::Text(text)) => Response::Text(text),
        Ok(Answer::Value(text)) => Response::Text(text + "\n"),
        Ok(Answer::Completions(words)) => Response::Completions(words),
        Ok(Answer::Saved { on, of }) if of > 1 => {
            Response::Text(format!("Saved on {on} of {of} peers.\n"))
        }
        Ok(Answer::Saved { .. }) => Response::Text("Saved.\n".into()),
        Ok(Answer::Status(_) | Answer::Backup(_)) => Response::Done,
        Ok(Answer::AlarmHistory(lines)) => Response::Text(admin::alarm_history(&lines)),
        Err(Refusal { reasons }) => Response::Refused(reasons),
    }
}
