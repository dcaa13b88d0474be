//! Archives: what they hold, that they are whole or not there, and that a transcript comes back from one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::archives::{
    NONE, a_day_later, begun, clock_out, decompressed, ended, files, manifest, said, write,
};
use crate::support::transcripts::copy_tree;
use crate::support::{
    ID, Run, Sandbox, as_client, data, event, json_lines, mode, text, wait_until,
};

const RUN_A: &str = "2f09356b-a939-40a2-8915-584394440829";
const RUN_C: &str = "65dd02b6-7134-4576-a982-e8658c4175aa";

/// A sandbox with a recorded transcript and the session that it is of on record.
fn recorded(name: &str) -> Sandbox {
    let sandbox = Sandbox::archiving();
    copy_tree(
        &data(&format!("transcripts/{name}")),
        &sandbox.home().join(".claude/projects"),
    );
    sandbox.ccsession(["import"]).stdout();
    sandbox
}

/// `golden` with the times that differ from run to run as they are in `text`.
fn check_golden(text: &str, golden: &str) {
    let exported = text
        .lines()
        .find(|line| line.starts_with("Exported: "))
        .unwrap();
    let at = exported.strip_prefix("Exported: ").unwrap();
    chrono::NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M:%S%.6f").unwrap();
    assert_eq!(text, golden.replace("Exported: {now}", exported));
}

/// In the older tools, the messages of users were lost.
#[test]
fn the_text_of_a_recorded_session_is_what_was_said() {
    let sandbox = recorded("a");
    let path = sandbox
        .ccsession([
            "clock-out",
            RUN_A,
            "--description",
            "A look around\nat notes",
        ])
        .env("TZ", "UTC")
        .stdout();
    let path = Path::new(path.trim_end());
    assert_eq!(
        path.file_name().unwrap(),
        &*format!("2026-11-20-general-{RUN_A}.txt")
    );
    let golden = fs::read_to_string(data("archives/a.txt")).unwrap();
    check_golden(&fs::read_to_string(path).unwrap(), &golden);
    assert_eq!(mode(path), 0o600);
}

/// In the older tools, the calls of real transcripts were lost.
#[test]
fn tool_calls_are_in_the_text_where_they_are_asked_for() {
    let sandbox = recorded("a");
    let path = sandbox
        .ccsession(["clock-out", RUN_A, "--tools"])
        .env("TZ", "UTC")
        .stdout();
    let golden = fs::read_to_string(data("archives/a.tools.txt")).unwrap();
    check_golden(&fs::read_to_string(path.trim_end()).unwrap(), &golden);
}

#[test]
fn subagents_transcripts_and_the_journal_are_in_the_archive_too() {
    let sandbox = recorded("c");
    let path = sandbox
        .ccsession(["clock-out", RUN_C])
        .env("TZ", "UTC")
        .stdout();
    let golden = fs::read_to_string(data("archives/c.txt")).unwrap();
    check_golden(&fs::read_to_string(path.trim_end()).unwrap(), &golden);

    let manifest = manifest(&sandbox);
    let kinds: Vec<&str> = manifest["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["kind"].as_str().unwrap())
        .collect();
    let count = |kind| kinds.iter().filter(|it| **it == kind).count();
    assert_eq!(
        [
            count("text"),
            count("transcript"),
            count("subagent"),
            count("journal")
        ],
        [1, 1, 5, 1]
    );
    for part in manifest["parts"].as_array().unwrap() {
        let path = files(&sandbox)[0].with_file_name(part["name"].as_str().unwrap());
        let Some(original) = part["original"].as_str() else {
            continue;
        };
        let original = sandbox.home().join(".claude/projects").join(original);
        assert_eq!(decompressed(&path), fs::read(original).unwrap());
    }
    let journal = files(&sandbox)
        .into_iter()
        .find(|path| path.to_str().unwrap().ends_with(".events.jsonl.zst"));
    let journal = text(&decompressed(&journal.unwrap()));
    let events = journal.lines().filter(|line| !line.is_empty()).count();
    assert_eq!(
        events,
        json_lines(&sandbox.session(RUN_C).join("transcript.jsonl")).len()
    );
    assert_eq!(manifest["messages"], 6);
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive as written\n", "");
}

/// In the older tools, the copy of the transcript was not redacted.
#[test]
fn secrets_are_taken_out_of_the_copy_and_the_text_and_every_line_stays_json() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    let key = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let lines = [
        json!({"type": "user", "uuid": "u-1", "message": {"role": "user", "content": format!("use {key} here")}}),
        json!({"type": "assistant", "uuid": "u-2", "signature": "sig", "message": {"content": [{"type": "text", "text": "done"}], "id": "msg_1"}}),
    ];
    let text_of = |lines: &[Value]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    write(&path, text_of(&lines));
    let archived = clock_out(&sandbox, &["--description", &format!("with {key}")]);
    let copy = text(&decompressed(&archived.with_extension("jsonl.zst")));
    let copied: Vec<Value> = copy
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        copied[0]["message"]["content"],
        "use [redacted:github] here"
    );
    assert_eq!(copied[1], lines[1], "ids and signatures stay");
    for path in files(&sandbox) {
        let bytes = match path.extension().unwrap() == "zst" {
            true => decompressed(&path),
            false => fs::read(&path).unwrap(),
        };
        assert!(!text(&bytes).contains(&key), "{path:?}");
    }
    assert_eq!(manifest(&sandbox)["redacted"], json!({"github": 1}));
}

