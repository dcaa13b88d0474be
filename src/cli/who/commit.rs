//! Finds the session that made a commit.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::commit_search::{
    self, CommitView, Maker, SoughtCommit, judge, made, once, short_hash,
};
use super::super::gather::{Count, GatheredSession, SessionSelection, gather};
use super::super::output;
use super::super::status::{Status, refusal};
use super::super::table::TextTable;
use super::{SessionWords, WhoArgs, WhoQuestion};
use crate::model::commit::{CommitKind, CommitNote, is_hash};
use crate::model::text::escaped;
use crate::model::{SessionId, Timestamp};
use crate::store::{clock, project, reflog};
use crate::view::commit_makers::Certainty;

/// The fewest digits by which a commit can be named.
const MIN_DIGITS: usize = 4;
/// How far the time of a commit in the reflog may be from the time when git wrote the commit's
/// object file. A git hook of the user may run in between.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);
/// The most commits that an error message lists if several match.
const MAX_NAMED: usize = 5;

/// The commit that the user asked about, and all known commits, one of which may have replaced it.
pub(super) struct FoundCommit {
    sought: SoughtCommit,
    known: Vec<CommitNote>,
}

/// Returns whether `text` may be a hash or the beginning of one.
pub(super) fn is_digits(text: &str) -> bool {
    let length = MIN_DIGITS..=64;
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Finds the commit that `text` means in the repository of the current directory. Returns `None` if
/// no known commit fits and `text` may mean something else.
///
/// # Errors
/// Fails if several commits match, or if the commit was not made on this machine.
pub(super) fn find(question: &WhoQuestion<'_>, text: &str) -> Result<Option<FoundCommit>> {
    let here = project::discover(&project::current_dir()?);
    let named = project::named_commit(here.root(), text);
    if named.is_none() && !is_digits(text) {
        return Ok(None);
    }
    let digits = named.clone().unwrap_or_else(|| text.to_ascii_lowercase());
    let reflogs = reflog::moves_everywhere(here.root());
    let mut all: Vec<SoughtCommit> = Vec::new();
    for (root, moves) in &reflogs {
        all.extend(made(root, moves));
    }
    let is_meant = |commit: &SoughtCommit| commit.note.id.starts_with(&digits);
    if !all.iter().any(is_meant) {
        all.extend(noted(question)?);
    }
    let known: Vec<CommitNote> = all.iter().map(|commit| commit.note.clone()).collect();
    all.retain(is_meant);
    once(&mut all);
    let mut found = all.into_iter();
    match (found.next(), found.next()) {
        (Some(sought), None) => Ok(Some(FoundCommit { sought, known })),
        (Some(first), Some(second)) => {
            let ids = [first, second].into_iter().chain(found);
            let ids = ids.map(|commit| commit.note.id);
            Err(ambiguous(&digits, &ids.collect::<Vec<_>>()))
        }
        (None, _) => {
            let moves = reflogs.iter().flat_map(|(_, moves)| moves);
            let came = moves.filter(|it| it.id.starts_with(&digits)).count() > 0;
            match (came, named.is_some() || is_hash(&digits)) {
                (false, false) => Ok(None),
                (came, _) => Err(not_made(&digits, came)),
            }
        }
    }
}

fn ambiguous(digits: &str, ids: &[String]) -> anyhow::Error {
    let named = ids.iter().take(MAX_NAMED).map(|id| short(id));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match ids.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "could not choose a commit: `{}` matches {named}{more}; type more digits",
        escaped(digits)
    );
    refusal(Status::Ambiguous, text)
}

fn not_made(id: &str, came: bool) -> anyhow::Error {
    let id = short(id);
    let text = match came {
        true => format!(
            "could not find who made commit {id}: it was not made here, but arrived with a clone, pull, checkout or reset"
        ),
        false => format!(
            "could not find who made commit {id}: neither a journal nor the reflog here knows when it was made"
        ),
    };
    refusal(Status::NotFound, text)
}

fn short(id: &str) -> String {
    escaped(&short_hash(id))
}

/// Returns the commits that the journals of all sessions mention.
fn noted(question: &WhoQuestion<'_>) -> Result<Vec<SoughtCommit>> {
    let judge = question.context.judge(question.config, question.state);
    let gathered = gather(&judge, &SessionSelection::All, NotedCounter::default)?;
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    Ok(gathered.counts.0)
}

#[derive(Default)]
struct NotedCounter(Vec<SoughtCommit>);

