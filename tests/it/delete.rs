//! `ccsession delete`: afterwards nothing names the session, and nothing brings it back.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::files::{copy_as_it_is, snapshot, write_private};
use crate::support::terminal::with_stderr_on_a_terminal;
use crate::support::tracing::can_inject;
use crate::support::transcripts::{put, put_lines};
use crate::support::{CCSESSION, ID, Run, Sandbox, as_client, event, json_lines, text, walk};

const OTHER: &str = "6c59583c-1111-4222-8333-444455556666";
const CANARY: &str = "canary-4711";

/// The calls by which files come and go.
const CALLS: &str = "rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat";

fn transcript(sandbox: &Sandbox, id: &str) -> PathBuf {
    sandbox
        .home()
        .join(format!(".claude/projects/-shop/{id}.jsonl"))
}

/// Records, ends and archives a session that said the canary, and another one that came from it.
fn place() -> Sandbox {
    let sandbox = Sandbox::just_swept();
    let hook = |payload: Value| {
        sandbox
            .hook(&payload)
            .env("CLAUDE_PID", as_client())
            .silent()
    };
    for (id, said) in [(ID, CANARY), (OTHER, "kept")] {
        let path = transcript(&sandbox, id);
        put_lines(
            &path,
            &[
                json!({"type": "user", "uuid": format!("u-{id}"), "sessionId": id, "cwd": sandbox.project(),
                "timestamp": "2026-11-01T10:00:00.000Z", "message": {"role": "user", "content": said}}),
            ],
        );
        let source = if id == ID { "startup" } else { "clear" };
        hook(event(
            "SessionStart",
            id,
            json!({"source": source, "transcript_path": path}),
        ));
        let input = json!({"command": "x", "description": said});
        let call = json!({"tool_name": "Bash", "tool_use_id": "t", "tool_input": input});
        hook(event("PreToolUse", id, call.clone()));
        hook(event("PostToolUse", id, call));
        sandbox.ccsession(["import"]).stdout();
        if id == ID {
            // Both are left in logs.
            let fields = json!({"session_id": id, "what": "x"}).to_string();
            let name = sandbox.state().join("hook-errors.jsonl");
            write_private(&name, &format!("\n{fields}\n\n{{\"what\":\"kept\"}}\n"));
            hook(event("SessionEnd", id, json!({"reason": "clear"})));
            sandbox.ccsession(["clock-out", id]).stdout();
            sandbox.ccsession(["stats", id]).stdout();
        }
    }
    assert_eq!(sandbox.record(OTHER)["previous"], ID);
    let mark = sandbox.state().join("ended").join(ID);
    put(&mark, "");
    sandbox
}

fn delete(sandbox: &Sandbox) -> Run {
    sandbox.ccsession(["delete", ID, "--yes"])
}

/// The files below state and pointers that name the session or the canary.
fn named(sandbox: &Sandbox) -> Vec<String> {
    let mut found = Vec::new();
    for dir in [sandbox.state(), sandbox.pointers()] {
        walk(&dir, &mut |path| {
            let bytes = fs::read(path).unwrap();
            let bytes = match path.extension().is_some_and(|ending| ending == "zst") {
                true => zstd::decode_all(&bytes[..]).unwrap(),
                false => bytes,
            };
            let all = format!("{} {}", path.display(), String::from_utf8_lossy(&bytes));
            // The journal of another session says where that came from.
            let is_others = path.ends_with(format!("{OTHER}/events.jsonl"));
            if all.contains(CANARY) || all.contains(ID) && !is_others {
                found.push(path.display().to_string());
            }
        });
    }
    found
}

/// Asserts that the session is gone, that the other one is whole, and that all is well.
#[track_caller]
fn assert_gone(sandbox: &Sandbox) {
    assert_eq!(named(sandbox), Vec::<String>::new());
    assert_eq!(
        json_lines(&sandbox.state().join("hook-errors.jsonl")),
        [json!({"what": "kept"})]
    );
    assert_eq!(sandbox.record(OTHER)["previous"], json!(null));
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "{listed}");
    sandbox.assert_no_leftovers();
}

