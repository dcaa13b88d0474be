//! Prints statistics as JSON, as CSV, and as tables for people, which fit 80 columns.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::calendar::{LEAST_WIDTH, calendar, clock};
use super::counting::{AgentTokens, StatsCounter};
use crate::cli::amount::{brief, grouped, plural};
use crate::cli::gather::GatherResult;
use crate::cli::table::{TableLayout, TextTable};
use crate::model::Usage;
use crate::model::usage::ModelUsage;
use crate::store::journal::Damage;
use crate::store::shown;
use crate::view::stats::StatsSummary;
use crate::view::tables::csv_cell;
use crate::view::timeline::text::duration;

/// The width of the longest bar, in columns.
const BAR: u64 = 20;
/// The most days that are shown to people.
const MAX_DAYS: usize = 14;

/// Returns the width of the screen, or `None` if it is too narrow for a calendar or the user wants
/// no bars.
fn drawing_width(layout: TableLayout) -> Option<usize> {
    let is_enough = |width: &usize| *width >= LEAST_WIDTH;
    layout.width.filter(|_| layout.bars).filter(is_enough)
}

/// Which sessions were requested.
#[derive(Debug, Clone, Copy)]
pub(super) enum StatsSubject {
    /// One session; `period` is true if only a part of its time is counted.
    One { period: bool },
    /// Any other selection of sessions.
    Several,
}

/// Everything that `stats` reports. It is serialized as JSON unchanged.
#[derive(Debug, Serialize)]
pub(super) struct StatsReport {
    v: u32,
    #[serde(flatten)]
    summary: StatsSummary,
    tokens: Vec<AgentTokens>,
    /// The sum of the costs that Claude Code states, or `None` if it states none.
    cost_usd: Option<f64>,
    /// The number of sessions in `cost_usd`.
    cost_sessions: usize,
    pub(super) damage: DamageReport,
}

/// The journal lines that are not events, in total and by file.
#[derive(Debug, Serialize)]
pub(super) struct DamageReport {
    #[serde(flatten)]
    sum: Damage,
    files: Vec<DamagedFile>,
}

#[derive(Debug, Serialize)]
struct DamagedFile {
    path: String,
    #[serde(flatten)]
    damage: Damage,
}

impl StatsReport {
    pub(super) fn new(gathered: GatherResult<StatsCounter<'_>>) -> Self {
        let mut counts = gathered.counts;
        counts.sort();
        let costs = &counts.costs;
        Self {
            v: 1,
            summary: counts.stats.summary(),
            cost_usd: (!costs.is_empty()).then(|| costs.iter().sum()),
            cost_sessions: costs.len(),
            tokens: counts.tokens,
            damage: DamageReport::new(gathered.damaged),
        }
    }

    /// Returns a line of column names, and a line for each tool.
    pub(super) fn as_csv(&self) -> String {
        let mut text = String::from(
            "tool,calls,ok,failed,denied,abandoned,backgrounded,running,\
             p50_ms,p95_ms,max_ms,total_ms,share,wait_ms,permission_ms\n",
        );
        for tool in &self.summary.tools {
            let by_state = &tool.by_state;
            let known = |value: Option<u64>| value.map(|it| it.to_string()).unwrap_or_default();
            let cells = [
                csv_cell(&tool.tool),
                tool.calls.to_string(),
                by_state.ok.to_string(),
                by_state.failed.to_string(),
                by_state.denied.to_string(),
                by_state.abandoned.to_string(),
                by_state.backgrounded.to_string(),
                by_state.running.to_string(),
                known(tool.p50_ms),
                known(tool.p95_ms),
                known(tool.max_ms),
                tool.total_ms.to_string(),
                tool.share.to_string(),
                tool.wait_ms.to_string(),
                tool.permission_ms.to_string(),
            ];
            text += &cells.join(",");
            text.push('\n');
        }
        text
    }

    /// Returns whether no session was counted.
    pub(super) fn is_empty(&self) -> bool {
        self.summary.counts.sessions == 0
    }

