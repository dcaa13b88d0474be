//! Finds keys: in a word, beside one, or as a whole text.
//!
//! `shapes` lists the keys that begin with a prefix. This module recognises all other keys, by
//! their parts.

use super::beginnings::{ANYWHERE, AT_START, beginning};
use super::shapes::Alphabet::{self, Alnum, Base64, Hex, Parts, Upper, Uuid, Word};
use super::shapes::{Part, SHORTEST, shapes_of};
use super::{Secret, View, byte_search, looks};

/// The length of the shortest word that can contain a key. A shorter word can only be the beginning
/// of a key.
const LEAST_WORD: usize = 14;

/// Returns the first key in the word from `start` to `end`. The word does not continue before
/// `start`.
///
/// `point` caches where the next `.` in the word is.
pub(super) fn in_word(
    view: View<'_>,
    start: usize,
    end: usize,
    point: &mut usize,
) -> Option<Secret> {
    let bytes = view.bytes();
    let next = bytes.get(end).copied();
    if end - start < LEAST_WORD {
        return match next {
            Some(b'/' | b'+' | b'=' | b'~' | b'$' | b':' | b'|' | b' ') => {
                let window = *bytes.get(start..)?.first_chunk()?;
                (beginning(window) != 0).then_some(())?;
                prefixed(view, start, true)
            }
            _ => None,
        };
    }
    let rest = bytes.get(start..)?;
    let mut before = b' ';
    let windows = rest.array_windows::<4>().take(end - start - 3).enumerate();
    for (offset, window) in windows {
        let begins = !before.is_ascii_alphanumeric();
        before = window[0];
        let matters = if begins {
            AT_START | ANYWHERE
        } else {
            ANYWHERE
        };
        if beginning(*window) & matters == 0 {
            if begins && matches!(window[0], b'M' | b'N' | b'O') {
                let at = start + offset;
                if let Some(key) = discord(bytes, at, point, end) {
                    return Some(key);
                }
            }
            continue;
        }
        let at = start + offset;
        let key = prefixed(view, at, begins).or_else(|| match window[0] {
            b'e' if begins => json_web_token(bytes, at, point, end),
            b'M' | b'N' | b'O' if begins => discord(bytes, at, point, end),
            b'.' => terraform(bytes, start, at),
            b'L' if begins => super::pem::in_base64(view, at),
            _ => None,
        });
        if key.is_some() {
            return key;
        }
    }
    // The next rule needs the whole length of the word, which a redaction mark would hide.
    if view.touches(end) {
        return None;
    }
    by_parts(bytes, start, end)
}

/// Returns the key, if `word` as a whole is a key.
pub(super) fn whole(word: &str) -> Option<Secret> {
    // Most values are shorter than a key.
    (word.len() >= SHORTEST).then_some(())?;
    let view = View::whole(word);
    let end = word_end(word);
    let key = in_word(view, 0, end, &mut 0).or_else(|| beside_word(view, 0, end))?;
    (key.start == 0 && key.end == word.len()).then_some(key)
}

fn word_end(text: &str) -> usize {
    let end = text.bytes().position(|byte| !super::scan::is_word(byte));
    end.unwrap_or(text.len())
}

/// Returns whether a key of `alphabet` ends at `at`. Before a redaction mark it does not, because
/// the key may have continued there.
fn ends_at(view: View<'_>, at: usize, alphabet: Alphabet) -> bool {
    !view.touches(at) && view.byte(at).is_none_or(|byte| !alphabet.has(byte))
}

/// Returns whether the byte before `at` is `+` or `/` and continues base64. Two slashes in a row do
/// not: they belong to a URL or a path.
fn is_in_base64(view: View<'_>, at: usize) -> bool {
    let is_base64 = |byte: &u8| *byte != b'/' && Base64.has(*byte);
    matches!(
        view.bytes().get(view.barrier.min(at)..at),
        Some([.., first, second, b'+' | b'/']) if is_base64(first) && is_base64(second)
    )
}

fn prefixed(view: View<'_>, at: usize, begins: bool) -> Option<Secret> {
    let bytes = view.bytes();
    let rest = bytes.get(at..)?;
    let mut alike = shapes_of(rest);
    let (shape, length) = alike.find_map(|shape| {
        // After most prefixes, something else than a key follows.
        shape.begins(rest).then_some(())?;
        let body = rest.get(shape.prefix.len()..)?;
        let least = body.get(..shape.least)?;
        let is_key = (shape.anywhere || begins)
            && !(shape.alone && is_in_base64(view, at))
            && shape.alphabet.has_all(least)
            && (matches!(shape.alphabet, Upper) || !shape.form.is_empty() || is_no_word(least))
            && !(matches!(shape.alphabet, Upper) && least.ends_with(b"EXAMPLE"))
            && (!shape.random || is_random(least) && begins_whole(view, at))
            && (!shape.exact
                || ends_at(view, at + shape.prefix.len() + shape.least, shape.alphabet));
        is_key.then_some(())?;
        let length = match shape.form {
            [] => run(body, shape.alphabet, usize::MAX),
            form => formed(view, at + shape.prefix.len(), form)?,
        };
        Some((shape, length))
    })?;
    let prefix = shape.prefix.len();
    Some(Secret {
        start: at + if shape.keeps_prefix { prefix } else { 0 },
        end: at + prefix + length,
        rule: shape.rule,
    })
}

