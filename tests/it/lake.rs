//! The lake in contrib/lake: its tables are those of `export`, and its questions give the same answers as `stats`, `list`,
//! `show` and `timeline`.
//!
//! DuckDB answers the questions. Without a Python that has DuckDB, that test says that it was skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{CCSESSION, Sandbox, text};

/// The tables, in the order in which every file has them.
const TABLES: [&str; 5] = ["calls", "sessions", "prompts", "tokens", "commits"];
/// Three machines of the simulated fleet. On the tenth, hooks missed some sessions.
const FIRST_MACHINE: &str = "9";
const MACHINES: &str = "3";

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(repository(name)).unwrap()
}

/// The columns of a table, as `export` has them.
fn columns(table: &str) -> Vec<String> {
    let sandbox = Sandbox::new();
    let arguments = ["export", "--all", "--format", "csv", "--table", table];
    let heading = sandbox.ccsession(arguments).stdout();
    heading.trim_end().split(',').map(str::to_owned).collect()
}

/// The names at the beginning of each item between `begin` and `end`, such as `name VARCHAR` or `name: 'VARCHAR'`.
fn names_between(text: &str, begin: &str, end: &str) -> Vec<String> {
    let (_, rest) = text
        .split_once(begin)
        .unwrap_or_else(|| panic!("no {begin}"));
    let (items, _) = rest.split_once(end).unwrap();
    let items = items.split(',').map(str::trim);
    let name = |item: &str| {
        let end = item.find([' ', ':']).unwrap_or(item.len());
        item[..end].trim_matches(['"', '`']).to_owned()
    };
    items.filter(|item| !item.is_empty()).map(name).collect()
}

#[test]
fn the_lake_reads_every_column_of_every_table() {
    let reader = read("contrib/lake/read.sql");
    let ducklake = read("contrib/lake/ducklake.sql");
    let clickhouse = read("contrib/clickhouse/tables.sql");
    for table in TABLES {
        let known = columns(table);
        let (_, of_table) = reader
            .split_once(&format!("/{table}.jsonl'"))
            .unwrap_or_else(|| panic!("{table} is not read"));
        assert_eq!(
            names_between(of_table, "columns = {", "});"),
            known,
            "{table}"
        );
        let create = format!("CREATE TABLE IF NOT EXISTS lake.{table} (");
        assert_eq!(names_between(&ducklake, &create, ");"), known, "{table}");
        let create = format!("CREATE TABLE IF NOT EXISTS ccsession.{table} (");
        let mut names = names_between(&clickhouse, &create, "MATERIALIZED");
        // A type has a comma in it: DateTime64(3, 'UTC').
        names.retain(|name| !name.starts_with('\'') && name != "version");
        assert_eq!(names, known, "{table}");
    }
}

