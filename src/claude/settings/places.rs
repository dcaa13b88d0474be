//! Lists the paths where Claude Code looks for settings, by its start directory.

use std::path::{Path, PathBuf};

use super::SettingsSource;
use crate::claude::dirs::claude_dir;
use crate::store::{Environment, file, project};

/// The directory of managed settings.
pub const MANAGED_DIR: &str = if cfg!(target_os = "macos") {
    "/Library/Application Support/ClaudeCode"
} else {
    "/etc/claude-code"
};

const SETTINGS: &str = "settings.json";
const LOCAL: &str = "settings.local.json";

/// The directories that contain Claude Code's settings.
#[derive(Debug)]
pub(super) struct SettingsDirs {
    /// The user's directory; `None` without a home.
    user: Option<PathBuf>,
    /// The directory in which Claude Code is started.
    start: PathBuf,
    /// The directory whose local settings Claude Code also reads: the repository's main worktree.
    root: PathBuf,
    managed: PathBuf,
}

impl SettingsDirs {
    /// Returns the directories whose settings Claude Code reads when it is started in `start`.
    pub(super) fn of(env: &Environment, start: &Path) -> Self {
        let start = file::canonical(start).unwrap_or_else(|_| start.to_owned());
        Self {
            user: claude_dir(env),
            root: local_root(env, &start),
            start,
            managed: PathBuf::from(MANAGED_DIR),
        }
    }

    /// Returns every file that Claude Code may read, the lowest precedence first.
    pub(super) fn files(&self) -> Vec<(SettingsSource, PathBuf)> {
        let user = self
            .user
            .iter()
            .map(|dir| (SettingsSource::User, dir.join(SETTINGS)));
        let user: Vec<_> = user.collect();
        [user, self.of_project().into(), self.of_machine()].concat()
    }

    fn of_project(&self) -> [(SettingsSource, PathBuf); 3] {
        let here = self.start.join(".claude");
        let at_root = self.root.join(".claude").join(LOCAL);
        [
            (SettingsSource::Project, here.join(SETTINGS)),
            (SettingsSource::Local, here.join(LOCAL)),
            (SettingsSource::Local, at_root),
        ]
    }

    fn of_machine(&self) -> Vec<(SettingsSource, PathBuf)> {
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
        all.map(|path| (SettingsSource::Managed, path)).collect()
    }
}

/// Returns the files that count in every start directory: the user's, then the managed ones.
pub fn files_of(env: &Environment) -> Vec<PathBuf> {
    let all = SettingsDirs::of(env, Path::new("/")).files().into_iter();
    all.filter(|(source, _)| matches!(source, SettingsSource::User | SettingsSource::Managed))
        .map(|(_, path)| path)
        .collect()
}

/// Returns the project's and the local settings files that Claude Code reads when it is started in
/// `start`.
pub fn project_files(env: &Environment, start: &Path) -> [PathBuf; 3] {
    SettingsDirs::of(env, start)
        .of_project()
        .map(|(_, path)| path)
}

/// Returns the directory whose local settings Claude Code reads when it is started in `start`: the
/// root of the repository's main worktree. If that is the home directory, returns `start`.
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
