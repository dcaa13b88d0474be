//! `ccsession report`: its data compared with what the other verbs print, the file it writes, and what that never contains.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::canaries::canaries;
use crate::support::recordings::{play, recordings};
use crate::support::transcripts::copy_tree;
use crate::support::{ID, Run, Sandbox, as_client, data, event, mode, write_program};

/// A recording with subagents, failures and a call that was left in the background.
const RUN_C: &str = "65dd02b6-7134-4576-a982-e8658c4175aa";

/// The element of the page that has the data, from its first to its last character.
const ISLAND: &str = r#"<script type="application/json" id="data">"#;

fn report(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    let report = sandbox.ccsession(["report"]).env("TZ", "UTC");
    arguments.iter().fold(report, |run, it| run.arg(it))
}

/// The text of the data element of a page.
fn island(html: &str) -> &str {
    assert_eq!(html.matches(ISLAND).count(), 1);
    let (_, rest) = html.split_once(ISLAND).unwrap();
    rest.split_once("</script>").unwrap().0
}

fn page_data(html: &str) -> Value {
    serde_json::from_str(island(html)).unwrap()
}

/// The time of a moment on a page, as `timeline --json` writes it.
fn time(micros: i64) -> Value {
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
        .into()
}

fn moment(moment: &Value) -> Value {
    moment[0].as_i64().map_or(Value::Null, time)
}

fn maybe(number: &Value) -> Value {
    number
        .as_i64()
        .filter(|it| *it >= 0)
        .map_or(Value::Null, Value::from)
}

/// The calls of a page as `timeline --json` writes them.
fn calls(columns: &Value) -> Vec<Value> {
    let text = |index: &Value| match index.as_i64() {
        Some(index) if index >= 0 => columns["strings"][usize::try_from(index).unwrap()].clone(),
        _ => Value::Null,
    };
    let sparse = |column: &str| -> BTreeMap<u64, Value> {
        let pairs = columns[column].as_array().unwrap().iter();
        pairs
            .map(|it| (it[0].as_u64().unwrap(), it[1].clone()))
            .collect()
    };
    let (error, background, spawned) = (sparse("error"), sparse("background"), sparse("spawned"));
    let (background_ended, pids) = (sparse("background_ended"), sparse("pid"));
    let (mut at, mut ahead, mut pid) = (0, 0, Value::Null);
    let mut found = Vec::new();
    for index in 0..columns["tool"].as_array().unwrap().len() {
        let cell = |column: &str| &columns[column][index];
        let number = |column: &str| cell(column).as_i64().unwrap();
        let of = |map: &BTreeMap<u64, Value>| map.get(&(index as u64)).map_or(Value::Null, text);
        at += number("start");
        ahead += number("start_clock");
        if let Some(other) = pids.get(&(index as u64)) {
            pid = maybe(other);
        }
        let end = cell("end").as_i64();
        let ended = end.map(|end| time(at + ahead + end + number("end_clock")));
        found.push(json!({
            "tool_use_id": cell("id"), "tool": text(cell("tool")), "what": text(cell("what")), "state": text(cell("state")),
            "error": of(&error), "started_at": time(at + ahead), "ended_at": ended, "duration_ms": maybe(cell("duration")),
            "elapsed_ms": end.map(|end| end.max(0) / 1000), "wait_ms": maybe(cell("wait")), "permission_ms": maybe(cell("permission")),
            "closed": text(cell("closed")), "agent_id": text(cell("agent")), "prompt_id": text(cell("prompt")), "pid": pid,
            "input_bytes": maybe(cell("input_bytes")), "output_bytes": maybe(cell("output_bytes")), "background": of(&background),
            "background_ended_at": background_ended.get(&(index as u64)).map_or(Value::Null, |it| time(it.as_i64().unwrap())),
            "spawned_agent": of(&spawned),
        }));
    }
    found
}

fn by_start(mut calls: Vec<Value>) -> Vec<Value> {
    let key = |call: &Value| format!("{}{}", call["started_at"], call["tool_use_id"]);
    calls.sort_by_key(key);
    calls
}

