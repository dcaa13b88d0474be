//! Imports the sessions of a bundle.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::archive::put_transcripts;
use crate::cli::amount::{grouped, plural};
use crate::cli::collected::cache_dir;
use crate::cli::context::{Context, since};
use crate::cli::current::valid;
use crate::cli::import::ImportArgs;
use crate::cli::output;
use crate::cli::status::{Status, refusal};
use crate::model::{Config, SessionId};
use crate::store::bundle::{ArchiveArrival, BundleHead, SessionArrival, StagedBundle};
use crate::store::unrecorded::{self, Unrecorded};
use crate::store::{Decompressor, StateDir, exclusion, project, shown, tombstones, write};

/// How many sessions of a bundle were new, changed or skipped, and what else was imported.
#[derive(Debug, Default)]
struct BundleReport {
    sessions: u64,
    new: u64,
    grown: u64,
    known: u64,
    /// Events that were added to sessions already on record here.
    events: u64,
    excluded: u64,
    deleted: u64,
    archives: u64,
    transcripts: u64,
    left_out: Vec<String>,
}

/// Imports the sessions of the bundle at `path`.
pub(in crate::cli) fn import(context: &Context, args: &ImportArgs, path: &Path) -> Result<Status> {
    let again = args.again.iter().map(|id| valid(id));
    let again: BTreeSet<SessionId> = again.collect::<Result<_>>()?;
    let config = context.config()?;
    let state = match args.dry_run {
        true => context.state()?,
        false => Some(StateDir::create(&context.places, Decompressor::BUILT_IN)?),
    };
    let room = match (&state, args.dry_run) {
        (Some(state), false) => state.root().to_owned(),
        _ => {
            let cache = cache_dir(&context.env)?;
            write::make_private_dir(&cache)?;
            cache
        }
    };
    let bundle = StagedBundle::read(path, &room).map_err(|err| {
        let text = format!("could not import `{}`: {err}", shown(path));
        refusal(Status::Failed, text)
    })?;
    let mut report = BundleReport::default();
    let wanted = wanted(
        context,
        &config,
        args,
        state.as_ref(),
        &again,
        &bundle,
        &mut report,
    )?;
    let taker = Taker {
        context,
        config: &config,
        bundle: &bundle,
        state: state.as_ref().filter(|_| !args.dry_run),
        again: &again,
    };
    // Find the live sessions before the import: processes of this machine own them. What the bundle
    // adds is not live here.
    let live: BTreeSet<SessionId> = match taker.state {
        Some(state) => wanted
            .iter()
            .filter(|id| taker.is_live(state, id))
            .cloned()
            .collect(),
        None => BTreeSet::new(),
    };
    for id in &wanted {
        let arrival = match taker.state {
            Some(state) => taker.take(state, id, live.contains(id)),
            None => Ok(bundle.compare_session(state.as_ref(), id)?),
        };
        match arrival {
            Ok(SessionArrival::New) => report.new += 1,
            Ok(SessionArrival::Grown(events)) => {
                report.grown += 1;
                report.events += events;
            }
            Ok(SessionArrival::Known) => report.known += 1,
            Err(err) => report
                .left_out
                .push(format!("could not import session {id}: {err}")),
        }
    }
    if let Some(state) = taker.state {
        taker.archives_and_transcripts(state, &wanted, &live, &mut report)?;
    }
    for text in &report.left_out {
        output::complain(text);
    }
    if args.json {
        output::json(&as_json(args, &bundle.head, &report));
    } else {
        output::line(&sentence(args, &report));
    }
    Ok(Status::Done)
}

/// Returns the sessions of the bundle that should be imported.
fn wanted(
    context: &Context,
    config: &Config,
    args: &ImportArgs,
    state: Option<&StateDir>,
    again: &BTreeSet<SessionId>,
    bundle: &StagedBundle,
    report: &mut BundleReport,
) -> Result<BTreeSet<SessionId>> {
    let since = args
        .since
        .as_deref()
        .map(|when| since(when, context.now))
        .transpose()?;
    let root = args
        .project
        .as_deref()
        .map(|path| project::existing_or_gone(path).map(|project| project.root().to_owned()))
        .transpose()?;
    let mut wanted = BTreeSet::new();
    for id in bundle.session_ids() {
        if let Some(version) = bundle.newer_version(&id) {
            report.left_out.push(format!(
                "left out session {id}: its record has format version {version}; update ccsession here"
            ));
            continue;
        }
        let staged = bundle.session(&id);
        let record = match staged.record() {
            Ok(Some(record)) => record,
            Ok(None) => {
                report
                    .left_out
                    .push(format!("left out session {id}: it has no record"));
                continue;
            }
            Err(_) => {
                let why = "its record cannot be read";
                report
                    .left_out
                    .push(format!("left out session {id}: {why}"));
                continue;
            }
        };
        let is_in = root.as_ref().is_none_or(|root| record.is_in(root));
        let last = staged.last_activity().unwrap_or(record.started_at);
        if !is_in || since.is_some_and(|since| last < since) {
            continue;
        }
        report.sessions += 1;
        let noted = state.and_then(|state| unrecorded::of(state, &id));
        if noted == Some(Unrecorded::Deleted) && !again.contains(&id) {
            report.deleted += 1;
        } else if exclusion::of_record(&context.env, &config.exclude, &record).is_some() {
            report.excluded += 1;
        } else {
            wanted.insert(id);
        }
    }
    Ok(wanted)
}

