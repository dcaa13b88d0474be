//! Combines the managed settings of the machine. Claude Code never ignores a managed file because
//! of one value. It skips a value that it cannot read, and reads a restriction as strictly as
//! possible.

use super::ErrorPolicy;
use super::json::JsonValue;

/// What the managed documents set about hooks; a later document overrides an earlier one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Policy<D> {
    /// `disableAllHooks`, and the document that sets it.
    pub(super) disables_all: Option<(bool, D)>,
    /// `allowManagedHooksOnly`.
    pub(super) managed_only: Option<(bool, D)>,
    /// `strictPluginOnlyCustomization`, as far as it concerns hooks.
    pub(super) plugins_only: Option<(bool, D)>,
}

impl<D: Clone> Policy<D> {
    /// Adds the policy of `settings`, which come from `document`.
    pub(super) fn add(&mut self, settings: &JsonValue, document: &D, manner: ErrorPolicy) {
        let said = |value: bool| Some((value, document.clone()));
        if let Some(JsonValue::Bool(value)) = settings.get("disableAllHooks") {
            self.disables_all = said(*value);
        }
        match settings.get("allowManagedHooksOnly") {
            None | Some(JsonValue::Null) => {}
            Some(JsonValue::Bool(value)) => self.managed_only = said(*value),
            Some(_) if manner == ErrorPolicy::Old => {}
            Some(value) => self.managed_only = said(as_restriction(value)),
        }
        match settings.get("strictPluginOnlyCustomization") {
            None | Some(JsonValue::Null) => {}
            Some(JsonValue::List(surfaces)) => {
                let has_hooks = surfaces.iter().any(|it| it.as_text() == Some("hooks"));
                // The lists of several documents add up, so an earlier restriction stays.
                let had = matches!(self.plugins_only, Some((true, _)));
                if has_hooks || !had {
                    self.plugins_only = said(has_hooks);
                }
            }
            Some(value) => self.plugins_only = said(as_restriction(value)),
        }
    }
}

/// Returns true unless the value turns the restriction off explicitly.
fn as_restriction(value: &JsonValue) -> bool {
    *value != JsonValue::Bool(false) && value.as_text() != Some("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(documents: &[&str]) -> Policy<usize> {
        let mut policy = Policy::default();
        for (index, text) in documents.iter().enumerate() {
            policy.add(&JsonValue::parse(text).unwrap(), &index, ErrorPolicy::New);
        }
        policy
    }

    #[track_caller]
    fn check(key: &str, value: &str, expected: Option<bool>) {
        let text = format!("{{\"{key}\": {value}}}");
        let policy = policy(&[&text]);
        let said = [
            &policy.disables_all,
            &policy.managed_only,
            &policy.plugins_only,
        ];
        let said = said.into_iter().flatten().next();
        assert_eq!(said.map(|(value, _)| *value), expected, "{text}");
    }

    #[test]
    fn a_restriction_that_cannot_be_read_holds() {
        for (value, expected) in [
            ("true", Some(true)),
            ("\"true\"", Some(true)),
            ("1", Some(true)),
            ("null", None),
            ("false", Some(false)),
            ("\"false\"", Some(false)),
        ] {
            check("allowManagedHooksOnly", value, expected);
        }
        for (value, expected) in [
            ("true", Some(true)),
            ("[\"hooks\"]", Some(true)),
            ("[\"hooks\", \"nope\"]", Some(true)),
            ("\"hooks\"", Some(true)),
            ("[\"skills\"]", Some(false)),
            ("[\"nope\"]", Some(false)),
        ] {
            check("strictPluginOnlyCustomization", value, expected);
        }
        for (value, expected) in [
            ("true", Some(true)),
            ("false", Some(false)),
            ("\"true\"", None),
            ("1", None),
            ("null", None),
        ] {
            check("disableAllHooks", value, expected);
        }
    }

    #[test]
    fn a_later_document_wins_and_lists_are_joined() {
        let only = |value| format!("{{\"allowManagedHooksOnly\": {value}}}");
        assert_eq!(
            policy(&[&only("true"), &only("false")]).managed_only,
            Some((false, 1))
        );
        assert_eq!(
            policy(&[&only("false"), &only("7")]).managed_only,
            Some((true, 1))
        );
        let strict = |value| format!("{{\"strictPluginOnlyCustomization\": {value}}}");
        assert_eq!(
            policy(&[&strict("[\"hooks\"]"), &strict("[\"skills\"]")]).plugins_only,
            Some((true, 0))
        );
        assert_eq!(
            policy(&[&strict("true"), &strict("false")]).plugins_only,
            Some((false, 1))
        );
    }
}
