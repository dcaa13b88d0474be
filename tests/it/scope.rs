//! Which projects a verb means: one rule for all verbs that read several sessions.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::terminal::with_stderr_on_a_terminal;
use crate::support::transcripts::put_lines;
use crate::support::{Run, Sandbox, as_client, event};

const SHOP: &str = "3f2a0000-1111-4222-8333-444455556666";
const API: &str = "4f2a0000-1111-4222-8333-444455556666";

/// The verbs about the past, with options that make them name each session.
const PAST: [&[&str]; 7] = [
    &["stats", "--by", "session", "--csv"],
    &["export", "--format", "csv", "--table", "sessions"],
    &["export", "--format", "jsonl"],
    &["search", "needle", "--ids"],
    &["resume", "--print"],
    &["archive", "list"],
    &["archive", "search", "needle", "--ids"],
];

/// The directory of the project `api`, which is below the home directory.
fn api(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join("src/api")
}

/// Puts down a session that has ended, with a transcript, a call and an archive.
fn past(sandbox: &Sandbox, id: &str, dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let transcript = sandbox.projects().join(format!("-{}/{id}.jsonl", &id[..2]));
    let prompt = json!({
        "type": "user", "uuid": "u1", "sessionId": id, "timestamp": "2026-11-20T10:00:00.000Z", "cwd": dir,
        "message": {"role": "user", "content": "a needle"},
    });
    put_lines(&transcript, &[prompt]);
    let call = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "true"}});
    for (name, more) in [
        ("SessionStart", json!({"source": "startup"})),
        ("PreToolUse", call),
        ("SessionEnd", json!({"reason": "prompt_input_exit"})),
    ] {
        let mut payload = event(name, id, more);
        payload["cwd"] = json!(dir);
        payload["transcript_path"] = json!(transcript);
        let run = sandbox.hook(&payload).env("CLAUDE_PROJECT_DIR", dir);
        run.env("CLAUDE_PID", as_client()).silent();
    }
    sandbox.ccsession(["clock-out", id]).stdout();
}

/// Two projects with a session each, and a directory without one.
fn two_projects() -> Sandbox {
    let sandbox = Sandbox::just_swept();
    past(&sandbox, SHOP, &sandbox.project());
    past(&sandbox, API, &api(&sandbox));
    fs::create_dir(sandbox.path("new")).unwrap();
    sandbox
}

/// Returns which sessions the program names. Nothing may be on stderr, which is no terminal.
fn named(run: Run) -> Vec<&'static str> {
    let said = run.stdout();
    [SHOP, API]
        .into_iter()
        .filter(|id| said.contains(id))
        .collect()
}

#[test]
fn a_verb_about_the_past_means_the_project_here_or_else_every_project() {
    let sandbox = two_projects();
    for verb in PAST {
        let at = |dir: &Path| named(sandbox.ccsession(verb).dir(dir));
        assert_eq!(at(&sandbox.project()), [SHOP], "{verb:?}");
        assert_eq!(at(&api(&sandbox)), [API], "{verb:?}");
        assert_eq!(at(&sandbox.path("new")), [SHOP, API], "{verb:?}");
        assert_eq!(at(Path::new("/")), [SHOP, API], "{verb:?}");
        let with = |more: &[&str]| named(sandbox.ccsession([verb, more].concat()));
        assert_eq!(with(&["--all"]), [SHOP, API], "{verb:?}");
        assert_eq!(with(&["-a"]), [SHOP, API], "{verb:?}");
        let dir = api(&sandbox);
        assert_eq!(
            with(&["--project", dir.to_str().unwrap()]),
            [API],
            "{verb:?}"
        );
        let both = sandbox.ccsession([verb, &["--all", "--project", "."]].concat());
        both.refused(64);
    }
}

#[test]
fn a_project_may_be_named_by_its_name_and_after_it_is_gone() {
    let sandbox = two_projects();
    let dir = api(&sandbox);
    let gone = || PAST.iter().filter(|verb| verb[0] != "resume");
    for is_gone in [false, true] {
        if is_gone {
            fs::remove_dir(&dir).unwrap();
        }
        for verb in gone() {
            let with = |project: &str| {
                let more = ["--project", project];
                named(sandbox.ccsession([verb, &more[..]].concat()))
            };
            assert_eq!(with("api"), [API], "{verb:?}");
            assert_eq!(with(dir.to_str().unwrap()), [API], "{verb:?}");
            let other = sandbox.ccsession([verb, &["--project", "ap"][..]].concat());
            let said = other.refused(1);
            assert!(said.starts_with("ccsession: could not find `"), "{said}");
        }
    }
    let report = ["report", "--project", "api", "-o", "-"];
    assert_eq!(named(sandbox.ccsession(report)), [API]);
}

