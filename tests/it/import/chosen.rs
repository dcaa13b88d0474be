//! Which transcripts are imported, and what is left out and named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::{RUN_A, RUN_C, all, check_same, messages, said, transcripts};
use crate::support::transcripts::{copy_tree, put, put_lines};
use crate::support::{ID, Sandbox, data};

#[test]
fn one_transcript_one_project_or_all_can_be_imported() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.path("kept"));
    copy_tree(&data("transcripts/c"), &sandbox.path("kept"));
    let project = sandbox.path("kept/-home-dev-shop");
    let one = project.join(format!("{RUN_A}.jsonl"));
    let dry = |path: &Path| {
        let run = sandbox
            .ccsession(["import", "--dry-run", "--json"])
            .arg(path);
        let report = run.json();
        assert_eq!(report["dry_run"], true);
        report["sessions"].clone()
    };
    assert_eq!(dry(&one), 1);
    assert_eq!(dry(&project), 2);
    assert_eq!(dry(&sandbox.path("kept")), 2);
    assert!(!sandbox.state().exists(), "a dry run writes nothing");
    sandbox
        .ccsession(["import"])
        .arg(&one)
        .expect(0, "imported 1 session, 11 events\n", "");
}

#[test]
fn sessions_are_chosen_by_project_and_by_time() {
    let sandbox = Sandbox::new();
    for (name, id, day) in [("shop", "s-1", "01"), ("else", "s-2", "20")] {
        let cwd = sandbox.path(name);
        fs::create_dir_all(&cwd).unwrap();
        let line = json!({"type": "user", "uuid": id, "sessionId": id, "cwd": cwd, "promptId": "p",
            "timestamp": format!("2026-03-{day}T12:00:00Z"), "message": {"content": "hello"}});
        put_lines(
            &sandbox.projects().join(name).join(format!("{id}.jsonl")),
            &[line],
        );
    }
    let chosen = |option: &str, value: &str| {
        let run = sandbox.ccsession(["import", "--dry-run", "--json", option, value]);
        run.json()["sessions"].clone()
    };
    assert_eq!(chosen("--project", "."), 1);
    fs::remove_dir(sandbox.path("else")).unwrap();
    assert_eq!(chosen("--project", "../else"), 1);
    assert_eq!(chosen("--since", "2026-03-10"), 1);
    assert_eq!(chosen("--since", "2026-03-01T12:00:00Z"), 2);
    assert_eq!(chosen("--since", "1000000d"), 2);
    let refused = sandbox.ccsession(["import", "--since", "soon"]).refused(64);
    assert_eq!(
        refused,
        "ccsession: invalid --since `soon`: expected `today`, `yesterday`, a weekday (`monday`), a time (`14:30`), \
         how long ago (`3h`, `2w`), a date (`2026-11-01`), a month (`2026-11`), a year (`2026`), or a time of RFC 3339 \
         (`2026-11-20T14:00:00Z`)"
    );
}

#[test]
fn a_path_without_transcripts_is_refused() {
    let sandbox = Sandbox::new();
    let missing = sandbox.path("missing");
    let said = sandbox.ccsession(["import"]).arg(&missing).refused(3);
    assert_eq!(
        said,
        format!(
            "ccsession: could not find `{}`; give the PATH of a transcript, of a folder of them, or of a bundle",
            missing.display()
        )
    );
    let said = sandbox.ccsession(["import"]).refused(3);
    assert_eq!(
        said,
        format!(
            "ccsession: could not find a transcript: there is no folder `{}`, which Claude Code creates with its first session; if its transcripts are elsewhere, give their PATH",
            sandbox.home().join(".claude/projects").display()
        )
    );
    let empty = sandbox.project();
    let said = sandbox.ccsession(["import"]).arg(&empty).refused(3);
    assert_eq!(
        said,
        format!(
            "ccsession: could not find a transcript in `{}`; if they are elsewhere, give the PATH of a transcript or of a folder of them",
            empty.display()
        )
    );
}

#[test]
fn labels_follow_the_capture_level() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    sandbox
        .ccsession(["import"])
        .env("CCSESSION_CAPTURE", "metadata")
        .expect(0, "imported 1 session, 11 events\n", "");
    assert!(
        sandbox
            .imported(RUN_A)
            .iter()
            .all(|event| event.get("what").is_none())
    );
    sandbox
        .ccsession(["import"])
        .expect(0, "imported 1 session, 0 events\n", "");
    assert_eq!(
        all(&sandbox.imported(RUN_A), "PreToolUse", "what")[0],
        "/home/dev/shop/new.txt"
    );
}

