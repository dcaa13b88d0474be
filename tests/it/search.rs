//! `ccsession search`: what is found, in which places, and how it is shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::archives::{clock_out, ended};
use crate::support::terminal::on_a_terminal;
use crate::support::torture::by_form;
use crate::support::transcripts::{put, put_lines};
use crate::support::{ID, Sandbox, event, text, write_program};

const OTHER: &str = "6c59583c-1111-4222-8333-444455556666";

/// A person's words.
fn said(uuid: &str, text: &str) -> Value {
    json!({"type": "user", "uuid": uuid, "sessionId": ID, "cwd": "/home/dev/shop",
        "timestamp": format!("2026-11-20T12:00:{:02}.000Z", uuid.len()),
        "message": {"role": "user", "content": text}})
}

/// The model's words.
fn answered(uuid: &str, text: &str) -> Value {
    json!({"type": "assistant", "uuid": uuid, "sessionId": ID,
        "timestamp": format!("2026-11-20T12:01:{:02}.000Z", uuid.len()),
        "message": {"role": "assistant", "content": [{"type": "text", "text": text}]}})
}

/// A call, and its result.
fn called(id: &str, tool: &str, input: Value, result: &str, is_error: bool) -> [Value; 2] {
    let at = format!("2026-11-20T12:02:{:02}.000Z", id.len());
    [
        json!({"type": "assistant", "uuid": format!("{id}-call"), "sessionId": ID, "timestamp": at,
            "message": {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": tool, "input": input}]}}),
        json!({"type": "user", "uuid": format!("{id}-result"), "sessionId": ID, "timestamp": at,
            "toolUseResult": {"stdout": result, "originalFile": "only the client sees this"},
            "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": result, "is_error": is_error}]}}),
    ]
}

fn projects(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join(".claude/projects")
}

fn main_of(sandbox: &Sandbox, id: &str) -> PathBuf {
    projects(sandbox).join(format!("-home-dev-shop/{id}.jsonl"))
}

/// A session that said something, called tools, and had a subagent.
fn talked(sandbox: &Sandbox) -> PathBuf {
    let path = main_of(sandbox, ID);
    let mut lines = vec![
        said("u", "Why does the webhook retry twice?"),
        answered(
            "uu",
            "The handler \"retries\" on a timeout:\nsee src/hook/retry.rs, caf\u{e9}.",
        ),
    ];
    lines.extend(called(
        "t1",
        "Bash",
        json!({"command": "grep -n \"retry\" src/hook", "timeout": 8080}),
        "src/hook/retry.rs:1: retry\nsecond line",
        false,
    ));
    lines.extend(called(
        "t22",
        "Read",
        json!({"file_path": "/srv/missing.rs"}),
        "no such file: retry",
        true,
    ));
    put_lines(&path, &lines);
    let agent = path.with_extension("").join("subagents/agent-a77.jsonl");
    let mut task = said("agent", "look for webhook handlers");
    task["isSidechain"] = json!(true);
    let mut report = answered("report", "I found the webhook in the subagent");
    report["isSidechain"] = json!(true);
    put_lines(&agent, &[task, report]);
    path
}

fn search(sandbox: &Sandbox, words: &[&str]) -> Value {
    let run = sandbox.ccsession(["search", "--json"]);
    words.iter().fold(run, |run, word| run.arg(word)).json()
}

/// The role, the kind, the tool and the text of each hit.
#[track_caller]
fn check(sandbox: &Sandbox, words: &[&str], expected: &[[&str; 4]]) {
    let found = search(sandbox, words);
    let sessions = found["sessions"].as_array().unwrap();
    let hits = sessions
        .iter()
        .flat_map(|session| session["hits"].as_array().unwrap());
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let hits: Vec<[String; 4]> = hits
        .map(|hit| ["role", "kind", "tool", "text"].map(|name| word(&hit[name])))
        .collect();
    assert_eq!(hits, expected, "{words:?}");
}

#[track_caller]
fn nothing(sandbox: &Sandbox, words: &[&str]) -> String {
    let run = sandbox.ccsession(["search"]);
    words.iter().fold(run, |run, word| run.arg(word)).refused(3)
}