/// Returns the length of the parts of `form` at `at`, if all are there and the last one ends there.
fn formed(view: View<'_>, at: usize, form: &[Part]) -> Option<usize> {
    let body = view.bytes().get(at..)?;
    let mut length = 0;
    let mut last = Alnum;
    for part in form {
        let rest = body.get(length..)?;
        length += match *part {
            Part::Run(alphabet, least, most) => {
                last = alphabet;
                Some(run(rest, alphabet, most)).filter(|length| *length >= least)?
            }
            Part::Sign(sign) => rest.starts_with(sign.as_bytes()).then_some(sign.len())?,
        };
    }
    (ends_at(view, at + length, last) && is_no_word(body.get(..length)?)).then_some(length)
}

/// Returns whether no joint continues a word to `at`: `pk_live_…` does not contain a key `live_…`.
fn begins_whole(view: View<'_>, at: usize) -> bool {
    let before = view.bytes().get(view.barrier.min(at)..at);
    !matches!(before, Some([.., b'_' | b'-' | b'.']))
}

fn is_random(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(looks::looks_random)
}

/// Returns how many characters of `alphabet` `bytes` begins with, at most `most`.
pub(super) fn run(bytes: &[u8], alphabet: Alphabet, most: usize) -> usize {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    let end = bytes.iter().position(|byte| !alphabet.has(*byte));
    end.unwrap_or(bytes.len())
}

/// Returns how many characters of `alphabet` `bytes` ends with, at most `most`.
fn run_back(bytes: &[u8], alphabet: Alphabet, most: usize) -> usize {
    let back = bytes.iter().rev().take(most);
    back.take_while(|byte| alphabet.has(**byte)).count()
}

/// Returns whether `body` has digits, or letters of both cases. Then it is neither prose nor an
/// identifier in one case.
pub(super) fn is_no_word(body: &[u8]) -> bool {
    // Without a branch, so that the compiler can compare many bytes at once.
    let (mut digit, mut small, mut capital) = (false, false, false);
    for byte in body {
        digit |= byte.is_ascii_digit();
        small |= byte.is_ascii_lowercase();
        capital |= byte.is_ascii_uppercase();
    }
    digit || small && capital
}

/// Returns the first `.` in the word from `at` on, or the end of the word. `point` caches the
/// answer, so that the word is searched only once.
fn next_point(bytes: &[u8], at: usize, point: &mut usize, end: usize) -> usize {
    if *point < at || *point == 0 {
        let rest = bytes.get(at..end).unwrap_or_default();
        *point = byte_search::first(b'.', rest).map_or(end, |offset| at + offset);
    }
    (*point).min(end)
}

/// Returns a JSON Web Token, `eyJ….….…`: a header, a payload, and mostly a signature.
fn json_web_token(bytes: &[u8], at: usize, point: &mut usize, end: usize) -> Option<Secret> {
    bytes.get(at..).filter(|rest| rest.starts_with(b"eyJ"))?;
    let header = next_point(bytes, at, point, end);
    let payload = bytes.get(header..)?.strip_prefix(b".")?;
    let is_token = header - at >= 12 && run(payload, Word, 8) == 8;
    is_token.then(|| Secret {
        start: at,
        end: header + run(bytes.get(header..).unwrap_or_default(), Parts, usize::MAX),
        rule: "jwt",
    })
}

/// The least and the greatest length of a Discord bot's id in base64.
pub(super) const LEAST_ID: usize = 23;
pub(super) const MOST_ID: usize = 28;

/// Returns the token of a Discord bot: an id in base64, a time and a signature, with points between them.
fn discord(bytes: &[u8], at: usize, point: &mut usize, end: usize) -> Option<Secret> {
    // In base64, two digits have one of these as their second character.
    matches!(bytes.get(at + 1), Some(b'D' | b'T' | b'j' | b'z')).then_some(())?;
    let first = next_point(bytes, at, point, end);
    (LEAST_ID..=MOST_ID).contains(&(first - at)).then_some(())?;
    let id = run(bytes.get(at..)?, Alnum, MOST_ID);
    let time = bytes.get(at + id..)?.strip_prefix(b".")?;
    let length = run(time, Word, 8);
    let signature = time.get(length..)?.strip_prefix(b".")?;
    let is_token = (6..=7).contains(&length) && run(signature, Word, 27) == 27;
    is_token.then(|| Secret {
        start: at,
        end: at + id + 1 + length + 1 + run(signature, Word, usize::MAX),
        rule: "discord",
    })
}

