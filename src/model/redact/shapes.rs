//! Keys that can be told by their own shape: a fixed beginning that the provider gives them so that scanners find them.
//!
//! The facts (beginning, alphabet, least length) are those that gitleaks' rules and the providers' own documents agree on.
//! The least lengths are lower than theirs where the beginning is telling: half a key is half a secret.

use super::Secret;

/// What a key is made of after its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    /// Lower and upper case hexadecimal.
    Hex,
    /// Capital letters and digits.
    Upper,
    /// Letters and digits.
    Alnum,
    /// The same with `_` and `-`: base64 for URLs.
    Word,
    /// Letters, digits, `+`, `/` and `=`.
    Base64,
    /// All of these, with `.` and `~`: several parts.
    Parts,
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
            Self::Parts => {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b'~')
            }
        }
    }
}

use Alphabet::{Alnum, Base64, Hex, Parts, Upper, Word};

/// A kind of key.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rule: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    /// The least number of characters after the prefix.
    least: usize,
    /// Whether there are never more: so that a prefix of three letters is not found in every large file in base64.
    exact: bool,
    /// Whether the prefix counts within a word, too: it must be one that no word and no hash has.
    anywhere: bool,
    /// Whether the prefix itself stays.
    keeps_prefix: bool,
}

impl Shape {
    const fn anywhere(self) -> Self {
        Self {
            anywhere: true,
            ..self
        }
    }

    const fn exactly(self) -> Self {
        Self {
            exact: true,
            ..self
        }
    }

    fn has_length(&self, length: usize) -> bool {
        length == self.least || length > self.least && !self.exact
    }

    const fn keeps_prefix(self) -> Self {
        Self {
            keeps_prefix: true,
            ..self
        }
    }
}

const fn shape(
    rule: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    least: usize,
) -> Shape {
    Shape {
        rule,
        prefix,
        alphabet,
        least,
        exact: false,
        anywhere: false,
        keeps_prefix: false,
    }
}

