//! A real terminal: tmux, with a separate server. Tests that need tmux are skipped without it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{PATIENCE, Sandbox};

/// A terminal in which a program of the sandbox runs. Dropping it ends everything in it.
pub(crate) struct Tmux<'s> {
    sandbox: &'s Sandbox,
    socket: PathBuf,
}

impl<'s> Tmux<'s> {
    /// Starts a shell script in a terminal of this size. Returns `None` without tmux.
    pub(crate) fn start(sandbox: &'s Sandbox, size: (u16, u16), script: &str) -> Option<Self> {
        let mut probe = Command::new("tmux");
        let probe = probe.arg("-V").stdout(Stdio::null()).stderr(Stdio::null());
        if !probe.status().is_ok_and(|status| status.success()) {
            println!("skipped: there is no tmux");
            return None;
        }
        // The server of an earlier terminal may still be about to end.
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let terminal = Self {
            sandbox,
            socket: sandbox.path(&format!("tmux-{number}")),
        };
        let path = sandbox.path("script");
        fs::write(&path, script).unwrap();
        let (width, height) = (size.0.to_string(), size.1.to_string());
        let command = format!("sh {}", path.display());
        // The server lives as long as the script runs.
        terminal.tmux(&["new-session", "-d", "-x", &width, "-y", &height, &command]);
        terminal.tmux(&["set-option", "-s", "escape-time", "10"]);
        terminal.tmux(&["set-option", "-s", "set-clipboard", "on"]);
        Some(terminal)
    }

    /// Runs a command of tmux, and returns what it prints.
    #[track_caller]
    pub(crate) fn tmux(&self, arguments: &[&str]) -> String {
        let mut run = self.sandbox.run("tmux").env("LC_ALL", "C.UTF-8");
        run.command.arg("-u").arg("-S").arg(&self.socket);
        run.command.args(["-f", "/dev/null"]).args(arguments);
        run.stdout()
    }

    /// Returns the text on the screen.
    #[track_caller]
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Returns the text on the screen with its colours.
    #[track_caller]
    pub(crate) fn coloured(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Presses keys, by tmux's names.
    #[track_caller]
    pub(crate) fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Waits until `what` is true of the screen, and returns the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if what(&screen) {
                return screen;
            }
            assert!(started.elapsed() < PATIENCE, "it never came:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until this text is on the screen, and returns the screen.
    #[track_caller]
    pub(crate) fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(|screen| screen.contains(text))
    }

    /// Returns a value that tmux knows of the terminal.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> String {
        let value = self.tmux(&["display-message", "-p", &format!("#{{{name}}}")]);
        value.trim_end().to_owned()
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let mut run = self.sandbox.run("tmux");
        let tmux = run.command.arg("-S").arg(&self.socket).arg("kill-server");
        let _ = tmux.stderr(Stdio::null()).status();
    }
}
