//! Recorded runs of the client, played again.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Permissions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use super::within::Within;
use super::{Sandbox, data, json_lines};

/// A sandbox in which a recorded run was played. Its journals are as if the hooks had run at the recorded times.
///
/// Each recording is played once per run of the tests: every further sandbox gets a copy of the files.
pub(crate) fn play(name: &str) -> Sandbox {
    static PLAYED: Mutex<BTreeMap<String, Arc<OnceLock<Copies>>>> = Mutex::new(BTreeMap::new());
    let mut played = PLAYED.lock().unwrap();
    let copies = Arc::clone(played.entry(name.to_owned()).or_default());
    drop(played);
    let copies = copies.get_or_init(|| Copies::of(&play_anew(name)));
    let sandbox = Sandbox::new();
    copies.put_into(&sandbox);
    sandbox
}

/// The files and directories of a sandbox's state and pointers.
pub(crate) struct Copies {
    /// Where the sandbox was: records name its project.
    root: String,
    /// Paths within the sandbox, parents first; a directory has no text.
    entries: Vec<(PathBuf, Permissions, Option<String>)>,
}

impl Copies {
    fn of(sandbox: &Sandbox) -> Self {
        let mut copies = Self {
            root: sandbox.path("").display().to_string(),
            entries: Vec::new(),
        };
        for top in ["state", "pointers"] {
            copies.add(sandbox, Path::new(top));
        }
        copies
    }

    fn add(&mut self, sandbox: &Sandbox, name: &Path) {
        let path = sandbox.path("").join(name);
        let metadata = path.symlink_metadata().unwrap();
        let text = metadata
            .is_file()
            .then(|| fs::read_to_string(&path).unwrap());
        let is_dir = metadata.is_dir();
        assert!(is_dir || text.is_some(), "{}", path.display());
        self.entries
            .push((name.to_owned(), metadata.permissions(), text));
        if is_dir {
            for entry in fs::read_dir(&path).unwrap() {
                self.add(sandbox, &name.join(entry.unwrap().file_name()));
            }
        }
    }

    fn put_into(&self, sandbox: &Sandbox) {
        let root = sandbox.path("").display().to_string();
        for (name, permissions, text) in &self.entries {
            let path = sandbox.path("").join(name);
            match text {
                Some(text) => fs::write(&path, text.replace(&self.root, &root)).unwrap(),
                None if path.is_dir() => {}
                None => fs::create_dir(&path).unwrap(),
            }
            fs::set_permissions(&path, permissions.clone()).unwrap();
        }
    }
}

pub(crate) fn play_anew(name: &str) -> Sandbox {
    let sandbox = Sandbox::just_swept();
    let hook = Within::new(&sandbox);
    let mut told: HashMap<String, Vec<(i64, Value)>> = HashMap::new();
    for call in json_lines(&data("payloads/sessions").join(format!("{name}.jsonl"))) {
        let payload = &call["stdin"];
        hook.feed(payload);
        if payload["hook_event_name"] != "MessageDisplay" {
            let pid = call["env"]["CLAUDE_PID"].as_str().unwrap().parse().unwrap();
            let id = payload["session_id"].as_str().unwrap().to_owned();
            let at: i64 = call["at_ms"].as_i64().unwrap();
            told.entry(id).or_default().push((at, pid));
        }
    }
    for (id, moments) in told {
        let path = sandbox.session(&id).join("events.jsonl");
        let mut lines = String::new();
        for (mut line, (at, pid)) in json_lines(&path).into_iter().zip(moments) {
            let ts = chrono::DateTime::from_timestamp_millis(1_795_188_000_000 + at).unwrap();
            line["ts"] = json!(ts.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
            line["mono"] = json!(1_000_000_000 + at * 1000);
            line["pid"] = pid;
            lines.push_str(&format!("\n{line}\n"));
        }
        fs::write(path, lines).unwrap();
        let owners = sandbox.session(&id).join("owners");
        let _ = fs::remove_dir_all(&owners);
        fs::create_dir(&owners).unwrap();
    }
    sandbox
}

/// The rows of a table, each cell under the name in the heading.
pub(crate) fn table(path: &Path) -> Vec<HashMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let row = |line: &str| {
        let cells = line.split('\t').map(str::to_owned);
        names
            .iter()
            .map(|&name| name.to_owned())
            .zip(cells)
            .collect()
    };
    lines.map(row).collect()
}

pub(crate) fn recordings() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(data("payloads/sessions"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.sort();
    names
}
