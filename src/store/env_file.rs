//! `CLAUDE_ENV_FILE`: the file through which a hook sets variables for Claude Code's later Bash
//! calls.
//!
//! The path of the file comes from the environment, which may be inherited from any process. So the
//! file is written only where Claude Code puts such files, and only if no other file can be
//! damaged. Claude Code creates one file for each hook.

use std::ffi::OsStr;
use std::path::Path;

use rustix::fs::FileType;

use super::error::{Error, Result, Untrusted};
use super::file;
use super::write::{self, Durability};

/// The folder for these files in Claude Code's own directory. It contains a folder for each
/// session.
pub const FOLDER: &str = "session-env";
/// The largest file that is replaced, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Adds `line` to the file at `path`, and creates the file if necessary. Removes a line that sets
/// the same variable. Keeps all other lines, because another script of the user may have written
/// them.
///
/// # Errors
/// Returns [`Error::Untrusted`] if Claude Code would not have put the file there, or if the
/// existing file is a link, another user's, too large, or has several hard links. Returns
/// [`Error::Io`] if the file cannot be read or replaced. Nothing is changed then.
///
/// # Security
/// The file itself must not be a link. Its folder belongs to this user, so nobody else can replace
/// the file meanwhile.
pub fn provide(path: &Path, line: &str) -> Result<()> {
    if let Some(why) = objection_to(path)? {
        return Err(Error::Untrusted {
            path: path.to_owned(),
            why,
        });
    }
    let there = file::read_any(path, MAX_BYTES as usize)?;
    let text = with_line(there.as_ref().map_or(&[], |it| &it.bytes), line);
    write::replace_nameless(path, &text, 0o600, Durability::Cached)
}

fn with_line(there: &[u8], line: &str) -> Vec<u8> {
    let variable = line.split_inclusive('=').next().unwrap_or(line).as_bytes();
    let mut text = Vec::with_capacity(there.len() + line.len() + 2);
    for other in there.split_inclusive(|byte| *byte == b'\n') {
        if !other.starts_with(variable) {
            text.extend_from_slice(other);
        }
    }
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(line.as_bytes());
    text.push(b'\n');
    text
}

fn objection_to(path: &Path) -> Result<Option<Untrusted>> {
    if !is_called_so(path) {
        return Ok(Some(Untrusted::Misplaced));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let why = file::look(folder)?.and_then(|found| match found.owner {
        _ if !found.is_dir() => Some(Untrusted::NotDirectory),
        owner if owner != file::me() => Some(Untrusted::ForeignOwner(owner)),
        _ => (found.mode & 0o002 != 0).then_some(Untrusted::WritableByOthers(found.mode)),
    });
    if why.is_some() {
        return Ok(why);
    }
    Ok(file::look(path)?.and_then(|found| match found.kind {
        FileType::Symlink => Some(Untrusted::Symlink),
        FileType::RegularFile if found.owner != file::me() => {
            Some(Untrusted::ForeignOwner(found.owner))
        }
        FileType::RegularFile if found.names > 1 => Some(Untrusted::HardLinked),
        FileType::RegularFile => {
            let size = found.meta.size;
            (size > MAX_BYTES).then_some(Untrusted::TooLarge(size))
        }
        _ => Some(Untrusted::NotRegular),
    }))
}

/// Returns whether Claude Code may have chosen this path: `session-env/{id}/{name}` or, in another
/// version, a file `{event}-hook-{number}.sh` anywhere.
fn is_called_so(path: &Path) -> bool {
    let is_plain = path.is_absolute()
        && !path
            .components()
            .any(|part| matches!(part, std::path::Component::ParentDir));
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let is_hooks = || {
        let (event, number) = name.strip_suffix(".sh")?.split_once("-hook-")?;
        let is_event = !event.is_empty() && event.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_event && is_number).then_some(())
    };
    let above = path.parent().and_then(Path::parent);
    let is_in_folder = above.and_then(Path::file_name) == Some(OsStr::new(FOLDER));
    is_plain && (is_in_folder || is_hooks().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: bool) {
        assert_eq!(is_called_so(Path::new(path)), expected, "{path}");
    }

    #[test]
    fn a_line_is_added_once_and_others_stay() {
        let line = "export ID=2";
        assert_eq!(with_line(b"", line), b"export ID=2\n");
        assert_eq!(with_line(b"export ID=1\n", line), b"export ID=2\n");
        assert_eq!(
            with_line(b"export A=1\nexport ID=1\nexport ID_TOO=3", line),
            b"export A=1\nexport ID_TOO=3\nexport ID=2\n"
        );
    }

    #[test]
    fn paths_that_the_client_makes_are_taken_for_an_env_file() {
        check(
            "/home/dev/.claude/session-env/s-1/sessionstart-hook-0.sh",
            true,
        );
        check("/home/dev/.claude/session-env/s-1/env", true);
        check("/home/dev/elsewhere/cwdchanged-hook-12.sh", true);
    }

    #[test]
    fn other_paths_are_not_taken_for_an_env_file() {
        check("/dev/null", false);
        check("/home/dev/.bashrc", false);
        check("/proc/self/fd/1", false);
        check("/home/dev/x-hook-.sh", false);
        check("/home/dev/-hook-1.sh", false);
        check("/home/dev/session-env/x", false);
        check("/home/dev/session-env/s-1/../../.bashrc", false);
        check("session-env/s-1/sessionstart-hook-0.sh", false);
    }
}
