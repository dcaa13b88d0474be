//! `stats --by`: sums by day, branch, model and so on, compared with an independent count.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::support::transcripts::{put, put_lines};
use super::support::{Sandbox, as_client, event};

const ID: &str = "3f2a0000-1111-4222-8333-444455556666";
const OTHER: &str = "4f2a0000-1111-4222-8333-444455556666";

/// A message of the model, as far as it matters here.
#[derive(Clone, Copy)]
struct Said {
    /// Minutes after the first day's midnight in UTC.
    at: i64,
    model: &'static str,
    agent: Option<&'static str>,
    branch: &'static str,
    tokens: [u64; 4],
    /// A tool that it calls, and whether that fails.
    call: Option<(&'static str, bool)>,
}

fn time(minutes: i64) -> String {
    let start = chrono::NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
    let at = start.and_hms_opt(0, 0, 0).unwrap() + chrono::TimeDelta::minutes(minutes);
    at.format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// What two sessions said: over four days, on two branches, by two models and a subagent.
fn all_said(offset: u64) -> Vec<Said> {
    let mut all = Vec::new();
    for number in 0..40_u64 {
        let day = i64::try_from(number / 10).unwrap();
        let step = i64::try_from(number % 10).unwrap();
        let is_agent = number % 7 == 4;
        all.push(Said {
            at: day * 24 * 60 + 30 + step * 100 + i64::try_from(offset).unwrap(),
            model: if number % 3 == 0 {
                "claude-a-1"
            } else {
                "claude-b-2"
            },
            agent: is_agent.then_some("a1b2c3"),
            branch: if number % 20 < 10 { "main" } else { "fix/it" },
            tokens: [number + offset, number * 10, number * 100, number * 3],
            call: (number % 2 == 0).then_some((
                if number % 4 == 0 { "Bash" } else { "Read" },
                number % 8 == 0,
            )),
        });
    }
    all
}

/// Writes a session's transcripts: a prompt before each message of the main thread.
fn write(sandbox: &Sandbox, id: &str, said: &[Said]) {
    let folder = sandbox.home().join(".claude/projects/-p");
    let mut lines: BTreeMap<Option<&str>, Vec<Value>> = BTreeMap::new();
    for (number, it) in said.iter().enumerate() {
        let lines = lines.entry(it.agent).or_default();
        let envelope = |kind: &str, more: i64, message: Value| {
            json!({
                "type": kind, "uuid": format!("{id}-{number}-{kind}-{more}"), "sessionId": id, "timestamp": time(it.at + more),
                "cwd": sandbox.project(), "gitBranch": it.branch, "isSidechain": it.agent.is_some(), "agentId": it.agent,
                "promptId": format!("p{number}"), "message": message,
            })
        };
        if it.agent.is_none() || lines.is_empty() {
            lines.push(envelope(
                "user",
                -1,
                json!({"role": "user", "content": format!("prompt {number}")}),
            ));
        }
        let [input, output, read, written] = it.tokens;
        let usage = json!({
            "input_tokens": input, "output_tokens": output, "cache_read_input_tokens": read, "cache_creation_input_tokens": written,
        });
        let call = format!("toolu_{number}");
        let content = match it.call {
            Some((tool, _)) => {
                json!([{"type": "tool_use", "id": call, "name": tool, "input": {"description": "x"}}])
            }
            None => json!([{"type": "text", "text": "Done."}]),
        };
        let message = json!({
            "id": format!("msg_{id}_{number}"), "role": "assistant", "model": it.model, "content": content, "usage": usage,
            "stop_reason": if it.call.is_some() { "tool_use" } else { "end_turn" },
        });
        lines.push(envelope("assistant", 0, message));
        if let Some((_, fails)) = it.call {
            let result = json!({"type": "tool_result", "tool_use_id": call, "content": "Exit code 1", "is_error": fails});
            lines.push(envelope(
                "user",
                1,
                json!({"role": "user", "content": [result]}),
            ));
        }
    }
    for (agent, lines) in lines {
        match agent {
            None => put_lines(&folder.join(format!("{id}.jsonl")), &lines),
            Some(agent) => {
                let below = folder.join(id).join("subagents");
                put_lines(&below.join(format!("agent-{agent}.jsonl")), &lines);
                put(
                    &below.join(format!("agent-{agent}.meta.json")),
                    r#"{"agentType":"explorer"}"#,
                );
            }
        }
    }
}

fn imported() -> (Sandbox, Vec<(&'static str, Said)>) {
    let sandbox = Sandbox::new();
    let mut all = Vec::new();
    for (id, offset) in [(ID, 1), (OTHER, 5)] {
        let said = all_said(offset);
        write(&sandbox, id, &said);
        all.extend(said.into_iter().map(|it| (id, it)));
    }
    sandbox.ccsession(["import"]).stdout();
    (sandbox, all)
}

fn groups(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let run = sandbox.ccsession([&["stats", "--all", "--json", "--by"], arguments].concat());
    run.env("TZ", "UTC").json()
}

/// The four sums of tokens of each group, as the program counts them and as this test does.
#[track_caller]
fn check(sandbox: &Sandbox, all: &[(&str, Said)], by: &str, key: impl Fn(&str, &Said) -> String) {
    let printed = groups(sandbox, &[by]);
    let kinds = ["input", "output", "cache_read", "cache_creation"];
    let mut counted: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for group in printed["groups"].as_array().unwrap() {
        let name = group["session_id"]
            .as_str()
            .or(group["name"].as_str())
            .unwrap();
        let sums = kinds.map(|kind| group[kind].as_u64().unwrap());
        if sums != [0; 4] {
            counted.insert(name.to_owned(), sums);
        }
    }
    let mut expected: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for (id, said) in all {
        let sums = expected.entry(key(id, said)).or_default();
        for (sum, more) in sums.iter_mut().zip(said.tokens) {
            *sum += more;
        }
    }
    assert_eq!(counted, expected, "{by}");
    let total = kinds.map(|kind| printed["total"][kind].as_u64().unwrap());
    let all_tokens = all.iter().fold([0; 4], |mut sums, (_, said)| {
        sums.iter_mut()
            .zip(said.tokens)
            .for_each(|(sum, more)| *sum += more);
        sums
    });
    assert_eq!(total, all_tokens, "{by}");
    assert_eq!(printed["total"]["sessions"], 2, "{by}");
}

#[test]
fn tokens_are_those_of_an_independent_count() {
    let (sandbox, all) = imported();
    let day = |said: &Said| time(said.at).get(..10).unwrap().to_owned();
    check(&sandbox, &all, "day", |_, said| day(said));
    check(&sandbox, &all, "month", |_, said| {
        day(said).get(..7).unwrap().to_owned()
    });
    check(&sandbox, &all, "week", |_, said| {
        // 20 to 22 November 2026 are the end of the 47th week.
        match day(said).as_str() {
            "2026-11-23" => "2026-W48".to_owned(),
            _ => "2026-W47".to_owned(),
        }
    });
    check(&sandbox, &all, "model", |_, said| said.model.to_owned());
    check(&sandbox, &all, "branch", |_, said| said.branch.to_owned());
    check(&sandbox, &all, "session", |id, _| id.to_owned());
    check(&sandbox, &all, "project", |_, _| {
        sandbox
            .project()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    });
    check(&sandbox, &all, "agent", |_, said| {
        said.agent.map_or("main", |_| "explorer").to_owned()
    });
}

#[test]
fn calls_and_prompts_are_in_the_group_in_which_they_began() {
    let (sandbox, all) = imported();
    let of = |by: &str, field: &str| -> BTreeMap<String, u64> {
        let printed = groups(&sandbox, &[by]);
        let groups = printed["groups"].as_array().unwrap().iter();
        groups
            .map(|it| {
                (
                    it["name"].as_str().unwrap().to_owned(),
                    it[field].as_u64().unwrap(),
                )
            })
            .filter(|(_, count)| *count > 0)
            .collect()
    };
    let count = |is: &dyn Fn(&Said) -> Option<String>| -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for name in all.iter().filter_map(|(_, said)| is(said)) {
            *counts.entry(name).or_default() += 1;
        }
        counts
    };
    assert_eq!(
        of("tool", "calls"),
        count(&|said| Some(said.call?.0.to_owned()))
    );
    assert_eq!(
        of("tool", "failed"),
        count(&|said| said
            .call
            .filter(|(_, fails)| *fails)
            .map(|(tool, _)| tool.to_owned()))
    );
    assert_eq!(
        of("model", "calls"),
        count(&|said| said.call.map(|_| said.model.to_owned()))
    );
    assert_eq!(
        of("branch", "calls"),
        count(&|said| said.call.map(|_| said.branch.to_owned()))
    );
    assert_eq!(
        of("agent", "calls"),
        count(&|said| said
            .call
            .map(|_| said.agent.map_or("main", |_| "explorer").to_owned()))
    );
    let day = |said: &Said| time(said.at).get(..10).unwrap().to_owned();
    assert_eq!(
        of("day", "calls"),
        count(&|said| said.call.map(|_| day(said)))
    );
    assert_eq!(
        of("day", "prompts"),
        count(&|said| said.agent.is_none().then(|| day(said)))
    );
}

#[test]
fn since_applies_to_tokens_too() {
    let (sandbox, all) = imported();
    let since = time(2 * 24 * 60);
    let later: u64 = all
        .iter()
        .filter(|(_, said)| time(said.at) >= since)
        .map(|(_, said)| said.tokens[1])
        .sum();
    let sum = |printed: &Value| -> u64 {
        let groups = printed["groups"].as_array().unwrap().iter();
        groups.map(|group| group["output"].as_u64().unwrap()).sum()
    };
    for by in ["day", "model", "session", "branch"] {
        assert_eq!(
            sum(&groups(&sandbox, &[by, "--since", &since])),
            later,
            "{by}"
        );
    }
    let output: u64 = all.iter().map(|(_, said)| said.tokens[1]).sum();
    assert_eq!(
        sum(&groups(&sandbox, &["day", "--until", &since])),
        output - later
    );
    let plain = sandbox
        .ccsession(["stats", "--all", "--json", "--since", &since])
        .json();
    let tokens = plain["tokens"].as_array().unwrap().iter();
    assert_eq!(
        tokens.map(|it| it["output"].as_u64().unwrap()).sum::<u64>(),
        later
    );
}

#[test]
fn a_cost_is_an_estimate_by_the_users_own_prices() {
    let (sandbox, all) = imported();
    let by_model = groups(&sandbox, &["model"]);
    assert!(
        by_model["groups"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["estimated_cost_usd"].is_null())
    );
    let config = sandbox.path("config.toml");
    let table =
        "[prices.\"claude-a\"]\ninput = 2\noutput = 10.5\ncache_read = 0.25\ncache_write = 4\n";
    fs::write(&config, table).unwrap();
    let run = |arguments: &[&str]| {
        let run = sandbox.ccsession([&["stats", "--all", "--by"], arguments].concat());
        run.env("CCSESSION_CONFIG", &config)
    };
    let json = run(&["model", "--json"]).json();
    let expected: f64 = all
        .iter()
        .filter(|(_, said)| said.model == "claude-a-1")
        .map(|(_, said)| {
            let [input, output, read, written] = said.tokens.map(|tokens| tokens as f64 / 1e6);
            input * 2.0 + output * 10.5 + read * 0.25 + written * 4.0
        })
        .sum();
    for group in json["groups"].as_array().unwrap() {
        let cost = group["estimated_cost_usd"].as_f64();
        match group["name"].as_str() {
            Some("claude-a-1") => assert!((cost.unwrap() - expected).abs() < 1e-9, "{group}"),
            _ => assert_eq!(cost, None, "{group}"),
        }
        assert_eq!(group["cost_usd"], Value::Null);
    }
    let text = run(&["model"]).stdout();
    assert!(
        text.contains(&format!("~${expected:.2}"))
            && text.contains("~ is an estimate by your price table"),
        "{text}"
    );
    fs::write(
        &config,
        "[prices.\"claude-a\"]\ninput = 2\noutput = \"x\"\n",
    )
    .unwrap();
    let wrong = run(&["model"]).refused(1);
    assert!(
        wrong.contains("prices.claude-a.output must be a number"),
        "{wrong}"
    );
}

#[test]
fn the_branch_of_each_prompt_is_recorded() {
    let sandbox = Sandbox::new();
    let git = sandbox.project().join(".git");
    fs::create_dir_all(git.join("refs/heads")).unwrap();
    let on = |branch: &str, revision: char| {
        fs::write(git.join("HEAD"), format!("ref: refs/heads/{branch}\n")).unwrap();
        let revision = revision.to_string().repeat(40);
        fs::write(git.join("refs/heads").join(branch), format!("{revision}\n")).unwrap();
    };
    let hook = |name: &str, more: Value| {
        let run = sandbox.hook(&event(name, ID, more));
        run.env("CLAUDE_PID", as_client()).silent();
    };
    let call = |id: &str| {
        let of =
            json!({"tool_name": "Bash", "tool_use_id": id, "tool_input": {"description": "x"}});
        hook("PreToolUse", of.clone());
        hook("PostToolUse", of);
    };
    on("main", 'a');
    hook("SessionStart", json!({"source": "startup"}));
    hook(
        "UserPromptSubmit",
        json!({"prompt": "one", "prompt_id": "p1"}),
    );
    call("t1");
    hook("Stop", json!({}));
    on("topic", 'b');
    hook(
        "UserPromptSubmit",
        json!({"prompt": "two", "prompt_id": "p2"}),
    );
    call("t2");
    call("t3");
    hook("Stop", json!({}));
    let journal = sandbox.journal(ID);
    let branches: Vec<(&Value, &Value)> = journal
        .iter()
        .map(|it| (&it["event"], &it["branch"]))
        .collect();
    for (event, branch) in &branches {
        let is_told = ["UserPromptSubmit", "Stop"].contains(&event.as_str().unwrap());
        assert_eq!(branch.is_string(), is_told, "{event}: {branch}");
    }
    let last = journal.last().unwrap();
    assert_eq!(
        (&last["branch"], &last["revision"]),
        (&json!("topic"), &json!("b".repeat(40)))
    );
    let printed = groups(&sandbox, &["branch"]);
    let found: Vec<(&str, u64)> = printed["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), it["calls"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, [("topic", 2), ("main", 1)]);
    assert_eq!(printed["total"]["sessions"], 1);
}

#[test]
fn groups_are_printed_as_a_table_and_as_values() {
    let (sandbox, _) = imported();
    let run = sandbox
        .ccsession(["stats", "--all", "--by", "day"])
        .env("TZ", "UTC");
    let text = run.stdout();
    let first: Vec<&str> = text
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(
        first,
        [
            "DAY",
            "2026-11-20",
            "2026-11-21",
            "2026-11-22",
            "2026-11-23",
            "all"
        ]
    );
    for by in [
        "day", "week", "month", "project", "branch", "model", "session", "tool", "agent",
    ] {
        let csv = sandbox
            .ccsession(["stats", "--all", "--by", by, "--csv"])
            .stdout();
        let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
        assert!(columns.iter().all(|count| *count == columns[0]), "{csv}");
        assert!(csv.starts_with(by), "{csv}");
    }
    let sessions = sandbox
        .ccsession(["stats", "--all", "--by", "session"])
        .stdout();
    assert!(
        sessions.contains("prompt 0") && sessions.contains("3f2a0000"),
        "{sessions}"
    );
    let none = Sandbox::new();
    none.ccsession(["stats", "--all", "--by", "day"])
        .expect(0, "no session to count\n", "");
}

#[test]
fn what_hooks_cost_is_what_claude_code_noted() {
    let (sandbox, _) = imported();
    let none = sandbox.ccsession(["stats", "--all", "--hooks"]);
    none.expect(
        0,
        "Claude Code has noted no run of a hook in these transcripts\n",
        "",
    );
    let folder = sandbox.home().join(".claude/projects/-p");
    let mut all: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (id, first) in [(ID, 1), (OTHER, 50)] {
        let path = folder.join(format!("{id}.jsonl"));
        let mut text = fs::read_to_string(&path).unwrap();
        for number in first..first + 30 {
            let infos = ["lint", "notify \u{1b}[2J"].map(|command| {
                let took = number * command.len() as u64;
                all.entry(command).or_default().push(took);
                json!({"command": command, "durationMs": took})
            });
            let line = json!({
                "type": "system", "subtype": "stop_hook_summary", "sessionId": id, "uuid": format!("h-{number}"),
                "timestamp": time(i64::try_from(number).unwrap()), "hookCount": 2, "hookInfos": infos,
            });
            text += &format!("{line}\n");
        }
        put(&path, text);
    }
    let printed = sandbox
        .ccsession(["stats", "--all", "--hooks", "--json"])
        .json();
    for (command, shown) in [("lint", "lint"), ("notify \u{1b}[2J", "notify [2J")] {
        let mut durations = all[command].clone();
        durations.sort_unstable();
        let hooks = printed["hooks"].as_array().unwrap().iter();
        let hook = hooks.clone().find(|hook| hook["command"] == shown).unwrap();
        assert_eq!(hook["event"], "Stop");
        assert_eq!(hook["runs"], durations.len());
        assert_eq!(hook["p50_ms"], durations[durations.len() / 2 - 1]);
        assert_eq!(hook["max_ms"], *durations.last().unwrap());
        assert_eq!(hook["total_ms"], durations.iter().sum::<u64>());
    }
    let text = sandbox.ccsession(["stats", ID, "--hooks"]).stdout();
    assert_eq!(text.lines().count(), 3, "{text}");
    let later = ["stats", "--all", "--hooks", "--csv", "--since", &time(60)];
    let csv = sandbox.ccsession(later).stdout();
    assert!(csv.contains("Stop,lint,20,"), "{csv}");
}
