//! Finds the sessions that may have made a commit, from all journals. `who`, `show` and the pages
//! use it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::gather::{Count, GatheredSession, NotedCommits, SessionSelection, gather};
use super::output;
use crate::identity::liveness::Judge;
use crate::model::commit::{CommitKind, CommitNote, ReflogEntry};
use crate::model::{Activity, Call, Record, SessionId, Timestamp};
use crate::store::{MachineIdentity, index, is_of_another_machine, project, reflog};
use crate::view::commit_makers::{
    Certainty, CommitEvidence, Doer, OwnCommand, Suspect, decide, prompt,
};

/// How much is read of a reflog's end for one session, in bytes.
const REFLOG: usize = 4 << 20;
/// The most commits of one session that are shown. If there are more, the last ones are shown.
const MOST: usize = 500;
/// How many digits of a commit's hash are shown to people.
const SHORT: usize = 12;

/// A commit, and the working tree where it was made.
#[derive(Debug, Clone)]
pub(super) struct SoughtCommit {
    pub(super) note: CommitNote,
    pub(super) root: PathBuf,
    /// The machine of this working tree.
    machine: MachineIdentity,
}

/// A commit as JSON.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CommitView {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) how: CommitKind,
    /// The commit that this one amends.
    pub(super) replaces: Option<String>,
    /// The commit that amends this one.
    pub(super) replaced_by: Option<String>,
    /// The working tree where the commit was made.
    pub(super) root: String,
}

impl CommitView {
    /// Returns the view of a commit. `others` are the commits that may amend it.
    pub(super) fn new<'a>(
        sought: &SoughtCommit,
        others: impl IntoIterator<Item = &'a CommitNote>,
    ) -> Self {
        let id = Some(sought.note.id.as_str());
        let mut others = others.into_iter();
        let after = others.find(|other| other.replaces.as_deref() == id);
        Self {
            id: sought.note.id.clone(),
            at: sought.note.ts,
            how: sought.note.how,
            replaces: sought.note.replaces.clone(),
            replaced_by: after.map(|other| other.id.clone()),
            root: sought.root.to_string_lossy().into_owned(),
        }
    }
}

/// A session that may have made a commit.
#[derive(Debug)]
pub(super) struct Maker {
    pub(super) record: Record,
    pub(super) certainty: Certainty,
    /// The call that may have made the commit; `None` if a command of `ccsession run` may have.
    pub(super) call: Option<CallWords>,
    pub(super) command: Option<CommandWords>,
    pub(super) prompt: Option<PromptWords>,
    began: Timestamp,
    evidence: CommitEvidence,
    /// True if the session was in the working tree of the commit, not in another one of the
    /// repository.
    is_here: bool,
}

/// What `who` shows of a call.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CallWords {
    pub(super) tool_use_id: Option<String>,
    pub(super) tool: Option<String>,
    pub(super) what: Option<String>,
    pub(super) agent_id: Option<String>,
    pub(super) started_at: Timestamp,
}

impl From<&Call<'_>> for CallWords {
    fn from(call: &Call<'_>) -> Self {
        Self {
            tool_use_id: call.tool_use_id.map(str::to_owned),
            tool: call.tool.map(str::to_owned),
            what: call.what.map(str::to_owned),
            agent_id: call.agent_id.map(str::to_owned),
            started_at: call.began.ts,
        }
    }
}

/// What `who` shows of a command of `ccsession run`, or of a clock-in.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CommandWords {
    pub(super) what: Option<String>,
    pub(super) started_at: Timestamp,
}

impl From<&OwnCommand> for CommandWords {
    fn from(command: &OwnCommand) -> Self {
        Self {
            what: command.what.clone(),
            started_at: command.began,
        }
    }
}

/// The prompt of a turn.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PromptWords {
    pub(super) prompt_id: Option<String>,
    pub(super) what: Option<String>,
    pub(super) at: Timestamp,
}

