//! The rungs of the ladder in order: what each one finds, and why it answers or is passed over.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::rc::Rc;

use super::{
    About, Answer, Candidate, LiveSessions, Question, Rung, RungReport, Trust, project_below,
    project_here,
};
use crate::identity::above::{Ancestry, Setter};
use crate::identity::liveness::{Assessment, Judge, SessionState};
use crate::identity::process;
use crate::model::{Owner, Project, Record, SessionId};
use crate::store::pointer::{Freshness, PointerReading};
use crate::store::{Environment, Host, file, index, project, tombstones};

enum ProjectMatch {
    One(SessionId, Rung),
    /// The project's only live session, although a variable was set by a Claude Code process of
    /// another one.
    Likely(SessionId),
    Several,
}

/// A variable that was passed over, because the Claude Code process that set it is not an ancestor
/// of this process. The process may still belong to that session.
#[derive(Clone)]
struct Stray {
    variable: &'static str,
    value: OsString,
    names: ClaimTarget,
}

#[derive(Clone)]
enum ClaimTarget {
    Session(SessionId),
    Process(u32),
    Project(PathBuf),
    Nobody,
}

/// Why the project's session may not be this process's own. Asked only if nothing about the process
/// names that session.
enum Doubt {
    /// A person seems to work in this process, although a variable is from another Claude Code
    /// process. The session is still likely.
    Other(String),
    /// This process may have been left behind by a Claude Code process that has ended. Then the
    /// session of this process cannot be known.
    Left(String),
}

/// A session's record and its judged state.
type JudgedSession = Rc<(Record, Assessment)>;

/// One question on its way down the ladder, and what the rungs have found so far.
pub(super) struct Climb<'a> {
    host: &'a Host<'a>,
    question: &'a Question,
    judge: Option<Judge<'a>>,
    judged: RefCell<HashMap<SessionId, Option<JudgedSession>>>,
    project: Option<Project>,
    /// The ancestors of the process that the question is about.
    above: Ancestry,
    /// The environment variables that were passed over.
    strays: Vec<Stray>,
    live: LiveSessions,
    steps: Vec<RungReport>,
}

impl<'a> Climb<'a> {
    pub(super) fn new(host: &'a Host<'a>, question: &'a Question) -> Self {
        let judge = Judge::of(host);
        let above = {
            let seen = judge
                .as_ref()
                .and_then(|judge| Some((judge.state, judge.viewpoint.as_ref()?)));
            match &question.about {
                About::Process(pid) => Ancestry::of(*pid, None, seen),
                _ => Ancestry::of(std::process::id(), host.env.claude_pid, seen),
            }
        };
        let project = match &question.about {
            About::Here => match &host.env.claude_project_dir {
                Some(dir) => project_below(host.env, dir, &above).ok(),
                None => project_here(host.env, host.state).ok(),
            },
            About::Process(pid) => process::working_dir(*pid).map(|dir| project::discover(&dir)),
            About::Project(project) => Some(project.clone()),
            About::Name(_) => None,
        };
        Self {
            host,
            question,
            judge,
            judged: RefCell::default(),
            project,
            above,
            strays: Vec::new(),
            live: LiveSessions::default(),
            steps: Vec::new(),
        }
    }

