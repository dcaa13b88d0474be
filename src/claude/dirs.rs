//! Finds Claude Code's own directories.

use std::path::PathBuf;

use crate::store::Environment;

/// Returns Claude Code's directory: `CLAUDE_CONFIG_DIR`, else `~/.claude`.
pub fn claude_dir(env: &Environment) -> Option<PathBuf> {
    let home = || dirs::home_dir().filter(|home| home.is_absolute());
    env.claude_config_dir
        .clone()
        .or_else(|| Some(home()?.join(".claude")))
}

/// Returns the directory of Claude Code's transcripts. It has one folder for each directory that
/// Claude Code was started in.
pub fn projects_dir(env: &Environment) -> Option<PathBuf> {
    Some(claude_dir(env)?.join("projects"))
}
