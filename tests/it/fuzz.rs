//! The short form of the fuzz targets in `fuzz/`: the same checks, on the same mutations of a few seeds each time.

use std::fs;

use crate::support::torture::is_torture;
use crate::support::{data, walk};

mod checks;

/// A stream of numbers.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }

    /// A seed with a few bytes changed, cut, put in or taken from another seed.
    fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.next(seeds.len())].clone();
        for _ in 0..=self.next(4) {
            let at = self.next(bytes.len());
            match self.next(6) {
                0 if !bytes.is_empty() => bytes[at] = self.next(256) as u8,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, br#"{}[]",:\0"#[self.next(9)]),
                3 if !bytes.is_empty() => drop(bytes.remove(at)),
                4 => {
                    let other = &seeds[self.next(seeds.len())];
                    let from = self.next(other.len());
                    bytes.splice(at..at, other[from..].iter().take(40).copied());
                }
                _ => bytes.insert(at, self.next(256) as u8),
            }
        }
        bytes
    }
}

/// The files below a folder of the tests' data.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    walk(&data(folder), &mut |path| {
        found.push((path.to_owned(), fs::read(path).unwrap()))
    });
    found.sort();
    found.into_iter().map(|(_, bytes)| bytes).collect()
}

fn lines(folder: &str) -> Vec<Vec<u8>> {
    let files = files(folder);
    let lines = files
        .iter()
        .flat_map(|file| file.split(|byte| *byte == b'\n'));
    lines
        .filter(|line| (1..2000).contains(&line.len()))
        .map(<[u8]>::to_vec)
        .collect()
}

#[track_caller]
fn check(target: fn(&[u8]), seeds: &[Vec<u8>]) {
    assert!(!seeds.is_empty());
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for seed in seeds {
        target(seed);
    }
    for _ in 0..if is_torture() { 200_000 } else { 2000 } {
        let bytes = numbers.mutated(seeds);
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let ended = std::panic::catch_unwind(|| target(&bytes));
        assert!(ended.is_ok(), "{shown:?}");
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

#[test]
fn any_bytes_are_a_journal_line_or_named_as_damaged() {
    let line = |name: &str| {
        format!(
            r#"{{"v":1,"ts":"2026-11-20T14:27:52.467733Z","mono":17,"event":"{name}","session_id":"s-1","pid":24,"tool":"Bash","tool_use_id":"t1"}}"#
        )
    };
    let names = [
        "SessionStart",
        "PreToolUse",
        "PostToolUse",
        "SubagentStop",
        "Stop",
    ];
    let mut seeds: Vec<Vec<u8>> = names.iter().map(|name| line(name).into_bytes()).collect();
    seeds.push(names.map(line).join("\n").into_bytes());
    check(checks::journal_line, &seeds);
}

#[test]
fn any_bytes_are_a_record_an_owner_a_manifest_or_none() {
    let seeds = texts([
        r#"{"v":1,"session_id":"s-1","project":{"name":"shop","root":"/home/dev/shop"},"started_at":"2026-11-20T14:27:52.467733Z"}"#,
        r#"{"v":1,"pid":24,"start":9,"boot":"b","pidns":4,"machine":"m"}"#,
    ]);
    check(checks::record, &seeds);
}

#[test]
fn any_bytes_are_a_pointer_or_none() {
    let seeds = texts([
        "s-1\n2026-11-20T14:27:52.467733\n",
        "s-1\r\n2026-11-20 14:27\r\n",
        "s-1\n20261120T142752Z\n",
    ]);
    check(checks::pointer, &seeds);
}

#[test]
fn any_bytes_are_records_of_a_transcript_and_the_rest() {
    check(checks::transcript_line, &lines("payloads/transcripts"));
}

#[test]
fn any_text_is_a_settings_file_that_can_be_edited_and_put_back_or_refused() {
    check(checks::settings, &files("settings"));
}

#[test]
fn any_bytes_become_safe_names() {
    check(
        checks::names,
        &texts([
            "shop",
            "fix/ci-337",
            "issue/12",
            "日本",
            "a\nb",
            "..",
            "C:\\shop",
        ]),
    );
}

#[test]
fn any_bytes_are_a_configuration_or_an_error() {
    check(
        checks::config,
        &texts([
            "capture = \"full\"\nttl = \"24h\"\n[archive]\nauto = false\n",
            "max_concurrent_sessions = 3\n",
            "2h 30m",
        ]),
    );
}

#[test]
fn any_text_is_redacted_once_and_json_stays_json() {
    // Each byte is a piece of the target's grammar.
    let pieces: Vec<u8> = (0..=u8::MAX).collect();
    let seeds: Vec<Vec<u8>> = pieces.chunks(16).map(<[u8]>::to_vec).collect();
    check(checks::redactor, &seeds);
}
