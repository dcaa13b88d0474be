//! The part of an address after the `?`, decoded. Pure.

use std::borrow::Cow;

use hyper::Uri;

/// The names and values of a query.
#[derive(Debug)]
pub(super) struct Query<'u>(Vec<(Cow<'u, str>, Cow<'u, str>)>);

impl<'u> Query<'u> {
    pub(super) fn of(uri: &'u Uri) -> Self {
        let text = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(text.as_bytes()).collect())
    }

    /// Returns the value of the parameter `name`, if the query has it exactly once.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// Returns all names with their values, in order.
    pub(super) fn into_owned(self) -> Vec<(String, String)> {
        let pairs = self.0.into_iter();
        let owned = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
        owned.collect()
    }
}
