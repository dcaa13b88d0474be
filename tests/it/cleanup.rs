//! `ccsession cleanup` on a state that needs every kind of cleaning: a dry run announces everything and changes nothing, the
//! real run does exactly that, and a person gets a summary.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::files::{everything, write_private};
use crate::support::settings::put;
use crate::support::states::age_file;
use crate::support::terminal::with_stderr_on_a_terminal;
use crate::support::{ID, Run, SESSION_START, Sandbox, as_client, event, text};

/// The name under which tests choose whether anything is archived.
const AUTO: &str = "CCSESSION_ARCHIVE_AUTO";
const HOUR: u64 = 60 * 60;

/// A sandbox in which every thing that a cleanup does is to be done.
struct Stage {
    sandbox: Sandbox,
    pointer: PathBuf,
    temporary: Vec<PathBuf>,
    /// The processes that have died: that of `s-killed`, and one that had `s-over`.
    dead: Vec<u64>,
    _clients: [Client; 2],
}

impl Stage {
    fn new() -> Self {
        let sandbox = Sandbox::archiving();
        // Ended, archived, and marked again: one has grown since, one is the same. And one of which nothing was archived.
        for id in ["s-grown", "s-same"] {
            begin(&sandbox, id);
            end(&sandbox, id);
        }
        let cleanup = sandbox.ccsession(["cleanup", "--if-due", "--quiet"]);
        cleanup.silent();
        put(
            &transcript(&sandbox, "s-grown"),
            &said("remember me, and this"),
        );
        for id in ["s-grown", "s-same"] {
            write_private(&sandbox.state().join("ended").join(id), "");
        }
        begin(&sandbox, "s-ended");
        end(&sandbox, "s-ended");
        // Live, with more to say than was archived, and one that is on no list of live ones any more.
        let clients = [ID, "s-unlisted"].map(|id| Client::start(&sandbox, id));
        sandbox.ccsession(["clock-out", ID]).stdout();
        put(&transcript(&sandbox, ID), &said("remember me, and this"));
        // Over for long, but for a process that died before anybody noted it.
        let of_killed = start_and_die(&sandbox, "s-killed");
        let of_over = start_and_die(&sandbox, "s-over");
        end(&sandbox, "s-over");
        let unmarked = sandbox.state().join("ended/s-over");
        fs::remove_file(unmarked).unwrap();
        age_file(&sandbox.session("s-over").join("events.jsonl"), 25 * HOUR);

        let pointer = sandbox.pointer("stale");
        write_private(&pointer, "s-1\n2026-01-01T00:00:00.000000\n");
        age_file(&pointer, 25 * HOUR);
        let dirs = [
            sandbox.pointers(),
            sandbox.state(),
            sandbox.state().join("procs"),
            sandbox.session(ID),
            sandbox.session("s-over"),
        ];
        let temporary = dirs.map(|dir| dir.join(".ccsession-tmp-0123456789abcdef"));
        for path in &temporary {
            write_private(path, "half");
            age_file(path, HOUR);
        }
        lease(&sandbox, "s-leased", &of_killed);
        let projects = sandbox.state().join("projects");
        let key = fs::read_dir(&projects).unwrap().next().unwrap().unwrap();
        fs::remove_file(key.path().join("s-unlisted")).unwrap();
        write_private(&key.path().join("s-nobody"), "");
        let _ = fs::remove_file(sandbox.state().join("daily"));
        Self {
            pointer,
            temporary: temporary.into(),
            dead: [of_killed, of_over]
                .map(|owner| owner["pid"].as_u64().unwrap())
                .into(),
            sandbox,
            _clients: clients,
        }
    }

    fn cleanup(&self, settings: &[(&str, &str)]) -> Run {
        let run = self.sandbox.ccsession(["cleanup"]).env("TZ", "UTC");
        settings
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value))
    }

    /// A dry run changes no byte, and counts just what the real run does then.
    #[track_caller]
    fn does_as_it_says(&self, settings: &[(&str, &str)]) -> Value {
        let before = everything(&self.sandbox.path(""));
        let dry = self
            .cleanup(settings)
            .arg("--dry-run")
            .arg("--json")
            .output();
        assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
        assert_eq!(everything(&self.sandbox.path("")), before, "{settings:?}");
        let mut expected: Value = serde_json::from_slice(&dry.stdout).unwrap();
        let counts = expected.as_object().unwrap().values();
        let all: u64 = counts.filter_map(Value::as_u64).sum();
        // All but the version.
        assert_eq!(text(&dry.stderr).lines().count() as u64, all - 1);
        expected["dry_run"] = json!(false);
        let report = self.cleanup(settings).arg("--json").json();
        assert_eq!(report, expected, "{settings:?}\n{}", text(&dry.stderr));
        report
    }
}

