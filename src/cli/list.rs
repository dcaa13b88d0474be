//! `ccsession list`: lists the live sessions, or all of them.

use std::cmp::Ordering;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::amount::above_zero;
use super::args::ColorArg;
use super::collected::FromArgs;
use super::context::{Context, unrecorded};
use super::hints::{say_not_recorded, say_nothing};
use super::output;
use super::pager::ScreenArgs;
use super::scope::{Scope, ScopeArgs, Timeframe};
use super::status::Status;
use super::table::{Squeeze, TextTable};
use super::title::title;
use crate::identity::attention::{Present, present_and_place};
use crate::identity::journal_end::JournalEnd;
use crate::identity::liveness::{Assessment, Judge, SessionState};
use crate::identity::open_calls::OpenCall;
use crate::identity::present::{Heads, LastPlace};
use crate::identity::title::Title;
use crate::model::attention::{Attention, Need};
use crate::model::duration;
use crate::model::text::{escaped, one_line};
use crate::model::{Capture, Owner, Record, SessionId, Timestamp};
use crate::store::processors::on_all_processors;
use crate::store::{StateDir, index};

/// A session's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StateArg {
    /// Live, with an event within the idle timeout or an open call
    Active,
    /// Live, with no event within the idle timeout
    Idle,
    /// Its last process reported the end
    Ended,
    /// Its processes are gone, and none reported an end
    Abandoned,
    /// From before hooks recorded anything: only its transcript is known
    Imported,
}

#[derive(Debug, Args)]
#[command(
    mut_arg("all", |all| all.help("Sessions of every project, and ended ones, too")),
    after_help = "Examples:\n  ccsession list --waiting                # which one needs me?\n  ccsession list --all                    # ended ones, too\n  ccsession list --ended --project .      # those of this project\n  ccsession list --project . --json"
)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// List ended sessions, too
    #[arg(long)]
    pub(super) ended: bool,
    /// List only sessions in this state; repeatable
    #[arg(long, value_enum, value_name = "STATE", conflicts_with_all = ["all", "ended"])]
    pub(super) state: Vec<StateArg>,
    /// List only sessions that wait for a person: for permission, an answer, or the next prompt
    #[arg(long, short, conflicts_with_all = ["all", "ended", "state"])]
    pub(super) waiting: bool,
    /// List at most N sessions
    #[arg(long, short = 'n', value_name = "N", value_parser = above_zero)]
    pub(super) limit: Option<NonZeroUsize>,
    /// When to use colour
    #[arg(long, value_enum, default_value_t = ColorArg::Auto, value_name = "WHEN")]
    pub(super) color: ColorArg,
    /// Write hashes instead of names and ids of machines
    #[arg(long)]
    hash_machine: bool,
    #[command(flatten)]
    pub(super) from: FromArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
}

impl ListArgs {
    /// Returns whether the list also contains sessions that are not live.
    fn includes_ended(&self) -> bool {
        self.ended || self.scope.all
    }
}

/// How many characters of a session's current call are shown.
const MAX_DOING: usize = 40;
/// How many characters of a title are shown.
const MAX_TITLE: usize = 40;

/// How the table is made narrower: the first step comes first, and cuts what a person needs least.
const NARROWER: [Squeeze; 19] = [
    Squeeze::Cut("ROOT", 16),
    Squeeze::Ids("SESSION"),
    Squeeze::Drop("ROOT"),
    Squeeze::Cut("MACHINE", 12),
    Squeeze::Cut("NOW", 20),
    Squeeze::Cut("FOCUS", 12),
    Squeeze::Cut("TITLE", 24),
    Squeeze::Drop("PID"),
    Squeeze::Drop("AGE"),
    Squeeze::Drop("ROLE"),
    Squeeze::Drop("BRANCH"),
    Squeeze::Drop("FOCUS"),
    Squeeze::Cut("TITLE", 14),
    Squeeze::Cut("NOW", 12),
    Squeeze::Drop("IDLE"),
    Squeeze::Cut("PROJECT", 10),
    Squeeze::Cut("TITLE", 8),
    Squeeze::Drop("NOW"),
    Squeeze::Drop("PROJECT"),
];