#[rustfmt::skip]
const SHAPES: &[Shape] = &[
    // Clouds.
    shape("aws", "AKIA", Upper, 16),
    shape("aws", "ASIA", Upper, 16),
    shape("aws", "ABIA", Upper, 16),
    shape("aws", "ACCA", Upper, 16),
    shape("aws", "ABSK", Base64, 60),
    shape("aws", "bedrock-api-key-", Base64, 30).anywhere(),
    shape("google", "AIza", Word, 30),
    shape("google", "ya29.", Word, 20),
    shape("google", "GOCSPX-", Word, 20),
    shape("google", "1//0", Word, 30),
    shape("alibaba", "LTAI", Alnum, 16),
    shape("digitalocean", "dop_v1_", Hex, 30).anywhere(),
    shape("digitalocean", "doo_v1_", Hex, 30).anywhere(),
    shape("digitalocean", "dor_v1_", Hex, 30).anywhere(),
    shape("cloudflare", "v1.0-", Parts, 100),
    shape("heroku", "HRKU-", Word, 30),
    shape("fly", "fo1_", Word, 40),
    shape("fly", "fm1a_", Base64, 60),
    shape("fly", "fm1r_", Base64, 60),
    shape("fly", "fm2_", Base64, 60),
    shape("netlify", "nfp_", Alnum, 30),
    shape("supabase", "sbp_", Hex, 30),
    shape("supabase", "sb_secret_", Word, 20),
    shape("planetscale", "pscale_", Parts, 32),
    shape("databricks", "dapi", Hex, 32),
    shape("databricks", "dose", Hex, 32),
    shape("scalingo", "tk-us-", Word, 40),
    // Version control and continuous integration.
    shape("github", "ghp_", Alnum, 20).anywhere(),
    shape("github", "gho_", Alnum, 20).anywhere(),
    shape("github", "ghu_", Alnum, 20).anywhere(),
    shape("github", "ghs_", Alnum, 20).anywhere(),
    shape("github", "ghr_", Alnum, 20).anywhere(),
    shape("github", "github_pat_", Word, 20).anywhere(),
    shape("gitlab", "glpat-", Parts, 16).anywhere(),
    shape("gitlab", "gldt-", Word, 16).anywhere(),
    shape("gitlab", "glptt-", Hex, 30).anywhere(),
    shape("gitlab", "glrt-", Parts, 16).anywhere(),
    shape("gitlab", "glcbt-", Word, 20).anywhere(),
    shape("gitlab", "glffct-", Word, 16).anywhere(),
    shape("gitlab", "glft-", Word, 16).anywhere(),
    shape("gitlab", "glimt-", Word, 16).anywhere(),
    shape("gitlab", "glagent-", Word, 40).anywhere(),
    shape("gitlab", "gloas-", Word, 40).anywhere(),
    shape("gitlab", "glsoat-", Word, 16).anywhere(),
    shape("gitlab", "GR1348941", Word, 16),
    shape("gitlab", "_gitlab_session=", Hex, 30).keeps_prefix(),
    shape("atlassian", "ATATT3", Parts, 60),
    shape("atlassian", "ATCTT3", Parts, 60),
    shape("atlassian", "ATBB", Alnum, 28),
    shape("sourcegraph", "sgp_", Word, 36),
    shape("circleci", "CCIPAT_", Word, 40),
    shape("buildkite", "bkua_", Hex, 36),
    // Chat.
    shape("slack", "xoxa-", Word, 10),
    shape("slack", "xoxb-", Word, 10),
    shape("slack", "xoxe-", Word, 10),
    shape("slack", "xoxe.xox", Parts, 10),
    shape("slack", "xoxo-", Word, 10),
    shape("slack", "xoxp-", Word, 10),
    shape("slack", "xoxr-", Word, 10),
    shape("slack", "xoxs-", Word, 10),
    shape("slack", "xapp-", Word, 10),
    shape("slack", "hooks.slack.com/services/", Base64, 30).anywhere().keeps_prefix(),
    shape("slack", "hooks.slack.com/workflows/", Base64, 30).anywhere().keeps_prefix(),
    shape("slack", "hooks.slack.com/triggers/", Base64, 30).anywhere().keeps_prefix(),
    shape("discord", "discord.com/api/webhooks/", Parts, 60).anywhere().keeps_prefix(),
    shape("discord", "discordapp.com/api/webhooks/", Parts, 60).anywhere().keeps_prefix(),
    // Providers of models.
    shape("anthropic", "sk-ant-", Word, 16).anywhere(),
    shape("openrouter", "sk-or-v1-", Hex, 30).anywhere(),
    shape("langfuse", "sk-lf-", Word, 30),
    shape("openai", "sk-proj-", Word, 16).anywhere(),
    shape("openai", "sk-svcacct-", Word, 16).anywhere(),
    shape("openai", "sk-admin-", Word, 16).anywhere(),
    shape("openai", "sk-", Alnum, 20),
    shape("huggingface", "hf_", Alnum, 28),
    shape("huggingface", "api_org_", Alnum, 28),
    shape("replicate", "r8_", Alnum, 28),
    shape("groq", "gsk_", Alnum, 28),
    shape("xai", "xai-", Alnum, 40),
    shape("perplexity", "pplx-", Alnum, 30),
    shape("together", "tgp_v1_", Word, 30),
    shape("cerebras", "csk-", Alnum, 30),
    shape("nvidia", "nvapi-", Word, 40),
    shape("tavily", "tvly-", Word, 24),
    shape("pinecone", "pcsk_", Word, 30),
    shape("langsmith", "lsv2_pt_", Word, 30),
    shape("langsmith", "lsv2_sk_", Word, 30),
    // Payment.
    shape("stripe", "sk_live_", Alnum, 10),
    shape("stripe", "sk_test_", Alnum, 10),
    shape("stripe", "sk_prod_", Alnum, 10),
    shape("stripe", "rk_live_", Alnum, 10),
    shape("stripe", "rk_test_", Alnum, 10),
    shape("stripe", "rk_prod_", Alnum, 10),
    shape("stripe", "whsec_", Base64, 16),
    shape("square", "sq0atp-", Word, 20),
    shape("square", "sq0csp-", Word, 40),
    shape("razorpay", "rzp_live_", Alnum, 14),
    shape("flutterwave", "FLWSECK", Word, 16),
    // Package registries.
    shape("npm", "npm_", Alnum, 28),
    shape("pypi", "pypi-AgE", Word, 30).anywhere(),
    shape("crates", "cio", Alnum, 32).exactly(),
    shape("rubygems", "rubygems_", Hex, 30),
    shape("docker", "dckr_pat_", Word, 20).anywhere(),
    shape("docker", "dckr_oat_", Word, 20).anywhere(),
    shape("clojars", "CLOJARS_", Alnum, 40),
    shape("nuget", "oy2", Alnum, 43).exactly(),
    shape("artifactory", "AKCp", Alnum, 60),
    // Mail and telephony.
    shape("sendgrid", "SG.", Parts, 40),
    shape("brevo", "xkeysib-", Word, 40),
    shape("mailgun", "key-", Hex, 32),
    shape("twilio", "SK", Hex, 32),
    // Everything else.
    shape("1password", "ops_eyJ", Base64, 60),
    shape("age", "AGE-SECRET-KEY-1", Upper, 40).anywhere(),
    shape("adafruit", "aio_", Alnum, 28),
    shape("contentful", "CFPAT-", Word, 40),
    shape("doppler", "dp.pt.", Alnum, 30),
    shape("doppler", "dp.st.", Parts, 30),
    shape("doppler", "dp.ct.", Alnum, 30),
    shape("doppler", "dp.sa.", Alnum, 30),
    shape("dynatrace", "dt0c01.", Parts, 60),
    shape("easypost", "EZAK", Alnum, 50),
    shape("figma", "figd_", Word, 36),
    shape("grafana", "glsa_", Word, 30),
    shape("grafana", "glc_", Base64, 32),
    shape("grafana", "eyJrIjoi", Base64, 60),
    shape("linear", "lin_api_", Alnum, 28),
    shape("linear", "lin_oauth_", Alnum, 28),
    shape("notion", "ntn_", Alnum, 30),
    shape("notion", "secret_", Alnum, 40),
    shape("openshift", "sha256~", Word, 40),
    shape("postman", "PMAK-", Word, 40),
    shape("prefect", "pnu_", Alnum, 30),
    shape("pulumi", "pul-", Hex, 36),
    shape("readme", "rdme_", Alnum, 60),
    shape("sentry", "sntrys_", Parts, 30),
    shape("sentry", "sntryu_", Hex, 30),
    shape("shippo", "shippo_live_", Hex, 36),
    shape("shippo", "shippo_test_", Hex, 36),
    shape("shopify", "shpat_", Hex, 28),
    shape("shopify", "shpca_", Hex, 28),
    shape("shopify", "shppa_", Hex, 28),
    shape("shopify", "shpss_", Hex, 28),
    shape("tailscale", "tskey-", Word, 20),
    shape("typeform", "tfp_", Word, 40),
    shape("vault", "hvs.", Word, 20),
    shape("vault", "hvb.", Word, 40),
    shape("vault", "hvr.", Word, 20),
    shape("authorization", "Bearer ", Parts, 16).keeps_prefix(),
    shape("authorization", "bearer ", Parts, 16).keeps_prefix(),
];

