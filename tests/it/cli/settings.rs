//! What `store` and `config` do, and invalid settings.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{ID, Sandbox, event, text};

#[test]
fn a_stored_session_is_the_projects_current_one() {
    let sandbox = Sandbox::new();
    sandbox.ccsession(["store", "s-1"]).silent();
    assert!(
        fs::read_to_string(sandbox.pointer("shop"))
            .unwrap()
            .starts_with("s-1\n")
    );
    assert_eq!(crate::support::mode(&sandbox.pointer("shop")), 0o600);
    let other = sandbox.path("other");
    fs::create_dir(&other).unwrap();
    sandbox
        .ccsession(["store", "s-2", "--project"])
        .arg(&other)
        .silent();
    assert!(
        fs::read_to_string(sandbox.pointer("other"))
            .unwrap()
            .starts_with("s-2\n")
    );
    assert!(
        fs::read_to_string(sandbox.pointer("shop"))
            .unwrap()
            .starts_with("s-1\n")
    );
    sandbox.assert_no_leftovers();
}

#[test]
fn only_a_whole_session_id_is_stored() {
    let sandbox = Sandbox::new();
    for (id, why) in [
        ("unknown", "`unknown` means that there is no session"),
        ("", "it is empty"),
        (
            "../x",
            "it may hold only letters, digits, `.`, `_` and `-`, and starts with a letter or a digit",
        ),
        (&"x".repeat(129), "it is longer than 128 bytes"),
    ] {
        let said = sandbox.ccsession(["store", id]).refused(64);
        assert_eq!(
            said,
            format!("ccsession: could not use `{id}` as a session id: {why}")
        );
    }
    let nowhere = sandbox.path("nowhere");
    let said = sandbox
        .ccsession(["store", "s-1", "--project"])
        .arg(&nowhere)
        .refused(1);
    assert!(said.starts_with("ccsession: could not find `"), "{said}");
    assert_eq!(sandbox.files(), [""; 0]);
}

/// A setting's value and source, as `ccsession config --json` has them.
fn setting(config: &Value, key: &str) -> (String, String) {
    let settings = config["settings"].as_array().unwrap();
    let setting = settings
        .iter()
        .find(|setting| setting["key"] == key)
        .unwrap();
    let text = |name: &str| setting[name].as_str().unwrap().to_owned();
    (text("value"), text("source"))
}

