//! `--since` means the same for every verb.

use std::fs;

use serde_json::json;

use crate::support::Sandbox;

/// The verbs with `--since`, by their help.
fn verbs(sandbox: &Sandbox) -> Vec<Vec<&'static str>> {
    let all = super::VERBS.iter().map(|verb| vec![*verb]);
    let archive = ["list", "search"].map(|verb| vec!["archive", verb]);
    let has_since = |words: &Vec<&str>| {
        let help = sandbox.ccsession(words).arg("--help").stdout();
        help.contains("--since")
    };
    all.chain(archive).filter(has_since).collect()
}

#[test]
fn every_verb_with_a_time_accepts_the_same_forms_and_refuses_the_rest() {
    let sandbox = Sandbox::just_swept();
    fs::create_dir_all(sandbox.projects().join("empty")).unwrap();
    sandbox.session_with("s-1", "shop", &[]);
    let verbs = verbs(&sandbox);
    assert!(verbs.len() >= 5, "{verbs:?}");
    for verb in verbs {
        let words = |since: &'static str| {
            let mut words = verb.clone();
            if verb.contains(&"search") {
                words.push("text");
            }
            words.extend(["--since", since]);
            words
        };
        let usage = sandbox.ccsession(words("soon")).refused(64);
        assert!(usage.starts_with("ccsession: invalid --since `soon`: expected `today`, "));
        for form in [
            "today",
            "Yesterday",
            "monday",
            "sun",
            "3h",
            "90m",
            "2w",
            "14:30",
            "2026-11-01",
            "2026-11",
            "2026",
            "2026-11-20 14:30",
            "2026-11-20T14:00:00+01:00",
        ] {
            let output = sandbox.ccsession(words(form)).output();
            let status = output.status.code();
            assert!(matches!(status, Some(0 | 3)), "{verb:?} {form}: {output:?}");
        }
    }
}

#[test]
fn a_day_is_that_of_local_clocks() {
    let sandbox = Sandbox::just_swept();
    let call = |at: &str| json!({"v": 1, "ts": at, "event": "PreToolUse", "tool": "Bash", "tool_use_id": at});
    // Midnight in Berlin, and the second before, at the beginning of a month.
    let lines = [call("2026-10-31T22:59:59Z"), call("2026-10-31T23:00:00Z")];
    sandbox.session_with("s-1", "shop", &lines);
    let calls = |zone: &str, since: &str| {
        let run = sandbox.ccsession(["stats", "--json", "--since", since]);
        run.env("TZ", zone).json()["calls"].clone()
    };
    for since in ["2026-11", "2026-11-01"] {
        assert_eq!(calls("Europe/Berlin", since), 1);
        assert_eq!(calls("UTC0", since), 0);
        assert_eq!(calls("Pacific/Kiritimati", since), 2);
    }
    assert_eq!(calls("Europe/Berlin", "2026"), 2);
}
