//! `ccsession install` and `uninstall`: the hooks in Claude Code's settings, and the cleanup timer.

mod timer;

use std::path::Path;

use anyhow::Result;

use super::args::{InstallArgs, ScopeArg, UninstallArgs};
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::identity::ladder::project_here;
use crate::lifecycle::transcript;
use crate::setup::client::{OLDEST_TESTED, Version, events_for};
use crate::setup::diff::unified;
use crate::setup::programs::{self, Defect};
use crate::setup::retention::{self, Keeping};
use crate::setup::settings::{Change, Failure, Run, Scope, Settings};
use crate::store::config::load;
use crate::store::{State, shown};

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
    // What is wrong with one keeps nobody from taking out the other.
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
    let found = programs::client_version();
    let version = found.or_else(|| settings.client_at_last_install(context.state().ok()?.as_ref()));
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
            known(found, version)
        ));
        if let Some(backup) = &change.backup {
            output::line(&format!("the file before is in {}", shown(backup)));
        }
        output::line(
            "sessions that start from now on are recorded; `ccsession doctor` says when the first event came",
        );
    } else {
        output::line(&format!(
            "{events} events are registered in {file} already; nothing was changed"
        ));
    }
    say_what_is_not_archived(context, &settings, &change);
    Ok(Status::Done)
}

/// Says that nothing is archived by itself, where it is the client's settings that keep it from that.
fn say_what_is_not_archived(context: &Context, settings: &Settings<'_>, change: &Change) {
    let keeping = match (settings.scope, &change.after) {
        (Scope::User, Some(text)) => Keeping::in_text(&settings.path, text),
        _ => Keeping::of_client(&context.env),
    };
    let loaded = retention::settled(load(&context.places), &keeping);
    if let Some((found, remedy)) = retention::objection(&loaded, &keeping, &context.places) {
        output::line(&format!(
            "{found}; to have sessions archived all the same, {remedy}"
        ));
    }
}

fn uninstall_hooks(context: &Context, args: &UninstallArgs) -> Result<Status> {
    let hooks_dir = programs::hooks_dir(&context.env)?;
    let settings = settings(context, args.scope, &hooks_dir)?;
    let change = run(context, args.dry_run, |run| settings.uninstall(run))?;
    if args.dry_run {
        return Ok(show(&change));
    }
    let file = shown(&change.path);
    if change.is_one() {
        output::line(&format!("took the hooks out of {file}"));
        if let Some(backup) = &change.backup {
            output::line(&format!("the file before is in {}", shown(backup)));
        }
    } else {
        output::line(&format!(
            "no hook of ccsession is in {file}; nothing was changed"
        ));
    }
    Ok(Status::Done)
}

/// Makes a change, or only finds it. A dry run creates nothing, the state directory neither.
fn run(
    context: &Context,
    dry: bool,
    change: impl FnOnce(Run<'_>) -> Result<Change, Failure>,
) -> Result<Change> {
    let done = if dry {
        change(Run::Dry(context.state()?.as_ref()))
    } else {
        change(Run::Real(&State::create(&context.places)?))
    };
    Ok(done?)
}

fn settings<'a>(context: &Context, scope: ScopeArg, hooks_dir: &'a Path) -> Result<Settings<'a>> {
    let scope = match scope {
        ScopeArg::User => Scope::User,
        ScopeArg::Project => Scope::Project,
        ScopeArg::Local => Scope::Local,
    };
    let no_home = || {
        refusal(
            Status::Failed,
            "could not find Claude Code's directory: set HOME or CLAUDE_CONFIG_DIR",
        )
    };
    let claude_dir = transcript::claude_dir(&context.env).ok_or_else(no_home)?;
    let path = scope.path(&claude_dir, &project_here(&context.env, None)?);
    Ok(Settings {
        path,
        scope,
        hooks_dir,
    })
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

fn known(found: Option<Version>, version: Option<Version>) -> String {
    match (found, version) {
        (Some(version), _) => format!("those that Claude Code {version} knows"),
        (None, Some(version)) => {
            format!("no `claude` on the PATH: those that Claude Code {version} knew, as last time")
        }
        (None, None) => "no `claude` on the PATH: those that every client knows".to_owned(),
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
