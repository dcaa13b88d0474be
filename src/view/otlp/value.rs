//! OTLP attributes: pairs of a name and a value.

use std::borrow::Cow;
use std::time::Duration;

use crate::view::json::millis;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Hash)]
#[allow(missing_docs, reason = "each is what its name says")]
pub enum Value<'s> {
    Text(Cow<'s, str>),
    Int(i64),
    Flag(bool),
}

/// Attributes, each name once, in the order in which they were added. Absent values are left out.
#[derive(Debug, Clone, Default, PartialEq, Hash)]
pub struct Attributes<'s>(pub Vec<(&'static str, Value<'s>)>);

impl<'s> Attributes<'s> {
    /// Creates an empty list with capacity for the usual number of attributes.
    pub(super) fn with_room() -> Self {
        const USUAL: usize = 20;
        Self(Vec::with_capacity(USUAL))
    }

    /// Returns the value of the attribute with this name.
    pub fn get(&self, name: &str) -> Option<&Value<'s>> {
        let found = self.0.iter().find(|(it, _)| *it == name);
        found.map(|(_, value)| value)
    }

    /// Returns the approximate size of all attributes as JSON, in bytes.
    pub fn size(&self) -> usize {
        const AROUND: usize = 50;
        let sizes = self.0.iter().map(|(name, value)| match value {
            Value::Text(text) => AROUND + name.len() + text.len(),
            Value::Int(_) | Value::Flag(_) => AROUND + name.len(),
        });
        sizes.sum()
    }

    /// Adds an attribute, unless its value is absent.
    pub(super) fn put(&mut self, name: &'static str, value: impl Into<Optional<'s>>) {
        self.0.extend(value.into().0.map(|value| (name, value)));
    }

    /// Adds all attributes of `others`.
    pub(super) fn put_all(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }
}

/// A value that may be absent.
pub(super) struct Optional<'s>(Option<Value<'s>>);

impl<'s> From<&'s str> for Optional<'s> {
    fn from(text: &'s str) -> Self {
        Self(Some(Value::Text(text.into())))
    }
}

impl From<String> for Optional<'_> {
    fn from(text: String) -> Self {
        Self(Some(Value::Text(text.into())))
    }
}

impl<'s> From<Option<&'s str>> for Optional<'s> {
    fn from(text: Option<&'s str>) -> Self {
        Self(text.map(|text| Value::Text(text.into())))
    }
}

impl From<Option<u64>> for Optional<'_> {
    fn from(number: Option<u64>) -> Self {
        Self(number.map(|number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX))))
    }
}

impl From<u64> for Optional<'_> {
    fn from(number: u64) -> Self {
        Some(number).into()
    }
}

impl From<Option<u32>> for Optional<'_> {
    fn from(number: Option<u32>) -> Self {
        number.map(u64::from).into()
    }
}

impl From<Option<i64>> for Optional<'_> {
    fn from(number: Option<i64>) -> Self {
        Self(number.map(Value::Int))
    }
}

impl From<Option<Duration>> for Optional<'_> {
    /// All durations in attributes are in milliseconds.
    fn from(time: Option<Duration>) -> Self {
        time.map(millis).into()
    }
}

impl From<bool> for Optional<'_> {
    fn from(flag: bool) -> Self {
        Self(Some(Value::Flag(flag)))
    }
}
