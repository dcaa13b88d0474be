//! Archives are found, checked, restored and listed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{RUN_A, RUN_C, recorded};
use crate::support::archives::{NONE, begun, clock_out, files, manifest, said, write};
use crate::support::transcripts::copy_tree;
use crate::support::{ID, Sandbox, data, text};

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
fn an_invalid_record_is_refused_and_kept() {
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
    for verb in [
        &["clock-out"][..],
        &["archive", "show"],
        &["archive", "restore"],
    ] {
        let refused = sandbox.ccsession(verb).arg(ID).refused(7);
        assert!(refused.contains("it was pruned on"), "{refused}");
    }
    sandbox.ccsession(["archive", "show", "ffff"]).refused(3);
}

#[test]
fn a_pruned_archive_is_known_by_the_title_of_its_session() {
    let sandbox = recorded("c");
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    let title = listed["sessions"][0]["title"]["text"].as_str().unwrap();
    sandbox.ccsession(["clock-out", RUN_C]).stdout();
    sandbox.ccsession(["archive", "show", title]).stdout();
    let upper = RUN_C.to_uppercase();
    sandbox.ccsession(["archive", "show", &upper]).stdout();
    sandbox
        .ccsession(["archive", "prune", "--older-than", "1us", "--yes"])
        .stdout();
    let refused = sandbox.ccsession(["archive", "show", title]).refused(7);
    assert!(refused.contains("it was pruned on"), "{refused}");
    sandbox
        .ccsession(["archive", "show", "no title"])
        .refused(3);
}

#[test]
fn a_changed_bit_and_a_missing_file_are_found() {
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
        text(&again.stderr)
            .matches("the file exists already")
            .count(),
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
            .contains("not part of the archive")
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
        ("--until", "2020-01-01", 0),
        ("--until", "1us", 2),
        // It is not there any more, or was somewhere else.
        ("--project", "/home/dev/shop", 2),
        ("--project", "shop", 2),
        ("--project", "/", 0),
        ("-p", "shop", 2),
        ("-n", "1", 1),
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
fn a_shown_archive_cannot_move_the_cursor() {
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

#[test]
fn a_missing_manifest_is_found_wherever_it_is_named() {
    let sandbox = recorded("c");
    sandbox.ccsession(["clock-out", RUN_C]).stdout();
    let all = files(&sandbox);
    let is_manifest = |path: &&PathBuf| path.to_str().unwrap().ends_with(".manifest.json");
    let manifest = all.iter().find(is_manifest).unwrap().clone();
    let text = all
        .iter()
        .find(|path| path.extension().unwrap() == "txt")
        .unwrap();
    let index = sandbox.state().join("archive-ids");
    let verified = || sandbox.ccsession(["archive", "verify"]).output();
    let doctor = || {
        let output = sandbox.ccsession(["doctor"]).output();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(verified().status.success());
    assert!(!doctor().contains("manifest"));
    let good = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    let missing = format!("`{}` is missing", manifest.display());
    let expected = "1 manifest of an archive is missing: ";
    // The record and the index name it.
    let refused = |what: &str| {
        let output = verified();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(what), "{said}");
        said
    };
    let said = refused(&missing);
    assert!(!said.contains("without a manifest"), "{said}");
    assert!(doctor().contains(expected), "{}", doctor());
    // Only the record does.
    let entries = fs::read_dir(&index).unwrap();
    let entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let entry = fs::read(&entries[0]).unwrap();
    fs::remove_file(&entries[0]).unwrap();
    refused(&missing);
    // Only the index does.
    fs::write(&entries[0], entry).unwrap();
    let record = sandbox.session(RUN_C).join("session.json");
    let mut other = sandbox.record(RUN_C);
    other["archive"] = Value::Null;
    fs::write(&record, other.to_string()).unwrap();
    refused(&missing);
    // Nothing does, and the parts are there.
    fs::remove_file(&entries[0]).unwrap();
    refused(&format!("`{}` is without a manifest", text.display()));
    assert!(
        doctor().contains("parts of an archive have no manifest: "),
        "{}",
        doctor()
    );
    fs::write(&manifest, good).unwrap();
    assert!(verified().status.success());
}
