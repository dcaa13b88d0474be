//! A transcript's copy: each line without its secrets, compressed; and the text of its messages along the way.
//!
//! The lines are dealt out in batches to as many threads as there are processors, and come back in order. Each batch is
//! compressed by itself: a Zstandard file is a sequence of such frames. So memory is bounded, whatever the size.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::text;
use crate::model::redact::{Counts, Redactor};
use crate::store::Result;
use crate::store::lines::Lines;

/// How much text is dealt out at once. A line is never divided.
const BATCH: usize = 1 << 20;
/// The most threads: each takes some eight megabytes.
const MAX_THREADS: usize = 4;
/// How many batches wait, so that no thread does.
const WAITING: usize = 2;
/// How hard to compress: a fifteenth larger than by the library's usual level, in three quarters of the time.
const LEVEL: i32 = 1;

/// What is made of each line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Making {
    /// Whether secrets are taken out: not of what was recorded without them.
    pub(super) redact: bool,
    /// Whether the messages' text is wanted, and if so, whether with the tool calls.
    pub(super) text: Option<text::Wanted>,
}

/// What has become of a batch.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The lines, compressed.
    pub(super) compressed: Vec<u8>,
    /// How many lines there are.
    pub(super) lines: u64,
    /// The text of their messages.
    pub(super) text: String,
    /// How many messages that is.
    pub(super) messages: u64,
    /// What was redacted.
    pub(super) redacted: Counts,
    /// How many lines were too long to be held.
    pub(super) left_out: u64,
}

/// A batch, and where to send what has become of it.
type Job = (Vec<u8>, SyncSender<std::io::Result<Made>>);

/// Copies all `lines`; what becomes of them is given to `take`, in order.
///
/// # Errors
/// What reading or taking failed with.
pub(super) fn copy(
    lines: &mut Lines,
    making: Making,
    mut take: impl FnMut(Made) -> Result<()>,
) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS));
    let (jobs, todo) = sync_channel::<Job>(WAITING);
    let todo = Mutex::new(todo);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&todo, making));
        }
        let mut under_way = VecDeque::new();
        loop {
            let (mut batch, left_out) = lines.next_lines(BATCH)?;
            let is_last = batch.is_empty();
            if left_out > 0 {
                take(Made {
                    left_out,
                    ..Made::default()
                })?;
            }
            if !is_last {
                if batch.last() != Some(&b'\n') {
                    batch.push(b'\n');
                }
                let (answer, made) = sync_channel(1);
                // The threads are there until `jobs` is dropped.
                let _ = jobs.send((batch, answer));
                under_way.push_back(made);
            }
            while under_way.len() >= threads + WAITING || is_last && !under_way.is_empty() {
                if let Some(made) = under_way.pop_front() {
                    take(received(&made, lines)?)?;
                }
            }
            if is_last {
                drop(jobs);
                return Ok(());
            }
        }
    })
}

fn received(made: &Receiver<std::io::Result<Made>>, lines: &Lines) -> Result<Made> {
    let gone = |_| {
        Err(std::io::Error::other(
            "the thread that compresses it has ended",
        ))
    };
    made.recv()
        .unwrap_or_else(gone)
        .map_err(|err| lines.failure("compress", err))
}

fn work(todo: &Mutex<Receiver<Job>>, making: Making) {
    let Ok(mut compressor) = zstd::bulk::Compressor::new(LEVEL) else {
        return;
    };
    let _ = compressor.include_checksum(true);
    let mut room = Vec::new();
    loop {
        let job = match todo.lock() {
            Ok(todo) => todo.recv(),
            Err(_) => return,
        };
        let Ok((batch, answer)) = job else {
            return;
        };
        let made = make(&batch, making, &mut compressor, &mut room);
        // Nobody waits for it where another batch has failed.
        let _ = answer.send(made);
    }
}

/// What becomes of a batch; it is compressed in the `room`, which is used again.
fn make(
    batch: &[u8],
    making: Making,
    compressor: &mut zstd::bulk::Compressor<'_>,
    room: &mut Vec<u8>,
) -> std::io::Result<Made> {
    let mut made = Made::default();
    let mut redactor = Redactor::default();
    // Nothing is copied up to the first line that changes.
    let mut changed: Option<Vec<u8>> = None;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', batch) {
        let bytes = batch.get(start..end).unwrap_or_default();
        // Much faster than what replaces what is no text.
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
            made.messages += text::add_message(&mut made.text, &clean, wanted);
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