/// In the older tools, clocked out from another directory or again, a session was not found.
#[test]
fn a_second_time_is_the_same_answer_and_writes_nothing() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let first = clock_out(&sandbox, &[]);
    let before = sandbox.files();
    let content = fs::read(&first).unwrap();
    assert_eq!(clock_out(&sandbox, &[]), first);
    assert_eq!(
        sandbox
            .ccsession(["clock-out", ID])
            .dir("/")
            .stdout()
            .trim_end(),
        first.to_str().unwrap()
    );
    assert_eq!(sandbox.files(), before);
    assert_eq!(fs::read(&first).unwrap(), content);
    let answer = sandbox.ccsession(["clock-out", ID, "--json"]).json();
    assert_eq!(
        (&answer["was_there"], &answer["messages"]),
        (&json!(true), &json!(1))
    );
}

/// In the older tools, a second attempt overwrote the first, file by file.
#[test]
fn what_has_grown_is_archived_anew_under_the_same_name() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let first = clock_out(&sandbox, &[]);
    write(&transcript, said(&["one", "two"]));
    assert_eq!(clock_out(&sandbox, &["--description", "both"]), first);
    let shown = fs::read_to_string(&first).unwrap();
    assert!(
        shown.contains("two") && shown.contains("Description: both\n"),
        "{shown}"
    );
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive as written\n", "");
    assert_eq!(files(&sandbox).len(), 4);
}

#[test]
fn a_transcript_that_the_client_deleted_or_cut_stays_archived() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one", "two"]));
    let first = clock_out(&sandbox, &[]);
    let content = fs::read(&first).unwrap();
    write(&transcript, said(&["one"]));
    assert_eq!(clock_out(&sandbox, &[]), first);
    fs::remove_file(&transcript).unwrap();
    assert_eq!(clock_out(&sandbox, &["--description", "later"]), first);
    assert_eq!(fs::read(&first).unwrap(), content);
    assert_eq!(sandbox.record(ID)["description"], "later");
}

/// A process can be killed between the two: the archive is there, and the record does not say so yet.
#[test]
fn an_archive_that_the_record_does_not_name_is_not_replaced_by_less() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one", "two"]));
    let first = clock_out(&sandbox, &[]);
    let content = fs::read(&first).unwrap();
    let mut record = sandbox.record(ID);
    record["archive"] = Value::Null;
    record["focus"] = json!("named since");
    write(
        &sandbox.session(ID).join("session.json"),
        record.to_string(),
    );
    fs::remove_file(&transcript).unwrap();
    assert_eq!(clock_out(&sandbox, &[]), first);
    assert_eq!(fs::read(&first).unwrap(), content);
    assert!(sandbox.record(ID)["archive"]["place"].is_string());
}

/// In the older tools, without a transcript it was a success, nothing was archived, and the session was deleted.
#[test]
fn without_a_transcript_the_archive_says_so_and_holds_what_was_recorded() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let call = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "ls", "description": "List files"}});
    sandbox
        .hook(&event("PreToolUse", ID, call.clone()))
        .silent();
    let mut done = call;
    done["duration_ms"] = json!(38);
    done["tool_response"] = json!({"stdout": ""});
    sandbox.hook(&event("PostToolUse", ID, done)).silent();
    let output = sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stderr).contains("found no transcript"),
        "{}",
        text(&output.stderr)
    );
    let shown = fs::read_to_string(text(&output.stdout).trim_end()).unwrap();
    assert!(shown.contains("[no transcript was found"), "{shown}");
    assert!(shown.contains("  Bash: ok, 38 ms, List files\n"), "{shown}");
    assert!(
        shown.ends_with("End of session (0 messages)\n".to_owned().as_str())
            || shown.contains("End of session (0 messages)")
    );
    assert_eq!(manifest(&sandbox)["transcript"]["path"], Value::Null);
}

#[test]
fn several_transcripts_are_all_archived_and_one_can_be_given() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let projects = sandbox.home().join(".claude/projects");
    let [one, two] =
        ["-one", "-two"].map(|folder| projects.join(folder).join(format!("{ID}.jsonl")));
    write(&one, said(&["in one"]));
    write(&two, said(&["in two"]));
    let shown = fs::read_to_string(clock_out(&sandbox, &[])).unwrap();
    assert!(
        shown.contains("in one") && shown.contains("in two"),
        "{shown}"
    );
    let third = sandbox.path("elsewhere/three.jsonl");
    write(&third, said(&["in three"]));
    let path = clock_out(&sandbox, &["--transcript", third.to_str().unwrap()]);
    let shown = fs::read_to_string(path).unwrap();
    for words in ["in one", "in two", "in three"] {
        assert!(shown.contains(words), "{shown}");
    }
}