/// Checks one session of a page against `timeline --json` and `stats --json`.
#[track_caller]
fn check(sandbox: &Sandbox, page: &Value) -> usize {
    let id = page["session_id"].as_str().unwrap();
    let timeline = sandbox.ccsession(["timeline", id, "--json"]).json();
    for member in ["session_id", "title", "state", "events", "duplicates"] {
        assert_eq!(page[member], timeline[member], "{id}: {member}");
    }
    assert_eq!(page["project"]["name"], timeline["project"]["name"]);
    // A page has them by their start, `timeline` below the call that started their subagent.
    assert_eq!(
        by_start(calls(&page["calls"])),
        by_start(timeline["calls"].as_array().unwrap().clone()),
        "{id}"
    );
    let all = |list: &Value, of: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        list.as_array().unwrap().iter().map(of).collect()
    };
    let prompts = all(&page["prompts"], &|it| {
        let took = it["ended"][1]
            .as_i64()
            .map(|end| (end - it["at"][1].as_i64().unwrap()).max(0) / 1000);
        json!({
            "prompt_id": it["prompt_id"], "what": it["what"], "branch": it["branch"], "at": moment(&it["at"]), "notification": it["notification"],
            "task_id": it["task_id"], "ended_at": moment(&it["ended"]), "end": it["end"], "error": it["error"], "duration_ms": took,
        })
    });
    assert_eq!(Value::from(prompts), timeline["prompts"], "{id}");
    let ids = page["calls"]["id"].as_array().unwrap().clone();
    let starter = |call: &Value| {
        call.as_u64().map_or(Value::Null, |call| {
            ids[usize::try_from(call).unwrap()].clone()
        })
    };
    let agents = all(&page["agents"], &|it| {
        let runs = all(
            &it["runs"],
            &|run| json!({"started_at": moment(&run["started"]), "ended_at": moment(&run["ended"]), "tool_use_id": starter(&run["call"])}),
        );
        json!({
            "agent_id": it["agent_id"], "agent_type": it["agent_type"], "started_at": moment(&it["started"]), "ended_at": moment(&it["ended"]),
            "tool_use_id": runs[0]["tool_use_id"], "parent": it["parent"], "linked": it["linked"], "subtree": it["subtree"], "runs": runs,
        })
    });
    assert_eq!(Value::from(agents), timeline["agents"], "{id}");
    for (part, members) in [
        ("compactions", ["trigger"].as_slice()),
        ("segments", &["source", "reason", "pid"]),
    ] {
        let parts = all(&page[part], &|it| {
            let mut json =
                json!({"started_at": moment(&it["started"]), "ended_at": moment(&it["ended"])});
            for member in members {
                json[member] = it[member].clone();
            }
            json
        });
        assert_eq!(Value::from(parts), timeline[part], "{id}: {part}");
    }
    let stats = sandbox
        .ccsession(["stats", id, "--json"])
        .env("TZ", "UTC")
        .json();
    for (member, value) in page["stats"].as_object().unwrap() {
        assert_eq!(*value, stats[member], "{id}: {member}");
    }
    assert_eq!(page["cost_usd"], stats["cost_usd"]);
    let mut tokens = stats["tokens"].clone();
    for used in tokens.as_array_mut().unwrap() {
        used.as_object_mut().unwrap().remove("session_id");
    }
    assert_eq!(page["tokens"], tokens, "{id}");
    timeline["calls"].as_array().unwrap().len()
}

