//! Joins what several sessions have for a destination into requests of limited size, delivers the
//! requests, and computes how much of each session was delivered.

use std::borrow::Cow;
use std::ops::Range;

use super::cursor::SessionCursor;
use super::mark::{Counts, Mark, SessionKey, UnderWay};
use super::{Batch, Delivery, Form, Outlet, Protocol, Signal};

/// The most events in a batch for a destination that accepts them one by one.
pub const MAX_EVENTS: usize = 64;
/// The usual greatest size of a piece, in bytes. A single large item may exceed it.
const LARGEST_PIECE: usize = 64 << 10;
/// After this many refusals, a destination that has accepted nothing counts as refusing everything.
const MAX_REFUSED: u64 = 8;

/// Which of the two numbers in [`Counts`] an item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// A span.
    Span,
    /// A log record or an event.
    Log,
}

/// Some items of one session, encoded. An item is a span or a log record.
#[derive(Debug)]
struct Piece {
    /// Where the piece is in the `bytes` of its [`Collected`].
    place: Range<usize>,
    items: u64,
    /// The index of the portion to which the piece belongs.
    portion: usize,
    fate: Fate,
}

/// The pieces of one kind, in the order in which they are sent.
#[derive(Debug, Default)]
struct Collected {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waiting,
    Taken,
    Refused,
}

/// The part of a batch that belongs to one session.
#[derive(Debug, Clone)]
pub struct Portion {
    /// The session.
    pub key: SessionKey,
    /// What the destination already has of the session.
    pub has: Mark,
    /// What the destination has of the session once everything up to this [`Mark`] is delivered.
    pub to: Mark,
    /// How many of the items between `has` and `to` were sent before this portion.
    pub sent: Counts,
    /// True if this portion contains the last items up to `to`.
    pub is_last: bool,
}

/// Why nothing more can be sent now.
#[derive(Debug, Clone)]
pub struct Halt {
    /// The reason, on one line.
    pub why: String,
    /// True if sending may work later although nobody has changed anything.
    pub is_passing: bool,
    /// How long the destination wants no requests, if it says so.
    pub retry_after: Option<std::time::Duration>,
}

/// The results of deliveries, added up.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many items the destination accepted.
    pub sent: Counts,
    /// The size of these items before compression, in bytes.
    pub bytes: u64,
    /// How many items the destination rejected, including refused ones that the user chose to skip.
    pub rejected: u64,
    /// Why the destination rejected items for the first time.
    pub rejected_why: Option<String>,
    /// How many pieces the destination refused.
    pub refused: u64,
    /// Why the destination refused the first of these pieces.
    pub refused_why: Option<String>,
}

impl Tally {
    /// Adds the results of another thread.
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
    /// The most bytes that are sent in one request, before compression.
    most: usize,
    /// True to skip what the destination refuses, as the user asked.
    skips_refused: bool,
    spans: Collected,
    logs: Collected,
    portions: Vec<Portion>,
    /// The results of the deliveries so far.
    pub tally: Tally,
}

/// What a delivery changed: what the destination now has of each session.
#[derive(Debug)]
pub struct Progress {
    /// The delivered sessions, and what the cursor must record about each.
    pub sessions: Vec<(SessionKey, SessionCursor)>,
    /// True if everything so far of the last session was delivered, so that more of it may follow.
    pub is_open: bool,
    /// Why nothing more can be sent now.
    pub halt: Option<Halt>,
}

