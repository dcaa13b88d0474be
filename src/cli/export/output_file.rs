//! Where an export is written: to stdout, or to a file that appears once it is complete.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::cli::output;
use crate::store::Error;
use crate::store::write::{GuestFile, refuse_others};

/// Stdout, or a file that appears once it is complete.
#[derive(Debug)]
pub(super) struct OutputFile {
    file: Option<GuestFile>,
}

impl OutputFile {
    /// Begins the output. A file that cannot be replaced is refused at once.
    pub(super) fn begin(path: Option<&Path>) -> Result<Self> {
        let file = match path.filter(|path| *path != Path::new("-")) {
            None => None,
            Some(path) => {
                refuse_others(path)?;
                Some(GuestFile::begin(path)?)
            }
        };
        Ok(Self { file })
    }

    /// Writes a text in which nothing moves a cursor.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Error> {
        match &mut self.file {
            Some(file) => file.write(text.as_bytes()),
            None => {
                output::print(text);
                Ok(())
            }
        }
    }

    /// Gives the file its name.
    pub(super) fn end(self) -> Result<(), Error> {
        self.file.map_or(Ok(()), GuestFile::replace)
    }
}

/// An output to which threads write in turn, each when everything before is written.
#[derive(Debug)]
pub(super) struct InTurn {
    state: Mutex<TurnState>,
    moved: Condvar,
    /// What is written between two texts.
    separator: &'static str,
    has_failed: AtomicBool,
}

#[derive(Debug)]
struct TurnState {
    /// The place whose turn it is.
    next: usize,
    is_empty: bool,
    file: OutputFile,
    failure: Option<Error>,
}

impl InTurn {
    pub(super) fn new(file: OutputFile, separator: &'static str) -> Self {
        Self {
            state: Mutex::new(TurnState {
                next: 0,
                is_empty: true,
                file,
                failure: None,
            }),
            moved: Condvar::new(),
            separator,
            has_failed: AtomicBool::new(false),
        }
    }

    /// Returns whether something could not be written, so that the rest need not be made.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Waits for the turn of `place`, and writes its text. Each place must come once.
    pub(super) fn put(&self, place: usize, text: &str) {
        let mut state = self.lock();
        while state.next != place {
            let waited = self.moved.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.next += 1;
        if !text.is_empty() && state.failure.is_none() {
            let separator = if state.is_empty { "" } else { self.separator };
            state.is_empty = false;
            let written = state.file.write(separator);
            if let Err(err) = written.and_then(|()| state.file.write(text)) {
                state.failure = Some(err);
                self.has_failed.store(true, Ordering::Relaxed);
            }
        }
        self.moved.notify_all();
    }

    /// Returns the output, with everything written.
    ///
    /// # Errors
    /// The first one of writing.
    pub(super) fn finish(self) -> Result<OutputFile, Error> {
        let state = self.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        match state.failure {
            Some(err) => Err(err),
            None => Ok(state.file),
        }
    }

    fn lock(&self) -> MutexGuard<'_, TurnState> {
        // Whoever panics ends the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
