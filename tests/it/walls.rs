//! The architecture: which room may use which. The tests read the sources, so that a dependency in the wrong direction fails.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{CCSESSION, POST_TOOL_USE, PRE_TOOL_USE, SESSION_EVENT, SESSION_START, walk};

/// Each room and the rooms it may use.
const ARROWS: [(&str, &[&str]); 15] = [
    ("model", &[WORDS]),
    ("store", &["model"]),
    ("claude", &["model", "store"]),
    ("identity", &["model", "store", "claude"]),
    ("hook", &["model", "store", "claude", "identity"]),
    ("history", &["model", "store", "claude", "identity"]),
    (
        "archive",
        &["model", "store", "claude", "identity", "history"],
    ),
    (
        "search",
        &["model", "store", "claude", "identity", "history", "archive"],
    ),
    ("lifecycle", &["model", "store", "claude", "identity"]),
    (
        "cleanup",
        &[
            "model",
            "store",
            "claude",
            "identity",
            "history",
            "archive",
            "lifecycle",
        ],
    ),
    ("view", &["model"]),
    (
        "ship",
        &[
            "model", "store", "claude", "identity", "history", "archive", "view",
        ],
    ),
    (
        "setup",
        &[
            "model",
            "store",
            "claude",
            "identity",
            "hook",
            "history",
            "archive",
            "lifecycle",
            "cleanup",
            "ship",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "store",
            "claude",
            "identity",
            "hook",
            "history",
            "archive",
            "search",
            "lifecycle",
            "cleanup",
            "view",
            "ship",
            "setup",
        ],
    ),
    ("bin", &["hook"]),
];

/// The file that lies in a room above the one that uses it: it names no room itself.
const WORDS: &str = "claude::words";

fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room),
        &mut found,
    );
    assert!(!found.is_empty(), "no sources in {room}");
    found
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The rooms that a line of code names: `crate::room` or, from a binary, `ccsession::room`.
fn rooms_in(line: &str) -> impl Iterator<Item = &str> {
    ["crate::", "ccsession::"]
        .into_iter()
        .flat_map(move |root| {
            line.split(root).skip(1).map(|rest| {
                if rest.starts_with(WORDS) {
                    return WORDS;
                }
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                &rest[..end]
            })
        })
}

#[test]
fn arrows_point_one_way() {
    let mut seen = 0;
    for (room, allowed) in ARROWS {
        for (path, text) in sources(room) {
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for named in code
                .flat_map(rooms_in)
                .filter(|named| *named == WORDS || ARROWS.iter().any(|(room, _)| room == named))
            {
                seen += 1;
                let of_words = path.ends_with("claude/words.rs");
                let is_claude = named == WORDS && (room == "claude" || allowed.contains(&"claude"));
                assert!(
                    !of_words && (named == room || is_claude || allowed.contains(&named)),
                    "{} uses {named}",
                    path.display()
                );
            }
        }
    }
    assert!(seen > 50, "the test reads nothing: {seen}");
}

#[test]
fn every_room_is_in_the_table() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // The pages' sources, without a line of Rust.
        if name == "web" {
            continue;
        }
        assert!(
            !path.is_dir() || ARROWS.iter().any(|(room, _)| *room == name),
            "{name} is a room without a place"
        );
    }
}