#[test]
fn hits_are_grouped_by_session_with_title_project_day_and_id() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    let mut lines = vec![said("u", "A newer session")];
    lines[0]["timestamp"] = json!("2026-11-21T12:00:00Z");
    let mut late = answered("uuu", "about the Webhook again");
    late["timestamp"] = json!("2026-11-21T12:00:09Z");
    lines.push(late);
    put_lines(&main_of(&sandbox, OTHER), &lines);
    let found = sandbox
        .ccsession(["search", "webhook"])
        .env("TZ", "UTC")
        .stdout();
    assert_eq!(
        found,
        format!(
            "A newer session\nshop · 2026-11-21 · {OTHER}\n  2026-11-21 12:00  assistant  about the Webhook again\n\n\
            Why does the webhook retry twice?\nshop · 2026-11-20 · {ID}\n  \
            2026-11-20 12:00  user      Why does the webhook retry twice?\n  \
            2026-11-20 12:00  subagent  look for webhook handlers\n  \
            2026-11-20 12:01  subagent  I found the webhook in the subagent\n"
        )
    );
    let ids = sandbox.ccsession(["search", "webhook", "--ids"]).stdout();
    assert_eq!(ids, format!("{OTHER}\n{ID}\n"));
    let first = sandbox.ccsession(["grep", "webhook", "-n", "1"]).stdout();
    assert!(first.contains(OTHER) && !first.contains(ID), "{first}");
    assert!(first.ends_with("\n\n… and 1 session more\n"), "{first}");
}

#[test]
fn all_words_must_be_in_one_message() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    // People type the quotes that a shell would remove.
    for phrase in ["webhook retry", "\"webhook retry\""] {
        check(
            &sandbox,
            &[phrase],
            &[["user", "message", "-", "Why does the webhook retry twice?"]],
        );
    }
    nothing(&sandbox, &["\"retry webhook\""]);
    let words = "Why does the webhook retry twice?";
    check(
        &sandbox,
        &["twice", "webhook"],
        &[["user", "message", "-", words]],
    );
    nothing(&sandbox, &["twice", "handler"]);
    check(
        &sandbox,
        &["webhook retry"],
        &[["user", "message", "-", words]],
    );
    nothing(&sandbox, &["retry webhook"]);
    nothing(&sandbox, &["WEBHOOK"]);
    check(
        &sandbox,
        &["/t\\w+ce[?]/"],
        &[["user", "message", "-", words]],
    );
}

#[test]
fn the_text_that_a_person_sees_is_searched_and_not_its_json() {
    let sandbox = Sandbox::new();
    let path = talked(&sandbox);
    let answer = "The handler \"retries\" on a timeout:";
    check(
        &sandbox,
        &["\"retries\" on"],
        &[["assistant", "message", "-", answer]],
    );
    // Over the end of a line.
    check(
        &sandbox,
        &["timeout: see"],
        &[["assistant", "message", "-", answer]],
    );
    let second = "see src/hook/retry.rs, caf\u{e9}.";
    nothing(&sandbox, &["CAF\u{e9}."]);
    check(
        &sandbox,
        &["caf\u{e9}"],
        &[["assistant", "message", "-", second]],
    );
    // As another program may write it.
    let escaped = fs::read_to_string(&path)
        .unwrap()
        .replace('\u{e9}', "\\u00E9")
        .replace("src/", "src\\/");
    put(&path, escaped.replace("caf", "c\\u0061f"));
    check(
        &sandbox,
        &["caf\u{e9}"],
        &[["assistant", "message", "-", second]],
    );
    check(
        &sandbox,
        &["hook/retry.rs, "],
        &[["assistant", "message", "-", second]],
    );
    check(&sandbox, &["8080"], &[["tool", "call", "Bash", "8080"]]);
    for json in [
        "parentUuid",
        "file_path",
        "tool_use",
        "t22",
        "toolUseResult",
        "only the client sees",
        "\\u00E9",
        "\\n",
    ] {
        nothing(&sandbox, &[json]);
    }
}

