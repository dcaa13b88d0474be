//! Plain tables: columns as wide as their widest cell, two spaces between, no lines, so that `awk` reads them, too.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::model::text::escaped;

/// What stands for nothing.
const EMPTY: &str = "-";

/// A table with a heading.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heading: &[&str]) -> Self {
        Self {
            rows: vec![heading.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    /// Adds a row. Text of strangers is made one safe line here.
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

    /// Leaves out those of these columns in which no row has anything.
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
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let padding = width.saturating_sub(cell.width()) + 2;
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
        let mut table = Table::new(&["A", "B", "C"]);
        table.row(["1".to_owned(), String::new(), String::new()]);
        table.drop_empty(&["A", "B"]);
        assert_eq!(table.to_string(), "A  C\n1  -\n");
    }

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let mut table = Table::new(&["NAME", "WHAT"]);
        table.row(["日本".to_owned(), "a\nb".to_owned()]);
        table.row(["x".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "NAME  WHAT\n日本  a\\u{a}b\nx     -\n");
    }
}
