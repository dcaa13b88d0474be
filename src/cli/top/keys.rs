//! Turns the bytes that a terminal sends into keys. Pure. No byte sequence is an error: unknown
//! keys are skipped.

/// A key that the board knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    /// Ctrl-U: clears the filter.
    Clear,
    /// Ctrl-L: draws everything again.
    Redraw,
    /// Ctrl-C, where the terminal sends no signal for it.
    Interrupt,
    Char(char),
}

const ESCAPE: u8 = 0x1b;

/// Returns whether the bytes end within a key, so that the rest may still come. A single Esc at the
/// end counts, too: if nothing follows for a moment, it is the Esc key.
pub(super) fn is_unfinished(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((_, after)) = next(rest) {
        if after.is_empty() && is_open(rest) {
            return true;
        }
        rest = after;
    }
    false
}

/// Returns the keys in the bytes.
pub(super) fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some((key, after)) = next(rest) {
        found.extend(key);
        rest = after;
    }
    found
}

/// Returns whether more bytes of the key that begins here may still come.
fn is_open(bytes: &[u8]) -> bool {
    match bytes {
        [ESCAPE] | [ESCAPE, b'O'] => true,
        [ESCAPE, b'[', parameters @ ..] => !parameters.iter().any(|byte| is_final(*byte)),
        [first, ..] => *first >= 0x80 && bytes.len() < length_of(*first),
        [] => false,
    }
}

/// Returns whether a control sequence ends with this byte.
fn is_final(byte: u8) -> bool {
    (0x40..=0x7e).contains(&byte)
}

/// Returns the length in bytes of the UTF-8 character that begins with this byte.
fn length_of(first: u8) -> usize {
    match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

/// Splits off the first key, which is `None` if it is unknown, and returns the rest of the bytes.
/// Returns `None` if there are no bytes.
fn next(bytes: &[u8]) -> Option<(Option<Key>, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let key = match *first {
        ESCAPE => return Some(after_escape(rest)),
        b'\r' | b'\n' => Some(Key::Enter),
        0x03 => Some(Key::Interrupt),
        0x0c => Some(Key::Redraw),
        0x15 => Some(Key::Clear),
        0x08 | 0x7f => Some(Key::Backspace),
        0x10 => Some(Key::Up),
        0x0e => Some(Key::Down),
        first if first >= 0x80 => {
            let length = length_of(first).min(bytes.len());
            let (character, rest) = bytes.split_at(length);
            let text = std::str::from_utf8(character).ok();
            let key = text.and_then(|text| text.chars().next()).map(Key::Char);
            return Some((key.filter(|key| !is_control(*key)), rest));
        }
        first => Some(Key::Char(char::from(first))).filter(|key| !is_control(*key)),
    };
    Some((key, rest))
}

fn is_control(key: Key) -> bool {
    matches!(key, Key::Char(c) if c.is_control())
}

/// Reads the bytes after an Esc byte. Returns the key and the rest.
fn after_escape(rest: &[u8]) -> (Option<Key>, &[u8]) {
    match rest {
        [b'[', sequence @ ..] => {
            let is_end = |byte: &u8| is_final(*byte);
            let Some(end) = sequence.iter().position(is_end) else {
                return (None, &[]);
            };
            let (sequence, rest) = sequence.split_at(end + 1);
            (of_sequence(sequence), rest)
        }
        [b'O', last, rest @ ..] => (of_sequence(&[*last]), rest),
        [b'O'] => (None, &[]),
        // What follows the Esc is another key.
        rest => (Some(Key::Escape), rest),
    }
}

fn of_sequence(sequence: &[u8]) -> Option<Key> {
    Some(match sequence {
        [.., b'A'] => Key::Up,
        [.., b'B'] => Key::Down,
        [.., b'C'] => Key::Right,
        [.., b'D'] => Key::Left,
        [.., b'H'] | b"1~" | b"7~" => Key::Home,
        [.., b'F'] | b"4~" | b"8~" => Key::End,
        b"M" => Key::Enter,
        b"5~" => Key::PageUp,
        b"6~" => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_terminals_send_are_keys() {
        let cases: [(&[u8], &[Key]); 12] = [
            (b"\x1b[A\x1b[B", &[Key::Up, Key::Down]),
            (b"\x1bOA", &[Key::Up]),
            (b"\x1b[1;5A", &[Key::Up]),
            (b"\x1b[5~\x1b[6~", &[Key::PageUp, Key::PageDown]),
            (b"\x1b", &[Key::Escape]),
            (b"\x1bq", &[Key::Escape, Key::Char('q')]),
            (b"\x1b\x1b[A", &[Key::Escape, Key::Up]),
            (b"\x1b[200~ab", &[Key::Char('a'), Key::Char('b')]),
            ("é日".as_bytes(), &[Key::Char('é'), Key::Char('日')]),
            (b"\r\x7f\x03", &[Key::Enter, Key::Backspace, Key::Interrupt]),
            (b"\xff\x00\x01x", &[Key::Char('x')]),
            ("\u{9b}".as_bytes(), &[]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_incomplete_key_is_waited_for() {
        for bytes in [&b"\x1b"[..], b"\x1b[", b"\x1b[5", b"\x1bO", b"j\xe6\x97"] {
            assert!(is_unfinished(bytes), "{bytes:?}");
        }
        for bytes in [
            &b""[..],
            b"j",
            b"\x1b[A",
            b"\x1b[5~",
            b"\x1bq",
            "日".as_bytes(),
        ] {
            assert!(!is_unfinished(bytes), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_is_taken_for_a_control_character(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            is_unfinished(&bytes);
            for key in keys(&bytes) {
                prop_assert!(!is_control(key));
            }
        }
    }
}
