//! Words that people type instead of a verb. Those that mean the same as a verb are understood. For
//! others, the error names the right verb, or what to do instead.

use std::ffi::OsString;

use clap::Command;

use crate::model::id;

/// Words that mean a verb with an option. Words that mean a verb alone are its aliases in `args`.
const PHRASES: [(&str, [&str; 2]); 2] = [
    ("tail", ["timeline", "--follow"]),
    ("watch", ["timeline", "--follow"]),
];

/// Words that people may type instead of a verb, where more than one verb could be meant, each with
/// those verbs. The suggestion omits verbs that this build lacks.
const SUGGESTIONS: &[(&[&str], &[&str])] = &[
    (&["status", "state"], &["list", "doctor"]),
    (&["sessions", "session"], &["list"]),
    (
        &["top", "htop", "monitor"],
        &["top", "list", "timeline --follow"],
    ),
    (
        &["web", "ui", "gui", "serve", "server", "browser", "board"],
        &["dashboard", "top"],
    ),
    (
        &["remove", "forget", "purge", "erase"],
        &["delete", "archive prune"],
    ),
    (&["prune", "clean"], &["cleanup", "archive prune"]),
    (&["continue", "lost", "reopen"], &["resume"]),
    (&["restore"], &["archive restore", "resume"]),
    (
        &["open", "cat", "read", "print", "view"],
        &["archive show", "show"],
    ),
    (&["save", "backup"], &["clock-out"]),
    (&["archives", "history"], &["archive list", "list --all"]),
    (&["info", "inspect", "describe", "get"], &["show"]),
    (
        &["tag", "name", "rename", "label", "note", "join"],
        &["clock-in"],
    ),
    (&["start", "new", "exec", "begin"], &["run"]),
    (&["use", "set", "switch"], &["store"]),
    (
        &["usage", "tokens", "cost", "summary", "report"],
        &["stats"],
    ),
    (&["prometheus", "counters"], &["metrics"]),
    (&["events", "journal", "calls"], &["timeline"]),
    (
        &["trace", "perfetto", "speedscope"],
        &["export", "timeline"],
    ),
    (
        &["init", "setup", "enable", "register", "hooks"],
        &["install"],
    ),
    (&["unregister"], &["uninstall"]),
    (&["failed", "failures"], &["search", "timeline --failed"]),
    (&["csv", "jsonl"], &["export", "stats --csv"]),
    (
        &["slow", "slowest"],
        &["timeline --slowest", "export --slowest"],
    ),
    (
        &["waiting", "permission", "permissions"],
        &["list --waiting", "stats"],
    ),
    (&["check", "health", "diagnose", "debug"], &["doctor"]),
    (
        &["settings", "configure", "configuration", "env", "options"],
        &["config"],
    ),
    (&["completion", "complete"], &["completions"]),
    (&["man", "manual"], &["help"]),
];

/// Words for things that no verb does, and how to do them.
const REMEDIES: &[(&[&str], &str)] = &[
    (
        &["upgrade", "update", "self-update"],
        "to upgrade, run `git pull` and `./install.sh` in the clone that you installed from",
    ),
    (
        &["disable", "off", "exclude", "ignore", "pause"],
        "to record nothing of a project, add its directory to `exclude` (see `ccsession config`) or create the file \
        `.ccsession-off` in it; to record nothing at all, run `ccsession uninstall`",
    ),
];

/// As [`SUGGESTIONS`], for words after `archive`.
const ARCHIVE_SUGGESTIONS: &[(&[&str], &[&str])] = &[
    (
        &["cat", "read", "open", "print", "view", "get"],
        &["archive show"],
    ),
    (&["grep", "find"], &["archive search"]),
    (
        &["rm", "remove", "delete", "clean", "gc"],
        &["archive prune"],
    ),
    (&["check", "test"], &["archive verify"]),
    (
        &["resume", "extract", "unpack", "import"],
        &["archive restore"],
    ),
    (&["add", "create", "new", "save", "make"], &["clock-out"]),
];

