//! Versions of Claude Code, and the hook events that each of them knows.
//!
//! This module runs nothing: the caller passes the output of `claude --version`.

/// A version of Claude Code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Parses the output of `claude --version`, such as `2.1.329 (Claude Code)`.
    ///
    /// Returns `None` for anything but three plain numbers: a preview knows less than the release
    /// it is named after.
    pub fn parse(output: &str) -> Option<Self> {
        let mut numbers = output.split_whitespace().next()?.split('.').map(number);
        let version = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }

    /// Finds the version in the output of Claude Code, or of a wrapper around it. It comes before
    /// ` (Claude Code)` in any line, or else at the very beginning.
    pub fn find(output: &str) -> Option<Self> {
        let named = output.lines().find_map(Self::named);
        named.or_else(|| Self::parse(output.lines().next()?))
    }

    /// Returns true if this line names a version of Claude Code.
    pub fn is_named(line: &str) -> bool {
        Self::named(line).is_some()
    }

    fn named(line: &str) -> Option<Self> {
        let (before, _) = line.split_once(NAMED)?;
        Self::parse(before.rsplit(char::is_whitespace).next()?)
    }
}

/// The text after the version in Claude Code's output.
const NAMED: &str = " (Claude Code)";

/// Parses digits only, because `str::parse` would also accept a sign.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// An event and the executable that handles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// Claude Code's name of the event.
    pub event: &'static str,
    /// The file name of the executable, one of [`EXECUTABLES`].
    pub executable: &'static str,
}

/// Returns the executable that handles an event, or `None` if the event is never registered.
pub fn executable_for(event: &str) -> Option<&'static str> {
    let mut known = KNOWN_SINCE.iter();
    known
        .find(|(_, name, _)| *name == event)
        .map(|(_, _, executable)| *executable)
}

/// The hook executables.
pub const EXECUTABLES: [&str; 4] = [SESSION_START, PRE_TOOL_USE, POST_TOOL_USE, SESSION_EVENT];

const SESSION_START: &str = "session-start";
const PRE_TOOL_USE: &str = "pre-tool-use";
const POST_TOOL_USE: &str = "post-tool-use";
const SESSION_EVENT: &str = "session-event";

/// The oldest version that was tested. It knows nine events, and so does every version after it.
pub const OLDEST_TESTED: Version = Version(1, 0, 128);

/// Every event that is registered, with the oldest *tested* version that knows it.
///
/// Versions up to 2.1.80 at least ignore their **whole** settings file, permissions included, if it
/// contains one unknown name. So no row may give too old a version. From 2.1.110 on, Claude Code
/// skips an unknown name with a warning; a row for these versions only avoids that warning. The
/// tested versions are 1.0.128, 2.0.77, 2.1.50, .80, .110, .131, .132, .160, .197, .280 and .329.
/// If the changelog of Claude Code gives another first version, the row notes it. The number of
/// events in each tested version's own list (9, 12, 18, 23, 27, 29, 29, 30, 30, 33) agrees with the
/// changelog.
///
/// Missing on purpose: MessageDisplay (one for each streamed chunk) and WorktreeCreate (a hook
/// replaces git's work).
const KNOWN_SINCE: [(Version, &str, &str); 20] = [
    // One of the nine that every tested version knows.
    (OLDEST_TESTED, "SessionStart", SESSION_START),
    // One of the nine; changelog 1.0.85.
    (OLDEST_TESTED, "SessionEnd", SESSION_EVENT),
    // One of the nine.
    (OLDEST_TESTED, "UserPromptSubmit", SESSION_EVENT),
    // One of the nine.
    (OLDEST_TESTED, "PreToolUse", PRE_TOOL_USE),
    // One of the nine.
    (OLDEST_TESTED, "PostToolUse", POST_TOOL_USE),
    // Seen in 2.0.77, not in 1.0.128.
    (Version(2, 0, 77), "PostToolUseFailure", POST_TOOL_USE),
    // Seen in 2.1.131, not in 2.1.110.
    (Version(2, 1, 131), "PostToolBatch", POST_TOOL_USE),
    // Changelog 2.0.45; one of the three that 2.0.77 has and 1.0.128 lacks.
    (Version(2, 0, 77), "PermissionRequest", SESSION_EVENT),
    // Changelog 2.1.89; one of the four that 2.1.110 has and 2.1.80 lacks.
    (Version(2, 1, 110), "PermissionDenied", SESSION_EVENT),
    // One of the nine.
    (OLDEST_TESTED, "Notification", SESSION_EVENT),
    // Seen in 2.0.77, not in 1.0.128; changelog 2.0.43.
    (Version(2, 0, 77), "SubagentStart", SESSION_EVENT),
    // One of the nine.
    (OLDEST_TESTED, "SubagentStop", SESSION_EVENT),
    // One of the nine.
    (OLDEST_TESTED, "Stop", SESSION_EVENT),
    // Changelog 2.1.78; one of the five that 2.1.80 has and 2.1.50 lacks.
    (Version(2, 1, 80), "StopFailure", SESSION_EVENT),
    // One of the nine.
    (OLDEST_TESTED, "PreCompact", SESSION_EVENT),
    // Changelog 2.1.76; one of the five that 2.1.80 has and 2.1.50 lacks.
    (Version(2, 1, 80), "PostCompact", SESSION_EVENT),
    // Seen in 2.1.110, not in 2.1.80; changelog 2.1.83.
    (Version(2, 1, 110), "CwdChanged", SESSION_EVENT),
    // Changelog 2.1.251; one of the three that 2.1.280 has and 2.1.197 lacks.
    (Version(2, 1, 280), "PostModelSwitch", SESSION_EVENT),
    // Changelog 2.1.84; one of the four that 2.1.110 has and 2.1.80 lacks.
    (Version(2, 1, 110), "TaskCreated", SESSION_EVENT),
    // Changelog 2.1.33; one of the six that 2.1.50 has and 2.0.77 lacks.
    (Version(2, 1, 50), "TaskCompleted", SESSION_EVENT),
];

