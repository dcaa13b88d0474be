//! Has the operating system report in which live sessions files were written.
//! [`Watch`](super::Watch) then need not look at the other sessions.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::model::SessionId;
use crate::store::change_reports::{Change, ChangeReports, Changes, NotReported, ReportedDir};
use crate::store::{StateDir, index};

/// Where files were written since the last call of [`SessionReports::take`].
#[derive(Debug, Default)]
pub(super) struct WrittenSince {
    /// Whether reports were lost, so that any file may have been written.
    pub(super) is_unknown: bool,
    /// Whether the live index was written, so that other sessions may be live now.
    pub(super) has_index: bool,
    /// The sessions in whose folders files were written.
    pub(super) sessions: BTreeSet<SessionId>,
    /// The Claude Code processes that wrote their status files.
    pub(super) pids: BTreeSet<u32>,
}

/// The directories in which the operating system reports writes.
#[derive(Debug, Default)]
pub(super) struct SessionReports {
    reports: ChangeReports,
    places: HashMap<ReportedDir, ReportedPlace>,
    index: Vec<ReportedDir>,
    /// The folder of each session; `None` if the system cannot report writes in it.
    sessions: HashMap<SessionId, Option<ReportedDir>>,
    registries: HashMap<PathBuf, Result<ReportedDir, NotReported>>,
}

/// What a watched directory contains.
#[derive(Debug)]
enum ReportedPlace {
    Index,
    Session(SessionId),
    Registry,
}

impl SessionReports {
    /// Returns where files were written since the last call.
    pub(super) fn take(&mut self) -> WrittenSince {
        // Try missing folders again: they may exist now.
        self.registries
            .retain(|_, known| *known != Err(NotReported::Missing));
        let mut written = WrittenSince::default();
        match self.reports.take() {
            Changes::Lost => written.is_unknown = true,
            Changes::Known(changes) => {
                for change in changes {
                    self.sort_in(&change, &mut written);
                }
            }
        }
        written
    }

    fn sort_in(&self, change: &Change, written: &mut WrittenSince) {
        match self.places.get(&change.dir) {
            Some(ReportedPlace::Index) => written.has_index = true,
            Some(ReportedPlace::Session(id)) => {
                written.sessions.insert(id.clone());
            }
            Some(ReportedPlace::Registry) => match pid_in(&change.name) {
                Some(pid) => {
                    written.pids.insert(pid);
                }
                // An empty name means that the folder itself changed.
                None => written.is_unknown |= change.name.is_empty(),
            },
            // The directory is no longer watched.
            None => {}
        }
    }

    /// Starts watching the folders of the live index. Returns whether all of them are watched.
    pub(super) fn add_index(&mut self, state: &StateDir) -> bool {
        let mut all = true;
        let mut index = Vec::new();
        for folder in index::live_folders(state) {
            match self.reports.add(&folder) {
                Ok(dir) => {
                    self.places.insert(dir, ReportedPlace::Index);
                    index.push(dir);
                }
                Err(_) => all = false,
            }
        }
        for gone in std::mem::replace(&mut self.index, index) {
            if !self.index.contains(&gone) {
                self.remove(gone);
            }
        }
        all
    }

    /// Starts watching the folder of session `id`, and `registry`, the folder with the status files
    /// of its processes. Returns whether both are watched.
    pub(super) fn add_session(
        &mut self,
        state: &StateDir,
        id: &SessionId,
        registry: Option<&Path>,
    ) -> bool {
        let dir = match self.sessions.get(id) {
            Some(known) => *known,
            None => {
                let dir = self.reports.add(state.session(id).path()).ok();
                if let Some(dir) = dir {
                    self.places.insert(dir, ReportedPlace::Session(id.clone()));
                }
                self.sessions.insert(id.clone(), dir);
                dir
            }
        };
        dir.is_some() && registry.is_none_or(|folder| self.add_registry(folder))
    }

    /// Starts watching a folder with status files, and returns whether that works. A missing folder
    /// counts as watched: when Claude Code creates it, it also starts a session, which the live
    /// index shows.
    fn add_registry(&mut self, folder: &Path) -> bool {
        let known = self.registries.get(folder).copied();
        let now = match known {
            Some(known) => known,
            None => {
                let added = self.reports.add(folder);
                if let Ok(dir) = added {
                    self.places.insert(dir, ReportedPlace::Registry);
                }
                self.registries.insert(folder.to_owned(), added);
                added
            }
        };
        now != Err(NotReported::Unavailable)
    }

    /// Stops watching the sessions that are not among `ids`. Sessions whose folders could not be
    /// watched are forgotten, too, so that [`Self::add_session`] tries again.
    pub(super) fn keep(&mut self, ids: &BTreeSet<SessionId>) {
        let gone = self.sessions.iter().filter(|(id, _)| !ids.contains(*id));
        let gone: Vec<ReportedDir> = gone.filter_map(|(_, dir)| *dir).collect();
        gone.into_iter().for_each(|dir| self.remove(dir));
        self.sessions
            .retain(|id, dir| dir.is_some() && ids.contains(id));
    }

    fn remove(&mut self, dir: ReportedDir) {
        self.places.remove(&dir);
        self.reports.remove(dir);
    }
}

/// Returns the pid of the process whose status file has this name.
fn pid_in(name: &OsStr) -> Option<u32> {
    name.to_str()?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_registry_names_its_process() {
        for (name, pid) in [
            ("812.json", Some(812)),
            ("812.json.tmp", None),
            ("x.json", None),
            ("", None),
        ] {
            assert_eq!(pid_in(OsStr::new(name)), pid, "{name}");
        }
    }
}
