//! Sessions in one file: `export --format bundle` and `import FILE.bundle`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::archives::{NONE, begun, clock_out, ended, said, write};
use super::support::files::{changes, everything, snapshot};
use super::support::recordings::play;
use super::support::{ID, Run, Sandbox, as_client, event, mode, text, walk};

const OTHER: &str = "6c59583c-1111-4222-8333-444455556666";

/// Exports what `words` select, and returns the bundle.
fn bundled(sandbox: &Sandbox, words: &[&str]) -> PathBuf {
    let output = export(sandbox, words).output();
    // Whether a session is live is another test's matter.
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    sandbox.path("moved.bundle")
}

fn export(sandbox: &Sandbox, words: &[&str]) -> Run {
    let path = sandbox.path("moved.bundle");
    let fixed = ["--format", "bundle", "-o"].map(PathBuf::from);
    let words = ["export"].iter().chain(words).map(PathBuf::from);
    sandbox.ccsession(words.chain(fixed).chain([path]))
}

fn import(sandbox: &Sandbox, bundle: &Path) -> Run {
    sandbox.ccsession([Path::new("import"), bundle])
}

fn imported(sandbox: &Sandbox, bundle: &Path) -> Value {
    import(sandbox, bundle).arg("--json").json()
}

/// The files that are kept of sessions and archives.
fn kept(state: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in ["sessions", "archive"] {
        walk(&state.join(folder), &mut |path| {
            let is_here_only =
                path.ends_with("open.json") || path.parent().unwrap().ends_with("owners");
            if !is_here_only {
                let name = path.strip_prefix(state).unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        });
    }
    found
}

/// A machine with the session [`ID`], in which somebody said `texts`, and which is archived.
fn archived(texts: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(texts));
    ended(&sandbox, "exit");
    clock_out(&sandbox, &[]);
    sandbox
}

/// A full part of a journal as a cleanup compresses it.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
    compressor.include_checksum(true).unwrap();
    compressor.compress(bytes).unwrap()
}

