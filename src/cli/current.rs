//! `ccsession current`: shows which session this is.

use std::cell::LazyCell;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::choose::find_session;
use super::context::{self, Context};
use super::format::Format;
use super::hints::not_recorded;
use super::list::span;
use super::output;
use super::status::{Status, refusal};
use super::title::title;
use crate::hook;
use crate::identity::attention::present;
use crate::identity::ladder::{
    About, Answer, Candidate, LiveSessions, Question, Rung, RungReport, Trust, last_of_project,
    live_in_project, project_here, resolve,
};
use crate::identity::liveness::Judge;
use crate::identity::present::now_at;
use crate::identity::process;
use crate::identity::title::Title;
use crate::model::attention::{Attention, Need};
use crate::model::id::UNKNOWN;
use crate::model::text::escaped;
use crate::model::{Project, ProjectName, Record, SessionId};
use crate::store::{Error, Host, project};

#[derive(Debug, Args)]
#[command(after_help = crate::cli::format::HELP)]
pub(super) struct CurrentArgs {
    /// Use the project of this directory, or with this name
    #[arg(long, short, value_name = "PATH", conflicts_with = "name")]
    pub(super) project: Option<PathBuf>,
    /// Use the pointer of projects with this name
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<OsString>,
    /// Use this session id, or the only session on record whose id begins with it
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Read a hook's JSON on stdin and use its session id
    #[arg(long)]
    pub(super) hook_input: bool,
    /// If several sessions match, print the most recently active one
    #[arg(long)]
    pub(super) guess: bool,
    /// Print the project's last session, even if it has ended
    #[arg(long, conflicts_with_all = ["guess", "session", "hook_input", "name"])]
    pub(super) last: bool,
    /// Print every live session of the project, most recently active first
    #[arg(long, conflicts_with_all = ["guess", "last", "session", "hook_input", "name", "explain"])]
    pub(super) live: bool,
    /// Print the session of this process
    #[arg(long, value_name = "PID", conflicts_with_all = ["project", "name", "session", "hook_input"])]
    pub(super) pid: Option<u32>,
    /// Exit with 3 if unknown, 4 if ambiguous, 6 if only the last known
    #[arg(long)]
    pub(super) strict: bool,
    /// Print each source that was asked, what it knew, and why it did not answer
    #[arg(long)]
    pub(super) explain: bool,
    /// Print TEXT with fields such as {short} filled in, for prompts and status bars
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["explain", "json"])]
    pub(super) format: Option<String>,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
}

pub(super) fn run(context: &Context, args: CurrentArgs) -> Result<Status> {
    let format = args.format.as_deref().map(format).transpose()?;
    let config = context.config()?;
    let (state, fault) = context.state_or_fault();
    let host = Host {
        state_fault: fault.as_ref(),
        ..context.host(&config, state.as_ref())
    };
    // `--live` and `--last` need the records.
    if let Some(fault) = host.state_fault.filter(|_| args.live || args.last) {
        return Err(refusal(Status::Failed, fault.to_string()));
    }
    if args.live {
        return live(&host, &args, format.as_ref());
    }
    let mut answer = if args.last {
        let project = project_asked(&host, &args)?;
        last(last_of_project(&host, &project), project)
    } else {
        resolve(&host, &question(context, &host, &args)?)
    };
    warn(&answer.warnings);
    warn_of_unrecorded(&host, &answer);
    if args.guess && answer.trust == Trust::Ambiguous {
        answer.id = answer
            .candidates
            .first()
            .map(|candidate| candidate.session_id.clone());
    }
    // A shell prompt asks again and again, so an unusable state directory is reported only to
    // people. If no directory is known at all, everybody is warned.
    let is_doubtful = answer.id.is_none() || answer.rung == Rung::Pointer;
    let is_said = |fault: &&Error| {
        is_doubtful && (matches!(fault, Error::NoStateDir) || output::are_warnings_for_people())
    };
    if let Some(fault) = host.state_fault.filter(is_said) {
        output::complain(&format!("{fault}; recorded sessions are unknown"));
    }
    // A shell prompt asks again and again, and nobody reads its warnings.
    if answer.id.is_none() && (args.explain || output::are_warnings_for_people()) {
        let said = not_recorded(&host, answer.project.as_ref());
        said.iter().for_each(|said| output::complain(said));
    }
    match &format {
        Some(format) => output::line(&fill(format, &host, &answer)),
        None => print(&args, &host, &answer),
    }
    Ok(if args.strict {
        strict(&answer)
    } else {
        Status::Done
    })
}

