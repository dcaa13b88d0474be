//! Names after which a secret stands, and which of the values that follow one are no secrets.

/// What a name says of the value behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// A person's secret: any word can be one.
    Password,
    /// The same of several words.
    Phrase,
    /// A machine's secret: long, and no word.
    Key,
    /// Either's: what is called a secret may be a word, but is mostly none.
    Secret,
    /// A number that is good once.
    Code,
    /// The header: a scheme may stand before the secret.
    Authorization,
    /// The header: pairs of a name and a value, of which some are secret.
    Cookie,
    /// A secret only if it looks like one.
    Perhaps,
    /// A secret only if nothing else can look so.
    Hardly,
}

use Telling::{Authorization, Code, Cookie, Hardly, Key, Password, Perhaps, Phrase, Secret};

/// The ends of telling names, in lower case, without the characters that join words: `apikey` is `API_KEY`, `x-api-key` and `apiKey`,
/// too.
#[rustfmt::skip]
pub(super) const ENDINGS: &[(&str, Telling)] = &[
    ("password", Password), ("passwd", Password), ("passphrase", Password), ("pwd", Password), ("sshpass", Password),
    ("passcode", Password), ("passwrd", Password), ("pswd", Password), ("storepass", Password), ("keypass", Password),
    ("requirepass", Password), ("masterauth", Password), ("bindpw", Password), ("rootpw", Password), ("userpw", Password),
    // The same in other languages.
    ("passwort", Password), ("kennwort", Password), ("contrasena", Password), ("motdepasse", Password), ("senha", Password),
    ("wachtwoord", Password), ("losenord", Password), ("passord", Password), ("adgangskode", Password), ("salasana", Password),
    ("heslo", Password), ("haslo", Password), ("jelszo", Password), ("parola", Password), ("sifre", Password),
    ("katasandi", Password), ("matkhau", Password), ("parolachiave", Password),
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
    ("sonarlogin", Perhaps), ("webhooktoken", Key), ("cookiesecret", Key),
];

/// The same, where nothing but a joint stands before them, or a word ends.
pub(super) const WORDS: &[(&str, Telling)] = &[
    ("pass", Password),
    ("psk", Password),
    ("pw", Password),
    ("mdp", Password),
];

/// Names in letters that are not those of ASCII.
pub(super) const FOREIGN: &[&str] = &[
    "contraseña",
    "Contraseña",
    "CONTRASEÑA",
    "lösenord",
    "Lösenord",
    "hasło",
    "Hasło",
    "şifre",
    "Şifre",
    "jelszó",
    "Jelszó",
    "heslo",
    "пароль",
    "Пароль",
    "ПАРОЛЬ",
    "лозинка",
    "парола",
    "κωδικός",
    "Κωδικός",
    "סיסמה",
    "סיסמא",
    "كلمة المرور",
    "密码",
    "密碼",
    "口令",
    "パスワード",
    "暗証番号",
    "암호",
    "비밀번호",
    "รหัสผ่าน",
    "पासवर्ड",
    "mật khẩu",
    "Mật khẩu",
    "salasanä",
];

/// The length of the longest of [`FOREIGN`].
pub(super) const LONGEST_FOREIGN: usize = 24;

/// What stands before `key` where it is nothing secret, or where nothing can be said of it. In order.
#[rustfmt::skip]
const OPEN_KEYS: &[&str] = &[
    "anon", "arrow", "attribute", "bucket", "cache", "child", "column", "composite", "config", "control", "ctrl", "dedup",
    "dedupe", "dict", "enter", "event", "field", "file", "foreign", "function", "group", "hash", "host", "hot", "idempotency",
    "index", "input", "issue", "item", "job", "json", "kms", "known", "label", "list", "locale", "lookup", "map", "message",
    "meta", "new", "object", "old", "output", "parent", "partition", "path", "primary", "project", "property", "pub", "public",
    "publishable", "query", "range", "react", "registry", "routing", "row", "s3", "setting", "shard", "shift", "short", "site",
    "sort", "state", "tag", "task", "test", "translation", "unique",
];

/// The names in a URL's query behind which a secret can stand, whole.
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
];

/// As much of a text is looked at for a name.
pub(super) const LONGEST: usize = 32;

/// The longest word that is taken for one; longer runs of letters are those of keys.
const LONGEST_WORD: usize = 15;

