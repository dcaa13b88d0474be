//! Secrets in short texts, found by their shape or by the name before them, and replaced before a byte is written.
//!
//! The shapes are the fixed prefixes that the providers themselves document for secret scanning.

use std::borrow::Cow;

/// What stands where a secret was.
pub const MARK: &str = "[redacted]";

/// A key's fixed beginning and the least number of characters after it.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-", 16),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("rk_test_", 10),
    ("whsec_", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("gldt-", 16),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxe-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xapp-", 10),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("hf_", 30),
    ("dop_v1_", 30),
    ("doo_v1_", 30),
    ("shpat_", 20),
    ("SG.", 30),
    ("dckr_pat_", 20),
    ("glsa_", 20),
    ("lin_api_", 20),
    ("ntn_", 20),
    ("sntrys_", 20),
    ("tfp_", 20),
    ("hvs.", 20),
    ("eyJ", 30),
];

/// Names after which a value is a secret, in lower case; a name that ends in one of them counts too (`db_password`).
const TELLING: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "access-key",
    "secret_key",
    "secret-key",
    "private_key",
    "client_secret",
    "credential",
    "credentials",
    "auth",
    "bearer",
    "authorization",
];

/// `text` without the secrets that could be recognised in it.
pub fn redact(text: &str) -> Cow<'_, str> {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY") {
        return Cow::Borrowed(MARK);
    }
    let mut clean = String::new();
    let mut copied = 0;
    let mut telling = false;
    for word in words(text) {
        let (start, value) = word;
        let before = text.get(..start).unwrap_or_default();
        let secret = has_key_shape(value)
            || (telling && !is_telling(value) && follows_assignment(before, value))
            || is_url_password(before, text.get(start + value.len()..).unwrap_or_default());
        if secret {
            clean.push_str(text.get(copied..start).unwrap_or_default());
            clean.push_str(MARK);
            copied = start + value.len();
        }
        telling = is_telling(value) || (telling && value.eq_ignore_ascii_case("bearer"));
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(clean)
}

/// The runs of characters that a key can be made of, each with its byte offset.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let part_of_word = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '-' | '.' | '+' | '~' | '!' | '$' | '%' | '^' | '*')
    };
    let mut rest = 0;
    std::iter::from_fn(move || {
        let tail = text.get(rest..)?;
        let start = rest + tail.find(part_of_word)?;
        let word = text.get(start..)?;
        let length = word.find(|c| !part_of_word(c)).unwrap_or(word.len());
        rest = start + length;
        Some((start, word.get(..length)?))
    })
}

fn has_key_shape(word: &str) -> bool {
    PREFIXES.iter().any(|(prefix, least)| {
        word.match_indices(prefix).any(|(at, _)| {
            let at_boundary = word
                .get(..at)
                .is_some_and(|before| !before.ends_with(|c: char| c.is_ascii_alphanumeric()));
            let rest = word.get(at + prefix.len()..).unwrap_or_default();
            at_boundary && rest.len() >= *least && !rest.contains(['*', '$', '%'])
        })
    })
}

fn is_telling(word: &str) -> bool {
    let name = word.trim_start_matches('-').to_ascii_lowercase();
    TELLING.iter().any(|telling| {
        name.strip_suffix(telling)
            .is_some_and(|before| before.is_empty() || before.ends_with(['_', '-', '.']))
    })
}

/// `password=x`, `token: x`, `"secret": "x"`, `--password x`, `Authorization: Bearer x`.
fn follows_assignment(before: &str, value: &str) -> bool {
    let trimmed = before.trim_end_matches([' ', '"', '\'']);
    let flag = before
        .rsplit(' ')
        .find(|word| !word.is_empty())
        .is_some_and(|word| word.starts_with("--"));
    let bearer = trimmed.to_ascii_lowercase().ends_with("bearer");
    value.len() >= 3
        && (trimmed.ends_with(['=', ':']) || flag || bearer)
        && !trimmed.ends_with("==")
}

/// The `secret` of `scheme://user:secret@host`.
fn is_url_password(before: &str, after: &str) -> bool {
    let userinfo = before.rsplit("://").next().unwrap_or_default();
    before.contains("://")
        && userinfo.ends_with(':')
        && !userinfo.contains(['/', ' ', '@'])
        && after.starts_with('@')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(redact(text), expected, "{text}");
    }

    #[test]
    fn known_key_shapes_are_found() {
        let fill = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
        for (prefix, _) in PREFIXES {
            check(
                &format!("use {prefix}{fill} now"),
                &format!("use {MARK} now"),
            );
        }
        check("-----BEGIN RSA PRIVATE KEY-----\nMII", MARK);
    }

    #[test]
    fn values_behind_telling_names_are_found() {
        check("DB_PASSWORD=hunter2 run", "DB_PASSWORD=[redacted] run");
        check(
            "curl -H 'Authorization: Bearer abc.def'",
            "curl -H 'Authorization: Bearer [redacted]'",
        );
        check("mysql --password hunter2", "mysql --password [redacted]");
        check(r#"{"token": "abcdef"}"#, r#"{"token": "[redacted]"}"#);
        check(
            "fetch https://bob:hunter2@example.com/x",
            "fetch https://bob:[redacted]@example.com/x",
        );
    }

    #[test]
    fn ordinary_labels_are_left_alone() {
        for text in [
            "List files",
            "/home/dev/shop/src/auth/token.rs",
            "Run the author's keyboard tests, max_tokens 4096",
            "Check task-list of sk-learn",
            "git checkout feature/password-reset",
            "http://localhost:8080/path",
            "Implement token bucket",
            "5b48472b-1111-4222-8333-444455556666",
        ] {
            assert!(
                matches!(redact(text), Cow::Borrowed(same) if same == text),
                "{text} -> {}",
                redact(text)
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_settles(text in any::<String>()) {
            let once = redact(&text).into_owned();
            prop_assert_eq!(redact(&once).into_owned(), once);
        }
    }
}
