//! The log records of a session: one for each event, each call that has ended, each commit and,
//! once the session has ended, one for the tokens of each agent and model.

use std::borrow::Cow;

use super::ids::{Hashed, IdKind, RecordUid, SpanId, TraceId, digest, hex};
use super::names::*;
use super::places::{Place, Places, parent_of};
use super::spans::{Facts, failure};
use super::value::Attributes;
use super::{OtlpSession, SpanPolicy, nanos};
use crate::model::call::CallState;
use crate::model::commit::CommitNote;
use crate::model::line::EventKind;
use crate::model::step::{FurtherMember, Step};
use crate::model::trace::StepWords;
use crate::model::{Call, Capture};

/// A log record with an event name, which OpenTelemetry calls an event.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct LogRecord<'s> {
    /// The name of the event, which is also its body.
    pub event_name: Cow<'s, str>,
    /// When the event happened, in nanoseconds since 1970.
    pub time: u64,
    /// How serious the event is.
    pub severity: Severity,
    /// The span in which the event happened.
    pub span: Option<(TraceId, SpanId)>,
    /// The record's attributes, `log.record.uid` among them.
    pub attributes: Attributes<'s>,
    uid: RecordUid,
}

/// How serious an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Nothing failed.
    Info,
    /// A call failed or was denied.
    Warn,
    /// A turn failed.
    Error,
}

impl LogRecord<'_> {
    /// Returns the record's identity, which stays the same if the record is sent again.
    pub fn id(&self) -> RecordUid {
        self.uid
    }
}

impl Severity {
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Calls `each` with each log record of the session: first those of events, then those of calls,
/// commits and tokens.
pub(super) fn each_log<'s>(
    session: &OtlpSession<'s, 's>,
    facts: &Facts<'s>,
    places: &Places<'s>,
    policy: SpanPolicy,
    mut each: impl FnMut(LogRecord<'s>),
) {
    let logs = Logs {
        session: *session,
        facts,
        places,
        is_native_told: policy != SpanPolicy::Always,
        id: session.record.session_id.as_str(),
    };
    logs.events(&mut each);
    let activity = session.activity;
    let calls = activity.calls.iter().enumerate();
    let over = calls.filter(|(_, call)| call.state != CallState::Running);
    let placed = over.filter_map(|(at, call)| Some((call, places.call(at)?)));
    placed.for_each(|(call, place)| each(logs.call(call, place)));
    let commits = session.commits.iter();
    commits.for_each(|commit| each(logs.commit(commit)));
    logs.usage().into_iter().for_each(each);
}

struct Logs<'s, 'p> {
    session: OtlpSession<'s, 's>,
    facts: &'p Facts<'s>,
    places: &'p Places<'s>,
    /// True if a record belongs to the span that Claude Code sends, if there is one, and not to the
    /// span that ccsession sends.
    is_native_told: bool,
    id: &'s str,
}

impl<'s> Logs<'s, '_> {
    /// Calls `each` with a record of each event, except for copies that a second hook recorded.
    fn events(&self, each: &mut impl FnMut(LogRecord<'s>)) {
        let copies = self.session.activity.copies.as_slice();
        let steps = self.session.trace.steps().iter().enumerate();
        let mut last: Option<(u64, RecordUid)> = None;
        let mut repeated = 0_u64;
        for (place, step) in steps {
            if copies.binary_search(&place).is_ok() {
                continue;
            }
            let words = self.session.trace.words(step);
            // Events that are equal in every member follow one another, so comparing with the last
            // one finds them; a counter makes their ids differ.
            let time = nanos(step.ts);
            let is_again = last.is_some_and(|(before, uid)| {
                before == time && uid == self.uid_of(step, &words, repeated)
            });
            repeated = if is_again { repeated + 1 } else { 0 };
            let uid = self.uid_of(step, &words, repeated);
            each(self.event(step, &words, uid));
            last = Some((time, uid));
        }
    }

    fn uid_of(&self, step: &Step, words: &StepWords<'_>, repeated: u64) -> RecordUid {
        let mut hashed = Hashed::new(IdKind::Event, self.id);
        hashed.part(self.hook_event(step));
        hashed.number(Some(step.ts.micros()));
        hashed.number(step.mono());
        hashed.number(step.pid);
        hashed.number(step.duration_ms);
        hashed.number(step.input_bytes);
        hashed.number(step.output_bytes);
        hashed.number(Some(repeated).filter(|repeated| *repeated > 0));
        let texts = [
            words.tool_use_id,
            words.agent_id,
            words.prompt_id,
            words.task,
            words.what.filter(|_| words.tool_use_id.is_none()),
        ];
        for text in texts {
            hashed.part(text.unwrap_or_default());
        }
        RecordUid::of(hashed.digest())
    }

    fn further(&self, step: &Step, member: FurtherMember) -> Option<&'s str> {
        self.session.trace.further(step, member)
    }

