//! Takes over the contents of a bundle into the state directory. Existing events stay, and none is
//! added twice.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::super::archive::{Archive, Archives, MAX_MANIFEST};
use super::super::collected::merge::newest;
use super::super::error::{Error, Result};
use super::super::journal::JournalLines;
use super::super::journal::compressed::Decompressor;
use super::super::session::SessionDir;
use super::super::state::StateDir;
use super::super::write::{self, Durability};
use super::super::{file, lock};
use super::{PIECE, StagedBundle};
use crate::model::archive::Manifest;
use crate::model::{JournalLine, Record, SessionId, Timestamp};

/// How many bytes at the end of a journal are searched for the last event.
const END: u64 = 1 << 20;
/// How many bytes of a line's hash are kept to recognize equal lines.
const DIGEST: usize = 16;

/// What taking over a session of a bundle did, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionArrival {
    /// The state directory did not have the session.
    New,
    /// The state directory had the session, but lacked this many of its events.
    Grown(u64),
    /// The state directory had all events of the session.
    Known,
}

/// What taking over an archive of a bundle did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveArrival {
    /// The archive was taken over: the session had none, or one that is older or damaged and
    /// contains no more.
    Taken,
    /// The archive was not taken over: the session's existing archive contains more, or is as new
    /// and not damaged.
    Known,
    /// The archive cannot be taken over. Contains the reason, for people.
    LeftOut(String),
}

/// The events that one file contains and another lacks.
struct Missing {
    lines: Vec<Vec<u8>>,
    /// Whether the first file also contains all lines of the other, so that it can replace the
    /// other.
    is_all: bool,
}

impl StagedBundle {
    /// Returns the folder of a session in the unpacked bundle.
    pub fn session(&self, id: &SessionId) -> SessionDir {
        let path = self.root().join("sessions").join(id.as_str());
        SessionDir::new(path, Decompressor::BUILT_IN)
    }

    /// Returns the format version of a session's record if a newer version of ccsession wrote it.
    pub fn newer_version(&self, id: &SessionId) -> Option<u64> {
        self.session(id).newer_version()
    }

    /// Returns what taking over a session would do. Changes nothing.
    ///
    /// # Errors
    /// Fails if a journal cannot be read.
    pub fn compare_session(
        &self,
        state: Option<&StateDir>,
        id: &SessionId,
    ) -> Result<SessionArrival> {
        let (staged, here) = (self.session(id), state.map(|state| state.session(id)));
        let Some(here) = here.filter(|here| is_there(here.path())) else {
            return Ok(SessionArrival::New);
        };
        let journal = missing(
            staged.journal().lines()?,
            here.journal().lines()?,
            here.path(),
        )?;
        let imported = missing(
            staged.imported_lines()?,
            here.imported_lines()?,
            &here.imported(),
        )?;
        Ok(arrival(journal.lines.len() + imported.lines.len()))
    }

    /// Takes over a session. If the state directory has the session, adds only the missing events.
    /// Of the two records, the one that was written last is kept; with `keeps_record`, always the
    /// existing one.
    ///
    /// # Errors
    /// Fails if the lock is not available, or a file cannot be read or written. What was already
    /// added stays, and another try adds the rest.
    pub fn take_session(
        &self,
        state: &StateDir,
        id: &SessionId,
        keeps_record: bool,
    ) -> Result<SessionArrival> {
        let (staged, here) = (self.session(id), state.session(id));
        let _lock = state.lock(lock::CLI_PATIENCE)?;
        let sessions = state.path("sessions");
        write::make_dir(&sessions)?;
        if !is_there(here.path()) {
            prepare(&staged)?;
            write::make_dir(&staged.path().join("owners"))?;
            if write::rename(staged.path(), here.path()).is_ok() {
                write::sync_dir(&sessions)?;
                return Ok(SessionArrival::New);
            }
            // A hook has created the session meanwhile.
        }
        let mut added = add_events(&staged, &here, keeps_record)?;
        added += add_imported(&staged, &here)?;
        add_notes(&staged, &here)?;
        add_record(&staged, &here, keeps_record)?;
        Ok(arrival(added))
    }

