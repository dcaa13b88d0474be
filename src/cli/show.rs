//! `ccsession show`: shows everything about one session.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use super::choose::find_session;
use super::collected::FromArgs;
use super::commit_search::{MadeCommit, made_by, short_hash};
use super::context::{Context, history, no_record};
use super::gather::NotedCommits;
use super::hints::say_not_recorded;
use super::list::{doing, span, waits};
use super::output;
use super::pager::ScreenArgs;
use super::status::Status;
use super::table::TextTable;
use super::title::title;
use crate::history::coverage::{self, Coverage};
use crate::identity::attention::present;
use crate::identity::lineage::{Lineage, Relation, lineage};
use crate::identity::liveness::{Assessment, Judge, SessionState};
use crate::identity::open_calls::OpenCall;
use crate::identity::present::now_at;
use crate::identity::title::Title;
use crate::model::attention::Attention;
use crate::model::purpose::{Note, notes};
use crate::model::{OpenActivity, Project, Record, Timestamp};
use crate::store::journal::Damage;
use crate::store::log::{self, Log};
use crate::store::{SessionDir, StateDir, clock, shown};
use crate::view::commit_makers::Suspect;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession show 3f2a")]
pub(super) struct ShowArgs {
    /// The session: a unique prefix of its id, or its title
    pub(super) id: String,
    #[command(flatten)]
    pub(super) from: FromArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
}

/// What the journal contains.
struct JournalCounts {
    by_event: BTreeMap<String, u64>,
    open_calls: Vec<OpenCall>,
    commits: Vec<MadeCommit>,
    damage: Damage,
}

pub(super) fn run(context: &Context, args: ShowArgs) -> Result<Status> {
    let config = context.config()?;
    let state = context.state()?;
    let id = find_session(context, state.as_ref(), &args.id)?;
    let gone = || no_record(&id);
    let state = state.as_ref().ok_or_else(gone)?;
    let dir = state.session(&id);
    let record = dir.record()?.ok_or_else(gone)?;
    let judge = context.judge(&config, state).telling_idle();
    let finding = judge.find(&id, &record);
    let is_live = finding.state.is_live();
    let present = present(&context.env, &dir, &record, &finding, context.now);
    let began = record.clone();
    let record = now_at(&dir, record, is_live);
    let shown = SessionDetails {
        title: title(&context.env, state, &record, config.capture),
        attention: present.attention,
        counted: count(&judge, &dir, &began, &finding)?,
        finding,
        lineage: lineage(&judge, &id)?,
        coverage: coverage(context, &dir, &record),
        log: operations(state, &record),
        journal: dir.journal().path().to_owned(),
        record,
    };
    if args.json {
        output::json(&shown.as_json());
    } else {
        let drawn = !args.screen.screen().is_plain;
        args.screen.print(&shown.as_text(context), drawn);
    }
    let project = Project::at(shown.record.project.root());
    say_not_recorded(&context.host(&config, Some(state)), Some(&project));
    Ok(Status::Done)
}

/// Everything that is shown of a session.
struct SessionDetails {
    record: Record,
    title: Option<Title>,
    finding: Assessment,
    attention: Attention,
    counted: JournalCounts,
    lineage: Lineage,
    /// `None` if there is no transcript.
    coverage: Option<Coverage>,
    log: Vec<Map<String, Value>>,
    journal: PathBuf,
}

/// Reads the journal. `record` is the session's record as it was stored.
fn count(
    judge: &Judge<'_>,
    dir: &SessionDir,
    record: &Record,
    finding: &Assessment,
) -> Result<JournalCounts> {
    let mut by_event: BTreeMap<String, u64> = BTreeMap::new();
    let mut noted = NotedCommits::default();
    let history = history(dir, |line| {
        noted.hear(line);
        match by_event.get_mut(line.event) {
            Some(count) => *count += 1,
            None => drop(by_event.insert(line.event.to_owned(), 1)),
        }
    })?;
    let activity = OpenActivity::of(&history.trace).close(|pid| finding.has(pid));
    let is_live = finding.state.is_live();
    let suspect = Suspect::new(record, &activity, &noted.commands, is_live);
    Ok(JournalCounts {
        open_calls: activity.open_calls().map(OpenCall::from).collect(),
        commits: made_by(judge, record, suspect, &noted)?,
        by_event,
        damage: history.damage,
    })
}