#[test]
fn what_is_deleted_is_named_nowhere_and_does_not_come_back() {
    let sandbox = place();
    assert!(named(&sandbox).len() > 5, "{:?}", named(&sandbox));
    let output = delete(&sandbox).output();
    assert_eq!(text(&output.stdout), "deleted 1 session\n");
    let said = text(&output.stderr);
    let remains = format!("rm -r -- {}", transcript(&sandbox, ID).display());
    assert!(said.contains(&remains), "{said}");
    assert!(transcript(&sandbox, ID).exists());
    assert_gone(&sandbox);
    // Neither late events nor an import bring it back.
    for name in [
        "PostToolUse",
        "Stop",
        "UserPromptSubmit",
        "SessionStart",
        "SessionEnd",
    ] {
        sandbox
            .hook(&event(name, ID, json!({"source": "resume"})))
            .silent();
    }
    let said = sandbox.ccsession(["import"]).stdout();
    assert!(
        said.ends_with("; skipped 1 session deleted before\n"),
        "{said}"
    );
    assert_gone(&sandbox);
    // Unless it is told to.
    sandbox.ccsession(["import", "--again", ID]).stdout();
    assert!(sandbox.session(ID).join("session.json").exists());
}

#[test]
fn a_dry_run_prints_the_plan_and_nobody_confirms_without_a_terminal() {
    let sandbox = place();
    let before = snapshot(&sandbox);
    let output = sandbox.ccsession(["delete", ID, "--dry-run"]).output();
    assert_eq!(text(&output.stdout), "would delete 1 session\n");
    let plan = text(&output.stderr);
    for what in [
        &format!("sessions/{ID}"),
        "the archive",
        "ended/",
        OTHER,
        "logs",
    ] {
        assert!(plan.contains(what), "{what} in {plan}");
    }
    let refused = sandbox.ccsession(["delete", ID]).output();
    assert_eq!(refused.status.code(), Some(64));
    assert!(text(&refused.stderr).contains("nobody confirmed it; add --yes"));
    let told = with_stderr_on_a_terminal(sandbox.ccsession(["rm", ID]));
    assert_eq!(told.status, Some(64));
    assert_eq!(snapshot(&sandbox), before);
    sandbox.ccsession(["delete", "no-such", "--yes"]).refused(3);
}

#[test]
fn a_live_session_is_refused() {
    let sandbox = place();
    let before = snapshot(&sandbox);
    let refused = sandbox.ccsession(["delete", OTHER, "--yes"]).refused(75);
    assert!(refused.contains("it is live; end it first"), "{refused}");
    // One that is live keeps all of a project.
    let project = sandbox.project().display().to_string();
    sandbox
        .ccsession(["delete", "--project", &project, "--yes"])
        .refused(75);
    assert_eq!(snapshot(&sandbox), before);
}

#[test]
fn the_pointer_that_a_killed_client_left_is_deleted_with_its_session() {
    let sandbox = place();
    let name = sandbox.project().file_name().unwrap().to_owned();
    let pointer = sandbox.pointer(name.to_str().unwrap());
    let of_other = fs::read_to_string(&pointer).unwrap();
    write_private(&pointer, &of_other.replace(OTHER, ID));
    let deleted = sandbox.ccsession(["delete", ID, "--yes"]).output();
    assert!(deleted.status.success(), "{}", text(&deleted.stderr));
    assert!(!pointer.exists());
    assert!(!sandbox.session(ID).exists());
}

#[test]
fn a_session_whose_record_cannot_be_read_may_be_live_and_the_refusal_says_why() {
    let sandbox = place();
    let record = sandbox.session(OTHER).join("session.json");
    fs::write(&record, "{").unwrap();
    let before = snapshot(&sandbox);
    let refused = sandbox.ccsession(["delete", OTHER, "--yes"]).refused(75);
    assert!(refused.contains("it may be live: "), "{refused}");
    assert!(refused.contains("session.json"), "{refused}");
    assert!(!refused.contains("it is live"), "{refused}");
    assert_eq!(snapshot(&sandbox), before);
}

