//! The names that announce a secret, such as `DB_PASSWORD`, and the kind of secret that each
//! announces.
//!
//! `looks` and `stand_ins` decide which of the values after these names are secrets.

use super::words::{LONGEST_PLAIN, WordList, last_bytes};

/// The kind of secret that a name announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    /// A secret that a person chose, so that it may be any word.
    Password,
    /// A secret of several words that a person chose.
    Phrase,
    /// A secret that a machine generated: long, and not a word.
    Key,
    /// A secret of a person or a machine. It may be a word, but rarely is.
    Secret,
    /// A one-time code: a number that is valid once.
    Code,
    /// The value of the header `Authorization`. A scheme may precede the secret.
    Authorization,
    /// The value of the header `Cookie`: pairs of a name and a value, some of them secret.
    Cookie,
    /// Probably not a secret. A value is one only if it looks like one.
    Perhaps,
    /// Almost never a secret. A value is one only if it cannot be anything else.
    Hardly,
    /// Several secrets, in a list or a map.
    Several,
}

use SecretKind::{
    Authorization, Code, Cookie, Hardly, Key, Password, Perhaps, Phrase, Secret, Several,
};

/// The ends of names that announce a secret, in lower case and without joints (`_`, `-`). So
/// `apikey` also stands for `API_KEY`, `x-api-key` and `apiKey`.
#[rustfmt::skip]
pub(super) const ENDINGS: &[(&str, SecretKind)] = &[
    ("password", Password), ("passwd", Password), ("passphrase", Password), ("pwd", Password), ("sshpass", Password),
    ("passcode", Password), ("passwrd", Password), ("pswd", Password), ("storepass", Password), ("keypass", Password),
    ("requirepass", Password), ("masterauth", Password), ("bindpw", Password), ("rootpw", Password), ("userpw", Password),
    // Words in other languages.
    ("passwort", Password), ("kennwort", Password), ("contrasena", Password), ("motdepasse", Password), ("senha", Password),
    ("wachtwoord", Password), ("losenord", Password), ("passord", Password), ("adgangskode", Password), ("salasana", Password),
    ("heslo", Password), ("haslo", Password), ("jelszo", Password), ("parola", Password), ("sifre", Password),
    ("katasandi", Password), ("matkhau", Password), ("parolachiave", Password), ("lozinka", Password),
    ("contrassenya", Password), ("redisauth", Password),
    ("geheimnis", Secret), ("apischluessel", Key), ("clavedeapi", Key), ("claveapi", Key), ("clavesecreta", Key), ("chavedeapi", Key),
    ("chavesecreta", Key), ("chaveapi", Key), ("chiaveapi", Key), ("cleapi", Key), ("apisleutel", Key), ("kluczapi", Key), ("apianahtari", Key),
    ("secretstring", Secret), ("otpseed", Key), ("totpseed", Key), ("mfaseed", Key), ("hotpseed", Key), ("backupcode", Code), ("recoverycode", Code),
    ("servicerolekey", Key), ("jwt", Perhaps),
    ("mnemonic", Phrase), ("seedphrase", Phrase), ("recoveryphrase", Phrase), ("secretphrase", Phrase), ("mnemonicphrase", Phrase),
    ("backupphrase", Phrase),
    ("secret", Secret), ("secretid", Key), ("token", Key), ("tokensecret", Key), ("keydata", Key),
    ("apikey", Key), ("accesskey", Key), ("secretkey", Key), ("privatekey", Key), ("privkey", Key), ("encryptionkey", Key), ("signingkey", Key),
    ("accountkey", Key), ("masterkey", Key), ("authkey", Key), ("appkey", Key), ("servicekey", Key), ("sharedkey", Key),
    ("storagekey", Key), ("subscriptionkey", Key), ("deploykey", Key), ("licensekey", Key), ("hmackey", Key), ("jwtkey", Key),
    ("adminkey", Key), ("applicationkey", Key), ("unsealkey", Key), ("recoverykey", Key), ("sessionkey", Key), ("cipherkey", Key),
    ("cryptokey", Key), ("cryptkey", Key), ("aeskey", Key), ("rootkey", Key), ("clientkey", Key), ("consumerkey", Key), ("integrationkey", Key),
    ("ingestkey", Key), ("ingestionkey", Key), ("webhookkey", Key), ("sshkey", Key), ("serverkey", Key), ("livekey", Key),
    ("machinekey", Key), ("botkey", Key), ("developerkey", Key), ("merchantkey", Key), ("decryptionkey", Key), ("decryptkey", Key),
    ("encryptkey", Key), ("presharedkey", Key), ("functionkey", Key), ("writekey", Key), ("securekey", Key), ("tokenkey", Key),
    ("signaturekey", Key), ("credentialkey", Key), ("storekey", Key), ("vaultkey", Key), ("userkey", Key), ("restkey", Key), ("backupkey", Key),
    ("amzsignature", Key), ("googsignature", Key),
    ("otp", Code), ("otpcode", Code), ("totpcode", Code), ("mfacode", Code), ("twofactorcode", Code), ("2facode", Code),
    ("authorization", Authorization), ("cookie", Cookie),
    ("auth", Perhaps), ("bearer", Perhaps), ("credential", Perhaps), ("credentials", Perhaps), ("creds", Perhaps), ("salt", Perhaps),
    ("sonarlogin", Key), ("webhooktoken", Key), ("cookiesecret", Key),
    ("validationkey", Key),
    ("passwords", Several), ("passphrases", Several), ("secrets", Several), ("tokens", Several), ("apikeys", Several),
    ("accesskeys", Several), ("secretkeys", Several), ("authkeys", Several), ("signingkeys", Several),
    ("encryptionkeys", Several), ("privatekeys", Several), ("licensekeys", Several),
    ("artapi", Key), ("honeycombteam", Key), ("jwtassertion", Key), ("keymaterial", Password), ("keycontent", Password), ("remotepass", Password),
];

