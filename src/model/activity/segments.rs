//! Builds the segments, the stretches in which one process owned the session, event by event.

use std::collections::BTreeSet;

use super::by_process::{ByProcess, is_of};
use super::parts::Segment;
use crate::claude::words::StartSource;
use crate::model::call::Moment;
use crate::model::line::EventKind;
use crate::model::step::Step;

/// The segments of the events so far.
#[derive(Debug, Default)]
pub(super) struct Segments<'a> {
    all: Vec<Segment<'a>>,
    /// The index of the segments by process.
    by_process: ByProcess,
    /// The process and the index of each segment without an end.
    open: BTreeSet<(Option<u32>, usize)>,
    /// The index of each segment without an end.
    all_open: BTreeSet<usize>,
}

impl<'a> Segments<'a> {
    /// Assigns an event to the segment of its process, or begins a new segment with it: at a start,
    /// or at any event of a process without a segment. `word` is the event's source or reason.
    pub(super) fn note(&mut self, step: &Step, word: Option<&'a str>, now: Moment) {
        if matches!(
            step.kind,
            EventKind::RunStart | EventKind::RunEnd | EventKind::ClockIn
        ) {
            return;
        }
        let is_start = step.kind == EventKind::SessionStart
            && word.map(StartSource::of) != Some(StartSource::Compact);
        let last = self.all.len().checked_sub(1);
        let is_last = |place: &usize| {
            let segment = self.all.get(*place);
            segment.is_some_and(|segment| is_of(segment.pid, step.pid))
        };
        // Nearly always, the event belongs to the last of all segments.
        let place = last
            .filter(is_last)
            .or_else(|| self.by_process.latest(step.pid).next());
        let segment = place.and_then(|place| {
            let segment = self.all.get_mut(place)?;
            Some((place, segment))
        });
        if let Some((place, last)) = segment {
            // After the end of the segment, a late event changes nothing, but a prompt begins a new
            // segment.
            if is_start && last.is_before_start {
                last.source = word;
                last.is_before_start = false;
                last.last = now;
                return;
            }
            let goes_on = match step.kind {
                _ if is_start => false,
                EventKind::UserPromptSubmit => last.ended.is_none(),
                _ => true,
            };
            if goes_on {
                last.is_before_start &= step.kind == EventKind::Other;
                last.last = now;
                return;
            }
            last.ended.get_or_insert(last.last);
            let pid = last.pid;
            self.forget_open(pid, place);
        }
        let place = self.all.len();
        self.by_process.push(step.pid);
        self.open.insert((step.pid, place));
        self.all_open.insert(place);
        self.all.push(Segment {
            began: now,
            ended: None,
            source: word.filter(|_| is_start),
            reason: None,
            pid: step.pid,
            last: now,
            is_before_start: step.kind == EventKind::Other,
        });
    }

    /// Ends the last open segment that may belong to the process `pid`.
    pub(super) fn end(&mut self, pid: Option<u32>, reason: Option<&'a str>, now: Moment) {
        let Some(place) = self.last_open(pid) else {
            return;
        };
        if let Some(segment) = self.all.get_mut(place) {
            segment.ended = Some(now);
            segment.reason = reason;
            let pid = segment.pid;
            self.forget_open(pid, place);
        }
    }

    /// Returns the last segment of exactly this process.
    pub(super) fn last(&self, pid: Option<u32>) -> Option<&Segment<'a>> {
        self.all.get(self.by_process.last(pid)?)
    }

    /// Returns all segments, in the order of their beginning.
    pub(super) fn into_vec(self) -> Vec<Segment<'a>> {
        self.all
    }

    fn forget_open(&mut self, pid: Option<u32>, place: usize) {
        self.open.remove(&(pid, place));
        self.all_open.remove(&place);
    }

    fn last_open(&self, pid: Option<u32>) -> Option<usize> {
        let of = |pid| {
            let same = self.open.range((pid, 0)..=(pid, usize::MAX));
            same.last().map(|(_, place)| *place)
        };
        match pid {
            Some(_) => of(pid).max(of(None)),
            None => self.all_open.last().copied(),
        }
    }
}