/// The first file that mentions the id is not taken for the transcript; the long form is in `clock_out`.
#[test]
fn a_transcript_is_found_by_its_own_lines_and_never_by_a_mention() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let folder = sandbox.home().join(".claude/projects/-elsewhere");
    for number in 0..20 {
        let id = format!("aaaaaaaa-0000-4000-8000-{number:012}");
        let line = json!({"type": "user", "sessionId": id, "message": {"content": format!("what about {ID}?")}});
        write(&folder.join(format!("{id}.jsonl")), format!("{line}\n"));
    }
    write(&folder.join("renamed.jsonl"), said(&["mine"]));
    let path = clock_out(&sandbox, &[]);
    assert!(fs::read_to_string(path).unwrap().contains("mine"));
}

#[test]
fn for_a_command_that_no_client_joined_no_transcript_is_looked_through() {
    let sandbox = Sandbox::archiving();
    let folder = sandbox.home().join(".claude/projects/-elsewhere");
    write(&folder.join("renamed.jsonl"), said(&["mine"]));
    sandbox
        .ccsession(["run", "--session-id", ID, "--", "true"])
        .stdout();
    let archived = |sandbox: &Sandbox| {
        let archived = sandbox.ccsession(["clock-out", ID]).output();
        assert_eq!(archived.status.code(), Some(0));
        let shown = sandbox.ccsession(["archive", "show", ID]).stdout();
        shown.contains("mine")
    };
    assert!(!archived(&sandbox));
    sandbox
        .hook(&event("UserPromptSubmit", ID, json!({"prompt": "x"})))
        .silent();
    sandbox
        .hook(&event("SessionEnd", ID, json!({"reason": "other"})))
        .silent();
    assert!(archived(&sandbox));
}

#[test]
fn a_transcript_that_moved_into_a_worktree_is_followed() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let moved = sandbox
        .home()
        .join(format!(".claude/projects/-shop-worktree/{ID}.jsonl"));
    write(&moved, said(&["over here"]));
    let other = sandbox
        .home()
        .join(format!(".claude/projects/-other/{ID}.jsonl"));
    write(&other, said(&["not this"]));
    sandbox
        .hook(&event("Stop", ID, json!({"transcript_path": moved})))
        .silent();
    let path = clock_out(&sandbox, &[]);
    assert!(fs::read_to_string(path).unwrap().contains("over here"));
}

/// Backups make such links, of the session's own files, too.
#[test]
fn a_transcript_with_a_second_hard_link_is_archived() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let agent = transcript
        .with_extension("")
        .join("subagents/agent-a1.jsonl");
    for path in [&transcript, &agent] {
        write(path, said(&["linked"]));
        fs::hard_link(path, path.with_extension("backup")).unwrap();
    }
    let text = clock_out(&sandbox, &[]);
    assert!(fs::read_to_string(&text).unwrap().contains("linked"));
    let copy = text.with_extension("agent-a1.jsonl.zst");
    assert_eq!(decompressed(&copy), said(&["linked"]).as_bytes());
    let journal = sandbox.session(ID).join("events.jsonl");
    fs::hard_link(&journal, sandbox.path("linked")).unwrap();
    write(&transcript, said(&["linked", "and more"]));
    let text = clock_out(&sandbox, &[]);
    assert!(fs::read_to_string(&text).unwrap().contains("and more"));
}

/// A focus can hold anything that a name cannot; the long form is in `clock_out`.
#[test]
fn any_focus_is_one_safe_name_and_the_original_is_kept_inside() {
    let long = "x/".repeat(5000);
    for (focus, part) in [
        ("fix/ci-337", "fix-ci-337"),
        ("../../etc", "etc"),
        ("", "general"),
        ("---", "general"),
        ("a\u{7}\nb\tc", "a-b-c"),
        (&long, ""),
    ] {
        let sandbox = Sandbox::archiving();
        let transcript = begun(&sandbox, json!({}));
        write(&transcript, said(&["one"]));
        let path = sandbox.session(ID).join("session.json");
        let mut record = sandbox.record(ID);
        record["focus"] = json!(focus);
        write(&path, record.to_string());
        let archived = clock_out(&sandbox, &[]);
        let name = archived.file_name().unwrap().to_str().unwrap();
        assert!(name.len() < 130 && name.contains(part), "{name}");
        assert_eq!(
            archived.parent().unwrap().parent().unwrap(),
            sandbox.state().join("archive")
        );
        assert_eq!(manifest(&sandbox)["focus"], focus);
    }
}