impl Packer {
    /// Creates an empty packer for a destination that accepts data in this `form`.
    pub fn new(form: &Form, skips_refused: bool) -> Self {
        Self {
            protocol: form.protocol,
            most: form.batch,
            skips_refused,
            spans: Collected::default(),
            logs: Collected::default(),
            portions: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Begins a session, or continues it in a new batch.
    pub fn begin(&mut self, portion: Portion) {
        self.portions.push(portion);
    }

    /// Adds items of the session that was begun last. `body` contains them, encoded as a separate
    /// request.
    pub fn push(&mut self, kind: ItemKind, body: &[u8], items: u64) {
        let collected = match kind {
            ItemKind::Span => &mut self.spans,
            ItemKind::Log => &mut self.logs,
        };
        let place = match self.protocol {
            Protocol::OtlpJson => add_json(&mut collected.bytes, body),
            // Messages of protobuf are joined by writing one after the other.
            Protocol::OtlpProtobuf | Protocol::Observability => {
                let start = collected.bytes.len();
                collected.bytes.extend_from_slice(body);
                start..collected.bytes.len()
            }
        };
        collected.pieces.push(Piece {
            place,
            items,
            portion: self.portions.len().saturating_sub(1),
            fate: Fate::Waiting,
        });
    }

    /// Records that the session that was begun last has no more items.
    pub fn end(&mut self) {
        if let Some(portion) = self.portions.last_mut() {
            portion.is_last = true;
        }
    }

    /// Returns whether enough is collected for a delivery.
    pub fn is_full(&self) -> bool {
        self.spans.bytes.len() + self.logs.bytes.len() + self.piece() > self.most
            || self.protocol == Protocol::Observability && self.logs.pieces.len() >= MAX_EVENTS
    }

    /// Returns how many bytes each piece should have. If the destination refuses something, it is
    /// traced to a piece, not to an item.
    pub fn piece(&self) -> usize {
        (self.most / 4).min(LARGEST_PIECE)
    }

    /// Returns whether there is nothing to deliver or to record.
    pub fn is_empty(&self) -> bool {
        self.portions.is_empty()
    }

    /// Delivers what was collected, and returns how much the destination now has of each session.
    pub fn deliver(&mut self, outlet: &mut dyn Outlet) -> Progress {
        let (mut spans, mut logs) = (
            std::mem::take(&mut self.spans),
            std::mem::take(&mut self.logs),
        );
        let mut halt = self.send_all(outlet, Signal::Traces, &mut spans).err();
        if halt.is_none() {
            halt = self.send_all(outlet, Signal::Logs, &mut logs).err();
        }
        let mut is_open = true;
        let mut sessions: Vec<(SessionKey, SessionCursor)> = Vec::new();
        let portions = std::mem::take(&mut self.portions);
        for (place, portion) in portions.into_iter().enumerate() {
            // If an earlier portion of the session was not delivered completely, this one does not
            // count.
            let is_of_last = sessions.last().is_some_and(|(key, _)| *key == portion.key);
            if is_of_last && !is_open {
                continue;
            }
            let [spans, logs] = [&spans, &logs].map(|kind| self.taken(place, &kind.pieces));
            is_open = spans.is_whole && logs.is_whole;
            let cursor = if is_open && portion.is_last {
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
            sessions.push((portion.key, cursor));
        }
        (self.spans, self.logs) = (spans.cleared(), logs.cleared());
        Progress {
            sessions,
            is_open,
            halt,
        }
    }

    /// Returns how many items of a portion count as sent: those before the first one that the
    /// destination does not have.
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

    /// Delivers all pieces of a kind.
    fn send_all(
        &mut self,
        outlet: &mut dyn Outlet,
        signal: Signal,
        collected: &mut Collected,
    ) -> Result<(), Halt> {
        let Collected { bytes, pieces } = collected;
        if self.protocol == Protocol::OtlpJson {
            bytes.extend_from_slice(JSON_END);
        }
        self.send(outlet, signal, (bytes, pieces))
    }

    /// Delivers pieces. If they are refused, delivers each half separately, and so on, until it is
    /// clear which pieces are refused.
    fn send(
        &mut self,
        outlet: &mut dyn Outlet,
        signal: Signal,
        (bytes, pieces): (&[u8], &mut [Piece]),
    ) -> Result<(), Halt> {
        if pieces.is_empty() {
            return Ok(());
        }
        let batch = self.joined(signal, (bytes, pieces));
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
            // Events are sent one by one, so the first one that was not accepted is the refused
            // one.
            Protocol::Observability => {
                let Some((refused, rest)) = pieces.split_first_mut() else {
                    return Ok(());
                };
                self.refuse(refused, why)?;
                self.send(outlet, signal, (bytes, rest))
            }
            Protocol::OtlpJson | Protocol::OtlpProtobuf => match pieces {
                [refused] => self.refuse(refused, why),
                pieces => {
                    let (one, other) = pieces.split_at_mut(pieces.len() / 2);
                    self.send(outlet, signal, (bytes, one))?;
                    self.send(outlet, signal, (bytes, other))
                }
            },
        }
    }

    fn take(&mut self, signal: Signal, pieces: &mut [Piece]) {
        for piece in pieces {
            piece.fate = Fate::Taken;
            self.tally.bytes += piece.place.len() as u64;
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

    /// Joins neighbouring pieces into one batch.
    fn joined<'b>(&self, signal: Signal, (bytes, pieces): (&'b [u8], &[Piece])) -> Batch<'b> {
        let of = |place: Range<usize>| bytes.get(place).unwrap_or_default();
        let start = pieces.first().map_or(0, |piece| piece.place.start);
        let end = pieces.last().map_or(0, |piece| piece.place.end);
        let body = match self.protocol {
            Protocol::Observability => {
                let events = pieces.iter().map(|piece| of(piece.place.clone()).to_vec());
                return Batch::Events(events.collect());
            }
            Protocol::OtlpProtobuf => Cow::Borrowed(of(start..end)),
            Protocol::OtlpJson => {
                let begins = of(0..json_start(bytes));
                match (start == begins.len(), end + JSON_END.len() == bytes.len()) {
                    (true, true) => Cow::Borrowed(bytes),
                    _ => Cow::Owned([begins, of(start..end), JSON_END].concat()),
                }
            }
        };
        Batch::Otlp { signal, body }
    }
}

impl Collected {
    /// Removes all pieces, but keeps the memory for later ones.
    fn cleared(mut self) -> Self {
        self.bytes.clear();
        self.pieces.clear();
        self
    }
}

/// How many items of a portion were accepted.
#[derive(Debug)]
struct TakenItems {
    items: u64,
    /// True if the whole portion was accepted.
    is_whole: bool,
}

/// The end of a request of the form `{"name":[…]}`.
const JSON_END: &[u8] = b"]}";

/// Returns where the list of a request of the form `{"name":[…]}` begins.
fn json_start(request: &[u8]) -> usize {
    memchr::memchr(b'[', request).map_or(0, |at| at + 1)
}

/// Appends the list of `request`, which has the form `{"name":[…]}`, to the lists in `joined`.
/// Leaves out the end of the request. Returns where the list is in `joined`.
fn add_json(joined: &mut Vec<u8>, request: &[u8]) -> Range<usize> {
    let list = json_start(request);
    let (begins, list) = request.split_at(list);
    joined.extend_from_slice(if joined.is_empty() { begins } else { b"," });
    let start = joined.len();
    joined.extend_from_slice(list.strip_suffix(JSON_END).unwrap_or(list));
    start..joined.len()
}

/// Accepts everything and sends nothing, for a dry run.
#[derive(Debug)]
pub struct DryOutlet;

impl Outlet for DryOutlet {
    fn deliver(&mut self, _batch: &Batch<'_>) -> Delivery {
        Delivery::Accepted
    }
}

#[cfg(test)]
mod tests {
    use super::super::Failure;
    use super::super::destination::SpansSetting;
    use super::*;
    use crate::model::SessionId;

