//! Builds the threads of a session in the trace: its turns, then the lanes of the main thread and
//! of each subagent.

use std::collections::HashMap;

use super::lanes::Lanes;
use super::{Phase, SHORT, TraceArgs, TraceEvent, TracedSession, metadata};
use crate::model::Call;
use crate::model::activity::{Agent, Prompt, Segment};
use crate::model::call::{CallState, Moment};
use crate::model::commit::CommitNote;
use crate::model::text::escaped;
use crate::view::json::{CallView, PromptView, millis};

/// The value of the detail `end` if no event reported the end.
const UNKNOWN: &str = "unknown";

/// The threads of one session, while they are built.
pub(super) struct Threads<'s, 'a> {
    session: TracedSession<'s, 'a>,
    /// The first and the last event.
    span: (Moment, Moment),
    /// The calls of each agent, and of the main thread under `None`, in the order in which they
    /// began.
    calls: HashMap<Option<&'a str>, Vec<&'s Call<'a>>>,
    count: u64,
    names: Vec<TraceEvent>,
    events: Vec<TraceEvent>,
}

/// The lanes for one kind of slices of one agent.
struct Family {
    name: String,
    lanes: Lanes,
    /// The number of each lane's thread.
    tids: Vec<u64>,
}

impl Family {
    fn new(name: String, lanes: Lanes) -> Self {
        Self {
            name,
            lanes,
            tids: Vec::new(),
        }
    }
}