#[test]
fn calls_and_results_know_their_tool_and_whether_they_failed() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    let call = ["tool", "call", "Bash", "grep -n \"retry\" src/hook"];
    let result = ["tool", "result", "Bash", "src/hook/retry.rs:1: retry"];
    let failed = ["tool", "result", "Read", "no such file: retry"];
    check(
        &sandbox,
        &["retry", "--role", "tool"],
        &[call, result, failed],
    );
    check(&sandbox, &["retry", "--tool", "bash"], &[call, result]);
    check(&sandbox, &["retry", "--failed"], &[failed]);
    // The call says nothing of its end.
    check(
        &sandbox,
        &["/srv", "--failed"],
        &[["tool", "call", "Read", "/srv/missing.rs"]],
    );
    check(
        &sandbox,
        &["/srv", "--tool", "Read", "--tool", "Edit"],
        &[["tool", "call", "Read", "/srv/missing.rs"]],
    );
    nothing(&sandbox, &["grep", "--failed"]);
    let lines = sandbox.ccsession(["search", "no such file"]).stdout();
    assert!(
        lines.contains("  Read failed  no such file: retry\n"),
        "{lines}"
    );
    let refused = sandbox
        .ccsession(["search", "a", "--tool", "Bash", "--role", "user"])
        .refused(64);
    assert!(refused.contains("leave out --role"), "{refused}");
}

#[test]
fn filters_leave_only_what_fits() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    check(
        &sandbox,
        &["webhook", "--role", "user"],
        &[["user", "message", "-", "Why does the webhook retry twice?"]],
    );
    let shop = sandbox.project();
    let moved = main_of(&sandbox, OTHER);
    let mut line = said("u", "the webhook here");
    line["cwd"] = json!(shop);
    put_lines(&moved, &[line]);
    let here = [["user", "message", "-", "the webhook here"]];
    check(
        &sandbox,
        &["webhook", "--project", shop.to_str().unwrap()],
        &here,
    );
    check(&sandbox, &["webhook", "--session", &OTHER[..4]], &here);
    check(
        &sandbox,
        &["webhook", "--since", "2026-11-20T12:00:30Z"],
        &[[
            "assistant",
            "message",
            "-",
            "I found the webhook in the subagent",
        ]],
    );
    // A file that was last written before then is not opened.
    let long_ago =
        std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::open(&moved)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    let none = nothing(
        &sandbox,
        &["webhook", "--session", OTHER, "--since", "2026-11-20"],
    );
    assert!(none.contains("there was nothing to search"), "{none}");
    for (arguments, status, why) in [
        (["--session", "/"], 64, "neither a session id nor a title"),
        (["--session", "zz"], 3, "could not find session `zz`"),
        (["--since", "soon"], 64, "since"),
        (["--hits", "0"], 64, "a number above 0, or `all`"),
        (
            ["--role", "person"],
            64,
            "[possible values: user, assistant, tool, notice]",
        ),
    ] {
        let refused = sandbox
            .ccsession(["search", "a"])
            .arg(arguments[0])
            .arg(arguments[1])
            .refused(status);
        assert!(refused.contains(why), "{refused}");
    }
    put_lines(&main_of(&sandbox, "5b48472b-2"), &[said("u", "one")]);
    let refused = sandbox
        .ccsession(["search", "a", "--session", "5b48"])
        .refused(4);
    assert!(refused.contains("matches 2"), "{refused}");
}

