//! `export --state FILE`: writes only what is new since the last export with that file. The file
//! records what was exported, as `ship` does for each destination.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Result;

use super::output_file::OutputFile;
use super::{ExportArgs, SpansArg};
use crate::cli::context::{Context, since};
use crate::cli::gather::SessionSelection;
use crate::cli::output;
use crate::cli::ship::facts::facts;
use crate::cli::ship::sending::{complaints, is_complete};
use crate::cli::status::{Status, refusal};
use crate::model::Record;
use crate::ship::cursor::{Cursor, CursorFault, Sender};
use crate::ship::destination::SpansSetting;
use crate::ship::pass::{Notebook, Pass};
use crate::ship::{Batch, Delivery, Failure, Form, Outlet, Protocol, Signal, observability};
use crate::store::machine::{machine_id, machine_name};
use crate::store::{Host, StateDir, clock, project};

/// The length of a line, in bytes, from which a new line begins. By default, the Collector reads
/// lines of up to 1 MiB.
const LINE: usize = 512 << 10;

/// Writes what is new in the selected sessions since the last export with the file at `path`.
pub(super) fn run(
    context: &Context,
    args: &ExportArgs,
    path: &Path,
    state: &StateDir,
    which: &SessionSelection,
) -> Result<Status> {
    let path = &project::current_dir()?.join(path);
    let signal = args.signal.unwrap_or_default().as_str();
    let spans = args.spans.unwrap_or_default();
    let mut cursor = match Cursor::take_file(state, path) {
        Ok(cursor) => cursor,
        Err(CursorFault::InUse) => {
            let text = "another `ccsession export` uses the file of --state";
            return Err(refusal(Status::Held, text));
        }
        Err(fault) => return Err(refusal(Status::Failed, fault.to_string())),
    };
    let what = format!("{signal} spans={}", SpansSetting::from(spans).name());
    let since = args.since.as_deref();
    let since = since.map(|when| since_when(when, context)).transpose()?;
    let began = match &cursor.state.began {
        None => since,
        Some(_) if since.is_some() => {
            let text = "--since is for the first export with the file of --state; leave it out";
            return Err(refusal(Status::Usage, text));
        }
        Some(began) if began.what != what => {
            let text = format!(
                "the file of --state belongs to an export of `{}`, not of `{what}`; use another file",
                began.what
            );
            return Err(refusal(Status::Usage, text));
        }
        Some(began) => began.since,
    };
    let form = Form {
        protocol: Protocol::OtlpJson,
        signals: Signal::ALL
            .into_iter()
            .filter(|it| it.name() == signal)
            .collect(),
        spans: spans.into(),
        batch: LINE,
    };
    let file = Arc::new(Mutex::new(Some(OutputFile::begin(args.output.as_deref())?)));
    let config = context.config()?;
    let env = &context.env;
    let now = clock::now();
    let pass = Pass {
        host: Host {
            now,
            ..context.host(&config, Some(state))
        },
        state,
        form: &form,
        selects: &|record| is_selected(which, record),
        since: began,
        skips_refused: false,
        threads: thread::available_parallelism().map_or(1, usize::from),
        facts: &|dir, record, is_over| facts((env, state, config.capture), dir, record, is_over),
        event: &observability::event,
        outlet: &|| Ok(Box::new(LineOutlet(file.clone()))),
        stop: &AtomicBool::new(false),
        progress: &|_, _| {},
    };
    let known = std::mem::take(&mut cursor.state);
    let mut notebook = Notebook::InMemory(Box::new(known));
    let result = pass.run(&mut notebook)?;
    for text in complaints(&result) {
        output::complain(&text);
    }
    if result.halt.is_some() {
        return Ok(Status::Failed);
    }
    // Complete the output before the state. If this process is killed in between, the same events
    // are exported again, and none is lost.
    let file = file.lock().unwrap_or_else(PoisonError::into_inner).take();
    file.map_or(Ok(()), OutputFile::end)?;
    if let Notebook::InMemory(known) = notebook {
        cursor.state = *known;
    }
    let sender = Sender {
        machine: machine_name(),
        machine_id: machine_id(),
    };
    cursor.keep(now, began, sender, what)?;
    Ok(match is_complete(&result) {
        true => Status::Done,
        false => Status::Failed,
    })
}

fn since_when(when: &str, context: &Context) -> Result<crate::model::Timestamp> {
    since(when, context.now)
}

fn is_selected(which: &SessionSelection, record: &Record) -> bool {
    match which {
        SessionSelection::All => true,
        SessionSelection::One(id) => *id == record.session_id,
        SessionSelection::Projects(roots) => roots.iter().any(|root| record.is_in(root)),
        SessionSelection::These(ids) => ids.contains(&record.session_id),
    }
}

impl From<SpansArg> for SpansSetting {
    fn from(spans: SpansArg) -> Self {
        match spans {
            SpansArg::Auto => Self::Auto,
            SpansArg::Always => Self::Always,
            SpansArg::Never => Self::Never,
        }
    }
}

/// Writes each batch as a line of the output file.
#[derive(Debug)]
struct LineOutlet(Arc<Mutex<Option<OutputFile>>>);

impl Outlet for LineOutlet {
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let Batch::Otlp { body, .. } = batch else {
            return Delivery::Accepted;
        };
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(body);
        let written = file.as_mut().map(|file| {
            file.write(&text)?;
            file.write("\n")
        });
        match written.transpose() {
            Ok(_) => Delivery::Accepted,
            Err(err) => Delivery::Misconfigured(Failure {
                line: err.to_string(),
                taken: 0,
            }),
        }
    }
}