impl<'s, 'a> Threads<'s, 'a> {
    pub(super) fn new(session: TracedSession<'s, 'a>, span: (Moment, Moment)) -> Self {
        let mut calls: HashMap<_, Vec<_>> = HashMap::new();
        for call in &session.activity.calls {
            if session.period.has(call.began.ts) {
                calls.entry(call.agent_id).or_default().push(call);
            }
        }
        for its in calls.values_mut() {
            its.sort_by_key(|call: &&Call<'_>| call.began.at);
        }
        Self {
            session,
            span,
            calls,
            count: 0,
            names: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Returns the names of the threads, and all events on them.
    pub(super) fn finish(self) -> (Vec<TraceEvent>, Vec<TraceEvent>) {
        (self.names, self.events)
    }

    /// Adds the thread with the turns. It also shows what happened to the whole session, such as
    /// its start, its end and compactions.
    pub(super) fn add_turns(&mut self) {
        let activity = self.session.activity;
        let mut family = Family::new("turns".to_owned(), Lanes::default());
        let tid = self.thread(&mut family, 0);
        for segment in &activity.segments {
            self.add_segment(tid, segment);
        }
        for prompt in &activity.prompts {
            if self.shows(prompt.at) {
                self.add_turn(&mut family, prompt);
            }
        }
        for compaction in &activity.compactions {
            if self.shows(compaction.began) {
                let took = compaction
                    .ended
                    .map(|it| millis(compaction.began.until(it)));
                let args = TraceArgs::default()
                    .with("trigger", compaction.trigger)
                    .with("duration_ms", took);
                let at = self.at(compaction.began);
                self.mark(tid, ("compaction", "compaction"), at, args);
            }
        }
        for commit in self.session.commits {
            self.add_commit(tid, commit);
        }
    }

    fn add_turn(&mut self, family: &mut Family, prompt: &Prompt<'_>) {
        let view = PromptView::from(prompt);
        let end = view.ended_at.is_none().then_some(UNKNOWN);
        let args = TraceArgs::default()
            .with("what", view.what)
            .with("end", end)
            .with("ended", Some(view.end))
            .with("error", view.error)
            .with("duration_ms", view.duration_ms)
            .with("branch", view.branch)
            .with("prompt_id", view.prompt_id);
        let name = match view.notification {
            true => "notification",
            false => "prompt",
        };
        let about = TraceArgs::default()
            .with("what", view.what)
            .with("prompt_id", view.prompt_id)
            .with("task_id", view.task_id);
        let began = self.at(prompt.at);
        let ended = self.at(prompt.ended.unwrap_or_else(|| self.last_seen(prompt.at)));
        let tid = self.free(family, (began, ended));
        self.mark(tid, (name, "prompt"), began, about);
        let turn = match view.end {
            "stopped" => "turn".to_owned(),
            other => format!("turn ({other})"),
        };
        self.add(tid, (turn, "turn"), (began, ended), args);
    }

    fn add_segment(&mut self, tid: u64, segment: &Segment<'_>) {
        if self.shows(segment.began) {
            let name = match segment.source {
                Some("clear") => "/clear".to_owned(),
                Some(source) => format!("start ({source})"),
                None => "start".to_owned(),
            };
            let args = TraceArgs::default().with("pid", segment.pid);
            let at = self.at(segment.began);
            self.mark(tid, (&name, "session"), at, args);
        }
        if let Some(ended) = segment.ended.filter(|it| self.shows(*it)) {
            let args = TraceArgs::default()
                .with("reason", segment.reason)
                .with("pid", segment.pid);
            let at = self.at(ended);
            self.mark(tid, ("end", "session"), at, args);
        }
    }

    fn add_commit(&mut self, tid: u64, commit: &CommitNote) {
        if self.session.period.has(commit.ts) {
            let short: String = commit.id.chars().take(SHORT).collect();
            let args = TraceArgs::default()
                .with("commit", Some(commit.id.as_str()))
                .with("how", Some(commit.how.as_str()));
            let at = commit.ts.micros();
            self.mark(tid, (&format!("commit {short}"), "commit"), at, args);
        }
    }

    /// Adds the calls of the subagent with this id, or of the main thread if `id` is `None`. For an
    /// agent that Claude Code runs internally, `agent` is `None`.
    pub(super) fn add_calls(&mut self, id: Option<&'a str>, agent: Option<&Agent<'_>>) {
        let name = id.map_or_else(|| "main".to_owned(), |id| agent_name(id, agent));
        let mut family = Family::new(name.clone(), Lanes::default());
        // Create a thread for each agent, even if it made no call.
        self.thread(&mut family, 0);
        if let Some(agent) = agent {
            self.add_runs(&mut family, agent);
        }
        let mut background = Family::new(format!("{name}, background"), Lanes::default());
        let mut calls = self.calls.get(&id).cloned().unwrap_or_default();
        for call in &calls {
            self.add_call(&mut family, call);
        }
        calls.retain(|call| call.background.is_some());
        calls.sort_by_key(|call| call.ended.unwrap_or(call.began).at);
        for call in calls {
            self.add_background(&mut background, call);
        }
    }

    /// Adds the runs of a subagent to its first lane. Runs that overlap an earlier one are put on
    /// other lanes.
    fn add_runs(&mut self, family: &mut Family, agent: &Agent<'_>) {
        let mut lanes = Lanes::default();
        let mut first = Vec::new();
        for run in &agent.runs {
            if !self.shows(run.began) {
                continue;
            }
            let end = run.ended.unwrap_or_else(|| self.last_seen(run.began));
            let times = (self.at(run.began), self.at(end));
            let args = TraceArgs::default()
                .with("agent_id", Some(agent.agent_id))
                .with("agent_type", agent.agent_type)
                .with("end", run.ended.is_none().then_some(UNKNOWN));
            let name = (agent_type(Some(agent)).to_owned(), "run");
            if lanes.take(times.0, times.1) == 0 {
                first.push(times);
                let tid = self.thread(family, 0);
                self.add(tid, name, times, args);
            } else {
                let mut apart = Family::new(format!("{}, run", family.name), Lanes::default());
                let tid = self.thread(&mut apart, 0);
                self.add(tid, name, times, args);
            }
        }
        family.lanes = Lanes::within(first);
    }

    fn add_call(&mut self, family: &mut Family, call: &Call<'_>) {
        let view = CallView::from(call);
        let end = call.ended.unwrap_or_else(|| self.last_seen(call.began));
        let times = (self.at(call.began), self.at(end));
        let tid = self.free(family, times);
        let args = TraceArgs::default()
            .with("what", view.what)
            .with("state", Some(call.state.as_str()))
            .with("error", view.error)
            .with("end", view.ended_at.is_none().then_some(UNKNOWN))
            .with("duration_ms", view.duration_ms)
            .with("wait_ms", view.wait_ms)
            .with("permission_ms", view.permission_ms)
            .with("tool_use_id", view.tool_use_id)
            .with("agent_id", view.agent_id)
            .with("prompt_id", view.prompt_id)
            .with("spawned_agent", view.spawned_agent)
            .with("background", view.background)
            .with("input_bytes", view.input_bytes)
            .with("output_bytes", view.output_bytes)
            .with("pid", view.pid);
        let tool = tool(call);
        let name = match call.state {
            CallState::Ok => tool.to_owned(),
            state => format!("{tool} ({})", state.as_str()),
        };
        self.add(tid, (name, "call"), times, args);
        if let Some(event) = self.events.last_mut() {
            event.colour = colour(call.state);
        }
        // How long the request was open is known only once it was answered.
        let asked = call
            .asked
            .map(|asked| self.at(asked).clamp(times.0, times.1));
        let took = call.permission().map(|it| i64::try_from(it.as_micros()));
        let answered = match (asked, took) {
            (Some(asked), Some(took)) => asked.saturating_add(took.unwrap_or(i64::MAX)),
            _ => times.1,
        };
        if let Some(asked) = asked {
            let answered = answered.clamp(asked, times.1);
            let args = TraceArgs::default().with("tool_use_id", view.tool_use_id);
            let name = ("waiting for permission".to_owned(), "permission");
            self.add(tid, name, (asked, answered), args);
        }
    }

    fn add_background(&mut self, family: &mut Family, call: &Call<'_>) {
        let began = call.ended.unwrap_or(call.began);
        let end = call.background_ended;
        let ended = end.unwrap_or_else(|| self.last_seen(began));
        let times = (self.at(began), self.at(ended).max(self.at(began)));
        let tid = self.free(family, times);
        let args = TraceArgs::default()
            .with("what", call.what)
            .with("background", call.background)
            .with("tool_use_id", call.tool_use_id)
            .with("end", end.is_none().then_some(UNKNOWN));
        let name = format!("{} (background)", tool(call));
        self.add(tid, (name, "background"), times, args);
    }

    fn shows(&self, began: Moment) -> bool {
        self.session.period.has(began.ts)
    }

    /// Returns the time of a moment by the clock of the session's first event, so that there are no
    /// jumps even if the clock was set.
    fn at(&self, moment: Moment) -> i64 {
        let first = self.span.0;
        let since = moment.at.saturating_sub(first.at);
        first.ts.micros().saturating_add(since)
    }

    /// Returns the moment at which something without a known end is shown to end: the end of its
    /// segment, or the last event.
    fn last_seen(&self, began: Moment) -> Moment {
        let segments = &self.session.activity.segments;
        let next = segments.partition_point(|it| it.began.at <= began.at);
        let current = next.checked_sub(1).and_then(|place| segments.get(place));
        let after = segments.get(next).map(|it| it.began);
        let end = current.and_then(|it| it.ended).or(after);
        let end = end.unwrap_or(self.span.1);
        if end.at < began.at { began } else { end }
    }

    /// Adds the slice to the first lane that is free for it, and returns the thread number of that
    /// lane.
    fn free(&mut self, family: &mut Family, (began, ended): (i64, i64)) -> u64 {
        let lane = family.lanes.take(began, ended);
        self.thread(family, lane)
    }

    /// Returns the thread number of a lane. Creates the thread if it is new. Viewers show threads
    /// in the order of their numbers.
    fn thread(&mut self, family: &mut Family, lane: usize) -> u64 {
        while family.tids.len() <= lane {
            self.count += 1;
            let place = (self.session.number, self.count);
            let name = match family.tids.len() {
                0 => family.name.clone(),
                others => format!("{} {}", family.name, others + 1),
            };
            let args = TraceArgs::default();
            let order = args.clone().with("sort_index", Some(self.count));
            let named = args.with("name", Some(escaped(&name)));
            self.names.push(metadata("thread_name", place, named));
            self.names.push(metadata("thread_sort_index", place, order));
            family.tids.push(self.count);
        }
        family.tids.get(lane).copied().unwrap_or(self.count)
    }

    fn add(
        &mut self,
        tid: u64,
        (name, category): (String, &'static str),
        (began, ended): (i64, i64),
        args: TraceArgs,
    ) {
        self.events.push(TraceEvent {
            length: Some(ended.saturating_sub(began).max(0)),
            ..self.event(tid, (&name, category), began, Phase::Slice, args)
        });
    }

    fn mark(&mut self, tid: u64, (name, category): (&str, &'static str), at: i64, args: TraceArgs) {
        self.events.push(TraceEvent {
            scope: Some("t"),
            ..self.event(tid, (name, category), at, Phase::Instant, args)
        });
    }

    fn event(
        &self,
        tid: u64,
        (name, category): (&str, &'static str),
        ts: i64,
        phase: Phase,
        args: TraceArgs,
    ) -> TraceEvent {
        TraceEvent {
            name: escaped(name),
            category,
            phase,
            ts,
            length: None,
            pid: self.session.number,
            tid,
            scope: None,
            colour: None,
            args,
        }
    }
}

fn tool<'a>(call: &Call<'a>) -> &'a str {
    call.tool.unwrap_or("?")
}

fn agent_type<'a>(agent: Option<&Agent<'a>>) -> &'a str {
    let kind = agent.and_then(|agent| agent.agent_type);
    kind.unwrap_or("subagent")
}

/// Returns the name of a subagent: its type and the beginning of its id.
fn agent_name(id: &str, agent: Option<&Agent<'_>>) -> String {
    let short: String = id.chars().take(SHORT).collect();
    format!("{} {short}", agent_type(agent))
}

/// Returns the name in `chrome://tracing` of the colour of a call, or `None` if the call is normal.
fn colour(state: CallState) -> Option<&'static str> {
    match state {
        CallState::Failed => Some("terrible"),
        CallState::Denied => Some("bad"),
        CallState::Abandoned | CallState::Running => Some("grey"),
        CallState::Ok | CallState::Backgrounded => None,
    }
}