#[test]
fn a_page_has_the_numbers_of_timeline_and_stats_for_every_recording() {
    let mut seen = 0;
    for name in recordings() {
        let sandbox = play(&name);
        let all = page_data(&report(&sandbox, &["--all", "-o", "-"]).stdout());
        let stats = sandbox
            .ccsession(["stats", "--all", "--json"])
            .env("TZ", "UTC")
            .json();
        for (member, value) in all["stats"].as_object().unwrap() {
            assert_eq!(*value, stats[member], "{name}: {member}");
        }
        for page in all["sessions"].as_array().unwrap() {
            seen += check(&sandbox, page);
        }
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn a_page_has_the_tokens_of_a_transcript() {
    let sandbox = play("c");
    copy_tree(
        &data("transcripts/c"),
        &sandbox.home().join(".claude/projects"),
    );
    let data = page_data(&report(&sandbox, &[RUN_C, "-o", "-"]).stdout());
    assert_eq!(data["stats"], Value::Null);
    let page = &data["sessions"][0];
    assert!(check(&sandbox, page) > 0);
    let tokens: u64 = page["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["output"].as_u64().unwrap())
        .sum();
    assert!(tokens > 0);
    let agents: u64 = page["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["subtree"]["tokens"].as_u64().unwrap())
        .sum();
    assert!(agents > 0);
    let show = sandbox.ccsession(["show", RUN_C, "--json"]).json();
    assert_eq!(page["coverage"], show["coverage"]);
}

#[test]
fn the_page_of_a_live_session_has_what_show_prints() {
    let sandbox = Sandbox::new();
    let hook = |event: &Value| {
        let run = sandbox.hook(event);
        run.env("CLAUDE_PROJECT_DIR", sandbox.project())
            .env("CLAUDE_PID", as_client())
            .silent();
    };
    hook(&event(
        "SessionStart",
        ID,
        json!({"source": "startup", "session_title": "webhook hunt"}),
    ));
    let call = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"description": "Commit the fix"}});
    hook(&event("PreToolUse", ID, call.clone()));
    let (none, id) = ("0".repeat(40), "1a2b3c4d".repeat(5));
    let git = sandbox.project().join(".git");
    fs::create_dir_all(git.join("logs")).unwrap();
    fs::write(git.join("HEAD"), format!("{id}\n")).unwrap();
    let now = chrono::Utc::now().timestamp();
    let made = format!("{none} {id} A <a@b> {now} +0000\tcommit (initial): Fix it\n");
    fs::write(git.join("logs/HEAD"), made).unwrap();
    hook(&event("PostToolUse", ID, call));
    let open = json!({"tool_name": "Edit", "tool_use_id": "t2", "tool_input": {"file_path": "/home/dev/shop/a.rs"}});
    hook(&event("PreToolUse", ID, open));

    let data = page_data(&report(&sandbox, &[ID, "-o", "-"]).stdout());
    let page = &data["sessions"][0];
    let show = sandbox.ccsession(["show", ID, "--json"]).json();
    for member in ["state", "title", "attention"] {
        assert_eq!(page[member], show[member], "{member}");
    }
    assert_eq!(page["stats"]["open"], 1);
    let commits = page["commits"].as_array().unwrap();
    assert_eq!(commits.len(), 1, "{show:#}");
    for (member, value) in commits[0].as_object().unwrap() {
        assert_eq!(*value, show["commits"][0][member], "{member}");
    }
    let bare = report(&sandbox, &[ID, "--metadata", "-o", "-"]).stdout();
    assert!(!bare.contains(&id) && !bare.contains("webhook"), "{bare}");
    assert_eq!(
        page_data(&bare)["sessions"][0]["commits"][0]["id"],
        "commit 1"
    );
}

/// Writes a session with this journal, which ended long ago.
fn write_session(sandbox: &Sandbox, id: &str, more: Value, lines: &[Value]) {
    let dir = sandbox.session(id);
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true).create(&dir).unwrap();
    let mut record = json!({
        "v": 1, "session_id": id, "project": {"name": "shop", "root": "/home/dev/shop"}, "cwd": null, "transcript_path": null,
        "source": "startup", "model": null, "agent_type": null, "head": null, "started_at": "2026-11-20T14:00:00.000000Z", "ended_at": null,
        "end_reason": null, "outcome": null, "exit_status": null, "previous": null, "parent": null, "name": null, "role": null, "focus": null,
        "notes": null, "description": null, "machine": null, "archive": null,
    });
    record
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let mut journal = String::new();
    for (at, line) in lines.iter().enumerate() {
        let ts = chrono::DateTime::from_timestamp_millis(
            1_795_183_200_000 + 500 * i64::try_from(at).unwrap(),
        )
        .unwrap();
        let mut whole = json!({
            "v": 1, "ts": ts.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), "mono": 1_000_000_000 + at * 500_000, "session_id": id, "pid": 7,
        });
        whole
            .as_object_mut()
            .unwrap()
            .extend(line.as_object().unwrap().clone());
        writeln!(journal, "\n{whole}").unwrap();
    }
    for (name, content) in [
        ("session.json", record.to_string()),
        ("events.jsonl", journal),
    ] {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let long_ago =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        fs::File::open(&path)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
}