/// In the older tools, what was no object made everything fail, or was thrown away.
#[test]
fn a_record_that_is_no_record_is_refused_and_kept() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let path = sandbox.session(ID).join("session.json");
    for bad in ["[]", r#"{"v":99}"#] {
        write(&path, bad);
        let refused = sandbox.ccsession(["clock-out", ID]).refused(1);
        assert!(refused.contains(path.to_str().unwrap()), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), bad);
        assert_eq!(files(&sandbox), NONE);
    }
}

/// In the older tools, never recorded, gone, and archived already were one error.
#[test]
fn never_recorded_pruned_and_archived_before_are_three_answers() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    sandbox.ccsession(["clock-out", "ffff"]).refused(3);
    let path = clock_out(&sandbox, &[]);

    fs::remove_dir_all(sandbox.session(ID)).unwrap();
    assert_eq!(
        clock_out(&sandbox, &[]),
        path,
        "the record is gone, the archive is not"
    );

    let prune = |more: &[&str]| {
        let run = sandbox.ccsession(["archive", "prune", "--older-than", "1us"]);
        more.iter().fold(run, |run, argument| run.arg(argument))
    };
    let said = prune(&[]).output();
    assert!(
        text(&said.stdout).contains("; --yes removes them"),
        "{}",
        text(&said.stdout)
    );
    assert_eq!(files(&sandbox).len(), 4, "it only says so");
    prune(&["--yes"]).stdout();
    assert_eq!(files(&sandbox), NONE);
    let refused = sandbox.ccsession(["clock-out", ID]).refused(7);
    assert!(refused.contains("it was pruned on"), "{refused}");
}

#[test]
fn a_bit_that_changed_and_a_file_that_is_gone_are_found() {
    let sandbox = recorded("c");
    sandbox.ccsession(["clock-out", RUN_C]).stdout();
    let parts: Vec<PathBuf> = files(&sandbox)
        .into_iter()
        .filter(|path| path.extension().unwrap() != "json")
        .collect();
    assert_eq!(parts.len(), 8);
    for path in &parts {
        let good = fs::read(path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 0x10;
        fs::write(path, &bad).unwrap();
        let said = sandbox.ccsession(["archive", "verify", RUN_C]).refused(1);
        assert!(
            said.contains(path.to_str().unwrap()) && said.contains("is changed"),
            "{said}"
        );
        sandbox.ccsession(["archive", "restore", RUN_C]).refused(1);
        fs::write(path, &good).unwrap();
    }
    fs::remove_file(&parts[0]).unwrap();
    assert!(
        sandbox
            .ccsession(["archive", "verify"])
            .refused(1)
            .contains("is missing")
    );
}

#[test]
fn a_transcript_is_restored_to_where_it_was_and_never_over_a_file() {
    let sandbox = recorded("c");
    sandbox.ccsession(["clock-out", RUN_C]).stdout();
    let projects = sandbox.home().join(".claude/projects");
    let kept = sandbox.path("kept");
    fs::rename(&projects, &kept).unwrap();
    let written = sandbox.ccsession(["archive", "restore", RUN_C]).stdout();
    assert_eq!(written.lines().count(), 6);
    for path in written.lines().map(Path::new) {
        let original = kept.join(path.strip_prefix(&projects).unwrap());
        assert_eq!(fs::read(path).unwrap(), fs::read(original).unwrap());
    }
    let main = PathBuf::from(written.lines().last().unwrap());
    assert_eq!(
        main.file_stem().unwrap(),
        RUN_C,
        "the session's own comes last"
    );
    write(&main, "mine\n");
    let again = sandbox.ccsession(["archive", "restore", RUN_C]).output();
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(
        text(&again.stderr).matches("it is there already").count(),
        6
    );
    assert_eq!(fs::read_to_string(main).unwrap(), "mine\n");
}

#[test]
fn a_manifest_that_leads_elsewhere_restores_nothing() {
    let sandbox = recorded("c");
    sandbox.ccsession(["clock-out", RUN_C]).stdout();
    let path = files(&sandbox)
        .into_iter()
        .find(|path| path.to_str().unwrap().ends_with(".manifest.json"))
        .unwrap();
    let good = manifest(&sandbox);
    for original in ["../../x.jsonl", "/etc/x.jsonl", "", "a/../../x"] {
        let mut bad = good.clone();
        for part in bad["parts"].as_array_mut().unwrap() {
            part["original"] = json!(original);
        }
        write(&path, bad.to_string());
        sandbox.ccsession(["archive", "restore", RUN_C]).refused(1);
    }
    let mut bad = good;
    bad["parts"][0]["name"] = json!("../../sessions/x.txt");
    write(&path, bad.to_string());
    assert!(
        sandbox
            .ccsession(["archive", "verify"])
            .refused(1)
            .contains("no part of the archive")
    );
}

#[test]
fn archives_are_listed_shown_and_searched() {
    let sandbox = recorded("a");
    copy_tree(
        &data("transcripts/c"),
        &sandbox.home().join(".claude/projects"),
    );
    sandbox.ccsession(["import"]).stdout();
    for id in [RUN_A, RUN_C] {
        sandbox.ccsession(["clock-out", id]).stdout();
    }
    let list = sandbox.ccsession(["archive", "list"]).stdout();
    assert_eq!(list.lines().count(), 3, "{list}");
    let found = sandbox.ccsession(["archive", "list", "--json"]).json();
    assert_eq!(found["archives"].as_array().unwrap().len(), 2);
    for (option, value, count) in [
        ("--focus", "general", 0),
        ("--role", "x", 0),
        ("--since", "2020-01-01", 2),
        ("--since", "1us", 0),
        // It is not there any more, or was somewhere else.
        ("--project", "/home/dev/shop", 2),
        ("--project", "shop", 2),
        ("--project", "/", 0),
    ] {
        let found = sandbox
            .ccsession(["archive", "list", "--json", option, value])
            .json();
        assert_eq!(
            found["archives"].as_array().unwrap().len(),
            count,
            "{option} {value}"
        );
    }
    let unknown = sandbox.ccsession(["archive", "list", "--project", "sho"]);
    unknown.refused(1).contains("could not find `sho`");
    assert_eq!(
        sandbox
            .ccsession(["archive", "search", "--ids", "WAS DONE"])
            .output()
            .status
            .code(),
        Some(3)
    );
    let found = sandbox
        .ccsession(["archive", "search", "--ids", "two AT once"])
        .stdout();
    assert_eq!(found, format!("{RUN_C}\n"));
    let found = sandbox
        .ccsession(["archive", "search", "I will look around"])
        .stdout();
    assert!(
        found.starts_with(&format!("{RUN_A}:")) && found.ends_with(": I will look around.\n"),
        "{found}"
    );
    let shown = sandbox.ccsession(["archive", "show", &RUN_A[..6]]).stdout();
    assert!(shown.contains("[user]\nRUN:a please go\n"), "{shown}");
    let transcript = sandbox
        .ccsession(["archive", "show", RUN_A, "--transcript"])
        .stdout();
    assert_eq!(
        transcript,
        fs::read_to_string(
            sandbox
                .home()
                .join(format!(".claude/projects/-home-dev-shop/{RUN_A}.jsonl"))
        )
        .unwrap()
    );
    sandbox.ccsession(["archive", "show", "ffff"]).refused(3);
}

#[test]
fn what_was_said_moves_no_cursor_when_it_is_shown() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(
        &transcript,
        said(&["red \u{1b}[31m and \u{202e}back\u{9b}1m\ttab"]),
    );
    clock_out(&sandbox, &[]);
    for verb in ["show", "search"] {
        let last = if verb == "show" { ID } else { "red" };
        let shown = sandbox.ccsession(["archive", verb, last]).stdout();
        assert!(shown.contains("\ttab"), "{shown}");
        let hostile = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || c == '\u{202e}';
        assert!(!shown.contains(hostile), "{shown:?}");
    }
}

