//! Tests the rules one by one, the laws by property, and the files of `tests/data/settings`.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::generate::{Edit, edits, file, settings, spoiled, with_ours};
use super::read::{HOOKS, JSON_SPACE};
use super::verify::verify;
use super::*;

const OURS: &str = "/opt/ccsession/libexec/";

fn owned(command: &str) -> bool {
    command.starts_with(OURS)
}

fn wanted(events: &[&'static str]) -> Vec<HookEntry<'static>> {
    let handler = |event: &&'static str| HookEntry {
        event,
        command: format!("{OURS}session-event"),
        exec_form: true,
        timeout: 5,
    };
    events.iter().map(handler).collect()
}

fn installed(text: &str, events: &[&'static str]) -> Installed {
    install(Some(text), &wanted(events), None, owned).unwrap()
}

/// Returns the file after an uninstallation, or `None` if it was deleted.
fn uninstalled(text: &str, undo: Option<&Undo>) -> Option<String> {
    match uninstall(text, undo, owned).unwrap() {
        Uninstalled::Unchanged => Some(text.to_owned()),
        Uninstalled::Text(text) => Some(text),
        Uninstalled::Delete => None,
    }
}

/// Returns the undo as the next process reads it.
fn reread(undo: &Undo) -> Undo {
    serde_json::from_str(&serde_json::to_string(undo).unwrap()).unwrap()
}

/// Checks that an installation of `Stop` gives exactly `after`, and that its undo restores
/// `before`.
#[track_caller]
fn check_there_and_back(before: &str, after: &str) {
    let done = installed(before, &["Stop"]);
    assert_eq!(done.text, after);
    assert!(done.changed);
    assert_eq!(
        uninstalled(&done.text, Some(&reread(&done.undo))).as_deref(),
        Some(before)
    );
}

#[test]
fn a_new_file_is_written_as_the_client_writes_it() {
    let mut wanted = wanted(&["Stop", "SessionEnd"]);
    wanted[1].exec_form = false;
    wanted[1].command = format!("{OURS}o\"neil");
    let done = install(None, &wanted, None, owned).unwrap();
    let expected = r#"{
  "hooks": {
    "Stop": [
      {
        "hooks": [
          {
            "type": "command",
            "command": "/opt/ccsession/libexec/session-event",
            "args": [],
            "timeout": 5
          }
        ]
      }
    ],
    "SessionEnd": [
      {
        "hooks": [
          {
            "type": "command",
            "command": "/opt/ccsession/libexec/o\"neil",
            "timeout": 5
          }
        ]
      }
    ]
  }
}
"#;
    assert_eq!(done.text, expected);
    assert!(done.changed);
    assert_eq!(
        uninstall(&done.text, Some(&done.undo), owned),
        Ok(Uninstalled::Delete)
    );
}

#[test]
fn a_blank_file_gets_its_white_space_back() {
    for blank in ["", "\n", " \r\n\t"] {
        let done = installed(blank, &["Stop"]);
        assert_eq!(
            uninstalled(&done.text, Some(&done.undo)).as_deref(),
            Some(blank)
        );
    }
    assert!(
        installed(" \r\n\t", &["Stop"])
            .text
            .starts_with("{\r\n  \"hooks\": {\r\n")
    );
}

#[test]
fn an_empty_object_is_spread_over_lines() {
    let after = r#"{
  "hooks": {
    "Stop": [
      {
        "hooks": [
          {
            "type": "command",
            "command": "/opt/ccsession/libexec/session-event",
            "args": [],
            "timeout": 5
          }
        ]
      }
    ]
  }
}"#;
    check_there_and_back("{}", after);
    check_there_and_back("{ \n }", after);
    check_there_and_back("{\r\n}\r\n", &format!("{after}\n").replace('\n', "\r\n"));
}