/// A session with a text of its own in each member of its record and of every kind of event. Returns the texts.
fn full_of(sandbox: &Sandbox, id: &str, mut next: impl FnMut() -> String) -> Vec<String> {
    let mut used = Vec::new();
    let mut text = || {
        used.push(next());
        used[used.len() - 1].clone()
    };
    let record = json!({
        "project": {"name": text(), "root": format!("/home/{}", text())}, "cwd": format!("/{}", text()), "transcript_path": format!("/{}", text()),
        "source": text(), "model": text(), "agent_type": text(), "head": {"branch": text(), "revision": text()}, "end_reason": text(),
        "outcome": text(), "exit_status": 3, "name": text(), "role": text(), "focus": text(),
        "notes": [{"at": "2026-11-20T14:00:00.000000Z", "text": text()}, text()], "description": text(), "machine": text(),
        "ended_at": "2026-11-20T15:00:00.000000Z", "parent": "kanari-of-mine",
    });
    let (agent, task, mcp) = (text(), text(), format!("mcp__{}__{}", text(), text()));
    let prompt = text();
    let sub = |mut line: Value| {
        line["agent_id"] = agent.clone().into();
        line["agent_type"] = format!("type-{agent}").into();
        line
    };
    let lines = [
        json!({"event": "SessionStart", "source": text(), "model": text(), "cwd": format!("/{}", text())}),
        json!({"event": "UserPromptSubmit", "prompt_id": prompt, "what": text(), "branch": text()}),
        json!({"event": "PreToolUse", "tool": mcp, "tool_use_id": text(), "what": text(), "prompt_id": prompt}),
        json!({"event": "PermissionRequest", "tool": mcp, "what": text()}),
        json!({"event": "PreToolUse", "tool": "Bash", "tool_use_id": "t1", "what": text()}),
        json!({"event": "PostToolUseFailure", "tool": "Bash", "tool_use_id": "t1", "error": text(), "duration_ms": 5}),
        json!({"event": "PreToolUse", "tool": text(), "tool_use_id": "t2", "what": text()}),
        json!({"event": "PostToolUse", "tool": "Bash", "tool_use_id": "t2", "background": task, "duration_ms": 5}),
        json!({"event": "PreToolUse", "tool": "Agent", "tool_use_id": "t3", "what": text()}),
        sub(json!({"event": "SubagentStart"})),
        sub(json!({"event": "PreToolUse", "tool": "Read", "tool_use_id": "t4", "what": text()})),
        sub(json!({"event": "SubagentStop"})),
        json!({"event": "PostToolUse", "tool": "Agent", "tool_use_id": "t3", "spawned_agent": agent, "duration_ms": 5}),
        json!({"event": "PreCompact", "trigger": text()}),
        json!({"event": "PostCompact", "trigger": text()}),
        json!({"event": "Notification", "notification_type": text(), "what": text()}),
        json!({"event": "StopFailure", "error": text()}),
        json!({"event": "SessionEnd", "reason": text()}),
    ];
    write_session(sandbox, id, record, &lines);
    used
}

#[test]
fn a_report_of_metadata_has_no_content() {
    let sandbox = Sandbox::new();
    let mut count = 0;
    let word = || {
        count += 1;
        format!("kanari{count}x")
    };
    // An id of a person's own is content, too.
    let mut used = full_of(&sandbox, "kanari-of-mine", word);
    used.push("kanari".to_owned());
    let secrets: Vec<String> = canaries().into_iter().map(|(text, _)| text).collect();
    let mut secrets = secrets.into_iter().cycle();
    full_of(&sandbox, ID, || secrets.next().unwrap());
    let file = sandbox.path("shared");
    fs::create_dir(&file).unwrap();
    for arguments in [&["--all"][..], &["kanari-of-mine"]] {
        let whole = report(&sandbox, arguments).arg("-o").arg("-").stdout();
        assert!(whole.contains("kanari"), "the test looks for nothing");
        let named = report(&sandbox, arguments)
            .arg("--metadata")
            .dir(&file)
            .stdout();
        assert!(!named.contains("kanari"), "{named}");
        let html = fs::read_to_string(file.join(named.trim_end())).unwrap();
        for canary in &used {
            assert!(!html.contains(canary.as_str()), "{canary}");
        }
        for (_, secret) in canaries() {
            assert!(!html.contains(&secret), "{secret}");
        }
        let data = page_data(&html);
        assert_eq!(data["metadata"], true);
        assert!(data["left_out"][0].as_str().unwrap().contains("Left out: "));
        for page in data["sessions"].as_array().unwrap() {
            assert_eq!(page["stats"]["calls"], 5, "{page:#}");
            assert_eq!(page["calls"]["tool"].as_array().unwrap().len(), 5);
            assert_eq!(page["stats"]["failed"], 1);
            assert_eq!(page["agents"][0]["agent_id"], "agent 1");
            assert_eq!(page["title"], Value::Null);
            let kin = &page["lineage"][0];
            assert_eq!(kin["title"], Value::Null);
            match page["session_id"].as_str().unwrap() {
                ID => assert_eq!(
                    (&kin["session_id"], &kin["relation"]),
                    (&json!("session-1"), &json!("around"))
                ),
                _ => assert_eq!(
                    (&kin["session_id"], &kin["relation"]),
                    (&json!(ID), &json!("within"))
                ),
            }
        }
    }
}

