//! Sessions that were collected from other machines: `--from`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::archives::{begun, clock_out, ended, said, write};
use super::support::files::{copy_as_it_is, everything};
use super::support::recordings::play;
use super::support::{ID, Run, Sandbox, json_lines, text};

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
fn overlapping_torn_and_repeated_copies_merge_into_the_original() {
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
        stderr.contains("it is a symbolic link; skipped"),
        "{stderr}"
    );
    assert!(stderr.contains("format version 2"), "{stderr}");
}

#[test]
fn a_directory_that_is_not_a_state_directory_is_refused() {
    let reader = Sandbox::new();
    let run = |words: &[&str]| reader.ccsession(words.iter().copied());
    let none = reader.path("none");
    let said = run(&["list", "--from", none.to_str().unwrap()]).refused(1);
    assert!(said.contains("it is not a state directory"), "{said}");
    let said = run(&["timeline", "--from", none.to_str().unwrap()]).refused(1);
    assert!(said.contains("it is not a state directory"), "{said}");
    collect(&play("a"), &none);
    let said = run(&["timeline", "--from", none.to_str().unwrap()]).refused(64);
    assert!(said.contains("give a session id"), "{said}");
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

/// Runs a verb on collected sessions.
fn from(reader: &Sandbox, words: &[&str], places: &[&Path]) -> Run {
    let words = words.iter().copied().chain(["--from"]).map(PathBuf::from);
    reader.ccsession(words.chain(places.iter().map(|path| path.to_path_buf())))
}

/// Changes a session's record.
fn change_record(state: &Path, id: &str, change: impl FnOnce(&mut Value)) {
    let path = state.join("sessions").join(id).join("session.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    write(&path, record.to_string());
}

/// A machine on which somebody said `texts` in the session [`ID`], which is archived.
fn archived(texts: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let transcript = begun(&sandbox, serde_json::json!({}));
    write(&transcript, said(texts));
    ended(&sandbox, "exit");
    clock_out(&sandbox, &[]);
    sandbox
}

#[test]
fn an_archive_that_was_collected_twice_is_listed_read_searched_and_verified_once() {
    let (early, late) = (archived(&["what of the webhook"]), Sandbox::new());
    copy_as_it_is(&early.state(), &late.state());
    // The session went on, and was archived again.
    let transcript = late
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    write(
        &transcript,
        said(&["what of the webhook", "and the quince"]),
    );
    change_record(&late.state(), ID, |record| {
        record["transcript_path"] = transcript.to_str().unwrap().into();
    });
    clock_out(&late, &[]);

    let reader = Sandbox::new();
    let fleet = reader.path("fleet");
    fs::create_dir(&fleet).unwrap();
    for (name, machine) in [("early", &early), ("late", &late), ("torn", &late)] {
        copy_as_it_is(&machine.state(), &fleet.join(name));
    }
    // A copy that broke off lacks the end of the text, and is not the best.
    let torn = fleet.join("torn/archive/shop");
    for entry in fs::read_dir(&torn).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "txt") {
            write(&path, "half");
        }
    }
    let before = everything(&fleet);
    let [early, late, torn] = ["early", "late", "torn"].map(|name| fleet.join(name));
    for places in [
        vec![fleet.as_path()],
        vec![&late, &early],
        vec![&torn, &early, &late, &late],
    ] {
        let listed = from(&reader, &["archive", "list", "--json"], &places).json();
        let archives = listed["archives"].as_array().unwrap();
        assert_eq!(archives.len(), 1, "{places:?}");
        assert_eq!(archives[0]["manifest"]["messages"], 2);
        let path = archives[0]["manifest_path"].as_str().unwrap();
        assert!(path.starts_with(late.to_str().unwrap()), "{path}");
        assert!(Path::new(path).is_file());
        let shown = from(&reader, &["archive", "show", &ID[..4]], &places).stdout();
        assert!(shown.contains("and the quince"), "{shown}");
        let transcript = ["archive", "show", ID, "--transcript"];
        let shown = from(&reader, &transcript, &places).stdout();
        assert_eq!(shown.matches("and the quince").count(), 1);
        let found = from(&reader, &["archive", "search", "quince"], &places).stdout();
        assert_eq!(found.lines().count(), 1, "{found}");
        let found = from(&reader, &["search", "quince", "--json"], &places).json();
        let sessions = found["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 1, "{found}");
        assert_eq!(sessions[0]["hits"].as_array().unwrap().len(), 1);
        let verified = from(&reader, &["archive", "verify"], &places).stdout();
        assert_eq!(verified, "1 archive is complete and undamaged\n");
    }
    let verified = from(&reader, &["archive", "verify"], &[&torn]).output();
    assert_eq!(verified.status.code(), Some(1));
    let said = text(&verified.stderr);
    assert!(said.contains("fleet/torn/archive/shop"), "{said}");
    assert!(said.contains("is changed"), "{said}");
    assert_nothing_left(&reader.home().join(".cache/ccsession"));
    assert_eq!(everything(&fleet), before);
}

#[test]
fn a_search_of_collected_sessions_finds_nothing_of_this_machine() {
    let reader = archived(&["the local medlar"]);
    let machine = reader.path("machine");
    collect(&play("a"), &machine);
    from(&reader, &["search", "medlar"], &[&machine]).refused(3);
    let found = reader.ccsession(["search", "medlar"]).stdout();
    assert!(found.contains("medlar"), "{found}");
}

#[test]
fn machines_are_told_apart_by_id_and_not_by_name_or_place() {
    let reader = Sandbox::new();
    let fleet = reader.path("fleet");
    for (name, run) in [("one", "a"), ("two", "c"), ("again", "c")] {
        collect(&play(run), &fleet.join(name));
    }
    let machines = || {
        let listed = from(&reader, &["list", "--all", "--json"], &[&fleet]).json();
        let sessions = listed["sessions"].as_array().unwrap();
        let mut found: Vec<String> = sessions
            .iter()
            .map(|it| it["machine"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(machines().len(), 1, "all are recordings of this machine");
    let other = "0123456789abcdef0123456789abcdef";
    for name in ["two", "again"] {
        for journal in journals(&fleet.join(name)) {
            let folder = journal.parent().unwrap().file_name().unwrap();
            change_record(&fleet.join(name), folder.to_str().unwrap(), |record| {
                record["machine_id"] = other.into();
            });
        }
    }
    let found = machines();
    let is_said = found.len() == 2 && found.iter().all(|name| name.contains('~'));
    // Where this machine has no id, there is only one.
    assert!(is_said || found.len() == 1, "{found:?}");
}

#[test]
fn one_id_on_two_machines_is_reported_once_and_nothing_is_lost() {
    let reader = Sandbox::new();
    let fleet = reader.path("fleet");
    let mut sessions = 0;
    for (name, run) in [("one", "a"), ("two", "c"), ("three", "q")] {
        collect(&play(run), &fleet.join(name));
        for journal in journals(&fleet.join(name)) {
            sessions += 1;
            let folder = journal.parent().unwrap().file_name().unwrap();
            change_record(&fleet.join(name), folder.to_str().unwrap(), |record| {
                record["machine"] = name.into();
                record["machine_id"] = "0123456789abcdef0123456789abcdef".into();
            });
        }
    }
    let output = from(&reader, &["list", "--all", "--json"], &[&fleet]).output();
    let said = text(&output.stderr);
    assert_eq!(said.matches("share one machine id").count(), 1, "{said}");
    assert!(said.contains("`one`, `three`, `two` share"), "{said}");
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), sessions);
}

#[test]
fn a_clock_that_was_ahead_and_a_newer_version_are_one_line_each() {
    let reader = Sandbox::new();
    let (ahead, newer) = (reader.path("ahead"), reader.path("newer"));
    collect(&play("a"), &ahead);
    collect(&play("q"), &newer);
    let mut late = 0;
    for journal in journals(&ahead) {
        late += 1;
        let later = fs::read_to_string(&journal)
            .unwrap()
            .replace("\"2026-", "\"2099-");
        write(&journal, later);
        let folder = journal.parent().unwrap().file_name().unwrap();
        change_record(&ahead, folder.to_str().unwrap(), |record| {
            record["machine"] = "anna".into();
            record["ended_at"] = Value::Null;
        });
    }
    let ids: Vec<PathBuf> = journals(&newer);
    for journal in &ids {
        let path = journal.with_file_name("session.json");
        let record = fs::read_to_string(&path).unwrap();
        write(&path, record.replacen("\"v\": 1", "\"v\": 7", 1));
    }
    let output = from(&reader, &["list", "--json"], &[&ahead, &newer]).output();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("the clock of `anna` was ahead"), "{said}");
    assert!(said.contains("up to 2099-"), "{said}");
    let count = format!("left out {} session", ids.len());
    assert!(said.contains(&count), "{said}");
    assert!(said.contains("format version 7"), "{said}");
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        listed["sessions"],
        serde_json::json!([]),
        "nothing is live in the future"
    );
    assert!(late > 0);
}