    /// Returns the answer of the first rung that has one.
    pub(super) fn answer(mut self) -> Answer {
        let found = self
            .explicit()
            .or_else(|| self.payload())
            .or_else(|| self.environment_or_process())
            .or_else(|| self.live_in_project());
        let (id, rung, trust) = match found {
            // The id is not on record, so it cannot be trusted.
            Some(ProjectMatch::One(id, Rung::Explicit)) if !self.is_on_record(&id) => {
                (Some(id), Rung::Explicit, Trust::None)
            }
            Some(ProjectMatch::One(id, rung)) => (Some(id), rung, Trust::Exact),
            Some(ProjectMatch::Likely(id)) => (Some(id), Rung::Project, Trust::LastKnown),
            Some(ProjectMatch::Several) => (None, Rung::Project, Trust::Ambiguous),
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

    /// Returns whether session `id` has a record, even one that cannot be read.
    fn is_on_record(&self, id: &SessionId) -> bool {
        let record = self.host.state.map(|state| state.session(id).record());
        !matches!(record, None | Some(Ok(None)))
    }

    fn note(&mut self, rung: Rung, saw: impl Into<String>) {
        self.steps.push(RungReport {
            rung,
            saw: saw.into(),
        });
    }

    fn explicit(&mut self) -> Option<ProjectMatch> {
        self.given(
            Rung::Explicit,
            self.question.explicit.as_ref(),
            "no --session was given",
        )
    }

    fn payload(&mut self) -> Option<ProjectMatch> {
        self.given(
            Rung::Payload,
            self.question.payload.as_ref(),
            "no hook input with a session id was given",
        )
    }

    fn given(
        &mut self,
        rung: Rung,
        id: Option<&SessionId>,
        otherwise: &str,
    ) -> Option<ProjectMatch> {
        self.note(
            rung,
            id.map_or_else(|| otherwise.to_owned(), |id| format!("{id}, as given")),
        );
        Some(ProjectMatch::One(id?.clone(), rung))
    }

    /// Asks the rungs `Environment` and `Process` together. If they name different sessions, the
    /// process tree wins, because a long-lived server may have inherited its variables days ago.
    fn environment_or_process(&mut self) -> Option<ProjectMatch> {
        let by_process = self.process();
        let by_variable = self.environment(by_process.as_ref());
        // Both rungs have reported a step; put the two steps into the ladder's order.
        if let Some(place) = self.steps.len().checked_sub(2) {
            self.steps.swap(place, place + 1);
        }
        match (by_variable, by_process) {
            (Some((variable, id)), Some(process)) if id != process => {
                // The id may come from an unrecorded Claude Code process below the recorded one.
                // The nearer process wins.
                let value = OsString::from(id.as_str());
                if let Some(pid) = self.above.unknown_client(variable, &value) {
                    self.note(
                        Rung::Process,
                        format!("passed over: process {pid}, which is nearer, has {id}"),
                    );
                    return Some(ProjectMatch::One(id, Rung::Environment));
                }
                self.note(
                    Rung::Environment,
                    format!("passed over: the process tree says {process}"),
                );
                Some(ProjectMatch::One(process, Rung::Process))
            }
            (Some((_, id)), _) => Some(ProjectMatch::One(id, Rung::Environment)),
            (None, Some(id)) => Some(ProjectMatch::One(id, Rung::Process)),
            (None, None) => None,
        }
    }

    fn environment(&mut self, by_process: Option<&SessionId>) -> Option<(&'static str, SessionId)> {
        if let About::Process(_) = self.question.about {
            self.note(
                Rung::Environment,
                "skipped: the variables here are not those of that process",
            );
            return None;
        }
        let env = self.host.env;
        let set = [
            ("CLAUDE_CODE_SESSION_ID", &env.claude_session_id),
            ("CCSESSION_ID", &env.ccsession_id),
        ];
        // A variable without a valid session id counts as unset.
        let valid = set.into_iter().filter_map(|(variable, text)| {
            let id: SessionId = text.as_ref()?.to_str()?.parse().ok()?;
            Some((variable, id))
        });
        let mut said = Vec::new();
        for (variable, id) in valid {
            let objection = (by_process != Some(&id))
                .then(|| self.objection_to_variable(variable, &id))
                .flatten();
            let Some(why) = objection else {
                said.push(format!("{id}, from {variable}"));
                self.note(Rung::Environment, said.join("; "));
                return Some((variable, id));
            };
            said.push(format!("passed over: {variable} names {id}, {why}"));
            self.strays.push(Stray {
                variable,
                value: OsString::from(id.as_str()),
                names: ClaimTarget::Session(id),
            });
        }
        if said.is_empty() {
            said.push(
                "neither CLAUDE_CODE_SESSION_ID nor CCSESSION_ID holds a session id".to_owned(),
            );
        }
        self.note(Rung::Environment, said.join("; "));
        None
    }

    /// Returns why a variable's id cannot be this process's session, or `None` if it can.
    fn objection_to_variable(&self, variable: &str, id: &SessionId) -> Option<&'static str> {
        const NOT_ABOVE: &str = "whose client is not the one above this process";
        let Some(known) = self.known(id) else {
            let is_pruned = || {
                let pruned = |state| tombstones::of(state, id.as_str());
                let pruned = self.host.state.map(pruned).unwrap_or_default();
                pruned.iter().any(|(pruned, _)| pruned == id)
            };
            let stray = || self.is_of_another_client(variable, id).then_some(NOT_ABOVE);
            return self
                .objection_of_place(None)
                .or_else(|| is_pruned().then_some("which has ended and was removed"))
                .or_else(stray);
        };
        let (record, finding) = &*known;
        if let Some(why) = self.objection_of_place(Some((record, finding))) {
            return Some(why);
        }
        if finding.state == SessionState::Ended {
            return Some("which has ended");
        }
        // An owner above the nearest Claude Code process does not count: this process runs within
        // its session, but in another session's process.
        let is_above = |owner: &Owner| {
            self.above.has(owner.pid, owner.start)
                || owner.launcher && self.above.is_launched_by(owner.pid)
        };
        if finding.owners.iter().any(is_above) {
            return None;
        }
        if !finding.owners.is_empty() {
            return Some(NOT_ABOVE);
        }
        if finding.known == 0 && self.is_of_another_client(variable, id) {
            return Some(NOT_ABOVE);
        }
        let is_seen = finding.known > 0 && finding.unseen == 0;
        is_seen.then_some("whose client no longer runs")
    }

    /// Returns whether `variable` comes from the process that `CLAUDE_PID` names, and that process
    /// runs and is not an ancestor. Asked only if session `id` has no recorded owner.
    fn is_of_another_client(&self, variable: &str, id: &SessionId) -> bool {
        let Some(pid) = self.host.env.claude_pid else {
            return false;
        };
        let is_above = self
            .above
            .processes
            .iter()
            .any(|process| process.pid == pid);
        // The nearest Claude Code process may set the session id but not `CLAUDE_PID`.
        let is_set_by_it = || {
            let client = self.above.client.as_ref().and(self.above.processes.last());
            let setter = self.above.setter(variable, OsStr::new(id.as_str()));
            client.is_some_and(|client| setter == Some(Setter::Seen(*client)))
        };
        !is_above && process::exists(pid) && !is_set_by_it()
    }

    /// Returns why this process's own session does not answer the question: it is about a name, or
    /// about a project that the session is not in.
    fn objection_of_place(&self, known: Option<(&Record, &Assessment)>) -> Option<&'static str> {
        match (&self.question.about, known) {
            (About::Here | About::Process(_), _) => None,
            (About::Name(_), _) => Some("but a name was asked about"),
            (About::Project(_), Some((record, finding))) if self.is_here(record, finding) => None,
            (About::Project(_), _) => Some("which is not in the project asked about"),
        }
    }

