//! The user and the password that stand before a URL's host.
//!
//! It reads from the scheme on. Names in a URL's query are not its business.

use super::{Secret, View, looks, stand_ins};

const RULE: &str = "url-password";
/// How far the end of a password may be from the beginning of the host.
pub(super) const LONGEST: usize = 256;

/// The most signs of addition that a scheme may end with.
const MOST_SIGNS: usize = 8;

/// Returns where the scheme ends whose last word ends at `end`. Behind that, `://` stands.
pub(super) fn scheme_end(bytes: &[u8], end: usize) -> Option<usize> {
    let rest = bytes.get(end..)?;
    let signs = rest.iter().take(MOST_SIGNS).take_while(|b| **b == b'+');
    let signs = signs.count();
    rest.get(signs..)?
        .starts_with(b"://")
        .then_some(end + signs)
}

/// Returns whether a scheme may end with `word`: RFC 3986 wants a letter first, and then letters, digits, `+`, `-` and `.`.
///
/// A joint that no scheme has may stand before it.
pub(super) fn ends_scheme(word: &[u8]) -> bool {
    let is_letter = |b: &u8| b.is_ascii_alphabetic();
    !word.ends_with(b".")
        || word
            .rsplit(|b| *b == b'_')
            .next()
            .is_some_and(|word| word.iter().any(is_letter))
}

/// Returns where the last word of the scheme ends that ends with the byte at `last`, for the filter.
pub(super) fn last_word_end(bytes: &[u8], last: usize) -> usize {
    let before = bytes.get(..=last).unwrap_or_default();
    let signs = before.iter().rev().take(MOST_SIGNS);
    // A text may begin with the signs.
    last.saturating_sub(signs.take_while(|b| **b == b'+').count())
}

/// Returns the `secret` of `scheme://user:secret@host`, where the scheme ends at `end`.
///
/// A password may have any sign in it; one with a slash is told from a host with a port by what the port is.
pub(super) fn userinfo(view: View<'_>, end: usize) -> Option<Secret> {
    let bytes = view.bytes();
    let begin = end + 3;
    let rest = bytes.get(begin..)?;
    let mut colon = None;
    let mut at_sign = None;
    let mut was_slash = false;
    for at in 0..LONGEST {
        let Some(&byte) = rest.get(at) else {
            // Behind a mark it may go on.
            (!view.is_cut).then_some(())?;
            break;
        };
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' => break,
            b'@' => {
                at_sign = Some(at);
                if was_slash {
                    break;
                }
            }
            // Another URL.
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
    // A token in the place of a user.
    if matches!(password, "" | "x-oauth-basic") && looks::looks_random(user) {
        return Some(Secret {
            start: begin,
            end: begin + userinfo.len(),
            rule: RULE,
        });
    }
    // Two letters stand for nothing.
    let is_stand_in = password.len() > 2 && stand_ins::is_stand_in(password);
    let is_path = was_slash && user.contains(['/', '?', '#']);
    let is_secret = !(password.is_empty() || is_stand_in || is_path);
    let start = begin + user.len() + 1;
    is_secret.then_some(Secret {
        start,
        end: start + password.len(),
        rule: RULE,
    })
}
