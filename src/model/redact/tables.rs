//! Remembers which columns of a table have a heading that announces secrets, in a table drawn with
//! `|` or in a file of separated values.
//!
//! This module counts separators and words as the pass reports them. It does not judge the content
//! of cells.

use super::View;
use super::names::SecretKind;

/// The sign between the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Separator {
    Comma,
    Semicolon,
    Tab,
    Bar,
}

const SEPARATORS: usize = 4;
/// The length of the longest cell that is read, in bytes.
const LONGEST: usize = 512;

impl Separator {
    fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Bar => b'|',
        }
    }

    pub(super) fn of(byte: u8) -> Option<Self> {
        match byte {
            b',' => Some(Self::Comma),
            b';' => Some(Self::Semicolon),
            b'\t' => Some(Self::Tab),
            b'|' => Some(Self::Bar),
            _ => None,
        }
    }

    /// Returns the end of the cell that begins at `start`, if the view contains that end.
    pub(super) fn cell_end(self, view: View<'_>, start: usize) -> Option<usize> {
        let bytes = view.bytes();
        let rest = bytes.get(start..)?;
        let separator = self.byte();
        let ends = |(at, byte): &(usize, &u8)| {
            **byte == separator
                || matches!(**byte, b'\n' | b'\r')
                || **byte == b'\\' && matches!(rest.get(at + 1), Some(b'n' | b'r'))
        };
        let end = rest.iter().take(LONGEST).enumerate().find(ends);
        let end = match end {
            Some((at, _)) => at,
            None if rest.len() < LONGEST && !view.is_cut => rest.len(),
            None => return None,
        };
        let cell = rest.get(..end)?;
        Some(start + cell.trim_ascii_end().len())
    }
}

/// A heading line with at least one name that announces a secret.
#[derive(Debug, Clone, Copy)]
struct Heading {
    separator: Separator,
    /// The kind of secret that the heading of each of the first [`COLUMNS`] columns announces.
    tellings: [Option<SecretKind>; COLUMNS],
    /// Whether a name has several words, so that the line may be no heading.
    is_wide: bool,
}

/// How many columns of a table are examined at most.
const COLUMNS: usize = 32;

/// A cell that contains just a name that announces a secret, so that it may belong to a heading.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadingCell {
    separator: Separator,
    /// True if it is the first cell of its line.
    is_first: bool,
    /// Whether it has several words.
    is_wide: bool,
}

impl HeadingCell {
    /// Returns the cell that contains just the name which ends at `end`. Returns `None` if the cell
    /// contains more. `before` are the bytes before the name.
    pub(super) fn at(
        view: View<'_>,
        before: &[u8],
        end: usize,
        telling: SecretKind,
    ) -> Option<Self> {
        if matches!(
            telling,
            SecretKind::Authorization
                | SecretKind::Cookie
                | SecretKind::Hardly
                | SecretKind::Several
        ) {
            return None;
        }
        let is_gap = |b: &u8| matches!(b, b' ' | b'"' | b'\'');
        let rest = view.bytes().get(end..).unwrap_or_default();
        let right = rest.iter().take(64).copied().find(|b| !is_gap(b));
        let of_right = right.and_then(Separator::of);
        let is_last = match right {
            None => !view.is_cut,
            Some(right) => matches!(right, b'\n' | b'\r' | b'\\'),
        };
        if of_right.is_none() && !is_last {
            return None;
        }
        // The name may have several words.
        let is_part =
            |b: &&u8| is_gap(b) || b.is_ascii_alphanumeric() || matches!(**b, b'_' | b'-' | b'.');
        let words = before.iter().rev().take_while(is_part).count();
        let left = before.iter().rev().copied().nth(words);
        let is_wide = before
            .get(before.len() - words..)
            .is_some_and(|words| words.iter().any(|b| !is_gap(b)));
        let of_left = left.and_then(Separator::of);
        let separator = of_right.or(of_left)?;
        let begins = matches!(left, None | Some(b'\n' | b'\\')) || of_left == Some(separator);
        begins.then_some(Self {
            separator,
            is_first: of_left.is_none(),
            is_wide,
        })
    }
}

/// A table whose heading was read and whose rows follow.
#[derive(Debug, Clone, Copy)]
struct ColumnTable {
    heading: Heading,
    columns: u16,
    /// True if the rows may begin: the line between heading and rows was read, or the table needs
    /// none.
    is_divided: bool,
}

/// The counts of the current line, and the table that the line may belong to.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    counts: [u16; SEPARATORS],
    words: u16,
    /// True if the line contains something that a heading never contains.
    is_other: bool,
    heading: Option<Heading>,
    table: Option<ColumnTable>,
    /// The table that begins with the next line.
    next: Option<ColumnTable>,
}

impl Tables {
    pub(super) fn word(&mut self) {
        self.words = self.words.saturating_add(1);
    }

