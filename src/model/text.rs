//! Text from strangers (names, labels, paths), made safe for one line of a terminal.

/// `text` on one line of at most `max` characters: control characters, line separators and the characters that
/// reorder or hide text become spaces, runs of white space one space; what is cut off ends in `…`.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    let words = text
        .split(|c: char| c.is_whitespace() || is_hostile(c))
        .filter(|word| !word.is_empty());
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().nth(max).is_some() {
            let kept: String = line.chars().take(max.saturating_sub(1)).collect();
            return format!("{}…", kept.trim_end());
        }
    }
    line
}

/// `text` with every character escaped that could move a cursor, reorder or hide text.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// C0, DEL, C1, line and paragraph separators, zero-width and bidirectional controls.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_label_is_one_bounded_line() {
        assert_eq!(one_line("  List\n\tfiles  ", 80), "List files");
        assert_eq!(one_line("\u{1b}[2Jgone\u{202e}evil", 80), "[2Jgone evil");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("ab cdef", 5), "ab c…");
        assert_eq!(one_line("ab cdef", 4), "ab…");
        assert_eq!(one_line("abcd ef", 4), "abc…");
        assert_eq!(one_line("", 4), "");
    }

    #[test]
    fn escapes_show_what_was_there() {
        assert_eq!(escaped("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(escaped("größe 日本"), "größe 日本");
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left(text in any::<String>(), max in 1usize..60) {
            let line = one_line(&text, max);
            prop_assert!(line.chars().count() <= max);
            prop_assert!(!line.chars().any(is_hostile));
            prop_assert!(!escaped(&text).chars().any(is_hostile));
        }
    }
}