/// The length of the shortest key.
pub(super) const SHORTEST: usize = shortest();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn shortest() -> usize {
    let (mut at, mut shortest) = (0, usize::MAX);
    while at < SHAPES.len() {
        let length = SHAPES[at].prefix.len() + SHAPES[at].least;
        if length < shortest {
            shortest = length;
        }
        at += 1;
    }
    shortest
}

/// How much of a candidate is looked at to tell a key from a word. It bounds what a text made of beginnings costs.
const JUDGED: usize = 256;

/// A key may begin here if a word does.
pub(super) const AT_START: u8 = 1;
/// A key may begin here, whatever stands before it.
pub(super) const ANYWHERE: u8 = 2;

/// For each hash of four bytes whether a prefix begins with them, so that nearly every byte of a text costs one look.
static BEGINNINGS: [u8; 1 << HASH_BITS] = beginnings();
const HASH_BITS: u32 = 14;

/// Of 1,500 odd numbers the one that finds the fewest beginnings where there are none, in source text of several languages.
const MULTIPLIER: u32 = 0xfb49_5555;

/// Multiplicative hashing of three bytes and the kind of the fourth, its upper half: sign, digit, capital, small letter.
const fn hash(bytes: [u8; 4]) -> usize {
    let bytes = u32::from_le_bytes(bytes) & 0xf0ff_ffff;
    (bytes.wrapping_mul(MULTIPLIER) >> (u32::BITS - HASH_BITS)) as usize
}

/// Whether a key may begin with these bytes: [`AT_START`] of a word, [`ANYWHERE`], or not.
#[inline(always)]
pub(super) fn beginning(bytes: [u8; 4]) -> u8 {
    BEGINNINGS.get(hash(bytes)).copied().unwrap_or_default()
}

