//! Finds the place of each turn, run of a subagent and call of a session: its trace, its span and
//! its parent span.
//!
//! Each turn is a trace of its own, unless Claude Code traces the turn itself: then ccsession's
//! span joins that trace. Calls whose turn is not on record are put below a span that stands for
//! the missing turn, their "home". So every call has a parent span.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::OtlpSession;
use super::ids::{IdKind, SpanId, SpanIds, TraceId, digest};
use crate::model::Call;
use crate::model::activity::Prompt;
use crate::model::call::{CallState, Moment};
use crate::model::line::EventKind;
use crate::model::step::{FurtherMember, Step};
use crate::model::traceparent::TraceParent;

/// The trace, the span and the parent span of a turn, a run or a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) parent: Option<SpanId>,
    /// True if another program sends the parent span.
    pub(super) is_parent_remote: bool,
    /// The nearest enclosing span that Claude Code itself sends, if Claude Code traces this turn.
    pub(super) native: Option<SpanId>,
}

/// The span that stands for a turn that is not on record, as the parent of its calls and runs. It
/// lasts from the start of the first of them to the end of the last.
#[derive(Debug)]
pub(super) struct Home<'a> {
    pub(super) prompt_id: Option<&'a str>,
    pub(super) place: Place,
    pub(super) began: Moment,
    pub(super) ended: Moment,
    /// True if one of its calls or runs has not ended.
    pub(super) is_open: bool,
}

/// The places of all turns, runs and calls of a session.
#[derive(Debug)]
pub(super) struct Places<'a> {
    /// The place of each prompt's turn.
    pub(super) turns: Vec<Place>,
    pub(super) homes: Vec<Home<'a>>,
    /// The places of each agent's runs.
    pub(super) runs: Vec<Vec<Place>>,
    calls: Vec<CallPlace>,
    /// The places of the calls' parents, which calls share.
    aboves: Vec<Place>,
    turn_by_prompt: HashMap<&'a str, usize>,
    home_by_prompt: BTreeMap<Option<&'a str>, usize>,
    /// The indices of the calls that have an id, in the order of id, agent and index.
    call_by_id: Vec<u32>,
    all_calls: &'a [Call<'a>],
}

/// The place of a call in few bytes, because a session may have a million calls.
#[derive(Debug, Clone, Copy)]
struct CallPlace {
    span: SpanId,
    /// The index of its parent's place in `aboves`.
    above: u32,
}

impl CallPlace {
    /// The value for a call whose place is not known yet.
    const UNKNOWN: Self = Self {
        span: SpanId([0; 8]),
        above: u32::MAX,
    };
}

/// How many levels of nested subagents are followed. Claude Code allows far fewer; more can come
/// only from a damaged journal.
const DEEPEST: usize = 64;

/// The root of some calls: a turn on record, or a home, by its index.
#[derive(Debug, Clone, Copy)]
enum Root {
    Turn(u32),
    Home(u32),
}

impl<'a> Places<'a> {
    pub(super) fn of(session: &OtlpSession<'a, 'a>) -> Self {
        Placing::new(session).places()
    }

    /// Returns the place of the turn with this prompt, or else that of the home.
    pub(super) fn root(&self, prompt_id: Option<&str>) -> Option<Place> {
        let turn = prompt_id.and_then(|id| self.turns.get(*self.turn_by_prompt.get(id)?));
        let home = || self.homes.get(*self.home_by_prompt.get(&prompt_id)?);
        turn.copied().or_else(|| home().map(|home| home.place))
    }

    /// Returns the place of a call by its index.
    pub(super) fn call(&self, at: usize) -> Option<Place> {
        let call = self.calls.get(at)?;
        let above = self.aboves.get(call.above as usize)?;
        Some(below(*above, call.span))
    }

    /// Returns the place of the last call with this id of this agent.
    pub(super) fn call_with_id(&self, id: &str, agent: Option<&str>) -> Option<Place> {
        let key = |at: u32| id_of(self.all_calls, at);
        let after = self
            .call_by_id
            .partition_point(|at| key(*at) <= (Some(id), agent));
        let last = *self.call_by_id.get(after.checked_sub(1)?)?;
        (key(last) == (Some(id), agent)).then(|| self.call(last as usize))?
    }
}

