//! `ccsession report`: writes what sessions did into one HTML file, to look at and to send.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueHint};

use super::browser;
use super::choose::find_session;
use super::collected::FromArgs;
use super::context::{Context, no_record};
use super::gather::SessionSelection;
use super::hints::filled;
use super::output;
use super::page::{GatheredPages, PageEffort, pages};
use super::scope::{Scope, ScopeArgs, Timeframe};
use super::status::{Status, refusal};
use super::timeline::here;
use crate::model::SessionId;
use crate::model::text::escaped;
use crate::store::write::{Durability, replace_beside_others};
use crate::store::{StateDir, file, shown};
use crate::view::page::{PageData, PageMode, document};

/// The page without data, as `src/web` builds it.
const PAGE: &str = include_str!("../web/built/report.html");

/// The beginning of every report. A file with another beginning is never replaced.
const BEGINNING: &str = "<!doctype html><!-- ccsession report -->";

/// The file name that means stdout.
const STDOUT: &str = "-";

#[derive(Debug, Args)]
#[command(
    after_help = "The file needs nothing else: no network, no server. It replaces an earlier report of that name, and never another file.\n\n\
    Examples:\n  ccsession report --open                 # this session, in the browser\n  ccsession report 3f2a -o review.html\n  ccsession report 3f2a --metadata       # to attach to a bug report\n  ccsession report --all -o - | gzip > sessions.html.gz"
)]
pub(super) struct ReportArgs {
    /// The session: a unique prefix of its id, or its title; without it, this shell's or the project's last
    pub(super) id: Option<String>,
    /// Report the sessions of this directory's project, or of projects with this name
    #[arg(
        long,
        short,
        value_name = "PATH",
        num_args = 0..=1,
        default_missing_value = ".",
        conflicts_with = "id"
    )]
    pub(super) project: Option<PathBuf>,
    /// Report every session on record
    #[arg(long, short, conflicts_with_all = ["id", "project"])]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) from: FromArgs,
    /// Write this file; `-` is stdout. By default the file is named after the session
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) output: Option<PathBuf>,
    /// Leave out all content, so that the report is safe to share: structure and times stay
    #[arg(long)]
    pub(super) metadata: bool,
    /// Open the report in the browser
    #[arg(long)]
    pub(super) open: bool,
}

pub(super) fn run(context: &Context, args: ReportArgs) -> Result<Status> {
    let config = context.config()?;
    let state = context.state()?;
    let to_stdout = args.output.as_deref() == Some(Path::new(STDOUT));
    if to_stdout && args.open {
        let text =
            "could not open what is written to stdout; name a file with -o, or leave out --open";
        return Err(refusal(Status::Usage, text));
    }
    let (which, name) = which(context, state.as_ref(), &args)?;
    let is_one = matches!(which, SessionSelection::One(_));
    let gathered = match &state {
        Some(state) => Some(pages(context, &config, state, &which, PageEffort::Whole)?),
        None => None,
    };
    let Some(gathered) = gathered.filter(|gathered| !gathered.sessions.is_empty()) else {
        let elsewhere = |sessions: &str| {
            let all = format!("`ccsession report --all` reports the {sessions} on record");
            (!args.all).then_some(all)
        };
        let text = filled("no session to report", context, state.as_ref(), elsewhere);
        return Err(refusal(Status::NotFound, text));
    };
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    let html = document(PAGE, &data(context, gathered, is_one, args.metadata))?;
    if to_stdout {
        output::print(&html);
        return Ok(Status::Done);
    }
    let path = args.output.unwrap_or_else(|| PathBuf::from(name));
    write(&path, &html)?;
    output::line(&escaped(&path.to_string_lossy()));
    if args.open {
        browser::open(&path)?;
    }
    Ok(Status::Done)
}

/// Returns the requested sessions, and a file name for their report.
fn which(
    context: &Context,
    state: Option<&StateDir>,
    args: &ReportArgs,
) -> Result<(SessionSelection, String)> {
    let is_wide = args.id.is_none() && args.project.is_none() && args.from.is_given();
    let chosen = ScopeArgs {
        project: args.project.clone(),
        all: args.all || is_wide,
    };
    if chosen.is_given() {
        let scope = Scope::of(context, state, &chosen, Timeframe::Past)?;
        let project = scope.project();
        let root = project.as_ref().map(|project| project.root().file_name());
        let name = match root {
            None => "all".into(),
            Some(_) if args.metadata => "project".into(),
            Some(name) => name.unwrap_or_default().to_string_lossy(),
        };
        return Ok((scope.selection(), file_name(&name, args.metadata)));
    }
    let id = match &args.id {
        Some(given) => find_session(context, state, given)?,
        None => here(context, state)?,
    };
    let record = state.map(|state| state.session(&id).record()).transpose()?;
    record.flatten().ok_or_else(|| no_record(&id))?;
    let name = file_name(&beginning(&id, args.metadata), args.metadata);
    Ok((SessionSelection::One(id), name))
}

/// Returns the beginning of an id, for a file name. With `metadata`, an id that a person made up is
/// left out, because it is content.
fn beginning(id: &SessionId, metadata: bool) -> String {
    let beginning: String = id.as_str().chars().take(8).collect();
    let is_random = beginning.chars().all(|c| c.is_ascii_hexdigit());
    match metadata && !is_random {
        true => "session".to_owned(),
        false => beginning,
    }
}

/// Returns a file name for a report, without characters that are special to a shell or file system.
fn file_name(subject: &str, metadata: bool) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
        true => c,
        false => '-',
    };
    let subject: String = subject.chars().take(60).map(plain).collect();
    let end = if metadata { "-metadata" } else { "" };
    format!("ccsession-{subject}{end}.html")
}

fn data(context: &Context, gathered: GatheredPages, is_one: bool, metadata: bool) -> PageData {
    let mut data = PageData::new(PageMode::Report, context.now, gathered.sessions);
    data.stats = (!is_one).then_some(gathered.stats);
    data.left_out = gathered.left_out.iter().map(|text| escaped(text)).collect();
    match metadata {
        true => data.without_content(),
        false => data,
    }
}

/// Writes the file in one step, and follows a symbolic link. Other users cannot read the file,
/// because its content may be private.
fn write(path: &Path, html: &str) -> Result<()> {
    let path = &match file::look(path)? {
        Some(found) if found.is_link() => file::canonical(path)?,
        _ => path.to_owned(),
    };
    if let Some(found) = file::look(path)? {
        let instead = if found.is_dir() {
            "it is a directory; name a file in it with -o"
        } else if !found.is_file() {
            "it is not a regular file; `-o -` writes to stdout"
        } else if file::beginning(path, BEGINNING.len())? != BEGINNING.as_bytes() {
            "it exists and is not a report; give another name with -o, or remove it"
        } else {
            ""
        };
        if !instead.is_empty() {
            let text = format!("could not write `{}`: {instead}", shown(path));
            return Err(refusal(Status::Failed, text));
        }
    }
    replace_beside_others(path, html.as_bytes(), Durability::Synced)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_begins_so_that_the_next_one_may_replace_it() {
        assert!(PAGE.starts_with(BEGINNING));
    }

    #[test]
    fn a_file_name_is_plain() {
        assert_eq!(file_name("3f2a", false), "ccsession-3f2a.html");
        assert_eq!(
            file_name("a/b $(c)é", true),
            "ccsession-a-b---c---metadata.html"
        );
    }
}
