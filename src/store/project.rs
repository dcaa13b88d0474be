//! Finds the project that a directory belongs to, and what is checked out there. Reads files and
//! runs no git, so that the configuration of a hostile repository has no effect.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;

use super::error::{Error, Result};
use super::file::{self, Inspection};
use crate::model::Project;
use crate::model::commit::is_hash;
use crate::model::record::Head;

const MAX_HEAD: usize = 4096;
const MAX_PACKED_REFS: usize = 4 << 20;

/// Returns the project of the directory `start`. Its root is `start` or the nearest ancestor that
/// contains `.git` (a file or a folder); without one, it is `start`.
///
/// If `start` was removed, its path is used as it is written, so that its sessions keep their
/// project.
///
/// # Security
/// A `.git` is accepted only if it and its directory belong to this user, to root or to the owner
/// of `start`. The owner of the directory matters, because it can rename this user's files in it to
/// `.git`. A sticky directory to which everybody may write is never a root. So a stranger's `.git`
/// further up cannot change a directory's project.
pub fn discover(start: &Path) -> Project {
    let start = file::canonical(start).unwrap_or_else(|_| start.to_owned());
    let found = file::look(&start).ok().flatten();
    let owner = found.as_ref().map_or_else(file::me, |found| found.owner);
    // Usually `dir` is `start`, which was already inspected.
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

/// Does the same as [`discover`], for a path that the user has given.
///
/// # Errors
/// Returns [`Error::Io`] if the path does not exist.
pub fn existing(start: &Path) -> Result<Project> {
    file::canonical(start).map(|start| discover(&start))
}

/// Does the same as [`existing`], for questions about the past. A path that no longer exists, such
/// as that of a removed worktree, counts as the root of a project.
///
/// # Errors
/// Returns [`Error::Io`] if it cannot be found out whether the path exists.
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

/// Returns `path` as absolute paths: first with links resolved as far as it exists, then as it is
/// written, if that differs.
///
/// # Errors
/// Returns [`Error::Io`] if the working directory was removed.
pub fn whole_paths(path: &Path) -> Result<Vec<PathBuf>> {
    let whole = current_dir()?.join(path);
    let written: PathBuf = whole.components().collect();
    let mut paths = vec![without_links(&whole), written];
    paths.dedup();
    Ok(paths)
}

/// Returns whether something exists at `path`.
pub fn exists(path: &Path) -> bool {
    file::look(path).is_ok_and(|found| found.is_some())
}

/// Removes `.` and `..` from the absolute `path`, and resolves links as far as it exists.
pub(super) fn without_links(path: &Path) -> PathBuf {
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

fn is_root(dir: &Path, owner_of_start: u32, look: impl Fn(&Path) -> Option<Inspection>) -> bool {
    // `/` is never a root: other programs that read the pointer do not search it for `.git`.
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

/// Returns whether only trusted users can create or rename `.git` in the directory.
fn holds_still(dir: &Inspection, is_trusted: impl Fn(u32) -> bool) -> bool {
    const STICKY_AND_WRITABLE_BY_ALL: u32 = 0o1002;
    let is_shared = dir.mode & STICKY_AND_WRITABLE_BY_ALL == STICKY_AND_WRITABLE_BY_ALL;
    is_trusted(dir.owner) && !is_shared
}

/// Returns what is checked out in the repository at `root`, or `None` if it is not a repository.
pub fn head(root: &Path) -> Option<Head> {
    let (git, head) = git_dir_and_head(root)?;
    head_in(&git, &head)
}

/// Returns what is checked out according to `head`, the first line of `HEAD` in the repository's
/// own directory `git`.
pub(super) fn head_in(git: &Path, head: &str) -> Option<Head> {
    let Some(reference) = head.strip_prefix("ref: ").map(str::trim) else {
        return Some(Head {
            branch: None,
            revision: revision(head),
        });
    };
    if !is_reference(reference) {
        return None;
    }
    let found = resolved(git, reference);
    // A repository that stores its references in another format has the branch `.invalid`.
    let branch = reference
        .strip_prefix("refs/heads/")
        .filter(|branch| *branch != ".invalid")?;
    Some(Head {
        branch: Some(branch.to_owned()),
        revision: found,
    })
}

/// Returns the commit that `name` means in the repository at `root`: `HEAD`, or a local or remote
/// branch. Returns `None` if the name is unknown.
pub fn named_commit(root: &Path, name: &str) -> Option<String> {
    if matches!(name, "HEAD" | "@") {
        return head(root)?.revision;
    }
    let (git, _) = git_dir_and_head(root)?;
    let references = ["refs/heads", "refs/remotes"].map(|folder| format!("{folder}/{name}"));
    let mut references = references.iter().filter(|it| is_reference(it));
    references.find_map(|reference| resolved(&git, reference))
}

fn is_reference(reference: &str) -> bool {
    let mut parts = reference.split('/');
    !parts.any(|part| matches!(part, "" | "." | ".."))
}

/// Returns the commit that a reference names.
fn resolved(git: &Path, reference: &str) -> Option<String> {
    let common = common_dir(git);
    let elsewhere = Some(common.as_path()).filter(|common| *common != git);
    let loose = std::iter::once(git)
        .chain(elsewhere)
        .find_map(|dir| revision(&line(&dir.join(reference))?));
    loose.or_else(|| packed(&common, reference))
}

/// Returns the directory that all working trees of a repository share.
pub(super) fn common_dir(git: &Path) -> PathBuf {
    line(&git.join("commondir")).map_or_else(|| git.to_owned(), |dir| git.join(dir.trim()))
}

/// Returns the main working tree of the repository at `root`, or `root` itself if it is not a
/// worktree.
pub fn main_root(root: &Path) -> PathBuf {
    let main = || {
        let (git, _) = git_dir_and_head(root)?;
        let common = git.join(line(&git.join("commondir"))?.trim());
        let common = file::canonical(&common).ok()?;
        (common.file_name()? == ".git").then(|| common.parent().map(Path::to_owned))?
    };
    main().unwrap_or_else(|| root.to_owned())
}

/// Returns the repository's own directory (`.git`, or the target of a worktree's `.git` file) and
/// the first line of its `HEAD`.
pub(super) fn git_dir_and_head(root: &Path) -> Option<(PathBuf, String)> {
    let git = root.join(".git");
    if let Some(head) = line(&git.join("HEAD")) {
        return Some((git, head));
    }
    let elsewhere = root.join(line(&git)?.strip_prefix("gitdir: ")?.trim());
    let head = line(&elsewhere.join("HEAD"))?;
    Some((elsewhere, head))
}

pub(super) fn line(path: &Path) -> Option<String> {
    let content = file::read_any(path, MAX_HEAD).ok()??;
    let text = String::from_utf8(content.bytes).ok()?;
    text.lines().next().map(str::to_owned)
}

fn revision(text: &str) -> Option<String> {
    let text = text.trim();
    is_hash(text).then(|| text.to_owned())
}

fn packed(common: &Path, reference: &str) -> Option<String> {
    let content = file::read_any(&common.join("packed-refs"), MAX_PACKED_REFS).ok()??;
    let text = String::from_utf8_lossy(&content.bytes);
    let found = text
        .lines()
        .find_map(|line| line.split_once(' ').filter(|(_, name)| *name == reference));
    found.and_then(|(id, _)| revision(id))
}

/// Returns the working directory of this process.
///
/// # Errors
/// Returns [`Error::Io`] if the working directory was removed.
pub fn current_dir() -> Result<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "store is the room that knows where we are"
    )]
    std::env::current_dir().map_err(Error::io("find", Path::new(".")))
}
