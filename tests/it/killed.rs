//! A cleanup that is killed at any moment, and at each system call that changes something: every session is complete in the
//! state or in an archive, nothing half-written has a final name, and the next cleanup completes the work.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::support::archives::{
    NONE, a_day_later, begun, clock_out, decompressed, files, manifest, said, write,
};
use crate::support::files::{copy_as_it_is, write_private};
use crate::support::states::age_file;
use crate::support::torture::is_torture;
use crate::support::tracing::{age_leftovers, can_inject};
use crate::support::{CCSESSION, ID, Run, SESSION_START, Sandbox, as_client, event, text};

/// The calls by which files come and go.
const CALLS: &str = "rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat";

const DAY: u64 = 24 * 60 * 60;

/// A place in which a cleanup has much to do, as it is before, and what must not be lost of it.
struct Place {
    sandbox: Sandbox,
    /// The sessions that were recorded, each with its journal.
    journals: BTreeMap<String, String>,
    /// The files that there are once all is done.
    done: BTreeSet<String>,
    /// How long that takes.
    takes: Duration,
}

fn transcript(sandbox: &Sandbox, id: &str) -> PathBuf {
    let name = format!(".claude/projects/-shop/{id}.jsonl");
    sandbox.home().join(name)
}

/// Records a session that said three things and made a call.
fn record(sandbox: &Sandbox, id: &str, hook: impl Fn(Value) -> Run) {
    let path = transcript(sandbox, id);
    let line = |number| {
        let message = json!({"role": "user", "content": format!("{id} said {number}")});
        json!({"type": "user", "sessionId": id, "message": message}).to_string() + "\n"
    };
    write(&path, (0..3).map(line).collect::<String>());
    let start = json!({"source": "startup", "transcript_path": path});
    hook(event("SessionStart", id, start)).silent();
    for name in ["PreToolUse", "PostToolUse"] {
        let call = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {}});
        sandbox.hook(&event(name, id, call)).silent();
    }
}

impl Place {
    fn new() -> Self {
        let sandbox = Sandbox::just_swept();
        let alone = |payload: Value| sandbox.hook(&payload);
        let end = |id: &str| {
            let end = event("SessionEnd", id, json!({"reason": "other"}));
            let hook = sandbox.hook(&end).env("CCSESSION_ARCHIVE_AUTO", "true");
            hook.silent();
        };
        for id in ["s-ended-1", "s-ended-2"] {
            record(&sandbox, id, alone);
            end(id);
        }
        // Archived before it ended.
        record(&sandbox, "s-kept", alone);
        sandbox.ccsession(["clock-out", "s-kept"]).stdout();
        end("s-kept");
        // Nobody has it, and nothing happened for long.
        record(&sandbox, "s-quiet", alone);
        age_file(
            &sandbox.session("s-quiet").join("events.jsonl"),
            25 * 60 * 60,
        );
        // Their client died.
        for id in ["s-dead-1", "s-dead-2"] {
            let script = format!("CLAUDE_PID=$$ {SESSION_START}; exit $?");
            record(&sandbox, id, |payload| {
                let client = sandbox.run("/bin/sh").arg("-c").arg(&script);
                client.stdin(payload.to_string())
            });
        }
        // Archives that were kept for long enough, of sessions that are on record no more.
        for id in ["s-old-1", "s-old-2"] {
            record(&sandbox, id, alone);
            let archived = sandbox.ccsession(["clock-out", id, "--json"]).json();
            let path = PathBuf::from(archived["manifest"].as_str().unwrap());
            let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            manifest["archived_at"] = json!("2026-01-01T00:00:00.000000Z");
            write_private(&path, &manifest.to_string());
            end(id);
            fs::remove_dir_all(sandbox.session(id)).unwrap();
        }
        // This one is live, and was the last to move the pointer.
        record(&sandbox, ID, |payload| {
            sandbox.hook(&payload).env("CLAUDE_PID", as_client())
        });
        let mut journals = BTreeMap::new();
        for id in [
            ID,
            "s-ended-1",
            "s-ended-2",
            "s-kept",
            "s-quiet",
            "s-dead-1",
            "s-dead-2",
        ] {
            let journal = sandbox.session(id).join("events.jsonl");
            journals.insert(id.to_owned(), fs::read_to_string(journal).unwrap());
        }
        for number in 0..3 {
            let pointer = sandbox.pointer(&format!("gone-{number}"));
            write_private(&pointer, "s-gone\n2026-01-01T00:00:00.000000\n");
            age_file(&pointer, 40 * DAY);
        }
        for dir in [sandbox.state(), sandbox.pointers(), sandbox.session(ID)] {
            let left = dir.join(".ccsession-tmp-0123456789abcdef");
            write_private(&left, "left behind");
            age_file(&left, DAY);
        }
        let mut place = Self {
            sandbox,
            journals,
            done: BTreeSet::new(),
            takes: Duration::MAX,
        };
        place.copy("", ".before");
        for _ in 0..3 {
            place.copy(".before", "");
            let started = Instant::now();
            place.cleanup().stdout();
            place.takes = place.takes.min(started.elapsed());
        }
        place.done = place.files();
        place.check_done("undisturbed");
        place
    }

