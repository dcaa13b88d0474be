//! Patterns for the directories that are never recorded, as the setting `exclude` lists them.
//!
//! A pattern covers the directory that it names and everything below it. `~` at its beginning is
//! the home directory, `*` any text within one name, `?` one character of a name, and `**` any
//! number of directories, including none.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::config::BadValue;

/// The text that stands for an empty list of patterns.
const NONE: &str = "none";
/// Separates the patterns of a list in one text, as in the environment.
const SEPARATOR: char = ':';

const RELATIVE: &str = "a pattern for a directory: begin it with `/`, `~/` or `**/`";
const DOTS: &str = "a pattern for a directory: write it without `.` and `..`";
const STARS: &str = "a pattern for a directory: `**` must stand alone between two `/`";
const BRACKETS: &str = "a pattern for a directory: only `*`, `**` and `?` have a meaning, so write `?` for a bracket, a brace or a backslash";
const EMPTY: &str = "a pattern for a directory, such as `~/clients/**`";
const LIST: &str = "a list of patterns, such as [\"~/clients/**\"]";

/// The patterns of the setting `exclude`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exclusions {
    patterns: Vec<ExcludePattern>,
    /// True if the setting could not be read, so that the patterns are unknown.
    is_unknown: bool,
}

/// A pattern for directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludePattern {
    text: String,
    is_below_home: bool,
    /// The names before the first one with a wildcard.
    beginning: Vec<String>,
    rest: Vec<Step>,
}

/// What one component of a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Any number of directories.
    AnyDepth,
    /// One directory, by a name that may contain `*` and `?`.
    Name(String),
}

impl Exclusions {
    /// Parses patterns separated by colons, or `none`. Write `?` for a colon in a path.
    ///
    /// # Errors
    /// Returns a [`BadValue`] that names the first invalid pattern.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        if text.trim() == NONE {
            return Ok(Self::default());
        }
        let patterns = text.split(SEPARATOR).filter(|text| !text.trim().is_empty());
        Self::of(patterns)
    }

    /// Parses a list of patterns.
    ///
    /// # Errors
    /// Returns a [`BadValue`] that names the first invalid pattern.
    pub fn of<'t>(patterns: impl IntoIterator<Item = &'t str>) -> Result<Self, BadValue> {
        let patterns = patterns.into_iter().map(ExcludePattern::parse);
        Ok(Self {
            patterns: patterns.collect::<Result<_, _>>()?,
            is_unknown: false,
        })
    }

    /// Returns the value for a setting that could not be read.
    pub fn unknown() -> Self {
        Self {
            patterns: Vec::new(),
            is_unknown: true,
        }
    }

    /// Returns the error for a value of the configuration file that is not a list of texts.
    pub fn not_a_list(value: &str) -> BadValue {
        bad(value, LIST)
    }

    /// Returns true if it is unknown what the user wants to exclude.
    pub fn is_unknown(&self) -> bool {
        self.is_unknown
    }

    /// Returns the patterns in the order in which they were written.
    pub fn patterns(&self) -> &[ExcludePattern] {
        &self.patterns
    }

    /// Returns the text that [`Self::parse`] reads, with `?` for a colon.
    pub fn text(&self) -> String {
        if self.patterns.is_empty() {
            return NONE.to_owned();
        }
        let texts = self.patterns.iter().map(ExcludePattern::text);
        let texts: Vec<String> = texts.map(|text| text.replace(SEPARATOR, "?")).collect();
        texts.join(":")
    }
}

