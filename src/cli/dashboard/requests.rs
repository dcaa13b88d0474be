//! The requests that read files and return JSON. Each reads the settings and the clock first.

use serde_json::json;

use super::handler::Failure;
use super::rows::all_rows;
use crate::cli::context::Context;
use crate::cli::{clock_out, hints, search};
use crate::model::SessionId;
use crate::store::clock;

/// How many sessions a search returns by default. It is the value of a parameter, hence a text.
const FOUND: &str = "50";

/// Returns all sessions on record.
pub(super) fn sessions() -> Result<String, Failure> {
    let context = Context::new();
    let config = context.config()?;
    let state = context.state().map_err(anyhow::Error::from)?;
    let rows = match &state {
        Some(state) => {
            let judge = context.judge(&config, state).telling_idle();
            all_rows(&context, state, &judge, config.capture).map_err(anyhow::Error::from)?
        }
        None => Vec::new(),
    };
    let hint = rows.is_empty().then(|| {
        hints::filled("no session is on record", &context, state.as_ref(), |_| {
            None
        })
    });
    Ok(json!({"v": 1, "now": clock::now(), "hint": hint, "sessions": rows}).to_string())
}

/// Returns what a search finds for these parameters.
pub(super) fn search(query: &[(String, String)]) -> Result<String, Failure> {
    let mut limit = FOUND.to_owned();
    let mut options = Vec::new();
    let mut words = vec!["--".to_owned()];
    for (name, value) in query {
        match name.as_str() {
            "q" => words.extend(split(value)),
            "failed" if matches!(value.as_str(), "false" | "0") => {}
            "failed" => options.push("--failed".to_owned()),
            "limit" => limit.clone_from(value),
            "role" | "tool" | "project" | "since" | "session" | "hits" => {
                options.push(format!("--{name}={value}"));
            }
            _ => {
                let name = crate::model::text::one_line(name, 40);
                let text = format!(
                    "could not search: there is no parameter `{name}`; see docs/dashboard.md"
                );
                return Err(Failure::new(hyper::StatusCode::BAD_REQUEST, text));
            }
        }
    }
    options.push(format!("--limit={limit}"));
    Ok(search::json_of(
        &Context::new(),
        options.into_iter().chain(words),
    )?)
}

/// Splits what a person typed into words. Words in quotation marks stay together.
fn split(text: &str) -> Vec<String> {
    let parts = text.split('"').enumerate();
    let words = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.filter(|word| !word.is_empty()).collect()
}

/// Clocks a session out, and returns what `clock-out --json` prints.
pub(super) fn clock_out(id: &SessionId) -> Result<String, Failure> {
    let context = Context::new();
    Ok(clock_out::json_of(&context, id)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_quotation_marks_stay_together() {
        for (typed, words) in [
            ("", &[] as &[&str]),
            ("webhook  retry", &["webhook", "retry"]),
            ("\"rate limit\" user", &["rate limit", "user"]),
            ("it's /E0[0-9]/", &["it's", "/E0[0-9]/"]),
            ("\"open", &["open"]),
            ("\"\" a", &["a"]),
        ] {
            assert_eq!(split(typed), words, "{typed}");
        }
    }
}
