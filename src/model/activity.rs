//! What a session did: its calls, prompts, subagents, compactions and segments, from its events in order. Pure; any order
//! of arrival gives the same answer, because the events are put in order first.

mod by_process;
mod link;
mod running;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use by_process::ByProcess;
use running::{FEW, Running, Whose};

use super::call::{Call, Closed, Moment, State};
use super::event::Outcome;
use super::line::Kind;
use super::trace::{Batched, Span, Step, Trace};
use super::wording::is_clients_own_agent;

/// Copies of one event that come within this time are one event that several registered hooks told.
const SAME_MOMENT: i64 = 250_000;
/// A copy that names what it is about may come later, when a hook has to wait for its turn.
const SAME_WHILE: i64 = 10_000_000;
/// More events than this do not come in a moment.
const MOST_IN_A_MOMENT: usize = 1000;
/// How many of the last calls are looked through before the index of all.
const NEAR: usize = 16;

/// What a session did. Everything is in the order of its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity<'a> {
    /// The tool calls.
    pub calls: Vec<Call<'a>>,
    /// The prompts, and the turns that followed them.
    pub prompts: Vec<Prompt<'a>>,
    /// The subagents.
    pub agents: Vec<Agent<'a>>,
    /// The compactions of the context.
    pub compactions: Vec<Compaction<'a>>,
    /// The stretches in which a client had the session.
    pub segments: Vec<Segment<'a>>,
    /// The first and the last event.
    pub span: Option<(Moment, Moment)>,
    /// How many events there are.
    pub events: u64,
    /// How many events were told more than once, because hooks are registered more than once.
    pub duplicates: u64,
}

/// A prompt, and the turn that followed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// Its id; none from clients that send none.
    pub prompt_id: Option<&'a str>,
    /// When it was given.
    pub at: Moment,
    /// The background task whose end it tells; none for a person's prompt.
    pub notifies: Option<Notified<'a>>,
    /// When the turn was over.
    pub ended: Option<Moment>,
    /// How it ended.
    pub end: TurnEnd<'a>,
    pid: Option<u32>,
}

/// What a prompt that is not a person's is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notified<'a> {
    /// The background task that has ended.
    pub task_id: Option<&'a str>,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnEnd<'a> {
    /// It has not ended.
    Open,
    /// The model was done.
    Stopped,
    /// The model could not go on, for this reason.
    Failed(Option<&'a str>),
    /// Nothing told its end: interrupted, as the next prompt or the session's end shows.
    Interrupted,
}

/// A subagent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent<'a> {
    /// Its id.
    pub agent_id: &'a str,
    /// Its type.
    pub agent_type: Option<&'a str>,
    /// When it was first heard of.
    pub began: Moment,
    /// When it last stopped; none while it runs.
    pub ended: Option<Moment>,
    /// How often it ran, at least once: one that has stopped may be taken up again.
    pub runs: Vec<Run>,
    /// The client's process that it was last heard of in.
    pid: Option<u32>,
}

/// A time in which a subagent ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When it began, or was first heard of.
    pub began: Moment,
    /// When it stopped.
    pub ended: Option<Moment>,
    /// The call that started it, by its place among the calls.
    pub call: Option<usize>,
    /// Whether that call was told the subagent's id, and is not only guessed by the order of events.
    pub is_linked: bool,
    /// Whether its SubagentStart is on record.
    has_begun: bool,
    /// Whether a transcript told of it, and no hook.
    is_imported: bool,
}

impl Agent<'_> {
    fn end(&mut self, now: Moment) {
        self.ended = Some(now);
        if let Some(run) = self.runs.last_mut() {
            run.ended = Some(now);
        }
    }

    /// Which of its runs, by its place among them, was under way at `at`: the last one that had begun.
    pub fn run_at(&self, at: Moment) -> usize {
        let begun = self.runs.partition_point(|run| run.began.at <= at.at);
        begun.saturating_sub(1)
    }
}

/// A compaction of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction<'a> {
    /// When it began.
    pub began: Moment,
    /// When it was done.
    pub ended: Option<Moment>,
    /// `manual` or `auto`.
    pub trigger: Option<&'a str>,
}

/// A stretch in which one client had the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    /// When it began: at its SessionStart, or with the first event that was heard of it.
    pub began: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// What began it (`startup`, `resume`, `clear`, …); none where its beginning was not heard of.
    pub source: Option<&'a str>,
    /// Why it ended, as the client said.
    pub reason: Option<&'a str>,
    /// The client's process.
    pub pid: Option<u32>,
    /// Its last event.
    last: Moment,
    /// Whether only what may come before a start (Setup, InstructionsLoaded) was heard of it.
    is_before_start: bool,
}

impl<'a> Activity<'a> {
    /// What the events of `trace`, which are in order, tell.
    pub fn of(trace: &'a Trace) -> Self {
        Self::fold(trace, FEW)
    }

    fn fold(trace: &'a Trace, few: usize) -> Self {
        let mut fold = Fold::new(trace, few);
        for (place, step) in trace.steps().iter().enumerate() {
            fold.step(place, step);
        }
        let mut activity = fold.activity;
        link::agents(&activity.calls, &mut activity.agents);
        activity
    }

    /// Closes what is still open of clients that do not have the session any more. `has_it` tells whether the process of
    /// this pid has it; of events without a pid, whether any has.
    pub fn close(&mut self, has_it: impl Fn(Option<u32>) -> bool) {
        let Some((_, last)) = self.span else {
            return;
        };
        let segments = &mut self.segments;
        for segment in segments.iter_mut().filter(|segment| !has_it(segment.pid)) {
            segment.ended.get_or_insert(segment.last);
        }
        let mut by_process = ByProcess::default();
        segments.iter().for_each(|it| by_process.push(it.pid));
        let last_of = |pid: Option<u32>| {
            let of_pid = by_process.latest(pid).next();
            let segment = of_pid.and_then(|place| segments.get(place));
            segment.and_then(|segment| segment.ended).unwrap_or(last)
        };
        for call in &mut self.calls {
            if call.state == State::Running && !has_it(call.pid) {
                call.state = State::Abandoned;
                call.closed = Some(Closed::ByDeath);
                call.ended = Some(last_of(call.pid));
            }
        }
        for agent in &mut self.agents {
            if agent.ended.is_none() && !has_it(agent.pid) {
                agent.end(last_of(agent.pid));
            }
        }
        for prompt in &mut self.prompts {
            if prompt.end == TurnEnd::Open && !has_it(prompt.pid) {
                prompt.end = TurnEnd::Interrupted;
                prompt.ended = Some(last_of(prompt.pid));
            }
        }
    }

    /// The calls that have begun and not ended.
    pub fn open_calls(&self) -> impl Iterator<Item = &Call<'a>> {
        self.calls
            .iter()
            .filter(|call| call.state == State::Running)
    }
}

