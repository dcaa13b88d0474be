//! What to search for: words that must all be in one message, or regular expressions.

use std::fmt;
use std::ops::Range;

use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use regex_syntax::ast::{self, Ast, ClassSetItem};

use super::literals::{LineFilter, LinePlaces, RequiredTexts};
use crate::model::text::{escaped, one_line};

/// The largest regular expression, by its size in memory after compilation, in bytes. The limit
/// also bounds the search time, which grows with that size.
const MAX_COMPILED: usize = 1 << 20;
/// How deep the groups of a regular expression may be nested.
const MAX_NESTING: u32 = 50;
/// The longest excerpt of a line around a match, in characters.
const MAX_EXCERPT: usize = 240;
/// How many characters of an excerpt may be before the match.
const BEFORE: usize = 80;

/// Why words cannot be searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidQuery {
    /// There is nothing to search for.
    Empty,
    /// The first text is not a regular expression, for the reason in the second.
    Malformed(String, String),
    /// This text is a regular expression that is too large.
    TooLarge(String),
}

impl fmt::Display for InvalidQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |pattern: &str| one_line(&escaped(pattern), 60);
        match self {
            Self::Empty => {
                f.write_str("could not search: a word is empty; give at least one character")
            }
            Self::Malformed(pattern, why) => {
                write!(
                    f,
                    "could not use the regular expression `{}`: {why}",
                    shown(pattern)
                )
            }
            Self::TooLarge(pattern) => write!(
                f,
                "could not use the regular expression `{}`: it is too large; use fewer or smaller repetitions",
                shown(pattern)
            ),
        }
    }
}

impl std::error::Error for InvalidQuery {}

/// Words and regular expressions that must all match in one message.
#[derive(Debug)]
pub struct SearchQuery {
    /// The terms, strongest first by `strength`. `candidates` finds lines by the first term, and
    /// only checks the others.
    terms: Vec<Term>,
}

#[derive(Debug)]
struct Term {
    /// Finds the term in decoded text.
    text: RegexMatcher,
    /// Finds the lines of JSON that can contain the term; `None` if any line can.
    json: Option<LineFilter>,
    /// How well the term narrows the search: the length of the shortest text that a line with a
    /// match must contain, in characters. 0 if no such text is known.
    strength: usize,
}

impl SearchQuery {
    /// Parses the words of a command line. Each word is searched for on its own; white space inside
    /// a word matches any white space. Double quotes around a word are not part of it, because people
    /// type them around a phrase. A word between two slashes is a regular expression. Case matters
    /// for a word that has an upper-case letter.
    ///
    /// # Errors
    /// Returns [`InvalidQuery`] if a word cannot be searched for.
    pub fn parse(words: &[String]) -> Result<Self, InvalidQuery> {
        let mut terms: Vec<Term> = words
            .iter()
            .map(|word| Term::parse(word))
            .collect::<Result<_, _>>()?;
        if terms.is_empty() {
            return Err(InvalidQuery::Empty);
        }
        terms.sort_by_key(|term| std::cmp::Reverse(term.strength));
        Ok(Self { terms })
    }

    /// Returns the query without words, which every text matches. It is for searches that only the
    /// filter restricts.
    pub fn of_everything() -> Self {
        Self { terms: Vec::new() }
    }

    /// Returns true if the query has no words.
    pub fn is_of_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// Returns true if the text contains every term.
    pub fn is_in(&self, text: &str) -> bool {
        self.terms.iter().all(|term| term.first_in(text).is_some())
    }