/// Returns the id of a call and the agent that made it.
fn id_of<'a>(calls: &[Call<'a>], at: u32) -> (Option<&'a str>, Option<&'a str>) {
    let call = calls.get(at as usize);
    call.map_or((None, None), |call| (call.tool_use_id, call.agent_id))
}

/// Converts an index to four bytes, which suffice for the turns of any session.
fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Finds the places of a session; `places` has those that are found so far.
struct Placing<'a> {
    session: OtlpSession<'a, 'a>,
    id: &'a str,
    ids: SpanIds,
    native: NativeSpans<'a>,
    agents: HashMap<&'a str, usize>,
    /// The turn in which each subagent made its first call.
    prompt_of_agent: HashMap<&'a str, &'a str>,
    /// The place of each run; `None` while it is being looked for.
    runs: Vec<Vec<Option<Place>>>,
    call_roots: Vec<Root>,
    places: Places<'a>,
}

impl<'a> Placing<'a> {
    fn new(session: &OtlpSession<'a, 'a>) -> Self {
        let activity = session.activity;
        let agents = activity.agents.iter().enumerate();
        Self {
            session: *session,
            id: session.record.session_id.as_str(),
            ids: SpanIds::default(),
            native: NativeSpans::of(session),
            agents: agents.map(|(at, agent)| (agent.agent_id, at)).collect(),
            prompt_of_agent: HashMap::new(),
            runs: Vec::new(),
            call_roots: Vec::new(),
            places: Places {
                turns: Vec::new(),
                homes: Vec::new(),
                runs: Vec::new(),
                calls: vec![CallPlace::UNKNOWN; activity.calls.len()],
                aboves: Vec::new(),
                turn_by_prompt: HashMap::new(),
                home_by_prompt: BTreeMap::new(),
                call_by_id: Vec::new(),
                all_calls: &activity.calls,
            },
        }
    }