/// Returns the command line with the phrases written out: `help list` as `list --help`, `tail` as
/// `timeline --follow`.
pub(super) fn written_out(mut words: Vec<OsString>) -> Vec<OsString> {
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    let is_first = |words: &[OsString], verb: &str| words.get(1).is_some_and(|word| word == verb);
    if is_first(&words, "version") && words.len() == 2 {
        words.truncate(1);
        words.push("--version".into());
    }
    if is_first(&words, "help") && !words.get(2).is_some_and(is_option) {
        words.remove(1);
        words.push("--help".into());
    }
    let phrase = PHRASES.iter().find(|(word, _)| is_first(&words, word));
    if let Some((_, phrase)) = phrase {
        // In `tail -f`, the option repeats what the word means.
        let mut rest = words.split_off(2);
        rest.retain(|word| word != "-f" && word != "--follow");
        words.truncate(1);
        words.extend(phrase.iter().map(OsString::from));
        words.extend(rest);
    }
    words
}

/// Returns how to do what this word asks for; `None` unless it is a thing that no verb does.
pub(super) fn remedy(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let mut remedies = REMEDIES.iter();
    let (_, remedy) = remedies.find(|(words, _)| words.contains(&lower.as_str()))?;
    Some(remedy)
}

/// Returns the verbs to suggest for an unknown word that follows the verbs in `below`. `nearest`
/// are the existing verbs with similar names.
pub(super) fn suggested(
    command: &Command,
    below: &[&str],
    word: &str,
    nearest: &[String],
) -> Vec<String> {
    let table = match below {
        [] => SUGGESTIONS,
        ["archive"] => ARCHIVE_SUGGESTIONS,
        _ => &[],
    };
    let lower = word.to_lowercase();
    let is_verb = |phrase: &&str| {
        let verb = phrase.split(' ').next().unwrap_or_default();
        command.find_subcommand(verb).is_some()
    };
    let known = table
        .iter()
        .find(|(words, _)| words.contains(&lower.as_str()));
    let known = known.map(|(_, verbs)| verbs.iter().copied().filter(is_verb));
    let known: Vec<String> = known.into_iter().flatten().map(str::to_owned).collect();
    // `archive ID` means one of two things.
    let is_id =
        word.len() >= 4 && id::is_prefix(word) && word.contains(|c: char| c.is_ascii_digit());
    if below == ["archive"] && is_id {
        return vec![format!("archive show {word}"), format!("clock-out {word}")];
    }
    if known.is_empty() {
        let whole = |verb: &String| [below, &[verb.as_str()]].concat().join(" ");
        return nearest.iter().rev().take(1).map(whole).collect();
    }
    known
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::args::Arguments;
    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: &str) {
        let words = format!("ccsession {typed}");
        let words = words.split_whitespace().map(OsString::from).collect();
        let expected = format!("ccsession {expected}");
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(written_out(words), expected, "{typed}");
    }

    #[test]
    fn phrases_are_written_out() {
        check("", "");
        check("list --all", "list --all");
        check("help", "--help");
        check("help list", "list --help");
        check("help archive search", "archive search --help");
        check("help --help", "help --help");
        check("help help", "help --help");
        check("help tail", "timeline --follow --help");
        check("version", "--version");
        check("version extra", "version extra");
        check("tail", "timeline --follow");
        check("tail -f 3f2a", "timeline --follow 3f2a");
        check("watch --jsonl", "timeline --follow --jsonl");
        check("hook", "hook");
        check("show help", "show help");
    }

    #[test]
    fn no_word_of_the_tables_stands_twice() {
        for table in [SUGGESTIONS, ARCHIVE_SUGGESTIONS] {
            let words = table.iter().flat_map(|(words, _)| *words);
            let mut words: Vec<&str> = words.copied().collect();
            words.extend(REMEDIES.iter().flat_map(|(words, _)| *words));
            words.sort_unstable();
            let count = words.len();
            words.dedup();
            assert_eq!(words.len(), count, "{words:?}");
        }
    }

    #[test]
    fn what_is_suggested_is_a_command_line() {
        let command = Arguments::command();
        for (below, table) in [
            (&[] as &[&str], SUGGESTIONS),
            (&["archive"], ARCHIVE_SUGGESTIONS),
        ] {
            let words = table.iter().flat_map(|(words, _)| *words);
            for phrase in words.flat_map(|word| suggested(&command, below, word, &[])) {
                let mut page = &command;
                for word in phrase.split(' ') {
                    let is_option = page.get_arguments().any(|arg| {
                        arg.get_long()
                            .is_some_and(|long| format!("--{long}") == word)
                    });
                    if !is_option {
                        page = page.find_subcommand(word).expect(&phrase);
                    }
                }
            }
        }
        assert_eq!(suggested(&command, &[], "save", &[]), ["clock-out"]);
    }
}
