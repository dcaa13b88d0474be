//! `ccsession timeline --follow`: prints events as they come, of one session or of all, until
//! nobody reads them.
//!
//! As with `tail -f`, an interrupt ends the program by its signal. So a script that runs the
//! program stops, too.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::Result;

use super::choose::find_session;
use super::context::Context;
use super::list::needs;
use super::notify::Notifier;
use super::output;
use super::status::Status;
use super::timeline::TimelineArgs;
use crate::identity::attention::{AttentionChange, Watch};
use crate::identity::liveness::Judge;
use crate::model::attention::Need;
use crate::model::{Config, Event, SessionId, Timestamp};
use crate::store::env::Screen;
use crate::store::follow::Follower;
use crate::store::{Environment, StateDir, clock};
use crate::view::event::{EventFilter, Rows};
use crate::view::timeline::text::TimelineLayout;

/// The name in the event column of a row that says that a session waits for a person.
const WAITS: &str = "waits";
/// How many earlier events of an existing session are shown, as `tail` does.
const LAST: usize = 10;
/// The shortest and the longest pause between two looks at the journals. An event is shown at most
/// the longest pause late.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// How often to check, without a new event, whether sessions wait for a person.
const BETWEEN_WAITS: Duration = Duration::from_secs(1);

pub(super) fn run(context: &Context, args: TimelineArgs) -> Result<Status> {
    let id = match &args.id {
        Some(given) => Some(find_session(context, context.state()?.as_ref(), given)?),
        None => None,
    };
    let Some((state, mut follower)) = begin(context, id.as_ref())? else {
        return Ok(Status::Done);
    };
    let mut printer = Printer::new(&state, &args, id.is_none());
    let config = context.config()?;
    let mut waits = Waits::new(context, &state, &config, &args, id.as_ref())?;
    if id.is_some() {
        printer.last(&mut follower)?;
    }
    let mut pause = SHORTEST_PAUSE;
    while output::wait(pause) {
        let mut came = false;
        let failed = follower.look(|id, line| {
            came = true;
            if let Some(shown) = printer.shown(id, line) {
                printer.print(&shown);
            }
        })?;
        for err in failed {
            output::complain(&err.to_string());
        }
        for change in waits.look(came)? {
            came |= printer.wait(&change);
        }
        pause = if came {
            SHORTEST_PAUSE
        } else {
            (pause * 2).min(LONGEST_PAUSE)
        };
    }
    Ok(Status::Done)
}

/// Notices which of the followed sessions begin to wait for a person.
struct Waits<'a> {
    env: &'a Environment,
    judge: Judge<'a>,
    watch: Watch,
    next: Timestamp,
    notifier: Option<Notifier>,
}

impl<'a> Waits<'a> {
    /// Begins to watch. Sessions that already wait are not reported.
    fn new(
        context: &'a Context,
        state: &'a StateDir,
        config: &Config,
        args: &TimelineArgs,
        id: Option<&'a SessionId>,
    ) -> Result<Self> {
        let mut waits = Self {
            env: &context.env,
            judge: context.judge(config, state),
            watch: id.cloned().map_or_else(Watch::of_all, Watch::of_one),
            next: clock::now(),
            notifier: None,
        };
        waits.look(true)?;
        waits.notifier = args.notify.clone().map(Notifier::new);
        Ok(waits)
    }

    /// Returns the sessions that began to wait since the last look, and notifies the user of them.
    /// Looks only once a second, unless new events `came`.
    fn look(&mut self, came: bool) -> Result<Vec<AttentionChange>> {
        let now = clock::now();
        if !came && self.next > now {
            return Ok(Vec::new());
        }
        self.next = now.after(BETWEEN_WAITS);
        let mut changes = self.watch.look(self.env, &self.judge)?;
        changes.retain(|change| change.attention.state != Need::None);
        if let Some(notifier) = &mut self.notifier {
            changes.iter().for_each(|change| notifier.notify(change));
        }
        Ok(changes)
    }
}

