//! Checks whether the settings make Claude Code run ccsession's hooks: which files register them,
//! which files Claude Code ignores, which policy forbids hooks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Finding, TOLERANT};
use crate::claude::dirs::claude_dir;
use crate::claude::retention::{self, USUAL_DAYS, here};
use crate::claude::settings::{
    Document, HooksOff, IgnoreReason, LoadedSettings, SettingsFile, SettingsSource,
};
use crate::claude::versions::{Version, events_for};
use crate::identity::ladder::project_here;
use crate::model::Project;
use crate::model::text::escaped;
use crate::setup::ours::{HookProgram, OurPrograms};
use crate::setup::settings::{self, Install, SettingsScope};
use crate::setup::{edit, programs};
use crate::store::{Environment, StateDir, file, shown};

/// What records events, according to the settings files.
#[derive(Default)]
struct Recorders {
    /// The settings files that register the executables, and for how many events.
    registered: Vec<(SettingsSource, usize)>,
    /// The commands registered at each event.
    commands: BTreeMap<String, BTreeSet<String>>,
    /// Everything else that records events, and how to remove each.
    others: Vec<(String, &'static str)>,
    /// How many settings files register the executables in vain, because Claude Code ignores or
    /// never reads the file.
    unheeded: usize,
}

/// A hook of ccsession in a settings file.
struct Handler {
    event: String,
    executable: PathBuf,
}

/// What the checks of one file need.
struct ExaminedFile<'a> {
    ours: &'a OurPrograms,
    hooks_dir: &'a Path,
    version: Option<Version>,
}

/// Reports which files register the hooks, and what keeps the hooks from running.
pub(super) fn examine(
    env: &Environment,
    state: Option<&StateDir>,
    version: Option<Version>,
) -> Vec<Finding> {
    let (Some(claude_dir), Ok(hooks_dir), Some(start)) =
        (claude_dir(env), programs::hooks_dir(env), here(env))
    else {
        return vec![Finding::fault(
            "settings",
            "Claude Code's directory is not known",
            "set HOME or CLAUDE_CONFIG_DIR",
        )];
    };
    let installs = state.and_then(|state| settings::installs(state).ok());
    let installs = installs.unwrap_or_default();
    let earlier = installs.iter().map(|install| install.hooks_dir.clone());
    let ours = OurPrograms::new(env, &hooks_dir, earlier.collect());
    let examined = ExaminedFile {
        ours: &ours,
        hooks_dir: &hooks_dir,
        version,
    };
    let reading = LoadedSettings::of(env, &start, version);
    let mut recorders = Recorders::default();
    let mut findings = Vec::new();
    for read in &reading.files {
        match &read.content {
            Ok(document) => examined.file(read, document, &mut recorders, &mut findings),
            Err(why) => findings.push(examined.ignored(read, why, &mut recorders)),
        }
    }
    let project = project_here(env, None).unwrap_or_else(|_| Project::at("/".into()));
    findings.extend(examined.not_read(&claude_dir, &project, &start, &reading, &mut recorders));
    findings.extend(reading.disarmed(SettingsSource::User).map(disarmed));
    findings.push(armed(&recorders));
    findings.extend(twice(&recorders));
    findings.extend(examined.elsewhere_on_record(&installs, &reading));
    findings
}

fn disarmed(why: HooksOff) -> Finding {
    let remedy = match why {
        HooksOff::Disabled(_) => "take disableAllHooks out of that file",
        HooksOff::ManagedOnly(..) => {
            "ask the machine's administrator: hooks in managed settings run"
        }
        HooksOff::NoStart(_) => "ask the machine's administrator to correct that file",
    };
    Finding::fault("armed", why.to_string(), remedy)
}