impl PromptWords {
    /// Returns the prompt of the turn in which a call was made.
    pub(super) fn of(activity: &Activity<'_>, call: &Call<'_>, at: Timestamp) -> Option<Self> {
        let prompt = prompt(activity, call, at)?;
        Some(Self {
            prompt_id: prompt.prompt_id.map(str::to_owned),
            what: prompt.what.map(str::to_owned),
            at: prompt.at.ts,
        })
    }
}

/// A commit, and the sessions that may have made it.
#[derive(Debug)]
pub(super) struct JudgedCommit {
    pub(super) sought: SoughtCommit,
    pub(super) makers: Vec<Maker>,
    /// The sessions that were open in this repository, but ran nothing that can make commits.
    pub(super) beside: Vec<SessionId>,
}

/// Returns the commits among the entries of the reflog of the working tree at `root`.
pub(super) fn made(root: &Path, moves: &[ReflogEntry]) -> Vec<SoughtCommit> {
    let commits = moves.iter().filter_map(ReflogEntry::commit);
    let sought = commits.map(|note| SoughtCommit {
        note,
        root: root.to_owned(),
        machine: MachineIdentity::here(),
    });
    sought.collect()
}

/// Returns the commits that a session's events report, each with the working tree of its event.
pub(super) fn noted(record: &Record, noted: &NotedCommits) -> Vec<SoughtCommit> {
    let commits = noted.commits.iter().map(|(note, dir)| SoughtCommit {
        note: note.clone(),
        root: match dir {
            Some(dir) => project::discover(Path::new(dir)).root().to_owned(),
            None => project_of(record),
        },
        machine: MachineIdentity::of(record),
    });
    commits.collect()
}

/// Returns the working tree in which a session began, by its record. It is not the project's root
/// if the session began in a worktree inside the project.
fn project_of(record: &Record) -> PathBuf {
    match record.cwd.as_deref() {
        Some(cwd) if Path::new(cwd).is_dir() => project::discover(Path::new(cwd)).root().to_owned(),
        _ => record.project.root(),
    }
}

/// Removes duplicate commits. Of several with the same hash, keeps the earliest.
pub(super) fn once(commits: &mut Vec<SoughtCommit>) {
    commits.sort_by_key(|commit| commit.note.ts);
    let mut seen = HashSet::new();
    commits.retain(|commit| seen.insert(commit.note.id.clone()));
}

/// Finds the sessions that may have made each of these commits. Skips a session that cannot be
/// read, with a warning.
pub(super) fn judge(judge: &Judge<'_>, sought: Vec<SoughtCommit>) -> Result<Vec<JudgedCommit>> {
    let which = SessionSelection::These(around(judge, &sought)?);
    let counting = || MakerCounter {
        sought: &sought,
        found: Vec::new(),
        beside: Vec::new(),
    };
    let gathered = gather(judge, &which, counting)?;
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    let MakerCounter { found, beside, .. } = gathered.counts;
    let mut judged: Vec<JudgedCommit> = Vec::new();
    for commit in &sought {
        judged.push(JudgedCommit {
            sought: commit.clone(),
            makers: Vec::new(),
            beside: Vec::new(),
        });
    }
    for (at, maker) in found {
        if let Some(judged) = judged.get_mut(at) {
            judged.makers.push(maker);
        }
    }
    for (at, id) in beside {
        if let Some(judged) = judged.get_mut(at) {
            judged.beside.push(id);
        }
    }
    judged.iter_mut().for_each(JudgedCommit::decide);
    Ok(judged)
}

/// Returns all sessions that may have been open when one of these commits was made.
fn around(judge: &Judge<'_>, sought: &[SoughtCommit]) -> Result<Vec<SessionId>> {
    let times = || sought.iter().map(|commit| commit.note.ts);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Ok(Vec::new());
    };
    let state = judge.state;
    let live: HashSet<SessionId> = index::live_candidates(state)?
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    let was_there = |id: &SessionId| {
        let dir = state.session(id);
        // A live session may be in a call that began before the first of these commits.
        if !live.contains(id) && dir.last_activity().is_some_and(|at| at < first) {
            return false;
        }
        // A session whose record cannot be read stays in the list, so that a warning can name it.
        dir.record()
            .ok()
            .flatten()
            .is_none_or(|record| record.started_at.whole_second() <= last)
    };
    Ok(state.session_ids()?.filter(was_there).collect())
}

