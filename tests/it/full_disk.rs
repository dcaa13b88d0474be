//! A file system that fills up in the middle of `ccsession clock-out`: the command reports it, the session and its previous
//! archive stay as they were, and with free space again the session is archived.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::archives::{begun, said, write};
use crate::support::namespaces::in_own_mounts;
use crate::support::torture::is_torture;
use crate::support::{CCSESSION, ID, Run, Sandbox, walk};

/// How the files end that a clock-out writes, in its order.
const KINDS: [&str; 9] = [
    "archive.lock",
    "archive.pending",
    ".agent-a1.jsonl.zst",
    ".events.jsonl.zst",
    ".jsonl.zst",
    ".txt",
    ".manifest.json.new",
    "session.json",
    "log.jsonl",
];

/// Words that hardly get smaller.
fn noise(seed: u64, size: usize) -> String {
    let digest = |number: u64| Sha256::digest((seed * 1_000_000 + number).to_le_bytes());
    let words = (0..).flat_map(|number| digest(number).to_vec());
    words
        .take(size / 2)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What is in a folder, by its path in it.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    walk(folder, &mut |path| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
        found.insert(name.to_owned(), fs::read(path).unwrap());
    });
    found
}

fn below<'a>(
    content: &'a BTreeMap<String, Vec<u8>>,
    folder: &'a str,
) -> impl Iterator<Item = (&'a String, &'a Vec<u8>)> {
    content
        .iter()
        .filter(move |(name, _)| name.starts_with(folder))
}

/// How many messages the one archive has, each part of which must be as its manifest says; nothing where there is no file.
#[track_caller]
fn messages_of_the_archive(content: &BTreeMap<String, Vec<u8>>, case: &str) -> Option<u64> {
    let files: BTreeMap<&String, &Vec<u8>> = below(content, "archive/").collect();
    if files.is_empty() {
        return None;
    }
    let (place, manifest) = files
        .iter()
        .find(|(name, _)| name.ends_with(".manifest.json"))
        .unwrap_or_else(|| panic!("{case}: {:?}", files.keys()));
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    let parts = manifest["parts"].as_array().unwrap();
    for part in parts {
        let name =
            place.rsplit_once('/').unwrap().0.to_owned() + "/" + part["name"].as_str().unwrap();
        let digest: String = Sha256::digest(files[&name])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(part["sha256"], digest, "{case}: {name}");
    }
    assert_eq!(files.len(), parts.len() + 1, "{case}: {:?}", files.keys());
    manifest["messages"].as_u64()
}

/// How a command that the script ran ended: its status, stdout and stderr.
#[track_caller]
fn ended(sandbox: &Sandbox, name: &str) -> [String; 3] {
    ["status", "out", "err"]
        .map(|ending| fs::read_to_string(sandbox.path(&format!("{name}.{ending}"))).unwrap())
}

/// Clocks out where so many KiB are `free`, and again where there is room; the state directory is in `failed` after the
/// first time, and in `after` in the end. Whether that is possible here is the answer.
#[track_caller]
fn clock_out_twice(sandbox: &Sandbox, free: u64) -> bool {
    let place = sandbox.path("full");
    fs::create_dir(&place).unwrap();
    let script = format!(
        "mount -t tmpfs -o mode=0700,size=4m none '{place}' || exit 9
        cp -Rp '{state}' '{place}/state' || exit 9
        export CCSESSION_STATE_DIR='{place}/state'
        run() {{
            name='{out}'/$1; shift
            '{CCSESSION}' \"$@\" >\"$name.out\" 2>\"$name.err\"
            echo $? >\"$name.status\"
        }}
        dd if=/dev/zero of='{place}/gap' bs=1024 count={free} 2>/dev/null
        dd if=/dev/zero of='{place}/filler' bs=4096 2>/dev/null
        rm '{place}/gap'
        run full clock-out {ID}
        cp -Rp '{place}/state' '{out}/failed' || exit 9
        rm '{place}/filler'
        run again clock-out {ID}
        run verify archive verify
        cp -Rp '{place}/state' '{out}/after' || exit 9",
        place = place.display(),
        state = sandbox.state().display(),
        out = sandbox.path("").display(),
    );
    let run = in_own_mounts(sandbox, &script);
    let is_possible = run.is_some();
    run.into_iter().for_each(Run::silent);
    is_possible
}