    fn cleanup(&self) -> Run {
        let run = self.sandbox.ccsession(["cleanup"]);
        set_up(run)
    }

    /// All files but the stamps.
    fn files(&self) -> BTreeSet<String> {
        let stamps = [
            "state/daily",
            "state/sweep",
            "state/lock",
            "state/archive.lock",
        ];
        let mut files: BTreeSet<String> = self.sandbox.files().into_iter().collect();
        files.retain(|file| !stamps.contains(&file.as_str()));
        files
    }

    fn copy(&self, from: &str, to: &str) {
        for dir in ["state", "pointers"] {
            let [from, to] = [from, to].map(|ending| self.sandbox.path(&format!("{dir}{ending}")));
            let _ = fs::remove_dir_all(&to);
            copy_as_it_is(&from, &to);
        }
    }

    /// Asserts that nothing is lost, and that what is there is whole.
    #[track_caller]
    fn check_standing(&self, case: &str) {
        let sandbox = &self.sandbox;
        let verified = sandbox.ccsession(["archive", "verify"]).output();
        assert!(
            verified.status.success() && verified.stderr.is_empty(),
            "{case}: {}",
            text(&verified.stderr)
        );
        let listed = sandbox.ccsession(["archive", "list", "--json"]).json();
        let mut manifests = BTreeMap::new();
        let mut named = BTreeSet::new();
        for archive in listed["archives"].as_array().unwrap() {
            let path = PathBuf::from(archive["manifest_path"].as_str().unwrap());
            let manifest = archive["manifest"].clone();
            for part in manifest["parts"].as_array().unwrap() {
                named.insert(path.with_file_name(part["name"].as_str().unwrap()));
            }
            let id = manifest["session_id"].as_str().unwrap().to_owned();
            named.insert(path.clone());
            let twice = manifests.insert(id, (path, manifest));
            assert!(twice.is_none(), "{case}: {twice:?}");
        }
        let there: BTreeSet<PathBuf> = files(sandbox).into_iter().collect();
        assert_eq!(there, named, "{case}: parts of nothing");
        for (id, journal) in &self.journals {
            let folder = sandbox.session(id);
            let is_recorded = || {
                let record = fs::read(folder.join("session.json")).ok()?;
                let record: Value = serde_json::from_slice(&record).ok()?;
                let events = fs::read_to_string(folder.join("events.jsonl")).ok()?;
                (record["session_id"] == **id && events == *journal).then_some(())
            };
            let is_archived = || {
                let (path, manifest) = manifests.get(id)?;
                let parts = manifest["parts"].as_array().unwrap();
                let part = parts.iter().find(|part| part["kind"] == "journal")?;
                let events = decompressed(&path.with_file_name(part["name"].as_str()?));
                (manifest["messages"] == 3 && text(&events) == *journal).then_some(())
            };
            assert!(
                is_recorded().or_else(is_archived).is_some(),
                "{case}: {id} is lost: {:#?}",
                sandbox.files()
            );
        }
    }

