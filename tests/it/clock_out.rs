//! `ccsession clock-out` where older tools went wrong: another session's transcript, names that collide or are too long,
//! damaged transcripts, secrets, what an interrupted removal left.

use std::collections::BTreeSet;
use std::fs;

use ccsession::store::archive::Archives;
use ccsession::store::{Decompressor, Places, StateDir};
use serde_json::{Value, json};

use crate::support::archives::{
    NONE, begun, clock_out, decompressed, files, manifest, said, write,
};
use crate::support::canaries::canaries;
use crate::support::files::write_private;
use crate::support::{ID, Sandbox, event, text};

/// Changes a record as an editor could.
fn edit(sandbox: &Sandbox, change: impl FnOnce(&mut Value)) {
    let mut record = sandbox.record(ID);
    change(&mut record);
    let path = sandbox.session(ID).join("session.json");
    write_private(&path, &record.to_string());
}

#[track_caller]
fn verified(sandbox: &Sandbox, archives: &str) {
    let are = if archives.starts_with("1 ") {
        "is"
    } else {
        "are"
    };
    let said = format!("{archives} {are} complete and undamaged\n");
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, &said, "");
}

#[test]
fn an_archive_is_not_replaced_by_one_with_less_of_the_journal() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let first = clock_out(&sandbox, &[]);
    let events = first.with_extension("events.jsonl.zst");
    let journal = decompressed(&events);
    assert!(text(&journal).contains("SessionStart"));
    // A removal that was interrupted took it; or it was cut.
    fs::remove_file(sandbox.session(ID).join("events.jsonl")).unwrap();
    assert_eq!(clock_out(&sandbox, &["--description", "later"]), first);
    assert_eq!(decompressed(&events), journal);
    // What is said from then on is archived with it.
    write(&transcript, said(&["one", "two"]));
    assert_eq!(clock_out(&sandbox, &[]), first);
    assert_eq!(manifest(&sandbox)["messages"], 2);
    assert_eq!(decompressed(&events), journal);
    verified(&sandbox, "1 archive");
}

/// The client deletes what was not written to for a month: of a session that goes on, its subagents' transcripts first.
#[test]
fn deleted_subagent_files_stay_archived_while_the_session_grows() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let folder = transcript.with_extension("").join("subagents");
    let [gone, cut, grown] = ["a1", "a2", "a3"].map(|id| folder.join(format!("agent-{id}.jsonl")));
    let long = "of a subagent that said more than will be said later ".repeat(20);
    for agent in [&gone, &cut, &grown] {
        write(agent, said(&[&long, &long]));
    }
    write(&transcript, said(&["one"]));
    let first = clock_out(&sandbox, &[]);
    fs::remove_file(&gone).unwrap();
    write(&cut, said(&[&long]));
    write(&grown, said(&[&long, &long, "more"]));
    write(&transcript, said(&["one", "two"]));
    let archived = |id: &str| {
        let path = first.with_extension(format!("agent-{id}.jsonl.zst"));
        text(&decompressed(&path))
    };
    for _ in 0..2 {
        assert_eq!(clock_out(&sandbox, &[]), first);
        assert_eq!(manifest(&sandbox)["messages"], 2);
        assert_eq!(archived("a1"), said(&[&long, &long]));
        assert_eq!(archived("a2"), said(&[&long, &long]));
        assert_eq!(archived("a3"), said(&[&long, &long, "more"]));
        verified(&sandbox, "1 archive");
    }
    let before = fs::metadata(&first).unwrap().modified().unwrap();
    clock_out(&sandbox, &[]);
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), before);
    // Of the session's own there is less: nothing is replaced.
    write(&transcript, said(&["one"]));
    fs::remove_file(&grown).unwrap();
    clock_out(&sandbox, &["--description", "later"]);
    assert_eq!(manifest(&sandbox)["messages"], 2);
    // And all of it comes back.
    for path in [&transcript, &cut] {
        fs::remove_file(path).unwrap();
    }
    sandbox.ccsession(["archive", "restore", ID]).stdout();
    assert_eq!(fs::read_to_string(&gone).unwrap(), said(&[&long, &long]));
    assert_eq!(
        fs::read_to_string(&transcript).unwrap(),
        said(&["one", "two"])
    );
}