/// Waits for what the hooks have left behind.
fn wait_for(sandbox: &Sandbox, what: &str) {
    println!("{what}");
    wait_until(|| {
        files(sandbox)
            .iter()
            .any(|path| path.to_str().unwrap().ends_with(".manifest.json"))
    });
}

/// The start of another session, by a client that runs.
fn another_start(sandbox: &Sandbox) {
    let start = event("SessionStart", "another", json!({"source": "startup"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
}

#[test]
fn however_a_session_ends_it_is_archived_at_the_next_start() {
    for reason in ["prompt_input_exit", "clear", "logout", "other"] {
        let sandbox = Sandbox::archiving();
        let transcript = begun(&sandbox, json!({}));
        write(&transcript, said(&["remember me"]));
        ended(&sandbox, reason);
        assert_eq!(files(&sandbox), NONE, "the hook only marks it");
        assert!(sandbox.state().join("ended").join(ID).exists());
        another_start(&sandbox);
        wait_for(&sandbox, reason);
        let record = sandbox.record(ID);
        assert_eq!(record["end_reason"], reason);
        assert!(record["ended_at"].is_string());
    }
}

#[test]
fn a_session_whose_client_was_killed_is_archived_at_the_next_start() {
    let sandbox = Sandbox::archiving();
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    write(&path, said(&["remember me"]));
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "startup", "transcript_path": path}),
    );
    // It says nothing any more.
    let script = format!(
        "CLAUDE_PID=$$ {}; exit $?",
        env!("CARGO_BIN_EXE_session-start")
    );
    let client = sandbox.run("/bin/sh").arg("-c").arg(script);
    client.stdin(start.to_string()).silent();
    another_start(&sandbox);
    wait_for(&sandbox, "killed");
    assert_eq!(sandbox.record(ID)["end_reason"], "abandoned");
    let list = sandbox
        .ccsession(["list", "--state", "abandoned", "--json"])
        .json();
    assert_eq!(list["sessions"][0]["session_id"], ID);
}

