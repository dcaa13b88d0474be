//! Lists the names that announce a password in letters that are not ASCII.
//!
//! Other modules decide which of the values after these names are secrets.

/// The names, each in all spellings of upper and lower case that occur.
pub(super) const NAMES: &[&str] = &[
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

/// The length of the longest of [`NAMES`], in bytes.
pub(super) const LONGEST: usize = 24;

/// Returns the length of the name with which `text` ends, if it ends with one.
pub(super) fn length_before(text: &[u8]) -> Option<usize> {
    let four: [u8; 4] = *text.last_chunk()?;
    // Most texts do not end with the last byte of a name.
    has(&LASTS, four[3]).then_some(())?;
    alike(&FOURS.last, u32::from_le_bytes(four))
        .find(|name| text.ends_with(name))
        .map(<[u8]>::len)
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
        .find(|name| text.starts_with(name))
        .map_or(0, <[u8]>::len)
}

/// Returns the beginning of the name whose [`window`] begins at `at`.
pub(super) fn around(bytes: &[u8], at: usize) -> Option<usize> {
    let four = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    alike(&FOURS.window, four).find_map(|name| {
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
        let name = NAMES[at].as_bytes();
        let byte = name[if is_last { name.len() - 1 } else { 0 }];
        bytes[(byte >> 5) as usize] |= 1 << (byte & 31);
        at += 1;
    }
    bytes
}

/// Returns the names whose entry in `fours` is `four`.
fn alike(fours: &'static [u32; NAMES.len()], four: u32) -> impl Iterator<Item = &'static [u8]> {
    let alike = fours.iter().zip(NAMES).filter(move |(of, _)| **of == four);
    alike.map(|(_, name)| name.as_bytes())
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
        let name = NAMES[at].as_bytes();
        fours.first[at] = four(name, 0);
        fours.last[at] = four(name, name.len() - 4);
        if let Some(window) = window(name) {
            fours.window[at] = four(name, window);
        }
        at += 1;
    }
    fours
}
