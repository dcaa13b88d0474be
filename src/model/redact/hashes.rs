//! Finds hashes of passwords by their own form, as in `/etc/shadow`, `.htpasswd`, LDAP and the settings of routers.
//!
//! A hash is a secret: a computer can try many passwords against it. `shapes` lists the hashes that begin with a word.

use super::shapes::Alphabet;
use super::{Secret, View, looks, pem};

const RULE: &str = "password-hash";

/// How long a hash may be, in bytes.
const LONGEST: usize = 512;

/// Returns the hash whose sign, `$` or `{`, precedes the word at `start`.
pub(super) fn before(view: View<'_>, start: usize) -> Option<Secret> {
    let sign = start.checked_sub(1)?;
    let text = view.bytes().get(sign..)?;
    let end = sign + length(text, view.is_cut)?;
    (!view.touches(end)).then_some(Secret {
        start: sign,
        end,
        rule: RULE,
    })
}

/// Returns the length of the hash with which `text` begins.
pub(super) fn length(text: &[u8], is_cut: bool) -> Option<usize> {
    match text {
        [b'{', rest @ ..] => in_braces(rest).map(|length| length + 1),
        [b'$', rest @ ..] if rest.starts_with(b"ANSIBLE_VAULT;") => vault(text, is_cut),
        [b'$', rest @ ..] => {
            const LONGEST_ID: usize = 20;
            let id = rest.iter().take(LONGEST_ID);
            let id = id.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            let (id, body) = rest.split_at_checked(id.count())?;
            let body = body.strip_prefix(b"$")?;
            of_id(id, body).map(|length| 1 + id.len() + 1 + length)
        }
        _ => None,
    }
}

/// Returns the length of what follows `$id$`.
fn of_id(id: &[u8], body: &[u8]) -> Option<usize> {
    match id {
        b"1" | b"apr1" | b"md5" => salted(body, 0, 8, 22),
        b"5" => salted(body, 0, 16, 43),
        b"6" => salted(body, 0, 16, 86),
        b"8" => salted(body, 14, 14, 43),
        b"9" => salted(body, 14, 14, 43).or_else(|| juniper(body)),
        b"y" | b"gy" | b"7" => {
            let parameters = run(body);
            let salt = body.get(parameters..)?.strip_prefix(b"$")?;
            salted(salt, 0, 86, 43).map(|length| parameters + 1 + length)
        }
        b"2" | b"2a" | b"2b" | b"2x" | b"2y" => match body {
            [b'0'..=b'3', b'0'..=b'9', b'$', hash @ ..] => {
                (run(hash) == 53 || run(hash) == 54 && hash.get(53) == Some(&b'.')).then_some(56)
            }
            _ => None,
        },
        b"P" | b"H" => (run(body) == 31).then_some(31),
        b"S" => (run(body) == 52).then_some(52),
        _ if is_named(id) => {
            const LEAST: usize = 40;
            const LEAST_LAST: usize = 16;
            let near = body.get(..LONGEST).unwrap_or(body);
            let is_part = |b: &&u8| {
                b.is_ascii_alphanumeric()
                    || matches!(
                        **b,
                        b'$' | b'.' | b'/' | b'+' | b'=' | b',' | b'-' | b'_' | b'*' | b':'
                    )
            };
            let length = near.iter().take_while(is_part).count();
            let hash = near.get(..length)?.rsplit(|b| *b == b'$').next()?;
            (length >= LEAST && hash.len() >= LEAST_LAST).then_some(length)
        }
        _ => None,
    }
}

/// Returns whether the name of an algorithm begins with one of those that hash passwords.
fn is_named(id: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] = [
        b"argon2", b"scrypt", b"pbkdf2", b"bcrypt", b"sha1", b"krb5", b"balloon", b"NETNTLM",
    ];
    NAMES.iter().any(|name| id.starts_with(name))
}

/// Returns the length of `rounds=N$salt$hash`, where the rounds may be missing.
fn salted(body: &[u8], least: usize, most: usize, hash: usize) -> Option<usize> {
    const LONGEST_ROUNDS: usize = 20;
    let rounds = match body.starts_with(b"rounds=") {
        true => body.iter().take(LONGEST_ROUNDS).position(|b| *b == b'$')? + 1,
        false => 0,
    };
    let body = body.get(rounds..)?;
    let salt = run(body);
    let rest = body.get(salt..)?.strip_prefix(b"$")?;
    let length = run(rest);
    // A point may end the sentence.
    let is_hash = length == hash || length == hash + 1 && rest.get(hash) == Some(&b'.');
    ((least..=most).contains(&salt) && is_hash).then_some(rounds + salt + 1 + hash)
}

/// Returns the length of a password of Junos, which is only disguised, behind `$9$`.
fn juniper(body: &[u8]) -> Option<usize> {
    const LEAST: usize = 10;
    const MOST: usize = 140;
    let is_one = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'.' | b'/' | b'-');
    let length = body.iter().take(MOST).take_while(is_one).count();
    let text = std::str::from_utf8(body.get(..length)?).ok()?;
    let ends = body.get(length) != Some(&b'$');
    (length >= LEAST && ends && !looks::is_words(text)).then_some(length)
}

/// How many characters of a hash `bytes` begin with.
fn run(bytes: &[u8]) -> usize {
    let is_one = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'.' | b'/');
    bytes.iter().take(LONGEST).take_while(is_one).count()
}

/// Returns the length of `SSHA}base64`, as in LDAP.
fn in_braces(text: &[u8]) -> Option<usize> {
    const LONGEST_NAME: usize = 16;
    let close = text.iter().take(LONGEST_NAME).position(|b| *b == b'}')?;
    let (name, hash) = text.split_at_checked(close)?;
    let hash = hash.get(1..)?;
    let is_one = name.starts_with(b"SSHA") || name.starts_with(b"SHA") || name.starts_with(b"SMD5");
    let length = super::keys::run(hash, Alphabet::Base64, LONGEST);
    (is_one && length >= 24 && super::keys::is_no_word(hash.get(..length)?))
        .then_some(close + 1 + length)
}

/// Returns the length of a block of Ansible's vault: a line with its version, and lines of hexadecimal digits.
fn vault(text: &[u8], is_cut: bool) -> Option<usize> {
    const LONGEST_HEADER: usize = 80;
    const LEAST: usize = 40;
    let near = text.get(..LONGEST_HEADER).unwrap_or(text);
    let header = near
        .iter()
        .position(|b| matches!(b, b'\n' | b'\\' | b'\r'))?;
    let body = text.get(header..)?;
    let length = pem::armour(body, is_cut);
    let digits = body.get(..length)?.iter().filter(|b| b.is_ascii_hexdigit());
    (digits.count() >= LEAST).then_some(header + length)
}