    pub(super) fn secret(&mut self) {
        self.is_other = true;
        self.words = self.words.saturating_add(1);
    }

    /// Returns whether the line belongs to a table or may be its heading.
    pub(super) fn is_active(&self) -> bool {
        self.heading.is_some() || self.table.is_some() || self.next.is_some()
    }

    pub(super) fn separator(&mut self, separator: Separator) {
        if let Some(count) = self.counts.get_mut(separator as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Records the kind of secret that a cell of a heading announces.
    pub(super) fn telling(&mut self, cell: HeadingCell, telling: SecretKind) {
        let separator = cell.separator;
        if self.is_other || cell.is_first && self.words > 0 && !cell.is_wide {
            return;
        }
        let column = self
            .counts
            .get(separator as usize)
            .copied()
            .unwrap_or_default();
        let heading = self.heading.get_or_insert(Heading {
            separator,
            tellings: [None; COLUMNS],
            is_wide: false,
        });
        heading.is_wide |= cell.is_wide;
        if heading.separator == separator
            && let Some(place) = heading.tellings.get_mut(usize::from(column))
        {
            *place = Some(telling);
        }
    }

    /// Notes the columns of the rows that follow the line, separated by tabs.
    pub(super) fn copy(&mut self, tellings: [Option<SecretKind>; COLUMNS], columns: usize) {
        self.next = Some(ColumnTable {
            heading: Heading {
                separator: Separator::Tab,
                tellings,
                is_wide: false,
            },
            columns: u16::try_from(columns.saturating_sub(1)).unwrap_or(u16::MAX),
            is_divided: true,
        });
    }

    /// Returns the kind of secret in the cell that begins where the pass is, if the cell's heading
    /// announces one.
    #[inline]
    pub(super) fn cell(&self) -> Option<(SecretKind, Separator, bool)> {
        let table = self.table.as_ref().filter(|table| table.is_divided)?;
        let separator = table.heading.separator;
        let column = self.counts.get(separator as usize)?;
        let telling = table
            .heading
            .tellings
            .get(usize::from(*column))
            .copied()??;
        Some((telling, separator, table.heading.is_wide))
    }

    pub(super) fn begin_line(&mut self) {
        self.counts = [0; SEPARATORS];
        self.words = 0;
        self.is_other = false;
        self.heading = None;
    }

    /// Ends the current line. `line` is its text.
    pub(super) fn end_line(&mut self, line: &[u8]) {
        self.judge_line(line);
        self.begin_line();
    }

    fn judge_line(&mut self, line: &[u8]) {
        const LONGEST_HEADING: usize = 1024;
        if let Some(next) = self.next.take() {
            self.table = Some(next);
            return;
        }
        let count = |separator: Separator| {
            self.counts
                .get(separator as usize)
                .copied()
                .unwrap_or_default()
        };
        if let Some(heading) = self.heading {
            let columns = count(heading.separator);
            let separator = heading.separator.byte();
            let is_cell = |b: &u8| {
                b.is_ascii_alphanumeric()
                    || !b.is_ascii()
                    || *b == separator
                    || matches!(
                        b,
                        b'_' | b'-' | b'.' | b' ' | b'"' | b'\'' | b'\n' | b'\r' | b'\\'
                    )
            };
            // Outside tables drawn with `|`, a cell of a heading is one word.
            let is_bare = separator == b'|' && line.first() != Some(&b'|') && !line.contains(&b' ');
            // Such a line may be no heading. A heading has no numbers.
            let is_doubtful = heading.is_wide || is_bare;
            let ends = line.trim_ascii_end().ends_with(&[separator]) && separator != b'|';
            if is_doubtful && (ends || line.iter().any(|b| b.is_ascii_digit() || *b == b'.')) {
                self.table = None;
                return;
            }
            let fits = separator == b'|' && !is_bare
                || self.words == columns + 1
                || heading.is_wide && !is_bare && self.words <= 4 * (columns + 1);
            let heading = Heading {
                is_wide: heading.is_wide || is_bare,
                ..heading
            };
            if !self.is_other
                && columns > 0
                && fits
                && line.len() <= LONGEST_HEADING
                && line.iter().all(is_cell)
            {
                self.table = Some(ColumnTable {
                    heading,
                    columns,
                    is_divided: separator != b'|' || is_bare,
                });
                return;
            }
        }
        let Some(table) = &mut self.table else {
            return;
        };
        let separator = table.heading.separator;
        let columns = self
            .counts
            .get(separator as usize)
            .copied()
            .unwrap_or_default();
        let is_border = line.len() <= LONGEST_HEADING
            && line
                .iter()
                .all(|b| matches!(b, b'-' | b'+' | b'|' | b':' | b'=' | b' ' | b'\n' | b'\r'));
        if separator == Separator::Bar && is_border && line.len() > 2 {
            table.is_divided = true;
        } else if columns != table.columns || !table.is_divided {
            self.table = None;
        }
    }
}
