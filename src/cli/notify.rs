//! Runs the user's `--notify` command for each session that begins to wait for a person.

use std::process::{Child, Command, Stdio};

use super::list::needs;
use super::output;
use crate::identity::attention::AttentionChange;
use crate::model::text::escaped;
use crate::store::reason;

/// How many commands may run at once. No more are started while this many run. Otherwise commands
/// that hang would fill the machine.
const MOST: usize = 32;

/// Runs the command. Texts that come from a session are only in its environment, never in the
/// command line that the shell reads.
#[derive(Debug)]
pub(super) struct Notifier {
    command: String,
    running: Vec<Child>,
}

impl Notifier {
    pub(super) fn new(command: String) -> Self {
        Self {
            command,
            running: Vec::new(),
        }
    }

    /// Starts the command for a session, and does not wait for it.
    pub(super) fn notify(&mut self, change: &AttentionChange) {
        self.running
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        if self.running.len() >= MOST {
            output::complain(&format!(
                "{MOST} commands of --notify still run; did not start another"
            ));
            return;
        }
        let AttentionChange { record, attention } = change;
        let since = attention.since.map(|since| since.to_string());
        // `escaped` also removes zero bytes, which an environment variable cannot contain.
        let text = |text: &Option<String>| escaped(text.as_deref().unwrap_or_default());
        #[expect(
            clippy::disallowed_methods,
            reason = "the person who follows chose this command"
        )]
        let mut command = Command::new("sh");
        command
            .args(["-c", &self.command])
            .stdin(Stdio::null())
            .env("CCSESSION_SESSION_ID", record.session_id.as_str())
            .env("CCSESSION_PROJECT", escaped(&record.project.name))
            .env("CCSESSION_ROOT", record.project.root())
            .env("CCSESSION_ATTENTION", attention.state.as_str())
            .env("CCSESSION_NEEDS", needs(attention))
            .env("CCSESSION_SINCE", since.unwrap_or_default())
            .env("CCSESSION_TOOL", text(&attention.tool))
            .env("CCSESSION_WHAT", text(&attention.what));
        match command.spawn() {
            Ok(child) => self.running.push(child),
            Err(err) => output::complain(&format!("could not run --notify: {}", reason(&err))),
        }
    }
}