/// The time of the journal's file comes from a clock that ticks seldom, and whoever copies files may lose it.
#[test]
fn a_session_whose_client_was_killed_ended_with_its_last_event() {
    let sandbox = Sandbox::archiving();
    let script = format!(
        "CLAUDE_PID=$$ {}; exit $?",
        env!("CARGO_BIN_EXE_session-start")
    );
    let client = sandbox.run("/bin/sh").arg("-c").arg(script);
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    client.stdin(start.to_string()).silent();
    crate::support::states::age(&sandbox, ID, 60);
    sandbox.ccsession(["cleanup", "--quiet"]).silent();
    let told = sandbox.journal(ID).pop().unwrap();
    for noted in [&sandbox.record(ID), &manifest(&sandbox)] {
        assert_eq!(noted["ended_at"], told["ts"]);
    }
    assert_eq!(sandbox.record(ID)["end_reason"], "abandoned");
}

/// To a hook that sees the client end, the launcher still has the session.
#[test]
fn a_session_of_a_launcher_is_archived_when_its_command_has_ended() {
    for (command, status, outcome) in [("true", 0, "completed"), ("false", 1, "failed")] {
        let sandbox = Sandbox::archiving();
        let run = sandbox.ccsession(["run", "--session-id", ID, "--focus", "r", "--", command]);
        run.expect(status, "", "");
        let report = sandbox.ccsession(["cleanup", "--json"]).json();
        assert_eq!(report["archived"], 1);
        let manifest = manifest(&sandbox);
        let kept = (&manifest["focus"], &manifest["record"]["outcome"]);
        assert_eq!(kept, (&json!("r"), &json!(outcome)));
        assert_eq!(manifest["ended_at"], sandbox.record(ID)["ended_at"]);
    }
}

#[test]
fn a_session_that_made_room_for_another_is_archived() {
    let sandbox = Sandbox::archiving();
    let clock_in = |id: &str| {
        let run = sandbox.ccsession(["clock-in", "--quiet", "--session", id]);
        run.env("CCSESSION_MAX_CONCURRENT_SESSIONS", "1").stdout();
    };
    clock_in(ID);
    crate::support::states::age(&sandbox, ID, 2 * 60 * 60);
    clock_in("another");
    let report = sandbox.ccsession(["cleanup", "--if-due", "--json"]).json();
    assert_eq!(report["archived"], 1);
    let manifest = manifest(&sandbox);
    let kept = (&manifest["session_id"], &manifest["record"]["end_reason"]);
    assert_eq!(kept, (&json!(ID), &json!("idle")));
}

#[test]
fn a_cleanup_archives_what_has_ended_and_says_so_before() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["remember me"]));
    ended(&sandbox, "other");
    let output = sandbox.ccsession(["cleanup", "--dry-run"]).output();
    assert!(text(&output.stderr).contains(&format!("would archive session {ID}: it has ended")));
    assert_eq!(files(&sandbox), NONE);
    let report = sandbox.ccsession(["cleanup", "--if-due", "--json"]).json();
    assert_eq!(report["archived"], 1);
    assert_eq!(files(&sandbox).len(), 4);
    assert_eq!(
        sandbox.ccsession(["cleanup", "--json"]).json()["archived"],
        0
    );
}

/// The client writes what a session cost some 170 ms after the hook of its end, while the next session's start has it archived.
#[test]
fn what_the_client_writes_after_the_end_is_archived_by_the_next_cleanup() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let mark = sandbox.state().join("ended").join(ID);
    let archives = || {
        let cleanup = sandbox.ccsession(["cleanup", "--if-due", "--json"]);
        cleanup.json()["archived"] == 1
    };
    write(&transcript, said(&["remember me"]));
    ended(&sandbox, "clear");
    assert!(archives());
    let late = format!("{}{{\"type\":\"cost-state\"}}\n", said(&["remember me"]));
    write(&transcript, &late);
    assert!(archives());
    let copy = files(&sandbox).into_iter();
    let copy = copy.map(|path| path.display().to_string());
    let copy = copy.filter(|path| path.ends_with(&format!("{ID}.jsonl.zst")));
    let copies: Vec<String> = copy.collect();
    assert_eq!(decompressed(Path::new(&copies[0])), late.as_bytes());
    // Where nothing has changed, nothing is written again, and soon nobody looks any more.
    let before = manifest(&sandbox);
    assert!(!archives() && mark.exists());
    assert_eq!(manifest(&sandbox), before);
    crate::support::states::age(&sandbox, ID, 11);
    archives();
    assert!(!mark.exists());
}

