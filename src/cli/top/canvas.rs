//! Draws text into a buffer of cells. Text beyond the edge is cut; colours and characters that the
//! terminal lacks are replaced. Pure.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

use crate::view::timeline::text::cut;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Skin {
    pub(super) colour: bool,
    /// Whether to print ASCII instead of lines and symbols such as `─` and `…`.
    pub(super) is_plain: bool,
    /// Whether to avoid every character that is not ASCII.
    pub(super) is_ascii: bool,
}

/// A buffer of cells. Text beyond its edge is cut, and colours and characters that the terminal
/// lacks are replaced.
pub(super) struct Canvas<'b> {
    buffer: &'b mut Buffer,
    skin: Skin,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl<'b> Canvas<'b> {
    pub(super) fn new(buffer: &'b mut Buffer, skin: Skin) -> Self {
        let (width, height) = (buffer.area.width, buffer.area.height);
        Self {
            buffer,
            skin,
            width: usize::from(width),
            height: usize::from(height),
        }
    }

    /// Returns a style with this colour, or without a colour if the terminal shows none.
    pub(super) fn style(&self, colour: Color, modifier: Modifier) -> Style {
        let style = Style::default().add_modifier(modifier);
        match self.skin.colour && colour != Color::Reset {
            true => style.fg(colour),
            false => style,
        }
    }

    /// Writes text from `column` on, cut at the right edge. Returns the column after the text.
    pub(super) fn text(&mut self, column: usize, line: usize, text: &str, style: Style) -> usize {
        let room = self.width.saturating_sub(column);
        self.put(column, line, room, text, style)
    }

    /// Writes text into a cell of this width. A number is aligned to the right.
    pub(super) fn cell(
        &mut self,
        column: usize,
        line: usize,
        width: usize,
        text: &str,
        is_number: bool,
        style: Style,
    ) {
        let text = cut(text, width);
        let before = match is_number {
            true => width.saturating_sub(text.width()),
            false => 0,
        };
        self.put(column + before, line, width - before, &text, style);
    }

    fn put(&mut self, column: usize, line: usize, room: usize, text: &str, style: Style) -> usize {
        let place = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        if line >= self.height || column >= self.width {
            return column;
        }
        let text = self.letters(&cut(text, room));
        let (end, _) = self
            .buffer
            .set_stringn(place(column), place(line), text, room, style);
        usize::from(end)
    }

    /// Replaces the characters that the terminal cannot show.
    fn letters(&self, text: &str) -> String {
        let plain = |c: char| match c {
            '─' | '·' | '└' if self.skin.is_plain => '-',
            '…' if self.skin.is_plain => '~',
            '→' if self.skin.is_plain => '>',
            c if self.skin.is_ascii && !c.is_ascii() => '?',
            c => c,
        };
        text.chars().map(plain).collect()
    }

    /// Swaps text colour and background of a whole line.
    pub(super) fn reverse(&mut self, line: usize) {
        let style = Style::default().add_modifier(Modifier::REVERSED);
        for column in 0..self.buffer.area.width {
            let line = u16::try_from(line).unwrap_or(u16::MAX);
            if let Some(cell) = self.buffer.cell_mut((column, line)) {
                cell.set_style(style);
            }
        }
    }
}