#[test]
fn a_file_on_one_line_stays_on_one_line() {
    check_there_and_back(
        r#"{"a":1}"#,
        r#"{"a":1,"hooks":{"Stop":[{"hooks":[{"type":"command","command":"/opt/ccsession/libexec/session-event","args":[],"timeout":5}]}]}}"#,
    );
    check_there_and_back(
        r#"{"a": 1, "hooks": {"Stop": []}}"#,
        r#"{"a": 1, "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "/opt/ccsession/libexec/session-event", "args": [], "timeout": 5}]}]}}"#,
    );
}

#[test]
fn indentation_and_line_endings_are_those_of_the_file() {
    let before = "{\r\n\t\"hooks\": {\r\n\t\t\"Stop\": [ ]\r\n\t},\r\n\t\"a\": 1\r\n}";
    let after = concat!(
        "{\r\n\t\"hooks\": {\r\n\t\t\"Stop\": [\r\n\t\t\t{\r\n\t\t\t\t\"hooks\": [\r\n",
        "\t\t\t\t\t{\r\n\t\t\t\t\t\t\"type\": \"command\",\r\n",
        "\t\t\t\t\t\t\"command\": \"/opt/ccsession/libexec/session-event\",\r\n",
        "\t\t\t\t\t\t\"args\": [],\r\n\t\t\t\t\t\t\"timeout\": 5\r\n\t\t\t\t\t}\r\n",
        "\t\t\t\t]\r\n\t\t\t}\r\n\t\t]\r\n\t},\r\n\t\"a\": 1\r\n}",
    );
    check_there_and_back(before, after);
}

#[test]
fn ours_are_appended_after_what_is_there() {
    let before = r#"{
    "hooks": {
        "Stop": [
            {"hooks": []}
        ]
    }
}
"#;
    let after = r#"{
    "hooks": {
        "Stop": [
            {"hooks": []},
            {
                "hooks": [
                    {
                        "type": "command",
                        "command": "/opt/ccsession/libexec/session-event",
                        "args": [],
                        "timeout": 5
                    }
                ]
            }
        ]
    }
}
"#;
    check_there_and_back(before, after);
}

#[test]
fn original_empty_containers_return_and_created_ones_are_removed() {
    let files = [
        "{}",
        r#"{"hooks":{}}"#,
        r#"{"hooks":{"Stop":[]}}"#,
        r#"{"hooks":{"Stop":[ ]}}"#,
        r#"{"hooks":{"SessionEnd":[]}}"#,
    ];
    for file in files {
        let done = installed(file, &["Stop", "SessionStart"]);
        let back = uninstalled(&done.text, Some(&reread(&done.undo)));
        assert_eq!(back.as_deref(), Some(file));
    }
}

