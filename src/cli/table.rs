//! Plain tables: each column is as wide as its widest cell, with two spaces between columns and no
//! lines, so that `awk` can read them, too.

use std::collections::BTreeSet;
use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::amount::bar;
use super::args::BarsArg;
use super::output;
use crate::model::text::escaped;
use crate::store::env::Screen;
use crate::view::timeline::text::{cut, cut_apart};

/// The text of an empty cell.
const EMPTY: &str = "-";
/// How many spaces are between two columns.
const GAP: usize = 2;
/// The smallest width to which [`TextTable::fit`] cuts a column.
const MIN_CUT: usize = 8;
/// The fewest characters to which a table shortens a session id.
const SHORT_ID: usize = 8;

/// The layout of tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableLayout {
    /// How many columns wide a table may be. `None` does not limit it.
    pub(super) width: Option<usize>,
    /// Whether bars are drawn beside the numbers.
    pub(super) bars: bool,
}

impl TableLayout {
    /// Returns the layout for this screen and the user's choice.
    pub(super) fn of(bars: BarsArg, screen: Screen) -> Self {
        Self {
            width: output::width(screen),
            bars: output::wants_bars(bars, screen),
        }
    }

    /// Draws a bar that shows `part` of `whole`, at most `width` columns wide. Returns an empty
    /// text if bars are off.
    pub(super) fn bar(self, part: u64, whole: u64, width: u64) -> String {
        if self.bars {
            bar(part, whole, width)
        } else {
            String::new()
        }
    }

    /// Shortens a column of `table` if the layout limits the width.
    pub(super) fn fit(self, table: &mut TextTable, column: &str) {
        if let Some(width) = self.width {
            table.fit(column, width);
        }
    }
}