#[test]
fn hashes_hide_machines_and_match_within_one_installation() {
    let reader = Sandbox::new();
    let fleet = reader.path("fleet");
    for (name, run) in [("anna", "a"), ("bert", "c")] {
        collect(&play(run), &fleet.join(name));
        for journal in journals(&fleet.join(name)) {
            let folder = journal.parent().unwrap().file_name().unwrap();
            change_record(&fleet.join(name), folder.to_str().unwrap(), |record| {
                record["machine"] = format!("host-of-{name}").into();
                record["machine_id"] = name[..1].repeat(32).into();
            });
        }
    }
    let here = rustix::system::uname();
    let here = here.nodename().to_str().unwrap().to_owned();
    let ask = |words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().chain(["--hash-machine"]).collect();
        let said = from(&reader, &words, &[&fleet]).stdout();
        for secret in ["host-of-", "aaaaaaaa", "bbbbbbbb", &here] {
            assert!(!said.contains(secret), "{secret}: {words:?}: {said}");
        }
        said
    };
    let machines = |said: &str| {
        let lines = said
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut found: Vec<String> = lines
            .map(|line| line["machine"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        found.dedup();
        found
    };
    let calls = machines(&ask(&["export", "--format", "jsonl"]));
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(
        machines(&ask(&[
            "export", "--format", "jsonl", "--table", "sessions"
        ])),
        calls
    );
    ask(&["export", "--format", "csv"]);
    ask(&["export", "--format", "chrome-trace"]);
    for signal in ["traces", "logs", "metrics"] {
        let said = ask(&["export", "--format", "otlp-jsonl", "--signal", signal]);
        assert!(said.contains("host.name"), "{signal}: {said}");
    }
    let listed: Value = serde_json::from_str(&ask(&["list", "--all", "--json"])).unwrap();
    let listed = listed["sessions"].as_array().unwrap();
    assert!(
        listed
            .iter()
            .all(|it| calls.contains(&it["machine"].as_str().unwrap().to_owned()))
    );
    let salt = reader.state().join("machine-salt");
    assert_eq!(
        fs::metadata(&salt).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