/// Words that stand behind a telling name without being its secret: types, literals, and what prose goes on with. In order.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "aes256", "and", "anonymous", "any", "are", "arg", "argon2", "argon2id", "argument", "async", "auth", "await", "base64",
    "basic", "bcrypt", "bearer", "bigint", "blob", "bool", "boolean", "byte", "bytea", "bytes", "can", "cancel", "changed",
    "char", "configmap", "confirm", "const", "copy", "correct", "count", "default", "disabled", "ed25519", "email", "empty",
    "enabled", "encrypted", "enter", "env", "es256", "example", "expired", "external", "false", "field", "fieldref", "file",
    "flag", "float", "for", "forgot", "format", "from", "function", "generator", "get", "given", "has", "hashed", "header",
    "here", "hidden", "hide", "hs256", "http", "https", "id", "impl", "incorrect", "index", "input", "int", "int32", "int64",
    "integer", "internal", "invalid", "invalid_token", "is", "jsonb", "key", "keychain", "keyring", "keys", "len", "length",
    "limit", "list", "localhost", "login", "logout", "manager", "masked", "match", "md5", "mismatch", "missing", "must", "mut",
    "name", "never", "new", "nil", "none", "not", "nothing", "null", "nullable", "nullptr", "number", "oauth2", "object", "off",
    "ok", "omitted", "on", "option", "optional", "parameter", "pbkdf2", "pkcs12", "pkcs8", "plaintext", "policy", "private",
    "prompt", "protected", "provided", "public", "query", "read", "readonly", "redacted", "removed", "required", "reset",
    "return", "rotated", "rotation", "rs256", "save", "scrypt", "secretref", "self", "set", "sha1", "sha256", "sha512", "should",
    "show", "size", "smallint", "static", "stdin", "store", "str", "strength", "string", "stripped", "strong", "submit", "text",
    "that", "the", "this", "todo", "true", "type", "uint32", "uint64", "undef", "undefined", "unknown", "unset", "user",
    "username", "utf16", "utf8", "uuid", "valid", "value", "var", "varchar", "vault", "void", "was", "weak", "will", "with",
    "write", "wrong", "x509", "yes", "yield",
];

/// Words of what stands where a secret is to be put. In order.
#[rustfmt::skip]
const PLACEHOLDERS: &[&str] = &[
    "changeit", "changeme", "dummy", "example", "fill", "fixme", "goes", "here", "insert", "placeholder", "put", "redacted",
    "replace", "replaceme", "sample", "tbd", "todo", "xxx", "xxxx", "xxxxx", "xxxxxx", "xxxxxxx", "xxxxxxxx", "your",
    "yourapikey", "yourpassword", "yours", "yoursecret", "yourtoken",
];

/// What a telling name may go on with: which one of several secrets it is.
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

/// The end of a personal access token's name; in small letters it is that of a pattern or a path.
const ACCESS_TOKEN: &str = "_PAT";

/// The most digits that a telling name may go on with.
const MOST_DIGITS: usize = 4;

/// What a name says of the value behind it, by the text up to its end; nothing where it is any name. `DB_PASSWORD_PROD2` and
/// `passwordConfirm` are telling by what stands before the suffix.
pub(super) fn telling(name: &[u8]) -> Option<Telling> {
    let name = without_number(name);
    let hint = hint(name);
    let whole = match hint & AS_ENDING {
        0 => None,
        _ => ending(name).map(|(_, telling)| telling),
    };
    match hint & AS_SUFFIX {
        0 => whole,
        _ => whole.or_else(|| ending(without_suffix(name)?).map(|(_, telling)| telling)),
    }
}

/// It may end as one of [`ENDINGS`] or [`WORDS`].
const AS_ENDING: u8 = 1;
/// It may end as one of [`SUFFIXES`].
const AS_SUFFIX: u8 = 2;

/// What the last three characters of a name let it be. Most names are told apart by them.
#[inline]
fn hint(name: &[u8]) -> u8 {
    // The last letters, whatever joins them.
    let mut letters = name.iter().rev().filter(|byte| !is_joint(**byte));
    let (last, third) = (letters.next(), letters.next());
    let (Some(last), Some(third)) = (last, third) else {
        return 0;
    };
    let second = letters.next().copied().unwrap_or_default();
    let row = HINTS.get(usize::from(third & 31));
    let [as_ending, as_suffix] = row
        .and_then(|row| row.get(usize::from(last & 31)))
        .copied()
        .unwrap_or_default();
    let seconds = 1 << (second & 31);
    let is = |bits: u32, hint: u8| if bits & seconds == 0 { 0 } else { hint };
    is(as_ending, AS_ENDING) | is(as_suffix, AS_SUFFIX)
}

/// For the last two letters of a name, without their case, which letters stand before them in [`ENDINGS`] and in [`SUFFIXES`].
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
        if WORDS[at].0.len() > 2 {
            mark_last(&mut hints, WORDS[at].0.as_bytes(), 0);
        }
        at += 1;
    }
    // `pw`, whatever stands before it.
    hints[(b'p' & 31) as usize][(b'w' & 31) as usize][0] = u32::MAX;
    // `…key`, whatever stands before it.
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

/// `name` without the number that it ends with.
#[inline]
fn without_number(name: &[u8]) -> &[u8] {
    if !name.last().is_some_and(u8::is_ascii_digit) {
        return name;
    }
    let digits = name.iter().rev().take(MOST_DIGITS);
    let digits = digits.take_while(|b| b.is_ascii_digit()).count();
    trimmed(name.get(..name.len() - digits).unwrap_or_default())
}

