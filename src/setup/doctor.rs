//! The doctor: looks at everything an installation needs, changes nothing, and says how to mend what is wrong.

mod elsewhere;
mod orphans;
mod sweepers;
mod transcripts;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::client::{Version, events_for};
use super::programs::{self, Defect};
use super::retention::{self, Keeping, USUAL_DAYS};
use super::settings::{self, Scope, Settings};
use super::{client, edit};
use crate::identity::ladder::project_here;
use crate::identity::liveness::Judge;
use crate::lifecycle::transcript;
use crate::model::config::Key;
use crate::model::text::escaped;
use crate::model::{Config, Project, SessionId, Timestamp};
use crate::store::config::{self, Complaint, Loaded};
use crate::store::log::{self, Log};
use crate::store::pointer::Pointers;
use crate::store::{Environment, Places, State, file, lease, shown};

/// The least free space that a state directory should have, in bytes.
const LEAST_SPACE: u64 = 16 << 20;
/// The oldest tested client that skips an event it does not know, instead of ignoring the whole settings file.
const TOLERANT: Version = Version(2, 1, 110);
const DAY: u64 = 24 * 60 * 60;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something does not work.
    Fault,
}

/// What was found by one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub grade: Grade,
    /// What was found, on one line.
    pub found: String,
    /// What helps, where something does.
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