/// Returns the lines of the operations log that are about the session.
fn operations(state: &StateDir, record: &Record) -> Vec<Map<String, Value>> {
    let of_session =
        |line: &Map<String, Value>| line.get("session_id") == Some(&json!(record.session_id));
    log::read(state, Log::Operations)
        .into_iter()
        .filter(of_session)
        .collect()
}

impl SessionDetails {
    fn as_json(&self) -> Value {
        json!({
            "v": 1,
            "session": self.record,
            "title": self.title,
            "state": self.finding.state,
            "attention": self.attention,
            "last_activity": self.finding.last_activity,
            "owners": self.finding.owners,
            "open_calls": self.counted.open_calls,
            "commits": self.counted.commits,
            "lineage": self.lineage.kin,
            "lineage_more": self.lineage.more,
            "coverage": self.coverage,
            "journal": self.journal.to_string_lossy(),
            "events": self.counted.by_event,
            "torn": self.counted.damage.torn,
            "foreign": self.counted.damage.foreign,
            "newer": self.counted.damage.newer,
            "log": self.log,
        })
    }

    fn as_text(&self, context: &Context) -> String {
        let mut events = TextTable::new(&["EVENT", "COUNT"]);
        for (event, count) in &self.counted.by_event {
            events.row([event.clone(), count.to_string()]);
        }
        let mut text = format!(
            "{}\n{}{}{events}",
            self.facts(context),
            self.commits(),
            self.relatives()
        );
        if self.log.is_empty() {
            return text;
        }
        let mut operations = TextTable::new(&["WHEN", "WHAT"]);
        for line in &self.log {
            let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
            let when =
                Timestamp::parse(text("ts")).map_or_else(|_| String::new(), clock::local_text);
            operations.row([when, text("what").to_owned()]);
        }
        text += &format!("\n{operations}");
        text
    }

