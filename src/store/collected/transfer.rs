//! Transfers the sessions of a state directory to another machine. Only what the receiver does not
//! have yet is sent.
//!
//! The receiver reports which files it has. The sender answers with a line of JSON about itself.
//! For each file it then sends a line of JSON and the file's bytes, and at the end a last line. A
//! journal that has grown is continued where the receiver's copy ends. If a transfer ends early,
//! the next one continues it.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::error::{Error, Result};
use super::super::write::{self, GrowingFile};
use super::super::{clock, file};
use super::copy::{MAX_OWNERS, OWNERS, is_kept};
use super::source::Machine;
use crate::model::archive::MANIFEST;
use crate::model::duration::brief;
use crate::model::project::to_hex;
use crate::model::{SessionId, Timestamp};

/// The version of the format in which files are sent.
const VERSION: u32 = 1;
/// The only file that grows. All others are replaced as a whole.
const GROWING: &str = "events.jsonl";
/// How many bytes are read or written at once.
const PIECE: usize = 1 << 18;
/// How far the sender's clock may differ from the receiver's without a warning.
const CLOCK_PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How many bytes at the end of the receiver's copy are hashed. By the hash, the sender sees
/// whether its own file still begins with that copy.
const MARK: u64 = 4096;
/// The longest line of the protocol that is read, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// The most lines that are skipped before the sender's first line. A login shell may print a
/// greeting.
const MAX_GREETING: usize = 200;
/// The longest accepted name of a file or folder, in bytes.
const MAX_NAME: usize = 255;
/// The most files that a receiver may report to have.
const MAX_HELD: usize = 10_000_000;

/// A file that the receiver already has.
#[derive(Debug, Serialize, Deserialize)]
struct HeldFile {
    /// The path below the state directory.
    path: String,
    size: u64,
    modified: Timestamp,
    /// The hash of the file's last [`MARK`] bytes, for a file that may have grown at the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
}

/// The sender's first line.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    ccsession_transfer: u32,
    /// The sender's machine.
    #[serde(default, skip_serializing_if = "Machine::is_unknown")]
    machine: Machine,
    /// The time on the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<Timestamp>,
}

/// A line of the sender after its first one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Frame {
    /// A file, or the end of a file that has grown. `length` bytes follow this line.
    File {
        path: String,
        /// The position in the file at which these bytes begin.
        offset: u64,
        length: u64,
        modified: Timestamp,
    },
    /// A message about a file or folder that the sender could not read.
    LeftOut(String),
    /// The last line: all files were sent. `sessions` is the number of sessions.
    End { sessions: u64 },
}

/// The result of receiving.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Received {
    /// How many sessions the sender has.
    pub sessions: u64,
    /// How many files are new or have changed.
    pub files: u64,
    /// How many bytes of these files were sent.
    pub bytes: u64,
    /// Messages about what the sender could not read.
    pub left_out: Vec<String>,
    /// Messages about the sender's machine and clock.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// Why a transfer ended early. Files that were received before stay.
#[derive(Debug)]
pub enum TransferError {
    /// The other side does not answer like ccsession. Contains the first line of its answer, if
    /// there is one.
    NotUs(Option<String>),
    /// The other side uses this other version of the format.
    OtherVersion(u32),
    /// The connection ended early.
    BrokenOff,
    /// A file on this machine could not be read or written.
    Here(Error),
}

impl From<Error> for TransferError {
    fn from(err: Error) -> Self {
        Self::Here(err)
    }
}

/// Which files are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// The files of sessions.
    Sessions,
    /// The files of sessions and of archives.
    WithArchives,
}

/// Returns a path below a state directory if the file may be sent and received: a file of a session
/// or, if `contents` allows it, of an archive. Otherwise returns `None`.
///
/// # Security
/// The receiver writes only to such paths, whatever the sender sends.
pub(in crate::store) fn kept_path(path: &str, contents: Contents) -> Option<PathBuf> {
    let mut parts = path.split('/');
    match parts.next() {
        Some("sessions") => {}
        Some("archive") if contents == Contents::WithArchives => return archive_path(parts),
        _ => return None,
    }
    let id: SessionId = parts.next()?.parse().ok()?;
    let folder = Path::new("sessions").join(id.as_str());
    match (parts.next()?, parts.next(), parts.next()) {
        (name, None, None) if is_kept(name) => Some(folder.join(name)),
        (OWNERS, Some(name), None) if is_owner(name) => Some(folder.join(OWNERS).join(name)),
        _ => None,
    }
}