#[test]
fn an_interrupted_removal_is_completed_by_the_next_reader() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let path = clock_out(&sandbox, &[]).with_extension("manifest.json");
    let killed_while_it_removed = path.with_extension("json.gone");
    fs::rename(&path, &killed_while_it_removed).unwrap();
    fs::remove_file(path.with_extension("").with_extension("txt")).unwrap();
    let listed = sandbox.ccsession(["archive", "list", "--json"]).json();
    assert_eq!(listed["archives"], json!([]));
    assert_eq!(files(&sandbox), NONE);
}

#[test]
fn a_killed_process_s_temporary_files_are_removed_by_the_next_archiving() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let path = clock_out(&sandbox, &[]);
    let left = path.with_file_name(".ccsession-tmp-0123456789abcdef");
    write(&left, "a part of something");
    // What a process leaves that is killed while it makes an archive.
    write(&sandbox.state().join("archive.pending"), "");
    write(&transcript, said(&["one", "two"]));
    clock_out(&sandbox, &[]);
    assert_eq!(files(&sandbox).len(), 4);
    assert!(!left.exists());
}

#[test]
fn a_newly_written_archive_is_not_removed_in_place_of_the_old_one() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    clock_out(&sandbox, &[]);
    let places = Places {
        state: Some(sandbox.state()),
        pointers: sandbox.pointers(),
        config: None,
    };
    let archives = Archives::of(
        &StateDir::open(&places, Decompressor::BUILT_IN)
            .unwrap()
            .unwrap(),
    );
    let archive = archives.all().unwrap().archives.remove(0);
    let before = archive.manifest().unwrap().unwrap();
    write(&transcript, said(&["one", "two"]));
    clock_out(&sandbox, &[]);
    archive.remove(&before).unwrap();
    assert_eq!(files(&sandbox).len(), 4);
    let now = archive.manifest().unwrap().unwrap();
    for _ in 0..2 {
        archive.remove(&now).unwrap();
        assert_eq!(files(&sandbox), NONE);
    }
}

/// The name of an archive is made of the day, the focus and the id: `x-1` and `2` come to the same as `x` and `1-2`.
#[test]
fn two_sessions_with_colliding_archive_names_get_two_archives() {
    let sandbox = Sandbox::archiving();
    for (id, focus) in [("1-2", "x"), ("2", "x-1"), ("1-2", "x")] {
        let transcript = sandbox
            .home()
            .join(format!(".claude/projects/-shop/{id}.jsonl"));
        let line = json!({"type": "user", "sessionId": id, "message": {"role": "user", "content": format!("said in {id}")}});
        write(&transcript, format!("{line}\n"));
        let start = json!({"source": "startup", "transcript_path": transcript});
        sandbox.hook(&event("SessionStart", id, start)).silent();
        let clocked_in = ["clock-in", "--session", id, "--focus", focus, "--quiet"];
        sandbox.ccsession(clocked_in).stdout();
        let path = sandbox.ccsession(["clock-out", id]).stdout();
        let shown = fs::read_to_string(path.trim_end()).unwrap();
        assert!(shown.contains(&format!("said in {id}\n")), "{shown}");
    }
    assert_eq!(files(&sandbox).len(), 8);
    verified(&sandbox, "2 archives");
}

