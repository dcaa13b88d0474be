//! Places events on a time line without jumps. There are two clocks: the wall clock, which can be
//! set, and the boot clock, which starts at zero with each boot. Within one boot, only the boot
//! clock decides. The wall clock gives the distance between boots.
//!
//! The difference between the two clocks, the offset, changes when the wall clock is set and when
//! the machine is booted. Events of the same process before and after the change prove that the
//! clock was set, because no process outlives its boot. Without such a process, the times decide: a
//! machine cannot have been booted before the last event of its previous boot.

use std::collections::HashMap;

use super::line::EventKind;
use super::step::Step;
use crate::claude::words::StartSource;

/// How far the two clocks may drift apart within one boot, in microseconds. Two boots differ by
/// more.
const DRIFT: i64 = 1_000_000;
/// The largest change of the offset, in microseconds, that is ignored when an event without a boot
/// clock is placed.
const TICK: i64 = 10_000;
/// The largest believable change of the wall clock between two processes of Claude Code, in
/// microseconds. After a larger change, it is another boot, or another machine.
const DAY: i64 = 86_400_000_000;

/// What an event proves about its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProcessEvidence {
    /// The session begins with this event, so the process has no earlier event in the session.
    Birth,
    /// A Claude Code process begins with this event.
    Start,
    /// The process began before this event.
    GoesOn,
    /// Nothing: the event may be recorded at any time, even before the start of its process.
    Any,
}

/// Maps the clocks of each event to the time line.
#[derive(Debug)]
pub(super) enum TimeLine {
    /// The wall clock was not set, or its changes do not matter. The number is added to the boot
    /// clock.
    Steady(i64),
    /// The wall clock was set, or the machine was booted.
    Set(Boots),
}

/// The boots of a session.
#[derive(Debug)]
pub(super) struct Boots {
    /// The settings of the wall clock, ordered by offset.
    settings: Vec<OffsetGroup>,
    /// The stretches in which the wall clock was not set, ordered by their beginning. They serve to
    /// place events without a boot clock.
    pieces: Vec<SteadyStretch>,
}

/// One setting of the wall clock: the events with about the same offset.
#[derive(Debug, Clone, Copy)]
struct OffsetGroup {
    /// The least and the greatest offset of these events: wall clock minus boot clock, in
    /// microseconds.
    offsets: (i64, i64),
    reach: Reach,
    /// The value, in microseconds, that is added to the boot clock of its events.
    base: i64,
}

/// What is known about one setting of the wall clock, or about several in the same boot.
#[derive(Debug, Clone, Copy)]
struct Reach {
    /// The times of the first and the last event by the boot clock.
    mono: (i64, i64),
    /// The offset of the last event. A wrong clock is set right some day, so the last offset is the
    /// most reliable.
    base: i64,
    /// True if the session begins with the first of these events.
    is_birth: bool,
}

/// A stretch in which the wall clock was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SteadyStretch {
    /// The beginning of the stretch, by the wall clock of that stretch.
    from: i64,
    /// How far the time line is ahead of that wall clock.
    shift: i64,
}

/// One event with both clocks.
#[derive(Debug, Clone, Copy)]
struct ClockReading {
    offset: i64,
    mono: i64,
    pid: Option<u32>,
    role: ProcessEvidence,
    setting: usize,
}

impl TimeLine {
    /// Creates the time line of `steps`, in any order. `offsets` are their least and their greatest
    /// offset.
    pub(super) fn of(
        steps: &[Step],
        offsets: Option<(i64, i64)>,
        are_all_clocked: bool,
        role: impl Fn(&Step) -> ProcessEvidence,
    ) -> Self {
        let Some((least, greatest)) = offsets else {
            return Self::Steady(0);
        };
        let enough = if are_all_clocked { DRIFT } else { TICK };
        if greatest - least <= enough {
            return Self::Steady(greatest);
        }
        Self::Set(Boots::of(steps, are_all_clocked, role))
    }

    /// Returns the place of an event on the time line, in microseconds.
    pub(super) fn place(&self, step: &Step) -> i64 {
        match (self, step.clocks()) {
            (Self::Steady(base), Some((_, mono))) => base + mono,
            (Self::Steady(_), None) => step.ts.micros(),
            (Self::Set(boots), Some((offset, mono))) => mono + boots.base(offset),
            (Self::Set(boots), None) => step.ts.micros() + boots.shift(step.ts.micros()),
        }
    }
}

