//! Copies a transcript or another file into an archive: removes secrets, compresses, and extracts
//! the messages of a transcript.
//!
//! The lines go in batches to at most four threads, and the results come back in order. Each batch
//! becomes a Zstandard frame of its own, so a file of any size needs only bounded memory.

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

/// About how many bytes of a transcript a thread processes at once. A batch consists of whole
/// lines.
const BATCH: usize = 1 << 20;
/// About how many bytes of any other file a thread processes at once. A batch is larger than that
/// of a transcript, because a secret may span many lines.
const FILE_BATCH: usize = 32 << 20;
/// The shortest text between binary bytes that is searched for secrets, in bytes. Binary data
/// contains many shorter ones by chance.
const SHORTEST_TEXT: usize = 8;
/// The most threads that copy one file. Each takes about eight megabytes of memory.
const MAX_THREADS: usize = 4;
/// How many batches are read ahead of the threads, so that none of them waits for input.
const WAITING: usize = 2;
/// The Zstandard compression level. Compared with the library's default level, files are a
/// fifteenth larger and compression takes three quarters of the time.
const LEVEL: i32 = 1;

/// What happens to each line of a transcript or journal before it is compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct CopyOptions {
    /// True to remove secrets; false for text that was redacted when it was recorded.
    pub(super) redact: bool,
    /// Which messages to extract for the archive's text for people. `None` extracts nothing.
    pub(super) text: Option<text::TextScope>,
}

/// The result of processing a batch.
#[derive(Debug, Default)]
pub(super) struct BatchResult {
    /// The compressed lines.
    pub(super) compressed: Vec<u8>,
    /// The number of lines.
    pub(super) lines: u64,
    /// The texts of the records, for the archive's text for people.
    pub(super) heard: Vec<RecordText>,
    /// How many secrets each rule redacted.
    pub(super) redacted: Counts,
    /// The number of lines that were too long to be kept.
    pub(super) left_out: u64,
}

/// A batch of lines, and the channel for its result.
type Job<T> = (Vec<u8>, SyncSender<std::io::Result<T>>);

/// Redacts and compresses all `lines` as `making` says. Passes the results to `take`, in the order
/// of the lines.
///
/// # Errors
/// Fails if the lines cannot be read or compressed, or if `take` fails.
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

/// Redacts and compresses a file that is not a transcript. Passes the results to `take`, in the
/// order of the lines.
///
/// # Errors
/// Fails if the file cannot be read or compressed, or if `take` fails.
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

/// Returns an empty Zstandard frame. An empty file is archived as this frame, because zero bytes
/// could not be decompressed.
///
/// # Errors
/// Fails if Zstandard cannot compress.
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

/// Reads a transcript for the first of two readings, which `talk` describes. Passes what that
/// reading keeps of each record to `note`, in the order of the lines.
///
/// # Errors
/// Fails if the lines cannot be read.
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

/// One of the results that [`deal`] passes on, in the order of the lines.
enum StretchResult<T> {
    /// The result of a batch.
    Done(T),
    /// This many lines were left out because they were too long.
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
    // The last line of a transcript may lack its line break, so one is added. Any other file is
    // copied as it is.
    let ends_lines = size == BATCH;
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS));
    let (jobs, todo) = sync_channel::<Job<T>>(WAITING);
    let todo = Mutex::new(todo);
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, || work(&todo, worker));
        let started = (0..threads).map_while(|one| start(one).ok()).count();
        // If the system allows no more threads, this thread does all the work.
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
                    // This does not block, because the channel has room for one answer.
                    Some(work) => drop(answer.send(work(&batch))),
                    // This cannot fail, because the receiver `todo` outlives the loop.
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
    let gone = |_| Err(std::io::Error::other("a worker thread ended unexpectedly"));
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

/// Redacts, compresses and reads a batch as `making` says. `room` is a buffer for compressed bytes
/// that is reused for every batch.
fn make(
    batch: &[u8],
    making: CopyOptions,
    compressor: &mut zstd::bulk::Compressor<'_>,
    room: &mut Vec<u8>,
) -> std::io::Result<BatchResult> {
    let mut made = BatchResult::default();
    let mut redactor = Redactor::default();
    // `None` until redaction changes a line, so that a batch without secrets is not copied.
    let mut changed: Option<Vec<u8>> = None;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', batch) {
        let bytes = batch.get(start..end).unwrap_or_default();
        // `from_utf8` is much faster than the lossy conversion, which only invalid text needs.
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
