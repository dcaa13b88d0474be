//! Decides from the bytes of a line of JSON whether it can contain a match. Lines that cannot need
//! not be decoded.
//!
//! The filter may pass a line without a match, but never drops a line with one. So it allows for
//! every way to write a text in JSON. A quote and a backslash are always escaped, a slash may be,
//! and any character may be written as `\u` and four digits.

use std::collections::BTreeSet;

use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use memchr::memmem::Finder;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, Hir, HirKind};

/// The most literals that are searched for in place of one pattern. With more literals, the search
/// is slower than decoding.
const MAX_LITERALS: usize = 64;

/// Texts of which each match of a search term contains at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequiredTexts {
    pub(super) texts: Vec<String>,
    pub(super) ignores_case: bool,
}

impl RequiredTexts {
    /// Returns such texts for a regular expression, or `None` if they are unknown.
    pub(super) fn of_regex(hir: &Hir) -> Option<Self> {
        let literals = required(hir)?;
        let text = |literal: Vec<u8>| String::from_utf8(literal).ok();
        Some(Self {
            texts: literals.into_iter().map(text).collect::<Option<_>>()?,
            ignores_case: false,
        })
    }

    /// Returns how many characters the shortest of the texts has.
    pub(super) fn shortest(&self) -> usize {
        let lengths = self.texts.iter().map(|text| text.chars().count());
        lengths.min().unwrap_or_default()
    }

    /// Returns a filter for the lines of JSON that can contain one of the texts. Returns `None` if
    /// any line can.
    pub(super) fn in_json(&self) -> Option<LineFilter> {
        let mut plain = Vec::new();
        let mut units = BTreeSet::new();
        for text in &self.texts {
            let piece = longest_piece(text);
            if piece.is_empty() {
                return None;
            }
            plain.push(regex_syntax::escape(&encoded(piece)));
            for c in piece.chars() {
                units.extend(first_units(c, self.ignores_case)?);
            }
        }
        let case = if self.ignores_case { "i" } else { "-i" };
        let plain = plain.join("|");
        // One search for texts and escapes is hardly slower than a search for the text alone. The
        // pattern for an escape omits its backslash: terminal output has many escapes, which would
        // all begin like it.
        let pattern = format!("(?{case}:{plain})|{}", escapes(&units));
        let mut builder = RegexMatcherBuilder::new();
        builder.line_terminator(Some(b'\n'));
        Some(LineFilter {
            texts: builder.build(&pattern).ok()?,
            slash: units
                .contains(&u16::from(b'/'))
                .then(|| Finder::new(b"\\/")),
        })
    }
}

/// Finds lines of JSON that can contain a text.
#[derive(Debug)]
pub(super) struct LineFilter {
    /// Finds the text in the form with the fewest escapes. Also finds an escape of one of the
    /// text's characters, without the backslash.
    texts: RegexMatcher,
    /// Finds an escaped slash, if the text has a slash.
    slash: Option<Finder<'static>>,
}

impl LineFilter {
    /// Returns true if the line may contain the text.
    pub(super) fn may_be_in(&self, line: &[u8]) -> bool {
        LinePlaces::new(self, line).next_from(0).is_some()
    }

    fn text_from(&self, bytes: &[u8], from: usize) -> Option<usize> {
        // If the matcher fails, the line passes the filter, and its decoded text is searched.
        let found = self.texts.find_at(bytes, from);
        found.map_or(Some(from), |found| found.map(|found| found.start()))
    }

    fn slash_from(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        Some(from + self.slash.as_ref()?.find(rest)?)
    }
}

/// Returns a pattern for the escapes of these UTF-16 units, without the backslash.
fn escapes(units: &BTreeSet<u16>) -> String {
    let escape = |unit: &u16| match unit {
        // The last digit is omitted, so that one literal covers many characters.
        0..128 => format!("u00{:x}", unit >> 4),
        unit => format!("u(?i:{unit:04x})"),
    };
    let escapes: BTreeSet<String> = units.iter().map(escape).collect();
    escapes.into_iter().collect::<Vec<_>>().join("|")
}

/// Finds the positions in a block at which the text may be. There are two kinds, texts and escaped
/// slashes. The next position of a kind is searched only once the last one was passed.
#[derive(Debug)]
pub(super) struct LinePlaces<'a> {
    filter: &'a LineFilter,
    bytes: &'a [u8],
    text: Option<usize>,
    slash: Option<usize>,
}

impl<'a> LinePlaces<'a> {
    pub(super) fn new(filter: &'a LineFilter, bytes: &'a [u8]) -> Self {
        Self {
            filter,
            bytes,
            text: filter.text_from(bytes, 0),
            slash: filter.slash_from(bytes, 0),
        }
    }

    /// Returns the first position at or after `from`. From call to call, `from` must not decrease.
    pub(super) fn next_from(&mut self, from: usize) -> Option<usize> {
        let is_passed = |place: Option<usize>| place.is_some_and(|place| place < from);
        if is_passed(self.text) {
            self.text = self.filter.text_from(self.bytes, from);
        }
        if is_passed(self.slash) {
            self.slash = self.filter.slash_from(self.bytes, from);
        }
        [self.text, self.slash].into_iter().flatten().min()
    }
}

/// Returns the longest part of a text without control characters, because those have several
/// escapes.
fn longest_piece(text: &str) -> &str {
    let pieces = text.split(char::is_control);
    pieces.max_by_key(|piece| piece.len()).unwrap_or_default()
}

/// Returns a text as JSON writes it with the fewest escapes.
fn encoded(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Returns the first UTF-16 unit of the character, and of its other case if `ignores_case`. Returns
/// `None` if the units cannot be known.
fn first_units(c: char, ignores_case: bool) -> Option<Vec<u16>> {
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
    if ignores_case {
        class.try_case_fold_simple().ok()?;
    }
    let variants = class.iter().flat_map(|range| range.start()..=range.end());
    let first = |variant: char| variant.encode_utf16(&mut [0; 2]).first().copied();
    Some(variants.filter_map(first).collect())
}

/// Returns literals of which each match contains at least one, or `None` if there are no such
/// literals.
fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let inner = match hir.kind() {
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Alternation(branches) => {
            let each: Option<Vec<_>> = branches.iter().map(required).collect();
            each.map(|each| each.concat())
        }
        HirKind::Concat(parts) => {
            let starts = (1..parts.len())
                .take(MAX_LITERALS)
                .filter_map(|start| parts.get(start..));
            let within = starts.filter_map(|rest| beginnings(&Hir::concat(rest.to_vec())));
            let each = parts.iter().filter_map(required);
            each.chain(within).max_by_key(|of| quality(of))
        }
        _ => None,
    };
    let beginning = beginnings(hir);
    let both = [inner, beginning].into_iter().flatten();
    both.filter(|literals| literals.len() <= MAX_LITERALS)
        .max_by_key(|of| quality(of))
}

/// Returns literals of which one begins each match, or `None` if there are no such literals.
fn beginnings(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut extractor = Extractor::new();
    extractor.limit_total(MAX_LITERALS);
    let found = extractor.extract(hir);
    let literals = found.literals()?;
    let is_empty = literals.iter().any(|literal| literal.as_bytes().is_empty());
    let bytes = literals.iter().map(|literal| literal.as_bytes().to_vec());
    (!literals.is_empty() && !is_empty).then(|| bytes.collect())
}

/// Returns how good literals are for a search: the longer the shortest literal is, the fewer lines
/// contain one.
fn quality(literals: &[Vec<u8>]) -> usize {
    literals.iter().map(Vec::len).min().unwrap_or_default()
}