    /// Takes over the archives of the sessions in `wanted`. An existing archive is replaced only if
    /// the new one contains at least as much, and is newer or the existing one is damaged.
    ///
    /// # Errors
    /// Fails if the lock is not available, or a file cannot be read or written. The archives before
    /// the failure are complete, and the one that failed is unchanged.
    pub fn take_archives(
        &self,
        state: &StateDir,
        wanted: &BTreeSet<SessionId>,
    ) -> Result<Vec<(SessionId, ArchiveArrival)>> {
        let mut arrivals = Vec::new();
        let staged = self.archives();
        if staged.is_empty() {
            return Ok(arrivals);
        }
        let archives = Archives::of(state);
        let _lock = archives.lock()?;
        archives.finish_interrupted()?;
        for (project, stem) in staged {
            let folder = self.root().join("archive").join(&project);
            let path = folder.join(stem.manifest());
            let Some(content) = file::read_own(&path, MAX_MANIFEST)? else {
                continue;
            };
            let Ok(manifest) = Manifest::decode(&content.bytes) else {
                continue;
            };
            let id = manifest.session_id.clone();
            if !wanted.contains(&id) {
                continue;
            }
            let place = format!("{project}/{}", stem.manifest());
            let Some(archive) = archives.at(&place) else {
                continue;
            };
            let other = archive.manifest().ok().flatten();
            if other.is_some_and(|other| other.session_id != id) {
                let why = format!(
                    "left out the archive of session {id}: another session's archive has the same name"
                );
                arrivals.push((id, ArchiveArrival::LeftOut(why)));
                continue;
            }
            let before = archives.of_session(&id)?;
            let before = before.and_then(|before| {
                let manifest = before.manifest().ok().flatten()?;
                (manifest.session_id == id).then_some((before, manifest))
            });
            let is_whole = is_whole(&folder, &manifest);
            let is_good = |(archive, before): &(Archive, Manifest)| {
                let is_damaged = is_whole && !archive.has_all_parts(before);
                !holds_as_much(&manifest, before)
                    || !is_damaged && manifest.archived_at <= before.archived_at
            };
            if before.as_ref().is_some_and(is_good) {
                arrivals.push((id, ArchiveArrival::Known));
                continue;
            }
            archive.adopt(&folder, &manifest, &content.bytes)?;
            if let Some((before, manifest)) = before
                && before.place() != place
            {
                before.remove(&manifest)?;
            }
            name_archive(state, &id, &place, manifest.archived_at)?;
            arrivals.push((id, ArchiveArrival::Taken));
        }
        Ok(arrivals)
    }
}

fn is_there(path: &Path) -> bool {
    matches!(file::look(path), Ok(Some(_)))
}

fn arrival(added: usize) -> SessionArrival {
    match added {
        0 => SessionArrival::Known,
        added => SessionArrival::Grown(added as u64),
    }
}

/// Returns whether `new` has at least as many messages and transcript bytes as `old`.
fn holds_as_much(new: &Manifest, old: &Manifest) -> bool {
    new.messages >= old.messages && new.transcript.bytes >= old.transcript.bytes
}

/// Returns whether all parts are in `folder`, each with its recorded size.
fn is_whole(folder: &Path, manifest: &Manifest) -> bool {
    manifest.parts.iter().all(|part| {
        let found = file::look(&folder.join(&part.name)).ok().flatten();
        found.is_some_and(|found| found.is_file() && found.meta.size == part.bytes)
    })
}

fn digest(line: &[u8]) -> [u8; DIGEST] {
    let mut short = [0; DIGEST];
    let digest = Sha256::digest(line);
    short
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    short
}