/// A session in the list. Its JSON is the record with the derived fields.
#[derive(Serialize)]
struct ListedSession {
    #[serde(flatten)]
    record: Record,
    state: SessionState,
    last_activity: Timestamp,
    owners: Vec<Owner>,
    open_calls: Vec<OpenCall>,
    attention: Attention,
    title: Option<Title>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct ListOutput<'a> {
    sessions: &'a [Box<ListedSession>],
    v: u64,
}

pub(super) fn run(context: &Context, args: ListArgs) -> Result<Status> {
    let config = context.config()?;
    let state = context.state()?;
    let scope = Scope::of(context, state.as_ref(), &args.scope, Timeframe::Now)?;
    let wanted = |state| {
        if args.state.is_empty() {
            args.includes_ended() || SessionState::is_live(state)
        } else {
            args.state
                .iter()
                .any(|wanted| SessionState::from(*wanted) == state)
        }
    };
    // In boxes, because they are sorted and large.
    let mut sessions: Vec<Box<ListedSession>> = Vec::new();
    if let Some(state) = &state {
        let is_over = |state: &StateArg| !SessionState::from(*state).is_live();
        let ids = ids(
            state,
            args.includes_ended() || args.state.iter().any(is_over),
        )?;
        let lister = Lister {
            context,
            judge: context.judge(&config, state).telling_idle(),
            capture: config.capture,
            roots: scope.roots(),
            is_wanted: &wanted,
            args: &args,
            heads: Heads::default(),
        };
        for look in on_all_processors(&ids, |id| lister.look_at(id)) {
            match look {
                ListLook::Listed(listed) => sessions.push(listed),
                ListLook::NotWanted => {}
                ListLook::LeftOut(why) => why.iter().for_each(|why| output::complain(why)),
            }
        }
        sessions.sort_by(|one, other| by_urgency(one, other));
        if let Some(limit) = args.limit {
            sessions.truncate(limit.get());
            for listed in &mut sessions {
                listed.title = lister.title(&listed.record);
            }
        }
    }
    if let Some(hash) = context.machine_hash(args.hash_machine)? {
        for listed in &mut sessions {
            listed.record = hash.hidden(&listed.record);
            for owner in &mut listed.owners {
                hash.hide_owner(owner);
            }
        }
    }
    print(context, &args, &sessions, state.as_ref())?;
    let project = scope.project();
    say_not_recorded(&context.host(&config, state.as_ref()), project.as_ref());
    Ok(Status::Done)
}

/// Determines what the list shows of a session.
struct Lister<'a, W> {
    context: &'a Context,
    judge: Judge<'a>,
    capture: Capture,
    /// The projects whose sessions are listed, or `None` for every project.
    roots: Option<Vec<PathBuf>>,
    is_wanted: &'a W,
    args: &'a ListArgs,
    heads: Heads,
}

/// The result of looking at one session.
enum ListLook {
    /// The session is listed.
    Listed(Box<ListedSession>),
    /// The user's options exclude the session.
    NotWanted,
    /// The session cannot be listed, although it may have been requested. Contains the reason, if
    /// the user should know it.
    LeftOut(Option<String>),
}

