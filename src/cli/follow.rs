//! `ccsession timeline --follow`: prints events as they come, of one session or of all, until
//! nobody reads them.
//!
//! An interrupt ends it as it ends `tail -f`: by the signal itself, so that a script that waits for
//! it stops, too.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::Result;

use super::args::TimelineArgs;
use super::context::{Context, find_session};
use super::output;
use super::status::Status;
use crate::model::{Event, SessionId};
use crate::store::env::Screen;
use crate::store::follow::Follower;
use crate::store::{StateDir, clock};
use crate::view::event::{EventFilter, Rows};
use crate::view::timeline::text::TimelineLayout;

/// How many earlier events of an existing session are shown, as `tail` does.
const LAST: usize = 10;
/// The shortest and the longest pause between two looks. The longest is how late an event may be
/// shown.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

pub(super) fn run(context: &Context, args: TimelineArgs) -> Result<Status> {
    let id = match &args.id {
        Some(given) => Some(find_session(context.state()?.as_ref(), given)?),
        None => None,
    };
    let Some((state, mut follower)) = begin(context, id.as_ref())? else {
        return Ok(Status::Done);
    };
    let mut printer = Printer::new(&state, &args, id.is_none());
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
        pause = if came {
            SHORTEST_PAUSE
        } else {
            (pause * 2).min(LONGEST_PAUSE)
        };
    }
    Ok(Status::Done)
}

/// Begins to follow. Returns `None` if stdout is closed before anything was ever recorded.
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

/// Turns journal lines into printed rows.
struct Printer<'a> {
    state: &'a StateDir,
    filter: EventFilter,
    /// Prints the lines as they are recorded.
    as_recorded: bool,
    colour: bool,
    bars: bool,
    screen: Screen,
    rows: Rows,
    /// The names of the sessions' projects, or `None` if all events are of one session.
    projects: Option<HashMap<SessionId, String>>,
}

impl<'a> Printer<'a> {
    fn new(state: &'a StateDir, args: &TimelineArgs, is_of_all: bool) -> Self {
        let screen = Screen::read();
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

    /// Prints the last events that exist already.
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