    /// Asserts that every session is put away but the one that is live.
    #[track_caller]
    fn check_done(&self, case: &str) {
        self.check_standing(case);
        let there = self.files();
        let differ: Vec<_> = there.symmetric_difference(&self.done).collect();
        assert_eq!(differ, [""; 0], "{case}");
        let folders = fs::read_dir(self.sandbox.state().join("sessions")).unwrap();
        let recorded: Vec<_> = folders
            .map(|folder| folder.unwrap().path().join("session.json"))
            .filter(|record| record.exists())
            .collect();
        assert_eq!(
            recorded,
            [self.sandbox.session(ID).join("session.json")],
            "{case}"
        );
        assert_eq!(
            files(&self.sandbox).len(),
            4 * self.journals.len(),
            "{case}"
        );
        let pointers: Vec<String> = self
            .done
            .iter()
            .filter(|file| file.starts_with("pointers/"))
            .cloned()
            .collect();
        assert_eq!(pointers, ["pointers/claude_session_shop"], "{case}");
        self.sandbox.assert_no_leftovers();
    }

    /// Asserts that nothing is lost by a cleanup that `run` has killed, and that the next one completes it.
    #[track_caller]
    fn check_killed(&self, case: &str, run: impl FnOnce() -> bool) -> bool {
        self.copy(".before", "");
        let is_killed = run();
        self.check_standing(case);
        let _ = fs::remove_file(self.sandbox.state().join("daily"));
        age_leftovers(&self.sandbox);
        self.cleanup().stdout();
        self.check_done(case);
        is_killed
    }
}

/// As a user has it who keeps sessions for no time and archives for a month.
fn set_up(run: Run) -> Run {
    run.env("CCSESSION_ARCHIVE_AUTO", "true")
        .env("CCSESSION_RETENTION_SESSIONS", "1us")
        .env("CCSESSION_RETENTION_ARCHIVE", "30d")
}

#[test]
fn a_cleanup_that_is_killed_at_any_moment_loses_nothing_and_the_next_completes_it() {
    let rounds = if is_torture() { 1000 } else { 20 };
    let place = Place::new();
    let mut killed = 0;
    for round in 0..rounds {
        let moment = place.takes.mul_f64(f64::from(round * 7919 % 1009) / 1009.0);
        let case = format!("round {round}, after {moment:?}");
        killed += usize::from(place.check_killed(&case, || {
            let mut run = place.cleanup();
            let streams = run.command.stdin(Stdio::null()).stdout(Stdio::null());
            let mut child = streams.stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(moment);
            let _ = child.kill();
            child.wait().unwrap().signal() == Some(9)
        }));
    }
    println!("{killed} of {rounds} were killed");
    assert!(killed * 3 > rounds as usize, "{killed} of {rounds}");
}

/// A call that a command makes: which, and how many of these it is in its thread.
type Point = (String, usize);

/// The CLI under strace.
fn traced(sandbox: &Sandbox, options: &[&str], arguments: &[&str]) -> Run {
    let mut run = sandbox.run("strace");
    run.command.args(["-f", "-qq"]).args(options);
    run.command.arg(CCSESSION).args(arguments);
    run
}

/// The calls among [`CALLS`] that the CLI makes, in order.
#[track_caller]
fn points(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Point> {
    let log = sandbox.path("calls");
    let trace = format!("trace={CALLS}");
    let options = ["--seccomp-bpf", "-o", log.to_str().unwrap(), "-e", &trace];
    let output = set_up(traced(sandbox, &options, arguments)).output();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut points = Vec::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let Some((call, _)) = call.trim_start().split_once('(') else {
            continue;
        };
        let count = counts
            .entry((thread.to_owned(), call.to_owned()))
            .or_default();
        *count += 1;
        points.push((call.to_owned(), *count));
    }
    points
}