#[test]
fn nothing_is_archived_by_itself_where_that_is_not_wanted() {
    for (file, content) in [
        (
            "home/.config/ccsession/config.toml",
            "[archive]\nauto = false\n",
        ),
        ("home/.claude/settings.json", r#"{"cleanupPeriodDays": 7}"#),
    ] {
        let sandbox = Sandbox::archiving();
        write(&sandbox.path(file), content);
        let transcript = begun(&sandbox, json!({}));
        write(&transcript, said(&["forget me"]));
        ended(&sandbox, "other");
        sandbox.ccsession(["cleanup"]).stdout();
        assert_eq!(files(&sandbox), NONE, "{file}");
        assert!(clock_out(&sandbox, &[]).exists(), "asked for, it is");
    }
    let sandbox = Sandbox::archiving();
    write(
        &sandbox.path("home/.claude/settings.json"),
        r#"{"cleanupPeriodDays": 7}"#,
    );
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["remember me"]));
    ended(&sandbox, "other");
    sandbox
        .ccsession(["cleanup"])
        .env("CCSESSION_ARCHIVE_AUTO", "true")
        .stdout();
    assert_eq!(files(&sandbox).len(), 4);
}

#[test]
fn an_archive_folder_that_is_not_ours_alone_is_refused() {
    for bad in ["a link", "open to others"] {
        let sandbox = Sandbox::archiving();
        begun(&sandbox, json!({}));
        let folder = sandbox.state().join("archive");
        if bad == "a link" {
            fs::create_dir(sandbox.path("elsewhere")).unwrap();
            symlink(sandbox.path("elsewhere"), &folder).unwrap();
        } else {
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let refused = sandbox.ccsession(["clock-out", ID]).refused(1);
        assert!(refused.contains(folder.to_str().unwrap()), "{refused}");
        assert_eq!(sandbox.record(ID)["archive"], Value::Null);
    }
}

#[test]
fn a_live_session_is_archived_and_goes_on() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "resume", "transcript_path": transcript}),
    );
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    clock_out(&sandbox, &[]);
    assert_eq!(sandbox.ccsession(["current"]).stdout(), format!("{ID}\n"));
    assert_eq!(sandbox.record(ID)["ended_at"], Value::Null);
}

/// Two hooks of one SessionEnd, registered twice, append in any order.
#[test]
fn of_two_ends_the_later_counts_in_whatever_order_they_are_on_record() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    ended(&sandbox, "logout");
    let later = sandbox.journal(ID).pop().unwrap();
    let mut earlier = later.clone();
    earlier["ts"] = json!("2026-01-01T00:00:00.000000Z");
    earlier["reason"] = json!("other");
    let journal = sandbox.session(ID).join("events.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{text}{earlier}\n")).unwrap();
    clock_out(&sandbox, &[]);
    let record = sandbox.record(ID);
    let end = (&record["ended_at"], &record["end_reason"]);
    assert_eq!(end, (&later["ts"], &later["reason"]));
}

#[test]
fn a_session_that_has_ended_says_so_once_it_is_clocked_out() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    ended(&sandbox, "logout");
    let told = sandbox.journal(ID).pop().unwrap();
    let first = clock_out(&sandbox, &[]);
    for noted in [&sandbox.record(ID), &manifest(&sandbox)["record"]] {
        let end = (&noted["ended_at"], &noted["end_reason"]);
        assert_eq!(end, (&told["ts"], &told["reason"]));
    }
    assert_eq!(manifest(&sandbox)["ended_at"], told["ts"]);
    assert_eq!(clock_out(&sandbox, &[]), first);
    let report = sandbox.ccsession(["cleanup", "--json"]).json();
    assert_eq!(report["archived"], 0);
}

#[test]
fn many_at_once_give_one_archive() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let paths: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<Run> = (0..12)
            .map(|_| sandbox.ccsession(["clock-out", ID]))
            .collect();
        let running: Vec<_> = runs
            .into_iter()
            .map(|run| scope.spawn(|| run.stdout()))
            .collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive as written\n", "");
    assert_eq!(files(&sandbox).len(), 4);
}