/// Asserts that the session is as it was `before`, and that the archive is that one or the new one. Which file could not be
/// written is the answer; none where it fitted.
#[track_caller]
fn check_failed(
    sandbox: &Sandbox,
    before: &BTreeMap<String, Vec<u8>>,
    case: &str,
) -> Option<&'static str> {
    let failed = content(&sandbox.path("failed"));
    let is_left = |name: &&String| name.contains(".ccsession-") || name.ends_with(".new");
    let left: Vec<&String> = failed.keys().filter(is_left).collect();
    assert_eq!(left, [""; 0], "{case}");
    let now = messages_of_the_archive(&failed, case);
    let was = messages_of_the_archive(before, case);
    for (name, bytes) in below(before, "sessions/") {
        // Tokens may have been counted meanwhile; that an archive is complete is noted after it is.
        let may_change =
            name.ends_with("/usage.json") || name.ends_with("/session.json") && now != was;
        if !may_change {
            assert!(failed.get(name) == Some(bytes), "{case}: {name}");
        }
    }
    let [status, out, err] = ended(sandbox, "full");
    if status == "0\n" {
        assert_eq!((now, err.as_str()), (Some(2), ""), "{case}");
        return None;
    }
    assert_eq!(
        (status.as_str(), out.as_str()),
        ("1\n", ""),
        "{case}: {err}"
    );
    if now == was {
        for (name, bytes) in below(before, "archive/") {
            assert_eq!(failed.get(name), Some(bytes), "{case}: {name}");
        }
    } else {
        assert_eq!(now, Some(2), "{case}");
    }
    let said = err.strip_prefix("ccsession: could not ").unwrap();
    let (file, why) = said.rsplit_once('`').unwrap();
    assert_eq!(why, ": No space left on device\n", "{case}: {err}");
    let kind = KINDS.into_iter().find(|kind| file.ends_with(kind));
    assert!(kind.is_some(), "{case}: {err}");
    kind
}

/// Asserts that the second time the session was archived, whole.
#[track_caller]
fn check_archived(sandbox: &Sandbox, case: &str) {
    let [status, out, err] = ended(sandbox, "again");
    assert_eq!((status.as_str(), err.as_str()), ("0\n", ""), "{case}");
    assert!(
        out.ends_with(&format!("-general-{ID}.txt\n")),
        "{case}: {out}"
    );
    let verified = ["0\n", "1 archive is complete and undamaged\n", ""].map(str::to_owned);
    assert_eq!(ended(sandbox, "verify"), verified, "{case}");
    let after = content(&sandbox.path("after"));
    assert_eq!(messages_of_the_archive(&after, case), Some(2), "{case}");
    let record = &after[&format!("sessions/{ID}/session.json")];
    let record: Value = serde_json::from_slice(record).unwrap();
    assert!(record["archive"]["place"].is_string(), "{case}");
}

#[track_caller]
fn check(has_archive: bool) {
    let mut failures = BTreeSet::new();
    let mut last = None;
    // From no room to enough; in small steps where the last and smallest files are written.
    let step = if is_torture() { 4 } else { 28 };
    for free in (0..112).step_by(step).chain((112..180).step_by(4)) {
        let case = format!("{free} KiB");
        let sandbox = Sandbox::archiving();
        let transcript = begun(&sandbox, json!({}));
        let folder = transcript.with_extension("");
        let texts = [(1, 40_000), (2, 40_000), (3, 20_000)].map(|(seed, size)| noise(seed, size));
        let [one, two, agents] = [0, 1, 2].map(|at| texts[at].as_str());
        write(&folder.join("subagents/agent-a1.jsonl"), said(&[agents]));
        if has_archive {
            write(&transcript, said(&[one]));
            sandbox.ccsession(["clock-out", ID]).stdout();
        }
        write(&transcript, said(&[one, two]));
        let before = content(&sandbox.state());
        if !clock_out_twice(&sandbox, free) {
            return;
        }
        last = check_failed(&sandbox, &before, &case);
        failures.extend(last);
        check_archived(&sandbox, &case);
    }
    assert_eq!(last, None, "in the end there was room enough");
    assert!(failures.len() > 4, "{failures:?}");
}

#[test]
fn a_disk_that_fills_up_leaves_the_session_and_no_part_of_an_archive() {
    check(false);
}

#[test]
fn a_disk_that_fills_up_leaves_the_archive_of_before() {
    check(true);
}
