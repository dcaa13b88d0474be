//! `ccsession import`: imports history from Claude Code's own transcripts, or sessions from a bundle.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::amount::{grouped, plural};
use super::bundle;
use super::context::{Context, project_asked, since};
use super::current::valid;
use super::output;
use super::status::{self, Status, refusal};
use crate::claude::dirs::projects_dir;
use crate::history::import::sources::{self, ExcludedFile, ImportSources};
use crate::history::import::{self, ImportOptions, ImportReport};
use crate::store::bundle::is_bundle;
use crate::store::env::Screen;
use crate::store::{Decompressor, Error, StateDir, project, shown, unrecorded};

#[derive(Debug, Default, Args)]
#[command(
    after_help = "A bundle is what `ccsession export --format bundle` writes. It is compared before anything of it is taken over, and \
    sessions that are here already only gain what they lack.\n\n\
    Examples:\n  ccsession import --dry-run\n  ccsession import --since 30d\n  ccsession import all.bundle    # sessions of another machine"
)]
pub(super) struct ImportArgs {
    /// A transcript, a folder of them, the folder of all projects, or a bundle; Claude Code's own
    /// transcripts if omitted
    pub(super) path: Option<PathBuf>,
    /// Import only sessions of the project of this directory, or with this name
    #[arg(long, short, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// Import only sessions active since then: `today`, `monday`, `30d`, `2026-11`
    #[arg(long, short, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Import this session although it was deleted here; repeatable
    #[arg(long, value_name = "ID")]
    pub(super) again: Vec<String>,
    /// Print what would be imported; import nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
}

pub(super) fn run(context: &Context, args: ImportArgs) -> Result<Status> {
    if let Some(path) = args.path.as_deref()
        && is_bundle(path)?
    {
        return bundle::import(context, &args, path);
    }
    let config = context.config()?;
    let options = ImportOptions {
        since: args
            .since
            .as_deref()
            .map(|when| since(when, context.now))
            .transpose()?,
        root: args
            .project
            .as_deref()
            .map(|path| root_asked(context, path))
            .transpose()?,
        capture: config.capture,
        dry_run: args.dry_run,
        env: context.env.clone(),
        exclude: config.exclude,
    };
    let path = path(context, args.path.clone())?;
    let sources = sources::find(&path).map_err(|err| match err {
        Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            no_folder(&path, args.path.is_some())
        }
        err => err.into(),
    })?;
    if sources.sessions.is_empty() && sources.left_out.is_empty() {
        return Err(refusal(
            Status::NotFound,
            format!(
                "could not find a transcript in `{}`; if they are elsewhere, give the PATH of a transcript or of a folder of them",
                shown(&path)
            ),
        ));
    }
    let state = if args.dry_run {
        context.state()?
    } else {
        Some(StateDir::create(&context.places, Decompressor::BUILT_IN)?)
    };
    if let Some(state) = state.as_ref().filter(|_| !args.dry_run) {
        for id in &args.again {
            unrecorded::forget(state, &valid(id)?)?;
        }
    }
    let bar = progress_bar(&sources);
    let report = import::run(state.as_ref(), sources, &options, &mut |bytes| {
        bar.inc(bytes)
    });
    bar.finish_and_clear();
    print(&args, &report);
    Ok(match report.failed {
        0 => Status::Done,
        _ => Status::Failed,
    })
}

fn path(context: &Context, given: Option<PathBuf>) -> Result<PathBuf> {
    let no_home = || {
        let text = "could not find Claude Code's folder: HOME is not an absolute path; give a PATH";
        refusal(Status::Failed, text)
    };
    match given {
        Some(path) => Ok(path),
        None => projects_dir(&context.env).ok_or_else(no_home),
    }
}

/// Returns the root of the project that `--project` names. If the project is not on record, it may
/// still have transcripts. Then the path counts as its root.
fn root_asked(context: &Context, path: &Path) -> Result<PathBuf> {
    match project_asked(context.state()?.as_ref(), path) {
        Ok(project) => Ok(project.root().to_owned()),
        Err(why) if status::of(&why) == Status::Ambiguous => Err(why),
        Err(_) => Ok(project::existing_or_gone(path)?.root().to_owned()),
    }
}

/// Returns the error for a `path` at which nothing exists.
fn no_folder(path: &Path, is_given: bool) -> anyhow::Error {
    let path = shown(path);
    let text = match is_given {
        true => {
            format!(
                "could not find `{path}`; give the PATH of a transcript, of a folder of them, or of a bundle"
            )
        }
        false => format!(
            "could not find a transcript: there is no folder `{path}`, which Claude Code creates with its first session; if its transcripts are elsewhere, give their PATH"
        ),
    };
    refusal(Status::NotFound, text)
}

/// Returns a progress bar on stderr, hidden unless a person sees it.
fn progress_bar(sources: &ImportSources) -> ProgressBar {
    if !output::are_warnings_for_people() || Screen::read().is_plain {
        return ProgressBar::hidden();
    }
    let bytes = sources.sessions.iter().map(|source| source.size).sum();
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}

fn print(args: &ImportArgs, report: &ImportReport) {
    for ExcludedFile { path, why } in &report.left_out {
        let path = shown(path);
        // The error of a file operation names the file already.
        if why.contains(&path) {
            output::complain(&format!("{why}; skipped"));
        } else {
            output::complain(&format!("left out `{path}`: {why}"));
        }
    }
    let skipped = &report.skipped;
    let passed_over = [
        (skipped.too_long, "longer than 64 MiB"),
        (skipped.damaged, "damaged"),
        (
            skipped.foreign,
            "of another session than the file's name says",
        ),
    ];
    for (count, what) in passed_over.into_iter().filter(|(count, _)| *count > 0) {
        output::complain(&format!("skipped {} {what}", plural(count, "line")));
    }
    if args.json {
        let left_out: Vec<_> = report
            .left_out
            .iter()
            .map(|left| json!({"path": left.path.to_string_lossy(), "why": left.why}))
            .collect();
        output::json(&json!({
            "v": 1,
            "sessions": report.sessions,
            "imported": report.imported,
            "events": report.events,
            "excluded": report.excluded,
            "deleted": report.deleted,
            "left_out": left_out,
            "lines_passed_over": report.skipped,
            "dry_run": args.dry_run,
        }));
    } else {
        output::line(&summary(args, report));
    }
}

fn summary(args: &ImportArgs, report: &ImportReport) -> String {
    let did = if args.dry_run {
        "would import"
    } else {
        "imported"
    };
    let mut text = format!(
        "{did} {}, {}",
        plural(report.imported, "session"),
        plural(report.events, "event")
    );
    let were = |count| if count == 1 { "was" } else { "were" };
    let complete = report.sessions - report.imported;
    if complete > 0 {
        text += &format!(
            "; {} {} complete already",
            grouped(complete),
            were(complete)
        );
    }
    let left_out = report.left_out.len() as u64;
    if left_out > 0 {
        text += &format!("; {} {} left out", plural(left_out, "file"), were(left_out));
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
