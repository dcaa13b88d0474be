//! The spans of a session: one for each turn, each run of a subagent and each call. Below a call
//! there may be two more: one while the call waited for a person, and one for the background work
//! that ran on after it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::ids::{IdKind, SpanId, TraceId, digest, hex};
use super::names::*;
use super::places::{Home, Place, Places};
use super::resource::repository;
use super::value::Attributes;
use super::{OtlpSession, SpanPolicy, nanos};
use crate::model::activity::{Agent, Prompt, TurnEnd};
use crate::model::call::{CallState, Moment};
use crate::model::line::EventKind;
use crate::model::step::FurtherMember;
use crate::model::{Call, Capture, Usage};

/// A span. Every span that ccsession sends is of the kind INTERNAL.
#[derive(Debug, Clone, PartialEq, Hash)]
#[allow(missing_docs, reason = "each is the member of that name in OTLP")]
pub struct Span<'s> {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent_span_id: Option<SpanId>,
    /// True if another program sends the parent span.
    pub is_parent_remote: bool,
    pub name: Cow<'s, str>,
    /// Nanoseconds since 1970, like `end_time`.
    pub start_time: u64,
    pub end_time: u64,
    pub attributes: Attributes<'s>,
    /// True if the span's status is ERROR; otherwise the status is unset.
    pub is_error: bool,
}

impl Span<'_> {
    /// Returns the span's identity, which stays the same if the span is sent again.
    pub fn id(&self) -> (TraceId, SpanId) {
        (self.trace_id, self.span_id)
    }

    /// Returns OTLP's flags: the trace is sampled, and the parent span is or is not from another
    /// program.
    pub(super) fn flags(&self) -> u32 {
        const SAMPLED: u32 = 1;
        const HAS_IS_REMOTE: u32 = 0x100;
        const IS_REMOTE: u32 = 0x200;
        SAMPLED | HAS_IS_REMOTE | if self.is_parent_remote { IS_REMOTE } else { 0 }
    }
}

/// Calls `each` with the span of each turn, run and call that has ended, and of each [`Home`],
/// which stands for a turn that is not on record.
pub(super) fn each_span<'s>(
    session: &OtlpSession<'s, 's>,
    facts: &Facts<'s>,
    places: &Places<'s>,
    policy: SpanPolicy,
    mut each: impl FnMut(Span<'s>),
) {
    let activity = session.activity;
    let is_sent = |place: &Place| match policy {
        SpanPolicy::Always => true,
        SpanPolicy::Auto => place.native.is_none(),
        SpanPolicy::Never => false,
    };
    if policy == SpanPolicy::Never {
        return;
    }
    let turns = activity.prompts.iter().zip(&places.turns);
    let turns = turns.filter(|(_, place)| is_sent(place));
    turns
        .filter_map(|(prompt, place)| facts.turn(prompt, *place))
        .for_each(&mut each);
    let homes = places.homes.iter().filter(|home| is_sent(&home.place));
    homes
        .filter_map(|home| facts.home(home))
        .for_each(&mut each);
    for (agent, runs) in activity.agents.iter().zip(&places.runs) {
        let runs = runs.iter().enumerate();
        let runs = runs.filter(|(_, place)| is_sent(place));
        runs.filter_map(|(run, place)| facts.run(agent, run, *place))
            .for_each(&mut each);
    }
    let mut of_call = Vec::new();
    for (at, call) in activity.calls.iter().enumerate() {
        if call.state != CallState::Running
            && let Some(place) = places.call(at).filter(is_sent)
        {
            facts.call(call, place, &mut of_call);
            of_call.drain(..).for_each(&mut each);
        }
    }
}

/// What is looked up once for all spans of a session.
pub(super) struct Facts<'s> {
    session: OtlpSession<'s, 's>,
    id: &'s str,
    /// The attributes of the session, which the span of each turn repeats.
    of_session: Attributes<'s>,
    /// The commit that was checked out at each prompt, by the prompt's time (`Moment::at`).
    revisions: HashMap<i64, &'s str>,
    /// The subagents that other subagents started, each with the one that started it.
    parents: HashMap<&'s str, &'s str>,
}

