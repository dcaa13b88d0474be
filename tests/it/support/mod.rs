//! A sandbox for the real executables: its own HOME, state, pointer directory and project, and no inherited environment.

pub(crate) mod archives;
pub(crate) mod canaries;
pub(crate) mod clients;
pub(crate) mod dashboard;
pub(crate) mod files;
pub(crate) mod journals;
pub(crate) mod namespaces;
pub(crate) mod pointers;
pub(crate) mod recordings;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod sink;
pub(crate) mod states;
pub(crate) mod terminal;
pub(crate) mod time;
pub(crate) mod tmux;
pub(crate) mod torture;
pub(crate) mod tracing;
pub(crate) mod transcripts;
pub(crate) mod within;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ccsession::store::journal::Events;
use ccsession::store::{Decompressor, Places, StateDir};
use rustix::fs::StatVfsMountFlags;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The hooks' executables and the events they are registered for.
pub(crate) const SESSION_START: &str = env!("CARGO_BIN_EXE_session-start");
pub(crate) const PRE_TOOL_USE: &str = env!("CARGO_BIN_EXE_pre-tool-use");
pub(crate) const POST_TOOL_USE: &str = env!("CARGO_BIN_EXE_post-tool-use");
pub(crate) const SESSION_EVENT: &str = env!("CARGO_BIN_EXE_session-event");
pub(crate) const CCSESSION: &str = env!("CARGO_BIN_EXE_ccsession");

/// How long a test waits for something before it fails, so that a hang is a failure. It measures no speed: a machine under
/// any load is faster.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Where the sandbox's commands find other programs.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What an empty pipe takes at once on every system.
const PIPE: usize = 4096;

/// A session id for tests that need no particular one.
pub(crate) const ID: &str = "5b48472b-1111-4222-8333-444455556666";

/// The executable that an install registers for an event.
pub(crate) fn hook_for(event: &str) -> &'static str {
    match event {
        "SessionStart" => SESSION_START,
        "PreToolUse" => PRE_TOOL_USE,
        "PostToolUse" | "PostToolUseFailure" | "PostToolBatch" => POST_TOOL_USE,
        _ => SESSION_EVENT,
    }
}

/// Returns `TMPDIR` if it is set, else a file system in memory if there is one, else `/tmp`.
///
/// The tests create and remove tens of thousands of small files. On ext4 the kernel spends a third of the suite's time on
/// looking for an inode that was not freed in the last seconds. The tests for what a disk does mount one themselves.
pub(crate) fn scratch_in_memory() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let is_suitable = |dir: &Path| {
            let system = rustix::fs::statvfs(dir).ok()?;
            let is_roomy = system.f_bavail.saturating_mul(system.f_frsize) >= 1 << 30;
            // Tests also put programs there.
            let can_execute = !system.f_flag.contains(StatVfsMountFlags::NOEXEC);
            Some(is_roomy && can_execute && TempDir::new_in(dir).is_ok())
        };
        if std::env::var_os("TMPDIR").is_none() && is_suitable(memory) == Some(true) {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        }
    })
}

/// A throw-away place for one test.
pub(crate) struct Sandbox {
    dir: TempDir,
    /// Whether ended sessions are archived automatically, as they are for users. Tests of other things would race with
    /// the background cleanup that a start launches for it.
    archives: bool,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        // Under a umask that lets the group write, the program would not trust the files that tests write.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let dir = TempDir::new_in(crate::scratch()).unwrap();
        for name in ["home", "pointers", "shop"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self {
            dir,
            archives: false,
        }
    }

    /// Like [`Self::just_swept`], with every setting as a user has it.
    pub(crate) fn archiving() -> Self {
        Self {
            archives: true,
            ..Self::just_swept()
        }
    }

