//! Recognises text of a program or a page where a secret could be: rules of a form, patterns, strings
//! that are joined, literals of a type, labels and instructions in any language.
//!
//! This module judges a value alone. It knows neither the value's form nor the name before it.

use super::looks::{Signs, is_identifier, is_numbered_name, signs_of};
use super::words::WordList;

/// The rules of forms, and types. In alphabetical order.
#[rustfmt::skip]
const RULES: &[&str] = &[
    "alpha", "alpha_dash", "alpha_num", "array", "bail", "between", "boolean", "bytes", "confirmed", "current_password",
    "date", "different", "digits", "email", "exists", "filled", "integer", "json", "matches", "max", "max_length",
    "maxlength", "min", "min_length", "minlength", "not_in", "null", "nullable", "number", "numeric", "password", "present",
    "prohibited", "regex", "required", "required_if", "required_with", "same", "size", "sometimes", "string", "trim",
    "undefined", "unique", "url", "uuid", "valid_email", "xss_clean",
];

/// The words with which an instruction begins. In alphabetical order.
#[rustfmt::skip]
const ORDERS: &[&str] = &[
    "add", "change", "choose", "copy", "enter", "fill", "generate", "insert", "make", "override", "paste", "pick",
    "provide", "put", "replace", "run", "set", "specify", "supply", "type", "update", "use",
];

/// The words with which an instruction goes on. In alphabetical order.
#[rustfmt::skip]
const OBJECTS: &[&str] = &[
    "an", "at", "before", "by", "for", "from", "here", "in", "it", "me", "my", "on", "openssl", "output", "own", "some",
    "strong", "the", "this", "to", "using", "value", "via", "with", "your",
];

/// The words of which an instruction has one, if it begins with a word that begins much else.
const TOPICS: [&str; 12] = [
    "openssl",
    "random",
    "secret",
    "key",
    "token",
    "password",
    "string",
    "hex",
    "base",
    "production",
    "own",
    "value",
];

/// Two words of which an instruction has one pair.
const PAIRS: &[(&str, &str)] = &[
    ("change", "me"),
    ("not", "use"),
    ("not", "a"),
    ("not", "real"),
    ("not", "for"),
    ("not", "secure"),
    ("random", "string"),
    ("random", "value"),
    ("random", "secret"),
    ("must", "be"),
    ("at", "least"),
    ("goes", "here"),
];

/// The words for a password, a secret, a token and a key with letters beyond ASCII that are no names in `foreign`.
#[rustfmt::skip]
const OTHER_LABELS: &[&str] = &[
    "Lykilorð", "Tajemství", "Tajomstvo", "Sır", "Gizli anahtar", "Clé", "Clef", "Klíč", "Kľúč", "Nøgle", "Nøkkel", "Belirteç",
    "Žeton", "Žetón", "Tajný klíč", "Fjalëkalimi", "Çelësi", "Mã", "Mật mã", "Bí mật", "Salaisuus", "Saladus", "Võti", "Atslēga",
    "Raktas", "Parool", "Pääsytunnus", "Código", "Segredo", "Príomheochair", "Pasfhocal", "Cyfrinair", "Focal faire",
];

/// The words for a password, a secret, a token and a key that are no names in `names`. In alphabetical order.
#[rustfmt::skip]
const LABELS: &[&str] = &[
    "adgangskode", "anahtar", "avain", "chave", "cheie", "chiave", "clau", "clave", "codice", "codigo", "contrasenya",
    "fjalekalimi", "geheim", "geheime", "geheimnis", "hemlighet", "hemmelighed", "hemmelighet", "jeton", "jetons",
    "kennwort", "klic", "kljuc", "kluc", "klucz", "kode", "kulcs", "kunci", "llave", "nogle", "nokkel", "nyckel", "parole",
    "pasahitza", "passwort", "pasvorto", "rahasia", "salaisuus", "sandi", "secreta", "secreto", "secrets", "segredo",
    "segreto", "sekret", "sifra", "simge", "sleutel", "tajemstvi", "tajne", "tajny", "titok", "wachtwoord",
];

static RULE_WORDS: WordList<{ RULES.len() }> = WordList::of(RULES);
static ORDER_WORDS: WordList<{ ORDERS.len() }> = WordList::of(ORDERS);
static OBJECT_WORDS: WordList<{ OBJECTS.len() }> = WordList::of(OBJECTS);
static LABEL_WORDS: WordList<{ LABELS.len() }> = WordList::of(LABELS);

