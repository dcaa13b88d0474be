//! Decides which projects are excluded from recording: those that match the setting `exclude`, and
//! those with a marker file in their directory or above.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::shown;
use super::{Environment, file, project};
use crate::model::exclude::ExcludePattern;
use crate::model::{Exclusions, Project, Record};

/// The name of the marker file. Sessions in its directory or below are not recorded.
pub const MARKER: &str = ".ccsession-off";

/// Why a project is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exclusion {
    /// The project matches this pattern of the setting `exclude`.
    Pattern(String),
    /// This marker file is in its directory or above.
    Marker(PathBuf),
    /// The setting `exclude` could not be read, so the project may match it.
    Unknown,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(text) => write!(
                f,
                "the setting `exclude` contains `{}`",
                crate::model::text::escaped(text)
            ),
            Self::Marker(path) => write!(f, "there is a file {}", shown(path)),
            Self::Unknown => f.write_str("the setting `exclude` could not be read"),
        }
    }
}

/// Returns why a session is excluded that was started in the directory `start` of `project`, or
/// `None` if it is not excluded.
///
/// # Security
/// A marker file is accepted if it belongs to this user or root. It is also accepted if it belongs
/// to the owner of its directory, and not everybody may create files there. So a stranger's file in
/// `/tmp` does not stop the recording.
pub fn of(
    env: &Environment,
    exclude: &Exclusions,
    start: Option<&Path>,
    project: &Project,
) -> Option<Exclusion> {
    if exclude.is_unknown() {
        return Some(Exclusion::Unknown);
    }
    let root = project.root();
    let start = start.filter(|start| *start != root);
    let start = start.and_then(|start| match start.starts_with(root) {
        true => Some(start.to_owned()),
        false => file::canonical(start).ok(),
    });
    let start = start.as_deref().unwrap_or(root);
    by_pattern(env, exclude, start).or_else(|| by_marker(start))
}

/// Returns why the session of `record` would be excluded now, or `None` if it would not.
pub fn of_record(env: &Environment, exclude: &Exclusions, record: &Record) -> Option<Exclusion> {
    let project = Project::at(record.project.root());
    of(env, exclude, record.cwd.as_deref().map(Path::new), &project)
}

fn by_pattern(env: &Environment, exclude: &Exclusions, dir: &Path) -> Option<Exclusion> {
    let home = env.home.as_deref();
    let covers = |pattern: &&ExcludePattern| {
        // The home directory is unknown, so the pattern may match.
        let Some(beginning) = pattern.beginning(home) else {
            return true;
        };
        pattern.covers(&beginning, dir) || pattern.covers(&project::without_links(&beginning), dir)
    };
    let pattern = exclude.patterns().iter().find(covers)?;
    Some(Exclusion::Pattern(pattern.text().to_owned()))
}

fn by_marker(dir: &Path) -> Option<Exclusion> {
    let marker = |dir: &Path| {
        let path = dir.join(MARKER);
        let found = file::look(&path).ok().flatten()?;
        is_trusted(dir, &found).then_some(path)
    };
    dir.ancestors().find_map(marker).map(Exclusion::Marker)
}

fn is_trusted(dir: &Path, marker: &file::Inspection) -> bool {
    if [0, file::me()].contains(&marker.owner) {
        return true;
    }
    const WRITABLE_BY_ALL: u32 = 0o002;
    let dir = file::look(dir).ok().flatten();
    dir.is_some_and(|dir| dir.owner == marker.owner && dir.mode & WRITABLE_BY_ALL == 0)
}