/// A step in making a table narrower.
#[derive(Debug, Clone, Copy)]
pub(super) enum Squeeze {
    /// Shortens a column, to no less than this width.
    Cut(&'static str, usize),
    /// Shows only the first characters of each session id in the column with this heading.
    Ids(&'static str),
    /// Leaves a column out.
    Drop(&'static str),
}

/// A table with a heading.
#[derive(Debug)]
pub(super) struct TextTable {
    rows: Vec<Vec<String>>,
}

impl TextTable {
    pub(super) fn new(heading: &[&str]) -> Self {
        Self {
            rows: vec![heading.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    /// Adds a row. Makes each cell one safe line, because texts may come from outside.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let cell = |text: String| {
            if text.is_empty() {
                EMPTY.to_owned()
            } else {
                escaped(&text)
            }
        };
        self.rows.push(cells.map(cell).into());
    }

    /// Removes the column with this heading.
    pub(super) fn drop_column(&mut self, column: &str) {
        let heading = self.rows.first();
        let place = heading.and_then(|heading| heading.iter().position(|name| name == column));
        for row in &mut self.rows {
            if let Some(place) = place.filter(|place| *place < row.len()) {
                row.remove(place);
            }
        }
    }

    /// Removes each of these columns that is empty in all rows.
    pub(super) fn drop_empty(&mut self, columns: &[&str]) {
        let Some((heading, rows)) = self.rows.split_first() else {
            return;
        };
        let is_empty = |column: usize| {
            rows.iter()
                .all(|row| row.get(column).is_none_or(|cell| cell == EMPTY))
        };
        let kept: Vec<bool> = heading
            .iter()
            .enumerate()
            .map(|(column, name)| !(columns.contains(&name.as_str()) && is_empty(column)))
            .collect();
        for row in &mut self.rows {
            let mut keep = kept.iter();
            row.retain(|_| keep.next().is_none_or(|keep| *keep));
        }
    }

    /// Shortens the cells of a column until no line is wider than `width`, but to no less than
    /// `MIN_CUT`. Different cells stay different.
    pub(super) fn fit(&mut self, column: &str, width: usize) {
        let names = self.rows.first().into_iter().flatten();
        let Some(place) = names.clone().position(|name| name == column) else {
            return;
        };
        let widths = self.widths();
        let line = Self::line(&widths);
        let too_much = line.saturating_sub(width);
        let most = widths
            .get(place)
            .map_or(0, |now| now.saturating_sub(too_much));
        let cells = || self.rows.iter().filter_map(|row| row.get(place).cloned());
        let short = cut_apart(&cells().collect::<Vec<_>>(), most.max(MIN_CUT));
        let cells = self.rows.iter_mut().filter_map(|row| row.get_mut(place));
        for (cell, short) in cells.zip(short) {
            *cell = short;
        }
    }

    /// Makes the table narrower step by step until no line is wider than `width`. If all steps are
    /// not enough, the lines are cut.
    pub(super) fn squeeze(&mut self, width: usize, steps: &[Squeeze]) -> String {
        for step in steps {
            let widths = self.widths();
            let too_much = Self::line(&widths).saturating_sub(width);
            if too_much == 0 {
                break;
            }
            match *step {
                Squeeze::Cut(column, least) => self.cut(column, too_much, least),
                Squeeze::Ids(column) => self.shorten_ids(column),
                Squeeze::Drop(column) => self.drop(column),
            }
        }
        let lines = self.to_string();
        let lines = lines.lines().map(|line| cut(line, width) + "\n");
        lines.collect()
    }

    /// Returns the width of a line whose columns have these widths.
    fn line(widths: &[usize]) -> usize {
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    fn place(&self, column: &str) -> Option<usize> {
        let names = self.rows.first()?;
        names.iter().position(|name| name == column)
    }

    /// Shortens a column by `too_much`, but not below `least`.
    fn cut(&mut self, column: &str, too_much: usize, least: usize) {
        let Some(place) = self.place(column) else {
            return;
        };
        let now = self.widths().get(place).copied().unwrap_or(0);
        let most = now.saturating_sub(too_much).max(least).min(now);
        for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(place)) {
            *cell = cut(cell, most);
        }
    }

    /// Shortens the ids in a column to beginnings that still differ.
    fn shorten_ids(&mut self, column: &str) {
        let Some(place) = self.place(column) else {
            return;
        };
        let ids = self.rows.iter().skip(1);
        let ids: Vec<String> = ids.filter_map(|row| row.get(place).cloned()).collect();
        let begins = |id: &str, length: usize| id.chars().take(length).collect::<String>();
        let all: BTreeSet<&String> = ids.iter().collect();
        let longest = ids.iter().map(|id| id.chars().count()).max().unwrap_or(0);
        let differ = |length: &usize| {
            let short: BTreeSet<String> = ids.iter().map(|id| begins(id, *length)).collect();
            short.len() == all.len()
        };
        let length = (SHORT_ID..longest).find(differ).unwrap_or(longest);
        let cells = self.rows.iter_mut().skip(1);
        for cell in cells.filter_map(|row| row.get_mut(place)) {
            *cell = begins(cell, length);
        }
    }

    fn drop(&mut self, column: &str) {
        let Some(place) = self.place(column) else {
            return;
        };
        for row in self.rows.iter_mut().filter(|row| place < row.len()) {
            row.remove(place);
        }
    }

    /// Returns the width of each column.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        widths
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let padding = width.saturating_sub(cell.width()) + GAP;
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', padding));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_without_anything_can_be_left_out() {
        let mut table = TextTable::new(&["A", "B", "C"]);
        table.row(["1".to_owned(), String::new(), String::new()]);
        table.drop_empty(&["A", "B"]);
        assert_eq!(table.to_string(), "A  C\n1  -\n");
    }

    #[test]
    fn a_column_is_cut_to_what_fits() {
        let mut table = TextTable::new(&["NAME", "COUNT"]);
        table.row(["日本語日本語日本語".to_owned(), "1".to_owned()]);
        table.row(["e\u{301}".repeat(500), "2".to_owned()]);
        table.row(["short".to_owned(), "3".to_owned()]);
        table.fit("COUNT", 17);
        table.fit("NAME", 17);
        table.fit("OTHER", 17);
        let text = table.to_string();
        assert!(
            text.starts_with("NAME        COUNT\n日本語日…   1\n"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.width() <= 17), "{text}");
        assert!(text.ends_with("short       3\n"), "{text}");
    }

    #[test]
    fn names_that_are_cut_stay_different() {
        let names = [
            "mcp__linear-server__list_project_updates",
            "mcp__linear-server__list_project_members",
            "mcp__linear-server__list_project_labels",
            "mcp__linear-server__list_issues",
            "Bash",
        ];
        for width in [16, 20, 24, 40] {
            let mut table = TextTable::new(&["TOOL", "CALLS"]);
            for name in names {
                table.row([name.to_owned(), "1".to_owned()]);
            }
            table.fit("TOOL", width);
            let text = table.to_string();
            let shown: std::collections::BTreeSet<&str> = text
                .lines()
                .filter_map(|line| line.split_whitespace().next())
                .collect();
            assert_eq!(shown.len(), names.len() + 1, "{text}");
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
        }
    }

    #[test]
    fn a_table_gets_narrower_step_by_step() {
        let steps = [
            Squeeze::Cut("ROOT", 8),
            Squeeze::Ids("SESSION"),
            Squeeze::Drop("ROOT"),
            Squeeze::Cut("TITLE", 4),
        ];
        let squeezed = |width| {
            let mut table = TextTable::new(&["SESSION", "TITLE", "ROOT"]);
            let row = |id: &str, title: &str| [id, title, "/home/dev/shop"].map(str::to_owned);
            table.row(row("65dd02b6-7134", "webhook hunt"));
            table.row(row("65dd02b6-9999", "日本語日本語"));
            table.squeeze(width, &steps)
        };
        assert_eq!(
            squeezed(43),
            "SESSION        TITLE         ROOT\n\
             65dd02b6-7134  webhook hunt  /home/dev/shop\n\
             65dd02b6-9999  日本語日本語  /home/dev/shop\n"
        );
        assert!(squeezed(42).contains("  /home/dev/sh…\n"));
        assert!(squeezed(37).contains("65dd02b6-7134  webhook hunt  /home/d…\n"));
        assert!(squeezed(36).contains("65dd02b6-7  webhook hunt  /home/d…\n"));
        assert!(squeezed(33).contains("65dd02b6-7  webhook hunt\n"));
        assert!(squeezed(20).contains("65dd02b6-7  webhook…\n65dd02b6-9  日本語…\n"));
        for width in 1..60 {
            let text = squeezed(width);
            assert!(
                text.lines().all(|line| line.width() <= width),
                "{width}: {text}"
            );
        }
    }

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let mut table = TextTable::new(&["NAME", "WHAT"]);
        table.row(["日本".to_owned(), "a\nb".to_owned()]);
        table.row(["x".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "NAME  WHAT\n日本  a\\u{a}b\nx     -\n");
    }
}
