//! Sends what is new to the destinations in the settings. This file defines what one delivery
//! contains and how it ends. A destination never learns more than the journals contain.

mod answer;
pub mod backlog;
pub mod batch;
pub mod cursor;
pub mod destination;
pub mod endpoint;
pub mod facts;
mod headers;
pub mod http;
pub mod increment;
pub mod mark;
pub mod observability;
pub mod pass;
mod pieces;
mod proxy;
mod retry;
mod trouble;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub use destination::{Destination, Protocol};

/// One kind of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans: calls, turns, subagents.
    Traces,
    /// Log records: events.
    Logs,
    /// Counters over all sessions.
    Metrics,
}

impl Signal {
    /// Every signal, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// Returns the name in the settings, which is also the last part of the path in OTLP/HTTP.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// In which form a destination gets its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// How the data is sent.
    pub protocol: Protocol,
    /// What the destination gets.
    pub signals: Vec<Signal>,
    /// Whether calls become spans.
    pub spans: destination::SpansSetting,
    /// The most bytes that are sent in one request, before compression.
    pub batch: usize,
}

impl From<&Destination> for Form {
    fn from(destination: &Destination) -> Self {
        Self {
            protocol: destination.protocol,
            signals: destination.signals.clone(),
            spans: destination.spans,
            batch: destination.batch,
        }
    }
}

/// What a destination gets in one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch<'b> {
    /// One OTLP request.
    Otlp {
        /// The signal of the request, which decides its path.
        signal: Signal,
        /// The request, encoded as [`Destination::protocol`] says, before compression.
        body: Cow<'b, [u8]>,
    },
    /// Events for the protocol [`Protocol::Observability`]: JSON objects, sent one by one in this
    /// order.
    Events(Vec<Vec<u8>>),
}

/// Delivers batches to one destination. A delivery ends within a limited time, whatever the
/// destination does.
pub trait Outlet: fmt::Debug {
    /// Delivers a batch. Repeats a request that may succeed later, a limited number of times.
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery;
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The destination has the whole batch.
    Accepted,
    /// The destination has the batch without the items that it rejected. Sending them again would
    /// not help.
    Partial {
        /// How many items it rejected; zero if it only warns.
        rejected: u64,
        /// The destination's reason, on one safe line.
        message: String,
    },
    /// The batch is too large for the destination. Each half of it may be accepted.
    TooLarge(Failure),
    /// The destination will never accept this batch. It may accept others.
    Refused(Failure),
    /// The destination accepts nothing until a person changes something: the settings, the
    /// credentials, the destination itself.
    Misconfigured(Failure),
    /// The destination cannot be reached now, or is overloaded. It may accept the same batch later.
    Unreachable {
        /// The reason.
        why: Failure,
        /// How long the destination wants no requests, if it says so.
        retry_after: Option<Duration>,
    },
}

/// Why a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened and what to do, on one safe line without any secret. It does not contain the
    /// destination's name.
    pub line: String,
    /// How many events of a [`Batch::Events`] the destination accepted before the failure. Always
    /// zero for OTLP.
    pub taken: usize,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}