    /// Returns the ranges of the text that match terms, in order and without overlaps.
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        for term in &self.terms {
            let mut at = 0;
            while let Some(place) = term.first_from(text, at) {
                at = place.end;
                places.push(place);
            }
        }
        places.sort_by_key(|place| (place.start, place.end));
        let mut apart: Vec<Range<usize>> = Vec::new();
        for place in places {
            match apart.last_mut().filter(|last| place.start <= last.end) {
                Some(last) => last.end = last.end.max(place.end),
                None => apart.push(place),
            }
        }
        apart
    }

    /// Returns the line that contains the most terms, safe to show. A long line is cut to the part
    /// around the first match. Without words, it returns the first line that is not blank.
    pub fn excerpt(&self, text: &str) -> String {
        if self.is_of_everything() {
            let mut lines = text.lines().map(str::trim);
            return around(lines.find(|line| !line.is_empty()).unwrap_or_default(), 0);
        }
        let line_at = |place: usize| {
            let start = text.get(..place).and_then(|before| before.rfind('\n'));
            let start = start.map_or(0, |end| end + 1);
            let rest = text.get(start..).unwrap_or_default();
            rest.split('\n').next().unwrap_or_default()
        };
        let places = self.terms.iter().filter_map(|term| term.first_in(text));
        let lines: Vec<&str> = places.map(|place| line_at(place.start)).collect();
        let count = |line: &str| {
            self.terms
                .iter()
                .filter(|term| term.first_in(line).is_some())
                .count()
        };
        let mut best = lines.first().copied().unwrap_or_default();
        for line in lines {
            if count(line) > count(best) {
                best = line;
            }
        }
        around(
            best,
            self.places(best).first().map_or(0, |place| place.start),
        )
    }

    /// Returns true if a text of JSON can contain a message with all terms.
    pub(super) fn may_be_in_json(&self, json: &str) -> bool {
        self.terms
            .iter()
            .all(|term| term.may_be_in(json.as_bytes()))
    }

    /// Calls `line` with each line of `block` that can contain a message with all terms, without
    /// its line break. The block consists of whole lines of JSON.
    pub(super) fn candidates<'b>(&self, block: &'b [u8], mut line: impl FnMut(&'b [u8])) {
        let Some((first, others)) = self.terms.split_first() else {
            return block.split(|byte| *byte == b'\n').for_each(line);
        };
        let mut places = first.json.as_ref().map(|json| LinePlaces::new(json, block));
        let mut at = 0;
        while at < block.len() {
            let found = match &mut places {
                Some(places) => places.next_from(at),
                None => Some(at),
            };
            let Some((before, behind)) = found.and_then(|found| block.split_at_checked(found))
            else {
                return;
            };
            let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
            let end = memchr::memchr(b'\n', behind);
            let end = end.map_or(block.len(), |end| before.len() + end);
            let whole = block.get(start..end).unwrap_or_default();
            if others.iter().all(|term| term.may_be_in(whole)) {
                line(whole);
            }
            at = end + 1;
        }
    }
}

/// Returns the part of a line around `place`, safe to show and at most [`MAX_EXCERPT`] characters
/// long. `…` marks omitted text.
fn around(line: &str, place: usize) -> String {
    let before = line.get(..place).unwrap_or_default();
    let start = match before.char_indices().nth_back(BEFORE) {
        // Begin at a whole word, which is easier to read.
        Some((start, _)) => {
            let kept = before.get(start..).unwrap_or_default();
            start + kept.find(char::is_whitespace).unwrap_or_default()
        }
        None => 0,
    };
    let rest = line.get(start..).unwrap_or_default();
    let bounded = rest
        .char_indices()
        .nth(MAX_EXCERPT * 4)
        .map_or(rest.len(), |(end, _)| end);
    let shown = one_line(rest.get(..bounded).unwrap_or_default(), MAX_EXCERPT);
    match start {
        0 => shown,
        _ => format!("…{shown}"),
    }
}

impl Term {
    fn parse(word: &str) -> Result<Self, InvalidQuery> {
        let quoted = word
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .filter(|phrase| !phrase.trim().is_empty());
        if let Some(phrase) = quoted {
            return Self::of_text(phrase);
        }
        if word.trim().is_empty() {
            return Err(InvalidQuery::Empty);
        }
        let regex = word
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'));
        match regex {
            Some("") => Err(InvalidQuery::Empty),
            Some(regex) => Self::of_regex(regex),
            None => Self::of_text(word),
        }
    }

