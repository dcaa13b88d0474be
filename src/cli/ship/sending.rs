//! Sends to one destination. A pass sends what is new in all sessions. There is one pass or, with
//! `--follow`, one after another until a signal.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::ShipOptions;
use super::facts::facts;
use super::numbers;
use crate::cli::amount::{bytes, plural};
use crate::cli::context::Context;
use crate::cli::output;
use crate::cli::status::{Status, refusal};
use crate::model::Config;
use crate::ship::batch::{DryOutlet, Halt, Tally};
use crate::ship::cursor::{Cursor, CursorFault, CursorState, RunResult, Sender};
use crate::ship::mark::Counts;
use crate::ship::pass::{Notebook, Pass, PassResult};
use crate::ship::{Destination, Form, Outlet, Protocol, Signal, http, observability};
use crate::store::machine::{machine_id, machine_name};
use crate::store::{Host, StateDir, clock};

/// The shortest pause between two passes.
const LOOK: Duration = Duration::from_secs(1);
/// Sending takes at most about 1/20 of the time: a pause is this many times as long as the last
/// pass.
const PAUSE_PER_WORK: u32 = 20;
/// The longest pause between two passes.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// The pause after a destination halted a pass. It is doubled each time, up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(5 * 60);
/// How often the metrics are sent. They are sums, so nothing between two of them is lost.
const NUMBERS: Duration = Duration::from_secs(60);
/// How often to check whether a signal asks to end.
const WAKE: Duration = Duration::from_millis(200);

/// Sending to one destination.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    pub(super) context: &'a Context,
    pub(super) destination: &'a Destination,
    pub(super) options: ShipOptions,
    pub(super) threads: usize,
    pub(super) stop: &'a AtomicBool,
    pub(super) shows_progress: bool,
    /// When the metrics were sent last.
    pub(super) numbers_sent: Cell<Option<Instant>>,
}