/// The second transcript of `s` is a part `….2.jsonl.zst`, as the first one of `s.2` would be, and a subagent's of `s` one
/// `….agent-a.jsonl.zst`.
#[test]
fn sessions_whose_ids_have_points_share_no_part() {
    let sandbox = Sandbox::archiving();
    let ids = [
        "s",
        "s.2",
        "s.agent-a",
        "s.events",
        "s.txt",
        "s.manifest",
        "s.2.2",
    ];
    let line = |id: &str, uuid: &str| {
        let said = format!("said in {id} {uuid}");
        let line = json!({"type": "user", "sessionId": id, "uuid": format!("{id}-{uuid}"), "message": {"role": "user", "content": said}});
        format!("{line}\n")
    };
    for _ in 0..2 {
        for id in ids {
            for (folder, uuid) in [("-shop", "one"), ("-other", "two")] {
                let folder = sandbox.home().join(".claude/projects").join(folder);
                let path = folder.join(format!("{id}.jsonl"));
                write(&path, line(id, uuid));
                let agent = folder.join(id).join("subagents/agent-a.jsonl");
                write(&agent, line(id, &format!("agent {uuid}")));
                let start = json!({"source": "startup", "transcript_path": path});
                sandbox.hook(&event("SessionStart", id, start)).silent();
            }
            sandbox.ccsession(["clock-out", id, "--tools"]).stdout();
        }
    }
    verified(&sandbox, "7 archives");
    for id in ids {
        let copied = sandbox
            .ccsession(["archive", "show", id, "--transcript"])
            .stdout();
        assert!(copied.contains(&format!("said in {id} ")), "{id}: {copied}");
        sandbox
            .ccsession(["archive", "show", id, "--no-pager"])
            .stdout();
    }
    let mut names = BTreeSet::new();
    for path in files(&sandbox) {
        if path.to_string_lossy().ends_with(".manifest.json") {
            let manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            for part in manifest["parts"].as_array().unwrap() {
                let name = part["name"].as_str().unwrap().to_owned();
                assert!(names.insert(name.clone()), "{name}");
            }
        }
    }
    // A lost index is made again, of names and manifests.
    fs::remove_dir_all(sandbox.state().join("archive-ids")).unwrap();
    for id in ids {
        sandbox.ccsession(["clock-out", id]).stdout();
    }
    verified(&sandbox, "7 archives");
}

/// In the older tools, the first file that mentioned the id was taken for the session's transcript.
#[test]
fn a_transcript_that_only_mentions_a_session_is_never_archived_for_it() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let folder = sandbox.home().join(".claude/projects/-shop");
    let own = said(&["mine"]);
    let record = fs::read_to_string(sandbox.session(ID).join("session.json")).unwrap();
    for number in 0..40 {
        let id = format!("aaaaaaaa-0000-4000-8000-{number:012}");
        let line = |more: Value| {
            let mut line = json!({"type": "user", "sessionId": id, "message": {"role": "user", "content": "x"}});
            line.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            format!("{line}\n")
        };
        let mention = match number % 5 {
            0 => line(json!({"message": {"content": format!("what about {ID}?")}})),
            1 => line(json!({"message": {"content": own}})),
            2 => line(
                json!({"toolUseResult": {"sessionId": ID, "session_id": ID, "stdout": record}}),
            ),
            3 => line(json!({"parentSessionId": ID, "leafUuid": ID, "uuid": ID})),
            // Lines that name nobody come first.
            _ => {
                let summary = json!({"type": "summary", "summary": ID, "leafUuid": ID});
                format!(
                    "{summary}\nnot JSON \"sessionId\":\"{ID}\"\n{}",
                    line(json!({}))
                )
            }
        };
        let path = folder.join(format!("{id}.jsonl"));
        write(&path, mention + &line(json!({})));
    }
    let output = sandbox.ccsession(["clock-out", ID]).output();
    assert!(text(&output.stderr).contains("found no transcript"));
    let manifest_of = || manifest(&sandbox)["transcript"]["path"].clone();
    assert_eq!(manifest_of(), Value::Null);
    // Once its own is there, it is that one.
    let path = folder.join("renamed-by-hand.jsonl");
    write(&path, own);
    let shown = fs::read_to_string(clock_out(&sandbox, &[])).unwrap();
    assert!(shown.contains("[user]\nmine\n"), "{shown}");
    assert_eq!(manifest_of(), path.to_str().unwrap());
}

