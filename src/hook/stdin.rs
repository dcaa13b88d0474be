//! Reads a hook's stdin to its end, or until a deadline.
//!
//! Reading to the end matters: otherwise Claude Code would get a broken pipe while it is still
//! writing.

use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;

/// The longest time that a hook reads, so that the whole hook fits into one second.
pub(super) const PATIENCE: Duration = Duration::from_millis(700);

/// Feeds stdin to `feed` piece by piece, until it ends or `deadline` has passed. A read error
/// counts as the end.
pub(super) fn read(deadline: Instant, mut feed: impl FnMut(&[u8])) {
    let stdin = stdin();
    // Do not zero the buffer: touching its pages takes longer than reading a small payload.
    let mut buffer = Vec::with_capacity(64 * 1024);
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let timeout = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => return,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        buffer.clear();
        match rustix::io::read(stdin, spare_capacity(&mut buffer)) {
            Ok(0) => return,
            Ok(_) => feed(&buffer),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}
