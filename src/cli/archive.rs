//! `ccsession archive`: inspects, verifies, restores and prunes archives.

pub(super) mod args;

use std::cmp::Reverse;
use std::io::{BufRead, BufReader, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::amount::{bytes, plural};
use super::choose::{list_candidates, matching};
use super::collected::FromArgs;
use super::context::{Context, period};
use super::hints::say_nothing;
use super::list::titled;
use super::output;
use super::pager::Pager;
use super::scope::{Scope, Timeframe};
use super::status::{Status, refusal};
use super::table::{Squeeze, TextTable};
use crate::archive::{self, SessionArchive, open_part, restore};
use crate::model::archive::{ArchivePart, Manifest, PartKind};
use crate::model::config::duration;
use crate::model::text::escaped;
use crate::model::{Capture, SessionId, Timestamp, id};
use crate::store::archive::{Archives, Fault};
use crate::store::lock::Lock;
use crate::store::log::{self, Log, LogLine};
use crate::store::{Error, StateDir, clock, shown, tombstones};
use args::{
    ArchiveFilter, ArchiveListArgs, ArchivePruneArgs, ArchiveRestoreArgs, ArchiveSearchArgs,
    ArchiveShowArgs, ArchiveVerb, ArchiveVerifyArgs,
};

/// How the list is made narrower: the first step comes first, and cuts what a person needs least.
const NARROWER: [Squeeze; 12] = [
    Squeeze::Cut("DESCRIPTION", 16),
    Squeeze::Cut("FOCUS", 12),
    Squeeze::Ids("SESSION"),
    Squeeze::Cut("TITLE", 24),
    Squeeze::Cut("ROLE", 8),
    Squeeze::Drop("MESSAGES"),
    Squeeze::Drop("SIZE"),
    Squeeze::Drop("ROLE"),
    Squeeze::Drop("FOCUS"),
    Squeeze::Cut("DESCRIPTION", 8),
    Squeeze::Cut("TITLE", 8),
    Squeeze::Drop("PROJECT"),
];
/// How many bytes of a line are read at once at most.
const MAX_PIECE: u64 = 1 << 20;

pub(super) fn run(context: &Context, verb: ArchiveVerb) -> Result<Status> {
    let state = context.state()?;
    let _lock = match &state {
        Some(state) => whole(&Archives::of(state), &verb)?,
        None => None,
    };
    match verb {
        ArchiveVerb::List(args) => list(context, state.as_ref(), &args),
        ArchiveVerb::Show(args) => show(context, state.as_ref(), &args),
        ArchiveVerb::Search(args) => search(context, state.as_ref(), &args),
        ArchiveVerb::Verify(args) => verify(context, state.as_ref(), &args),
        ArchiveVerb::Restore(args) => put_back(context, state.as_ref(), &args),
        ArchiveVerb::Prune(args) => prune(context, state.as_ref(), &args),
    }
}

/// Finishes archives that a killed process left unfinished. If the verb reads whole archives,
/// returns the lock of the archives, which the caller holds until it has read them.
fn whole(archives: &Archives, verb: &ArchiveVerb) -> Result<Option<Lock>> {
    let reads_all = matches!(
        verb,
        ArchiveVerb::Verify(_) | ArchiveVerb::Restore(_) | ArchiveVerb::Prune(_)
    );
    if reads_all && archives.are_there()? {
        return completed(archives).map(Some);
    }
    finish_interrupted(archives)?;
    Ok(None)
}

/// Finishes archives that a killed process left unfinished, if there are any.
pub(super) fn finish_interrupted(archives: &Archives) -> Result<()> {
    if archives.are_there()? && archives.is_interrupted()? {
        completed(archives)?;
    }
    Ok(())
}

/// Finishes archives that a killed process left unfinished. Returns the lock of the archives.
fn completed(archives: &Archives) -> Result<Lock> {
    let lock = archives.lock()?;
    for err in archives.finish_interrupted()? {
        output::complain(&format!(
            "{err}; the next command tries again, and all other archives are complete"
        ));
    }
    Ok(lock)
}

/// The requested archives.
#[derive(Default)]
struct ArchiveSelection {
    /// The readable archives, the newest first.
    archives: Vec<SessionArchive>,
    /// The errors of archives that cannot be read, but may have been requested.
    unreadable: Vec<Error>,
}

impl ArchiveSelection {
    /// Selects every archive.
    fn all(state: Option<&StateDir>) -> Result<Self> {
        let Some(state) = state else {
            return Ok(Self::default());
        };
        let listing = Archives::of(state).all()?;
        let mut found = Self {
            archives: Vec::new(),
            unreadable: listing.failed,
        };
        for archive in listing.archives {
            match archive.manifest() {
                Ok(Some(manifest)) => found.archives.push(SessionArchive {
                    archive,
                    manifest,
                    was_there: true,
                }),
                Ok(None) => {}
                Err(err) => found.unreadable.push(err),
            }
        }
        let newest_first = |archived: &SessionArchive| Reverse(archived.manifest.started_at);
        found.archives.sort_by_key(newest_first);
        Ok(found)
    }

    /// Reports the unreadable archives, and returns the others.
    fn readable(self) -> Vec<SessionArchive> {
        for err in &self.unreadable {
            output::complain(&format!("{err}; skipped"));
        }
        self.archives
    }
}

/// Returns the archive of the only session whose id begins with `given`, or whose title is `given`.
/// Returns `None` if there is no such archive.
pub(super) fn find(archives: &Archives, given: &str) -> Result<Option<SessionArchive>> {
    let mut found = Vec::new();
    let mut damaged = None;
    for archive in archives.all()?.archives {
        match archive.manifest() {
            Ok(Some(manifest)) if is_meant(&manifest, given) => {
                found.push(SessionArchive {
                    archive,
                    manifest,
                    was_there: true,
                });
            }
            Ok(_) => {}
            Err(err) if archive.may_be_of(given) => damaged = Some(err),
            Err(_) => {}
        }
    }
    if let Some(exact) = found
        .iter()
        .position(|it| it.manifest.session_id.as_str() == given)
    {
        return Ok(Some(found.swap_remove(exact)));
    }
    match (found.len(), damaged) {
        (0, Some(err)) => Err(err.into()),
        // Some programs show ids in upper case.
        (0, None) if id::is_prefix(given) && given.bytes().any(|it| it.is_ascii_uppercase()) => {
            find(archives, &given.to_ascii_lowercase())
        }
        (0 | 1, _) => Ok(found.pop()),
        (several, _) => {
            found.sort_by_key(|it| std::cmp::Reverse(it.manifest.started_at));
            list_candidates(found.iter().map(candidate));
            let is_beginning = found.iter().all(|it| begins(&it.manifest, given));
            let instead = match is_beginning {
                true => "a longer prefix",
                false => "a session id",
            };
            Err(refusal(
                Status::Ambiguous,
                format!(
                    "could not choose an archive: `{}` matches {several} sessions; use {instead}",
                    escaped(given)
                ),
            ))
        }
    }
}

/// Returns a line for a list: the session's id, its project, when it began, and its title.
fn candidate(SessionArchive { manifest, .. }: &SessionArchive) -> String {
    let project = &manifest.project.name;
    let began = clock::local_text(manifest.started_at);
    let title = manifest.title.as_deref().unwrap_or_default();
    let line = format!("  {}  {project}  {began}  {title}", manifest.session_id);
    line.trim_end().to_owned()
}

fn begins(manifest: &Manifest, given: &str) -> bool {
    manifest.session_id.as_str().starts_with(given)
}

fn is_meant(manifest: &Manifest, given: &str) -> bool {
    let is_title = |title: &String| title.to_lowercase() == given.to_lowercase();
    begins(manifest, given) || manifest.title.as_ref().is_some_and(is_title)
}

fn wanted(context: &Context, state: Option<&StateDir>, given: &str) -> Result<SessionArchive> {
    let found = match state {
        Some(state) => find(&Archives::of(state), given)?,
        None => None,
    };
    found.ok_or_else(|| {
        if let Some((id, at)) = state.and_then(|state| pruned(context, state, given)) {
            let when = clock::local_text(at);
            let text =
                format!("could not find an archive of session {id}: it was pruned on {when}");
            return refusal(Status::Pruned, text);
        }
        let given = escaped(given);
        let text =
            format!("could not find an archive of session `{given}`; see `ccsession archive list`");
        refusal(Status::NotFound, text)
    })
}

/// Returns the session whose archive was pruned, and when. A title finds it only while the session
/// is on record.
fn pruned(context: &Context, state: &StateDir, given: &str) -> Option<(SessionId, Timestamp)> {
    let of = |id: &str| tombstones::of(state, id).into_iter().next();
    of(given).or_else(|| match matching(context, state, given).ok()?.as_slice() {
        [only] => of(only.as_str()),
        _ => None,
    })
}

fn chosen(
    context: &Context,
    state: Option<&StateDir>,
    chosen: &ArchiveFilter,
    from: &FromArgs,
) -> Result<(ArchiveSelection, Scope)> {
    let period = period(
        chosen.since.as_deref(),
        chosen.until.as_deref(),
        context.now,
    )?;
    let is_same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
    let mut found = ArchiveSelection::all(state)?;
    let mut scope = Scope::of_texts(context, state, &chosen.scope, Timeframe::past_of(from))?;
    found.archives.retain(|it| scope.has(&it.manifest.project));
    if found.archives.is_empty() {
        scope = scope.known()?;
    }
    found.archives.retain(|SessionArchive { manifest, .. }| {
        period.has(manifest.started_at)
            && is_same(&chosen.role, &manifest.role)
            && is_same(&chosen.focus, &manifest.focus)
    });
    Ok((found, scope))
}

fn list(context: &Context, state: Option<&StateDir>, args: &ArchiveListArgs) -> Result<Status> {
    let (found, scope) = chosen(context, state, &args.chosen, &args.from)?;
    let mut found = found.readable();
    found.truncate(args.limit.map_or(usize::MAX, NonZeroUsize::get));
    if args.json {
        let entry = |archived: &SessionArchive| {
            json!({
                "path": archived.text(),
                "manifest_path": archived.archive.shown_path(),
                "manifest": archived.manifest,
            })
        };
        let archives: Vec<_> = found.iter().map(entry).collect();
        output::json_of(&json!({"v": 1, "archives": archives}))?;
        return Ok(Status::Done);
    }
    if found.is_empty() {
        print_nothing(context, state, &scope)?;
        return Ok(Status::Done);
    }
    let mut table = TextTable::new(&[
        "DAY",
        "SESSION",
        "TITLE",
        "PROJECT",
        "ROLE",
        "FOCUS",
        "MESSAGES",
        "SIZE",
        "DESCRIPTION",
    ]);
    let shows_titles = context.config()?.capture != Capture::Metadata;
    for SessionArchive { manifest, .. } in &found {
        let day = clock::to_civil(manifest.started_at).date();
        table.row([
            day.to_string(),
            manifest.session_id.to_string(),
            titled(manifest.title.as_deref().filter(|_| shows_titles)),
            manifest.project.name.clone(),
            manifest.role.clone().unwrap_or_default(),
            manifest.focus.clone().unwrap_or_default(),
            manifest.messages.to_string(),
            bytes(manifest.parts.iter().map(|part| part.bytes).sum()),
            manifest.description.clone().unwrap_or_default(),
        ]);
    }
    table.drop_empty(&["TITLE", "ROLE", "FOCUS", "DESCRIPTION"]);
    let screen = args.screen.screen();
    let text = match output::width(screen) {
        Some(width) => table.squeeze(width, &NARROWER),
        None => table.to_string(),
    };
    args.screen.print(&text, !screen.is_plain);
    scope.say(&context.env);
    Ok(Status::Done)
}

/// Prints on a terminal that no archive is listed, with a hint.
fn print_nothing(context: &Context, state: Option<&StateDir>, scope: &Scope) -> Result<()> {
    let archives = ArchiveSelection::all(state)?.archives.len() as u64;
    if archives > 0 && output::is_for_people() {
        let count = plural(archives, "archive");
        let all = if scope.is_narrow() { " --all" } else { "" };
        output::line(&format!(
            "no archive matches: `ccsession archive list{all}` lists {count}"
        ));
    } else {
        say_nothing("no session is archived", context, state, |sessions| {
            Some(format!(
                "`ccsession clock-out ID` archives one of the {sessions} on record"
            ))
        });
    }
    Ok(())
}

/// Prints on a terminal that no archive contains the text, and how many sessions were not searched.
fn say_not_found(state: Option<&StateDir>, searched: usize, scope: &Scope) {
    if !output::is_for_people() {
        return;
    }
    let ids = state.and_then(|state| state.session_ids().ok());
    let all = ids.map_or(0, Iterator::count);
    let missing = match all.saturating_sub(searched) as u64 {
        0 => String::new(),
        missing => format!(
            "; {} on record not searched: not archived, or {}",
            plural(missing, "session"),
            match scope.is_here() {
                true => "of other projects, which --all searches",
                false => "left out by an option",
            }
        ),
    };
    let searched = plural(searched as u64, "archive");
    output::line(&format!("nothing found in {searched}{missing}"));
}

fn show(context: &Context, state: Option<&StateDir>, args: &ArchiveShowArgs) -> Result<Status> {
    let archived = wanted(context, state, &args.id)?;
    if args.manifest {
        output::json_of(&archived.manifest)?;
        return Ok(Status::Done);
    }
    let kind = match (args.transcript, args.journal) {
        (true, _) => PartKind::Transcript,
        (_, true) => PartKind::Journal,
        _ => PartKind::Text,
    };
    let mut text = part(&archived, kind)?;
    if kind != PartKind::Text {
        copy(&mut text, output::print_recorded)?;
        return Ok(Status::Done);
    }
    let mut pager = Pager::start(!args.no_pager);
    copy(&mut text, |line| pager.print(&escaped_line(line)))?;
    let is_read = pager.end();
    output::print(if is_read && !output::is_for_people() {
        "\n"
    } else {
        ""
    });
    Ok(Status::Done)
}

/// Escapes the control characters in a line of text, except tabs and the line break.
fn escaped_line(line: &str) -> String {
    let (text, end) = match line.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (line, ""),
    };
    let safe: Vec<String> = text.split('\t').map(escaped).collect();
    safe.join("\t") + end
}

