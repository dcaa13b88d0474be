//! The rungs, from the top down: what each one sees, and why it answers or is passed over.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::{About, Answer, Candidate, Live, Question, Rung, Sight, Step, Trust, project_here};
use crate::identity::liveness::{Finding, Judge, SessionState};
use crate::identity::process::{self, Process};
use crate::model::{Project, Record, SessionId};
use crate::store::pointer::{Pointers, Reading, Standing};
use crate::store::{index, project};

enum Found {
    One(SessionId, Rung),
    Several,
}

/// A session's record, and what was found of it.
type Known = Rc<(Record, Finding)>;

/// One way down the ladder, and what has been seen on it.
pub(super) struct Climb<'a> {
    sight: &'a Sight<'a>,
    question: &'a Question,
    judge: Option<Judge<'a>>,
    judged: RefCell<HashMap<SessionId, Option<Known>>>,
    project: Option<Project>,
    /// The client above, once it is known.
    client: Option<u32>,
    live: Live,
    steps: Vec<Step>,
}

/// The nearest client above a process.
struct ClientAbove {
    pid: u32,
    /// The session, and whether the client has left it since; nothing where that is not on record.
    session: Option<(SessionId, bool)>,
}

impl<'a> Climb<'a> {
    pub(super) fn new(sight: &'a Sight<'a>, question: &'a Question) -> Self {
        let project = match &question.about {
            About::Here => project_here(sight.env, None).ok(),
            About::Process(pid) => process::working_dir(*pid).map(|dir| project::discover(&dir)),
            About::Project(project) => Some(project.clone()),
            About::Name(_) => None,
        };
        Self {
            sight,
            question,
            judge: sight.judge(),
            judged: RefCell::default(),
            project,
            client: None,
            live: Live::default(),
            steps: Vec::new(),
        }
    }

    /// The answer of the first rung that has one.
    pub(super) fn answer(mut self) -> Answer {
        let found = self
            .explicit()
            .or_else(|| self.payload())
            .or_else(|| self.environment_or_process())
            .or_else(|| self.live_in_project());
        let (id, rung, trust) = match found {
            Some(Found::One(id, rung)) => (Some(id), rung, Trust::Exact),
            Some(Found::Several) => (None, Rung::Project, Trust::Ambiguous),
            None => match self.pointer() {
                Some(id) => (Some(id), Rung::Pointer, Trust::LastKnown),
                None => (None, Rung::Unknown, Trust::None),
            },
        };
        Answer {
            id,
            rung,
            trust,
            project: self.project,
            candidates: self.live.sessions,
            steps: self.steps,
            warnings: self.live.warnings,
        }
    }

    fn note(&mut self, rung: Rung, saw: impl Into<String>) {
        self.steps.push(Step {
            rung,
            saw: saw.into(),
        });
    }

    fn explicit(&mut self) -> Option<Found> {
        self.given(
            Rung::Explicit,
            self.question.explicit.as_ref(),
            "no --session was given",
        )
    }

    fn payload(&mut self) -> Option<Found> {
        self.given(
            Rung::Payload,
            self.question.payload.as_ref(),
            "no hook input with a session id was given",
        )
    }

    fn given(&mut self, rung: Rung, id: Option<&SessionId>, otherwise: &str) -> Option<Found> {
        self.note(
            rung,
            id.map_or_else(|| otherwise.to_owned(), |id| format!("{id}, as given")),
        );
        Some(Found::One(id?.clone(), rung))
    }

    /// Rungs 3 and 4 together: where they name different sessions, the process tree is nearer than a variable that a
    /// long-lived server inherited days ago.
    fn environment_or_process(&mut self) -> Option<Found> {
        let by_process = self.process();
        let by_variable = self.environment(by_process.as_ref());
        // Each rung has noted one step; they are shown in the ladder's order.
        if let Some(place) = self.steps.len().checked_sub(2) {
            self.steps.swap(place, place + 1);
        }
        match (by_variable, by_process) {
            (Some(variable), Some(process)) if variable != process => {
                self.note(
                    Rung::Environment,
                    format!("passed over: the process tree says {process}"),
                );
                Some(Found::One(process, Rung::Process))
            }
            (Some(id), _) => Some(Found::One(id, Rung::Environment)),
            (None, Some(id)) => Some(Found::One(id, Rung::Process)),
            (None, None) => None,
        }
    }