    /// Returns the session of the nearest Claude Code process among the ancestors. If that process
    /// is not recorded, the search ends: processes above it belong to other sessions.
    fn process(&mut self) -> Option<SessionId> {
        let Some(client) = &self.above.client else {
            self.note(
                Rung::Process,
                "no parent process is a recorded Claude Code process",
            );
            return None;
        };
        let pid = client.pid;
        let Some((id, is_past)) = client.session().map(|(id, is_past)| (id.clone(), is_past))
        else {
            self.note(
                Rung::Process,
                format!(
                    "passed over: process {pid} runs Claude Code, but its session is not recorded"
                ),
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
                    ", which was in that session when this process began"
                } else {
                    ""
                };
                self.note(Rung::Process, format!("{id}, of process {pid}{when}"));
                Some(id)
            }
        }
    }

    /// Returns why the project's session cannot be this process's own: an ancestor is a Claude Code
    /// process, and that one is in another session.
    fn objection_of_client(&self) -> Option<String> {
        let is_own = matches!(&self.question.about, About::Here | About::Process(_));
        let client = self.above.client.as_ref().filter(|_| is_own)?;
        Some(format!(
            "passed over: this is below process {}, a client of another session",
            client.pid
        ))
    }

    /// Returns why the session `id` may not be this process's own, or `None` if there is no doubt.
    /// Asked only if nothing about this process names `id`.
    fn doubt(&self, id: &SessionId) -> Option<Doubt> {
        if !matches!(&self.question.about, About::Here | About::Process(_)) {
            return None;
        }
        let strays = self.strays();
        // A terminal proves nothing about another process.
        let is_at_a_terminal = || matches!(self.question.about, About::Here) && is_at_a_terminal();
        let Some(stray) = strays.iter().find(|stray| !self.speaks_for(stray, id)) else {
            let is_spoken_for = strays
                .iter()
                .any(|stray| !matches!(stray.names, ClaimTarget::Nobody));
            let is_unseen = self.above.is_cut && !is_spoken_for && !is_at_a_terminal();
            let why = "and not all processes above can be seen";
            return is_unseen.then(|| Doubt::Left(why.to_owned()));
        };
        let Stray {
            variable, value, ..
        } = stray;
        let is_set_here = matches!(
            self.above.setter(variable, value),
            Some(Setter::Seen(process)) if process.is_shell
        );
        let why = format!("but {variable} was set by a Claude Code process that is not a parent");
        Some(if !self.above.is_cut && is_set_here || is_at_a_terminal() {
            Doubt::Other(why)
        } else {
            Doubt::Left(why)
        })
    }

    /// Collects the variables that Claude Code sets and that have not decided the answer.
    fn strays(&self) -> Vec<Stray> {
        let mut strays = self.strays.clone();
        let theirs;
        let env = match self.question.about {
            About::Here => self.host.env,
            About::Process(pid) => {
                theirs = variables_of(pid);
                strays.extend(session_strays(&theirs));
                &theirs
            }
            About::Project(_) | About::Name(_) => return Vec::new(),
        };
        let pid = env.claude_pid.map(|pid| Stray {
            variable: "CLAUDE_PID",
            value: pid.to_string().into(),
            names: ClaimTarget::Process(pid),
        });
        let dir = env.claude_project_dir.as_ref().map(|dir| Stray {
            variable: "CLAUDE_PROJECT_DIR",
            value: dir.clone().into(),
            names: ClaimTarget::Project(project::discover(dir).root().to_owned()),
        });
        strays.extend(pid.into_iter().chain(dir));
        if strays.is_empty() && env.is_from_client {
            strays.push(Stray {
                variable: "CLAUDECODE",
                value: "1".into(),
                names: ClaimTarget::Nobody,
            });
        }
        strays
    }

    /// Returns whether a variable may come from session `id`, because it names the session or one
    /// of its owners. A variable that names a project is weaker evidence, because a project has
    /// many sessions one after another.
    fn speaks_for(&self, stray: &Stray, id: &SessionId) -> bool {
        let owners = || {
            let judge = self.judge.as_ref();
            judge.map_or_else(Vec::new, |judge| {
                judge.state.session(id).owner_list(process::runs)
            })
        };
        match &stray.names {
            ClaimTarget::Session(named) => named == id,
            ClaimTarget::Process(pid) => owners().iter().any(|owner| owner.pid == *pid),
            ClaimTarget::Project(root) => {
                let is_it = |project: &Project| project.root() == root;
                self.project.as_ref().is_some_and(is_it) && self.has_unseen_client(id)
            }
            ClaimTarget::Nobody => self.has_unseen_client(id),
        }
    }

    /// Returns whether the owner of session `id` may be an ancestor that cannot be seen. If it
    /// could be seen, the rung `Process` would have found it.
    fn has_unseen_client(&self, id: &SessionId) -> bool {
        self.known(id)
            .is_some_and(|known| known.1.unseen > 0 || known.1.known == 0)
    }

    fn live_in_project(&mut self) -> Option<ProjectMatch> {
        let Some(project) = self.project.clone() else {
            self.note(Rung::Project, "no project was asked about");
            return None;
        };
        if let Some(err) = self.host.state_fault {
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
                let saw = format!("{id}, the one live session in {shown}");
                let (saw, found) = match self.doubt(&id) {
                    None => (saw, ProjectMatch::One(id, Rung::Project)),
                    Some(Doubt::Other(why)) => (format!("{saw}; {why}"), ProjectMatch::Likely(id)),
                    Some(Doubt::Left(why)) => (
                        format!("{saw}; {why}: cannot tell whether that session is meant"),
                        ProjectMatch::Several,
                    ),
                };
                self.note(Rung::Project, saw);
                if !matches!(found, ProjectMatch::Several) {
                    self.live.sessions.clear();
                }
                Some(found)
            }
            several => {
                let count = several.len();
                self.note(
                    Rung::Project,
                    format!("{count} live sessions in {shown}: cannot tell which is meant"),
                );
                Some(ProjectMatch::Several)
            }
        }
    }

    /// Returns the live sessions of a project.
    pub(super) fn live_sessions(&self, project: &Project) -> LiveSessions {
        let mut live = LiveSessions::default();
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

    /// Returns the session as a candidate if it is live and in the project that the question is
    /// about.
    fn candidate(&self, session_id: SessionId, known: &(Record, Assessment)) -> Option<Candidate> {
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
        let pointers = self.host.pointers();
        let shown = crate::store::shown(&pointers.path(&name));
        let reading = pointers.read(&name);
        let (id, saw) = self.judge_pointer(&reading);
        let (id, saw) = match id.as_ref().and_then(|id| self.doubt(id)) {
            Some(Doubt::Left(why)) => (None, format!("passed over: it names {saw}; {why}")),
            Some(Doubt::Other(_)) | None => (id, saw),
        };
        self.note(Rung::Pointer, format!("{saw} ({shown})"));
        if matches!(
            reading,
            PointerReading::Pointer {
                standing: Freshness::Stale,
                ..
            }
        ) {
            // Ignore a failure: the next cleanup removes the pointer.
            let _ = pointers.remove_if_stale(&name);
        }
        id
    }

    fn judge_pointer(&self, reading: &PointerReading) -> (Option<SessionId>, String) {
        match reading {
            PointerReading::Absent => (None, "there is no pointer".to_owned()),
            PointerReading::Malformed(why, _) => (None, format!("passed over: {why}")),
            PointerReading::Refused(err) => (None, format!("passed over: {err}")),
            PointerReading::Pointer {
                id,
                written,
                standing,
                ..
            } => match standing {
                Freshness::Stale => (
                    None,
                    format!("passed over: it names {id} and is stale, written {written}"),
                ),
                Freshness::Ahead => (
                    None,
                    format!("passed over: it names {id} and is from the future, {written}"),
                ),
                Freshness::Fresh => match self.contradiction(id) {
                    Some(why) => (None, format!("passed over: it names {id}, {why}")),
                    None => (Some(id.clone()), format!("{id}, written {written}")),
                },
            },
        }
    }

    /// Returns why the records contradict a pointer to session `id`, or `None` if they do not. The
    /// records win.
    fn contradiction(&self, id: &SessionId) -> Option<&'static str> {
        let known = self.known(id)?;
        let (record, finding) = &*known;
        if self.project.is_some() && !self.is_here(record, finding) {
            return Some("which is in another project of this name");
        }
        match finding.state {
            SessionState::Ended => Some("which has ended"),
            SessionState::Abandoned => Some("which is abandoned"),
            SessionState::Imported => Some("which was imported"),
            SessionState::Active | SessionState::Idle => None,
        }
    }

    fn is_here(&self, record: &Record, finding: &Assessment) -> bool {
        self.project
            .as_ref()
            .is_some_and(|project| finding.is_in(record, project.root()))
    }

    /// Returns a session's record and judged state, and caches them.
    fn known(&self, id: &SessionId) -> Option<JudgedSession> {
        if let Some(known) = self.judged.borrow().get(id) {
            return known.clone();
        }
        let known = self.look_up(id).map(Rc::new);
        self.judged.borrow_mut().insert(id.clone(), known.clone());
        known
    }

    fn look_up(&self, id: &SessionId) -> Option<(Record, Assessment)> {
        let judge = self.judge.as_ref()?;
        let record = judge.state.session(id).record().ok()??;
        let finding = judge.find(id, &record);
        Some((record, finding))
    }
}

