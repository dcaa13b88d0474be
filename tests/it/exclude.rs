//! Projects that are never recorded: by the setting `exclude`, or by a marker file.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::files::snapshot;
use crate::support::states::age_file;
use crate::support::terminal::with_stderr_on_a_terminal;
use crate::support::tracing::can_inject;
use crate::support::transcripts::put_lines;
use crate::support::{ID, PRE_TOOL_USE, Run, Sandbox, as_client, event, json_lines, walk};

const OTHER: &str = "6c59583c-1111-4222-8333-444455556666";
const CANARY: &str = "canary-4711";

fn start(id: &str) -> Value {
    event("SessionStart", id, json!({"source": "startup"}))
}

fn prompt(id: &str) -> Value {
    event("UserPromptSubmit", id, json!({"prompt": CANARY}))
}

fn call(name: &str, id: &str) -> Value {
    let input = json!({"command": CANARY, "description": CANARY});
    event(
        name,
        id,
        json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": input}),
    )
}

fn end(id: &str) -> Value {
    event("SessionEnd", id, json!({"reason": "other"}))
}

fn mark(dir: &Path) {
    fs::write(dir.join(".ccsession-off"), "").unwrap();
}

fn configure(sandbox: &Sandbox, text: &str) {
    let dir = sandbox.home().join(".config/ccsession");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), text).unwrap();
}

fn names(sandbox: &Sandbox, id: &str) -> Vec<Value> {
    let journal = sandbox.journal(id).into_iter();
    journal.map(|line| line["event"].clone()).collect()
}

/// A whole session, from its start to its end, with a hook run as `how` says.
fn live(sandbox: &Sandbox, id: &str, how: &dyn Fn(Run) -> Run) {
    for payload in [
        start(id),
        prompt(id),
        call("PreToolUse", id),
        call("PostToolUse", id),
        event("Stop", id, json!({})),
        end(id),
    ] {
        how(sandbox.hook(&payload).env("CLAUDE_PID", as_client())).silent();
    }
}

/// Asserts that nothing of the session is anywhere but in a note without a name.
#[track_caller]
fn assert_nothing(sandbox: &Sandbox, id: &str) {
    for dir in [sandbox.state(), sandbox.pointers()] {
        walk(&dir, &mut |path| {
            let content = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
            let all = format!("{}\n{content}", path.display());
            for secret in [id, CANARY, "/shop"] {
                assert!(!all.contains(secret), "{secret} in {all}");
            }
        });
    }
}

#[test]
fn nothing_is_recorded_of_a_project_with_a_marker_in_or_above_it() {
    for place in ["shop", "."] {
        let sandbox = Sandbox::just_swept();
        mark(&sandbox.path(place));
        live(&sandbox, ID, &|run| run);
        assert_nothing(&sandbox, ID);
        assert_eq!(sandbox.files().len(), 2, "{:?}", sandbox.files());
    }
}

#[test]
fn nothing_is_recorded_of_a_project_that_a_pattern_covers() {
    let sandbox = Sandbox::just_swept();
    let root = sandbox.path("*").display().to_string();
    for patterns in [
        "**/shop".to_owned(),
        format!("/nowhere:{root}"),
        sandbox.path("").display().to_string(),
    ] {
        live(&sandbox, ID, &|run| run.env("CCSESSION_EXCLUDE", &patterns));
        assert_nothing(&sandbox, ID);
    }
    configure(&sandbox, "exclude = [\"~/other/**\", \"**/sh?p\"]\n");
    live(&sandbox, ID, &|run| run);
    assert_nothing(&sandbox, ID);
    // The variable counts instead of the file.
    live(&sandbox, OTHER, &|run| {
        run.env("CCSESSION_EXCLUDE", "/nowhere")
    });
    assert_eq!(names(&sandbox, OTHER).len(), 6);
}