/// `name` without the suffix that it ends with.
fn without_suffix(name: &[u8]) -> Option<&[u8]> {
    SUFFIXES.iter().find_map(|suffix| {
        let start = name.len().checked_sub(suffix.len())?;
        let (before, end) = name.split_at_checked(start)?;
        let is_camel = end.first().is_some_and(u8::is_ascii_uppercase)
            && before.last().is_some_and(u8::is_ascii_lowercase);
        let is_joined = matches!(before.last(), Some(b'_' | b'-' | b'.'));
        let is_suffix = end.eq_ignore_ascii_case(suffix.as_bytes()) && (is_camel || is_joined);
        is_suffix.then_some(trimmed(before))
    })
}

/// `name` without the characters at its end that join words.
fn trimmed(name: &[u8]) -> &[u8] {
    match name {
        [rest @ .., b'_' | b'-'] => rest,
        _ => name,
    }
}

/// The most letters of a name that are compared.
const COMPARED: usize = 16;

/// What `name` says by its end, and by which.
fn ending(name: &[u8]) -> Option<(&'static str, Telling)> {
    if name.ends_with(ACCESS_TOKEN.as_bytes()) {
        return Some((ACCESS_TOKEN, Perhaps));
    }
    // The shell's own.
    if let Some(before) = name.strip_suffix(b"PWD")
        && (before.ends_with(b"OLD")
            || !before
                .last()
                .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')))
    {
        return None;
    }
    let (letters, bucket) = last_letters(name);
    let start = |bucket: usize| BUCKETS.starts.get(bucket).copied().map(usize::from);
    let number = u128::from_le_bytes(letters);
    let found = BUCKETS.endings.get(start(bucket)?..start(bucket + 1)?)?;
    let found = found.iter().find(|of| number & of.mask == of.letters);
    if let Some(found) = found.and_then(|of| ENDINGS.get(usize::from(of.ending))) {
        return Some(*found);
    }
    let [last, second, ..] = letters;
    let word = WORDS.iter().find(|(word, _)| {
        if !matches!(word.as_bytes(), [.., of_second, of_last] if (*of_second, *of_last) == (second, last))
        {
            return false;
        }
        let ends = name
            .len()
            .checked_sub(word.len())
            .and_then(|start| name.split_at_checked(start));
        ends.is_some_and(|(before, end)| {
            end.eq_ignore_ascii_case(word.as_bytes())
                && match (before.last(), end.first()) {
                    (Some(before), Some(first)) => {
                        !before.is_ascii_alphanumeric()
                            || before.is_ascii_lowercase() && first.is_ascii_uppercase()
                    }
                    _ => true,
                }
        })
    });
    if let Some(word) = word {
        return Some(*word);
    }
    is_some_key(name, &letters).then_some(("key", Hardly))
}

/// The last letters and digits of `name`, the letters in small ones, from the end on, up to a sign that joins no words; and in which
/// bucket they are. There are as many as the longest ending of that bucket has.
fn last_letters(name: &[u8]) -> ([u8; COMPARED], usize) {
    let mut letters = [0; COMPARED];
    let (mut length, mut most) = (0, BUCKET);
    let mut of = 0;
    for &byte in name.iter().rev().take(2 * COMPARED) {
        let letter = LETTERS.get(usize::from(byte)).copied().unwrap_or_default();
        let Some(place) = letters.get_mut(length).filter(|_| letter != 0) else {
            break;
        };
        // The next letter takes the place of a joint.
        *place = letter;
        length += usize::from(letter != JOINT);
        if length < most {
            continue;
        }
        if length > BUCKET {
            return (letters, of);
        }
        of = bucket(letters.first_chunk().copied().unwrap_or_default());
        most = BUCKETS.longest.get(of).copied().map_or(0, usize::from);
        if most <= BUCKET {
            return (letters, of);
        }
    }
    if let Some(place) = letters.get_mut(length) {
        *place = 0;
    }
    (
        letters,
        bucket(letters.first_chunk().copied().unwrap_or_default()),
    )
}

/// What each byte of a name is compared as: letters without their case, digits, [`JOINT`]; 0 for a byte that no name has.
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

/// Returns whether `name` ends in `key` and nothing says if that key is secret.
fn is_some_key(name: &[u8], letters: &[u8; COMPARED]) -> bool {
    if !letters.starts_with(b"yek") {
        return false;
    }
    let before = name.get(..name.len().saturating_sub(3)).unwrap_or_default();
    let before = trimmed(before);
    // The last word, also of a name like `myPublicKey`.
    let back = before.iter().rev();
    let length = back.take_while(|b| b.is_ascii_alphanumeric()).count();
    let word = before.get(before.len() - length..).unwrap_or_default();
    let small = word.iter().rev();
    let small = small.take_while(|b| !b.is_ascii_uppercase()).count();
    let last = match small {
        0 => word,
        _ => word
            .get(word.len().saturating_sub(small + 1)..)
            .unwrap_or(word),
    };
    !word.is_empty() && !is_one_of(&OPEN_NUMBERS, &OPEN_LENGTHS, last)
}

/// An ending from its last letter on.
#[derive(Debug, Clone, Copy)]
struct Backwards {
    letters: u128,
    mask: u128,
    ending: u8,
}

/// The endings, in buckets of those that end alike.
struct Buckets {
    endings: [Backwards; ENDINGS.len()],
    starts: [u8; 65],
    /// How many letters the longest of each bucket has.
    longest: [u8; 64],
}

static BUCKETS: Buckets = buckets();

/// The letters that say in which bucket an ending is.
const BUCKET: usize = 4;

/// In which bucket what ends with these letters is, from the last one on. Those that end with `key` are told apart by the letter
/// before.
const fn bucket(letters: [u8; BUCKET]) -> usize {
    match letters {
        [b'y', b'e', b'k', before] => 32 + (before & 31) as usize,
        [last, ..] => (last & 31) as usize,
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn buckets() -> Buckets {
    let mut buckets = Buckets {
        endings: [Backwards {
            letters: 0,
            mask: 0,
            ending: 0,
        }; ENDINGS.len()],
        starts: [0; 65],
        longest: [0; 64],
    };
    let (mut of, mut placed) = (0, 0);
    while of < 64 {
        buckets.starts[of] = placed as u8;
        let mut at = 0;
        while at < ENDINGS.len() {
            let ending = ENDINGS[at].0.as_bytes();
            let length = ending.len();
            assert!(length <= COMPARED);
            let fourth = if length > 3 { ending[length - 4] } else { 0 };
            let letters = [
                ending[length - 1],
                ending[length - 2],
                ending[length - 3],
                fourth,
            ];
            if bucket(letters) == of {
                let mut byte = 0;
                while byte < length {
                    let place = 8 * byte;
                    buckets.endings[placed].letters |= (ending[length - 1 - byte] as u128) << place;
                    buckets.endings[placed].mask |= 0xff << place;
                    byte += 1;
                }
                buckets.endings[placed].ending = at as u8;
                if length > buckets.longest[of] as usize {
                    buckets.longest[of] = length as u8;
                }
                placed += 1;
            }
            at += 1;
        }
        of += 1;
    }
    buckets.starts[64] = placed as u8;
    assert!(placed == ENDINGS.len() && placed < 256);
    buckets
}

const fn is_joint(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// The foreign name that `text` ends with: its length.
pub(super) fn foreign(text: &[u8]) -> Option<usize> {
    let last = u32::from_le_bytes(*text.last_chunk()?);
    foreign_of(&FOREIGN_FOURS.last, last)
        .find(|name| text.ends_with(name))
        .map(<[u8]>::len)
}

/// How long the foreign name is that `text` begins with; 0 where it begins with none.
pub(super) fn foreign_at(text: &[u8]) -> usize {
    let Some(first) = text.first_chunk().filter(|first| may_be_foreign(first[0])) else {
        return 0;
    };
    foreign_of(&FOREIGN_FOURS.first, u32::from_le_bytes(*first))
        .find(|name| text.starts_with(name))
        .map_or(0, <[u8]>::len)
}

/// Where the foreign name begins whose window begins at `at`.
pub(super) fn foreign_around(bytes: &[u8], at: usize) -> Option<usize> {
    let window = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    foreign_of(&FOREIGN_FOURS.window, window).find_map(|name| {
        let start = at.checked_sub(foreign_window(name)?)?;
        bytes.get(start..)?.starts_with(name).then_some(start)
    })
}

/// Where in one of [`FOREIGN`] the four bytes stand by which the filter finds it: they end with the first that is not of ASCII.
#[allow(clippy::indexing_slicing, reason = "it is looked at before")]
pub(super) const fn foreign_window(name: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < name.len() {
        if !name[at].is_ascii() {
            return Some(if at < 3 { 0 } else { at - 3 });
        }
        at += 1;
    }
    None
}

/// Whether one of [`FOREIGN`] may begin with `first`: few letters begin one.
fn may_be_foreign(first: u8) -> bool {
    let firsts = FOREIGN_FIRST.get(usize::from(first >> 5)).copied();
    firsts.unwrap_or_default() >> (first & 31) & 1 != 0
}

/// The first bytes of [`FOREIGN`], a bit for each.
static FOREIGN_FIRST: [u32; 8] = foreign_first();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn foreign_first() -> [u32; 8] {
    let mut first = [0; 8];
    let mut at = 0;
    while at < FOREIGN.len() {
        let byte = FOREIGN[at].as_bytes()[0];
        first[(byte >> 5) as usize] |= 1 << (byte & 31);
        at += 1;
    }
    first
}

/// The names of which `four` are the four bytes in their place in `fours`.
fn foreign_of(
    fours: &'static [u32; FOREIGN.len()],
    four: u32,
) -> impl Iterator<Item = &'static [u8]> {
    let alike = fours
        .iter()
        .zip(FOREIGN)
        .filter(move |(of, _)| **of == four);
    alike.map(|(_, name)| name.as_bytes())
}

/// Four bytes of each of [`FOREIGN`]: the first ones, the last ones, those of its window.
struct ForeignFours {
    first: [u32; FOREIGN.len()],
    last: [u32; FOREIGN.len()],
    window: [u32; FOREIGN.len()],
}

static FOREIGN_FOURS: ForeignFours = foreign_fours();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn foreign_fours() -> ForeignFours {
    const fn four(name: &[u8], at: usize) -> u32 {
        u32::from_le_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]])
    }
    let mut fours = ForeignFours {
        first: [0; FOREIGN.len()],
        last: [0; FOREIGN.len()],
        window: [0; FOREIGN.len()],
    };
    let mut at = 0;
    while at < FOREIGN.len() {
        let name = FOREIGN[at].as_bytes();
        fours.first[at] = four(name, 0);
        fours.last[at] = four(name, name.len() - 4);
        if let Some(window) = foreign_window(name) {
            fours.window[at] = four(name, window);
        }
        at += 1;
    }
    fours
}

