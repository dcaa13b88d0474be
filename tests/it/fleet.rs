//! Twenty machines, each with parts of the same sessions: merged from copied files or bundles, they give the same result as one
//! machine with all events.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::archives::{begun, clock_out, ended, said, write};
use super::support::files::copy_as_it_is;
use super::support::recordings::play;
use super::support::{ID, Sandbox, json_lines};

/// Recorded runs with subagents, `/clear`, failures and background tasks.
const RUNS: [&str; 3] = ["a", "c", "q"];
const MACHINES: usize = 20;
/// A session that only an import knows.
const PAST: &str = "7d6a694d-1111-4222-8333-444455556666";

/// A source of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn shuffle<T>(&mut self, things: &mut [T]) {
        for place in (1..things.len()).rev() {
            things.swap(place, self.below(place + 1));
        }
    }
}

/// One machine with everything: recorded sessions, one that is archived, one that was imported.
fn whole() -> Sandbox {
    let whole = Sandbox::new();
    let transcript = begun(&whole, json!({}));
    write(&transcript, said(&["what of the quince"]));
    ended(&whole, "exit");
    clock_out(&whole, &[]);
    let at = |second: u8| format!("2026-11-20T12:00:{second:02}.000Z");
    let lines = [
        json!({"type": "user", "uuid": "u1", "sessionId": PAST, "cwd": "/home/dev/shop", "timestamp": at(1),
            "message": {"role": "user", "content": "look"}}),
        json!({"type": "assistant", "uuid": "u2", "sessionId": PAST, "timestamp": at(2),
            "message": {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/x"}}]}}),
        json!({"type": "user", "uuid": "u3", "sessionId": PAST, "timestamp": at(3),
            "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]}}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let past = whole
        .home()
        .join(format!(".claude/projects/-home-dev-shop/{PAST}.jsonl"));
    write(&past, text);
    whole.ccsession([Path::new("import"), &past]).stdout();
    // An import does not know of which machine a transcript is.
    let mut record = whole.record(PAST);
    record["machine"] = whole.record(ID)["machine"].clone();
    write(
        &whole.session(PAST).join("session.json"),
        record.to_string(),
    );
    for run in RUNS {
        let played = play(run);
        let sessions = played.state().join("sessions");
        for entry in fs::read_dir(sessions).unwrap() {
            let entry = entry.unwrap();
            copy_as_it_is(
                &entry.path(),
                &whole.state().join("sessions").join(entry.file_name()),
            );
        }
    }
    // What is not copied, and what no other machine can have.
    fs::remove_dir_all(whole.home().join(".claude")).unwrap();
    for id in ids(&whole) {
        let folder = whole.session(&id);
        let _ = fs::remove_dir_all(folder.join("owners"));
        for name in ["events.jsonl", "transcript.jsonl"] {
            date(&folder.join(name));
        }
    }
    whole
}

fn ids(sandbox: &Sandbox) -> Vec<String> {
    let names = fs::read_dir(sandbox.state().join("sessions")).unwrap();
    let mut ids: Vec<String> = names
        .map(|name| name.unwrap().file_name().into_string().unwrap())
        .collect();
    ids.sort();
    ids
}

/// Dates a file by its last event, as it was when that was written.
fn date(journal: &Path) {
    let Ok(file) = fs::File::options().append(true).open(journal) else {
        return;
    };
    let times = json_lines(journal).into_iter();
    let last = times
        .map(|line| line["ts"].as_str().unwrap().to_owned())
        .max();
    let Some(last) = last else {
        return;
    };
    let last = chrono::DateTime::parse_from_rfc3339(&last).unwrap();
    file.set_times(fs::FileTimes::new().set_modified(last.into()))
        .unwrap();
}

/// Keeps a part of a journal, from one share of its lines to another, in percent, and the beginning of one more. What is
/// kept may be in two files, the first compressed.
fn keep(folder: &Path, (from, to): (usize, usize), is_compressed: bool) {
    let path = folder.join("events.jsonl");
    let Ok(whole) = fs::read_to_string(&path) else {
        return;
    };
    let lines: Vec<&str> = whole.lines().filter(|line| !line.is_empty()).collect();
    let place = |share: usize| lines.len() * share.min(100) / 100;
    let text = |from: usize, to: usize| -> String {
        lines[from..to]
            .iter()
            .map(|line| format!("\n{line}\n"))
            .collect()
    };
    let (from, to) = (place(from), place(to));
    let middle = from + (to - from) / 2;
    let mut rest = text(if is_compressed { middle } else { from }, to);
    if let Some(next) = lines.get(to) {
        rest += &format!("\n{}", &next[..next.len() / 2]);
    }
    if is_compressed {
        let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
        compressor.include_checksum(true).unwrap();
        let first = compressor.compress(text(from, middle).as_bytes()).unwrap();
        write(&folder.join("events.1.jsonl.zst"), first);
    }
    write(&path, rest);
}

/// Makes twenty state directories below `fleet`. Each event is in at least one of them, with the events beside it.
fn scatter(whole: &Sandbox, fleet: &Path, dice: &mut Dice) -> Vec<PathBuf> {
    fs::create_dir(fleet).unwrap();
    let step = 100 / MACHINES;
    let mut machines = Vec::new();
    for number in 0..MACHINES {
        let machine = fleet.join(format!("m{number}"));
        copy_as_it_is(&whole.state(), &machine);
        for name in ["lock", "archive.lock"] {
            let _ = fs::remove_file(machine.join(name));
        }
        for id in ids(whole) {
            let folder = machine.join("sessions").join(id);
            let from = (number * step).saturating_sub(dice.below(30));
            let to = (number + 2) * step + dice.below(30);
            let is_part = folder.join("events.jsonl").exists();
            if is_part {
                keep(&folder, (from, to), dice.below(2) == 0);
            } else if number > 0 && dice.below(3) > 0 {
                fs::remove_dir_all(&folder).unwrap();
            }
        }
        // Most copies of the archive broke off, or are not there at all.
        let archive = machine.join("archive");
        match number {
            7 => {}
            _ if dice.below(2) == 0 => fs::remove_dir_all(&archive).unwrap(),
            _ => {
                for entry in fs::read_dir(archive.join("shop")).unwrap() {
                    let path = entry.unwrap().path();
                    if path.extension().is_some_and(|end| end == "txt") {
                        write(&path, "half");
                    }
                }
            }
        }
        machines.push(machine);
    }
    machines
}

/// What the views say of all sessions, with `words` after each verb.
fn views(sandbox: &Sandbox, ids: &[String], words: &[PathBuf]) -> Vec<(String, String)> {
    let mut said = Vec::new();
    let mut ask = |verb: &[&str], hidden: &[&str]| {
        let from: &[&str] = if words.is_empty() { &[] } else { &["--from"] };
        let all = verb.iter().chain(from).map(PathBuf::from);
        let text = sandbox.ccsession(all.chain(words.iter().cloned())).stdout();
        let text = match hidden {
            [] => text,
            hidden => {
                let mut shown: Value = serde_json::from_str(&text).unwrap();
                for member in hidden {
                    shown.as_object_mut().unwrap().remove(*member);
                }
                shown.to_string()
            }
        };
        said.push((verb.join(" "), text));
    };
    ask(&["stats", "--all", "--json"], &[]);
    ask(&["export", "--all", "--format", "jsonl"], &[]);
    ask(
        &["export", "--all", "--format", "csv", "--table", "sessions"],
        &[],
    );
    ask(&["search", "quince"], &[]);
    ask(&["archive", "verify"], &[]);
    ask(&["archive", "show", ID], &[]);
    for id in ids {
        ask(&["timeline", id, "--json"], &[]);
        ask(&["show", id, "--json"], &["journal", "log"]);
    }
    said
}

#[test]
fn copies_merged_in_any_order_equal_one_machine() {
    let whole = whole();
    let ids = ids(&whole);
    let expected = views(&whole, &ids, &[]);
    for seed in [1, 2] {
        let mut dice = Dice(seed);
        let reader = Sandbox::new();
        let mut places = scatter(&whole, &reader.path("fleet"), &mut dice);
        let again = places[dice.below(MACHINES)].clone();
        places.push(again);
        dice.shuffle(&mut places);
        for ((view, said), (_, expected)) in views(&reader, &ids, &places).iter().zip(&expected) {
            assert_eq!(said, expected, "{seed}: {view}");
        }
    }
}

#[test]
fn bundles_merged_in_any_order_equal_one_machine() {
    let whole = whole();
    let ids = ids(&whole);
    let expected = views(&whole, &ids, &[]);
    let mut dice = Dice(3);
    let exporter = Sandbox::new();
    let mut machines = scatter(&whole, &exporter.path("fleet"), &mut dice);
    machines.push(machines[dice.below(MACHINES)].clone());
    dice.shuffle(&mut machines);
    let reader = Sandbox::new();
    for machine in &machines {
        fs::set_permissions(machine, fs::Permissions::from_mode(0o700)).unwrap();
        let bundle = machine.with_extension("bundle");
        let words = ["export", "--all", "--format", "bundle", "-o"].map(PathBuf::from);
        exporter
            .ccsession(words.into_iter().chain([bundle.clone()]))
            .env("CCSESSION_STATE_DIR", machine)
            .stdout();
        let words = [PathBuf::from("import"), bundle];
        reader.ccsession(words).stdout();
    }
    for ((view, said), (_, expected)) in views(&reader, &ids, &[]).iter().zip(&expected) {
        assert_eq!(said, expected, "{view}");
    }
}