/// Returns a token of HCP Terraform, which has `.atlasv1.` in its middle, at `at`.
fn terraform(bytes: &[u8], start: usize, at: usize) -> Option<Secret> {
    let tail = bytes.get(at..)?.strip_prefix(b".atlasv1.")?;
    let lead = run_back(bytes.get(start..at)?, Alnum, 20);
    (lead >= 10 && run(tail, Parts, 30) == 30).then(|| Secret {
        start: at - lead,
        end: at + b".atlasv1.".len() + run(tail, Parts, usize::MAX),
        rule: "terraform",
    })
}

/// Returns the key in the word from `start` to `end`, recognised by the lengths and signs of its
/// parts.
fn by_parts(bytes: &[u8], start: usize, end: usize) -> Option<Secret> {
    let word = bytes.get(start..end)?;
    // A point may end the sentence.
    let stop = word.iter().rev().take_while(|byte| **byte == b'.').count();
    let end = end - stop;
    let word = bytes.get(start..end)?;
    let all = |rule| Some(Secret { start, end, rule });
    let is = |part: Option<&[u8]>, alphabet: Alphabet| {
        part.is_some_and(|part| part.iter().all(|byte| alphabet.has(*byte)))
    };
    let length = word.len();
    let hex = || run(word, Hex, 33);
    match word.first()? {
        _ if matches!(length, 80..=90)
            && word.get(length - 8..length - 4) == Some(b"AZDO")
            && is(Some(word), Alnum) =>
        {
            return all("azure");
        }
        _ if matches!(length, 80..=90)
            && word.get(52..58) == Some(b"JQQJ99")
            && is(Some(word), Alnum) =>
        {
            return all("azure");
        }
        _ if matches!(length, 52..=56) && is(Some(word), Word) => {
            let part =
                |at: usize| matches!(word.get(at..at + 4), Some(b"AzSe" | b"AzFu" | b"AzCa"));
            if (38..=46).any(part) {
                return all("azure");
            }
        }
        _ if length == 40 && word.ends_with(b"NRAL") && is(word.get(..32), Hex) => {
            return all("newrelic");
        }
        _ if length == 40 && word.ends_with(b"_mmk") && is_no_word(word) => return all("maxmind"),
        _ if length == 50
            && word.get(10..13) == Some(b"msh")
            && word.get(35..38) == Some(b"jsn")
            && is(Some(word), Alnum) =>
        {
            return all("rapidapi");
        }
        b'p' if word.starts_with(b"pat")
            && word.get(17) == Some(&b'.')
            && is(word.get(3..17), Alnum)
            && length >= 50
            && is(word.get(18..), Hex) =>
        {
            return all("airtable");
        }
        b'p' if word.starts_with(b"pk_") => {
            let digits = word.iter().skip(3).take_while(|b| b.is_ascii_digit());
            let digits = digits.count();
            let rest = word.get(3 + digits..)?.strip_prefix(b"_")?;
            if (5..=12).contains(&digits) && rest.len() >= 30 && is(Some(rest), Upper) {
                return all("clickup");
            }
        }
        b'r' if word.starts_with(b"re_") => {
            let rest = word.get(3..)?;
            let at = rest.iter().position(|b| *b == b'_')?;
            if (7..=9).contains(&at)
                && (20..=30).contains(&(rest.len() - at - 1))
                && is(rest.get(at + 1..), Alnum)
                && rest.get(at + 1..).is_some_and(is_no_word)
                && rest.iter().any(u8::is_ascii_uppercase)
            {
                return all("resend");
            }
        }
        b'a' if word.starts_with(b"at_")
            && word.get(13) == Some(&b'_')
            && is(word.get(3..13), Alnum)
            && length >= 60 =>
        {
            return all("boundary");
        }
        b'A' if word.starts_with(b"A3-")
            && (36..=44).contains(&length)
            && word.iter().filter(|b| **b == b'-').count() >= 6
            && word.iter().all(|b| Upper.has(*b) || *b == b'-')
            && word.iter().any(u8::is_ascii_digit) =>
        {
            return all("1password");
        }
        _ => {}
    }
    // Most words that begin with 32 hexadecimal digits are hashes, not keys.
    let tail = word.get(32..)?;
    if hex() != 32 || tail.first() != Some(&b'-') {
        return None;
    }
    let centre = tail.strip_prefix(b"-us");
    if centre.is_some_and(|rest| matches!(rest.len(), 1..=2) && rest.iter().all(u8::is_ascii_digit))
    {
        return all("mailchimp");
    }
    let is_mailgun = tail.len() == 18
        && tail.get(9) == Some(&b'-')
        && is(tail.get(1..9), Hex)
        && is(tail.get(10..), Hex);
    if is_mailgun { all("mailgun") } else { None }
}