/// A chain by `/clear`, a session started within its middle, and one that was deleted.
#[test]
fn a_page_names_the_sessions_before_and_after() {
    let sandbox = Sandbox::new();
    let lines = [json!({"event": "UserPromptSubmit", "what": "Go on"})];
    for (number, (id, more)) in [
        ("s-0", json!({"previous": "s-gone", "name": "First"})),
        ("s-1", json!({"previous": "s-0", "source": "clear"})),
        ("s-2", json!({"previous": "s-1", "source": "clear"})),
        ("s-in", json!({"parent": "s-1", "name": "Inside"})),
        ("s-alone", json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        let mut more = more;
        more["started_at"] = format!("2026-11-20T14:0{number}:00.000000Z").into();
        write_session(&sandbox, id, more, &lines);
    }
    let data = page_data(&report(&sandbox, &["--all", "-o", "-"]).stdout());
    let of = |id: &str| {
        let mut pages = data["sessions"].as_array().unwrap().iter();
        let page = pages.find(|page| page["session_id"] == id).unwrap();
        let shown = sandbox.ccsession(["show", id, "--json"]).json();
        let mut found = Vec::new();
        for kin in page["lineage"].as_array().unwrap() {
            let mut all = shown["lineage"].as_array().unwrap().iter();
            if let Some(known) = all.find(|it| it["session_id"] == kin["session_id"]) {
                for member in ["state", "source", "started_at"] {
                    assert_eq!(kin[member], known[member], "{id}: {member}");
                }
            }
            let text = |it: &Value| it.as_str().unwrap_or("-").to_owned();
            found.push(format!(
                "{} {} {} {}",
                text(&kin["relation"]),
                text(&kin["session_id"]),
                text(&kin["title"]["text"]),
                text(&kin["state"])
            ));
        }
        found
    };
    assert_eq!(
        of("s-0"),
        ["before s-gone - -", "after s-1 Go on abandoned"]
    );
    assert_eq!(
        of("s-1"),
        [
            "before s-0 First abandoned",
            "after s-2 Go on abandoned",
            "within s-in Inside abandoned"
        ]
    );
    assert_eq!(of("s-2"), ["before s-1 Go on abandoned"]);
    assert_eq!(of("s-in"), ["around s-1 Go on abandoned"]);
    assert_eq!(of("s-alone"), [""; 0]);
}

#[test]
fn a_report_of_metadata_keeps_structure_times_and_numbers() {
    let sandbox = play("c");
    let of = |more: &[&str]| {
        page_data(&report(&sandbox, &[&[RUN_C, "-o", "-"], more].concat()).stdout())
    };
    let (whole, bare) = (of(&[]), of(&["--metadata"]));
    let (whole, bare) = (&whole["sessions"][0], &bare["sessions"][0]);
    for member in [
        "start",
        "end",
        "duration",
        "wait",
        "permission",
        "start_clock",
        "asked",
        "input_bytes",
    ] {
        assert_eq!(whole["calls"][member], bare["calls"][member], "{member}");
    }
    for member in [
        "session_id",
        "state",
        "span",
        "events",
        "stats",
        "started_at",
    ] {
        assert_eq!(whole[member], bare[member], "{member}");
    }
    let states = |page: &Value| {
        calls(&page["calls"])
            .iter()
            .map(|it| it["state"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(whole), states(bare));
    for (one, other) in whole["agents"]
        .as_array()
        .unwrap()
        .iter()
        .zip(bare["agents"].as_array().unwrap())
    {
        for member in ["started", "ended", "subtree", "runs", "linked"] {
            assert_eq!(one[member], other[member], "{member}");
        }
    }
}

#[test]
fn nothing_in_a_hostile_journal_leaves_its_line() {
    let sandbox = Sandbox::new();
    let texts = [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "]]><img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "\u{2028}\u{2029}\u{202e}evil\u{2066}",
        "{\"data\":null}",
        "a\u{0}\u{1b}[2J\nb",
        "\" onmouseover=\"alert(1)",
        "&lt;b&gt;",
    ];
    let mut next = texts.iter().cycle();
    full_of(&sandbox, ID, || (*next.next().unwrap()).to_owned());
    let html = report(&sandbox, &[ID, "-o", "-"]).stdout();
    let inside = island(&html);
    let outside = html.replacen(inside, "", 1);
    let bare = format!("{}{}", "{\"data\"", ":null}");
    let template = include_str!("../../src/web/built/report.html").replacen(&bare, "", 1);
    assert_eq!(outside, template, "the rest of the page is as it was built");
    assert!(!inside.contains(['<', '>', '&']));
    assert!(!inside.contains(|c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c)));
    let page = &page_data(&html)["sessions"][0];
    // Each text is on one line when a script reads it.
    let mut seen = 0;
    each_text(page, &mut |text| {
        seen += 1;
        assert!(
            !text.contains(
                |c: char| c.is_control() || "\u{2028}\u{2029}\u{202e}\u{2066}".contains(c)
            ),
            "{text:?}"
        );
    });
    assert!(seen > 50, "{seen}");
    assert!(
        inside.contains("javascript:alert(1)"),
        "texts are shown as they are"
    );
}

fn each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(list) => list.iter().for_each(|it| each_text(it, visit)),
        Value::Object(members) => members.values().for_each(|it| each_text(it, visit)),
        _ => {}
    }
}