/// Whether `name` in a URL's query can have a secret behind it.
pub(super) fn is_of_query(name: &[u8]) -> bool {
    QUERY
        .iter()
        .any(|of| name.eq_ignore_ascii_case(of.as_bytes()))
}

/// Which characters a text has: so that most questions about it cost nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    seen: u128,
    is_ascii: bool,
}

/// The bits of some characters.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn signs_of(characters: &[u8]) -> u128 {
    let (mut signs, mut at) = (0, 0);
    while at < characters.len() {
        signs |= 1 << characters[at];
        at += 1;
    }
    signs
}

const DIGITS: u128 = 0x3ff << b'0';
const CAPITALS: u128 = 0x3ff_ffff << b'A';
const SMALL: u128 = 0x3ff_ffff << b'a';

impl Signs {
    pub(super) fn of(text: &str) -> Self {
        let (mut seen, mut all) = (0u128, 0);
        for byte in text.bytes() {
            seen |= 1 << (byte & 127);
            all |= byte;
        }
        Self {
            seen: if all < 128 {
                seen
            } else {
                text.bytes()
                    .filter(u8::is_ascii)
                    .fold(0, |seen, byte| seen | 1 << byte)
            },
            is_ascii: all < 128,
        }
    }

    pub(super) fn has(self, sign: u8) -> bool {
        self.seen >> (sign & 127) & 1 != 0
    }

