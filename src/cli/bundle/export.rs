//! Writes sessions into a bundle.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::archive::recorded;
use crate::claude::transcript::Search;
use crate::cli::amount::{bytes, plural};
use crate::cli::context::{Context, no_record, period};
use crate::cli::export::ExportArgs;
use crate::cli::gather::SessionSelection;
use crate::cli::output;
use crate::cli::scope::selected;
use crate::cli::status::{Status, refusal};
use crate::cli::title::title;
use crate::identity::liveness::Judge;
use crate::model::when::Period;
use crate::model::{Record, SessionId};
use crate::store::archive::Archives;
use crate::store::bundle::{BundleHead, BundleWriter, BundledSession, VERSION};
use crate::store::collected::Machine;
use crate::store::{Error, StateDir, file, index, shown};

/// A session that goes into the bundle.
struct ChosenSession {
    record: Record,
    bundled: BundledSession,
}

/// Writes the requested sessions into a bundle.
pub(in crate::cli) fn export(context: &Context, args: &ExportArgs) -> Result<Status> {
    let path = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let Some(path) = path else {
        let text = "a bundle is a file: name it with -o FILE";
        return Err(refusal(Status::Usage, text));
    };
    let period = period(args.since.as_deref(), args.until.as_deref(), context.now)?;
    let state = context.state()?;
    let id = args.id.as_deref();
    let (which, scope) = selected(context, state.as_ref(), id, &args.scope, &args.from)?;
    let nothing = || refusal(Status::NotFound, "there is no session to export");
    let state = state.ok_or_else(nothing)?;
    let chosen = chosen(context, &state, &which, period)?;
    if chosen.is_empty() {
        return Err(nothing());
    }
    let head = BundleHead {
        v: VERSION,
        made_by: concat!("ccsession ", env!("CARGO_PKG_VERSION")).to_owned(),
        made_at: context.now,
        machine: Machine::here(),
        sessions: chosen.iter().map(|it| it.bundled.clone()).collect(),
        transcripts: args.transcripts,
    };
    let mut bundle = BundleWriter::begin(path, &head)?;
    let archives = Archives::of(&state);
    let search = args.transcripts.then(|| Search::new(&context.env));
    let (mut transcripts, mut places) = (0, HashSet::new());
    for ChosenSession { record, bundled } in &chosen {
        let id = &bundled.id;
        let mut left_out = bundle.add_session(&state, id)?;
        match archive_of(&archives, record) {
            Ok(Some((archive, manifest))) => {
                left_out.extend(bundle.add_archive(&archive, &manifest)?);
            }
            Ok(None) => {}
            Err(err) => left_out.push(format!("{err}; skipped")),
        }
        if let Some(search) = &search {
            let files = search.files(&state.session(id), record, None);
            let agents = files.agents.iter().map(|(_, file)| file);
            for file in files.mains.iter().chain(agents).chain(&files.others) {
                // If two files have the same place in the bundle, only the larger one, which comes
                // first, is written.
                if !places.insert(file.place.clone()) {
                    continue;
                }
                left_out.extend(bundle.add_transcript(&file.place, &file.path)?);
                transcripts += 1;
            }
        }
        for text in left_out {
            output::complain(&text);
        }
        if bundled.live {
            output::warn(&format!(
                "session {id} is live: the bundle has it as it is now"
            ));
        }
    }
    let files = bundle.end()?;
    let size = file::look(path)?.map_or(0, |found| found.meta.size);
    let of_transcripts = match (args.transcripts, transcripts) {
        (false, _) => String::new(),
        (true, count) => format!(
            ", {} of transcripts with all that was said",
            plural(count, "file")
        ),
    };
    output::line(&format!(
        "wrote {}, {}{of_transcripts} ({}) to `{}`",
        plural(chosen.len() as u64, "session"),
        plural(files, "file"),
        bytes(size),
        shown(path)
    ));
    if let Some(scope) = &scope {
        scope.say(&context.env);
    }
    Ok(Status::Done)
}

/// Returns the sessions to export, in the order in which they began.
fn chosen(
    context: &Context,
    state: &StateDir,
    which: &SessionSelection,
    period: Period,
) -> Result<Vec<ChosenSession>> {
    let config = context.config()?;
    let judge = context.judge(&config, state);
    let ids: Vec<SessionId> = match which {
        SessionSelection::One(id) => vec![id.clone()],
        SessionSelection::These(ids) => ids.clone(),
        SessionSelection::Projects(_) | SessionSelection::All => state.session_ids()?.collect(),
    };
    let live: Vec<SessionId> = index::live_candidates(state)?
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    let mut chosen = Vec::new();
    for id in ids {
        let record = match state.session(&id).record() {
            Ok(Some(record)) => record,
            Ok(None) if matches!(which, SessionSelection::One(_)) => return Err(no_record(&id)),
            Ok(None) => continue,
            Err(err) if matches!(which, SessionSelection::One(_)) => return Err(err.into()),
            Err(err) => {
                output::complain(&format!("{err}; skipped"));
                continue;
            }
        };
        let is_candidate = live.contains(&id);
        let is_wanted = match which {
            SessionSelection::Projects(roots) => is_in(&judge, &record, roots, is_candidate),
            _ => true,
        };
        if !is_wanted || !period.has(record.started_at) {
            continue;
        }
        let title = title(&context.env, state, &record, config.capture);
        chosen.push(ChosenSession {
            bundled: BundledSession {
                live: is_candidate && judge.find(&id, &record).state.is_live(),
                title: title.map(|title| title.text),
                id,
            },
            record,
        });
    }
    chosen.sort_by(|one, other| {
        let key = |it: &ChosenSession| (it.record.started_at, it.bundled.id.clone());
        key(one).cmp(&key(other))
    });
    Ok(chosen)
}

/// Returns whether a session is in one of the projects with these roots. The directory in which it
/// started counts, too, but only while it runs.
fn is_in(judge: &Judge<'_>, record: &Record, roots: &[PathBuf], is_candidate: bool) -> bool {
    let finding = is_candidate.then(|| judge.find(&record.session_id, record));
    roots.iter().any(|root| match &finding {
        Some(finding) => finding.is_in(record, root),
        None => record.is_in(root),
    })
}

/// Returns the archive of a session: the one that its record names, or else the one that the index
/// knows.
fn archive_of(
    archives: &Archives,
    record: &Record,
) -> Result<
    Option<(
        crate::store::archive::Archive,
        crate::model::archive::Manifest,
    )>,
    Error,
> {
    if let Some(found) = recorded(archives, record)? {
        return Ok(Some((found.archive, found.manifest)));
    }
    let Some(archive) = archives.of_session(&record.session_id)? else {
        return Ok(None);
    };
    let manifest = archive.manifest()?;
    let manifest = manifest.filter(|manifest| manifest.session_id == record.session_id);
    Ok(manifest.map(|manifest| (archive, manifest)))
}
