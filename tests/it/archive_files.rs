//! Which of the client's files belong to a session, and that an archive has them all: several transcripts, long outputs of
//! tools, a transcript that was overwritten, one that is empty.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::archives::{begun, clock_out, decompressed, files, manifest, said, write};
use crate::support::{ID, Sandbox, event};

/// A message as the client writes it, with tokens where the model says it.
fn record(who: &str, id: &str, at: &str, text: &str) -> String {
    let usage = json!({"input_tokens": 10, "output_tokens": 5});
    let message = json!({"id": id, "role": who, "model": "opus", "content": [{"type": "text", "text": text}], "usage": usage});
    let record = json!({"type": who, "sessionId": ID, "uuid": format!("u-{id}"), "timestamp": format!("2026-11-20T{at}Z"),
        "cwd": "/home/dev/shop", "message": message});
    format!("{record}\n")
}

fn projects(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join(".claude/projects")
}

fn transcript_in(sandbox: &Sandbox, folder: &str) -> PathBuf {
    projects(sandbox).join(folder).join(format!("{ID}.jsonl"))
}

fn parts(sandbox: &Sandbox, kind: &str) -> Vec<Value> {
    let manifest = manifest(sandbox);
    let parts = manifest["parts"].as_array().unwrap().iter();
    parts.filter(|part| part["kind"] == kind).cloned().collect()
}

fn text(sandbox: &Sandbox) -> String {
    let text = fs::read_to_string(clock_out(sandbox, &[])).unwrap();
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive is complete and undamaged\n", "");
    text
}

/// All that is restored, by its place.
fn restored(sandbox: &Sandbox) -> Vec<(String, String)> {
    fs::remove_dir_all(projects(sandbox)).unwrap();
    sandbox.ccsession(["archive", "restore", ID]).stdout();
    let mut found = Vec::new();
    crate::support::walk(&projects(sandbox), &mut |path| {
        let place = path.strip_prefix(projects(sandbox)).unwrap();
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        found.push((place.to_str().unwrap().to_owned(), text));
    });
    found.sort();
    found
}

fn input_tokens(sandbox: &Sandbox) -> u64 {
    let stats = sandbox.ccsession(["stats", ID, "--json"]).json();
    let tokens = stats["tokens"].as_array().unwrap().iter();
    tokens.map(|used| used["input"].as_u64().unwrap()).sum()
}

fn is_news(sandbox: &Sandbox) -> bool {
    sandbox.ccsession(["clock-out", ID, "--json"]).json()["was_there"] == false
}

#[test]
fn a_session_that_went_on_in_another_folder_is_archived_counted_and_restored_whole() {
    let sandbox = Sandbox::archiving();
    let first = begun(&sandbox, json!({}));
    let second = transcript_in(&sandbox, "-other");
    let one = record("user", "1", "12:00:01", "first words")
        + &record("assistant", "2", "12:00:02", "yes");
    let two = record("user", "3", "13:00:01", "second words, which are more")
        + &record("assistant", "4", "13:00:02", "yes");
    write(&first, &one);
    assert!(text(&sandbox).contains("first words"));
    write(&second, &two);
    sandbox
        .hook(&event("Stop", ID, json!({"transcript_path": second})))
        .silent();
    let shown = text(&sandbox);
    let (before, _) = shown.split_once("second words").unwrap();
    assert!(before.contains("first words"), "{shown}");
    assert_eq!(manifest(&sandbox)["messages"], 4);
    assert_eq!(input_tokens(&sandbox), 20);
    let own: Vec<_> = parts(&sandbox, "transcript")
        .iter()
        .map(|part| part["original"].clone())
        .collect();
    assert_eq!(
        own,
        [
            json!(format!("-other/{ID}.jsonl")),
            json!(format!("-shop/{ID}.jsonl"))
        ]
    );
    assert!(!is_news(&sandbox));
    sandbox
        .ccsession(["archive", "search", "first words"])
        .stdout();
    let places = [format!("-other/{ID}.jsonl"), format!("-shop/{ID}.jsonl")];
    let [of_second, of_first] = places;
    assert_eq!(restored(&sandbox), [(of_second, two), (of_first, one)]);
}