struct Fold<'a> {
    trace: &'a Trace,
    activity: Activity<'a>,
    /// The id and the agent of each call, beside the calls.
    ids: Vec<(Span, Span)>,
    /// The calls that are running.
    open: Running<'a>,
    /// Where each call is, by id and agent; filled only once one has to be looked for further back.
    index: HashMap<(&'a str, &'a str), usize>,
    indexed: usize,
    /// Where each subagent is.
    agents: HashMap<&'a str, usize>,
    /// The last call that left each background task running.
    left_behind: HashMap<&'a str, usize>,
    /// Which process each prompt is of.
    prompts: ByProcess,
    /// Which process each segment is of.
    segments: ByProcess,
    /// The segments that have no end, by their processes.
    open_segments: BTreeSet<(Option<u32>, usize)>,
    /// The same, in order.
    all_open_segments: BTreeSet<usize>,
}

impl<'a> Fold<'a> {
    fn new(trace: &'a Trace, few: usize) -> Self {
        Self {
            trace,
            activity: Activity::default(),
            ids: Vec::new(),
            open: Running::new(few),
            index: HashMap::new(),
            indexed: 0,
            agents: HashMap::new(),
            left_behind: HashMap::new(),
            prompts: ByProcess::default(),
            segments: ByProcess::default(),
            open_segments: BTreeSet::new(),
            all_open_segments: BTreeSet::new(),
        }
    }

    fn step(&mut self, place: usize, step: &Step) {
        let now = moment(step);
        self.activity.events += 1;
        let (_, last) = self.activity.span.get_or_insert((now, now));
        *last = now;
        if self.is_told_before(place, step) {
            self.activity.duplicates += 1;
            return;
        }
        self.heard_of(step, now);
        // Every compaction ends with the SubagentStop of a subagent that nobody started.
        if let Some(agent_id) = self
            .trace
            .text(step.agent_id)
            .filter(|_| step.kind != Kind::SubagentStop)
        {
            self.agent(agent_id, step, now);
        }
        match step.kind {
            Kind::PreToolUse => self.begin(step, now),
            Kind::PermissionRequest => self.ask(step, now),
            Kind::PermissionDenied => self.end(step, now, State::Denied),
            Kind::PostToolUse if self.is_left_behind(step) => {
                self.end(step, now, State::Backgrounded)
            }
            Kind::PostToolUse => self.end(step, now, State::Ok),
            Kind::PostToolUseFailure => self.end(step, now, State::Failed),
            Kind::PostToolBatch => self.batch(step, now),
            Kind::UserPromptSubmit => self.prompt(step, now),
            // As an imported turn ends that a person broke off.
            Kind::Stop if self.trace.text(step.word) == Some("interrupted") => {
                self.turn_over(step, now, TurnEnd::Interrupted)
            }
            Kind::Stop => self.turn_over(step, now, TurnEnd::Stopped),
            Kind::StopFailure => {
                self.turn_over(step, now, TurnEnd::Failed(self.trace.text(step.word)))
            }
            Kind::SubagentStop => self.agent_ends(step, now),
            Kind::SessionEnd => self.session_ends(step, now),
            Kind::PreCompact => self.activity.compactions.push(Compaction {
                began: now,
                ended: None,
                trigger: self.trace.text(step.word),
            }),
            Kind::PostCompact => {
                if let Some(last) = self.activity.compactions.last_mut() {
                    last.ended.get_or_insert(now);
                }
            }
            // An imported notice that came in the middle of a turn.
            Kind::Other => {
                let task = self.notifies(step).and_then(|notified| notified.task_id);
                self.background_over(task, now);
            }
            Kind::SubagentStart
            | Kind::SessionStart
            | Kind::RunStart
            | Kind::RunEnd
            | Kind::ClockIn
            | Kind::CwdChanged => {}
        }
    }

    /// Whether this is a copy of an event that another hook told. Events of calls with ids are told by those.
    fn is_told_before(&self, place: usize, step: &Step) -> bool {
        match step.kind {
            // What is imported is there once: two prompts of one moment are two.
            _ if step.is_imported() => false,
            Kind::UserPromptSubmit if self.is_prompt_again(step) => true,
            Kind::SubagentStart if self.is_run_again(step) => true,
            Kind::SessionStart if self.is_start_again(step) => true,
            Kind::SessionStart
            | Kind::SessionEnd
            | Kind::UserPromptSubmit
            | Kind::SubagentStart
            | Kind::SubagentStop
            | Kind::Stop
            | Kind::StopFailure
            | Kind::PreCompact
            | Kind::PostCompact
            | Kind::CwdChanged
            | Kind::PermissionRequest => self.is_same_moment(place, step),
            Kind::PreToolUse
            | Kind::PostToolUse
            | Kind::PostToolUseFailure
            | Kind::PermissionDenied
                if self.trace.text(step.tool_use_id).is_none() =>
            {
                // Of two calls of one tool side by side, only what they did tells which is which.
                let is_distinct = self.trace.text(step.what).is_some()
                    || step.input_bytes.is_some()
                    || step.output_bytes.is_some()
                    || step.duration_ms.is_some();
                let ends_none = step.kind != Kind::PreToolUse && self.find_unnamed(step).is_none();
                (is_distinct || ends_none) && self.is_same_moment(place, step)
            }
            _ => false,
        }
    }

    /// Whether the same was told a moment ago, word for word.
    fn is_same_moment(&self, place: usize, step: &Step) -> bool {
        let earlier = self.trace.steps().get(..place).unwrap_or_default();
        let is_copy = |other: &Step| {
            let texts = |step: &Step| {
                [
                    step.agent_id,
                    step.prompt_id,
                    step.word,
                    step.task,
                    step.tool,
                    step.what,
                ]
            };
            let numbers = |step: &Step| (step.duration_ms, step.input_bytes, step.output_bytes);
            let pairs = texts(other).into_iter().zip(texts(step));
            other.kind == step.kind
                && other.pid == step.pid
                && numbers(other) == numbers(step)
                && pairs
                    .into_iter()
                    .all(|(one, other)| self.trace.is_same(one, other))
        };
        earlier
            .iter()
            .rev()
            .take(MOST_IN_A_MOMENT)
            .take_while(|other| step.at - other.at <= SAME_MOMENT)
            .any(is_copy)
    }

    /// Whether the client's last prompt is this one: its turn goes on, or was over a moment ago.
    fn is_prompt_again(&self, step: &Step) -> bool {
        let id = self.trace.text(step.prompt_id);
        let last = self.prompts.last(step.pid);
        let last = last.and_then(|place| self.activity.prompts.get(place));
        last.is_some_and(|last| {
            let is_same =
                id.is_some() && last.prompt_id == id && last.notifies == self.notifies(step);
            is_same && (last.end == TurnEnd::Open || step.at - last.at.at <= SAME_WHILE)
        })
    }

    /// Whether the subagent that begins began just now, and has not stopped since.
    fn is_run_again(&self, step: &Step) -> bool {
        let id = self.trace.text(step.agent_id);
        let place = id.and_then(|id| self.agents.get(id));
        let agent = place.and_then(|place| self.activity.agents.get(*place));
        let run = agent.and_then(|agent| Some((agent.pid, agent.runs.last()?)));
        run.is_some_and(|(pid, run)| {
            let is_open = run.ended.is_none() && run.has_begun;
            is_open && pid == step.pid && step.at - run.began.at <= SAME_WHILE
        })
    }

