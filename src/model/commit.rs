//! Reads from the lines of a git reflog when and how each commit was made. Pure: text in, values
//! out.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// How a commit was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", from = "String")]
#[allow(missing_docs, reason = "each is the command of git")]
pub enum CommitKind {
    #[default]
    Commit,
    /// The first commit of a repository or branch.
    Initial,
    /// The commit replaces another one.
    Amend,
    Merge,
    CherryPick,
    Revert,
    /// A copy of another commit.
    Rebase,
    /// `git am`: a commit from a patch in a mail.
    Am,
    /// An unknown kind, from a journal that another version wrote.
    Other,
}

/// A commit, as an event in the journal contains it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommitNote {
    /// The commit's hash, 40 or 64 hexadecimal digits.
    pub id: String,
    /// When the commit was made, in whole seconds, according to the reflog.
    pub ts: Timestamp,
    /// How the commit was made.
    pub how: CommitKind,
    /// The hash of the commit that this one amends and so replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// A line of a reflog: `HEAD` was moved to another commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReflogEntry {
    /// The hash of the commit to which `HEAD` was moved.
    pub id: String,
    /// The time of the move, in whole seconds.
    pub ts: Timestamp,
    /// How git made that commit. `None` if the commit existed before, as with a checkout, a reset,
    /// a clone or a fast-forward.
    pub made: Option<CommitKind>,
    /// The hash of the commit that `HEAD` named before.
    before: String,
}

impl CommitKind {
    /// Returns the kind as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Initial => "initial",
            Self::Amend => "amend",
            Self::Merge => "merge",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
            Self::Rebase => "rebase",
            Self::Am => "am",
            Self::Other => "other",
        }
    }

    const ALL: [Self; 9] = [
        Self::Commit,
        Self::Initial,
        Self::Amend,
        Self::Merge,
        Self::CherryPick,
        Self::Revert,
        Self::Rebase,
        Self::Am,
        Self::Other,
    ];

    /// Returns how a commit was made whose reflog line has this message, or `None` if git made no
    /// commit.
    ///
    /// Git begins the message with the command, its arguments and, in parentheses, the step, such
    /// as `rebase (pick): …`.
    fn of_message(message: &str) -> Option<Self> {
        let (action, what) = message.split_once(": ").unwrap_or((message, ""));
        let command = action.split([' ', ':']).next().unwrap_or_default();
        let step = action.rsplit_once('(').map(|(_, step)| step);
        let step = step.and_then(|step| step.strip_suffix(')'));
        let is_forward = what.eq_ignore_ascii_case("fast-forward");
        let is_merge = what.starts_with("Merge made by");
        match (command, step) {
            ("commit", None) => Some(Self::Commit),
            ("commit", Some("initial")) => Some(Self::Initial),
            ("commit", Some("amend")) => Some(Self::Amend),
            ("commit", Some("merge")) => Some(Self::Merge),
            ("commit", Some("cherry-pick")) => Some(Self::CherryPick),
            ("cherry-pick", _) if !is_forward => Some(Self::CherryPick),
            ("revert", _) if !is_forward => Some(Self::Revert),
            ("am", None) => Some(Self::Am),
            ("merge" | "pull", None) if is_merge => Some(Self::Merge),
            ("rebase" | "pull", Some(step)) if !is_forward => match step {
                "pick" | "reword" | "edit" | "squash" | "fixup" | "continue" | "amend" => {
                    Some(Self::Rebase)
                }
                "merge" => Some(Self::Merge),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<String> for CommitKind {
    fn from(word: String) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == word)
            .unwrap_or(Self::Other)
    }
}

impl ReflogEntry {
    /// Parses a line: `before after name <mail> seconds zone`, a tab and the message. Returns
    /// `None` if the line has another form. Does not keep the name and the message.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let tab = line.iter().position(|byte| *byte == b'\t');
        let (head, message) = line.split_at(tab.unwrap_or(line.len()));
        let message = String::from_utf8_lossy(message.get(1..).unwrap_or_default());
        let head = String::from_utf8_lossy(head);
        let (before, rest) = head.split_once(' ')?;
        let (id, rest) = rest.split_once(' ')?;
        let (_, when) = rest.rsplit_once("> ")?;
        let seconds: i64 = when.split(' ').next()?.parse().ok()?;
        (is_hash(before) && is_hash(id)).then(|| Self {
            id: id.to_owned(),
            ts: Timestamp::from_unix(seconds, 0),
            made: CommitKind::of_message(&message),
            before: before.to_owned(),
        })
    }

    /// Returns the commit that git made with this move, or `None` if it made none.
    pub fn commit(&self) -> Option<CommitNote> {
        let how = self.made?;
        Some(CommitNote {
            id: self.id.clone(),
            ts: self.ts,
            how,
            replaces: (how == CommitKind::Amend).then(|| self.before.clone()),
        })
    }
}