/// Returns whether `value`, which has a sign, is text and not a secret.
pub(super) fn is_text(value: &str, signs: Signs) -> bool {
    match signs.is_ascii {
        false => is_foreign(value) || OTHER_LABELS.contains(&value),
        true => {
            is_pattern(value.as_bytes())
                || is_joined(value.as_bytes())
                || signs.has_any(const { signs_of(b"|:=,") }) && is_rules(value)
                || signs.has_any(const { signs_of(b"-_ ") }) && is_instruction(value)
                || signs.has(b'$') && is_variable(value)
                || is_signs(value, signs)
                || signs.has_any(const { signs_of(b"-_") }) && is_masked(value)
                || is_path_of_code(value)
                || value.starts_with("projects/") && value.contains("/secrets/")
        }
    }
}

/// Returns whether a word names a secret in some language.
pub(super) fn is_label(word: &[u8]) -> bool {
    LABEL_WORDS.has(word)
}

/// Returns whether `value` begins like a regular expression: `.*`, `\S+`, `[^&]*`, `\(`, `(.*)`.
fn is_pattern(value: &[u8]) -> bool {
    match value {
        [b'.', b'*' | b'+']
        | [
            b'.',
            b'*' | b'+',
            b'"' | b'\'' | b'$' | b')' | b'\\' | b'/' | b'[' | b'?' | b'|' | b',' | b' ',
            ..,
        ]
        | [b'.', b'{', b'0'..=b'9', ..]
        | [b'/', b'{', ..]
        | [b'(', b'[' | b'\\', ..]
        | [b'(', b'.', b'*' | b'+', ..]
        | [b'[', b'[', b':', ..]
        | [b'[', b'\\', b'w' | b'W' | b's' | b'S' | b'd' | b'D', ..]
        | [b'\\', b'(', ..]
        | [b'\\', b'1'..=b'9', b'/', ..] => true,
        [
            b'(',
            b'?',
            b':' | b'=' | b'!' | b'<' | b'P' | b'i',
            rest @ ..,
        ] => rest.contains(&b')'),
        [b'[', b'^', rest @ ..]
        | [b'[', b'a', b'-', b'z', rest @ ..]
        | [b'[', b'A', b'-', b'Z', rest @ ..]
        | [b'[', b'0', b'-', b'9', rest @ ..] => rest.contains(&b']'),
        [b'\\', b'w' | b'W' | b's' | b'S' | b'd' | b'D', rest @ ..] => {
            matches!(
                rest,
                [] | [b'+' | b'*' | b'?' | b'{' | b'\\' | b')' | b'/', ..]
            )
        }
        _ => false,
    }
}

/// Returns whether a program joins a string to others here: `" + token + "`, `' . $token . '`.
fn is_joined(value: &[u8]) -> bool {
    let is_quote = |b: &u8| matches!(b, b'"' | b'\'');
    let is_blank = |b: &u8| *b == b' ';
    // `"'$KEY'"` of the shell.
    if let [first, b'$', name @ .., last] = value
        && is_quote(first)
        && first == last
    {
        return name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'{' | b'}'));
    }
    let opened = match value {
        [first, rest @ ..] if is_quote(first) || is_blank(first) => rest,
        [b'\\', quote, rest @ ..] if is_quote(quote) => rest,
        _ => return false,
    };
    let blanks = opened.iter().take_while(|b| is_blank(b)).count();
    let operator = opened.get(blanks..).unwrap_or_default();
    let is_sign = |b: &&u8| {
        matches!(
            b,
            b'.' | b'+' | b'&' | b'<' | b'>' | b'|' | b'~' | b',' | b'%'
        )
    };
    let length = operator.iter().take(3).take_while(is_sign).count();
    let behind = operator.get(length..).unwrap_or_default();
    let is_operand =
        |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'$' | b'@' | b'_' | b'(' | b'{');
    matches!(length, 1 | 2)
        && match behind {
            [b' ', first, ..] => is_operand(first),
            // PHP without blanks.
            [b'$', first, ..] => first.is_ascii_alphabetic() && blanks == 0,
            _ => false,
        }
}