    /// Gives these answers, one after the other, and keeps what it was given.
    #[derive(Debug)]
    struct Scripted(Vec<Delivery>, Vec<String>);

    impl Outlet for Scripted {
        fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
            if let Batch::Otlp { body, .. } = batch {
                self.1.push(String::from_utf8_lossy(body).into_owned());
            }
            self.0.remove(0)
        }
    }

    fn mark(name: &str) -> Mark {
        Mark {
            facts: name.to_owned(),
            ..Mark::default()
        }
    }

    /// Packs two pieces of a session from mark `a` to `b`, and one from `b` to `c`.
    fn packed() -> Packer {
        let form = Form {
            protocol: Protocol::OtlpJson,
            signals: vec![Signal::Logs],
            spans: SpansSetting::Auto,
            batch: 1 << 20,
        };
        let id: SessionId = "s-1".parse().unwrap();
        let portion = |has, to| Portion {
            key: SessionKey::from(&id),
            has: mark(has),
            to: mark(to),
            sent: Counts::default(),
            is_last: false,
        };
        let mut packer = Packer::new(&form, false);
        packer.begin(portion("a", "b"));
        packer.push(ItemKind::Log, b"{\"all\":[1]}", 1);
        packer.push(ItemKind::Log, b"{\"all\":[2,3]}", 2);
        packer.end();
        packer.begin(portion("b", "c"));
        packer.push(ItemKind::Log, b"{\"all\":[4]}", 1);
        packer.end();
        packer
    }