/// The words of a query that are no keywords, texts, numbers or functions. Our queries have keywords in upper case.
fn names(query: &str) -> Vec<String> {
    let code: String = query
        .lines()
        .map(|line| line.split("--").next().unwrap().to_owned() + " ")
        .collect();
    let outside: Vec<&str> = code.split('\'').step_by(2).collect();
    let code = outside.join(" ");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut names = Vec::new();
    let mut rest = code.as_str();
    while let Some(begin) = rest.find(is_word) {
        rest = &rest[begin..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let is_name = word.starts_with(|c: char| c.is_ascii_lowercase());
        if is_name && !after.starts_with('(') {
            names.push(word.to_owned());
        }
        rest = after;
    }
    names
}

/// The names that a query gives: after AS, and before it those of its parts.
fn given(query: &str) -> BTreeSet<String> {
    let words: Vec<&str> = query.split_whitespace().collect();
    let mut given = BTreeSet::new();
    for pair in words.windows(3) {
        if pair[1] == "AS" && !pair[2].starts_with('(') {
            given.insert(pair[2].trim_end_matches([',', ')']).to_owned());
        }
        if pair[1] == "AS" && pair[2].starts_with('(') {
            given.insert(pair[0].to_owned());
        }
    }
    given
}

#[test]
fn questions_name_only_columns_that_the_tables_have() {
    let mut known: BTreeSet<String> = TABLES.iter().map(|it| (*it).to_owned()).collect();
    known.insert("ccsession".to_owned());
    for table in TABLES {
        known.extend(columns(table));
    }
    for folder in ["contrib/lake/questions", "contrib/clickhouse/questions"] {
        let mut files = Vec::new();
        for entry in fs::read_dir(repository(folder)).unwrap() {
            files.push(entry.unwrap().path());
        }
        assert_eq!(files.len(), 10, "{folder}");
        for file in files {
            let query = fs::read_to_string(&file).unwrap();
            let given = given(&query);
            for name in names(&query) {
                let is_known = known.contains(&name) || given.contains(&name);
                assert!(is_known, "{}: {name}", file.display());
            }
        }
    }
}

/// A Python that has DuckDB: the one that CI makes, or the one on the PATH.
fn python() -> Option<PathBuf> {
    let target = Path::new(CCSESSION).ancestors().nth(2).unwrap();
    let made = target.join("tools/lake/bin/python");
    let candidates = [made, PathBuf::from("python3")];
    candidates.into_iter().find(|python| {
        let import = ["-c", "import duckdb"];
        let output = Command::new(python).args(import).output();
        output.is_ok_and(|output| output.status.success())
    })
}

/// Runs a script of the repository.
#[track_caller]
fn script(python: &Path, script: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(python);
    command.arg(repository(script)).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The answer to each question: rows by the names of their columns.
type Answers = BTreeMap<String, Vec<Value>>;

fn answers(python: &Path, lake: &Path) -> Answers {
    let lake = lake.to_str().unwrap();
    let printed = script(python, "contrib/lake/lake.py", &["ask", lake, "--json"]);
    let answer = |line: &str| {
        let answer: Value = serde_json::from_str(line).unwrap();
        let names = answer["columns"].as_array().unwrap();
        let row = |row: &Value| -> Value {
            let cells = row.as_array().unwrap().iter();
            let names = names.iter().map(|name| name.as_str().unwrap().to_owned());
            Value::Object(names.zip(cells.cloned()).collect())
        };
        let rows = answer["rows"].as_array().unwrap().iter().map(row).collect();
        let question = answer["question"].as_str().unwrap();
        (question[..2].to_owned(), rows)
    };
    let answers: Answers = printed.lines().map(answer).collect();
    assert_eq!(answers.len(), 10);
    answers
}

/// Sums by key: what the questions are held against.
#[derive(Default)]
struct Sums(BTreeMap<Vec<String>, BTreeMap<&'static str, u64>>);

impl Sums {
    fn add(&mut self, key: &[&str], column: &'static str, number: u64) {
        let key = key.iter().map(|it| (*it).to_owned()).collect();
        let row = self.0.entry(key).or_default();
        *row.entry(column).or_default() += number;
    }

    /// Asserts that these are the rows of a question, by these columns.
    #[track_caller]
    fn check(&self, rows: &[Value], by: &[&str]) {
        let key = |row: &Value| -> Vec<String> {
            let text = |name: &&str| row[*name].as_str().unwrap().to_owned();
            by.iter().map(text).collect()
        };
        let found: BTreeMap<Vec<String>, &Value> = rows.iter().map(|row| (key(row), row)).collect();
        assert_eq!(found.len(), rows.len(), "each key has one row");
        let keys = |key: &Vec<String>| key.join(" ");
        let (found_keys, known_keys): (Vec<_>, Vec<_>) = (
            found.keys().map(keys).collect(),
            self.0.keys().map(keys).collect(),
        );
        assert_eq!(found_keys, known_keys);
        for (key, sums) in &self.0 {
            for (column, number) in sums {
                assert_eq!(found[key][*column], *number, "{key:?}: {column}");
            }
        }
    }
}

/// A fleet whose sessions were collected, and what the program says of it.
struct Fleet {
    sandbox: Sandbox,
    place: String,
}

impl Fleet {
    fn json(&self, arguments: &[&str]) -> Value {
        let run = self.sandbox.ccsession(arguments.iter().copied());
        let run = run.arg("--json").arg("--from").arg(&self.place);
        run.env("TZ", "UTC").json()
    }

    fn export(&self, to: &Path) {
        fs::create_dir(to).unwrap();
        for table in TABLES {
            let file = to.join(format!("{table}.jsonl"));
            let arguments = ["export", "--format", "jsonl", "--table", table, "--output"];
            let run = self.sandbox.ccsession(arguments).arg(&file);
            run.arg("--from").arg(&self.place).stdout();
        }
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().unwrap()
}

#[test]
fn a_load_writes_into_no_file_of_the_lake() {
    let merging = read("contrib/lake/parquet.sql");
    assert!(merging.contains("TO (getvariable('written')"));
    assert!(!merging.contains("TO (getvariable('lake')"));
}

#[test]
fn the_ten_questions_have_the_answers_of_the_program() {
    let Some(python) = python() else {
        println!("skipped: no Python here has DuckDB; .ci/run installs it");
        return;
    };
    let sandbox = Sandbox::new();
    let place = sandbox.path("fleet").to_str().unwrap().to_owned();
    let arguments = [MACHINES, &place, "--first", FIRST_MACHINE, "--calls", "300"];
    script(&python, "tests/fleet/generate.py", &arguments);
    let (exported, lake, by_day) = (
        sandbox.path("export"),
        sandbox.path("lake"),
        sandbox.path("by-day"),
    );
    let fleet = Fleet { sandbox, place };
    fleet.export(&exported);
    let paths = [&exported, &lake, &by_day].map(|path| path.to_str().unwrap());
    let load = || {
        script(
            &python,
            "contrib/lake/lake.py",
            &["load", paths[0], paths[1]],
        )
    };
    load();
    let first = answers(&python, &lake);
    check_answers(&fleet, &first);
    // As a load leaves it that is killed while it writes.
    let half = lake.join(".loading/calls/date=2026-11-20/host=anna");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("rows.parquet"), "PAR1, and then").unwrap();
    load();
    assert_eq!(
        answers(&python, &lake),
        first,
        "loaded twice, it is the same"
    );
    assert!(!lake.join(".loading").exists());
    script(
        &python,
        "contrib/lake/lake.py",
        &["compact", paths[1], paths[2]],
    );
    assert_eq!(
        answers(&python, &by_day),
        first,
        "compacted, it is the same"
    );
}

/// Holds the answers against what the other verbs say.
fn check_answers(fleet: &Fleet, answers: &Answers) {
    let stats = fleet.json(&["stats"]);
    let tools = list(&stats, "tools");
    let slowest: Vec<&Value> = answers["01"].iter().collect();
    assert_eq!(slowest.len(), tools.len());
    for row in slowest {
        let tool = tools.iter().find(|it| it["tool"] == row["tool"]).unwrap();
        for column in ["calls", "p50_ms", "p95_ms", "max_ms", "total_ms"] {
            assert_eq!(row[column], tool[column], "{row}: {column}");
        }
    }
    check_groups(fleet, answers);
    let hours: BTreeMap<u64, u64> = list(&stats, "hours")
        .iter()
        .enumerate()
        .map(|(hour, calls)| (hour as u64, calls.as_u64().unwrap()))
        .filter(|(_, calls)| *calls > 0)
        .collect();
    let busiest = answers["08"].iter();
    let busiest = busiest.map(|row| {
        let number = |name: &str| row[name].as_u64().unwrap();
        (number("hour_of_day"), number("calls"))
    });
    let busiest: BTreeMap<u64, u64> = busiest.filter(|(_, calls)| *calls > 0).collect();
    assert_eq!(busiest, hours);
    check_sessions(fleet, answers);
}

/// Holds branches, weeks and subagents against `stats --by`.
fn check_groups(fleet: &Fleet, answers: &Answers) {
    let mut branches = Sums::default();
    for group in list(&fleet.json(&["stats", "--by", "branch"]), "groups") {
        let key = [&group["project"], &group["name"]].map(|it| it.as_str().unwrap());
        for column in ["sessions", "prompts", "calls", "failed"] {
            branches.add(&key, column, group[column].as_u64().unwrap());
        }
    }
    branches.check(&answers["03"], &["project", "branch"]);

    const TOKENS: [&str; 5] = [
        "messages",
        "input",
        "output",
        "cache_read",
        "cache_creation",
    ];
    let sums_of = |rows: &[Value], name: &dyn Fn(&Value) -> String| {
        let mut sums = Sums::default();
        for row in rows {
            for column in TOKENS {
                sums.add(&[&name(row)], column, row[column].as_u64().unwrap());
            }
        }
        sums.0
    };
    let said = |name: &'static str| move |row: &Value| row[name].as_str().unwrap().to_owned();
    let week = |row: &Value| {
        let monday: chrono::NaiveDate = row["week"].as_str().unwrap().parse().unwrap();
        monday.format("%G-W%V").to_string()
    };
    for (by, of_row) in [
        ("week", &week as &dyn Fn(&Value) -> String),
        ("project", &said("project")),
    ] {
        let known = fleet.json(&["stats", "--by", by]);
        let known = sums_of(list(&known, "groups"), &said("name"));
        assert!(known.len() > 2, "{by}");
        assert_eq!(sums_of(&answers["05"], of_row), known, "{by}");
    }

    let mut agents = Sums::default();
    for group in list(&fleet.json(&["stats", "--by", "agent"]), "groups") {
        let name = group["name"].as_str().unwrap();
        for column in ["calls", "failed"].into_iter().chain(TOKENS) {
            if name != "main" {
                agents.add(&[name], column, group[column].as_u64().unwrap());
            }
        }
    }
    agents.check(&answers["07"], &["agent_type"]);
}

/// Holds what is known of single sessions against `list`, `timeline` and `show`.
fn check_sessions(fleet: &Fleet, answers: &Answers) {
    let listed = fleet.json(&["list", "--all"]);
    let (mut failing, mut waiting) = (Sums::default(), Sums::default());
    let (mut abandoned, mut unseen) = (Sums::default(), Sums::default());
    let mut commits = Vec::new();
    for session in list(&listed, "sessions") {
        let id = session["session_id"].as_str().unwrap();
        let project = session["project"]["name"].as_str().unwrap();
        let root = session["project"]["root"].as_str().unwrap();
        let person = root.split('/').nth(2).unwrap();
        let timeline = fleet.json(&["timeline", id]);
        let calls = list(&timeline, "calls");
        let state = session["state"].as_str().unwrap();
        if state == "abandoned" {
            abandoned.add(&[project], "sessions", 1);
        }
        if state == "imported" {
            let machine = session["machine"].as_str().unwrap();
            unseen.add(&[machine], "imported_sessions", 1);
            unseen.add(&[machine], "unseen_calls", calls.len() as u64);
        }
        for call in calls {
            let [tool, what, state] =
                ["tool", "what", "state"].map(|name| call[name].as_str().unwrap_or(""));
            if state == "failed" {
                failing.add(&[project, tool, what], "failed", 1);
            }
            if state == "abandoned" {
                abandoned.add(&[project], "calls", 1);
                let elapsed = call["elapsed_ms"].as_u64().unwrap_or(0);
                abandoned.add(&[project], "lost_ms", elapsed);
            }
            if let Some(waited) = call["permission_ms"].as_u64() {
                let rule = match tool {
                    "WebFetch" => format!("WebFetch(domain:{what})"),
                    tool => tool.to_owned(),
                };
                waiting.add(&[person, &rule], "asked", 1);
                waiting.add(&[person, &rule], "waited_ms", waited);
                waiting.add(&[person, &rule], "denied", u64::from(state == "denied"));
            }
        }
        for prompt in list(&timeline, "prompts") {
            if prompt["end"] == "interrupted" {
                abandoned.add(&[project], "turns", 1);
                let took = prompt["duration_ms"].as_u64().unwrap_or(0);
                abandoned.add(&[project], "lost_ms", took);
            }
        }
        for commit in list(&fleet.json(&["show", id]), "commits") {
            commits.push(json!([commit["id"], id, commit["certainty"]]));
        }
    }
    assert!(failing.0.len() > 5 && waiting.0.len() > 3 && !unseen.0.is_empty());
    failing.check(&answers["02"], &["project", "tool", "what"]);
    waiting.check(&answers["04"], &["person", "rule"]);
    abandoned.check(&answers["06"], &["project"]);
    unseen.check(&answers["09"], &["machine"]);
    let row = |row: &Value| json!([row["commit_id"], row["session_id"], row["certainty"]]);
    let mut made: Vec<Value> = answers["10"].iter().map(row).collect();
    made.sort_by_key(ToString::to_string);
    commits.sort_by_key(ToString::to_string);
    assert!(commits.len() > 3, "{}", commits.len());
    assert_eq!(made, commits);
}
