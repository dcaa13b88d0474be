//! `pull`, which copies the sessions of other machines. A stand-in for ssh runs the command in another home.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::archives::{begun, clock_out, ended, said, write};
use super::support::files::{changes, everything, snapshot};
use super::support::recordings::play;
use super::support::{CCSESSION, ID, Run, Sandbox, event, text, walk, write_program};

/// A machine that pulls from others, each of them another sandbox.
struct Puller {
    sandbox: Sandbox,
}

impl Puller {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("bin")).unwrap();
        Self { sandbox }
    }

    /// Has `ssh NAME` run commands on the machine of `other`, after `first`.
    fn knows(&self, name: &str, other: &Sandbox, first: &str) {
        let bin = other.home().join(".local/bin");
        fs::create_dir_all(&bin).unwrap();
        if !bin.join("ccsession").exists() {
            std::os::unix::fs::symlink(CCSESSION, bin.join("ccsession")).unwrap();
        }
        let (home, state) = (other.home(), other.state());
        let script = format!(
            "{first}\nexec env -i HOME='{}' PATH=/usr/bin:/bin CCSESSION_STATE_DIR='{}' sh -c \"$1\"\n",
            home.display(),
            state.display()
        );
        let known = self.sandbox.path("known");
        fs::create_dir_all(&known).unwrap();
        fs::write(known.join(name), script).unwrap();
        // As ssh does, it refuses what it does not know with its own status.
        write_program(
            self.sandbox.path("bin/ssh"),
            &format!(
                "#!/bin/sh\n[ \"$1 $2\" = '-T --' ] || exit 255\nmachine='{}'/\"$3\"\n[ -e \"$machine\" ] || exit 255\nshift 3\n. \"$machine\"\n",
                known.display()
            ),
        );
    }

    fn ccsession<A: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Run {
        let path = format!("{}:/usr/bin:/bin", self.sandbox.path("bin").display());
        self.sandbox.ccsession(words).env("PATH", path)
    }

    fn fleet(&self) -> PathBuf {
        self.sandbox.path("fleet")
    }

    fn pull(&self, hosts: &[&str]) -> Run {
        let words = ["pull"].iter().chain(hosts).map(PathBuf::from);
        self.ccsession(words.chain([PathBuf::from("--into"), self.fleet()]))
    }

    fn pulled(&self, host: &str) -> Value {
        self.pull(&[host]).arg("--json").json()["hosts"][0].clone()
    }
}

/// The files that are kept of the sessions of a state directory.
fn kept(state: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    walk(&state.join("sessions"), &mut |path| {
        // What is derived from a journal is not copied.
        if !path.ends_with("open.json") {
            let name = path.strip_prefix(state).unwrap().to_owned();
            found.insert(name, fs::read(path).unwrap());
        }
    });
    found
}

#[test]
fn the_second_time_only_what_is_new_is_copied() {
    let anna = play("a");
    let puller = Puller::new();
    puller.knows("anna", &anna, "echo Welcome to anna");
    let before = snapshot(&anna);
    let first = puller.pulled("anna");
    assert!(first["files"].as_u64().unwrap() > 1, "{first}");
    assert_eq!(changes(&before, &snapshot(&anna)), [""; 0]);
    assert_eq!(kept(&puller.fleet().join("anna")), kept(&anna.state()));

    let again = puller.pulled("anna");
    assert_eq!(
        (&again["files"], &again["bytes"]),
        (&json!(0), &json!(0)),
        "{again}"
    );

    let id = first_id(&anna);
    let notice = event(
        "Notification",
        &id,
        json!({"notification_type": "idle_prompt"}),
    );
    anna.hook(&notice).silent();
    let grown = puller.pulled("anna");
    assert!(grown["bytes"].as_u64().unwrap() < 2_000, "{grown}");
    assert_eq!(kept(&puller.fleet().join("anna")), kept(&anna.state()));

    let here = ["pull", "anna", "--into", "../fleet"];
    let said = puller.ccsession(here).stdout();
    assert_eq!(said, "anna: 1 session, nothing new\n");
    let stats = puller
        .ccsession(
            ["stats", "--json", "--from"]
                .map(PathBuf::from)
                .into_iter()
                .chain([puller.fleet()]),
        )
        .json();
    assert_eq!(stats["sessions"], first["sessions"]);
}