/// In the older tools, only `/`, `\` and line breaks were taken out of the focus; long names and NUL failed.
#[test]
fn any_focus_gives_a_safe_archive_name_and_is_kept_in_the_archive() {
    let (three_hundred, ten_thousand) = ("f".repeat(300), "wörd/".repeat(2000));
    for (focus, part) in [
        ("fix/ci-337", "-fix-ci-337-"),
        ("fix\\ci\\diagnosis", "-fix-ci-diagnosis-"),
        ("multi\nline\r\nfocus", "-multi-line-focus-"),
        ("../../etc", "-etc-"),
        ("..", "-general-"),
        (".", "-general-"),
        ("a\tb", "-a-b-"),
        ("a:b", "-a-b-"),
        ("", "-general-"),
        ("   ", "-general-"),
        ("---", "-general-"),
        ("\u{0}\u{1b}[31m\u{7f}\u{9b}", "-31m-"),
        ("\u{202e}", "-general-"),
        ("x.manifest.json", "-x.manifest.json-"),
        ("x.new", "-x.new-"),
        (&three_hundred, &format!("-{}-", "f".repeat(64))),
        (&ten_thousand, "-w-rd-w-rd-"),
    ] {
        let sandbox = Sandbox::archiving();
        let transcript = begun(&sandbox, json!({}));
        write(&transcript, said(&["one"]));
        edit(&sandbox, |record| record["focus"] = json!(focus));
        let archived = clock_out(&sandbox, &[]);
        let shop = sandbox.state().join("archive/shop");
        assert_eq!(archived.parent(), Some(&*shop), "{focus:?}");
        let name = archived.file_name().unwrap().to_str().unwrap();
        assert!(name.contains(part) && name.len() < 130, "{focus:?}: {name}");
        let is_safe = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        for path in files(&sandbox) {
            assert_eq!(path.parent(), Some(&*shop));
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(
                name.bytes().all(is_safe) && !name.starts_with('.'),
                "{name}"
            );
        }
        assert_eq!(files(&sandbox).len(), 4);
        assert_eq!(manifest(&sandbox)["focus"], focus);
        assert_eq!(clock_out(&sandbox, &[]), archived);
        verified(&sandbox, "1 archive");
    }
}

/// In the older tools, a name that was too long made the archive fail.
#[test]
fn the_longest_names_that_there_can_be_are_archived() {
    let sandbox = Sandbox::archiving();
    let id = "s".repeat(128);
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{id}.jsonl"));
    let line = |text: &str| {
        json!({"type": "user", "sessionId": id, "message": {"role": "user", "content": text}})
            .to_string()
            + "\n"
    };
    write(&path, line("one"));
    let agents = ["a".repeat(64), "a".repeat(65), "a".repeat(66)];
    for agent in &agents {
        let name = format!("subagents/agent-{agent}.jsonl");
        write(&path.with_extension("").join(name), line(agent));
    }
    let start = json!({"source": "startup", "transcript_path": path});
    sandbox.hook(&event("SessionStart", &id, start)).silent();
    let long = "f".repeat(120);
    let clocked_in = ["clock-in", "--session", &id, "--focus", &long, "--quiet"];
    sandbox.ccsession(clocked_in).stdout();
    sandbox.ccsession(["clock-out", &id]).stdout();
    let manifest = manifest(&sandbox);
    let parts = manifest["parts"].as_array().unwrap().iter();
    let copied: BTreeSet<String> = parts
        .filter(|part| part["kind"] == "subagent")
        .map(|part| {
            let name = part["name"].as_str().unwrap();
            text(&decompressed(
                &sandbox.state().join("archive/shop").join(name),
            ))
        })
        .collect();
    let said: BTreeSet<String> = agents.iter().map(|agent| line(agent)).collect();
    assert_eq!(copied, said);
    verified(&sandbox, "1 archive");
}

/// In the older tools, `.` went through the filter for ids that lead elsewhere.
#[test]
fn an_invalid_id_is_refused_and_nothing_is_created() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let before = sandbox.files();
    for given in [
        "", " ", ".", "..", "../x", "a/b", "a\\b", "/etc", "a\nb", "-",
    ] {
        let run = sandbox.ccsession(["clock-out", "--", given]);
        let said = run.refused(64);
        assert!(said.contains("it is neither a session id"), "{said}");
        assert_eq!(sandbox.files(), before);
    }
}