#[test]
fn a_pattern_below_the_home_directory_covers_it_behind_a_link_too() {
    let sandbox = Sandbox::just_swept();
    std::os::unix::fs::symlink(sandbox.path(""), sandbox.home().join("clients")).unwrap();
    live(&sandbox, ID, &|run| {
        run.env("CCSESSION_EXCLUDE", "~/clients/**")
    });
    assert_nothing(&sandbox, ID);
}

#[test]
fn a_subdirectory_can_be_excluded_within_a_project() {
    let sandbox = Sandbox::just_swept();
    let below = sandbox.project().join("secret/src");
    fs::create_dir_all(&below).unwrap();
    fs::create_dir(sandbox.project().join(".git")).unwrap();
    mark(&sandbox.project().join("secret"));
    live(&sandbox, ID, &|run| run.env("CLAUDE_PROJECT_DIR", &below));
    assert_nothing(&sandbox, ID);
    live(&sandbox, OTHER, &|run| run);
    assert_eq!(names(&sandbox, OTHER).len(), 6);
}

#[test]
fn the_call_of_an_excluded_session_needs_no_start_to_be_left_out() {
    let sandbox = Sandbox::just_swept();
    mark(&sandbox.project());
    sandbox.hook(&call("PreToolUse", ID)).silent();
    assert_nothing(&sandbox, ID);
}

#[test]
fn the_hook_of_a_call_looks_for_no_marker() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let looks = |id: &str| {
        let log = sandbox.path("trace");
        let mut run = sandbox.run("strace").env("CLAUDE_PID", as_client());
        run.command
            .args(["-f", "-qq", "-o"])
            .arg(&log)
            .arg(PRE_TOOL_USE);
        run.stdin(call("PreToolUse", id).to_string()).silent();
        let log = fs::read_to_string(log).unwrap();
        log.lines()
            .filter(|line| line.contains(".ccsession-off"))
            .count()
    };
    sandbox
        .hook(&start(OTHER))
        .env("CLAUDE_PID", as_client())
        .silent();
    assert_eq!(looks(OTHER), 0);
    mark(&sandbox.project());
    sandbox.hook(&start(ID)).silent();
    assert_eq!(looks(ID), 0);
    assert!(!sandbox.session(ID).exists());
}

#[test]
fn a_marker_stops_the_recording_at_the_next_prompt_and_its_removal_resumes_it() {
    let sandbox = Sandbox::just_swept();
    let hook = |payload: &Value| {
        sandbox
            .hook(payload)
            .env("CLAUDE_PID", as_client())
            .silent()
    };
    hook(&start(ID));
    hook(&call("PreToolUse", ID));
    assert!(sandbox.pointer("shop").exists());
    mark(&sandbox.project());
    // The call that already runs is still recorded; then the prompt looks.
    hook(&call("PostToolUse", ID));
    for payload in [
        prompt(ID),
        call("PreToolUse", ID),
        event("Stop", ID, json!({})),
        prompt(ID),
    ] {
        hook(&payload);
    }
    let before = ["SessionStart", "PreToolUse", "PostToolUse", "SessionEnd"];
    assert_eq!(names(&sandbox, ID), before);
    assert_eq!(sandbox.journal(ID)[3]["reason"], "excluded");
    assert!(sandbox.record(ID)["stopped_at"].is_string());
    let shown = with_stderr_on_a_terminal(sandbox.ccsession(["show", ID]));
    assert!(
        shown.terminal.contains("this project is not recorded: "),
        "{}",
        shown.terminal
    );
    assert!(!sandbox.pointer("shop").exists());
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "ended");
    fs::remove_file(sandbox.project().join(".ccsession-off")).unwrap();
    hook(&prompt(ID));
    hook(&call("PreToolUse", ID));
    assert_eq!(names(&sandbox, ID)[4..], ["UserPromptSubmit", "PreToolUse"]);
    assert!(sandbox.record(ID)["stopped_at"].is_null());
    assert!(sandbox.pointer("shop").exists());
    let listed = sandbox.ccsession(["list", "--json"]).json();
    assert_eq!(listed["sessions"][0]["session_id"], ID);
}