#[test]
fn without_the_undo_containers_that_became_empty_are_removed() {
    let gone = |text| uninstalled(&installed(text, &["Stop"]).text, None).unwrap();
    assert_eq!(gone(r#"{"hooks":{"Stop":[]}}"#), "{}");
    assert_eq!(
        gone(r#"{"hooks":{"SessionEnd":[]}}"#),
        r#"{"hooks":{"SessionEnd":[]}}"#
    );
    assert_eq!(gone(r#"{"a":1}"#), r#"{"a":1}"#);
    let new = install(None, &wanted(&["Stop"]), None, owned).unwrap();
    assert_eq!(uninstalled(&new.text, None).as_deref(), Some("{}\n"));
}

#[test]
fn without_our_hooks_there_is_nothing_to_remove() {
    let undo = installed("{}", &["Stop"]).undo;
    for text in ["", "{}", r#"{"hooks":{"A":[]}}"#, r#"{"hooks":{}}"#] {
        assert_eq!(
            uninstall(text, None, owned),
            Ok(Uninstalled::Unchanged),
            "{text}"
        );
    }
    assert_eq!(
        uninstall("", Some(&undo), owned),
        Ok(Uninstalled::Unchanged)
    );
    assert_eq!(
        uninstall("{ }", Some(&undo), owned),
        Ok(Uninstalled::Unchanged)
    );
}

#[test]
fn a_file_that_we_created_is_removed_once_it_is_empty() {
    let undo = install(None, &wanted(&["Stop"]), None, owned).unwrap().undo;
    for text in ["", "\n", "{}", r#"{"hooks":{"Stop":[]}}"#] {
        assert_eq!(
            uninstall(text, Some(&undo), owned),
            Ok(Uninstalled::Delete),
            "{text}"
        );
    }
    let kept = uninstalled(r#"{"theme":"dark","hooks":{"Stop":[]}}"#, Some(&undo));
    assert_eq!(kept.as_deref(), Some(r#"{"theme":"dark"}"#));
}

#[test]
fn a_second_installation_changes_nothing() {
    let first = installed("{\n  \"a\": 1\n}\n", &["Stop", "SessionEnd"]);
    let wanted = wanted(&["SessionEnd", "Stop"]);
    let second = install(Some(&first.text), &wanted, Some(&first.undo), owned).unwrap();
    assert_eq!(
        second,
        Installed {
            changed: false,
            ..first
        }
    );
}

#[test]
fn the_undo_is_found_again_after_it_was_lost() {
    let first = installed("{\n  \"a\": 1\n}\n", &["Stop"]);
    let second = install(Some(&first.text), &wanted(&["Stop"]), None, owned).unwrap();
    assert_eq!(
        second,
        Installed {
            changed: false,
            ..first
        }
    );
}

#[test]
fn an_older_installation_is_brought_to_the_wanted_one() {
    let first = installed(r#"{"hooks":{"Stop":[]}}"#, &["Stop", "Notification"]);
    let old = first.text.replace("session-event", "old/session-event");
    let events = ["SessionStart", "Stop"];
    let moved = install(Some(&old), &wanted(&events), Some(&first.undo), owned).unwrap();
    assert!(moved.changed);
    assert_eq!(
        moved.text,
        installed(r#"{"hooks":{"Stop":[]}}"#, &events).text
    );
    let back = uninstalled(&moved.text, Some(&moved.undo));
    assert_eq!(back.as_deref(), Some(r#"{"hooks":{"Stop":[]}}"#));
}

#[test]
fn every_difference_from_the_wanted_handler_is_corrected() {
    let right = installed("{}", &["Stop"]);
    let differences = [
        ("\"args\": []", "\"args\": [\"x\"]"),
        ("\"args\": [],", ""),
        ("\"timeout\": 5", "\"timeout\": 50"),
        ("\"timeout\": 5", "\"timeout\": 5, \"async\": true"),
        ("session-event", "other"),
        ("\"hooks\": [", "\"matcher\": \"Bash\", \"hooks\": ["),
    ];
    for (ours, theirs) in differences {
        let wrong = right.text.replacen(ours, theirs, 1);
        assert_ne!(wrong, right.text);
        let done = install(Some(&wrong), &wanted(&["Stop"]), Some(&right.undo), owned);
        assert_eq!(
            done,
            Ok(Installed {
                changed: true,
                ..right.clone()
            }),
            "{theirs}"
        );
    }
}

#[test]
fn a_handler_under_another_event_is_moved() {
    let first = installed(r#"{"a":1}"#, &["Stop"]);
    let moved = first.text.replace("\"Stop\"", "\"SubagentStop\"");
    let done = install(Some(&moved), &wanted(&["Stop"]), Some(&first.undo), owned).unwrap();
    let ours = registered(&done.text, owned).unwrap();
    assert_eq!(
        ours.iter()
            .map(|ours| ours.event.as_str())
            .collect::<Vec<_>>(),
        ["Stop"]
    );
}

#[test]
fn an_exact_duplicate_is_removed() {
    let once = installed(r#"{"a":1}"#, &["Stop"]);
    let group = &once.text[once.text.find("[{").unwrap() + 1..once.text.len() - 3];
    let twice = once.text.replace(group, &format!("{group},{group}"));
    assert_eq!(registered(&twice, owned).unwrap().len(), 2);
    let done = install(Some(&twice), &wanted(&["Stop"]), Some(&once.undo), owned);
    assert_eq!(done, Ok(once));
}

#[test]
fn wanting_nothing_removes_ours() {
    let once = installed(r#"{"a":1}"#, &["Stop"]);
    let none = install(Some(&once.text), &[], Some(&once.undo), owned).unwrap();
    assert_eq!((none.text.as_str(), none.changed), (r#"{"a":1}"#, true));
    assert!(!install(Some("{}"), &[], None, owned).unwrap().changed);
}

#[test]
fn an_edit_that_went_wrong_is_found() {
    let before = r#"{"a":1}"#;
    let check = |after: Option<&str>| {
        let settings = ParsedSettings::read(before).unwrap();
        verify(settings.as_ref(), after, &wanted(&["Stop"]), &owned)
            .unwrap_err()
            .to_string()
    };
    let foreign =
        "ccsession's own edit would be wrong: settings that are not ccsession's would change";
    assert_eq!(check(Some(r#"{"a":2}"#)), foreign);
    assert_eq!(check(None), foreign);
    let ours = "ccsession's own edit would be wrong: ccsession's hooks would not be as wanted";
    assert_eq!(check(Some(before)), ours);
    let spoiled = "ccsession's own edit would be wrong: trailing comma at line 1, column 7";
    assert_eq!(check(Some(r#"{"a":1,}"#)), spoiled);
}

#[test]
fn a_wanted_command_that_would_not_be_recognised_is_refused() {
    let refused = install(Some("{}"), &wanted(&["Stop"]), None, |_| false);
    assert!(
        matches!(refused, Err(EditRefusal::Unverified { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_matcher_of_everything_is_left_alone() {
    let text = installed("{}", &["Stop"]).text;
    for matcher in ["", "*"] {
        let with = format!("\"matcher\": \"{matcher}\", \"hooks\": [");
        let text = text.replacen("\"hooks\": [", &with, 1);
        assert!(!installed(&text, &["Stop"]).changed);
    }
}

#[test]
fn duplicates_of_ours_are_removed() {
    let ours = json!({"type": "command", "command": format!("{OURS}x")});
    let foreign = json!({"type": "command", "command": "x"});
    let text = json!({"hooks": {
        "Stop": [{"hooks": [ours, foreign, ours]}, {"hooks": [ours]}, {"hooks": [ours, ours]}],
        "SubagentStop": [{"matcher": "a", "hooks": [ours]}],
    }})
    .to_string();
    let done = installed(&text, &["Stop"]);
    assert_eq!(registered(&done.text, owned).unwrap().len(), 1);
    let back = uninstalled(&done.text, Some(&done.undo)).unwrap();
    let expected = json!({"hooks": {"Stop": [{"hooks": [foreign]}]}});
    assert_eq!(back, expected.to_string());
}

#[test]
fn a_container_created_by_us_stays_ours_over_a_second_installation() {
    let first = install(None, &wanted(&["Stop"]), None, owned).unwrap();
    let group = json!({"hooks": [{"type": "command", "command": "foreign"}]});
    let mut edited: Value = serde_json::from_str(&first.text).unwrap();
    edited["hooks"]["Stop"]
        .as_array_mut()
        .unwrap()
        .push(group.clone());
    let wanted = wanted(&["Stop", "SessionEnd"]);
    let second = install(Some(&edited.to_string()), &wanted, Some(&first.undo), owned).unwrap();
    let kept = uninstalled(&second.text, Some(&second.undo)).unwrap();
    assert_eq!(kept, json!({"hooks": {"Stop": [group]}}).to_string());
    assert_eq!(
        uninstalled(r#"{"hooks":{"Stop":[]}}"#, Some(&second.undo)),
        None
    );
}

#[test]
fn an_undo_of_another_version_is_not_read() {
    let undo = |v: u32| serde_json::from_value::<Undo>(json!({ "v": v }));
    assert_eq!(undo(1).unwrap(), Undo::new());
    assert_eq!(undo(2).unwrap_err().to_string(), "version 2 is not known");
}

#[test]
fn an_undo_that_would_spoil_the_file_is_refused() {
    let text = installed("{}", &["Stop"]).text;
    for file in [
        json!({"empty": "\"x\":1"}),
        json!({"blank": "{"}),
        json!({"empty": "}"}),
    ] {
        let undo = json!({"v": 1, "file": file, "hooks": "missing", "events": {"Stop": "missing"}});
        let undo = serde_json::from_value(undo).unwrap();
        let refused = uninstall(&text, Some(&undo), owned);
        assert!(
            matches!(refused, Err(EditRefusal::Unverified { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn what_is_registered_is_listed_as_it_stands() {
    let text = r#"{"hooks": {"Stop": [{"matcher": "*", "hooks": [
            {"type": "command", "command": "/opt/ccsession/libexec/x", "args": [], "timeout": 7},
            {"type": "command", "command": "foreign"},
            {"type": "http", "command": "/opt/ccsession/libexec/x"}]}],
            "SessionEnd": [{"hooks": [{"type": "command", "command": "/opt/ccsession/libexec/y"}]}]}}"#;
    let ours = |event: &str, file, exec_form, timeout, matcher: Option<&str>| Registered {
        event: event.to_owned(),
        command: format!("{OURS}{file}"),
        exec_form,
        timeout,
        matcher: matcher.map(str::to_owned),
    };
    let expected = [
        ours("Stop", "x", true, Some(7), Some("*")),
        ours("SessionEnd", "y", false, None, None),
    ];
    assert_eq!(registered(text, owned).unwrap(), expected);
    let commands = all_commands(text).unwrap();
    let commands: Vec<_> = commands
        .iter()
        .map(|(e, c)| (e.as_str(), c.as_str()))
        .collect();
    let expected = [
        ("Stop", "/opt/ccsession/libexec/x"),
        ("Stop", "foreign"),
        ("SessionEnd", "/opt/ccsession/libexec/y"),
    ];
    assert_eq!(commands, expected);
    assert_eq!(registered("\n", owned), Ok(Vec::new()));
}

#[test]
fn a_setting_is_read_from_the_top_level_only() {
    let text = r#"{"env": {"disableAllHooks": 1}, "cleanupPeriodDays": 7}"#;
    assert_eq!(setting(text, "cleanupPeriodDays"), Ok(Some(json!(7))));
    assert_eq!(setting(text, "disableAllHooks"), Ok(None));
    assert_eq!(setting("", "cleanupPeriodDays"), Ok(None));
}

#[test]
fn size_and_depth_are_bounded_and_the_bounds_are_inside() {
    let sized = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    assert!(setting(&sized(MAX_BYTES), "a").is_ok());
    let refused = Err(EditRefusal::TooLarge {
        bytes: MAX_BYTES + 1,
    });
    assert_eq!(setting(&sized(MAX_BYTES + 1), "a"), refused);
    let grown = install(Some(&sized(MAX_BYTES)), &wanted(&["Stop"]), None, owned);
    assert!(matches!(grown, Err(EditRefusal::TooLarge { .. })));

    let nested = |depth: usize| {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    assert!(setting(&nested(MAX_DEPTH), "a").is_ok());
    let at = TextPosition {
        line: 1,
        column: MAX_DEPTH + 5,
    };
    assert_eq!(
        setting(&nested(MAX_DEPTH + 1), "a"),
        Err(EditRefusal::TooDeep(at))
    );
    assert!(setting(&nested(100_000), "a").is_err());
}

#[test]
fn a_key_from_the_file_is_shown_on_one_line() {
    let twice = "{\"hooks\": {\"a\\n\\u001b[2J\": [], \"a\\n\\u001b[2J\": []}}";
    let refused = setting(twice, "a").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "duplicate key `a [2J` at line 1, column 32"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the files are this repository's own"
)]
fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/settings")
        .join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths
        .iter()
        .map(|path| (name(path), fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn every_good_file_comes_back_byte_for_byte() {
    let files = files("");
    assert!(files.len() >= 28);
    for (name, text) in files {
        let done = installed(&text, &["SessionStart", "PreToolUse", "Stop", "CwdChanged"]);
        assert_eq!(registered(&done.text, owned).unwrap().len(), 4, "{name}");
        let back = uninstalled(&done.text, Some(&reread(&done.undo)));
        assert_eq!(back.as_deref(), Some(text.as_str()), "{name}");
    }
}

/// The message for each refused file. The table and the folder must agree.
const REFUSED: [(&str, &str); 20] = [
    ("block-comment.json", "comment at line 2, column 19"),
    ("comment.json", "comment at line 2, column 3"),
    (
        "duplicate-event.json",
        "duplicate key `Stop` at line 4, column 5",
    ),
    (
        "duplicate-hooks-spelled-differently.json",
        "duplicate key `hooks` at line 3, column 3",
    ),
    (
        "event-is-object.json",
        "hooks.Stop at line 3, column 13 is not an array",
    ),
    (
        "group-is-string.json",
        "hooks.Stop[0] at line 3, column 14 is not an object",
    ),
    (
        "group-without-hooks.json",
        "hooks.Stop[0].hooks at line 4, column 7 is not an array",
    ),
    (
        "handler-is-string.json",
        "hooks.Stop[0].hooks[0] at line 4, column 19 is not an object",
    ),
    (
        "handler-without-command.json",
        "hooks.Stop[0].hooks[0].command at line 4, column 20 is not a string",
    ),
    (
        "hooks-is-array.json",
        "hooks at line 2, column 12 is not an object",
    ),
    (
        "hooks-is-null.json",
        "hooks at line 2, column 12 is not an object",
    ),
    (
        "missing-comma.json",
        "not JSON at line 2, column 18: expected comma",
    ),
    (
        "newline-in-string.json",
        "not JSON at line 3, column 1: control character (\\u0000-\\u001F) found while parsing a string",
    ),
    (
        "single-quotes.json",
        "not JSON at line 2, column 3: single-quoted strings are not allowed",
    ),
    (
        "too-deep.json",
        "nested deeper than 127 levels at line 2, column 136",
    ),
    (
        "top-level-array.json",
        "the top level at line 1, column 1 is not an object",
    ),
    (
        "trailing-comma-in-hooks.json",
        "trailing comma at line 4, column 60",
    ),
    ("trailing-comma.json", "trailing comma at line 2, column 18"),
    (
        "truncated.json",
        "not JSON at line 4, column 13: unterminated array",
    ),
    (
        "two-documents.json",
        "not JSON at line 2, column 1: text cannot contain more than one json value",
    ),
];

#[test]
fn every_refused_file_is_refused_with_its_place_and_reason() {
    let files = files("refused");
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, REFUSED.map(|(name, _)| name));
    for ((name, text), (_, why)) in files.iter().zip(REFUSED) {
        let refusal = install(Some(text), &wanted(&["Stop"]), None, owned).unwrap_err();
        assert_eq!(refusal.to_string(), why, "{name}");
        assert!(!refusal.remedy().is_empty());
        assert_eq!(uninstall(text, None, owned), Err(refusal.clone()), "{name}");
        assert_eq!(registered(text, owned), Err(refusal.clone()), "{name}");
        assert_eq!(setting(text, "model"), Err(refusal), "{name}");
    }
}

#[test]
fn what_the_client_ignores_does_not_cause_a_refusal() {
    let before = "\u{feff}{\"a\": 1, \"a\": 2, \"hooks\": {\"Elicitation\": null}}";
    let done = installed(before, &["Stop"]);
    assert!(done.text.starts_with('\u{feff}'));
    assert_eq!(registered(&done.text, owned).unwrap().len(), 1);
    assert_eq!(setting(&done.text, "a"), Ok(Some(json!(2))));
    let back = uninstalled(&done.text, Some(&reread(&done.undo)));
    assert_eq!(back.as_deref(), Some(before));
    assert_eq!(uninstalled(&done.text, None).as_deref(), Some(before));
    let wanted = wanted(&["Elicitation"]);
    let refused = install(Some(before), &wanted, None, owned).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "hooks.Elicitation at line 1, column 43 is not an array"
    );
}

fn some_wanted() -> impl Strategy<Value = Vec<HookEntry<'static>>> {
    let events = [
        "SessionStart",
        "Stop",
        "PreToolUse",
        "SessionEnd",
        "PostToolBatch",
    ];
    let handlers = (any::<bool>(), 1u32..100, "[a-z \"\\\\é]{1,8}");
    (prop::sample::subsequence(events.to_vec(), 1..=5), handlers).prop_map(|(events, handler)| {
        let (exec_form, timeout, file) = handler;
        let command = format!("{OURS}{file}");
        let handler = |event| HookEntry {
            event,
            command: command.clone(),
            exec_form,
            timeout,
        };
        events.into_iter().map(handler).collect()
    })
}

fn value(text: Option<&str>) -> Value {
    match text.map(str::trim) {
        None | Some("") => json!({}),
        Some(text) => serde_json::from_str(text).unwrap(),
    }
}

fn edited(text: Option<&str>, edits: &[Edit]) -> Value {
    let mut value = value(text);
    edits.iter().for_each(|edit| edit.apply(&mut value, &owned));
    value
}

/// Removes the empty containers that `original` did not have. They may be ours, or others may have
/// created and emptied them. We cannot tell, and it does not matter.
fn without_new_empties(mut value: Value, original: Option<&str>) -> Value {
    let original = self::value(original);
    if let Some(Value::Object(hooks)) = value.get_mut(HOOKS) {
        hooks.retain(|event, groups| {
            *groups != json!([]) || original.pointer(&format!("/hooks/{event}")).is_some()
        });
        if hooks.is_empty() && original.get(HOOKS).is_none() {
            value.as_object_mut().unwrap().remove(HOOKS);
        }
    }
    value
}

/// Checks that, after the edits, `back` means what the edited original would.
#[track_caller]
fn check_edited(original: Option<&str>, edits: &[Edit], back: Option<&str>) {
    let expected = without_new_empties(edited(original, edits), original);
    assert_eq!(without_new_empties(value(back), original), expected);
}

fn foreign_commands(text: &str) -> Vec<(String, String)> {
    let mut commands = all_commands(text).unwrap();
    commands.retain(|(_, command)| !owned(command));
    commands
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn uninstall_is_the_inverse_of_install(text in file(), wanted in some_wanted()) {
        let text = text.as_deref();
        let done = install(text, &wanted, None, owned).unwrap();
        prop_assert!(done.changed);
        prop_assert_eq!(registered(&done.text, owned).unwrap().len(), wanted.len());
        let back = uninstalled(&done.text, Some(&reread(&done.undo)));
        prop_assert_eq!(back.as_deref(), text);
    }

    #[test]
    fn installing_twice_is_installing_once(text in file(), wanted in some_wanted()) {
        let first = install(text.as_deref(), &wanted, None, owned).unwrap();
        let second = install(Some(&first.text), &wanted, Some(&first.undo), owned).unwrap();
        prop_assert_eq!(&second, &Installed { changed: false, ..first.clone() });
        let forgetful = install(Some(&first.text), &wanted, None, owned).unwrap();
        prop_assert!(!forgetful.changed);
        prop_assert_eq!(forgetful.text, first.text);
    }

    #[test]
    fn uninstall_is_the_inverse_of_a_chain_of_installs(
        text in file(),
        chain in prop::collection::vec(some_wanted(), 2..4),
    ) {
        let mut done: Option<Installed> = None;
        for wanted in &chain {
            let undo = done.as_ref().map(|done| reread(&done.undo));
            let now = done.as_ref().map(|done| done.text.as_str()).or(text.as_deref());
            done = Some(install(now, wanted, undo.as_ref(), owned).unwrap());
        }
        let done = done.unwrap();
        let last = install(text.as_deref(), chain.last().unwrap(), None, owned).unwrap();
        prop_assert_eq!(&done.text, &last.text);
        prop_assert_eq!(uninstalled(&done.text, Some(&done.undo)), text);
    }

    #[test]
    fn edits_of_others_in_between_survive(
        text in file(),
        wanted in some_wanted(),
        edits in edits(),
    ) {
        let done = install(text.as_deref(), &wanted, None, owned).unwrap();
        let theirs = serde_json::to_string_pretty(&edited(Some(&done.text), &edits)).unwrap();
        let back = uninstalled(&theirs, Some(&done.undo));
        check_edited(text.as_deref(), &edits, back.as_deref());
    }

    #[test]
    fn edits_of_others_before_a_second_installation_survive(
        text in file(),
        wanted in some_wanted(),
        again in some_wanted(),
        edits in edits(),
    ) {
        let first = install(text.as_deref(), &wanted, None, owned).unwrap();
        let theirs = edited(Some(&first.text), &edits).to_string();
        let second = install(Some(&theirs), &again, Some(&first.undo), owned).unwrap();
        let back = uninstalled(&second.text, Some(&second.undo));
        check_edited(text.as_deref(), &edits, back.as_deref());
    }

    #[test]
    fn bytes_that_others_insert_in_between_survive(
        text in settings().prop_filter("no member", |text| value(Some(text)) != json!({})),
        wanted in some_wanted(),
    ) {
        let insert = |text: &str| {
            let (start, end) = (text.find('{').unwrap() + 1, text.rfind('}').unwrap());
            let (head, body, tail) = (&text[..start], &text[start..end], &text[end..]);
            format!("{head}\t\"stranger\" :1e0,{body},\"guest\":[ ]{tail}")
        };
        let done = install(Some(&text), &wanted, None, owned).unwrap();
        let back = uninstalled(&insert(&done.text), Some(&done.undo));
        prop_assert_eq!(back, Some(insert(&text)));
    }

    #[test]
    fn others_are_never_touched_wherever_ours_are_found(
        text in with_ours(OURS),
        wanted in some_wanted(),
    ) {
        let done = install(Some(&text), &wanted, None, owned).unwrap();
        prop_assert_eq!(registered(&done.text, owned).unwrap().len(), wanted.len());
        prop_assert_eq!(foreign_commands(&done.text), foreign_commands(&text));
        let back = uninstalled(&done.text, Some(&done.undo)).unwrap();
        prop_assert_eq!(registered(&back, owned), Ok(Vec::new()));
        prop_assert_eq!(foreign_commands(&back), foreign_commands(&text));
        let lost = uninstalled(&text, None).unwrap();
        prop_assert_eq!(registered(&lost, owned), Ok(Vec::new()));
        prop_assert_eq!(foreign_commands(&lost), foreign_commands(&text));
    }

    #[test]
    fn where_nothing_is_ours_nothing_is_removed(text in with_ours(OURS)) {
        prop_assert_eq!(uninstall(&text, None, |_| false), Ok(Uninstalled::Unchanged));
    }

    #[test]
    fn what_is_not_json_is_refused(text in spoiled()) {
        let unmarked = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let json = serde_json::from_str::<Value>(unmarked);
        let done = install(Some(&text), &wanted(&["Stop"]), None, owned);
        if json.is_err() && !unmarked.trim_matches(JSON_SPACE).is_empty() {
            prop_assert!(done.is_err(), "{done:?}");
            prop_assert!(uninstall(&text, None, owned).is_err());
            prop_assert!(registered(&text, owned).is_err());
        }
    }

    #[test]
    fn no_text_is_a_reason_to_panic(text in any::<String>(), start in "[{}\\[\\]\",:a1 /]{0,20}") {
        for text in [text, start] {
            let _ = install(Some(&text), &wanted(&["Stop"]), None, owned);
            let _ = uninstall(&text, None, owned);
        }
    }
}