/// Lists every live session of the project, one a line.
fn live(host: &Host<'_>, args: &CurrentArgs, format: Option<&Format>) -> Result<Status> {
    let project = project_asked(host, args)?;
    let LiveSessions { sessions, warnings } = live_in_project(host, &project);
    warn(&warnings);
    if args.json {
        let project = printed(&project);
        output::json(&json!({"v": 1, "project": project, "sessions": sessions}));
    }
    for candidate in sessions.iter().filter(|_| !args.json) {
        let line = format.map_or_else(
            || candidate.session_id.to_string(),
            |format| {
                let answer = Answer {
                    id: Some(candidate.session_id.clone()),
                    rung: Rung::Project,
                    trust: Trust::Exact,
                    project: Some(project.clone()),
                    candidates: Vec::new(),
                    steps: Vec::new(),
                    warnings: Vec::new(),
                };
                fill(format, host, &answer)
            },
        );
        output::line(&line);
    }
    Ok(match sessions.len() {
        0 if args.strict => Status::NotFound,
        _ => Status::Done,
    })
}

fn project_asked(host: &Host<'_>, args: &CurrentArgs) -> Result<Project> {
    Ok(match (&args.project, args.pid) {
        (Some(path), _) => context::project_asked(host.state, path)?,
        (None, Some(pid)) => {
            let dir = process::working_dir(existing_process(pid)?);
            let unseen = || {
                let text =
                    format!("could not find the directory of process {pid}: it cannot be seen");
                refusal(Status::NotFound, text)
            };
            project::discover(&dir.ok_or_else(unseen)?)
        }
        (None, None) => project_here(host.env, host.state)?,
    })
}

fn existing_process(pid: u32) -> Result<u32> {
    let gone = || {
        let text =
            format!("could not find process {pid}: it does not run, or cannot be seen from here");
        refusal(Status::NotFound, text)
    };
    process::process(pid)
        .map(|process| process.pid)
        .ok_or_else(gone)
}

fn question(context: &Context, host: &Host<'_>, args: &CurrentArgs) -> Result<Question> {
    let about = match (&args.name, &args.project, args.pid) {
        (Some(name), _, _) => About::Name(ProjectName::new(name.clone())),
        (_, Some(path), _) => About::Project(context::project_asked(host.state, path)?),
        (_, _, Some(pid)) => About::Process(existing_process(pid)?),
        (None, None, None) => About::Here,
    };
    let explicit = args.session.as_deref();
    let explicit = explicit
        .map(|given| explicit_id(context, host, given))
        .transpose()?;
    let payload = if args.hook_input {
        hook::session_id_on_stdin()
    } else {
        None
    };
    Ok(Question {
        explicit,
        payload,
        about,
    })
}

/// Returns the session whose id is `given`, or the only one on record whose id begins with it. An
/// id that no session on record has is returned as it is.
fn explicit_id(context: &Context, host: &Host<'_>, given: &str) -> Result<SessionId> {
    let id = valid(given)?;
    let Some(state) = host.state else {
        return Ok(id);
    };
    // A whole id needs no search. A record that cannot be read also proves that the session exists.
    if !matches!(state.session(&id).record(), Ok(None)) {
        return Ok(id);
    }
    let found = state.session_ids()?;
    let found: Vec<SessionId> = found.filter(|it| it.as_str().starts_with(given)).collect();
    match found.as_slice() {
        [] => Ok(id),
        [only] => Ok(only.clone()),
        _ => find_session(context, Some(state), given),
    }
}

