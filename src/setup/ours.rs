//! Decides which hooks in a settings file are ours: those that run an executable of ccsession,
//! however the command is written.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::shell::{self, Variables};
use crate::claude::commands;
use crate::claude::versions::{self, EXECUTABLES};
use crate::store::{Environment, file};

/// The largest executable that is searched for the bytes of [`MARK`], in bytes.
const MAX_EXECUTABLE: usize = 64 << 20;
/// The bytes that every hook executable of ccsession contains, before its version.
const MARK: &[u8] = b"ccsession hook ";

/// Which program of ccsession a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookProgram {
    /// The hook executable at this path.
    Executable(PathBuf),
    /// `ccsession hook`.
    Cli,
}

/// What is needed to decide whether a command runs a program of ccsession.
#[derive(Debug, Clone)]
pub struct OurPrograms {
    /// The folder of the current hook executables.
    hooks_dir: PathBuf,
    /// The folders of earlier installs.
    earlier: Vec<PathBuf>,
    home: Option<PathBuf>,
    /// The directory in which Claude Code starts when it reads the settings file.
    project: Option<PathBuf>,
}

impl OurPrograms {
    /// Recognises the executables in `hooks_dir` and in the folders of `earlier` installs. Also
    /// recognises those in any folder `libexec/ccsession`, and any that contain the bytes of every
    /// hook executable of ccsession.
    pub fn new(env: &Environment, hooks_dir: &Path, earlier: Vec<PathBuf>) -> Self {
        Self {
            hooks_dir: hooks_dir.to_owned(),
            earlier,
            home: env.home.clone(),
            project: None,
        }
    }

    /// Adds folders of earlier installs.
    pub fn add(&mut self, earlier: impl IntoIterator<Item = PathBuf>) {
        self.earlier.extend(earlier);
    }

    /// Returns a copy for the settings file at `path`. The copy knows the value that
    /// `$CLAUDE_PROJECT_DIR` has in this file.
    #[must_use]
    pub fn in_file(&self, path: &Path) -> Self {
        let project = path.parent().and_then(Path::parent).map(Path::to_owned);
        Self {
            project,
            ..self.clone()
        }
    }