/// The names of the events of a session.
fn events(sandbox: &Sandbox, id: &str) -> Vec<String> {
    let lines = sandbox.journal(id).into_iter();
    lines
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn sessions_move_to_another_machine_and_back_unchanged() {
    let anna = archived(&["what of the quince"]);
    let bundle = bundled(&anna, &["--all"]);
    assert_eq!(mode(&bundle), 0o600);
    let bert = Sandbox::new();
    let said = import(&bert, &bundle).stdout();
    assert_eq!(said, "imported 1 session; 1 archive\n");
    assert_eq!(kept(&bert.state()), kept(&anna.state()));
    for words in [
        &["timeline", ID][..],
        &["archive", "show", ID],
        &["archive", "verify"],
        &["search", "quince", "--ids"],
    ] {
        let say = |sandbox: &Sandbox| sandbox.ccsession(words).stdout();
        assert_eq!(say(&bert), say(&anna), "{words:?}");
    }
    let before = snapshot(&bert);
    let again = import(&bert, &bundle).stdout();
    assert_eq!(again, "imported 0 sessions; 1 was complete already\n");
    assert_eq!(changes(&before, &snapshot(&bert)), [""; 0]);
    for path in everything(&bert.state()).into_keys() {
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }

    let back = bundled(&bert, &[ID]);
    let before = snapshot(&anna);
    let returned = import(&anna, &back).stdout();
    assert_eq!(returned, "imported 0 sessions; 1 was complete already\n");
    let changed = changes(&before, &snapshot(&anna));
    assert!(
        changed.iter().all(|name| name.ends_with("incoming.lock")),
        "{changed:?}"
    );
}

#[test]
fn a_session_that_went_on_in_both_places_has_each_event_once() {
    let anna = Sandbox::new();
    begun(&anna, json!({}));
    let bert = Sandbox::new();
    imported(&bert, &bundled(&anna, &[ID]));
    let prompt = |sandbox: &Sandbox, number: u8| {
        let more = json!({"prompt_id": format!("p{number}"), "prompt": "x"});
        sandbox.hook(&event("UserPromptSubmit", ID, more)).silent();
    };
    prompt(&anna, 1);
    prompt(&bert, 2);
    ended(&bert, "exit");
    let report = imported(&anna, &bundled(&bert, &[ID]));
    assert_eq!(
        (&report["grown"], &report["events"]),
        (&json!(1), &json!(2)),
        "{report}"
    );
    let report = imported(&bert, &bundled(&anna, &[ID]));
    assert_eq!(
        (&report["grown"], &report["events"]),
        (&json!(1), &json!(1)),
        "{report}"
    );
    for sandbox in [&anna, &bert] {
        let mut names = events(sandbox, ID);
        names.sort();
        let expected = [
            "SessionEnd",
            "SessionStart",
            "UserPromptSubmit",
            "UserPromptSubmit",
        ];
        assert_eq!(names, expected);
    }
    let timeline =
        |sandbox: &Sandbox| sandbox.ccsession(["timeline", ID, "--json"]).json()["prompts"].clone();
    assert_eq!(timeline(&anna), timeline(&bert));
    let report = imported(&anna, &bundled(&bert, &[ID]));
    assert_eq!(
        (&report["grown"], &report["events"]),
        (&json!(0), &json!(0)),
        "{report}"
    );
}

#[test]
fn full_and_compressed_parts_imported_events_and_counts_are_moved() {
    let anna = archived(&["what of the quince"]);
    let folder = anna.session(ID);
    let journal = folder.join("events.jsonl");
    let whole = fs::read(&journal).unwrap();
    write(&folder.join("events.1.jsonl.zst"), compressed(&whole));
    write(&journal, "");
    for (name, content) in [
        ("transcript.jsonl", ""),
        ("usage.json", "{}\n"),
        ("title.json", "{}"),
    ] {
        write(&folder.join(name), content);
    }
    let bert = Sandbox::new();
    imported(&bert, &bundled(&anna, &["--all"]));
    assert_eq!(kept(&bert.state()), kept(&anna.state()));
    assert_eq!(
        bert.ccsession(["timeline", ID]).stdout(),
        anna.ccsession(["timeline", ID]).stdout()
    );
    let before = snapshot(&bert);
    imported(&bert, &bundled(&anna, &["--all"]));
    assert_eq!(changes(&before, &snapshot(&bert)), [""; 0]);
}

#[test]
fn a_bundle_that_was_cut_or_changed_is_refused_and_nothing_is_written() {
    let anna = archived(&["what of the quince"]);
    let bundle = bundled(&anna, &["--all"]);
    let whole = fs::read(&bundle).unwrap();
    let bert = Sandbox::new();
    let broken = bert.path("broken.bundle");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&broken, bytes).unwrap();
        let output = import(&bert, &broken).output();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {said}");
        assert_eq!(said.lines().count(), 1, "{what}: {said}");
        let left: Vec<String> = bert.files();
        let of_us = |name: &String| name.starts_with("state/") && !name.ends_with("incoming.lock");
        assert!(!left.iter().any(of_us), "{what}: {left:?}");
        assert!(!bert.state().join("sessions").exists(), "{what}");
    };
    for length in (4..whole.len()).step_by(whole.len() / 40) {
        check(&whole[..length], &format!("cut at {length}"));
    }
    let plain = zstd::decode_all(whole.as_slice()).unwrap();
    let places = (16..whole.len()).step_by(whole.len() / 40);
    let mut same = 0;
    for place in places.clone() {
        let mut changed = whole.clone();
        changed[place] ^= 0x10;
        // Rarely, other compressed bytes stand for the same content.
        match zstd::decode_all(changed.as_slice()) {
            Ok(content) if content == plain => same += 1,
            _ => check(&changed, &format!("changed at {place}")),
        }
    }
    assert!(same * 4 < places.count(), "{same} changed nothing");
    let longer = [whole.as_slice(), b"and more"].concat();
    check(&longer, "longer");
    // Consistent to the compressor, and still not as it was written.
    let mut plain = plain;
    let place = memchr::memmem::find(&plain, b"SessionStart").unwrap();
    plain[place] = b'X';
    check(
        &zstd::encode_all(plain.as_slice(), 3).unwrap(),
        "packed again",
    );
    fs::write(&broken, &whole).unwrap();
    assert_eq!(imported(&bert, &broken)["imported"], 1);
}