    /// Returns the name of the event as Claude Code writes it.
    fn hook_event(&self, step: &Step) -> &'s str {
        match written(step.kind) {
            Some(name) => name,
            None => self
                .further(step, FurtherMember::Event)
                .unwrap_or("unknown"),
        }
    }

    fn event(&self, step: &Step, words: &StepWords<'s>, uid: RecordUid) -> LogRecord<'s> {
        let trace = self.session.trace;
        let name = self.hook_event(step);
        let source = self.further(step, FurtherMember::Source);
        let error = self.further(step, FurtherMember::Error);
        let mut its = self.facts.conversation(words.agent_id);
        its.put(RECORD_UID, hex(&uid.0));
        its.put(EVENT, name);
        let previous = self.further(step, FurtherMember::Previous);
        its.put(PREVIOUS_ID, previous.filter(|it| *it != self.id));
        its.put(PROMPT_ID, words.prompt_id);
        its.put(TOOL_NAME, words.tool);
        its.put(CALL_ID, words.tool_use_id);
        its.put(AGENT_NAME, words.agent_type);
        its.put(SOURCE, source);
        its.put(REASON, self.further(step, FurtherMember::Reason));
        its.put(TRIGGER, self.further(step, FurtherMember::Trigger));
        let kind = self.further(step, FurtherMember::NotificationType);
        its.put(NOTIFICATION_TYPE, kind);
        if step.kind == EventKind::StopFailure {
            its.put(ERROR_TYPE, error.unwrap_or("other"));
        } else if step.kind == EventKind::PostToolUseFailure {
            let (class, exit) = failure(error);
            its.put(ERROR_TYPE, class);
            its.put(EXIT_CODE, exit);
        }
        let is_said = self.session.capture != Capture::Metadata;
        let label = match step.kind {
            EventKind::UserPromptSubmit => TURN_LABEL,
            EventKind::ClockIn => FOCUS,
            _ => CALL_LABEL,
        };
        its.put(label, words.what.filter(|_| is_said));
        its.put(CALL_DURATION, step.duration_ms);
        its.put(CALL_INPUT, step.input_bytes);
        its.put(CALL_OUTPUT, step.output_bytes);
        its.put(TASK, words.task);
        its.put(SPAWNED_AGENT, words.spawned_agent);
        if step.kind == EventKind::PostToolBatch {
            let size = u64::try_from(trace.batched(step).count()).ok();
            its.put(BATCH_SIZE, size);
        }
        its.put(MODEL, self.further(step, FurtherMember::Model));
        let cwd = self.further(step, FurtherMember::NewCwd);
        let cwd = cwd.or_else(|| self.further(step, FurtherMember::Cwd));
        its.put(WORKING_DIRECTORY, cwd);
        its.put(VCS_BRANCH, words.branch);
        its.put(VCS_REVISION, self.further(step, FurtherMember::Revision));
        its.put(PID, step.pid);
        LogRecord {
            event_name: event_name(step.kind, name, source),
            time: nanos(step.ts),
            severity: match step.kind {
                EventKind::StopFailure => Severity::Error,
                EventKind::PostToolUseFailure | EventKind::PermissionDenied => Severity::Warn,
                _ => Severity::Info,
            },
            span: self.span_of(step, words),
            attributes: its,
            uid,
        }
    }

    /// Returns the span in which an event happened: that of its call, or else of its turn.
    fn span_of(&self, step: &Step, words: &StepWords<'_>) -> Option<(TraceId, SpanId)> {
        let call = || {
            let id = words.tool_use_id?;
            self.places.call_with_id(id, words.agent_id)
        };
        let turn = || words.prompt_id.and_then(|id| self.places.root(Some(id)));
        let place = call().or_else(turn)?;
        let native = parent_of(&self.session, step).filter(|it| it.trace == place.trace.0);
        match native {
            Some(native) if self.is_native_told && place.native.is_some() => {
                Some((place.trace, SpanId(native.span)))
            }
            _ => Some(self.attached(place)),
        }
    }

    fn attached(&self, place: Place) -> (TraceId, SpanId) {
        let native = place.native.filter(|_| self.is_native_told);
        (place.trace, native.unwrap_or(place.span))
    }

    /// Returns the log record of a call that has ended.
    fn call(&self, call: &'s Call<'s>, place: Place) -> LogRecord<'s> {
        let span = hex(&place.span.0);
        let uid = RecordUid::of(digest(IdKind::EndOfCall, self.id, &[&span]));
        let mut its = self.facts.of_call(call);
        its.put(RECORD_UID, hex(&uid.0));
        LogRecord {
            event_name: CALL_OVER.into(),
            time: nanos(call.ended.unwrap_or(call.began).ts),
            severity: match call.state {
                CallState::Failed | CallState::Denied => Severity::Warn,
                _ => Severity::Info,
            },
            span: Some(self.attached(place)),
            attributes: its,
            uid,
        }
    }

    fn commit(&self, commit: &'s CommitNote) -> LogRecord<'s> {
        let uid = RecordUid::of(digest(IdKind::Commit, self.id, &[&commit.id]));
        let mut its = self.facts.conversation(None);
        its.put(RECORD_UID, hex(&uid.0));
        its.put(VCS_REVISION, commit.id.as_str());
        its.put(VCS_BRANCH, self.session.activity.branch_at(commit.ts));
        its.put(COMMIT_HOW, commit.how.as_str());
        its.put(COMMIT_REPLACES, commit.replaces.as_deref());
        let mut prompts = self.session.activity.prompts.iter();
        let turn = prompts.rposition(|prompt| prompt.at.ts <= commit.ts);
        let place = turn.and_then(|turn| self.places.turns.get(turn).copied());
        LogRecord {
            event_name: COMMIT.into(),
            time: nanos(commit.ts),
            severity: Severity::Info,
            span: place.map(|place| self.attached(place)),
            attributes: its,
            uid,
        }
    }

    /// Returns the log records of the tokens of each agent and model; none before the session has
    /// ended.
    fn usage(&self) -> Vec<LogRecord<'s>> {
        let segments = &self.session.activity.segments;
        let ends: Option<Vec<_>> = segments.iter().map(|segment| segment.ended).collect();
        let last = ends.and_then(|ends| ends.into_iter().max_by_key(|it| it.at));
        let (Some(last), Some(usage)) = (last, self.session.usage) else {
            return Vec::new();
        };
        let of = usage.by.iter().map(|used| {
            let agent = used.agent_id.as_deref();
            let parts = [agent.unwrap_or_default(), &used.model];
            let uid = RecordUid::of(digest(IdKind::Usage, self.id, &parts));
            let mut its = self.facts.conversation(agent);
            its.put(RECORD_UID, hex(&uid.0));
            its.put(MODEL, used.model.as_str());
            its.put(MESSAGES, used.messages);
            its.put(INPUT_TOKENS, used.input);
            its.put(OUTPUT_TOKENS, used.output);
            its.put(CACHE_READ_TOKENS, used.cache_read);
            its.put(CACHE_WRITE_TOKENS, used.cache_creation);
            LogRecord {
                event_name: USAGE.into(),
                time: nanos(last.ts),
                severity: Severity::Info,
                span: None,
                attributes: its,
                uid,
            }
        });
        of.collect()
    }
}