fn part(archived: &SessionArchive, kind: PartKind) -> Result<Box<dyn Read>> {
    let lacking = || {
        let text = format!(
            "the archive of session {} has no such part",
            archived.manifest.session_id
        );
        refusal(Status::NotFound, text)
    };
    opened(archived, archived.manifest.part(kind).ok_or_else(lacking)?)
}

fn opened(archived: &SessionArchive, part: &ArchivePart) -> Result<Box<dyn Read>> {
    open_part(&archived.archive, part)?.ok_or_else(|| {
        let path = archived.archive.part_path(&part.name);
        let text = format!(
            "could not read `{}`: it is missing; see `ccsession archive verify`",
            shown(&path)
        );
        refusal(Status::Failed, text)
    })
}

/// Reads line by line, and replaces what is not UTF-8. Uses little memory even for a very long
/// line: it is passed on in pieces, and only the last piece has the line break.
fn copy(text: &mut dyn Read, mut each: impl FnMut(&str)) -> Result<()> {
    let mut reader = BufReader::new(text);
    let mut piece = Vec::new();
    loop {
        let room = MAX_PIECE.saturating_sub(piece.len() as u64);
        let read = (&mut reader).take(room).read_until(b'\n', &mut piece)?;
        if piece.is_empty() {
            return Ok(());
        }
        // An incomplete character at the end of a piece belongs to the next one.
        let whole = match std::str::from_utf8(&piece) {
            Err(err) if err.error_len().is_none() && read > 0 => err.valid_up_to(),
            _ => piece.len(),
        };
        let rest = piece.split_off(whole);
        each(&String::from_utf8_lossy(&piece));
        piece = rest;
    }
}

