//! Formats metrics for Prometheus and the textfile collector of its node exporter, in format
//! version 0.0.4. Names and units follow the conventions of Prometheus
//! (<https://prometheus.io/docs/practices/naming/>). The lines have no timestamps, which the
//! textfile collector would refuse.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use super::{Durations, MetricsSummary, ToolMetrics};
use crate::model::text::escaped;

/// Returns the metrics, each with its help, its type and its samples.
pub(super) fn of(summary: &MetricsSummary) -> String {
    let mut text = Exposition::default();
    let sessions = &summary.sessions;
    text.gauge("sessions", "Sessions on record, by what they are now.");
    for (state, count) in [
        ("active", sessions.active),
        ("idle", sessions.idle),
        ("ended", sessions.ended),
        ("abandoned", sessions.abandoned),
        ("imported", sessions.imported),
    ] {
        text.sample("sessions", &[("state", state)], count);
    }
    text.gauge(
        "sessions_waiting",
        "Live sessions that wait for a person, by what they wait for.",
    );
    for (need, count) in sessions.waiting.named() {
        text.sample("sessions_waiting", &[("attention", need)], count);
    }
    text.counter(
        "sessions_started_total",
        "Sessions on record, each counted once.",
        sessions.started,
    );
    text.counter(
        "sessions_ended_total",
        "Ends of sessions that Claude Code reported; a resumed session ends again.",
        sessions.ends,
    );
    for (name, help, age) in [
        (
            "oldest_session_age_seconds",
            "Time since the start of the live session that started first; 0 without one.",
            summary.oldest_session_age,
        ),
        (
            "newest_session_age_seconds",
            "Time since the start of the live session that started last; 0 without one.",
            summary.newest_session_age,
        ),
        (
            "avg_session_age_seconds",
            "Mean time since the start of live sessions; 0 without one.",
            summary.avg_session_age,
        ),
    ] {
        text.gauge(name, help);
        text.sample(name, &[], age);
    }
    text.tools(&by_label(&summary.tools));
    let around = &summary.surroundings;
    for (name, help, count) in [
        (
            "hook_errors_total",
            "Errors in the bounded log of the hooks.",
            around.hook_errors,
        ),
        (
            "leases_refused_total",
            "Leases of a session id that were refused, because another process held it.",
            around.leases.refused,
        ),
        (
            "leases_taken_over_total",
            "Leases of a session id that were taken over from a dead holder.",
            around.leases.taken_over,
        ),
        (
            "leases_crashed_total",
            "Leases found without their holder, taken over or cleaned up.",
            around.leases.crashed,
        ),
    ] {
        text.counter(name, help, count);
    }
    for (name, help, value) in [
        (
            "damaged_lines",
            "Lines in journals that are not events.",
            around.damaged_lines,
        ),
        ("archives", "Complete archives.", around.archives.count),
        (
            "archive_bytes",
            "Size of all files of the archives.",
            around.archives.bytes,
        ),
    ] {
        text.gauge(name, help);
        text.sample(name, &[], value);
    }
    text.0
}

/// The values for one tool.
struct ToolSeries {
    calls: u64,
    failed: u64,
    durations: Durations,
}

/// Groups the tools by label, and adds the counts of tools with the same label. If a label occurred
/// twice, the whole file would be invalid.
fn by_label(tools: &[ToolMetrics]) -> BTreeMap<String, ToolSeries> {
    let mut by_label: BTreeMap<String, ToolSeries> = BTreeMap::new();
    for tool in tools {
        let durations = &tool.durations;
        by_label
            .entry(label(&tool.tool))
            .and_modify(|present| {
                present.calls += tool.calls;
                present.failed += tool.failed;
                present.durations += durations;
            })
            .or_insert_with(|| ToolSeries {
                calls: tool.calls,
                failed: tool.failed,
                durations: durations.clone(),
            });
    }
    by_label
}

/// Escapes a label's value for the text between the quotes. The format has escapes for three
/// characters. Other characters that could move a terminal's cursor are replaced by their code
/// points.
fn label(value: &str) -> String {
    let line = |line: &str| escaped(line).replace('\\', "\\\\").replace('"', "\\\"");
    let lines: Vec<String> = value.split('\n').map(line).collect();
    lines.join("\\n")
}

#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn heading(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a String cannot fail.
        let _ = write!(
            self.0,
            "# HELP ccsession_{name} {help}\n# TYPE ccsession_{name} {kind}\n"
        );
    }

    fn gauge(&mut self, name: &str, help: &str) {
        self.heading(name, help, "gauge");
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) {
        self.heading(name, help, "counter");
        self.sample(name, &[], count);
    }

    /// Adds a line with a value. The values of the labels must already be escaped.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let labels = match labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "ccsession_{name}{labels} {value}");
    }

    fn tools(&mut self, tools: &BTreeMap<String, ToolSeries>) {
        let name = "tool_calls_total";
        self.heading(name, "Tool calls that began.", "counter");
        for (label, tool) in tools {
            self.sample(name, &[("tool", label)], tool.calls);
        }
        let name = "tool_failures_total";
        self.heading(name, "Tool calls that failed.", "counter");
        for (label, tool) in tools {
            self.sample(name, &[("tool", label)], tool.failed);
        }
        let name = "tool_call_duration_seconds";
        let help = "Duration of tool calls, where it is known.";
        self.heading(name, help, "histogram");
        for (label, tool) in tools {
            self.durations(name, label, &tool.durations);
        }
    }

    fn durations(&mut self, name: &str, label: &str, durations: &Durations) {
        let bucket = format!("{name}_bucket");
        for within in &durations.buckets {
            let le = within.le.to_string();
            self.sample(&bucket, &[("tool", label), ("le", &le)], within.count);
        }
        let all = [("tool", label), ("le", "+Inf")];
        self.sample(&bucket, &all, durations.count);
        self.sample(&format!("{name}_sum"), &[("tool", label)], durations.sum);
        let count = format!("{name}_count");
        self.sample(&count, &[("tool", label)], durations.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_line_and_ends_where_it_ends() {
        let cases = [
            ("Bash", "Bash"),
            ("say \"hi\"", "say \\\"hi\\\""),
            ("a\\b", "a\\\\b"),
            ("a\nb", "a\\nb"),
            ("\u{1b}[2J", "\\\\u{1b}[2J"),
            ("日本", "日本"),
            ("", ""),
        ];
        for (value, expected) in cases {
            assert_eq!(label(value), expected);
        }
    }
}
