//! `who`: which session made a commit or edited a file; the commits in `show`; what hooks note of the reflog.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::support::states::start;
use super::support::{Sandbox, as_client, event, text};

const ONE: &str = "3f2a0000-1111-4222-8333-444455556666";
const TWO: &str = "4f2a0000-1111-4222-8333-444455556666";
/// A second in the past, from which the times of a test count.
const BASE: i64 = 1_700_000_000;

fn time(seconds: i64) -> String {
    let at = chrono::DateTime::from_timestamp(BASE + seconds, 500_000_000).unwrap();
    at.format("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn second(seconds: i64) -> String {
    let at = chrono::DateTime::from_timestamp(BASE + seconds, 0).unwrap();
    at.format("%Y-%m-%dT%H:%M:%S.000000Z").to_string()
}

/// The hash of the commit with this letter.
fn hash(letter: char) -> String {
    letter.to_string().repeat(40)
}

/// A `.git` folder at `root`, as git makes it, with the branch `main` and an empty reflog.
fn repository(root: &Path) -> PathBuf {
    let git = root.join(".git");
    fs::create_dir_all(git.join("refs/heads")).unwrap();
    fs::create_dir_all(git.join("logs")).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(git.join("logs/HEAD"), "").unwrap();
    git
}

/// Appends a move of `HEAD` to the reflog, and makes it the branch's commit.
fn moved(git: &Path, before: char, after: char, seconds: i64, message: &str) {
    let log = fs::read_to_string(git.join("logs/HEAD")).unwrap();
    let (before, after) = (hash(before), hash(after));
    let line =
        format!("{before} {after} A Person <person@example.org> {seconds} +0100\t{message}\n");
    fs::write(git.join("logs/HEAD"), log + &line).unwrap();
    fs::write(git.join("refs/heads/main"), after + "\n").unwrap();
}

fn commit(git: &Path, id: char, seconds: i64) {
    moved(git, '0', id, BASE + seconds, "commit: Private words");
}

/// An event of a session, so many seconds after [`BASE`] and a half.
fn line(id: &str, seconds: i64, event: &str, more: Value) -> Value {
    let mut line = json!({"v": 1, "ts": time(seconds), "event": event, "session_id": id});
    let more = more.as_object().unwrap().clone();
    line.as_object_mut().unwrap().extend(more);
    line
}

/// Puts a session on record that began at [`BASE`] and has these events.
fn put_session(sandbox: &Sandbox, id: &str, lines: &[Value]) {
    start(sandbox, id);
    let mut record = sandbox.record(id);
    record["started_at"] = json!(time(0));
    fs::write(sandbox.session(id).join("session.json"), record.to_string()).unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(sandbox.session(id).join("events.jsonl"), text).unwrap();
}

/// Ends a session at this second, in the name of its process.
fn end(sandbox: &Sandbox, id: &str, seconds: i64) {
    let journal = sandbox.session(id).join("events.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let end = line(id, seconds, "SessionEnd", json!({"reason": "exit"}));
    fs::write(&journal, format!("{text}{end}\n")).unwrap();
    for owner in fs::read_dir(sandbox.session(id).join("owners")).unwrap() {
        fs::remove_file(owner.unwrap().path()).unwrap();
    }
}

/// A turn from second 10 to 90, with one Bash call from 20 to 40.
fn turn(id: &str, label: &str) -> Vec<Value> {
    let call =
        json!({"tool": "Bash", "tool_use_id": format!("t-{id}"), "prompt_id": "p1", "what": label});
    vec![
        line(id, 0, "SessionStart", json!({"source": "startup"})),
        line(
            id,
            10,
            "UserPromptSubmit",
            json!({"prompt_id": "p1", "what": "Fix the shop"}),
        ),
        line(id, 20, "PreToolUse", call.clone()),
        line(id, 40, "PostToolUse", call),
        line(id, 90, "Stop", json!({})),
    ]
}

fn who(sandbox: &Sandbox, what: &str) -> Value {
    sandbox.ccsession(["who", what, "--json"]).json()
}

/// A sandbox with a repository and the session [`ONE`], whose call had this label.
fn one_session(label: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::just_swept();
    let git = repository(&sandbox.project());
    put_session(&sandbox, ONE, &turn(ONE, label));
    (sandbox, git)
}

#[test]
fn a_date_that_the_commits_file_contradicts_is_doubted() {
    let (sandbox, git) = one_session("Commit the fix");
    commit(&git, 'a', 30);
    let object = git.join("objects/aa").join(&hash('a')[2..]);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, "").unwrap();
    let said = |seconds: i64| {
        let written = UNIX_EPOCH + Duration::from_secs((BASE + seconds).unsigned_abs());
        fs::File::options()
            .write(true)
            .open(&object)
            .unwrap()
            .set_modified(written)
            .unwrap();
        let output = sandbox.ccsession(["who", "HEAD", "--json"]).output();
        assert_eq!(output.status.code(), Some(0));
        text(&output.stderr)
    };
    for (seconds, is_doubted) in [
        (30, false),
        (80, false),
        (-20, false),
        (3600, true),
        (-3600, true),
    ] {
        let said = said(seconds);
        assert_eq!(
            said.contains("its date is false"),
            is_doubted,
            "{seconds}: {said}"
        );
        assert_eq!(said.is_empty(), !is_doubted, "{seconds}: {said}");
    }
}

#[test]
fn a_commit_during_a_committing_call_belongs_to_that_session() {
    let (sandbox, git) = one_session("Commit the fix");
    commit(&git, 'a', 30);
    for name in ["HEAD", "main", "aaaa", "AAAAAAAA", &hash('a')] {
        let answer = who(&sandbox, name);
        assert_eq!(
            answer["commit"],
            json!({
                "id": hash('a'), "at": second(30), "how": "commit", "replaces": null, "replaced_by": null,
                "root": sandbox.project().canonicalize().unwrap(),
            }),
            "{name}"
        );
        let sessions = answer["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 1, "{name}");
        assert_eq!(sessions[0]["session_id"], ONE);
        assert_eq!(sessions[0]["certainty"], "certain");
        assert_eq!(sessions[0]["title"]["text"], "Fix the shop");
        assert_eq!(sessions[0]["project"]["name"], "shop");
        assert_eq!(sessions[0]["prompt"]["what"], "Fix the shop");
        assert_eq!(sessions[0]["call"]["tool_use_id"], format!("t-{ONE}"));
        assert_eq!(sessions[0]["call"]["what"], "Commit the fix");
    }
    let text = sandbox.ccsession(["who", "HEAD"]).stdout();
    for part in [
        &hash('a'),
        ONE,
        "certain: ",
        "Fix the shop",
        "Bash Commit the fix",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_call_not_labelled_as_a_commit_is_only_likely() {
    let (sandbox, git) = one_session("Run the tests");
    commit(&git, 'a', 20);
    assert_eq!(who(&sandbox, "HEAD")["sessions"][0]["certainty"], "likely");
}

#[test]
fn a_commit_outside_all_calls_belongs_to_no_session() {
    let (sandbox, git) = one_session("Commit the fix");
    for (id, at) in [('a', 19), ('b', 41), ('c', 85)] {
        commit(&git, id, at);
        let said = sandbox.ccsession(["who", "HEAD"]).refused(3);
        assert!(
            said.contains("a person or another program made it"),
            "{said}"
        );
        assert!(said.contains(ONE), "{said}");
        let output = sandbox.ccsession(["who", "HEAD", "--json"]).output();
        assert_eq!(output.status.code(), Some(3));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&answer["sessions"], &answer["beside"]),
            (&json!([]), &json!([ONE]))
        );
    }
    end(&sandbox, ONE, 90);
    commit(&git, 'd', 500);
    let said = sandbox.ccsession(["who", "HEAD"]).refused(3);
    assert!(said.contains("no session was recorded in"), "{said}");
    assert_eq!(
        sandbox.ccsession(["show", ONE, "--json"]).json()["commits"],
        json!([])
    );
}

#[test]
fn of_two_sessions_the_one_with_a_running_call_made_it() {
    let (sandbox, git) = one_session("Run the tests");
    let idle = [
        line(TWO, 0, "SessionStart", json!({})),
        line(TWO, 12, "UserPromptSubmit", json!({})),
        line(TWO, 95, "Stop", json!({})),
    ];
    put_session(&sandbox, TWO, &idle);
    commit(&git, 'a', 30);
    let sessions = &who(&sandbox, "HEAD")["sessions"];
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    assert_eq!(
        (&sessions[0]["session_id"], &sessions[0]["certainty"]),
        (&json!(ONE), &json!("likely"))
    );
}

#[test]
fn of_two_concurrent_calls_the_one_labelled_as_a_commit_is_likely() {
    let (sandbox, git) = one_session("Run the tests");
    put_session(&sandbox, TWO, &turn(TWO, "git commit"));
    commit(&git, 'a', 30);
    let sessions = &who(&sandbox, "HEAD")["sessions"];
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    assert_eq!(
        (&sessions[0]["session_id"], &sessions[0]["certainty"]),
        (&json!(TWO), &json!("likely"))
    );
    let commits = |id: &str| sandbox.ccsession(["show", id, "--json"]).json()["commits"].clone();
    assert_eq!(commits(ONE), json!([]));
    assert_eq!(commits(TWO)[0]["certainty"], "likely");
}

#[test]
fn either_of_two_equal_concurrent_calls_may_have_made_it() {
    let (sandbox, git) = one_session("Run the tests");
    put_session(&sandbox, TWO, &turn(TWO, "Run the tests"));
    commit(&git, 'a', 30);
    let output = sandbox.ccsession(["who", "HEAD"]).output();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{text}");
    for part in ["one of these 2 sessions", ONE, TWO] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let shown = sandbox.ccsession(["show", ONE, "--json"]).json();
    assert_eq!(shown["commits"][0]["certainty"], "possible");
    assert_eq!(shown["commits"][0]["others"], json!([TWO]));
}

/// A session of `ccsession run`, whose command ran from second 15 to 45.
fn command_of_run(id: &str) -> Vec<Value> {
    let run = json!({"source": "run", "what": "sh"});
    vec![
        line(id, 15, "RunStart", run),
        line(id, 45, "RunEnd", json!({"ok": true, "reason": "exit:0"})),
    ]
}

/// The ids and certainties of the sessions that may have made `HEAD`, and the status.
fn candidates(sandbox: &Sandbox) -> (Vec<(Value, Value)>, i32) {
    let output = sandbox.ccsession(["who", "HEAD", "--json"]).output();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sessions = answer["sessions"].as_array().unwrap().iter();
    let sessions = sessions.map(|it| (it["session_id"].clone(), it["certainty"].clone()));
    (sessions.collect(), output.status.code().unwrap())
}

#[test]
fn the_command_of_a_run_may_have_made_what_a_call_seems_to_have_made() {
    let (sandbox, git) = one_session("Commit the fix");
    put_session(&sandbox, TWO, &command_of_run(TWO));
    commit(&git, 'a', 40);
    let both = vec![
        (json!(TWO), json!("possible")),
        (json!(ONE), json!("likely")),
    ];
    assert_eq!(candidates(&sandbox), (both, 4));
    let answer = who_of_several(&sandbox);
    assert_eq!(answer["sessions"][0]["call"], Value::Null);
    assert_eq!(answer["sessions"][0]["command"]["what"], "sh");
    assert_eq!(answer["sessions"][1]["command"], Value::Null);
    assert_eq!(answer["beside"], json!([]));
    let commits = |id: &str| sandbox.ccsession(["show", id, "--json"]).json()["commits"].clone();
    assert_eq!(commits(ONE)[0]["certainty"], "likely");
    assert_eq!(commits(ONE)[0]["others"], json!([TWO]));
    assert_eq!(commits(TWO)[0]["certainty"], "possible");
    // The command had ended by then.
    commit(&git, 'b', 46);
    assert_eq!(candidates(&sandbox).0, []);
}

/// The answer of `who HEAD` where several sessions may have made it.
fn who_of_several(sandbox: &Sandbox) -> Value {
    let output = sandbox.ccsession(["who", "HEAD", "--json"]).output();
    assert_eq!(output.status.code(), Some(4));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn of_two_sessions_that_ran_something_none_is_certain() {
    let (sandbox, git) = one_session("Commit the fix");
    let mut background = turn(TWO, "Serve the shop");
    background[3] = line(
        TWO,
        21,
        "PostToolUse",
        json!({"tool": "Bash", "tool_use_id": format!("t-{TWO}"), "background": "b1"}),
    );
    put_session(&sandbox, TWO, &background);
    commit(&git, 'a', 30);
    assert_eq!(
        candidates(&sandbox),
        (vec![(json!(ONE), json!("likely"))], 0)
    );
}

#[test]
fn a_commit_of_the_command_of_a_run_is_likely_its() {
    let sandbox = Sandbox::just_swept();
    let git = repository(&sandbox.project());
    put_session(&sandbox, TWO, &command_of_run(TWO));
    commit(&git, 'a', 30);
    assert_eq!(
        candidates(&sandbox),
        (vec![(json!(TWO), json!("likely"))], 0)
    );
    let text = sandbox.ccsession(["who", "HEAD"]).stdout();
    assert!(text.contains(" sh\n"), "{text}");
    let hidden = sandbox
        .ccsession(["who", "HEAD"])
        .env("CCSESSION_CAPTURE", "metadata")
        .stdout();
    assert!(!hidden.contains(" sh\n"), "{hidden}");
    let rows = sandbox
        .ccsession(["export", TWO, "--format", "jsonl", "--table", "commits"])
        .stdout();
    let row: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(
        (&row["commit_id"], &row["evidence"], &row["tool_use_id"]),
        (&json!(hash('a')), &json!("command"), &Value::Null)
    );
}

#[test]
fn a_claude_code_that_hooks_record_is_known_by_its_calls() {
    let (sandbox, git) = one_session("Commit the fix");
    let run = json!({"source": "run", "what": "claude"});
    let mut lines = vec![line(TWO, 5, "RunStart", run)];
    lines.extend(turn(TWO, "Run the tests").into_iter().skip(1));
    put_session(&sandbox, TWO, &lines);
    commit(&git, 'a', 15);
    assert_eq!(candidates(&sandbox).0, []);
    // Without a hook's word, nothing is known of what it did.
    put_session(&sandbox, TWO, &lines[..1]);
    commit(&git, 'b', 15);
    assert_eq!(
        candidates(&sandbox).0,
        [(json!(TWO), json!("likely"))],
        "its command"
    );
}

#[test]
fn a_program_that_clocked_in_may_have_made_a_commit() {
    let (sandbox, git) = one_session("Commit the fix");
    let clock_in = line(TWO, 5, "ClockIn", json!({"source": "clock-in"}));
    put_session(&sandbox, TWO, &[clock_in]);
    commit(&git, 'a', 30);
    let both = vec![
        (json!(TWO), json!("possible")),
        (json!(ONE), json!("likely")),
    ];
    assert_eq!(candidates(&sandbox), (both, 4));
}

#[test]
fn a_session_of_another_machine_made_no_commit_here() {
    let (sandbox, git) = one_session("Commit the fix");
    put_session(&sandbox, TWO, &turn(TWO, "Commit the fix"));
    let mut record = sandbox.record(TWO);
    record["machine"] = json!("elsewhere");
    record["machine_id"] = json!("0123456789abcdef0123456789abcdef");
    fs::write(
        sandbox.session(TWO).join("session.json"),
        record.to_string(),
    )
    .unwrap();
    commit(&git, 'a', 30);
    let one = vec![(json!(ONE), json!("certain"))];
    assert_eq!(candidates(&sandbox), (one, 0));
    let shown = sandbox.ccsession(["show", TWO, "--json"]).json();
    assert_eq!(shown["commits"], json!([]));
}

#[test]
fn a_live_session_is_open_until_now() {
    let (sandbox, git) = one_session("Commit the fix");
    commit(&git, 'a', 500);
    let said = sandbox.ccsession(["who", "HEAD"]).refused(3);
    assert!(
        said.contains(&format!("session {ONE} was open, but ran no command then")),
        "{said}"
    );
    let output = sandbox.ccsession(["who", "HEAD", "--json"]).output();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["beside"], json!([ONE]));
}

#[test]
fn the_table_of_commits_has_what_show_lists() {
    let (sandbox, git) = one_session("Commit the fix");
    // No hook has noted it yet.
    commit(&git, 'a', 30);
    let shown = sandbox.ccsession(["show", ONE, "--json"]).json();
    assert_eq!(shown["commits"][0]["id"], hash('a'));
    let rows = sandbox
        .ccsession(["export", ONE, "--format", "jsonl", "--table", "commits"])
        .stdout();
    let row: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(row["commit_id"], hash('a'));
    assert_eq!(row["evidence"], "named");
}

#[test]
fn a_task_in_the_background_is_only_possible() {
    let sandbox = Sandbox::just_swept();
    let git = repository(&sandbox.project());
    let mut lines = turn(ONE, "Serve the shop");
    lines[3]["background"] = json!("b1");
    put_session(&sandbox, ONE, &lines);
    commit(&git, 'a', 60);
    assert_eq!(
        who(&sandbox, "HEAD")["sessions"][0]["certainty"],
        "possible"
    );
}

#[test]
fn a_call_that_waited_for_permission_counts_only_from_the_permission() {
    let sandbox = Sandbox::just_swept();
    let git = repository(&sandbox.project());
    let mut lines = turn(ONE, "Commit the fix");
    let call = json!({"tool": "Bash", "tool_use_id": format!("t-{ONE}")});
    lines.insert(3, line(ONE, 21, "PermissionRequest", call));
    lines[4]["duration_ms"] = json!(1000);
    put_session(&sandbox, ONE, &lines);
    commit(&git, 'a', 25);
    sandbox.ccsession(["who", "HEAD"]).refused(3);
    commit(&git, 'b', 39);
    assert_eq!(who(&sandbox, "HEAD")["sessions"][0]["certainty"], "certain");
}

#[test]
fn a_commit_that_was_only_fetched_is_named_as_such() {
    let (sandbox, git) = one_session("git pull");
    for (id, message) in [
        ('a', "pull: Fast-forward"),
        ('b', "checkout: moving from main to x"),
        ('c', "reset: moving to HEAD~1"),
        ('d', "clone: from /elsewhere"),
    ] {
        moved(&git, '0', id, BASE + 30, message);
        let said = sandbox.ccsession(["who", "HEAD"]).refused(3);
        assert!(said.contains("it was not made here"), "{message}: {said}");
    }
    moved(
        &git,
        'd',
        'e',
        BASE + 30,
        "pull: Merge made by the 'ort' strategy.",
    );
    assert_eq!(who(&sandbox, "HEAD")["commit"]["how"], "merge");
}

#[test]
fn an_amended_commit_names_the_one_that_it_replaces() {
    let (sandbox, git) = one_session("Commit the fix");
    commit(&git, 'a', 25);
    moved(&git, 'a', 'b', BASE + 30, "commit (amend): Private words");
    let amended = &who(&sandbox, "HEAD")["commit"];
    assert_eq!(
        (&amended["how"], &amended["replaces"]),
        (&json!("amend"), &json!(hash('a')))
    );
    assert_eq!(
        who(&sandbox, "aaaa")["commit"]["replaced_by"],
        json!(hash('b'))
    );
    let commits = &sandbox.ccsession(["show", ONE, "--json"]).json()["commits"];
    let told: Vec<(&Value, &Value)> = commits
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it["id"], &it["replaced_by"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!(hash('a')), &json!(hash('b'))),
            (&json!(hash('b')), &Value::Null)
        ]
    );
    let text = sandbox.ccsession(["show", ONE]).stdout();
    assert!(text.contains("COMMIT        MADE"), "{text}");
    assert!(text.contains("\nbbbbbbbbbbbb  "), "{text}");
}

