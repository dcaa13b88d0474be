//! Finds state directories that hooks use although this shell uses another one. Claude Code may
//! have another environment than this shell if a launcher or an editor started it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Finding, evidence};
use crate::model::{Timestamp, duration};
use crate::store::{Decompressor, Environment, Places, StateDir, shown};

/// Reports other state directories in which hooks recorded events after `last`, the time of the
/// last event in the state directory of this shell.
pub(super) fn examine(
    env: &Environment,
    places: &Places,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Finding> {
    let own = places.state.as_deref();
    let others = others(env)
        .into_iter()
        .filter(|it| Some(it.as_path()) != own);
    others
        .filter_map(|other| found_in(&other, own, last, now))
        .collect()
}

/// Returns the state directories that hooks use if their environment lacks this shell's variables.
fn others(env: &Environment) -> BTreeSet<PathBuf> {
    let without_ours = Environment {
        state_dir: None,
        ..env.clone()
    };
    let without_any = Environment {
        xdg_state_home: None,
        ..without_ours.clone()
    };
    let places = [without_ours, without_any].map(|env| Places::new(&env).state);
    places.into_iter().flatten().collect()
}

fn found_in(
    other: &Path,
    own: Option<&Path>,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Option<Finding> {
    let places = Places {
        state: Some(other.to_owned()),
        pointers: PathBuf::new(),
        config: None,
    };
    let state = StateDir::open(&places, Decompressor::BUILT_IN).ok()??;
    let evidence::LastEvent { at, id } = evidence::last(&state).filter(|it| Some(it.at) > last)?;
    let ago = duration::brief(at.age(now));
    let here = own.map_or_else(
        || "nowhere".to_owned(),
        |own| format!("in `{}`", shown(own)),
    );
    let found = format!(
        "hooks recorded in `{}`, last {ago} ago in session {id}; this shell looks {here}",
        shown(other)
    );
    let remedy = "set XDG_STATE_HOME and CCSESSION_STATE_DIR to the same values here and where Claude Code starts";
    Some(Finding::fault("state elsewhere", found, remedy))
}
