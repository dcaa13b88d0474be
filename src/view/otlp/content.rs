//! The arguments and results of calls, which spans have only if the user requests them. The journal
//! contains them only under `capture = "full"`, redacted and of bounded size.

use std::collections::HashMap;

use super::names::*;
use super::{Span, Value};
use crate::model::Event;

/// The arguments and results of a session's calls, by the id of the call and the id of the subagent
/// that made it; `None` is the main thread.
#[derive(Debug, Default)]
pub struct CallContents(HashMap<(String, Option<String>), CallContent>);

#[derive(Debug, Default)]
struct CallContent {
    arguments: Option<String>,
    result: Option<String>,
}

impl CallContents {
    /// Keeps the arguments or the result of a call, if the event has them.
    pub fn hear(&mut self, event: &Event) {
        let Some(id) = &event.tool_use_id else {
            return;
        };
        let arguments = event.input.as_ref();
        let result = event.output.as_ref().or(event.error_text.as_ref());
        if arguments.is_none() && result.is_none() {
            return;
        }
        let key = (id.clone(), event.agent_id.clone());
        let content = self.0.entry(key).or_default();
        if let Some(arguments) = arguments {
            content.arguments = Some(arguments.to_string());
        }
        if let Some(result) = result {
            content.result = Some(result.to_string());
        }
    }

    /// Adds the arguments and the result of a span's call to the span's attributes, as JSON.
    pub fn add_to<'s>(&'s self, span: &mut Span<'s>) {
        let text = |name| match span.attributes.get(name) {
            Some(Value::Text(text)) => Some(text.clone().into_owned()),
            _ => None,
        };
        let is_call = text(OPERATION).as_deref() == Some("execute_tool");
        let Some(id) = text(CALL_ID).filter(|_| is_call) else {
            return;
        };
        if let Some(content) = self.0.get(&(id, text(AGENT_ID))) {
            span.attributes
                .put(CALL_ARGUMENTS, content.arguments.as_deref());
            span.attributes.put(CALL_RESULT, content.result.as_deref());
        }
    }
}