    /// Like [`Self::new`], with a cleanup just made, so that no start launches one in the background.
    pub(crate) fn just_swept() -> Self {
        let sandbox = Self::new();
        fs::DirBuilder::new()
            .mode(0o700)
            .create(sandbox.state())
            .unwrap();
        let stamp = sandbox.state().join("sweep");
        fs::write(&stamp, "").unwrap();
        fs::set_permissions(&stamp, fs::Permissions::from_mode(0o600)).unwrap();
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The project that commands run in, named `shop`.
    pub(crate) fn project(&self) -> PathBuf {
        self.path("shop")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn pointers(&self) -> PathBuf {
        self.path("pointers")
    }

    /// The pointer of projects with this name.
    pub(crate) fn pointer(&self, name: &str) -> PathBuf {
        self.pointers().join(format!("claude_session_{name}"))
    }

    /// A session's folder.
    pub(crate) fn session(&self, id: &str) -> PathBuf {
        self.state().join("sessions").join(id)
    }

    /// The events in a session's journal; every line must be one.
    #[track_caller]
    pub(crate) fn journal(&self, id: &str) -> Vec<Value> {
        json_lines(&self.session(id).join("events.jsonl"))
    }

    /// The events of a session, as a reader sees them.
    pub(crate) fn events(&self, id: &str) -> Events {
        let places = Places {
            state: Some(self.state()),
            pointers: self.pointers(),
            config: None,
        };
        let state = StateDir::open(&places, Decompressor::BUILT_IN)
            .unwrap()
            .unwrap();
        let dir = state.session(&id.parse().unwrap());
        dir.journal().events().unwrap()
    }

    pub(crate) fn record(&self, id: &str) -> Value {
        serde_json::from_slice(&fs::read(self.session(id).join("session.json")).unwrap()).unwrap()
    }

    /// A program with the sandbox's environment and nothing else, in the project.
    pub(crate) fn run(&self, program: impl AsRef<OsStr>) -> Run {
        let mut command = Command::new(found(program.as_ref()));
        command.env_clear().current_dir(self.project());
        command.env("HOME", self.home()).env("PATH", PATH);
        command
            .env("CCSESSION_STATE_DIR", self.state())
            .env("CCSESSION_POINTER_DIR", self.pointers());
        if !self.archives {
            command.env("CCSESSION_ARCHIVE_AUTO", "false");
        }
        Run {
            command,
            stdin: Vec::new(),
        }
    }

    /// The CLI with these arguments.
    pub(crate) fn ccsession<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        let mut run = self.run(CCSESSION);
        run.command.args(arguments);
        run
    }

    /// The hook that an install registers for the payload's event, fed with the payload.
    pub(crate) fn hook(&self, payload: &Value) -> Run {
        let event = payload["hook_event_name"].as_str().unwrap_or_default();
        self.run(hook_for(event)).stdin(payload.to_string() + "\n")
    }

    /// Every file below the sandbox's state and pointer directories, relative to the sandbox, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for dir in [self.state(), self.pointers()] {
            walk(&dir, &mut |path| {
                found.push(
                    path.strip_prefix(self.dir.path())
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                )
            });
        }
        found.sort();
        found
    }

    /// Asserts that no temporary file is left anywhere.
    #[track_caller]
    pub(crate) fn assert_no_leftovers(&self) {
        let left: Vec<String> = self
            .files()
            .into_iter()
            .filter(|path| path.contains("/.ccsession-"))
            .collect();
        assert_eq!(left, [""; 0]);
    }
}

/// A command that is being prepared; it does nothing until its result is asked for.
#[must_use]
pub(crate) struct Run {
    pub(crate) command: Command,
    stdin: Vec<u8>,
}

impl Run {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs to the end, and fails if that takes longer than [`PATIENCE`].
    pub(crate) fn output(self) -> Output {
        let program = format!("{:?}", self.command);
        let output = self.output_within(PATIENCE);
        output.unwrap_or_else(|| panic!("{program} does not end"))
    }

    /// Runs to the end; kills the program and returns `None` if it takes longer than `patience`.
    pub(crate) fn output_within(mut self, patience: Duration) -> Option<Output> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let bytes = std::mem::take(&mut self.stdin);
        if bytes.len() <= PIPE {
            let child = self.command.stdin(holding(&bytes)).spawn().unwrap();
            return end_of(child, patience);
        }
        let mut child = self.command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&bytes));
        let output = end_of(child, patience);
        // A hook reads to the end or to its deadline; only bytes after the deadline may meet a closed pipe.
        let _ = writer.join().unwrap();
        output
    }

    /// Runs with its standard output going to `stdout`, and returns stderr.
    pub(crate) fn output_to(mut self, stdout: Stdio) -> String {
        let child = self
            .command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn();
        text(&child.unwrap().wait_with_output().unwrap().stderr)
    }

    /// Runs, and asserts status, stdout and stderr exactly.
    #[track_caller]
    pub(crate) fn expect(self, status: i32, stdout: &str, stderr: &str) {
        let output = self.output();
        let got = (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        );
        assert_eq!(got, (Some(status), stdout.to_owned(), stderr.to_owned()));
    }

    /// Runs, and asserts status 0 and silence, as required of every hook.
    #[track_caller]
    pub(crate) fn silent(self) {
        self.expect(0, "", "");
    }

    /// Runs, asserts status 0 and an empty stderr, and returns stdout.
    #[track_caller]
    pub(crate) fn stdout(self) -> String {
        let output = self.output();
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new())
        );
        text(&output.stdout)
    }

    /// Like [`Self::stdout`], parsed as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.stdout()).unwrap()
    }

    /// Runs, asserts the status and an empty stdout, and returns stderr, which must be one line.
    #[track_caller]
    pub(crate) fn refused(self, status: i32) -> String {
        let output = self.output();
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(status), String::new()),
            "{}",
            text(&output.stderr)
        );
        let stderr = text(&output.stderr);
        assert_eq!(stderr.matches('\n').count(), 1, "{stderr}");
        stderr.trim_end().to_owned()
    }

    /// Expects that the command refuses to choose, and returns the candidates and the last line, which says why.
    #[track_caller]
    pub(crate) fn refused_to_choose(self) -> (Vec<String>, String) {
        let output = self.output();
        let stderr = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(4), String::new()),
            "{stderr}"
        );
        let mut lines: Vec<String> = stderr.lines().map(str::to_owned).collect();
        let why = lines.pop().unwrap_or_default();
        (lines, why)
    }
}

