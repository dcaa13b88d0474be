//! Copies a transcript: removes the secrets from each line, compresses it, and extracts what its
//! records say.
//!
//! The lines go in batches to as many threads as there are processors, and come back in order. Each
//! batch becomes a Zstandard frame of its file, so memory is bounded for a file of any size.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::talk::{self, RecordNote, RecordText};
use super::text;
use crate::claude::transcript::said::each_record;
use crate::model::redact::{Counts, Redactor};
use crate::store::Result;
use crate::store::lines::LineReader;

/// The size of a batch of a transcript, in bytes. A line is never divided.
const BATCH: usize = 1 << 20;
/// The size of a batch of any other file, in bytes. It is larger, because a secret may span many
/// lines.
const FILE_BATCH: usize = 32 << 20;
/// The shortest text that is searched for secrets, in bytes. Binary data is full of shorter ones.
const SHORTEST_TEXT: usize = 8;
/// The most threads. Each takes about eight megabytes.
const MAX_THREADS: usize = 4;
/// How many batches are read ahead, so that no thread waits for one.
const WAITING: usize = 2;
/// The compression level. Files are a fifteenth larger than at the library's default level, and
/// take three quarters of the time.
const LEVEL: i32 = 1;

/// How each line is processed.
#[derive(Debug, Clone, Copy)]
pub(super) struct CopyOptions {
    /// Removes secrets. Not needed for text that was redacted when it was recorded.
    pub(super) redact: bool,
    /// Extracts the messages' text, with or without the tool calls. `None` extracts nothing.
    pub(super) text: Option<text::TextScope>,
}

/// The result of processing a batch.
#[derive(Debug, Default)]
pub(super) struct BatchResult {
    /// The compressed lines.
    pub(super) compressed: Vec<u8>,
    /// The number of lines.
    pub(super) lines: u64,
    /// What their records say.
    pub(super) heard: Vec<RecordText>,
    /// What was redacted.
    pub(super) redacted: Counts,
    /// The number of lines that were too long to be kept.
    pub(super) left_out: u64,
}

/// A batch, and where to send its result.
type Job<T> = (Vec<u8>, SyncSender<std::io::Result<T>>);

/// Copies all `lines`, and passes the results to `take`, in order.
///
/// # Errors
/// Fails if reading or `take` fails.
pub(super) fn copy(
    lines: &mut LineReader,
    making: CopyOptions,
    mut take: impl FnMut(BatchResult) -> Result<()>,
) -> Result<()> {
    let worker = || {
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        let mut room = Vec::new();
        Ok(move |batch: &[u8]| make(batch, making, &mut compressor, &mut room))
    };
    deal(lines, BATCH, &worker, |dealt| take(dealt.into_made()))
}

/// Copies a file that is not a transcript, and passes the results to `take`, in order.
///
/// # Errors
/// Fails if reading or `take` fails.
pub(super) fn copy_file(
    lines: &mut LineReader,
    mut take: impl FnMut(BatchResult) -> Result<()>,
) -> Result<()> {
    let worker = |batch: &[u8]| {
        let mut redactor = Redactor::default();
        let clean = without_secrets(batch, &mut redactor);
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(BatchResult {
            compressed: compressor.compress(&clean)?,
            lines: memchr::memchr_iter(b'\n', batch).count() as u64,
            redacted: redactor.into_counts(),
            ..BatchResult::default()
        })
    };
    deal(lines, FILE_BATCH, &|| Ok(worker), |dealt| {
        take(dealt.into_made())
    })
}

/// Returns the compressed form of an empty file. A file of zero bytes could not be decompressed.
///
/// # Errors
/// Fails if the library fails.
pub(super) fn nothing() -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(b"", LEVEL)
}

/// Returns the bytes of a file without the secrets in its text. Bytes that are not text stay as
/// they are.
fn without_secrets(bytes: &[u8], redactor: &mut Redactor) -> Vec<u8> {
    let mut clean = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        match text.len() < SHORTEST_TEXT {
            true => clean.extend_from_slice(text.as_bytes()),
            false => clean.extend_from_slice(redactor.text(text).as_bytes()),
        }
        clean.extend_from_slice(chunk.invalid());
    }
    clean
}

/// Passes what the first reading keeps of the records in all `lines` to `note`, in order.
///
/// # Errors
/// Fails if reading fails.
pub(super) fn survey(lines: &mut LineReader, mut note: impl FnMut(RecordNote)) -> Result<()> {
    let notes = |batch: &[u8]| {
        let mut notes = Vec::new();
        for line in batch.split(|byte| *byte == b'\n') {
            each_record(line, |told| notes.extend(talk::notes(told)));
        }
        Ok(notes)
    };
    deal(lines, BATCH, &|| Ok(notes), |dealt| {
        if let StretchResult::Done(notes) = dealt {
            notes.into_iter().for_each(&mut note);
        }
        Ok(())
    })
}