impl<W: Fn(SessionState) -> bool> Lister<'_, W> {
    fn look_at(&self, id: &SessionId) -> ListLook {
        let dir = self.judge.state.session(id);
        let record = match dir.record() {
            Ok(Some(record)) => record,
            Ok(None) => return ListLook::LeftOut(unrecorded(&dir, id)),
            Err(err) => return ListLook::LeftOut(Some(format!("{err}; skipped"))),
        };
        let end = JournalEnd::of(&dir, self.context.now);
        let (finding, place) = self.judge.find_and_place(id, &record, &end);
        let is_in = |root: &PathBuf| finding.is_in(&record, root);
        let is_here = |roots: &Vec<PathBuf>| roots.iter().any(is_in);
        if !(self.is_wanted)(finding.state) || !self.roots.as_ref().is_none_or(is_here) {
            return ListLook::NotWanted;
        }
        let listed = self.listed(&end, record, finding, place);
        match self.args.waiting && listed.attention.state == Need::None {
            true => ListLook::NotWanted,
            false => ListLook::Listed(Box::new(listed)),
        }
    }

    fn listed(
        &self,
        end: &JournalEnd<'_>,
        record: Record,
        finding: Assessment,
        place: Option<LastPlace>,
    ) -> ListedSession {
        let is_live = finding.state.is_live();
        let (present, place) = match (is_live, place) {
            (false, Some(place)) => (Present::default(), place),
            (false, None) => (Present::default(), LastPlace::read(end.dir())),
            (true, _) => present_and_place(&self.context.env, end, &record, &finding),
        };
        let record = self.heads.now_at(place, record, is_live);
        // With a limit, titles are read later, and only for the sessions that are listed.
        let is_shown = self.args.limit.is_none();
        ListedSession {
            state: finding.state,
            last_activity: finding.last_activity.unwrap_or(record.started_at),
            owners: finding.owners,
            open_calls: present.open_calls,
            attention: present.attention,
            title: is_shown.then(|| self.title(&record)).flatten(),
            record,
        }
    }

    fn title(&self, record: &Record) -> Option<Title> {
        title(&self.context.env, self.judge.state, record, self.capture)
    }
}

/// Sorts first the sessions that cannot go on without a person, the one that has waited longest at
/// the top. The others follow, the most recently active first.
fn by_urgency(one: &ListedSession, other: &ListedSession) -> Ordering {
    // All dialogs are equally urgent. The order of the other states in `Need` says how urgent they
    // are.
    let group = |listed: &ListedSession| match listed.attention.state {
        need if need.is_dialog() => Need::Permission,
        need => need,
    };
    let waited = |listed: &ListedSession| match group(listed) {
        Need::Prompt | Need::None => None,
        _ => listed.attention.since,
    };
    let recent = || other.last_activity.cmp(&one.last_activity);
    group(one)
        .cmp(&group(other))
        .then_with(|| waited(one).cmp(&waited(other)))
        .then_with(recent)
}

impl From<StateArg> for SessionState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Active => Self::Active,
            StateArg::Idle => Self::Idle,
            StateArg::Ended => Self::Ended,
            StateArg::Abandoned => Self::Abandoned,
            StateArg::Imported => Self::Imported,
        }
    }
}

fn ids(state: &StateDir, all: bool) -> Result<Vec<SessionId>> {
    if all {
        return Ok(state.session_ids()?.collect());
    }
    let mut ids: Vec<SessionId> = index::live_candidates(state)?
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn print(
    context: &Context,
    args: &ListArgs,
    sessions: &[Box<ListedSession>],
    state: Option<&StateDir>,
) -> Result<()> {
    if args.json {
        return output::json_of(&ListOutput { sessions, v: 1 });
    }
    if sessions.is_empty() {
        print_nothing(context, args, state);
        return Ok(());
    }
    let mut table = TextTable::new(&[
        "STATE", "WAITS", "SESSION", "TITLE", "AGE", "IDLE", "PROJECT", "BRANCH", "ROLE", "FOCUS",
        "PID", "NOW", "MACHINE", "ROOT",
    ]);
    // The machine is shown only for collected sessions.
    let machine = |record: &Record| record.machine.clone().filter(|_| args.from.is_given());
    for listed in sessions {
        let record = &listed.record;
        let branch = record.head.as_ref().and_then(|head| head.branch.clone());
        let pids: Vec<String> = listed
            .owners
            .iter()
            .map(|owner| owner.pid.to_string())
            .collect();
        table.row([
            listed.state.as_str().to_owned(),
            waits(&listed.attention, context.now),
            record.session_id.to_string(),
            titled(listed.title.as_ref().map(|title| title.text.as_str())),
            span(record.started_at, context.now),
            span(listed.last_activity, context.now),
            record.project.name.clone(),
            branch.unwrap_or_default(),
            record.role.clone().unwrap_or_default(),
            record.focus.clone().unwrap_or_default(),
            pids.join(","),
            doing(&listed.open_calls),
            machine(record).unwrap_or_default(),
            record.project.root.clone(),
        ]);
    }
    table.drop_empty(&["WAITS", "TITLE", "ROLE", "FOCUS", "PID", "NOW", "MACHINE"]);
    let screen = args.screen.screen();
    let text = match output::width(screen) {
        Some(width) => table.squeeze(width, &NARROWER),
        None => table.to_string(),
    };
    let text = match output::wants_colour(args.color, screen) {
        true => coloured(&text, sessions, context.now),
        false => text,
    };
    args.screen.print(&text, !screen.is_plain);
    Ok(())
}

/// Colours what each session waits for. The row of a session that waits for nothing stays as it is.
fn coloured(table: &str, sessions: &[Box<ListedSession>], now: Timestamp) -> String {
    let mut lines = table.lines();
    let heading = lines.next().into_iter().map(|line| format!("{line}\n"));
    let rows = lines.zip(sessions).map(|(line, listed)| {
        let waits = escaped(&waits(&listed.attention, now));
        match (colour(listed.attention.state), line.split_once(&waits)) {
            (Some(colour), Some((before, after))) => {
                format!("{before}\u{1b}[{colour}m{waits}\u{1b}[0m{after}\n")
            }
            _ => format!("{line}\n"),
        }
    });
    heading.chain(rows).collect()
}

/// Returns the terminal's colour for what a session waits for, the same as on the board.
fn colour(need: Need) -> Option<&'static str> {
    match need {
        Need::Error => Some("31"),
        Need::Prompt => Some("36"),
        need if need.is_dialog() => Some("33"),
        _ => None,
    }
}

