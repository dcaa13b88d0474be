//! Which project a directory belongs to, and what is checked out there. Read from files; no git is run, so no hostile
//! repository's configuration is.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;

use super::error::{Error, Result};
use super::file::{self, Look};
use crate::model::Project;
use crate::model::record::Head;

const MAX_HEAD: usize = 4096;
const MAX_PACKED_REFS: usize = 4 << 20;

/// The project that the directory `start` belongs to: its nearest ancestor, or itself, that holds `.git` (a file or a
/// folder), else `start`.
/// A `start` that is gone is taken as it is written, so that a session whose directory was removed keeps its project.
///
/// # Security
/// A `.git` counts only if it and the directory that holds it are owned by us, by root or by the owner of `start`: whoever owns
/// a directory can give a file or folder of ours in it the name `.git`. A sticky directory that everybody may write to is
/// never a root. So a `.git` that a stranger planted above renames no project.
pub fn discover(start: &Path) -> Project {
    let start = file::canonical(start).unwrap_or_else(|_| start.to_owned());
    let found = file::look(&start).ok().flatten();
    let owner = found.as_ref().map_or_else(file::me, |found| found.owner);
    // Mostly it is the root itself, and not looked at again.
    let look = |dir: &Path| match found {
        Some(found) if dir == start => Some(found),
        _ => file::look(dir).ok().flatten(),
    };
    let root = start
        .ancestors()
        .find(|dir| is_root(dir, owner, look))
        .unwrap_or(&start);
    Project::at(root.to_owned())
}

/// As [`discover`], for a path that somebody gave.
///
/// # Errors
/// [`Error::Io`] where it is not there.
pub fn existing(start: &Path) -> Result<Project> {
    file::canonical(start).map(|start| discover(&start))
}

/// As [`existing`], for questions about what was: a path that is not there any more is the root of its project, as that of
/// a removed worktree is.
///
/// # Errors
/// [`Error::Io`] where the system does not say whether it is there.
pub fn existing_or_gone(start: &Path) -> Result<Project> {
    match file::canonical(start) {
        Ok(there) => Ok(discover(&there)),
        Err(Error::Io { source, .. })
            if matches!(
                source.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory
            ) =>
        {
            let start = if start.is_absolute() {
                start.to_owned()
            } else {
                current_dir()?.join(start)
            };
            Ok(Project::at(without_links(&start)))
        }
        Err(err) => Err(err),
    }
}

/// `path`, which is absolute, without `.` and `..`, and without links as far as it is there.
fn without_links(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|dir| {
        let rest = path.strip_prefix(dir).ok()?;
        Some((file::canonical(dir).ok()?, rest))
    });
    let (mut plain, rest) = there.unwrap_or_else(|| (PathBuf::new(), path));
    for part in rest.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

fn is_root(dir: &Path, owner_of_start: u32, look: impl Fn(&Path) -> Option<Look>) -> bool {
    // The readers that share the pointer never look for a `.git` in `/`.
    if dir.parent().is_none() {
        return false;
    }
    let Ok(Some(git)) = file::look(&dir.join(".git")) else {
        return false;
    };
    let is_repository = match git.kind {
        FileType::Directory | FileType::RegularFile => true,
        FileType::Symlink => leads_somewhere(dir),
        _ => false,
    };
    let is_trusted = |owner: u32| [0, file::me(), owner_of_start].contains(&owner);
    is_repository
        && is_trusted(git.owner)
        && look(dir).is_some_and(|found| holds_still(&found, is_trusted))
}

fn leads_somewhere(dir: &Path) -> bool {
    file::canonical(&dir.join(".git")).is_ok()
}

/// Returns whether nobody else decides what is called `.git` in the directory.
fn holds_still(dir: &Look, is_trusted: impl Fn(u32) -> bool) -> bool {
    const STICKY_AND_WRITABLE_BY_ALL: u32 = 0o1002;
    let is_shared = dir.mode & STICKY_AND_WRITABLE_BY_ALL == STICKY_AND_WRITABLE_BY_ALL;
    is_trusted(dir.owner) && !is_shared
}

/// What is checked out in the repository at `root`; nothing where it is no repository.
pub fn head(root: &Path) -> Option<Head> {
    let (git, head) = git_dir_and_head(root)?;
    let Some(reference) = head.strip_prefix("ref: ").map(str::trim) else {
        return Some(Head {
            branch: None,
            revision: revision(&head),
        });
    };
    if reference
        .split('/')
        .any(|part| matches!(part, "" | "." | ".."))
    {
        return None;
    }
    let common =
        line(&git.join("commondir")).map_or_else(|| git.clone(), |dir| git.join(dir.trim()));
    let elsewhere = Some(&common).filter(|common| **common != git);
    let loose = std::iter::once(&git)
        .chain(elsewhere)
        .find_map(|dir| revision(&line(&dir.join(reference))?));
    let found = loose.or_else(|| packed(&common, reference));
    // A repository that keeps its references elsewhere says `refs/heads/.invalid` here.
    let branch = reference
        .strip_prefix("refs/heads/")
        .filter(|branch| *branch != ".invalid")?;
    Some(Head {
        branch: Some(branch.to_owned()),
        revision: found,
    })
}

/// The root of the main working tree of the repository at `root`: of a worktree that one's, else `root` itself.
pub fn main_root(root: &Path) -> PathBuf {
    let main = || {
        let (git, _) = git_dir_and_head(root)?;
        let common = git.join(line(&git.join("commondir"))?.trim());
        let common = file::canonical(&common).ok()?;
        (common.file_name()? == ".git").then(|| common.parent().map(Path::to_owned))?
    };
    main().unwrap_or_else(|| root.to_owned())
}

/// The repository's own directory (`.git`, or where a worktree's `.git` file says) and the first line of its `HEAD`.
fn git_dir_and_head(root: &Path) -> Option<(PathBuf, String)> {
    let git = root.join(".git");
    if let Some(head) = line(&git.join("HEAD")) {
        return Some((git, head));
    }
    let elsewhere = root.join(line(&git)?.strip_prefix("gitdir: ")?.trim());
    let head = line(&elsewhere.join("HEAD"))?;
    Some((elsewhere, head))
}

fn line(path: &Path) -> Option<String> {
    let content = file::read_any(path, MAX_HEAD).ok()??;
    let text = String::from_utf8(content.bytes).ok()?;
    text.lines().next().map(str::to_owned)
}

fn revision(text: &str) -> Option<String> {
    let text = text.trim();
    let hex = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| text.to_owned())
}

fn packed(common: &Path, reference: &str) -> Option<String> {
    let content = file::read_any(&common.join("packed-refs"), MAX_PACKED_REFS).ok()??;
    let text = String::from_utf8_lossy(&content.bytes);
    let found = text
        .lines()
        .find_map(|line| line.split_once(' ').filter(|(_, name)| *name == reference));
    found.and_then(|(id, _)| revision(id))
}

/// The directory that the process is in.
///
/// # Errors
/// [`Error::Io`] where it is gone.
pub fn current_dir() -> Result<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "store is the room that knows where we are"
    )]
    std::env::current_dir().map_err(Error::io("find", Path::new(".")))
}
