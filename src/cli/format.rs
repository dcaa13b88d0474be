//! Formats for prompts and status bars: text with `{fields}` to fill in.

/// The names that can be used between braces.
const FIELDS: [&str; 15] = [
    "id",
    "short",
    "rung",
    "trust",
    "state",
    "attention",
    "since",
    "project",
    "root",
    "branch",
    "title",
    "name",
    "role",
    "focus",
    "count",
];

/// The help text of `current`: examples, and the fields of `--format`.
pub(super) const HELP: &str = "Examples:\n  id=$(ccsession current --strict)        # fails rather than guess\n  \
    ccsession current --explain             # how the answer was found\n  ccsession current --format 'cc:{short}'\n\n\
    In tmux.conf:\n  set -g status-right '#(ccsession current -p \"#{pane_current_path}\" --format {short})'\n\n\
    In Claude Code's settings.json:\n  \"statusLine\": {\"type\": \"command\", \"command\": \"ccsession current --hook-input\"}\n\n\
    Fields of --format. {id} and {short} are `unknown` if unknown; the others are empty: {id} the session id; {short} its first eight characters; {rung} the source \
    that answered; {trust} exact, ambiguous, last_known or none; {state} active, idle, ended, abandoned or imported; \
    {attention} what the session waits for: permission, question, plan, error, prompt, or nothing; {since} how long it has waited; {project} the project's \
    name; {root} its directory; {branch} the branch it started on; {title} what it is called; {name}, {role} and {focus} from the record; {count} how many \
    sessions match. Write {{ for a brace";

/// A parsed format.
#[derive(Debug)]
pub(super) struct Format {
    parts: Vec<FormatPart>,
}

#[derive(Debug, PartialEq, Eq)]
enum FormatPart {
    Text(String),
    Field(&'static str),
}

impl Format {
    /// Parses `text`: `{field}`, and `{{` and `}}` for the braces themselves.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from_brace
                .strip_prefix("{{")
                .or_else(|| from_brace.strip_prefix("}}"))
            {
                plain.extend(from_brace.chars().next());
                rest = after;
                continue;
            }
            let inside = from_brace
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'));
            let Some((name, after)) = inside else {
                return Err("a brace is not closed; write {{ or }} for the brace itself".to_owned());
            };
            let Some(field) = FIELDS.iter().find(|field| **field == name) else {
                return Err(format!(
                    "unknown field `{name}`: expected one of {}",
                    FIELDS.join(", ")
                ));
            };
            parts.push(FormatPart::Text(std::mem::take(&mut plain)));
            parts.push(FormatPart::Field(field));
            rest = after;
        }
        plain.push_str(rest);
        parts.push(FormatPart::Text(plain));
        Ok(Self { parts })
    }

    /// Returns the text with every field replaced by what `value` returns for it.
    pub(super) fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let part = |part: &FormatPart| match part {
            FormatPart::Text(text) => text.clone(),
            FormatPart::Field(field) => value(field),
        };
        self.parts.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: &str, filled: &str) {
        let format = Format::parse(format).unwrap();
        assert_eq!(format.fill(|field| format!("<{field}>")), filled);
    }

    #[test]
    fn fields_are_filled_in_and_all_else_stays() {
        check("", "");
        check("cc:{short} ({trust})", "cc:<short> (<trust>)");
        check("{id}{id}", "<id><id>");
        check("{{{id}}} }} {{x", "{<id>} } {x");
    }

    #[test]
    fn the_help_knows_every_field() {
        for field in FIELDS {
            assert!(HELP.contains(&format!("{{{field}}}")), "{field}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let why = Format::parse("{colour}").unwrap_err();
        assert!(
            why.starts_with("unknown field `colour`: expected one of id, short,"),
            "{why}"
        );
        for open in ["{id", "}", "{", "a}b"] {
            assert!(
                Format::parse(open).unwrap_err().contains("not closed"),
                "{open}"
            );
        }
    }
}
