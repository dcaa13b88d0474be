//! Finds transcripts that Claude Code deletes soon and that are not archived in full. Reads no
//! transcript, because it examines every session on record: names, sizes and times decide.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::claude::transcript::{self, SessionFiles};
use crate::identity::liveness::Judge;
use crate::model::{Config, Record, SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::{Host, Result, archive_queue, file, index, tombstones};

/// How many days before its deletion a transcript is reported and archived.
pub const SOON: f64 = 7.0;
/// Seconds in a day.
pub const DAY: f64 = 24.0 * 60.0 * 60.0;

/// A transcript that Claude Code deletes soon and that is not archived in full.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpiringTranscript {
    /// The transcript's session.
    pub id: SessionId,
    /// How many days are left before Claude Code deletes the transcript. At zero or less, Claude
    /// Code deletes it at its next start.
    pub days: f64,
    /// True if a cleanup would archive the transcript now. Otherwise only a user's command archives
    /// it.
    pub by_cleanup: bool,
}

/// Returns the expiring transcripts of recorded sessions with at most a week left, the most urgent
/// first. Claude Code keeps transcripts for `keeps` days after the last write.
///
/// # Errors
/// Returns [`crate::store::Error`] if the sessions cannot be listed. A session that cannot be read
/// is skipped.
pub fn expiring(host: &Host<'_>, judge: &Judge<'_>, keeps: f64) -> Result<Vec<ExpiringTranscript>> {
    let state = judge.state;
    let archives = Archives::of(state);
    let by_name = OnceCell::new();
    let cleanup = CleanupForecast::of(judge, host.config)?;
    let mut found = Vec::new();
    for id in state.session_ids()? {
        let Ok(Some(record)) = state.session(&id).record() else {
            continue;
        };
        let all = by_name.get_or_init(|| transcript::by_name(host.env));
        let paths: Vec<PathBuf> = transcript::believed(host.env, &record, std::iter::empty())
            .chain(all.get(&id).cloned().unwrap_or_default())
            .collect();
        let written: Vec<Timestamp> = paths.iter().filter_map(|path| last_write(path)).collect();
        let (Some(oldest), Some(newest)) = (written.iter().min(), written.iter().max()) else {
            continue;
        };
        let days = keeps - oldest.age(judge.now).as_secs_f64() / DAY;
        if days > SOON {
            continue;
        }
        let is_archived = match super::known(&archives, &record) {
            // Lists whole folders of Claude Code, so only here.
            Ok(Some(known)) => super::has_all(&known.manifest, &SessionFiles::of(&id, paths, &[])),
            Ok(None) => was_pruned(judge, &record, *newest),
            Err(_) => false,
        };
        if !is_archived {
            let by_cleanup = cleanup.archives(judge, &id);
            found.push(ExpiringTranscript {
                id,
                days,
                by_cleanup,
            });
        }
    }
    found.sort_by(|one, other| {
        let by_time = one.days.total_cmp(&other.days);
        by_time.then_with(|| one.id.cmp(&other.id))
    });
    Ok(found)
}

/// Returns when the transcript at `path` was last written to, or `None` if it is no file.
fn last_write(path: &Path) -> Option<Timestamp> {
    let found = file::look(path).ok()??;
    found.is_file().then_some(found.meta.modified)
}

/// Returns whether the session's archive was pruned, and its transcripts have not changed since:
/// `newest` is their last change.
fn was_pruned(judge: &Judge<'_>, record: &Record, newest: Timestamp) -> bool {
    let id = &record.session_id;
    let mut pruned = tombstones::of(judge.state, id.as_str()).into_iter();
    record.archive.is_some() && pruned.any(|(of, at)| of == *id && at >= newest)
}

/// Predicts which sessions a cleanup would archive now.
struct CleanupForecast {
    is_auto: bool,
    is_daily_due: bool,
    /// The sessions in the archive queue.
    ended: BTreeSet<SessionId>,
    /// The sessions in the live index.
    live: BTreeSet<SessionId>,
}

impl CleanupForecast {
    fn of(judge: &Judge<'_>, config: &Config) -> Result<Self> {
        let state = judge.state;
        let live = index::live_candidates(state)?;
        Ok(Self {
            is_auto: config.archive_auto,
            is_daily_due: state.daily_is_due(judge.now)?,
            ended: archive_queue::entries(state)?
                .into_iter()
                .map(|mark| mark.id)
                .collect(),
            live: live.into_iter().map(|(_, id)| id).collect(),
        })
    }

    fn archives(&self, judge: &Judge<'_>, id: &SessionId) -> bool {
        let may_be_over = self.live.contains(id) || self.ended.contains(id);
        let is_over = || may_be_over && judge.departure(id).is_some();
        self.is_auto && (self.is_daily_due || is_over())
    }
}
