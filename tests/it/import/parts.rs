//! Transcripts that are cut, copied or continued: an import removes nothing, and adds what is missing.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::{Ending, RUN_A, RUN_C, Random, Script, all, calls, check_same, transcripts};
use crate::support::transcripts::{copy_tree, put, put_lines};
use crate::support::{Sandbox, data};

#[test]
fn importing_a_part_removes_nothing_and_the_rest_adds_what_is_missing() {
    for (run, id) in [("a", RUN_A), ("c", RUN_C)] {
        let sandbox = Sandbox::just_swept();
        copy_tree(&data("transcripts").join(run), &sandbox.projects());
        let whole = transcripts(&sandbox.projects());
        sandbox.import();
        let imported = sandbox.imported(id);
        for cut in 0..=20 {
            for (path, lines) in &whole {
                put_lines(path, &lines[..lines.len() * cut / 20]);
            }
            sandbox.ccsession(["import"]).output();
            check_same(
                &sandbox.imported(id),
                &imported,
                &format!("{run}: the first {cut}/20"),
            );
            for (path, lines) in &whole {
                put_lines(path, &lines[lines.len() * cut / 20..]);
            }
            sandbox.ccsession(["import"]).output();
            check_same(
                &sandbox.imported(id),
                &imported,
                &format!("{run}: without {cut}/20"),
            );

            // The other way round: first a part, then all.
            let grown = Sandbox::just_swept();
            for (path, lines) in &whole {
                let path = grown
                    .projects()
                    .join(path.strip_prefix(sandbox.projects()).unwrap());
                put_lines(&path, &lines[..lines.len() * cut / 20]);
            }
            grown.ccsession(["import"]).output();
            for (path, lines) in &whole {
                let path = grown
                    .projects()
                    .join(path.strip_prefix(sandbox.projects()).unwrap());
                put_lines(&path, lines);
            }
            grown.import();
            check_same(
                &grown.imported(id),
                &imported,
                &format!("{run}: {cut}/20, then all"),
            );
        }
    }
}

#[test]
fn an_older_copy_in_another_folder_removes_nothing() {
    let sandbox = Sandbox::new();
    let mut random = Random(5);
    let mut script = Script::new("s-1", "p");
    for _ in 0..3 {
        script.turn(&mut random);
    }
    put(&sandbox.projects().join("p/s-1.jsonl"), script.text());
    sandbox.import();
    let state = sandbox.snapshot(&sandbox.session("s-1"));
    let backup = sandbox.path("backup");
    for kept in 1..script.lines.len() {
        put_lines(&backup.join("p/s-1.jsonl"), &script.lines[..kept]);
        sandbox.ccsession(["import"]).arg(&backup).output();
        assert!(sandbox.snapshot(&sandbox.session("s-1")) == state, "{kept}");
    }
}

#[test]
fn a_turn_that_continued_has_not_ended_early() {
    let sandbox = Sandbox::new();
    let mut script = Script::new("s-1", "p");
    let path = sandbox.projects().join("p/s-1.jsonl");
    script.prompt();
    // Old clients write no reason, so that this may be the last word.
    script.line(
        None,
        "assistant",
        json!({"message": {"content": [{"type": "text", "text": "let me see"}]}}),
    );
    put(&path, script.text());
    sandbox.import();
    let ends = || all(&sandbox.imported("s-1"), "Stop", "ts");
    let early = ends();
    assert_eq!(early.len(), 1);
    script.call(None, "Bash", Ending::Ok);
    put(&path, script.text());
    sandbox.import();
    assert_eq!(ends(), [""; 0]);
    script.word(None);
    put(&path, script.text());
    sandbox.import();
    let late = ends();
    assert!(late.len() == 1 && late != early, "{late:?}");
}

#[test]
fn copied_messages_move_to_their_session_once_it_is_imported() {
    let sandbox = Sandbox::new();
    let mut origin = Script::new("a-origin", "p");
    origin.prompt();
    origin.call(None, "Bash", Ending::Ok);
    let mut fork = origin.fork("b-fork");
    fork.prompt();
    let calls_of = |id: &str| calls(&sandbox.imported(id)).len();
    let folder = sandbox.projects().join("p");
    put(&folder.join("b-fork.jsonl"), fork.text());
    sandbox.import();
    assert_eq!(calls_of("b-fork"), 1);
    put(&folder.join("a-origin.jsonl"), origin.text());
    let modified = UNIX_EPOCH + Duration::from_secs(1);
    let file = fs::File::options()
        .write(true)
        .open(folder.join("a-origin.jsonl"));
    file.unwrap().set_modified(modified).unwrap();
    sandbox.import();
    assert_eq!((calls_of("a-origin"), calls_of("b-fork")), (1, 0));
}
