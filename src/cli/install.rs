//! `ccsession install` and `uninstall`: the hooks in Claude Code's settings, and the cleanup timer.

mod timer;

use std::path::Path;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::amount::plural;
use super::context::Context;
use super::import::{self, ImportArgs};
use super::output;
use super::status::{Status, refusal};
use crate::claude::dirs::claude_dir;
use crate::claude::retention::{self, Retention, here};
use crate::claude::settings::LoadedSettings;
use crate::claude::versions::{OLDEST_TESTED, Version, events_for};
use crate::history::past::UnrecordedPast;
use crate::identity::ladder::project_here;
use crate::model::duration;
use crate::setup::diff::unified;
use crate::setup::programs::{self, Defect, InstalledClient};
use crate::setup::settings::{
    self, Change, ChangeMode, Install, SettingsEditor, SettingsError, SettingsScope, resolved,
};
use crate::store::config::load;
use crate::store::{Decompressor, StateDir, shown};

/// One of Claude Code's settings files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeArg {
    /// `~/.claude/settings.json`: every project of yours
    User,
    /// `.claude/settings.json`: everyone in this project
    Project,
    /// `.claude/settings.local.json`: you in this project
    Local,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession install --dry-run\n  ccsession install --scope project"
)]
pub(super) struct InstallArgs {
    /// Which settings file
    #[arg(long, value_enum, default_value = "user")]
    pub(super) scope: ScopeArg,
    /// Also add a systemd user timer that cleans up every five minutes
    #[arg(long)]
    pub(super) timer: bool,
    /// Print the change as a diff; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession uninstall\n  ccsession uninstall --all --dry-run")]
pub(super) struct UninstallArgs {
    /// Which settings file; `user` also removes the timer
    #[arg(long, value_enum, default_value = "user")]
    pub(super) scope: ScopeArg,
    /// Remove only the timer, not the hooks
    #[arg(long, conflicts_with = "scope")]
    pub(super) timer: bool,
    /// Remove the hooks from every settings file with a recorded install
    #[arg(long, short, conflicts_with_all = ["scope", "timer"])]
    pub(super) all: bool,
    /// Print the change as a diff; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

pub(super) fn install(context: &Context, args: InstallArgs) -> Result<Status> {
    let planned = args.timer.then(|| timer::planned(context)).transpose()?;
    let status = install_hooks(context, &args)?;
    if let Some(planned) = planned {
        planned.install(context, args.dry_run)?;
    }
    Ok(status)
}

pub(super) fn uninstall(context: &Context, args: UninstallArgs) -> Result<Status> {
    let is_users = matches!(args.scope, ScopeArg::User);
    let timer = if is_users {
        timer::uninstall(context, args.dry_run)
    } else {
        Ok(())
    };
    // A failure with the timer must not prevent the removal of the hooks.
    let status = if args.timer {
        Status::Done
    } else {
        uninstall_hooks(context, &args)?
    };
    timer.map(|()| status)
}

fn install_hooks(context: &Context, args: &InstallArgs) -> Result<Status> {
    let hooks_dir = programs::hooks_dir(&context.env)?;
    check_executables(&hooks_dir)?;
    let settings = settings(context, args.scope, &hooks_dir)?;
    let found = programs::client(&context.env);
    let version = found.as_ref().map(|client| client.version);
    let version =
        version.or_else(|| settings.client_at_last_install(context.state().ok()?.as_ref()));
    let events = events_for(version).len();
    if events == 0 {
        let found = version
            .map(|version| version.to_string())
            .unwrap_or_default();
        let text = format!(
            "could not register hooks: Claude Code {found} is older than {OLDEST_TESTED}; update it"
        );
        return Err(refusal(Status::Failed, text));
    }
    let change = run(context, args.dry_run, |run| settings.install(run, version))?;
    if args.dry_run {
        return Ok(show(&change));
    }
    let file = shown(&change.path);
    if change.is_one() {
        output::line(&format!(
            "registered {events} events in {file} ({})",
            known(found.as_ref(), version)
        ));
        if let Some(backup) = &change.backup {
            output::line(&format!("backup: {}", shown(backup)));
        }
    } else {
        output::line(&format!(
            "{events} events are registered in {file} already; nothing was changed"
        ));
    }
    let hindrance = hindrance(context, &settings, &change, version);
    if hindrance.is_none() && change.is_one() {
        output::line(
            "sessions that start from now on are recorded; `ccsession doctor` says when the first event came",
        );
    }
    if let Some(text) = &hindrance {
        output::line(text);
    }
    say_who_shares_it(&settings);
    say_what_is_not_archived(context);
    if hindrance.is_none() && change.is_one() {
        say_what_is_kept(context);
        offer_the_past(context)?;
        output::line(
            "next: start `claude`, then type `ccsession list`, `ccsession timeline` or `ccsession stats`",
        );
    }
    Ok(Status::Done)
}

/// Says that ended sessions are archived, and how to turn that off.
fn say_what_is_kept(context: &Context) {
    let loaded = retention::settled(load(&context.places), &Retention::of_client(&context.env));
    let (true, Some(state)) = (loaded.config.archive_auto, &context.places.state) else {
        return;
    };
    let config = context.places.config.as_deref();
    let config = config.map_or_else(|| "the configuration file".to_owned(), shown);
    let keep = match loaded.config.retention_archive {
        Some(keep) => format!("for {}", duration::text(keep)),
        None => "until you remove it".to_owned(),
    };
    output::line(&format!(
        "after its end, a redacted copy of each conversation is kept in {}, {keep}; to turn that off, set `archive.auto = false` in {config}",
        shown(&state.join("archive"))
    ));
}

/// Says how many sessions `ccsession import` would add. On a terminal, offers to import them.
fn offer_the_past(context: &Context) -> Result<()> {
    let state = context.state()?;
    let exclude = load(&context.places).config.exclude;
    let Some(past) = UnrecordedPast::of(&context.env, state.as_ref(), &exclude) else {
        return Ok(());
    };
    let found = plural(past.sessions, "past session");
    output::line(&format!(
        "{found} found: `ccsession import` puts them on record"
    ));
    if output::ask("Import them now?") {
        import::run(context, ImportArgs::default())?;
    }
    Ok(())
}

/// Returns the reason in Claude Code's settings why it will not run the registered hooks. Returns
/// `None` if there is none.
fn hindrance(
    context: &Context,
    settings: &SettingsEditor,
    change: &Change,
    version: Option<Version>,
) -> Option<String> {
    let start = match settings.scope {
        SettingsScope::User => here(&context.env)?,
        SettingsScope::Project | SettingsScope::Local => {
            settings.path.parent()?.parent()?.to_owned()
        }
    };
    let reading = LoadedSettings::of(&context.env, &start, version);
    let ignored = reading
        .ignored()
        .find(|(read, _)| resolved(&read.path) == change.path);
    let why = match ignored {
        Some((read, why)) => format!("Claude Code ignores {}: {why}", shown(&read.path)),
        None => reading.disarmed(settings.scope.source())?.to_string(),
    };
    Some(format!("nothing is recorded until this is fixed: {why}"))
}

/// Warns that a settings file which a team shares now contains paths of this machine.
fn say_who_shares_it(settings: &SettingsEditor) {
    if settings.scope == SettingsScope::Project {
        output::line(&format!(
            "everybody in this project shares that file, and it names programs of this machine, in {}: do not commit it, or use `--scope local`",
            shown(&settings.hooks_dir)
        ));
    }
}

/// Warns if Claude Code's settings turn off automatic archiving.
fn say_what_is_not_archived(context: &Context) {
    let keeping = Retention::of_client(&context.env);
    let loaded = retention::settled(load(&context.places), &keeping);
    if let Some((found, remedy)) = retention::objection(&loaded, &keeping, &context.places) {
        output::line(&format!(
            "{found}; to have sessions archived all the same, {remedy}"
        ));
    }
}

fn uninstall_hooks(context: &Context, args: &UninstallArgs) -> Result<Status> {
    let hooks_dir = programs::hooks_dir(&context.env)?;
    let here = settings(context, args.scope, &hooks_dir)?;
    let installs = installs(context)?;
    let file = resolved(&here.path);
    let elsewhere = installs
        .iter()
        .filter(|install| resolved(&install.settings) != file);
    if !args.all {
        uninstall_from(context, args.dry_run, &here)?;
        for install in elsewhere {
            output::line(&format!(
                "the hooks stay registered in {}; `ccsession uninstall --all` removes them everywhere",
                shown(&install.settings)
            ));
        }
        return Ok(Status::Done);
    }
    let claude_dir = claude_dir(&context.env);
    let mut all = vec![here];
    all.extend(elsewhere.map(|install| {
        let scope = install.scope(claude_dir.as_deref());
        SettingsEditor::new(
            &context.env,
            install.settings.clone(),
            scope,
            &install.hooks_dir,
        )
        .knowing(&installs)
    }));
    // A failure with one file must not prevent the removal from the others.
    let mut status = Status::Done;
    for settings in &all {
        if let Err(err) = uninstall_from(context, args.dry_run, settings) {
            output::complain(&err.to_string());
            status = Status::Failed;
        }
    }
    Ok(status)
}

fn uninstall_from(context: &Context, dry: bool, settings: &SettingsEditor) -> Result<()> {
    let change = run(context, dry, |run| settings.uninstall(run))?;
    if dry {
        show(&change);
        return Ok(());
    }
    let file = shown(&change.path);
    if change.is_one() {
        output::line(&format!("removed the hooks from {file}"));
        if let Some(backup) = &change.backup {
            output::line(&format!("backup: {}", shown(backup)));
        }
    } else {
        output::line(&format!(
            "no hook of ccsession is in {file}; nothing was changed"
        ));
    }
    Ok(())
}

/// Returns every recorded install; none if there is no state directory.
fn installs(context: &Context) -> Result<Vec<Install>> {
    match context.state()? {
        Some(state) => Ok(settings::installs(&state)?),
        None => Ok(Vec::new()),
    }
}

/// Makes a change or, on a dry run, only computes it. A dry run creates nothing, not even the state
/// directory.
fn run(
    context: &Context,
    dry: bool,
    change: impl FnOnce(ChangeMode<'_>) -> Result<Change, SettingsError>,
) -> Result<Change> {
    let done = if dry {
        change(ChangeMode::Dry(context.state()?.as_ref()))
    } else {
        change(ChangeMode::Real(&StateDir::create(
            &context.places,
            Decompressor::BUILT_IN,
        )?))
    };
    Ok(done?)
}

fn settings(context: &Context, scope: ScopeArg, hooks_dir: &Path) -> Result<SettingsEditor> {
    let scope = match scope {
        ScopeArg::User => SettingsScope::User,
        ScopeArg::Project => SettingsScope::Project,
        ScopeArg::Local => SettingsScope::Local,
    };
    let no_home = || {
        refusal(
            Status::Failed,
            "could not find Claude Code's directory: set HOME or CLAUDE_CONFIG_DIR",
        )
    };
    let claude_dir = claude_dir(&context.env).ok_or_else(no_home)?;
    let (state, _) = context.state_or_fault();
    let path = scope.path(&claude_dir, &project_here(&context.env, state.as_ref())?);
    let settings = SettingsEditor::new(&context.env, path, scope, hooks_dir);
    Ok(settings.knowing(&installs(context)?))
}

fn check_executables(hooks_dir: &Path) -> Result<()> {
    if hooks_dir.to_str().is_none() {
        let text = format!(
            "could not register the hooks in `{}`: the path is not UTF-8; set CCSESSION_LIBEXEC",
            shown(hooks_dir)
        );
        return Err(refusal(Status::Failed, text));
    }
    let broken = |(path, defect): (std::path::PathBuf, Defect)| {
        let why = match defect {
            Defect::Missing => "it is not there",
            Defect::NotExecutable => "it cannot be run",
            Defect::OtherVersion => "it is of another version",
        };
        let text = format!(
            "could not register `{}`: {why}; run install.sh, or set CCSESSION_LIBEXEC",
            shown(&path)
        );
        refusal(Status::Failed, text)
    };
    programs::defects(hooks_dir)
        .into_iter()
        .next()
        .map_or(Ok(()), |defect| Err(broken(defect)))
}

fn known(found: Option<&InstalledClient>, version: Option<Version>) -> String {
    match (found, version) {
        (Some(client), _) => match &client.elsewhere {
            None => format!("all that Claude Code {} supports", client.version),
            Some(path) => format!(
                "all that Claude Code {}, {}, supports",
                client.version,
                shown(path)
            ),
        },
        (None, Some(version)) => {
            format!("`claude` was not found: those that Claude Code {version} supports, as last time")
        }
        (None, None) => "`claude` was not found: only the 9 that every version supports; put `claude` on the PATH and run `ccsession install` again for the rest".to_owned(),
    }
}

fn show(change: &Change) -> Status {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    output::print(&unified(
        &text(&change.before),
        &text(&change.after),
        &shown(&change.path),
    ));
    Status::Done
}