fn config_file(sandbox: &Sandbox, text: &str) -> PathBuf {
    let path = sandbox.home().join(".config/ccsession/config.toml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn each_setting_is_shown_with_its_source() {
    let sandbox = Sandbox::new();
    let shown = |run: crate::support::Run, key: &str| setting(&run.json(), key);
    let run = || sandbox.ccsession(["config", "--json"]);
    let is = |value: &str, source: &str| (value.to_owned(), source.to_owned());

    assert_eq!(shown(run(), "ttl"), is("24h", "default"));
    assert_eq!(shown(run(), "capture"), is("summary", "default"));
    let old = || run().env("SESSION_TIMEOUT_SECS", "90  # Session timeout");
    assert_eq!(
        shown(old(), "session_timeout"),
        is("1m 30s", "$SESSION_TIMEOUT_SECS")
    );
    let path = config_file(&sandbox, "session_timeout = \"2h\"\ncontext_line = true\n");
    let file = path.to_str().unwrap();
    assert_eq!(shown(old(), "session_timeout"), is("2h", file));
    assert_eq!(shown(run(), "context_line"), is("true", file));
    let ours = || old().env("CCSESSION_SESSION_TIMEOUT", "3h");
    assert_eq!(
        shown(ours(), "session_timeout"),
        is("3h", "$CCSESSION_SESSION_TIMEOUT")
    );
    let empty = old().env("CCSESSION_SESSION_TIMEOUT", "");
    assert_eq!(shown(empty, "session_timeout"), is("2h", file));
    let interval = run().env("SESSION_CLEANUP_INTERVAL", "600");
    assert_eq!(
        shown(interval, "cleanup_interval"),
        is("10m", "$SESSION_CLEANUP_INTERVAL")
    );
}

#[test]
fn the_configuration_file_may_be_elsewhere() {
    let sandbox = Sandbox::new();
    let xdg = sandbox.path("xdg/ccsession/config.toml");
    let own = sandbox.path("own.toml");
    fs::create_dir_all(xdg.parent().unwrap()).unwrap();
    fs::write(&xdg, "ttl = \"1h\"").unwrap();
    fs::write(&own, "ttl = \"2h\"").unwrap();
    let run = || {
        sandbox
            .ccsession(["config", "--json"])
            .env("XDG_CONFIG_HOME", sandbox.path("xdg"))
    };
    assert_eq!(setting(&run().json(), "ttl").0, "1h");
    let config = run().env("CCSESSION_CONFIG", &own).json();
    assert_eq!(setting(&config, "ttl").0, "2h");
    assert_eq!(config["places"]["config"], own.to_str().unwrap());
}

#[test]
fn every_place_is_shown() {
    let sandbox = Sandbox::new();
    let libexec = sandbox.path("libexec");
    let run = |arguments: &[&str]| {
        sandbox
            .ccsession(arguments)
            .env("CCSESSION_LIBEXEC", &libexec)
            .without_env("CCSESSION_ARCHIVE_AUTO")
    };
    let program = fs::canonicalize(crate::support::CCSESSION).unwrap();
    let places = json!({
        "state": sandbox.state(),
        "pointers": sandbox.pointers(),
        "config": sandbox.home().join(".config/ccsession/config.toml"),
        "program": program,
        "hooks": libexec,
        "claude": sandbox.home().join(".claude"),
    });
    let config = run(&["config", "--json"]).json();
    assert_eq!((&config["places"], &config["v"]), (&places, &json!(1)));
    let place = |name: &str| places[name].as_str().unwrap();
    let settings = [
        ["SETTING", "VALUE", "FROM"],
        ["ttl", "24h", "default"],
        ["session_timeout", "1h", "default"],
        ["max_concurrent_sessions", "100", "default"],
        ["cleanup_interval", "5m", "default"],
        ["capture", "summary", "default"],
        ["journal_limit", "64MiB", "default"],
        ["archive.auto", "true", "default"],
        ["retention.sessions", "never", "default"],
        ["retention.archive", "never", "default"],
        ["context_line", "false", "default"],
        ["limit_warning", "false", "default"],
        ["exclude", "none", "default"],
    ];
    let widest = settings.iter().map(|row| row[0].len()).max().unwrap() + 2;
    let settings: String = settings
        .map(|[key, value, from]| format!("{key:<widest$}{value:<9}{from}\n"))
        .concat();
    let expected = format!(
        "PLACE     PATH\n\
         state     {}\n\
         pointers  {}\n\
         config    {}\n\
         program   {}\n\
         hooks     {}\n\
         claude    {}\n\
         \n\
         {settings}",
        place("state"),
        place("pointers"),
        place("config"),
        place("program"),
        place("hooks"),
        place("claude"),
    );
    run(&["config"]).expect(0, &expected, "");
    assert_eq!(sandbox.files(), [""; 0], "and nothing was created");
}

/// What `config` says of this file and this variable; the other verbs stop with the same words.
#[track_caller]
fn check_bad_setting(file: &str, variable: Option<(&str, &str)>, said: &str) {
    let sandbox = Sandbox::new();
    let path = config_file(&sandbox, file);
    let said = said.replace("FILE", path.to_str().unwrap()) + "\n";
    let run = |verb: &str| {
        let run = sandbox.ccsession([verb]);
        match variable {
            Some((name, value)) => run.env(name, value),
            None => run,
        }
    };
    let output = run("config").output();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), said.clone())
    );
    assert!(
        text(&output.stdout).contains("\nttl  ") && text(&output.stdout).contains("  24h  "),
        "the default is shown"
    );
    for verb in ["list", "current", "cleanup"] {
        run(verb).expect(1, "", &said);
    }
}

