//! Finds out which tool a call used and whether the call failed, by the call's id. In a transcript,
//! a result does not name its tool, and a call does not say how it ended.

use std::collections::HashMap;
use std::io::Read;

use grep_matcher::Matcher;
use grep_regex::RegexMatcherBuilder;

use crate::claude::transcript::line::{Message, blocks};
use crate::claude::transcript::said::each_record;
use crate::store::Result;
use crate::store::blocks::LineBlocks;

/// The most ids that are searched for one by one. If there are more, every call is read.
const MAX_IDS: usize = 32;
/// The text that every line with a call or a result contains.
const CALLS: &str = "\"tool_use";

/// What a transcript says about a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CallFacts {
    pub(super) tool: Option<String>,
    /// True if the call failed or was denied.
    pub(super) is_failed: bool,
}

/// Reads what a transcript says about the calls with these ids. `None` means all calls.
///
/// # Errors
/// Fails if the transcript cannot be read.
pub(super) fn read(
    lines: &mut LineBlocks<impl Read>,
    ids: Option<&[String]>,
) -> Result<HashMap<String, CallFacts>> {
    let few = ids.filter(|ids| ids.len() <= MAX_IDS);
    let pattern = match few {
        Some(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| regex_syntax::escape(id)).collect();
            ids.join("|")
        }
        None => CALLS.to_owned(),
    };
    let mut facts: HashMap<String, CallFacts> = HashMap::new();
    let Ok(filter) = RegexMatcherBuilder::new().build(&pattern) else {
        return Ok(facts);
    };
    while let Some(block) = lines.next_block()? {
        // Skip the block if it contains none of the ids, as most blocks do.
        if !filter.is_match(block).unwrap_or(true) {
            continue;
        }
        for line in block.split(|byte| *byte == b'\n') {
            if filter.is_match(line).unwrap_or(true) {
                add(line, &mut facts);
            }
        }
        let is_named = |id: &String| facts.get(id).is_some_and(|fact| fact.tool.is_some());
        if few.is_some_and(|ids| ids.iter().all(is_named)) {
            break;
        }
    }
    Ok(facts)
}

fn add(line: &[u8], facts: &mut HashMap<String, CallFacts>) {
    each_record(line, |record| {
        let message: Message<'_> = record.message.get().unwrap_or_default();
        for block in blocks(message.content) {
            match block.kind.text().as_deref() {
                Some("tool_use") => {
                    if let Some(id) = block.id.owned() {
                        facts.entry(id).or_default().tool = block.name.owned();
                    }
                }
                Some("tool_result") => {
                    if let Some(id) = block.tool_use_id.owned() {
                        facts.entry(id).or_default().is_failed |= block.is_error.is_true();
                    }
                }
                _ => {}
            }
        }
    });
}
