//! The report of a cleanup: its tasks, and what failed.

use std::collections::BTreeSet;

use super::task::{Task, TaskKind};
use crate::model::SessionId;
use crate::store::{Error, Result};

/// The tasks that a cleanup performed or, on a dry run, would perform.
#[derive(Debug, Default)]
pub struct CleanupReport {
    tasks: Vec<Task>,
    /// The effect of each task. No two tasks have the same.
    known: BTreeSet<String>,
    /// The failures, each once. The next cleanup tries again.
    pub failed: Vec<String>,
    /// The reason if the state directory was not cleaned up.
    pub state_left_alone: Option<String>,
}

impl CleanupReport {
    /// Returns the tasks of a kind: those about sessions in the order of the ids, others in the order
    /// of execution.
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

    /// Returns the sessions that tasks of a kind are about.
    pub(super) fn sessions(&self, kind: TaskKind) -> BTreeSet<SessionId> {
        let tasks = self.tasks.iter().filter(|task| task.kind() == kind);
        tasks.filter_map(Task::session).cloned().collect()
    }

    /// Returns whether the report has a task with the same effect. A session is retired and archived
    /// once, even if several projects list it.
    pub(super) fn contains(&self, task: &Task) -> bool {
        self.known.contains(&task.what())
    }

    /// Adds a task that was performed or, on a dry run, is due.
    pub(super) fn add(&mut self, task: Task) {
        if self.known.insert(task.what()) {
            self.tasks.push(task);
        }
    }

    /// Adds a failure.
    ///
    /// It is added once: a session that is both queued and about to expire is tried twice.
    pub(super) fn fail(&mut self, err: &Error) {
        let why = err.to_string();
        if !self.failed.contains(&why) {
            self.failed.push(why);
        }
    }

    /// Returns the value of a successful step. Notes a failed one, which stops no other.
    pub(super) fn done<T>(&mut self, step: Result<T>) -> Option<T> {
        step.map_err(|err| self.fail(&err)).ok()
    }
}