fn search(context: &Context, state: Option<&StateDir>, args: &ArchiveSearchArgs) -> Result<Status> {
    let wanted = args.text.to_lowercase();
    let (found, scope) = chosen(context, state, &args.chosen, &args.from)?;
    let mut is_whole = found.unreadable.is_empty();
    let mut is_found = false;
    let archives = found.readable();
    let searched = archives.len();
    for archived in archives {
        let id = &archived.manifest.session_id;
        let mut is_named = false;
        let mut look_through = |text: Result<Box<dyn Read>>, place: Option<&str>| {
            let place = place.map_or_else(String::new, |place| format!("{}:", escaped_line(place)));
            let (mut number, mut is_begun) = (0_u64, false);
            let each = |line: &str| {
                number += u64::from(!is_begun);
                is_begun = !line.ends_with('\n');
                let is_hit = line.to_lowercase().contains(&wanted) && !line.contains('\0');
                if !is_hit || args.ids && is_named {
                    return;
                }
                is_named = true;
                match args.ids {
                    true => output::line(id.as_str()),
                    false => {
                        let line = escaped_line(line.trim_end());
                        output::line(&format!("{id}:{place}{number}: {line}"));
                    }
                }
            };
            // A part that cannot be read does not stop the search in the others.
            if let Err(err) = text.and_then(|mut text| copy(&mut text, each)) {
                output::complain(&format!("{err:#}"));
                is_whole = false;
            }
        };
        look_through(part(&archived, PartKind::Text), None);
        // These parts are Claude Code's other files, such as outputs too long for the transcript.
        let parts = archived.manifest.parts.iter();
        for part in parts.filter(|part| part.kind == PartKind::File) {
            let name = part
                .original
                .as_deref()
                .and_then(|place| place.rsplit('/').next());
            look_through(opened(&archived, part), name);
        }
        is_found |= is_named;
    }
    match is_found {
        true => scope.say(&context.env),
        false => say_not_found(state, searched, &scope),
    }
    Ok(match (is_whole, is_found) {
        (false, _) => Status::Failed,
        (true, true) => Status::Done,
        (true, false) => Status::NotFound,
    })
}

