//! Sessions that were collected from other machines: `--from`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::files::copy_as_it_is;
use super::support::recordings::play;
use super::support::{ID, Sandbox, json_lines, text};

/// Recorded runs with subagents, `/clear`, failures and background tasks.
const RUNS: [&str; 4] = ["a", "c", "q", "r"];

/// Copies the sessions of `sandbox` into the state directory at `to`, which may exist.
fn collect(sandbox: &Sandbox, to: &Path) {
    let sessions = to.join("sessions");
    fs::create_dir_all(&sessions).unwrap();
    for entry in fs::read_dir(sandbox.state().join("sessions")).unwrap() {
        let entry = entry.unwrap();
        copy_as_it_is(&entry.path(), &sessions.join(entry.file_name()));
    }
}

/// The journals below a state directory.
fn journals(state: &Path) -> Vec<PathBuf> {
    let sessions = fs::read_dir(state.join("sessions")).unwrap();
    let mut found: Vec<PathBuf> = sessions
        .map(|entry| entry.unwrap().path().join("events.jsonl"))
        .collect();
    found.sort();
    found
}

/// Dates a journal by its last event, as it was when a hook wrote that.
fn date(journal: &Path) {
    let last = json_lines(journal)
        .into_iter()
        .map(|line| line["ts"].as_str().unwrap().to_owned())
        .max();
    let last = chrono::DateTime::parse_from_rfc3339(&last.unwrap()).unwrap();
    let times = fs::FileTimes::new().set_modified(last.into());
    fs::File::options()
        .append(true)
        .open(journal)
        .unwrap()
        .set_times(times)
        .unwrap();
}

/// Keeps a part of each journal: from one share of its lines to another, in percent. A copy that
/// broke off has the beginning of one more line.
fn keep(state: &Path, from: usize, to: usize) {
    for path in journals(state) {
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.lines().filter(|line| !line.is_empty()).collect();
        let place = |share: usize| lines.len() * share / 100;
        let mut part: String = lines[place(from)..place(to)]
            .iter()
            .map(|line| format!("\n{line}\n"))
            .collect();
        if let Some(next) = lines.get(place(to)) {
            part += &format!("\n{}", &next[..next.len() / 2]);
        }
        fs::write(&path, part).unwrap();
    }
}

/// What the views say of all sessions, read with `words` after each verb.
fn views(sandbox: &Sandbox, ids: &[String], words: &[&Path]) -> Vec<String> {
    let ask = |verb: &[&str]| {
        let from = if words.is_empty() {
            &[][..]
        } else {
            &["--from"]
        };
        let verb = verb.iter().chain(from).map(PathBuf::from);
        let run = sandbox.ccsession(verb.chain(words.iter().map(|path| path.to_path_buf())));
        run.stdout()
    };
    let mut said = vec![
        ask(&["stats", "--all", "--json"]),
        ask(&["export", "--all", "--format", "jsonl"]),
        ask(&["export", "--all", "--format", "csv", "--table", "sessions"]),
    ];
    said.extend(ids.iter().map(|id| ask(&["timeline", id, "--json"])));
    said.extend(
        ids.iter()
            .map(|id| ask(&["show", id, "--json"]))
            .map(|shown| {
                let mut shown: Value = serde_json::from_str(&shown).unwrap();
                // Where it is read from differs.
                shown.as_object_mut().unwrap().remove("journal");
                shown.to_string()
            }),
    );
    said
}

#[test]
fn copies_that_overlap_are_torn_or_twice_there_are_as_one_machine_with_all() {
    let whole = Sandbox::new();
    let mut ids = Vec::new();
    for run in RUNS {
        let machine = play(run);
        collect(&machine, &whole.state());
        let names = fs::read_dir(machine.state().join("sessions")).unwrap();
        ids.extend(names.map(|name| name.unwrap().file_name().into_string().unwrap()));
    }
    journals(&whole.state())
        .iter()
        .for_each(|journal| date(journal));
    fs::set_permissions(whole.state(), fs::Permissions::from_mode(0o700)).unwrap();
    let expected = views(&whole, &ids, &[]);

    let reader = Sandbox::new();
    let place = |name: &str| reader.path("").join(name);
    for (name, from, to) in [
        ("first", 0, 60),
        ("last", 40, 100),
        ("middle", 20, 70),
        ("again", 40, 100),
    ] {
        collect(&whole, &place(name));
        keep(&place(name), from, to);
    }
    let [first, last, middle, again] = ["first", "last", "middle", "again"].map(place);
    for words in [
        vec![first.as_path(), &last],
        vec![&last, &first],
        vec![&again, &middle, &first, &last],
        vec![&middle, &again, &first],
    ] {
        for (view, expected) in views(&reader, &ids, &words).iter().zip(&expected) {
            assert_eq!(view, expected, "{words:?}");
        }
    }
    assert_eq!(views(&reader, &ids, &[&whole.state()]), expected);
    assert_nothing_left(&reader.home().join(".cache/ccsession"));
}