/// More ends of names that announce a secret. These count only as separate words: after a joint,
/// with a capital, or after no letter at all.
pub(super) const WORDS: &[(&str, SecretKind)] = &[
    ("pass", Password),
    ("psk", Password),
    SHORTEST,
    ("mdp", Password),
    ("sas", Perhaps),
];

/// The only one of [`WORDS`] with two letters.
const SHORTEST: (&str, SecretKind) = ("pw", Password);

/// The words before `key` in names of keys that are not secret, or may not be. In alphabetical
/// order.
#[rustfmt::skip]
const OPEN_KEYS: &[&str] = &[
    "anon", "arrow", "attribute", "bucket", "cache", "child", "column", "composite", "config", "control", "ctrl", "dedup",
    "dedupe", "dict", "enter", "event", "field", "file", "foreign", "function", "group", "hash", "host", "hot", "idempotency",
    "index", "input", "issue", "item", "job", "json", "kms", "known", "label", "list", "locale", "lookup", "map", "message",
    "meta", "new", "object", "old", "output", "parent", "partition", "path", "primary", "project", "property", "pub", "public",
    "publishable", "query", "range", "react", "registry", "routing", "row", "s3", "setting", "shard", "shift", "short", "site",
    "sort", "state", "tag", "task", "test", "translation", "unique",
];

/// The words before `token` that name a place in a list, or a token of a text or of an assembly. In order.
#[rustfmt::skip]
const OPEN_TOKENS: &[&str] = &[
    "bos", "cls", "continuation", "continue", "current", "cursor", "end", "eos", "input", "mask", "max", "next", "output", "pad", "page", "pagination",
    "resume", "sep", "special", "start", "stop", "sync", "unk",
];

