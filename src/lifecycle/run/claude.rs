//! How an id is given to the client: `claude --session-id ID` for an id it has never used, `--resume ID` for one it has.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::model::SessionId;

/// Options of `claude` by which a command line says itself which session it wants.
const OWN: [&str; 8] = [
    "--session-id",
    "--resume",
    "-r",
    "--continue",
    "-c",
    "--fork-session",
    "--from-pr",
    "--teleport",
];

/// Verbs of `claude`, of 2.1.329 and of older ones, that start no session of ours.
const VERBS: [&str; 24] = [
    "agents",
    "attach",
    "auth",
    "auto-mode",
    "config",
    "doctor",
    "gateway",
    "import",
    "install",
    "kill",
    "logs",
    "mcp",
    "migrate-installer",
    "plugin",
    "plugins",
    "project",
    "purge",
    "respawn",
    "rm",
    "setup-token",
    "stop",
    "ultrareview",
    "update",
    "upgrade",
];

/// Whether this command is Claude Code, about to start a session.
pub(super) fn is_client(command: &[OsString]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    let is_claude = Path::new(program).file_name() == Some(OsStr::new("claude"));
    let is_verb = |first: &OsString| VERBS.iter().any(|verb| first == verb);
    is_claude && !arguments.first().is_some_and(is_verb)
}

/// The option by which the command says itself which session it wants, if it does.
pub(super) fn own_choice(command: &[OsString]) -> Option<&'static str> {
    let options = command
        .iter()
        .skip(1)
        .take_while(|argument| *argument != "--");
    options.into_iter().find_map(|argument| {
        let argument = argument.to_string_lossy();
        OWN.into_iter()
            .find(|option| match option.strip_prefix("--") {
                Some(_) => {
                    let rest = argument.strip_prefix(option);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
                }
                // Short options may come in one word, as `-pc`, or with their value, as `-rID`.
                None => argument.strip_prefix('-').is_some_and(|letters| {
                    !letters.starts_with('-') && letters.contains(option.trim_start_matches('-'))
                }),
            })
    })
}

/// Whether the client takes this id: it takes only UUIDs.
pub(super) fn is_acceptable(id: &SessionId) -> bool {
    uuid::Uuid::try_parse(id.as_str()).is_ok() && id.as_str().len() == 36
}

/// The command with the id given to it. The client refuses `--session-id` for an id that was ever used, and `--resume`
/// for one that never was; a transcript is what it goes by.
pub(super) fn with_id(command: &[OsString], id: &SessionId, is_used: bool) -> Vec<OsString> {
    let option = if is_used { "--resume" } else { "--session-id" };
    let mut with_id: Vec<OsString> = command.iter().take(1).cloned().collect();
    with_id.extend([option.into(), id.as_str().into()]);
    with_id.extend(command.iter().skip(1).cloned());
    with_id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn a_client_is_known_by_its_name() {
        for client in [
            "claude",
            "/opt/bin/claude -p hello",
            "claude --model opus",
            "claude mcpx",
        ] {
            assert!(is_client(&words(client)), "{client}");
        }
        for other in [
            "",
            "make",
            "claude-code",
            "npx claude",
            "claude mcp list",
            "claude doctor",
        ] {
            assert!(!is_client(&words(other)), "{other}");
        }
    }

    #[test]
    fn a_choice_of_its_own_is_found_before_the_prompt() {
        for (command, option) in [
            ("claude -p --resume x", "--resume"),
            ("claude -c", "-c"),
            ("claude --session-id=x hello", "--session-id"),
            ("claude -pc", "-c"),
            ("claude -rx", "-r"),
        ] {
            assert_eq!(own_choice(&words(command)), Some(option), "{command}");
        }
        for none in [
            "claude",
            "claude -p --model opus",
            "claude -- --resume",
            "claude --resumed",
        ] {
            assert_eq!(own_choice(&words(none)), None, "{none}");
        }
    }

    #[test]
    fn the_id_comes_before_everything_else() {
        let id: SessionId = "5b48472b-1111-4222-8333-444455556666".parse().unwrap();
        let fresh = with_id(&words("claude -p hello"), &id, false);
        assert_eq!(fresh, words(&format!("claude --session-id {id} -p hello")));
        let used = with_id(&words("claude -p hello"), &id, true);
        assert_eq!(used, words(&format!("claude --resume {id} -p hello")));
    }

    #[test]
    fn only_uuids_are_acceptable() {
        let is_acceptable = |id: &str| super::is_acceptable(&id.parse().unwrap());
        assert!(is_acceptable("5b48472b-1111-4222-8333-444455556666"));
        assert!(is_acceptable("5B48472B-1111-4222-8333-444455556666"));
        assert!(!is_acceptable("5b48472b111142228333444455556666"));
        assert!(!is_acceptable("s-1"));
    }
}
