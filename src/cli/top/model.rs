//! The state of the board: the sessions as they were observed, in their order, and what each key
//! does. Pure: no files, no terminal, no clock.

use super::keys::Key;
use super::text_page::TextPage;
use crate::cli::board::{BoardSession, BoardSessions, Group, SortKey};
use crate::model::SessionId;

/// What fills the screen.
#[derive(Debug, Clone, Default)]
pub(super) enum Page {
    /// The sessions.
    #[default]
    Sessions,
    /// The sessions, while a person types the filter.
    Filter {
        /// The previous filter, which Esc restores.
        before: String,
    },
    Help(TextPage),
    /// The command that resumes a session.
    Command(String),
    /// The timeline of a session.
    Timeline(SessionId, TextPage),
}

/// What the caller has to do after a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyEffect {
    /// Draw the board again.
    Draw,
    OpenTimeline(SessionId),
    /// Give this text to the terminal's clipboard.
    Copy(String),
    Quit,
}

/// The state of the board.
#[derive(Debug, Default)]
pub(super) struct Board {
    sessions: BoardSessions,
    /// The sessions that the filter accepts, in the order in which they are shown.
    order: Vec<SessionId>,
    selected: Option<SessionId>,
    pub(super) filter: String,
    pub(super) sort: SortKey,
    pub(super) page: Page,
    /// Why the sessions could not be observed the last time.
    pub(super) fault: Option<String>,
    /// Whether the state directory exists.
    pub(super) has_record: bool,
    /// How many lines the screen has for the list of sessions or for a text.
    height: usize,
    /// The index of the first line of the list that is on the screen.
    top: usize,
}

/// A line of the list of sessions.
#[derive(Debug, Clone, Copy)]
pub(super) enum BoardLine<'b> {
    /// The heading of a group, with the number of its sessions that the filter accepts.
    Heading(Group, usize),
    Session(&'b BoardSession),
}

impl Board {
    /// Calls `change` with the sessions. If it changed any, sorts them again.
    pub(super) fn update<T>(&mut self, change: impl FnOnce(&mut BoardSessions) -> T) -> T {
        let result = change(&mut self.sessions);
        if !self.sessions.take_changed().is_empty() {
            self.arrange();
        }
        result
    }

    /// Returns the sessions that are shown, in order.
    pub(super) fn shown(&self) -> impl Iterator<Item = &BoardSession> {
        self.order.iter().filter_map(|id| self.sessions.get(id))
    }

