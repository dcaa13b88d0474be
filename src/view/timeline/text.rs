//! Formats a timeline as text for people: one row for each call, as wide as the terminal at most,
//! readable without colour.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::TimelineEntry;
use crate::model::activity::{Activity, Prompt, TurnEnd};
use crate::model::call::{CallState, Moment};
use crate::model::text::escaped;
use crate::model::{Call, Timestamp};
use crate::view::subtree::{SubtreeSums, Subtrees};

/// The width in columns to which the names of tools are cut on a terminal.
const MAX_TOOL: usize = 20;
/// The columns that the indentation of a tool's name may take at most.
const MAX_INDENT: usize = 12;
/// A terminal with at least this many columns gets longer bars.
const WIDE: usize = 120;
/// The shortest wait for permission that a row mentions.
const LONG_WAIT: Duration = Duration::from_secs(1);
/// The shortest other wait that a row mentions if there are no bars. Bars show waits of any length.
const SHOWN_WAIT: Duration = Duration::from_millis(100);
/// The width in columns of the time from the beginning of the turn to the call.
const OFFSET: usize = 8;

/// The layout of a timeline.
pub struct TimelineLayout<'l> {
    /// The width of the terminal in columns; `None` if rows may have any length.
    pub width: Option<usize>,
    /// Colours the rows by state.
    pub colour: bool,
    /// Draws a bar that shows when in the turn the call ran; otherwise numbers and words say so.
    pub bars: bool,
    /// Converts a time to local time.
    pub local: &'l dyn Fn(Timestamp) -> NaiveDateTime,
}

impl std::fmt::Debug for TimelineLayout<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layout")
            .field("width", &self.width)
            .field("colour", &self.colour)
            .finish_non_exhaustive()
    }
}

/// The time that the width of a bar stands for: the turn, from its beginning to the end of its last
/// call.
#[derive(Debug, Clone, Copy)]
struct Scale {
    from: i64,
    to: i64,
    columns: usize,
}

/// Formats the rows of a timeline as text, one line for each.
pub fn rows(
    activity: &Activity<'_>,
    entries: &[TimelineEntry<'_, '_>],
    layout: &TimelineLayout<'_>,
    subtrees: &Subtrees<'_>,
) -> String {
    let mut writer = RowWriter::new(activity, entries, layout, subtrees);
    let mut turn = entries;
    while let Some((heading, rest)) = turn.split_first() {
        let is_heading = |entry: &TimelineEntry<'_, '_>| {
            matches!(entry, TimelineEntry::Opening | TimelineEntry::Turn { .. })
        };
        let length = rest.iter().position(is_heading).unwrap_or(rest.len());
        let (rows, next) = rest.split_at_checked(length).unwrap_or_default();
        writer.heading(heading, rows);
        for row in rows {
            writer.row(row);
        }
        turn = next;
    }
    writer.text
}

struct RowWriter<'w> {
    layout: &'w TimelineLayout<'w>,
    subtrees: &'w Subtrees<'w>,
    text: String,
    scale: Scale,
    tool_width: usize,
    /// The tools' names that are too long, each with its short form.
    names: HashMap<String, String>,
    /// The day that was written last. At first, it is the day on which the session began, which is
    /// not written.
    day: Option<NaiveDate>,
    /// The end of the session, up to which calls without an end are drawn.
    end: i64,
}