impl Count for NotedCounter {
    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        self.0
            .extend(commit_search::noted(session.record, session.noted));
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Prints which session made the commit.
pub(super) fn answer(
    question: &WhoQuestion<'_>,
    args: &WhoArgs,
    found: FoundCommit,
) -> Result<Status> {
    let view = CommitView::new(&found.sought, &found.known);
    doubt(&view);
    let judging = question.context.judge(question.config, question.state);
    let judged = judge(&judging, vec![found.sought])?;
    let (makers, beside): (Vec<Vec<Maker>>, Vec<_>) = judged
        .into_iter()
        .map(|judged| (judged.makers, judged.beside))
        .unzip();
    let beside: Vec<SessionId> = beside.into_iter().flatten().collect();
    let makers: Vec<(SessionWords, Maker)> = makers
        .into_iter()
        .flatten()
        .map(|mut maker| {
            if let Some(call) = &mut maker.call {
                call.what = question.label(call.what.take());
            }
            if let Some(command) = &mut maker.command {
                command.what = question.label(command.what.take());
            }
            if let Some(prompt) = &mut maker.prompt {
                prompt.what = question.label(prompt.what.take());
            }
            (question.words(&maker.record), maker)
        })
        .collect();
    let status = match makers.len() {
        0 if !args.json => return Err(nobody(&view, &beside)),
        0 => Status::NotFound,
        1 => Status::Done,
        _ => Status::Ambiguous,
    };
    if args.json {
        output::json(&as_json(&view, &makers, &beside));
    } else {
        let drawn = !args.screen.screen().is_plain;
        args.screen.print(&as_text(&view, &makers), drawn);
    }
    Ok(status)
}

/// Warns if git wrote the commit's object file at another time than the reflog says. The answer
/// still relies on the reflog, because copying or restoring a repository also makes its files
/// newer.
fn doubt(view: &CommitView) {
    let written = reflog::object_written(Path::new(&view.root), &view.id);
    let is_as_said = |at: Timestamp| at.age(view.at).max(view.at.age(at)) <= WRITTEN_WITHIN;
    if let Some(written) = written.filter(|at| !is_as_said(*at)) {
        let (id, at) = (short(&view.id), clock::local_text(view.at));
        output::complain(&format!(
            "commit {id} is dated {at}, but its file was written at {}: its date is false, or the repository was copied",
            clock::local_text(written)
        ));
    }
}

fn nobody(view: &CommitView, beside: &[SessionId]) -> anyhow::Error {
    let (id, at) = (short(&view.id), clock::local_text(view.at));
    let text = match beside {
        [] => format!(
            "no session was recorded in `{}` at {at}, when commit {id} was made",
            escaped(&view.root)
        ),
        [one] => format!(
            "no session made commit {id} at {at}: session {one} was open, but ran no command then; \
             a person or another program made it"
        ),
        several => format!(
            "no session made commit {id} at {at}: {} sessions were open, but none of them ran a command then; \
             a person or another program made it",
            several.len()
        ),
    };
    refusal(Status::NotFound, text)
}

fn as_json(view: &CommitView, makers: &[(SessionWords, Maker)], beside: &[SessionId]) -> Value {
    let sessions = makers.iter().map(|(words, maker)| {
        words.with(json!({
            "certainty": maker.certainty,
            "call": maker.call,
            "command": maker.command,
            "prompt": maker.prompt,
        }))
    });
    json!({"v": 1, "commit": view, "sessions": sessions.collect::<Vec<_>>(), "beside": beside})
}

fn as_text(view: &CommitView, makers: &[(SessionWords, Maker)]) -> String {
    let mut facts = TextTable::new(&["COMMIT", &view.id]);
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.row([name.to_owned(), value]);
        }
    };
    fact("made", Some(clock::local_text(view.at)));
    let is_plain = matches!(view.how, CommitKind::Commit);
    fact(
        "by",
        Some(view.how.as_str().to_owned()).filter(|_| !is_plain),
    );
    fact("replaces", view.replaces.clone());
    fact("replaced by", view.replaced_by.clone());
    if makers.len() > 1 {
        let text = format!(
            "one of these {} sessions; the journals cannot tell",
            makers.len()
        );
        fact("certainty", Some(text));
    }
    for (words, maker) in makers {
        fact("session", Some(words.session_id.to_string()));
        fact(
            "certainty",
            Some(match makers.len() {
                1 => sure(maker.certainty),
                _ => maker.certainty.as_str().to_owned(),
            }),
        );
        fact("title", Some(words.title()));
        fact("project", Some(words.project.name.clone()));
        if let Some(call) = &maker.call {
            let tool = call.tool.as_deref().unwrap_or_default();
            let at = clock::local_text(call.started_at);
            let what = call.what.as_deref().unwrap_or_default();
            fact(
                "call",
                Some(format!("{at} {tool} {what}").trim_end().to_owned()),
            );
            fact("subagent", call.agent_id.clone());
        }
        if let Some(command) = &maker.command {
            let at = clock::local_text(command.started_at);
            let what = command.what.as_deref().unwrap_or_default();
            fact(
                "command",
                Some(format!("{at} {what}").trim_end().to_owned()),
            );
        }
        fact(
            "prompt",
            maker.prompt.as_ref().and_then(|it| it.what.clone()),
        );
    }
    facts.to_string()
}

fn sure(certainty: Certainty) -> String {
    let why = match certainty {
        Certainty::Certain => {
            "a command labelled as a commit ran then, and no other session ran anything"
        }
        Certainty::Likely => "its command ran then, and any other session is less likely",
        Certainty::Possible => {
            "its command ran in the background or in another working tree, or what it ran is unknown"
        }
    };
    format!("{}: {why}", certainty.as_str())
}
