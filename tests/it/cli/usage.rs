//! Wrong usage, help and versions.

use serde_json::json;

use super::VERBS;
use crate::support::{ID, Sandbox, event, text};

#[test]
fn wrong_usage_is_one_line_and_never_status_2() {
    let table: [(&[&str], &str, &str); 11] = [
        (
            &["--nope"],
            "unexpected argument '--nope' found",
            "ccsession <COMMAND>",
        ),
        (
            &["list", "--xyz"],
            "unexpected argument '--xyz' found",
            "ccsession list [OPTIONS]",
        ),
        (
            &["ls", "extra"],
            "unexpected argument 'extra' found",
            "ccsession list [OPTIONS]",
        ),
        (
            &["show"],
            "the following required arguments were not provided: <ID>",
            "ccsession show <ID>",
        ),
        (
            &["archive", "show"],
            "the following required arguments were not provided: <ID>",
            "ccsession archive show <ID>",
        ),
        (
            &["store", "a", "b"],
            "unexpected argument 'b' found",
            "ccsession store [OPTIONS] <ID>",
        ),
        (
            &["current", "--session"],
            "a value is required for '--session <ID>' but none was supplied",
            "",
        ),
        (
            &["current", "--name", "a", "--project", "b"],
            "the argument '--name <NAME>' cannot be used with '--project <PATH>'",
            "ccsession current --name <NAME>",
        ),
        (
            &["config", "--example", "--json"],
            "the argument '--example' cannot be used with '--json'",
            "ccsession config --example",
        ),
        (
            &["install", "--scope", "x"],
            "invalid value 'x' for '--scope <SCOPE>' [possible values: user, project, local]",
            "",
        ),
        (
            &["cleanup", "--json=1"],
            "unexpected value '1' for '--json' found; no more were expected",
            "ccsession cleanup --json",
        ),
    ];
    let sandbox = Sandbox::new();
    for (arguments, why, usage) in table {
        let said = sandbox.ccsession(arguments).refused(64);
        let page = match arguments {
            ["--nope"] => "ccsession",
            ["ls", ..] => "ccsession list",
            ["archive", verb, ..] => &format!("ccsession archive {verb}"),
            [verb, ..] => &format!("ccsession {verb}"),
            [] => unreachable!(),
        };
        let usage = match usage {
            "" => String::new(),
            usage => format!("; usage: {usage}"),
        };
        let expected = format!("ccsession: {why}{usage}; see `{page} --help`");
        assert_eq!(said, expected, "{arguments:?}");
    }
    let wrong = sandbox.ccsession(["cleanup", "--ttl", "soon"]).refused(64);
    assert_eq!(
        wrong,
        "ccsession: could not use --ttl: `soon` is not a duration above zero, such as `90s`, `5m` or `24h`"
    );
}

#[test]
fn an_unknown_verb_names_what_was_probably_meant() {
    let table: [(&[&str], &str); 14] = [
        (&["frobnicate"], "`frobnicate`; see `ccsession help`"),
        (&["lst"], "`lst`; did you mean `list`?"),
        (&["sessions"], "`sessions`; did you mean `list`?"),
        (&["timelin", "--all"], "`timelin`; did you mean `timeline`?"),
        (&["Status"], "`Status`; did you mean `list` or `doctor`?"),
        (&["backup"], "`backup`; did you mean `clock-out`?"),
        (&["tag", "x"], "`tag`; did you mean `clock-in`?"),
        (&["help", "lst"], "`lst`; did you mean `list`?"),
        (
            &["archive", "grep"],
            "`archive grep`; did you mean `archive search`?",
        ),
        (
            &["archive", "lits"],
            "`archive lits`; did you mean `archive list`?",
        ),
        (
            &["archive", "rm"],
            "`archive rm`; did you mean `archive prune`?",
        ),
        (
            &["archive", "x"],
            "`archive x`; see `ccsession help archive`",
        ),
        (
            &["archive", "3f2a"],
            "`archive 3f2a`; did you mean `archive show 3f2a` or `clock-out 3f2a`?",
        ),
        (
            &["fr\u{202e}ob\n\u{9b}x"],
            "`fr\\u{202e}ob\\u{a}\\u{9b}x`; see `ccsession help`",
        ),
    ];
    let sandbox = Sandbox::new();
    for (arguments, why) in table {
        let said = sandbox.ccsession(arguments).refused(64);
        let expected = format!("ccsession: there is no verb {why}");
        assert_eq!(said, expected, "{arguments:?}");
    }
}

