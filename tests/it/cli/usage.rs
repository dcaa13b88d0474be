//! Wrong usage, help and versions.

use super::VERBS;
use crate::support::Sandbox;

#[test]
fn wrong_usage_is_one_line_and_never_status_2() {
    let table: [(&[&str], &str); 14] = [
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (
            &["lst"],
            "unrecognized subcommand 'lst'; a similar subcommand exists: 'list'",
        ),
        (&["--nope"], "unexpected argument '--nope' found"),
        (&["help"], "unrecognized subcommand 'help'"),
        (&["list", "--nope"], "unexpected argument '--nope' found"),
        (&["list", "extra"], "unexpected argument 'extra' found"),
        (
            &["show"],
            "the following required arguments were not provided: <ID>",
        ),
        (&["store", "a", "b"], "unexpected argument 'b' found"),
        (
            &["current", "--session"],
            "a value is required for '--session <ID>' but none was supplied",
        ),
        (
            &["current", "--name", "a", "--project", "b"],
            "the argument '--name <NAME>' cannot be used with '--project <PATH>'",
        ),
        (
            &["config", "--example", "--json"],
            "the argument '--example' cannot be used with '--json'",
        ),
        (
            &["install", "--scope", "x"],
            "invalid value 'x' for '--scope <SCOPE>' [possible values: user, project, local]",
        ),
        (
            &["cleanup", "--json=1"],
            "unexpected value '1' for '--json' found; no more were expected",
        ),
        (
            &["fr\u{202e}ob\n\u{9b}x"],
            "unrecognized subcommand 'fr\\u{202e}ob \\u{9b}x'",
        ),
    ];
    let sandbox = Sandbox::new();
    for (arguments, why) in table {
        let said = sandbox.ccsession(arguments).refused(64);
        let page = match arguments[0] {
            verb if VERBS.contains(&verb) => format!("ccsession {verb} --help"),
            _ => "ccsession --help".to_owned(),
        };
        assert_eq!(
            said,
            format!("ccsession: {why}; see `{page}`"),
            "{arguments:?}"
        );
    }
    let wrong = sandbox.ccsession(["cleanup", "--ttl", "soon"]).refused(64);
    assert_eq!(
        wrong,
        "ccsession: could not use --ttl: `soon` is not a duration above zero, such as `90s`, `5m` or `24h`"
    );
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
    for argument in ["--help", "--version", "--nope", "-h"] {
        sandbox.ccsession(["hook", argument]).stdin("{}").silent();
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