/// In the older tools, nothing was written in one step. Kills `ccsession clock-out` at random moments, while the
/// transcript grows: there is always a whole archive or none, and never one with less in it than before.
#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_half_is_there() {
    let rounds = if std::env::var_os("CCSESSION_TORTURE").is_some() {
        1000
    } else {
        60
    };
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let words: Vec<String> = (0..200)
        .map(|number| format!("word {number} {}", "x".repeat(2000)))
        .collect();
    let mut messages = 0;
    for round in 0..rounds {
        let count = (round % 200) + 1;
        if round % 200 == 0 {
            let _ = fs::remove_dir_all(sandbox.state().join("archive"));
            messages = 0;
        }
        let texts: Vec<&str> = words[..count].iter().map(String::as_str).collect();
        write(&transcript, said(&texts));
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ccsession"))
            .args(["clock-out", ID])
            .env_clear()
            .env("HOME", sandbox.home())
            .env("CCSESSION_STATE_DIR", sandbox.state())
            .env("CCSESSION_POINTER_DIR", sandbox.pointers())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros((round as u64 * 7919) % 30_000));
        let _ = child.kill();
        child.wait().unwrap();
        let output = sandbox.ccsession(["archive", "verify"]).output();
        assert!(
            output.status.success(),
            "round {round}: {}",
            text(&output.stderr)
        );
        let listed = sandbox.ccsession(["archive", "list", "--json"]).json();
        if let Some(archive) = listed["archives"].as_array().unwrap().first() {
            let now = archive["manifest"]["messages"].as_u64().unwrap();
            assert!(now >= messages, "round {round}: {now} after {messages}");
            messages = now;
        }
    }
    let path = clock_out(&sandbox, &[]);
    let last = ((rounds - 1) % 200) + 1;
    assert!(fs::read_to_string(path).unwrap().ends_with(&format!(
        "End of session ({last} messages)\n{}",
        "=".repeat(80)
    )));
    assert!(
        files(&sandbox)
            .iter()
            .all(|path| !path.to_str().unwrap().ends_with(".new"))
    );
}

#[test]
fn what_was_said_since_it_was_archived_is_archived_before_a_session_goes() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let text = clock_out(&sandbox, &[]);
    write(&transcript, said(&["one", "and another"]));
    ended(&sandbox, "other");
    let cleanup = |retention: &str| {
        a_day_later(&sandbox);
        let run = sandbox.ccsession(["cleanup", "--json"]);
        let run = run.env("CCSESSION_ARCHIVE_AUTO", "false");
        run.env("CCSESSION_RETENTION_SESSIONS", retention).json()["pruned"].clone()
    };
    assert_eq!(cleanup("90d"), 0);
    assert!(!fs::read_to_string(&text).unwrap().contains("and another"));
    // Somebody has noted the end; only then is it known how long it is kept.
    let mut record = sandbox.record(ID);
    record["ended_at"] = json!("2026-01-01T00:00:00.000000Z");
    record["end_reason"] = json!("other");
    write(
        &sandbox.session(ID).join("session.json"),
        record.to_string(),
    );
    assert_eq!(cleanup("1us"), 1);
    assert!(fs::read_to_string(&text).unwrap().contains("and another"));
}

/// In the older tools, what was old went without being archived. So did what could not be archived.
#[test]
fn what_was_kept_for_long_enough_goes_once_it_is_archived_and_not_before() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    ended(&sandbox, "other");
    let cleanup = |auto: &str, retention: &str| {
        a_day_later(&sandbox);
        sandbox
            .ccsession(["cleanup", "--json"])
            .env("CCSESSION_ARCHIVE_AUTO", auto)
            .env("CCSESSION_RETENTION_SESSIONS", retention)
            .json()
    };
    assert_eq!(cleanup("false", "1us")["pruned"], 0, "it is not archived");
    assert!(sandbox.session(ID).exists());
    ended(&sandbox, "other");
    assert_eq!(cleanup("true", "90d")["pruned"], 0, "not yet");
    let text = files(&sandbox)
        .into_iter()
        .find(|path| path.extension().unwrap() == "txt")
        .unwrap();
    let good = fs::read(&text).unwrap();
    fs::write(&text, "changed").unwrap();
    assert_eq!(
        cleanup("true", "1us")["pruned"],
        0,
        "the archive is not whole"
    );
    fs::write(&text, good).unwrap();
    assert_eq!(cleanup("true", "1us")["pruned"], 1);
    assert!(!sandbox.session(ID).exists());
    assert_eq!(clock_out(&sandbox, &[]), text, "the archive is there");

    a_day_later(&sandbox);
    let cleanup = sandbox
        .ccsession(["cleanup"])
        .env("CCSESSION_RETENTION_ARCHIVE", "1us");
    cleanup.stdout();
    assert_eq!(files(&sandbox), NONE);
    sandbox.ccsession(["clock-out", ID]).refused(7);
}

#[test]
fn once_a_day_what_live_sessions_have_said_since_is_archived() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "resume", "transcript_path": transcript}),
    );
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    for texts in [&["one"][..], &["one", "two"]] {
        write(&transcript, said(texts));
        a_day_later(&sandbox);
        sandbox.ccsession(["cleanup"]).stdout();
        assert_eq!(manifest(&sandbox)["messages"], texts.len());
    }
    assert_eq!(sandbox.ccsession(["current"]).stdout(), format!("{ID}\n"));
}

/// The first cleanup of a day is left behind by a start, so it meets a session that has just begun.
#[test]
fn a_live_session_that_has_said_nothing_is_archived_by_nobody_but_a_person() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    for arguments in [
        &["cleanup", "--json", "--dry-run"][..],
        &["cleanup", "--json"],
    ] {
        assert_eq!(sandbox.ccsession(arguments).json()["archived"], 0);
    }
    assert_eq!(files(&sandbox), NONE);
    let output = sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(files(&sandbox).len(), 3);
}