/// Parses an explicit id. A malformed one is an error, not a reason to look elsewhere.
pub(super) fn valid(text: &str) -> Result<SessionId> {
    let shown = crate::model::text::escaped(text);
    text.parse().map_err(|why| {
        refusal(
            Status::Usage,
            format!("could not use `{shown}` as a session id: {why}"),
        )
    })
}

fn last(id: Option<SessionId>, project: Project) -> Answer {
    let saw = id
        .as_ref()
        .map_or("no session of this project is on record".to_owned(), |id| {
            format!("{id}, the last one")
        });
    let (rung, trust) = if id.is_some() {
        (Rung::Project, Trust::LastKnown)
    } else {
        (Rung::Unknown, Trust::None)
    };
    let steps = vec![RungReport {
        rung: Rung::Project,
        saw,
    }];
    Answer {
        id,
        rung,
        trust,
        project: Some(project),
        candidates: Vec::new(),
        steps,
        warnings: Vec::new(),
    }
}

fn strict(answer: &Answer) -> Status {
    match answer.trust {
        Trust::Exact => Status::Done,
        Trust::Ambiguous => Status::Ambiguous,
        Trust::LastKnown => Status::LastKnown,
        Trust::None => Status::NotFound,
    }
}

fn format(text: &str) -> Result<Format> {
    let wrong = |why| refusal(Status::Usage, format!("could not use --format: {why}"));
    Format::parse(text).map_err(wrong)
}

/// Fills the format with the answer's fields. Unknown fields are empty.
fn fill(format: &Format, host: &Host<'_>, answer: &Answer) -> String {
    let known = || {
        let id = answer.id.as_ref()?;
        let record = host.state?.session(id).record().ok()??;
        Some((id, record))
    };
    let known = known();
    let record = known.as_ref().map(|(_, record)| record);
    let of_record = |get: fn(&Record) -> Option<String>| record.and_then(get).unwrap_or_default();
    let of_project =
        |get: fn(&Project) -> String| answer.project.as_ref().map(get).unwrap_or_default();
    let shown = answer.id.as_ref().map_or(UNKNOWN, SessionId::as_str);
    let attention = LazyCell::new(|| {
        let id = answer.id.as_ref();
        id.map(|id| attention(host, id)).unwrap_or_default()
    });
    format.fill(|field| {
        let value = match field {
            "id" => shown.to_owned(),
            "short" => shown.chars().take(8).collect(),
            "rung" => answer.rung.as_str().to_owned(),
            "trust" => answer.trust.as_str().to_owned(),
            "state" => known.as_ref().map_or_else(String::new, |(id, record)| {
                Judge::of(host).map_or_else(String::new, |judge| {
                    let judge = judge.telling_idle();
                    judge.find(id, record).state.as_str().to_owned()
                })
            }),
            "attention" => match attention.state {
                Need::None => String::new(),
                need => need.as_str().to_owned(),
            },
            "since" => attention
                .since
                .map_or_else(String::new, |since| span(since, host.now)),
            "project" => of_project(|project| project.name().display()),
            "root" => of_project(|project| project.root().to_string_lossy().into_owned()),
            "branch" => known.as_ref().map_or_else(String::new, |(id, record)| {
                let judge = Judge::of(host);
                let now = judge.map(|judge| {
                    let is_live = judge.find(id, record).state.is_live();
                    now_at(&judge.state.session(id), record.clone(), is_live)
                });
                let head = now.and_then(|record| record.head);
                head.and_then(|head| head.branch).unwrap_or_default()
            }),
            "name" => of_record(|record| record.name.clone()),
            "title" => known.as_ref().map_or_else(String::new, |(_, record)| {
                let title = title_of(host, record);
                title.map(|title| title.text).unwrap_or_default()
            }),
            "role" => of_record(|record| record.role.clone()),
            "focus" => of_record(|record| record.focus.clone()),
            // A certain answer has no list of candidates, but it means one session.
            "count" => {
                let certain = usize::from(answer.trust == Trust::Exact);
                answer.candidates.len().max(certain).to_string()
            }
            _ => String::new(),
        };
        escaped(&value)
    })
}