    fn of_text(word: &str) -> Result<Self, InvalidQuery> {
        let ignores_case = !word.chars().any(char::is_uppercase);
        let pieces: Vec<&str> = word.split_whitespace().collect();
        let longest = pieces
            .iter()
            .max_by_key(|piece| piece.len())
            .copied()
            .unwrap_or_default();
        let pattern: Vec<String> = pieces
            .iter()
            .map(|piece| regex_syntax::escape(piece))
            .collect();
        let required = RequiredTexts {
            texts: vec![longest.to_owned()],
            ignores_case,
        };
        Self::build(word, &pattern.join(r"\s+"), ignores_case, Some(&required))
    }

    fn of_regex(regex: &str) -> Result<Self, InvalidQuery> {
        let malformed = |why: &dyn fmt::Display| {
            InvalidQuery::Malformed(regex.to_owned(), one_line(&why.to_string(), 200))
        };
        let mut parser = ast::parse::ParserBuilder::new();
        let parsed = parser.nest_limit(MAX_NESTING).build().parse(regex);
        let parsed = parsed.map_err(|err| match err.kind() {
            ast::ErrorKind::NestLimitExceeded(_) => InvalidQuery::TooLarge(regex.to_owned()),
            kind => malformed(kind),
        })?;
        let ignores_case = !has_upper_case(&parsed);
        let mut translator = regex_syntax::hir::translate::TranslatorBuilder::new();
        let translator = translator.case_insensitive(ignores_case).multi_line(true);
        let hir = translator.build().translate(regex, &parsed);
        let hir = hir.map_err(|err| malformed(err.kind()))?;
        Self::build(
            regex,
            regex,
            ignores_case,
            RequiredTexts::of_regex(&hir).as_ref(),
        )
    }

    fn build(
        asked: &str,
        pattern: &str,
        ignores_case: bool,
        required: Option<&RequiredTexts>,
    ) -> Result<Self, InvalidQuery> {
        let mut builder = RegexMatcherBuilder::new();
        builder.case_insensitive(ignores_case).multi_line(true);
        builder
            .nest_limit(MAX_NESTING)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(4 * MAX_COMPILED);
        let text = builder.build(pattern);
        Ok(Self {
            text: text.map_err(|_| InvalidQuery::TooLarge(asked.to_owned()))?,
            json: required.and_then(RequiredTexts::in_json),
            strength: required.map_or(0, RequiredTexts::shortest),
        })
    }

    fn first_in(&self, text: &str) -> Option<Range<usize>> {
        self.first_from(text, 0)
    }

    /// Returns the first match from `at` on that is not empty.
    fn first_from(&self, text: &str, mut at: usize) -> Option<Range<usize>> {
        while at <= text.len() {
            let found = self.text.find_at(text.as_bytes(), at).ok()??;
            if !found.is_empty() {
                return Some(found.start()..found.end());
            }
            at = text.ceil_char_boundary(found.end() + 1);
            if found.end() == text.len() {
                break;
            }
        }
        None
    }

    fn may_be_in(&self, line: &[u8]) -> bool {
        self.json.as_ref().is_none_or(|json| json.may_be_in(line))
    }
}

/// Returns true if the pattern contains an upper-case letter. Classes such as `\S` do not count.
fn has_upper_case(pattern: &Ast) -> bool {
    struct UpperCase(bool);
    impl ast::Visitor for UpperCase {
        type Output = bool;
        type Err = ();

        fn finish(self) -> Result<bool, ()> {
            Ok(self.0)
        }

        fn visit_pre(&mut self, part: &Ast) -> Result<(), ()> {
            if let Ast::Literal(literal) = part {
                self.0 |= literal.c.is_uppercase();
            }
            Ok(())
        }

        fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), ()> {
            self.0 |= match item {
                ClassSetItem::Literal(literal) => literal.c.is_uppercase(),
                ClassSetItem::Range(range) => {
                    range.start.c.is_uppercase() || range.end.c.is_uppercase()
                }
                _ => false,
            };
            Ok(())
        }
    }
    ast::visit(pattern, UpperCase(false)).unwrap_or(true)
}

#[cfg(test)]
mod tests;
