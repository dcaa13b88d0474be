//! `export --state`: what is new since the last export with the same file.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::NOVEMBER;
use crate::support::sessions::WrittenSession;
use crate::support::sink::attribute;
use crate::support::tracing::can_inject;
use crate::support::{Run, Sandbox, text};

fn export(sandbox: &Sandbox, signal: &str, more: &[&str]) -> Run {
    let arguments = [
        "export",
        "--all",
        "--format",
        "otlp-jsonl",
        "--signal",
        signal,
    ];
    sandbox.ccsession(arguments.iter().chain(more))
}

/// The items on some lines by their ids; each must be there once.
fn items(lines: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for line in lines.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        let of = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
        for group in [of(&request, "resourceSpans"), of(&request, "resourceLogs")].concat() {
            for scope in [of(&group, "scopeSpans"), of(&group, "scopeLogs")].concat() {
                for item in [of(&scope, "spans"), of(&scope, "logRecords")].concat() {
                    let uid = attribute(&item, "log.record.uid").unwrap_or(&item["spanId"]);
                    let id = uid.as_str().unwrap().to_owned();
                    assert!(found.insert(id, item.clone()).is_none(), "{item}");
                }
            }
        }
    }
    found
}

#[test]
fn exports_with_one_state_file_add_up_to_one_without() {
    let sandbox = Sandbox::new();
    for signal in ["traces", "logs"] {
        let state = sandbox.path(signal);
        let more = ["--state", state.to_str().unwrap()];
        let mut all = BTreeMap::new();
        let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
        for calls in [0, 3, 0, 700] {
            session.call(calls);
            let new = items(&export(&sandbox, signal, &more).stdout());
            assert!(
                all.keys().all(|id| !new.contains_key(id)),
                "{signal}, {calls}"
            );
            all.extend(new);
        }
        session.end();
        WrittenSession::begin(&sandbox, 2, NOVEMBER).end();
        let output = sandbox.path("new.jsonl");
        let file = ["-o", output.to_str().unwrap()];
        export(&sandbox, signal, &[&more[..], &file].concat()).silent();
        all.extend(items(&fs::read_to_string(&output).unwrap()));
        assert_eq!(export(&sandbox, signal, &more).stdout(), "");
        assert_eq!(
            all,
            items(&export(&sandbox, signal, &[]).stdout()),
            "{signal}"
        );
        fs::remove_dir_all(session.path()).unwrap();
    }
}

/// Whatever the read was for: what the export could not read, the next one writes.
#[test]
fn an_unreadable_session_is_part_of_the_next_export() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::new();
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(3);
    session.end();
    let all = items(&export(&sandbox, "traces", &[]).stdout());
    let mut refused = 0;
    for nth in 1.. {
        let state = sandbox.path(&format!("state-{nth}"));
        let more = ["--state", state.to_str().unwrap()];
        let traced = export(&sandbox, "traces", &more);
        let seen = sandbox.path(&format!("trace-{nth}"));
        let mut run = sandbox.run("strace");
        run.command
            .args(["-f", "-qq", "--seccomp-bpf", "-e", "trace=read", "-o"])
            .arg(&seen)
            .args(["-e", &format!("inject=read:error=EIO:when={nth}")])
            .arg(traced.command.get_program())
            .args(traced.command.get_args());
        let output = run.output();
        if !fs::read_to_string(&seen).unwrap().contains("(INJECTED)") {
            break;
        }
        // The loader reads, too.
        if text(&output.stderr).contains("error while loading shared libraries") {
            continue;
        }
        let mut both = items(&text(&output.stdout));
        refused += usize::from(both.len() < all.len());
        both.extend(items(&export(&sandbox, "traces", &more).stdout()));
        assert_eq!(both, all, "read {nth}: {output:?}");
    }
    assert!(refused > 0);
}

#[test]
fn an_export_that_cannot_be_written_is_repeated_by_the_next() {
    let sandbox = Sandbox::new();
    WrittenSession::begin(&sandbox, 1, NOVEMBER).end();
    let state = sandbox.path("state-file");
    let more = ["--state", state.to_str().unwrap()];
    let nowhere = sandbox.path("missing/new.jsonl");
    let file = ["-o", nowhere.to_str().unwrap()];
    export(&sandbox, "traces", &[&more[..], &file].concat()).refused(1);
    assert!(!state.exists());
    let first = export(&sandbox, "traces", &more).stdout();
    assert_eq!(items(&first).len(), 1);
    let said = export(&sandbox, "logs", &more).refused(64);
    assert!(said.contains("use another file"), "{said}");
    let said = export(
        &sandbox,
        "traces",
        &[&more[..], &["--since", "today"]].concat(),
    );
    assert!(said.refused(64).contains("first export"));
}