/// An entry of a bundle: its name, its kind and its content.
type Entry<'e> = (&'e str, tar::EntryType, &'e [u8]);

/// Makes a bundle of these entries, with right checksums.
fn forged(entries: &[Entry<'_>], head: &Value) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let hex = |bytes: &[u8]| -> String {
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let head = head.to_string();
    let mut all: Vec<Entry<'_>> = vec![("bundle.json", tar::EntryType::Regular, head.as_bytes())];
    all.extend(entries);
    let sums: Vec<Value> = all
        .iter()
        .map(|(name, _, bytes)| json!({"path": name, "bytes": bytes.len(), "sha256": hex(bytes)}))
        .collect();
    let lines: String = sums
        .iter()
        .map(|it| {
            format!(
                "{} {} {}\n",
                it["sha256"].as_str().unwrap(),
                it["bytes"],
                it["path"].as_str().unwrap()
            )
        })
        .collect();
    let sums = json!({"files": sums, "whole": hex(lines.as_bytes())}).to_string();
    all.push(("checksums.json", tar::EntryType::Regular, sums.as_bytes()));
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, bytes) in all {
        let mut header = tar::Header::new_gnu();
        // What a careful writer of tar files would refuse.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o777);
        if kind == tar::EntryType::Symlink {
            header.set_link_name("/tmp").unwrap();
        }
        header.set_cksum();
        tar.append(&header, bytes).unwrap();
    }
    zstd::encode_all(tar.into_inner().unwrap().as_slice(), 3).unwrap()
}

fn head(version: u64) -> Value {
    json!({"v": version, "made_by": "x", "made_at": "2026-11-20T12:00:00.000000Z", "sessions": [], "transcripts": true})
}

#[test]
fn a_bundle_with_paths_outside_its_sessions_writes_nothing() {
    let bert = Sandbox::new();
    let path = bert.path("evil.bundle");
    let before = everything(&bert.path(""));
    let file = tar::EntryType::Regular;
    let record = b"{}".as_slice();
    for entries in [
        vec![("../../evil", file, record)],
        vec![("/tmp/evil-of-a-bundle", file, record)],
        vec![("sessions/s-1/../../../evil", file, record)],
        vec![("sessions/s-1/run.sh", file, record)],
        vec![("sessions/s-1/owners/12-34", file, record)],
        vec![("sessions/../evil/session.json", file, record)],
        vec![("archive/../evil.txt", file, record)],
        vec![("archive/shop/x.elsewhere", file, record)],
        vec![("transcripts/../../evil.jsonl", file, record)],
        vec![("transcripts/evil.jsonl", file, record)],
        vec![("config.toml", file, record)],
        vec![("sessions/s-1/session.json", tar::EntryType::Symlink, b"")],
        vec![("sessions/s-1/session.json", tar::EntryType::Link, b"")],
        vec![("sessions/s-1/session.json", tar::EntryType::Fifo, b"")],
        vec![("sessions/s-1", tar::EntryType::Directory, b"")],
        vec![
            ("sessions/s-1/session.json", file, record),
            ("sessions/s-1/session.json", file, b"[]"),
        ],
        vec![("sessions/s-1/\u{1b}[2J", file, record)],
    ] {
        fs::write(&path, forged(&entries, &head(1))).unwrap();
        let said = import(&bert, &path).refused(1);
        assert!(
            said.contains("which is not a file of a session"),
            "{entries:?}: {said}"
        );
        assert!(!said.contains('\u{1b}'), "{said}");
        fs::remove_file(&path).unwrap();
        let known = |path: &PathBuf| before.contains_key(path);
        let new = everything(&bert.path(""))
            .into_keys()
            .filter(|path| !known(path));
        let own = [bert.state(), bert.state().join("incoming.lock")];
        let new: Vec<PathBuf> = new.filter(|path| !own.contains(path)).collect();
        assert_eq!(new, NONE, "{entries:?}");
    }
}