#[test]
fn one_project_may_be_named_by_its_name() {
    let sandbox = two_projects();
    let last = ["current", "--last", "--project", "api"];
    assert_eq!(sandbox.ccsession(last).stdout(), format!("{API}\n"));
    let planned = ["delete", "--dry-run", "--json", "--project", "api"];
    let planned = sandbox.ccsession(planned).stdout();
    assert!(
        planned.contains(API) && !planned.contains(SHOP),
        "{planned}"
    );
    sandbox
        .ccsession(["store", API, "--project", "api"])
        .expect(0, "", "");
    let imported = ["import", "--dry-run", "--project", "api"];
    let output = sandbox.ccsession(imported).output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(API) && !said.contains(SHOP), "{said}");
    for verb in [
        &["current"][..],
        &["delete", "--dry-run"],
        &["store", API],
        &["list"],
        &["stats"],
    ] {
        let run = sandbox.ccsession([verb, &["--project", "nosuch"]].concat());
        assert_eq!(
            run.refused(1),
            "ccsession: could not find `nosuch`: no project with this name or directory is on record",
            "{verb:?}"
        );
    }
    let nothing = sandbox.ccsession(["delete"]).refused(64);
    assert!(nothing.contains("name it by its id or title"), "{nothing}");
    // Another project of this name.
    past(
        &sandbox,
        "5f2a0000-1111-4222-8333-444455556666",
        &sandbox.home().join("old/api"),
    );
    let ambiguous = ["delete", "--dry-run", "--project", "api"];
    let ambiguous = sandbox.ccsession(ambiguous).refused(4);
    assert!(ambiguous.contains("2 have the name `api`"), "{ambiguous}");
}

#[test]
fn in_a_removed_directory_there_is_no_project() {
    let sandbox = two_projects();
    for verb in ["stats --by session --csv", "search needle --ids"] {
        let script = format!(
            "mkdir ../doomed && cd ../doomed && rmdir ../doomed && exec {} {verb}",
            crate::support::CCSESSION
        );
        assert_eq!(
            named(sandbox.run("/bin/sh").arg("-c").arg(script)),
            [SHOP, API],
            "{verb}"
        );
    }
}

#[test]
fn verbs_about_the_present_show_every_project() {
    let sandbox = two_projects();
    let waits = event("UserPromptSubmit", API, json!({"prompt": "go on"}));
    let stop = event("Stop", API, json!({}));
    let start = event("SessionStart", API, json!({"source": "resume"}));
    for mut payload in [start, waits, stop] {
        payload["cwd"] = json!(api(&sandbox));
        let run = sandbox
            .hook(&payload)
            .env("CLAUDE_PROJECT_DIR", api(&sandbox));
        run.env("CLAUDE_PID", as_client()).silent();
    }
    let listed = |more: &[&str]| named(sandbox.ccsession([&["list"], more].concat()));
    assert_eq!(listed(&[]), [API]);
    assert_eq!(listed(&["--waiting"]), [API]);
    assert_eq!(listed(&["--project", "."]), [] as [&str; 0]);
    // The numbers of a monitoring system do not depend on where it stands.
    let metrics = |dir: &Path| sandbox.ccsession(["metrics", "--json"]).dir(dir).json();
    for dir in [sandbox.project(), sandbox.path("new")] {
        assert_eq!(metrics(&dir)["total_sessions"], 2);
    }
}