/// Runs the CLI, which is killed at this call.
#[track_caller]
fn killed_at(sandbox: &Sandbox, (call, nth): &Point, arguments: &[&str]) {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
    let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
    let output = set_up(traced(sandbox, &options, arguments)).output();
    assert_eq!(output.status.signal(), Some(9), "{call} {nth}");
}

#[test]
fn a_cleanup_that_is_killed_at_any_change_loses_nothing_and_the_next_completes_it() {
    if !can_inject() {
        return;
    }
    let place = Place::new();
    place.copy(".before", "");
    let cleanup = ["cleanup", "--quiet"];
    let points = points(&place.sandbox, &cleanup);
    assert!(points.len() > 100, "{points:?}");
    // A step that shares no factor with what repeats.
    let step = if is_torture() { 1 } else { 23 };
    for point in points.iter().step_by(step) {
        place.check_killed(&format!("{point:?}"), || {
            killed_at(&place.sandbox, point, &cleanup);
            true
        });
    }
}

/// The archive that is there has a part of a name that the new one does not use.
#[test]
fn a_clock_out_killed_at_any_change_leaves_the_old_or_the_new_archive() {
    if !can_inject() {
        return;
    }
    let arguments = ["clock-out", ID];
    let prepared = || {
        let sandbox = Sandbox::archiving();
        let path = begun(&sandbox, json!({}));
        let agent = path.with_extension("").join("subagents/agent-a1.jsonl");
        write(&agent, said(&["a"]));
        write(&path, said(&["one"]));
        let archived = clock_out(&sandbox, &[]);
        let [old, new] = ["a-1", "a1"].map(|id| format!("agent-{id}.jsonl.zst"));
        let renamed = archived.with_extension(&old);
        fs::rename(archived.with_extension(&new), renamed).unwrap();
        let there = manifest(&sandbox).to_string().replace(&new, &old);
        write_private(&archived.with_extension("manifest.json"), &there);
        write(&path, said(&["one", "two"]));
        sandbox
    };
    let points = points(&prepared(), &arguments);
    assert!(points.len() > 8, "{points:?}");
    for point in &points {
        let sandbox = prepared();
        killed_at(&sandbox, point, &arguments);
        let verified = sandbox.ccsession(["archive", "verify"]);
        verified.expect(0, "1 archive is complete and undamaged\n", "");
        let there = manifest(&sandbox);
        let messages = there["messages"].as_u64().unwrap();
        assert!([1, 2].contains(&messages), "{point:?}: {messages}");
        assert_eq!(files(&sandbox).len(), 5, "{point:?}");
        clock_out(&sandbox, &[]);
        assert_eq!(manifest(&sandbox)["messages"], 2, "{point:?}");
        assert_eq!(files(&sandbox).len(), 5, "{point:?}");
        assert!(sandbox.record(ID)["archive"]["place"].is_string());
    }
}

/// Where nothing else is to be archived, nobody else would end it.
#[test]
fn the_rest_of_an_interrupted_removal_is_removed_once_a_day() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let path = clock_out(&sandbox, &[]).with_extension("manifest.json");
    fs::rename(&path, path.with_extension("json.gone")).unwrap();
    write(&path.with_file_name(".ccsession-tmp-0123456789abcdef"), "x");
    let folder = sandbox.session(ID);
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    a_day_later(&sandbox);
    sandbox.ccsession(["cleanup"]).stdout();
    assert_eq!(files(&sandbox), NONE);
    assert!(folder.exists(), "a hook may be about to put a record there");
    let dir = fs::File::open(&folder).unwrap();
    let old = SystemTime::now() - Duration::from_secs(DAY);
    dir.set_modified(old).unwrap();
    a_day_later(&sandbox);
    sandbox.ccsession(["cleanup"]).stdout();
    assert!(!folder.exists());
}