/// Returns the title of the session.
fn title_of(host: &Host<'_>, record: &Record) -> Option<Title> {
    title(host.env, host.state?, record, host.config.capture)
}

/// Returns what session `id` waits for. A session without a record waits for nothing.
fn attention(host: &Host<'_>, id: &SessionId) -> Attention {
    let found = || {
        let judge = Judge::of(host)?.telling_idle();
        let dir = judge.state.session(id);
        let record = dir.record().ok()??;
        let finding = judge.find(id, &record);
        Some(present(host.env, &dir, &record, &finding, host.now).attention)
    };
    found().unwrap_or_default()
}

/// Warns if the session that the user named is not on record. The command prints even a mistyped
/// id.
fn warn_of_unrecorded(host: &Host<'_>, answer: &Answer) {
    let Some(id) = answer.id.as_ref().filter(|_| answer.rung == Rung::Explicit) else {
        return;
    };
    let record = host.state.map(|state| state.session(id).record());
    match record {
        Some(Ok(Some(_))) => {}
        Some(Err(err)) => output::complain(&err.to_string()),
        Some(Ok(None)) | None => output::complain(&format!(
            "session `{id}` is not on record; see `ccsession list --all`"
        )),
    }
}

fn warn(warnings: &[String]) {
    warnings.iter().for_each(|text| output::complain(text));
}

fn print(args: &CurrentArgs, host: &Host<'_>, answer: &Answer) {
    let shown = answer.id.as_ref().map_or(UNKNOWN, SessionId::as_str);
    if args.json {
        return output::json(&as_json(host, answer, args.explain));
    }
    if args.explain {
        let steps = answer
            .steps
            .iter()
            .map(|step| format!("{:<12}{}\n", step.rung.as_str(), step.saw));
        let text: String = steps.collect();
        return output::print(&format!(
            "{text}{:<12}{shown} ({})\n",
            "answer",
            answer.trust.for_people()
        ));
    }
    output::line(shown);
    if answer.trust == Trust::Ambiguous && !args.guess && output::are_warnings_for_people() {
        output::warn("several sessions are live in this project; --guess takes the first:");
        answer
            .candidates
            .iter()
            .for_each(|candidate| output::warn(candidate.session_id.as_str()));
    }
}

/// The answer as `--json` prints it.
#[derive(Serialize)]
struct CurrentOutput<'a> {
    v: u64,
    session_id: Option<&'a SessionId>,
    rung: Rung,
    trust: Trust,
    project: Option<CurrentProject>,
    candidates: &'a [Candidate],
    /// The session's title; null if it has none.
    title: Option<Title>,
    /// What the session waits for; null if the answer names none.
    attention: Option<Attention>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<&'a [RungReport]>,
}

#[derive(Serialize)]
struct CurrentProject {
    name: String,
    root: String,
}

fn printed(project: &Project) -> CurrentProject {
    CurrentProject {
        name: project.name().display(),
        root: project.root().to_string_lossy().into_owned(),
    }
}

fn as_json(host: &Host<'_>, answer: &Answer, explain: bool) -> Value {
    json!(CurrentOutput {
        v: 1,
        session_id: answer.id.as_ref(),
        rung: answer.rung,
        trust: answer.trust,
        project: answer.project.as_ref().map(printed),
        candidates: &answer.candidates,
        title: answer.id.as_ref().and_then(|id| {
            let record = host.state?.session(id).record().ok()??;
            title_of(host, &record)
        }),
        attention: answer.id.as_ref().map(|id| attention(host, id)),
        steps: explain.then_some(answer.steps.as_slice()),
    })
}