    pub(super) fn has_digit(self) -> bool {
        self.seen & DIGITS != 0
    }

    pub(super) fn has_capital(self) -> bool {
        self.seen & CAPITALS != 0
    }

    pub(super) fn has_small(self) -> bool {
        self.seen & SMALL != 0
    }

    pub(super) fn has_letter(self) -> bool {
        self.seen & (SMALL | CAPITALS) != 0
    }

    /// Returns whether it has one of the `signs`, which [`signs_of`] has gathered.
    pub(super) fn has_any(self, signs: u128) -> bool {
        self.seen & signs != 0
    }

    /// How many different characters there are.
    fn count(self) -> u32 {
        self.seen.count_ones()
    }
}

/// Whether `text` has `part`. For texts as short as a value this is faster than what looks for its rarest byte first.
pub(super) fn has_part(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether `value` stands for a secret without being one: a variable, a placeholder, asterisks, a name, a word.
pub(super) fn is_stand_in(value: &str) -> bool {
    is_stand_in_of(value, Signs::of(value))
}

pub(super) fn is_stand_in_of(value: &str, signs: Signs) -> bool {
    let stops = value.bytes().rev();
    let stops = stops.take_while(|b| matches!(b, b'.' | b',' | b';' | b'!' | b'?' | b':'));
    let word = value.get(..value.len() - stops.count()).unwrap_or(value);
    is_reference(value, signs)
        || is_one_character(value, signs)
        || is_plain(word.as_bytes())
        || is_name(word, signs)
        || is_placeholder(value, signs)
        || is_about_secrets(value, signs)
}

/// The longest of [`PLAIN`] and [`PLACEHOLDERS`].
const LONGEST_PLAIN: usize = 16;

/// A word as one number, in the order of the words.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn numbers<const COUNT: usize>(words: &[&str]) -> [u128; COUNT] {
    let mut numbers = [0; COUNT];
    let mut at = 0;
    while at < COUNT {
        let word = words[at].as_bytes();
        let mut byte = 0;
        while byte < word.len() {
            numbers[at] |= (word[byte] as u128) << (120 - 8 * byte);
            byte += 1;
        }
        at += 1;
    }
    numbers
}

static PLAIN_NUMBERS: [u128; PLAIN.len()] = numbers(PLAIN);
static OPEN_NUMBERS: [u128; OPEN_KEYS.len()] = numbers(OPEN_KEYS);
static OPEN_LENGTHS: [u32; 32] = lengths(OPEN_KEYS);
static PLAIN_LENGTHS: [u32; 32] = lengths(PLAIN);
static PLACEHOLDER_NUMBERS: [u128; PLACEHOLDERS.len()] = numbers(PLACEHOLDERS);
static PLACEHOLDER_LENGTHS: [u32; 32] = lengths(PLACEHOLDERS);

/// For each first letter how long the words are that begin with it, a bit for each length.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn lengths(words: &[&str]) -> [u32; 32] {
    let mut lengths = [0; 32];
    let mut at = 0;
    while at < words.len() {
        let word = words[at].as_bytes();
        lengths[(word[0] & 31) as usize] |= 1 << word.len();
        at += 1;
    }
    lengths
}

