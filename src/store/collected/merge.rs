//! Merges several copies of the same session, however they overlap.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::PathBuf;

use super::super::error::Result;
use super::super::file;
use super::super::session::SessionDir;
use super::super::write::{self, Durability};
use super::Source;
use crate::model::Record;

/// Lines without their line breaks.
type Lines = Vec<Vec<u8>>;

/// Merges `copies` of a session into the empty folder `target`. Returns a message for everything
/// that was skipped.
///
/// The result does not depend on the order of the copies.
///
/// # Errors
/// Returns [`Error::Io`](crate::store::Error::Io) if the merged session cannot be written.
pub(super) fn merge(copies: &[(&Source, SessionDir)], target: &SessionDir) -> Result<Vec<String>> {
    let mut left_out = Vec::new();
    let mut journals: Vec<(Lines, &SessionDir)> = Vec::new();
    for (_, copy) in copies {
        let mut lines = Lines::new();
        match copy.journal().lines() {
            Ok(journal) => {
                let damage = journal.for_each_whole(|line| lines.push(line.to_vec()));
                let failed = damage.or_retry(copy.path()).err();
                left_out.extend(failed.map(|err| format!("{err}; the rest was skipped")));
            }
            Err(err) => left_out.push(format!("{err}; skipped")),
        }
        journals.push((lines, copy));
    }
    // Sort the most complete copy first. The order of equal copies does not matter.
    journals.sort_by(|one, other| {
        Reverse(one.0.len())
            .cmp(&Reverse(other.0.len()))
            .then_with(|| one.0.cmp(&other.0))
    });
    let has_journal = journals
        .iter()
        .any(|(_, copy)| is_file(copy.journal().path()));
    let best: Vec<&SessionDir> = journals.iter().map(|(_, copy)| *copy).collect();
    if has_journal {
        let journals: Vec<Lines> = journals.into_iter().map(|(lines, _)| lines).collect();
        let mut bytes = Vec::new();
        for line in merged(journals) {
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
        }
        write::create(target.journal().path(), &bytes, Durability::Cached)?;
    }
    let records = copies
        .iter()
        .filter_map(|(source, copy)| match copy.record() {
            Ok(record) => Some(source.attributed(record?)),
            Err(_) => None,
        });
    match newest(records.collect()) {
        Some(record) => target.put_record(&record, Durability::Cached)?,
        // Take over a damaged record: the command that reads it reports the damage.
        None => take_first(&best, target, |dir| dir.path().join("session.json"))?,
    }
    for name in ["transcript.jsonl", "usage.json", "title.json"] {
        take_first(&best, target, |dir| dir.path().join(name))?;
    }
    let owners = target.path().join("owners");
    for copy in &best {
        let from = copy.path().join("owners");
        for name in file::names(&from)? {
            write::make_dir(&owners)?;
            write::rename(&from.join(&name), &owners.join(&name))?;
        }
    }
    Ok(left_out)
}

fn is_file(path: &std::path::Path) -> bool {
    matches!(file::look(path), Ok(Some(found)) if found.is_file())
}

/// Moves a file from the first copy that has it.
fn take_first(
    copies: &[&SessionDir],
    target: &SessionDir,
    path: impl Fn(&SessionDir) -> PathBuf,
) -> Result<()> {
    match copies
        .iter()
        .map(|copy| path(copy))
        .find(|path| is_file(path))
    {
        Some(found) => write::rename(&found, &path(target)),
        None => Ok(()),
    }
}

/// Returns the record that was written last. A record only gains members over time, such as its
/// end, so the later one is larger.
pub(in crate::store) fn newest(mut records: Vec<Record>) -> Option<Record> {
    records.sort_by_cached_key(|record| {
        let bytes = record.encode();
        (record.ended_at, bytes.len(), bytes)
    });
    records.pop()
}

/// Merges copies of the same sequence of lines, each of which may lack some lines. Each line
/// appears once. A line that only one copy has is put after the line that precedes it in that copy.
fn merged(copies: Vec<Lines>) -> Lines {
    let mut copies = copies.into_iter();
    let mut all = without_repeats(copies.next().unwrap_or_default());
    for copy in copies {
        let places: HashMap<&[u8], usize> = all
            .iter()
            .enumerate()
            .map(|(place, line)| (line.as_slice(), place))
            .collect();
        // For each new line: the index in `all` before which it is inserted, and its index in
        // `copy`.
        let mut before: Vec<(usize, usize)> = Vec::new();
        let mut place = 0;
        for (number, line) in copy.iter().enumerate() {
            match places.get(line.as_slice()) {
                Some(known) => place = known + 1,
                None => before.push((place, number)),
            }
        }
        if before.is_empty() {
            continue;
        }
        before.sort_by_key(|(place, _)| *place);
        let mut copy: Vec<Option<Vec<u8>>> = copy.into_iter().map(Some).collect();
        let mut new = before.into_iter().peekable();
        let mut joined = Lines::with_capacity(all.len() + new.len());
        let length = all.len();
        for (place, line) in all
            .into_iter()
            .map(Some)
            .chain([None])
            .enumerate()
            .take(length + 1)
        {
            while let Some((_, number)) = new.next_if(|(before, _)| *before == place) {
                joined.extend(copy.get_mut(number).and_then(Option::take));
            }
            joined.extend(line);
        }
        all = without_repeats(joined);
    }
    all
}

/// Removes lines that are equal to an earlier one.
fn without_repeats(lines: Lines) -> Lines {
    let mut seen = std::collections::HashSet::new();
    let first: Vec<bool> = lines
        .iter()
        .map(|line| seen.insert(line.as_slice()))
        .collect();
    lines
        .iter()
        .zip(first)
        .filter(|(_, first)| *first)
        .map(|(line, _)| line.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> Lines {
        text.bytes().map(|byte| vec![byte]).collect()
    }

    #[test]
    fn each_line_is_there_once_where_it_stood() {
        for (copies, expected) in [
            (vec!["abc"], "abc"),
            (vec!["abc", "abc"], "abc"),
            (vec!["abcd", "ab"], "abcd"),
            (vec!["abd", "acd"], "acbd"),
            (vec!["cd", "abcd"], "abcd"),
            (vec!["", "ab"], "ab"),
            (vec!["aab"], "ab"),
        ] {
            let copies: Vec<Lines> = copies.into_iter().map(lines).collect();
            assert_eq!(merged(copies.clone()), lines(expected), "{copies:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_that_overlap_and_cover_the_whole_give_the_whole(
            length in 1_usize..40,
            cuts in prop::collection::vec((0_usize..40, 0_usize..40), 0..6),
        ) {
            let whole: Lines = (0..length).map(|n| n.to_string().into_bytes()).collect();
            // Each copy goes on where another ends, so that every line is somewhere with its
            // neighbour.
            let mut copies = vec![whole.iter().take(length / 2 + 1).cloned().collect::<Lines>()];
            copies.push(whole.iter().skip(length / 2).cloned().collect());
            copies.extend(cuts.iter().map(|(from, to)| {
                let range = (*from.min(to)).min(length)..(*from.max(to)).min(length);
                whole[range].to_vec()
            }));
            copies.sort_by(|one, other| Reverse(one.len()).cmp(&Reverse(other.len())).then_with(|| one.cmp(other)));
            prop_assert_eq!(merged(copies), whole);
        }
    }
}