    fn places(mut self) -> Places<'a> {
        let activity = self.session.activity;
        for (at, prompt) in activity.prompts.iter().enumerate() {
            let begun = || prompt.at.ts.to_string().into();
            let key: Cow<'_, str> = prompt.prompt_id.map_or_else(begun, Cow::from);
            let place = self.root_place(IdKind::Turn, &key, prompt.prompt_id);
            self.places.turns.push(place);
            if let Some(id) = prompt.prompt_id {
                self.places.turn_by_prompt.entry(id).or_insert(at);
            }
        }
        for (at, call) in activity.calls.iter().enumerate() {
            let ended = match call.state {
                CallState::Running => None,
                _ => Some(call.ended.unwrap_or(call.began)),
            };
            let root = self.root_of(call.prompt_id, call.pid, (call.began, ended));
            self.call_roots.push(root);
            if let (Some(agent), Some(prompt)) = (call.agent_id, call.prompt_id) {
                self.prompt_of_agent.entry(agent).or_insert(prompt);
            }
            if let (Some(_), Ok(at)) = (call.tool_use_id, u32::try_from(at)) {
                self.places.call_by_id.push(at);
            }
        }
        let calls = activity.calls.as_slice();
        let by_id = &mut self.places.call_by_id;
        by_id.sort_unstable_by_key(|at| (id_of(calls, *at), *at));
        self.runs = activity
            .agents
            .iter()
            .map(|it| vec![None; it.runs.len()])
            .collect();
        let mut path = HashSet::new();
        for at in 0..activity.calls.len() {
            self.place_call(at, &mut path);
        }
        for (agent, runs) in activity.agents.iter().enumerate() {
            for run in 0..runs.runs.len() {
                self.place_run(agent, run, &mut path);
            }
        }
        let found = |place: &Option<Place>| *place;
        let runs = self.runs.iter();
        self.places.runs = runs
            .map(|runs| runs.iter().filter_map(found).collect())
            .collect();
        self.places
    }

    /// Creates the place of a turn or a home: in a new trace, or below the span of another program.
    fn root_place(&mut self, kind: IdKind, key: &str, prompt_id: Option<&'a str>) -> Place {
        let span = self.ids.next(kind, self.id, &[key]);
        match prompt_id.and_then(|id| self.native.of_prompt(id)) {
            Some((native, is_native)) => Place {
                trace: TraceId(native.trace),
                span,
                parent: Some(SpanId(native.span)),
                is_parent_remote: true,
                native: Some(SpanId(native.span)).filter(|_| is_native),
            },
            None => Place {
                trace: TraceId::of(digest(IdKind::Trace, self.id, &[key])),
                span,
                parent: None,
                is_parent_remote: false,
                native: None,
            },
        }
    }

    /// Finds the turn of a call or a run. If that turn is not on record, finds or creates the home
    /// that stands for it.
    fn root_of(
        &mut self,
        prompt_id: Option<&'a str>,
        pid: Option<u32>,
        (began, ended): (Moment, Option<Moment>),
    ) -> Root {
        let turn = match prompt_id {
            Some(id) => self.places.turn_by_prompt.get(id).copied(),
            None => self.turn_at(pid, began),
        };
        if let Some(turn) = turn {
            return Root::Turn(small(turn));
        }
        let last = ended.unwrap_or(began);
        if let Some(at) = self.places.home_by_prompt.get(&prompt_id).copied() {
            if let Some(home) = self.places.homes.get_mut(at) {
                if began.at < home.began.at {
                    home.began = began;
                }
                if last.at > home.ended.at {
                    home.ended = last;
                }
                home.is_open |= ended.is_none();
            }
            return Root::Home(small(at));
        }
        let place = self.root_place(IdKind::Turn, prompt_id.unwrap_or_default(), prompt_id);
        let at = self.places.homes.len();
        self.places.home_by_prompt.insert(prompt_id, at);
        self.places.homes.push(Home {
            prompt_id,
            place,
            began,
            ended: last,
            is_open: ended.is_none(),
        });
        Root::Home(small(at))
    }

    /// Finds the turn of this process that was under way at `at`.
    fn turn_at(&self, pid: Option<u32>, at: Moment) -> Option<usize> {
        let prompts = &self.session.activity.prompts;
        let before = prompts.partition_point(|prompt| prompt.at.at <= at.at);
        let is_its =
            |prompt: &Prompt<'_>| prompt.pid.is_none() || pid.is_none() || prompt.pid == pid;
        let before = prompts.get(..before)?;
        let last = before.iter().rposition(is_its)?;
        let ended = before.get(last)?.ended;
        ended.is_none_or(|ended| at.at <= ended.at).then_some(last)
    }

    fn place_of_root(&self, root: Root) -> Option<Place> {
        match root {
            Root::Turn(at) => self.places.turns.get(at as usize).copied(),
            Root::Home(at) => self.places.homes.get(at as usize).map(|home| home.place),
        }
    }

    /// Finds the place of a call: below the run of its subagent, or below its turn.
    fn place_call(&mut self, at: usize, path: &mut HashSet<(usize, usize)>) -> Option<Place> {
        if let Some(known) = self.places.call(at) {
            return Some(known);
        }
        let call = self.session.activity.calls.get(at)?;
        let root = self.call_roots.get(at).copied();
        let run = call.agent_id.and_then(|id| {
            let agent = *self.agents.get(id)?;
            let run = self.session.activity.agents.get(agent)?.run_at(call.began);
            Some((agent, run))
        });
        let above = run
            .and_then(|(agent, run)| self.place_run(agent, run, path))
            .or_else(|| self.place_of_root(root?))?;
        // If subagents started one another in a cycle, the recursion may have found this place
        // already.
        if let Some(known) = self.places.call(at) {
            return Some(known);
        }
        let begun = || call.began.ts.to_string().into();
        let id: Cow<'_, str> = call.tool_use_id.map_or_else(begun, Cow::from);
        let tool = match call.tool_use_id {
            Some(_) => "",
            None => call.tool.unwrap_or_default(),
        };
        let parts = [&*id, tool, call.agent_id.unwrap_or_default()];
        let span = self.ids.next(IdKind::Call, self.id, &parts);
        // Most calls have the same parent as the call before, so comparing with the last place
        // suffices.
        let aboves = &mut self.places.aboves;
        if aboves.last() != Some(&above) {
            aboves.push(above);
        }
        *self.places.calls.get_mut(at)? = CallPlace {
            span,
            above: u32::try_from(aboves.len() - 1).ok()?,
        };
        Some(below(above, span))
    }

    /// Finds the place of a run of a subagent: below the call that started it, or below its turn.
    /// Returns `None` if subagents started one another in a cycle, as only a damaged journal says.
    fn place_run(
        &mut self,
        agent: usize,
        run: usize,
        path: &mut HashSet<(usize, usize)>,
    ) -> Option<Place> {
        if let Some(known) = self.runs.get(agent)?.get(run).copied().flatten() {
            return Some(known);
        }
        if path.len() >= DEEPEST || !path.insert((agent, run)) {
            return None;
        }
        let facts = self.session.activity.agents.get(agent)?;
        let its = facts.runs.get(run)?;
        let mut above = its.call.and_then(|call| self.place_call(call, path));
        if above.is_none() {
            let prompt_id = self.prompt_of_agent.get(facts.agent_id).copied();
            let root = self.root_of(prompt_id, facts.pid, (its.began, facts.end_of_run(run)));
            above = self.place_of_root(root);
        }
        path.remove(&(agent, run));
        // If subagents started one another in a cycle, the recursion may have found this place
        // already.
        if let Some(known) = self.runs.get(agent)?.get(run).copied().flatten() {
            return Some(known);
        }
        let number = run.to_string();
        let span = self
            .ids
            .next(IdKind::Run, self.id, &[facts.agent_id, &number]);
        let above = above?;
        let native = self.native.by_agent.get(facts.agent_id);
        let native = native.filter(|it| it.trace == above.trace.0);
        let place = Place {
            native: above
                .native
                .map(|it| native.map_or(it, |it| SpanId(it.span))),
            ..below(above, span)
        };
        *self.runs.get_mut(agent)?.get_mut(run)? = Some(place);
        Some(place)
    }
}

