//! Batches: what several sessions have for a destination, joined to requests of a bounded size, and
//! how far each session got when they were delivered.

use super::cursor::SessionCursor;
use super::mark::{Counts, Mark, SessionKey, UnderWay};
use super::{Batch, Delivery, Form, Outlet, Protocol, Signal};

/// How many events are sent at once to a destination that takes them one by one.
pub const MAX_EVENTS: usize = 64;
/// How many bytes a piece has at most, if its items are of about the same size.
const LARGEST_PIECE: usize = 64 << 10;
/// After how many refusals, if nothing was taken, the destination is taken to refuse everything.
const MAX_REFUSED: u64 = 8;

/// Which of the two counts an item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// A span.
    Span,
    /// A log record or an event.
    Log,
}

/// Some items of one session, encoded.
#[derive(Debug)]
struct Piece {
    body: Vec<u8>,
    items: u64,
    /// The portion that it is of.
    portion: usize,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waiting,
    Taken,
    Refused,
}

/// What a batch has of one session.
#[derive(Debug, Clone)]
pub struct Portion {
    /// The session.
    pub key: SessionKey,
    /// What the destination had of it before.
    pub has: Mark,
    /// What it has once all is delivered.
    pub to: Mark,
    /// How many items it had before.
    pub sent: Counts,
    /// True if nothing comes after.
    pub is_last: bool,
}

/// Why nothing more can be sent now.
#[derive(Debug, Clone)]
pub struct Halt {
    /// Why, on one line.
    pub why: String,
    /// True if it may go on later without a person's doing.
    pub is_passing: bool,
    /// How long the destination wants to be left alone.
    pub retry_after: Option<std::time::Duration>,
}

/// What came of deliveries.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// What was taken.
    pub sent: Counts,
    /// How many bytes that was, not compressed.
    pub bytes: u64,
    /// How many items the destination rejected, and how many were passed over on request.
    pub rejected: u64,
    /// Why it rejected some, the first reason.
    pub rejected_why: Option<String>,
    /// How many pieces were refused.
    pub refused: u64,
    /// Why the first of them was.
    pub refused_why: Option<String>,
}

impl Tally {
    /// Adds what another thread has.
    pub fn add(&mut self, other: Self) {
        self.sent.spans += other.sent.spans;
        self.sent.logs += other.sent.logs;
        self.bytes += other.bytes;
        self.rejected += other.rejected;
        self.refused += other.refused;
        self.rejected_why = self.rejected_why.take().or(other.rejected_why);
        self.refused_why = self.refused_why.take().or(other.refused_why);
    }
}

/// Collects pieces and delivers them.
#[derive(Debug)]
pub struct Packer {
    protocol: Protocol,
    /// How many bytes are sent at once.
    most: usize,
    /// True if what is refused is passed over, as the user asked.
    skips_refused: bool,
    spans: Vec<Piece>,
    logs: Vec<Piece>,
    bytes: usize,
    portions: Vec<Portion>,
    /// What came of it.
    pub tally: Tally,
}

/// What a delivery changed: what the destination now has of each session.
#[derive(Debug)]
pub struct Progress {
    /// The sessions with what is noted of them.
    pub sessions: Vec<(SessionKey, SessionCursor)>,
    /// True if the last session is as far as it should be, and more of it may follow.
    pub is_open: bool,
    /// Why nothing more can be sent now.
    pub halt: Option<Halt>,
}

