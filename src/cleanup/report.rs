//! The report of a cleanup: its tasks, and what failed.

use std::collections::BTreeSet;

use super::task::{Task, TaskKind};
use crate::model::SessionId;
use crate::store::{Error, Result};

/// The tasks that a cleanup performed or, on a dry run, would perform.
#[derive(Debug, Default)]
pub struct CleanupReport {
    tasks: Vec<Task>,
    /// What each task does, in words, so that a task with the same effect is not added again.
    known: BTreeSet<String>,
    /// The failures, each once. The next cleanup tries again.
    pub failed: Vec<String>,
    /// Why the state directory was not cleaned up; `None` if it was.
    pub state_left_alone: Option<String>,
}

impl CleanupReport {
    /// Returns the tasks of a kind. Tasks that retire or archive sessions are sorted by session id;
    /// others are in the order of execution.
    pub fn of(&self, kind: TaskKind) -> Vec<&Task> {
        let mut tasks: Vec<&Task> = self
            .tasks
            .iter()
            .filter(|task| task.kind() == kind)
            .collect();
        if matches!(kind, TaskKind::Retired | TaskKind::Archived) {
            tasks.sort_by_key(|task| task.session());
        }
        tasks
    }

    /// Returns the number of tasks of a kind.
    pub fn count(&self, kind: TaskKind) -> usize {
        self.tasks.iter().filter(|task| task.kind() == kind).count()
    }

    /// Returns all tasks, by kind.
    pub fn all(&self) -> impl Iterator<Item = &Task> {
        const KINDS: [TaskKind; 12] = [
            TaskKind::Pointers,
            TaskKind::Orphans,
            TaskKind::Processes,
            TaskKind::Retired,
            TaskKind::Listed,
            TaskKind::Noted,
            TaskKind::Archived,
            TaskKind::Compressed,
            TaskKind::Leases,
            TaskKind::Owners,
            TaskKind::PrunedSessions,
            TaskKind::PrunedArchives,
        ];
        KINDS.into_iter().flat_map(|kind| self.of(kind))
    }

    /// Returns the ids of the sessions that the tasks of a kind change.
    pub(super) fn sessions(&self, kind: TaskKind) -> BTreeSet<SessionId> {
        let tasks = self.tasks.iter().filter(|task| task.kind() == kind);
        tasks.filter_map(Task::session).cloned().collect()
    }

    /// Returns whether the report has a task with the same effect. Several projects may list the
    /// same session, which is retired and archived only once.
    pub(super) fn contains(&self, task: &Task) -> bool {
        self.known.contains(&task.what())
    }

    /// Adds a task that was performed or, on a dry run, is due.
    pub(super) fn add(&mut self, task: Task) {
        if self.known.insert(task.what()) {
            self.tasks.push(task);
        }
    }

    /// Adds a failure, unless the report has it already. A session that is both queued and about to
    /// expire fails twice for the same reason.
    pub(super) fn fail(&mut self, err: &Error) {
        let why = err.to_string();
        if !self.failed.contains(&why) {
            self.failed.push(why);
        }
    }

    /// Returns the value of a successful step. Reports the error of a failed one, so that later
    /// steps can follow.
    pub(super) fn done<T>(&mut self, step: Result<T>) -> Option<T> {
        step.map_err(|err| self.fail(&err)).ok()
    }
}
