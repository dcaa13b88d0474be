//! `ccsession timeline`: shows what one session did, in order.

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::amount::above_zero;
use super::args::{BarsArg, ColorArg};
use super::choose::find_session;
use super::collected::FromArgs;
use super::context::{Context, history, period};
use super::hints::filled;
use super::pager::ScreenArgs;
use super::status::{Status, refusal};
use super::title::title;
use super::{follow, output};
use crate::history::usage;
use crate::identity::ladder::{Question, Trust, last_of_project, project_here, resolve};
use crate::identity::liveness::SessionState;
use crate::identity::title::Title;
use crate::model::call::CallState;
use crate::model::record::ProjectRef;
use crate::model::text::escaped;
use crate::model::{Activity, OpenActivity, Record, SessionId, Usage};
use crate::store::journal::Damage;
use crate::store::{History, StateDir as Store, clock};
use crate::view::json::{ActivityView, CallView};
use crate::view::subtree::Subtrees;
use crate::view::timeline::text::{TimelineLayout, cut, duration, rows};
use crate::view::timeline::{CallFilter, TimelineEntry, entries};

#[derive(Debug, Args)]
#[command(
    after_help = "Each row is a call: its start, its part of the turn (░ waiting, █ running, ┄ running in the background), its \
    duration, its outcome, the tool, its label. Calls of a subagent are indented under the call that started it.\n\n\
    Examples:\n  ccsession timeline                      # this session, or the project's last\n  ccsession timeline --failed --since 2h  # what went wrong lately\n  ccsession timeline --slowest 5          # what took longest\n  ccsession timeline --follow             # events as they come"
)]
pub(super) struct TimelineArgs {
    /// The session: a unique prefix of its id, or its title; without it, this shell's or the project's last
    pub(super) id: Option<String>,
    /// Print events as they come: of this session or, without ID, of all
    #[arg(long, short, conflicts_with_all = ["since", "json", "from"])]
    pub(super) follow: bool,
    /// With --follow, run this shell command once for each session that begins to wait for a person.
    /// Its environment has CCSESSION_SESSION_ID, _PROJECT, _ROOT, _ATTENTION, _NEEDS, _SINCE, _TOOL
    /// and _WHAT
    #[arg(long, value_name = "COMMAND", requires = "follow")]
    pub(super) notify: Option<String>,
    /// Show only calls since then: `today`, `monday`, `2h`, `14:30`, `2026-11-01`
    #[arg(long, short, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Show only calls before then: the forms of --since; `2026-11` excludes November
    #[arg(long, value_name = "WHEN", conflicts_with = "follow")]
    pub(super) until: Option<String>,
    /// Show only calls of this tool; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) tool: Vec<String>,
    /// Show only calls that failed, were denied or never returned
    #[arg(long)]
    pub(super) failed: bool,
    /// Show only calls of this subagent, by id prefix or type; `main` is the main thread
    #[arg(long, value_name = "AGENT")]
    pub(super) agent: Option<String>,
    /// Show only the N calls that took longest
    #[arg(long, value_name = "N", value_parser = above_zero, conflicts_with = "follow")]
    pub(super) slowest: Option<NonZeroUsize>,
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorArg,
    /// When to draw bars and lines
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) bars: BarsArg,
    #[command(flatten)]
    pub(super) from: FromArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
    /// Print a JSON line for each call; with --follow, for each event as recorded
    #[arg(long, conflicts_with = "json")]
    pub(super) jsonl: bool,
}

/// The error for `--from` without an id.
const WITHOUT_ID: &str = "could not choose a session: with --from, give a session id before --from; `ccsession list --all --from DIR` lists the ids";