    /// Whether the client that begins began just now, and has not ended since. After a compaction one begins once more.
    fn is_start_again(&self, step: &Step) -> bool {
        let source = self.trace.text(step.word);
        let last = self.segments.last(step.pid);
        let last = last.and_then(|place| self.activity.segments.get(place));
        last.is_some_and(|last| {
            let is_open = last.ended.is_none() && !last.is_before_start;
            step.pid.is_some()
                && is_open
                && source.is_some_and(|source| source != "compact")
                && last.source == source
                && step.at - last.began.at <= SAME_WHILE
        })
    }

    /// Notes which client the event is of. One whose start was not heard of begins a segment all the same.
    fn heard_of(&mut self, step: &Step, now: Moment) {
        if matches!(step.kind, Kind::RunStart | Kind::RunEnd | Kind::ClockIn) {
            return;
        }
        let source = self.trace.text(step.word);
        let is_start = step.kind == Kind::SessionStart && source != Some("compact");
        let last = self.activity.segments.len().checked_sub(1);
        let is_last = |place: &usize| {
            let segment = self.activity.segments.get(*place);
            segment.is_some_and(|segment| is_of(segment.pid, step.pid))
        };
        // Nearly always it is the last one of all.
        let place = last
            .filter(is_last)
            .or_else(|| self.segments.latest(step.pid).next());
        let segment = place.and_then(|place| {
            let segment = self.activity.segments.get_mut(place)?;
            Some((place, segment))
        });
        if let Some((place, last)) = segment {
            // A late event after the end reopens nothing; a prompt does.
            if is_start && last.is_before_start {
                last.source = source;
                last.is_before_start = false;
                last.last = now;
                return;
            }
            let goes_on = match step.kind {
                _ if is_start => false,
                Kind::UserPromptSubmit => last.ended.is_none(),
                _ => true,
            };
            if goes_on {
                last.is_before_start &= step.kind == Kind::Other;
                last.last = now;
                return;
            }
            last.ended.get_or_insert(last.last);
            let pid = last.pid;
            self.segment_over(pid, place);
        }
        let place = self.activity.segments.len();
        self.segments.push(step.pid);
        self.open_segments.insert((step.pid, place));
        self.all_open_segments.insert(place);
        self.activity.segments.push(Segment {
            began: now,
            ended: None,
            source: source.filter(|_| is_start),
            reason: None,
            pid: step.pid,
            last: now,
            is_before_start: step.kind == Kind::Other,
        });
    }

    /// Notes that a segment has an end.
    fn segment_over(&mut self, pid: Option<u32>, place: usize) {
        self.open_segments.remove(&(pid, place));
        self.all_open_segments.remove(&place);
    }

    /// Where the last segment is that has no end and may be of this process.
    fn last_open_segment(&self, pid: Option<u32>) -> Option<usize> {
        let of = |pid| {
            let same = self.open_segments.range((pid, 0)..=(pid, usize::MAX));
            same.last().map(|(_, place)| *place)
        };
        match pid {
            Some(_) => of(pid).max(of(None)),
            None => self.all_open_segments.last().copied(),
        }
    }

    /// Where the running call with this id of this agent is.
    fn find_open(&self, agent: Span, id: Span) -> Option<usize> {
        let is_it = |place: usize| {
            self.ids
                .get(place)
                .is_some_and(|ids| self.is_same(*ids, (id, agent)))
        };
        self.open
            .find(is_it, || (self.trace.text(id), self.trace.text(agent)))
    }

    fn is_same(&self, one: (Span, Span), other: (Span, Span)) -> bool {
        self.trace.is_same(one.0, other.0) && self.trace.is_same(one.1, other.1)
    }

    /// Where the last call with this id of this agent is.
    fn find(&mut self, agent: Span, id: Span) -> Option<usize> {
        if let Some(open) = self.find_open(agent, id) {
            return Some(open);
        }
        let near = self.ids.len().saturating_sub(NEAR);
        let recent = self.ids.get(near..).unwrap_or_default();
        if let Some(place) = recent
            .iter()
            .rposition(|ids| self.is_same(*ids, (id, agent)))
        {
            return Some(near + place);
        }
        let trace = self.trace;
        let key = |id: Span, agent: Span| {
            (
                trace.text(id).unwrap_or_default(),
                trace.text(agent).unwrap_or_default(),
            )
        };
        for (place, (id, agent)) in self.ids.iter().enumerate().take(near).skip(self.indexed) {
            self.index.insert(key(*id, *agent), place);
        }
        self.indexed = self.indexed.max(near);
        self.index.get(&key(id, agent)).copied()
    }

    fn find_call(&mut self, step: &Step) -> Option<usize> {
        if self.trace.text(step.tool_use_id).is_some() {
            return self.find(step.agent_id, step.tool_use_id);
        }
        self.find_unnamed(step)
    }

    /// The call that an event without a call's id is about. An old client sends none: the calls of one tool end in the
    /// order in which they began.
    fn find_unnamed(&self, step: &Step) -> Option<usize> {
        self.open
            .oldest_unnamed(&self.activity.calls, self.tool_of(step))
    }

    /// The thread that an event is of, its tool and its process.
    fn tool_of(&self, step: &Step) -> (Option<&'a str>, Option<&'a str>, Option<u32>) {
        let text = |span| self.trace.text(span);
        (text(step.agent_id), text(step.tool), step.pid)
    }

    fn add(&mut self, call: Call<'a>, id: Span, agent: Span) {
        let is_running = call.state == State::Running;
        self.activity.calls.push(call);
        self.ids.push((id, agent));
        if is_running {
            self.open.push(&self.activity.calls);
        }
    }

