//! Writes an export to stdout, to a file that appears once it is complete, or to a file for each
//! day.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::cli::output;
use crate::store::Error;
use crate::store::write::{GuestFile, make_dir, refuse_others};

/// Stdout, or a file that appears once it is complete.
#[derive(Debug)]
pub(super) struct OutputFile {
    file: Option<GuestFile>,
}

impl OutputFile {
    /// Begins the output. Fails at once if an existing file at `path` cannot be replaced.
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

    /// Writes a text. The caller must have escaped control characters, because stdout may be a
    /// terminal.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Error> {
        match &mut self.file {
            Some(file) => file.write(text.as_bytes()),
            None => {
                output::print(text);
                Ok(())
            }
        }
    }

    /// Gives the complete file its name.
    pub(super) fn end(self) -> Result<(), Error> {
        self.file.map_or(Ok(()), GuestFile::replace)
    }
}

/// A file for each day in one directory. Once all are complete, they replace earlier ones together.
#[derive(Debug)]
pub(super) struct DayFiles {
    dir: PathBuf,
    /// The beginning of the files' names.
    what: &'static str,
    files: BTreeMap<String, GuestFile>,
}

impl DayFiles {
    /// Begins the output in this directory, which is created if it does not exist.
    pub(super) fn begin(dir: &Path, what: &'static str) -> Result<Self> {
        make_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            what,
            files: BTreeMap::new(),
        })
    }

    fn write(&mut self, day: &str, text: &str) -> Result<(), Error> {
        if let Some(file) = self.files.get_mut(day) {
            return file.write(text.as_bytes());
        }
        let path = self.dir.join(format!("{}-{day}.jsonl", self.what));
        refuse_others(&path)?;
        let mut file = GuestFile::begin(&path)?;
        file.write(text.as_bytes())?;
        self.files.insert(day.to_owned(), file);
        Ok(())
    }

    /// Gives the complete files their names.
    pub(super) fn end(self) -> Result<(), Error> {
        self.files.into_values().try_for_each(GuestFile::replace)
    }
}

/// An output to which threads write in a fixed order: each thread waits until all earlier texts are
/// written.
#[derive(Debug)]
pub(super) struct InTurn<F = OutputFile> {
    state: Mutex<TurnState<F>>,
    moved: Condvar,
    /// The text that is written between two others.
    separator: &'static str,
    has_failed: AtomicBool,
}

#[derive(Debug)]
struct TurnState<F> {
    /// The number of the text that is written next.
    next: usize,
    is_empty: bool,
    file: F,
    failure: Option<Error>,
}

impl InTurn<OutputFile> {
    /// Waits until all texts before number `place` are written, and writes this one. Every number
    /// must occur exactly once.
    pub(super) fn put(&self, place: usize, text: &str) {
        self.take_turn(place, |state| {
            if text.is_empty() {
                return Ok(());
            }
            let separator = if state.is_empty { "" } else { self.separator };
            state.is_empty = false;
            state.file.write(separator)?;
            state.file.write(text)
        });
    }
}

impl InTurn<DayFiles> {
    /// Waits until all texts before number `place` are written, and writes this one's text of each
    /// day. Every number must occur exactly once.
    pub(super) fn put_days(&self, place: usize, texts: &BTreeMap<String, String>) {
        self.take_turn(place, |state| {
            let mut texts = texts.iter();
            texts.try_for_each(|(day, text)| state.file.write(day, text))
        });
    }
}

impl<F> InTurn<F> {
    pub(super) fn new(file: F, separator: &'static str) -> Self {
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

    /// Returns whether writing has failed, so that the other threads can stop.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    fn take_turn(&self, place: usize, write: impl FnOnce(&mut TurnState<F>) -> Result<(), Error>) {
        let mut state = self.lock();
        while state.next != place {
            let waited = self.moved.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.next += 1;
        if state.failure.is_none()
            && let Err(err) = write(&mut state)
        {
            state.failure = Some(err);
            self.has_failed.store(true, Ordering::Relaxed);
        }
        self.moved.notify_all();
    }

    /// Returns the output, after everything is written.
    ///
    /// # Errors
    /// Fails with the first error that occurred while writing.
    pub(super) fn finish(self) -> Result<F, Error> {
        let state = self.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        match state.failure {
            Some(err) => Err(err),
            None => Ok(state.file),
        }
    }

    fn lock(&self) -> MutexGuard<'_, TurnState<F>> {
        // The lock is never poisoned, because a panic ends the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