impl<'w> RowWriter<'w> {
    fn new(
        activity: &Activity<'_>,
        entries: &[TimelineEntry<'_, '_>],
        layout: &'w TimelineLayout<'w>,
        subtrees: &'w Subtrees<'w>,
    ) -> Self {
        let names = match layout.width {
            Some(_) => short_names(entries),
            None => HashMap::new(),
        };
        let tool = |entry: &TimelineEntry<'_, '_>| match entry {
            TimelineEntry::Call(depth, call) => {
                let name = call.tool.unwrap_or(NO_TOOL);
                let name = names.get(name).map_or(name, String::as_str);
                indent(*depth) + name.width()
            }
            _ => 0,
        };
        let tool_width = entries.iter().map(tool).max().unwrap_or(0);
        let most = layout.width.map_or(usize::MAX, |_| MAX_TOOL + MAX_INDENT);
        let tool_width = tool_width.min(most);
        let is_wide = layout.width.is_some_and(|width| width >= WIDE);
        Self {
            layout,
            subtrees,
            text: String::new(),
            scale: Scale {
                from: 0,
                to: 0,
                columns: match (layout.bars, is_wide) {
                    (false, _) => OFFSET,
                    (true, true) => 32,
                    (true, false) => 16,
                },
            },
            tool_width,
            names,
            day: activity
                .span
                .map(|(first, _)| (layout.local)(first.ts).date()),
            end: activity.span.map_or(0, |(_, last)| last.at),
        }
    }

    fn heading(&mut self, heading: &TimelineEntry<'_, '_>, rows: &[TimelineEntry<'_, '_>]) {
        let calls = || {
            rows.iter().filter_map(|row| match row {
                TimelineEntry::Call(_, call) => Some(*call),
                _ => None,
            })
        };
        let began = calls().map(|call| call.began.at).min();
        let ended = calls()
            .map(|call| call.ended.map_or(self.end, |ended| ended.at))
            .max();
        let count = match calls().count() {
            0 => String::new(),
            1 => ", 1 call".to_owned(),
            many => format!(", {many} calls"),
        };
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let (at, title, what) = match heading {
            TimelineEntry::Turn { number, prompt } => {
                (Some(prompt.at), turn_title(*number, prompt), prompt.what)
            }
            _ => (
                calls().next().map(|call| call.began),
                "before the first prompt".to_owned(),
                None,
            ),
        };
        self.scale.from = began
            .into_iter()
            .chain(at.map(|at| at.at))
            .min()
            .unwrap_or(0);
        let turn_end = match heading {
            TimelineEntry::Turn { prompt, .. } => prompt.ended.map(|ended| ended.at),
            _ => None,
        };
        self.scale.to = ended.max(turn_end).unwrap_or(self.end).max(self.scale.from);
        let day = at.and_then(|at| self.other_day(at.ts));
        let day = day.map(|day| format!("{day} ")).unwrap_or_default();
        let time = at.map_or_else(|| " ".repeat(8), |at| self.time(at.ts));
        let what = what.map(|what| format!("  {}", escaped(what)));
        let what = what.unwrap_or_default();
        self.line(&format!("{day}{time}  {title}{count}{what}"), None);
    }

    fn row(&mut self, row: &TimelineEntry<'_, '_>) {
        match row {
            TimelineEntry::Call(depth, call) => self.call(*depth, call),
            TimelineEntry::Agent(agent, run) => {
                let kind = agent.agent_type.unwrap_or("of unknown type");
                let text = format!("subagent {} ({})", escaped(kind), escaped(agent.agent_id));
                self.note(run.began, run.ended, &text);
            }
            TimelineEntry::Compaction(compaction) => {
                let trigger = escaped(compaction.trigger.unwrap_or("unknown"));
                let text = format!("context compacted ({trigger})");
                self.note(compaction.began, compaction.ended, &text);
            }
            TimelineEntry::Segment(segment) => {
                let how = escaped(segment.source.unwrap_or("start not recorded"));
                let process = segment
                    .pid
                    .map(|pid| format!(", process {pid}"))
                    .unwrap_or_default();
                self.note(
                    segment.began,
                    None,
                    &format!("session continued ({how}{process})"),
                );
            }
            TimelineEntry::Opening | TimelineEntry::Turn { .. } => {}
        }
    }

    /// Returns the local day of a time if it differs from the day that was written last.
    fn other_day(&mut self, time: Timestamp) -> Option<NaiveDate> {
        let day = (self.layout.local)(time).date();
        (self.day.replace(day) != Some(day)).then_some(day)
    }