/// Returns a session with an unreadable record as a candidate, but only while a process owns it.
/// Otherwise the record would make the project ambiguous for ever.
fn candidate_without_record(
    judge: &Judge<'_>,
    session_id: SessionId,
    warnings: &mut Vec<String>,
) -> Option<Candidate> {
    let dir = judge.state.session(&session_id);
    let err = dir.record().err()?;
    let is_owned = judge.is_owned(&session_id, false);
    warnings.push(if is_owned {
        format!("{err}; a process owns its session, so it counts as live")
    } else {
        format!("{err}; skipped")
    });
    is_owned.then(|| Candidate {
        last_activity: dir.last_activity(),
        session_id,
    })
}

/// Reads the variables of Claude Code that process `pid` was started with.
fn variables_of(pid: u32) -> Environment {
    let variable = |name: &str| {
        let value = process::variable(pid, name).flatten();
        value.filter(|value| !value.is_empty())
    };
    let number = |value: OsString| value.to_str()?.parse().ok();
    Environment {
        ccsession_id: variable("CCSESSION_ID"),
        claude_session_id: variable("CLAUDE_CODE_SESSION_ID"),
        claude_pid: variable("CLAUDE_PID").and_then(number),
        is_from_client: variable("CLAUDECODE").is_some(),
        claude_project_dir: variable("CLAUDE_PROJECT_DIR").map(PathBuf::from),
        ..Environment::default()
    }
}

/// Returns the variables that name a session, as passed-over ones.
fn session_strays(env: &Environment) -> impl Iterator<Item = Stray> {
    let set = [
        ("CLAUDE_CODE_SESSION_ID", &env.claude_session_id),
        ("CCSESSION_ID", &env.ccsession_id),
    ];
    set.into_iter().filter_map(|(variable, value)| {
        let value = value.clone()?;
        let id = value.to_str()?.parse().ok()?;
        Some(Stray {
            variable,
            value,
            names: ClaimTarget::Session(id),
        })
    })
}

/// Returns whether this process is in the foreground of a terminal, so that a person sees the
/// answer.
fn is_at_a_terminal() -> bool {
    process::is_in_foreground(file::terminal())
}
