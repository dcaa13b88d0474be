//! Finds the user and the password before the host of a URL.
//!
//! This module begins to read at the scheme, and ignores the query.

use super::{Secret, View, looks, stand_ins};

const RULE: &str = "url-password";
/// How many bytes after the scheme a password may end at most.
pub(super) const LONGEST: usize = 256;

/// The most plus signs that a scheme may end with.
const MOST_SIGNS: usize = 8;

/// Returns the end of the scheme whose last word ends at `end`, if `://` follows.
pub(super) fn scheme_end(bytes: &[u8], end: usize) -> Option<usize> {
    let rest = bytes.get(end..)?;
    let signs = rest.iter().take(MOST_SIGNS).take_while(|b| **b == b'+');
    let signs = signs.count();
    // In JSON, a backslash may precede a slash.
    let is_end = matches!(
        rest.get(signs..)?,
        [b':', b'/', b'/', ..] | [b':', b'\\', b'/', b'\\', b'/', ..]
    );
    is_end.then_some(end + signs)
}

/// Returns whether a scheme may end with `word`. RFC 3986 requires a letter first, and then
/// letters, digits, `+`, `-` and `.`.
///
/// The scheme may be only the end of the word.
pub(super) fn ends_scheme(word: &[u8]) -> bool {
    let is_letter = |b: &u8| b.is_ascii_alphabetic();
    !word.ends_with(b".")
        || word
            .rsplit(|b| *b == b'_')
            .next()
            .is_some_and(|word| word.iter().any(is_letter))
}

/// Returns the position of the last byte in the last word of a scheme. The scheme ends with the
/// byte at `last`, which may be a plus sign. For the filter.
pub(super) fn last_word_end(bytes: &[u8], last: usize) -> usize {
    let before = bytes.get(..=last).unwrap_or_default();
    let signs = before.iter().rev().take(MOST_SIGNS);
    // A text may begin with plus signs, before which there is no word.
    last.saturating_sub(signs.take_while(|b| **b == b'+').count())
}

/// The networks of `user:secret@network(address)`, with which Go's drivers name a database.
const NETWORKS: [&[u8]; 3] = [b"@tcp(", b"@unix(", b"@cloudsql("];
/// How long a user and a secret before a network may be, in bytes.
const LONGEST_LOGIN: usize = 96;

/// Returns whether `byte` cannot be in a user or a secret before a network.
fn ends_login(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'=' | b'\\')
}

/// Returns where `user:secret@network(` begins, if the last three letters of the network and the
/// `(` end with the byte at `last`. For the filter.
pub(super) fn login_around(bytes: &[u8], last: usize) -> Option<usize> {
    let text = bytes.get(..=last)?;
    let sign = NETWORKS
        .iter()
        .find_map(|network| text.strip_suffix(*network))?;
    let near = sign.get(sign.len().saturating_sub(LONGEST_LOGIN)..)?;
    let start = near
        .iter()
        .rposition(|b| ends_login(*b))
        .map_or(0, |at| at + 1);
    Some(sign.len() - near.len() + start)
}

/// Returns the secret of `user:secret@network(address)`, where the user is from `start` to `end`.
pub(super) fn network_login(view: View<'_>, start: usize, end: usize) -> Option<Secret> {
    let bytes = view.bytes();
    let is_begin = start == view.barrier || bytes.get(start - 1).is_some_and(|b| ends_login(*b));
    let rest = bytes.get(end + 1..)?;
    let most = LONGEST_LOGIN.checked_sub(end + 1 - start)?;
    let near = rest.get(..most).unwrap_or(rest);
    let near = near
        .iter()
        .position(|b| ends_login(*b))
        .map_or(near, |at| near.get(..at).unwrap_or(near));
    let sign = super::byte_search::last(b'@', near)?;
    let is_network = NETWORKS.iter().any(|network| {
        rest.get(sign..)
            .is_some_and(|rest| rest.starts_with(network))
    });
    let password = view.text.get(end + 1..end + 1 + sign)?;
    (is_begin && is_network && !password.is_empty() && !stand_ins::is_stand_in(password)).then_some(
        Secret {
            start: end + 1,
            end: end + 1 + sign,
            rule: RULE,
        },
    )
}

/// Returns the `secret` of `scheme://user:secret@host`, where the scheme ends at `end`.
///
/// A password may have any sign. A slash ends the host, unless a colon precedes it and what is between
/// them is not a port: then the slash is part of a password.
pub(super) fn userinfo(view: View<'_>, end: usize) -> Option<Secret> {
    let bytes = view.bytes();
    let begin = end
        + if bytes.get(end + 1) == Some(&b'\\') {
            5
        } else {
            3
        };
    let rest = bytes.get(begin..)?;
    let mut colon = None;
    let mut at_sign = None;
    let mut was_slash = false;
    // Unless a quote encloses the URL, it may be part of the password.
    let before = bytes.get(view.barrier.min(end)..end).unwrap_or_default();
    let scheme = before.iter().rev().take(LONGEST);
    let scheme = scheme
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(**b, b'+' | b'-' | b'.' | b':'));
    let scheme = scheme.count();
    let opens = before.get(before.len().saturating_sub(scheme + 1)).copied();
    let may_have_quote =
        |at: usize| opens != Some(b'\'') && rest.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
    for at in 0..LONGEST {
        let Some(&byte) = rest.get(at) else {
            // The password may continue after the redaction mark.
            (!view.is_cut).then_some(())?;
            break;
        };
        match byte {
            b'\'' if colon.is_some() && may_have_quote(at) => {}
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' => break,
            b'@' => {
                at_sign = Some(at);
                if was_slash {
                    break;
                }
            }
            // Another URL begins here.
            b':' if rest.get(at + 1..at + 3) == Some(b"//") => break,
            b':' if colon.is_none() => colon = Some(at),
            b'/' | b'?' | b'#' => {
                let password = colon.and_then(|colon| rest.get(colon + 1..at));
                let is_port = password.is_none_or(|port| {
                    port.is_empty() || port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
                });
                if at_sign.is_some() || is_port {
                    break;
                }
                was_slash = true;
            }
            _ => {}
        }
    }
    let length = at_sign?;
    let userinfo = view.text.get(begin..begin + length)?;
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    // Here a token takes the place of the user.
    if matches!(password, "" | "x-oauth-basic") && looks::looks_random(user) {
        return Some(Secret {
            start: begin,
            end: begin + userinfo.len(),
            rule: RULE,
        });
    }
    // A password of one or two letters is never a stand-in.
    let is_stand_in = password.len() > 2 && stand_ins::is_stand_in(password);
    // The default account of a server is no secret.
    let is_stand_in =
        is_stand_in || password == user && password.bytes().all(|b| b.is_ascii_lowercase());
    let is_path = was_slash && user.contains(['/', '?', '#']);
    let is_secret = !(password.is_empty() || is_stand_in || is_path);
    let start = begin + user.len() + 1;
    is_secret.then_some(Secret {
        start,
        end: start + password.len(),
        rule: RULE,
    })
}