    /// Writes a line with the local day of a time, if that differs from the day that was written
    /// last.
    fn day(&mut self, time: Timestamp) {
        if let Some(day) = self.other_day(time) {
            self.line(&day.to_string(), None);
        }
    }

    /// Writes a row for something that is not a call, such as a compaction.
    fn note(&mut self, began: Moment, ended: Option<Moment>, text: &str) {
        self.day(began.ts);
        let took = ended
            .map(|ended| duration(began.until(ended)))
            .unwrap_or_default();
        let gap = " ".repeat(self.scale.columns);
        let time = self.time(began.ts);
        self.line(&format!("{time}  {gap}  {took:>7}  {text}"), None);
    }

    fn call(&mut self, depth: usize, call: &Call<'_>) {
        self.day(call.began.ts);
        let time = self.time(call.began.ts);
        let bar = if self.layout.bars {
            self.scale.bar(call, self.end)
        } else {
            format!("{:>OFFSET$}", self.scale.offset(call))
        };
        let took = call.duration().map(duration).unwrap_or_default();
        let name = call.tool.unwrap_or(NO_TOOL);
        let name = self.names.get(name).map_or(name, String::as_str);
        let tool = format!("{}{}", branch(depth), escaped(name));
        let tool = fitted(&tool, self.tool_width);
        let head = format!(
            "{time}  {bar}  {took:>7}  {:<10}  {tool}  ",
            short(call.state)
        );
        let below = call.tool_use_id.and_then(|id| self.subtrees.of_call(id));
        let line = format!("{head}{}", label(call, below, self.layout.bars));
        self.line(&line, colour(call.state));
    }

    /// Writes a line, cut to the terminal's width.
    fn line(&mut self, line: &str, colour: Option<&str>) {
        let line = line.trim_end();
        let cut = self.layout.width.map(|width| cut(line, width));
        let line = cut.as_deref().unwrap_or(line);
        match colour.filter(|_| self.layout.colour) {
            Some(colour) => {
                let _ = writeln!(self.text, "\u{1b}[{colour}m{line}\u{1b}[0m");
            }
            None => {
                let _ = writeln!(self.text, "{line}");
            }
        }
    }

    fn time(&self, time: Timestamp) -> String {
        (self.layout.local)(time).format("%H:%M:%S").to_string()
    }
}

/// The name for tools whose name was not recorded.
const NO_TOOL: &str = "?";

/// Returns the tools' names that are too long, each with a short form that no other tool has.
fn short_names(entries: &[TimelineEntry<'_, '_>]) -> HashMap<String, String> {
    let tool = |entry: &TimelineEntry<'_, '_>| match entry {
        TimelineEntry::Call(_, call) => call.tool.map(str::to_owned),
        _ => None,
    };
    let names: BTreeSet<String> = entries.iter().filter_map(tool).collect();
    let names: Vec<String> = names.into_iter().collect();
    let short = cut_apart(&names, MAX_TOOL);
    let pairs = names.into_iter().zip(short);
    pairs.filter(|(name, short)| name != short).collect()
}

fn turn_title(number: Option<usize>, prompt: &Prompt<'_>) -> String {
    let what = match (number, prompt.notifies) {
        (Some(number), _) => format!("prompt {number}"),
        (None, Some(notified)) => {
            let task = notified
                .task_id
                .map(|task| format!(" of {}", escaped(task)));
            format!("notice{}", task.unwrap_or_default())
        }
        (None, None) => "prompt".to_owned(),
    };
    let took = prompt.ended.map(|ended| duration(prompt.at.until(ended)));
    let end = match (prompt.end, took) {
        (TurnEnd::Open, _) => "still at work".to_owned(),
        (TurnEnd::Stopped, Some(took)) => took,
        (TurnEnd::Failed(why), Some(took)) => {
            format!(
                "failed after {took} ({})",
                escaped(why.unwrap_or("unknown"))
            )
        }
        (TurnEnd::Interrupted, Some(took)) => format!("interrupted, at the latest after {took}"),
        (_, None) => "ended".to_owned(),
    };
    format!("{what}: {end}")
}