/// The words that are written together with `pass` or `pw`: `dbpass`, `MYSQLPASS`. In order.
#[rustfmt::skip]
pub(super) const JOINED: &[&str] = &[
    "admin", "api", "app", "auth", "backup", "bind", "cert", "client", "database", "db", "dbadmin", "dbuser", "email", "esxi", "ftp", "git", "guest", "http",
    "imap", "ipmi", "jdbc", "jenkins", "jmx", "jwt", "keystore", "ldap", "login", "mail", "mailer", "mariadb", "mongo", "mongodb", "mqtt", "mssql",
    "mysql", "nexus", "ora", "oracle", "pdf", "pg", "pgsql", "pop3", "postgres", "postgresql", "proxy", "psql", "rabbit", "rabbitmq", "rcon", "redis", "registry",
    "remote", "root", "router", "rpc", "samba", "server", "sftp", "smb", "smtp", "snmp", "sql", "ssh", "ssl", "sudo", "svn", "system", "telnet", "tls",
    "truststore", "user", "usr", "vault", "vnc", "vpn", "web", "wifi", "wlan", "wordpress", "wp", "zip",
];

/// The providers and algorithms whose name before `key` makes it a secret one. In order.
#[rustfmt::skip]
pub(super) const KEEPERS: &[&str] = &[
    "aes", "ahrefs", "aiven", "alchemy", "algolia", "amplitude", "anthropic", "apify", "assemblyai", "azure", "azureml", "bedrock", "blockfrost", "brave",
    "braze", "browserless", "bugsnag", "cerebras", "clerk", "cloudflare", "cloudinary", "cohere", "coinbase", "coingecko", "datadog", "deepgram",
    "deepinfra", "deepl", "deepseek", "elevenlabs", "encryption", "etherscan", "fal", "fernet", "finnhub", "firecrawl", "fireworks", "flask", "flutterwave",
    "gemini", "giphy", "github", "gitlab", "grafana", "groq", "heroku", "honeycomb", "hubspot", "huggingface", "infura", "intercom", "ipinfo", "ipstack",
    "jina", "langchain", "langfuse", "langsmith", "launchdarkly", "lemonsqueezy", "linode", "logtail", "mailchimp", "mailersend", "mailgun", "mailjet", "mandrill",
    "mapbox", "mapquest", "maptiler", "mistral", "mixpanel", "mollie", "moralis", "newrelic", "newsapi", "ngrok", "nvidia", "nylas", "okta", "omdb", "openai",
    "opencage", "openrouter", "openweather", "openweathermap", "opsgenie", "paddle", "pagerduty", "paypal", "paystack", "perplexity", "pexels", "pinecone",
    "pixabay", "plaid", "postmark", "pusher", "qdrant", "quicknode", "rapidapi", "razorpay", "replicate", "resend", "rollbar", "runpod",
    "sendgrid", "sendinblue", "sentry", "serpapi", "serper", "shodan", "shopify", "sparkpost", "splunk", "spotify", "stability", "stripe", "supabase",
    "svix", "tavily", "tiingo", "tmdb", "togetherai", "tomtom", "trello", "twilio", "twitch", "typesense", "unsplash", "upstash", "vapid", "vercel",
    "virustotal", "voyage", "voyageai", "vultr", "wandb", "weatherapi", "weaviate", "wolfram", "wolframalpha", "xai", "youtube", "zendesk",
];

/// Names that announce a secret in the query of a URL, as a whole.
pub(super) const QUERY: &[&str] = &[
    "key",
    "code",
    "sig",
    "signature",
    "sid",
    "session",
    "ticket",
    "auth",
    "jwt",
    "hmac",
    "assertion",
    "sessionid",
    "session_id",
    "invite",
    "magic",
    "pass",
    "pw",
    "otp",
    "apikey",
    "x-amz-signature",
    "x-goog-signature",
    "oauth_signature",
    "client_assertion",
    "samlresponse",
    "subscription-key",
    "sas",
    "secret",
    "state",
    "nonce",
    "st",
    "pin",
    "crumb",
    "appid",
    "accesskeyid",
    "hash_key",
];

/// How many bytes of a text are searched back for a name that announces a secret.
pub(super) const LONGEST: usize = 32;