impl Packer {
    /// Creates an empty one for a destination that is spoken to like this.
    pub fn new(form: &Form, skips_refused: bool) -> Self {
        Self {
            protocol: form.protocol,
            most: form.batch,
            skips_refused,
            spans: Vec::new(),
            logs: Vec::new(),
            bytes: 0,
            portions: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Begins with a session, or goes on with it in another batch.
    pub fn begin(&mut self, portion: Portion) {
        self.portions.push(portion);
    }

    /// Adds items of the session that was begun last.
    pub fn push(&mut self, kind: ItemKind, body: Vec<u8>, items: u64) {
        self.bytes += body.len();
        let piece = Piece {
            body,
            items,
            portion: self.portions.len().saturating_sub(1),
            fate: Fate::Waiting,
        };
        match kind {
            ItemKind::Span => self.spans.push(piece),
            ItemKind::Log => self.logs.push(piece),
        }
    }

    /// Says that the session that was begun last has no more items.
    pub fn end(&mut self) {
        if let Some(portion) = self.portions.last_mut() {
            portion.is_last = true;
        }
    }

    /// Returns whether it is time to deliver.
    pub fn is_full(&self) -> bool {
        self.bytes + self.piece() > self.most
            || self.protocol == Protocol::Observability && self.logs.len() >= MAX_EVENTS
    }

    /// Returns how many bytes the pieces should have. What is refused is told apart by pieces.
    pub fn piece(&self) -> usize {
        (self.most / 4).min(LARGEST_PIECE)
    }

    /// Returns whether there is nothing to deliver or to note.
    pub fn is_empty(&self) -> bool {
        self.portions.is_empty()
    }

    /// Delivers what was collected, and returns how far each session got.
    pub fn deliver(&mut self, outlet: &mut dyn Outlet) -> Progress {
        let (mut spans, mut logs) = (
            std::mem::take(&mut self.spans),
            std::mem::take(&mut self.logs),
        );
        let mut halt = self.send(outlet, Signal::Traces, &mut spans).err();
        if halt.is_none() {
            halt = self.send(outlet, Signal::Logs, &mut logs).err();
        }
        self.bytes = 0;
        let mut is_open = true;
        let portions = std::mem::take(&mut self.portions);
        let of = |(place, portion): (usize, Portion)| {
            let [spans, logs] = [&spans, &logs].map(|pieces| self.taken(place, pieces));
            let is_whole = spans.is_whole && logs.is_whole;
            is_open = is_whole;
            let cursor = if is_whole && portion.is_last {
                SessionCursor {
                    has: portion.to,
                    under_way: None,
                }
            } else {
                SessionCursor {
                    has: portion.has,
                    under_way: Some(UnderWay {
                        to: portion.to,
                        sent: Counts {
                            spans: portion.sent.spans + spans.items,
                            logs: portion.sent.logs + logs.items,
                        },
                        by: env!("CARGO_PKG_VERSION").to_owned(),
                    }),
                }
            };
            (portion.key, cursor)
        };
        let sessions = portions.into_iter().enumerate().map(of).collect();
        Progress {
            sessions,
            is_open,
            halt,
        }
    }

    /// Returns how many items of a portion can be counted as sent: those before the first that is
    /// not.
    fn taken(&self, portion: usize, pieces: &[Piece]) -> TakenItems {
        let mut taken = TakenItems {
            items: 0,
            is_whole: true,
        };
        for piece in pieces.iter().filter(|piece| piece.portion == portion) {
            taken.is_whole &= match piece.fate {
                Fate::Taken => true,
                Fate::Refused => self.skips_refused,
                Fate::Waiting => false,
            };
            if taken.is_whole {
                taken.items += piece.items;
            }
        }
        taken
    }

    /// Delivers pieces. What is refused is halved until it is clear what exactly is refused.
    fn send(
        &mut self,
        outlet: &mut dyn Outlet,
        signal: Signal,
        pieces: &mut [Piece],
    ) -> Result<(), Halt> {
        if pieces.is_empty() {
            return Ok(());
        }
        let batch = self.joined(signal, pieces);
        let (failure, halt) = match outlet.deliver(&batch) {
            Delivery::Accepted => {
                self.take(signal, pieces);
                return Ok(());
            }
            Delivery::Partial { rejected, message } => {
                self.take(signal, pieces);
                self.tally.rejected += rejected;
                if rejected > 0 {
                    self.tally.rejected_why.get_or_insert(message);
                }
                return Ok(());
            }
            Delivery::TooLarge(failure) | Delivery::Refused(failure) => (failure, None),
            Delivery::Misconfigured(failure) => (failure, Some((false, None))),
            Delivery::Unreachable { why, retry_after } => (why, Some((true, retry_after))),
        };
        let taken = failure.taken.min(pieces.len());
        let (before, pieces) = pieces.split_at_mut(taken);
        self.take(signal, before);
        let why = failure.line;
        if let Some((is_passing, retry_after)) = halt {
            return Err(Halt {
                why,
                is_passing,
                retry_after,
            });
        }
        match self.protocol {
            // They are sent one by one, so the next one is the refused one.
            Protocol::Observability => {
                let Some((refused, rest)) = pieces.split_first_mut() else {
                    return Ok(());
                };
                self.refuse(refused, why)?;
                self.send(outlet, signal, rest)
            }
            Protocol::OtlpJson | Protocol::OtlpProtobuf => match pieces {
                [refused] => self.refuse(refused, why),
                pieces => {
                    let (one, other) = pieces.split_at_mut(pieces.len() / 2);
                    self.send(outlet, signal, one)?;
                    self.send(outlet, signal, other)
                }
            },
        }
    }

    fn take(&mut self, signal: Signal, pieces: &mut [Piece]) {
        for piece in pieces {
            piece.fate = Fate::Taken;
            self.tally.bytes += piece.body.len() as u64;
            match signal {
                Signal::Traces => self.tally.sent.spans += piece.items,
                Signal::Logs | Signal::Metrics => self.tally.sent.logs += piece.items,
            }
        }
    }

    fn refuse(&mut self, piece: &mut Piece, why: String) -> Result<(), Halt> {
        piece.fate = Fate::Refused;
        self.tally.refused += 1;
        if self.skips_refused {
            self.tally.rejected += piece.items;
        }
        if self.tally.refused >= MAX_REFUSED && self.tally.sent == Counts::default() {
            return Err(Halt {
                why,
                is_passing: false,
                retry_after: None,
            });
        }
        self.tally.refused_why.get_or_insert(why);
        Ok(())
    }

    /// Joins pieces to one batch.
    fn joined(&self, signal: Signal, pieces: &[Piece]) -> Batch {
        let bodies = pieces.iter().map(|piece| piece.body.as_slice());
        match self.protocol {
            Protocol::Observability => Batch::Events(bodies.map(<[u8]>::to_vec).collect()),
            // Messages of protobuf are joined by writing one after the other.
            Protocol::OtlpProtobuf => Batch::Otlp {
                signal,
                body: bodies.collect::<Vec<_>>().concat(),
            },
            Protocol::OtlpJson => Batch::Otlp {
                signal,
                body: joined_json(bodies),
            },
        }
    }
}

/// How many items of a portion were taken.
#[derive(Debug)]
struct TakenItems {
    items: u64,
    is_whole: bool,
}

/// Joins requests of the form `{"name":[…]}`.
fn joined_json<'b>(bodies: impl Iterator<Item = &'b [u8]>) -> Vec<u8> {
    let mut joined: Vec<u8> = Vec::new();
    for body in bodies {
        if joined.is_empty() {
            joined.extend_from_slice(body);
            continue;
        }
        let start = memchr::memchr(b'[', body).map_or(0, |at| at + 1);
        joined.truncate(joined.len().saturating_sub(b"]}".len()));
        joined.push(b',');
        joined.extend_from_slice(body.get(start..).unwrap_or_default());
    }
    joined
}

/// Takes everything and keeps nothing, for a dry run.
#[derive(Debug)]
pub struct DryOutlet;

impl Outlet for DryOutlet {
    fn deliver(&mut self, _batch: &Batch) -> Delivery {
        Delivery::Accepted
    }
}
