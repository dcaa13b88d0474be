//! The cleanup timer, which `install --timer` adds and `uninstall` removes.

use anyhow::Result;

use crate::claude::commands::command_for;
use crate::cli::context::Context;
use crate::cli::output;
use crate::cli::status::{Status, refusal};
use crate::model::text::escaped;
use crate::setup::diff::unified;
use crate::setup::programs;
use crate::setup::timer::{self, TIMER, Unit, plan};
use crate::store::{Decompressor, StateDir, shown};

/// The planned installation of the timer.
#[derive(Debug)]
pub(super) struct TimerPlan {
    units: Vec<Unit>,
    /// A line for cron that starts the same cleanups.
    line: String,
}

/// Plans which files to write, and changes nothing. Fails if another program or user wrote one of
/// the files.
pub(super) fn planned(context: &Context) -> Result<TimerPlan> {
    let program = programs::lasting(&context.env)?;
    let (command, _) = command_for(&program.to_string_lossy());
    // For cron, a percent sign would end the command.
    let command = escaped(&command).replace('%', "\\%");
    let line = format!("* * * * * {command} cleanup --if-due --quiet");
    if cfg!(target_os = "macos") {
        let text = format!(
            "could not write a timer: there is no systemd on macOS; give cron the line `{line}`"
        );
        return Err(refusal(Status::Failed, text));
    }
    let units = plan(&context.env, &program)?;
    Ok(TimerPlan { units, line })
}

impl TimerPlan {
    pub(super) fn install(&self, context: &Context, dry: bool) -> Result<()> {
        if dry {
            show(&self.units);
            output::warn(&format!(
                "would run `systemctl --user enable --now {TIMER}`"
            ));
            return Ok(());
        }
        timer::put(
            &self.units,
            &StateDir::create(&context.places, Decompressor::BUILT_IN)?,
        )?;
        let changed = || self.units.iter().filter(|unit| unit.is_changed());
        for unit in changed() {
            output::line(&format!("wrote {}", shown(&unit.path)));
        }
        let is_changed = changed().next().is_some();
        match timer::enable(is_changed) {
            Ok(()) if is_changed => {
                output::line(&format!("enabled {TIMER}: a cleanup every five minutes"));
            }
            Ok(()) => output::line(&format!("{TIMER} exists already; nothing was changed")),
            Err(why) => output::complain(&format!(
                "could not enable the timer: {why}; run `systemctl --user daemon-reload && systemctl --user enable --now {TIMER}`, or give cron the line `{}`",
                self.line
            )),
        }
        Ok(())
    }
}

/// Stops the timer, and removes its files if ccsession wrote them.
pub(super) fn uninstall(context: &Context, dry: bool) -> Result<()> {
    let present = timer::present(&context.env)?;
    for path in &present.others {
        output::complain(&format!(
            "left `{}` as it is: `ccsession install --timer` did not write it",
            shown(path)
        ));
    }
    if present.ours.is_empty() {
        return Ok(());
    }
    if dry {
        show(&present.ours);
        output::warn(&format!(
            "would run `systemctl --user disable --now {TIMER}`"
        ));
        return Ok(());
    }
    let disabled = timer::disable();
    timer::remove(
        &present.ours,
        &StateDir::create(&context.places, Decompressor::BUILT_IN)?,
    )?;
    for unit in &present.ours {
        output::line(&format!("removed {}", shown(&unit.path)));
    }
    let done = disabled.and_then(|()| programs::systemctl(&["daemon-reload"]));
    if let Err(why) = done {
        output::complain(&format!(
            "could not stop the timer: {why}; its files are removed, and it stops at logout; to stop it now, run `systemctl --user stop {TIMER}`"
        ));
    }
    Ok(())
}

fn show(units: &[Unit]) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    for unit in units {
        let diff = unified(&text(&unit.before), &text(&unit.after), &shown(&unit.path));
        output::print(&diff);
    }
}