/// Returns the text at the end of a call's row: why the call failed, its label, a long wait, and
/// the sums of the subagent that it started (`below`). Without bars, it also mentions shorter waits
/// and how long the call's background work ran on.
fn label(call: &Call<'_>, below: Option<SubtreeSums>, bars: bool) -> String {
    let error = call.error.map(escaped);
    let waited = call
        .permission()
        .filter(|waited| *waited >= LONG_WAIT)
        .map(|waited| format!("asked for permission, {}", duration(waited)));
    let what = call.what.map(escaped);
    let other = call
        .wait()
        .filter(|wait| !bars && *wait >= SHOWN_WAIT)
        .map(|wait| format!("waited {}", duration(wait)));
    let ran_on = call.background_ended.zip(call.ended);
    let ran_on = ran_on
        .filter(|_| !bars)
        .map(|(gone, ended)| format!("ran on for {}", duration(ended.until(gone))));
    // If the subagent made a single call, that call's row already says everything.
    let below = below.filter(|sums| sums.calls > 1 || sums.tokens > 0);
    let below = below.map(subtree);
    let parts = [error, what, below, waited, other, ran_on]
        .into_iter()
        .flatten();
    let parts: Vec<String> = parts.collect();
    parts.join(" · ")
}

/// Describes the sums of a subagent and its descendants: `7 calls, 1 failed, 12k tokens`.
pub(in crate::view) fn subtree(sums: SubtreeSums) -> String {
    let calls = match sums.calls {
        0 => None,
        1 => Some("1 call".to_owned()),
        many => Some(format!("{many} calls")),
    };
    let failed = (sums.failed > 0).then(|| format!("{} failed", sums.failed));
    let tokens = match sums.tokens {
        0 => None,
        few @ 1..10_000 => Some(format!("{few} tokens")),
        thousands @ 10_000..10_000_000 => Some(format!("{}k tokens", thousands / 1000)),
        millions => Some(format!("{}M tokens", millions / 1_000_000)),
    };
    let parts = [calls, failed, tokens].into_iter().flatten();
    parts.collect::<Vec<_>>().join(", ")
}

pub(in crate::view) fn short(state: CallState) -> &'static str {
    match state {
        CallState::Backgrounded => "background",
        other => other.as_str(),
    }
}

/// Returns the code of the terminal colour for a state, or `None` for the default colour.
pub(in crate::view) fn colour(state: CallState) -> Option<&'static str> {
    match state {
        CallState::Ok => None,
        CallState::Failed => Some("31"),
        CallState::Denied => Some("33"),
        CallState::Abandoned => Some("35"),
        CallState::Running => Some("36"),
        CallState::Backgrounded => Some("34"),
    }
}

fn indent(depth: usize) -> usize {
    2 * depth
}

fn branch(depth: usize) -> String {
    match depth {
        0 => String::new(),
        depth => format!("{}└ ", "  ".repeat(depth - 1)),
    }
}

impl Scale {
    /// Draws the bar of a call: `░` while it waited, `█` while it ran, `┄` while its background
    /// work ran on.
    fn bar(&self, call: &Call<'_>, end: i64) -> String {
        let began = self.column(call.began.at);
        let over = call.ended.map_or(end, |ended| ended.at);
        let execution = call
            .execution
            .and_then(|ran| i64::try_from(ran.as_micros()).ok());
        let ran_from = execution.map_or(call.began.at, |ran| {
            over.saturating_sub(ran).max(call.began.at)
        });
        let runs = self.column(ran_from);
        let ended = self.column(over).max(began);
        let gone = call.background_ended.map(|gone| self.column(gone.at));
        let cell = |column: usize| match column {
            _ if column < began => ' ',
            _ if column < runs && column < ended => '░',
            _ if column <= ended => '█',
            _ if gone.is_some_and(|gone| column <= gone) => '┄',
            _ => ' ',
        };
        (0..self.columns).map(cell).collect()
    }