impl Boots {
    fn of(steps: &[Step], are_all_clocked: bool, role: impl Fn(&Step) -> ProcessEvidence) -> Self {
        let reading = |step: &Step| {
            let (offset, mono) = step.clocks()?;
            Some(ClockReading {
                offset,
                mono,
                pid: step.pid,
                role: role(step),
                setting: 0,
            })
        };
        let mut readings: Vec<ClockReading> = steps.iter().filter_map(reading).collect();
        readings.sort_unstable_by_key(|reading| (reading.offset, reading.mono, reading.role));
        let mut settings = settings(&mut readings);
        let mut joined = BootGroups::new(settings.len());
        join_by_processes(&mut joined, &readings, &settings);
        join_by_times(&mut joined, &settings);
        let bases = joined.reaches(&settings);
        for (setting, reach) in settings.iter_mut().zip(bases) {
            setting.base = reach.base;
        }
        let pieces = if are_all_clocked {
            Vec::new()
        } else {
            pieces(&mut readings, &settings)
        };
        Self { settings, pieces }
    }

    fn base(&self, offset: i64) -> i64 {
        let place = self
            .settings
            .partition_point(|setting| setting.offsets.1 < offset);
        self.settings
            .get(place)
            .map_or(offset, |setting| setting.base)
    }

    /// Returns how far the time line is ahead of a wall clock that shows `ts`.
    fn shift(&self, ts: i64) -> i64 {
        let next = self.pieces.partition_point(|piece| piece.from <= ts);
        let piece = self.pieces.get(next.saturating_sub(1));
        piece.map_or(0, |piece| piece.shift)
    }
}

impl Reach {
    /// Returns the place of the last event on the time line.
    fn end(self) -> i64 {
        self.base + self.mono.1
    }

    fn with(self, other: Self) -> Self {
        let (first, last) = (
            if self.mono.0 <= other.mono.0 {
                self
            } else {
                other
            },
            if (self.mono.1, self.base) >= (other.mono.1, other.base) {
                self
            } else {
                other
            },
        );
        Self {
            mono: (first.mono.0, last.mono.1),
            base: last.base,
            is_birth: first.is_birth,
        }
    }

    /// Returns true if `later`, which begins later on the time line, may belong to the same boot,
    /// although no process is in both. It must begin before the last event of `self`, which rules
    /// out a boot in between. The wall clock must have been set by at most a day. By the boot
    /// clock, the two must not overlap.
    fn goes_on_in(self, later: Self) -> bool {
        let (first, last) = if self.mono.1 < later.mono.0 {
            (self, later)
        } else {
            (later, self)
        };
        later.base < self.end()
            && later.base - self.base <= DAY
            && first.mono.1 < last.mono.0
            && !last.is_birth
    }
}

/// Returns the settings of the wall clock, ordered by offset, and assigns each reading to its
/// setting.
fn settings(readings: &mut [ClockReading]) -> Vec<OffsetGroup> {
    let mut settings: Vec<OffsetGroup> = Vec::new();
    for reading in readings {
        let reach = Reach {
            mono: (reading.mono, reading.mono),
            base: reading.offset,
            is_birth: reading.role == ProcessEvidence::Birth,
        };
        match settings.last_mut() {
            Some(last) if reading.offset - last.offsets.1 <= DRIFT => {
                last.offsets.1 = reading.offset;
                last.reach = last.reach.with(reach);
            }
            _ => settings.push(OffsetGroup {
                offsets: (reading.offset, reading.offset),
                reach,
                base: reading.offset,
            }),
        }
        reading.setting = settings.len() - 1;
    }
    settings
}

/// Joins each setting in which a process continues to the nearest one in which that process starts.
/// Does not join two settings in which a process starts: they may be two processes with the same
/// pid, in different boots.
fn join_by_processes(joined: &mut BootGroups, readings: &[ClockReading], settings: &[OffsetGroup]) {
    /// The time of the first event of a process in a setting, and whether the process began before
    /// that event.
    type FirstEvent = (i64, bool);
    let mut heard: HashMap<(Option<u32>, usize), Option<FirstEvent>> = HashMap::new();
    for reading in readings {
        let first = heard.entry((reading.pid, reading.setting)).or_default();
        if reading.role != ProcessEvidence::Any {
            let this = (reading.mono, reading.role == ProcessEvidence::GoesOn);
            *first = Some(first.map_or(this, |first| first.min(this)));
        }
    }
    let mut has_pid = vec![false; settings.len()];
    for (pid, setting) in heard.keys() {
        if let Some(has_pid) = has_pid.get_mut(*setting) {
            *has_pid |= pid.is_some();
        }
    }
    let mut by_process: HashMap<Option<u32>, Vec<(usize, bool)>> = HashMap::new();
    for ((pid, setting), first) in heard {
        // Ignore unknown processes in a setting that has known ones.
        if pid.is_some() || !has_pid.get(setting).is_some_and(|has_pid| *has_pid) {
            let starts = first.is_some_and(|(_, goes_on)| !goes_on);
            by_process.entry(pid).or_default().push((setting, starts));
        }
    }
    for mut places in by_process.into_values() {
        places.sort_unstable();
        let starts: Vec<usize> = places
            .iter()
            .filter(|(_, starts)| *starts)
            .map(|(setting, _)| *setting)
            .collect();
        for (setting, _) in places.iter().filter(|(_, starts)| !starts) {
            // A small change of the clock is more likely than a large one.
            let home = nearest(&starts, *setting, settings).or_else(|| Some(places.first()?.0));
            if let Some(home) = home {
                joined.join(home, *setting);
            }
        }
    }
}