    fn new_call(&self, step: &Step, now: Moment) -> Call<'a> {
        let text = |span| self.trace.text(span);
        Call {
            tool_use_id: text(step.tool_use_id),
            tool: text(step.tool),
            what: text(step.what),
            agent_id: text(step.agent_id),
            prompt_id: text(step.prompt_id),
            pid: step.pid,
            began: now,
            has_begun: false,
            ended: None,
            state: State::Running,
            closed: None,
            error: None,
            execution: None,
            asked: None,
            input_bytes: step.input_bytes,
            output_bytes: None,
            background: None,
            background_ended: None,
            spawned_agent: text(step.spawned_agent),
            in_batch: false,
        }
    }

    fn begin(&mut self, step: &Step, now: Moment) {
        let has_id = self.trace.text(step.tool_use_id).is_some();
        if has_id && self.find_open(step.agent_id, step.tool_use_id).is_some() {
            self.activity.duplicates += 1;
            return;
        }
        let call = Call {
            has_begun: true,
            ..self.new_call(step, now)
        };
        self.add(call, step.tool_use_id, step.agent_id);
    }

    /// A question names no call: it is about the oldest one of its tool that has not been asked about, if it can be of
    /// one with an input of the same size.
    fn ask(&mut self, step: &Step, now: Moment) {
        let calls = &self.activity.calls;
        let of_tool = self.tool_of(step);
        let place = self.open.ask(calls, of_tool, step.input_bytes);
        if let Some(call) = place.and_then(|place| self.activity.calls.get_mut(place)) {
            call.asked = Some(now);
        }
    }

    fn is_left_behind(&self, step: &Step) -> bool {
        self.trace.text(step.task).is_some()
    }

    /// Ends a call by an event of its own.
    fn end(&mut self, step: &Step, now: Moment, state: State) {
        let trace = self.trace;
        let execution = step.duration_ms.map(Duration::from_millis);
        let place = self.find_call(step).unwrap_or_else(|| {
            let ran = i64::try_from(step.duration_ms.unwrap_or(0))
                .unwrap_or(0)
                .saturating_mul(1000);
            let began = Moment {
                ts: crate::model::Timestamp::from_micros(now.ts.micros().saturating_sub(ran)),
                at: now.at.saturating_sub(ran),
            };
            self.add(self.new_call(step, began), step.tool_use_id, step.agent_id);
            self.activity.calls.len() - 1
        });
        let closed = self.activity.calls.get(place).map(|call| call.closed);
        if closed == Some(Some(Closed::ByItself)) {
            self.activity.duplicates += 1;
            return;
        }
        self.open.remove(place, &self.activity.calls);
        let Some(call) = self.activity.calls.get_mut(place) else {
            return;
        };
        call.state = state;
        call.closed = Some(Closed::ByItself);
        call.ended = Some(now);
        call.error = trace.text(step.word).filter(|_| state == State::Failed);
        call.execution = execution;
        call.input_bytes = call.input_bytes.or(step.input_bytes);
        call.output_bytes = step.output_bytes;
        call.background = trace.text(step.task);
        call.spawned_agent = trace.text(step.spawned_agent).or(call.spawned_agent);
        if let Some(task) = call.background {
            self.left_behind.insert(task, place);
        }
    }

    /// The end of a message's calls, which alone sees those that were refused or never valid.
    fn batch(&mut self, step: &Step, now: Moment) {
        let mut news = 0;
        for batched in self.trace.batch(step) {
            if self.batched(step, now, batched) {
                news += 1;
            }
        }
        if news == 0 && !self.trace.batch(step).is_empty() {
            self.activity.duplicates += 1;
        }
    }

    /// Ends one call of a batch, where nothing else has. Whether the batch is the first to tell of it is the answer.
    fn batched(&mut self, step: &Step, now: Moment, batched: &Batched) -> bool {
        let trace = self.trace;
        let known = self.find(step.agent_id, batched.tool_use_id);
        let place = known.unwrap_or_else(|| {
            let call = Call {
                tool_use_id: trace.text(batched.tool_use_id),
                tool: trace.text(batched.tool),
                ..self.new_call(step, now)
            };
            self.add(call, batched.tool_use_id, step.agent_id);
            self.activity.calls.len() - 1
        });
        let Some(call) = self.activity.calls.get_mut(place) else {
            return false;
        };
        if std::mem::replace(&mut call.in_batch, true) {
            return false;
        }
        if call.closed != Some(Closed::ByItself) {
            self.open.remove(place, &self.activity.calls);
            let Some(call) = self.activity.calls.get_mut(place) else {
                return false;
            };
            call.state = match batched.outcome {
                Some(Outcome::Failed) => State::Failed,
                Some(Outcome::Denied) => State::Denied,
                // What ran has an event of its own before the batch: this did not, whatever the words are.
                None if call.has_begun => State::Denied,
                None => State::Ok,
            };
            call.closed = Some(Closed::ByBatch);
            call.error = Some("other").filter(|_| call.state == State::Failed);
            call.ended = Some(now);
        }
        true
    }

    /// What the prompt is about, where it is no person's.
    fn notifies(&self, step: &Step) -> Option<Notified<'a>> {
        let task_id = self.trace.text(step.task);
        let word = self.trace.text(step.word);
        (word == Some("task-notification")).then_some(Notified { task_id })
    }

    fn prompt(&mut self, step: &Step, now: Moment) {
        let notifies = self.notifies(step);
        if let Some(notified) = notifies {
            self.background_over(notified.task_id, now);
        } else {
            self.abandon(now, Closed::ByPrompt, Whose::Thread(None, step.pid));
            self.end_turns(step.pid, now, TurnEnd::Interrupted);
        }
        self.prompts.push(step.pid);
        self.activity.prompts.push(Prompt {
            prompt_id: self.trace.text(step.prompt_id),
            at: now,
            notifies,
            ended: None,
            end: TurnEnd::Open,
            pid: step.pid,
        });
    }

    fn turn_over(&mut self, step: &Step, now: Moment, end: TurnEnd<'a>) {
        let agent = self.trace.text(step.agent_id);
        let closed = if agent.is_some() {
            Closed::BySubagent
        } else {
            Closed::ByTurn
        };
        self.abandon(now, closed, Whose::Thread(agent, step.pid));
        if agent.is_none() {
            self.end_turns(step.pid, now, end);
        }
    }

    /// Ends the turns of a client that are open. A Stop hook may make the model go on: then the last turn ends once more.
    fn end_turns(&mut self, pid: Option<u32>, now: Moment, end: TurnEnd<'a>) {
        let prompts = &mut self.activity.prompts;
        let mut of_client = self.prompts.latest(pid);
        let last = of_client.next().and_then(|place| prompts.get_mut(place));
        let Some(last) = last else {
            return;
        };
        if last.end == TurnEnd::Open || end != TurnEnd::Interrupted {
            last.end = end;
            last.ended = Some(now);
        }
        for place in of_client {
            match prompts.get_mut(place) {
                Some(earlier) if earlier.end == TurnEnd::Open => {
                    earlier.end = end;
                    earlier.ended = Some(now);
                }
                _ => break,
            }
        }
    }

    /// A subagent begins, or one is heard of whose beginning was not.
    fn agent(&mut self, agent_id: &'a str, step: &Step, now: Moment) {
        if is_clients_own_agent(agent_id) {
            return;
        }
        let agents = &mut self.activity.agents;
        let place = *self.agents.entry(agent_id).or_insert(agents.len());
        if place == agents.len() {
            agents.push(Agent {
                agent_id,
                agent_type: None,
                began: now,
                ended: None,
                runs: Vec::new(),
                pid: None,
            });
        }
        let Some(agent) = agents.get_mut(place) else {
            return;
        };
        agent.pid = step.pid.or(agent.pid);
        agent.agent_type = agent
            .agent_type
            .or_else(|| self.trace.text(step.agent_type));
        let is_start = step.kind == Kind::SubagentStart;
        match agent.runs.last_mut() {
            // It may have been heard of before its start was.
            Some(run)
                if is_start
                    && !run.has_begun
                    && run.ended.is_none()
                    && now.at - run.began.at <= SAME_WHILE =>
            {
                run.has_begun = true;
            }
            Some(run) if !is_start && (step.kind != Kind::PreToolUse || run.ended.is_none()) => {}
            _ => {
                agent.ended = None;
                agent.runs.push(Run {
                    began: now,
                    ended: None,
                    call: None,
                    is_linked: false,
                    has_begun: is_start,
                    is_imported: step.is_imported(),
                });
            }
        }
    }

    fn agent_ends(&mut self, step: &Step, now: Moment) {
        let Some(agent_id) = self.trace.text(step.agent_id) else {
            return;
        };
        let whose = Whose::Thread(Some(agent_id), None);
        self.abandon(now, Closed::BySubagent, whose);
        let place = self.agents.get(agent_id);
        if let Some(agent) = place.and_then(|place| self.activity.agents.get_mut(*place)) {
            agent.end(now);
        }
        self.background_over(Some(agent_id), now);
    }

    fn background_over(&mut self, task: Option<&str>, now: Moment) {
        let place = task.and_then(|task| self.left_behind.get(task));
        if let Some(call) = place.and_then(|place| self.activity.calls.get_mut(*place)) {
            call.background_ended.get_or_insert(now);
        }
    }

    fn session_ends(&mut self, step: &Step, now: Moment) {
        self.abandon(now, Closed::BySession, Whose::Process(step.pid));
        self.end_turns(step.pid, now, TurnEnd::Interrupted);
        let Some(place) = self.last_open_segment(step.pid) else {
            return;
        };
        if let Some(segment) = self.activity.segments.get_mut(place) {
            segment.ended = Some(now);
            segment.reason = self.trace.text(step.word);
            let pid = segment.pid;
            self.segment_over(pid, place);
        }
    }

    /// Gives up running calls.
    fn abandon(&mut self, now: Moment, closed: Closed, whose: Whose<'_>) {
        for place in self.open.take(&self.activity.calls, whose) {
            if let Some(call) = self.activity.calls.get_mut(place) {
                call.state = State::Abandoned;
                call.closed = Some(closed);
                call.ended = Some(now);
            }
        }
    }
}