/// Asserts that no merged directory is left.
#[track_caller]
fn assert_nothing_left(cache: &Path) {
    let names = fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name != "collected.lock").collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_directory_of_machines_names_those_whose_records_do_not() {
    let reader = Sandbox::new();
    let fleet = reader.path("fleet");
    collect(&play("a"), &fleet.join("anna"));
    collect(&play("c"), &fleet.join("bert/.local/state/ccsession"));
    for journal in journals(&fleet.join("anna")) {
        let path = journal.with_file_name("session.json");
        let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record["machine"] = Value::Null;
        fs::write(&path, record.to_string()).unwrap();
    }
    let list = ["list", "--all", "--json", "--from"].map(PathBuf::from);
    let listed = reader
        .ccsession(list.into_iter().chain([fleet.clone()]))
        .json();
    let mut machines: Vec<&str> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["machine"].as_str().unwrap())
        .collect();
    machines.sort_unstable();
    machines.dedup();
    assert!(machines.contains(&"anna"), "{machines:?}");
    assert!(machines.len() > 1, "{machines:?}");
    let table = ["list", "--all", "--from"].map(PathBuf::from);
    let table = reader.ccsession(table.into_iter().chain([fleet])).stdout();
    assert!(
        table.contains("MACHINE") && table.contains("anna"),
        "{table}"
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_read() {
    let reader = Sandbox::new();
    let machine = reader.path("machine");
    collect(&play("a"), &machine);
    let odd = machine.join("sessions").join(ID);
    fs::create_dir(&odd).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", odd.join("session.json")).unwrap();
    let newer = machine.join("sessions/newer");
    fs::create_dir(&newer).unwrap();
    fs::write(
        newer.join("session.json"),
        "{\"v\":2,\"session_id\":\"newer\"}",
    )
    .unwrap();
    let output = reader
        .ccsession(
            ["stats", "--csv", "--from"]
                .map(PathBuf::from)
                .into_iter()
                .chain([machine]),
        )
        .output();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stdout.lines().count() > 1, "{stdout}");
    assert!(
        stderr.contains("it is a symbolic link; it was left out"),
        "{stderr}"
    );
    assert!(stderr.contains("format version 2"), "{stderr}");
}

#[test]
fn what_is_no_state_directory_is_refused() {
    let reader = Sandbox::new();
    let run = |words: &[&str]| reader.ccsession(words.iter().copied());
    let none = reader.path("none");
    let said = run(&["list", "--from", none.to_str().unwrap()]).refused(1);
    assert!(said.contains("it is no state directory"), "{said}");
    let said = run(&["timeline", "--from", none.to_str().unwrap()]).refused(1);
    assert!(said.contains("it is no state directory"), "{said}");
    collect(&play("a"), &none);
    let said = run(&["timeline", "--from", none.to_str().unwrap()]).refused(64);
    assert!(said.contains("give an id"), "{said}");
}

#[test]
fn a_merged_directory_of_a_killed_process_is_removed_by_the_next() {
    let reader = Sandbox::new();
    let cache = reader.home().join(".cache/ccsession");
    let left = cache.join("collected-left");
    collect(&play("a"), &left.join("state"));
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(left.join("in-use"), "").unwrap();
    let machine = reader.path("machine");
    collect(&play("a"), &machine);
    reader
        .ccsession(
            ["stats", "--csv", "--from"]
                .map(PathBuf::from)
                .into_iter()
                .chain([machine]),
        )
        .stdout();
    assert_nothing_left(&cache);
}