/// Returns the setting in the sorted list `among` whose offset is nearest to that of `setting`.
fn nearest(among: &[usize], setting: usize, settings: &[OffsetGroup]) -> Option<usize> {
    let offset = |place: usize| settings.get(place).map_or(0, |setting| setting.offsets.0);
    let next = among.partition_point(|place| *place < setting);
    let before = next.checked_sub(1).and_then(|place| among.get(place));
    let near = before.into_iter().chain(among.get(next));
    near.copied()
        .min_by_key(|place| offset(*place).abs_diff(offset(setting)))
}

/// Joins settings without a common process, if the times show that they belong to the same boot.
fn join_by_times(joined: &mut BootGroups, settings: &[OffsetGroup]) {
    let reaches = joined.reaches(settings);
    let mut boots: Vec<(usize, Reach)> = Vec::new();
    for (place, reach) in reaches.into_iter().enumerate() {
        if joined.find(place) == place {
            boots.push((place, reach));
        }
    }
    boots.sort_by_key(|(_, reach)| (reach.base, reach.mono));
    let mut before: Option<(usize, Reach)> = None;
    for (place, reach) in boots {
        before = match before {
            Some((boot, earlier)) if earlier.goes_on_in(reach) => {
                joined.join(boot, place);
                Some((boot, earlier.with(reach)))
            }
            _ => Some((place, reach)),
        };
    }
}

/// Returns the stretches in which the wall clock was not set.
fn pieces(readings: &mut [ClockReading], settings: &[OffsetGroup]) -> Vec<SteadyStretch> {
    let base = |reading: &ClockReading| {
        settings
            .get(reading.setting)
            .map_or(reading.offset, |setting| setting.base)
    };
    readings.sort_unstable_by_key(|reading| (base(reading), reading.mono, reading.offset));
    let mut pieces: Vec<SteadyStretch> = Vec::new();
    let mut before: Option<(i64, i64)> = None;
    for reading in readings.iter() {
        let (base, offset) = (base(reading), reading.offset);
        let is_of =
            |(earlier, since): (i64, i64)| earlier == base && offset.abs_diff(since) <= TICK as u64;
        if !before.is_some_and(is_of) {
            before = Some((base, offset));
            pieces.push(SteadyStretch {
                from: offset + reading.mono,
                shift: base - offset,
            });
        }
    }
    pieces.sort_unstable();
    pieces
}

/// Groups the settings by boot.
struct BootGroups {
    /// For each setting, the index of another setting of the same boot. Following these indices
    /// leads to the one that represents the boot, and that contains its own index (union-find).
    towards: Vec<usize>,
}

impl BootGroups {
    fn new(count: usize) -> Self {
        Self {
            towards: (0..count).collect(),
        }
    }

    /// Returns the index of the setting that represents all settings in the same boot as the
    /// setting at index `place` (union-find).
    fn find(&mut self, mut place: usize) -> usize {
        while let Some(&next) = self.towards.get(place)
            && next != place
        {
            let after = self.towards.get(next).copied().unwrap_or(next);
            if let Some(towards) = self.towards.get_mut(place) {
                *towards = after;
            }
            place = next;
        }
        place
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.find(one), self.find(other));
        if let Some(towards) = self.towards.get_mut(one.max(other)) {
            *towards = one.min(other);
        }
    }

    /// Returns for each setting what is known about its whole boot.
    fn reaches(&mut self, settings: &[OffsetGroup]) -> Vec<Reach> {
        let mut whole: Vec<Reach> = settings.iter().map(|setting| setting.reach).collect();
        for (place, setting) in settings.iter().enumerate() {
            let boot = self.find(place);
            if let Some(reach) = whole.get_mut(boot)
                && boot != place
            {
                *reach = reach.with(setting.reach);
            }
        }
        let of_boot = |place| {
            let boot = self.find(place);
            whole.get(boot).copied()
        };
        (0..settings.len()).filter_map(of_boot).collect()
    }
}

/// Returns what an event of this kind and source proves about its process.
pub(super) fn role(kind: EventKind, source: Option<&str>) -> ProcessEvidence {
    match (kind, source.map(StartSource::of)) {
        (
            EventKind::SessionStart,
            Some(StartSource::Startup | StartSource::Clear | StartSource::Fork),
        ) => ProcessEvidence::Birth,
        (EventKind::SessionStart, Some(StartSource::Compact)) => ProcessEvidence::GoesOn,
        (EventKind::SessionStart | EventKind::RunStart, _) => ProcessEvidence::Start,
        (
            EventKind::Other
            | EventKind::Notification
            | EventKind::Elicitation
            | EventKind::ElicitationResult,
            _,
        ) => ProcessEvidence::Any,
        _ => ProcessEvidence::GoesOn,
    }
}
