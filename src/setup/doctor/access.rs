//! Checks who else could change what Claude Code runs at each event. That includes the hooks, the
//! program that they start, the settings that name them, and every folder above these files. Any
//! user who can write to one of these can run code as this user.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::claude::dirs::claude_dir;
use crate::claude::versions;
use crate::setup::programs;
use crate::setup::settings::Install;
use crate::store::file::{self, Inspection};
use crate::store::{Environment, shown};

/// How many paths a message names at most.
const MAX_NAMED: usize = 5;

/// Checks the hooks that are registered and those that an install would register. Returns nothing
/// if nobody else can change them.
pub(super) fn examine(env: &Environment, installs: &[Install]) -> Vec<Finding> {
    let hooks = programs::hooks_dir(env).into_iter();
    let hooks = hooks.chain(installs.iter().map(|install| install.hooks_dir.clone()));
    let hooks = hooks.flat_map(|dir| {
        let mut programs: Vec<PathBuf> = versions::EXECUTABLES.map(|name| dir.join(name)).into();
        programs.push(started_from(&dir));
        programs
    });
    let settings = claude_dir(env).map(|dir| dir.join("settings.json"));
    let settings = settings.into_iter();
    let settings = settings.chain(installs.iter().map(|install| install.settings.clone()));
    let found = hooks.chain(settings);
    let places: BTreeSet<PathBuf> = found.flat_map(|path| on_the_way(&path)).collect();
    let trusted = trusted();
    let findings = places.iter().filter_map(|place| {
        let found = file::look(place).ok()??;
        objection(place, &found, &trusted)
    });
    findings.take(MAX_NAMED).collect()
}

/// Returns the program that the hooks in this folder start.
fn started_from(dir: &Path) -> PathBuf {
    match dir.parent().and_then(Path::parent) {
        Some(prefix) if dir.ends_with("libexec/ccsession") => prefix.join("bin/ccsession"),
        _ => dir.join("ccsession"),
    }
}

/// Returns the users who may own what Claude Code runs: root, this user, and the owner of ccsession
/// itself, which runs already.
fn trusted() -> Vec<u32> {
    let own = programs::own().ok();
    let own = own.and_then(|own| file::look(&own).ok()?);
    [0, file::me()]
        .into_iter()
        .chain(own.map(|own| own.owner))
        .collect()
}

/// Returns `path` and all folders above it, both as written and with links resolved.
fn on_the_way(path: &Path) -> Vec<PathBuf> {
    let real = file::canonical(path).ok();
    let ways = std::iter::once(path.to_owned()).chain(real);
    ways.flat_map(|way| {
        way.ancestors()
            .map(Path::to_owned)
            .collect::<Vec<PathBuf>>()
    })
    .collect()
}

fn objection(place: &Path, found: &Inspection, trusted: &[u32]) -> Option<Finding> {
    const STICKY: u32 = 0o1000;
    let name = shown(place);
    // In a container, the owner of the root directory may be unknown.
    let is_foreign = place.parent().is_some() && !trusted.contains(&found.owner);
    if is_foreign {
        let owner = found.owner;
        let found = format!(
            "{name} belongs to another user (uid {owner}), who can make Claude Code run anything as you"
        );
        let remedy =
            "run install.sh with a --prefix that is yours, or make yourself its owner (`chown`)";
        return Some(Finding::fault("access", found, remedy));
    }
    // A link's own mode means nothing, and in a sticky folder nobody can replace another user's
    // file.
    if found.is_link() || found.is_dir() && found.mode & STICKY != 0 {
        return None;
    }
    let mode = found.mode;
    let is_others_group = found.group != 0 && found.group != file::my_group();
    if mode & 0o002 != 0 {
        let found = format!(
            "everybody may write to {name} (mode {mode:04o}), and so make Claude Code run anything as you"
        );
        let remedy = format!("run `chmod go-w` on {name}, then run install.sh again");
        Some(Finding::fault("access", found, &remedy))
    } else if mode & 0o020 != 0 && is_others_group {
        let found = format!(
            "the group {} may write to {name} (mode {mode:04o}), and so make Claude Code run anything as you",
            found.group
        );
        let remedy = format!("run `chmod g-w` on {name} unless you trust all in that group");
        Some(Finding::note("access", found, &remedy))
    } else {
        None
    }
}
