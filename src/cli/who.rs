//! `ccsession who`: says which session made a commit or edited a file.

mod commit;
mod file;

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use clap::{Args, ValueHint};
use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use super::pager::ScreenArgs;
use super::status::{Status, refusal};
use super::title::title;
use crate::identity::title::Title;
use crate::model::record::ProjectRef;
use crate::model::text::escaped;
use crate::model::{Capture, Config, Record, SessionId};
use crate::store::{StateDir, project, shown};

#[derive(Debug, Args)]
#[command(
    after_help = "A commit is a hash or its first digits, at least 4, HEAD, or a branch of the repository here. Give a file with the \
    same name as ./NAME. ccsession reads git's reflog and the journals. It starts no git and writes nothing into a commit. A date set by GIT_COMMITTER_DATE misleads it.\n\n\
    Examples:\n  ccsession who HEAD                      # which session made the last commit\n  ccsession who 1a2b3c\n  \
    ccsession who src/main.rs               # which sessions edited this file"
)]
pub(super) struct WhoArgs {
    /// A commit or a file
    #[arg(value_name = "COMMIT|FILE", value_hint = ValueHint::FilePath)]
    pub(super) what: OsString,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
}

/// What is needed to find out who made a commit or edited a file.
struct WhoQuestion<'a> {
    context: &'a Context,
    config: &'a Config,
    state: &'a StateDir,
}

pub(super) fn run(context: &Context, args: WhoArgs) -> Result<Status> {
    let config = context.config()?;
    let Some(state) = context.state()? else {
        let text =
            "could not find a session: nothing was recorded yet; `ccsession doctor` says why";
        return Err(refusal(Status::NotFound, text));
    };
    let question = WhoQuestion {
        context,
        config: &config,
        state: &state,
    };
    let is_path = |text: &str| text.starts_with(['/', '.']);
    let named = args.what.to_str().filter(|text| !is_path(text));
    if let Some(text) = named
        && let Some(commits) = commit::find(&question, text)?
    {
        return commit::answer(&question, &args, commits);
    }
    let path = Path::new(&args.what);
    let is_digits = named.is_some_and(commit::is_digits);
    if is_digits && !project::exists(path) {
        let text = format!(
            "could not find commit `{}`: neither a journal nor the reflog here knows it",
            escaped(named.unwrap_or_default())
        );
        return Err(refusal(Status::NotFound, text));
    }
    match file::answer(&question, &args, path)? {
        Some(status) => Ok(status),
        None => Err(unknown(&question, path)),
    }
}

fn unknown(question: &WhoQuestion<'_>, path: &Path) -> anyhow::Error {
    let why = match (project::exists(path), question.config.capture) {
        (_, Capture::Metadata) => {
            "no session is known to have edited it; with `capture = \"metadata\"`, journals do not name files"
        }
        (true, _) => "no session on record has edited it",
        (false, _) => {
            "there is no such commit or branch here, and no session has edited such a file"
        }
    };
    let text = format!("could not find who made `{}`: {why}", shown(path));
    refusal(Status::NotFound, text)
}

/// How the answers of `who` describe a session.
#[derive(Debug, Serialize)]
struct SessionWords {
    session_id: SessionId,
    title: Option<Title>,
    project: ProjectRef,
}

impl WhoQuestion<'_> {
    fn words(&self, record: &Record) -> SessionWords {
        SessionWords {
            session_id: record.session_id.clone(),
            title: title(&self.context.env, self.state, record, self.config.capture),
            project: record.project.clone(),
        }
    }

    /// Returns a label if the settings allow to show it.
    fn label(&self, label: Option<String>) -> Option<String> {
        label.filter(|_| self.config.capture != Capture::Metadata)
    }
}

impl SessionWords {
    fn title(&self) -> String {
        let title = self.title.as_ref();
        title.map(|title| title.text.clone()).unwrap_or_default()
    }

    /// Returns the session as JSON, with the members of `more` added.
    fn with(&self, more: Value) -> Value {
        let mut value = json!(self);
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        value
    }
}