fn moment(step: &Step) -> Moment {
    Moment {
        ts: step.ts,
        at: step.at,
    }
}

/// Whether what one process did may be of the other: an unknown one is any.
fn is_of(one: Option<u32>, other: Option<u32>) -> bool {
    one.is_none() || other.is_none() || one == other
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::line::Line;
    use super::super::time::Timestamp;
    use super::*;

    /// An event of process 7 at this millisecond.
    fn line(event: &'static str, at: i64) -> Line<'static> {
        Line {
            kind: event.into(),
            event,
            ts: Some(Timestamp::from_micros(1_800_000_000_000_000 + at * 1000)),
            mono: u64::try_from(5_000_000_000 + at * 1000).ok(),
            pid: Some(7),
            ..Line::default()
        }
    }

    fn call(event: &'static str, id: &'static str, at: i64) -> Line<'static> {
        Line {
            tool: Some("Bash"),
            tool_use_id: Some(id),
            ..line(event, at)
        }
    }

    fn post(id: &'static str, at: i64, ran: u64) -> Line<'static> {
        Line {
            duration_ms: Some(ran),
            ..call("PostToolUse", id, at)
        }
    }

    fn trace(lines: &[Line<'_>]) -> Trace {
        let mut trace = Trace::with_labels();
        lines.iter().for_each(|line| trace.push(line));
        trace.order();
        trace
    }

    /// The states of the calls, in order.
    #[track_caller]
    fn check(lines: &[Line<'_>], states: &[State]) {
        let trace = trace(lines);
        let found: Vec<State> = Activity::of(&trace)
            .calls
            .iter()
            .map(|call| call.state)
            .collect();
        assert_eq!(found, states);
    }

    #[test]
    fn a_call_is_open_until_something_ends_it() {
        let pre = call("PreToolUse", "t1", 0);
        check(std::slice::from_ref(&pre), &[State::Running]);
        check(&[pre.clone(), post("t1", 9, 3)], &[State::Ok]);
        check(
            &[pre.clone(), post("t2", 9, 3)],
            &[State::Running, State::Ok],
        );
        check(
            &[pre.clone(), call("PostToolUseFailure", "t1", 9)],
            &[State::Failed],
        );
        check(
            &[pre.clone(), call("PermissionDenied", "t1", 9)],
            &[State::Denied],
        );
        for end in ["Stop", "StopFailure", "UserPromptSubmit", "SessionEnd"] {
            check(&[pre.clone(), line(end, 9)], &[State::Abandoned]);
        }
        check(&[pre.clone(), line("Notification", 9)], &[State::Running]);
        let background = Line {
            background: Some("b1"),
            ..post("t1", 9, 3)
        };
        check(&[pre, background], &[State::Backgrounded]);
    }

    #[test]
    fn what_is_told_late_overrides_what_was_concluded() {
        let pre = call("PreToolUse", "t1", 0);
        check(
            &[pre.clone(), line("Stop", 5), post("t1", 9, 3)],
            &[State::Ok],
        );
        check(
            &[
                pre,
                line("SessionEnd", 5),
                call("PostToolUseFailure", "t1", 9),
            ],
            &[State::Failed],
        );
    }

    #[test]
    fn the_end_of_a_turn_is_of_its_own_process_and_thread() {
        let of_agent = |line: Line<'static>| Line {
            agent_id: Some("a1"),
            ..line
        };
        let pre = of_agent(call("PreToolUse", "t1", 0));
        check(&[pre.clone(), line("Stop", 5)], &[State::Running]);
        check(
            &[pre.clone(), of_agent(line("SubagentStop", 5))],
            &[State::Abandoned],
        );
        let other = Line {
            pid: Some(8),
            ..line("Stop", 5)
        };
        check(&[call("PreToolUse", "t1", 0), other], &[State::Running]);
    }

    #[test]
    fn a_call_that_never_ran_is_known_by_its_batch() {
        let batch = |outcome| Line {
            calls: vec![crate::model::event::BatchCall {
                tool_use_id: Some("t1".to_owned()),
                tool: Some("Bash".to_owned()),
                outcome,
            }]
            .into(),
            ..line("PostToolBatch", 9)
        };
        let pre = call("PreToolUse", "t1", 0);
        check(&[batch(Some(Outcome::Failed))], &[State::Failed]);
        check(&[batch(None)], &[State::Ok]);
        check(
            &[pre.clone(), batch(Some(Outcome::Denied))],
            &[State::Denied],
        );
        check(&[pre.clone(), batch(None)], &[State::Denied]);
        check(&[pre, post("t1", 5, 3), batch(None)], &[State::Ok]);
    }

    #[test]
    fn calls_of_clients_that_send_no_ids_end_in_their_order() {
        let old = |event, at| Line {
            tool_use_id: None,
            ..call(event, "", at)
        };
        let lines = [
            old("PreToolUse", 0),
            old("PreToolUse", 10),
            old("PostToolUse", 20),
            old("PostToolUseFailure", 30),
        ];
        check(&lines, &[State::Ok, State::Failed]);
    }

    #[test]
    fn an_id_that_is_used_again_is_another_call_and_one_told_twice_is_not() {
        let again = [
            call("PreToolUse", "t1", 0),
            post("t1", 9, 3),
            call("PreToolUse", "t1", 5000),
            post("t1", 5009, 3),
        ];
        check(&again, &[State::Ok, State::Ok]);
        let twice = [0, 1].map(|at| call("PreToolUse", "t1", at));
        let lines = [&twice[..], &[post("t1", 9, 3), post("t1", 10, 3)]].concat();
        let trace = trace(&lines);
        let activity = Activity::of(&trace);
        assert_eq!((activity.calls.len(), activity.duplicates), (1, 2));
    }

    /// The calls and prompts, and the events that were told once more.
    #[track_caller]
    fn check_copies(lines: &[Line<'_>], calls: usize, prompts: usize, duplicates: u64) {
        let trace = trace(lines);
        let activity = Activity::of(&trace);
        let found = (
            activity.calls.len(),
            activity.prompts.len(),
            activity.duplicates,
        );
        assert_eq!(found, (calls, prompts, duplicates), "{:#?}", activity.calls);
        assert!(activity.calls.iter().all(|call| call.state == State::Ok));
    }

    #[test]
    fn a_question_told_twice_is_asked_once() {
        let ask = |at, input_bytes| Line {
            tool: Some("Bash"),
            input_bytes,
            ..line("PermissionRequest", at)
        };
        let asked = |second: Line<'static>| {
            let lines = [
                call("PreToolUse", "t1", 0),
                Line {
                    input_bytes: Some(30),
                    ..call("PreToolUse", "t2", 1)
                },
                ask(100, None),
                second,
                post("t2", 9000, 10),
                post("t1", 9900, 10),
            ];
            let trace = trace(&lines);
            let activity = Activity::of(&trace);
            (
                activity
                    .calls
                    .iter()
                    .map(|call| call.asked.is_some())
                    .collect::<Vec<_>>(),
                activity.duplicates,
            )
        };
        assert_eq!(asked(ask(105, None)), (vec![true, false], 1));
        assert_eq!(asked(ask(105, Some(30))), (vec![true, true], 0));
        assert_eq!(asked(ask(900, None)), (vec![true, true], 0));
        let first = [
            ask(100, Some(30)),
            call("PreToolUse", "t1", 0),
            Line {
                input_bytes: Some(30),
                ..call("PreToolUse", "t2", 1)
            },
        ];
        let trace = trace(&first);
        let activity = Activity::of(&trace);
        assert_eq!(
            activity.calls[1].asked.map(|asked| asked.at),
            Some(trace.steps()[2].at)
        );
    }

    #[test]
    fn a_prompt_is_known_by_its_id_however_late_its_copy_is() {
        let prompt = |id, at| Line {
            prompt_id: Some(id),
            ..line("UserPromptSubmit", at)
        };
        let lines = |second| {
            [
                prompt("p1", 0),
                call("PreToolUse", "t1", 10),
                second,
                post("t1", 900, 800),
                line("Stop", 950),
            ]
        };
        check_copies(&lines(prompt("p1", 400)), 1, 1, 1);
        check_copies(&lines(line("UserPromptSubmit", 400)), 1, 2, 0);
        let after = [
            prompt("p1", 0),
            line("Stop", 300),
            prompt("p1", 400),
            prompt("p1", 60_000),
        ];
        check_copies(&after, 0, 2, 1);
    }

    #[test]
    fn a_start_told_late_begins_nothing_anew() {
        let start = |at| Line {
            source: Some("startup"),
            ..line("SessionStart", at)
        };
        let lines = [
            start(0),
            start(400),
            subagent("a1", 1000),
            subagent("a1", 1400),
            line("Stop", 2000),
        ];
        let trace = trace(&lines);
        let activity = Activity::of(&trace);
        assert_eq!(
            (
                activity.segments.len(),
                activity.agents[0].runs.len(),
                activity.duplicates
            ),
            (1, 1, 2)
        );
        let early = [
            Line {
                agent_id: Some("a1"),
                ..call("PreToolUse", "t1", 0)
            },
            subagent("a1", 400),
            post("t1", 900, 10),
        ];
        assert_eq!(Activity::of(&self::trace(&early)).agents[0].runs.len(), 1);
    }

    #[test]
    fn calls_without_ids_are_told_twice_where_what_they_did_is_the_same() {
        let old = |event, what, at| Line {
            tool_use_id: None,
            what: Some(super::super::line::Label::Plain(what)),
            ..call(event, "", at)
        };
        let end = |output_bytes, at| Line {
            tool_use_id: None,
            output_bytes,
            ..call("PostToolUse", "", at)
        };
        let one = [
            old("PreToolUse", "List", 0),
            old("PreToolUse", "List", 5),
            end(None, 900),
            end(None, 905),
        ];
        check_copies(&one, 1, 0, 2);
        let two = [
            old("PreToolUse", "List", 0),
            old("PreToolUse", "List", 5),
            old("PreToolUse", "Show", 6),
            old("PreToolUse", "Show", 8),
            end(Some(10), 900),
            end(Some(10), 905),
            end(Some(20), 910),
            end(Some(20), 915),
        ];
        check_copies(&two, 2, 0, 4);
        let bare = |event, at| Line {
            tool_use_id: None,
            ..call(event, "", at)
        };
        let unlike = [
            bare("PreToolUse", 0),
            bare("PreToolUse", 5),
            bare("PostToolUse", 900),
            bare("PostToolUse", 905),
        ];
        check_copies(&unlike, 2, 0, 0);
    }

    #[test]
    fn waiting_is_told_from_running_and_from_permission() {
        let asked = Line {
            tool: Some("Bash"),
            ..line("PermissionRequest", 100)
        };
        let trace = trace(&[call("PreToolUse", "t1", 0), asked, post("t1", 1000, 300)]);
        let activity = Activity::of(&trace);
        let told = &activity.calls[0];
        let millis = |took: Option<Duration>| took.map(|took| took.as_millis());
        assert_eq!(millis(told.duration()), Some(300));
        assert_eq!(millis(told.permission()), Some(600));
        assert_eq!(millis(told.wait()), Some(100));
    }

    fn subagent(agent_id: &'static str, at: i64) -> Line<'static> {
        Line {
            agent_id: Some(agent_id),
            ..line("SubagentStart", at)
        }
    }

    #[test]
    fn what_a_dead_process_began_is_given_up_when_it_was_last_heard_of() {
        let lines = [
            line("SessionStart", 0),
            subagent("a1", 9),
            call("PreToolUse", "t1", 10),
            Line {
                pid: Some(8),
                ..line("SessionStart", 60_000)
            },
            Line {
                pid: Some(8),
                ..call("PreToolUse", "t2", 61_000)
            },
            Line {
                pid: Some(8),
                ..subagent("a2", 61_001)
            },
        ];
        let trace = trace(&lines);
        let mut activity = Activity::of(&trace);
        activity.close(|pid| pid == Some(8));
        let states: Vec<State> = activity.calls.iter().map(|call| call.state).collect();
        assert_eq!(states, [State::Abandoned, State::Running]);
        assert_eq!(activity.calls[0].elapsed(), Some(Duration::ZERO));
        let ends: Vec<Option<Moment>> = activity.agents.iter().map(|agent| agent.ended).collect();
        assert_eq!(ends, [activity.calls[0].ended, None]);
    }

    /// The session of the next two tests: two calls, the clock set by `jump` milliseconds between them.
    fn with_jump(jump: i64) -> Vec<Line<'static>> {
        let mut lines = vec![
            line("SessionStart", 0),
            line("UserPromptSubmit", 10),
            call("PreToolUse", "t1", 20),
            post("t1", 2020, 2000),
            call("PreToolUse", "t2", 3000),
            post("t2", 7000, 4000),
            line("Stop", 7100),
        ];
        for late in lines.iter_mut().skip(3) {
            late.ts = late
                .ts
                .map(|ts| Timestamp::from_micros(ts.micros() + jump * 1000));
        }
        lines
    }

    #[test]
    fn a_clock_that_is_set_changes_neither_order_nor_duration() {
        let plain = with_jump(0);
        for jump in [-86_400_000, -5000, 5000, 86_400_000] {
            let jumped = with_jump(jump);
            let (plain, jumped) = (trace(&plain), trace(&jumped));
            let told = |trace| {
                let activity = Activity::of(trace);
                let call = |call: &Call<'_>| {
                    (
                        call.tool_use_id.map(str::to_owned),
                        call.state,
                        call.elapsed(),
                    )
                };
                activity.calls.iter().map(call).collect::<Vec<_>>()
            };
            assert_eq!(told(&jumped), told(&plain), "{jump}");
        }
    }

    fn set_by(mut line: Line<'static>, micros: i64) -> Line<'static> {
        line.ts = line
            .ts
            .map(|ts| Timestamp::from_micros(ts.micros() + micros));
        line
    }

    /// Everything that is told but the time of day: in microseconds from the first event on.
    fn told(trace: &Trace) -> Vec<String> {
        let activity = Activity::of(trace);
        let start = activity.span.map_or(0, |(first, _)| first.at);
        let at = |moment: Moment| moment.at - start;
        let end = |moment: Option<Moment>| moment.map(at);
        let calls = activity.calls.iter().map(|it| {
            let times = (at(it.began), end(it.asked), end(it.ended), it.duration());
            format!(
                "{:?} {:?} {:?} {:?} {times:?}",
                it.agent_id, it.tool_use_id, it.state, it.closed
            )
        });
        let prompts = activity
            .prompts
            .iter()
            .map(|it| format!("{:?} {} {:?}", it.end, at(it.at), end(it.ended)));
        let agents = activity
            .agents
            .iter()
            .map(|it| format!("{} {} {:?}", it.agent_id, at(it.began), end(it.ended)));
        let compactions = activity
            .compactions
            .iter()
            .map(|it| format!("{} {:?}", at(it.began), end(it.ended)));
        let segments = activity
            .segments
            .iter()
            .map(|it| format!("{:?} {} {:?}", it.pid, at(it.began), end(it.ended)));
        let numbers = format!(
            "{} {} {:?}",
            activity.events,
            activity.duplicates,
            activity.span.map(|(_, last)| at(last))
        );
        let lists = calls
            .chain(prompts)
            .chain(agents)
            .chain(compactions)
            .chain(segments);
        lists.chain([numbers]).collect()
    }

    #[test]
    fn a_clock_that_is_set_and_set_back_changes_neither_order_nor_duration() {
        const HOUR: i64 = 3_600_000_000;
        let plain = [
            line("SessionStart", 0),
            line("UserPromptSubmit", 10),
            call("PreToolUse", "t1", 20),
            call("PreToolUse", "t2", 30),
            post("t1", 2020, 2000),
            call("PreToolUse", "t3", 3000),
            post("t3", 7000, 4000),
            post("t2", 8000, 7000),
            line("Stop", 9000),
        ];
        let settings: [[i64; 9]; 4] = [
            [0, 0, 0, 0, 2, 2, 0, 0, 0],
            [0, 0, 0, 0, -2, -2, 0, 0, 0],
            [0, 0, 0, -1, 1, -1, -2, 0, 9000],
            [-200_000, 0, 1, 2, 3, 4, 5, 6, 200_000],
        ];
        for setting in settings {
            let lines = plain.iter().cloned().zip(setting);
            let lines: Vec<_> = lines
                .map(|(line, hours)| set_by(line, hours * HOUR))
                .collect();
            assert_eq!(told(&trace(&lines)), told(&trace(&plain)), "{setting:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_by_less_than_a_second_ends_no_call_before_it_begins() {
        let plain = [
            line("UserPromptSubmit", 0),
            call("PreToolUse", "t1", 20),
            post("t1", 70, 40),
            line("Stop", 90),
        ];
        let mut lines = plain.clone();
        for late in lines.iter_mut().skip(2) {
            *late = set_by(late.clone(), -900_000);
        }
        check(&lines, &[State::Ok]);
        assert_eq!(told(&trace(&lines)), told(&trace(&plain)));
    }

    /// The milliseconds between the first and the last event of `lines` and, in another boot, of a client that begins
    /// after `pause` milliseconds.
    fn with_reboot(pid: u32, mono: u64, pause: i64) -> i64 {
        let mut lines = vec![
            line("SessionStart", 0),
            line("UserPromptSubmit", 10),
            call("PreToolUse", "t1", 20),
        ];
        for (place, event) in ["SessionStart", "UserPromptSubmit", "Stop"]
            .into_iter()
            .enumerate()
        {
            let after = i64::try_from(place).unwrap() * 10;
            lines.push(Line {
                mono: Some(mono + after.unsigned_abs() * 1000),
                pid: Some(pid),
                source: Some("resume").filter(|_| place == 0),
                ..line(event, pause + after)
            });
        }
        let trace = trace(&lines);
        let order: Vec<_> = trace.steps().iter().map(|step| step.pid).collect();
        assert_eq!(order[3..], [Some(pid); 3], "{pid} {mono} {pause}");
        let (first, last) = Activity::of(&trace).span.unwrap();
        i64::try_from(first.until(last).as_millis()).unwrap()
    }

    #[test]
    fn a_boot_is_told_from_a_clock_that_was_set() {
        const DAY: i64 = 86_400_000;
        for pid in [7, 8] {
            for mono in [1_000_000, 5_000_005_000, 6_000_000_000, 80_000_000_000] {
                assert_eq!(with_reboot(pid, mono, DAY), DAY + 20, "{pid} {mono}");
            }
            // Booted an hour before the first event, it says. It was a minute after it, and the clock is wrong.
            assert_eq!(with_reboot(pid, 5_060_000_000, 1_060_000), 60_020);
            assert_eq!(with_reboot(pid, 5_060_000_000, -1_060_000), 60_020);
        }
        // Further back than a clock is set: another machine.
        assert_eq!(with_reboot(8, 900_000_000_000, DAY), DAY + 20);
    }

    #[test]
    fn events_without_a_boot_clock_are_where_the_clock_of_then_says() {
        const HOUR: i64 = 3_600_000;
        let unclocked = |line: Line<'static>| Line { mono: None, ..line };
        let plain = [
            line("SessionStart", 0),
            unclocked(line("UserPromptSubmit", 10)),
            call("PreToolUse", "t1", 20),
            unclocked(post("t1", 2020, 2000)),
            call("PreToolUse", "t2", 3000),
            unclocked(post("t2", 4000, 900)),
            line("Stop", 5000),
        ];
        for jump in [-HOUR, -500, 500, HOUR] {
            let mut lines = plain.clone();
            for late in lines.iter_mut().skip(4) {
                *late = set_by(late.clone(), jump * 1000);
            }
            assert_eq!(told(&trace(&lines)), told(&trace(&plain)), "{jump}");
        }
    }

    #[test]
    fn after_a_reboot_the_boot_clock_begins_anew() {
        let mut lines = with_jump(0);
        let again = [
            line("SessionStart", 0),
            line("UserPromptSubmit", 10),
            call("PreToolUse", "t3", 20),
            post("t3", 50, 20),
        ];
        for (place, mut line) in again.into_iter().enumerate() {
            line.ts = line
                .ts
                .map(|ts| Timestamp::from_micros(ts.micros() + 3_600_000_000));
            line.mono = u64::try_from(1_000_000 + 10_000 * place).ok();
            line.pid = Some(9);
            lines.push(line);
        }
        let trace = trace(&lines);
        let activity = Activity::of(&trace);
        let ids: Vec<_> = activity
            .calls
            .iter()
            .filter_map(|call| call.tool_use_id)
            .collect();
        assert_eq!(ids, ["t1", "t2", "t3"]);
        assert_eq!(activity.segments.len(), 2);
    }

    fn any_line() -> impl Strategy<Value = Line<'static>> {
        let kinds = prop::sample::select(vec![
            "SessionStart",
            "UserPromptSubmit",
            "PreToolUse",
            "PreToolUse",
            "PreToolUse",
            "PermissionRequest",
            "PermissionDenied",
            "PostToolUse",
            "PostToolUse",
            "PostToolUseFailure",
            "PostToolBatch",
            "SubagentStart",
            "SubagentStop",
            "Stop",
            "StopFailure",
            "SessionEnd",
            "PreCompact",
            "PostCompact",
            "Notification",
        ]);
        let ids = prop::sample::select(vec!["t1", "t2", "t3", "t4", "t5"]);
        let agents = prop::option::of(prop::sample::select(vec!["a1", "a2"]));
        (kinds, ids, agents, 0..20_000i64, 7..9u32).prop_map(|(kind, id, agent, at, pid)| {
            let mut event = if kind.contains("Tool") || kind.starts_with("Permission") {
                call(kind, id, at)
            } else {
                line(kind, at)
            };
            event.agent_id = agent;
            event.pid = Some(pid);
            if kind == "PostToolBatch" {
                let batched = crate::model::event::BatchCall {
                    tool_use_id: Some(id.to_owned()),
                    ..Default::default()
                };
                event.calls = vec![batched].into();
            }
            event
        })
    }

    /// A line by any of several clocks, or with only one.
    fn any_set_line() -> impl Strategy<Value = Line<'static>> {
        let ahead = prop::sample::select(vec![0, 0, 500_000, -7_200_000_000, 8_000_000_000]);
        (any_line(), ahead, prop::bool::weighted(0.1)).prop_map(|(line, ahead, is_unclocked)| {
            let line = set_by(line, ahead);
            let mono = line.mono.filter(|_| !is_unclocked);
            Line { mono, ..line }
        })
    }

    /// `lines` under a clock that is set at each of these milliseconds to be ahead by so many microseconds.
    fn under(lines: &[Line<'static>], settings: &[(i64, i64)]) -> Trace {
        let ahead = |line: &Line<'_>| {
            let since = line.mono.unwrap_or_default() / 1000;
            let earlier = settings
                .iter()
                .filter(|(at, _)| since >= (5_000_000 + at).unsigned_abs());
            earlier
                .max_by_key(|(at, _)| at)
                .map_or(0, |(_, ahead)| *ahead)
        };
        let lines: Vec<_> = lines
            .iter()
            .map(|line| set_by(line.clone(), ahead(line)))
            .collect();
        trace(&lines)
    }

    /// A line whose call has no id, or whose process is unknown, and calls with inputs of several sizes.
    fn any_vague_line() -> impl Strategy<Value = Line<'static>> {
        let rare = prop::bool::weighted(0.3);
        (any_line(), rare, rare, prop::option::of(1..3u64)).prop_map(
            |(line, is_unnamed, is_of_any, input_bytes)| Line {
                tool_use_id: line.tool_use_id.filter(|_| !is_unnamed),
                pid: line.pid.filter(|_| !is_of_any),
                input_bytes,
                ..line
            },
        )
    }

    proptest! {
        #[test]
        fn calls_are_found_and_ended_alike_however_many_are_running(
            lines in prop::collection::vec(any_vague_line(), 0..60),
            few in 0..6_usize,
        ) {
            let trace = trace(&lines);
            prop_assert_eq!(Activity::fold(&trace, few), Activity::fold(&trace, usize::MAX));
        }

        #[test]
        fn no_setting_of_the_clock_changes_what_a_client_did(
            lines in prop::collection::vec(any_line(), 0..60),
            settings in prop::collection::vec((0..20_000i64, prop_oneof![-2_000_000..2_000_000i64, -4_000_000_000_000_000..4_000_000_000_000_000i64]), 0..8),
        ) {
            let mut lines: Vec<_> = lines.into_iter().filter(|line| line.kind != Kind::SessionStart).collect();
            lines.iter_mut().for_each(|line| line.pid = Some(7));
            lines.push(line("SessionStart", 0));
            prop_assert_eq!(told(&under(&lines, &settings)), told(&trace(&lines)));
        }

        #[test]
        fn a_setting_of_the_clock_changes_nothing_of_several_clients(
            lines in prop::collection::vec(any_line(), 0..60),
            setting in (0..20_000i64, prop_oneof![-2_000_000..2_000_000i64, -4_900_000_000..4_900_000_000i64]),
        ) {
            prop_assert_eq!(told(&under(&lines, &[setting])), told(&trace(&lines)));
        }

        #[test]
        fn any_order_of_arrival_gives_the_same_calls(
            (lines, shuffled) in prop::collection::vec(any_set_line(), 0..60).prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        ) {
            let (lines, shuffled) = (trace(&lines), trace(&shuffled));
            prop_assert_eq!(Activity::of(&lines), Activity::of(&shuffled));
        }

        #[test]
        fn no_call_is_counted_twice_and_none_is_left_running_in_an_ended_session(lines in prop::collection::vec(any_line(), 0..60)) {
            let trace = trace(&lines);
            let mut activity = Activity::of(&trace);
            activity.close(|_| false);
            prop_assert_eq!(activity.open_calls().count(), 0);
            prop_assert!(activity.prompts.iter().all(|prompt| prompt.end != TurnEnd::Open && prompt.ended.is_some()));
            prop_assert!(activity.segments.iter().all(|segment| segment.ended.is_some()));
            let told = lines.iter().filter(|line| line.tool_use_id.is_some() || !line.calls.is_empty()).count();
            prop_assert!(activity.calls.len() <= told);
            prop_assert_eq!(activity.events, lines.len() as u64);
        }
    }
}
