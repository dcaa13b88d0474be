//! Finds sessions that are not on record but have a transcript, from before the installation or
//! from a time without hooks.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::import::project_of;
use crate::claude::transcript::line::ForkOrigin;
use crate::claude::transcript::{self, AgentFile, records};
use crate::model::project::is_place;
use crate::model::{Exclusions, SessionId, Timestamp};
use crate::store::lines::{LineReader, NextLine};
use crate::store::unrecorded::{self, Unrecorded};
use crate::store::{Environment, StateDir, exclusion, file};

/// How many lines at the beginning of a transcript are searched for something to import. The first
/// lines nearly always have it.
const OPENING: usize = 200;

/// The sessions that an import would probably add. Only the beginning of each transcript is read,
/// so an import may find that a longer file contains nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnrecordedPast {
    /// How many sessions have a transcript and are not on record. Never 0.
    pub sessions: u64,
    /// When the oldest of these transcripts was last written.
    pub oldest: Timestamp,
}

impl UnrecordedPast {
    /// Returns the sessions that are not on record, or `None` if there are none. Sessions of
    /// projects that `exclude` or a marker file covers do not count.
    pub fn of(env: &Environment, state: Option<&StateDir>, exclude: &Exclusions) -> Option<Self> {
        let mut excluded: HashMap<PathBuf, bool> = HashMap::new();
        let mut is_excluded = |cwd: PathBuf| {
            *excluded.entry(cwd).or_insert_with_key(|cwd| {
                exclusion::of(env, exclude, Some(cwd), &project_of(cwd)).is_some()
            })
        };
        let ids = state.and_then(|state| state.session_ids().ok());
        let on_record: HashSet<SessionId> = ids.into_iter().flatten().collect();
        let mut past: Option<Self> = None;
        for (id, paths) in transcript::by_name(env) {
            let is_deleted = || {
                let noted = state.and_then(|state| unrecorded::of(state, &id));
                noted == Some(Unrecorded::Deleted)
            };
            if on_record.contains(&id) || is_deleted() {
                continue;
            }
            let mains = paths
                .into_iter()
                .filter(|path| AgentFile::at(path.clone()).is_none());
            let looks = mains.filter_map(|path| Some((file::look(&path).ok()??, path)));
            let written = looks.filter(|(look, path)| {
                look.meta.size > 0
                    && !look.is_dir()
                    && match beginning(path, &id) {
                        Beginning::Of(cwd) => !is_excluded(cwd),
                        Beginning::Unknown => true,
                        Beginning::OfNothing => false,
                    }
            });
            let Some(oldest) = written.map(|(look, _)| look.meta.modified).min() else {
                continue;
            };
            past = Some(past.map_or(
                Self {
                    sessions: 1,
                    oldest,
                },
                |past| Self {
                    sessions: past.sessions + 1,
                    oldest: past.oldest.min(oldest),
                },
            ));
        }
        past
    }
}

/// What the beginning of a transcript shows.
enum Beginning {
    /// It has a line of a conversation in this directory.
    Of(PathBuf),
    /// The whole transcript has nothing to import, or cannot be read.
    OfNothing,
    /// It has nothing to import so far.
    Unknown,
}

/// Reads the beginning of the transcript of the session `id` at `path`.
fn beginning(path: &Path, id: &SessionId) -> Beginning {
    // An import names a file that cannot be read as left out.
    let Ok(Some(mut lines)) = LineReader::open(path) else {
        return Beginning::OfNothing;
    };
    let (mut has_line, mut cwd) = (false, None);
    for _ in 0..OPENING {
        match lines.next_of_beginning() {
            Ok(Some(NextLine::Line(bytes) | NextLine::Unfinished(bytes))) => {
                records::read(bytes, |line| {
                    let kind = line.kind.text();
                    let session = line.session_id.text();
                    let origin: Option<ForkOrigin<'_>> = line.forked_from.get();
                    let origin = origin.and_then(|origin| origin.session_id.owned());
                    let is_its = |name: &str| name == id.as_str();
                    if matches!(kind.as_deref(), Some("user" | "assistant" | "system"))
                        && session.is_none_or(|session| is_its(&session))
                        && origin.is_none_or(|origin| is_its(&origin))
                    {
                        has_line |= line.at().is_some();
                        cwd = cwd.take().or(line.cwd.owned()).filter(|cwd| is_place(cwd));
                    }
                });
            }
            Ok(Some(NextLine::TooLong)) => {}
            Ok(None) => return Beginning::OfNothing,
            Err(_) => return Beginning::OfNothing,
        }
        if let Some(cwd) = cwd.clone().filter(|_| has_line) {
            return Beginning::Of(cwd.into());
        }
    }
    Beginning::Unknown
}