pub(super) fn run(context: &Context, args: TimelineArgs) -> Result<Status> {
    if args.follow {
        return follow::run(context, args);
    }
    let config = context.config()?;
    let state = context.state()?;
    let id = match &args.id {
        Some(given) => find_session(context, state.as_ref(), given)?,
        None if args.from.is_given() => return Err(refusal(Status::Usage, WITHOUT_ID)),
        None => here(context, state.as_ref())?,
    };
    let gone = || {
        let text = format!("could not find session `{id}`: it has no record");
        refusal(Status::NotFound, text)
    };
    let state = state.as_ref().ok_or_else(gone)?;
    let dir = state.session(&id);
    let record = dir.record()?.ok_or_else(gone)?;
    let finding = context
        .judge(&config, state)
        .telling_idle()
        .find(&id, &record);
    let History { trace, damage, .. } = history(&dir, |_| {})?;
    let activity = OpenActivity::of(&trace).close(|pid| finding.has(pid));
    let filter = CallFilter {
        period: period(args.since.as_deref(), args.until.as_deref(), context.now)?,
        tools: args.tool.clone(),
        failed: args.failed,
        agent: args.agent.clone(),
        at_least: None,
    };
    let filter = match args.slowest {
        Some(count) => filter.slowest(&activity, count),
        None => filter,
    };
    let entries = entries(&activity, &filter);
    let used = match activity.agents.is_empty() {
        true => Usage::default(),
        // If the tokens cannot be counted, the calls are shown without them.
        false => usage::of_session(&context.env, &dir, &record).unwrap_or_default(),
    };
    let subtrees = Subtrees::of(&activity, &used);
    let title = title(&context.env, state, &record, config.capture);
    let absent = filter.absent(&activity);
    absent.iter().for_each(|text| output::complain(text));
    if args.jsonl {
        print_lines(&entries);
        complain(&id, &activity, damage);
    } else if args.json {
        output::json_of(&TimelineOutput {
            v: 1,
            session_id: &id,
            title: title.as_ref(),
            project: &record.project,
            state: finding.state,
            activity: ActivityView::new(&activity, calls(&entries).collect(), &subtrees),
            damage,
        })?;
    } else {
        let screen = args.screen.screen();
        let layout = TimelineLayout {
            width: output::width(screen),
            colour: output::wants_colour(args.color, screen),
            bars: output::wants_bars(args.bars, screen),
            local: &clock::to_civil,
        };
        let titled = title.as_ref().map(|title| title.text.as_str());
        let heading = heading(&record, titled, &activity, finding.state.as_str(), &layout);
        let rows = rows(&activity, &entries, &layout, &subtrees);
        let rows = match rows.as_str() {
            "" if filter.is_open() || !absent.is_empty() => String::new(),
            "" if filter.shows_all_failures() => "\nnothing failed\n".to_owned(),
            "" => "\nno call matches\n".to_owned(),
            rows => format!("\n{rows}"),
        };
        let text = format!("{heading}{rows}");
        args.screen.print(&text, layout.bars);
        complain(&id, &activity, damage);
    }
    Ok(Status::Done)
}

/// The timeline as JSON.
#[derive(Serialize)]
struct TimelineOutput<'a> {
    v: u32,
    session_id: &'a SessionId,
    title: Option<&'a Title>,
    project: &'a ProjectRef,
    state: SessionState,
    #[serde(flatten)]
    activity: ActivityView<'a>,
    damage: Damage,
}

/// Returns the session of this shell, or else the last one of the current directory's project.
pub(super) fn here(context: &Context, state: Option<&Store>) -> Result<SessionId> {
    let config = context.config()?;
    let host = context.host(&config, state);
    let answer = resolve(&host, &Question::default());
    if let Some(id) = answer.id {
        return Ok(id);
    }
    if answer.trust == Trust::Ambiguous {
        let several: Vec<&str> = answer
            .candidates
            .iter()
            .map(|candidate| candidate.session_id.as_str())
            .collect();
        let text = format!(
            "could not choose a session: {} are live here ({}); give an id",
            several.len(),
            several.join(", ")
        );
        return Err(refusal(Status::Ambiguous, text));
    }
    let project = project_here(&context.env, host.state)?;
    last_of_project(&host, &project).ok_or_else(|| {
        let text = filled(
            "could not find a session of this project",
            context,
            state,
            |sessions| {
                Some(format!(
                    "`ccsession list --all` lists the {sessions} of other projects"
                ))
            },
        );
        refusal(Status::NotFound, text)
    })
}