/// What announces a secret without any sign between them: a line of a `.netrc`, and SQL.
const PHRASES: [&[u8]; 2] = [b"machine ", b"IDENTIFIED "];

/// Whether the first of a key's characters stand at `at`, where a [`beginning`] is. An escape is taken for any character.
pub(super) fn may_begin_at(bytes: &[u8], at: usize) -> bool {
    const SEEN: usize = 10;
    let rest = bytes.get(at..).unwrap_or_default();
    let begins = |shape: &Shape| {
        // A slash may be escaped.
        let prefix = shape.prefix.as_bytes();
        let slash = prefix.iter().position(|b| *b == b'/');
        let body = rest.strip_prefix(prefix.get(..slash.unwrap_or(prefix.len()))?)?;
        let body = body.get(..SEEN).unwrap_or(body);
        let end = body.iter().position(|b| !shape.alphabet.has(*b));
        Some(slash.is_some() || end.is_none_or(|end| body.get(end) == Some(&b'\\')))
    };
    let mut alike = shapes_of(rest);
    alike.any(|shape| begins(shape).unwrap_or(false))
        || rest.starts_with(b"eyJ")
        || rest.starts_with(b".atlasv1.")
        || PHRASES.iter().any(|phrase| rest.starts_with(phrase))
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn beginnings() -> [u8; 1 << HASH_BITS] {
    let mut marks = [0; 1 << HASH_BITS];
    let mut at = 0;
    while at < SHAPES.len() {
        let mark = if SHAPES[at].anywhere {
            ANYWHERE
        } else {
            AT_START
        };
        assert!(SHAPES[at].prefix.len() > 2 || matches!(SHAPES[at].alphabet, Hex));
        mark_all(&mut marks, SHAPES[at].prefix.as_bytes(), mark);
        at += 1;
    }
    // Those that are told by their parts.
    mark_all(&mut marks, b"eyJ", AT_START);
    mark_all(&mut marks, b".atlasv1.", ANYWHERE);
    // Escapes: what they stand for may begin a key, or end a word before it.
    mark_all(&mut marks, b"\\u", ANYWHERE);
    mark_all(&mut marks, b"\\x", ANYWHERE);
    at = 0;
    while at < PHRASES.len() {
        mark_all(&mut marks, PHRASES[at], AT_START);
        at += 1;
    }
    // Of four blanks texts are full.
    assert!(marks[hash(*b"    ")] == 0);
    marks
}

/// Marks all that four bytes can be of which the first are `prefix`.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_all(marks: &mut [u8; 1 << HASH_BITS], prefix: &[u8], mark: u8) {
    let mut third = 0u8;
    while third < 128 {
        // What is as short stands before hexadecimal digits.
        if prefix.len() < 3 && third.is_ascii_hexdigit() || prefix.len() >= 3 && prefix[2] == third
        {
            let mut kind = 0u8;
            while kind < 8 {
                let fourth = kind << 4;
                if prefix.len() < 4 || prefix[3] & 0xf0 == fourth {
                    marks[hash([prefix[0], prefix[1], third, fourth])] |= mark;
                }
                kind += 1;
            }
        }
        third += 1;
    }
}

/// The shapes in the order of the first byte of their prefix.
struct Order {
    /// Which shapes.
    shapes: [u8; SHAPES.len()],
    /// The second and third byte of each one's prefix; no third where it has but two.
    heads: [[u8; 2]; SHAPES.len()],
    /// Where those begin whose prefix begins with a byte.
    starts: [u8; 129],
}

static ORDER: Order = order();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn order() -> Order {
    let mut order = Order {
        shapes: [0; SHAPES.len()],
        heads: [[0; 2]; SHAPES.len()],
        starts: [0; 129],
    };
    let (mut byte, mut placed) = (0, 0);
    while byte < 128 {
        order.starts[byte] = placed as u8;
        let mut at = 0;
        while at < SHAPES.len() {
            let prefix = SHAPES[at].prefix.as_bytes();
            if prefix[0] as usize == byte {
                order.shapes[placed] = at as u8;
                order.heads[placed] = [prefix[1], if prefix.len() > 2 { prefix[2] } else { 0 }];
                placed += 1;
            }
            at += 1;
        }
        byte += 1;
    }
    order.starts[128] = placed as u8;
    assert!(placed == SHAPES.len() && placed < 256);
    order
}

