//! Backups by the pages: taken as a download, brought back as an upload (SPEC UP4).

use causeway_engine::admin::{Answer, Command};
use hyper::StatusCode;

use super::{Response, Session, http};
use crate::backup;
use crate::web::pages;

/// Where the page is.
pub(super) const PATH: &str = "/maintenance/backup";

/// What it is called.
pub(super) const TITLE: &str = "Backup and restore";

impl Session<'_> {
    /// Does what the page's forms ask for.
    pub(super) async fn back_up_or_restore(&self) -> Response {
        let form = &self.face.request.form;
        let password = form.exact("password").to_owned();
        let done = match form.get("task") {
            Some("take") => self.take_backup(password).await,
            Some("preview") => self.restore(password, true).await,
            Some("restore") => self.restore(password, false).await,
            Some(_) | None => return http::plain(StatusCode::BAD_REQUEST),
        };
        match done {
            Ok(response) => response,
            Err(fault) => {
                let content = pages::backup::content(Some(&fault), &self.form_token);
                self.backup_page(StatusCode::UNPROCESSABLE_ENTITY, &content)
                    .await
            }
        }
    }

    async fn take_backup(&self, password: String) -> Result<Response, String> {
        match self.face.ask(Command::Backup).await {
            Ok(Answer::Backup(contents)) => {
                let file = smol::unblock(move || backup::seal(&contents, &password)).await?;
                log::info!("web: {} took a backup", self.name);
                Ok(http::attachment("causeway.backup", file))
            }
            Ok(_) => Err("The gateway gives no backup.".into()),
            Err(faults) => Err(faults.join(" ")),
        }
    }

    async fn restore(&self, password: String, preview: bool) -> Result<Response, String> {
        let form = &self.face.request.form;
        let file = form.exact("file").to_owned();
        let text = file.clone();
        let contents = smol::unblock(move || backup::open(&text, &password)).await?;
        let peer_only = form.get("peer-only").is_some();
        let command = Command::RestoreBackup {
            contents,
            shared: !peer_only,
            preview,
        };
        match self.face.ask(command).await {
            Ok(Answer::Text(changes)) => {
                let token = &self.form_token;
                let content = pages::backup::confirmation(&changes, &file, peer_only, token);
                Ok(self.backup_page(StatusCode::OK, &content).await)
            }
            Ok(Answer::Saved { on, of }) => {
                log::info!("web: {} restored a backup", self.name);
                Ok(http::see(&format!("{PATH}?saved={on}-{of}")))
            }
            Ok(_) => Ok(http::see(PATH)),
            Err(faults) => Err(faults.join(" ")),
        }
    }

    async fn backup_page(&self, code: StatusCode, content: &maud::Markup) -> Response {
        match self.face.status().await {
            Some(status) => self.page(code, &status, TITLE, PATH, content),
            None => http::plain(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}
