//! In which live sessions anything was written, as far as the system reports it.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::model::SessionId;
use crate::store::change_reports::{Change, ChangeReports, Changes, NotReported, ReportedDir};
use crate::store::{StateDir, index};

/// Where anything was written since the last time.
#[derive(Debug, Default)]
pub(super) struct WrittenSince {
    /// Whether anything may have been written anywhere.
    pub(super) is_unknown: bool,
    /// Whether other sessions may be live now.
    pub(super) has_index: bool,
    /// The sessions in whose folders something was written.
    pub(super) sessions: BTreeSet<SessionId>,
    /// The processes that wrote about themselves.
    pub(super) pids: BTreeSet<u32>,
}

/// Has the system report what is written in the folders of sessions.
#[derive(Debug, Default)]
pub(super) struct SessionReports {
    reports: ChangeReports,
    places: HashMap<ReportedDir, ReportedPlace>,
    index: Vec<ReportedDir>,
    /// `None` if nothing is reported of that session.
    sessions: HashMap<SessionId, Option<ReportedDir>>,
    registries: HashMap<PathBuf, Result<ReportedDir, NotReported>>,
}

/// What a directory is the folder of.
#[derive(Debug)]
enum ReportedPlace {
    Index,
    Session(SessionId),
    Registry,
}

impl SessionReports {
    /// Returns where anything was written since the last time.
    pub(super) fn take(&mut self) -> WrittenSince {
        // A folder that did not exist at the last look may exist now.
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
                // The folder itself.
                None => written.is_unknown |= change.name.is_empty(),
            },
            // A session that is not followed any more.
            None => {}
        }
    }

    /// Has changes in the indexes reported. Returns whether all of them will be.
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

    /// Has changes reported in the folder of session `id`, and in that in which its processes write
    /// about themselves. Returns whether all will be.
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

    /// Returns whether changes in this folder will be reported. One that does not exist has none:
    /// the first Claude Code that creates it starts a session, too.
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

    /// Gives up the sessions that are not among `ids`, and tries the others again of which nothing
    /// could be reported.
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

/// Returns the process that writes the file with this name.
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