#[test]
fn words_that_mean_a_verb_are_understood() {
    let sandbox = Sandbox::just_swept();
    let same = |typed: &[&str], verb: &[&str]| {
        let run = |words: &[&str]| {
            let output = sandbox.ccsession(words).output();
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            (output.status.code(), out.to_owned(), err.to_owned())
        };
        assert_eq!(run(typed), run(verb), "{typed:?}");
    };
    for (word, verb) in [
        ("ls", "list"),
        ("ps", "list"),
        ("log", "timeline"),
        ("logs", "timeline"),
        ("gc", "cleanup"),
        ("id", "current"),
        ("whoami", "current"),
    ] {
        same(&[word, "--json"], &[verb, "--json"]);
        same(&[word, "--help"], &[verb, "--help"]);
        same(&["help", word], &[verb, "--help"]);
    }
    for word in ["tail", "watch"] {
        same(&[word, "nosuch"], &["timeline", "--follow", "nosuch"]);
        same(&[word, "-f", "nosuch"], &["timeline", "--follow", "nosuch"]);
    }
    same(&["archive", "ls"], &["archive", "list"]);
    same(&["help"], &["--help"]);
    same(
        &["help", "archive", "search"],
        &["archive", "search", "--help"],
    );
    same(&["version"], &["--version"]);
    let front = sandbox.ccsession(["help"]).stdout();
    let meanings = front.split_once("\nExit status: ").unwrap().1;
    for word in ["ls", "ps", "log", "tail", "watch", "gc", "id", "whoami"] {
        assert!(meanings.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn an_argument_that_is_not_utf8_is_wrong_usage() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    for verb in ["show", "store"] {
        let said = sandbox.ccsession([verb]).arg(odd).refused(64);
        assert!(said.starts_with("ccsession: invalid UTF-8"), "{said}");
    }
    let said = sandbox.ccsession([odd]).refused(64);
    assert!(said.starts_with("ccsession: "), "{said}");
    sandbox
        .ccsession(["current", "--name"])
        .arg(odd)
        .expect(0, "unknown\n", "");
}

#[test]
fn without_a_verb_the_help_is_shown_as_wrong_usage() {
    let sandbox = Sandbox::new();
    let help = sandbox.ccsession(["--help"]).stdout();
    sandbox.ccsession([""; 0]).expect(64, "", &help);
}

/// Every line fits, and no description of a verb or an option ends in a full stop.
#[track_caller]
fn check_help(help: &str) {
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let options = help.split("  -h, --help").next().unwrap();
    for line in options.lines() {
        assert!(!line.ends_with('.') || line.ends_with("..."), "{line}");
    }
}

#[test]
fn help_is_on_stdout_and_reads_well() {
    let sandbox = Sandbox::new();
    let help = |words: &[&str]| {
        let run = sandbox.ccsession(words).env("COLUMNS", "80");
        run.stdout()
    };
    let front = help(&["--help"]);
    check_help(&front);
    assert_eq!(help(&["-h"]), front);
    for verb in VERBS {
        assert!(front.contains(&format!("\n  {verb} ")), "{verb}");
        let page = help(&[verb, "--help"]);
        check_help(&page);
        assert!(
            page.contains(&format!("\nUsage: ccsession {verb}")),
            "{page}"
        );
    }
    let status = front.split_once("\nExit status: ").unwrap().1;
    for number in ["0", "1", "3", "4", "5", "6", "64", "75"] {
        assert!(
            status.split_whitespace().any(|word| word == number),
            "{number}"
        );
    }
}

#[test]
fn the_verb_hook_answers_no_question_because_its_stdout_is_the_models() {
    let sandbox = Sandbox::new();
    for argument in ["--version", "--nope", "help", "-hx"] {
        sandbox.ccsession(["hook", argument]).stdin("{}").silent();
    }
    sandbox
        .ccsession(["hook", "SessionStart", "--help"])
        .stdin("{}")
        .silent();
}

#[test]
fn a_hook_with_an_option_for_an_event_records_nothing() {
    let sandbox = Sandbox::new();
    let payload = event("PreToolUse", ID, json!({"tool_name": "Bash"}));
    for option in ["--bogus", "--version", "-x", "-"] {
        let run = sandbox.ccsession(["hook", option]);
        run.stdin(payload.to_string()).silent();
        sandbox.ccsession(["hook", option]).stdin("{}").silent();
    }
    assert!(!sandbox.state().exists());
}

#[test]
fn the_help_of_hook_is_printed_and_nothing_is_recorded() {
    let sandbox = Sandbox::new();
    for words in [["hook", "--help"], ["hook", "-h"], ["help", "hook"]] {
        let help = sandbox.ccsession(words).stdin("{}").stdout();
        assert!(help.contains("\nUsage: ccsession hook [EVENT]\n"), "{help}");
    }
    assert!(!sandbox.state().exists());
}

#[test]
fn words_for_what_no_verb_does_get_a_hint() {
    let sandbox = Sandbox::new();
    for (word, remedy) in [
        ("upgrade", "run `git pull` and `./install.sh`"),
        ("UPDATE", "run `git pull` and `./install.sh`"),
        ("disable", "add its directory to `exclude`"),
        ("off", "create the file `.ccsession-off` in it"),
    ] {
        let said = sandbox.ccsession([word]).refused(64);
        assert!(
            said.contains(&format!("there is no verb `{word}`; ")),
            "{said}"
        );
        assert!(said.contains(remedy), "{said}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let sandbox = Sandbox::new();
    let version = format!("ccsession {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["--version", "-V"] {
        sandbox.ccsession([flag]).expect(0, &version, "");
    }
}
