//! The doctor: examines everything that an installation needs, changes nothing, and says how to fix
//! each fault.

mod access;
mod archives;
mod elsewhere;
mod evidence;
mod orphans;
mod registered;
mod shipping;
mod sweepers;
mod transcripts;
mod waiting;

use serde::Serialize;
use serde_json::Value;

use self::evidence::LastEvent;
use super::programs::{self, Defect, InstalledClient};
use super::settings::installs;
use crate::claude::retention::{self, Retention, here};
use crate::claude::versions::{self, Version};
use crate::identity::liveness::Judge;
use crate::model::Timestamp;
use crate::model::duration;
use crate::model::text::escaped;
use crate::store::config::{self, Complaint};
use crate::store::log::{self, Log};
use crate::store::{
    Decompressor, Environment, Host, Places, StateDir, exclusion, file, lease, project, shown,
};

/// The least free space on the state directory's file system that is not reported, in bytes.
const LEAST_SPACE: u64 = 16 << 20;
/// The oldest tested version of Claude Code that skips unknown events in its settings. An older
/// version ignores a whole settings file that names an unknown event.
const TOLERANT: Version = Version(2, 1, 110);
const DAY: u64 = 24 * 60 * 60;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Everything is as it should be.
    Ok,
    /// Nothing is wrong, but the user may want to know it.
    Note,
    /// Something does not work.
    Fault,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// How severe the finding is.
    pub grade: Grade,
    /// What was found, on one line.
    pub found: String,
    /// How to fix what was found, if that is possible.
    pub remedy: Option<String>,
}

impl Finding {
    fn new(
        check: &'static str,
        grade: Grade,
        found: impl Into<String>,
        remedy: Option<&str>,
    ) -> Self {
        Self {
            check,
            grade,
            found: found.into(),
            remedy: remedy.map(str::to_owned),
        }
    }

    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Grade::Ok, found, None)
    }

    fn note(check: &'static str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(check, Grade::Note, found, Some(remedy))
    }

    fn fault(check: &'static str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(check, Grade::Fault, found, Some(remedy))
    }
}

/// Runs every check.
pub fn examine(env: &Environment, places: &Places, now: Timestamp) -> Vec<Finding> {
    let client = programs::client(env);
    let version = client.as_ref().map(|client| client.version);
    let mut findings = vec![program(), client_found(client.as_ref())];
    findings.extend(executables(env));
    // Ignore the error here, because the check of the state directory reports it.
    let (on_record, fault) = match StateDir::open(places, Decompressor::BUILT_IN) {
        Ok(state) => (state, None),
        Err(err) => (None, Some(err)),
    };
    let installs = on_record.as_ref().and_then(|state| installs(state).ok());
    findings.extend(access::examine(env, &installs.unwrap_or_default()));
    findings.extend(registered::examine(env, on_record.as_ref(), version));
    let keeping = Retention::of_all(env, here(env).as_deref(), on_record.as_ref());
    let loaded = retention::settled(config::load(places), &keeping);
    let host = Host {
        env,
        places,
        config: &loaded.config,
        state: on_record.as_ref(),
        state_fault: fault.as_ref(),
        now,
    };
    findings.extend(state(&host, &keeping, version));
    findings.extend(transcripts::past(&host, &keeping));
    findings.push(sweepers::examine(env));
    findings.push(archives::examine(&host, &loaded, &keeping));
    findings.push(pointers(places));
    findings.extend(exclusions(&host));
    if let Some(state) = &on_record {
        findings.extend(shipping::examine(&host, state));
    }
    findings.extend(configuration(loaded.complaints));
    findings
}

fn program() -> Finding {
    let version = env!("CARGO_PKG_VERSION");
    match programs::own() {
        Ok(path) => Finding::ok("program", format!("ccsession {version}, {}", shown(&path))),
        Err(err) => Finding::fault("program", err.to_string(), "run install.sh again"),
    }
}