    /// What is noted of a session: the mark that the destination has, the one under way, how much of it.
    type Noted = (String, Option<(String, u64)>);

    /// Returns what is noted, whether more may follow, and the requests.
    fn noted(answers: Vec<Delivery>) -> (Vec<Noted>, bool, Vec<String>) {
        let mut outlet = Scripted(answers, Vec::new());
        let mut packer = packed();
        let progress = packer.deliver(&mut outlet);
        assert!(packer.is_empty() && packer.logs.bytes.is_empty());
        let of = |(_, it): (SessionKey, SessionCursor)| {
            let under_way = it.under_way.map(|it| (it.to.facts, it.sent.logs));
            (it.has.facts, under_way)
        };
        let sessions = progress.sessions.into_iter().map(of).collect();
        (sessions, progress.is_open, outlet.1)
    }

    fn refused() -> Delivery {
        Delivery::Refused(Failure {
            line: "no".to_owned(),
            taken: 0,
        })
    }

    #[test]
    fn a_later_part_of_a_session_counts_only_if_the_earlier_one_is_there() {
        let (sessions, is_open, sent) = noted(vec![Delivery::Accepted]);
        let b = || "b".to_owned();
        assert_eq!(sessions, [(b(), None), ("c".to_owned(), None)]);
        assert!(is_open);
        assert_eq!(sent, [r#"{"all":[1,2,3,4]}"#]);
        // The whole is refused, then the first half of it, which is one piece.
        let (sessions, is_open, sent) = noted(vec![refused(), refused(), Delivery::Accepted]);
        assert_eq!(sessions, [("a".to_owned(), Some((b(), 0)))]);
        assert!(!is_open);
        assert_eq!(sent[1..], [r#"{"all":[1]}"#, r#"{"all":[2,3,4]}"#]);
        let down = Delivery::Unreachable {
            why: Failure {
                line: "down".to_owned(),
                taken: 0,
            },
            retry_after: None,
        };
        let (sessions, is_open, _) = noted(vec![down]);
        assert_eq!(sessions, [("a".to_owned(), Some((b(), 0)))]);
        assert!(!is_open);
        // Only the last piece is refused: all before it is there.
        let answers = vec![
            refused(),
            Delivery::Accepted,
            refused(),
            Delivery::Accepted,
            refused(),
        ];
        let (sessions, _, _) = noted(answers);
        let c = ("b".to_owned(), Some(("c".to_owned(), 0)));
        assert_eq!(sessions, [(b(), None), c]);
    }
}
