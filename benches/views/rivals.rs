//! The rivals that answer the same question: for each tool, how many calls, how many failed, how
//! long they took.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::contender::Contender;
use crate::journals::Journals;

/// Groups the events that end calls.
const FINISHED: &str = "\
    SELECT tool, count(*) AS calls, count(*) FILTER (WHERE NOT ok) AS failed,
        quantile_disc(duration_ms, 0.5) AS p50_ms, quantile_disc(duration_ms, 0.95) AS p95_ms,
        max(duration_ms) AS max_ms, sum(duration_ms) AS total_ms
    FROM read_json('{journals}', format = 'newline_delimited', columns = {event: 'VARCHAR', tool: 'VARCHAR', ok: 'BOOLEAN',
        duration_ms: 'BIGINT'})
    WHERE event IN ('PostToolUse', 'PostToolUseFailure') GROUP BY tool";

/// Joins both ends of each call.
const AS_OURS: &str = "\
    WITH events AS (SELECT * FROM read_json('{journals}', format = 'newline_delimited', columns = {ts: 'TIMESTAMP',
            event: 'VARCHAR', session_id: 'VARCHAR', agent_id: 'VARCHAR', tool: 'VARCHAR', tool_use_id: 'VARCHAR', duration_ms: 'BIGINT'})),
        calls AS (SELECT any_value(tool) AS tool, min(ts) FILTER (WHERE event = 'PreToolUse') AS began,
            max(ts) FILTER (WHERE event <> 'PreToolUse') AS ended, bool_or(event = 'PostToolUseFailure') AS failed,
            max(duration_ms) AS duration_ms
        FROM events WHERE tool_use_id IS NOT NULL GROUP BY session_id, agent_id, tool_use_id)
    SELECT tool, count(*) FILTER (WHERE ended IS NOT NULL) AS calls, count(*) FILTER (WHERE failed) AS failed,
        quantile_disc(duration_ms, 0.5) AS p50_ms, quantile_disc(duration_ms, 0.95) AS p95_ms,
        max(duration_ms) AS max_ms, sum(duration_ms) AS total_ms, count(*) FILTER (WHERE ended IS NULL) AS abandoned,
        sum(epoch_us(ended) - epoch_us(began) - duration_ms * 1000) // 1000 AS wait_ms
    FROM calls GROUP BY tool";

const JQ: &str = "\
    [inputs | select(.event == \"PostToolUse\" or .event == \"PostToolUseFailure\") | {tool, ok, duration_ms}]
    | group_by(.tool)
    | map((map(.duration_ms) | sort) as $sorted | {tool: .[0].tool, calls: length, failed: map(select(.ok | not)) | length,
        p50_ms: $sorted[(length * 50 + 99) / 100 - 1 | floor], p95_ms: $sorted[(length * 95 + 99) / 100 - 1 | floor],
        max_ms: $sorted[-1], total_ms: $sorted | add})";

/// The numbers for each tool. Not every rival knows the last two.
const COLUMNS: [&str; 8] = [
    "calls",
    "failed",
    "p50_ms",
    "p95_ms",
    "max_ms",
    "total_ms",
    "abandoned",
    "wait_ms",
];

/// Returns every rival that is available here.
pub(crate) fn all(cache: &Path, journals: &Journals) -> Vec<Contender> {
    let mut rivals = Vec::new();
    match duckdb(cache) {
        Ok(duckdb) => {
            for (name, query) in [
                ("DuckDB, finished calls", FINISHED),
                ("DuckDB, as ours", AS_OURS),
            ] {
                let query = query.replace("{journals}", &journals.pattern());
                let command = [duckdb.to_str().unwrap(), "-json", "-c", &query];
                rivals.push(Contender::new(name, journals, &command));
            }
        }
        Err(why) => println!("no DuckDB here, its cases are skipped: {why}"),
    }
    if is_there("jq") {
        let command = format!("exec jq -n '{JQ}' {}", journals.pattern());
        let mut jq = Contender::new("jq", journals, &["sh", "-c", &command]);
        jq.is_slow = true;
        rivals.push(jq);
    } else {
        println!("no jq here, its case is skipped; install it with the system's package manager");
    }
    rivals
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns DuckDB's own program, and installs it with pip if necessary. The command that pip puts
/// on the PATH is a Python script around it, and its time would count as DuckDB's.
fn duckdb(cache: &Path) -> Result<PathBuf, String> {
    let place = cache.join("python");
    let python = place.join("bin/python3");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
    }
    let find = "from duckdb_cli.__main__ import _find_binary; print(_find_binary(), end='')";
    let found = run(Command::new(&python).args(["-c", find])).or_else(|_| {
        let pip = ["-m", "pip", "install", "--quiet", "duckdb-cli"];
        run(Command::new(&python).args(pip))?;
        run(Command::new(&python).args(["-c", find]))
    })?;
    Ok(found.into())
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|err| err.to_string())?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let why = || stderr.lines().last().unwrap_or_default().to_owned();
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        .ok_or_else(why)
}

/// Panics if two contenders find different numbers.
pub(crate) fn assert_agreement(answers: &[(&Contender, String)]) {
    let mut ours = BTreeMap::new();
    for (place, (contender, answer)) in answers.iter().enumerate() {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let rows = answer.get("tools").unwrap_or(&answer).as_array().unwrap();
        let mut found: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for row in rows {
            let number = |column: &&'static str| Some((*column, whole(row.get(column)?)));
            let mut numbers: BTreeMap<_, _> = COLUMNS.iter().filter_map(number).collect();
            if place == 0 {
                // The others count only calls that have ended.
                let abandoned = numbers.get("abandoned").copied().unwrap();
                *numbers.get_mut("calls").unwrap() -= abandoned;
            }
            found.insert(row["tool"].as_str().unwrap(), numbers);
        }
        if place == 0 {
            ours = found
                .into_iter()
                .map(|(tool, numbers)| (tool.to_owned(), numbers))
                .collect();
            continue;
        }
        assert_eq!(found.len(), ours.len(), "{}", contender.name);
        for (tool, numbers) in found {
            for (column, number) in numbers {
                assert_eq!(
                    Some(&number),
                    ours.get(tool).and_then(|ours| ours.get(column)),
                    "{}: {tool}: {column}",
                    contender.name
                );
            }
        }
    }
    println!(
        "all {} found the same of {} tools",
        answers.len(),
        ours.len()
    );
}

/// Parses a whole number. DuckDB writes one as text if it may be large.
fn whole(value: &Value) -> u64 {
    let text = value
        .as_str()
        .map(str::to_owned)
        .unwrap_or_else(|| value.to_string());
    text.trim_end_matches(".0").parse().unwrap()
}
