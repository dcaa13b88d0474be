//! What archives keep of subagents besides their transcripts: the client's note on each, and files that the client has deleted since.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::settings::put;
use crate::support::{ID, Sandbox, event, walk};

/// As the client writes it, but for the description.
const META: &str = r#"{"agentType":"general-purpose","isBuiltIn":true,"description":"nested","toolUseId":"toolu_01A09q90qw90lq917835lq9","parentAgentId":"a0ec7ae3deba0ca6d","spawnDepth":2,"requestShape":"foreground","requestNonInteractive":true,"model":"claude-opus-5-5","finished":true}"#;

/// The folder of the session's files, with a transcript, on record.
fn session(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    let more = json!({"source": "startup", "transcript_path": path});
    sandbox.hook(&event("SessionStart", ID, more)).silent();
    put(&path, &said("begin"));
    path.with_extension("")
}

fn said(text: &str) -> String {
    let message = json!({"role": "user", "content": text});
    format!(
        "{}\n",
        json!({"type": "user", "sessionId": ID, "message": message})
    )
}

/// A subagent's transcript, and beside it what the client noted.
fn agent(session: &Path, id: &str, text: &str, meta: &str) -> [PathBuf; 2] {
    let path = session.join(format!("subagents/agent-{id}.jsonl"));
    put(&path, &said(text));
    let noted = path.with_extension("meta.json");
    put(&noted, meta);
    [path, noted]
}

fn clock_out(sandbox: &Sandbox) {
    sandbox.ccsession(["clock-out", ID]).stdout();
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive is complete and undamaged\n", "");
}

fn manifest(sandbox: &Sandbox) -> Value {
    let manifest = ["archive", "show", ID, "--manifest"];
    sandbox.ccsession(manifest).json()
}

/// How many parts of this kind the archive has.
fn parts(sandbox: &Sandbox, kind: &str) -> usize {
    let manifest = manifest(sandbox);
    let parts = manifest["parts"].as_array().unwrap().iter();
    parts.filter(|part| part["kind"] == kind).count()
}

/// The client's files, by their names.
fn client_s(sandbox: &Sandbox) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    walk(&sandbox.home().join(".claude/projects"), &mut |path| {
        found.insert(path.to_owned(), fs::read_to_string(path).unwrap());
    });
    found
}

/// What is restored where the client has nothing any more.
fn restored(sandbox: &Sandbox) -> BTreeMap<PathBuf, String> {
    fs::remove_dir_all(sandbox.home().join(".claude/projects")).unwrap();
    let written = sandbox.ccsession(["archive", "restore", ID]).stdout();
    let last = written.lines().last().unwrap();
    assert!(last.ends_with(&format!("{ID}.jsonl")), "{written}");
    client_s(sandbox)
}

#[test]
fn what_the_client_noted_of_a_subagent_is_restored_byte_by_byte() {
    let sandbox = Sandbox::archiving();
    let session = session(&sandbox);
    agent(&session, "a1", "one", META);
    // By hand, and with a line break at its end.
    let by_hand: Value = serde_json::from_str(META).unwrap();
    agent(&session, "a2", "two", &format!("{by_hand:#}\n"));
    agent(&session, "b/agent-a3", "three", META);
    let before = client_s(&sandbox);
    assert_eq!(before.len(), 7);
    clock_out(&sandbox);
    assert_eq!(
        (parts(&sandbox, "subagent"), parts(&sandbox, "meta")),
        (3, 3)
    );
    assert_eq!(restored(&sandbox), before);
}

#[test]
fn secrets_in_the_clients_note_on_a_subagent_are_redacted() {
    let sandbox = Sandbox::archiving();
    let session = session(&sandbox);
    let key = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let meta = META.replace("nested", &format!("log in with {key}"));
    let [_, noted] = agent(&session, "a1", "one", &meta);
    clock_out(&sandbox);
    assert_eq!(manifest(&sandbox)["redacted"], json!({"github": 1}));
    let expected = META.replace("nested", "log in with [redacted:github]");
    assert_eq!(restored(&sandbox)[&noted], expected);
}