/// Returns Claude Code's name for a kind of event, such as `PreToolUse`.
fn written(kind: EventKind) -> Option<&'static str> {
    use crate::model::event::name;
    Some(match kind {
        EventKind::SessionStart => name::SESSION_START,
        EventKind::RunStart => name::RUN_START,
        EventKind::ClockIn => name::CLOCK_IN,
        EventKind::UserPromptSubmit => name::USER_PROMPT_SUBMIT,
        EventKind::PreCompact => name::PRE_COMPACT,
        EventKind::SubagentStart => name::SUBAGENT_START,
        EventKind::PreToolUse => name::PRE_TOOL_USE,
        EventKind::PermissionRequest => name::PERMISSION_REQUEST,
        EventKind::PermissionDenied => name::PERMISSION_DENIED,
        EventKind::PostToolUse => name::POST_TOOL_USE,
        EventKind::PostToolUseFailure => name::POST_TOOL_USE_FAILURE,
        EventKind::PostToolBatch => name::POST_TOOL_BATCH,
        EventKind::SubagentStop => name::SUBAGENT_STOP,
        EventKind::PostCompact => name::POST_COMPACT,
        EventKind::CwdChanged => name::CWD_CHANGED,
        EventKind::StopFailure => name::STOP_FAILURE,
        EventKind::Stop => name::STOP,
        EventKind::SessionEnd => name::SESSION_END,
        EventKind::RunEnd => name::RUN_END,
        EventKind::Notification => name::NOTIFICATION,
        EventKind::Elicitation => name::ELICITATION,
        EventKind::ElicitationResult => name::ELICITATION_RESULT,
        EventKind::Other => return None,
    })
}