    /// Returns the list of sessions, with a heading above each group.
    pub(super) fn lines(&self) -> Vec<BoardLine<'_>> {
        let mut lines = Vec::new();
        for group in Group::ALL {
            let of_group = || self.shown().filter(|session| session.group == group);
            let count = of_group().count();
            if count > 0 {
                lines.push(BoardLine::Heading(group, count));
                lines.extend(of_group().map(BoardLine::Session));
            }
        }
        lines
    }

    /// Returns the lines that are on the screen.
    pub(super) fn visible(&self) -> Vec<BoardLine<'_>> {
        let mut lines = self.lines();
        lines.drain(..self.top.min(lines.len()));
        lines.truncate(self.height);
        lines
    }

    /// Adapts to a screen with `height` lines for the list. Scrolls only as far as needed to show
    /// the selected session.
    pub(super) fn fit(&mut self, height: usize) {
        self.height = height;
        let lines = self.lines();
        let is_selected = |line: &BoardLine<'_>| matches!(line, BoardLine::Session(it) if Some(&it.facts.id) == self.selected.as_ref());
        let place = lines.iter().position(is_selected).unwrap_or(0);
        let count = lines.len();
        // If the selected session is the first of its group, show the heading above it, too.
        let first = match place.checked_sub(1).and_then(|above| lines.get(above)) {
            Some(BoardLine::Heading(..)) if height > 1 => place - 1,
            _ => place,
        };
        let least = (place + 1).saturating_sub(height);
        self.top = self.top.max(least).min(first);
        self.top = self.top.min(count.saturating_sub(height));
    }

    /// Returns the open page of text, and the index of its first line on the screen.
    pub(super) fn text_page(&self) -> Option<(&TextPage, usize)> {
        match &self.page {
            Page::Help(text) | Page::Timeline(_, text) => Some((text, text.top(self.height))),
            _ => None,
        }
    }

    /// Returns how many sessions are in a group, whatever the filter says.
    pub(super) fn count(&self, group: Group) -> usize {
        let sessions = self.sessions.iter();
        sessions.filter(|session| session.group == group).count()
    }

    /// Returns how many sessions there are, whatever the filter says.
    pub(super) fn total(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn selected(&self) -> Option<&BoardSession> {
        self.sessions.get(self.selected.as_ref()?)
    }

    pub(super) fn is_selected(&self, session: &BoardSession) -> bool {
        self.selected.as_ref() == Some(&session.facts.id)
    }

    pub(super) fn title_of(&self, id: &SessionId) -> Option<&str> {
        Some(&self.sessions.get(id)?.facts.title)
    }

    /// Sorts the sessions that the filter accepts. The default order does not depend on values that
    /// change all the time, so sessions seldom move.
    fn arrange(&mut self) {
        let place = self.place();
        let accepted = self.sessions.iter().filter(|it| it.matches(&self.filter));
        let mut order: Vec<&BoardSession> = accepted.collect();
        order.sort_by(|one, other| one.compare(other, self.sort));
        self.order = order.into_iter().map(|it| it.facts.id.clone()).collect();
        let is_shown = |id: &SessionId| self.order.contains(id);
        if !self.selected.as_ref().is_some_and(is_shown) {
            let last = self.order.len().saturating_sub(1);
            self.selected = self.order.get(place.min(last)).cloned();
        }
    }

    /// Returns the index of the selected session among those that are shown.
    fn place(&self) -> usize {
        let is_it = |id: &SessionId| Some(id) == self.selected.as_ref();
        self.order.iter().position(is_it).unwrap_or(0)
    }

    fn select(&mut self, place: usize) {
        let last = self.order.len().saturating_sub(1);
        self.selected = self.order.get(place.min(last)).cloned();
    }

    /// Does what a key says.
    pub(super) fn press(&mut self, key: Key) -> KeyEffect {
        if key == Key::Interrupt {
            return KeyEffect::Quit;
        }
        match &mut self.page {
            Page::Sessions => return self.press_on_sessions(key),
            Page::Filter { before } => match key {
                Key::Enter => self.page = Page::Sessions,
                Key::Escape => {
                    self.filter = std::mem::take(before);
                    self.page = Page::Sessions;
                    self.arrange();
                }
                Key::Backspace => {
                    self.filter.pop();
                    self.arrange();
                }
                Key::Clear => {
                    self.filter.clear();
                    self.arrange();
                }
                Key::Char(c) => {
                    self.filter.push(c);
                    self.arrange();
                }
                Key::Up => self.select(self.place().saturating_sub(1)),
                Key::Down => self.select(self.place() + 1),
                _ => {}
            },
            Page::Help(text) | Page::Timeline(_, text) => {
                if matches!(key, Key::Escape | Key::Char('q') | Key::Left) {
                    self.page = Page::Sessions;
                } else {
                    text.press(key, self.height);
                }
            }
            Page::Command(_) => self.page = Page::Sessions,
        }
        KeyEffect::Draw
    }

    fn press_on_sessions(&mut self, key: Key) -> KeyEffect {
        let place = self.place();
        let step = self.height.saturating_sub(1).max(1);
        match key {
            Key::Escape if !self.filter.is_empty() => {
                self.filter.clear();
                self.arrange();
            }
            Key::Char('q') | Key::Escape => return KeyEffect::Quit,
            Key::Up | Key::Char('k') => self.select(place.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.select(place + 1),
            Key::PageUp => self.select(place.saturating_sub(step)),
            Key::PageDown => self.select(place + step),
            Key::Home | Key::Char('g') => self.select(0),
            Key::End | Key::Char('G') => self.select(usize::MAX),
            Key::Char('/') => {
                let before = self.filter.clone();
                self.page = Page::Filter { before };
            }
            Key::Char('s') => {
                self.sort = self.sort.next();
                self.arrange();
            }
            Key::Char('?') | Key::Char('h') => self.page = Page::Help(TextPage::at_start(HELP)),
            Key::Char('c') => {
                if let Some(session) = self.selected() {
                    let command = session.facts.resume.clone();
                    self.page = Page::Command(command.clone());
                    return KeyEffect::Copy(command);
                }
            }
            Key::Enter | Key::Right => {
                if let Some(id) = &self.selected {
                    return KeyEffect::OpenTimeline(id.clone());
                }
            }
            _ => {}
        }
        KeyEffect::Draw
    }
}

/// The help text that the key `?` shows.
pub(super) const HELP: &str = "\
up, k          select the session above
down, j        select the session below
PgUp, PgDn     move by a screen
Home, g        select the first session
End, G         select the last session
Enter          open the timeline of the selected session; Esc returns
/              show only sessions with these words in their title,
               project, branch, tool or state; Esc ends the filter
s              sort each group by time, title, project, calls or tokens
c              copy the command that resumes the session, and show it
?              this page
q, Esc, Ctrl-C quit

NEEDS YOU  it waits for permission, an answer, or the approval of a plan,
           or its turn failed
WORKING    it works; SINCE is the age of its last call
DONE       its turn is over: it waits for your next prompt
IDLE       nothing happened for a while

TOKENS are those that were sent, written to the cache, and answered.
Reads from the cache are not counted.";