    pub(super) fn as_text(&self, asked: StatsSubject, layout: TableLayout) -> String {
        let summary = &self.summary;
        if summary.counts.sessions == 0 {
            let text = match asked {
                StatsSubject::One { period: false } => {
                    "the session is on record, without an event\n"
                }
                StatsSubject::One { period: true } => {
                    "the session is on record, without an event in that time\n"
                }
                StatsSubject::Several => "no session to count\n",
            };
            return text.to_owned();
        }
        let mut parts = vec![self.heading()];
        if !summary.tools.is_empty() {
            parts.extend([
                self.calls(layout),
                self.durations(layout),
                self.hours(layout),
            ]);
        }
        let is_one = matches!(asked, StatsSubject::One { .. });
        parts.extend([self.days(layout), self.models(is_one, layout)]);
        parts.retain(|part| !part.is_empty());
        parts.join("\n")
    }

    fn heading(&self) -> String {
        let summary = &self.summary;
        let counts = &summary.counts;
        let happened = [
            plural(counts.sessions, "session"),
            plural(counts.events, "event"),
            plural(counts.prompts, "prompt"),
            plural(summary.calls, "call"),
            plural(counts.agents, "subagent"),
            plural(counts.compactions, "compaction"),
        ];
        let mut text = happened.join(", ") + "\n";
        let remarkable = [
            (summary.open, "call", "running"),
            (summary.abandoned, "call", "abandoned"),
            (counts.duplicates, "event", "recorded twice"),
        ];
        let remarkable: Vec<String> = remarkable
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, noun, what)| format!("{} {what}", plural(count, noun)))
            .collect();
        if !remarkable.is_empty() {
            text += &format!("{}\n", remarkable.join(", "));
        }
        text
    }

    fn calls(&self, layout: TableLayout) -> String {
        let names = [
            "OK",
            "FAILED",
            "DENIED",
            "ABANDONED",
            "BACKGROUNDED",
            "RUNNING",
        ];
        let [ok, failed, denied, abandoned, backgrounded, running] = names;
        let mut table = TextTable::new(&[
            "TOOL",
            "CALLS",
            ok,
            failed,
            denied,
            abandoned,
            backgrounded,
            running,
        ]);
        for tool in &self.summary.tools {
            let by_state = &tool.by_state;
            table.row([
                tool.tool.clone(),
                grouped(tool.calls),
                some(by_state.ok),
                some(by_state.failed),
                some(by_state.denied),
                some(by_state.abandoned),
                some(by_state.backgrounded),
                some(by_state.running),
            ]);
        }
        table.drop_empty(&names);
        layout.fit(&mut table, "TOOL");
        table.to_string()
    }

    fn durations(&self, layout: TableLayout) -> String {
        let mut table = TextTable::new(&[
            "TOOL",
            "P50",
            "P95",
            "MAX",
            "TOTAL",
            "WAIT",
            "PERMISSION",
            "SHARE",
        ]);
        let millis = |millis| duration(Duration::from_millis(millis));
        let known = |value: Option<u64>| value.map(millis).unwrap_or_default();
        let waited = |value: u64| known((value > 0).then_some(value));
        for tool in &self.summary.tools {
            let bar = layout.bar(tool.total_ms, self.summary.total_ms, BAR / 2);
            table.row([
                tool.tool.clone(),
                known(tool.p50_ms),
                known(tool.p95_ms),
                known(tool.max_ms),
                known(tool.max_ms.map(|_| tool.total_ms)),
                waited(tool.wait_ms),
                waited(tool.permission_ms),
                format!("{:>3.0}% {bar}", tool.share * 100.0),
            ]);
        }
        table.drop_empty(&["WAIT", "PERMISSION"]);
        layout.fit(&mut table, "TOOL");
        table.to_string()
    }

    fn hours(&self, layout: TableLayout) -> String {
        let hours = &self.summary.hours;
        if drawing_width(layout).is_some() {
            return clock(hours);
        }
        let most = hours.iter().copied().max().unwrap_or_default();
        let mut table = TextTable::new(&["HOUR", "CALLS", ""]);
        let is_used = |calls: &u64| *calls > 0;
        let first = hours.iter().position(is_used).unwrap_or_default();
        let last = hours.iter().rposition(is_used).unwrap_or_default();
        // Between hours with calls, hours without any are shown, too, so that gaps are visible.
        for (hour, calls) in hours.iter().enumerate().take(last + 1).skip(first) {
            let bar = match layout.bars && *calls == 0 {
                // A blank keeps the table from showing `-`, its sign for a missing value.
                true => " ".to_owned(),
                false => layout.bar(*calls, most, BAR),
            };
            table.row([format!("{hour:02}:00"), grouped(*calls), bar]);
        }
        table.drop_empty(&[""]);
        table.to_string()
    }

    /// Returns a table of the last days on which sessions began.
    fn days(&self, layout: TableLayout) -> String {
        let days = &self.summary.days;
        if let Some(width) = drawing_width(layout) {
            return calendar(days, width);
        }
        let earlier = days.len().saturating_sub(MAX_DAYS);
        let shown = days.iter().skip(earlier);
        let most = shown.clone().map(|day| day.sessions).max();
        let Some(most) = most else {
            return String::new();
        };
        let mut table = TextTable::new(&["DAY", "SESSIONS", ""]);
        for day in shown {
            table.row([
                day.day.clone(),
                grouped(day.sessions),
                layout.bar(day.sessions, most, BAR),
            ]);
        }
        table.drop_empty(&[""]);
        match earlier {
            0 => table.to_string(),
            earlier if !layout.bars => {
                format!("{table}and {} before\n", plural(earlier as u64, "day"))
            }
            earlier => format!("{table}… and {} before\n", plural(earlier as u64, "day")),
        }
    }

    /// Returns the tokens by model and, for one session, by agent.
    fn models(&self, is_one: bool, layout: TableLayout) -> String {
        if self.tokens.is_empty() {
            return String::new();
        }
        let mut by_agent: BTreeMap<String, Usage> = BTreeMap::new();
        for AgentTokens {
            agent_type, used, ..
        } in &self.tokens
        {
            let agent = match &used.agent_id {
                Some(agent) if is_one => agent_type.as_ref().unwrap_or(agent).clone(),
                _ => String::new(),
            };
            by_agent.entry(agent).or_default().add(&ModelUsage {
                agent_id: None,
                ..used.clone()
            });
        }
        let mut table = TextTable::new(&[
            "MODEL",
            "AGENT",
            "MESSAGES",
            "INPUT",
            "OUTPUT",
            "CACHE READ",
            "CACHE NEW",
        ]);
        for (agent, usage) in &by_agent {
            for used in &usage.by {
                let agent = match agent.as_str() {
                    "" if is_one => "main",
                    agent => agent,
                };
                table.row([
                    used.model.clone(),
                    agent.to_owned(),
                    brief(used.messages),
                    brief(used.input),
                    brief(used.output),
                    brief(used.cache_read),
                    brief(used.cache_creation),
                ]);
            }
        }
        table.drop_empty(&["AGENT"]);
        layout.fit(&mut table, "AGENT");
        layout.fit(&mut table, "MODEL");
        format!("{table}{}", self.cost())
    }

    fn cost(&self) -> String {
        let of = match (self.cost_sessions, self.summary.counts.sessions) {
            (stated, all) if stated as u64 == all => String::new(),
            (stated, all) => format!(
                " (known for {} of {})",
                grouped(stated as u64),
                plural(all, "session")
            ),
        };
        self.cost_usd
            .map_or_else(String::new, |cost| format!("cost: ${cost:.2}{of}\n"))
    }
}

impl DamageReport {
    fn new(files: Vec<(PathBuf, Damage)>) -> Self {
        let mut sum = Damage::default();
        for (_, damage) in &files {
            sum += *damage;
        }
        let files = files.into_iter().map(|(path, damage)| DamagedFile {
            path: shown(&path),
            damage,
        });
        Self {
            sum,
            files: files.collect(),
        }
    }

    /// Returns a sentence for each damaged file. A line that is still being written is not damage.
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> {
        let damaged = self
            .files
            .iter()
            .filter(|it| it.damage.named().next().is_some());
        damaged.map(|DamagedFile { path, damage }| {
            let kinds = damage
                .named()
                .map(|(count, what)| format!("{} {what}", grouped(count)));
            let kinds: Vec<String> = kinds.collect();
            format!("left out lines of `{path}`: {}", kinds.join(", "))
        })
    }
}

/// Formats a number, or returns an empty text for zero.
fn some(count: u64) -> String {
    if count == 0 {
        String::new()
    } else {
        grouped(count)
    }
}