#[test]
fn an_invalid_or_newer_bundle_is_refused_by_name() {
    let bert = Sandbox::new();
    let path = bert.path("x.bundle");
    fs::write(&path, forged(&[], &head(2))).unwrap();
    let said = import(&bert, &path).refused(1);
    assert!(
        said.contains("bundle version 2, this program knows 1; update ccsession here"),
        "{said}"
    );
    fs::write(&path, zstd::encode_all(b"some text".as_slice(), 3).unwrap()).unwrap();
    let said = import(&bert, &path).refused(1);
    assert!(said.contains("it is not a bundle"), "{said}");
    fs::write(&path, [0x28, 0xb5, 0x2f, 0xfd, 9, 9]).unwrap();
    import(&bert, &path).refused(1);
    let record = br#"{"v":9,"session_id":"s-1"}"#;
    let good = br#"{"v":1,"session_id":"s-2","project":{"name":"shop","root":"/shop"},"cwd":null,"transcript_path":null,"source":null,"model":null,"agent_type":null,"head":null,"started_at":"2026-11-20T12:00:00.000000Z","ended_at":null,"end_reason":null,"outcome":null,"exit_status":null,"previous":null,"parent":null,"name":null,"role":null,"focus":null,"notes":null,"description":null,"machine":null,"archive":null}"#;
    let file = tar::EntryType::Regular;
    let entries: [Entry<'_>; 3] = [
        ("sessions/s-1/session.json", file, record),
        ("sessions/s-2/session.json", file, good),
        ("sessions/s-3/session.json", file, b"[]"),
    ];
    fs::write(&path, forged(&entries, &head(1))).unwrap();
    let output = import(&bert, &path).arg("--json").output();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.contains("left out session s-1: its record has format version 9"),
        "{said}"
    );
    assert!(
        said.contains("left out session s-3: its record cannot be read"),
        "{said}"
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["imported"], 1, "{report}");
    assert!(bert.session("s-2").join("session.json").exists());
    assert!(!bert.session("s-1").exists());
}

#[test]
fn deleted_and_excluded_sessions_are_imported_only_on_request() {
    let anna = archived(&["what of the quince"]);
    let bundle = bundled(&anna, &["--all"]);
    let bert = Sandbox::new();
    imported(&bert, &bundle);
    bert.ccsession(["delete", ID, "--yes"]).output();
    assert!(!bert.session(ID).exists());
    let report = imported(&bert, &bundle);
    assert_eq!(
        (&report["deleted"], &report["imported"]),
        (&json!(1), &json!(0)),
        "{report}"
    );
    assert!(!bert.session(ID).exists() && !bert.state().join("archive-ids").join(ID).exists());
    let again = import(&bert, &bundle)
        .arg("--again")
        .arg(ID)
        .arg("--json")
        .json();
    assert_eq!(
        (&again["imported"], &again["archives"]),
        (&json!(1), &json!(1)),
        "{again}"
    );
    assert!(bert.session(ID).exists());

    let carl = Sandbox::new();
    let root = anna.record(ID)["project"]["root"]
        .as_str()
        .unwrap()
        .to_owned();
    let config = carl.home().join(".config/ccsession/config.toml");
    write(&config, format!("exclude = [\"{root}\"]\n"));
    let report = imported(&carl, &bundle);
    assert_eq!(
        (&report["excluded"], &report["imported"]),
        (&json!(1), &json!(0)),
        "{report}"
    );
    assert!(!carl.session(ID).exists());
}

#[test]
fn a_dry_run_says_what_would_come_and_changes_nothing() {
    let anna = archived(&["what of the quince"]);
    let bundle = bundled(&anna, &["--all"]);
    let bert = Sandbox::new();
    let said = import(&bert, &bundle).arg("--dry-run").stdout();
    assert_eq!(said, "would import 1 session\n");
    assert!(!bert.state().exists());
    let cache = bert.home().join(".cache/ccsession");
    let left = everything(&cache).into_keys();
    let left: Vec<PathBuf> = left
        .filter(|path| !path.ends_with("incoming.lock"))
        .collect();
    assert_eq!(left, NONE);
}