fn is_one_of(words: &[u128], lengths: &[u32; 32], word: &[u8]) -> bool {
    let Some(first) = word.first() else {
        return false;
    };
    let lengths = lengths.get(usize::from(first & 31)).copied();
    if word.len() > LONGEST_PLAIN || lengths.unwrap_or_default() >> word.len() & 1 == 0 {
        return false;
    }
    let mut number = 0u128;
    for byte in word {
        number = number << 8 | u128::from(byte.to_ascii_lowercase());
    }
    let number = number << (8 * (LONGEST_PLAIN - word.len()));
    words.binary_search(&number).is_ok()
}

/// Whether it is one of [`PLAIN`], or several of them.
fn is_plain(word: &[u8]) -> bool {
    let is_one = |word: &[u8]| is_one_of(&PLAIN_NUMBERS, &PLAIN_LENGTHS, word);
    is_one(word) || matches!(word, [singular @ .., b's' | b'S'] if is_one(singular))
}

/// Whether it says that a secret is to be put here: of words one of which says so, as `your-api-key-here`.
fn is_placeholder(value: &str, signs: Signs) -> bool {
    const MOST_DIGITS: usize = 3;
    if signs.has(b'.') && has_part(value.as_bytes(), b"...")
        || !signs.is_ascii && value.contains('…')
    {
        return true;
    }
    let is_one = |word: &[u8]| {
        word.len() >= 3 && is_one_of(&PLACEHOLDER_NUMBERS, &PLACEHOLDER_LENGTHS, word)
    };
    // `change-me`.
    if signs.has_any(const { signs_of(b"-_ ") }) && value.len() <= LONGEST_PLAIN + 2 {
        let is_letter = |b: &u8| !matches!(b, b'-' | b'_' | b' ');
        let first = value.bytes().find(is_letter).unwrap_or_default();
        let length = value.bytes().filter(is_letter).count();
        // Of most values none of the words has the first letter and the length.
        let lengths = PLACEHOLDER_LENGTHS.get(usize::from(first & 31)).copied();
        if lengths.unwrap_or_default() >> length & 1 != 0 {
            let mut joined = [0; LONGEST_PLAIN + 2];
            for (place, byte) in joined.iter_mut().zip(value.bytes().filter(is_letter)) {
                *place = byte;
            }
            if joined.get(..length).is_some_and(is_one) {
                return true;
            }
        }
    }
    value
        .as_bytes()
        .split(|b| !b.is_ascii_alphanumeric())
        .any(is_one)
        && value.bytes().filter(u8::is_ascii_digit).count() <= MOST_DIGITS
        && has_words(value)
}

/// Returns whether `value` is a sentence about secrets, as in a help text or an error, and not a secret itself.
fn is_about_secrets(value: &str, signs: Signs) -> bool {
    if !signs.has(b' ') || signs.has_digit() {
        return false;
    }
    let is_sentence =
        value.starts_with(|c: char| c.is_uppercase()) || value.ends_with(['.', '?', '…']);
    is_sentence
        && value.split_ascii_whitespace().any(|word| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            is_plain(word.as_bytes())
                || ending(word.as_bytes()).is_some_and(|(_, telling)| telling != Hardly)
                || foreign(word.as_bytes()).is_some()
                || word == "passe"
        })
}

/// Whether it is itself a telling name, such as `user.api_key`. `mysecretpassword` may be somebody's.
fn is_name(word: &str, signs: Signs) -> bool {
    let bytes = word.as_bytes();
    if !signs.is_ascii && foreign_at(bytes) == bytes.len() {
        return true;
    }
    let (digits, one) = match bytes {
        [one @ .., last] if last.is_ascii_digit() => (true, one),
        _ => (false, bytes),
    };
    if hint(bytes) == 0 && hint(one) == 0 || !is_identifier(word) {
        return false;
    }
    let joined = |b: &u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'-' | b'.');
    let is_whole = |name: &[u8], ending: &str| name.eq_ignore_ascii_case(ending.as_bytes());
    if digits {
        // `Password1` is somebody's.
        return ending(one).is_some_and(|(ending, telling)| {
            one == ending.as_bytes() && !matches!(telling, Password | Phrase)
        }) || ending(bytes).is_some();
    }
    match ending(bytes) {
        Some((ending, _)) => bytes.iter().any(joined) || is_whole(bytes, ending),
        None => bytes.iter().any(joined) && telling(bytes).is_some(),
    }
}

/// Whether it is the name of something that belongs to a secret: `password_bytes`.
pub(super) fn is_part_of_name(word: &str) -> bool {
    let mut parts = word.split(['_', '.']);
    is_identifier(word)
        && word.contains(['_', '.'])
        && !word.bytes().any(|b| b.is_ascii_digit())
        && parts.any(|part| ending(part.as_bytes()).is_some_and(|(ending, _)| ending == part))
}

