//! Parses JSON as Claude Code's own parser does. It is strict, but the last of two equal keys
//! counts, half of a surrogate pair is accepted, and a number may be too large. This file knows
//! nothing of settings.

/// The deepest nesting that is read. Deeper values are ignored, as Claude Code ignores them.
const MAX_DEPTH: usize = 64;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JsonValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number; one that is too large is infinite.
    Number(f64),
    /// A string; half of a surrogate pair becomes U+FFFD.
    Text(String),
    /// An array.
    List(Vec<JsonValue>),
    /// An object: each key once, with its last value.
    Object(Vec<(String, JsonValue)>),
}

impl JsonValue {
    /// Parses a whole document. Returns `None` if it is not JSON.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.skip_space();
        (parser.at == text.len()).then_some(value)
    }

    /// Returns the member `key` of an object.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut members = members.iter();
        members
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Returns the text if this is a string.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the members of an object, in the order in which their keys first appear.
    pub(super) fn members(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the elements of an array.
    pub(super) fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::List(elements) => Some(elements),
            _ => None,
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.rest()
            .starts_with(token)
            .then(|| self.at += token.len())
    }

    fn value(&mut self, depth: usize) -> Option<JsonValue> {
        self.skip_space();
        match self.peek()? {
            b'{' | b'[' if depth >= MAX_DEPTH => self.skip_nested(),
            b'{' => self.object(depth + 1),
            b'[' => self.list(depth + 1),
            b'"' => self.string().map(JsonValue::Text),
            b't' => self.take("true").map(|()| JsonValue::Bool(true)),
            b'f' => self.take("false").map(|()| JsonValue::Bool(false)),
            b'n' => self.take("null").map(|()| JsonValue::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<JsonValue> {
        let mut members: Vec<(String, JsonValue)> = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take("}").is_some() {
            return Some(JsonValue::Object(members));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            self.take(":")?;
            let value = self.value(depth)?;
            match members.iter_mut().find(|(name, _)| *name == key) {
                Some((_, before)) => *before = value,
                None => members.push((key, value)),
            }
            self.skip_space();
            if self.take("}").is_some() {
                return Some(JsonValue::Object(members));
            }
            self.take(",")?;
        }
    }

    fn list(&mut self, depth: usize) -> Option<JsonValue> {
        let mut elements = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take("]").is_some() {
            return Some(JsonValue::List(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            self.skip_space();
            if self.take("]").is_some() {
                return Some(JsonValue::List(elements));
            }
            self.take(",")?;
        }
    }

    /// Skips an object or an array without recursion. It checks only brackets and strings.
    fn skip_nested(&mut self) -> Option<JsonValue> {
        let mut open = Vec::new();
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                bracket @ (b'{' | b'[') => {
                    open.push(bracket);
                    self.at += 1;
                }
                bracket @ (b'}' | b']') => {
                    let matches = open.pop()? == if bracket == b'}' { b'{' } else { b'[' };
                    self.at += 1;
                    if !matches {
                        return None;
                    }
                    if open.is_empty() {
                        return Some(JsonValue::Null);
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\'])?;
            let part = rest.get(..plain)?;
            if part.bytes().any(|byte| byte < 0x20) {
                return None;
            }
            text.push_str(part);
            self.at += plain + 1;
            if self.text.as_bytes().get(self.at - 1) == Some(&b'"') {
                return Some(text);
            }
            let escape = self.peek()?;
            self.at += 1;
            text.push(match escape {
                b'"' | b'\\' | b'/' => char::from(escape),
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => return None,
            });
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        if self.take("\\u").is_some()
            && let Some(second @ 0xdc00..0xe000) = self.four_digits()
        {
            return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
        }
        self.at = before;
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.at += 4;
        is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self) -> Option<JsonValue> {
        let start = self.at;
        let _ = self.take("-");
        if self.take("0").is_none() {
            self.digits()?;
        }
        if self.take(".").is_some() {
            self.digits()?;
        }
        if self.take("e").or_else(|| self.take("E")).is_some() {
            let _ = self.take("-").or_else(|| self.take("+"));
            self.digits()?;
        }
        let number = self.text.get(start..self.at)?.parse().ok()?;
        Some(JsonValue::Number(number))
    }

    fn digits(&mut self) -> Option<()> {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        (count > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(json: &JsonValue, value: &serde_json::Value) -> bool {
        match (json, value) {
            (JsonValue::Null, serde_json::Value::Null) => true,
            (JsonValue::Bool(one), serde_json::Value::Bool(other)) => one == other,
            (JsonValue::Number(one), serde_json::Value::Number(other)) => other
                .as_f64()
                .is_some_and(|other| one.to_bits() == other.to_bits() || *one == other),
            (JsonValue::Text(one), serde_json::Value::String(other)) => one == other,
            (JsonValue::List(one), serde_json::Value::Array(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| same(one, other))
            }
            (JsonValue::Object(one), serde_json::Value::Object(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
            }
            _ => false,
        }
    }

    #[test]
    fn the_last_of_two_keys_counts() {
        let json = JsonValue::parse(r#"{"a": 1, "b": 2, "a": 3}"#).unwrap();
        assert_eq!(json.get("a"), Some(&JsonValue::Number(3.0)));
        assert_eq!(json.members().unwrap().len(), 2);
    }

    #[test]
    fn what_javascript_parses_is_accepted() {
        let half = JsonValue::parse(r#""\ud800x\udc00""#).unwrap();
        assert_eq!(half, JsonValue::Text("\u{fffd}x\u{fffd}".to_owned()));
        assert_eq!(
            JsonValue::parse(r#""\ud83d\ude00""#).unwrap(),
            JsonValue::Text("😀".to_owned())
        );
        assert_eq!(
            JsonValue::parse("1e999").unwrap(),
            JsonValue::Number(f64::INFINITY)
        );
        let deep = format!("{}7{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(JsonValue::parse(&deep).is_some());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "// c\n{}",
            "{} x",
            "'a'",
            "{a:1}",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "tru",
            "\"\n\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\u{a0}1",
            "nul",
            "[1 2]",
            "{\"a\" 1}",
        ] {
            assert_eq!(JsonValue::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_another_parser(text in "[\\[\\]{}\":,0-9a-z\\\\ .eE+\\-\n]{0,40}") {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                let json = JsonValue::parse(&text);
                prop_assert!(json.is_some_and(|json| same(&json, &value)), "{text:?}");
            }
        }

        #[test]
        fn any_text_is_parsed_without_a_panic(text in any::<String>()) {
            let _ = JsonValue::parse(&text);
        }
    }
}