#[test]
fn a_session_that_was_excluded_is_recorded_once_its_marker_is_gone() {
    let sandbox = Sandbox::just_swept();
    mark(&sandbox.project());
    live(&sandbox, ID, &|run| run);
    fs::remove_file(sandbox.project().join(".ccsession-off")).unwrap();
    sandbox.hook(&call("PreToolUse", ID)).silent();
    assert_nothing(&sandbox, ID);
    sandbox.hook(&prompt(ID)).silent();
    sandbox.hook(&call("PreToolUse", ID)).silent();
    assert_eq!(names(&sandbox, ID), ["UserPromptSubmit", "PreToolUse"]);
}

#[test]
fn a_bad_pattern_begins_no_session_and_is_named() {
    for text in [
        "exclude = [\"clients/**\"]\n",
        "exclude = \"~/clients\"\n",
        "exclude = [7]\n",
        "exclude = [\"~/clients/**\"\n",
    ] {
        let sandbox = Sandbox::just_swept();
        sandbox.hook(&start(OTHER)).silent();
        configure(&sandbox, text);
        live(&sandbox, ID, &|run| run);
        assert!(!sandbox.session(ID).exists(), "{text}");
        // What is on record already was not excluded when it began.
        sandbox.hook(&call("PreToolUse", OTHER)).silent();
        assert_eq!(names(&sandbox, OTHER), ["SessionStart", "PreToolUse"]);
        let errors = json_lines(&sandbox.state().join("hook-errors.jsonl"));
        assert!(!errors.is_empty());
        assert!(
            errors.iter().all(|line| line["session_id"] != ID),
            "{errors:?}"
        );
        let refused = sandbox.ccsession(["list"]).refused(1);
        assert!(refused.contains("config.toml"), "{refused}");
    }
    let sandbox = Sandbox::just_swept();
    sandbox
        .ccsession(["list"])
        .env("CCSESSION_EXCLUDE", "~/a:b")
        .expect(1, "", "ccsession: could not use exclude from $CCSESSION_EXCLUDE: `b` is not a pattern for a directory: begin it with `/`, `~/` or `**/`\n");
}

#[test]
fn a_bad_file_that_excludes_nothing_still_records() {
    let sandbox = Sandbox::just_swept();
    configure(&sandbox, "ttl = \n");
    live(&sandbox, ID, &|run| run);
    assert_eq!(names(&sandbox, ID).len(), 6);
}