    /// The process that is asked about, and those above it, the nearest first.
    fn chain(&self) -> impl Iterator<Item = Process> + use<> {
        match &self.question.about {
            About::Process(pid) => process::from(*pid),
            _ => process::from(std::process::id()),
        }
    }

    fn environment(&mut self, by_process: Option<&SessionId>) -> Option<SessionId> {
        if let About::Process(_) = self.question.about {
            self.note(
                Rung::Environment,
                "not asked: the variables here are not those of the process asked about",
            );
            return None;
        }
        let env = self.sight.env;
        let set = [
            ("CLAUDE_CODE_SESSION_ID", &env.claude_session_id),
            ("CCSESSION_ID", &env.ccsession_id),
        ];
        // A variable that holds no session id is as good as unset.
        let valid = set.iter().find_map(|(variable, text)| {
            Some((
                *variable,
                text.as_ref()?.to_str()?.parse::<SessionId>().ok()?,
            ))
        });
        let Some((variable, id)) = valid else {
            self.note(
                Rung::Environment,
                "neither CLAUDE_CODE_SESSION_ID nor CCSESSION_ID holds a session id",
            );
            return None;
        };
        let objection = if by_process == Some(&id) {
            None
        } else {
            self.objection_to_variable(&id)
        };
        match objection {
            Some(why) => {
                self.note(
                    Rung::Environment,
                    format!("passed over: {variable} names {id}, {why}"),
                );
                None
            }
            None => {
                self.note(Rung::Environment, format!("{id}, from {variable}"));
                Some(id)
            }
        }
    }