#[test]
fn a_label_of_any_length_is_one_short_line() {
    for size in [1_000, 50_000, 10_000_000] {
        let sandbox = Sandbox::new();
        let label = "long ".repeat(size / 5);
        let lines = [
            json!({"event": "PreToolUse", "tool": "Bash", "tool_use_id": "t1", "what": label}),
            json!({"event": "PostToolUse", "tool": "Bash", "tool_use_id": "t1", "duration_ms": 5}),
        ];
        write_session(&sandbox, ID, json!({}), &lines);
        let html = report(&sandbox, &[ID, "-o", "-"]).output();
        let html = String::from_utf8(html.stdout).unwrap();
        assert!(html.len() < 200_000, "{size}: {}", html.len());
        let call = calls(&page_data(&html)["sessions"][0]["calls"])[0].clone();
        assert_eq!(call["duration_ms"], 5);
        // The reader of journals passes over a line of megabytes.
        let length = call["what"].as_str().map(|it| it.chars().count());
        assert_eq!(length, (size < 1_000_000).then_some(200), "{size}");
    }
}

#[test]
fn ten_thousand_calls_fit_in_a_megabyte_and_a_half() {
    let sandbox = Sandbox::new();
    let mut lines = Vec::new();
    for at in 0..10_000 {
        let id = format!("toolu_01{at:022}");
        let what = format!("/home/dev/shop/src/checkout/part_{:03}/totals.rs", at % 700);
        let mut line = json!({"event": "PreToolUse", "tool": "Read", "tool_use_id": id, "what": what, "prompt_id": "p1", "input_bytes": 1234});
        lines.push(line.clone());
        line["event"] = "PostToolUse".into();
        line["duration_ms"] = (at % 450).into();
        line["output_bytes"] = 54_321.into();
        lines.push(line);
    }
    write_session(&sandbox, ID, json!({}), &lines);
    let html = report(&sandbox, &[ID, "-o", "-"]).stdout();
    assert!(html.len() <= 1_500_000, "{}", html.len());
    let data = page_data(&html);
    let columns = &data["sessions"][0]["calls"];
    assert_eq!(columns["tool"].as_array().unwrap().len(), 10_000);
    let texts = columns["strings"].to_string().len();
    let each = (columns.to_string().len() - texts) / 10_000;
    assert!(each <= 150, "{each} bytes a call");
}

