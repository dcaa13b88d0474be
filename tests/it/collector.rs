//! The configurations in contrib/collector: their form, and that each part that a pipeline names exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of contrib/collector with their texts.
fn configurations() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/collector");
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    let found: Vec<_> = yaml.map(read).collect();
    assert!(found.len() > 2, "{found:?}");
    found
}

/// The lines that are not comments: how far they are indented, and what is in them.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(|line| (line, line.trim_start()));
    let lines = lines.filter(|(_, content)| !content.is_empty() && !content.starts_with('#'));
    lines.map(|(line, content)| (line.len() - content.len(), content))
}

/// The parts of each section, such as `receivers`, and what the service uses of it.
fn parts(text: &str) -> [BTreeMap<&str, BTreeSet<&str>>; 2] {
    let [mut configured, mut used] = [BTreeMap::new(), BTreeMap::new()];
    let mut section = "";
    for (indent, content) in lines(text) {
        let (key, value) = content.split_once(':').unwrap_or((content, ""));
        match indent {
            0 => section = key,
            2 if section != "service" => {
                let parts: &mut BTreeSet<_> = configured.entry(section).or_default();
                parts.insert(key);
            }
            _ if section == "service" && value.contains('[') => {
                let list = value.trim().trim_start_matches('[').trim_end_matches(']');
                let parts: &mut BTreeSet<_> = used.entry(key).or_default();
                parts.extend(list.split(',').map(str::trim));
            }
            _ => {}
        }
    }
    [configured, used]
}

#[test]
fn the_configurations_are_in_the_form_of_yaml() {
    for (path, text) in configurations() {
        let place = path.display();
        assert!(!text.contains('\t') && text.ends_with('\n'), "{place}");
        let mut before = (0, true);
        for (indent, content) in lines(&text) {
            // Deeper only below a key without a value, and by one step.
            let (last, opens) = before;
            let is_right = indent % 2 == 0 && (indent <= last || (opens && indent == last + 2));
            assert!(is_right, "{place}: {content}");
            let is_item = content.starts_with("- ");
            assert!(
                is_item || content.contains(": ") || content.ends_with(':'),
                "{place}: {content}"
            );
            let count = |c: char| content.matches(c).count();
            assert_eq!(count('['), count(']'), "{place}: {content}");
            assert_eq!(count('{'), count('}'), "{place}: {content}");
            before = (indent, content.ends_with(':'));
        }
    }
}

#[test]
fn each_part_is_configured_and_used() {
    for (path, text) in configurations() {
        let [configured, used] = parts(&text);
        assert_eq!(configured, used, "{}", path.display());
        for (section, parts) in &configured {
            for part in parts {
                // Credentials, queues and offsets are named where they are used.
                let name = format!(": {part}\n");
                let is_named = *section != "extensions" || text.contains(&name);
                assert!(is_named, "{}: nothing uses {part}", path.display());
            }
        }
    }
}

#[test]
fn a_longest_request_fits_a_line_that_the_collector_reads() {
    let (_, text) = configurations()
        .into_iter()
        .find(|(path, _)| path.ends_with("files.yaml"))
        .unwrap();
    let limit = lines(&text).find_map(|(_, line)| line.strip_prefix("max_log_size: "));
    let limit = limit.unwrap().strip_suffix("MiB").unwrap();
    // Four times the size at which a request is sent.
    assert!(limit.parse::<usize>().unwrap() >= 8, "{limit}");
}