fn calls<'s, 'a>(entries: &'s [TimelineEntry<'s, 'a>]) -> impl Iterator<Item = CallView<'a>> + 's {
    entries.iter().filter_map(|entry| match entry {
        TimelineEntry::Call(_, call) => Some(CallView::from(*call)),
        _ => None,
    })
}

fn print_lines(entries: &[TimelineEntry<'_, '_>]) {
    let mut lines = Vec::new();
    for call in calls(entries) {
        // A call has only texts, numbers and times, so writing it to memory cannot fail.
        let _ = serde_json::to_writer(&mut lines, &call);
        lines.push(b'\n');
    }
    output::print_json(&String::from_utf8_lossy(&lines));
}

/// Describes the session for people in three lines: its names and state, its time, and what it did
/// in total.
pub(super) fn heading(
    record: &Record,
    title: Option<&str>,
    activity: &Activity<'_>,
    state: &str,
    layout: &TimelineLayout<'_>,
) -> String {
    let project = escaped(&record.project.name);
    let title = title.map(escaped).unwrap_or_default();
    let mut lines = vec![format!(
        "{}  {project}  {state}  {title}",
        record.session_id
    )];
    if let Some((first, last)) = activity.span {
        let when = clock::local_text(first.ts);
        let took = duration(first.until(last));
        lines.push(format!("{when}, {took}"));
    }
    lines.push(counts(activity));
    let mut text = String::new();
    for line in lines {
        let line = line.trim_end();
        let cut = layout.width.map(|width| cut(line, width));
        text.push_str(cut.as_deref().unwrap_or(line));
        text.push('\n');
    }
    text
}

/// Formats counts as `3 prompts, 42 calls (2 failed, 1 denied), 2 subagents`.
fn counts(activity: &Activity<'_>) -> String {
    let many = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    let people = activity
        .prompts
        .iter()
        .filter(|prompt| prompt.notifies.is_none());
    let of_note = [
        CallState::Failed,
        CallState::Denied,
        CallState::Abandoned,
        CallState::Backgrounded,
        CallState::Running,
    ];
    let notes: Vec<String> = of_note
        .into_iter()
        .map(|state| {
            (
                activity
                    .calls
                    .iter()
                    .filter(|call| call.state == state)
                    .count(),
                state.as_str(),
            )
        })
        .filter(|(count, _)| *count > 0)
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join(", "))
    };
    let mut parts = vec![
        many(people.count(), "prompt"),
        format!("{}{notes}", many(activity.calls.len(), "call")),
    ];
    if !activity.agents.is_empty() {
        parts.push(many(activity.agents.len(), "subagent"));
    }
    if activity.calls.is_empty() && activity.prompts.is_empty() {
        parts.push(many(
            usize::try_from(activity.events).unwrap_or(usize::MAX),
            "event",
        ));
    }
    parts.join(", ")
}

/// Warns of journal lines that could not be shown, and of events that were recorded twice.
fn complain(id: &SessionId, activity: &Activity<'_>, damage: Damage) {
    for (count, what) in damage.named() {
        let lines = if count == 1 { "line" } else { "lines" };
        output::complain(&format!("left out {count} {lines} of session {id}: {what}"));
    }
    if activity.duplicates > 0 {
        let copies = if activity.duplicates == 1 {
            "copy"
        } else {
            "copies"
        };
        output::complain(&format!(
            "left out {} {copies} of events of session {id}: hooks are registered more than once; see `ccsession doctor`",
            activity.duplicates
        ));
    }
}