/// Returns the OpenTelemetry name of an event: one of the semantic conventions (`session.start`),
/// or one of ccsession (`ccsession.pre_tool_use`). A SessionStart after a compaction has no name of
/// the conventions, because no session starts.
fn event_name(kind: EventKind, name: &str, source: Option<&str>) -> Cow<'static, str> {
    match kind {
        EventKind::SessionStart if source != Some("compact") => STARTS.into(),
        EventKind::SessionEnd => ENDS.into(),
        _ => match snake(kind) {
            Some(snake) => snake.into(),
            None => snake_of(name).into(),
        },
    }
}

/// Returns ccsession's name for a known kind of event, which equals the result of [`snake_of`].
fn snake(kind: EventKind) -> Option<&'static str> {
    Some(match kind {
        EventKind::SessionStart => "ccsession.session_start",
        EventKind::RunStart => "ccsession.run_start",
        EventKind::ClockIn => "ccsession.clock_in",
        EventKind::UserPromptSubmit => "ccsession.user_prompt_submit",
        EventKind::PreCompact => "ccsession.pre_compact",
        EventKind::SubagentStart => "ccsession.subagent_start",
        EventKind::PreToolUse => "ccsession.pre_tool_use",
        EventKind::PermissionRequest => "ccsession.permission_request",
        EventKind::PermissionDenied => "ccsession.permission_denied",
        EventKind::PostToolUse => "ccsession.post_tool_use",
        EventKind::PostToolUseFailure => "ccsession.post_tool_use_failure",
        EventKind::PostToolBatch => "ccsession.post_tool_batch",
        EventKind::SubagentStop => "ccsession.subagent_stop",
        EventKind::PostCompact => "ccsession.post_compact",
        EventKind::CwdChanged => "ccsession.cwd_changed",
        EventKind::StopFailure => "ccsession.stop_failure",
        EventKind::Stop => "ccsession.stop",
        EventKind::SessionEnd => "ccsession.session_end",
        EventKind::RunEnd => "ccsession.run_end",
        EventKind::Notification => "ccsession.notification",
        EventKind::Elicitation => "ccsession.elicitation",
        EventKind::ElicitationResult => "ccsession.elicitation_result",
        EventKind::Other => return None,
    })
}

/// Converts Claude Code's name of an event to ccsession's: `TaskCreated` to
/// `ccsession.task_created`.
fn snake_of(name: &str) -> String {
    let mut snake = String::from("ccsession.");
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.ends_with('.') {
            snake.push('_');
        }
        match letter {
            letter if letter.is_ascii_alphanumeric() => snake.push(letter.to_ascii_lowercase()),
            _ => snake.push('_'),
        }
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_named_by_the_conventions_or_by_us() {
        let of = |name: &str, source| event_name(name.into(), name, source);
        assert_eq!(of("SessionStart", Some("clear")), "session.start");
        assert_eq!(
            of("SessionStart", Some("compact")),
            "ccsession.session_start"
        );
        assert_eq!(of("SessionEnd", None), "session.end");
        assert_eq!(of("PreToolUse", None), "ccsession.pre_tool_use");
        assert_eq!(of("TaskCreated", None), "ccsession.task_created");
        assert_eq!(of("a b\n", None), "ccsession.a_b_");
    }

    #[test]
    fn every_known_event_has_its_name_back() {
        let mut known = 0;
        let names = include_str!("../../model/event.rs").split('"');
        for name in names {
            let kind = EventKind::from(name);
            if kind == EventKind::Other {
                continue;
            }
            known += 1;
            assert_eq!(written(kind), Some(name));
            assert_eq!(snake(kind).unwrap(), snake_of(name));
        }
        assert!(known >= 22, "{known}");
        assert_eq!(
            (written(EventKind::Other), snake(EventKind::Other)),
            (None, None)
        );
    }
}
