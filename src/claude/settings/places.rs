//! Where the client looks for settings, by where it is started.

use std::path::{Path, PathBuf};

use super::Source;
use crate::claude::dirs::claude_dir;
use crate::store::{Environment, file, project};

/// Where managed settings are.
pub const MANAGED_DIR: &str = if cfg!(target_os = "macos") {
    "/Library/Application Support/ClaudeCode"
} else {
    "/etc/claude-code"
};

const SETTINGS: &str = "settings.json";
const LOCAL: &str = "settings.local.json";

/// The directories that a client's settings are in.
#[derive(Debug)]
pub(super) struct Places {
    /// Its own directory; none without a home.
    user: Option<PathBuf>,
    /// Where it is started.
    start: PathBuf,
    /// The root whose local settings it reads.
    root: PathBuf,
    managed: PathBuf,
}

impl Places {
    /// The places of a client that is started in `start`.
    pub(super) fn of(env: &Environment, start: &Path) -> Self {
        let start = file::canonical(start).unwrap_or_else(|_| start.to_owned());
        Self {
            user: claude_dir(env),
            root: local_root(env, &start),
            start,
            managed: PathBuf::from(MANAGED_DIR),
        }
    }

    /// Every file that it may read, those that count least first.
    pub(super) fn files(&self) -> Vec<(Source, PathBuf)> {
        let user = self
            .user
            .iter()
            .map(|dir| (Source::User, dir.join(SETTINGS)));
        let user: Vec<_> = user.collect();
        [user, self.of_project().into(), self.of_machine()].concat()
    }

    fn of_project(&self) -> [(Source, PathBuf); 3] {
        let here = self.start.join(".claude");
        let at_root = self.root.join(".claude").join(LOCAL);
        [
            (Source::Project, here.join(SETTINGS)),
            (Source::Local, here.join(LOCAL)),
            (Source::Local, at_root),
        ]
    }

    fn of_machine(&self) -> Vec<(Source, PathBuf)> {
        let drop_ins = self.managed.join("managed-settings.d");
        let mut names: Vec<_> = file::names(&drop_ins).into_iter().flatten().collect();
        names.retain(|name| {
            let name = name.as_encoded_bytes();
            name.ends_with(b".json") && !name.starts_with(b".")
        });
        names.sort();
        let first = self.managed.join("managed-settings.json");
        let drop_ins = names.iter().map(|name| drop_ins.join(name));
        let all = [first].into_iter().chain(drop_ins);
        all.map(|path| (Source::Managed, path)).collect()
    }
}

/// The files that count wherever a client is started: the user's, then the managed ones.
pub fn files_of(env: &Environment) -> Vec<PathBuf> {
    let all = Places::of(env, Path::new("/")).files().into_iter();
    all.filter(|(source, _)| matches!(source, Source::User | Source::Managed))
        .map(|(_, path)| path)
        .collect()
}

/// The files of a project and the local ones that a client reads which is started in `start`.
pub fn project_files(env: &Environment, start: &Path) -> [PathBuf; 3] {
    Places::of(env, start).of_project().map(|(_, path)| path)
}

/// The root whose local settings a client reads that is started in `start`: the repository's, of a worktree the main one's,
/// but never the home directory.
fn local_root(env: &Environment, start: &Path) -> PathBuf {
    let root = project::main_root(project::discover(start).root());
    match env
        .home
        .as_ref()
        .and_then(|home| file::canonical(home).ok())
    {
        Some(home) if home == root => start.to_owned(),
        _ => root,
    }
}
