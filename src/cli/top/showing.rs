//! Shows the board until a person leaves it: observes the sessions, waits for keys and signals,
//! draws.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::canvas::Skin;
use super::keys::{Key, is_unfinished, keys};
use super::model::{Board, KeyEffect, Page};
use super::terminal::{FullScreen, Input, SignalKind, Signals, end_by, wait};
use super::text_page::TextPage;
use super::timeline_text;
use super::view::{body_height, render};
use crate::cli::board::Observer;
use crate::cli::context::Context;
use crate::cli::output;
use crate::model::{Config, SessionId};
use crate::store::{StateDir, clock};

/// The shortest time between two observations of the sessions.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// Observing the sessions takes at most about 1/20 of the time, and so does reading the open
/// timeline: each pause is this many times as long as the last observation or reading.
const SHARE: u32 = 20;
/// How often ages are drawn again.
const TICK: Duration = Duration::from_secs(1);
/// How long to wait for the remaining bytes of a key.
const REST_OF_KEY: Duration = Duration::from_millis(30);

/// What the board needs to observe the sessions.
pub(super) struct Sight<'a> {
    pub(super) context: &'a Context,
    pub(super) config: &'a Config,
    pub(super) state: &'a StateDir,
}

/// How the board was left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Departed {
    ByKey,
    /// The terminal is gone.
    Closed,
    /// There was no state directory before; now one may exist.
    Recorded,
}

/// The board on the screen.
pub(super) struct Showing {
    pub(super) board: Board,
    screen: FullScreen,
    signals: Signals,
    skin: Skin,
    /// The bytes of an unfinished key.
    pending: Vec<u8>,
    /// Whether anything but an age has changed since the last frame.
    has_changed: bool,
    /// Whether the terminal's size has changed since the timeline was laid out.
    has_resized: bool,
}

impl Showing {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// Fails if the terminal or the signals cannot be set up.
    pub(super) fn begin(skin: Skin) -> Result<Self> {
        // Listen before the terminal changes, so that no signal ends the program without restoring
        // it.
        let signals = Signals::listen()?;
        Ok(Self {
            board: Board::default(),
            screen: FullScreen::enter()?,
            signals,
            skin,
            pending: Vec::new(),
            has_changed: true,
            has_resized: false,
        })
    }

    /// Shows a board that says that nothing was recorded yet. Returns when `is_recorded` is true, a
    /// person leaves the board, or the terminal is gone.
    ///
    /// # Errors
    /// Fails if `is_recorded` fails.
    pub(super) fn without_sessions(
        &mut self,
        is_recorded: impl Fn() -> Result<bool>,
    ) -> Result<Departed> {
        loop {
            if is_recorded()? {
                return Ok(Departed::Recorded);
            }
            if self.draw().is_err() {
                return Ok(Departed::Closed);
            }
            if let Some(departed) = self.take_input(BETWEEN_LOOKS, None) {
                return Ok(departed);
            }
        }
    }

    /// Shows the sessions until a person leaves the board, or the terminal is gone.
    pub(super) fn of_sessions(&mut self, sight: &Sight<'_>) -> Departed {
        let Sight {
            context,
            config,
            state,
        } = sight;
        let judge = context.judge(config, state).telling_idle();
        let mut observer = Observer::new(&context.env, judge, config.capture);
        self.board.has_record = true;
        let mut next_look = Instant::now();
        let mut next_tick = next_look;
        let mut next_timeline = next_look;
        let mut is_timeline_old = false;
        loop {
            let started = Instant::now();
            if started >= next_look {
                let looked = self.board.update(|sessions| observer.look(sessions));
                let changed = looked.as_deref().unwrap_or_default();
                self.has_changed |= !changed.is_empty();
                is_timeline_old |=
                    matches!(&self.board.page, Page::Timeline(id, _) if changed.contains(id));
                let fault = looked.err().map(|err| err.to_string());
                self.has_changed |= fault != self.board.fault;
                self.board.fault = fault;
                self.has_changed |= self
                    .board
                    .update(|sessions| observer.count_due_tokens(sessions));
                let took = started.elapsed();
                next_look = Instant::now() + BETWEEN_LOOKS.max(took * SHARE);
            }
            is_timeline_old |= std::mem::take(&mut self.has_resized);
            if is_timeline_old && Instant::now() >= next_timeline {
                let began = Instant::now();
                self.refresh_timeline(sight);
                is_timeline_old = false;
                self.has_changed = true;
                next_timeline = Instant::now() + began.elapsed() * SHARE;
            }
            if self.has_changed || Instant::now() >= next_tick {
                if self.draw().is_err() {
                    return Departed::Closed;
                }
                next_tick = Instant::now() + TICK;
            }
            let until = next_look.min(next_tick);
            let mut pause = until.saturating_duration_since(Instant::now());
            if self.board.update(|sessions| observer.count_next(sessions)) {
                self.has_changed = true;
                pause = Duration::ZERO;
            }
            if let Some(departed) = self.take_input(pause, Some(sight)) {
                return departed;
            }
        }
    }