/// Returns the events in `from` that are missing in `here`, each once.
///
/// # Errors
/// Returns [`Error::Content`] if the files at `path` could not be read to their end.
fn missing(from: JournalLines, here: JournalLines, path: &Path) -> Result<Missing> {
    let mut known = HashSet::new();
    let damage = here.for_each_whole(|line| {
        known.insert(digest(line));
    });
    damage.or_retry(path)?;
    let known_before = known.len();
    let (mut lines, mut met) = (Vec::new(), HashSet::new());
    let damage = from.for_each_whole(|line| {
        let is_event = JournalLine::read(line, |_| {}).is_ok();
        let digest = digest(line);
        met.insert(digest);
        if is_event && known.insert(digest) {
            lines.push(line.to_vec());
        }
    });
    damage.or_retry(path)?;
    let is_all = met.len() == known_before + lines.len();
    Ok(Missing { lines, is_all })
}

/// Adds the events that the journal in `here` lacks. Returns how many.
fn add_events(staged: &SessionDir, here: &SessionDir, is_live: bool) -> Result<usize> {
    let path = here.journal().path();
    let found = match file::look(path)? {
        Some(found) => found,
        None => {
            let is_part = |name: &OsString| name.as_encoded_bytes().starts_with(b"events.");
            if !file::names(here.path())?.any(|name| is_part(&name)) {
                return move_journal(staged, here);
            }
            write::create_small(path, b"")?;
            match file::look(path)? {
                Some(found) => found,
                None => return Ok(0),
            }
        }
    };
    let missing = missing(
        staged.journal().lines()?,
        here.journal().lines()?,
        here.path(),
    )?
    .lines;
    let mut bytes = Vec::new();
    for line in &missing {
        bytes.push(b'\n');
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
        if bytes.len() >= PIECE {
            here.journal().append_lines(&bytes)?;
            bytes.clear();
        }
    }
    if !bytes.is_empty() {
        here.journal().append_lines(&bytes)?;
    }
    if !missing.is_empty() && !is_live {
        let last = last(staged.journal().last_lines(END)?);
        let before = found.meta.modified;
        write::set_modified(path, last.map_or(before, |last| last.max(before)))?;
    }
    Ok(missing.len())
}

/// Returns the time of the last event.
fn last(lines: JournalLines) -> Option<Timestamp> {
    let mut last = None;
    lines.for_each(|line| last = last.max(line.ts));
    last
}

/// Prepares a session's files to be moved into the state directory. Cuts off an incomplete last
/// line, so that later events are not appended to it. Sets each file's modification time to that of
/// its last event, because a bundle stores only whole seconds.
fn prepare(staged: &SessionDir) -> Result<()> {
    cut_torn_end(staged.journal().path())?;
    for (path, lines) in [
        (
            staged.journal().path().to_owned(),
            staged.journal().last_lines(END)?,
        ),
        (staged.imported(), staged.imported_lines()?),
    ] {
        if let Some(last) = last(lines) {
            write::set_modified(&path, last)?;
        }
    }
    Ok(())
}

/// Cuts off the bytes after the last line break of a file.
fn cut_torn_end(path: &Path) -> Result<()> {
    let Some(file) = file::open(path, OFlags::RDWR | OFlags::NOFOLLOW)? else {
        return Ok(());
    };
    let failed = |err: std::io::Error| Error::io("read", path)(err);
    let size = file.metadata().map_err(failed)?.len();
    let mut end = size;
    let mut piece = vec![0; PIECE];
    while end > 0 {
        let start = end.saturating_sub(PIECE as u64);
        let length = usize::try_from(end - start).unwrap_or(PIECE);
        let bytes = piece.get_mut(..length).unwrap_or_default();
        file.read_exact_at(bytes, start).map_err(failed)?;
        if let Some(place) = memchr::memrchr(b'\n', bytes) {
            end = start + place as u64 + 1;
            break;
        }
        end = start;
    }
    match end < size {
        true => file.set_len(end).map_err(failed),
        false => Ok(()),
    }
}

