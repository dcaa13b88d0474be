//! Sends the sessions of a state directory to another machine, and receives them there: only what
//! that machine does not have yet.
//!
//! The receiver says which files it has. The sender answers with a line of JSON for itself, then for
//! each file a line of JSON and the file's bytes, and a last line. A journal that has grown is
//! continued where the receiver's copy ends. A transfer that breaks off anywhere is continued by the
//! next.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::error::{Error, Result};
use super::super::write::{self, GrowingFile};
use super::super::{clock, file};
use super::copy::{MAX_OWNERS, OWNERS, is_kept};
use crate::model::project::to_hex;
use crate::model::{SessionId, Timestamp};

/// The version of what is sent.
const VERSION: u32 = 1;
/// The only file that grows. All others are replaced as a whole.
const GROWING: &str = "events.jsonl";
/// Bytes before the end of a copy by which the sender knows that it is the beginning of its file.
const MARK: u64 = 4096;
/// Longest line that is read, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// Most lines before the first of ours, such as greetings of a login shell.
const MAX_GREETING: usize = 200;
/// The most files of which a receiver may say that it has them.
const MAX_HELD: usize = 10_000_000;

/// A file that the receiver has.
#[derive(Debug, Serialize, Deserialize)]
struct HeldFile {
    /// The path below the state directory.
    path: String,
    size: u64,
    modified: Timestamp,
    /// A hash of the end of a file that may have grown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
}

/// The sender's first line.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    ccsession_transfer: u32,
}

/// What is announced by a line of the sender.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Frame {
    /// A file, or its end. `length` bytes follow.
    File {
        path: String,
        /// Where in the file the bytes begin.
        offset: u64,
        length: u64,
        modified: Timestamp,
    },
    /// A file or folder that could not be read, in words for people.
    LeftOut(String),
    /// All files were sent. `sessions` is how many there are.
    End { sessions: u64 },
}

/// What a receiver got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Received {
    /// How many sessions the sender has.
    pub sessions: u64,
    /// How many files are new or have changed.
    pub files: u64,
    /// How many bytes of them were sent.
    pub bytes: u64,
    /// What the sender could not read, in words for people.
    pub left_out: Vec<String>,
}

/// Why a transfer broke off. What was received before stays.
#[derive(Debug)]
pub enum TransferError {
    /// The other side does not answer as ccsession does. It may be a line of what it said.
    NotUs(Option<String>),
    /// The other side is a version that sends something else.
    OtherVersion(u32),
    /// The connection ended early.
    BrokenOff,
    /// A file here could not be read or written.
    Here(Error),
}

impl From<Error> for TransferError {
    fn from(err: Error) -> Self {
        Self::Here(err)
    }
}

/// Returns a path below a state directory that may be sent or received: a file that is kept of a
/// session.
///
/// # Security
/// A receiver writes nowhere else, whatever the sender says.
fn kept_path(path: &str) -> Option<PathBuf> {
    let mut parts = path.split('/');
    if parts.next() != Some("sessions") {
        return None;
    }
    let id: SessionId = parts.next()?.parse().ok()?;
    let folder = Path::new("sessions").join(id.as_str());
    match (parts.next()?, parts.next(), parts.next()) {
        (name, None, None) if is_kept(name) => Some(folder.join(name)),
        (OWNERS, Some(name), None) if is_owner(name) => Some(folder.join(OWNERS).join(name)),
        _ => None,
    }
}

/// Returns whether a file has the name of an owner: `{pid}-{start}`.
fn is_owner(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.split_once('-')
        .is_some_and(|(pid, start)| is_number(pid) && is_number(start))
}

/// Lists the files that are kept of the sessions below `state`. What cannot be listed is passed to
/// `left_out`.
fn kept_files(state: &Path, mut left_out: impl FnMut(Error)) -> Result<(u64, Vec<String>)> {
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
                    found.retain(|path| kept_path(path).is_some());
                    found.sort();
                    paths.extend(found);
                }
                Err(err) => left_out(err),
            }
        }
    }
    Ok((ids.len() as u64, paths))
}

/// Hashes the last bytes before `end`.
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

/// Writes which files of a sender are below `state` already.
///
/// # Errors
/// [`TransferError::Here`], [`TransferError::BrokenOff`].
pub fn write_held(state: &Path, out: &mut impl Write) -> std::result::Result<(), TransferError> {
    let mut failure = None;
    let (_, paths) = kept_files(state, |err| failure = Some(err))?;
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

/// Sends the sessions below `state` to `out`, but for what the receiver has, as `held` says.
///
/// # Errors
/// The error of `held` or `out`, or of a file that became shorter while it was read.
pub fn send(state: Option<&Path>, held: impl Read, out: &mut impl Write) -> io::Result<()> {
    let hello = Hello {
        ccsession_transfer: VERSION,
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
    let (sessions, paths) =
        kept_files(state, |err| left_out.push(err.to_string())).map_err(io::Error::other)?;
    for path in paths {
        let opened = match file::open_plain(&state.join(&path)) {
            Ok(Some(opened)) => opened,
            // It was rotated or removed since it was listed.
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
        if io::copy(&mut source.take(length), out)? != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    for text in left_out {
        write_line(out, &Frame::LeftOut(text))?;
    }
    write_line(out, &Frame::End { sessions })?;
    out.flush()
}

/// Receives what a sender sends into the private directory `state`.
///
/// # Errors
/// Why it broke off. The files that were received before stay, and the next transfer goes on from
/// there.
///
/// # Security
/// The sender chooses contents and sizes, but no other paths than those of sessions.
pub fn receive(state: &Path, sent: impl Read) -> std::result::Result<Received, TransferError> {
    let mut sent = BufReader::with_capacity(1 << 16, sent);
    expect_hello(&mut sent)?;
    let mut received = Received::default();
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
                let kept = kept_path(&path).ok_or_else(|| said(path.as_bytes()))?;
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

/// Skips what a login shell says first.
fn expect_hello(sent: &mut impl BufRead) -> std::result::Result<(), TransferError> {
    let mut first = None;
    for _ in 0..MAX_GREETING {
        let Some(line) = read_line(sent)? else {
            break;
        };
        match serde_json::from_slice(&line) {
            Ok(Hello {
                ccsession_transfer: VERSION,
            }) => return Ok(()),
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

fn make_folders(state: &Path, path: &Path) -> Result<()> {
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
    if io::copy(&mut bytes, file.file()).map_err(Error::io("write", path))? != length {
        return Err(TransferError::BrokenOff);
    }
    file.set_modified(modified)?;
    Ok(file.replace(path)?)
}

/// Appends the bytes that follow `offset`. If they break off, the file is a shorter beginning of the
/// sender's, dated as of now.
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
    if io::copy(&mut bytes, &mut file).map_err(Error::io("append to", path))? != length {
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
            assert_eq!(kept_path(path), Some(path.into()));
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
            assert_eq!(kept_path(path), None, "{path}");
        }
    }
}
