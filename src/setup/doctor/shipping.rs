//! Reports destinations of `ship` to which sessions could not be sent, since when and why.

use std::time::Duration;

use super::Finding;
use crate::model::duration;
use crate::ship::backlog;
use crate::ship::cursor::CursorState;
use crate::ship::destination::Destinations;
use crate::store::{Host, StateDir};

/// How long a session may wait to be sent before it is reported.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// Examines every destination of the settings.
pub(super) fn examine(host: &Host<'_>, state: &StateDir) -> Vec<Finding> {
    // Another check reports what is wrong with the configuration file.
    let Ok(all) = Destinations::read(host.places, host.env) else {
        return Vec::new();
    };
    let wrong = all.wrong.iter().map(|(_, why)| {
        let remedy = "correct it in the configuration file; docs/configuration.md has the keys";
        Finding::fault("ship", why.to_string(), remedy)
    });
    let usable = all
        .usable
        .iter()
        .map(|it| examine_one(host, state, &it.name));
    wrong.chain(usable).collect()
}

fn examine_one(host: &Host<'_>, state: &StateDir, name: &str) -> Finding {
    let cursor = match CursorState::read(state, name) {
        Ok(cursor) => cursor,
        Err(fault) => {
            let remedy = "fix what the error names, then run `ccsession ship`";
            return Finding::fault("ship", format!("{name}: {fault}"), remedy);
        }
    };
    let backlog = match backlog::of(host, state, &cursor) {
        Ok(backlog) => backlog,
        Err(err) => {
            let remedy = "fix what the error names, then run `ccsession ship`";
            return Finding::fault("ship", format!("{name}: {err}"), remedy);
        }
    };
    let sessions = match backlog.sessions {
        1 => "1 session".to_owned(),
        count => format!("{count} sessions"),
    };
    let age = backlog.since.map(|since| since.age(host.now));
    if let Some(trouble) = &cursor.history.trouble {
        let since = duration::brief(trouble.since.age(host.now));
        let found = format!(
            "{name}: {sessions} not sent; failing for {since}: {}",
            trouble.why
        );
        let remedy = "fix what the error names, then run `ccsession ship`";
        return Finding::fault("ship", found, remedy);
    }
    if cursor.began.is_none() {
        let found = format!("{name}: nothing was ever sent to it");
        let remedy = "run `ccsession ship`; contrib/ship.crontab does it every five minutes";
        return Finding::note("ship", found, remedy);
    }
    match age.filter(|age| *age >= LONG && backlog.sessions > 0) {
        Some(age) => {
            let age = duration::brief(age);
            let found = format!("{name}: {sessions} not sent, the oldest for {age}");
            let remedy = "run `ccsession ship`; contrib/ship.crontab does it every five minutes";
            Finding::note("ship", found, remedy)
        }
        None => Finding::ok("ship", format!("{name}: {sessions} not sent yet")),
    }
}