#[test]
fn what_a_journal_notes_outlives_the_reflog() {
    let (sandbox, git) = one_session("Commit the fix");
    let mut lines = turn(ONE, "Commit the fix");
    lines[4]["commits"] = json!([{"id": hash('a'), "ts": second(30), "how": "commit"}]);
    put_session(&sandbox, ONE, &lines);
    fs::remove_dir_all(git).unwrap();
    let answer = who(&sandbox, "aaaa");
    assert_eq!(
        (
            &answer["commit"]["id"],
            &answer["sessions"][0]["session_id"]
        ),
        (&json!(hash('a')), &json!(ONE))
    );
    assert_eq!(answer["sessions"][0]["certainty"], "certain");
    let shown = sandbox.ccsession(["show", ONE, "--json"]).json();
    assert_eq!(shown["commits"][0]["id"], hash('a'));
}

#[test]
fn a_prefix_of_several_commits_is_not_guessed() {
    let (sandbox, git) = one_session("Commit the fix");
    let log = git.join("logs/HEAD");
    let line = |id: &str| {
        format!(
            "{} {id} A <a@b> {} +0000\tcommit: x\n",
            hash('0'),
            BASE + 30
        )
    };
    let ids = ["aaaa1", "aaaa2"].map(|start| format!("{start:b<40}"));
    fs::write(&log, ids.iter().map(|id| line(id)).collect::<String>()).unwrap();
    let said = sandbox.ccsession(["who", "aaaa"]).refused(4);
    assert!(said.contains("aaaa1bbbbbbb, aaaa2bbbbbbb"), "{said}");
    assert_eq!(who(&sandbox, "aaaa1")["commit"]["id"], ids[0]);
}