impl Sending<'_> {
    pub(super) fn run(&self) -> Result<Status> {
        let Some(state) = self.state()? else {
            return Ok(Status::Done);
        };
        if self.options.dry_run {
            return self.dry_run(&state);
        }
        let mut cursor = match Cursor::take(&state, &self.destination.name) {
            Ok(cursor) => cursor,
            Err(fault) => {
                self.complain(&fault.to_string());
                return Ok(match fault {
                    CursorFault::InUse => Status::Held,
                    CursorFault::Newer(_) | CursorFault::Store(_) => Status::Failed,
                });
            }
        };
        self.begin(&mut cursor)?;
        match self.options.follow {
            true => self.follow(&state, &mut cursor),
            false => {
                let result = self.pass(&state, &mut cursor)?;
                self.report(&result);
                Ok(match is_complete(&result) {
                    true => Status::Done,
                    false => Status::Failed,
                })
            }
        }
    }

    /// Returns the state directory. With `--follow`, waits until there is one.
    fn state(&self) -> Result<Option<StateDir>> {
        loop {
            let state = self.context.state()?;
            if state.is_some() {
                return Ok(state);
            }
            if !self.options.follow {
                output::line(&format!("{}: nothing is on record", self.name()));
                return Ok(None);
            }
            if !self.wait(LOOK) {
                return Ok(None);
            }
        }
    }

    /// Notes in the cursor that sending begins, or goes on. Warns if another machine sent before,
    /// or if the settings now select other data.
    fn begin(&self, cursor: &mut Cursor) -> Result<()> {
        let now = clock::now();
        let name = self.name();
        let sender = Sender {
            machine: machine_name(),
            machine_id: machine_id(),
        };
        let what = self.what();
        let Some(began) = cursor.state.began.clone().filter(|_| !self.options.again) else {
            let since = self.options.since;
            return Ok(cursor.begin(now, since, sender, what)?);
        };
        if self.options.since.is_some() {
            let text = format!(
                "--since applies only to the first run, but {name} has received sessions since {}; use --again to start over",
                began.at
            );
            return Err(refusal(Status::Usage, text));
        }
        if began.sender == sender && began.what == what {
            return Ok(());
        }
        if let Some(text) = differences(&began.sender, &sender) {
            self.complain(&text);
        }
        if began.what != what {
            self.complain(&format!(
                "received `{}` so far and receives `{what}` from now on; use --again to resend what was already sent",
                began.what
            ));
        }
        Ok(cursor.continue_as(sender, what)?)
    }

    /// Names the kinds of data that are sent, in the words of the settings: `traces,logs
    /// spans=all`.
    fn what(&self) -> String {
        let destination = self.destination;
        let signals = destination.signals.iter().map(|signal| signal.name());
        let signals = signals.collect::<Vec<_>>().join(",");
        match destination.protocol {
            Protocol::Observability => "events".to_owned(),
            _ => format!("{signals} spans={}", destination.spans.name()),
        }
    }

    fn name(&self) -> &str {
        &self.destination.name
    }

    fn complain(&self, text: &str) {
        output::complain(&format!("{}: {text}", self.name()));
    }

    /// Runs one pass, and records its result in the cursor.
    fn pass(&self, state: &StateDir, cursor: &mut Cursor) -> Result<PassResult> {
        let since = cursor.state.began.as_ref().and_then(|began| began.since);
        let make = || http::open(self.destination);
        let mut result = self.pass_with(state, &mut Notebook::Kept(cursor), since, &make)?;
        if result.halt.is_none() && self.numbers_are_due() {
            result.halt = numbers::send(self.context, state, self.destination)?;
        }
        let run = RunResult {
            at: clock::now(),
            sent: result.tally.sent,
            bytes: result.tally.bytes,
            rejected: result.tally.rejected,
            lost: result.lost,
            trouble: trouble(&result),
        };
        let history = &cursor.state.history;
        let is_news = run.sent != Counts::default()
            || run.lost > 0
            || run.trouble.as_ref() != history.trouble.as_ref().map(|it| &it.why)
            || !self.options.follow;
        if is_news {
            cursor.end_run(run)?;
        }
        Ok(result)
    }

    /// Returns whether to send the metrics now: at the first pass, then once a minute. Assumes that
    /// the caller then sends them.
    fn numbers_are_due(&self) -> bool {
        let is_wanted = self.destination.signals.contains(&Signal::Metrics);
        let last = self.numbers_sent.get();
        let is_due = is_wanted && last.is_none_or(|last| last.elapsed() >= NUMBERS);
        if is_due {
            self.numbers_sent.set(Some(Instant::now()));
        }
        is_due
    }

    fn pass_with(
        &self,
        state: &StateDir,
        notebook: &mut Notebook<'_>,
        since: Option<crate::model::Timestamp>,
        make: &(dyn Fn() -> Result<Box<dyn Outlet>, String> + Sync),
    ) -> Result<PassResult> {
        // Each pass reads the settings again, because a project may have been excluded meanwhile.
        let config: Config = self.context.config()?;
        let env = &self.context.env;
        let host = Host {
            now: clock::now(),
            ..self.context.host(&config, Some(state))
        };
        let bar = self.bar();
        let pass = Pass {
            host,
            state,
            form: &Form::from(self.destination),
            selects: &|_| true,
            since,
            skips_refused: self.options.skip_refused,
            threads: self.threads,
            facts: &|dir, record, is_over| {
                facts((env, state, config.capture), dir, record, is_over)
            },
            event: &observability::event,
            outlet: make,
            stop: self.stop,
            progress: &|done, all| {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
            },
        };
        let result = pass.run(notebook);
        bar.finish_and_clear();
        Ok(result?)
    }

    fn bar(&self) -> ProgressBar {
        if !self.shows_progress || self.options.follow {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(0);
        let style = format!(
            "{}: {{pos}} of {{len}} sessions {{wide_bar}} {{elapsed}}",
            self.name()
        );
        if let Ok(style) = ProgressStyle::with_template(&style) {
            bar.set_style(style);
        }
        bar
    }

    /// Prints what would be sent.
    fn dry_run(&self, state: &StateDir) -> Result<Status> {
        let known = match CursorState::read(state, self.name()) {
            Ok(known) => known,
            Err(fault) => {
                self.complain(&fault.to_string());
                return Ok(Status::Failed);
            }
        };
        let known = match self.options.again {
            true => CursorState::default(),
            false => known,
        };
        let since = match &known.began {
            Some(began) => began.since,
            None => self.options.since,
        };
        let make = || Ok(Box::new(DryOutlet) as Box<dyn Outlet>);
        let mut notebook = Notebook::InMemory(Box::new(known));
        let result = self.pass_with(state, &mut notebook, since, &make)?;
        let endpoint = &self.destination.endpoint;
        match amount(&result) {
            Some(amount) => output::line(&format!(
                "{}: would send {amount} to {endpoint}",
                self.name()
            )),
            None => output::line(&format!("{}: nothing new for {endpoint}", self.name())),
        }
        self.report_left_out(&result);
        Ok(Status::Done)
    }

    /// Runs one pass after another until a signal.
    fn follow(&self, state: &StateDir, cursor: &mut Cursor) -> Result<Status> {
        let mut retry = FIRST_RETRY;
        let mut said: Vec<String> = Vec::new();
        loop {
            let began = Instant::now();
            let result = self.pass(state, cursor)?;
            // A complaint that each pass repeats is printed only the first time.
            let mut news = complaints(&result);
            news.retain(|it| !said.contains(it));
            news.iter().for_each(|it| self.complain(it));
            said = complaints(&result);
            let pause = match &result.halt {
                Some(halt) => {
                    let pause = halt.retry_after.unwrap_or(retry).max(retry);
                    retry = (retry * 2).min(LONGEST_RETRY);
                    pause
                }
                None => {
                    retry = FIRST_RETRY;
                    (began.elapsed() * PAUSE_PER_WORK).clamp(LOOK, LONGEST_LOOK)
                }
            };
            if !self.wait(pause) {
                return Ok(Status::Done);
            }
        }
    }

    /// Waits for `time`. Returns false if a signal asked to end.
    fn wait(&self, time: Duration) -> bool {
        let began = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(WAKE));
        }
        false
    }

    /// Prints what was sent, and warns of what was not.
    fn report(&self, result: &PassResult) {
        match amount(result) {
            Some(amount) => output::line(&format!("{}: sent {amount}", self.name())),
            None if is_complete(result) => output::line(&format!("{}: nothing new", self.name())),
            None => {}
        }
        self.report_left_out(result);
    }

    fn report_left_out(&self, result: &PassResult) {
        for text in complaints(result) {
            self.complain(&text);
        }
    }
}