#[test]
fn a_report_is_a_private_file_that_only_a_report_replaces() {
    let sandbox = play("c");
    let project = sandbox.project();
    let run = |arguments: &[&str]| report(&sandbox, arguments).dir(&project);
    run(&[RUN_C]).expect(0, "ccsession-65dd02b6.html\n", "");
    let path = project.join("ccsession-65dd02b6.html");
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    run(&[RUN_C]).expect(0, "ccsession-65dd02b6.html\n", "");
    run(&["--all"]).expect(0, "ccsession-all.html\n", "");
    run(&["--project", ".", "--metadata"]).expect(0, "ccsession-project-metadata.html\n", "");
    let link = project.join("link.html");
    symlink(&path, &link).unwrap();
    run(&[RUN_C, "-o", "link.html"]).expect(0, "link.html\n", "");
    assert!(link.is_symlink());

    let notes = project.join("notes.txt");
    fs::write(&notes, "mine").unwrap();
    let said = run(&[RUN_C, "-o", "notes.txt"]).refused(1);
    assert!(
        said.contains("notes.txt") && said.contains("is not a report"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    let said = run(&[RUN_C, "-o", "."]).refused(1);
    assert!(said.contains("it is a directory"), "{said}");
    let said = run(&[RUN_C, "-o", "/dev/null"]).refused(1);
    assert!(said.contains("`-o -` writes to stdout"), "{said}");
    let said = run(&[RUN_C, "-o", "no/such/dir.html"]).refused(1);
    assert!(said.contains("no/such"), "{said}");
    let said = run(&[RUN_C, "-o", "-", "--open"]).refused(64);
    assert!(
        said.contains("could not open what is written to stdout"),
        "{said}"
    );
    let left = fs::read_dir(&project).unwrap().filter(|it| {
        let name = it.as_ref().unwrap().file_name();
        Path::new(&name).to_string_lossy().contains("tmp")
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn without_a_session_there_is_no_report() {
    let sandbox = Sandbox::new();
    let said = report(&sandbox, &["--all"]).refused(3);
    assert!(said.contains("no session to report"), "{said}");
    let said = report(&sandbox, &["5b48"]).refused(3);
    assert!(said.contains("5b48"), "{said}");
}

#[test]
fn a_report_opens_in_the_browser_of_the_user() {
    let sandbox = play("c");
    let opened = sandbox.path("opened");
    let program = sandbox.path("browser");
    write_program(
        &program,
        &format!("#!/bin/sh\nprintf %s \"$1\" > '{}'\n", opened.display()),
    );
    let run = |browser: &Path| {
        report(&sandbox, &[RUN_C, "--open"])
            .env("BROWSER", browser)
            .env("PATH", "/nowhere")
    };
    run(&program).expect(0, "ccsession-65dd02b6.html\n", "");
    let path = fs::read_to_string(&opened).unwrap();
    assert!(
        path.starts_with('/') && path.ends_with("/ccsession-65dd02b6.html"),
        "{path}"
    );

    write_program(&program, "#!/bin/sh\nexit 7\n");
    let output = run(&program).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed; open it in a browser"));
    let output = run(Path::new("/no/such/browser")).output();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("there is no ") && said.contains("open it in a browser"),
        "{said}"
    );
}

#[test]
fn a_page_without_data_is_small_and_asks_nothing_of_the_network() {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/built");
    let mut seen = 0;
    for entry in fs::read_dir(built).unwrap() {
        let html = fs::read_to_string(entry.unwrap().path()).unwrap();
        seen += 1;
        let lower = html.to_lowercase();
        for outside in [
            "src=\"",
            "rel=\"stylesheet",
            "href=\"http",
            "@import",
            "<iframe",
            "url(http",
            "integrity=",
        ] {
            assert!(!lower.contains(outside), "{outside}");
        }
    }
    assert!(seen > 0);
    let report = include_str!("../../src/web/built/report.html");
    assert!(report.contains(
        "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-"
    ));
    assert!(!report.contains("unsafe-inline"));
}
