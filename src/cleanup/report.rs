//! What a cleanup did, or would do: the tasks, and what failed.

use std::collections::BTreeSet;

use super::task::{Task, TaskKind};
use crate::model::SessionId;
use crate::store::{Error, Result};

/// What a cleanup did or, on a dry run, would do.
#[derive(Debug, Default)]
pub struct CleanupReport {
    tasks: Vec<Task>,
    /// What each task does: no two do the same.
    known: BTreeSet<String>,
    /// What failed, each reason once. The next cleanup tries again.
    pub failed: Vec<String>,
    /// Why the state directory was not cleaned up, if it was not.
    pub state_left_alone: Option<Error>,
}

impl CleanupReport {
    /// Returns the tasks of a kind, in the order of their sessions where they are about sessions, else as they were done.
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

    /// Returns whether a task that does the same is in the report: a session is retired and archived once, even if it was
    /// listed under several projects.
    pub(super) fn contains(&self, task: &Task) -> bool {
        self.known.contains(&task.what())
    }

    /// Adds a task that was performed, or would be.
    pub(super) fn add(&mut self, task: Task) {
        if self.known.insert(task.what()) {
            self.tasks.push(task);
        }
    }

    /// Adds a failure.
    pub(super) fn fail(&mut self, err: &Error) {
        self.fail_text(err.to_string());
    }

    /// Adds a failure: once, since a session that is both queued and about to expire is tried twice.
    pub(super) fn fail_text(&mut self, why: String) {
        if !self.failed.contains(&why) {
            self.failed.push(why);
        }
    }

    /// Returns the value of a step that worked; a step that failed is noted, and stops no other.
    pub(super) fn done<T>(&mut self, step: Result<T>) -> Option<T> {
        step.map_err(|err| self.fail(&err)).ok()
    }
}
