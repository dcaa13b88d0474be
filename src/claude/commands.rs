//! Writes a hook's command so that every version of Claude Code runs the intended executable.

/// Returns the command to register for the executable at `path`, and whether to register it with
/// `"args": []`.
///
/// With `args`, a version of Claude Code that knows this member starts the executable without a
/// shell. Older versions (up to 2.1.132 at least) run `sh -c path`, which does the same if the path
/// needs no quotes. Any other path is quoted for the shell and registered without `args`.
pub fn command_for(path: &str) -> (String, bool) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._+@-".contains(&byte);
    if !path.is_empty() && path.bytes().all(plain) {
        (path.to_owned(), true)
    } else {
        (format!("'{}'", path.replace('\'', QUOTE)), false)
    }
}

/// Returns the path that [`command_for`] turned into `command`, or `None` for any other command.
pub fn executable_of(command: &str) -> Option<String> {
    let quoted = command
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    let path = quoted.map_or_else(|| command.to_owned(), |inner| inner.replace(QUOTE, "'"));
    (command_for(&path).0 == command).then_some(path)
}

/// A single quote inside a single-quoted word: ends the quotes, adds an escaped quote, and begins
/// quotes again.
const QUOTE: &str = r"'\''";

/// Quotes an argument of a command that Claude Code runs without a shell, so that a shell would
/// pass on the same argument. `${CLAUDE_PROJECT_DIR}` keeps its meaning in the shell, because
/// Claude Code replaces it, too.
pub fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._+@-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    let plain = format!("'{}'", word.replace('\'', r"'\''"));
    plain.replace(PROJECT, &format!("'\"{PROJECT}\"'"))
}

const PROJECT: &str = "${CLAUDE_PROJECT_DIR}";

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_command(path: &str, command: &str, exec_form: bool) {
        assert_eq!(command_for(path), (command.to_owned(), exec_form));
        assert_eq!(executable_of(command).as_deref(), Some(path));
    }

    #[test]
    fn a_plain_path_is_written_as_it_is() {
        check_command(
            "/usr/libexec/ccsession/session-start",
            "/usr/libexec/ccsession/session-start",
            true,
        );
        check_command("/home/a.b_c+d@e-1/x", "/home/a.b_c+d@e-1/x", true);
    }

    #[test]
    fn any_other_path_is_quoted() {
        check_command("/home/a b/x", "'/home/a b/x'", false);
        check_command("/home/o'neil/x", r"'/home/o'\''neil/x'", false);
        check_command("/home/$(id)/x", "'/home/$(id)/x'", false);
        check_command("/home/größe/x", "'/home/größe/x'", false);
        check_command("/home/a\nb/x", "'/home/a\nb/x'", false);
        check_command("/it's'", r"'/it'\''s'\'''", false);
        check_command("", "''", false);
    }

    #[test]
    fn what_we_did_not_write_is_not_ours() {
        for command in [
            "",
            "'",
            "sh -c /a/session-start",
            "'/a/session-start'",
            "/a b",
            "'/a b",
            "/a b'",
        ] {
            assert_eq!(executable_of(command), None, "{command:?}");
        }
        for command in ["'/a b' arg", "'/a 'b'", r"'/a\''", "\"/a b\"", "/a/x; rm"] {
            assert_eq!(executable_of(command), None, "{command:?}");
        }
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let path = "/tmp/a b/o'neil's/$HOME/`id`/\\/\"x\"/*/~";
        let (command, _) = command_for(path);
        let script = format!("printf %s {command}");
        #[expect(
            clippy::disallowed_methods,
            reason = "the shell says how it reads the quotes"
        )]
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
    }

    proptest! {
        #[test]
        fn the_path_comes_back_from_its_command(path in "[ -~äß'\\\\\n]{0,40}") {
            let (command, exec_form) = command_for(&path);
            prop_assert_eq!(executable_of(&command), Some(path));
            prop_assert_eq!(exec_form, !command.starts_with('\''));
        }

        #[test]
        fn a_command_is_recognised_only_if_we_would_write_it(command in "['\\\\ a/]{0,12}") {
            if let Some(path) = executable_of(&command) {
                prop_assert_eq!(command_for(&path).0, command);
            }
        }
    }
}
