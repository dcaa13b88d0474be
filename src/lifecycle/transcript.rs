//! The client's own transcript of a session: where it is.

use std::path::{Path, PathBuf};

use crate::model::{Record, SessionId};
use crate::store::{Environment, SessionDir, file};

/// Claude Code's own directory: `CLAUDE_CONFIG_DIR`, else `~/.claude`.
pub fn claude_dir(env: &Environment) -> Option<PathBuf> {
    let home = || dirs::home_dir().filter(|home| home.is_absolute());
    env.claude_config_dir
        .clone()
        .or_else(|| Some(home()?.join(".claude")))
}

/// The transcript of a session, if there is one: where the session's last event or its record says, else by its name in
/// any of the client's project folders.
pub fn find(env: &Environment, dir: &SessionDir, id: &SessionId) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| matches!(file::look(path), Ok(Some(found)) if found.is_file());
    let recorded = recorded(dir).map(PathBuf::from).filter(is_there);
    recorded.or_else(|| {
        let projects = claude_dir(env)?.join("projects");
        let name = format!("{id}.jsonl");
        let mut folders = file::names(&projects).ok()?;
        folders.find_map(|folder| {
            let path = projects.join(Path::new(&folder)).join(&name);
            is_there(&path).then_some(path)
        })
    })
}

/// The last transcript that an event of the session named.
fn recorded(dir: &SessionDir) -> Option<String> {
    let events = dir.events().ok()?;
    let last = events.filter_map(|event| event.transcript_path).last();
    last.or_else(|| {
        let record: Record = dir.record().ok()??;
        record.transcript_path
    })
}