impl ExcludePattern {
    fn parse(text: &str) -> Result<Self, BadValue> {
        let text = text.trim();
        let (is_below_home, path) = match text.strip_prefix('~') {
            Some(path) => (true, path),
            None => (false, text),
        };
        let is_anchored = path.starts_with('/') || (is_below_home && path.is_empty());
        let is_anywhere = !is_below_home && (text == "**" || text.starts_with("**/"));
        match () {
            () if text.is_empty() => return Err(bad(text, EMPTY)),
            () if !is_anchored && !is_anywhere => return Err(bad(text, RELATIVE)),
            () if text.contains(['[', ']', '{', '}', '\\', '\0']) => {
                return Err(bad(text, BRACKETS));
            }
            () => {}
        }
        let mut beginning = Vec::new();
        let mut rest = Vec::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match name {
                "." | ".." => return Err(bad(text, DOTS)),
                "**" => rest.push(Step::AnyDepth),
                name if name.contains("**") => return Err(bad(text, STARS)),
                name if rest.is_empty() && !name.contains(['*', '?']) => {
                    beginning.push(name.to_owned());
                }
                name => rest.push(Step::Name(name.to_owned())),
            }
        }
        Ok(Self {
            text: text.to_owned(),
            is_below_home,
            beginning,
            rest,
        })
    }

    /// Returns the pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the directory before the first wildcard, or `None` if it is below a home directory that
    /// is unknown.
    pub fn beginning(&self, home: Option<&Path>) -> Option<PathBuf> {
        let mut dir = match self.is_below_home {
            true => home?.to_owned(),
            false => PathBuf::from("/"),
        };
        dir.extend(&self.beginning);
        Some(dir)
    }

    /// Returns true if the pattern covers `dir`, an absolute path without `.` and `..`. `beginning`
    /// is the path of [`Self::beginning`] with symbolic links resolved.
    pub fn covers(&self, beginning: &Path, dir: &Path) -> bool {
        let Ok(below) = dir.strip_prefix(beginning) else {
            return false;
        };
        // For each step, whether it may match the next name. The last entry means that all steps
        // matched.
        let mut next = vec![false; self.rest.len() + 1];
        if let Some(first) = next.first_mut() {
            *first = true;
        }
        self.pass_any_depth(&mut next);
        for name in below.components() {
            if next.last() == Some(&true) {
                return true;
            }
            let Component::Normal(name) = name else {
                return false;
            };
            next = self.after(&next, name);
        }
        next.last() == Some(&true)
    }

    /// Returns the steps that may match next, after the directory `name`.
    fn after(&self, next: &[bool], name: &OsStr) -> Vec<bool> {
        let mut after = vec![false; next.len()];
        for (at, step) in self.rest.iter().enumerate() {
            if next.get(at) != Some(&true) {
                continue;
            }
            let reached = match step {
                Step::AnyDepth => at,
                Step::Name(glob) if is_match(glob, &name.to_string_lossy()) => at + 1,
                Step::Name(_) => continue,
            };
            if let Some(reached) = after.get_mut(reached) {
                *reached = true;
            }
        }
        self.pass_any_depth(&mut after);
        after
    }

    /// Marks the step after each `**` that may come next, because `**` may also match no directory
    /// at all.
    fn pass_any_depth(&self, next: &mut [bool]) {
        for (at, step) in self.rest.iter().enumerate() {
            if *step == Step::AnyDepth
                && next.get(at) == Some(&true)
                && let Some(after) = next.get_mut(at + 1)
            {
                *after = true;
            }
        }
    }
}

fn bad(value: &str, expected: &'static str) -> BadValue {
    BadValue {
        value: value.to_owned(),
        expected,
    }
}