/// Returns the path of a program with this name on [`PATH`], or the name if there is none.
///
/// By a name and with a `PATH` of its own, the standard library starts a program with `fork`. That copies the tables of all
/// memory of the tests, and lets all their threads copy the pages that they write to next.
fn found(program: &OsStr) -> OsString {
    let is_name = !program.as_encoded_bytes().contains(&b'/');
    let mut paths = PATH.split(':').map(|dir| Path::new(dir).join(program));
    let path = is_name.then(|| paths.find(|path| path.is_file()));
    path.flatten()
        .map_or_else(|| program.to_owned(), PathBuf::into_os_string)
}

/// Returns a pipe that holds these bytes and ends after them.
///
/// A hook waits for its input for less than a second. On a busy machine, a test that writes it after the start may be too late.
pub(crate) fn holding(bytes: &[u8]) -> Stdio {
    assert!(bytes.len() <= PIPE, "{} bytes", bytes.len());
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(bytes).unwrap();
    reader.into()
}

/// Copies a program.
///
/// A child does it. If this process had the copy open for writing, the child of another test could inherit it in that moment,
/// and the system would refuse to run the copy ("text file busy").
pub(crate) fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let mut cp = Command::new("cp");
    let status = cp.arg(from.as_ref()).arg(to.as_ref()).status().unwrap();
    assert!(status.success(), "{cp:?}");
}

/// Writes a program, mode 0755. A child does it, as with [`copy_program`].
pub(crate) fn write_program(path: impl AsRef<Path>, text: &str) {
    write_programs(&[(path.as_ref().to_owned(), text)]);
}

/// Writes several programs as [`write_program`] does, with one child for all of them.
pub(crate) fn write_programs(programs: &[(PathBuf, &str)]) {
    // The shell needs no other process for it, and the mode needs no open file.
    const WRITE: &str = r#"while [ $# -gt 0 ]; do printf %s "$2" >"$1" || exit 1; shift 2; done"#;
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", WRITE, "sh"]);
    for (path, text) in programs {
        sh.arg(path).arg(text);
    }
    assert!(sh.status().unwrap().success(), "{sh:?}");
    for (path, _) in programs {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Waits for the end of a process; kills it and returns `None` if that takes longer than `patience`.
pub(crate) fn end_of(child: Child, patience: Duration) -> Option<Output> {
    let pid = Pid::from_child(&child);
    let (ended, end) = channel::<()>();
    let guard = std::thread::spawn(move || {
        let is_late = end.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
        is_late && kill_process(pid, Signal::KILL).is_ok()
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    (!guard.join().unwrap()).then_some(output)
}

/// Waits until `what` holds, and fails if it does not within [`PATIENCE`].
#[track_caller]
pub(crate) fn wait_until(mut what: impl FnMut() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(started.elapsed() < PATIENCE, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The JSON lines of a file that exists; blank lines are skipped.
#[track_caller]
pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A file among the tests' data.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// The recorded payload `events/{name}.json`.
pub(crate) fn payload(name: &str) -> Value {
    serde_json::from_slice(&fs::read(data("payloads/events").join(format!("{name}.json"))).unwrap())
        .unwrap()
}

/// A payload of this event for the session `id`, with `more` members.
pub(crate) fn event(event: &str, id: &str, more: Value) -> Value {
    let mut payload = serde_json::json!({"session_id": id, "hook_event_name": event});
    payload
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().cloned().unwrap_or_default());
    payload
}

/// The permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn walk(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), visit);
        } else {
            visit(&entry.path());
        }
    }
}

/// This process as `CLAUDE_PID`: the tests are the client of the hooks that they start.
pub(crate) fn as_client() -> OsString {
    std::process::id().to_string().into()
}