/// Returns the events to register for a version of Claude Code.
///
/// An unknown version gets the nine that every tested version knows. A version older than
/// [`OLDEST_TESTED`] gets none: nobody tested which of the nine it knows, and one unknown name
/// could make it ignore all settings of the user.
pub fn events_for(version: Option<Version>) -> Vec<Registration> {
    let version = version.unwrap_or(OLDEST_TESTED);
    let known = KNOWN_SINCE.iter().filter(|(since, _, _)| *since <= version);
    known
        .map(|&(_, event, executable)| Registration { event, executable })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn names(version: Option<Version>) -> Vec<&'static str> {
        events_for(version)
            .iter()
            .map(|registration| registration.event)
            .collect()
    }

    #[test]
    fn the_output_of_the_client_is_a_version() {
        assert_eq!(
            Version::parse("2.1.329 (Claude Code)\n"),
            Some(Version(2, 1, 329))
        );
        assert_eq!(Version::parse("1.0.128"), Some(Version(1, 0, 128)));
        assert_eq!(Version(2, 1, 329).to_string(), "2.1.329");
    }

    #[test]
    fn anything_else_is_not_a_version() {
        for output in [
            "",
            "\n",
            "2",
            "2.1",
            "2.1.",
            "2.1.329.1",
            "2.1.329-beta.1",
            "v2.1.329",
        ] {
            assert_eq!(Version::parse(output), None, "{output:?}");
        }
        for output in [
            "claude 2.1.329",
            "+2.1.329",
            "2..329",
            "2.1.4294967296",
            "command not found",
        ] {
            assert_eq!(Version::parse(output), None, "{output:?}");
        }
    }

    #[test]
    fn a_version_is_found_behind_what_a_wrapper_says_first() {
        for (output, version) in [
            ("2.1.329 (Claude Code)\n", Some(Version(2, 1, 329))),
            ("1.0.128\n", Some(Version(1, 0, 128))),
            (
                "Using node v22.1.0\n2.1.329 (Claude Code)\n",
                Some(Version(2, 1, 329)),
            ),
            (
                "22.1.0 is used\nclaude: 2.1.329 (Claude Code)\n",
                Some(Version(2, 1, 329)),
            ),
            ("hello\n2.1.50\n", None),
            ("Using node v22.1.0\n", None),
            ("2.1.329-beta.1 (Claude Code)\n", None),
        ] {
            assert_eq!(Version::find(output), version, "{output:?}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number_not_by_text() {
        assert!(Version(2, 1, 80) < Version(2, 1, 110));
        assert!(Version(2, 0, 77) < Version(2, 1, 9));
        assert!(Version(1, 0, 128) < Version(2, 0, 0));
    }

    #[test]
    fn an_unknown_version_gets_the_safe_nine() {
        let nine = [
            "SessionStart",
            "SessionEnd",
            "UserPromptSubmit",
            "PreToolUse",
            "PostToolUse",
            "Notification",
            "SubagentStop",
            "Stop",
            "PreCompact",
        ];
        assert_eq!(names(None), nine);
        assert_eq!(names(Some(OLDEST_TESTED)), nine);
        assert_eq!(names(Some(Version(2, 0, 76))), nine);
    }

    #[test]
    fn a_client_older_than_any_tested_gets_none() {
        assert!(names(Some(Version(1, 0, 127))).is_empty());
    }

    #[test]
    fn a_client_between_two_tested_ones_gets_what_the_older_one_knows() {
        let counts = [
            (Version(2, 0, 77), 12),
            (Version(2, 1, 49), 12),
            (Version(2, 1, 50), 13),
            (Version(2, 1, 79), 13),
            (Version(2, 1, 80), 15),
            (Version(2, 1, 109), 15),
            (Version(2, 1, 110), 18),
            (Version(2, 1, 130), 18),
            (Version(2, 1, 131), 19),
            (Version(2, 1, 279), 19),
            (Version(2, 1, 280), 20),
            (Version(3, 0, 0), 20),
        ];
        for (version, count) in counts {
            assert_eq!(names(Some(version)).len(), count, "{version}");
        }
    }

    #[test]
    fn no_event_is_registered_twice_or_harmful() {
        let all = names(Some(Version(9, 9, 9)));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(!all.contains(&"MessageDisplay") && !all.contains(&"WorktreeCreate"));
    }

    #[test]
    fn each_event_goes_to_the_executable_that_is_named_for_it() {
        for registration in events_for(Some(Version(9, 9, 9))) {
            let expected = match registration.event {
                "SessionStart" => "session-start",
                "PreToolUse" => "pre-tool-use",
                "PostToolUse" | "PostToolUseFailure" | "PostToolBatch" => "post-tool-use",
                _ => "session-event",
            };
            assert_eq!(registration.executable, expected, "{}", registration.event);
            assert!(EXECUTABLES.contains(&registration.executable));
        }
    }

    proptest! {
        #[test]
        fn parsing_a_version_never_panics(output in any::<String>()) {
            let _ = Version::parse(&output);
        }
    }
}