#[test]
fn the_first_hits_of_a_session_are_shown_and_all_are_counted() {
    let sandbox = Sandbox::new();
    let lines: Vec<Value> = (0..200)
        .map(|number| {
            let mut line = answered(&format!("u{number}"), &format!("needle {number}"));
            line["timestamp"] = json!(format!(
                "2026-11-20T12:{:02}:{:02}Z",
                number / 60,
                number % 60
            ));
            line
        })
        .collect();
    // In any order.
    let lines: Vec<Value> = lines.iter().rev().cloned().collect();
    put_lines(&main_of(&sandbox, ID), &lines);
    let shown = sandbox.ccsession(["search", "needle"]).stdout();
    let texts: Vec<&str> = shown
        .lines()
        .skip(1)
        .map(|line| line.rsplit("  ").next().unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "needle 0",
            "needle 1",
            "needle 2",
            "needle 3",
            "needle 4",
            "… and 195 more"
        ]
    );
    assert_eq!(
        search(&sandbox, &["needle", "--hits", "all"])["sessions"][0]["hits"]
            .as_array()
            .unwrap()
            .len(),
        200
    );
    let one = search(&sandbox, &["needle", "--hits", "1"]);
    assert_eq!(
        (
            &one["sessions"][0]["count"],
            one["sessions"][0]["hits"].as_array().unwrap().len()
        ),
        (&json!(200), 1)
    );
}

#[test]
fn matches_are_highlighted_only_where_colour_is_on() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    let run = || sandbox.ccsession(["search", "retry", "twice"]);
    let plain = run().stdout();
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let painted = run().arg("--color=always").stdout();
    let hit = "Why does the webhook \u{1b}[1;31mretry\u{1b}[0m \u{1b}[1;31mtwice\u{1b}[0m?";
    assert!(painted.contains(hit), "{painted:?}");
    let found = search(&sandbox, &["retry", "twice"]);
    assert_eq!(
        found["sessions"][0]["hits"][0]["matches"],
        json!([[21, 26], [27, 32]])
    );
    // Characters, not bytes.
    let behind = search(&sandbox, &["retry.rs", "."]);
    assert_eq!(
        behind["sessions"][0]["hits"][0]["matches"],
        json!([[13, 21], [27, 28]])
    );
}

#[test]
fn a_long_line_is_cut_around_the_match() {
    let sandbox = Sandbox::new();
    let long = format!("{}NEEDLE{}", "before ".repeat(100), " behind".repeat(100));
    put_lines(&main_of(&sandbox, ID), &[answered("uu", &long)]);
    let shown = sandbox
        .ccsession(["search", "NEEDLE"])
        .env("COLUMNS", "80")
        .stdout();
    let hit = shown.lines().last().unwrap();
    assert!(
        hit.chars().count() <= 80 && hit.contains("NEEDLE behind"),
        "{hit}"
    );
    assert_eq!(hit.matches('…').count(), 2, "{hit}");
}

#[test]
fn a_text_that_is_in_a_transcript_and_in_an_archive_is_found_once() {
    let sandbox = Sandbox::new();
    let path = talked(&sandbox);
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "startup", "transcript_path": path}),
    );
    sandbox.hook(&start).silent();
    let output = path.with_extension("").join("tool-results/t9.txt");
    put(&output, "a long output\nwith a needle and retry\n");
    ended(&sandbox, "exit");
    clock_out(&sandbox, &[]);
    let sources = |found: &Value| -> Vec<String> {
        let hits = found["sessions"][0]["hits"].as_array().unwrap();
        hits.iter()
            .map(|hit| hit["source"].as_str().unwrap().to_owned())
            .collect()
    };
    let live = search(&sandbox, &["retry", "--hits", "all"]);
    assert_eq!(sources(&live), ["transcript"; 6]);
    // One more message since then, and one file less.
    let mut grown = fs::read_to_string(&path).unwrap();
    grown += &format!("{}\n", answered("late", "retry once more"));
    put(&path, grown);
    fs::remove_file(&output).unwrap();
    let grown = search(&sandbox, &["retry", "--hits", "all"]);
    assert_eq!(grown["sessions"][0]["count"], 7);
    assert_eq!(
        sources(&grown)
            .iter()
            .filter(|source| *source == "archive")
            .count(),
        1
    );
    // Claude Code has overwritten it with a shorter one.
    put_lines(
        &path,
        &[
            said("u", "Why does the webhook retry twice?"),
            answered("new", "retry anew"),
        ],
    );
    let overwritten = search(&sandbox, &["retry", "--hits", "all"]);
    assert_eq!(overwritten["sessions"][0]["count"], 7);
    // It has deleted everything.
    fs::remove_dir_all(projects(&sandbox)).unwrap();
    let gone = search(&sandbox, &["retry", "--hits", "all"]);
    assert_eq!(sources(&gone), ["archive"; 6]);
    assert_eq!(
        gone["sessions"][0]["title"],
        json!({"text": "Why does the webhook retry twice?", "source": "prompt"})
    );
    check(
        &sandbox,
        &["webhook", "--role", "assistant"],
        &[
            ["assistant", "message", "-", "look for webhook handlers"],
            [
                "assistant",
                "message",
                "-",
                "I found the webhook in the subagent",
            ],
        ],
    );
    check(
        &sandbox,
        &["needle"],
        &[["tool", "file", "-", "with a needle and retry"]],
    );
    check(
        &sandbox,
        &["no such file"],
        &[["tool", "result", "Read", "no such file: retry"]],
    );
}