    /// Returns the time from the beginning of the turn to that of the call, as text.
    fn offset(&self, call: &Call<'_>) -> String {
        let micros = u64::try_from(call.began.at.saturating_sub(self.from)).unwrap_or(0);
        format!("+{}", duration(Duration::from_micros(micros)))
    }

    fn column(&self, at: i64) -> usize {
        let length = u128::try_from(self.to.saturating_sub(self.from))
            .unwrap_or(0)
            .max(1);
        let from_start = u128::try_from(at.saturating_sub(self.from)).unwrap_or(0);
        let column = from_start * self.columns as u128 / length;
        usize::try_from(column)
            .unwrap_or(usize::MAX)
            .min(self.columns - 1)
    }
}

/// Formats a duration in at most seven columns: `38ms`, `1.24s`, `2m 05s`, `3h 20m`, `4d 02h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let millis = duration.as_millis();
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{}.{:02}s", seconds, millis % 1000 / 10),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {:02}h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// Cuts each text to at most `width` columns so that different texts stay different: cuts off the
/// end, or else takes out a piece in the middle. If the results would still be equal, adds a
/// number.
pub fn cut_apart(texts: &[String], width: usize) -> Vec<String> {
    let mut short: Vec<String> = texts.iter().map(|text| cut(text, width)).collect();
    let mut by_short: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (text, short) in texts.iter().zip(&short) {
        by_short.entry(short).or_default().insert(text);
    }
    let mut named: BTreeMap<&str, String> = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let alike = by_short.values().filter(|alike| alike.len() > 1);
    for alike in alike.clone() {
        let half = width / 2;
        let mut heads = (1..=half).rev().chain(half + 1..width);
        let shortened = heads.find_map(|head| {
            let all = alike.iter().map(|text| cut_middle(text, head, width));
            let all: Vec<String> = all.collect();
            let apart: BTreeSet<&String> = all.iter().collect();
            let is_free = all
                .iter()
                .all(|it| !by_short.contains_key(it.as_str()) && !taken.contains(it));
            (apart.len() == all.len() && is_free).then_some(all)
        });
        let numbered = || {
            let number = |(place, text): (usize, &&str)| {
                let number = format!("~{}", place + 1);
                let head = cut(text, width.saturating_sub(number.len()));
                format!("{head}{number}")
            };
            alike.iter().enumerate().map(number).collect()
        };
        let shortened = shortened.unwrap_or_else(numbered);
        taken.extend(shortened.iter().cloned());
        named.extend(alike.iter().copied().zip(shortened));
    }
    for (text, short) in texts.iter().zip(&mut short) {
        if let Some(name) = named.get(text.as_str()) {
            short.clone_from(name);
        }
    }
    short
}

/// Cuts `text` to at most `width` columns: keeps the first `head` columns and the end, with `…`
/// between them.
fn cut_middle(text: &str, head: usize, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = cut(text, head + 1);
    let mut columns = kept.width();
    let mut tail: Vec<char> = Vec::new();
    for c in text.chars().rev() {
        columns += c.width().unwrap_or(0);
        if columns > width {
            break;
        }
        tail.push(c);
    }
    kept.extend(tail.iter().rev());
    kept
}

/// Cuts or pads `text` to exactly `width` columns.
pub(in crate::view) fn fitted(text: &str, width: usize) -> String {
    let mut text = cut(text, width);
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(text.width())));
    text
}

/// Cuts `text` to at most `width` columns. A text that was cut ends in `…`.
pub fn cut(text: &str, width: usize) -> String {
    if text.len() <= width || text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut columns = 0;
    for c in text.chars() {
        columns += c.width().unwrap_or(0);
        if columns >= width {
            break;
        }
        kept.push(c);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}
