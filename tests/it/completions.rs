//! Completions, run by real shells: what is typed before the Tab is completed to what was meant.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{CCSESSION, ID, PATIENCE, Run, Sandbox, as_client, event, text};

/// The scripts that `install.sh` puts down.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/completions");
/// A role that would be two words and a command, if a shell inserted it as it is.
const ODD_ROLE: &str = "review $(touch made-by-a-role)";

/// A session on record, with a role and a focus.
fn one_session() -> Sandbox {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    let hook = sandbox.hook(&start).env("CLAUDE_PID", as_client());
    hook.env("CLAUDE_PROJECT_DIR", sandbox.project()).silent();
    let purpose = ["--role", ODD_ROLE, "--focus", "login"];
    let clock_in = sandbox.ccsession(["clock-in", "--session", ID, "--quiet"]);
    let mut clock_in = clock_in;
    clock_in.command.args(purpose);
    clock_in.stdout();
    sandbox
}

/// Whether this shell is there. If not, the test says so.
fn is_there(shell: &str) -> bool {
    let mut command = Command::new(shell);
    let is_there = command
        .args(["-c", "exit 0", "/dev/null"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = is_there.is_ok_and(|status| status.success());
    if !is_there {
        println!("skipped: {shell} is missing");
    }
    is_there
}

/// A shell that finds `ccsession` on its path.
fn shell(sandbox: &Sandbox, program: &str) -> Run {
    let programs = Path::new(CCSESSION).parent().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
    sandbox
        .run(program)
        .env("PATH", path)
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
}

/// Types into a shell on a terminal, and waits until it has exited.
fn type_into(sandbox: &Sandbox, command: &str, keys: &str) {
    let run = shell(sandbox, "script").arg("-qec").arg(command);
    let run = run.arg("/dev/null").stdin(keys);
    assert!(run.output_within(PATIENCE).is_some(), "{command} hangs");
}

/// What is typed, with the Tab, into bash and zsh: after it, the pointer has the whole id, and the other verbs
/// print into files.
fn typed() -> String {
    let (begin, _) = ID.split_at(6);
    [
        format!("ccsession store {begin}\t"),
        "ccsession conf\t > verb".to_owned(),
        "ccsession stats --pro\t. --json > option".to_owned(),
        "ccsession clock-in --quiet --session two --role rev\t".to_owned(),
        "ccsession timeline --color ne\t > value".to_owned(),
        "exit".to_owned(),
    ]
    .join("\n")
        + "\n"
}

/// Asserts that what was [`typed`] was completed.
#[track_caller]
fn assert_completed(sandbox: &Sandbox) {
    let pointer = fs::read_to_string(sandbox.pointer("shop")).unwrap();
    assert!(pointer.starts_with(&format!("{ID}\n")), "{pointer}");
    let printed = |name: &str| fs::read_to_string(sandbox.project().join(name)).unwrap();
    assert!(printed("verb").contains("\nttl "), "{}", printed("verb"));
    assert!(
        printed("option").contains("\"sessions\": 1"),
        "{}",
        printed("option")
    );
    assert!(printed("value").starts_with(ID), "{}", printed("value"));
    assert_eq!(sandbox.record("two")["role"], ODD_ROLE);
    assert!(!sandbox.project().join("made-by-a-role").exists());
}

#[test]
fn bash_completes_what_is_typed() {
    if !is_there("bash") || !is_there("script") {
        return;
    }
    let sandbox = one_session();
    let start = format!("source {SCRIPTS}/ccsession.bash\n");
    fs::write(sandbox.path("bashrc"), start).unwrap();
    let command = format!("bash --rcfile {} -i", sandbox.path("bashrc").display());
    type_into(&sandbox, &command, &typed());
    assert_completed(&sandbox);
}

#[test]
fn zsh_completes_what_is_typed_with_an_installed_script_and_with_a_sourced_one() {
    if !is_there("zsh") || !is_there("script") {
        return;
    }
    let installed =
        format!("fpath=({SCRIPTS} $fpath)\nautoload -Uz compinit\ncompinit -u -d dump\n");
    let sourced =
        "autoload -Uz compinit\ncompinit -u -d dump\nsource <(ccsession completions zsh)\n";
    for start in [installed.as_str(), sourced] {
        let sandbox = one_session();
        fs::write(sandbox.home().join(".zshrc"), start).unwrap();
        type_into(&sandbox, "zsh -i", &typed());
        assert_completed(&sandbox);
    }
}

#[test]
fn fish_offers_sessions_with_what_they_are_about() {
    if !is_there("fish") {
        return;
    }
    let sandbox = one_session();
    let offered = |typed: &str| {
        let script = format!("source {SCRIPTS}/ccsession.fish; complete -C '{typed}'");
        shell(&sandbox, "fish")
            .arg("--no-config")
            .arg("-c")
            .arg(script)
            .stdout()
    };
    let sessions = offered("ccsession show ");
    assert!(
        sessions.starts_with(&format!("{ID}\tlogin, shop, ")),
        "{sessions}"
    );
    assert_eq!(sessions.lines().count(), 1, "{sessions}");
    assert_eq!(offered("ccsession show x"), "");
    assert!(offered("ccsession list --wa").starts_with("--waiting\t"));
    assert!(offered("ccsession tim").starts_with("timeline\t"));
    assert!(offered("ccsession help arch").starts_with("archive"));
    assert!(offered("ccsession list --project /").contains(sandbox.project().to_str().unwrap()));
    assert!(offered("ccsession stats -s yes").starts_with("yesterday"));
    assert!(offered("ccsession list --state ab").starts_with("abandoned"));
    assert!(offered("ccsession clock-in --focus l").starts_with("login"));
}

/// What the script of a shell is answered.
fn answer(sandbox: &Sandbox, shell: &str, words: &[&str]) -> String {
    let run = sandbox.ccsession(["--", "ccsession"]);
    let mut run = run.env("CCSESSION_COMPLETE", shell);
    run.command
        .args(words)
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    run.stdout()
}

#[test]
fn titles_and_what_the_session_used_are_offered() {
    let sandbox = one_session();
    for (name, more) in [
        ("UserPromptSubmit", json!({"prompt": "Fix the webhook"})),
        (
            "PreToolUse",
            json!({"tool_name": "Bash", "tool_use_id": "t1"}),
        ),
        (
            "PreToolUse",
            json!({"tool_name": "Read", "tool_use_id": "t2"}),
        ),
        (
            "SubagentStart",
            json!({"agent_id": "a7f3", "agent_type": "Explore"}),
        ),
    ] {
        let hook = sandbox.hook(&event(name, ID, more));
        hook.env("CLAUDE_PID", as_client()).silent();
    }
    let bash = |words: &[&str]| answer(&sandbox, "bash", words).replace('\u{b}', " | ");
    assert_eq!(bash(&["show", "fix"]), "Fix\\ the\\ webhook");
    assert_eq!(bash(&["delete", "Fix the"]), "Fix\\ the\\ webhook");
    // No title is an id.
    assert_eq!(bash(&["store", "fix"]), "");
    let begin = ID.get(..6).unwrap();
    for words in [
        &["timeline", "--tool", ""][..],
        &["timeline", begin, "--tool", ""],
        &["log", "Fix the webhook", "--failed", "--tool", ""],
        &["search", "x", "--session", ID, "--tool", ""],
    ] {
        assert_eq!(bash(words), "Bash | Read", "{words:?}");
    }
    assert_eq!(bash(&["timeline", "--agent", ""]), "main | Explore | a7f3");
    assert_eq!(bash(&["timeline", "--agent", "E"]), "Explore");
    assert_eq!(bash(&["timeline", "nosuch", "--agent", ""]), "");
}

#[test]
fn control_characters_reach_neither_the_line_nor_the_terminal() {
    let sandbox = one_session();
    assert_eq!(
        answer(&sandbox, "bash", &["clock-in", "--role", ""]),
        "review\\ \\$\\(touch\\ made-by-a-role\\)"
    );
    // A record that something else wrote.
    let mut record = sandbox.record(ID);
    record["role"] = json!("a\nb\u{1b}[2J");
    record["focus"] = json!("c\u{1b}[2J\u{202e}");
    let path = sandbox.session(ID).join("session.json");
    fs::write(path, record.to_string()).unwrap();
    for shell in ["bash", "zsh", "fish"] {
        assert_eq!(answer(&sandbox, shell, &["clock-in", "--role", ""]), "");
        let offered = answer(&sandbox, shell, &["show", ""]);
        assert!(offered.starts_with(ID), "{offered}");
        assert!(!offered.contains(['\u{1b}', '\u{202e}']), "{offered:?}");
    }
}

#[test]
fn whatever_a_shell_asks_it_gets_an_answer() {
    let sandbox = Sandbox::new();
    for words in [
        &[][..],
        &["nosuch", ""],
        &["show", "--", ""],
        &["run", "--", "x", ""],
    ] {
        for shell in ["bash", "zsh", "fish"] {
            answer(&sandbox, shell, words);
        }
    }
    assert!(!sandbox.state().exists());
    let unknown = sandbox.ccsession(["--", "ccsession"]);
    unknown.env("CCSESSION_COMPLETE", "tcsh").expect(64, "", "");
    // Without the variable, it is wrong usage like any other.
    let refused = sandbox.ccsession(["--", "ccsession", "sh"]).refused(64);
    assert!(refused.contains("ccsession"), "{refused}");
}

#[test]
fn the_verb_prints_the_script_that_is_installed() {
    let sandbox = Sandbox::new();
    for (shell, file) in [
        ("bash", "ccsession.bash"),
        ("zsh", "_ccsession"),
        ("fish", "ccsession.fish"),
    ] {
        let script = sandbox.ccsession(["completions", shell]).stdout();
        let installed = fs::read(Path::new(SCRIPTS).join(file)).unwrap();
        assert_eq!(script, text(&installed));
    }
    sandbox.ccsession(["completions", "tcsh"]).refused(64);
}