#[test]
fn a_note_that_changes_is_archived_anew() {
    let sandbox = Sandbox::archiving();
    let session = session(&sandbox);
    let early = META.replace(",\"finished\":true", "");
    let [_, noted] = agent(&session, "a1", "one", &early);
    clock_out(&sandbox);
    put(&noted, META);
    clock_out(&sandbox);
    let again = sandbox.ccsession(["clock-out", ID, "--json"]).json();
    assert_eq!(again["was_there"], true);
    assert_eq!(restored(&sandbox)[&noted], META);
}

#[test]
fn an_unreadable_subagent_note_stops_nothing() {
    let sandbox = Sandbox::archiving();
    let session = session(&sandbox);
    let [_, large] = agent(&session, "a1", "one", &" ".repeat((1 << 16) + 1));
    let [_, folder] = agent(&session, "a2", "two", META);
    let [_, broken] = agent(&session, "a3", "three", "{\"agentType\":");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    clock_out(&sandbox);
    assert_eq!(
        (parts(&sandbox, "subagent"), parts(&sandbox, "meta")),
        (3, 1)
    );
    let restored = restored(&sandbox);
    assert!(!restored.contains_key(&large));
    assert_eq!(restored[&broken], "{\"agentType\":");
}

/// The client deletes what is old, each file by its own time, and the session goes on.
#[test]
fn a_subagent_that_the_client_deleted_stays_archived_when_the_session_goes_on() {
    let sandbox = Sandbox::archiving();
    let session = session(&sandbox);
    agent(&session, "a1", "one", META);
    let gone = agent(&session, "a2", "two", META);
    clock_out(&sandbox);
    let mut expected = client_s(&sandbox);
    for path in gone {
        fs::remove_file(path).unwrap();
    }
    let main = session.with_extension("jsonl");
    let more = said("begin") + &said(&"go on ".repeat(100));
    put(&main, &more);
    expected.insert(main, more);
    for _ in ["once", "again"] {
        clock_out(&sandbox);
        assert_eq!(
            (parts(&sandbox, "subagent"), parts(&sandbox, "meta")),
            (2, 2)
        );
    }
    assert_eq!(manifest(&sandbox)["messages"], 2);
    assert_eq!(restored(&sandbox), expected);
}

/// So short that all files together have less than before.
#[test]
fn messages_after_a_deletion_of_subagents_are_archived_too() {
    let sandbox = Sandbox::archiving();
    let session = session(&sandbox);
    let gone = agent(&session, "a1", &"much ".repeat(1000), META);
    let [cut, _] = agent(&session, "a2", &"much ".repeat(1000), META);
    clock_out(&sandbox);
    let mut expected = client_s(&sandbox);
    for path in gone {
        fs::remove_file(path).unwrap();
    }
    put(&cut, &said("little"));
    let again = || sandbox.ccsession(["clock-out", ID, "--json"]).json()["was_there"].clone();
    assert_eq!(again(), true, "nothing was said since");
    let main = session.with_extension("jsonl");
    let more = said("begin") + &said("go on");
    put(&main, &more);
    expected.insert(main.clone(), more);
    assert_eq!((again(), again()), (json!(false), json!(true)));
    clock_out(&sandbox);
    // A session's own that is shorter than before replaces nothing, whatever subagents say.
    put(&main, &said("begin"));
    agent(&session, "a3", &"much ".repeat(2000), META);
    assert_eq!(again(), true);
    assert_eq!(restored(&sandbox), expected);
}