#[test]
fn a_live_session_is_exported_as_it_is_and_named() {
    let anna = play("a");
    begun(&anna, json!({}));
    let output = export(&anna, &[ID]).output();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&format!(
            "session {ID} is live: the bundle has it as it is now"
        )),
        "{said}"
    );
    assert!(
        text(&output.stdout).starts_with("wrote 1 session, "),
        "{}",
        text(&output.stdout)
    );
    let bert = Sandbox::new();
    let report = imported(&bert, &anna.path("moved.bundle"));
    assert_eq!(report["bundle"]["sessions"][0]["live"], true);
    assert_eq!(events(&bert, ID), ["SessionStart"]);
    // No process here has it.
    let shown = bert.ccsession(["show", ID, "--json"]).json();
    assert_eq!(shown["owners"], json!([]), "{shown}");
}

/// Makes the record of a session one of another machine.
fn made_elsewhere(sandbox: &Sandbox, id: &str) {
    let mut record = sandbox.record(id);
    record["machine"] = "elsewhere".into();
    record["machine_id"] = "0123456789abcdef0123456789abcdef".into();
    write(
        &sandbox.session(id).join("session.json"),
        record.to_string(),
    );
}

fn state_of(sandbox: &Sandbox, id: &str) -> Value {
    sandbox.ccsession(["show", id, "--json"]).json()["state"].clone()
}

#[test]
fn a_session_that_is_live_on_another_machine_is_not_live_here() {
    let anna = Sandbox::new();
    begun(&anna, json!({}));
    made_elsewhere(&anna, ID);
    let bert = Sandbox::just_swept();
    imported(&bert, &bundled(&anna, &[ID]));
    assert_eq!(state_of(&bert, ID), "imported");
    let listed = bert.ccsession(["list", "--json"]).json();
    assert_eq!(listed["sessions"], json!([]));
    let counted = bert.ccsession(["metrics", "--json"]).json();
    assert_eq!(counted["sessions"]["active"], 0);
    assert_eq!(counted["sessions"]["imported"], 1);
    let plan = bert.ccsession(["cleanup", "--dry-run"]).stdout();
    assert!(!plan.contains("back on the live index"), "{plan}");
    let current = bert.ccsession(["current", "--json"]).json();
    assert_eq!(current["trust"], "none", "{current}");
    // A transcript of a session that began before hooks were installed here.
    let lone = bert
        .home()
        .join(format!(".claude/projects/-shop/{OTHER}.jsonl"));
    write(&lone, said(&["one"]));
    let said = text(&bert.ccsession(["doctor"]).output().stdout);
    assert!(!said.contains("hooks do not run"), "{said}");
    let deleted = bert.ccsession(["delete", ID, "--yes"]).output();
    assert_eq!(deleted.status.code(), Some(0), "{}", text(&deleted.stderr));
    assert!(!bert.session(ID).exists());
}

#[test]
fn a_session_of_another_machine_that_goes_on_here_is_live() {
    let anna = Sandbox::new();
    begun(&anna, json!({}));
    made_elsewhere(&anna, ID);
    let bert = Sandbox::just_swept();
    imported(&bert, &bundled(&anna, &[ID]));
    bert.hook(&event("SessionStart", ID, json!({"source": "resume"})))
        .env("CLAUDE_PID", as_client())
        .silent();
    assert_eq!(state_of(&bert, ID), "active");
    // And it is, although it comes from where it began once more.
    imported(&bert, &bundled(&anna, &[ID]));
    assert_eq!(state_of(&bert, ID), "active");
}