/// The suffixes that may follow a name that announces a secret, to tell several secrets apart.
pub(super) const SUFFIXES: [&str; 17] = [
    "prod",
    "production",
    "dev",
    "test",
    "stage",
    "staging",
    "live",
    "old",
    "new",
    "base",
    "confirm",
    "confirmation",
    "value",
    "current",
    "next",
    "previous",
    "default",
];

/// The end of the name of a personal access token. In small letters, it means a pattern or a path.
const ACCESS_TOKEN: &str = "_PAT";

/// The most digits that may follow a name that announces a secret.
const MOST_DIGITS: usize = 4;

/// Returns the kind of secret that a name announces; `None` if it announces none. `name` is the
/// text up to the end of the name.
///
/// A number or one of [`SUFFIXES`] at the end does not count. So `DB_PASSWORD_PROD2` and
/// `passwordConfirm` announce passwords.
pub(super) fn telling(name: &[u8]) -> Option<SecretKind> {
    let name = without_number(name);
    let hint = hint(name);
    let whole = ending_by(name, hint).map(|(_, telling)| telling);
    match hint & AS_SUFFIX {
        0 => whole,
        _ => whole.or_else(|| ending(without_suffix(name)?).map(|(_, telling)| telling)),
    }
}

/// The name may end with one of [`ENDINGS`] or [`WORDS`].
const AS_ENDING: u8 = 1;
/// The name may end with one of [`SUFFIXES`].
const AS_SUFFIX: u8 = 2;
/// The name may end with [`SHORTEST`].
const AS_SHORTEST: u8 = 4;

/// Returns what a name may end with, judged by its last three characters: [`AS_ENDING`] and the
/// other bits. Those characters rule out most names.
#[inline]
pub(super) fn hint(name: &[u8]) -> u8 {
    let (second, third, last) = match *name {
        // In most names, these three characters are not joints.
        [.., second, third, last] if !(is_joint(second) || is_joint(third) || is_joint(last)) => {
            (second, third, last)
        }
        [third, last] if !(is_joint(third) || is_joint(last)) => (0, third, last),
        _ => {
            let mut letters = [0; 3];
            let mut places = letters.iter_mut().rev();
            for &byte in name.iter().rev() {
                if LETTERS.get(usize::from(byte)) == Some(&JOINT) {
                    continue;
                }
                let Some(place) = places.next() else { break };
                *place = byte;
            }
            letters.into()
        }
    };
    let row = HINTS.get(usize::from(third & 31));
    let [as_ending, as_suffix] = row
        .and_then(|row| row.get(usize::from(last & 31)))
        .copied()
        .unwrap_or_default();
    let seconds = 1 << (second & 31);
    let is_shortest = [third | 32, last | 32] == *b"pw";
    let as_shortest = if is_shortest { AS_SHORTEST } else { 0 };
    // A sign may have the same lower bits as a letter.
    if (as_ending | as_suffix) & seconds == 0 || !second.is_ascii_alphabetic() {
        return as_shortest;
    }
    let is = |bits: u32, hint: u8| if bits & seconds == 0 { 0 } else { hint };
    is(as_ending, AS_ENDING) | is(as_suffix, AS_SUFFIX) | as_shortest
}

