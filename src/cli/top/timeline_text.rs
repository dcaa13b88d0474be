//! The timeline of a session as text for the board.

use anyhow::Result;

use super::canvas::Skin;
use super::showing::Sight;
use crate::cli::context::no_record;
use crate::cli::timeline::heading;
use crate::history::usage;
use crate::identity::title::title;
use crate::model::{OpenActivity, SessionId, TraceBuilder};
use crate::store::{History, clock};
use crate::view::subtree::Subtrees;
use crate::view::timeline::text::{TimelineLayout, rows};
use crate::view::timeline::{CallFilter, entries};

/// Returns the timeline, for a terminal of this width.
///
/// # Errors
/// Fails if the record or the journal cannot be read.
pub(super) fn of(sight: &Sight<'_>, id: &SessionId, width: usize, skin: Skin) -> Result<String> {
    let dir = sight.state.session(id);
    let record = dir.record()?.ok_or_else(|| no_record(id))?;
    let judge = sight.context.judge(sight.config, sight.state);
    let finding = judge.telling_idle().find(id, &record);
    let History { trace, .. } = History::read(&dir, TraceBuilder::with_labels(), |_, _| {})?;
    let activity = OpenActivity::of(&trace).close(|pid| finding.has(pid));
    let layout = TimelineLayout {
        width: Some(width),
        colour: skin.colour,
        bars: !skin.is_plain,
        local: &clock::to_civil,
    };
    let entries = entries(&activity, &CallFilter::default());
    let title = title(&sight.context.env, &dir, &record, sight.config.capture);
    let title = title.as_ref().map(|title| title.text.as_str());
    let heading = heading(&record, title, &activity, finding.state.as_str(), &layout);
    let used = usage::known(&dir).unwrap_or_default();
    let rows = rows(
        &activity,
        &entries,
        &layout,
        &Subtrees::of(&activity, &used),
    );
    Ok(format!("{heading}\n{rows}"))
}