impl<'s> Facts<'s> {
    pub(super) fn of(session: &OtlpSession<'s, 's>) -> Self {
        let trace = session.trace;
        let prompts = trace.steps().iter();
        let prompts = prompts.filter(|step| step.kind == EventKind::UserPromptSubmit);
        let revisions = prompts.filter_map(|step| {
            let revision = trace.further(step, FurtherMember::Revision)?;
            Some((step.at, revision))
        });
        let activity = session.activity;
        let parents = activity.agents.iter().filter_map(|agent| {
            let started = agent.runs.iter().find_map(|run| run.call)?;
            let parent = activity.calls.get(started)?.agent_id?;
            Some((agent.agent_id, parent))
        });
        Self {
            session: *session,
            id: session.record.session_id.as_str(),
            of_session: of_session(session),
            revisions: revisions.collect(),
            parents: parents.collect(),
        }
    }

    /// Returns the attributes that identify the session and, within it, the main thread (`None`) or
    /// a subagent.
    pub(super) fn conversation(&self, agent: Option<&'s str>) -> Attributes<'s> {
        let mut its = Attributes::with_room();
        self.put_conversation(&mut its, agent);
        its
    }

    fn put_conversation(&self, its: &mut Attributes<'s>, agent: Option<&'s str>) {
        its.put(SESSION_ID, self.id);
        its.put(CONVERSATION_ID, agent.unwrap_or(self.id));
        its.put(AGENT_ID, agent);
        its.put(
            PARENT_AGENT_ID,
            agent.and_then(|it| self.parents.get(it).copied()),
        );
    }

    fn label(&self, what: Option<&'s str>) -> Option<&'s str> {
        what.filter(|_| self.session.capture != Capture::Metadata)
    }

    fn turn(&self, prompt: &'s Prompt<'s>, place: Place) -> Option<Span<'s>> {
        let (end, error) = match prompt.end {
            TurnEnd::Open => return None,
            TurnEnd::Stopped => ("stopped", None),
            TurnEnd::Failed(why) => ("failed", Some(why.unwrap_or("other"))),
            TurnEnd::Interrupted => ("interrupted", None),
        };
        let mut its = self.root(prompt.prompt_id, prompt.branch, prompt.at);
        its.put(TURN_END, end);
        its.put(TURN_LABEL, self.label(prompt.what));
        let notifies = prompt.notifies;
        its.put(NOTIFIES, notifies.map(|it| it.task_id.unwrap_or("unknown")));
        its.put(PID, prompt.pid);
        its.put(ERROR_TYPE, error);
        let ended = prompt.ended.unwrap_or(prompt.at);
        Some(Span {
            is_error: error.is_some(),
            ..self.span(place, self.main_name(), (prompt.at, ended), its)
        })
    }

    fn home(&self, home: &Home<'s>) -> Option<Span<'s>> {
        if home.is_open {
            return None;
        }
        let branch = self.session.activity.branch_at(home.began.ts);
        let mut its = self.root(home.prompt_id, branch, home.began);
        its.put(TURN_END, "unknown");
        let times = (home.began, home.ended);
        Some(self.span(home.place, self.main_name(), times, its))
    }

    fn main_name(&self) -> Cow<'s, str> {
        match self.session.record.agent_type.as_deref() {
            Some(name) => format!("invoke_agent {name}").into(),
            None => "invoke_agent".into(),
        }
    }

    /// Returns the attributes of a turn's span. They repeat the attributes of the resource, because
    /// some backends drop the resource.
    fn root(
        &self,
        prompt_id: Option<&'s str>,
        branch: Option<&'s str>,
        at: Moment,
    ) -> Attributes<'s> {
        let record = self.session.record;
        let mut its = Attributes::with_room();
        its.put(OPERATION, "invoke_agent");
        self.put_conversation(&mut its, None);
        its.put(AGENT_NAME, record.agent_type.as_deref());
        its.put(PROMPT_ID, prompt_id);
        its.put_all(&self.of_session);
        let head = record.head.as_ref();
        let at_start = head.and_then(|head| head.branch.as_deref());
        let branch = branch.or(at_start);
        its.put(VCS_BRANCH, branch);
        its.put(VCS_REF_TYPE, branch.map(|_| "branch"));
        let at_start = head.and_then(|head| head.revision.as_deref());
        its.put(
            VCS_REVISION,
            self.revisions.get(&at.at).copied().or(at_start),
        );
        its
    }