#[test]
fn transcripts_come_on_request_grow_and_are_never_lost() {
    let anna = Sandbox::new();
    let transcript = begun(&anna, json!({}));
    write(&transcript, said(&["one"]));
    let agent = transcript
        .with_extension("")
        .join("subagents/agent-a1.jsonl");
    write(&agent, said(&["of the agent"]));
    ended(&anna, "exit");
    let bert = Sandbox::new();
    let there = bert
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    imported(&bert, &bundled(&anna, &[ID]));
    assert!(!there.exists(), "only on request");
    let report = imported(&bert, &bundled(&anna, &[ID, "--transcripts"]));
    assert_eq!(report["transcripts"], 2, "{report}");
    assert_eq!(fs::read(&there).unwrap(), fs::read(&transcript).unwrap());
    let of_agent = there.with_extension("").join("subagents/agent-a1.jsonl");
    assert_eq!(fs::read(of_agent).unwrap(), fs::read(&agent).unwrap());
    let resumed = bert.ccsession(["resume", ID, "--print"]).output();
    assert!(
        text(&resumed.stdout).contains("claude --resume"),
        "{}",
        text(&resumed.stderr)
    );

    // On another machine, the path on record leads nowhere.
    let path = bert.session(ID).join("session.json");
    let mut record = bert.record(ID);
    record["transcript_path"] = there.to_str().unwrap().into();
    write(&path, record.to_string());
    // It goes on there, and comes back.
    write(&there, said(&["one", "two"]));
    let report = imported(&anna, &bundled(&bert, &[ID, "--transcripts"]));
    assert_eq!(report["transcripts"], 1, "{report}");
    assert_eq!(
        fs::read_to_string(&transcript).unwrap(),
        said(&["one", "two"])
    );
    // A shorter one changes nothing; another one is left, and said.
    write(&there, said(&["one"]));
    let report = imported(&anna, &bundled(&bert, &[ID, "--transcripts"]));
    assert_eq!(
        (&report["transcripts"], &report["left_out"]),
        (&json!(0), &json!([])),
        "{report}"
    );
    write(&there, said(&["another"]));
    let output = import(&anna, &bundled(&bert, &[ID, "--transcripts"])).output();
    let said_of = text(&output.stderr);
    assert!(
        said_of.contains("it differs from the one in the bundle"),
        "{said_of}"
    );
    assert_eq!(
        fs::read_to_string(&transcript).unwrap(),
        said(&["one", "two"])
    );
}

#[test]
fn wrong_options_of_a_bundle_are_named() {
    let anna = play("a");
    for (words, expected) in [
        (&["--all", "--format", "bundle"][..], "name it with -o FILE"),
        (
            &["--all", "--format", "bundle", "-o", "-"],
            "name it with -o FILE",
        ),
        (
            &["--all", "--format", "csv", "--transcripts"],
            "--transcripts belongs to --format bundle",
        ),
        (
            &["--all", "--format", "bundle", "--table", "calls", "-o", "x"],
            "leave --table out",
        ),
        (
            &["--all", "--format", "bundle", "--failed", "-o", "x"],
            "--failed selects calls",
        ),
    ] {
        let words = ["export"].iter().chain(words).copied();
        let said = anna.ccsession(words).refused(64);
        assert!(said.contains(expected), "{said}");
    }
    let empty = Sandbox::new();
    export(&empty, &["--all"]).refused(3);
    assert!(!empty.path("moved.bundle").exists());
}

#[test]
fn one_session_of_many_is_taken_by_project_and_time() {
    let anna = archived(&["what of the quince"]);
    anna.hook(&event(
        "SessionStart",
        OTHER,
        json!({"source": "startup", "cwd": anna.home()}),
    ))
    .silent();
    let bundle = bundled(&anna, &["--all"]);
    let bert = Sandbox::new();
    let root = anna.record(ID)["project"]["root"]
        .as_str()
        .unwrap()
        .to_owned();
    let report = import(&bert, &bundle)
        .arg("--project")
        .arg(&root)
        .arg("--json")
        .json();
    assert_eq!(
        (&report["sessions"], &report["imported"]),
        (&json!(1), &json!(1)),
        "{report}"
    );
    assert!(bert.session(ID).exists() && !bert.session(OTHER).exists());
    let report = import(&bert, &bundle)
        .arg("--since")
        .arg("2099")
        .arg("--json")
        .json();
    assert_eq!(report["sessions"], 0, "{report}");
}