/// Returns the path of a file of an archive: `archive/{project}/{name}`.
fn archive_path<'p>(mut parts: impl Iterator<Item = &'p str>) -> Option<PathBuf> {
    let is_name = |name: &&str| {
        !matches!(*name, "" | "." | "..")
            && name.len() <= MAX_NAME
            && !name.contains(char::is_control)
    };
    let project = parts.next().filter(is_name)?;
    let is_part = |name: &&str| {
        let is_ours = [".txt", ".json", ".zst"]
            .iter()
            .any(|end| name.ends_with(end));
        is_name(name) && is_ours && !name.starts_with('.')
    };
    let name = parts.next().filter(is_part)?;
    let is_end = parts.next().is_none();
    is_end.then(|| Path::new("archive").join(project).join(name))
}

/// Returns whether a file has the name of an owner: `{pid}-{start}`.
fn is_owner(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.split_once('-')
        .is_some_and(|(pid, start)| is_number(pid) && is_number(start))
}

/// Lists the files below `state` that may be sent, and counts the sessions. The files of archives
/// come last, and each manifest after the parts that it lists. Errors about single folders are
/// passed to `left_out`.
fn kept_files(
    state: &Path,
    contents: Contents,
    mut left_out: impl FnMut(Error),
) -> Result<(u64, Vec<String>)> {
    let mut ids: Vec<SessionId> = file::names(&state.join("sessions"))?
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    ids.sort();
    let mut paths = Vec::new();
    for id in &ids {
        let folder = format!("sessions/{id}");
        for (folder, most) in [
            (folder.clone(), usize::MAX),
            (format!("{folder}/{OWNERS}"), MAX_OWNERS),
        ] {
            match file::first_names(&state.join(&folder), most) {
                Ok(names) => {
                    let path =
                        |name: std::ffi::OsString| Some(format!("{folder}/{}", name.to_str()?));
                    let mut found: Vec<String> = names.into_iter().filter_map(path).collect();
                    found.retain(|path| kept_path(path, contents).is_some());
                    found.sort();
                    paths.extend(found);
                }
                Err(err) => left_out(err),
            }
        }
    }
    if contents == Contents::WithArchives {
        let mut projects: Vec<_> = file::names(&state.join("archive"))?.collect();
        projects.sort();
        for project in projects.iter().filter_map(|name| name.to_str()) {
            let folder = format!("archive/{project}");
            match file::names(&state.join(&folder)) {
                Ok(names) => {
                    let path =
                        |name: std::ffi::OsString| Some(format!("{folder}/{}", name.to_str()?));
                    let mut found: Vec<String> = names.filter_map(path).collect();
                    found.retain(|path| kept_path(path, contents).is_some());
                    found.sort_by_cached_key(|path| (path.ends_with(MANIFEST), path.clone()));
                    paths.extend(found);
                }
                Err(err) => left_out(err),
            }
        }
    }
    Ok((ids.len() as u64, paths))
}

/// Hashes the last [`MARK`] bytes before `end`.
fn mark(file: &mut (impl Read + Seek), end: u64) -> io::Result<String> {
    let start = end.saturating_sub(MARK);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes)?;
    Ok(to_hex(&Sha256::digest(bytes)))
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Tells the sender which files are already below `state`.
///
/// # Errors
/// Returns [`TransferError::Here`] if a file cannot be read, and [`TransferError::BrokenOff`] if
/// the connection ends.
pub fn write_held(
    state: &Path,
    contents: Contents,
    out: &mut impl Write,
) -> std::result::Result<(), TransferError> {
    let mut failure = None;
    let (_, paths) = kept_files(state, contents, |err| failure = Some(err))?;
    if let Some(err) = failure {
        return Err(err.into());
    }
    for path in paths {
        let Some((mut held, meta)) = file::open_plain(&state.join(&path))? else {
            continue;
        };
        let mark = match path.ends_with(GROWING) {
            true => Some(mark(&mut held, meta.size).map_err(Error::io("read", state))?),
            false => None,
        };
        let held = HeldFile {
            path,
            size: meta.size,
            modified: meta.modified,
            mark,
        };
        write_line(out, &held).map_err(|_| TransferError::BrokenOff)?;
    }
    out.flush().map_err(|_| TransferError::BrokenOff)
}

