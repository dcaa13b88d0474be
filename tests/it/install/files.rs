//! Every settings file gets the hooks and comes back byte for byte, or is refused and left alone.

use std::fs;
use std::path::Path;

use ccsession::setup::edit;
use serde_json::{Value, json};

use super::{RECORDED, backups, check_registered, events_up_to, names, read, without};
use crate::support::files::everything;
use crate::support::settings::{ccsession, put, sandbox, user_settings};
use crate::support::{data, mode};

/// The settings files in a folder of the tests' data, by name.
fn files(folder: &str) -> Vec<(String, String)> {
    let folder = data(folder);
    let files = names(&folder)
        .into_iter()
        .filter(|name| name.ends_with(".json"));
    files
        .map(|name| (name.clone(), read(&folder.join(name))))
        .collect()
}

#[test]
fn every_good_file_gets_the_hooks_and_comes_back_byte_for_byte() {
    let files = files("settings");
    assert_eq!(files.len(), 34);
    for (name, before) in files {
        let sandbox = sandbox();
        let path = user_settings(&sandbox);
        put(&path, &before);
        let dir = sandbox.path("libexec");

        let said = ccsession(&sandbox, ["install"]).stdout();
        let backup = backups(&sandbox).pop().unwrap();
        assert_eq!(names(path.parent().unwrap()), ["settings.json"], "{name}");
        let outcome = match name.as_str() {
            "disable-all-hooks.json" => format!(
                "nothing is recorded until this is fixed: disableAllHooks is true in {}: Claude Code runs no hook\n",
                path.display()
            ),
            _ => RECORDED.to_owned(),
        };
        let expected = format!(
            "registered 20 events in {} (all that Claude Code 2.1.329 supports)\n\
             backup: {}\n{outcome}",
            path.display(),
            backup.display()
        );
        assert_eq!(said, expected, "{name}");
        assert_eq!(
            (read(&backup), mode(&backup)),
            (before.clone(), 0o600),
            "{name}"
        );
        check_registered(&sandbox, &path, &events_up_to("2.1.280"));
        let json = |text: &str| serde_json::from_str(text.trim_start_matches('\u{feff}'));
        let old: Value = json(&before).unwrap_or_else(|_| json!({}));
        let new: Value = json(&read(&path)).unwrap();
        assert_eq!(without(new, &dir, &old), old, "{name}");

        let once = everything(&sandbox.home());
        let outcome = if outcome == RECORDED { "" } else { &outcome };
        let twice = format!(
            "20 events are registered in {} already; nothing was changed\n{outcome}",
            path.display()
        );
        ccsession(&sandbox, ["install"]).expect(0, &twice, "");
        assert_eq!(everything(&sandbox.home()), once, "{name}");

        let installed = read(&path);
        let said = ccsession(&sandbox, ["uninstall"]).stdout();
        let gone = format!("removed the hooks from {}\nbackup: ", path.display());
        let backup = said
            .strip_prefix(&gone)
            .unwrap_or_else(|| panic!("{name}: {said}"));
        assert_eq!(read(Path::new(backup.trim_end())), installed, "{name}");
        assert_eq!(read(&path), before, "{name}");
        let gone = everything(&sandbox.home());
        let nothing = format!(
            "no hook of ccsession is in {}; nothing was changed\n",
            path.display()
        );
        ccsession(&sandbox, ["uninstall"]).expect(0, &nothing, "");
        assert_eq!(everything(&sandbox.home()), gone, "{name}");
    }
}

#[test]
fn where_there_was_no_file_there_is_none_afterwards() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    let before = everything(&sandbox.home());
    let said = format!(
        "registered 20 events in {} (all that Claude Code 2.1.329 supports)\n{RECORDED}",
        path.display()
    );
    ccsession(&sandbox, ["install"]).expect(0, &said, "");
    check_registered(&sandbox, &path, &events_up_to("2.1.280"));
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o755));
    assert_eq!(names(path.parent().unwrap()), ["settings.json"]);
    ccsession(&sandbox, ["install"]).stdout();
    ccsession(&sandbox, ["uninstall"]).stdout();
    assert_eq!(everything(&sandbox.home()), before);
    assert_eq!(names(&sandbox.state().join("installs")), [""; 0]);
}

#[test]
fn a_folder_that_was_there_stays_there() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.home().join(".claude")).unwrap();
    let before = everything(&sandbox.home());
    ccsession(&sandbox, ["install"]).stdout();
    ccsession(&sandbox, ["uninstall"]).stdout();
    assert_eq!(everything(&sandbox.home()), before);
}

#[test]
fn every_refused_file_is_named_with_place_reason_and_remedy_and_left_alone() {
    let files = files("settings/refused");
    assert_eq!(files.len(), 20);
    for (name, before) in files {
        let sandbox = sandbox();
        let path = user_settings(&sandbox);
        put(&path, &before);
        let untouched = everything(&sandbox.home());
        let why = edit::uninstall(&before, None, |_| false).unwrap_err();
        assert!(why.to_string().contains(" at line "), "{name}: {why}");
        assert!(!why.remedy().is_empty(), "{name}");
        let said = format!(
            "ccsession: could not edit `{}`: {why}; {}",
            path.display(),
            why.remedy()
        );
        for arguments in [
            &["install"][..],
            &["uninstall"],
            &["install", "--dry-run"],
            &["uninstall", "--dry-run"],
        ] {
            let mut run = ccsession(&sandbox, []);
            run.command.args(arguments);
            assert_eq!(run.refused(1), said, "{name}");
            assert_eq!(everything(&sandbox.home()), untouched, "{name}");
        }
    }
}

#[test]
fn a_refusal_reads_as_a_person_would_say_it() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    put(&path, "{\n  // mine\n  \"model\": \"opus\"\n}\n");
    let said = format!(
        "ccsession: could not edit `{}`: comment at line 2, column 3; \
         remove the comment: Claude Code reads strict JSON only",
        path.display()
    );
    assert_eq!(ccsession(&sandbox, ["install"]).refused(1), said);
}