#[test]
fn an_unknown_commit_or_file_is_refused_in_one_line() {
    let (sandbox, _) = one_session("Commit the fix");
    for (what, said) in [
        (
            "dead",
            "could not find commit `dead`: neither a journal nor the reflog here knows it",
        ),
        (
            "no-branch",
            "could not find who made `no-branch`: there is no such commit or branch here, and no session has edited such a file",
        ),
        (
            &hash('f'),
            "could not find who made commit ffffffffffff: neither a journal nor the reflog here knows when it was made",
        ),
        (
            "\u{1b}[31m",
            "could not find who made `\\u{1b}[31m`: there is no such commit or branch here, and no session has edited such a file",
        ),
    ] {
        assert_eq!(
            sandbox.ccsession(["who", what]).refused(3),
            format!("ccsession: {said}"),
            "{what:?}"
        );
    }
    let empty = Sandbox::new();
    let said = empty.ccsession(["who", "HEAD"]).refused(3);
    assert!(said.contains("nothing was recorded yet"), "{said}");
}

#[test]
fn a_reflog_that_everybody_may_write_to_is_not_believed() {
    let (sandbox, git) = one_session("Commit the fix");
    commit(&git, 'a', 30);
    fs::set_permissions(git.join("logs/HEAD"), fs::Permissions::from_mode(0o666)).unwrap();
    sandbox.ccsession(["who", "HEAD"]).refused(3);
    assert_eq!(
        sandbox.ccsession(["show", ONE, "--json"]).json()["commits"],
        json!([])
    );
}