/// `$NAME`, `$$NAME`, `${…}`, `$(…)`, `{{…}}`, `{name}`, `[name]`, `<name>`, `%s`, `%(name)s`, `process.env.NAME`, and what is masked.
fn is_reference(value: &str, signs: Signs) -> bool {
    let bytes = value.as_bytes();
    let Some(first) = bytes.first() else {
        return false;
    };
    let closed = |close: u8| bytes.last() == Some(&close);
    let begins = match first {
        b'$' => {
            let rest = value.trim_start_matches('$');
            let name = rest.strip_prefix("env:").unwrap_or(rest);
            let name = name.trim_end_matches([';', ',', ')', '"']);
            is_identifier(name) || rest.starts_with(['{', '(', '[']) || rest.is_empty()
        }
        b'[' => value
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|rest| {
                rest.bytes()
                    .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b' ' | b'.'))
            }),
        // `<your` of `<your password>`, too.
        b'<' => {
            closed(b'>')
                || value
                    .strip_prefix('<')
                    .is_some_and(|rest| is_identifier(rest.trim_end_matches('>')))
        }
        b'{' => {
            closed(b'}')
                || value.starts_with("{{")
                || value.strip_prefix('{').is_some_and(is_identifier)
        }
        b'%' => {
            closed(b'%')
                || ["%(", "%{", "%s", "%v", "%d"]
                    .iter()
                    .any(|begin| value.starts_with(begin))
        }
        b'&' => value.starts_with("&lt;"),
        b'@' | b'#' => value.starts_with("@{") || value.starts_with("#{"),
        b'*' => bytes.iter().all(|b| *b == b'*'),
        b'p' | b'o' | b'i' | b's' | b'E' | b'v' | b'e' => [
            "process.env",
            "os.environ",
            "import.meta.env",
            "secrets.",
            "ENV[",
            "env.",
            "vault:",
            "op://",
            "env(",
        ]
        .iter()
        .any(|begin| begin.as_bytes().first() == Some(first) && value.starts_with(begin)),
        _ => false,
    };
    begins
        || signs.has(b'*') && has_part(bytes, b"***")
        || signs.has(b'{') && has_part(bytes, b"{{")
        || !signs.is_ascii && value.contains("•••")
}

/// One character, perhaps with joints between: `xxxx`, `xxxx-xxxx`.
fn is_one_character(value: &str, signs: Signs) -> bool {
    match signs.is_ascii {
        true => {
            let others = signs.seen & !const { signs_of(b"-_") };
            others & others.wrapping_sub(1) == 0
        }
        false => {
            let mut characters = value.chars();
            let first = characters.next();
            characters.all(|c| Some(c) == first)
        }
    }
}

/// A single letter, as in an example that is to be short.
pub(super) fn is_one_letter(value: &str) -> bool {
    value.len() == 1 && value.bytes().all(|b| b.is_ascii_alphanumeric())
}

pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Whether it is made of words, as prose and the names of things are: `EngineDefaults.Marker`, `not fully specified`. Letters of a
/// random key are no words: they change their case at every turn, or never.
pub(super) fn is_words(value: &str) -> bool {
    let is_mark = |b: u8| {
        matches!(
            b,
            b' ' | b'.' | b'_' | b'-' | b':' | b'/' | b',' | b';' | b'\'' | b'(' | b')'
        )
    };
    value.bytes().all(|b| b.is_ascii_alphabetic() || is_mark(b)) && has_words(value)
}

/// Whether it is a name with a number in it: of a type, a constant, an algorithm.
pub(super) fn is_numbered_name(value: &str) -> bool {
    const MOST_DIGITS: usize = 3;
    const MOST_NUMBERS: usize = 2;
    let numbers = || {
        value
            .split(|c: char| !c.is_ascii_digit())
            .filter(|run| !run.is_empty())
    };
    // Of a long one without joints the words are whole.
    let is_long = value.len() >= 24 && !value.contains(['_', '-', '.']);
    is_identifier(value)
        && numbers().count() <= MOST_NUMBERS
        && numbers().all(|run| run.len() <= MOST_DIGITS)
        && has_words_of(value, if is_long { 5 } else { MEAN })
}

/// Whether the letters of `value` are in runs as words are, each in capitals or with none but a leading one.
fn has_words(value: &str) -> bool {
    has_words_of(value, MEAN)
}

/// The least mean length of words.
const MEAN: usize = 3;

fn has_words_of(value: &str, mean: usize) -> bool {
    let (mut letters, mut words) = (0, 0);
    each_word(value.as_bytes(), |length| {
        letters += length;
        words += 1;
        length <= LONGEST_WORD
    }) && letters > 0
        && letters >= mean * words
}

/// Tells the lengths of the words in a name: `HTTPServer` is two. Stops at the first that `is_word` refuses.
fn each_word(name: &[u8], mut is_word: impl FnMut(usize) -> bool) -> bool {
    let mut length = 0;
    for (at, &byte) in name.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| name.get(at));
        let begins = byte.is_ascii_uppercase()
            && (before.is_some_and(u8::is_ascii_lowercase)
                || name.get(at + 1).is_some_and(u8::is_ascii_lowercase));
        if length > 0 && (begins || !byte.is_ascii_alphabetic()) {
            if !is_word(length) {
                return false;
            }
            length = 0;
        }
        length += usize::from(byte.is_ascii_alphabetic());
    }
    length == 0 || is_word(length)
}