/// For the last two letters of a name in either case: the letters that precede them in [`ENDINGS`]
/// and in [`SUFFIXES`].
static HINTS: [[[u32; 2]; 32]; 32] = hints();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn hints() -> [[[u32; 2]; 32]; 32] {
    let mut hints = [[[0; 2]; 32]; 32];
    let mut at = 0;
    while at < ENDINGS.len() {
        mark_last(&mut hints, ENDINGS[at].0.as_bytes(), 0);
        at += 1;
    }
    at = 0;
    while at < WORDS.len() {
        // Before [`SHORTEST`], which has two letters, any letter may come.
        if WORDS[at].0.len() > 2 {
            mark_last(&mut hints, WORDS[at].0.as_bytes(), 0);
        }
        at += 1;
    }
    // Before `key`, any word may come.
    mark_last(&mut hints, b"key", 0);
    mark_last(&mut hints, ACCESS_TOKEN.as_bytes(), 0);
    at = 0;
    while at < SUFFIXES.len() {
        mark_last(&mut hints, SUFFIXES[at].as_bytes(), 1);
        at += 1;
    }
    hints
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_last(hints: &mut [[[u32; 2]; 32]; 32], word: &[u8], of: usize) {
    let (second, third, last) = (
        word[word.len() - 3] & 31,
        word[word.len() - 2] & 31,
        word[word.len() - 1] & 31,
    );
    hints[third as usize][last as usize][of] |= 1 << second;
}

/// Returns `name` without the number at its end.
#[inline]
fn without_number(name: &[u8]) -> &[u8] {
    if !name.last().is_some_and(u8::is_ascii_digit) {
        return name;
    }
    let digits = name.iter().rev().take(MOST_DIGITS);
    let digits = digits.take_while(|b| b.is_ascii_digit()).count();
    trimmed(name.get(..name.len() - digits).unwrap_or_default())
}

/// Returns `name` without the suffix at its end, if it has one.
fn without_suffix(name: &[u8]) -> Option<&[u8]> {
    let last = name.last()?.to_ascii_lowercase();
    SUFFIXES.iter().find_map(|suffix| {
        (suffix.as_bytes().last() == Some(&last)).then_some(())?;
        let start = name.len().checked_sub(suffix.len())?;
        let (before, end) = name.split_at_checked(start)?;
        let is_camel = end.first().is_some_and(u8::is_ascii_uppercase)
            && before.last().is_some_and(u8::is_ascii_lowercase);
        let is_joined = matches!(before.last(), Some(b'_' | b'-' | b'.'))
            || *suffix == "value" && before.last() == Some(&b' ');
        let is_suffix = end.eq_ignore_ascii_case(suffix.as_bytes()) && (is_camel || is_joined);
        is_suffix.then_some(trimmed(before))
    })
}

/// Returns `name` without the joint at its end.
fn trimmed(name: &[u8]) -> &[u8] {
    match name {
        [rest @ .., b'_' | b'-'] => rest,
        _ => name,
    }
}

/// How many letters at the end of a name are compared at most.
const COMPARED: usize = 16;

/// Returns the ending by which `name` announces a secret, and the kind of that secret.
pub(super) fn ending(name: &[u8]) -> Option<(&'static str, SecretKind)> {
    ending_by(name, hint(name))
}

/// Does the same as [`ending`] for a name whose [`hint`] is known.
#[inline]
pub(super) fn ending_by(name: &[u8], hint: u8) -> Option<(&'static str, SecretKind)> {
    let long = match hint & AS_ENDING {
        0 => None,
        _ => long_ending(name),
    };
    match hint & AS_SHORTEST {
        0 => long,
        _ => long.or_else(|| {
            let is_one = ends_with_word(name, SHORTEST.0.as_bytes()) || is_joined(name, 2);
            is_one.then_some(SHORTEST)
        }),
    }
}

fn long_ending(name: &[u8]) -> Option<(&'static str, SecretKind)> {
    if matches!(name, [.., b'_', b'P', b'A', b'T']) {
        return Some((ACCESS_TOKEN, Perhaps));
    }
    // The shell's own variables `PWD` and `OLDPWD` do not announce a password.
    if let [before @ .., b'P', b'W', b'D'] = name
        && (before.ends_with(b"OLD")
            || !before.last().is_some_and(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b';')
            }))
    {
        return None;
    }
    // Most names that announce a secret end with a listed ending, in upper or lower case. `number`
    // has all letters in lower case.
    let number = last_bytes(name) | u128::from_ne_bytes([0x20; COMPARED]);
    let found = found_in(bucket((number as u32).to_le_bytes()), number);
    if let Some(found) = found.filter(|of| of.is_plain) {
        let ending = ENDINGS.get(usize::from(found.ending)).copied()?;
        return announced(name, ending);
    }
    let four = match found {
        Some(_) => number as u32,
        None => last_letters(name, BUCKET) as u32,
    };
    let bucket = bucket(four.to_le_bytes());
    let found = match found.is_some() || ends_any(bucket, four) {
        true => {
            let longest = BUCKETS.longest.get(bucket).copied().map_or(0, usize::from);
            found_in(bucket, last_letters(name, longest))
        }
        false => None,
    };
    match found.map(|of| usize::from(of.ending)) {
        Some(ending) if ending < ENDINGS.len() => announced(name, *ENDINGS.get(ending)?),
        Some(word) => {
            let word = WORDS.get(word - ENDINGS.len()).copied();
            word.filter(|(word, _)| {
                ends_with_word(name, word.as_bytes())
                    || *word == "pass" && (is_joined(name, 4) || is_joined_option(name))
            })
        }
        None => is_some_key(name, four).map(|telling| ("key", telling)),
    }
}

