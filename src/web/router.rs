//! Who may see and do what, and what a request turns into.
//!
//! Without a session there are the files, the login and, while the administrator has no password,
//! the set-up wizard. Everything that changes something is a POST from a page of ours that carries
//! the session's form token (SPEC UI3).

mod backups;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use causeway_engine::admin::status::Status;
use causeway_engine::admin::{Actor, Answer, Command};
use hyper::StatusCode;
use hyper::body::Incoming;

use super::form::{self, Faults, Values};
use super::http::{self, Request, Response, Verb};
use super::layout::{self, Frame};
use super::pages::history::Scope;
use super::pages::settings::{SETTINGS, Settings};
use super::pages::{
    alarms, backup, calls, clustering, history, login, operations, overview, registrations,
    security, setup,
};
use super::words::Tone;
use super::{Web, assets};
use crate::accounts::{self, ADMINISTRATOR, Token};
use crate::setup::{QUESTIONS, changes, judge_passwords};

/// Where somebody who asks for nothing in particular is sent.
const HOME: &str = "/status/overview";

/// Answers one request.
pub(super) async fn respond(
    web: &Arc<Web>,
    request: hyper::Request<Incoming>,
    from: IpAddr,
) -> Result<Response, Infallible> {
    if let Some(file) = assets::get(request.uri().path()) {
        return Ok(file);
    }
    Ok(match Request::read(request, from).await {
        Ok(request) if request.verb == Verb::Post && !request.same_origin => {
            http::plain(StatusCode::FORBIDDEN)
        }
        Ok(request) => route(web, &request).await,
        Err(status) => http::plain(status),
    })
}

async fn route(web: &Arc<Web>, request: &Request) -> Response {
    let face = Face { web, request };
    if !web.accounts.has_password().await {
        return face.set_up().await;
    }
    match (request.verb, request.path.as_str()) {
        (_, "/setup") => return http::see(HOME),
        (Verb::Get, "/login") => return face.login_page(StatusCode::OK, None).await,
        (Verb::Post, "/login") => return face.log_in().await,
        (_, _) => {}
    }
    let session = match &request.token {
        Some(token) => web.accounts.session(token, !request.live).await,
        None => None,
    };
    match (session, &request.token) {
        (Some(name), Some(token)) => {
            let session = Session {
                face,
                form_token: token.form(),
                token,
                name,
            };
            session.route().await
        }
        (_, _) => match (request.verb, request.path.as_str()) {
            (Verb::Post, _) => http::plain(StatusCode::FORBIDDEN),
            (Verb::Get, "/") => http::see("/login"),
            (Verb::Get, path) if is_page(path) => http::see(&format!("/login?then={path}")),
            (Verb::Get, _) => http::plain(StatusCode::NOT_FOUND),
        },
    }
}

/// Whether the path is one of the pages, and so may stand in a redirect.
fn is_page(path: &str) -> bool {
    let fixed = [
        HOME,
        "/status/calls",
        "/status/registrations",
        "/status/alarms",
        "/system/clustering",
        "/system/operations",
        "/maintenance/history",
        backups::PATH,
        security::PATH,
    ];
    fixed.contains(&path) || SETTINGS.iter().any(|page| page.path == path)
}

/// Requests of somebody who is not known.
#[derive(Clone, Copy)]
struct Face<'a> {
    web: &'a Arc<Web>,
    request: &'a Request,
}