fn client_found(client: Option<&InstalledClient>) -> Finding {
    let Some(client) = client else {
        return Finding::note(
            "client",
            "no `claude` that prints its version was found; only the events that every version supports are registered",
            "put `claude` on the PATH and run `ccsession install` again",
        );
    };
    let version = client.version;
    if version < versions::OLDEST_TESTED {
        let found = format!(
            "Claude Code {version} is older than {}",
            versions::OLDEST_TESTED
        );
        return Finding::fault("client", found, "update Claude Code");
    }
    match &client.elsewhere {
        None => Finding::ok("client", format!("Claude Code {version}")),
        Some(path) => Finding::ok("client", format!("Claude Code {version}, {}", shown(path))),
    }
}

fn executables(env: &Environment) -> Vec<Finding> {
    let dir = match programs::hooks_dir(env) {
        Ok(dir) => dir,
        Err(err) => {
            return vec![Finding::fault(
                "hooks",
                err.to_string(),
                "run install.sh again",
            )];
        }
    };
    let defects = programs::defects(&dir);
    if defects.is_empty() {
        return vec![Finding::ok(
            "hooks",
            format!("all four executables are in {}", shown(&dir)),
        )];
    }
    let finding = |(path, defect): (std::path::PathBuf, Defect)| {
        let why = match defect {
            Defect::Missing => "is missing",
            Defect::NotExecutable => "cannot be run",
            Defect::OtherVersion => "is of another version",
        };
        Finding::fault(
            "hooks",
            format!("{} {why}", shown(&path)),
            "run install.sh again, or set CCSESSION_LIBEXEC",
        )
    };
    defects.into_iter().map(finding).collect()
}

fn state(host: &Host<'_>, keeping: &Retention, version: Option<Version>) -> Vec<Finding> {
    let (env, places, now) = (host.env, host.places, host.now);
    let (state, judge) = match (host.state.zip(Judge::of(host)), host.state_fault) {
        (Some(usable), _) => usable,
        (None, None) => {
            let none = Finding::note(
                "state",
                "there is no state directory yet: no event was ever recorded",
                "start a session",
            );
            let elsewhere = elsewhere::examine(env, places, None, now);
            return std::iter::once(none).chain(elsewhere).collect();
        }
        (None, Some(err)) => {
            return vec![Finding::fault(
                "state",
                err.to_string(),
                "fix the directory, or set CCSESSION_STATE_DIR",
            )];
        }
    };
    let last = evidence::last(state);
    let last_at = last.as_ref().map(|last| last.at);
    let mut findings = vec![space(state), last_event(last.as_ref(), now)];
    findings.extend(evidence::examine(env, state, last.as_ref(), version));
    findings.extend(elsewhere::examine(env, places, last_at, now));
    findings.extend(evidence::coverage(env, state));
    findings.extend(journals(state));
    let errors = log::read(state, Log::HookErrors);
    let of_today = |line: &&serde_json::Map<String, Value>| {
        let time = line
            .get("ts")
            .and_then(Value::as_str)
            .and_then(|time| Timestamp::parse(time).ok());
        time.is_some_and(|time| time.age(now).as_secs() < DAY)
    };
    let recent: Vec<_> = errors.iter().filter(of_today).collect();
    if let Some(last) = recent.last() {
        let what = last.get("what").and_then(Value::as_str).unwrap_or_default();
        let found = format!(
            "{} in the last 24 hours; the last: {}",
            recent.len(),
            escaped(what)
        );
        findings.push(Finding::fault(
            "hook errors",
            found,
            "fix what the error names; it stays listed for a day",
        ));
    }
    let unattributed = log::read(state, Log::Unattributed).len();
    if unattributed > 0 {
        let found = format!("events without a valid session id: {unattributed}");
        let remedy = format!("see {}", shown(&state.root().join("unattributed.jsonl")));
        findings.push(Finding::note("unattributed", found, &remedy));
    }
    findings.extend(leases(state));
    findings.extend(orphans::examine(&judge, &host.pointers()));
    findings.extend(waiting::examine(&judge, host.config.archive_auto));
    findings.push(transcripts::examine(host, &judge, keeping));
    findings
}