/// Returns what a name with this ending announces, if the word before the ending does not open it.
#[inline]
fn announced(
    name: &[u8],
    (ending, telling): (&'static str, SecretKind),
) -> Option<(&'static str, SecretKind)> {
    let kind = match ending {
        "token" => {
            let before = trimmed(name.get(..name.len() - ending.len()).unwrap_or_default());
            let last = last_word(before);
            let is_public_key = || {
                let key = before.get(before.len().saturating_sub(9)..);
                key.is_some_and(|key| key.eq_ignore_ascii_case(b"publickey"))
            };
            if OPEN_TOKEN_WORDS.has(last) || is_public_key() {
                return None;
            }
            // A client chooses it so that a request is not carried out twice.
            let is_client = last.eq_ignore_ascii_case(b"client");
            if is_client { Perhaps } else { telling }
        }
        // The id of a key in a setting of Git.
        "signingkey" if name.to_ascii_lowercase().ends_with(b"user.signingkey") => return None,
        _ => telling,
    };
    Some((ending, kind))
}

/// Returns whether one of [`JOINED`] precedes the last `length` bytes of `name`, without a joint.
fn is_joined(name: &[u8], length: usize) -> bool {
    let before = name.get(..name.len().saturating_sub(length));
    let before = before.unwrap_or_default();
    let letters = before.iter().rev().take(LONGEST_PLAIN + 1);
    let letters = letters.take_while(|b| b.is_ascii_alphanumeric()).count();
    let noun = before.get(before.len() - letters..).unwrap_or_default();
    JOINED_WORDS.has(noun)
}

/// Returns whether an ending in a bucket has the same last four letters as a name.
#[inline]
fn ends_any(bucket: usize, four: u32) -> bool {
    let start = |bucket: usize| BUCKETS.starts.get(bucket).copied().map(usize::from);
    let alike = start(bucket).zip(start(bucket + 1));
    let alike = alike.and_then(|(start, end)| BUCKETS.endings.get(start..end));
    let agrees = |of: &EndingLetters| (four ^ of.letters as u32) & of.mask as u32 == 0;
    alike.is_some_and(|alike| alike.iter().any(agrees))
}

/// Returns the first ending in a bucket with which a name ends. `number` contains the last letters
/// of the name.
#[inline]
fn found_in(bucket: usize, number: u128) -> Option<&'static EndingLetters> {
    let start = |bucket: usize| BUCKETS.starts.get(bucket).copied().map(usize::from);
    let alike = BUCKETS.endings.get(start(bucket)?..start(bucket + 1)?)?;
    alike.iter().find(|of| number & of.mask == of.letters)
}

/// Returns whether `name` ends with `word` as a separate word: after a joint, or with a capital.
fn ends_with_word(name: &[u8], word: &[u8]) -> bool {
    let start = name.len().checked_sub(word.len());
    let ends = start.and_then(|start| name.split_at_checked(start));
    ends.is_some_and(|(before, end)| {
        end.eq_ignore_ascii_case(word)
            && match (before.last(), end.first()) {
                (Some(before), Some(first)) => {
                    !before.is_ascii_alphanumeric()
                        || before.is_ascii_lowercase() && first.is_ascii_uppercase()
                }
                _ => true,
            }
    })
}