#[test]
fn ended_sessions_have_their_own_option_and_all_leaves_nothing_out() {
    let sandbox = two_projects();
    let listed = |more: &[&str]| named(sandbox.ccsession([&["list"], more].concat()));
    assert_eq!(listed(&["--all"]), [SHOP, API]);
    assert_eq!(listed(&["--ended"]), [SHOP, API]);
    assert_eq!(listed(&["--ended", "--project", "."]), [SHOP]);
    assert_eq!(listed(&["--ended", "--all"]), [SHOP, API]);
    assert_eq!(listed(&["--state", "ended"]), [SHOP, API]);
    for wrong in [
        &["--all", "--project", "."][..],
        &["--ended", "--waiting"],
        &["--ended", "--state", "idle"],
    ] {
        sandbox.ccsession([&["list"], wrong].concat()).refused(64);
    }
}

#[test]
fn a_name_means_its_session_wherever_it_is() {
    let sandbox = two_projects();
    for words in [
        &["stats", API, "--by", "session", "--csv"][..],
        &["export", API, "--format", "csv"],
        &["resume", API, "--print"],
        &["search", "needle", "--ids", "--session", API],
    ] {
        assert_eq!(named(sandbox.ccsession(words)), [API], "{words:?}");
    }
}

#[test]
fn on_a_terminal_a_line_names_the_projects_chosen_by_default() {
    let sandbox = two_projects();
    let here = "these are the sessions of ~/src/api; use --all for those of every project\r\n";
    let new = sandbox.path("new");
    let every = format!(
        "no session of {} is on record; these are the sessions of every project\r\n",
        new.display()
    );
    for verb in PAST {
        let said = |dir: &Path, more: &[&str]| {
            let run = sandbox.ccsession([verb, more].concat()).dir(dir);
            let told = with_stderr_on_a_terminal(run);
            assert_eq!(told.status, Some(0), "{verb:?}: {}", told.terminal);
            told.terminal
        };
        assert_eq!(said(&api(&sandbox), &[]), here, "{verb:?}");
        assert_eq!(said(&new, &[]), every, "{verb:?}");
        assert_eq!(said(&new, &["--all"]), "", "{verb:?}");
        assert_eq!(said(&api(&sandbox), &["--project", "."]), "", "{verb:?}");
    }
    for words in [
        &["list", "--ended"][..],
        &["metrics"],
        &["stats", "--json"],
        &["search", "needle", "--json"],
        &["stats", API],
    ] {
        let run = sandbox.ccsession(words).dir(api(&sandbox));
        assert_eq!(with_stderr_on_a_terminal(run).terminal, "", "{words:?}");
    }
}

#[test]
fn a_bundle_follows_the_rule_too() {
    let sandbox = two_projects();
    let wrote = |more: &[&str]| {
        let words = [&["export", "--format", "bundle", "-o", "x"], more].concat();
        let said = sandbox.ccsession(words).stdout();
        said.split(',').next().unwrap().to_owned()
    };
    assert_eq!(wrote(&[]), "wrote 1 session");
    assert_eq!(wrote(&["--all"]), "wrote 2 sessions");
}

#[test]
fn a_session_not_found_here_comes_with_a_hint_to_search_wider() {
    let sandbox = two_projects();
    let said = sandbox.ccsession(["search", "haystack"]).refused(3);
    let wider = "; to find more, search every project with --all, or use a part of the word";
    assert!(said.ends_with(wider), "{said}");
    let said = sandbox
        .ccsession(["search", "haystack", "--all"])
        .refused(3);
    assert!(!said.contains("--all"), "{said}");
    let said = sandbox.ccsession(["resume", "haystack"]).refused(3);
    assert_eq!(
        said,
        "ccsession: could not find a session of this project to resume: `ccsession resume --all` looks through the 2 sessions on record"
    );
}

#[test]
fn tab_offers_sessions_of_every_project_with_this_one_first() {
    let sandbox = two_projects();
    let offered = |dir: &Path, verb: &str| {
        let run = sandbox.ccsession(["--", "ccsession", verb, ""]).dir(dir);
        let run = run.env("CCSESSION_COMPLETE", "bash");
        let said = run.env("_CLAP_COMPLETE_INDEX", "2").stdout();
        let at = |id: &str| said.find(id).unwrap();
        match at(SHOP) < at(API) {
            true => [SHOP, API],
            false => [API, SHOP],
        }
    };
    for verb in ["show", "resume", "store"] {
        assert_eq!(offered(&sandbox.project(), verb), [SHOP, API], "{verb}");
        assert_eq!(offered(&api(&sandbox), verb), [API, SHOP], "{verb}");
    }
}