/// Returns the warnings of a pass: what was not sent, and why.
pub(in crate::cli) fn complaints(result: &PassResult) -> Vec<String> {
    let mut lines = result.left_out.clone();
    if result.lost > 0 {
        lines.push(format!(
            "{} {} deleted before all of it was sent",
            plural(result.lost, "session"),
            if result.lost == 1 { "was" } else { "were" }
        ));
    }
    let Tally {
        rejected,
        rejected_why,
        ..
    } = &result.tally;
    if let Some(why) = rejected_why {
        lines.push(format!(
            "the destination rejected {}, which are not sent again: {why}",
            plural(*rejected, "item")
        ));
    }
    lines.extend(trouble(result));
    lines
}

/// Returns whether everything was sent.
pub(in crate::cli) fn is_complete(result: &PassResult) -> bool {
    trouble(result).is_none() && result.left_out.is_empty()
}

/// Returns why not everything was sent.
fn trouble(result: &PassResult) -> Option<String> {
    let behind = plural(result.behind, "session");
    if let Some(Halt { why, .. }) = &result.halt {
        let wait = match result.behind {
            0 => String::new(),
            1 => format!("; {behind} waits"),
            _ => format!("; {behind} wait"),
        };
        return Some(format!("{why}{wait}"));
    }
    if let Some(why) = &result.tally.refused_why {
        return Some(format!(
            "the destination refused some of the data: {why}; {behind} not sent in full; --skip-refused leaves out what it refuses"
        ));
    }
    if let (count @ 1.., Some(latest)) = result.in_future {
        let sessions = plural(count, "session");
        let has = if count == 1 { "has" } else { "have" };
        return Some(format!(
            "{sessions} {has} events of up to {}, later than this machine's clock; correct the clock; they are sent once it has passed that time",
            latest
        ));
    }
    None
}

/// Returns how much was sent, in words; `None` if it was nothing.
fn amount(result: &PassResult) -> Option<String> {
    let Tally {
        sent, bytes: size, ..
    } = &result.tally;
    if *sent == Counts::default() {
        return None;
    }
    let mut parts = vec![plural(result.sessions, "session")];
    if sent.spans > 0 {
        parts.push(plural(sent.spans, "span"));
    }
    if sent.logs > 0 {
        parts.push(plural(sent.logs, "event"));
    }
    Some(format!("{} ({})", parts.join(", "), bytes(*size)))
}

/// Returns how the sending machine differs from the one that sent before; `None` if it is the same.
fn differences(before: &Sender, now: &Sender) -> Option<String> {
    let name = |sender: &Sender| {
        sender
            .machine
            .clone()
            .unwrap_or_else(|| "unknown".to_owned())
    };
    if before == now {
        return None;
    }
    let (before_name, now_name) = (name(before), name(now));
    Some(match before.machine_id == now.machine_id {
        true => format!(
            "this machine was called {before_name} and is called {now_name} now; if both exist, they have one machine id, and one of them needs another /etc/machine-id"
        ),
        false => format!(
            "the machine {before_name} has sent from this state directory, and now {now_name} does; sessions that both have are sent twice, with the same ids"
        ),
    })
}
