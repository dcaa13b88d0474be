//! Gathers everything that is needed to answer questions about this machine: the environment, the
//! paths, the settings, the state directory and the time.

use super::pointer::Pointers;
use super::{Environment, Error, Places, StateDir};
use crate::model::{Config, Timestamp};

/// This machine as this user sees it at one moment: everything that questions about it need.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// The environment of this process.
    pub env: &'a Environment,
    /// The paths of this user's files.
    pub places: &'a Places,
    pub config: &'a Config,
    /// The state directory, if it exists and can be used.
    pub state: Option<&'a StateDir>,
    /// Why an existing state directory cannot be used.
    pub state_fault: Option<&'a Error>,
    pub now: Timestamp,
}

impl<'a> Host<'a> {
    /// Returns the pointer directory, with the settings that decide whether a pointer is believed.
    pub fn pointers(&self) -> Pointers<'a> {
        Pointers {
            dir: &self.places.pointers,
            state: self.state,
            ttl: self.config.ttl,
            now: self.now,
        }
    }
}