fn said(text: &str) -> String {
    let message = json!({"role": "user", "content": text});
    format!("{}\n", json!({"type": "user", "message": message}))
}

/// A client that runs until it is dropped, and has a session.
struct Client(Child);

impl Client {
    fn start(sandbox: &Sandbox, id: &str) -> Self {
        let script = format!("CLAUDE_PID=$$ {SESSION_START}; echo started; exec sleep 600");
        let mut run = sandbox
            .run("/bin/sh")
            .arg("-c")
            .arg(script)
            .env(AUTO, "false");
        let command = run.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all(start(sandbox, id).to_string().as_bytes())
            .unwrap();
        drop(stdin);
        let mut started = [0; 8];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut started).unwrap();
        put(&transcript(sandbox, id), &said("remember me"));
        Self(child)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn transcript(sandbox: &Sandbox, id: &str) -> PathBuf {
    let projects = sandbox.home().join(".claude/projects");
    projects.join(format!("-shop/{id}.jsonl"))
}

fn start(sandbox: &Sandbox, id: &str) -> Value {
    let path = transcript(sandbox, id);
    let more = json!({"source": "startup", "transcript_path": path});
    event("SessionStart", id, more)
}

/// A session of this process, which has it until it begins the next one, and its transcript.
fn begin(sandbox: &Sandbox, id: &str) {
    let path = transcript(sandbox, id);
    // Where nothing is archived, no start leaves a cleanup behind for it.
    let start = sandbox.hook(&start(sandbox, id)).env(AUTO, "false");
    start.env("CLAUDE_PID", as_client()).silent();
    put(&path, &said("remember me"));
}

fn end(sandbox: &Sandbox, id: &str) {
    let end = event("SessionEnd", id, json!({"reason": "other"}));
    sandbox.hook(&end).env("CLAUDE_PID", as_client()).silent();
}

/// A session whose client died without a word, and that client as its owner.
fn start_and_die(sandbox: &Sandbox, id: &str) -> Value {
    let script = format!("CLAUDE_PID=$$ {SESSION_START}; exit $?");
    let run = sandbox.run("/bin/sh").arg("-c").arg(script);
    let start = event("SessionStart", id, json!({"source": "startup"}));
    run.env(AUTO, "false").stdin(start.to_string()).silent();
    let owners = sandbox.session(id).join("owners");
    let owner = fs::read_dir(&owners).unwrap().next().unwrap().unwrap();
    serde_json::from_slice(&fs::read(owner.path()).unwrap()).unwrap()
}

fn lease(sandbox: &Sandbox, id: &str, holder: &Value) {
    let path = sandbox.state().join("leases").join(id);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lease = json!({"v": 1, "session_id": id, "holder": holder, "child": null, "command": "x", "since": "2026-11-20T14:00:00Z"});
    write_private(&path, &lease.to_string());
}

#[test]
fn a_dry_run_says_each_thing_and_why() {
    let stage = Stage::new();
    let output = stage.cleanup(&[]).arg("--dry-run").output();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "1\n".to_owned())
    );
    let since = |id: &str| {
        let path = stage.sandbox.session(id).join("events.jsonl");
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        let time = chrono::DateTime::<chrono::Utc>::from(modified);
        format!("abandoned since {}", time.format("%Y-%m-%d %H:%M:%S"))
    };
    let remove = |path: &Path, why: &str| format!("would remove {}: {why}", path.display());
    let mut expected = vec![remove(&stage.pointer, "stale")];
    let dead = "left behind by a process that was killed";
    expected.extend(stage.temporary.iter().map(|path| remove(path, dead)));
    let of_process = |pid| format!("would remove the index entry of process {pid}: it has exited");
    expected.extend(stage.dead.iter().map(of_process));
    expected.extend([
        "would take session s-nobody off the live index: it has no record".to_owned(),
        format!(
            "would take session s-killed off the live index: {}",
            since("s-killed")
        ),
        "would put session s-unlisted back on the live index: it is live".to_owned(),
        format!("would archive session {ID}: it is live and has new messages"),
        "would archive session s-unlisted: it is live and has new messages".to_owned(),
        "would archive session s-ended: it has ended".to_owned(),
        "would archive session s-grown: it has ended".to_owned(),
        format!("would archive session s-killed: {}", since("s-killed")),
        "would return the lease of session s-leased: its holder is gone".to_owned(),
        format!(
            "would remove process {} from session s-over: it has exited, and the session's state no longer depends on it",
            stage.dead[1]
        ),
    ]);
    let said = text(&output.stderr);
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    expected.sort_unstable();
    assert_eq!(said, expected);
}