    /// Waits at most `pause` for keys and signals, and handles them. Returns `Some` if the board
    /// was left.
    fn take_input(&mut self, pause: Duration, sight: Option<&Sight<'_>>) -> Option<Departed> {
        let pause = match self.pending.is_empty() {
            true => pause,
            false => REST_OF_KEY,
        };
        let input = wait(&self.signals, pause);
        while let Some(signal) = self.signals.next() {
            self.has_changed = true;
            let done = match signal {
                SignalKind::End(signal) => {
                    end_by(signal);
                    return Some(Departed::Closed);
                }
                SignalKind::Stop => {
                    self.signals.stop();
                    self.screen.enter_again()
                }
                SignalKind::Continue => self.screen.enter_again(),
                SignalKind::Resize => {
                    self.has_resized = true;
                    Ok(())
                }
            };
            if done.is_err() {
                return Some(Departed::Closed);
            }
        }
        match input {
            Input::Closed => return Some(Departed::Closed),
            Input::Keys(bytes) => {
                self.pending.extend(bytes);
                if is_unfinished(&self.pending) {
                    return None;
                }
            }
            Input::Nothing => {}
        }
        let bytes = std::mem::take(&mut self.pending);
        for key in keys(&bytes) {
            self.has_changed = true;
            if let Some(departed) = self.press(key, sight) {
                return Some(departed);
            }
        }
        None
    }

    fn press(&mut self, key: Key, sight: Option<&Sight<'_>>) -> Option<Departed> {
        if key == Key::Redraw {
            return match self.screen.redraw() {
                Ok(()) => None,
                Err(_) => Some(Departed::Closed),
            };
        }
        match self.board.press(key) {
            KeyEffect::Draw => {}
            KeyEffect::Quit => return Some(Departed::ByKey),
            KeyEffect::Copy(text) => {
                if output::draw(&clipboard(&text)).is_err() {
                    return Some(Departed::Closed);
                }
            }
            KeyEffect::OpenTimeline(id) => {
                if let Some(sight) = sight {
                    let text = self.timeline(sight, &id);
                    self.board.page = Page::Timeline(id, TextPage::at_end(&text));
                }
            }
        }
        None
    }

    /// Reads the open timeline again.
    fn refresh_timeline(&mut self, sight: &Sight<'_>) {
        if let Page::Timeline(id, _) = &self.board.page {
            let text = self.timeline(sight, &id.clone());
            if let Page::Timeline(_, page) = &mut self.board.page {
                page.replace(&text);
            }
        }
    }

    fn timeline(&self, sight: &Sight<'_>, id: &SessionId) -> String {
        let (width, _) = self.screen.size();
        let text = timeline_text::of(sight, id, width, self.skin);
        text.unwrap_or_else(|err| err.to_string())
    }

    /// Draws the parts of the screen that have changed.
    fn draw(&mut self) -> std::io::Result<()> {
        let (_, height) = self.screen.size();
        let Self {
            board,
            screen,
            skin,
            ..
        } = self;
        board.fit(body_height(&board.page, height));
        let now = clock::now();
        screen.draw(|buffer| render(board, now, *skin, buffer))?;
        self.has_changed = false;
        Ok(())
    }
}

/// Returns the escape sequence that copies a text to the terminal's clipboard (OSC 52).
fn clipboard(text: &str) -> Vec<u8> {
    let mut sequence = Vec::new();
    // Writing to memory cannot fail.
    let _ = write!(sequence, "\x1b]52;c;{}\x07", STANDARD.encode(text));
    sequence
}