#[test]
fn the_labels_of_calls_are_found_where_there_is_no_transcript() {
    let sandbox = Sandbox::just_swept();
    let hook = |name: &str, more: Value| {
        let mut payload = event(name, ID, more);
        payload["cwd"] = json!(sandbox.project());
        sandbox.hook(&payload).silent();
    };
    hook("SessionStart", json!({"source": "startup"}));
    for (id, command) in [("t1", "cargo build needle"), ("t2", "cargo test needle")] {
        let call = json!({"tool_name": "Bash", "tool_use_id": id, "tool_input": {"command": "cargo", "description": command}});
        hook("PreToolUse", call.clone());
        let mut end = call;
        match id {
            "t1" => {
                end["tool_response"] = json!({});
                hook("PostToolUse", end);
            }
            _ => {
                end["error"] = json!("Exit code 1");
                hook("PostToolUseFailure", end);
            }
        }
    }
    let build = ["tool", "label", "Bash", "cargo build needle"];
    let test = ["tool", "label", "Bash", "cargo test needle"];
    check(&sandbox, &["needle"], &[build, test]);
    check(&sandbox, &["needle", "--failed"], &[test]);
    check(&sandbox, &["needle", "--project", "."], &[build, test]);
    nothing(&sandbox, &["needle", "--role", "user"]);
    // The transcript says more.
    put_lines(
        &main_of(&sandbox, ID),
        &called(
            "t1",
            "Bash",
            json!({"command": "cargo build needle"}),
            "ok",
            false,
        ),
    );
    check(
        &sandbox,
        &["needle"],
        &[["tool", "call", "Bash", "cargo build needle"]],
    );
}

#[test]
fn titles_and_labels_of_prompts_are_found() {
    let sandbox = Sandbox::just_swept();
    let transcript = main_of(&sandbox, ID);
    let hook = |id: &str, name: &str, more: Value| {
        let mut payload = event(name, id, more);
        payload["cwd"] = json!(sandbox.project());
        payload["transcript_path"] = json!(main_of(&sandbox, id));
        sandbox.hook(&payload).silent();
    };
    for id in [ID, OTHER] {
        hook(id, "SessionStart", json!({"source": "startup"}));
        let prompt = json!({"prompt": format!("queue 3476 of {id}"), "prompt_id": "p1"});
        hook(id, "UserPromptSubmit", prompt);
    }
    let of = |id: &str| format!("queue 3476 of {id}");
    let label = of(OTHER);
    check(
        &sandbox,
        &["3476", OTHER],
        &[["user", "label", "-", &label]],
    );
    check(
        &sandbox,
        &["queue 3476", "--session", OTHER, "--role", "user"],
        &[["user", "label", "-", &label]],
    );
    nothing(&sandbox, &["queue", "--role", "assistant"]);
    nothing(&sandbox, &["queue", "--tool", "Bash"]);
    // The transcript is searched instead of the journal, and says the same only once.
    put_lines(
        &transcript,
        &[
            said("u", "look at the needle"),
            json!({"type": "custom-title", "customTitle": "webhook hunt", "sessionId": ID}),
        ],
    );
    check(
        &sandbox,
        &["needle"],
        &[["user", "message", "-", "look at the needle"]],
    );
    let title = ["user", "title", "-", "webhook hunt"];
    check(&sandbox, &["webhook hunt"], &[title]);
    check(&sandbox, &["hunt", "--since", "1h"], &[title]);
    nothing(&sandbox, &["hunt", "--until", "2026-11-01"]);
    nothing(&sandbox, &["hunt", "--role", "user"]);
    let lines = sandbox.ccsession(["search", "hunt"]).stdout();
    assert!(lines.contains("title  webhook hunt\n"), "{lines}");
}