/// Archives that do not say how long each transcript was go by all of them together.
#[test]
fn an_archive_without_sizes_is_replaced_only_by_a_larger_one() {
    let sandbox = Sandbox::archiving();
    let session = session(&sandbox);
    let [gone, _] = agent(&session, "a1", &"much ".repeat(100), META);
    clock_out(&sandbox);
    let mut manifest = manifest(&sandbox);
    for part in manifest["parts"].as_array_mut().unwrap() {
        part.as_object_mut().unwrap().remove("original_bytes");
    }
    let shown = sandbox.ccsession(["archive", "list", "--json"]).json();
    let path = shown["archives"][0]["manifest_path"].as_str().unwrap();
    crate::support::files::write_private(Path::new(path), &manifest.to_string());
    fs::remove_file(gone).unwrap();
    let main = session.with_extension("jsonl");
    let again = || sandbox.ccsession(["clock-out", ID, "--json"]).json()["was_there"].clone();
    put(&main, &(said("begin") + &said("go on")));
    assert_eq!(again(), true);
    put(&main, &(said("begin") + &said(&"go on ".repeat(200))));
    assert_eq!((again(), again()), (json!(false), json!(true)));
    assert_eq!(parts(&sandbox, "subagent"), 1);
}

/// A subagent's transcript in another folder of the client, to which the session moved.
fn moved_agent(sandbox: &Sandbox, folder: &str, id: &str, records: &[&str]) -> PathBuf {
    let projects = sandbox.home().join(".claude/projects");
    let main = projects.join(format!("{folder}/{ID}.jsonl"));
    put(&main, &said("begin"));
    let path = main
        .with_extension("")
        .join(format!("subagents/agent-{id}.jsonl"));
    let lines: String = records.iter().map(|text| said(text)).collect();
    put(&path, &lines);
    put(&path.with_extension("meta.json"), META);
    path
}

#[test]
fn a_subagents_transcripts_in_two_folders_are_archived_unless_one_has_all_of_the_other() {
    let sandbox = Sandbox::archiving();
    let session = session(&sandbox);
    let [here, _] = agent(&session, "a1", "here", META);
    let there = moved_agent(&sandbox, "-moved", "a1", &["there", "and more"]);
    // Of this one, the second file is a copy.
    agent(&session, "a2", "both", META);
    moved_agent(&sandbox, "-moved", "a2", &["both"]);
    let before = client_s(&sandbox);
    clock_out(&sandbox);
    assert_eq!(parts(&sandbox, "subagent"), 3);
    let copies = manifest(&sandbox)["transcript"]["copies"].clone();
    assert_eq!(copies.as_array().unwrap().len(), 2, "{copies}");
    // Nothing changes without a change.
    let archived = manifest(&sandbox);
    clock_out(&sandbox);
    assert_eq!(manifest(&sandbox), archived);
    // The client deletes one file, and writes on in the other.
    fs::remove_file(&here).unwrap();
    let grown = format!("{}{}", fs::read_to_string(&there).unwrap(), said("later"));
    put(&there, &grown);
    clock_out(&sandbox);
    assert_eq!(parts(&sandbox, "subagent"), 3);
    let after = restored(&sandbox);
    assert_eq!(after[&here], before[&here]);
    assert_eq!(after[&there], grown);
    assert_eq!(after[&here.with_extension("meta.json")], META);
    assert_eq!(after[&there.with_extension("meta.json")], META);
}

#[test]
fn tokens_of_a_subagent_are_counted_over_all_its_transcripts() {
    let sandbox = Sandbox::just_swept();
    let session = session(&sandbox);
    let used = |message: &str, uuid: &str| {
        let usage = json!({"input_tokens": 100, "output_tokens": 10});
        let message = json!({"id": message, "role": "assistant", "model": "m", "usage": usage});
        format!(
            "{}\n",
            json!({"type": "assistant", "sessionId": ID, "uuid": uuid, "isSidechain": true,
                "agentId": "a1", "message": message})
        )
    };
    let [here, _] = agent(&session, "a1", "here", META);
    put(&here, &used("m1", "u1"));
    let there = moved_agent(&sandbox, "-moved", "a1", &[]);
    put(&there, &(used("m1", "u1") + &used("m2", "u2")));
    let [third, _] = agent(&session, "b/agent-a1", "", META);
    put(&third, &used("m3", "u3"));
    let stats = sandbox.ccsession(["stats", ID, "--json"]).json();
    let tokens = stats["tokens"].as_array().unwrap();
    let input: u64 = tokens.iter().filter_map(|row| row["input"].as_u64()).sum();
    assert_eq!(input, 300, "{stats}");
}