/// Returns true if `name` matches `glob`. The time is at most proportional to the product of the
/// two lengths.
fn is_match(glob: &str, name: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut g, mut n) = (0, 0);
    // The position in the glob after the last `*`, and the position in the name after the text that
    // this `*` matches so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = name.get(n) {
        match glob.get(g) {
            Some('*') => {
                star = Some((g + 1, n));
                g += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == c => {
                g += 1;
                n += 1;
            }
            _ => {
                let Some((after, taken)) = star else {
                    return false;
                };
                star = Some((after, taken + 1));
                g = after;
                n = taken + 1;
            }
        }
    }
    glob.iter().skip(g).all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, dir: &str, expected: bool) {
        let exclusions = Exclusions::of([pattern]).unwrap();
        let pattern = &exclusions.patterns()[0];
        let beginning = pattern.beginning(Some(Path::new("/home/dev"))).unwrap();
        let covers = pattern.covers(&beginning, Path::new(dir));
        assert_eq!(covers, expected, "{} {dir}", pattern.text());
    }

    #[test]
    fn a_pattern_covers_what_it_names_and_everything_below() {
        check("~/clients/**", "/home/dev/clients/acme", true);
        check("~/clients/**", "/home/dev/clients/acme/site/src", true);
        check("~/clients/**", "/home/dev/clients", true);
        check("~/clients/**", "/home/dev/clients2/acme", false);
        check("~/clients/**", "/home/other/clients/acme", false);
        check("~/clients", "/home/dev/clients/acme", true);
        check("~/clients/", "/home/dev/clients/acme", true);
        check("/srv/a", "/srv/ab", false);
        check("~", "/home/dev/shop", true);
        check("/", "/anything", true);
        check("**", "/anything", true);
    }

    #[test]
    fn a_star_stays_within_a_name_and_two_do_not() {
        check("/srv/*/secret", "/srv/a/secret/x", true);
        check("/srv/*/secret", "/srv/a/b/secret", false);
        check("/srv/**/secret", "/srv/a/b/secret", true);
        check("/srv/**/secret", "/srv/secret", true);
        check("/srv/**/secret", "/srv/a/b", false);
        check("**/*-private", "/home/dev/shop-private", true);
        check("**/*-private", "/home/dev/shop-private-not", false);
        check("**/a/**/b", "/x/a/y/a/z/b", true);
        check("/srv/v?", "/srv/v1", true);
        check("/srv/v?", "/srv/v", false);
        check("/srv/v?", "/srv/v12", false);
        check("/srv/gr??e", "/srv/größe", true);
        check("/srv/a*b*c", "/srv/aXbYbZc", true);
        check("/srv/a*b*c", "/srv/aXbYbZ", false);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, expected) in [
            ("clients/**", RELATIVE),
            ("~other/x", RELATIVE),
            ("!/srv/x", RELATIVE),
            ("~/a/../b", DOTS),
            ("~/a**", STARS),
            ("/srv/[ab]", BRACKETS),
            ("/srv/{a,b}", BRACKETS),
            ("/srv/\\*", BRACKETS),
            ("", EMPTY),
        ] {
            let refused = Exclusions::of([text]).unwrap_err();
            assert_eq!(refused.expected, expected, "{text}");
        }
    }

    #[test]
    fn a_list_in_one_text_is_separated_by_colons() {
        let list = Exclusions::parse("~/a: /srv/b:").unwrap();
        assert_eq!(list.text(), "~/a:/srv/b");
        assert_eq!(Exclusions::parse("").unwrap(), Exclusions::default());
        assert!(Exclusions::parse("~/a:b").is_err());
    }

    #[test]
    fn below_an_unknown_home_nothing_is_known() {
        let list = Exclusions::of(["~/a", "/b"]).unwrap();
        let known = list.patterns().iter().map(|one| one.beginning(None));
        assert_eq!(known.collect::<Vec<_>>(), [None, Some("/b".into())]);
    }

    /// The rule itself, without regard to time.
    fn slowly(rest: &[&str], names: &[&str]) -> bool {
        match (rest.split_first(), names.split_first()) {
            (None, _) => true,
            (Some((&"**", rest)), None) => slowly(rest, names),
            (Some((&"**", after)), Some((_, below))) => slowly(after, names) || slowly(rest, below),
            (Some(_), None) => false,
            (Some((glob, rest)), Some((name, below))) => {
                is_match(glob, name) && slowly(rest, below)
            }
        }
    }

    proptest! {
        #[test]
        fn a_pattern_covers_what_the_rule_says(
            pattern in proptest::collection::vec(prop_oneof![Just("**"), Just("a"), Just("b*"), Just("?")], 0..5),
            dir in proptest::collection::vec(prop_oneof![Just("a"), Just("b"), Just("bc")], 0..6),
        ) {
            let text = format!("/{}", pattern.join("/"));
            let path = format!("/{}", dir.join("/"));
            let list = Exclusions::of([text.as_str()]).unwrap();
            let one = &list.patterns()[0];
            let covers = one.covers(&one.beginning(None).unwrap(), Path::new(&path));
            prop_assert_eq!(covers, slowly(&pattern, &dir));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), dir in any::<String>()) {
            if let Ok(list) = Exclusions::parse(&text) {
                for pattern in list.patterns() {
                    if let Some(beginning) = pattern.beginning(Some(Path::new("/h"))) {
                        pattern.covers(&beginning, Path::new(&dir));
                    }
                }
                prop_assert_eq!(Exclusions::parse(&list.text()).unwrap().patterns().len(), list.patterns().len());
            }
        }
    }
}
