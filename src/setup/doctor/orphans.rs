//! Finds files without their counterpart: a record without a journal, a journal without a record, a
//! lease without its holder, files of dead processes.
//!
//! What a cleanup fixes or nobody misses is reported as a note. What a user has to examine is
//! reported as a fault.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::archive;
use crate::cleanup::plan;
use crate::identity::liveness::Judge;
use crate::lifecycle::lease as held;
use crate::model::{SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::pointer::{Pointers, SweepReason};
use crate::store::write::ORPHANED;
use crate::store::{Result, SessionDir, StateDir, file, index, lease, shown};

const CLEAN_UP: &str = "run `ccsession cleanup`";
/// The remedy for folders of ended sessions, which a cleanup examines once a day.
const CLEAN_UP_DAILY: &str =
    "run `ccsession cleanup`; it checks folders of ended sessions once a day";
/// How many paths a message names at most.
const MAX_NAMED: usize = 3;

/// The paths that were found, by kind.
#[derive(Debug, Default)]
struct Orphans {
    /// Errors of records that cannot be read.
    unreadable: Vec<String>,
    /// Folders with a journal and no record.
    without_record: Vec<PathBuf>,
    /// Folders with a record and no event.
    without_journal: Vec<PathBuf>,
    /// Manifests of archives that are missing although a record or the index names them.
    manifests: Vec<PathBuf>,
    /// Parts of archives without a manifest.
    parts: Vec<PathBuf>,
    /// Folders that still list dead owners although nothing depends on those.
    owners: Vec<PathBuf>,
    leases: Vec<PathBuf>,
    index: Vec<PathBuf>,
    temporary: Vec<PathBuf>,
    /// Sessions that a cleanup was about to remove when it was killed.
    aside: Vec<PathBuf>,
}

/// Finds and reports all files without their counterpart.
pub(super) fn examine(judge: &Judge<'_>, pointers: &Pointers<'_>) -> Vec<Finding> {
    let mut orphans = Orphans::default();
    let steps = [
        orphans.look_at_sessions(judge),
        orphans.look_at_leases(judge),
        orphans.look_at_indexes(judge),
        orphans.look_at_archives(judge.state),
        orphans.look_for_temporary_files(judge.state, judge.now),
    ];
    let failed = steps.into_iter().filter_map(Result::err);
    let unlistable = index::unlistable(judge.state);
    let failed = failed.chain(unlistable).map(|err| err.to_string());
    orphans.unreadable.extend(failed);
    let sweeping = pointers.sweep(true).unwrap_or_default();
    let left = sweeping
        .swept
        .into_iter()
        .filter(|swept| swept.why == SweepReason::Orphaned);
    orphans.temporary.extend(left.map(|swept| swept.path));
    let findings = orphans.findings();
    if findings.is_empty() {
        return vec![Finding::ok("orphans", "none")];
    }
    findings
}

impl Orphans {
    fn look_at_sessions(&mut self, judge: &Judge<'_>) -> Result<()> {
        for id in judge.state.session_ids()? {
            let dir = judge.state.session(&id);
            // A folder that cannot be read does not hide the others.
            if let Err(err) = self.look_at_session(judge, &id, &dir) {
                self.unreadable.push(err.to_string());
            }
        }
        let left = judge.state.set_aside()?.into_iter();
        self.aside.extend(left.map(|aside| aside.path()));
        Ok(())
    }

    fn look_at_session(
        &mut self,
        judge: &Judge<'_>,
        id: &SessionId,
        dir: &SessionDir,
    ) -> Result<()> {
        let path = || dir.path().to_owned();
        let is_there = |path: &Path| matches!(file::look(path), Ok(Some(_)));
        let has_events = is_there(dir.journal().path()) || is_there(&dir.imported());
        match dir.record() {
            Err(err) => self.unreadable.push(err.to_string()),
            Ok(None) if has_events => self.without_record.push(path()),
            Ok(None) => {}
            Ok(Some(record)) => {
                // When a session is created, the journal follows right after the record.
                if !has_events && record.started_at.age(judge.now) > ORPHANED {
                    self.without_journal.push(path());
                }
                if !plan::forgotten_owners(judge, id, &record).is_empty() {
                    self.owners.push(path());
                }
            }
        }
        self.look_for_temporary_in(dir.path(), judge.now)
    }

    fn look_at_leases(&mut self, judge: &Judge<'_>) -> Result<()> {
        for id in lease::held(judge.state)? {
            // Another check reports a lease that cannot be read.
            if let Ok(Some(lease)) = lease::read(judge.state, &id)
                && !held::is_held(judge, &lease)
            {
                let path = judge.state.path("leases").join(id.as_str());
                self.leases.push(path);
            }
        }
        Ok(())
    }

    fn look_at_indexes(&mut self, judge: &Judge<'_>) -> Result<()> {
        let state = judge.state;
        for (key, id) in index::live_candidates(state)? {
            if matches!(state.session(&id).record(), Ok(None)) {
                let path = state.path("projects").join(key).join(id.as_str());
                self.index.push(path);
            }
        }
        for owner in plan::dead_processes(judge)? {
            self.index.push(state.path("procs").join(owner.file_name()));
        }
        Ok(())
    }

    fn look_at_archives(&mut self, state: &StateDir) -> Result<()> {
        // What is still being written or removed is not lost.
        if !Archives::of(state).is_interrupted()? {
            let lost = archive::lost(state)?;
            self.manifests.extend(lost.manifests);
            self.parts = lost.parts;
        }
        Ok(())
    }

    fn look_for_temporary_files(&mut self, state: &StateDir, now: Timestamp) -> Result<()> {
        for dir in state.folders()? {
            self.look_for_temporary_in(&dir, now)?;
        }
        Ok(())
    }

    fn look_for_temporary_in(&mut self, dir: &Path, now: Timestamp) -> Result<()> {
        let walk = plan::temporary_files(dir, now)?;
        self.temporary.extend(walk.found);
        let failed = walk.failed.iter().map(ToString::to_string);
        self.unreadable.extend(failed);
        Ok(())
    }

    fn findings(self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let unreadable = self.unreadable.into_iter().map(|why| {
            let remedy = "fix the file, or remove the session's folder";
            Finding::fault("orphans", why, remedy)
        });
        findings.extend(unreadable);
        if let Some(found) = several(
            self.without_record,
            "journal",
            "has no record",
            "have no record",
        ) {
            let remedy = "run `ccsession import`, which rebuilds its record if Claude Code still has the transcript; else remove the folder";
            findings.push(Finding::fault("orphans", found, remedy));
        }
        let archives = [
            several(
                self.manifests,
                "manifest of an archive",
                "is missing",
                "are missing",
            ),
            several(
                self.parts,
                "part of an archive",
                "has no manifest",
                "have no manifest",
            ),
        ];
        let remedy = "restore the file from a backup, or archive the session again with `ccsession clock-out ID` if Claude Code still has its transcript, and remove the rest";
        let archives = archives.into_iter().flatten();
        findings.extend(archives.map(|found| Finding::fault("orphans", found, remedy)));
        let harmless = [
            (
                several(
                    self.without_journal,
                    "record",
                    "has no journal",
                    "have no journal",
                ),
                "no action is needed: the session's next event creates one, and `ccsession cleanup` takes it off the live index",
            ),
            (
                several(
                    self.leases,
                    "lease",
                    "has lost its holder",
                    "have lost their holders",
                ),
                CLEAN_UP,
            ),
            (
                several(
                    self.owners,
                    "session",
                    "has owners that exited and are no longer needed",
                    "have owners that exited and are no longer needed",
                ),
                CLEAN_UP_DAILY,
            ),
            (
                several(
                    self.index,
                    "index entry",
                    "belongs to no session or to a dead process",
                    "belong to no session or to dead processes",
                ),
                CLEAN_UP,
            ),
            (
                several(
                    self.aside,
                    "session",
                    "was being removed by a cleanup that was killed",
                    "were being removed by cleanups that were killed",
                ),
                CLEAN_UP_DAILY,
            ),
            (
                several(
                    self.temporary,
                    "temporary file",
                    "was left behind by a process that was killed",
                    "were left behind by processes that were killed",
                ),
                CLEAN_UP_DAILY,
            ),
        ];
        for (found, remedy) in harmless {
            findings.extend(found.map(|found| Finding::note("orphans", found, remedy)));
        }
        findings
    }
}

/// Says how many `places` there are and names the first few. Returns `None` if there are none.
fn several(mut places: Vec<PathBuf>, noun: &str, is: &str, are: &str) -> Option<String> {
    places.sort();
    let named: Vec<String> = places
        .iter()
        .take(MAX_NAMED)
        .map(|path| shown(path))
        .collect();
    let more = places.len().saturating_sub(MAX_NAMED);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let nouns = match (noun.split_once(" of "), noun.strip_suffix('y')) {
        (Some((first, rest)), _) => format!("{first}s of {rest}"),
        (None, Some(stem)) => format!("{stem}ies"),
        (None, None) => format!("{noun}s"),
    };
    let what = match places.len() {
        0 => return None,
        1 => format!("1 {noun} {is}"),
        count => format!("{count} {nouns} {are}"),
    };
    Some(format!("{what}: {}{more}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: usize, expected: Option<&str>) {
        let places = (0..count)
            .rev()
            .map(|place| PathBuf::from(format!("/{place}")));
        let found = several(places.collect(), "index entry", "is", "are");
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn the_first_places_are_named_and_the_rest_counted() {
        check(0, None);
        check(1, Some("1 index entry is: /0"));
        check(3, Some("3 index entries are: /0, /1, /2"));
        check(5, Some("5 index entries are: /0, /1, /2 and 2 more"));
    }
}