/// The result for a stretch of lines.
enum StretchResult<T> {
    /// The result of a batch.
    Done(T),
    /// This many lines were too long.
    LeftOut(u64),
}

impl StretchResult<BatchResult> {
    fn into_made(self) -> BatchResult {
        match self {
            Self::Done(made) => made,
            Self::LeftOut(left_out) => BatchResult {
                left_out,
                ..BatchResult::default()
            },
        }
    }
}

/// Distributes all `lines` in batches to threads, each with its own worker. Passes the results to
/// `take`, in order.
fn deal<T: Send, W: FnMut(&[u8]) -> std::io::Result<T>>(
    lines: &mut LineReader,
    size: usize,
    worker: &(impl Fn() -> std::io::Result<W> + Sync),
    mut take: impl FnMut(StretchResult<T>) -> Result<()>,
) -> Result<()> {
    // A transcript's last line may be cut off, so it gets a line break. Any other file stays as it
    // is.
    let ends_lines = size == BATCH;
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS));
    let (jobs, todo) = sync_channel::<Job<T>>(WAITING);
    let todo = Mutex::new(todo);
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, || work(&todo, worker));
        let started = (0..threads).map_while(|one| start(one).ok()).count();
        // If the system allows no more threads, this one does all the work.
        let mut own = match started {
            0 => Some(worker().map_err(|err| lines.failure("compress", err))?),
            _ => None,
        };
        let mut under_way = VecDeque::new();
        loop {
            let (mut batch, left_out) = lines.next_lines(size)?;
            let is_last = batch.is_empty();
            if left_out > 0 {
                take(StretchResult::LeftOut(left_out))?;
            }
            if !is_last {
                if ends_lines && batch.last() != Some(&b'\n') {
                    batch.push(b'\n');
                }
                let (answer, made) = sync_channel(1);
                match &mut own {
                    // The channel has room for one answer.
                    Some(work) => drop(answer.send(work(&batch))),
                    // The threads run until `jobs` is dropped.
                    None => drop(jobs.send((batch, answer))),
                }
                under_way.push_back(made);
            }
            while under_way.len() >= threads + WAITING || is_last && !under_way.is_empty() {
                if let Some(made) = under_way.pop_front() {
                    take(StretchResult::Done(received(&made, lines)?))?;
                }
            }
            if is_last {
                drop(jobs);
                return Ok(());
            }
        }
    })
}

fn received<T>(made: &Receiver<std::io::Result<T>>, lines: &LineReader) -> Result<T> {
    let gone = |_| Err(std::io::Error::other("the thread that reads it has ended"));
    made.recv()
        .unwrap_or_else(gone)
        .map_err(|err| lines.failure("compress", err))
}

fn work<T, W: FnMut(&[u8]) -> std::io::Result<T>>(
    todo: &Mutex<Receiver<Job<T>>>,
    worker: &impl Fn() -> std::io::Result<W>,
) {
    let Ok(mut work) = worker() else {
        return;
    };
    loop {
        let job = match todo.lock() {
            Ok(todo) => todo.recv(),
            Err(_) => return,
        };
        let Ok((batch, answer)) = job else {
            return;
        };
        let made = work(&batch);
        // If another batch has failed, nobody receives this result.
        let _ = answer.send(made);
    }
}

/// Processes a batch. Compresses it in `room`, a buffer that is reused.
fn make(
    batch: &[u8],
    making: CopyOptions,
    compressor: &mut zstd::bulk::Compressor<'_>,
    room: &mut Vec<u8>,
) -> std::io::Result<BatchResult> {
    let mut made = BatchResult::default();
    let mut redactor = Redactor::default();
    // Until a line changes, nothing is copied.
    let mut changed: Option<Vec<u8>> = None;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', batch) {
        let bytes = batch.get(start..end).unwrap_or_default();
        // Much faster than the lossy conversion, which only invalid text needs.
        let line = std::str::from_utf8(bytes)
            .map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        let clean = match making.redact {
            true => redactor.transcript_line(&line),
            false => Cow::Borrowed(&*line),
        };
        if changed.is_none() && clean.as_bytes() != bytes {
            changed = batch.get(..start).map(<[u8]>::to_vec);
        }
        if let Some(copy) = &mut changed {
            copy.extend_from_slice(clean.as_bytes());
            copy.push(b'\n');
        }
        made.lines += 1;
        if let Some(wanted) = making.text {
            each_record(clean.as_bytes(), |told| {
                made.heard.extend(talk::heard(told, wanted))
            });
        }
        start = end + 1;
    }
    let copy = changed.as_deref().unwrap_or(batch);
    room.clear();
    room.reserve(zstd::zstd_safe::compress_bound(copy.len()));
    compressor.compress_to_buffer(copy, room)?;
    made.compressed.clone_from(room);
    made.redacted = redactor.into_counts();
    Ok(made)
}