impl ExaminedFile<'_> {
    /// Examines one settings file that Claude Code uses.
    fn file(
        &self,
        read: &SettingsFile,
        document: &Document,
        recorders: &mut Recorders,
        findings: &mut Vec<Finding>,
    ) {
        let path = shown(&read.path);
        if let Some(days) = retention::said(&read.path).filter(|days| *days < USUAL_DAYS.into()) {
            let found = format!(
                "cleanupPeriodDays is {days} in {path}: Claude Code deletes transcripts after {days} days"
            );
            findings.push(Finding::note(
                "retention",
                found,
                "raise cleanupPeriodDays if you want to keep transcripts longer",
            ));
        }
        if let Some(name) = document
            .plugins()
            .find(|name| name.starts_with("ccsession@"))
        {
            let what = format!("the plugin {}, enabled in {path}", escaped(name));
            recorders
                .others
                .push((what, "uninstall the plugin, or run `ccsession uninstall`"));
        }
        let ours = self.ours_in(
            &read.path,
            document.commands().iter().map(|it| (&*it.event, &*it.text)),
        );
        let mut handlers = Vec::new();
        let mut other = None;
        for command in document.commands() {
            match (ours.only(&command.text), ours.any(&command.text)) {
                (Some(HookProgram::Executable(executable)), _) if command.for_all => {
                    handlers.push(Handler {
                        event: command.event.clone(),
                        executable,
                    });
                    let commands = recorders.commands.entry(command.event.clone());
                    commands.or_default().insert(command.text.clone());
                }
                (_, Some(_)) => other = other.or(Some(command)),
                _ => {}
            }
        }
        if let Some(command) = other {
            let (text, event) = (escaped(&command.text), escaped(&command.event));
            let what = format!("`{text}` at {event}, in {path}");
            recorders
                .others
                .push((what, "remove that handler, or run `ccsession uninstall`"));
        }
        if handlers.is_empty() {
            return;
        }
        recorders.registered.push((read.source, handlers.len()));
        findings.extend(self.elsewhere(read, &handlers));
        findings.extend(self.not_as_wanted(read, &handlers));
        findings.extend(self.not_editable(read));
    }

    fn ours_in<'c>(
        &self,
        path: &Path,
        commands: impl Iterator<Item = (&'c str, &'c str)>,
    ) -> OurPrograms {
        self.ours.in_file(path).with_gone(commands)
    }

    /// Reports a settings file that Claude Code ignores completely.
    fn ignored(
        &self,
        read: &SettingsFile,
        why: &IgnoreReason,
        recorders: &mut Recorders,
    ) -> Finding {
        let path = shown(&read.path);
        recorders.unheeded += usize::from(self.registers(&read.path));
        // The refusal of the editor says where in the file the error is.
        let refusal = || {
            let text = settings::read(&read.path).ok()??;
            edit::all_commands(&text).err()
        };
        match why {
            IgnoreReason::NotJson | IgnoreReason::NotAnObject => match refusal() {
                Some(refusal) => {
                    Finding::fault("settings", format!("{path}: {refusal}"), refusal.remedy())
                }
                None => Finding::fault(
                    "settings",
                    format!("Claude Code ignores {path}: {why}"),
                    "correct the file",
                ),
            },
            IgnoreReason::Unreadable(why) => {
                Finding::fault("settings", why.as_str(), "fix the file by hand")
            }
            IgnoreReason::Value { .. } | IgnoreReason::TooLarge => Finding::fault(
                "settings",
                format!("Claude Code ignores {path}: {why}"),
                "correct it; until then Claude Code ignores the whole file, hooks included",
            ),
        }
    }

    /// Returns whether a settings file registers ccsession's hooks, even if Claude Code ignores the
    /// file.
    fn registers(&self, path: &Path) -> bool {
        let text = settings::read(path).ok().flatten();
        let commands = text.and_then(|text| edit::all_commands(&text).ok());
        let commands = commands.unwrap_or_default();
        let ours = self.ours_in(
            path,
            commands.iter().map(|(event, text)| (&**event, &**text)),
        );
        commands.iter().any(|(_, text)| ours.only(text).is_some())
    }

    /// Reports settings at the project's root. A Claude Code started in a subdirectory does not
    /// read them.
    fn not_read(
        &self,
        claude_dir: &Path,
        project: &Project,
        start: &Path,
        reading: &LoadedSettings,
        recorders: &mut Recorders,
    ) -> Option<Finding> {
        let path = SettingsScope::Project.path(claude_dir, project);
        let is_read = reading.files.iter().any(|read| same(&read.path, &path));
        if is_read || !self.registers(&path) {
            return None;
        }
        recorders.unheeded += 1;
        let found = format!(
            "{} registers the hooks, but a Claude Code started in {} does not read it",
            shown(&path),
            shown(start)
        );
        let remedy = format!(
            "start Claude Code in {}, or run `ccsession install` for every project",
            shown(project.root())
        );
        Some(Finding::note("settings", found, &remedy))
    }

    /// Reports a registered executable that is not part of this installation, or whose path may
    /// vanish with an update.
    fn elsewhere(&self, read: &SettingsFile, handlers: &[Handler]) -> Option<Finding> {
        let dir = |handler: &Handler| handler.executable.parent().map(Path::to_owned);
        let other = handlers
            .iter()
            .find(|handler| dir(handler).as_deref() != Some(self.hooks_dir))?;
        let found = format!(
            "{} runs {} at {}",
            shown(&read.path),
            shown(&other.executable),
            escaped(&other.event)
        );
        let remedy = install_again(read.source);
        let is_same = dir(other).is_some_and(|dir| same(&dir, self.hooks_dir));
        if !is_same {
            let found = format!("{found}, but that executable is not part of this installation");
            return Some(Finding::fault("settings", found, &remedy));
        }
        let is_link = file::canonical(&other.executable).is_ok_and(|it| it != other.executable);
        let found = format!("{found}, but an update may remove that executable's path");
        (!is_link).then(|| Finding::note("settings", found, &remedy))
    }

    /// Reports events that the file should register but does not, and registered events that this
    /// version of Claude Code may not know.
    fn not_as_wanted(&self, read: &SettingsFile, handlers: &[Handler]) -> Vec<Finding> {
        let path = shown(&read.path);
        let remedy = install_again(read.source);
        let wanted: Vec<&str> = events_for(self.version)
            .iter()
            .map(|one| one.event)
            .collect();
        let registered: Vec<&str> = handlers.iter().map(|it| it.event.as_str()).collect();
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
        if let (Some(version), false) = (self.version, unknown.is_empty()) {
            let found = format!(
                "{path} registers events that Claude Code {version} may not know: {}",
                unknown.join(", ")
            );
            findings.push(if version < TOLERANT {
                let found = format!("{found}; one unknown name makes it ignore the whole file");
                Finding::fault("settings", found, &remedy)
            } else {
                Finding::note("settings", found, &remedy)
            });
        }
        findings
    }

    /// Reports a file with ccsession's hooks that cannot be edited. An uninstall would leave the
    /// hooks in it.
    fn not_editable(&self, read: &SettingsFile) -> Option<Finding> {
        let (found, remedy) = match settings::read(&read.path) {
            Err(err) => (err.to_string(), "fix the file by hand"),
            Ok(text) => {
                let why = edit::all_commands(&text?).err()?;
                (format!("{}: {why}", shown(&read.path)), why.remedy())
            }
        };
        Some(Finding::note("settings", found, remedy))
    }

    /// Reports settings files in which hooks were once installed, and that a Claude Code started
    /// here does not read.
    fn elsewhere_on_record(&self, installs: &[Install], reading: &LoadedSettings) -> Vec<Finding> {
        let is_read = |path: &Path| reading.files.iter().any(|read| same(&read.path, path));
        let others = installs
            .iter()
            .filter(|install| !is_read(&install.settings));
        let finding = |install: &Install| {
            let path = shown(&install.settings);
            if !self.registers(&install.settings) {
                return None;
            }
            let broken = programs::defects(&install.hooks_dir);
            Some(match broken.first() {
                Some((program, _)) => Finding::fault(
                    "installed",
                    format!(
                        "{path} registers {}, which is missing or unusable",
                        shown(program)
                    ),
                    "run `ccsession uninstall --all`, or install.sh again",
                ),
                None => Finding::ok("installed", format!("also in {path}")),
            })
        };
        others.filter_map(finding).collect()
    }
}