fn play(sandbox: &Sandbox, id: &str, name: &str, more: Value) {
    let run = sandbox.hook(&event(name, id, more));
    run.env("CLAUDE_PID", as_client()).silent();
}

#[test]
fn hooks_note_the_commits_of_a_turn_without_their_words() {
    let sandbox = Sandbox::just_swept();
    let git = repository(&sandbox.project());
    let now = chrono::Utc::now().timestamp();
    // Long before the session.
    moved(&git, '0', 'a', now - 5000, "commit: Private words");
    start(&sandbox, ONE);
    play(
        &sandbox,
        ONE,
        "UserPromptSubmit",
        json!({"prompt": "Fix it"}),
    );
    moved(&git, 'a', 'b', now + 100, "commit: Private words");
    moved(&git, 'b', 'c', now + 101, "commit (amend): Private words");
    moved(&git, 'c', 'd', now + 102, "checkout: moving from main to x");
    let call = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "x"}});
    play(&sandbox, ONE, "PreToolUse", call.clone());
    play(&sandbox, ONE, "PostToolUse", call);
    play(&sandbox, ONE, "Stop", json!({}));
    let journal = sandbox.journal(ONE);
    let (stop, others) = journal.split_last().unwrap();
    assert!(
        others.iter().all(|event| event.get("commits").is_none()),
        "{others:?}"
    );
    let at = |seconds| {
        let at = chrono::DateTime::from_timestamp(now + seconds, 0).unwrap();
        at.format("%Y-%m-%dT%H:%M:%S.000000Z").to_string()
    };
    let noted = json!([
        {"id": hash('b'), "ts": at(100), "how": "commit"},
        {"id": hash('c'), "ts": at(101), "how": "amend", "replaces": hash('b')},
    ]);
    assert_eq!(stop["commits"], noted);
    let text = fs::read_to_string(sandbox.session(ONE).join("events.jsonl")).unwrap();
    assert!(
        !text.contains("Private") && !text.contains("person@"),
        "{text}"
    );
}

