//! Builds the command that resumes a session: in which directory, with which words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::dirs::claude_dir;
use crate::model::SessionId;
use crate::model::text::shell_word;
use crate::store::Environment;

/// The longest folder name that Claude Code does not shorten, in characters.
const LONGEST_NAME: usize = 200;
/// The variable that names Claude Code's directory.
pub const CONFIG_DIR: &str = "CLAUDE_CONFIG_DIR";

/// The command that resumes a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeCommand {
    /// The directory in which the command must be started.
    pub dir: PathBuf,
    /// Claude Code's directory, if the command must set `CLAUDE_CONFIG_DIR` to it.
    pub config_dir: Option<PathBuf>,
    /// The program and its arguments.
    pub words: Vec<OsString>,
}

impl ResumeCommand {
    /// Returns the command for session `id`. `transcript` is the present or former path of its
    /// transcript. The session was in `dirs`, the most likely directory first. `more` are further
    /// arguments.
    ///
    /// Claude Code finds a session only if it is started in the directory to which the transcript's
    /// folder belongs.
    pub fn new(
        env: &Environment,
        id: &SessionId,
        transcript: Option<&Path>,
        dirs: &[PathBuf],
        more: &[OsString],
    ) -> Option<Self> {
        let folder = transcript.and_then(|path| path.parent()?.file_name());
        let is_its = |dir: &&PathBuf| folder.is_some_and(|folder| is_folder_of(folder, dir));
        let dir = dirs.iter().find(is_its).or_else(|| dirs.first())?;
        let config_dir = transcript.and_then(|path| {
            let projects = path.ancestors().nth(2)?;
            let is_clients = projects.file_name() == Some(OsStr::new("projects"));
            projects.parent().filter(|_| is_clients).map(Path::to_owned)
        });
        let is_other = |dir: &PathBuf| claude_dir(env).as_ref() != Some(dir);
        let words = ["claude", "--resume", id.as_str()].map(OsString::from);
        Some(Self {
            dir: dir.clone(),
            config_dir: config_dir.filter(is_other),
            words: words.into_iter().chain(more.iter().cloned()).collect(),
        })
    }

    /// Returns the command as a line for a shell, safe to show on a terminal.
    pub fn line(&self) -> String {
        let mut line = format!("cd {} && ", shell_word(self.dir.as_os_str().as_bytes()));
        if let Some(dir) = &self.config_dir {
            line += &format!("{CONFIG_DIR}={} ", shell_word(dir.as_os_str().as_bytes()));
        }
        let words: Vec<String> = self
            .words
            .iter()
            .map(|word| shell_word(word.as_bytes()))
            .collect();
        line + &words.join(" ")
    }
}

/// Returns whether `folder` is the name that Claude Code gives to the folder for sessions started
/// in `dir`. The name has a dash for everything but ASCII letters and digits, and a long name is
/// shortened.
fn is_folder_of(folder: &OsStr, dir: &Path) -> bool {
    let plain = |unit: u16| match char::from_u32(unit.into()) {
        Some(c) if c.is_ascii_alphanumeric() => c,
        _ => '-',
    };
    let dir = dir.to_string_lossy();
    let name: String = dir.encode_utf16().map(plain).collect();
    let folder = folder.to_string_lossy();
    match name.get(..LONGEST_NAME) {
        Some(beginning) if name.len() > LONGEST_NAME => folder.starts_with(beginning),
        _ => *folder == *name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7e4f0c-1111-4222-8333-444455556666";

    fn command(transcript: Option<&str>, dirs: &[&str], more: &[&str]) -> ResumeCommand {
        let env = Environment {
            claude_config_dir: Some("/home/dev/.claude".into()),
            ..Environment::default()
        };
        let dirs: Vec<PathBuf> = dirs.iter().map(PathBuf::from).collect();
        let more: Vec<OsString> = more.iter().map(OsString::from).collect();
        let id = ID.parse().unwrap();
        ResumeCommand::new(&env, &id, transcript.map(Path::new), &dirs, &more).unwrap()
    }

    #[test]
    fn the_directory_is_the_one_whose_folder_has_the_transcript() {
        let transcript = format!("/home/dev/.claude/projects/-home-dev-sh-p/{ID}.jsonl");
        let found = command(
            Some(&transcript),
            &["/home/dev/sh.p/sub", "/home/dev/sh.p"],
            &[],
        );
        assert_eq!(found.dir, Path::new("/home/dev/sh.p"));
        assert_eq!(found.config_dir, None);
        let first = command(None, &["/a", "/b"], &[]);
        assert_eq!(first.dir, Path::new("/a"));
    }

    #[test]
    fn names_of_folders_are_those_of_claude_code() {
        let is = |folder: &str, dir: &str| is_folder_of(OsStr::new(folder), Path::new(dir));
        assert!(is("-dir-with-odd-chars", "/dir.with_odd chars"));
        assert!(is("-a---b", "/a\u{1f600}/b"));
        assert!(!is("-a-b", "/a/b/c"));
        let long = format!("/{}", "a/".repeat(150));
        let shortened = format!("-{}-1x2y3z", "a-".repeat(100).get(..199).unwrap());
        assert!(is(&shortened, &long));
    }

    #[test]
    fn the_line_can_be_pasted_into_a_shell() {
        let transcript = format!("/mnt/team/.claude/projects/-x/{ID}.jsonl");
        let line = command(Some(&transcript), &["/it's here"], &["--model", "a b"]).line();
        let expected = format!(
            r"cd '/it'\''s here' && CLAUDE_CONFIG_DIR=/mnt/team/.claude claude --resume {ID} --model 'a b'"
        );
        assert_eq!(line, expected);
    }
}
