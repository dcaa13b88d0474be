//! What is printed fits the screen: any width, any height, with and without drawn characters.

use std::fs;

use serde_json::json;
use unicode_width::UnicodeWidthStr;

use crate::support::terminal::on_a_terminal;
use crate::support::{Run, Sandbox, as_client, event, write_program};

/// A sandbox with a session of long names, and several others that have ended.
fn crowded() -> Sandbox {
    let sandbox = Sandbox::just_swept();
    for number in 0..30 {
        let id = format!("{number:02}48472b-1111-4222-8333-444455556666");
        sandbox.session_with(
            &id,
            "shop",
            &[json!({"v": 1, "ts": "2026-11-20T09:00:00Z", "event": "Stop"})],
        );
    }
    let id = "65dd02b6-7134-4576-a982-e8658c4175aa";
    let hook = |name: &str, more| {
        let hook = sandbox
            .hook(&event(name, id, more))
            .env("CLAUDE_PID", as_client());
        hook.env("CLAUDE_PROJECT_DIR", sandbox.project()).silent();
    };
    hook(
        "SessionStart",
        json!({"source": "startup", "session_title": "日本語 a title that is rather long for a table"}),
    );
    let tool = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"description": "Run all of the tests of the shop"}});
    hook("PreToolUse", tool);
    let role = [
        "clock-in",
        "--session",
        id,
        "--quiet",
        "--role",
        "reviewer of everything",
        "--focus",
        "a focus that goes on and on",
    ];
    sandbox.ccsession(role).output();
    sandbox
}

fn verbs() -> [&'static [&'static str]; 4] {
    [
        &["list"],
        &["list", "--all"],
        &["archive", "list", "--all"],
        &["list", "--all", "--plain"],
    ]
}

#[test]
fn a_list_fits_a_terminal_of_any_width() {
    let sandbox = crowded();
    sandbox
        .ccsession([
            "clock-out",
            "65dd",
            "--description",
            "What it was about, at length, with many words",
        ])
        .output();
    for columns in [10, 20, 40, 60, 80, 100, 120, 160, 200] {
        for verb in verbs() {
            let run = sandbox.ccsession(verb).env("PAGER", "cat");
            let run = run.env("NO_COLOR", "1");
            let told = on_a_terminal(run, 24, columns);
            let widest = told
                .terminal
                .lines()
                .map(UnicodeWidthStr::width)
                .max()
                .unwrap();
            assert!(
                widest <= usize::from(columns),
                "{verb:?} {columns}: {}",
                told.terminal
            );
            assert_eq!(told.status, Some(0));
            // COLUMNS counts for a program that draws the screen itself, such as `watch`.
            let piped = sandbox
                .ccsession(verb)
                .env("COLUMNS", columns.to_string())
                .stdout();
            let widest = piped.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(
                widest <= usize::from(columns),
                "{verb:?} {columns}: {piped}"
            );
        }
        if columns >= 40 {
            let told = on_a_terminal(sandbox.ccsession(["list"]), 24, columns).terminal;
            assert!(told.contains("65dd02b6"), "{columns}: {told}");
        }
        if columns >= 60 {
            let told = on_a_terminal(sandbox.ccsession(["list"]), 24, columns).terminal;
            assert!(
                told.contains("日本語") && (columns < 80 || told.contains("Bash")),
                "{columns}: {told}"
            );
        }
    }
    // A program that reads it gets everything.
    let whole = sandbox.ccsession(["list"]).stdout();
    let root = fs::canonicalize(sandbox.project()).unwrap();
    assert!(whole.contains(root.to_str().unwrap()), "{whole}");
    assert!(
        whole.contains("65dd02b6-7134-4576-a982-e8658c4175aa"),
        "{whole}"
    );
}

/// A pager that says so and prints what it got.
fn with_pager(sandbox: &Sandbox, words: &[&str]) -> Run {
    let pager = sandbox.path("pager");
    write_program(&pager, "#!/bin/sh\necho \"paged with $LESS\"\nexec cat\n");
    sandbox
        .ccsession(words)
        .env("PAGER", pager)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
}

#[test]
fn only_what_is_longer_than_the_terminal_is_paged() {
    let sandbox = crowded();
    let many: Vec<_> = (0..30).map(|call| json!({"v": 1, "ts": "2026-11-20T09:00:00Z", "event": "PreToolUse", "tool": format!("T{call}"), "tool_use_id": format!("t{call}")})).collect();
    sandbox.session_with("long", "shop", &many);
    let paged = |words: &[&str], rows| {
        let told = on_a_terminal(with_pager(&sandbox, words), rows, 100);
        assert_eq!(told.status, Some(0), "{words:?}: {}", told.terminal);
        told.terminal.starts_with("paged with FRX\n")
    };
    for verb in [
        &["list", "--all"][..],
        &["timeline", "long"],
        &["stats", "long"],
    ] {
        assert!(paged(verb, 10), "{verb:?}");
        assert!(!paged(verb, 200), "{verb:?}");
        assert!(!paged(&[verb, &["--no-pager"]].concat(), 10), "{verb:?}");
        assert!(!paged(&[verb, &["--plain"]].concat(), 10), "{verb:?}");
        assert!(!paged(&[verb, &["--json"]].concat(), 10), "{verb:?}");
        let piped = with_pager(&sandbox, verb).stdout();
        assert!(!piped.contains("paged"), "{piped}");
    }
}

#[test]
fn a_missing_pager_or_one_that_exits_early_is_not_a_failure() {
    let sandbox = crowded();
    for pager in ["/no/such/pager", "true"] {
        let run = sandbox.ccsession(["list", "--all"]).env("PAGER", pager);
        let told = on_a_terminal(run, 10, 100);
        assert_eq!(told.status, Some(0), "{pager}: {}", told.terminal);
        let is_printed = told.terminal.contains("65dd02b6");
        assert_eq!(is_printed, pager != "true", "{pager}: {}", told.terminal);
    }
}

#[test]
fn plain_text_has_words_and_numbers_but_no_drawn_characters() {
    let sandbox = crowded();
    let drawn = ['█', '░', '┄', '└', '·', '…', '→', '\u{1b}'];
    for verb in [
        &["list"][..],
        &["timeline", "65dd"],
        &["stats", "65dd"],
        &["show", "65dd"],
        &["metrics"],
    ] {
        let words = |more: &[&'static str]| [verb, more].concat();
        let on = |run: Run| on_a_terminal(run, 100, 60).terminal;
        let plain = on(with_pager(&sandbox, &words(&["--plain"])));
        assert_eq!(
            plain.chars().find(|c| drawn.contains(c)),
            None,
            "{verb:?}: {plain}"
        );
        assert!(!plain.is_empty());
        for (name, value) in [
            ("TERM", "dumb"),
            ("LC_ALL", "C"),
            ("CLAUDE_AX_SCREEN_READER", "1"),
        ] {
            let same = on(with_pager(&sandbox, verb)
                .env(name, value)
                .env("NO_COLOR", "1"));
            assert_eq!(
                same.chars().find(|c| drawn.contains(c)),
                None,
                "{verb:?} {name}: {same}"
            );
        }
    }
    // Where nothing says otherwise, there are bars and colours.
    let bars = on_a_terminal(with_pager(&sandbox, &["timeline", "65dd"]), 100, 60).terminal;
    assert!(bars.contains('\u{1b}'), "{bars}");
    let grey = with_pager(&sandbox, &["timeline", "65dd"]).env("NO_COLOR", "1");
    let grey = on_a_terminal(grey, 100, 60).terminal;
    assert!(!grey.contains('\u{1b}'), "{grey}");
}