/// Begins to follow. Returns `None` if stdout was closed before anything was recorded.
fn begin(context: &Context, id: Option<&SessionId>) -> Result<Option<(StateDir, Follower)>> {
    if let Some(state) = context.state()? {
        let follower = match id {
            Some(id) => Follower::of_one(&state, id)?,
            None => Follower::of_all_from_now(&state)?,
        };
        return Ok(Some((state, follower)));
    }
    while output::wait(LONGEST_PAUSE) {
        if let Some(state) = context.state()? {
            let follower = Follower::of_all(&state);
            return Ok(Some((state, follower)));
        }
    }
    Ok(None)
}

/// Prints the lines of journals as rows.
struct Printer<'a> {
    state: &'a StateDir,
    filter: EventFilter,
    /// True to print the lines as they are recorded.
    as_recorded: bool,
    colour: bool,
    bars: bool,
    screen: Screen,
    rows: Rows,
    /// The names of the sessions' projects. `None` if only one session is followed.
    projects: Option<HashMap<SessionId, String>>,
}

impl<'a> Printer<'a> {
    fn new(state: &'a StateDir, args: &TimelineArgs, is_of_all: bool) -> Self {
        let screen = args.screen.screen();
        Self {
            state,
            filter: EventFilter {
                tools: args.tool.clone(),
                failed: args.failed,
                agent: args.agent.clone(),
            },
            as_recorded: args.jsonl,
            colour: output::wants_colour(args.color, screen),
            bars: output::wants_bars(args.bars, screen),
            screen,
            rows: Rows::default(),
            projects: is_of_all.then(HashMap::new),
        }
    }

    /// Prints the last events before the start, at most [`LAST`].
    fn last(&mut self, follower: &mut Follower) -> Result<()> {
        let mut last = VecDeque::new();
        let failed = follower.look(|id, line| {
            last.extend(self.shown(id, line));
            if last.len() > LAST {
                last.pop_front();
            }
        })?;
        for shown in last {
            self.print(&shown);
        }
        for err in failed {
            output::complain(&err.to_string());
        }
        Ok(())
    }

    /// Returns what to print for a line, or `None` if it is not an event or was filtered out.
    fn shown(&mut self, id: &SessionId, line: &[u8]) -> Option<String> {
        let event = Event::decode(line).ok()?;
        let row = if self.as_recorded {
            String::from_utf8(line.to_vec()).ok()?
        } else {
            self.row(id, &event)
        };
        self.filter.shows(&event).then_some(row)
    }

    /// Prints that a session waits for a person. Prints nothing and returns false if the user wants
    /// lines as they are recorded, or only certain events.
    fn wait(&mut self, change: &AttentionChange) -> bool {
        if self.as_recorded || self.filter != EventFilter::default() {
            return false;
        }
        let AttentionChange { record, attention } = change;
        let event = Event {
            ts: attention.since,
            event: WAITS.to_owned(),
            source: Some(needs(attention)),
            tool: attention.tool.clone(),
            what: attention.what.clone(),
            agent_id: attention.agent_id.clone(),
            ..Event::default()
        };
        let row = self.row(&record.session_id, &event);
        self.print(&row);
        true
    }

    fn print(&self, shown: &str) {
        let line = format!("{shown}\n");
        match self.as_recorded {
            true => output::print_recorded(&line),
            false => output::print_drawn(&line, self.bars),
        }
    }

    fn row(&mut self, id: &SessionId, event: &Event) -> String {
        let layout = TimelineLayout {
            width: output::width(self.screen),
            colour: self.colour,
            bars: self.bars,
            local: &clock::to_civil,
        };
        let today = clock::to_civil(clock::now()).date();
        let project = self.projects.as_mut().map(|known| {
            let read = || project_of(self.state, id);
            known.entry(id.clone()).or_insert_with(read).as_str()
        });
        self.rows.row(id, event, project, today, &layout)
    }
}

/// Returns the name of the session's project. The record exists before the first event does.
fn project_of(state: &StateDir, id: &SessionId) -> String {
    let record = state.session(id).record().ok().flatten();
    record.map_or_else(|| "?".to_owned(), |record| record.project.name)
}
