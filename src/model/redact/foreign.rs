//! Lists the names that announce a secret in letters that are not ASCII.
//!
//! Other modules decide which of the values after these names are secrets.

use super::names::SecretKind::{self, Key, Password, Perhaps};

/// The names, each in the cases in which it is written, and the kind of secret that each announces. A name that
/// ends with another one stands before it.
#[rustfmt::skip]
pub(super) const NAMES: &[(&str, SecretKind)] = &[
    ("contraseña", Password), ("Contraseña", Password), ("CONTRASEÑA", Password), ("lösenord", Password), ("Lösenord", Password),
    ("LÖSENORD", Password), ("hasło", Password), ("Hasło", Password), ("HASŁO", Password), ("şifre", Password), ("Şifre", Password),
    ("ŞIFRE", Password), ("jelszó", Password), ("Jelszó", Password), ("JELSZÓ", Password), ("heslo", Password), ("пароль", Password),
    ("Пароль", Password), ("ПАРОЛЬ", Password), ("лозинка", Password), ("Лозинка", Password), ("ЛОЗИНКА", Password), ("парола", Password),
    ("Парола", Password), ("ПАРОЛА", Password), ("κωδικός", Password), ("Κωδικός", Password), ("ΚΩΔΙΚΌΣ", Password), ("סיסמה", Password),
    ("סיסמא", Password), ("كلمة المرور", Password), ("كلمة السر", Password), ("رمز عبور", Password), ("گذرواژه", Password), ("密码", Password),
    ("密碼", Password), ("口令", Password), ("パスワード", Password), ("暗証番号", Password), ("암호", Password), ("비밀번호", Password), ("패스워드", Password),
    ("รหัสผ่าน", Password), ("पासवर्ड", Password), ("পাসওয়ার্ড", Password), ("mật khẩu", Password), ("Mật khẩu", Password), ("MẬT KHẨU", Password),
    ("salasanä", Password), ("parolă", Password), ("Parolă", Password), ("slaptažodis", Password), ("құпиясөз", Password), ("նշանաբառ", Password),
    ("密钥", Key), ("密鑰", Key), ("金鑰", Key), ("秘钥", Key), ("私钥", Key), ("私鑰", Key), ("令牌", Key), ("APIキー", Key), ("アクセスキー", Key), ("秘密鍵", Key),
    ("シークレット", Key), ("トークン", Key), ("API 키", Key), ("API키", Key), ("비밀키", Key), ("시크릿", Key), ("토큰", Key), ("токен", Key), ("Токен", Key),
    ("ТОКЕН", Key), ("ключ API", Key), ("Ключ API", Key), ("КЛЮЧ API", Key), ("API-ключ", Key), ("секрет", Key), ("Секрет", Key), ("СЕКРЕТ", Key),
    ("секретный ключ", Key), ("API-Schlüssel", Key), ("API-SCHLÜSSEL", Key), ("api-schlüssel", Key), ("clé API", Key), ("Clé API", Key),
    ("CLÉ API", Key), ("clé secrète", Key), ("Clé secrète", Key), ("clé privée", Key), ("khóa API", Key), ("Khóa API", Key), ("API anahtarı", Key),
    ("anahtarı", Key), ("klíč API", Key), ("API klíč", Key), ("kľúč API", Key), ("API-nøgle", Key), ("API-nøkkel", Key), ("κλειδί API", Key),
    ("מפתח API", Key), ("مفتاح API", Key), ("टोकन", Key), ("โทเค็น", Key), ("schlüssel", Perhaps), ("Schlüssel", Perhaps), ("SCHLÜSSEL", Perhaps),
    ("ключ", Perhaps), ("Ключ", Perhaps), ("κλειδί", Perhaps), ("מפתח", Perhaps), ("مفتاح", Perhaps),
];

/// The length of the longest of [`NAMES`], in bytes.
pub(super) const LONGEST: usize = 32;