#[test]
fn an_event_notes_the_last_commits_of_many() {
    let sandbox = Sandbox::just_swept();
    let git = repository(&sandbox.project());
    start(&sandbox, ONE);
    let now = chrono::Utc::now().timestamp();
    let lines = (0..900).map(|number| {
        format!(
            "{} {number:040x} A <a@b> {} +0000\tcommit: {number}\n",
            hash('0'),
            now + 10
        )
    });
    fs::write(git.join("logs/HEAD"), lines.collect::<String>()).unwrap();
    play(&sandbox, ONE, "Stop", json!({}));
    let noted = sandbox.journal(ONE).pop().unwrap()["commits"].clone();
    let noted = noted.as_array().unwrap();
    assert_eq!(noted.len(), 64);
    assert_eq!(noted[63]["id"], format!("{:040x}", 899));
}

#[test]
fn a_file_names_the_sessions_that_edited_it_the_last_one_first() {
    let sandbox = Sandbox::just_swept();
    let file = sandbox.project().join("src/main.rs");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "").unwrap();
    let edit = |id: &str, seconds: i64, tool: &str, end: &str, path: &Path| {
        let call = format!("{id}-{seconds}");
        let call = json!({"tool": tool, "tool_use_id": call, "prompt_id": "p1", "what": path});
        [
            line(id, seconds, "PreToolUse", call.clone()),
            line(id, seconds + 1, end, call),
        ]
    };
    let prompt = |id| {
        line(
            id,
            10,
            "UserPromptSubmit",
            json!({"prompt_id": "p1", "what": "Fix the shop"}),
        )
    };
    let mut one = vec![prompt(ONE)];
    one.extend(edit(ONE, 20, "Write", "PostToolUse", &file));
    one.extend(edit(ONE, 30, "Edit", "PostToolUse", &file));
    one.extend(edit(ONE, 90, "Edit", "PostToolUseFailure", &file));
    one.extend(edit(ONE, 92, "Read", "PostToolUse", &file));
    put_session(&sandbox, ONE, &one);
    let mut two = vec![prompt(TWO)];
    two.extend(edit(TWO, 40, "NotebookEdit", "PostToolUse", &file));
    put_session(&sandbox, TWO, &two);
    let whole = file.to_str().unwrap();
    for what in ["src/main.rs", "./src/../src/main.rs", whole] {
        let answer = who(&sandbox, what);
        let told: Vec<(&Value, usize)> = answer["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (&it["session_id"], it["edits"].as_array().unwrap().len()))
            .collect();
        assert_eq!(told, [(&json!(TWO), 1), (&json!(ONE), 2)], "{what}");
        let last = &answer["sessions"][1]["edits"][0];
        assert_eq!(
            (&last["at"], &last["call"]["tool"]),
            (&json!(time(31)), &json!("Edit"))
        );
        assert_eq!(last["prompt"]["what"], "Fix the shop");
    }
    let text = sandbox.ccsession(["who", "src/main.rs"]).stdout();
    assert!(text.find(TWO).unwrap() < text.find(ONE).unwrap(), "{text}");
    let hidden = sandbox
        .ccsession(["who", "src/main.rs"])
        .env("CCSESSION_CAPTURE", "metadata")
        .stdout();
    assert!(
        hidden.contains(ONE) && !hidden.contains("Fix the shop"),
        "{hidden}"
    );
    let said = sandbox.ccsession(["who", "src"]).refused(3);
    assert!(
        said.ends_with("no session on record has edited it"),
        "{said}"
    );
}

