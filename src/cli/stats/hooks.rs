//! `ccsession stats --hooks`: how often each registered hook ran and how long it took.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::claude::transcript::{Search, SessionFiles, believed, hook_runs};
use crate::cli::amount::grouped;
use crate::cli::gather::{Count, GatheredSession};
use crate::cli::table::{TableLayout, TextTable};
use crate::model::when::Period;
use crate::store::Environment;
use crate::view::stats::hooks::{HookStats, HookTallies};
use crate::view::tables::csv_cell;
use crate::view::timeline::text::duration;

/// What is printed for an unknown event.
const UNKNOWN: &str = "?";

/// The runs of hooks that one worker thread of `stats` found.
pub(super) struct HookCounter<'a> {
    env: &'a Environment,
    period: Period,
    /// True if a single session was requested. Only then is a missing transcript worth a search in
    /// the folders of all projects.
    is_one: bool,
    tallies: HookTallies,
}

impl<'a> HookCounter<'a> {
    pub(super) fn new(env: &'a Environment, period: Period, is_one: bool) -> Self {
        Self {
            env,
            period,
            is_one,
            tallies: HookTallies::default(),
        }
    }

    fn files(&self, session: &GatheredSession<'_>) -> SessionFiles {
        let record = session.record;
        if self.is_one {
            return Search::new(self.env).files(session.dir, record, None);
        }
        let named: Vec<PathBuf> = believed(self.env, record, session.moved.into_iter()).collect();
        SessionFiles::of(&record.session_id, named, &[])
    }
}

impl Count for HookCounter<'_> {
    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        let mut failed = Ok(());
        for file in self.files(session).transcripts() {
            let read = hook_runs::read(&file.path, |run| {
                if self.period.may_have(run.at) {
                    let event = run.event.unwrap_or_else(|| UNKNOWN.to_owned());
                    self.tallies.add(event, run.command, run.duration_ms);
                }
            });
            if let Err(err) = read {
                failed = Err(format!("{err}; its hooks were left out"));
            }
        }
        failed
    }

    fn add(&mut self, other: Self) {
        self.tallies += other.tallies;
    }
}

/// How often each hook ran and how long it took.
#[derive(Serialize)]
pub(super) struct HookReport {
    v: u64,
    hooks: Vec<HookStats>,
}

impl HookReport {
    pub(super) fn new(counter: HookCounter<'_>) -> Self {
        Self {
            v: 1,
            hooks: counter.tallies.summary(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    pub(super) fn as_csv(&self) -> String {
        let mut text = String::from("event,command,runs,p50_ms,p95_ms,max_ms,total_ms\n");
        for hook in &self.hooks {
            let known = |value: Option<u64>| value.map_or_else(String::new, |it| it.to_string());
            let cells = [
                csv_cell(&hook.event),
                csv_cell(&hook.command),
                hook.runs.to_string(),
                known(hook.p50_ms),
                known(hook.p95_ms),
                known(hook.max_ms),
                hook.total_ms.to_string(),
            ];
            text += &cells.join(",");
            text.push('\n');
        }
        text
    }

    pub(super) fn as_text(&self, layout: TableLayout) -> String {
        let mut table = TextTable::new(&["EVENT", "RUNS", "P50", "P95", "MAX", "TOTAL", "COMMAND"]);
        let millis = |millis: u64| duration(Duration::from_millis(millis));
        for hook in &self.hooks {
            table.row([
                hook.event.clone(),
                grouped(hook.runs),
                hook.p50_ms.map(millis).unwrap_or_default(),
                hook.p95_ms.map(millis).unwrap_or_default(),
                hook.max_ms.map(millis).unwrap_or_default(),
                millis(hook.total_ms),
                hook.command.clone(),
            ]);
        }
        layout.fit(&mut table, "COMMAND");
        table.to_string()
    }
}
