//! Makes text from strangers (names, labels, paths) safe for one line of a terminal, and repairs
//! texts that were cut.

use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Returns `text` on one line of at most `max` characters. Control characters, line separators and
/// characters that reorder or hide text become spaces. Runs of white space become one space. A text
/// that was cut ends in `…`.
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

/// Escapes every character of `text` that could move a cursor, or reorder or hide text.
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

/// Escapes a text of several lines as [`escaped`] does, and keeps the line breaks.
pub fn escaped_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(escaped).collect();
    lines.join("\n")
}

/// Replaces every character of a JSON text that could move a cursor, or reorder or hide text, by
/// JSON's own escape. Programs read the same values. Line breaks and tabs stay, because in JSON
/// they occur only between values.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    let is_raw = |c: char| is_hostile(c) && !matches!(c, '\n' | '\t');
    if !json.contains(is_raw) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_raw(c) {
            for half in c.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{half:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Quotes a word for a person to paste into a shell, if it needs quotes. A shell reads back exactly
/// these bytes.
///
/// Bytes that are not UTF-8, and characters that could move a cursor, or reorder or hide text, are
/// written as escapes within `$'…'`. Bash, zsh and ksh read these, and POSIX has them since
/// 2024. In single quotes, such characters would act on the terminal that shows them.
pub fn shell_word(word: &[u8]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    let text = std::str::from_utf8(word).ok();
    match text.filter(|text| !text.contains(is_hostile)) {
        // Zsh looks up a program for a word that begins with `=`.
        Some(text) if !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain) => {
            text.to_owned()
        }
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        None => {
            let mut quoted = String::from("$'");
            for chunk in word.utf8_chunks() {
                for c in chunk.valid().chars() {
                    // A shell that looks for `!` and quotes before it reads escapes finds none.
                    match is_hostile(c) || matches!(c, '\\' | '\'' | '!') {
                        true => add_octal(&mut quoted, c.encode_utf8(&mut [0; 4]).as_bytes()),
                        false => quoted.push(c),
                    }
                }
                add_octal(&mut quoted, chunk.invalid());
            }
            quoted + "'"
        }
    }
}

fn add_octal(quoted: &mut String, bytes: &[u8]) {
    for byte in bytes {
        quoted.push_str(&format!("\\{byte:03o}"));
    }
}

/// Returns `text` without its last word, but drops at most 256 bytes. The last word of a text that
/// was cut may be half of a secret, too short to be recognised.
pub fn without_last_word(text: &str) -> &str {
    const LONGEST: usize = 256;
    let least = text.ceil_char_boundary(text.len().saturating_sub(LONGEST));
    let end = text
        .rfind(char::is_whitespace)
        .map_or(0, |blank| text.ceil_char_boundary(blank + 1));
    text.get(..end.max(least)).unwrap_or_default()
}

/// Replaces each escape of half a surrogate pair in a JSON text by U+FFFD. Claude Code writes such
/// escapes when it cuts a text. The length stays the same.
pub fn without_lone_surrogates(json: &str) -> Cow<'_, str> {
    let mut mended = Cow::Borrowed(json);
    let mut at = 0;
    while let Some(rest) = json.get(at..)
        && let Some(backslash) = rest.find('\\')
    {
        at += backslash;
        let escape = |at: usize| {
            let digits = json.get(at..)?.strip_prefix("\\u")?.get(..4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        match (escape(at), escape(at + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => at += 12,
            (Some(0xd800..0xe000), _) => {
                mended.to_mut().replace_range(at..at + 6, "\\ufffd");
                at += 6;
            }
            _ => at += 2,
        }
    }
    mended
}

/// Returns true for C0, DEL, C1, line and paragraph separators, annotations, and Unicode's default
/// ignorable characters, which reorder text or stay invisible. Only the two variation selectors
/// that emoji need are allowed.
fn is_hostile(c: char) -> bool {
    const UNSEEN: [RangeInclusive<char>; 17] = [
        '\u{ad}'..='\u{ad}',
        '\u{34f}'..='\u{34f}',
        '\u{61c}'..='\u{61c}',
        '\u{115f}'..='\u{1160}',
        '\u{17b4}'..='\u{17b5}',
        '\u{180b}'..='\u{180f}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{3164}'..='\u{3164}',
        '\u{fe00}'..='\u{fe0d}',
        '\u{feff}'..='\u{feff}',
        '\u{ffa0}'..='\u{ffa0}',
        '\u{fff0}'..='\u{fffb}',
        '\u{1bca0}'..='\u{1bca3}',
        '\u{1d173}'..='\u{1d17a}',
        '\u{e0000}'..='\u{e0fff}',
    ];
    c.is_control() || c >= '\u{ad}' && UNSEEN.iter().any(|range| range.contains(&c))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_for_a_shell_is_quoted_only_as_far_as_it_must_be() {
        let check = |word: &[u8], expected: &str| assert_eq!(shell_word(word), expected);
        check(b"/home/dev/a-b_c", "/home/dev/a-b_c");
        check(b"", "''");
        check(b"=x", "'=x'");
        check("it's größe".as_bytes(), r"'it'\''s größe'");
        check(b"a\x1b[2J!'\\b", r"$'a\033[2J\041\047\134b'");
        check("\u{202e}y\u{9b}".as_bytes(), r"$'\342\200\256y\302\233'");
        check(b"\xff0\n", r"$'\3770\012'");
    }

    #[test]
    fn bash_reads_back_the_bytes_of_a_word() {
        // Not the byte 0, which no word has.
        let all: Vec<u8> = (1..=255).collect();
        let odd = "a'b\\'\u{202e}0!1\u{85}$(id)`id`\n ".as_bytes();
        for word in [&all[..], odd, b"\x9b7", b"plain", b"'$x'"] {
            let script = format!("printf %s {}", shell_word(word));
            for shell in ["bash", "zsh"] {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the shell says how it reads the quotes"
                )]
                let output = Command::new(shell).args(["-c", &script]).output();
                if let Ok(output) = output {
                    assert_eq!(output.stdout, word, "{shell} {script}");
                }
            }
        }
    }

    #[test]
    fn json_keeps_its_meaning_and_moves_no_cursor() {
        let said = "a\u{9b}2J\u{7f}\u{202e}\u{200b}\u{feff}\u{e0041}\n\té\u{1f600}";
        let json = serde_json::to_string(said).unwrap();
        let safe = escaped_json(&json);
        assert_eq!(
            safe,
            r#""a\u009b2J\u007f\u202e\u200b\ufeff\udb40\udc41\n\té😀""#
        );
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), said);
        assert_eq!(escaped_json("{\n\t\"a\": 1\n}\n"), "{\n\t\"a\": 1\n}\n");
    }

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

    #[test]
    fn invisible_characters_are_made_visible() {
        let unseen = [
            '\u{ad}',
            '\u{115f}',
            '\u{1160}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{180b}',
            '\u{200b}',
            '\u{fe00}',
            '\u{fe0d}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{fff9}',
        ];
        for c in unseen {
            let text = format!("a{c}b");
            assert_eq!(escaped(&text), format!("a{}b", c.escape_unicode()));
            assert_eq!(one_line(&text, 80), "a b");
        }
        for text in ["☝️🏽", "❤️", "☎︎", "🇩🇪", "한글", "ﾊﾝｸﾞﾙ", "ﷺ", "e\u{301}"]
        {
            assert_eq!(escaped(text), text);
        }
    }

    #[test]
    fn a_cut_text_loses_its_last_word() {
        assert_eq!(without_last_word("use ghp_abc"), "use ");
        assert_eq!(without_last_word("use it "), "use it ");
        assert_eq!(without_last_word("größe"), "");
        assert_eq!(without_last_word("größe\u{2003}日本"), "größe\u{2003}");
        assert_eq!(without_last_word(&"日".repeat(100)), "日".repeat(15));
    }

    #[test]
    fn half_characters_become_the_replacement_character() {
        for (json, whole) in [
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#""\ud83d\ude00\ude00\n""#, r#""\ud83d\ude00\ufffd\n""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
        ] {
            assert_eq!(without_lone_surrogates(json), whole);
            serde_json::from_str::<String>(whole).unwrap();
        }
    }

    proptest! {
        #[test]
        fn any_json_text_becomes_readable(units in proptest::collection::vec(any::<u16>(), 0..20)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{escaped}\"");
            let text: String = serde_json::from_str(&without_lone_surrogates(&json)).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }

        #[test]
        fn nothing_hostile_is_left(text in any::<String>(), max in 1usize..60) {
            let line = one_line(&text, max);
            prop_assert!(line.chars().count() <= max);
            prop_assert!(!line.chars().any(is_hostile));
            prop_assert!(!escaped(&text).chars().any(is_hostile));
        }
    }
}