    fn facts(&self, context: &Context) -> TextTable {
        let (record, finding) = (&self.record, &self.finding);
        let mut facts = TextTable::new(&["SESSION", record.session_id.as_str()]);
        let mut fact = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                facts.row([name.to_owned(), value]);
            }
        };
        let head = record.head.as_ref();
        let source = record.source.as_deref().unwrap_or("-");
        let started = clock::local_text(record.started_at);
        let active = |last| {
            format!(
                "{} ({} ago)",
                clock::local_text(last),
                span(last, context.now)
            )
        };
        let pids: Vec<String> = finding
            .owners
            .iter()
            .map(|owner| owner.pid.to_string())
            .collect();
        fact("state", Some(finding.state.as_str().to_owned()));
        fact("waits for", Some(waited_for(&self.attention, context.now)));
        fact("title", self.title.as_ref().map(|title| title.text.clone()));
        let is_other = |name: &String| self.title.as_ref().is_none_or(|title| title.text != *name);
        fact("name", record.name.clone().filter(is_other));
        fact("role", record.role.clone());
        fact("focus", record.focus.clone());
        for note in notes(record.notes.as_ref()) {
            fact("note", Some(noted(note)));
        }
        fact("project", Some(record.project.name.clone()));
        fact("root", Some(record.project.root.clone()));
        fact("branch", head.and_then(|head| head.branch.clone()));
        fact("revision", head.and_then(|head| head.revision.clone()));
        fact("started", Some(format!("{started} ({source})")));
        fact("last event", finding.last_activity.map(active));
        // A resumed session's record still has the time of its earlier end.
        let end = record.ended_at.filter(|_| !finding.state.is_live());
        fact("ended", end.map(|at| ended(at, record)));
        fact("processes", Some(pids.join(", ")));
        fact("now", Some(doing(&self.counted.open_calls)));
        fact("transcript", record.transcript_path.clone());
        let coverage = self.coverage.filter(|coverage| coverage.calls > 0);
        fact("recorded", coverage.map(covered));
        fact("journal", Some(shown(&self.journal)));
        for (count, what) in self.counted.damage.named() {
            fact("lines left out", Some(format!("{count} {what}")));
        }
        facts
    }

    /// Returns the commits that the session made, as a table. Returns an empty text if it made none.
    fn commits(&self) -> String {
        if self.counted.commits.is_empty() {
            return String::new();
        }
        let mut table = TextTable::new(&["COMMIT", "MADE", "HOW", "CERTAINTY", "REPLACED BY"]);
        for made in &self.counted.commits {
            let commit = &made.commit;
            let replaced_by = commit.replaced_by.as_deref().map(short_hash);
            table.row([
                short_hash(&commit.id),
                clock::local_text(commit.at),
                commit.how.as_str().to_owned(),
                made.certainty.as_str().to_owned(),
                replaced_by.unwrap_or_default(),
            ]);
        }
        table.drop_empty(&["REPLACED BY"]);
        format!("{table}\n")
    }

    /// Returns the sessions that this one came from and that came from it, as a tree. Returns an
    /// empty text if it has no relatives.
    fn relatives(&self) -> String {
        if self.lineage.kin.len() < 2 {
            return String::new();
        }
        let mut table = TextTable::new(&["LINEAGE", "STATE", "STARTED", "HOW"]);
        for kin in &self.lineage.kin {
            let branch = match kin.depth {
                0 => String::new(),
                depth => format!("{}└ ", "  ".repeat(depth - 1)),
            };
            let is_this = kin.session_id == self.record.session_id;
            let mark = if is_this { " *" } else { "" };
            let source = kin.source.clone().unwrap_or_default();
            let how = match kin.relation {
                Relation::Within => format!("{source}, within"),
                Relation::First | Relation::After => source,
            };
            table.row([
                format!("{branch}{}{mark}", kin.session_id),
                kin.state
                    .map_or("no record", SessionState::as_str)
                    .to_owned(),
                kin.started_at.map(clock::local_text).unwrap_or_default(),
                how,
            ]);
        }
        let more = match self.lineage.more {
            0 => String::new(),
            more => format!("… and {more} more\n"),
        };
        format!("{table}{more}\n")
    }
}

/// Returns how many calls of the transcript the hooks recorded. Warns of an unreadable transcript,
/// and treats it as missing.
fn coverage(context: &Context, dir: &SessionDir, record: &Record) -> Option<Coverage> {
    coverage::of_session(&context.env, dir, record, u64::MAX).unwrap_or_else(|err| {
        output::complain(&err.to_string());
        None
    })
}

/// Describes what the session waits for, with the call that asks.
fn waited_for(attention: &Attention, now: Timestamp) -> String {
    let waits = waits(attention, now);
    let call = attention.tool.as_deref().map(|tool| match &attention.what {
        Some(what) => format!("{tool}: {what}"),
        None => tool.to_owned(),
    });
    let agent = attention
        .agent_id
        .as_deref()
        .map(|id| format!("by subagent {id}"));
    let parts = [Some(waits), call, agent].into_iter().flatten();
    parts
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

fn covered(coverage: Coverage) -> String {
    let Coverage { calls, recorded } = coverage;
    format!("{recorded} of {calls} calls in the transcript, by hooks")
}

fn noted(note: Result<Note, &Value>) -> String {
    match note {
        Ok(note) => format!("{}  {}", clock::local_text(note.at), note.text),
        Err(other) => other.to_string(),
    }
}

fn ended(at: Timestamp, record: &Record) -> String {
    let how = [
        record.outcome.clone(),
        record.exit_status.map(|status| format!("status {status}")),
    ];
    let how: Vec<String> = how.into_iter().flatten().collect();
    let at = clock::local_text(at);
    if how.is_empty() {
        return at;
    }
    format!("{at} ({})", how.join(", "))
}
