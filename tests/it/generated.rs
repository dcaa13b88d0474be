//! Completions and manual pages: those in `contrib/` agree with the command line. `install.sh` installs those files, so that
//! neither the user's build nor the CLI generates them. `just generate` rewrites them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ccsession::cli::{Shell, completion_script};

/// The files below `contrib/`, as the command line has them.
fn generated() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (shell, name) in [
        (Shell::Bash, "ccsession.bash"),
        (Shell::Zsh, "_ccsession"),
        (Shell::Fish, "ccsession.fish"),
    ] {
        let script = completion_script(shell).into_bytes();
        files.insert(Path::new("completions").join(name), script);
    }
    let pages = tempfile::tempdir().unwrap();
    clap_mangen::generate_to(ccsession::cli::command(), pages.path()).unwrap();
    for entry in fs::read_dir(pages.path()).unwrap() {
        let entry = entry.unwrap();
        let page = fs::read(entry.path()).unwrap();
        files.insert(Path::new("man").join(entry.file_name()), page);
    }
    files
}

/// The files that are there.
fn committed(contrib: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["completions", "man"] {
        let Ok(entries) = fs::read_dir(contrib.join(folder)) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let name = Path::new(folder).join(entry.file_name());
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn completions_and_manual_pages_are_those_of_this_command_line() {
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib");
    let (expected, found) = (generated(), committed(&contrib));
    if std::env::var_os("CCSESSION_GENERATE").is_some() {
        for name in found.keys().filter(|name| !expected.contains_key(*name)) {
            fs::remove_file(contrib.join(name)).unwrap();
        }
        for (name, content) in &expected {
            let path = contrib.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        return;
    }
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "run `just generate`");
    for (name, content) in expected {
        let is_same = found.get(&name) == Some(&content);
        assert!(is_same, "{} is stale; run `just generate`", name.display());
    }
}