/// The shapes whose prefix begins as `text` does, in three bytes.
fn shapes_of(text: &[u8]) -> impl Iterator<Item = &'static Shape> {
    let [first, second, third] = text.first_chunk().copied().unwrap_or_default();
    let start = |byte: u8| {
        ORDER
            .starts
            .get(usize::from(byte))
            .copied()
            .map(usize::from)
    };
    let start_end = start(first).zip(start(first.saturating_add(1)));
    let range = start_end.map_or(0..0, |(start, end)| start..end);
    let heads = ORDER.heads.get(range.clone()).unwrap_or_default();
    let alike = heads
        .iter()
        .zip(range)
        .filter(move |(head, _)| **head == [second, third] || **head == [second, 0]);
    alike.filter_map(|(_, at)| SHAPES.get(usize::from(*ORDER.shapes.get(at)?)))
}

/// The key that begins at `at`, or whose middle is there.
pub(super) fn key_at(bytes: &[u8], at: usize) -> Option<Secret> {
    let rest = bytes.get(at..)?;
    let window @ [first, second, ..] = *rest.first_chunk::<4>()?;
    let prefixed = match beginning(window) {
        0 => None,
        _ => prefixed(bytes, at, rest),
    };
    prefixed.or_else(|| match (first, second) {
        (b'e', b'y') => json_web_token(bytes, at),
        (b'M' | b'N' | b'O', _) => discord(bytes, at),
        (b'Q', b'~') => azure(bytes, at),
        (b':', b'A') => telegram(bytes, at),
        (b'.', b'a') => terraform(bytes, at),
        (b'-', b'u') => mailchimp(bytes, at),
        _ => None,
    })
}

fn prefixed(bytes: &[u8], at: usize, rest: &[u8]) -> Option<Secret> {
    let mut alike = shapes_of(rest);
    let shape = alike.find(|shape| {
        let body = rest.strip_prefix(shape.prefix.as_bytes());
        body.is_some_and(|body| {
            let judged = run(body, shape.alphabet, JUDGED);
            shape.has_length(judged.len())
                && (shape.alphabet == Upper || is_no_word(judged))
                && (shape.anywhere || starts_word(bytes, at))
        })
    })?;
    let prefix = shape.prefix.len();
    let body = run(rest.get(prefix..)?, shape.alphabet, usize::MAX);
    Some(Secret {
        start: at + if shape.keeps_prefix { prefix } else { 0 },
        end: at + prefix + body.len(),
        rule: shape.rule,
    })
}

/// The characters of `alphabet` that `bytes` begins with, at most so many.
fn run(bytes: &[u8], alphabet: Alphabet, most: usize) -> &[u8] {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    let end = bytes.iter().position(|byte| !alphabet.has(*byte));
    end.and_then(|end| bytes.get(..end)).unwrap_or(bytes)
}

/// The characters of `alphabet` that `bytes` ends with, at most so many.
fn run_back(bytes: &[u8], alphabet: Alphabet, most: usize) -> usize {
    let back = bytes.iter().rev().take(most);
    back.take_while(|byte| alphabet.has(**byte)).count()
}