/// Returns the key that begins with the word from `start` to `end` and continues after it.
pub(super) fn beside_word(view: View<'_>, start: usize, end: usize) -> Option<Secret> {
    let bytes = view.bytes();
    let word = bytes.get(start..end)?;
    let rest = bytes.get(end..)?;
    let tail = |alphabet: Alphabet, from: usize, least: usize| {
        let tail = rest.get(from..)?;
        let body = tail.get(..least)?;
        let is_key = body.iter().all(|byte| alphabet.has(*byte)) && is_no_word(body);
        is_key.then(|| end + from + run(tail, alphabet, usize::MAX))
    };
    let (start, end, rule) = match rest.first()? {
        // The word ends with three characters, a digit and `Q`.
        b'~' if word.len() >= 5 && word.ends_with(b"Q") => {
            let [.., digit, _] = word else { return None };
            digit.is_ascii_digit().then_some(())?;
            (end - 5, tail(Parts, 1, 20)?, "azure")
        }
        // A Telegram bot's number, `:AA`, and its token.
        b':' if (8..=14).contains(&word.len())
            && matches!(rest, [_, b'A', b'A', ..])
            && without_bot(word).iter().all(u8::is_ascii_digit) =>
        {
            let number = without_bot(word).len();
            (8..=11).contains(&number).then_some(())?;
            (end - number, tail(Word, 1, 30)?, "telegram")
        }
        b':' if (8..=30).contains(&word.len()) && rest.starts_with(b":APA91b") => {
            (start, tail(Word, 1, 60)?, "firebase")
        }
        b':' if matches!(word, b"oauth") => {
            let token = rest.get(1..31)?;
            let is_token = token
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && token.iter().any(u8::is_ascii_digit)
                && ends_at(view, end + 31, Word);
            is_token.then_some((start, end + 31, "twitch"))?
        }
        b':' if word.len() == 36
            && matches!(rest, [_, b'f', b'x', ..])
            && word.iter().all(|b| Uuid.has(*b))
            && ends_at(view, end + 3, Alnum) =>
        {
            (start, end + 3, "deepl")
        }
        b'!' if word.starts_with(b"00D") && matches!(word.len(), 15 | 18) => {
            (start, tail(Parts, 1, 60)?, "salesforce")
        }
        b'%' if word.len() >= 40 && word.iter().take(19).all(|b| *b == b'A') => {
            let rest = rest.iter().take(256);
            let length = rest.take_while(|b| Word.has(**b) || **b == b'%').count();
            (start, end + length, "twitter")
        }
        // `1/number:hex` and `2/number/number:hex`.
        b'/' if matches!(word, b"0" | b"1" | b"2") => {
            let digits = |from: usize| {
                let rest = rest.get(from..).unwrap_or_default();
                let digits = rest.iter().take(24).take_while(|b| b.is_ascii_digit());
                from + digits.count()
            };
            let mut at = digits(1);
            (at >= 11).then_some(())?;
            if rest.get(at) == Some(&b'/') {
                at = digits(at + 1);
            }
            (rest.get(at) == Some(&b':')).then_some(())?;
            (start, tail(Hex, at + 1, 32)?, "asana")
        }
        _ => return None,
    };
    Some(Secret { start, end, rule })
}

/// Returns the key of an Azure service that has the sign of the service, such as `+ASt`, near its end. The sign begins
/// before the word at `start`.
pub(super) fn signed(view: View<'_>, start: usize) -> Option<Secret> {
    const LONGEST: usize = 80;
    let bytes = view.bytes();
    let (before, behind) = match bytes.get(start..start + 3)? {
        b"ACR" => (42, 9),
        b"ASt" | b"ABa" => (76, 11),
        b"ASb" | b"AEh" | b"ARm" => (33, 10),
        _ => return None,
    };
    let sign = start.checked_sub(1)?;
    let lead = bytes.get(view.barrier.min(sign)..sign)?.iter().rev();
    let lead = lead.take(LONGEST);
    let lead = lead.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
    let is_key = lead.count() == before
        && run(bytes.get(start..)?, Base64, LONGEST) == behind
        && !view.touches(start + behind);
    is_key.then_some(Secret {
        start: sign - before,
        end: start + behind,
        rule: "azure",
    })
}

/// Returns a Telegram bot's number without the `bot` before it in a URL.
fn without_bot(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"bot").unwrap_or(word)
}