/// Returns whether `value` is a list of rules or types: `required|string|min:8`, `string | null`.
fn is_rules(value: &str) -> bool {
    let separator = if value.contains('|') { '|' } else { ',' };
    let head = |rule: &str| {
        let end = rule.find([':', '=']).unwrap_or(rule.len());
        let head = rule.get(..end).unwrap_or_default();
        let is_word = head.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        (is_word && head.len() > 1).then(|| RULE_WORDS.has(head.as_bytes()))
    };
    let rules = value.split(separator).map(str::trim);
    let is_mixed = |tail: &str| {
        tail.bytes().any(|b| b.is_ascii_digit()) && tail.bytes().any(|b| b.is_ascii_alphabetic())
    };
    let tail = |rule: &str| {
        rule.split_once([':', '='])
            .is_some_and(|(_, tail)| is_mixed(tail))
    };
    if !rules
        .clone()
        .all(|rule| head(rule).is_some() && !tail(rule))
    {
        return false;
    }
    let mut rules = rules;
    match (rules.next(), rules.next()) {
        (Some(first), Some(second)) => matches!(
            (head(first), head(second)),
            (Some(true), Some(_)) | (Some(_), Some(true))
        ),
        (Some(only), None) => {
            let is_small = |count: &str| {
                let is_number = |number: &str| {
                    matches!(number.len(), 1..=4) && number.bytes().all(|b| b.is_ascii_digit())
                };
                count.len() <= 7 && count.split(',').all(is_number)
            };
            head(only) == Some(true)
                && only
                    .split_once([':', '='])
                    .is_some_and(|(_, count)| is_small(count))
        }
        _ => false,
    }
}

/// Returns whether `value` tells what to write in its place: `replace-me-with-openssl-rand-base64-32`.
fn is_instruction(value: &str) -> bool {
    const MOST_DIGITS: usize = 4;
    const LEAST: usize = 3;
    let mut words = value.split(['-', '_', ' ']);
    let first = words.next().unwrap_or_default();
    let begins = ORDER_WORDS.has(first.as_bytes());
    let (mut last, mut is_told) = (first, false);
    let is_broad = [
        "add", "choose", "copy", "make", "pick", "run", "set", "type", "update", "use",
    ]
    .iter()
    .any(|of| first.eq_ignore_ascii_case(of));
    let (mut count, mut digits, mut is_order) = (1, 0, false);
    let is_capital = first.bytes().all(|b| b.is_ascii_uppercase());
    words.all(|word| {
        count += 1;
        is_told |= PAIRS
            .iter()
            .any(|(one, next)| last.eq_ignore_ascii_case(one) && word.eq_ignore_ascii_case(next));
        last = word;
        is_order |= count == 2 && OBJECT_WORDS.has(word.as_bytes());
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let in_word = word.len() - letters.len();
        digits += in_word;
        // An order has an object or a topic: other words in a row may be a passphrase.
        is_told |= begins
            && (TOPICS.iter().any(|of| letters.eq_ignore_ascii_case(of))
                || !is_broad && count == 2 && OBJECT_WORDS.has(word.as_bytes()));
        in_word <= 3
            && letters.bytes().all(|b| match is_capital {
                true => b.is_ascii_uppercase(),
                false => b.is_ascii_lowercase(),
            })
    }) && digits <= MOST_DIGITS
        && is_told
        && (count > LEAST || count == LEAST && (is_order || !begins))
}

/// Returns whether `value` is a function with its brackets or a path of names: `from_pkcs8()`, `cabi::task_set`.
fn is_path_of_code(value: &str) -> bool {
    let path = value.strip_suffix("()");
    let names = path.unwrap_or(value);
    (path.is_some() || value.contains("::"))
        && names
            .split("::")
            .all(|name| is_identifier(name) && is_numbered_name(name))
}

