//! `ccsession clock-out` where older tools went wrong: another session's transcript, names that collide or are too long,
//! damaged transcripts, secrets, what an interrupted removal left.

use std::fs;

use serde_json::json;

use crate::archive::{NONE, begun, clock_out, decompressed, files, manifest, said, write};
use crate::support::{ID, Sandbox, text};

fn verified(sandbox: &Sandbox, archives: &str) {
    let said = format!("{archives} as written\n");
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, &said, "");
}

#[test]
fn an_archive_is_not_replaced_by_one_with_less_of_the_journal() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let first = clock_out(&sandbox, &[]);
    let events = first.with_extension("events.jsonl.zst");
    let journal = decompressed(&events);
    assert!(text(&journal).contains("SessionStart"));
    // A removal that was interrupted took it; or it was cut.
    fs::remove_file(sandbox.session(ID).join("events.jsonl")).unwrap();
    assert_eq!(clock_out(&sandbox, &["--description", "later"]), first);
    assert_eq!(decompressed(&events), journal);
    // What is said from then on is not lost for that.
    write(&transcript, said(&["one", "two"]));
    assert_eq!(clock_out(&sandbox, &[]), first);
    assert_eq!(manifest(&sandbox)["messages"], 2);
    verified(&sandbox, "1 archive");
}

#[test]
fn a_removal_that_was_interrupted_is_ended_by_the_next_look() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let path = clock_out(&sandbox, &[]).with_extension("manifest.json");
    let killed_while_it_removed = path.with_extension("json.gone");
    fs::rename(&path, &killed_while_it_removed).unwrap();
    fs::remove_file(path.with_extension("").with_extension("txt")).unwrap();
    let listed = sandbox.ccsession(["archive", "list", "--json"]).json();
    assert_eq!(listed["archives"], json!([]));
    assert_eq!(files(&sandbox), NONE);
}

#[test]
fn what_a_killed_process_wrote_under_a_temporary_name_goes_with_the_next_archive() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let path = clock_out(&sandbox, &[]);
    let left = path.with_file_name(".ccsession-tmp-0123456789abcdef");
    write(&left, "a part of something");
    write(&transcript, said(&["one", "two"]));
    clock_out(&sandbox, &[]);
    assert_eq!(files(&sandbox).len(), 4);
    assert!(!left.exists());
}