impl JudgedCommit {
    fn decide(&mut self) {
        if self.makers.iter().any(|maker| maker.is_here) {
            self.makers.retain(|maker| maker.is_here);
        }
        let all: Vec<CommitEvidence> = self.makers.iter().map(|it| it.evidence).collect();
        let mut decided = decide(&all).into_iter();
        self.makers.retain_mut(|maker| match decided.next() {
            Some(Some(certainty)) => {
                maker.certainty = match maker.is_here {
                    true => certainty,
                    false => certainty.lower(),
                };
                true
            }
            _ => false,
        });
        self.makers.sort_by(|one, other| {
            let key = |it: &Maker| (it.began, it.record.session_id.clone());
            key(one).cmp(&key(other))
        });
        self.beside.sort();
    }
}

struct MakerCounter<'a> {
    sought: &'a [SoughtCommit],
    /// Each maker with the index of its commit in `sought`.
    found: Vec<(usize, Maker)>,
    beside: Vec<(usize, SessionId)>,
}

impl Count for MakerCounter<'_> {
    const WITH_LABELS: bool = true;

    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        let suspect = session.suspect();
        let mut places = None;
        for (at, commit) in self.sought.iter().enumerate() {
            let second = commit.note.ts;
            let evidence = suspect.evidence(second);
            if evidence.is_none() && !suspect.was_open(second) {
                continue;
            }
            let places = places.get_or_insert_with(|| SessionPlaces::of(session));
            let is_here = places.contain(commit);
            if let Some((evidence, doer)) = evidence
                && (is_here || places.are_beside(commit))
            {
                let (call, command) = match doer {
                    Doer::Call(call) => (Some(call), None),
                    Doer::Command(command) => (None, Some(CommandWords::from(command))),
                };
                let maker = Maker {
                    record: session.record.clone(),
                    certainty: Certainty::Possible,
                    call: call.map(CallWords::from),
                    command,
                    prompt: call.and_then(|call| PromptWords::of(&session.activity, call, second)),
                    began: doer.began(),
                    evidence,
                    is_here,
                };
                self.found.push((at, maker));
            } else if is_here {
                self.beside.push((at, session.id.clone()));
            }
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.found.extend(other.found);
        self.beside.extend(other.beside);
    }
}

/// A commit that a session made, or may have made.
#[derive(Debug, Serialize)]
pub(super) struct MadeCommit {
    #[serde(flatten)]
    pub(super) commit: CommitView,
    pub(super) certainty: Certainty,
    pub(super) tool_use_id: Option<String>,
    /// The other sessions that may have made the commit.
    others: Vec<SessionId>,
}

/// The commits that a session may have made, by its events and by the reflogs of the working trees
/// where it was.
#[derive(Debug)]
pub(super) struct SoughtBySession {
    id: SessionId,
    /// All commits in those events and reflogs. They show which commit amends which.
    notes: Vec<CommitNote>,
    /// The commits of those that were made while the session ran something that can make commits.
    pub(super) commits: Vec<SoughtCommit>,
}

impl SoughtBySession {
    /// Finds the commits that the session's events report, and those in the reflogs of the working
    /// trees where the session was.
    pub(super) fn new(record: &Record, suspect: Suspect<'_, '_>, heard: &NotedCommits) -> Self {
        let mut known = noted(record, heard);
        let roots = SessionPlaces::new(record, heard).roots;
        // A working tree of another machine may have the same path as one here.
        for root in roots.into_iter().filter(|_| !is_of_another_machine(record)) {
            known.extend(made(&root, &reflog::last_moves(&root, REFLOG)));
        }
        once(&mut known);
        let notes = known.iter().map(|commit| commit.note.clone()).collect();
        known.retain(|commit| suspect.evidence(commit.note.ts).is_some());
        Self {
            id: record.session_id.clone(),
            notes,
            commits: known,
        }
    }
}