#[test]
fn filters_alone_list_the_calls() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    let bash = ["tool", "call", "Bash", "grep -n \"retry\" src/hook"];
    let read = ["tool", "call", "Read", "/srv/missing.rs"];
    check(&sandbox, &["--tool", "bash"], &[bash]);
    check(&sandbox, &["--failed"], &[read]);
    check(
        &sandbox,
        &["--tool", "Bash", "--tool", "Read"],
        &[bash, read],
    );
    let none = nothing(&sandbox, &["--failed", "--tool", "Bash"]);
    assert_eq!(
        none,
        "ccsession: found no such call in 1 session (2 files); to find more, leave out --tool, --failed"
    );
    sandbox.ccsession(["search", "--role", "tool"]).refused(64);
}

#[test]
fn a_period_ends_before_its_end() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    let first = ["user", "message", "-", "Why does the webhook retry twice?"];
    let range = [
        "twice",
        "--since",
        "2026-11-20T12:00:01Z",
        "--until",
        "2026-11-20T12:00:02Z",
    ];
    check(&sandbox, &range, &[first]);
    nothing(&sandbox, &["twice", "--until", "2026-11-20T12:00:01Z"]);
    for words in [
        ["--since", "2026-11", "--until", "2026-11"],
        ["--since", "2026-11", "--until", "soon"],
    ] {
        let run = sandbox.ccsession(["search", "twice"]);
        let refused = words
            .iter()
            .fold(run, |run, word| run.arg(word))
            .refused(64);
        assert!(refused.contains("invalid --until `"), "{refused}");
    }
}

#[test]
fn secrets_are_neither_shown_nor_found() {
    let sandbox = Sandbox::new();
    let key = format!("ghp_{}", "a1B2".repeat(9));
    let mut lines = vec![said("u", &format!("use {key} for the deploy"))];
    lines.extend(called(
        "t1",
        "Deploy",
        json!({"api_key": "hunter2hunter2hunter2"}),
        "ok",
        false,
    ));
    put_lines(&main_of(&sandbox, ID), &lines);
    let found = sandbox.ccsession(["search", "deploy"]).stdout();
    assert!(
        found.contains("use [redacted:") && !found.contains(&key),
        "{found}"
    );
    nothing(&sandbox, &["a1B2"]);
    nothing(&sandbox, &["hunter2"]);
}

#[test]
fn what_a_person_typed_while_the_model_worked_is_found_once() {
    let sandbox = Sandbox::new();
    let queued = |text: &str| {
        json!({"type": "queue-operation", "operation": "enqueue", "sessionId": ID,
        "timestamp": "2026-11-20T11:00:00Z", "content": text})
    };
    put_lines(
        &main_of(&sandbox, ID),
        &[
            queued("first needle"),
            queued("lost needle"),
            said("u", "first needle"),
        ],
    );
    check(
        &sandbox,
        &["needle"],
        &[
            ["user", "message", "-", "lost needle"],
            ["user", "message", "-", "first needle"],
        ],
    );
    // An answer to a question is in the result of a call, too.
    let refusal = "The user doesn't want to proceed with this tool use. The tool use was rejected. To tell you how to proceed, the user said:\nuse yarn";
    put_lines(
        &main_of(&sandbox, ID),
        &called("t1", "Bash", json!({}), refusal, true),
    );
    check(&sandbox, &["yarn"], &[["user", "message", "-", "use yarn"]]);
}