    /// Returns a copy that also knows folders of ccsession which no longer exist. `commands` are
    /// the events and command lines of one file. A folder was ccsession's if the command lines name
    /// all four executables in it, each at an event that it handles.
    #[must_use]
    pub fn with_gone<'c>(&self, commands: impl Iterator<Item = (&'c str, &'c str)>) -> Self {
        let mut folders: BTreeMap<PathBuf, Vec<&'static str>> = BTreeMap::new();
        for (event, line) in commands {
            let Some(path) = commands::executable_of(line).map(PathBuf::from) else {
                continue;
            };
            let wanted = versions::executable_for(event);
            let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
                continue;
            };
            let is_gone = matches!(file::look(&path), Ok(None));
            if let Some(wanted) = wanted.filter(|wanted| is_gone && name == *wanted) {
                folders.entry(dir.to_owned()).or_default().push(wanted);
            }
        }
        let has_all = |names: &Vec<&str>| EXECUTABLES.iter().all(|name| names.contains(name));
        let gone = folders.into_iter().filter(|(_, names)| has_all(names));
        let mut ours = self.clone();
        ours.earlier.extend(gone.map(|(dir, _)| dir));
        ours
    }

    /// Returns the program of ccsession that a command line runs, if it runs no other program. The
    /// executables of ccsession take no arguments. So a program with arguments may be another one
    /// with the same name.
    pub fn only(&self, line: &str) -> Option<HookProgram> {
        let mut found = None;
        for words in shell::commands(line, self) {
            match self.of_command(&words) {
                Some((runs, [])) => found = Some(runs),
                Some((HookProgram::Cli, _)) => found = Some(HookProgram::Cli),
                Some(_) => return None,
                None if words.first().is_some_and(|it| shell::is_idle(it)) => {}
                None => return None,
            }
        }
        found
    }

    /// Returns the program of ccsession that a command line runs, whatever else it runs.
    pub fn any(&self, line: &str) -> Option<HookProgram> {
        let mut commands = shell::commands(line, self).into_iter();
        commands.find_map(|words| self.of_command(&words).map(|(runs, _)| runs))
    }

    /// Returns the program of ccsession that a command runs, and its arguments.
    fn of_command<'w>(&self, words: &'w [String]) -> Option<(HookProgram, &'w [String])> {
        let (program, rest) = words.split_first()?;
        if let Some(path) = self.executable(program) {
            return Some((HookProgram::Executable(path), rest));
        }
        if is_cli(program) && rest.first().is_some_and(|word| word == "hook") {
            return Some((HookProgram::Cli, rest));
        }
        if !shell::is_wrapper(program) {
            return None;
        }
        (0..rest.len()).find_map(|from| self.of_command(rest.get(from..)?))
    }

    /// Returns the hook executable that `program` names. Follows links if the name alone does not
    /// decide.
    fn executable(&self, program: &str) -> Option<PathBuf> {
        if !program.contains('/') {
            return None;
        }
        let written = self.absolute(Path::new(program));
        if self.is_executable(&written) {
            return Some(written);
        }
        let there = file::canonical(&written).ok()?;
        self.is_executable(&there).then_some(written)
    }

    fn is_executable(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| EXECUTABLES.contains(&name)) {
            return false;
        }
        let dir = path.parent().unwrap_or(Path::new(""));
        let is = |known: &PathBuf| dir == known || is_same(dir, known);
        is(&self.hooks_dir)
            || dir.ends_with("libexec/ccsession")
            || self.earlier.iter().any(is)
            || has_mark(path)
    }

    /// Returns a path without `.` and `..`. A relative path begins where Claude Code starts.
    fn absolute(&self, path: &Path) -> PathBuf {
        let mut plain = self.project.clone().unwrap_or_default();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => drop(plain.pop()),
                part => plain.push(part),
            }
        }
        plain
    }
}

impl Variables for OurPrograms {
    fn value(&self, name: &str) -> Option<String> {
        let path = match name {
            "HOME" => self.home.as_ref()?,
            "CLAUDE_PROJECT_DIR" => self.project.as_ref()?,
            _ => return None,
        };
        path.to_str().map(str::to_owned)
    }
}

fn is_cli(program: &str) -> bool {
    shell::base(program) == "ccsession"
}