/// Moves a journal to a session that has none, `events.jsonl` last. Returns the number of events.
fn move_journal(staged: &SessionDir, here: &SessionDir) -> Result<usize> {
    let mut events = 0;
    staged.journal().lines()?.for_each(|_| events += 1);
    let mut names: Vec<_> = file::names(staged.path())?.collect();
    names.retain(|name| {
        name.to_str()
            .is_some_and(|name| name.starts_with("events."))
    });
    prepare(staged)?;
    let current = staged.journal().path().file_name();
    names.sort_by_key(|name| Some(name.as_os_str()) == current);
    for name in names {
        write::rename(&staged.path().join(&name), &here.path().join(&name))?;
    }
    Ok(events)
}

/// Adds the imported events that are missing in `here`, ordered by time. Returns how many.
fn add_imported(staged: &SessionDir, here: &SessionDir) -> Result<usize> {
    if !is_there(&staged.imported()) {
        return Ok(0);
    }
    let Missing { mut lines, is_all } = missing(
        staged.imported_lines()?,
        here.imported_lines()?,
        &here.imported(),
    )?;
    let added = lines.len();
    if added == 0 {
        return Ok(0);
    }
    if is_all {
        write::rename(&staged.imported(), &here.imported())?;
        return Ok(added);
    }
    let damage = here
        .imported_lines()?
        .for_each_whole(|line| lines.push(line.to_vec()));
    damage.or_retry(&here.imported())?;
    let at = |line: &Vec<u8>| {
        let mut at = None;
        let _ = JournalLine::read(line, |line| at = line.ts);
        at.unwrap_or_default()
    };
    lines.sort_by_cached_key(at);
    let last = lines.last().map(at).unwrap_or_default();
    let mut bytes = lines.join(&b'\n');
    bytes.push(b'\n');
    write::replace_as_of(&here.imported(), &bytes, last)?;
    Ok(added)
}

/// Takes over `usage.json` if it is larger than the session's existing one, and `title.json` if the
/// session has none.
fn add_notes(staged: &SessionDir, here: &SessionDir) -> Result<()> {
    for (name, may_replace) in [("usage.json", true), ("title.json", false)] {
        let (from, to) = (staged.path().join(name), here.path().join(name));
        let Some(found) = file::look(&from)? else {
            continue;
        };
        let is_more = match file::look(&to)? {
            None => true,
            Some(known) => may_replace && found.meta.size > known.meta.size,
        };
        if is_more {
            write::rename(&from, &to)?;
        }
    }
    Ok(())
}

fn add_record(staged: &SessionDir, here: &SessionDir, keeps_record: bool) -> Result<()> {
    let theirs = staged.record().ok().flatten();
    let ours = here.record();
    match (ours, theirs) {
        // Keep an existing record that cannot be read, so that the user can repair it.
        (Err(_), _) | (_, None) => Ok(()),
        (Ok(None), Some(theirs)) => here.put_record(&theirs, Durability::Synced),
        (Ok(Some(_)), _) if keeps_record => Ok(()),
        (Ok(Some(ours)), Some(theirs)) => {
            let chosen = newest(vec![ours.clone(), theirs]);
            match chosen.filter(|chosen| *chosen != ours) {
                Some(chosen) => here.put_record(&chosen, Durability::Synced),
                None => Ok(()),
            }
        }
    }
}

/// Writes to a session's record where its archive is and when it was made.
fn name_archive(state: &StateDir, id: &SessionId, place: &str, at: Timestamp) -> Result<()> {
    let named = serde_json::json!({"place": place, "at": at});
    let change = |record: &Record| {
        (record.archive.as_ref() != Some(&named)).then(|| Record {
            archive: Some(named.clone()),
            ..record.clone()
        })
    };
    match state.update_record(id, lock::CLI_PATIENCE, change) {
        // Ignore a damaged record: every command that reads it reports that.
        Ok(_) | Err(Error::Content { .. }) => Ok(()),
        Err(err) => Err(err),
    }
}