/// Returns whether `name` is an option whose last word is joined to the word before, as in
/// `--dbpass`.
fn is_joined_option(name: &[u8]) -> bool {
    const OTHERS: [&[u8]; 5] = [b"bypass", b"compass", b"surpass", b"respass", b"by-pass"];
    let start = name
        .iter()
        .rposition(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'_'));
    let word = name
        .get(start.map_or(0, |start| start + 1)..)
        .unwrap_or_default();
    word.starts_with(b"--") && !OTHERS.iter().any(|other| word.ends_with(other))
}

/// Returns the last letters and digits of `name`, at most `most`, in lower case. The last one is in
/// the lowest byte.
///
/// Skips joints, and stops at any other sign.
#[inline]
fn last_letters(name: &[u8], most: usize) -> u128 {
    let mut letters = [0; COMPARED];
    let mut places = letters.iter_mut().take(most);
    for &byte in name.iter().rev().take(2 * COMPARED) {
        let letter = LETTERS.get(usize::from(byte)).copied().unwrap_or_default();
        if letter == JOINT {
            continue;
        }
        if letter == 0 {
            break;
        }
        let Some(place) = places.next() else { break };
        *place = letter;
    }
    u128::from_le_bytes(letters)
}

/// What each byte of a name is compared as: a lower-case letter, a digit, or [`JOINT`]. 0 means
/// that no name contains the byte.
static LETTERS: [u8; 256] = letters();
const JOINT: u8 = 1;

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn letters() -> [u8; 256] {
    let mut letters = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        if is_joint(byte) {
            letters[at] = JOINT;
        } else if byte.is_ascii_alphanumeric() {
            letters[at] = byte.to_ascii_lowercase();
        }
        at += 1;
    }
    letters
}

/// Returns whether `name` ends in `key` after a word that is not one of [`OPEN_KEYS`].
///
/// `four` contains the last four letters of the name.
fn is_some_key(name: &[u8], four: u32) -> Option<SecretKind> {
    if !matches!(four.to_le_bytes(), [b'y', b'e', b'k', _]) {
        return None;
    }
    let before = name.get(..name.len().saturating_sub(3)).unwrap_or_default();
    let before = trimmed(before);
    let last = last_word(before);
    if last.is_empty() || OPEN_WORDS.has(last) {
        return None;
    }
    Some(if KEEPER_WORDS.has(last) { Key } else { Hardly })
}

/// Returns the last word of a name, also within a name such as `myPublic`.
fn last_word(name: &[u8]) -> &[u8] {
    let back = name.iter().rev();
    let length = back.take_while(|b| b.is_ascii_alphanumeric()).count();
    let word = name.get(name.len() - length..).unwrap_or_default();
    let small = word.iter().rev();
    let small = small.take_while(|b| !b.is_ascii_uppercase()).count();
    match small {
        0 => word,
        _ => word
            .get(word.len().saturating_sub(small + 1)..)
            .unwrap_or(word),
    }
}

/// An ending in the form in which it is compared, from its last letter backwards.
#[derive(Debug, Clone, Copy)]
struct EndingLetters {
    letters: u128,
    mask: u128,
    /// The ending's index in [`ENDINGS`] followed by [`WORDS`].
    ending: u8,
    /// True if the ending is one of [`ENDINGS`], has only letters, and no earlier ending ends with
    /// it.
    is_plain: bool,
}

const LISTED: usize = ENDINGS.len() + WORDS.len();

/// The [`ENDINGS`] and [`WORDS`]. Those that end alike share a bucket, in which [`WORDS`] come
/// last.
struct Buckets {
    endings: [EndingLetters; LISTED],
    starts: [u8; BUCKET_COUNT + 1],
    /// The length of the longest ending of each bucket.
    longest: [u8; BUCKET_COUNT],
}

static BUCKETS: Buckets = buckets();