/// Returns whether `text` is a full hash.
pub fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_says_whether_a_commit_was_made() {
        for (message, made) in [
            ("commit: Fix it", Some(CommitKind::Commit)),
            ("commit: (pick) fast-forward", Some(CommitKind::Commit)),
            ("commit (initial): One", Some(CommitKind::Initial)),
            ("commit (amend): One", Some(CommitKind::Amend)),
            ("commit (merge): Merge x", Some(CommitKind::Merge)),
            ("commit (cherry-pick): x", Some(CommitKind::CherryPick)),
            ("cherry-pick: x", Some(CommitKind::CherryPick)),
            ("cherry-pick: fast-forward", None),
            ("revert: Revert \"x\"", Some(CommitKind::Revert)),
            ("am: x", Some(CommitKind::Am)),
            (
                "merge side: Merge made by the 'ort' strategy.",
                Some(CommitKind::Merge),
            ),
            ("merge side: Fast-forward", None),
            ("pull: Fast-forward", None),
            (
                "pull origin main: Merge made by the 'ort' strategy.",
                Some(CommitKind::Merge),
            ),
            ("pull --rebase (pick): x", Some(CommitKind::Rebase)),
            ("pull --rebase (start): checkout 12", None),
            ("rebase (start): checkout main", None),
            ("rebase (pick): x", Some(CommitKind::Rebase)),
            ("rebase -i (squash): x", Some(CommitKind::Rebase)),
            ("rebase (pick): fast-forward", None),
            ("rebase: fast-forward", None),
            (
                "rebase (finish): returning to refs/heads/x: commit: y",
                None,
            ),
            ("checkout: moving from commit: to main", None),
            ("reset: moving to HEAD~1", None),
            ("clone: from /a", None),
            ("Branch: renamed refs/heads/a to refs/heads/b", None),
            ("committed: x", None),
            ("", None),
        ] {
            assert_eq!(CommitKind::of_message(message), made, "{message}");
        }
    }

    #[test]
    fn a_line_as_git_writes_it_is_read() {
        let (old, new) = ("a".repeat(40), "b".repeat(40));
        let line = format!("{old} {new} A > B <a@b> 1800000000 +0100\tcommit (amend): a\tb");
        let entry = ReflogEntry::parse(line.as_bytes()).unwrap();
        let note = CommitNote {
            id: new,
            ts: Timestamp::from_unix(1_800_000_000, 0),
            how: CommitKind::Amend,
            replaces: Some(old.clone()),
        };
        assert_eq!(entry.commit(), Some(note));
        for bad in [
            "",
            "x y",
            &format!("{old} {old}"),
            &format!("{old} zz A <a> 1 +0\tcommit: x"),
            &format!("{old} {old} A <a> now +0\tcommit: x"),
        ] {
            assert_eq!(ReflogEntry::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_word_of_another_version_is_kept_as_unknown() {
        for kind in CommitKind::ALL {
            assert_eq!(CommitKind::from(kind.as_str().to_owned()), kind);
            assert_eq!(
                serde_json::to_string(&kind).unwrap(),
                format!("\"{}\"", kind.as_str())
            );
        }
        let read: CommitKind = serde_json::from_str("\"teleport\"").unwrap();
        assert_eq!(read, CommitKind::Other);
    }

    proptest! {
        #[test]
        fn reading_never_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ReflogEntry::parse(&line);
        }
    }
}
