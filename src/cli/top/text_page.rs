//! A text that fills the board's screen and can be scrolled, such as the help. Pure.

use super::keys::Key;

/// A text and which part of it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TextPage {
    pub(super) lines: Vec<String>,
    /// The first line on the screen. A number beyond the last screen means the last screen, so that
    /// the end stays in view as the text grows.
    top: usize,
}

impl TextPage {
    /// Shows the beginning of a text.
    pub(super) fn at_start(text: &str) -> Self {
        Self {
            lines: text.lines().map(str::to_owned).collect(),
            top: 0,
        }
    }

    /// Shows the end of a text.
    pub(super) fn at_end(text: &str) -> Self {
        Self {
            top: usize::MAX,
            ..Self::at_start(text)
        }
    }

    /// Replaces the text without scrolling.
    pub(super) fn replace(&mut self, text: &str) {
        self.lines = text.lines().map(str::to_owned).collect();
    }

    /// Returns the index of the text's first line on a screen of `height` lines.
    pub(super) fn top(&self, height: usize) -> usize {
        self.top.min(self.last_top(height))
    }

    fn last_top(&self, height: usize) -> usize {
        self.lines.len().saturating_sub(height)
    }

    /// Scrolls if `key` is a key that scrolls.
    pub(super) fn press(&mut self, key: Key, height: usize) {
        let top = self.top(height);
        let step = height.saturating_sub(1).max(1);
        let to = match key {
            Key::Up | Key::Char('k') => top.saturating_sub(1),
            Key::Down | Key::Char('j') | Key::Enter => top + 1,
            Key::PageUp | Key::Char('b') => top.saturating_sub(step),
            Key::PageDown | Key::Char(' ') => top + step,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => usize::MAX,
            _ => return,
        };
        let is_end = to >= self.last_top(height);
        self.top = if is_end && to > 0 { usize::MAX } else { to };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_stays_in_view_while_the_text_grows_and_any_other_place_stays() {
        let text = |lines: usize| "x\n".repeat(lines);
        let mut page = TextPage::at_end(&text(50));
        assert_eq!(page.top(10), 40);
        page.replace(&text(60));
        assert_eq!(page.top(10), 50);
        page.press(Key::Up, 10);
        page.replace(&text(70));
        assert_eq!(page.top(10), 49);
        page.press(Key::PageDown, 10);
        page.press(Key::PageDown, 10);
        page.press(Key::PageDown, 10);
        page.replace(&text(80));
        assert_eq!(page.top(10), 70);
        page.press(Key::Home, 10);
        assert_eq!(page.top(10), 0);
        page.replace(&text(3));
        page.press(Key::Down, 10);
        assert_eq!(page.top(10), 0);
    }
}