/// Sends the sessions below `state` to `out`, except the files that the receiver has according to
/// `held`.
///
/// # Errors
/// Fails if `held` cannot be read, `out` cannot be written, or a file became shorter while it was
/// read.
pub fn send(
    state: Option<&Path>,
    contents: Contents,
    held: impl Read,
    out: &mut impl Write,
) -> io::Result<()> {
    let hello = Hello {
        ccsession_transfer: VERSION,
        machine: Machine::here(),
        now: Some(clock::now()),
    };
    write_line(out, &hello)?;
    out.flush()?;
    let mut known: HashMap<String, HeldFile> = HashMap::new();
    for line in BufReader::new(held).lines().take(MAX_HELD) {
        let held: HeldFile = serde_json::from_str(&line?)?;
        known.insert(held.path.clone(), held);
    }
    let Some(state) = state else {
        write_line(out, &Frame::End { sessions: 0 })?;
        return out.flush();
    };
    let mut left_out = Vec::new();
    let (sessions, paths) = kept_files(state, contents, |err| left_out.push(err.to_string()))
        .map_err(io::Error::other)?;
    for path in paths {
        let opened = match file::open_plain(&state.join(&path)) {
            Ok(Some(opened)) => opened,
            // The file was rotated or removed since the folder was listed.
            Ok(None) => continue,
            Err(err) => {
                left_out.push(err.to_string());
                continue;
            }
        };
        let (mut source, meta) = opened;
        let held = known.get(&path);
        if held.is_some_and(|held| (held.size, held.modified) == (meta.size, meta.modified)) {
            continue;
        }
        let grown = held
            .filter(|held| held.size < meta.size)
            .map(|held| (held.size, &held.mark));
        let offset = match grown {
            Some((size, Some(theirs))) if mark(&mut source, size)? == *theirs => size,
            _ => 0,
        };
        source.seek(SeekFrom::Start(offset))?;
        let length = meta.size - offset;
        let frame = Frame::File {
            path,
            offset,
            length,
            modified: meta.modified,
        };
        write_line(out, &frame)?;
        if copy(&mut source.take(length), out)? != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    for text in left_out {
        write_line(out, &Frame::LeftOut(text))?;
    }
    write_line(out, &Frame::End { sessions })?;
    out.flush()
}

/// Receives files from a sender, and writes them to the private directory `state`.
///
/// # Errors
/// Returns why the transfer ended early. The files received before stay, and the next transfer
/// continues from there.
///
/// # Security
/// The sender controls the contents and sizes of files, but only paths that `kept_path` accepts are
/// written.
pub fn receive(
    state: &Path,
    contents: Contents,
    sent: impl Read,
) -> std::result::Result<Received, TransferError> {
    let mut sent = BufReader::with_capacity(PIECE, sent);
    let hello = expect_hello(&mut sent)?;
    let mut received = Received {
        notes: meet(state, hello)?,
        ..Received::default()
    };
    write::make_dir(&state.join("sessions"))?;
    loop {
        let line = read_line(&mut sent)?.ok_or(TransferError::BrokenOff)?;
        let said =
            |line: &[u8]| TransferError::NotUs(Some(String::from_utf8_lossy(line).into_owned()));
        match serde_json::from_slice(&line).map_err(|_| said(&line))? {
            Frame::End { sessions } => {
                received.sessions = sessions;
                return Ok(received);
            }
            Frame::LeftOut(text) => received.left_out.push(text),
            Frame::File {
                path,
                offset,
                length,
                modified,
            } => {
                let kept = kept_path(&path, contents).ok_or_else(|| said(path.as_bytes()))?;
                let path = state.join(kept);
                make_folders(state, &path)?;
                let bytes = (&mut sent).take(length);
                match offset {
                    0 => put_file(&path, bytes, length, modified)?,
                    _ => append_to(&path, bytes, offset, length, modified)?,
                }
                received.files += 1;
                received.bytes += length;
            }
        }
    }
}

/// Writes to `state` which machine sends. Returns messages about that machine and its clock.
fn meet(state: &Path, hello: Hello) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let now = clock::now();
    if let Some(theirs) = hello.now {
        let off = theirs.age(now).max(now.age(theirs));
        if off > CLOCK_PATIENCE {
            let is_ahead = if theirs > now { "ahead" } else { "behind" };
            let off = brief(off);
            notes.push(format!(
                "its clock is {off} {is_ahead} of this machine's; the times of its sessions are as recorded"
            ));
        }
    }
    let machine = hello.machine.checked();
    let before = Machine::of_copy(state)?;
    if machine.is_unknown() || machine == before {
        return Ok(notes);
    }
    if before.id.is_some() && before.id != machine.id {
        notes.push(
            "it is another machine than last time; its sessions join those that were copied before"
                .to_owned(),
        );
    }
    machine.note_copy(state)?;
    Ok(notes)
}