/// Makes every check.
pub fn examine(env: &Environment, places: &Places, now: Timestamp) -> Vec<Finding> {
    let version = programs::client_version();
    let mut findings = vec![program(), client_found(version)];
    findings.extend(executables(env));
    let mut keeping = None;
    findings.extend(registrations(env, version, &mut keeping));
    let keeping = keeping.unwrap_or_else(|| Keeping::of_client(env));
    let loaded = retention::settled(config::load(places), &keeping);
    findings.extend(state(env, places, &loaded.config, &keeping, now));
    findings.push(sweepers::examine(env));
    findings.push(archiving(&loaded, &keeping, places));
    findings.push(pointers(places));
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

fn client_found(version: Option<Version>) -> Finding {
    match version {
        Some(version) if version < client::OLDEST_TESTED => {
            let found = format!(
                "Claude Code {version} is older than {}",
                client::OLDEST_TESTED
            );
            Finding::fault("client", found, "update Claude Code")
        }
        Some(version) => Finding::ok("client", format!("Claude Code {version}")),
        None => Finding::note(
            "client",
            "no `claude` on the PATH says its version; only events that every client knows are registered",
            "put `claude` on the PATH and run `ccsession install` again",
        ),
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

/// Who records events, as the settings files say.
#[derive(Default)]
struct Recorders {
    /// The settings files that register the executables, and for how many events.
    registered: Vec<(Scope, usize)>,
    /// The commands that they have at each event.
    commands: BTreeMap<String, BTreeSet<String>>,
    /// Others that do the same, each with how to be rid of it.
    others: Vec<(String, &'static str)>,
}

/// Who registers the hooks. What the user's settings say of transcripts is known then, too, if they can be read.
fn registrations(
    env: &Environment,
    version: Option<Version>,
    keeping: &mut Option<Keeping>,
) -> Vec<Finding> {
    let (Some(claude_dir), Ok(hooks_dir)) = (transcript::claude_dir(env), programs::hooks_dir(env))
    else {
        return vec![Finding::fault(
            "settings",
            "Claude Code's directory is not known",
            "set HOME or CLAUDE_CONFIG_DIR",
        )];
    };
    let project = project_here(env, None).unwrap_or_else(|_| Project::at("/".into()));
    let mut findings = Vec::new();
    let mut recorders = Recorders::default();
    let mut seen = Vec::new();
    for scope in Scope::ALL {
        let settings = Settings {
            path: scope.path(&claude_dir, &project),
            scope,
            hooks_dir: &hooks_dir,
        };
        // In the home directory the user's settings are the project's, too.
        let file = settings::resolved(&settings.path);
        if seen.contains(&file) {
            continue;
        }
        seen.push(file);
        match settings::read(&settings.path) {
            Ok(None) => {}
            Ok(Some(text)) => {
                if scope == Scope::User {
                    *keeping = Some(Keeping::in_text(&settings.path, &text));
                }
                let examined =
                    in_settings(&settings, &text, version, &mut recorders, &mut findings);
                if let Err(why) = examined {
                    let found = format!("{}: {why}", shown(&settings.path));
                    findings.push(Finding::fault("settings", found, why.remedy()));
                }
            }
            Err(err) => findings.push(Finding::fault(
                "settings",
                err.to_string(),
                "mend the file by hand",
            )),
        }
    }
    findings.push(armed(&recorders));
    findings.extend(twice(&recorders));
    findings
}

/// Examines one settings file.
fn in_settings(
    settings: &Settings<'_>,
    text: &str,
    version: Option<Version>,
    recorders: &mut Recorders,
    findings: &mut Vec<Finding>,
) -> Result<(), edit::Refusal> {
    let path = shown(&settings.path);
    if edit::setting(text, "disableAllHooks")? == Some(Value::Bool(true)) {
        let found = format!("disableAllHooks is true in {path}: Claude Code runs no hook");
        findings.push(Finding::fault(
            "armed",
            found,
            "take disableAllHooks out of that file",
        ));
    }
    if let Some(days) = edit::setting(text, "cleanupPeriodDays")?
        .as_ref()
        .and_then(Value::as_u64)
        && days < u64::from(USUAL_DAYS)
    {
        let found = format!(
            "cleanupPeriodDays is {days} in {path}: Claude Code deletes transcripts after {days} days"
        );
        findings.push(Finding::note(
            "retention",
            found,
            "raise cleanupPeriodDays if you want to keep transcripts longer",
        ));
    }
    if let Some(plugins) = edit::setting(text, "enabledPlugins")?
        .as_ref()
        .and_then(Value::as_object)
    {
        let ours = plugins
            .iter()
            .find(|(name, on)| name.starts_with("ccsession@") && **on == Value::Bool(true));
        if let Some((name, _)) = ours {
            let what = format!("the plugin {}, enabled in {path}", escaped(name));
            recorders
                .others
                .push((what, "uninstall the plugin, or run `ccsession uninstall`"));
        }
    }
    if let Some((event, command)) = edit::all_commands(text)?
        .into_iter()
        .find(|(_, command)| command.contains("ccsession hook"))
    {
        let what = format!("`{}` at {}, in {path}", escaped(&command), escaped(&event));
        recorders
            .others
            .push((what, "remove that handler, or run `ccsession uninstall`"));
    }
    let ours = edit::registered(text, |command| settings.is_ours(command))?;
    if ours.is_empty() {
        return Ok(());
    }
    recorders.registered.push((settings.scope, ours.len()));
    for handler in &ours {
        let commands = recorders.commands.entry(handler.event.clone());
        commands.or_default().insert(handler.command.clone());
    }
    findings.extend(elsewhere(settings, &ours));
    findings.extend(not_as_wanted(settings, &ours, version));
    Ok(())
}

/// A registered executable that is not of this installation.
fn elsewhere(settings: &Settings<'_>, ours: &[edit::Registered]) -> Option<Finding> {
    let found = ours.iter().find_map(|handler| {
        let executable = client::executable_of(&handler.command).unwrap_or_default();
        let is_here = Path::new(&executable).parent() == Some(settings.hooks_dir);
        (!is_here).then(|| {
            format!(
                "{} runs {} at {}, which is not this installation",
                shown(&settings.path),
                escaped(&executable),
                escaped(&handler.event)
            )
        })
    });
    found.map(|found| Finding::fault("settings", found, &install_again(settings.scope)))
}

/// How the hooks are registered anew in the file of this scope.
fn install_again(scope: Scope) -> String {
    match scope {
        Scope::User => "run `ccsession install` again".to_owned(),
        Scope::Project | Scope::Local => {
            format!("run `ccsession install --scope {}` again", scope.name())
        }
    }
}

/// Events that this client knows and the file does not register, and the other way round.
fn not_as_wanted(
    settings: &Settings<'_>,
    ours: &[edit::Registered],
    version: Option<Version>,
) -> Vec<Finding> {
    let path = shown(&settings.path);
    let remedy = install_again(settings.scope);
    let wanted: Vec<&str> = events_for(version).iter().map(|one| one.event).collect();
    let registered: Vec<&str> = ours.iter().map(|handler| handler.event.as_str()).collect();
    let without = |these: &[&str], those: &[&str]| {
        let rest = these.iter().filter(|event| !those.contains(event));
        rest.map(|event| escaped(event)).collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    let missing = without(&wanted, &registered);
    if !missing.is_empty() {
        let found = format!(
            "{path} registers {} of {} events; missing: {}",
            wanted.len() - missing.len(),
            wanted.len(),
            missing.join(", ")
        );
        findings.push(Finding::note("settings", found, &remedy));
    }
    let unknown = without(&registered, &wanted);
    if let (Some(version), false) = (version, unknown.is_empty()) {
        let found = format!(
            "{path} registers events that Claude Code {version} may not know: {}",
            unknown.join(", ")
        );
        findings.push(if version < TOLERANT {
            let found = format!("{found}; for one unknown name it ignores the whole file");
            Finding::fault("settings", found, &remedy)
        } else {
            Finding::note("settings", found, &remedy)
        });
    }
    findings
}

fn armed(recorders: &Recorders) -> Finding {
    let parts: Vec<String> = recorders
        .registered
        .iter()
        .map(|(scope, events)| format!("{events} events in the {} settings", scope.name()))
        .collect();
    match (parts.as_slice(), recorders.others.as_slice()) {
        ([], []) => Finding::fault(
            "installed",
            "no settings file registers the hooks",
            "run `ccsession install`",
        ),
        ([], [(other, _), ..]) => Finding::note(
            "installed",
            format!("no settings file registers the hooks; events are recorded by {other}"),
            "leave it so, or run `ccsession install` instead",
        ),
        _ => Finding::ok("installed", parts.join(", ")),
    }
}

fn twice(recorders: &Recorders) -> Vec<Finding> {
    let mut findings = Vec::new();
    let scopes: Vec<&str> = recorders
        .registered
        .iter()
        .map(|(scope, _)| scope.name())
        .collect();
    if recorders
        .commands
        .values()
        .any(|commands| commands.len() > 1)
    {
        let found = format!(
            "events are recorded twice: the hooks are registered under several paths, in the {} settings",
            scopes.join(", ")
        );
        let remedy = "keep one: `ccsession uninstall --scope …`";
        findings.push(Finding::note("twice", found, remedy));
    } else if scopes.len() > 1 {
        let found = format!(
            "the hooks are registered in several settings, by the same paths: {}",
            scopes.join(", ")
        );
        let remedy = "Claude Code runs identical handlers once; keep one all the same: `ccsession uninstall --scope …`";
        findings.push(Finding::note("twice", found, remedy));
    }
    if !scopes.is_empty() {
        let also = recorders.others.iter().map(|(other, remedy)| {
            let found = format!("events are recorded twice: also by {other}");
            Finding::note("twice", found, remedy)
        });
        findings.extend(also);
    }
    findings
}

fn state(
    env: &Environment,
    places: &Places,
    config: &Config,
    keeping: &Keeping,
    now: Timestamp,
) -> Vec<Finding> {
    let state = match State::open(places) {
        Ok(Some(state)) => state,
        Ok(None) => {
            let none = Finding::note(
                "state",
                "there is no state directory yet: no event was ever recorded",
                "start a session",
            );
            let elsewhere = elsewhere::examine(env, places, None, now);
            return std::iter::once(none).chain(elsewhere).collect();
        }
        Err(err) => {
            return vec![Finding::fault(
                "state",
                err.to_string(),
                "mend the directory, or set CCSESSION_STATE_DIR",
            )];
        }
    };
    let last = last_recorded(&state);
    let last_at = last.as_ref().map(|(at, _)| *at);
    let mut findings = vec![space(&state), last_event(last, now)];
    findings.extend(elsewhere::examine(env, places, last_at, now));
    findings.extend(journals(&state));
    let errors = log::read(&state, Log::HookErrors);
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
        let found = format!("{} within a day, the last: {}", recent.len(), escaped(what));
        findings.push(Finding::fault(
            "hook errors",
            found,
            "mend what the error names; it stays listed for a day",
        ));
    }
    let unattributed = log::read(&state, Log::Unattributed).len();
    if unattributed > 0 {
        let found = format!("events without a valid session id: {unattributed}");
        let remedy = format!("see {}", shown(&state.root().join("unattributed.jsonl")));
        findings.push(Finding::note("unattributed", found, &remedy));
    }
    findings.extend(leases(&state));
    let pointers = Pointers {
        dir: &places.pointers,
        state: Some(&state),
        ttl: config.ttl,
        now,
    };
    let judge = Judge::new(&state, config, now);
    findings.extend(orphans::examine(&judge, &pointers));
    findings.extend(waiting::examine(&judge, config.archive_auto));
    findings.push(transcripts::examine(env, &judge, config, keeping));
    findings
}

/// Ids that launchers hold, and how often that went wrong; nothing where `ccsession run` was never used.
fn leases(state: &State) -> Vec<Finding> {
    let held = lease::held(state).unwrap_or_default();
    let counts = lease::counts(state);
    let unreadable = held.iter().filter_map(|id| lease::read(state, id).err());
    let mut findings: Vec<Finding> = unreadable
        .map(|err| {
            Finding::fault(
                "leases",
                err.to_string(),
                "remove the file; until then its id cannot be run",
            )
        })
        .collect();
    if !held.is_empty() || counts != lease::Counts::default() {
        let lease::Counts {
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

fn space(state: &State) -> Finding {
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
            "mend the directory, or set CCSESSION_STATE_DIR",
        ),
    }
}

/// The last event that is on record, and its session.
fn last_recorded(state: &State) -> Option<(Timestamp, SessionId)> {
    let ids = state.session_ids().ok()?;
    let events = ids.filter_map(|id| Some((state.session(&id).last_activity()?, id)));
    events.max()
}

fn last_event(last: Option<(Timestamp, SessionId)>, now: Timestamp) -> Finding {
    match last {
        Some((at, id)) => {
            let ago =
                humantime::format_duration(std::time::Duration::from_secs(at.age(now).as_secs()));
            Finding::ok("last event", format!("{ago} ago, in session {id}"))
        }
        None => Finding::note(
            "last event",
            "none was ever recorded",
            "start a session, in a folder that Claude Code trusts",
        ),
    }
}

/// The compressed parts of journals that are damaged.
fn journals(state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What cannot be listed is said by whoever checks that place.
    for id in state.session_ids().into_iter().flatten() {
        let unreadable = state.session(&id).unreadable().unwrap_or_default();
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
            "ask the owner of the machine to mend it",
        ),
    }
}

/// Whether sessions that have ended are archived by themselves.
fn archiving(loaded: &Loaded, keeping: &Keeping, places: &Places) -> Finding {
    if let Some((found, remedy)) = retention::objection(loaded, keeping, places) {
        return Finding::note("archive", found, &remedy);
    }
    let found = match loaded.config.archive_auto {
        true => "sessions that have ended are archived by themselves".to_owned(),
        false => format!(
            "nothing is archived by itself: archive.auto is false, from {}",
            loaded.source(Key::ArchiveAuto)
        ),
    };
    Finding::ok("archive", found)
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
