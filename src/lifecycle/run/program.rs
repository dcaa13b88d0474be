//! Checks whether a command can be started, before files are created that would have to be removed
//! again.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::store::{file, shown};

/// The folders in which a shell searches for programs if `PATH` is not set.
const USUAL_PATH: &str = "/usr/bin:/bin";
/// How much of a script is read to find its interpreter, in bytes.
const BEGINNING: usize = 256;

/// Why a command cannot be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The program does not exist.
    Missing,
    /// The file is not a regular file, or is not executable.
    NotExecutable,
}

impl Obstacle {
    /// Returns the exit status that a shell would use.
    pub fn status(self) -> u8 {
        match self {
            Self::Missing => 127,
            Self::NotExecutable => 126,
        }
    }

    /// Returns the obstacle in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "there is no such command",
            Self::NotExecutable => "Permission denied",
        }
    }
}

/// Returns what the program at the first executable path for `program` needs and the system lacks,
/// if the system says that it does not exist although the file does: the interpreter of a script,
/// or the loader of a dynamically linked program.
pub(super) fn missing_loader(program: &OsStr, path: Option<OsString>) -> Option<String> {
    let is_program = |path: &PathBuf| {
        let found = file::canonical(path).and_then(|there| file::look(&there));
        matches!(found, Ok(Some(found)) if found.is_file() && found.mode & 0o111 != 0)
    };
    let found = candidates(program, path).into_iter().find(is_program)?;
    let beginning = file::beginning(&found, BEGINNING).ok()?;
    let loader = interpreter(&beginning).map(|it| shown(Path::new(OsStr::from_bytes(it))));
    Some(match loader {
        Some(interpreter) => format!("its interpreter `{interpreter}` does not exist"),
        None => "the program that loads it does not exist".to_owned(),
    })
}

/// Returns the path of the interpreter that the first line of a script names.
fn interpreter(beginning: &[u8]) -> Option<&[u8]> {
    let line = beginning.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    // As the kernel reads it, a carriage return is a part of the name.
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t'));
    words.find(|word| !word.is_empty())
}

/// Returns why `program` cannot be started, or `None` if it probably can. Searches for it in `path`
/// as execvp(3) does. Does not detect what only the kernel can: a bad format, a missing
/// interpreter, limits.
pub(super) fn obstacle(program: &OsStr, path: Option<OsString>) -> Option<Obstacle> {
    let mut obstacle = Obstacle::Missing;
    for candidate in candidates(program, path) {
        match file::canonical(&candidate).and_then(|there| file::look(&there)) {
            Ok(Some(found)) if found.is_file() && found.mode & 0o111 != 0 => return None,
            Ok(Some(_)) => obstacle = Obstacle::NotExecutable,
            Ok(None) | Err(_) => {}
        }
    }
    Some(obstacle)
}

fn candidates(program: &OsStr, path: Option<OsString>) -> Vec<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        return vec![PathBuf::from(program)];
    }
    if program.is_empty() {
        return Vec::new();
    }
    let path = path.unwrap_or_else(|| USUAL_PATH.into());
    let in_dir = |dir: PathBuf| match dir.as_os_str().is_empty() {
        true => Path::new(".").join(program),
        false => dir.join(program),
    };
    std::env::split_paths(&path).map(in_dir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_as_the_system_does() {
        let path = |text: &str| Some(OsString::from(text));
        for (program, in_path, expected) in [
            ("sh", path("/usr/bin:/bin"), None),
            ("sh", path("/no/such/folder:/bin"), None),
            ("sh", None, None),
            ("/bin/sh", path("/"), None),
            ("sh", path("/no/such/folder"), Some(Obstacle::Missing)),
            ("no-such-command", path("/bin"), Some(Obstacle::Missing)),
            ("", path("/bin"), Some(Obstacle::Missing)),
            ("/no/such/command", None, Some(Obstacle::Missing)),
            ("/tmp", None, Some(Obstacle::NotExecutable)),
            ("passwd", path("/etc"), Some(Obstacle::NotExecutable)),
            ("passwd", path("/etc:/usr/bin"), None),
            ("./no-such-command", path("/bin"), Some(Obstacle::Missing)),
        ] {
            assert_eq!(obstacle(program.as_ref(), in_path), expected, "{program}");
        }
    }
}