    fn run(&self, agent: &'s Agent<'s>, run: usize, place: Place) -> Option<Span<'s>> {
        let began = agent.runs.get(run)?.began;
        let ended = agent.end_of_run(run)?;
        let mut its = Attributes::with_room();
        its.put(OPERATION, "invoke_agent");
        self.put_conversation(&mut its, Some(agent.agent_id));
        its.put(AGENT_NAME, agent.agent_type);
        its.put(PID, agent.pid);
        if agent.runs.len() == 1 {
            put_tokens(&mut its, self.session.usage, agent.agent_id);
        }
        let name = match agent.agent_type {
            Some(kind) => format!("invoke_agent {kind}").into(),
            None => "invoke_agent".into(),
        };
        Some(self.span(place, name, (began, ended), its))
    }

    fn call(&self, call: &'s Call<'s>, place: Place, spans: &mut Vec<Span<'s>>) {
        let ended = call.ended.unwrap_or(call.began);
        let name = match call.tool {
            Some(tool) => format!("execute_tool {tool}").into(),
            None => "execute_tool".into(),
        };
        let its = self.of_call(call);
        spans.push(Span {
            is_error: call.state == CallState::Failed,
            ..self.span(place, name, (call.began, ended), its)
        });
        let below = |kind: IdKind| Place {
            span: SpanId::of(digest(kind, self.id, &[&hex(&place.span.0)])),
            parent: Some(place.span),
            is_parent_remote: false,
            ..place
        };
        if let (Some(asked), Some(waited)) = (call.asked, call.permission()) {
            let mut its = self.conversation(call.agent_id);
            its.put(CALL_ID, call.tool_use_id);
            its.put(TOOL_NAME, call.tool);
            let decision = match call.state {
                CallState::Denied => Some("reject"),
                CallState::Ok | CallState::Failed | CallState::Backgrounded => Some("accept"),
                CallState::Abandoned | CallState::Running => None,
            };
            its.put(DECISION, decision);
            let place = below(IdKind::Permission);
            let name = BLOCKED.into();
            let span = self.span(place, name, (asked, asked), its);
            let waited = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
            spans.push(Span {
                end_time: span.start_time.saturating_add(waited),
                ..span
            });
        }
        if let (Some(task), Some(over)) = (call.background, call.background_ended) {
            let mut its = self.conversation(call.agent_id);
            its.put(CALL_ID, call.tool_use_id);
            its.put(TOOL_NAME, call.tool);
            its.put(BACKGROUND, task);
            let place = below(IdKind::Background);
            let name = IN_BACKGROUND.into();
            spans.push(self.span(place, name, (ended, over), its));
        }
    }

    /// Returns the attributes of a call that has ended.
    pub(super) fn of_call(&self, call: &'s Call<'s>) -> Attributes<'s> {
        let mut its = Attributes::with_room();
        its.put(OPERATION, "execute_tool");
        self.put_conversation(&mut its, call.agent_id);
        its.put(TOOL_NAME, call.tool);
        its.put(CALL_ID, call.tool_use_id);
        its.put(PROMPT_ID, call.prompt_id);
        its.put(CALL_STATE, call.state.as_str());
        its.put(CALL_CLOSED, call.closed.map(|it| it.as_str()));
        if !call.has_begun {
            its.put(CALL_BEGUN, false);
        }
        if call.state == CallState::Failed {
            let (class, exit) = failure(call.error);
            its.put(ERROR_TYPE, class);
            its.put(EXIT_CODE, exit);
        }
        its.put(CALL_LABEL, self.label(call.what));
        its.put(CALL_DURATION, call.duration());
        its.put(CALL_WAIT, call.wait());
        its.put(CALL_PERMISSION, call.permission());
        its.put(CALL_INPUT, call.input_bytes);
        its.put(CALL_OUTPUT, call.output_bytes);
        its.put(BACKGROUND, call.background);
        its.put(SPAWNED_AGENT, call.spawned_agent);
        its.put(PID, call.pid);
        its
    }

    fn span(
        &self,
        place: Place,
        name: Cow<'s, str>,
        (began, ended): (Moment, Moment),
        attributes: Attributes<'s>,
    ) -> Span<'s> {
        let start_time = nanos(began.ts);
        let took = u64::try_from(began.until(ended).as_nanos()).unwrap_or(u64::MAX);
        Span {
            trace_id: place.trace,
            span_id: place.span,
            parent_span_id: place.parent,
            is_parent_remote: place.is_parent_remote,
            name,
            start_time,
            end_time: start_time.saturating_add(took),
            attributes,
            is_error: false,
        }
    }
}