fn below(above: Place, span: SpanId) -> Place {
    Place {
        span,
        parent: Some(above.span),
        is_parent_remote: false,
        ..above
    }
}

/// The spans in which the turns of a session happened but which ccsession does not send: those of
/// Claude Code, or of a program that started it.
#[derive(Debug, Default)]
struct NativeSpans<'a> {
    /// The span of each turn.
    by_prompt: HashMap<&'a str, TraceParent>,
    /// The span of each subagent: that of the call that started it.
    by_agent: HashMap<&'a str, TraceParent>,
    /// The spans that began before any turn, or contain several turns. A program that started
    /// Claude Code sends them, so they do not show that Claude Code traces turns itself.
    inherited: HashSet<[u8; 8]>,
}

impl<'a> NativeSpans<'a> {
    fn of(session: &OtlpSession<'a, 'a>) -> Self {
        let trace = session.trace;
        let mut all = Self::default();
        let mut by_subagents: HashMap<&str, TraceParent> = HashMap::new();
        let mut prompt_of: HashMap<[u8; 8], &str> = HashMap::new();
        for step in trace.steps() {
            let Some(native) = parent_of(session, step) else {
                continue;
            };
            if step.kind == EventKind::SessionStart {
                all.inherited.insert(native.span);
            }
            let words = trace.words(step);
            let Some(prompt_id) = words.prompt_id else {
                continue;
            };
            if let Some(agent) = words.agent_id {
                all.by_agent.entry(agent).or_insert(native);
                by_subagents.entry(prompt_id).or_insert(native);
                continue;
            }
            all.by_prompt.entry(prompt_id).or_insert(native);
            if *prompt_of.entry(native.span).or_insert(prompt_id) != prompt_id {
                all.inherited.insert(native.span);
            }
        }
        for (prompt_id, native) in by_subagents {
            all.by_prompt.entry(prompt_id).or_insert(native);
        }
        all
    }

    /// Returns the span in which this turn happened, and whether Claude Code itself sends it.
    fn of_prompt(&self, prompt_id: &str) -> Option<(TraceParent, bool)> {
        let native = *self.by_prompt.get(prompt_id)?;
        let is_native = native.is_sampled && !self.inherited.contains(&native.span);
        Some((native, is_native))
    }
}

/// Returns the span in which an event happened according to its `traceparent`, if another program
/// sends it.
pub(super) fn parent_of(session: &OtlpSession<'_, '_>, step: &Step) -> Option<TraceParent> {
    let header = session.trace.further(step, FurtherMember::TraceParent)?;
    TraceParent::parse(header)
}