/// Whether a key may begin at `at`: not within a word. An escape is no part of the word that follows it.
pub(super) fn starts_word(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    match before {
        [.., last] if !last.is_ascii_alphanumeric() => true,
        [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0'] => true,
        [.., b'\\', b'x', _, _] | [.., b'\\', b'u', _, _, _, _] | [.., b'%', _, _] => true,
        [color @ .., b'm'] => {
            let codes = color.iter().rev();
            let start = codes
                .take(16)
                .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
                .count();
            color
                .get(..color.len().saturating_sub(start))
                .is_some_and(|before| before.ends_with(b"\x1b["))
        }
        other => other.is_empty(),
    }
}

/// Digits, or letters of both cases: neither prose nor an identifier of one case.
fn is_no_word(body: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| body.iter().any(is);
    has(u8::is_ascii_digit) || has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

/// `eyJ….….…`: a header, a payload, and mostly a signature.
fn json_web_token(bytes: &[u8], at: usize) -> Option<Secret> {
    const LONGEST_HEADER: usize = 4096;
    let rest = bytes.get(at..).filter(|rest| rest.starts_with(b"eyJ"))?;
    starts_word(bytes, at).then_some(())?;
    let header = run(rest, Word, LONGEST_HEADER).len();
    let payload = rest.get(header..)?.strip_prefix(b".")?;
    let is_token = header >= 12 && run(payload, Word, 8).len() == 8;
    is_token.then(|| Secret {
        start: at,
        end: at + run(rest, Parts, usize::MAX).len(),
        rule: "jwt",
    })
}

/// The least and the greatest length of a bot's id in base64.
pub(super) const LEAST_ID: usize = 23;
pub(super) const MOST_ID: usize = 28;

/// A bot's token: its id in base64, a time, a signature, with points between them.
fn discord(bytes: &[u8], at: usize) -> Option<Secret> {
    let rest = bytes.get(at..).filter(|_| starts_word(bytes, at))?;
    let id = run(rest, Alnum, MOST_ID + 1).len();
    let time = rest.get(id..)?.strip_prefix(b".")?;
    let length = run(time, Word, 8).len();
    let signature = time.get(length..)?.strip_prefix(b".")?;
    let signature = run(signature, Word, JUDGED).len();
    let is_token =
        (LEAST_ID..=MOST_ID).contains(&id) && (6..=7).contains(&length) && signature >= 27;
    is_token.then(|| Secret {
        start: at,
        end: at + id + 1 + length + 1 + signature,
        rule: "discord",
    })
}

/// A client secret of Azure: `Q~` after three characters and a digit.
fn azure(bytes: &[u8], at: usize) -> Option<Secret> {
    let start = at.checked_sub(4)?;
    let tail = run(bytes.get(at + 2..)?, Parts, JUDGED).len();
    let is_secret = bytes.get(at - 1).is_some_and(u8::is_ascii_digit)
        && run(bytes.get(start..)?, Parts, 4).len() == 4
        && tail >= 20;
    is_secret.then_some(Secret {
        start,
        end: at + 2 + tail,
        rule: "azure",
    })
}

/// A bot's number, `:AA`, and its token.
fn telegram(bytes: &[u8], at: usize) -> Option<Secret> {
    let number = bytes.get(..at)?;
    let number = number
        .iter()
        .rev()
        .take(12)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let tail = bytes.get(at + 1..)?;
    let length = run(tail, Word, JUDGED).len();
    let is_token = (8..=11).contains(&number) && tail.starts_with(b"AA") && length >= 30;
    is_token.then_some(Secret {
        start: at - number,
        end: at + 1 + length,
        rule: "telegram",
    })
}

/// A token of HCP Terraform: `.atlasv1.` in its middle.
fn terraform(bytes: &[u8], at: usize) -> Option<Secret> {
    let tail = bytes.get(at..)?.strip_prefix(b".atlasv1.")?;
    let lead = run_back(bytes.get(..at)?, Alnum, 20);
    let length = run(tail, Parts, JUDGED).len();
    (lead >= 10 && length >= 30).then_some(Secret {
        start: at - lead,
        end: at + b".atlasv1.".len() + length,
        rule: "terraform",
    })
}

/// A key of Mailchimp: 32 hexadecimal digits and its data centre.
fn mailchimp(bytes: &[u8], at: usize) -> Option<Secret> {
    let centre = bytes.get(at..)?.strip_prefix(b"-us")?;
    let digits = centre
        .iter()
        .take(3)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let lead = run_back(bytes.get(..at)?, Hex, 33);
    (lead == 32 && (1..=2).contains(&digits)).then_some(Secret {
        start: at - lead,
        end: at + b"-us".len() + digits,
        rule: "mailchimp",
    })
}

/// A key of each shape, for tests.
#[cfg(test)]
pub(super) fn examples() -> impl Iterator<Item = (&'static str, String)> {
    let fill = |alphabet: Alphabet, length: usize| -> String {
        let characters: Vec<char> = match alphabet {
            Hex => "3f8a1c9e0b7d2465".chars().collect(),
            Upper => "Q7ZK2M5XVB3JW6TN".chars().collect(),
            _ => "a1B2c3D4e5F6g7H8i9J0k".chars().collect(),
        };
        characters.into_iter().cycle().take(length).collect()
    };
    SHAPES.iter().map(move |shape| {
        let body = fill(shape.alphabet, shape.least);
        (shape.rule, format!("{}{body}", shape.prefix))
    })
}