#[test]
fn what_cannot_be_read_is_named_and_hides_nothing() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    let outside = sandbox.path("outside.jsonl");
    put_lines(&outside, &[said("u", "the webhook outside")]);
    let link = main_of(&sandbox, OTHER);
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    let output = sandbox.ccsession(["search", "webhook", "--ids"]).output();
    let stderr = text(&output.stderr);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), format!("{ID}\n"))
    );
    assert_eq!(
        stderr,
        format!(
            "ccsession: left out `{}`: it is a symbolic link\n",
            link.display()
        )
    );
    fs::remove_file(&link).unwrap();
    // Anybody could have written it.
    put_lines(&link, &[said("u", "the webhook of anybody")]);
    fs::set_permissions(&link, fs::Permissions::from_mode(0o666)).unwrap();
    let output = sandbox.ccsession(["search", "webhook", "--ids"]).output();
    let stderr = text(&output.stderr);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(1), format!("{ID}\n"))
    );
    assert!(
        stderr.contains(link.to_str().unwrap()) && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn damaged_and_odd_files_hide_nothing() {
    let sandbox = Sandbox::new();
    let path = main_of(&sandbox, ID);
    let mut bytes = Vec::new();
    // Not UTF-8, zeros, half of a record, control characters, and the end of a write in flight.
    let latin = said("u", "needle X latin").to_string().into_bytes();
    bytes.extend(
        latin
            .iter()
            .map(|byte| if *byte == b'X' { 0xe9 } else { *byte }),
    );
    bytes.extend(b"\n\0\0\0");
    bytes.extend(answered("uu", "needle after zeros").to_string().bytes());
    bytes.extend(b"\n{\"type\":\"user\",\"message\":{\"content\":\"needle ");
    bytes.extend(
        answered("uuu", "needle\u{1b}[2J\u{202e}\u{0}control")
            .to_string()
            .bytes(),
    );
    bytes.extend(b"\nneedle in no record\n[\"needle\"]\n");
    bytes.extend(b"{\"type\":\"user\",\"uuid\":\"x\",\"message\":{\"content\":\"needle in flight");
    put(&path, bytes);
    check(
        &sandbox,
        &["needle"],
        &[
            ["user", "message", "-", "needle \u{fffd} latin"],
            ["assistant", "message", "-", "needle after zeros"],
            ["assistant", "message", "-", "needle [2J control"],
        ],
    );
    put(
        &path.with_extension("").join("tool-results/picture"),
        b"needle\0\xff",
    );
    put(
        &path.with_extension("").join("tool-results/latin.txt"),
        b"needle \xff\n",
    );
    let found = search(&sandbox, &["needle", "--hits", "all"]);
    assert_eq!(found["sessions"][0]["count"], 4, "{found}");
}

#[test]
fn a_line_of_many_megabytes_is_searched() {
    let sandbox = Sandbox::new();
    let half = by_form(5_000_000, 13_000_000);
    let long = format!("{} needle {}", "a ".repeat(half), "b ".repeat(half));
    put_lines(
        &main_of(&sandbox, ID),
        &[said("u", &long), answered("uu", "needle")],
    );
    let found = search(&sandbox, &["needle"]);
    assert_eq!(found["sessions"][0]["count"], 2);
    let shown = found["sessions"][0]["hits"][0]["text"].as_str().unwrap();
    assert!(
        shown.len() < 1000 && shown.contains("a needle b"),
        "{shown}"
    );
}

#[test]
fn searching_a_growing_transcript_ends() {
    let sandbox = Sandbox::new();
    let path = main_of(&sandbox, ID);
    let line = format!("{}\n", answered("uu", &"needle ".repeat(100)));
    put(&path, line.repeat(2000));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write;
            let mut file = fs::File::options().append(true).open(&path).unwrap();
            // Faster than anybody reads, and still most of the time at rest.
            let lines = line.repeat(100);
            for _ in 0..2000 {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                file.write_all(lines.as_bytes()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let output = sandbox.ccsession(["search", "needle", "--ids"]).output();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(0), format!("{ID}\n"))
        );
    });
}

