//! The documents say what is true: what they list is held against what the program has.

use std::fs;
use std::path::Path;

use ccsession::claude::versions::{Version, events_for};
use ccsession::model::Config;
use ccsession::model::config::Key;
use serde_json::Value;

use crate::support::Sandbox;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The verb that `text` begins with; empty where it begins with none.
fn verb_in(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '-');
    let word = &text[..end.unwrap_or(text.len())];
    if word.starts_with('-') { "" } else { word }
}

#[test]
fn the_readme_lists_every_setting_with_its_default_as_the_file_has_it() {
    let readme = document("README.md");
    let mut defaults = Config::default();
    for key in Key::ALL {
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` | ", key.name())));
        let row = row.unwrap_or_else(|| panic!("README.md does not list {}", key.name()));
        let default = row.split('|').nth(2).unwrap().trim().trim_matches('`');
        let line: toml::Table = format!("{} = {default}", key.name()).parse().unwrap();
        let value = key
            .name()
            .split('.')
            .fold(None, |table: Option<&toml::Value>, name| {
                table.map_or_else(|| line.get(name), |table| table.get(name))
            });
        let default = match value.unwrap() {
            toml::Value::String(text) => text.clone(),
            toml::Value::Boolean(switch) => switch.to_string(),
            toml::Value::Integer(number) => number.to_string(),
            other => panic!("{row}: {other:?}"),
        };
        let before = defaults.get(key);
        defaults.set(key, &default).unwrap();
        assert_eq!(defaults.get(key), before, "{row}");
    }
}

#[test]
fn every_command_in_the_readme_exists() {
    let sandbox = Sandbox::new();
    let help = sandbox.ccsession(["--help"]).stdout();
    let mut seen = 0;
    for line in document("README.md").lines() {
        for rest in line.split("ccsession ").skip(1) {
            let verb = verb_in(rest);
            let is_command = line.contains(&format!("$ ccsession {verb}"))
                || line.contains(&format!("`ccsession {verb}"));
            if is_command && !verb.is_empty() {
                seen += 1;
                assert!(help.contains(&format!("  {verb} ")), "{line}");
            }
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn every_option_in_the_readme_exists() {
    let sandbox = Sandbox::new();
    let text = document("README.md");
    let is_call =
        |line: &&str| line.starts_with("ccsession ") || line.starts_with("id=$(ccsession ");
    let calls: Vec<&str> = text.lines().filter(is_call).collect();
    assert!(calls.len() > 8, "{calls:?}");
    for line in calls {
        let command = line.split('#').next().unwrap();
        let Some((_, rest)) = command.split_once("ccsession ") else {
            continue;
        };
        let verb = verb_in(rest);
        if verb.is_empty() {
            continue;
        }
        let sub = rest.split_whitespace().nth(1).filter(|_| verb == "archive");
        let words = [Some(verb), sub, Some("--help")];
        let help = sandbox.ccsession(words.into_iter().flatten()).stdout();
        for option in rest
            .split([' ', '`', ')'])
            .filter(|word| word.starts_with("--"))
        {
            assert!(help.contains(option), "{line}: {verb} has no {option}");
        }
    }
}

#[test]
fn the_plugin_form_registers_what_an_install_would() {
    let hooks: Value = serde_json::from_str(&document("hooks/hooks.json")).unwrap();
    let hooks = hooks["hooks"].as_object().unwrap();
    // The plugin cannot choose by version; its README names the oldest client that it is for.
    let wanted = events_for(Some(Version(2, 1, 131)));
    assert_eq!(hooks.len(), wanted.len());
    for registration in wanted {
        let command = hooks[registration.event][0]["hooks"][0]["command"]
            .as_str()
            .unwrap();
        assert!(
            command.ends_with(&format!("/{}", registration.executable)),
            "{}",
            registration.event
        );
    }
}

#[test]
fn every_test_that_a_document_names_exists() {
    for name in ["ARCHITECTURE.md", "SECURITY.md"] {
        let text = document(name);
        let mut seen = 0;
        for named in text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|code| code.contains("::") && !code.contains(' '))
        {
            let (module, test) = named.rsplit_once("::").unwrap();
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/it")
                .join(format!("{}.rs", module.replace("::", "/")));
            let Ok(source) = fs::read_to_string(path) else {
                continue;
            };
            seen += 1;
            assert!(
                test == "*" || source.contains(&format!("fn {test}(")),
                "{name}: there is no test {named}"
            );
        }
        assert!(seen > 5, "{name}: {seen}");
    }
}

#[test]
fn every_attack_has_a_number_and_a_test() {
    let security = document("SECURITY.md");
    let rows: Vec<&str> = security
        .lines()
        .filter(|line| line.starts_with("| T"))
        .collect();
    assert!(rows.len() > 50, "{}", rows.len());
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", number, attack, answer, tests, ""] = cells[..] else {
            panic!("{row}")
        };
        assert_eq!(number, format!("T{}", index + 1), "{row}");
        assert!(!attack.is_empty() && !answer.is_empty(), "{row}");
        assert!(tests.contains("::"), "{row}");
    }
}

#[test]
fn the_changelog_has_a_section_for_what_is_not_released() {
    assert!(document("CHANGELOG.md").contains("## Unreleased"));
}