/// Reports the session ids that launchers hold, and how often leases failed. Returns nothing if
/// `ccsession run` was never used.
fn leases(state: &StateDir) -> Vec<Finding> {
    let held = lease::held(state).unwrap_or_default();
    let counts = lease::counts(state);
    let unreadable = held.iter().filter_map(|id| lease::read(state, id).err());
    let mut findings: Vec<Finding> = unreadable
        .map(|err| {
            Finding::fault(
                "leases",
                err.to_string(),
                "remove the file; until then `ccsession run` cannot use the session's id",
            )
        })
        .collect();
    if !held.is_empty() || counts != lease::LeaseFailures::default() {
        let lease::LeaseFailures {
            refused,
            taken_over,
            crashed,
            ..
        } = counts;
        let found = format!(
            "{} held; so far {refused} refused, {crashed} left behind by a holder that was killed, {taken_over} of these taken over",
            held.len()
        );
        findings.push(Finding::ok("leases", found));
    }
    findings
}

fn space(state: &StateDir) -> Finding {
    let root = shown(state.root());
    match file::free_space(state.root()) {
        Ok(free) if free < LEAST_SPACE => Finding::fault(
            "state",
            format!("only {} KiB are free for {root}", free / 1024),
            "free some space",
        ),
        Ok(_) => Finding::ok("state", format!("{root} is yours alone")),
        Err(err) => Finding::fault(
            "state",
            err.to_string(),
            "fix the directory, or set CCSESSION_STATE_DIR",
        ),
    }
}

fn last_event(last: Option<&LastEvent>, now: Timestamp) -> Finding {
    match last {
        Some(LastEvent { at, id }) => {
            let ago = duration::brief(at.age(now));
            Finding::ok("last event", format!("{ago} ago, in session {id}"))
        }
        None => Finding::note(
            "last event",
            "none was ever recorded",
            "start a session, in a folder that Claude Code trusts",
        ),
    }
}

/// Reports compressed parts of journals that are damaged.
fn journals(state: &StateDir) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Another check reports a directory that cannot be listed.
    for id in state.session_ids().into_iter().flatten() {
        let unreadable = state
            .session(&id)
            .journal()
            .unreadable()
            .unwrap_or_default();
        let remedy = format!(
            "put it back from a backup; `ccsession archive show {id} --journal` has what was archived of it"
        );
        let faults = unreadable.into_iter();
        findings.extend(faults.map(|err| Finding::fault("journals", err.to_string(), &remedy)));
    }
    findings
}

fn pointers(places: &Places) -> Finding {
    match file::check_shared_dir(&places.pointers) {
        Ok(()) => Finding::ok(
            "pointers",
            format!("{} is safe to share", shown(&places.pointers)),
        ),
        Err(err) => Finding::fault(
            "pointers",
            err.to_string(),
            "ask the machine's administrator to fix it",
        ),
    }
}

/// Reports whether sessions of this project are recorded. Returns nothing if the user excludes
/// nothing.
fn exclusions(host: &Host<'_>) -> Option<Finding> {
    let exclude = &host.config.exclude;
    let here = project::current_dir().ok();
    let why = here
        .as_deref()
        .and_then(|here| exclusion::of(host.env, exclude, Some(here), &project::discover(here)));
    if let Some(why) = why {
        return Some(Finding::note(
            "exclude",
            format!("this project is not recorded: {why}"),
            "nothing, if that is what you want",
        ));
    }
    let patterns: Vec<String> = exclude
        .patterns()
        .iter()
        .map(|pattern| format!("`{}`", escaped(pattern.text())))
        .collect();
    let found = || {
        format!(
            "this project is recorded; not recorded: {}",
            patterns.join(", ")
        )
    };
    (!patterns.is_empty()).then(|| Finding::ok("exclude", found()))
}

fn configuration(complaints: Vec<Complaint>) -> Vec<Finding> {
    let finding = |complaint: Complaint| {
        let remedy = if complaint.is_about_capture() {
            "correct it; until then hooks record as under `capture = \"metadata\"`"
        } else {
            "correct it; `ccsession config --example` shows every key"
        };
        Finding::fault("configuration", complaint.to_string(), remedy)
    };
    complaints.into_iter().map(finding).collect()
}