#[test]
fn an_older_copy_in_another_folder_adds_nothing_whatever_the_folder_is_called() {
    for old in ["-a", "-z"] {
        let sandbox = Sandbox::archiving();
        let path = begun(&sandbox, json!({}));
        let one =
            record("user", "1", "12:00:01", "one") + &record("assistant", "2", "12:00:02", "yes");
        let more =
            record("user", "3", "12:00:03", "two") + &record("assistant", "4", "12:00:04", "yes");
        write(&path, one.clone() + &more);
        write(&transcript_in(&sandbox, old), one);
        let shown = text(&sandbox);
        assert_eq!(shown.matches("one").count(), 1, "{shown}");
        assert!(shown.contains("two"), "{shown}");
        assert_eq!(parts(&sandbox, "transcript").len(), 1);
        assert_eq!(
            manifest(&sandbox)["transcript"]["copies"][0]["original"],
            format!("{old}/{ID}.jsonl")
        );
        assert_eq!(input_tokens(&sandbox), 20);
        assert!(!is_news(&sandbox));
    }
}

/// Both went on since the folder was copied.
#[test]
fn two_copies_that_diverged_are_both_kept_and_shared_messages_count_once() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    let shared =
        record("user", "1", "12:00:01", "shared") + &record("assistant", "2", "12:00:02", "yes");
    write(
        &path,
        shared.clone() + &record("assistant", "3", "12:00:03", "here"),
    );
    write(
        &transcript_in(&sandbox, "-other"),
        shared + &record("assistant", "4", "12:00:04", "there, and longer"),
    );
    let shown = text(&sandbox);
    for words in ["shared", "here\n", "there, and"] {
        assert_eq!(shown.matches(words).count(), 1, "{words}: {shown}");
    }
    assert_eq!(parts(&sandbox, "transcript").len(), 2);
    assert_eq!(input_tokens(&sandbox), 30);
}

#[test]
fn an_overwritten_transcript_stays_archived_and_the_new_one_is_added() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    let old: String = (0..12)
        .map(|number| {
            record(
                "user",
                &format!("a{number}"),
                "12:00:01",
                &format!("question {number} ."),
            )
        })
        .collect();
    write(&path, &old);
    text(&sandbox);
    // Shorter than before, and then longer.
    for count in [1, 40] {
        let new: String = (0..count)
            .map(|number| {
                record(
                    "user",
                    &format!("b{number}"),
                    "13:00:01",
                    &format!("blank {number} ."),
                )
            })
            .collect();
        write(&path, &new);
        let shown = text(&sandbox);
        for words in [
            "question 0 .".to_owned(),
            "question 11 .".to_owned(),
            format!("blank {} .", count - 1),
        ] {
            assert_eq!(shown.matches(&words).count(), 1, "{words}: {shown}");
        }
        assert!(!shown.contains("abandoned"), "{shown}");
        assert_eq!(parts(&sandbox, "transcript").len(), 2);
        assert!(!is_news(&sandbox));
    }
    // Once the client has none of it, and when a part of the new one is all that it has.
    fs::remove_file(&path).unwrap();
    assert!(!is_news(&sandbox));
    let restored = restored(&sandbox);
    let content: Vec<&str> = restored.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        content.contains(&old.as_str()) && restored.len() == 2,
        "{restored:?}"
    );
    assert_eq!(restored[0].0, format!("-shop/{ID}.jsonl"));
    assert!(restored[0].1.contains("blank 39"));
}

#[test]
fn a_transcript_cut_off_within_a_line_can_continue() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    let whole = said(&["one", "two", "three"]);
    write(&path, &whole[..whole.len() - 20]);
    text(&sandbox);
    write(&path, &whole);
    let shown = text(&sandbox);
    assert!(shown.contains("three"), "{shown}");
    assert_eq!(parts(&sandbox, "transcript").len(), 1);
    assert_eq!(restored(&sandbox), [(format!("-shop/{ID}.jsonl"), whole)]);
}

