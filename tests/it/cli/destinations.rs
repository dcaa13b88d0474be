//! The destinations of the settings, as `config` shows them.

use std::fs;

use serde_json::json;

use crate::support::{Sandbox, text};

fn config_file(sandbox: &Sandbox, text: &str) -> String {
    let path = sandbox.path("config.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_destination_is_shown_with_its_defaults_and_without_its_headers() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.home().join("headers"), "Authorization: Bearer hush").unwrap();
    let path = config_file(
        &sandbox,
        "[ship.board]\nendpoint = \"http://localhost:4000/events\"\nprotocol = \"observability\"\n\
         [ship.team]\nendpoint = \"https://otel.example.com/otlp/\"\nheaders_file = \"~/headers\"\n\
         [ship.lab]\nendpoint = \"http://10.0.0.7:4318\"\ninsecure = true\nprotocol = \"http/protobuf\"\n\
         signals = [\"metrics\", \"traces\"]\nspans = \"never\"\ncompression = \"none\"\ntimeout = \"2m\"\n",
    );
    let run = |arguments: &[&str]| {
        let run = sandbox.ccsession([&["config"], arguments].concat());
        run.env("CCSESSION_CONFIG", &path)
    };
    let shown = run(&["--json"]).json();
    let headers = sandbox.home().join("headers");
    let expected = json!([
        {"name": "board", "endpoint": "http://localhost:4000/events", "protocol": "observability",
         "signals": [], "spans": null, "headers_file": null, "compression": "none", "timeout": "10s"},
        {"name": "lab", "endpoint": "http://10.0.0.7:4318", "protocol": "http/protobuf",
         "signals": ["traces", "metrics"], "spans": "never", "headers_file": null, "compression": "none", "timeout": "2m"},
        {"name": "team", "endpoint": "https://otel.example.com/otlp", "protocol": "http/json",
         "signals": ["traces", "logs"], "spans": "auto", "headers_file": headers, "compression": "gzip", "timeout": "10s"},
    ]);
    assert_eq!(shown["destinations"], expected);
    let plain = run(&[]).stdout();
    let table: Vec<Vec<&str>> = plain
        .lines()
        .skip_while(|line| !line.starts_with("DESTINATION"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(table.len(), 4, "{plain}");
    let board = [
        "board",
        "http://localhost:4000/events",
        "observability",
        "events",
        "-",
        "-",
        "none",
        "10s",
    ];
    assert_eq!(table[1], board);
    assert_eq!(
        table[3][3..6],
        ["traces,logs", "auto", headers.to_str().unwrap()]
    );
    assert!(!plain.contains("hush"), "{plain}");
}

/// What is said of a destination with these settings, after the name of the file.
#[track_caller]
fn check_refused(settings: &str, said: &str) {
    let sandbox = Sandbox::new();
    let path = config_file(&sandbox, settings);
    let run = |verb: &str| sandbox.ccsession([verb]).env("CCSESSION_CONFIG", &path);
    let output = run("config").output();
    let expected = format!("ccsession: could not read `{path}`: {said}\n");
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), expected)
    );
    run("list").expect(0, "", "");
}

#[test]
fn a_destination_that_cannot_be_used_is_named_with_what_to_do() {
    check_refused(
        "[ship.a]\n",
        "ship.a.endpoint is missing: the URL of a collector, such as `https://otel.example.com`",
    );
    check_refused(
        "[ship]\nendpoint = \"https://x\"\n",
        "ship.endpoint is not a table; write [ship.NAME] above the settings",
    );
    check_refused(
        "[ship.\"../a\"]\nendpoint = \"https://x\"\n",
        "ship.../a: expected a name of letters, digits, `-` and `_`, such as [ship.team]",
    );
    let with = |settings: &str| format!("[ship.a]\nendpoint = \"https://x\"\n{settings}\n");
    check_refused(
        &with("protocol = \"grpc\""),
        "ship.a.protocol is `grpc`: expected `http/json`, `http/protobuf` or `observability` (collectors take HTTP on port 4318)",
    );
    check_refused(
        &with("signals = [\"traces\", \"prof\\u001biles\"]"),
        "ship.a.signals is `prof iles`: expected a list of `traces`, `logs` and `metrics`, such as [\"traces\", \"logs\"]",
    );
    check_refused(
        &with("signals = []"),
        "ship.a.signals must be a list of `traces`, `logs` and `metrics`, such as [\"traces\", \"logs\"]",
    );
    check_refused(
        &with("insecure = \"true\""),
        "ship.a.insecure must be `true` or `false`, without quotes",
    );
    check_refused(
        &with("headers_file = \"headers\""),
        "ship.a.headers_file is `headers`: expected a path that begins with `/` or `~/`",
    );
    check_refused(
        &with("timeout = \"11m\""),
        "ship.a.timeout is `11m`: expected a duration up to `10m`, such as `10s`",
    );
    check_refused(
        &with("protocol = \"observability\"\nspans = \"never\""),
        "ship.a.spans has no meaning for the protocol `observability`; remove it",
    );
}

#[test]
fn an_unusable_endpoint_is_refused_without_showing_it() {
    let with = |url: &str| format!("[ship.a]\nendpoint = \"{url}\"\n");
    let refused = |url: &str, why: &str| {
        check_refused(
            &with(url),
            &format!("ship.a.endpoint cannot be used: {why}"),
        );
    };
    const FORM: &str =
        "expected a URL such as `https://otel.example.com` or `http://127.0.0.1:4318`";
    for url in [
        "otel.example.com",
        "otel.example.com:4318",
        "ftp://x",
        "https://",
        "https:///v1",
        "https://x:0",
    ] {
        refused(url, FORM);
    }
    refused(
        "https://me:hush@x",
        "it contains a user name or a password; write `Authorization: Basic …` into the headers_file instead",
    );
    refused(
        "https://x/?key=hush",
        "it has a query (`?`); write keys into the headers_file instead",
    );
    refused(
        "https://x/#hush",
        "it has a fragment (`#`), which is never sent; remove it",
    );
    for host in [
        "otel.example.com",
        "127.0.0.1.example.com",
        "10.0.0.1",
        "[fe80::1]",
    ] {
        refused(
            &format!("http://{host}:4318"),
            "`http://` to another machine is readable on the way; use `https://`, or set `insecure = true`",
        );
    }
}

#[test]
fn an_unknown_key_of_a_destination_is_reported_and_the_rest_counts() {
    let sandbox = Sandbox::new();
    let path = config_file(
        &sandbox,
        "[ship.a]\nendpoint = \"http://[::1]:4318\"\ncolour = \"blue\"\n",
    );
    let run = sandbox
        .ccsession(["config", "--json"])
        .env("CCSESSION_CONFIG", &path);
    let output = run.output();
    let said = format!("ccsession: could not use ship.a.colour from {path}: no such key\n");
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), said)
    );
    assert!(text(&output.stdout).contains("http://[::1]:4318"));
}