fn verify(context: &Context, state: Option<&StateDir>, args: &ArchiveVerifyArgs) -> Result<Status> {
    let ArchiveSelection {
        archives: chosen,
        unreadable,
    } = match args.ids.is_empty() {
        true => ArchiveSelection::all(state)?,
        false => {
            let ids = args.ids.iter();
            let archives = ids
                .map(|id| wanted(context, state, id))
                .collect::<Result<_>>()?;
            ArchiveSelection {
                archives,
                ..ArchiveSelection::default()
            }
        }
    };
    // The parts of an archive cannot be verified without its manifest. So an unreadable manifest
    // counts as a fault.
    let mut faults: Vec<(PathBuf, &str)> = Vec::new();
    for err in unreadable {
        output::complain(&err.to_string());
        faults.push((err.path().to_owned(), "unreadable"));
    }
    if let Some(state) = state.filter(|_| args.ids.is_empty()) {
        let lost = archive::lost(state)?;
        let manifests = lost.manifests.into_iter().map(|path| (path, "missing"));
        let parts = lost.parts.into_iter();
        for (path, is) in manifests.chain(parts.map(|path| (path, "without a manifest"))) {
            output::complain(&format!("`{}` is {is}", shown(&path)));
            faults.push((path, is));
        }
    }
    for archived in &chosen {
        for (name, fault) in archived.archive.verify(&archived.manifest) {
            let path = archived.archive.part_path(&name);
            let is = match &fault {
                Fault::Missing => "missing",
                Fault::Changed => "changed",
                Fault::Foreign => "not part of the archive",
                Fault::Unreadable(_) => "unreadable",
            };
            match &fault {
                Fault::Unreadable(why) => output::complain(why),
                _ => output::complain(&format!("`{}` is {is}", shown(&path))),
            }
            faults.push((path, is));
        }
    }
    if args.json {
        let fault = |(path, is): &(PathBuf, &str)| json!({"path": path, "fault": is});
        let faults: Vec<_> = faults.iter().map(fault).collect();
        output::json(&json!({"v": 1, "archives": chosen.len(), "faults": faults}));
    } else if faults.is_empty() {
        output::line(&format!(
            "{} complete and undamaged",
            match chosen.len() {
                1 => "1 archive is".to_owned(),
                several => format!("{} are", plural(several as u64, "archive")),
            }
        ));
    }
    Ok(if faults.is_empty() {
        Status::Done
    } else {
        Status::Failed
    })
}