fn first_id(sandbox: &Sandbox) -> String {
    let mut names: Vec<String> = fs::read_dir(sandbox.state().join("sessions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.remove(0)
}

#[test]
fn archives_come_on_request_and_are_found() {
    let anna = Sandbox::new();
    let transcript = begun(&anna, json!({}));
    write(&transcript, said(&["order fruit", "what of the quince"]));
    ended(&anna, "exit");
    clock_out(&anna, &[]);
    let puller = Puller::new();
    puller.knows("anna", &anna, "");
    puller.pulled("anna");
    let copy = puller.fleet().join("anna");
    assert!(!copy.join("archive").exists());
    let search = || {
        let words = ["search", "quince", "--ids", "--from"].map(PathBuf::from);
        puller.ccsession(words.into_iter().chain([puller.fleet()]))
    };
    search().refused(3);

    let got = puller
        .pull(&["anna"])
        .arg("--archives")
        .arg("--json")
        .json();
    assert!(got["hosts"][0]["files"].as_u64().unwrap() >= 3, "{got}");
    let archives = |state: &Path| {
        let mut found = BTreeMap::new();
        walk(&state.join("archive"), &mut |path| {
            let name = path.strip_prefix(state).unwrap().to_owned();
            found.insert(name, fs::read(path).unwrap());
        });
        found
    };
    assert_eq!(archives(&copy), archives(&anna.state()));
    assert_eq!(search().stdout(), format!("{ID}\n"));
    let again = puller
        .pull(&["anna"])
        .arg("--archives")
        .arg("--json")
        .json();
    assert_eq!(again["hosts"][0]["files"], 0, "{again}");
}

#[test]
fn a_copy_says_of_which_machine_it_is_and_another_machine_is_named() {
    let anna = play("a");
    let puller = Puller::new();
    puller.knows("anna", &anna, "");
    puller.pulled("anna");
    let path = puller.fleet().join("anna/machine.json");
    let noted: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let name = rustix::system::uname();
    assert_eq!(noted["name"], name.nodename().to_str().unwrap());

    let hello = |machine: Value, now: &str| {
        let hello = json!({"ccsession_transfer": 1, "machine": machine, "now": now});
        format!("printf '%s\\n' '{hello}' '{{\"end\":{{\"sessions\":0}}}}'; exit 0")
    };
    let other = json!({"name": "bert", "id": "0123456789abcdef0123456789abcdef"});
    let evil = json!({"name": "\u{1b}[2J", "id": "../../x"});
    puller.knows(
        "new",
        &anna,
        &hello(other.clone(), "2098-01-01T00:00:00.000000Z"),
    );
    let output = puller.pull(&["new"]).output();
    let said = text(&output.stderr);
    assert!(
        said.contains("new: its clock is ") && said.contains("ahead"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let third = json!({"name": "carl", "id": "fedcba9876543210fedcba9876543210"});
    puller.knows("new", &anna, &hello(third.clone(), &now));
    let said = text(&puller.pull(&["new"]).output().stderr);
    assert!(said.contains("another machine than last time"), "{said}");
    puller.knows("new", &anna, &hello(evil, &now));
    assert_eq!(text(&puller.pull(&["new"]).output().stderr), "");
    let noted = fs::read(puller.fleet().join("new/machine.json")).unwrap();
    let noted: Value = serde_json::from_slice(&noted).unwrap();
    assert_eq!(
        (&noted["name"], &noted["id"]),
        (&third["name"], &third["id"])
    );
}

#[test]
fn an_interrupted_transfer_is_continued_by_the_next() {
    let anna = play("c");
    let whole = {
        let puller = Puller::new();
        puller.knows("anna", &anna, "");
        puller.pulled("anna");
        kept(&puller.fleet().join("anna"))
    };
    let puller = Puller::new();
    let mut breaks = 0;
    for bytes in (0..).map(|step| step * 997) {
        // The command of the other machine runs here, with its home.
        let cut = format!(
            "env -i HOME='{}' PATH=/usr/bin:/bin CCSESSION_STATE_DIR='{}' sh -c \"$1\" | head -c {bytes}; exit 0",
            anna.home().display(),
            anna.state().display()
        );
        puller.knows("anna", &anna, &cut);
        let output = puller.pull(&["anna"]).output();
        if output.status.code() == Some(0) {
            break;
        }
        breaks += 1;
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(
            said.contains("the connection ended early") || said.contains("it sent nothing"),
            "{said}"
        );
    }
    assert!(breaks > 2, "{breaks}");
    assert_eq!(kept(&puller.fleet().join("anna")), whole);
    let left = everything(&puller.fleet());
    assert!(
        !left
            .keys()
            .any(|path| path.to_string_lossy().contains(".ccsession-")),
        "{left:?}"
    );
}

#[test]
fn a_machine_that_fails_is_named_and_the_others_are_copied() {
    let anna = play("a");
    let puller = Puller::new();
    puller.knows("anna", &anna, "");
    puller.knows(
        "old",
        &anna,
        "echo 'error: unrecognized subcommand' >&2; exit 64",
    );
    puller.knows("web", &anna, "printf '<html>\\033[2J\\n'; exit 0");
    puller.knows("newer", &anna, "echo '{\"ccsession_transfer\":2}'; exit 0");
    puller.knows("bare", &anna, "exit 127");
    let output = puller
        .pull(&["gone", "old", "web", "newer", "bare", "anna"])
        .output();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).starts_with("anna: "),
        "{}",
        text(&output.stdout)
    );
    let said = text(&output.stderr);
    for expected in [
        "could not copy the sessions of gone: ssh failed; try `ssh gone true`",
        "could not copy the sessions of old: it sent nothing",
        "could not copy the sessions of web: it answered `<html>\\u{1b}[2J`",
        "could not copy the sessions of newer: it sends version 2",
        "could not copy the sessions of bare: ccsession is not installed there",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains('\u{1b}'));
}

#[test]
fn a_machine_that_sends_other_paths_writes_nothing() {
    let anna = play("a");
    let puller = Puller::new();
    for path in [
        "../../../evil",
        "sessions/s-1/../../../evil",
        "/tmp/evil",
        "lock",
        "sessions/s-1/run.sh",
        "archive/shop/2026-11-20-x-s-1.txt",
        "machine.json",
    ] {
        let frame = json!({"file": {"path": path, "offset": 0, "length": 4, "modified": "2026-11-20T15:20:00.000000Z"}});
        let first =
            format!("printf '%s\\n' '{{\"ccsession_transfer\":1}}' '{frame}' 'evil'; exit 0");
        puller.knows("evil", &anna, &first);
        let before: Vec<PathBuf> = everything(&puller.sandbox.path("")).into_keys().collect();
        let said = puller.pull(&["evil"]).refused(1);
        assert!(said.contains("instead of sending sessions"), "{said}");
        let known = |path: &PathBuf| before.contains(path);
        let after = everything(&puller.sandbox.path("")).into_keys();
        let new: Vec<PathBuf> = after.filter(|path| !known(path)).collect();
        let own = [
            puller.fleet(),
            puller.fleet().join("evil"),
            puller.fleet().join("evil/lock"),
            puller.fleet().join("evil/machine.json"),
            puller.fleet().join("evil/sessions"),
        ];
        assert!(new.iter().all(|path| own.contains(path)), "{path}: {new:?}");
    }
}

#[test]
fn a_host_that_ssh_would_take_for_an_option_is_refused() {
    let puller = Puller::new();
    for host in ["-oProxyCommand=touch /tmp/x", "--", "a/b", "..", "a b", ""] {
        let run = puller.ccsession(["pull", "--into", "fleet", "--", host]);
        let said = run.refused(64);
        assert!(said.contains("invalid HOST"), "{said}");
    }
}

#[test]
fn copies_are_private() {
    let anna = play("a");
    let puller = Puller::new();
    puller.knows("anna", &anna, "");
    puller.pulled("anna");
    for path in everything(&puller.fleet()).into_keys() {
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}