#[test]
fn a_bad_value_is_named_with_its_key_its_source_and_what_is_expected() {
    const DURATION: &str = "is not a duration above zero, such as `90s`, `5m` or `24h`";
    check_bad_setting(
        "ttl = \"soon\"",
        None,
        &format!("ccsession: could not use ttl from FILE: `soon` {DURATION}"),
    );
    check_bad_setting(
        "",
        Some(("CCSESSION_TTL", "0s")),
        &format!("ccsession: could not use ttl from $CCSESSION_TTL: `0s` {DURATION}"),
    );
    check_bad_setting(
        "",
        Some(("SESSION_TIMEOUT_SECS", "1h # an hour")),
        "ccsession: could not use session_timeout from $SESSION_TIMEOUT_SECS: `1h # an hour` is not a whole number of seconds above zero",
    );
    check_bad_setting(
        "context_line = \"yes\"",
        None,
        "ccsession: could not use context_line from FILE: `yes` is not `true` or `false`",
    );
    check_bad_setting(
        "capture = \"a\\u001b[2J\\n\"",
        None,
        "ccsession: could not use capture from FILE: `a\\u{1b}[2J\\u{a}` is not `metadata`, `summary` or `full`",
    );
}

#[test]
fn an_unknown_key_is_reported_by_config_and_ignored_elsewhere() {
    let sandbox = Sandbox::new();
    let path = config_file(
        &sandbox,
        "\"colour\\u001b\" = \"blue\"\n[later]\nurl = \"x\"\n",
    );
    let said = format!(
        "ccsession: could not use colour\\u{{1b}} from {path}: no such key\n\
         ccsession: could not use later.url from {path}: no such key\n",
        path = path.display()
    );
    let output = sandbox.ccsession(["config"]).output();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), said)
    );
    sandbox.ccsession(["list"]).expect(0, "", "");
}

#[test]
fn a_configuration_that_is_not_toml_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    let path = config_file(&sandbox, "ttl = \"1h\"\ncapture = summary\n");
    let said = sandbox.ccsession(["list"]).refused(1);
    let start = format!("ccsession: could not read `{}`: ", path.display());
    assert!(
        said.starts_with(&start) && said.ends_with(" (line 2)"),
        "{said}"
    );
}

#[test]
fn the_example_is_toml_and_equals_the_defaults_once_uncommented() {
    let sandbox = Sandbox::archiving();
    let example = sandbox.ccsession(["config", "--example"]).stdout();
    assert_eq!(
        example.parse::<toml::Table>().unwrap().len(),
        0,
        "all of it is comment"
    );
    config_file(&sandbox, &example);
    let defaults = sandbox.ccsession(["config", "--json"]).json();
    let bare: Vec<&str> = example
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = "))
        .collect();
    let path = config_file(&sandbox, &bare.join("\n"));
    let config = sandbox.ccsession(["config", "--json"]).json();
    for default in defaults["settings"].as_array().unwrap() {
        let key = default["key"].as_str().unwrap();
        let (value, source) = setting(&config, key);
        assert_eq!(
            (value.as_str(), source.as_str()),
            (default["value"].as_str().unwrap(), path.to_str().unwrap())
        );
        assert!(example.contains(&format!(
            "# In the environment: CCSESSION_{}\n",
            key.to_uppercase().replace('.', "_")
        )));
    }
    assert_eq!(bare.len(), 12);
}

#[test]
fn a_relative_path_is_refused_and_never_ignored() {
    let sandbox = Sandbox::new();
    for variable in [
        "CCSESSION_STATE_DIR",
        "CCSESSION_POINTER_DIR",
        "CCSESSION_CONFIG",
        "CCSESSION_LIBEXEC",
    ] {
        let refused = sandbox
            .ccsession(["current"])
            .env(variable, "somewhere/else")
            .refused(1);
        let why = "it is not an absolute path; correct or unset it";
        assert_eq!(
            refused,
            format!("ccsession: could not use {variable}: {why}")
        );
    }
    sandbox
        .hook(&event("SessionStart", ID, json!({})))
        .env("CCSESSION_CONFIG", "config.toml")
        .env("HOOK_DEBUG", "true")
        .expect(
            0,
            "",
            &format!(
                "ccsession: [SESSION_MANAGER] session created: {ID}\n\
                 ccsession: could not use CCSESSION_CONFIG: it is not an absolute path\n"
            ),
        );
}