#[test]
fn transcripts_are_removed_only_if_that_is_asked_for() {
    let sandbox = place();
    let claude = sandbox.home().join(".claude");
    for name in [
        format!("projects/-shop/{ID}/subagents/agent-a.jsonl"),
        format!("file-history/{ID}/a@v1"),
        format!("todos/{ID}-agent-{ID}.json"),
    ] {
        put(&claude.join(name), "x");
    }
    let others = claude.join(format!("todos/{ID}0.json"));
    put(&others, "x");
    sandbox
        .ccsession(["delete", ID, "--yes", "--transcripts"])
        .stdout();
    let mut left = Vec::new();
    walk(&claude, &mut |path| left.push(path.to_owned()));
    left.sort();
    assert_eq!(left, [transcript(&sandbox, OTHER), others]);
}

#[test]
fn a_project_is_deleted_as_a_whole() {
    let sandbox = place();
    let end = event("SessionEnd", OTHER, json!({"reason": "other"}));
    sandbox.hook(&end).env("CLAUDE_PID", as_client()).silent();
    let project = sandbox.project().display().to_string();
    let said = sandbox
        .ccsession(["delete", "--project", &project, "--yes", "--json"])
        .json();
    assert_eq!(said["sessions"].as_array().unwrap().len(), 2);
    let sessions = fs::read_dir(sandbox.state().join("sessions")).unwrap();
    assert_eq!(sessions.count(), 0);
}

#[test]
fn a_deletion_that_is_killed_anywhere_is_completed_by_the_next() {
    if !can_inject() {
        return;
    }
    let sandbox = place();
    let before = sandbox.path("before");
    copy_as_it_is(&sandbox.state(), &before);
    let mut killed = 0;
    for number in 1.. {
        fs::remove_dir_all(sandbox.state()).unwrap();
        copy_as_it_is(&before, &sandbox.state());
        let mut run = sandbox.run("strace");
        run.command
            .args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={CALLS}"),
            ])
            .args(["-e", &format!("inject={CALLS}:signal=KILL:when={number}")])
            .args([CCSESSION, "delete", ID, "--yes"]);
        let output = run.output();
        if output.status.signal().is_none() && output.status.success() {
            break;
        }
        killed += 1;
        // Readers stumble over nothing.
        sandbox.ccsession(["list", "--all", "--json"]).json();
        sandbox.ccsession(["archive", "list"]).stdout();
        if number % 2 == 0 {
            sandbox.ccsession(["cleanup"]).output();
        }
        let again = delete(&sandbox).output();
        // After the last step there is nothing left to delete.
        assert!(
            matches!(again.status.code(), Some(0 | 3)),
            "{number}: {again:?}"
        );
        crate::support::tracing::age_leftovers(&sandbox);
        sandbox.ccsession(["cleanup"]).output();
        assert_gone(&sandbox);
    }
    assert!(killed > 8, "{killed}");
}

#[test]
fn a_session_that_cannot_be_deleted_keeps_no_other() {
    let sandbox = place();
    let third = "7d6a6a4d-1111-4222-8333-444455556666";
    for (name, more) in [
        ("SessionStart", json!({"source": "startup"})),
        ("SessionEnd", json!({"reason": "other"})),
    ] {
        sandbox.hook(&event(name, third, more)).silent();
    }
    let end = event("SessionEnd", OTHER, json!({"reason": "other"}));
    sandbox.hook(&end).env("CLAUDE_PID", as_client()).silent();
    // The note that a session was deleted cannot be written.
    let note = ccsession::model::project::fingerprint("unrecorded", OTHER);
    fs::create_dir_all(sandbox.state().join("unrecorded").join(note)).unwrap();
    let delete = ["delete", ID, OTHER, third, "--yes"];
    let output = sandbox.ccsession(delete).output();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stdout} {stderr}");
    assert!(stdout.starts_with("deleted 2 sessions"), "{stdout}");
    let said = format!("could not delete session {OTHER} completely: ");
    assert!(stderr.contains(&said), "{stderr}");
    assert!(!sandbox.session(ID).exists() && !sandbox.session(third).exists());
    assert!(sandbox.session(OTHER).exists());
}
