//! Hooks that this process runs through the library: the same code as in the executables, without the start of a process.
//!
//! For tests that record thousands of payloads. Tests of stdin, streams, status and silence use real hooks.

use std::os::unix::process::parent_id;
use std::path::Path;

use ccsession::hook::record_payload;
use ccsession::model::{Capture, Config};
use ccsession::store::config::LoadedConfig;
use ccsession::store::{Environment, clock};
use serde_json::Value;

use super::Sandbox;

/// A hook of a sandbox.
pub(crate) struct Within {
    env: Environment,
    config: Config,
}

impl Within {
    /// The hook of a client that names itself. The client is the parent of this process, because a hook cannot be its own client.
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Self::at(&sandbox.path(""))
    }

    /// The hook of the sandbox at `dir`, for processes that a test starts.
    pub(crate) fn at(dir: &Path) -> Self {
        let env = Environment {
            home: Some(dir.join("home")),
            state_dir: Some(dir.join("state")),
            pointer_dir: Some(dir.join("pointers")),
            claude_pid: Some(parent_id()),
            claude_project_dir: Some(dir.join("shop")),
            ..Environment::default()
        };
        let mut config = Config::default();
        config.archive_auto = false;
        Self { env, config }
    }

    pub(crate) fn capture(mut self, capture: Capture) -> Self {
        self.config.capture = capture;
        self
    }

    pub(crate) fn journal_limit(mut self, bytes: u64) -> Self {
        self.config.journal_limit = bytes;
        self
    }

    /// Records these bytes; if they name no event, `fallback` is the event.
    pub(crate) fn feed_as(&self, fallback: &str, payload: &[u8]) {
        let settings = LoadedConfig {
            config: self.config.clone(),
            sources: Vec::new(),
            complaints: Vec::new(),
        };
        record_payload(&self.env, settings, payload, fallback, clock::now());
    }

    /// Records this payload.
    pub(crate) fn feed(&self, payload: &Value) {
        self.feed_as("SessionEvent", payload.to_string().as_bytes());
    }
}
