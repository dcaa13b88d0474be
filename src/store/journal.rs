//! The journal: JSON Lines, appended to by many processes at once, never locked, never truncated.
//!
//! Each record is one `write(2)` of `\n{…}\n`. A process that is killed inside its write leaves a fragment in the middle
//! of the file; the leading line break keeps the next record off it. Readers skip blank lines and count what is torn.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::error::{Error, Result};
use super::file;
use super::write::{self, Appended};
use crate::model::Event;
use crate::model::event::BadLine;

/// The longest line that is read; a longer one counts as torn.
const MAX_LINE: usize = 1 << 20;

/// Appends one event. The file must be there: a missing one means a session first heard of now.
///
/// # Errors
/// As [`write::append`]: [`Error::Unsafe`], or [`Error::Io`], after which a fragment may be in the file.
///
/// # Durability
/// No fsync. Killing the process loses at most this record, and no other; a power failure may lose the last seconds.
pub fn append(path: &Path, event: &Event) -> Result<Appended> {
    write::append(path, &framed(&event.encode()))
}

/// A line as it is written: a line break before it and one after.
pub(super) fn framed(line: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len() + 2);
    bytes.push(b'\n');
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    bytes
}

/// What a reader found besides events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Lines that are no JSON object: writes that were cut short.
    pub torn: u64,
    /// Lines that are JSON but no event.
    pub foreign: u64,
    /// Lines of a newer version in a form this one cannot understand.
    pub newer: u64,
    /// An unterminated last line: a write that is in flight.
    pub in_flight: u64,
}

/// The events of a journal, one by one, and the damage met so far.
#[derive(Debug)]
pub struct Events {
    reader: Option<BufReader<File>>,
    line: Vec<u8>,
    damage: Damage,
}

/// Reads a journal from its start; no events where there is none.
///
/// # Errors
/// [`Error::Unsafe`] where the file is not ours alone, [`Error::Io`] where it cannot be opened. A journal that becomes
/// unreadable on the way ends there.
pub fn read(path: &Path) -> Result<Events> {
    let reader = file::open_own(path)?.map(|file| BufReader::with_capacity(64 * 1024, file));
    Ok(Events {
        reader,
        line: Vec::new(),
        damage: Damage::default(),
    })
}

/// Reads the end of a journal, from the first line that starts within its last `bytes` bytes.
///
/// # Errors
/// As [`read`].
pub fn read_tail(path: &Path, bytes: u64) -> Result<Events> {
    let mut events = read(path)?;
    if let Some(reader) = &mut events.reader {
        let size = reader
            .seek(SeekFrom::End(0))
            .map_err(Error::io("read", path))?;
        let start = size.saturating_sub(bytes);
        reader
            .seek(SeekFrom::Start(start))
            .map_err(Error::io("read", path))?;
        if start > 0 {
            reader.skip_until(b'\n').map_err(Error::io("read", path))?;
        }
    }
    Ok(events)
}

impl Events {
    /// The damage met up to here.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// The next line that is not blank, without its line break; nothing at the end.
    fn next_line(&mut self) -> Option<&[u8]> {
        let reader = self.reader.as_mut()?;
        loop {
            self.line.clear();
            let read = reader
                .take(MAX_LINE as u64)
                .read_until(b'\n', &mut self.line)
                .ok()?;
            if read == 0 {
                return None;
            }
            if self.line.last() != Some(&b'\n') {
                if read < MAX_LINE {
                    self.damage.in_flight += 1;
                    return None;
                }
                reader.skip_until(b'\n').ok()?;
                self.damage.torn += 1;
                continue;
            }
            self.line.pop();
            if !self.line.is_empty() {
                return Some(&self.line);
            }
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            let decoded = Event::decode(self.next_line()?);
            match decoded {
                Ok(event) => return Some(event),
                Err(BadLine::Torn) => self.damage.torn += 1,
                Err(BadLine::Foreign) => self.damage.foreign += 1,
                Err(BadLine::Newer(_)) => self.damage.newer += 1,
            }
        }
    }
}