/// Returns whether two names lead to the same folder.
fn is_same(one: &Path, other: &Path) -> bool {
    match (file::canonical(one), file::canonical(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn has_mark(path: &Path) -> bool {
    let Ok(Some(content)) = file::read_any(path, MAX_EXECUTABLE) else {
        return false;
    };
    let version = |at: usize| content.bytes.get(at + MARK.len());
    let mut marks = memchr::memmem::find_iter(&content.bytes, MARK);
    marks.any(|at| version(at).is_some_and(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn ours(home: &Path) -> OurPrograms {
        let env = Environment {
            home: Some(home.to_owned()),
            ..Environment::default()
        };
        let dir = home.join(".local/libexec/ccsession");
        OurPrograms::new(&env, &dir, vec!["/opt/old".into()])
            .in_file(Path::new("/p/.claude/settings.json"))
    }

    fn name(runs: Option<HookProgram>) -> Option<String> {
        match runs? {
            HookProgram::Executable(path) => Some(path.file_name()?.to_str()?.to_owned()),
            HookProgram::Cli => Some("cli".to_owned()),
        }
    }

    #[test]
    fn what_runs_an_executable_of_ours_is_ours() {
        let ours = ours(Path::new("/home/dev"));
        for line in [
            "/home/dev/.local/libexec/ccsession/session-start",
            "$HOME/.local/libexec/ccsession/session-start",
            "~/.local/libexec/ccsession/session-start || true",
            "HOOK_DEBUG=true \"$HOME\"/.local/libexec/ccsession/session-start",
            "env HOOK_DEBUG=true ~/.local/libexec/ccsession/session-start",
            "exec ~/.local/libexec/ccsession/session-start",
            "nice -n 5 ~/.local/libexec/ccsession/session-start",
            "timeout 5 sh -c '~/.local/libexec/ccsession/session-start'",
            "sh -c 'exec ~/.local/libexec/ccsession/session-start'",
            "/elsewhere/libexec/ccsession/session-start",
            "$ELSEWHERE/libexec/ccsession/session-start",
            "/opt/old/session-start",
            "/opt/old/../old/./session-start",
            "\"$CLAUDE_PROJECT_DIR\"/tools/libexec/ccsession/session-start",
            "[ -x /opt/old/session-start ] && /opt/old/session-start",
        ] {
            let only = name(ours.only(line));
            assert_eq!(only.as_deref(), Some("session-start"), "{line}");
        }
        for line in ["ccsession hook", "~/.local/bin/ccsession hook Stop"] {
            assert_eq!(ours.only(line), Some(HookProgram::Cli), "{line}");
        }
    }

    #[test]
    fn a_stranger_whose_name_contains_ours_is_not_ours() {
        let ours = ours(Path::new("/home/dev"));
        for line in [
            "",
            "session-start",
            "/srv/session-start",
            "node /srv/ccsession-notes/session-start.js",
            "/opt/old/session-start.sh",
            "echo ~/.local/libexec/ccsession/session-start",
            "cat /opt/old/session-start",
            "ccsession list",
            "ccsession-notes hook",
            "/opt/old/session-starter",
        ] {
            assert_eq!(ours.any(line), None, "{line}");
        }
    }

    #[test]
    fn what_runs_others_besides_is_not_only_ours() {
        let ours = ours(Path::new("/home/dev"));
        for line in [
            "notify-send x && /opt/old/session-start",
            "/opt/old/session-start --verbose",
        ] {
            assert_eq!(ours.only(line), None);
            assert_eq!(name(ours.any(line)).as_deref(), Some("session-start"));
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes the files")]
    fn a_link_to_an_executable_and_one_with_our_mark_are_ours() {
        let dir = TempDir::new().unwrap();
        let ours = ours(dir.path());
        let real = dir.path().join(".local/libexec/ccsession");
        fs::create_dir_all(&real).unwrap();
        fs::write(real.join("session-event"), "").unwrap();
        symlink(real.join("session-event"), dir.path().join("mine")).unwrap();
        symlink(&real, dir.path().join("link")).unwrap();
        let marked = dir.path().join("session-start");
        fs::write(&marked, "#!/bin/sh\n# ccsession hook 0.0.1\n").unwrap();
        let other = dir.path().join("pre-tool-use");
        fs::write(&other, "#!/bin/sh\n").unwrap();
        for path in [
            dir.path().join("mine"),
            dir.path().join("link/session-event"),
            marked,
        ] {
            assert!(ours.only(path.to_str().unwrap()).is_some(), "{path:?}");
        }
        assert_eq!(ours.only(other.to_str().unwrap()), None);
    }

    #[test]
    fn a_missing_folder_is_recognised_by_all_four_hooks_at_their_events() {
        let ours = ours(Path::new("/home/dev"));
        let all = [
            ("SessionStart", "/gone/session-start"),
            ("PreToolUse", "/gone/pre-tool-use"),
            ("PostToolUse", "/gone/post-tool-use"),
            ("Stop", "/gone/session-event"),
        ];
        let told = ours.with_gone(all.into_iter());
        assert!(told.only("/gone/session-start").is_some());
        for missing in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(missing);
            let told = ours.with_gone(some.into_iter());
            assert_eq!(told.only("/gone/session-start"), None);
        }
        let at_other_events = all.map(|(_, line)| ("Notification", line));
        let told = ours.with_gone(at_other_events.into_iter());
        assert_eq!(told.only("/gone/session-start"), None);
    }
}