/// Returns the commits that the session with this record made, or may have made, in order of time.
pub(super) fn made_by(
    judging: &Judge<'_>,
    record: &Record,
    suspect: Suspect<'_, '_>,
    heard: &NotedCommits,
) -> Result<Vec<MadeCommit>> {
    let sought = SoughtBySession::new(record, suspect, heard);
    let made = made_by_each(judging, vec![sought])?;
    Ok(made.into_iter().flatten().collect())
}

/// Returns the commits that each of these sessions made, or may have made; of each session, the
/// last [`MOST`]. Reads all journals once, however many sessions there are.
pub(super) fn made_by_each(
    judging: &Judge<'_>,
    mut sessions: Vec<SoughtBySession>,
) -> Result<Vec<Vec<MadeCommit>>> {
    for SoughtBySession { commits, .. } in &mut sessions {
        commits.drain(..commits.len().saturating_sub(MOST));
    }
    let all = sessions.iter().flat_map(|it| it.commits.iter().cloned());
    let mut all: Vec<SoughtCommit> = all.collect();
    once(&mut all);
    let judged: HashMap<String, JudgedCommit> = judge(judging, all)?
        .into_iter()
        .map(|judged| (judged.sought.note.id.clone(), judged))
        .collect();
    let made = sessions.into_iter().map(|session| {
        let made = session.commits.iter().filter_map(|sought| {
            let judged = judged.get(&sought.note.id)?;
            let is_this = |maker: &&Maker| maker.record.session_id == session.id;
            let (own, others): (Vec<&Maker>, Vec<&Maker>) = judged.makers.iter().partition(is_this);
            let own = own.into_iter().next()?;
            let others = others.into_iter().map(|it| it.record.session_id.clone());
            Some(MadeCommit {
                commit: CommitView::new(&judged.sought, &session.notes),
                certainty: own.certainty,
                tool_use_id: own.call.as_ref().and_then(|call| call.tool_use_id.clone()),
                others: others.collect(),
            })
        });
        made.collect()
    });
    Ok(made.collect())
}

/// Returns the beginning of a hash, long enough for people.
pub(super) fn short_hash(id: &str) -> String {
    id.get(..SHORT).unwrap_or(id).to_owned()
}

/// The working trees that a session was in.
#[derive(Debug)]
pub(super) struct SessionPlaces {
    pub(super) roots: Vec<PathBuf>,
    noted: HashSet<String>,
    machine: MachineIdentity,
}

impl SessionPlaces {
    fn of(session: &GatheredSession<'_>) -> Self {
        Self::new(session.record, session.noted)
    }

    pub(super) fn new(record: &Record, noted: &NotedCommits) -> Self {
        let mut roots = vec![record.project.root(), project_of(record)];
        for dir in &noted.dirs {
            roots.push(project::discover(Path::new(dir)).root().to_owned());
        }
        roots.sort();
        roots.dedup();
        let ids = noted.commits.iter().map(|(note, _)| note.id.clone());
        Self {
            roots,
            noted: ids.collect(),
            machine: MachineIdentity::of(record),
        }
    }

    fn contain(&self, commit: &SoughtCommit) -> bool {
        let is_in = || self.roots.contains(&commit.root) && !self.is_elsewhere(commit);
        self.noted.contains(&commit.note.id) || is_in()
    }

    /// Returns whether the session was in any working tree of the commit's repository.
    fn are_beside(&self, commit: &SoughtCommit) -> bool {
        let main = project::main_root(&commit.root);
        let is_of_it = |root: &PathBuf| project::main_root(root) == main;
        !self.is_elsewhere(commit) && self.roots.iter().any(is_of_it)
    }

    /// Returns whether the commit was made on another machine. Paths there say nothing about paths
    /// here.
    fn is_elsewhere(&self, commit: &SoughtCommit) -> bool {
        self.machine.differs_from(&commit.machine)
    }
}
