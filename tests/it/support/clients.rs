//! A Claude Code for a session of a test.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::{Sandbox, event, hook_for};

/// A separate Claude Code for one session: a shell that runs the hooks.
pub(crate) struct Client {
    shell: Child,
    answers: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let mut run = sandbox.run("/bin/sh");
        let command = run.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let answers = BufReader::new(shell.stdout.take().unwrap());
        Self { shell, answers }
    }

    pub(crate) fn hook(&mut self, sandbox: &Sandbox, id: &str, name: &str, more: Value) {
        let payload = sandbox.path("payload");
        fs::write(&payload, event(name, id, more).to_string()).unwrap();
        let (hook, payload) = (hook_for(name), payload.display());
        let line = format!("CLAUDE_PID=$$ {hook} < {payload}; echo $?\n");
        let stdin = self.shell.stdin.as_mut().unwrap();
        stdin.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "0\n", "{name}");
    }

    /// Starts a session of this client.
    pub(crate) fn start(sandbox: &Sandbox, id: &str) -> Self {
        let mut client = Self::new(sandbox);
        client.hook(sandbox, id, "SessionStart", json!({"source": "startup"}));
        client
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