/// Returns the attributes of a session, which the span of each turn repeats.
fn of_session<'s>(session: &OtlpSession<'s, 's>) -> Attributes<'s> {
    let record = session.record;
    let mut its = Attributes::default();
    let is_said = session.capture != Capture::Metadata;
    its.put(TITLE, session.title.filter(|_| is_said));
    its.put(ROLE, record.role.as_deref());
    its.put(FOCUS, record.focus.as_deref());
    its.put(PREVIOUS_ID, record.previous.as_ref().map(|id| id.as_str()));
    its.put(PARENT_SESSION, record.parent.as_ref().map(|id| id.as_str()));
    its.put(PROJECT, record.project.name.as_str());
    its.put(WORKING_DIRECTORY, record.cwd.as_deref());
    its.put(HOST_NAME, session.machine.name.as_deref());
    its.put(HOST_ID, session.machine.id.as_deref());
    its.put_all(&repository(session));
    its
}

/// Returns the class of a failure (`interrupted`, `timeout` or `tool_error`) and, if a command
/// failed, its exit status.
pub(super) fn failure(error: Option<&str>) -> (&'static str, Option<i64>) {
    match error {
        Some("interrupted") => ("interrupted", None),
        Some("timeout") => ("timeout", None),
        Some(error) => {
            let exit = error.strip_prefix("exit:").and_then(|it| it.parse().ok());
            ("tool_error", exit)
        }
        None => ("tool_error", None),
    }
}

/// Adds the attributes for the tokens that a subagent used, summed over all models.
fn put_tokens(its: &mut Attributes<'_>, usage: Option<&Usage>, agent: &str) {
    let by = usage.map(|usage| usage.by.as_slice()).unwrap_or_default();
    let used = by.iter().filter(|it| it.agent_id.as_deref() == Some(agent));
    let mut sums: Option<[u64; 4]> = None;
    for used in used {
        let [input, output, read, write] = sums.get_or_insert_default();
        *input = input.saturating_add(used.input);
        *output = output.saturating_add(used.output);
        *read = read.saturating_add(used.cache_read);
        *write = write.saturating_add(used.cache_creation);
    }
    let names = [
        INPUT_TOKENS,
        OUTPUT_TOKENS,
        CACHE_READ_TOKENS,
        CACHE_WRITE_TOKENS,
    ];
    for (name, sum) in names.into_iter().zip(sums.into_iter().flatten()) {
        its.put(name, sum);
    }
}