fn put_back(
    context: &Context,
    state: Option<&StateDir>,
    args: &ArchiveRestoreArgs,
) -> Result<Status> {
    let archived = wanted(context, state, &args.id)?;
    let faults = archived.archive.verify(&archived.manifest);
    if let Some((name, _)) = faults.first() {
        let path = archived.archive.part_path(name);
        let text = format!(
            "could not restore session {}: `{}` does not match the archive's manifest; see `ccsession archive verify`",
            archived.manifest.session_id,
            shown(&path)
        );
        return Err(refusal(Status::Failed, text));
    }
    let restored = restore(&context.env, &archived, args.to.as_deref())?;
    for path in &restored.kept {
        output::complain(&format!(
            "left `{}` as it is: the file exists already",
            shown(path)
        ));
    }
    for path in &restored.written {
        output::line(&shown(path));
    }
    let is_done = !restored.written.is_empty() || restored.kept.is_empty();
    Ok(if is_done {
        Status::Done
    } else {
        Status::Failed
    })
}

fn prune(context: &Context, state: Option<&StateDir>, args: &ArchivePruneArgs) -> Result<Status> {
    let wrong = |why| refusal(Status::Usage, format!("could not use --older-than: {why}"));
    let keep = match &args.older_than {
        Some(text) => Some(duration(text).map_err(wrong)?),
        None => context.config()?.retention_archive,
    };
    let Some(keep) = keep else {
        let text = "no age limit is set: pass --older-than 365d, or set retention.archive";
        return Err(refusal(Status::Usage, text));
    };
    let old = |at: Timestamp| at.age(context.now) > keep;
    let mut chosen = ArchiveSelection::all(state)?.readable();
    chosen.retain(|archived| old(archived.manifest.archived_at));
    let (mut size, mut is_done) = (0, true);
    if let (Some(state), true) = (state, args.yes) {
        chosen.retain(
            |SessionArchive {
                 archive, manifest, ..
             }| {
                let noted = tombstones::add(state, &manifest.session_id, "archive pruned");
                let removed = noted.and_then(|()| archive.remove(manifest));
                if let Err(err) = &removed {
                    output::complain(&err.to_string());
                    is_done = false;
                }
                removed.is_ok()
            },
        );
        if !chosen.is_empty() {
            let line = LogLine::new("archives pruned").detail("count", chosen.len());
            log::append(state, Log::Operations, &line)?;
        }
    }
    for SessionArchive {
        archive, manifest, ..
    } in &chosen
    {
        size += manifest.parts.iter().map(|part| part.bytes).sum::<u64>();
        if !args.yes && !args.json {
            output::warn(&format!("would remove {}", shown(&archive.manifest_path())));
        }
    }
    if args.json {
        let ids: Vec<_> = chosen.iter().map(|it| &it.manifest.session_id).collect();
        output::json(&json!({"v": 1, "pruned": ids, "bytes": size, "dry_run": !args.yes}));
    } else {
        let did = if args.yes { "removed" } else { "would remove" };
        let hint = if args.yes || chosen.is_empty() {
            ""
        } else {
            "; --yes removes them"
        };
        output::line(&format!(
            "{did} {}, {}{hint}",
            plural(chosen.len() as u64, "archive"),
            bytes(size)
        ));
    }
    Ok(match is_done {
        true => Status::Done,
        false => Status::Failed,
    })
}
