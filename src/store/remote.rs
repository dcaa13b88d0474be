//! Finds the remote of a repository in git's own configuration file. Runs no git, and follows no
//! `include`.

use std::path::Path;

use super::{file, project};
use crate::model::record::Head;
use crate::model::remote::Remote;

/// The largest configuration that is read, in bytes.
const MAX_CONFIG: usize = 256 << 10;

/// Returns what is checked out in the repository at `root`, and its remote.
pub fn head_and_remote(root: &Path) -> (Option<Head>, Option<Remote>) {
    let Some((git, head)) = project::git_dir_and_head(root) else {
        return (None, None);
    };
    let remote = remote_in(&project::common_dir(&git));
    (project::head_in(&git, &head), remote)
}

/// Returns the remote of the repository at `root`: `origin`, or else the first one. Returns `None`
/// if that is a directory on this machine.
pub fn remote(root: &Path) -> Option<Remote> {
    let (git, _) = project::git_dir_and_head(root)?;
    remote_in(&project::common_dir(&git))
}

fn remote_in(common: &Path) -> Option<Remote> {
    let content = file::read_any(&common.join("config"), MAX_CONFIG).ok()??;
    Remote::parse(&url(&String::from_utf8_lossy(&content.bytes))?)
}

/// Returns the URL of `origin` in the text of a configuration, or else of the first remote.
fn url(config: &str) -> Option<String> {
    let mut section = None;
    let mut first = None;
    for line in config.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.split_once(']').and_then(|(name, _)| {
                let (kind, name) = name.split_once(char::is_whitespace)?;
                let is_remote = kind.eq_ignore_ascii_case("remote");
                is_remote.then(|| name.trim().trim_matches('"').to_owned())
            });
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let Some(remote) = section.as_deref() else {
            continue;
        };
        if !key.trim().eq_ignore_ascii_case("url") {
            continue;
        }
        let value = value.split([' ', '\t']).find(|it| !it.is_empty());
        let value = value.unwrap_or_default().trim_matches('"').to_owned();
        if remote == "origin" {
            return Some(value);
        }
        first.get_or_insert(value);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_the_remote_or_else_the_first_one() {
        let config = "[core]\n\tbare = false\n[remote \"up\"]\n\turl = a\n[remote \"origin\"]\n\tfetch = +refs\n\tURL = b # mine\n\turl = c\n[branch \"main\"]\n\turl = d\n";
        assert_eq!(url(config).as_deref(), Some("b"));
        let config = "[remote \"up\"]\n\tpushurl = x\n\turl=\"a\"\n[remote \"fork\"]\nurl = b\n";
        assert_eq!(url(config).as_deref(), Some("a"));
        for none in [
            "",
            "[remote]\nurl = a",
            "url = a",
            "[branch \"origin\"]\nurl = a",
            "[remote \"origin\"\nurl = a",
        ] {
            assert_eq!(url(none), None, "{none}");
        }
    }
}