#[test]
fn a_dry_run_changes_nothing_and_the_cleanup_does_what_it_announced() {
    let report = Stage::new().does_as_it_says(&[]);
    let expected = json!({"v": 1, "removed": 1, "orphans": 5, "processes": 2, "retired": 2, "listed": 1, "archived": 5, "compressed": 0, "owners": 1, "pruned": 0, "leases": 1, "dry_run": false});
    assert_eq!(report, expected);
}

#[test]
fn a_dry_run_is_right_without_archiving_and_without_retention() {
    // The end of a session is noted first, it is archived then, and goes at last: all in one cleanup.
    let keep = ("CCSESSION_RETENTION_SESSIONS", "1ms");
    let archives = ("CCSESSION_RETENTION_ARCHIVE", "1ms");
    for (settings, archived, pruned) in [
        (vec![(AUTO, "false")], 0, 0),
        (vec![keep], 5, 4),
        (vec![(AUTO, "false"), keep], 0, 2),
        // Of what was archived before only that which is not archived anew.
        (vec![archives], 5, 1),
        (vec![keep, archives], 5, 5),
        (vec![(AUTO, "false"), keep, archives], 0, 4),
    ] {
        let report = Stage::new().does_as_it_says(&settings);
        let counts = (&report["archived"], &report["pruned"]);
        assert_eq!(counts, (&json!(archived), &json!(pruned)), "{settings:?}");
    }
}

#[test]
fn a_second_cleanup_has_nothing_to_do() {
    let stage = Stage::new();
    stage.does_as_it_says(&[]);
    for _ in ["the same day", "a day later"] {
        let report = stage.does_as_it_says(&[]);
        let counts = report
            .as_object()
            .unwrap()
            .values()
            .filter_map(Value::as_u64);
        assert_eq!(counts.sum::<u64>(), 1, "{report}");
        fs::remove_file(stage.sandbox.state().join("daily")).unwrap();
    }
}

#[test]
fn a_dry_run_announces_daily_work_once_a_day() {
    let stage = Stage::new();
    write_private(&stage.sandbox.state().join("daily"), "");
    let report = stage.does_as_it_says(&[("CCSESSION_RETENTION_SESSIONS", "1ms")]);
    for (count, expected) in [
        ("owners", 0),
        ("listed", 0),
        ("pruned", 0),
        ("archived", 3),
        ("orphans", 4),
    ] {
        assert_eq!(report[count], expected, "{count}");
    }
}

#[test]
fn a_terminal_shows_the_other_counts_in_one_line() {
    let stage = Stage::new();
    let (stdout, told) = on_a_terminal(stage.cleanup(&[]));
    let line = "besides pointers: 5 sessions archived, 2 sessions taken off the live index, 1 session put back on the live index, 1 lease returned, 8 traces of dead processes removed\r\n";
    assert_eq!((stdout.as_str(), told.as_str()), ("1\n", line));
    // Where there is no rest, nobody is told so.
    assert_eq!(
        on_a_terminal(stage.cleanup(&[])),
        ("0\n".to_owned(), String::new())
    );
    // Nor where nobody wants to hear it.
    for quiet in ["--quiet", "--json"] {
        let (_, told) = on_a_terminal(Stage::new().cleanup(&[]).arg(quiet));
        assert_eq!(told, "", "{quiet}");
    }
    let stage = Stage::new();
    stage.cleanup(&[]).expect(0, "1\n", "");
}

/// Runs with stderr on a terminal. What was said on stdout, and there.
fn on_a_terminal(run: Run) -> (String, String) {
    let told = with_stderr_on_a_terminal(run);
    assert_eq!(told.status, Some(0));
    (told.stdout, told.terminal)
}