/// Skips the greetings of a login shell, and returns the sender's first line.
fn expect_hello(sent: &mut impl BufRead) -> std::result::Result<Hello, TransferError> {
    let mut first = None;
    for _ in 0..MAX_GREETING {
        let Some(line) = read_line(sent)? else {
            break;
        };
        match serde_json::from_slice::<Hello>(&line) {
            Ok(hello) if hello.ccsession_transfer == VERSION => return Ok(hello),
            Ok(hello) => return Err(TransferError::OtherVersion(hello.ccsession_transfer)),
            Err(_) => {
                first.get_or_insert_with(|| String::from_utf8_lossy(&line).into_owned());
            }
        }
    }
    Err(TransferError::NotUs(first))
}

/// Reads a line without its line break, or `None` at the end.
fn read_line(sent: &mut impl BufRead) -> std::result::Result<Option<Vec<u8>>, TransferError> {
    let mut line = Vec::new();
    let read = sent.take(MAX_LINE).read_until(b'\n', &mut line);
    read.map_err(|_| TransferError::BrokenOff)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(TransferError::BrokenOff),
    }
}

/// Copies everything from `from` to `to`, in large pieces.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut copied = 0;
    loop {
        let read = file::read_some(from, &mut piece)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(copied);
        };
        to.write_all(bytes)?;
        copied += read as u64;
    }
}

pub(in crate::store) fn make_folders(state: &Path, path: &Path) -> Result<()> {
    let folders = path
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != state);
    let mut folders: Vec<&Path> = folders.collect();
    folders.reverse();
    for folder in folders {
        write::make_dir(folder)?;
    }
    Ok(())
}

fn put_file(
    path: &Path,
    mut bytes: impl Read,
    length: u64,
    modified: Timestamp,
) -> std::result::Result<(), TransferError> {
    let mut file = GrowingFile::beside(path)?;
    if copy(&mut bytes, file.file()).map_err(Error::io("write", path))? != length {
        return Err(TransferError::BrokenOff);
    }
    file.set_modified(modified)?;
    Ok(file.replace(path)?)
}

/// Appends the bytes of the sender's file from `offset` on. If the transfer ends early, the file is
/// a valid, shorter beginning of the sender's file, with the present modification time, so that the
/// next transfer continues it.
fn append_to(
    path: &Path,
    mut bytes: impl Read,
    offset: u64,
    length: u64,
    modified: Timestamp,
) -> std::result::Result<(), TransferError> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW;
    let file = file::open(path, flags)?;
    let size = file::look(path)?.map(|found| found.meta.size);
    let (Some(mut file), true) = (file, size == Some(offset)) else {
        return Err(TransferError::BrokenOff);
    };
    write::set_modified(path, clock::now())?;
    if copy(&mut bytes, &mut file).map_err(Error::io("append to", path))? != length {
        return Err(TransferError::BrokenOff);
    }
    Ok(write::set_modified(path, modified)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_files_of_sessions_have_paths() {
        for path in [
            "sessions/s-1/session.json",
            "sessions/s-1/events.jsonl",
            "sessions/s-1/events.12.jsonl.zst",
            "sessions/s-1/owners/12-34",
        ] {
            assert_eq!(kept_path(path, Contents::Sessions), Some(path.into()));
        }
        for path in [
            "",
            "lock",
            "sessions",
            "sessions/s-1",
            "sessions/../session.json",
            "sessions/.gone-1/session.json",
            "/sessions/s-1/session.json",
            "sessions//session.json",
            "sessions/s-1/open.json",
            "sessions/s-1/../s-2/session.json",
            "sessions/s-1/owners/..",
            "sessions/s-1/owners/1-2/3",
            "archive/shop/a.manifest.json",
        ] {
            assert_eq!(kept_path(path, Contents::Sessions), None, "{path}");
        }
        let kept = |path| kept_path(path, Contents::WithArchives);
        for path in [
            "archive/shop/2026-11-20-x-s-1.manifest.json",
            "archive/.dotfiles/2026-11-20-x-s-1.agent-a.2.jsonl.zst",
            "sessions/s-1/session.json",
        ] {
            assert_eq!(kept(path), Some(path.into()));
        }
        for path in [
            "archive",
            "archive/shop",
            "archive/../a.manifest.json",
            "archive/shop/.a.manifest.json",
            "archive/shop/a.manifest.json.new",
            "archive/shop/a.elsewhere",
            "archive/shop/../../a.txt",
            "archive/shop/a/b.txt",
            "archive/sh\u{1b}op/a.txt",
            "archive//a.txt",
            "archive.lock",
        ] {
            assert_eq!(kept(path), None, "{path}");
        }
    }
}