/// In the older tools, key shapes went through, and a pattern that was too greedy made lines that are no JSON.
#[test]
fn every_line_with_a_secret_stays_json_and_every_known_secret_is_redacted() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let canaries = canaries();
    let lines: Vec<Value> = canaries
        .iter()
        .enumerate()
        .map(|(number, (secret, _))| {
            let call = json!({"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": secret, "list": [["x", secret], {"y": secret}]}});
            let content = json!([{"type": "text", "text": format!("{number} uses {secret} here")}, call]);
            json!({"type": "assistant", "sessionId": ID, "uuid": format!("u-{number}"), "message": {"role": "assistant", "content": content}, "toolUseResult": {"stdout": secret}})
        })
        .collect();
    write(
        &transcript,
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    );
    let path = clock_out(&sandbox, &["--tools"]);
    for path in files(&sandbox) {
        let bytes = match path.extension().unwrap() == "zst" {
            true => decompressed(&path),
            false => fs::read(&path).unwrap(),
        };
        for (secret, body) in &canaries {
            assert!(!text(&bytes).contains(body), "{secret} in {path:?}");
        }
    }
    let copy = text(&decompressed(&path.with_extension("jsonl.zst")));
    assert_eq!(copy.lines().count(), lines.len());
    for (number, (copied, line)) in copy.lines().zip(&lines).enumerate() {
        let copied: Value = serde_json::from_str(copied).unwrap();
        for kept in ["type", "sessionId", "uuid"] {
            assert_eq!(copied[kept], line[kept]);
        }
        let said = copied["message"]["content"][0]["text"].as_str().unwrap();
        assert!(said.starts_with(&format!("{number} uses ")), "{said}");
        assert!(said.contains("[redacted:"), "{said}");
    }
    let counts = manifest(&sandbox)["redacted"].clone();
    let total: u64 = counts
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert!(total >= 5 * lines.len() as u64, "{counts}");
}

/// In the older tools, `keyboard`, `author` and `max_tokens` were taken for secrets, and all from a URL to the next `@`.
#[test]
fn what_only_looks_like_a_secret_stays_to_the_byte() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let lines = [
        r#"{"type":"user","sessionId":"ID","message":{"role":"user","content":"open https://a.b/c"},"cwd":"/home/me@b","list":["x@y"]}"#,
        r#"{"type":"assistant","sessionId":"ID","message":{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Set","input":{"keyboard":"qwertz","author":"me","max_tokens":4096,"monkey":"see","tokens":[1,2]}}]}}"#,
        r#"{"type":"user","sessionId":"ID","n":1.0e5,"s":"\u0041\/","message":{"role":"user","content":"the password is asked for, postgres://db.example.com/shop has none"}}"#,
    ];
    let lines = lines
        .map(|line| line.replace("\"ID\"", &format!("\"{ID}\"")))
        .join("\n")
        + "\n";
    write(&transcript, &lines);
    let path = clock_out(&sandbox, &[]);
    assert_eq!(
        text(&decompressed(&path.with_extension("jsonl.zst"))),
        lines
    );
    assert_eq!(manifest(&sandbox)["redacted"], json!({}));
}

/// In the older tools, calls were looked for where the client does not write them, and every message of a user was
/// dropped. The tests of the older tool for messages of any form are here, too.
#[test]
fn what_is_no_message_is_passed_over_and_every_message_is_there() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let user = |content: Value| json!({"type": "user", "sessionId": ID, "message": {"role": "user", "content": content}});
    let model = |content: Value| json!({"type": "assistant", "sessionId": ID, "message": {"role": "assistant", "content": content}});
    let lines = [
        user(json!("a text")),
        user(json!("")),
        model(json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}])),
        model(json!([{"type": "image", "source": {}}, {"type": "thinking", "thinking": "hm"}])),
        model(json!([{"type": "text", "text": null}, {"type": "text"}])),
        model(json!(["no block", 7, null, [], {"type": "text", "text": "OK"}])),
        user(json!(7)),
        user(json!({"type": "text", "text": "no list"})),
        user(Value::Null),
        json!({"type": "user", "sessionId": ID}),
        json!({"type": "user", "sessionId": ID, "message": "text"}),
        model(
            json!([{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}]),
        ),
        user(
            json!([{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a.txt"}]}]),
        ),
        json!({"type": "tool_use", "name": "TopLevel", "input": {}}),
        json!({"type": "system", "sessionId": ID, "content": "a notice"}),
        user(json!("the last")),
    ];
    let mut all: Vec<String> = lines.iter().map(Value::to_string).collect();
    all.insert(
        3,
        "{\"type\":\"user\",\"message\":{\"content\":\"broken off".to_owned(),
    );
    all.insert(4, "[]".to_owned());
    write(&transcript, all.join("\n"));
    let path = clock_out(&sandbox, &["--tools"]);
    let shown = fs::read_to_string(&path).unwrap();
    let messages = shown.split_once("\n\n").unwrap().1;
    let rule = "=".repeat(80);
    assert_eq!(
        messages,
        format!(
            "[user]\na text\n\n[assistant]\none\ntwo\n\n[assistant]\nOK\n\n\
             [tool: Bash]\n{{\"command\":\"ls\"}}\n\n[tool result]\na.txt\n\n[user]\nthe last\n\n\
             {rule}\nEnd of session (4 messages)\n{rule}"
        )
    );
    let copy = text(&decompressed(&path.with_extension("jsonl.zst")));
    assert_eq!(copy, all.join("\n") + "\n", "the copy has every line");
}

#[test]
fn a_transcript_with_a_second_name_is_archived_and_a_link_is_not_followed() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    // As backups make them.
    fs::hard_link(&transcript, sandbox.path("backup.jsonl")).unwrap();
    let shown = fs::read_to_string(clock_out(&sandbox, &[])).unwrap();
    assert!(shown.contains("[user]\none\n"), "{shown}");

    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let elsewhere = sandbox.path("elsewhere.jsonl");
    write(&elsewhere, said(&["another's"]));
    write(&transcript, "");
    fs::remove_file(&transcript).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &transcript).unwrap();
    let output = sandbox.ccsession(["clock-out", ID]).output();
    assert!(text(&output.stderr).contains("found no transcript"));
    let shown = fs::read_to_string(text(&output.stdout).trim_end()).unwrap();
    assert!(!shown.contains("another's"), "{shown}");
}