#[test]
fn an_import_skips_excluded_projects_and_counts_them() {
    let sandbox = Sandbox::just_swept();
    for (id, cwd) in [(ID, sandbox.project()), (OTHER, sandbox.path("open"))] {
        fs::create_dir_all(&cwd).unwrap();
        let path = sandbox
            .home()
            .join(format!(".claude/projects/-x/{id}.jsonl"));
        let line = json!({"type": "user", "uuid": format!("u-{id}"), "sessionId": id, "cwd": cwd,
            "timestamp": "2026-11-01T10:00:00.000Z", "message": {"role": "user", "content": CANARY}});
        put_lines(&path, &[line]);
    }
    mark(&sandbox.project());
    let said = sandbox.ccsession(["import"]).stdout();
    assert_eq!(
        said,
        "imported 1 session, 2 events; skipped 1 session of excluded projects\n"
    );
    assert!(!sandbox.session(ID).exists() && sandbox.session(OTHER).exists());
    let json = sandbox.ccsession(["import", "--json"]).json();
    assert_eq!(
        (&json["excluded"], &json["deleted"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn commands_say_that_the_project_is_not_recorded_and_refuse_to_begin_a_session() {
    let sandbox = Sandbox::just_swept();
    mark(&sandbox.project());
    let marker = sandbox.project().join(".ccsession-off");
    let why = format!("because there is a file {}", marker.display());
    let before = snapshot(&sandbox);
    let refused = sandbox.ccsession(["clock-in", "--role", "x"]).refused(1);
    assert!(
        refused.contains("could not clock in: this project is not recorded")
            && refused.contains(&why),
        "{refused}"
    );
    let refused = sandbox.ccsession(["run", "--", "true"]).output();
    let said = crate::support::text(&refused.stderr);
    assert!(
        !refused.status.success()
            && said.contains("this project is not recorded")
            && said.contains(&why),
        "{said}"
    );
    assert_eq!(snapshot(&sandbox), before);
    let verbs: [&[&str]; 4] = [&["list"], &["stats"], &["current"], &["search", "x"]];
    for verb in verbs {
        let told = with_stderr_on_a_terminal(sandbox.ccsession(verb));
        assert!(
            told.terminal
                .contains("this project is not recorded: there is a file"),
            "{verb:?}: {}",
            told.terminal
        );
        let elsewhere = crate::support::text(&sandbox.ccsession(verb).output().stderr);
        assert!(!elsewhere.contains("not recorded"), "{elsewhere}");
    }
    sandbox.ccsession(["current"]).expect(0, "unknown\n", "");
    let doctor = sandbox.ccsession(["doctor", "--json"]).output();
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let findings = doctor["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|finding| finding["check"] == "exclude")
        .unwrap();
    assert!(
        found["found"].as_str().unwrap().contains(".ccsession-off"),
        "{found}"
    );
}

#[test]
fn a_session_whose_project_is_excluded_later_is_not_archived_automatically() {
    let sandbox = Sandbox::archiving();
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    put_lines(
        &path,
        &[json!({"type": "user", "sessionId": ID, "message": {"role": "user", "content": CANARY}})],
    );
    for payload in [
        event(
            "SessionStart",
            ID,
            json!({"source": "startup", "transcript_path": path}),
        ),
        end(ID),
    ] {
        sandbox.hook(&payload).silent();
    }
    mark(&sandbox.project());
    sandbox.ccsession(["cleanup"]).output();
    assert!(!sandbox.state().join("archive").exists());
    fs::remove_file(sandbox.project().join(".ccsession-off")).unwrap();
    sandbox.ccsession(["clock-out", ID]).output();
    assert!(sandbox.state().join("archive").exists());
}

#[test]
fn a_marker_of_another_user_stops_no_recording() {
    let sandbox = Sandbox::just_swept();
    mark(&sandbox.path(""));
    let marker = sandbox.path(".ccsession-off");
    if std::os::unix::fs::chown(&marker, Some(4711), None).is_err() {
        println!("skipped: only root gives a file away");
        return;
    }
    live(&sandbox, ID, &|run| run);
    assert_eq!(names(&sandbox, ID).len(), 6);
}

#[test]
fn a_cleanup_removes_old_notes_on_excluded_sessions_and_keeps_those_on_deleted_ones() {
    let sandbox = Sandbox::just_swept();
    sandbox.hook(&start(OTHER)).silent();
    sandbox.hook(&end(OTHER)).silent();
    sandbox.ccsession(["delete", OTHER, "--yes"]).stdout();
    mark(&sandbox.project());
    sandbox.hook(&start(ID)).silent();
    let notes = || {
        let mut notes = Vec::new();
        walk(&sandbox.state().join("unrecorded"), &mut |path| {
            notes.push(path.to_owned());
        });
        notes
    };
    assert_eq!(notes().len(), 2);
    for note in notes() {
        age_file(&note, 31 * 24 * 60 * 60);
    }
    sandbox.ccsession(["cleanup"]).output();
    let left: Vec<String> = notes()
        .iter()
        .map(|note| fs::read_to_string(note).unwrap())
        .collect();
    assert_eq!(left, ["deleted\n"]);
    // The next call finds the reason anew.
    sandbox.hook(&call("PreToolUse", ID)).silent();
    assert!(!sandbox.session(ID).exists());
    assert_eq!(notes().len(), 2);
}