/// Returns the name with which `text` ends, if it ends with one: its length, and the kind of secret
/// that it announces.
pub(super) fn before(text: &[u8]) -> Option<(usize, SecretKind)> {
    let four: [u8; 4] = *text.last_chunk()?;
    // Most texts do not end with the last byte of a name.
    has(&LASTS, four[3]).then_some(())?;
    alike(&FOURS.last, u32::from_le_bytes(four))
        .find(|(name, _)| text.ends_with(name))
        .map(|(name, telling)| (name.len(), telling))
}

/// Returns the length of the name with which `text` begins, or 0.
pub(super) fn length_at(text: &[u8]) -> usize {
    // Each name has a byte beyond ASCII among its first nine. The exception is `heslo`, which
    // `names` lists, too.
    if text.get(..9).unwrap_or(text).is_ascii() {
        return 0;
    }
    let Some(first) = text.first_chunk().filter(|first| has(&FIRSTS, first[0])) else {
        return 0;
    };
    alike(&FOURS.first, u32::from_le_bytes(*first))
        .filter(|(name, _)| text.starts_with(name))
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default()
}

/// Returns the beginning of the name whose [`window`] begins at `at`.
pub(super) fn around(bytes: &[u8], at: usize) -> Option<usize> {
    let four = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    alike(&FOURS.window, four).find_map(|(name, _)| {
        let start = at.checked_sub(window(name)?)?;
        bytes.get(start..)?.starts_with(name).then_some(start)
    })
}

/// Returns where a name's window begins: the four bytes by which the filter finds the name. The
/// window ends with the first byte beyond ASCII.
#[allow(clippy::indexing_slicing, reason = "the index is checked before")]
pub(super) const fn window(name: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < name.len() {
        if !name[at].is_ascii() {
            return Some(at.saturating_sub(3));
        }
        at += 1;
    }
    None
}

/// Returns whether `byte` is in the set `bytes`, which has a bit for each byte.
fn has(bytes: &[u32; 8], byte: u8) -> bool {
    let bytes = bytes.get(usize::from(byte >> 5)).copied();
    bytes.unwrap_or_default() >> (byte & 31) & 1 != 0
}

/// The set of the first bytes of [`NAMES`], a bit for each byte.
static FIRSTS: [u32; 8] = outermost(false);
/// The set of the last bytes of [`NAMES`], a bit for each byte.
static LASTS: [u32; 8] = outermost(true);

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn outermost(is_last: bool) -> [u32; 8] {
    let mut bytes = [0; 8];
    let mut at = 0;
    while at < NAMES.len() {
        let name = NAMES[at].0.as_bytes();
        let byte = name[if is_last { name.len() - 1 } else { 0 }];
        bytes[(byte >> 5) as usize] |= 1 << (byte & 31);
        at += 1;
    }
    bytes
}

/// Returns the names whose entry in `fours` is `four`.
fn alike(
    fours: &'static [u32; NAMES.len()],
    four: u32,
) -> impl Iterator<Item = (&'static [u8], SecretKind)> {
    let alike = fours.iter().zip(NAMES).filter(move |(of, _)| **of == four);
    alike.map(|(_, (name, telling))| (name.as_bytes(), *telling))
}

/// Groups of four bytes from each of [`NAMES`]: the first four, the last four, and the [`window`].
struct NameFours {
    first: [u32; NAMES.len()],
    last: [u32; NAMES.len()],
    window: [u32; NAMES.len()],
}

static FOURS: NameFours = fours();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn fours() -> NameFours {
    const fn four(name: &[u8], at: usize) -> u32 {
        u32::from_le_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]])
    }
    let mut fours = NameFours {
        first: [0; NAMES.len()],
        last: [0; NAMES.len()],
        window: [0; NAMES.len()],
    };
    let mut at = 0;
    while at < NAMES.len() {
        let name = NAMES[at].0.as_bytes();
        fours.first[at] = four(name, 0);
        fours.last[at] = four(name, name.len() - 4);
        if let Some(window) = window(name) {
            fours.window[at] = four(name, window);
        }
        at += 1;
    }
    fours
}
