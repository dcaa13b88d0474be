//! Reports what starts cleanups besides the hooks. This is only information, because the hooks
//! start cleanups wherever sessions start.

use super::Finding;
use crate::setup::timer::{self, TIMER};
use crate::setup::{programs, timer::TimerError};
use crate::store::{Environment, file, shown};

/// Reports a timer or a crontab line that starts cleanups.
pub(super) fn examine(env: &Environment) -> Finding {
    let mut others = Vec::new();
    match by_timer(env) {
        Ok(Some(Timer::Works(path))) => others.push(format!("a timer, {path}")),
        Ok(Some(Timer::Fails { found, remedy })) => {
            return Finding::note("cleanup", found, &remedy);
        }
        Ok(None) => {}
        Err(err) => {
            let remedy = "run `ccsession install --timer` again";
            return Finding::note("cleanup", err.to_string(), remedy);
        }
    }
    if programs::crontab().is_some_and(|table| has_cleanup(&table)) {
        others.push("cron".to_owned());
    }
    Finding::ok(
        "cleanup",
        match others.as_slice() {
            [] => "by the hooks, when a session starts".to_owned(),
            others => format!(
                "by the hooks, when a session starts, and by {}",
                others.join(" and ")
            ),
        },
    )
}

enum Timer {
    Works(String),
    Fails { found: String, remedy: String },
}

fn by_timer(env: &Environment) -> Result<Option<Timer>, TimerError> {
    let path = timer::unit_dir(env).map(|dir| dir.join(TIMER));
    let Some(path) = path.filter(|path| matches!(file::look(path), Ok(Some(_)))) else {
        return Ok(None);
    };
    if timer::enabling_link(&path).is_none() {
        return Ok(Some(Timer::Fails {
            found: format!("{} is not enabled", shown(&path)),
            remedy: format!("run `systemctl --user enable --now {TIMER}`"),
        }));
    }
    let present = timer::present(env)?;
    let own = timer::named(&programs::lasting(env)?)?;
    let texts = present
        .ours
        .iter()
        .filter_map(|unit| unit.before.as_deref());
    let other = texts
        .filter_map(timer::starts)
        .find(|starts| *starts != own);
    Ok(Some(match other {
        Some(other) => Timer::Fails {
            found: format!(
                "the timer starts {}, which is not part of this installation",
                crate::model::text::escaped(other)
            ),
            remedy: "run `ccsession install --timer` again".to_owned(),
        },
        None => Timer::Works(shown(&path)),
    }))
}

/// Returns whether a line of this crontab starts a cleanup.
fn has_cleanup(table: &str) -> bool {
    let mut lines = table
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.any(|line| line.contains("ccsession") && line.contains(" cleanup"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_a_comment_cleans_nothing_up() {
        for (table, has_one) in [
            (
                "* * * * * $HOME/.local/bin/ccsession cleanup --if-due --quiet\n",
                true,
            ),
            ("MAILTO=x\n@hourly '/a b/ccsession' cleanup\n", true),
            ("# * * * * * ccsession cleanup\n", false),
            ("* * * * * ccsession metrics\n", false),
            ("* * * * * cleanup\n", false),
            ("", false),
        ] {
            assert_eq!(has_cleanup(table), has_one, "{table}");
        }
    }
}
