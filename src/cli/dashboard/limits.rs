//! How much a client may send, and how long it may take.

use std::time::Duration;

/// The limits of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The longest first line and headers of a request together, in bytes.
    pub(super) head: usize,
    /// How long a client may take to send the first line and the headers.
    pub(super) head_time: Duration,
    /// The longest content of a request, in bytes.
    pub(super) body: usize,
    /// How long a client may take to send the content.
    pub(super) body_time: Duration,
    /// How long a client may go without reading anything of what is sent to it.
    pub(super) stalled: Duration,
    /// After how long without an event something is sent on a stream, to show that the server
    /// lives.
    pub(super) sign_of_life: Duration,
    /// How many connections may exist at a time.
    pub(super) connections: usize,
    /// How many of the connections may be streams.
    pub(super) streams: usize,
    /// How many requests may read files at a time. Others wait.
    pub(super) workers: u32,
}

impl Limits {
    /// The limits of every dashboard outside of tests.
    pub(super) const USUAL: Self = Self {
        head: 16 << 10,
        head_time: Duration::from_secs(10),
        body: 64 << 10,
        body_time: Duration::from_secs(10),
        stalled: Duration::from_secs(30),
        sign_of_life: Duration::from_secs(15),
        connections: 256,
        streams: 64,
        workers: 4,
    };
}