/// What only one place may do, and that place.
#[test]
fn one_place_for_each_rule() {
    let rules: [(&str, &[&str]); 14] = [
        ("std::fs::", &["store/"]),
        ("rustix::fs::", &["store/", "identity/process/linux.rs"]),
        ("env::var", &["store/env.rs"]),
        ("clock_gettime", &["store/clock.rs"]),
        ("chrono::Local", &["store/clock.rs"]),
        ("fs2::", &["store/lock.rs"]),
        ("tempfile::", &["store/write.rs", "store/write/"]),
        ("replace_record(", &["store/session.rs", "store/state.rs"]),
        (
            "put_record(",
            &["store/session.rs", "store/collected/", "store/bundle/"],
        ),
        ("add_owner(", &["store/session.rs", "identity/roster.rs"]),
        (
            "add_to_project(",
            &["store/index.rs", "store/collected/", "identity/roster.rs"],
        ),
        (
            "remove_from_project(",
            &["store/index.rs", "identity/roster.rs"],
        ),
        (
            "set_session_of_process(",
            &["store/index.rs", "identity/roster.rs"],
        ),
        ("archive_queue::enqueue", &["identity/roster.rs"]),
    ];
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (room, _) in ARROWS {
        for (path, text) in sources(room) {
            let place = path.strip_prefix(&src).unwrap().to_str().unwrap();
            if path.ends_with("tests.rs") {
                continue; // the unit tests of the module that it lies in
            }
            let code = text.split("#[cfg(test)]").next().unwrap();
            for (what, places) in rules {
                let allowed = places.iter().any(|allowed| place.starts_with(allowed));
                let used = code
                    .lines()
                    .any(|line| !line.trim_start().starts_with("//") && line.contains(what));
                assert!(allowed || !used, "{place} uses {what}");
            }
        }
    }
}

/// A topic may use `support` and its own parts, no other topic.
#[test]
fn tests_of_a_topic_use_no_other_topic() {
    let it = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut seen = 0;
    walk(&it, &mut |path| {
        let is_here = path.ends_with("walls.rs") || path.ends_with("main.rs");
        if path.extension().is_none_or(|it| it != "rs") || is_here {
            return;
        }
        let text = fs::read_to_string(path).unwrap();
        let is_support = path.parent().unwrap().ends_with("support");
        for used in text.split("crate::").skip(1) {
            seen += 1;
            let allowed =
                used.starts_with("support::") || is_support && used.starts_with("scratch(");
            let used = used.lines().next().unwrap_or_default();
            assert!(allowed, "{} uses crate::{used}", path.display());
        }
    });
    assert!(seen > 50, "the test reads nothing: {seen}");
}

/// A program that this process had open for writing may not be run by another test: "text file busy".
#[test]
fn tests_have_a_child_make_the_programs_that_they_run() {
    let it = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    walk(&it, &mut |path| {
        let is_here = path.ends_with("walls.rs");
        if path.extension().is_some_and(|it| it == "rs") && !is_here {
            let text = fs::read_to_string(path).unwrap();
            let is_copied = text.contains("fs::copy(");
            assert!(!is_copied, "{}: use copy_program", path.display());
        }
    });
}

#[test]
fn every_file_says_what_it_is_for() {
    for (room, _) in ARROWS {
        for (path, text) in sources(room) {
            assert!(text.starts_with("//! "), "{} does not", path.display());
        }
    }
}

#[test]
fn the_hooks_link_neither_parser_nor_network() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    for heavy in [
        "anyhow",
        "base64",
        "clap",
        "dirs",
        "flate2",
        "form_urlencoded",
        "getrandom",
        "grep-matcher",
        "grep-regex",
        "http-body-util",
        "hyper",
        "hyper-util",
        "imara-diff",
        "indicatif",
        "jsonc-parser",
        "nix",
        "ratatui",
        "regex-syntax",
        "tar",
        "tokio",
        "unicode-width",
        "ureq",
        "uuid",
        "zstd",
    ] {
        assert!(
            manifest.contains(&format!("\"dep:{heavy}\"")),
            "{heavy} must be behind the feature `cli`"
        );
    }
}

#[test]
fn the_hooks_link_nothing_that_decompresses() {
    // One of the errors of that library, which whoever links it has in words.
    let has_it = |program: &str| {
        let bytes = fs::read(program).unwrap();
        memchr::memmem::find(&bytes, b"Unsupported frame parameter").is_some()
    };
    assert!(has_it(CCSESSION), "the test looks for nothing");
    for hook in [SESSION_START, PRE_TOOL_USE, POST_TOOL_USE, SESSION_EVENT] {
        assert!(!has_it(hook), "{hook} does");
    }
}