/// `NAME_OF_A_CONSTANT`, as constants and the types of C are called.
pub(super) fn is_constant(value: &str) -> bool {
    let is_word = |part: &&str| {
        let word = part.trim_matches(|c: char| c.is_ascii_digit());
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        word.len() >= 3 && digits <= 1
    };
    value.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && value
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && value.split('_').filter(is_word).count() >= 2
}

/// A number's type, as `u32`, `__u64`, `int16_t`, `float32`.
pub(super) fn is_type_of_number(value: &str) -> bool {
    let name = value.trim_start_matches('_');
    let name = name.strip_suffix("_t").unwrap_or(name);
    let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let kind = name.get(..name.len() - digits.len()).unwrap_or_default();
    matches!(
        kind,
        "u" | "i" | "s" | "f" | "c" | "int" | "uint" | "sint" | "float" | "complex"
    ) && matches!(digits, "8" | "16" | "32" | "64" | "128" | "256")
}

/// `0x04`, `12`, `3.30`, `12:30`: a number, a version or a time, perhaps with what ends an expression.
pub(super) fn is_number(value: &str) -> bool {
    let value = value.trim_end_matches([',', ';', ')']);
    let hexadecimal = value
        .strip_prefix("0x")
        .is_some_and(|digits| digits.len() <= 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let digits = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_date = || {
        matches!(
            value.as_bytes(),
            [_, _, _, _, b'-' | b'/', _, _, b'-' | b'/', _, _, ..]
        )
    };
    let is_time = !digits
        && (value.contains(':') || is_date())
        && value
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-' | b'/' | b'T' | b'Z'));
    hexadecimal || is_time || digits && (value.len() < 6 || value.contains('.'))
}

/// `#ffffff`.
pub(super) fn is_colour(value: &str) -> bool {
    value.strip_prefix('#').is_some_and(|digits| {
        matches!(digits.len(), 3 | 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// Whether it is a regular expression.
pub(super) fn is_pattern(value: &str) -> bool {
    ["(?:", "[^", "\\w", "\\d", "\\s", "\\W", "\\S", "\\b"]
        .iter()
        .any(|part| value.contains(part))
}

/// Whether it says where something is: `/a/b`, `https://a.b/c`, `projects/12/secrets/a-name/versions/1`.
pub(super) fn is_place(value: &str) -> bool {
    // A step is a number, a version or of words; base64 has steps, too, but single letters in them.
    let is_step = |step: &str| {
        let number = step.strip_prefix('v').unwrap_or(step);
        number.bytes().all(|b| b.is_ascii_digit())
            || is_numbered_name(step) && each_word(step.as_bytes(), |length| length > 1)
    };
    // Base64 may begin with a slash, too.
    let is_base64 = value.len() >= 32
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+' | b'='))
        && Signs::of(value).has_capital()
        && Signs::of(value).has_digit();
    if is_base64 && !value.trim_matches('/').split('/').all(is_step) {
        return false;
    }
    let place = value.split(['#', '?']).next().unwrap_or_default();
    let steps = value.split('/').count();
    ["/", "./", "../", "~/", "file:", "http://", "https://"]
        .iter()
        .any(|start| value.starts_with(start))
        && !looks_random(place.rsplit('/').next().unwrap_or_default())
        || steps >= 3 && value.split('/').all(is_step)
}

/// Long, of letters and digits, and of many different ones.
pub(super) fn looks_random(value: &str) -> bool {
    looks_random_of(value, Signs::of(value))
}

pub(super) fn looks_random_of(value: &str, signs: Signs) -> bool {
    let is_alphabet =
        || has_part(value.as_bytes(), b"abcdefghij") || has_part(value.as_bytes(), b"ABCDEFGHIJ");
    value.len() >= 16
        && signs.count() >= 8
        && signs.has_digit()
        && signs.has_letter()
        && !signs.has(b' ')
        && !is_numbered_name(value)
        && !is_alphabet()
}

/// Returns whether `value` has the form of a UUID.
pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value
            .bytes()
            .enumerate()
            .all(|(at, b)| match matches!(at, 8 | 13 | 18 | 23) {
                true => b == b'-',
                false => b.is_ascii_hexdigit(),
            })
}

/// Whether nothing but a secret looks so: long, of letters in both cases and digits.
pub(super) fn is_surely_random(value: &str) -> bool {
    const LEAST: usize = 20;
    let signs = Signs::of(value);
    value.len() >= LEAST
        && signs.has_capital()
        && signs.has_small()
        && !signs.has_any(const { signs_of(b" /:(.${") })
        && looks_random_of(value, signs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order() {
        assert!(FOREIGN.iter().all(|name| name.len() <= LONGEST_FOREIGN));
        for list in [PLAIN, PLACEHOLDERS, OPEN_KEYS] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
            assert!(list.iter().all(|word| word.len() <= LONGEST_PLAIN));
        }
    }
}