#[test]
fn a_reader_that_leaves_early_is_not_a_failure() {
    let sandbox = Sandbox::new();
    let lines: Vec<Value> = (0..10_000)
        .map(|number| answered(&format!("u{number}"), "needle"))
        .collect();
    put_lines(&main_of(&sandbox, ID), &lines);
    let mut run = sandbox.ccsession(["search", "needle", "--hits", "all"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = run
        .command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}

#[test]
fn on_a_terminal_hits_are_shown_with_the_pager_and_in_colour() {
    let sandbox = Sandbox::new();
    talked(&sandbox);
    let (pager, paged) = (sandbox.path("pager"), sandbox.path("paged"));
    write_program(&pager, &format!("#!/bin/sh\ncat > '{}'\n", paged.display()));
    let shown = |arguments: &[&str]| {
        let run = sandbox.ccsession(arguments).env("PAGER", &pager);
        on_a_terminal(run, 24, 200).terminal
    };
    let hit = "Why does the webhook \u{1b}[1;31mretry\u{1b}[0m twice?";
    let unpaged = shown(&["search", "retry", "--no-pager"]);
    assert!(unpaged.contains(hit) && !paged.exists(), "{unpaged}");
    let shown = shown(&["search", "retry"]);
    assert!(!shown.contains("retry"), "{shown}");
    assert!(fs::read_to_string(&paged).unwrap().contains(hit));
}

#[test]
fn without_a_hit_it_says_what_was_searched_and_what_would_find_more() {
    let sandbox = Sandbox::new();
    let first = nothing(&sandbox, &["needle"]);
    assert_eq!(
        first,
        "ccsession: found nothing for `needle`: there was nothing to search; Claude Code has no transcripts here, and nothing is on record"
    );
    talked(&sandbox);
    assert_eq!(
        nothing(&sandbox, &["needle"]),
        "ccsession: found nothing for `needle` in 1 session (2 files); to find more, use a part of the word"
    );
    assert_eq!(
        nothing(
            &sandbox,
            &["Needle", "hay\u{1b}[2J", "--failed", "--since", "1d"]
        ),
        "ccsession: found nothing for `Needle hay [2J` in 1 session (2 files); to find more, leave out --failed, --since, or use fewer words, or type lower case, which also matches upper case"
    );
    let output = sandbox.ccsession(["search", "needle", "--json"]).output();
    assert_eq!(output.status.code(), Some(3));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        found,
        json!({"v": 1, "sessions": [], "more": 0, "left_out": []})
    );
}

#[test]
fn words_that_cannot_be_searched_are_refused() {
    let sandbox = Sandbox::new();
    for (word, why) in [
        ("", "a word is empty"),
        (" \t", "a word is empty"),
        ("//", "a word is empty"),
        ("/a(b/", "unclosed group"),
        ("/((a{1000}){1000}){1000}/", "it is too large"),
    ] {
        let refused = sandbox.ccsession(["search", word]).refused(64);
        assert!(refused.contains(why), "{refused}");
    }
    let refused = sandbox.ccsession(["search"]).refused(64);
    assert!(refused.contains("<WORDS>"), "{refused}");
}

#[test]
fn old_transcripts_of_subagents_belong_to_the_session_that_they_name() {
    let sandbox = Sandbox::new();
    let folder = main_of(&sandbox, ID).parent().map(Path::to_owned).unwrap();
    put_lines(&main_of(&sandbox, ID), &[said("u", "the task")]);
    let mut line = answered("uu", "a needle beside");
    line["isSidechain"] = json!(true);
    put_lines(&folder.join("agent-b1.jsonl"), &[line]);
    // No session's folder.
    put(&folder.join("memory/needle.md"), "needle");
    let found = search(&sandbox, &["needle"]);
    let hit = &found["sessions"][0]["hits"][0];
    assert_eq!(
        (&found["sessions"][0]["session_id"], &hit["agent_id"]),
        (&json!(ID), &json!("b1"))
    );
    assert_eq!(found["sessions"][0]["count"], 1);
}