#[test]
fn a_file_that_is_not_a_transcript_is_skipped_and_named() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    let folder = sandbox.projects().join("-home-dev-shop");
    let real = folder.join(format!("{RUN_A}.jsonl"));
    put(&folder.join("nuls.jsonl"), [0; 5000]);
    put(&folder.join("bad name.jsonl"), "{}\n");
    put(&folder.join("copied.jsonl"), fs::read(&real).unwrap());
    std::os::unix::fs::symlink(&real, folder.join("link.jsonl")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("fifo.jsonl"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    put(
        &folder.join("agent-a1.jsonl"),
        "{\"type\":\"user\",\"sessionId\":\"gone\"}\n",
    );
    put(&folder.join("empty.jsonl"), "");
    let output = sandbox.ccsession(["import"]).output();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "imported 1 session, 11 events; 7 files were left out\n",
        "{said}"
    );
    for (name, why) in [
        ("nuls.jsonl", "it has no line of a conversation"),
        ("bad name.jsonl", "its name is not a session id"),
        ("copied.jsonl", "its lines belong to session"),
        ("link.jsonl", "it is a symbolic link"),
        ("fifo.jsonl", "it is not a regular file"),
        ("agent-a1.jsonl", "there is no transcript of its session"),
        ("empty.jsonl", "it has no line of a conversation"),
    ] {
        let line = said.lines().find(|line| line.contains(name));
        assert!(
            line.is_some_and(|line| line.contains(why)),
            "{name}: {said}"
        );
    }
}

#[test]
fn transcripts_with_a_second_hard_link_are_read() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/c"), &sandbox.projects());
    let plain = Sandbox::new();
    copy_tree(&data("transcripts/c"), &plain.projects());
    plain.import();
    // A backup as `cp -al` makes it.
    let backup = sandbox.path("backup");
    for path in transcripts(&sandbox.projects()).into_keys() {
        let copy = backup.join(path.strip_prefix(sandbox.projects()).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::hard_link(&path, copy).unwrap();
    }
    for path in [&sandbox.projects(), &backup] {
        sandbox.ccsession(["import"]).arg(path).stdout();
        check_same(&sandbox.imported(RUN_C), &plain.imported(RUN_C), "linked");
    }
    assert_eq!(messages(&sandbox, RUN_C), messages(&plain, RUN_C));
    let others = sandbox.projects().join("-home-dev-shop/writable.jsonl");
    put(&others, "{}\n");
    fs::set_permissions(&others, fs::Permissions::from_mode(0o666)).unwrap();
    let said = sandbox.ccsession(["import"]).output().stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("others may write to it"), "{said}");
}

#[test]
fn whole_records_are_read_whatever_surrounds_them() {
    let ask = |number| {
        said(
            number,
            "user",
            &format!("question {number} with \u{2028} and \u{85}"),
        )
    };
    let tell = |number| said(number, "assistant", &format!("answer {number}"));
    let half = |record: String| record[..record.len() / 2].to_owned();
    let zeros = "\0".repeat(5000);
    let lines = [
        format!("\u{feff}{}\r\n", ask(1)),
        format!("{}{}\n", tell(2), ask(3)),
        format!("{}{}\n", half(tell(4)), ask(5)),
        format!("{zeros}{}{zeros}\n", tell(6)),
        format!(
            "{}\n",
            ask(7).replace("question", r"\ud83d question \udc00")
        ),
        format!("{}\u{feff}{}", tell(8), ask(9)),
    ];
    let mut text = lines.concat().into_bytes();
    // One byte that is not UTF-8.
    let place = text
        .windows(8)
        .position(|bytes| bytes == b"answer 8")
        .unwrap();
    text[place] = 0xff;
    let sandbox = Sandbox::new();
    put(&sandbox.projects().join(format!("shop/{ID}.jsonl")), &text);
    let run = sandbox.ccsession(["import"]);
    let told = run.output();
    assert_eq!(
        String::from_utf8_lossy(&told.stderr),
        "ccsession: skipped 1 line damaged\n"
    );
    let prompts = all(&sandbox.imported(ID), "UserPromptSubmit", "ts");
    assert_eq!(prompts.len(), 5);
    assert_eq!(messages(&sandbox, ID), 3);
    let archived = sandbox.ccsession(["clock-out", ID]).stdout();
    let archived = fs::read_to_string(archived.trim_end()).unwrap();
    for words in [
        "question 1",
        "answer 2",
        "question 3",
        "question 5",
        "answer 6",
        "7 with",
        "nswer 8",
        "question 9",
    ] {
        assert!(archived.contains(words), "{words}");
    }
}