impl Face<'_> {
    async fn login_page(self, status: StatusCode, fault: Option<&str>) -> Response {
        let then = match self.request.verb {
            Verb::Get => self.request.query.get("then"),
            Verb::Post => self.request.form.get("then"),
        };
        let then = then.filter(|path| is_page(path)).unwrap_or(HOME);
        http::page(status, login::page(&self.system_name().await, fault, then))
    }

    async fn log_in(self) -> Response {
        let Request { form, from, .. } = self.request;
        let name = form.get("name").unwrap_or("");
        let password = form.exact("password").to_owned();
        match self.web.accounts.log_in(Some(*from), name, password).await {
            Ok(()) => {}
            Err(denied) => {
                log::warn!("web: a login from {from} was refused");
                let status = match denied {
                    accounts::Denied::Wrong => StatusCode::UNAUTHORIZED,
                    accounts::Denied::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
                };
                return self.login_page(status, Some(&denied.to_string())).await;
            }
        }
        log::info!("web: {ADMINISTRATOR} logged in from {from}");
        let Some(token) = self.web.accounts.begin_session().await else {
            return http::plain(StatusCode::SERVICE_UNAVAILABLE);
        };
        let then = form.get("then").filter(|path| is_page(path));
        http::with_session(http::see(then.unwrap_or(HOME)), Some(&token))
    }

    /// The wizard; it is all there is until it has been finished.
    async fn set_up(self) -> Response {
        let name = self.system_name().await;
        let form = &self.request.form;
        match (self.request.verb, self.request.path.as_str()) {
            (Verb::Get, "/setup") => {
                let now = self.values(&setup_paths()).await;
                let values = QUESTIONS.iter().map(|question| {
                    let value = now.get(question.path).filter(|value| !value.is_empty());
                    let value = value.map_or(question.default, String::as_str);
                    (question.path.to_owned(), value.to_owned())
                });
                let page = setup::page(&name, &values.collect(), Faults(&[]));
                http::page(StatusCode::OK, page)
            }
            (Verb::Post, "/setup") => match self.save_set_up().await {
                Ok(address) => http::page(StatusCode::OK, setup::done(&name, &address)),
                Err(faults) => {
                    let values = form::typed(&setup_paths(), form, &Values::new());
                    let page = setup::page(&name, &values, Faults(&faults));
                    http::page(StatusCode::UNPROCESSABLE_ENTITY, page)
                }
            },
            (Verb::Get, _) => http::see("/setup"),
            (Verb::Post, _) => http::plain(StatusCode::FORBIDDEN),
        }
    }

    /// Saves what the wizard asked; gives the address under which the pages are from now on.
    async fn save_set_up(self) -> Result<String, Vec<String>> {
        let form = &self.request.form;
        let [first, second] = setup::PASSWORDS.map(|field| form.exact(field).to_owned());
        let mut faults = Vec::new();
        faults.extend(judge_passwords(&first, &second).err());
        let mut answers = Vec::new();
        for question in QUESTIONS {
            match question.judge(form.get(question.path).unwrap_or("")) {
                Ok(answer) => answers.push((question.path, answer)),
                Err(fault) => faults.push(format!("{}: {fault}", question.path)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let address = answers
            .first()
            .map_or(String::new(), |(_, address)| address.clone());
        let hash = smol::unblock(move || accounts::hash(&first)).await;
        let change = changes(hash.map_err(|fault| vec![fault])?, answers);
        self.save(change).await.map(|_| address)
    }

    /// Saves a change; gives on how many peers it is, and how many there are.
    async fn save(self, change: Vec<(String, String)>) -> Result<(usize, usize), Vec<String>> {
        match self.ask(Command::Set(change)).await? {
            Answer::Saved { on, of } => Ok((on, of)),
            _ => Ok((1, 1)),
        }
    }

    async fn values(self, paths: &[String]) -> Values {
        let mut values = Values::new();
        for path in paths {
            let value = self.web.asker.value(self.actor(), path).await;
            values.insert(path.clone(), value);
        }
        values
    }

    async fn status(self) -> Option<Box<Status>> {
        match self.ask(Command::Status).await {
            Ok(Answer::Status(status)) => Some(status),
            Ok(_) | Err(_) => None,
        }
    }

    async fn system_name(self) -> String {
        self.web.asker.value(self.actor(), "SystemUnit Name").await
    }

    async fn ask(self, command: Command) -> Result<Answer, Vec<String>> {
        let answer = self.web.asker.ask(self.actor(), command).await;
        answer.map_err(|refusal| refusal.reasons)
    }

    fn actor(self) -> Actor {
        Actor {
            name: ADMINISTRATOR.into(),
            address: Some(self.request.from),
            face: "web",
        }
    }
}

fn setup_paths() -> Vec<String> {
    QUESTIONS
        .iter()
        .map(|question| question.path.into())
        .collect()
}

/// Requests of somebody who is logged in.
struct Session<'a> {
    face: Face<'a>,
    token: &'a Token,
    form_token: String,
    name: String,
}

impl Session<'_> {
    async fn route(&self) -> Response {
        let request = self.face.request;
        let path = request.path.as_str();
        match request.verb {
            Verb::Get => self.show(path).await,
            Verb::Post if !self.token.is_form(request.form.exact("form")) => {
                log::warn!("web: a form from {} without its token", request.from);
                http::plain(StatusCode::FORBIDDEN)
            }
            Verb::Post => self.act(path).await,
        }
    }

    async fn show(&self, path: &str) -> Response {
        let query = &self.face.request.query;
        let Some(status) = self.face.status().await else {
            return http::plain(StatusCode::SERVICE_UNAVAILABLE);
        };
        let (title, content) = match path {
            "/" | "/login" => return http::see(HOME),
            HOME => ("Overview", overview::content(&status)),
            "/status/registrations" => {
                let number = query.get("page").and_then(|page| page.parse().ok());
                let search = query.get("search").unwrap_or("");
                let content = registrations::content(
                    &status,
                    search,
                    number.unwrap_or(1),
                    query.get("by") == Some("alias"),
                    &self.form_token,
                );
                ("Registrations", content)
            }
            "/status/calls" => ("Calls", calls::content(&status, &self.form_token)),
            "/status/alarms" => ("Alarms", self.alarms(&status).await),
            backups::PATH => (backups::TITLE, backup::content(None, &self.form_token)),
            "/maintenance/history" => ("Configuration history", self.history().await),
            "/system/operations" => {
                let content = operations::content(&status, None, &self.form_token);
                ("Cluster operations", content)
            }
            security::PATH => (
                "Certificates",
                security::content(&status, None, &self.form_token),
            ),
            "/system/clustering" => {
                let values = self.face.values(&clustering::paths()).await;
                return self.clustering(StatusCode::OK, &status, &values, &[]);
            }
            _ => {
                let Some(page) = SETTINGS.iter().find(|page| page.path == path) else {
                    return http::plain(StatusCode::NOT_FOUND);
                };
                let values = self.face.values(&page.paths()).await;
                return self.settings(StatusCode::OK, &status, page, &values, &[]);
            }
        };
        self.page(StatusCode::OK, &status, title, path, &content)
    }

    async fn act(&self, path: &str) -> Response {
        match path {
            "/logout" => {
                self.face.web.accounts.end_session(self.token);
                log::info!("web: {} logged out", self.name);
                http::with_session(http::see("/login"), None)
            }
            "/status/alarms" => self.acknowledge().await,
            "/status/calls" => self.run(path, "DisconnectCall", "Call", "call").await,
            "/status/registrations" => self.run(path, "RemoveRegistration", "Alias", "alias").await,
            "/maintenance/history" => self.go_back().await,
            backups::PATH => self.back_up_or_restore().await,
            "/system/operations" => self.operate(path).await,
            security::PATH => self.certificates().await,
            "/system/clustering" => {
                let paths = clustering::paths();
                self.save(path, &paths, |status, values, faults| {
                    self.clustering(StatusCode::UNPROCESSABLE_ENTITY, status, values, faults)
                })
                .await
            }
            _ => {
                let Some(page) = SETTINGS.iter().find(|page| page.path == path) else {
                    return http::plain(StatusCode::NOT_FOUND);
                };
                self.save(path, &page.paths(), |status, values, faults| {
                    let code = StatusCode::UNPROCESSABLE_ENTITY;
                    self.settings(code, status, page, values, faults)
                })
                .await
            }
        }
    }

    /// Begins an operation of the cluster, as the command line does, and shows what that answers.
    async fn operate(&self, path: &str) -> Response {
        let form = &self.face.request.form;
        let line = operations::line(form.get("command").unwrap_or(""), |name| form.get(name));
        let Some(line) = line else {
            return http::plain(StatusCode::BAD_REQUEST);
        };
        let said = match self.face.ask(Command::Line(line)).await {
            Ok(Answer::Text(text)) => Ok(text),
            Ok(_) => Ok(String::new()),
            Err(faults) => Err(faults.join("\n")),
        };
        let Some(status) = self.face.status().await else {
            return http::plain(StatusCode::SERVICE_UNAVAILABLE);
        };
        let code = match said {
            Ok(_) => StatusCode::OK,
            Err(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let content = operations::content(&status, Some(&said), &self.form_token);
        self.page(code, &status, "Cluster operations", path, &content)
    }

    /// Saves what differs as one change; on a refusal shows what was typed with what is wrong.
    async fn save(
        &self,
        path: &str,
        paths: &[String],
        again: impl FnOnce(&Status, &Values, &[String]) -> Response,
    ) -> Response {
        let form = &self.face.request.form;
        let now = self.face.values(paths).await;
        let change = form::changes(paths, form, &now);
        if change.is_empty() {
            return http::see(&format!("{path}?saved=nothing"));
        }
        match self.face.save(change).await {
            Ok((on, of)) => http::see(&format!("{path}?saved={on}-{of}")),
            Err(faults) => {
                let Some(status) = self.face.status().await else {
                    return http::plain(StatusCode::SERVICE_UNAVAILABLE);
                };
                again(&status, &form::typed(paths, form, &now), &faults)
            }
        }
    }

    /// Runs a command of one parameter, which a field of the form gives, as the command line does.
    async fn run(&self, path: &str, verb: &str, parameter: &str, field: &str) -> Response {
        let value = self.face.request.form.get(field).unwrap_or("");
        let line = format!("xCommand {verb} {parameter}: \"{value}\"");
        match self.told(line).await {
            Ok(_) => http::see(&format!("{path}?done=1")),
            Err(fault) => {
                log::warn!("web: {verb}: {fault}");
                http::see(&format!("{path}?done=0"))
            }
        }
    }

    /// Does what a form about certificates asks, and shows what came of it.
    async fn certificates(&self) -> Response {
        let told = match security::ask(&self.face.request.form) {
            Some(ask) => self.face.ask(Command::Certificate(ask)).await,
            None => return http::plain(StatusCode::BAD_REQUEST),
        };
        let told = told.map(|answer| match answer {
            Answer::Text(text) => text,
            _ => String::new(),
        });
        let Some(status) = self.face.status().await else {
            return http::plain(StatusCode::SERVICE_UNAVAILABLE);
        };
        let code = match told {
            Ok(_) => StatusCode::OK,
            Err(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let content = security::content(&status, Some(&told), &self.form_token);
        self.page(code, &status, "Certificates", security::PATH, &content)
    }

    async fn alarms(&self, status: &Status) -> maud::Markup {
        let history = match self.face.ask(Command::AlarmHistory(alarms::LINES)).await {
            Ok(Answer::AlarmHistory(lines)) => lines,
            Ok(_) | Err(_) => Vec::new(),
        };
        alarms::content(status, &history, &self.form_token)
    }

    async fn acknowledge(&self) -> Response {
        let alarm = self.face.request.form.get("alarm").unwrap_or("");
        let Ok(id) = alarm.parse::<u32>() else {
            return http::plain(StatusCode::BAD_REQUEST);
        };
        match self.face.ask(Command::AcknowledgeAlarm(id)).await {
            Ok(_) => http::see("/status/alarms"),
            Err(faults) => {
                log::warn!("web: alarm {id}: {}", faults.join("; "));
                http::plain(StatusCode::CONFLICT)
            }
        }
    }

    fn clustering(
        &self,
        code: StatusCode,
        status: &Status,
        values: &Values,
        faults: &[String],
    ) -> Response {
        let content = clustering::content(status, values, Faults(faults), &self.form_token);
        self.page(code, status, "Clustering", "/system/clustering", &content)
    }

    fn settings(
        &self,
        code: StatusCode,
        status: &Status,
        page: &Settings,
        values: &Values,
        faults: &[String],
    ) -> Response {
        let content = page.content(values, Faults(faults), &self.form_token);
        self.page(code, status, page.title, page.path, &content)
    }

    fn page(
        &self,
        code: StatusCode,
        status: &Status,
        title: &str,
        path: &str,
        content: &maud::Markup,
    ) -> Response {
        let frame = Frame {
            title,
            path,
            status,
            form_token: &self.form_token,
        };
        let content = maud::html! { (self.saved()) (content) };
        http::page(code, layout::page(&frame, &content))
    }

    /// What the save that led here did.
    fn saved(&self) -> maud::Markup {
        match self.face.request.query.get("done") {
            Some("1") => return layout::notice(Tone::Good, "Asked to end. The list follows."),
            Some(_) => {
                let text = "Nothing was ended: it is gone already, or its peer cannot be reached.";
                return layout::notice(Tone::Warning, text);
            }
            None => {}
        }
        let saved = self.face.request.query.get("saved");
        match saved.map(|saved| saved.split_once('-')) {
            None => maud::html! {},
            Some(None) => layout::notice(Tone::Calm, "Nothing was changed."),
            Some(Some((on, of))) => match (on.parse::<u8>(), of.parse::<u8>()) {
                (Ok(on), Ok(of)) if on < of => {
                    let text = format!("Saved on {on} of {of} peers. The others follow.");
                    layout::notice(Tone::Warning, &text)
                }
                (Ok(_), Ok(of)) if of > 1 => {
                    layout::notice(Tone::Good, &format!("Saved on all {of} peers."))
                }
                (Ok(_), Ok(_)) => layout::notice(Tone::Good, "Saved."),
                (_, _) => maud::html! {},
            },
        }
    }

    async fn history(&self) -> maud::Markup {
        let query = &self.face.request.query;
        let scope = Scope::of(query.get("scope"));
        let revision = query
            .get("revision")
            .and_then(|text| text.parse::<u64>().ok());
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
        if let (Some(from), Some(to)) = (number("from"), number("to")) {
            let scope_word = scope.word();
            let line =
                format!("xCommand ConfigurationDiff From: {from} To: {to} Scope: {scope_word}");
            return match self.told(line).await {
                Ok(text) => history::comparison(&text, scope, from, to),
                Err(fault) => layout::notice(Tone::Bad, &fault),
            };
        }
        match revision {
            Some(revision) => self.confirm(scope, &revision.to_string(), None).await,
            None => {
                let scope_word = scope.word();
                let line = format!("xCommand ConfigurationHistory Scope: {scope_word} Count: 50");
                match self.told(line).await {
                    Ok(text) => history::content(&text, scope),
                    Err(fault) => layout::notice(Tone::Bad, &fault),
                }
            }
        }
    }

    /// The page that asks whether to go back to a revision.
    async fn confirm(&self, scope: Scope, revision: &str, fault: Option<&str>) -> maud::Markup {
        let scope_word = scope.word();
        let line = format!("xCommand ConfigurationDiff From: {revision} Scope: {scope_word}");
        match self.told(line).await {
            Ok(text) => history::confirmation(&text, scope, revision, fault, &self.form_token),
            Err(fault) => layout::notice(Tone::Bad, &fault),
        }
    }

    /// Goes back to a revision, as the command line does.
    async fn go_back(&self) -> Response {
        let form = &self.face.request.form;
        let scope = Scope::of(form.get("scope"));
        let Some(Ok(revision)) = form.get("revision").map(str::parse::<u64>) else {
            return http::plain(StatusCode::BAD_REQUEST);
        };
        let scope_word = scope.word();
        let line =
            format!("xCommand ConfigurationRollback Revision: {revision} Scope: {scope_word}");
        match self.face.ask(Command::Line(line)).await {
            Ok(_) => http::see(&format!(
                "/maintenance/history?scope={scope_word}&saved=1-1"
            )),
            Err(faults) => {
                let Some(status) = self.face.status().await else {
                    return http::plain(StatusCode::SERVICE_UNAVAILABLE);
                };
                let (revision, fault) = (revision.to_string(), faults.join(" "));
                let content = self.confirm(scope, &revision, Some(&fault)).await;
                let (title, path) = ("Configuration history", "/maintenance/history");
                self.page(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    &status,
                    title,
                    path,
                    &content,
                )
            }
        }
    }

    /// What the command line answers to a line.
    async fn told(&self, line: String) -> Result<String, String> {
        match self.face.ask(Command::Line(line)).await {
            Ok(Answer::Text(text)) => Ok(text),
            Ok(_) => Ok(String::new()),
            Err(faults) => Err(faults.join(" ")),
        }
    }
}