#[test]
fn a_long_result_is_shown_in_part_and_copied_whole() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let long = "wörd ".repeat(10_000);
    let result =
        json!([{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": long}]);
    let line =
        json!({"type": "user", "sessionId": ID, "message": {"role": "user", "content": result}});
    write(&transcript, format!("{line}\n"));
    let path = clock_out(&sandbox, &["--tools"]);
    let shown = fs::read_to_string(&path).unwrap();
    let expected = format!("[tool error]\n{}… (60000 bytes)\n", "wörd ".repeat(400));
    assert!(shown.contains(&expected), "{shown}");
    let copy = text(&decompressed(&path.with_extension("jsonl.zst")));
    assert_eq!(copy, format!("{line}\n"));
}

/// A later version of the older tool let a record lead its clock-out anywhere.
#[test]
fn a_record_that_points_elsewhere_makes_nothing_read_or_overwritten_there() {
    for place in [
        "../elsewhere/x.manifest.json",
        "../../elsewhere/x.manifest.json",
        "shop/../../../elsewhere/x.manifest.json",
        "..",
        "",
    ] {
        for root in ["/", "/..", "/a/../../elsewhere", "/x\u{7}\ny"] {
            let sandbox = Sandbox::archiving();
            let transcript = begun(&sandbox, json!({}));
            write(&transcript, said(&["one"]));
            let first = clock_out(&sandbox, &[]);
            let manifest = fs::read(first.with_extension("manifest.json")).unwrap();
            // As good as one that is there, if it is believed.
            let folders = [sandbox.path("elsewhere"), sandbox.state().join("elsewhere")];
            for folder in &folders {
                write(&folder.join("x.manifest.json"), &manifest);
            }
            fs::remove_dir_all(sandbox.state().join("archive")).unwrap();
            edit(&sandbox, |record| {
                record["archive"] = json!({"place": place, "at": "2026-11-20T14:00:00Z"});
                record["project"]["root"] = json!(root);
                record["project"]["name"] = json!("../../elsewhere");
            });
            let archived = clock_out(&sandbox, &["--description", "anew"]);
            let folder = archived.parent().unwrap().parent().unwrap();
            assert_eq!(folder, sandbox.state().join("archive"), "{place} {root}");
            assert_eq!(files(&sandbox).len(), 4, "{place} {root}");
            verified(&sandbox, "1 archive");
            for folder in &folders {
                let names = fs::read_dir(folder).unwrap().count();
                let content = fs::read(folder.join("x.manifest.json")).unwrap();
                assert_eq!((names, &content), (1, &manifest), "{place} {root}");
            }
        }
    }
}