    /// Why a variable's id cannot be this process's session, if so.
    fn objection_to_variable(&self, id: &SessionId) -> Option<&'static str> {
        let Some(known) = self.known(id) else {
            return self.objection_of_place(None);
        };
        let (record, finding) = &*known;
        if let Some(why) = self.objection_of_place(Some((record, finding))) {
            return Some(why);
        }
        if finding.state == SessionState::Ended {
            return Some("which has ended");
        }
        let is_above = |pid, start| {
            self.chain()
                .any(|above| above.pid == pid && above.start == start)
        };
        if finding
            .owners
            .iter()
            .any(|owner| is_above(owner.pid, owner.start))
        {
            return None;
        }
        if !finding.owners.is_empty() {
            return Some("whose client is not above this process");
        }
        let is_seen = finding.known > 0 && finding.unseen == 0;
        is_seen.then_some("whose client no longer runs")
    }

    /// Asked about another project, what is known of this process does not answer.
    fn objection_of_place(&self, known: Option<(&Record, &Finding)>) -> Option<&'static str> {
        match (&self.question.about, known) {
            (About::Here | About::Process(_), _) => None,
            (About::Name(_), _) => Some("but a name was asked about"),
            (About::Project(_), Some((record, finding))) if self.is_here(record, finding) => None,
            (About::Project(_), _) => Some("which is not in the project asked about"),
        }
    }

    /// The nearest client above. One that is not on record ends the search: what is above it is another's session.
    fn process(&mut self) -> Option<SessionId> {
        let client = self.client_above();
        self.client = client.as_ref().map(|client| client.pid);
        let Some(client) = client else {
            self.note(Rung::Process, "no process above is a client on record");
            return None;
        };
        let pid = client.pid;
        let Some((id, is_past)) = client.session else {
            self.note(
                Rung::Process,
                format!("passed over: of process {pid}, a client, it is not on record which session it was in"),
            );
            return None;
        };
        let known = self.known(&id);
        let objection = match known.as_deref() {
            Some((_, finding)) if finding.state == SessionState::Ended && !is_past => {
                Some("which has ended")
            }
            Some((record, finding)) => self.objection_of_place(Some((record, finding))),
            None => Some("which has no record"),
        };
        match objection {
            Some(why) => {
                self.note(
                    Rung::Process,
                    format!("passed over: process {pid} is in {id}, {why}"),
                );
                None
            }
            None => {
                let when = if is_past {
                    ", which was in it when this began"
                } else {
                    ""
                };
                self.note(Rung::Process, format!("{id}, of process {pid}{when}"));
                Some(id)
            }
        }
    }

    /// The nearest client above, and the session that it was in when it started what leads to this process: a command in
    /// the background outlives the `/clear` that moves its client to another session.
    fn client_above(&self) -> Option<ClientAbove> {
        let judge = self.judge.as_ref()?;
        let viewpoint = judge.viewpoint.as_ref()?;
        let named = match &self.question.about {
            About::Process(_) => None,
            _ => self.sight.env.claude_pid,
        };
        let on_record = index::process_names(judge.state);
        let mut below: Option<Process> = None;
        for above in self.chain() {
            let owner = viewpoint.owner(above);
            let entry = on_record
                .contains(&owner.file_name().into())
                .then(|| index::process_entry(judge.state, &owner))
                .flatten();
            if let Some(entry) = entry {
                let then = below.map_or(Some(&entry.session_id), |below| {
                    entry.session_at(below.started_by())
                });
                return Some(ClientAbove {
                    pid: above.pid,
                    session: then.map(|then| (then.clone(), *then != entry.session_id)),
                });
            }
            if above.is_client || named == Some(above.pid) {
                return Some(ClientAbove {
                    pid: above.pid,
                    session: None,
                });
            }
            below = Some(above);
        }
        None
    }

    /// Why a project's session cannot be this process's, if so: the client above it is another's.
    fn objection_of_client(&self) -> Option<String> {
        let is_own = matches!(&self.question.about, About::Here | About::Process(_));
        let pid = self.client.filter(|_| is_own)?;
        Some(format!(
            "passed over: this is below process {pid}, a client of another session"
        ))
    }

    fn live_in_project(&mut self) -> Option<Found> {
        let Some(project) = self.project.clone() else {
            self.note(Rung::Project, "no project was asked about");
            return None;
        };
        if let Some(err) = self.sight.state_fault {
            self.note(Rung::Project, format!("passed over: {err}"));
            return None;
        }
        if let Some(why) = self.objection_of_client() {
            self.note(Rung::Project, why);
            return None;
        }
        self.live = self.live_sessions(&project);
        let shown = crate::store::shown(project.root());
        match self.live.sessions.as_slice() {
            [] => {
                self.note(Rung::Project, format!("no live session in {shown}"));
                None
            }
            [only] => {
                let id = only.session_id.clone();
                self.note(
                    Rung::Project,
                    format!("{id}, the one live session in {shown}"),
                );
                self.live.sessions.clear();
                Some(Found::One(id, Rung::Project))
            }
            several => {
                let count = several.len();
                self.note(
                    Rung::Project,
                    format!("{count} live sessions in {shown}: it cannot be known which is meant"),
                );
                Some(Found::Several)
            }
        }
    }

    /// The live sessions of a project.
    pub(super) fn live_sessions(&self, project: &Project) -> Live {
        let mut live = Live::default();
        let Some(judge) = &self.judge else {
            return live;
        };
        for id in index::sessions_of_project(judge.state, &project.key()).unwrap_or_default() {
            let candidate = match self.known(&id) {
                Some(known) => self.candidate(id, &known),
                None => candidate_without_record(judge, id, &mut live.warnings),
            };
            live.sessions.extend(candidate);
        }
        live.sessions
            .sort_by_key(|candidate| std::cmp::Reverse(candidate.last_activity));
        live
    }

    /// The session as one that could be meant, if it is live and here.
    fn candidate(&self, session_id: SessionId, known: &(Record, Finding)) -> Option<Candidate> {
        let (record, finding) = known;
        let is_one = finding.state.is_live() && self.is_here(record, finding);
        is_one.then_some(Candidate {
            session_id,
            last_activity: finding.last_activity,
        })
    }

    fn pointer(&mut self) -> Option<SessionId> {
        let name = match (&self.question.about, &self.project) {
            (About::Name(name), _) => name.clone(),
            (_, Some(project)) => project.name(),
            (_, None) => {
                self.note(Rung::Pointer, "no project was asked about");
                return None;
            }
        };
        if let Some(why) = self.objection_of_client() {
            self.note(Rung::Pointer, why);
            return None;
        }
        let pointers = Pointers {
            dir: &self.sight.places.pointers,
            state: self.sight.state,
            ttl: self.sight.config.ttl,
            now: self.sight.now,
        };
        let shown = crate::store::shown(&pointers.path(&name));
        let reading = pointers.read(&name);
        let (id, saw) = self.judge_pointer(&reading);
        self.note(Rung::Pointer, format!("{saw} ({shown})"));
        if matches!(
            reading,
            Reading::Pointer {
                standing: Standing::Stale,
                ..
            }
        ) {
            // What cannot be removed now is removed by the next sweep.
            let _ = pointers.remove_if_stale(&name);
        }
        id
    }

    fn judge_pointer(&self, reading: &Reading) -> (Option<SessionId>, String) {
        match reading {
            Reading::Absent => (None, "there is no pointer".to_owned()),
            Reading::Malformed(why, _) => (None, format!("passed over: {why}")),
            Reading::Refused(err) => (None, format!("passed over: {err}")),
            Reading::Pointer {
                id,
                written,
                standing,
                ..
            } => match standing {
                Standing::Stale => (
                    None,
                    format!("passed over: it names {id} and is stale, written {written}"),
                ),
                Standing::Ahead => (
                    None,
                    format!("passed over: it names {id} and is from the future, {written}"),
                ),
                Standing::Fresh => match self.contradiction(id) {
                    Some(why) => (None, format!("passed over: it names {id}, {why}")),
                    None => (Some(id.clone()), format!("{id}, written {written}")),
                },
            },
        }
    }

    /// Where pointer and state disagree, the state wins.
    fn contradiction(&self, id: &SessionId) -> Option<&'static str> {
        let known = self.known(id)?;
        let (record, finding) = &*known;
        if self.project.is_some() && !self.is_here(record, finding) {
            return Some("which is in another project of this name");
        }
        match finding.state {
            SessionState::Ended => Some("which has ended"),
            SessionState::Abandoned => Some("which is abandoned"),
            SessionState::Active | SessionState::Idle => None,
        }
    }

    fn is_here(&self, record: &Record, finding: &Finding) -> bool {
        self.project
            .as_ref()
            .is_some_and(|project| finding.is_in(record, project.root()))
    }

    /// A session's record and what was found of it, looked up once.
    fn known(&self, id: &SessionId) -> Option<Known> {
        if let Some(known) = self.judged.borrow().get(id) {
            return known.clone();
        }
        let known = self.look_up(id).map(Rc::new);
        self.judged.borrow_mut().insert(id.clone(), known.clone());
        known
    }

    fn look_up(&self, id: &SessionId) -> Option<(Record, Finding)> {
        let judge = self.judge.as_ref()?;
        let record = judge.state.session(id).record().ok()??;
        let finding = judge.find(id, &record);
        Some((record, finding))
    }
}

/// A session whose record cannot be read, as one that could be meant: only while a process has it, or it would be in the
/// way for ever.
fn candidate_without_record(
    judge: &Judge<'_>,
    session_id: SessionId,
    warnings: &mut Vec<String>,
) -> Option<Candidate> {
    let dir = judge.state.session(&session_id);
    let err = dir.record().err()?;
    let is_owned = judge.is_owned(&session_id, false);
    warnings.push(if is_owned {
        format!("{err}; a process has its session, so it counts as live")
    } else {
        format!("{err}; it was left out")
    });
    is_owned.then(|| Candidate {
        last_activity: dir.last_activity(),
        session_id,
    })
}