/// Returns whether `value` is the beginning of a key with its rest masked: `sk-xxxxxxxxxxxx`, `ghp_000000000000`.
fn is_masked(value: &str) -> bool {
    const LEAST: usize = 8;
    const LONGEST_PREFIX: usize = 12;
    let rest = value.rsplit(['-', '_']).next().unwrap_or_default();
    let first = rest.bytes().next();
    let before = value.get(..value.len() - rest.len()).unwrap_or_default();
    let is_masked = || {
        before
            .bytes()
            .all(|b| matches!(b, b'x' | b'X' | b'0' | b'-' | b'_'))
    };
    let is_prefix = before.len() <= LONGEST_PREFIX && !before.bytes().any(|b| b.is_ascii_digit());
    matches!(first, Some(b'x' | b'X' | b'0'))
        && (is_prefix || is_masked())
        && rest.len() >= LEAST
        && rest.bytes().all(|b| Some(b) == first)
}

/// Returns whether `value` is a variable with the rest of a program behind it: `$CPAN::Config->{x}`, `$PASS/g`,
/// `$password'`.
fn is_variable(value: &str) -> bool {
    let Some(rest) = value.strip_prefix('$') else {
        return false;
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':');
    let length = rest.bytes().take_while(|b| is_name(*b)).count();
    let (name, tail) = rest.split_at_checked(length).unwrap_or_default();
    let is_word =
        |word: &str| is_numbered_name(word) && !word.starts_with(|c: char| c.is_ascii_digit());
    // The examined part may end within `::`.
    let is_package = name.strip_suffix(':').is_some_and(is_word)
        || name.contains("::") && name.split("::").all(is_word);
    // `$user:$pass`.
    if value
        .split(':')
        .all(|part| part.strip_prefix('$').is_some_and(is_word))
    {
        return true;
    }
    let is_flag = |b: u8| matches!(b, b'g' | b'i' | b'I' | b'm' | b'p' | b'e');
    match tail.as_bytes() {
        [] | [b'-'] | [b'-', b'>', ..] => is_package,
        [b'\'' | b'"', ..] => is_word(name),
        [b'/' | b'|' | b'#' | b'@' | b',' | b'!', flags @ ..] => {
            is_word(name) && flags.len() <= 2 && flags.iter().all(|b| is_flag(*b))
        }
        _ => false,
    }
}

/// Returns whether `value` has few characters, all of them signs, or is a command in backticks.
fn is_signs(value: &str, signs: Signs) -> bool {
    const MOST: usize = 5;
    value.len() <= MOST && !signs.has_letter() && !signs.has_digit()
        || signs.has(b' ') && matches!(value.as_bytes(), [b'`', .., b'`'])
}

/// Returns whether `value` is text in another script than the Latin one: letters only, or with small numbers, as
/// in `8文字以上`. A number that ends the value, or that only signs follow, may belong to a password.
fn is_foreign(value: &str) -> bool {
    const MOST_DIGITS: usize = 2;
    const LEAST: usize = 3;
    let (mut others, mut digits, mut last) = (0, 0, ' ');
    let is_text = value.chars().all(|c| {
        if !matches!(c, ')' | '.' | '"') {
            last = c;
        }
        match c {
            '0'..='9' => digits += 1,
            ' ' | '(' | ')' | '.' | ',' | ':' | ';' | '?' | '!' | '-' | '/' | '\'' | '"' => {}
            '\u{370}'.. => others += 1,
            _ => return false,
        }
        true
    });
    is_text
        && match digits {
            0 => others > 0,
            _ => {
                let is_short = others + digits <= LEAST;
                digits <= MOST_DIGITS && (others >= LEAST || is_short) && last >= '\u{370}'
            }
        }
}

/// Returns whether a value without quotes is the literal of a type: `corev1.SecretReference{Name:`.
pub(super) fn is_literal(value: &str) -> bool {
    let Some((of, inside)) = value.split_once('{') else {
        return false;
    };
    let of = of.trim_start_matches(['&', '*']);
    let name = of.rsplit_once('.').map_or(of, |(_, name)| name);
    let is_field = |field: &str| !field.is_empty() && field.len() < 32 && is_identifier(field);
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && is_identifier(of)
        && is_numbered_name(name)
        && match inside.split_once(':') {
            Some((field, _)) => is_field(field),
            None => matches!(inside, "" | "}"),
        }
}

#[cfg(test)]
mod tests {
    use super::super::words::LONGEST_PLAIN;
    use super::*;

    #[test]
    fn the_lists_are_in_order() {
        for list in [RULES, ORDERS, OBJECTS, LABELS] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
            assert!(list.iter().all(|word| word.len() <= LONGEST_PLAIN));
        }
    }
}