#[test]
fn an_empty_transcript_is_an_empty_part() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    write(&path, "");
    let agent = path.with_file_name("agent-a1.jsonl");
    write(&agent, said(&["of a subagent"]));
    text(&sandbox);
    sandbox
        .ccsession(["archive", "show", ID, "--transcript"])
        .expect(0, "", "");
    let name = parts(&sandbox, "transcript")[0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(decompressed(&files(&sandbox)[0].with_file_name(name)), b"");
    let expected = [
        (format!("-shop/{ID}.jsonl"), String::new()),
        ("-shop/agent-a1.jsonl".to_owned(), said(&["of a subagent"])),
    ];
    assert_eq!(restored(&sandbox), expected);
}

/// The client never wrote it, but its subagents' are there.
#[test]
fn a_session_without_a_transcript_is_archived_with_its_other_files() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    let agent = path.with_extension("").join("subagents/agent-a1.jsonl");
    write(&agent, said(&["of a subagent"]));
    sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(
        restored(&sandbox),
        [(
            format!("-shop/{ID}/subagents/agent-a1.jsonl"),
            said(&["of a subagent"])
        )]
    );
}

#[test]
fn long_outputs_and_notes_are_archived_without_secrets_and_restored() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    write(&path, said(&["one"]));
    let folder = path.with_extension("");
    let key = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    write(
        &folder.join("tool-results/toolu_A.txt"),
        "line\n".repeat(2000) + "the only failure",
    );
    write(
        &folder.join("tool-results/toolu_B.txt"),
        format!("token {key}\n"),
    );
    write(&folder.join("tool-results/empty.txt"), "");
    let image: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    write(&folder.join("tool-results/a b.png"), &image);
    write(&folder.join("session-memory/summary.md"), "# So far\n");
    text(&sandbox);
    assert_eq!(parts(&sandbox, "file").len(), 5);
    assert!(!is_news(&sandbox));
    for (wanted, line) in [
        ("ONLY failure", "toolu_A.txt:2001: the only failure"),
        ("so far", "summary.md:1: # So far"),
    ] {
        let found = sandbox.ccsession(["archive", "search", wanted]).stdout();
        assert_eq!(found, format!("{ID}:{line}\n"));
    }
    // A later one, while the client has deleted another.
    write(&folder.join("tool-results/toolu_C.txt"), "more\n");
    fs::remove_file(folder.join("tool-results/toolu_A.txt")).unwrap();
    assert!(is_news(&sandbox));
    for path in files(&sandbox)
        .iter()
        .filter(|path| path.extension().unwrap() == "zst")
    {
        let content = decompressed(path);
        assert!(
            !String::from_utf8_lossy(&content).contains(&key),
            "{path:?}"
        );
    }
    let restored = restored(&sandbox);
    let content = |name: &str| {
        let found = restored.iter().find(|(place, _)| place.ends_with(name));
        found.unwrap_or_else(|| panic!("{name}")).1.clone()
    };
    assert!(content("tool-results/toolu_A.txt").ends_with("line\nthe only failure"));
    assert_eq!(
        content("tool-results/toolu_B.txt"),
        "token [redacted:github]\n"
    );
    assert_eq!(content("tool-results/empty.txt"), "");
    assert_eq!(content("tool-results/toolu_C.txt"), "more\n");
    assert_eq!(content("session-memory/summary.md"), "# So far\n");
    assert_eq!(
        fs::read(folder.join("tool-results/a b.png")).unwrap(),
        image
    );
}

#[test]
fn each_transcript_and_file_of_a_session_counts_for_the_deletion_warning() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    let days_ago = |path: &Path| {
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(27 * 24 * 60 * 60);
        fs::File::options()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap();
    };
    let doctor = || {
        let output = sandbox.ccsession(["doctor"]).output();
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("none of those on record that are not archived will be deleted within a week")
    };
    write(&path, said(&["one"]));
    text(&sandbox);
    days_ago(&path);
    assert!(doctor());
    let second = transcript_in(&sandbox, "-other");
    write(&second, said(&["one", "two"]));
    days_ago(&second);
    assert!(!doctor(), "there is more of it elsewhere");
    text(&sandbox);
    assert!(doctor());
    write(&path.with_extension("").join("tool-results/a.txt"), "more");
    assert!(!doctor(), "there is an output of a tool");
    text(&sandbox);
    assert!(doctor());
}