#[test]
fn no_label_is_shown_under_metadata() {
    let (sandbox, git) = one_session("Commit the fix");
    commit(&git, 'a', 30);
    for arguments in [vec!["who", "HEAD"], vec!["who", "HEAD", "--json"]] {
        let run = sandbox
            .ccsession(arguments)
            .env("CCSESSION_CAPTURE", "metadata");
        let text = run.stdout();
        assert!(text.contains(ONE), "{text}");
        assert!(
            !text.contains("Commit the fix") && !text.contains("Fix the shop"),
            "{text}"
        );
    }
}

/// Runs git in `dir`, without anybody's settings. Returns nothing if there is no git.
fn git(sandbox: &Sandbox, dir: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", sandbox.home())
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "A Person")
            .env(format!("GIT_{who}_EMAIL"), "person@example.org");
    }
    let output = match git.arg("-C").arg(dir).args(arguments).output() {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return None,
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn with_the_real_git() {
    let sandbox = Sandbox::just_swept();
    let root = sandbox.project();
    let Some(_) = git(&sandbox, &root, &["init", "-q", "-b", "main"]) else {
        println!("skipped: who::with_the_real_git: there is no git");
        return;
    };
    let run = |arguments: &[&str]| git(&sandbox, &root, arguments).unwrap();
    let tree = sandbox.path("tree");
    start(&sandbox, ONE);
    play(
        &sandbox,
        ONE,
        "UserPromptSubmit",
        json!({"prompt": "Fix it", "prompt_id": "p1"}),
    );
    let input = json!({"command": "git commit", "description": "Commit the fix"});
    let call = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": input});
    play(&sandbox, ONE, "PreToolUse", call.clone());
    run(&["commit", "-q", "--allow-empty", "-m", "One"]);
    let first = run(&["rev-parse", "HEAD"]);
    // While the call still runs.
    assert_eq!(who(&sandbox, "HEAD")["sessions"][0]["session_id"], ONE);
    run(&["commit", "-q", "--allow-empty", "--amend", "-m", "Two"]);
    let second = run(&["rev-parse", "HEAD"]);
    run(&["checkout", "-q", "-b", "fix/it"]);
    run(&["commit", "-q", "--allow-empty", "-m", "Three"]);
    let third = run(&["rev-parse", "HEAD"]);
    run(&["checkout", "-q", "main"]);
    run(&["merge", "-q", "--ff-only", "fix/it"]);
    run(&[
        "worktree",
        "add",
        "-q",
        "-b",
        "side",
        tree.to_str().unwrap(),
    ]);
    git(
        &sandbox,
        &tree,
        &["commit", "-q", "--allow-empty", "-m", "Four"],
    )
    .unwrap();
    let fourth = git(&sandbox, &tree, &["rev-parse", "HEAD"]).unwrap();
    run(&["pack-refs", "--all"]);
    play(&sandbox, ONE, "PostToolUse", call);
    play(&sandbox, ONE, "Stop", json!({}));

    let noted = sandbox.journal(ONE).pop().unwrap()["commits"].clone();
    let noted: Vec<&Value> = noted
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert_eq!(noted, [&json!(first), &json!(second), &json!(third)]);
    for (name, id, how) in [
        ("HEAD", &third, "commit"),
        ("fix/it", &third, "commit"),
        ("side", &fourth, "commit"),
        (&first[..8], &first, "initial"),
        (&second[..8], &second, "amend"),
    ] {
        let answer = who(&sandbox, name);
        assert_eq!(
            (&answer["commit"]["id"], &answer["commit"]["how"]),
            (&json!(id), &json!(how)),
            "{name}"
        );
        assert_eq!(answer["sessions"][0]["session_id"], ONE, "{name}");
        // In the other working tree nothing but the repository speaks for the session.
        let certainty = if *id == fourth { "likely" } else { "certain" };
        assert_eq!(answer["sessions"][0]["certainty"], certainty, "{name}");
    }
    let from_there = sandbox
        .ccsession(["who", &second, "--json"])
        .dir(&tree)
        .json();
    assert_eq!(from_there["sessions"][0]["session_id"], ONE);
    let shown = sandbox.ccsession(["show", ONE, "--json"]).json();
    let shown: Vec<&Value> = shown["commits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert_eq!(shown, noted);
}
