//! Prints metrics as JSON, and as tables for people, which fit 80 columns.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::MetricsSummary;
use crate::cli::amount::grouped;
use crate::cli::table::{TableLayout, TextTable};
use crate::view::metrics::Durations;
use crate::view::timeline::text::duration;

/// The width of the longest bar, in columns.
const BAR: u64 = 20;

pub(super) fn as_json(summary: &MetricsSummary) -> Result<String> {
    #[derive(Serialize)]
    struct VersionedMetrics<'a> {
        v: u32,
        #[serde(flatten)]
        summary: &'a MetricsSummary,
    }
    let mut text = serde_json::to_string_pretty(&VersionedMetrics { v: 1, summary })?;
    text.push('\n');
    Ok(text)
}

pub(super) fn as_text(summary: &MetricsSummary, layout: TableLayout) -> String {
    let mut parts = vec![sessions(summary)];
    if !summary.tools.is_empty() {
        parts.extend([tools(summary, layout), durations(summary, layout)]);
    }
    parts.push(others(summary));
    parts.join("\n")
}

fn sessions(summary: &MetricsSummary) -> String {
    let counts = &summary.sessions;
    let mut table = TextTable::new(&[
        "SESSIONS",
        "ACTIVE",
        "IDLE",
        "ENDED",
        "ABANDONED",
        "IMPORTED",
    ]);
    table.row([
        grouped(summary.total_sessions),
        grouped(counts.active),
        grouped(counts.idle),
        grouped(counts.ended),
        grouped(counts.abandoned),
        grouped(counts.imported),
    ]);
    let mut text = table.to_string();
    let waiting = counts.waiting.named().into_iter();
    let waiting: Vec<String> = waiting
        .filter(|(_, count)| *count > 0)
        .map(|(need, count)| format!("{need} {}", grouped(count)))
        .collect();
    if !waiting.is_empty() {
        text += &format!("waiting for you: {}\n", waiting.join(", "));
    }
    if counts.active + counts.idle > 0 {
        let age = |seconds| duration(Duration::from_secs_f64(seconds));
        text += &format!(
            "ages of the live ones: oldest {}, newest {}, average {}\n",
            age(summary.oldest_session_age),
            age(summary.newest_session_age),
            age(summary.avg_session_age)
        );
    }
    text
}

fn tools(summary: &MetricsSummary, layout: TableLayout) -> String {
    let mut table = TextTable::new(&["TOOL", "CALLS", "FAILED"]);
    for tool in &summary.tools {
        let failed = Some(tool.failed).filter(|failed| *failed > 0);
        table.row([
            tool.tool.clone(),
            grouped(tool.calls),
            failed.map(grouped).unwrap_or_default(),
        ]);
    }
    layout.fit(&mut table, "TOOL");
    table.to_string()
}

/// Returns a table that shows how long the calls of all tools took.
fn durations(summary: &MetricsSummary, layout: TableLayout) -> String {
    let all = summary.tools.iter().map(|tool| &tool.durations);
    let Some(all) = all.fold(None, |sum: Option<Durations>, more| match sum {
        Some(mut sum) => {
            sum += more;
            Some(sum)
        }
        None => Some(more.clone()),
    }) else {
        return String::new();
    };
    let mut rows = Vec::new();
    let mut within = 0;
    for bucket in &all.buckets {
        let bound = duration(Duration::from_secs_f64(bucket.le));
        rows.push((format!("to {bound}"), bucket.count - within));
        within = bucket.count;
    }
    rows.push(("longer".to_owned(), all.count - within));
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let mut table = TextTable::new(&["TIME", "CALLS", ""]);
    for (time, count) in rows.into_iter().filter(|(_, count)| *count > 0) {
        table.row([time, grouped(count), layout.bar(count, most, BAR)]);
    }
    table.drop_empty(&[""]);
    table.to_string()
}

fn others(summary: &MetricsSummary) -> String {
    let around = &summary.surroundings;
    let mut table = TextTable::new(&["OTHERS", "COUNT"]);
    for (what, count) in [
        ("hook errors", around.hook_errors),
        ("damaged lines", around.damaged_lines),
        ("leases refused", around.leases.refused),
        ("leases taken over", around.leases.taken_over),
        ("leases crashed", around.leases.crashed),
        ("archives", around.archives.count),
        ("bytes archived", around.archives.bytes),
    ] {
        table.row([what.to_owned(), grouped(count)]);
    }
    table.to_string()
}