fn same(one: &Path, other: &Path) -> bool {
    settings::resolved(one) == settings::resolved(other)
}

/// Returns the command that registers the hooks again in the file of this source.
fn install_again(source: SettingsSource) -> String {
    match source {
        SettingsSource::User => "run `ccsession install` again".to_owned(),
        SettingsSource::Project | SettingsSource::Local => {
            format!("run `ccsession install --scope {}` again", source.name())
        }
        SettingsSource::Managed => {
            "ask the machine's administrator to correct that file".to_owned()
        }
    }
}

fn armed(recorders: &Recorders) -> Finding {
    let parts: Vec<String> = recorders
        .registered
        .iter()
        .map(|(source, events)| format!("{events} events in the {} settings", source.name()))
        .collect();
    match (parts.as_slice(), recorders.others.as_slice()) {
        ([], []) if recorders.unheeded > 0 => Finding::fault(
            "installed",
            "no settings file that Claude Code uses here registers the hooks",
            "fix the settings findings above",
        ),
        ([], []) => Finding::fault(
            "installed",
            "no settings file registers the hooks",
            "run `ccsession install`",
        ),
        ([], [(other, _), ..]) => Finding::note(
            "installed",
            format!("no settings file registers the hooks; events are recorded by {other}"),
            "leave it as it is, or run `ccsession install` instead",
        ),
        _ => Finding::ok("installed", parts.join(", ")),
    }
}

fn twice(recorders: &Recorders) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sources: Vec<&str> = recorders
        .registered
        .iter()
        .map(|(source, _)| source.name())
        .collect();
    if recorders
        .commands
        .values()
        .any(|commands| commands.len() > 1)
    {
        let found = format!(
            "events are recorded twice: the hooks are registered under several paths, in the {} settings",
            sources.join(", ")
        );
        let remedy = "keep one: `ccsession uninstall --scope …`";
        findings.push(Finding::note("twice", found, remedy));
    } else if sources.len() > 1 {
        let found = format!(
            "the hooks are registered in several settings, by the same paths: {}",
            sources.join(", ")
        );
        let remedy = "Claude Code runs identical handlers once; keep one all the same: `ccsession uninstall --scope …`";
        findings.push(Finding::note("twice", found, remedy));
    }
    if !sources.is_empty() {
        let also = recorders.others.iter().map(|(other, remedy)| {
            let found = format!("events are recorded twice: also by {other}");
            Finding::note("twice", found, remedy)
        });
        findings.extend(also);
    }
    findings
}
