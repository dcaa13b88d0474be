//! Reads the reflogs of a repository: which commits were made in its working trees, and when. Reads
//! files and runs no git.

use std::path::{Path, PathBuf};

use super::file;
use super::project::{common_dir, git_dir_and_head, head_in, line};
use crate::model::Timestamp;
use crate::model::commit::{ReflogEntry, is_hash};
use crate::model::record::Head;

/// How many bytes at the end of a reflog [`moves_everywhere`] reads at most.
const MOST: usize = 32 << 20;
/// The most working trees of a repository that are examined.
const MAX_TREES: usize = 1000;

/// Returns the last moves of `HEAD` in the working tree at `root`, oldest first. Reads at most the
/// last `bytes` bytes of the reflog. Returns an empty list if there is no reflog.
///
/// # Security
/// A reflog is ignored if everybody may write to it, or if it belongs neither to this user nor to
/// root.
pub fn last_moves(root: &Path, bytes: usize) -> Vec<ReflogEntry> {
    git_dir_and_head(root).map_or_else(Vec::new, |(git, _)| moves_in(&git, bytes))
}

/// Returns what is checked out in the working tree at `root`, and its last moves as [`last_moves`]
/// does. Returns `None` if it is not in a repository.
pub fn head_and_last_moves(root: &Path, bytes: usize) -> Option<(Head, Vec<ReflogEntry>)> {
    let (git, head) = git_dir_and_head(root)?;
    Some((head_in(&git, &head)?, moves_in(&git, bytes)))
}

/// Returns the moves of `HEAD` in each working tree of the repository at `root`, each with the root
/// of the tree. The tree at `root` comes first.
///
/// # Security
/// A reflog is ignored if everybody may write to it, or if it belongs neither to this user nor to
/// root.
pub fn moves_everywhere(root: &Path) -> Vec<(PathBuf, Vec<ReflogEntry>)> {
    let Some((git, _)) = git_dir_and_head(root) else {
        return Vec::new();
    };
    let mut all = vec![(root.to_owned(), moves_in(&git, MOST))];
    let common = common_dir(&git);
    let canonical = |path: &Path| file::canonical(path).unwrap_or_else(|_| path.to_owned());
    let here = canonical(&git);
    let common = canonical(&common);
    if here != common
        && common.ends_with(".git")
        && let Some(main) = common.parent()
    {
        all.push((main.to_owned(), moves_in(&common, MOST)));
    }
    let trees = common.join("worktrees");
    for name in file::first_names(&trees, MAX_TREES).unwrap_or_default() {
        let tree = trees.join(name);
        if canonical(&tree) == here {
            continue;
        }
        let file = line(&tree.join("gitdir")).unwrap_or_default();
        let file = tree.join(file.trim());
        if let Some(root) = file.parent() {
            all.push((canonical(root), moves_in(&tree, MOST)));
        }
    }
    all
}

/// Returns when git wrote the object file of commit `id` in the repository at `root`. Returns
/// `None` if the commit has no separate file, because git packs old commits.
pub fn object_written(root: &Path, id: &str) -> Option<Timestamp> {
    let (git, _) = git_dir_and_head(root)?;
    let (folder, name) = id.split_at_checked(2).filter(|_| is_hash(id))?;
    let path = common_dir(&git).join("objects").join(folder).join(name);
    Some(file::look(&path).ok()??.meta.modified)
}

fn moves_in(git: &Path, bytes: usize) -> Vec<ReflogEntry> {
    let content = file::read_trusted_end(&git.join("logs/HEAD"), bytes);
    let Ok(Some(content)) = content else {
        return Vec::new();
    };
    let lines = content.bytes.split(|byte| *byte == b'\n');
    // If the beginning of the file was not read, skip the first line, which may be incomplete.
    let is_cut = content.meta.size > content.bytes.len() as u64;
    lines
        .skip(usize::from(is_cut))
        .filter_map(ReflogEntry::parse)
        .collect()
}