/// Prints on a terminal that the list is empty, with a hint.
fn print_nothing(context: &Context, args: &ListArgs, state: Option<&StateDir>) {
    let (nothing, remedy) = if args.waiting {
        ("no session waits for you", None)
    } else if !args.state.is_empty() {
        ("no session is in this state", None)
    } else if args.scope.project.is_some() {
        ("no session of this project is on record", None)
    } else if args.includes_ended() {
        ("no session is on record", None)
    } else {
        ("no session is live", Some("`ccsession list --all` shows"))
    };
    let is_narrow = args.scope.project.is_some();
    say_nothing(nothing, context, state, |sessions| match remedy {
        Some(shows) => Some(format!("{shows} the {sessions} on record")),
        None if is_narrow && args.ended => Some(format!(
            "without --project, the {sessions} of other projects are listed"
        )),
        None => None,
    });
}

/// Returns a title for a column of a table.
pub(super) fn titled(title: Option<&str>) -> String {
    title.map_or_else(String::new, |title| one_line(title, MAX_TITLE))
}

/// Describes what a session waits for, and how long it has waited: `permission 3m 20s`.
pub(super) fn waits(attention: &Attention, now: Timestamp) -> String {
    if attention.state == Need::None {
        return String::new();
    }
    let what = needs(attention);
    let since = attention.since.map(|since| span(since, now));
    let mut text = [Some(what), since]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    if attention.background > 0 {
        text += &format!(", {} in background", attention.background);
    }
    text
}

/// Describes what a session waits for.
pub(super) fn needs(attention: &Attention) -> String {
    match (attention.state, &attention.what) {
        (Need::Error, Some(class)) => format!("error {class}"),
        (Need::Prompt, _) => "your turn".to_owned(),
        (need, _) => need.as_str().to_owned(),
    }
}

/// Describes what a session does now: the call that began last, and how many more are open.
pub(super) fn doing(calls: &[OpenCall]) -> String {
    let Some((last, more)) = calls.split_last() else {
        return String::new();
    };
    let tool = last.tool.as_deref().unwrap_or("a tool");
    let what = last
        .what
        .as_deref()
        .map(|what| format!(": {what}"))
        .unwrap_or_default();
    let text = one_line(&format!("{tool}{what}"), MAX_DOING);
    match more.len() {
        0 => text,
        more => format!("{text} +{more}"),
    }
}

/// Formats how long ago `from` was, in one or two units: `3m 20s`, `2h 5m`, `4d 2h`.
pub(super) fn span(from: Timestamp, now: Timestamp) -> String {
    duration::brief(from.age(now))
}