/// Imports single sessions, archives and transcripts of the bundle.
struct Taker<'a> {
    context: &'a Context,
    config: &'a Config,
    bundle: &'a StagedBundle,
    state: Option<&'a StateDir>,
    again: &'a BTreeSet<SessionId>,
}

impl Taker<'_> {
    fn take(&self, state: &StateDir, id: &SessionId, is_live: bool) -> Result<SessionArrival> {
        if self.again.contains(id) {
            unrecorded::forget(state, id)?;
        }
        Ok(self.bundle.take_session(state, id, is_live)?)
    }

    /// Returns whether a process of this machine owns the session, or may own it.
    fn is_live(&self, state: &StateDir, id: &SessionId) -> bool {
        let judge = self.context.judge(self.config, state);
        let record = state.session(id).record().ok().flatten();
        record.is_some_and(|record| {
            let finding = judge.find(id, &record);
            let has_process = !finding.owners.is_empty() || finding.unseen > 0;
            has_process && finding.state.is_live()
        })
    }

    fn archives_and_transcripts(
        &self,
        state: &StateDir,
        wanted: &BTreeSet<SessionId>,
        live: &BTreeSet<SessionId>,
        report: &mut BundleReport,
    ) -> Result<()> {
        let is_pruned = |id: &SessionId| {
            let pruned = tombstones::of(state, id.as_str());
            !self.again.contains(id) && pruned.iter().any(|(pruned, _)| pruned == id)
        };
        let kept = wanted.iter().filter(|id| !is_pruned(id)).cloned().collect();
        for (_, arrival) in self.bundle.take_archives(state, &kept)? {
            match arrival {
                ArchiveArrival::Taken => report.archives += 1,
                ArchiveArrival::Known => {}
                ArchiveArrival::LeftOut(why) => report.left_out.push(why),
            }
        }
        let files: Vec<_> = self.bundle.transcripts();
        let is_wanted = |place: &Path| {
            let id = session_of(place);
            id.is_none_or(|id| wanted.contains(&id) && !live.contains(&id))
        };
        let files: Vec<_> = files
            .into_iter()
            .filter(|(place, _)| is_wanted(place))
            .collect();
        if files.is_empty() {
            return Ok(());
        }
        let put = put_transcripts(&self.context.env, &files)?;
        report.transcripts += put.written.len() as u64;
        let kept = put.kept.iter();
        report.left_out.extend(kept.map(|path| {
            let path = shown(path);
            format!("left `{path}` as it is: it differs from the one in the bundle")
        }));
        Ok(())
    }
}

/// Returns the session to which the path of a transcript belongs: `{folder}/{id}.jsonl`, or a file
/// below `{folder}/{id}/`.
fn session_of(place: &Path) -> Option<SessionId> {
    let name = place.iter().nth(1)?.to_str()?;
    name.strip_suffix(".jsonl").unwrap_or(name).parse().ok()
}

fn as_json(args: &ImportArgs, head: &BundleHead, report: &BundleReport) -> serde_json::Value {
    json!({
        "v": 1,
        "bundle": head,
        "sessions": report.sessions,
        "imported": report.new,
        "grown": report.grown,
        "events": report.events,
        "excluded": report.excluded,
        "deleted": report.deleted,
        "archives": report.archives,
        "transcripts": report.transcripts,
        "left_out": report.left_out,
        "dry_run": args.dry_run,
    })
}

fn sentence(args: &ImportArgs, report: &BundleReport) -> String {
    let did = if args.dry_run {
        "would import"
    } else {
        "imported"
    };
    let mut text = format!("{did} {}", plural(report.new, "session"));
    if report.grown > 0 {
        let events = plural(report.events, "event");
        text += &format!("; added {events} to {}", plural(report.grown, "session"));
    }
    for (count, what) in [
        (report.archives, "archive"),
        (report.transcripts, "file of transcripts"),
    ] {
        if count > 0 {
            let what = if count == 1 {
                what.to_owned()
            } else {
                what.replacen("archive", "archives", 1)
                    .replacen("file", "files", 1)
            };
            text += &format!("; {} {what}", grouped(count));
        }
    }
    if report.known > 0 {
        let were = if report.known == 1 { "was" } else { "were" };
        text += &format!("; {} {were} complete already", grouped(report.known));
    }
    for (count, what) in [
        (report.excluded, "of excluded projects"),
        (report.deleted, "deleted before"),
    ] {
        if count > 0 {
            text += &format!("; skipped {} {what}", plural(count, "session"));
        }
    }
    text
}