/// How many of the last letters are used to choose the bucket.
const BUCKET: usize = 4;

/// The number of buckets.
const BUCKET_COUNT: usize = 96;

/// Returns the bucket of a name. `letters` are its last letters, the last one first. For a name
/// that ends with `key`, the letter before `key` decides. For other names, the last two letters
/// decide.
const fn bucket(letters: [u8; BUCKET]) -> usize {
    match letters {
        [b'y', b'e', b'k', before] => 64 + (before & 31) as usize,
        [last, second, ..] => (last as usize * 3 + second as usize * 5) % 64,
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn buckets() -> Buckets {
    let mut buckets = Buckets {
        endings: [EndingLetters {
            letters: 0,
            mask: 0,
            ending: 0,
            is_plain: false,
        }; LISTED],
        starts: [0; BUCKET_COUNT + 1],
        longest: [0; BUCKET_COUNT],
    };
    let (mut of, mut placed) = (0, 0);
    while of < BUCKET_COUNT {
        buckets.starts[of] = placed as u8;
        let mut at = 0;
        while at < LISTED {
            let ending = if at < ENDINGS.len() {
                ENDINGS[at].0.as_bytes()
            } else {
                WORDS[at - ENDINGS.len()].0.as_bytes()
            };
            let length = ending.len();
            assert!(length <= COMPARED);
            let third = if length > 2 { ending[length - 3] } else { 0 };
            let fourth = if length > 3 { ending[length - 4] } else { 0 };
            let letters = [ending[length - 1], ending[length - 2], third, fourth];
            if bucket(letters) == of {
                let mut byte = 0;
                while byte < length {
                    let place = 8 * byte;
                    buckets.endings[placed].letters |= (ending[length - 1 - byte] as u128) << place;
                    buckets.endings[placed].mask |= 0xff << place;
                    byte += 1;
                }
                buckets.endings[placed].ending = at as u8;
                buckets.endings[placed].is_plain = is_plain(at);
                if length > buckets.longest[of] as usize {
                    buckets.longest[of] = length as u8;
                }
                placed += 1;
            }
            at += 1;
        }
        of += 1;
    }
    buckets.starts[BUCKET_COUNT] = placed as u8;
    assert!(placed == LISTED && placed < 256);
    buckets
}

/// Returns whether an ending has only letters and is not the end of an earlier one.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn is_plain(ending: usize) -> bool {
    if ending >= ENDINGS.len() {
        return false;
    }
    let word = ENDINGS[ending].0.as_bytes();
    let mut byte = 0;
    while byte < word.len() {
        if !word[byte].is_ascii_lowercase() {
            return false;
        }
        byte += 1;
    }
    let mut before = 0;
    while before < ending {
        let other = ENDINGS[before].0.as_bytes();
        let mut same = 0;
        while same < word.len()
            && same < other.len()
            && other[other.len() - 1 - same] == word[word.len() - 1 - same]
        {
            same += 1;
        }
        if same == word.len() {
            return false;
        }
        before += 1;
    }
    true
}

const fn is_joint(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// Returns whether `name` can announce a secret in the query of a URL.
pub(super) fn is_of_query(name: &[u8]) -> bool {
    QUERY
        .iter()
        .any(|of| name.eq_ignore_ascii_case(of.as_bytes()))
}

static OPEN_WORDS: WordList<{ OPEN_KEYS.len() }> = WordList::of(OPEN_KEYS);
static OPEN_TOKEN_WORDS: WordList<{ OPEN_TOKENS.len() }> = WordList::of(OPEN_TOKENS);
static JOINED_WORDS: WordList<{ JOINED.len() }> = WordList::of(JOINED);
static KEEPER_WORDS: WordList<{ KEEPERS.len() }> = WordList::of(KEEPERS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_open_keys_is_in_order() {
        for list in [OPEN_KEYS, OPEN_TOKENS, JOINED, KEEPERS] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
            assert!(list.iter().all(|word| word.len() <= LONGEST_PLAIN));
        }
    }
}
