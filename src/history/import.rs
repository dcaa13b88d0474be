//! Imports records and events from Claude Code's own transcripts: history from before the
//! installation, and repair for times without hooks. The transcripts are only read.
//!
//! Events that the session's hooks did not record go to `transcript.jsonl` beside its journal. That
//! file is replaced as a whole, so an import can be repeated, or killed, at any moment. Its events
//! stay, even if the transcripts change or disappear.

mod calls;
mod claims;
mod events;
mod former;
mod known;
mod merge;
mod reading;
pub mod sources;
mod thread;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use calls::Calls;
use claims::{Claims, SourceIndex};
use events::ImportedEvent;
use former::FormerSessions;
use known::RecordedIds;
use merge::{Copies, merge};
pub use reading::SkippedLines;
use reading::{SessionFacts, SessionReader};
use sources::{ExcludedFile, ImportSource, ImportSources};

use crate::claude::transcript;
use crate::claude::words::StartSource;
use crate::history::usage;
use crate::model::event::TRANSCRIPT;
use crate::model::label::session_name;
use crate::model::record::Head;
use crate::model::{Capture, Exclusions, Project, Record, SessionId, Timestamp};
use crate::store::lock::CLI_PATIENCE;
use crate::store::log::{self, Log, LogLine};
use crate::store::unrecorded::{self, Unrecorded};
use crate::store::write::Durability;
use crate::store::{Environment, Error, Result, SessionDir, StateDir, exclusion, file, project};

/// What to import, and how.
#[derive(Debug)]
pub struct ImportOptions {
    /// Imports only sessions with an event at or after this time.
    pub since: Option<Timestamp>,
    /// Imports only sessions of the project with this root.
    pub root: Option<PathBuf>,
    /// How much of the transcripts' content is kept.
    pub capture: Capture,
    /// Only reports what would be imported.
    pub dry_run: bool,
    /// The environment. It contains the home directory, which patterns of [`Self::exclude`] may
    /// refer to.
    pub env: Environment,
    /// Skips the sessions of these projects, and of projects with a marker file.
    pub exclude: Exclusions,
}

/// What was imported, or would be in a dry run.
#[derive(Debug, Default)]
pub struct ImportReport {
    /// The sessions that were examined.
    pub sessions: u64,
    /// How many of `sessions` had something to import.
    pub imported: u64,
    /// The number of imported events that were not on record before.
    pub events: u64,
    /// The sessions that were skipped because their project is excluded.
    pub excluded: u64,
    /// The sessions that were skipped because somebody deleted them.
    pub deleted: u64,
    /// The files that were skipped, with reasons.
    pub left_out: Vec<ExcludedFile>,
    /// How many sessions were skipped because something of theirs in the state directory could not
    /// be read or written.
    pub failed: u64,
    /// The lines that were skipped, by reason.
    pub skipped: SkippedLines,
}

impl ImportReport {
    /// Notes a failure that concerns no single session.
    fn fail(&mut self, err: &Error) {
        self.left_out.push(ExcludedFile {
            path: err.path().to_owned(),
            why: err.to_string(),
        });
        self.failed += 1;
    }
}

/// Imports the requested sessions among `sources`, and reports each file's bytes to `progress`.
/// Without a `state`, which a dry run does not need, no session counts as recorded yet.
///
/// A transcript that cannot be read is skipped, and so is a session that cannot be written.
pub fn run(
    state: Option<&StateDir>,
    sources: ImportSources,
    options: &ImportOptions,
    progress: &mut dyn FnMut(u64),
) -> ImportReport {
    let mut report = ImportReport {
        left_out: sources.left_out,
        ..ImportReport::default()
    };
    let mut sessions = sources.sessions;
    for source in &mut sessions {
        source.age.is_fork |= is_known_fork(state, &source.id);
    }
    sessions.sort_by(|a, b| (a.age, &a.id).cmp(&(b.age, &b.id)));
    let ids: Vec<SessionId> = sessions.iter().map(|source| source.id.clone()).collect();
    let former = state.map(|state| FormerSessions::of(state, &ids));
    let former = match former.transpose() {
        Ok(former) => former.unwrap_or_default(),
        Err(err) => {
            report.fail(&err);
            return report;
        }
    };
    let mut claims = Claims::default();
    let mut settled = HashSet::new();
    for (place, source) in sessions.iter().enumerate() {
        let dir = state.map(|state| state.session(&source.id));
        let record = dir.as_ref().map(SessionDir::record_unless_lost).transpose();
        let record = match record {
            Ok(record) => record.flatten(),
            Err(err) => {
                let path = source.mains.first().cloned().unwrap_or_default();
                let why = err.to_string();
                report.left_out.push(ExcludedFile { path, why });
                continue;
            }
        };
        let session = SessionImport {
            source,
            place,
            dir,
            record,
            former: &former,
        };
        let counts = (report.sessions, report.imported, report.events);
        match session.import(state, options, &ids, &mut claims, &settled, &mut report) {
            Ok(SessionOutcome::Imported) => {
                settled.insert(place);
            }
            Ok(_) => {}
            Err(err) => {
                (report.sessions, report.imported, report.events) = counts;
                report.failed += 1;
                session.leave_out(&mut report, &err.to_string());
                // Each further session would wait as long for the lock.
                if matches!(err, Error::Locked { .. }) {
                    break;
                }
            }
        }
        progress(source.size);
    }
    if let Some(state) = state.filter(|_| report.imported > 0 && !options.dry_run) {
        let line = LogLine::new("imported")
            .detail("sessions", report.imported)
            .detail("events", report.events);
        if let Err(err) = log::append(state, Log::Operations, &line) {
            report.fail(&err);
        }
    }
    report
}

fn is_known_fork(state: Option<&StateDir>, id: &SessionId) -> bool {
    let record = state.and_then(|state| state.session(id).record().ok().flatten());
    record.is_some_and(|record| match record.source.as_deref() {
        Some(word) => StartSource::of(word) == StartSource::Fork,
        None => false,
    })
}

/// What became of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
enum SessionOutcome {
    /// Everything in its transcripts is on record now or, in a dry run, would be.
    Imported,
    /// The session was read only because another one may have copied its lines.
    NotRequested,
    /// The session's transcripts have no own lines from which events can be made.
    Empty,
    /// The session's last event is older than requested.
    TooOld,
    /// No line gives the session's directory as an absolute path, so it gets no record.
    WithoutDirectory,
    /// The session belongs to another project than the requested one.
    OtherProject,
    /// The session's project is excluded.
    Excluded,
    /// Somebody deleted the session.
    Deleted,
}

/// One session that is being imported.
struct SessionImport<'a> {
    source: &'a ImportSource,
    place: SourceIndex,
    /// The session's folder, if there is a state directory.
    dir: Option<SessionDir>,
    /// The session's record, if it has one.
    record: Option<Record>,
    /// The sessions on record whose transcripts are gone.
    former: &'a FormerSessions,
}

impl SessionImport<'_> {
    /// Imports the session, or reports why it is skipped.
    fn import(
        &self,
        state: Option<&StateDir>,
        options: &ImportOptions,
        ids: &[SessionId],
        claims: &mut Claims,
        settled: &HashSet<SourceIndex>,
        report: &mut ImportReport,
    ) -> Result<SessionOutcome> {
        let mut read = self.read(options.capture, claims, report)?;
        if !self.source.is_wanted {
            return Ok(SessionOutcome::NotRequested);
        }
        if state.and_then(|state| unrecorded::of(state, &self.source.id))
            == Some(Unrecorded::Deleted)
        {
            report.deleted += 1;
            return Ok(SessionOutcome::Deleted);
        }
        report.skipped.add(&read.skipped);
        if let (Some(state), None) = (state, &self.record) {
            let first = self.source.age.first;
            self.former.keep_theirs(state, first, &mut read)?;
        }
        let Some(last) = read.made.iter().map(|made| made.at).max() else {
            self.leave_out(report, &nothing_in(&read.facts));
            return Ok(SessionOutcome::Empty);
        };
        if options.since.is_some_and(|since| last < since) {
            return Ok(SessionOutcome::TooOld);
        }
        let record = match &self.record {
            Some(record) => with_origin(record.clone(), &read.facts, ids, settled),
            None => match self.new_record(&read.facts, ids, options.capture) {
                Some(record) => record,
                None => {
                    let why = match &read.facts.nowhere {
                        Some(cwd) => format!("its directory `{cwd}` is not an absolute path"),
                        None => "no line says where the session was".to_owned(),
                    };
                    self.leave_out(report, &why);
                    return Ok(SessionOutcome::WithoutDirectory);
                }
            },
        };
        if options
            .root
            .as_deref()
            .is_some_and(|root| !record.is_in(root))
        {
            return Ok(SessionOutcome::OtherProject);
        }
        if exclusion::of_record(&options.env, &options.exclude, &record).is_some() {
            report.excluded += 1;
            return Ok(SessionOutcome::Excluded);
        }
        report.sessions += 1;
        self.settle(
            state.filter(|_| !options.dry_run),
            &record,
            read,
            settled,
            report,
        )?;
        if !options.dry_run {
            self.count_tokens(&record, report);
        }
        Ok(SessionOutcome::Imported)
    }

    /// Reads all transcripts of the session.
    fn read(
        &self,
        capture: Capture,
        claims: &mut Claims,
        report: &mut ImportReport,
    ) -> Result<TranscriptContent> {
        let since = match (&self.dir, &self.record) {
            (Some(dir), Some(record)) => transcript::own_since(dir, record)?,
            _ => None,
        };
        let mut reading = SessionReader {
            id: &self.source.id,
            place: self.place,
            capture,
            since,
            cwd: self.record.as_ref().and_then(|record| record.cwd.clone()),
            claims,
            spawned: HashMap::new(),
            asked_kinds: HashMap::new(),
            typed_agents: HashSet::new(),
            calls: Calls::default(),
            agents: Vec::new(),
            clients_own: HashSet::new(),
            notified: HashSet::new(),
            queued: HashMap::new(),
            broken_off: HashSet::new(),
            facts: SessionFacts::default(),
            made: Vec::new(),
            copies: Copies::default(),
            skipped: SkippedLines::default(),
        };
        for agent in &self.source.agents {
            reading.meta(agent);
        }
        let mut failed = Vec::new();
        for path in &self.source.mains {
            failed.extend(reading.main(path).err().map(|err| (path, err)));
        }
        for agent in &self.source.agents {
            failed.extend(reading.agent(agent).err().map(|err| (&agent.path, err)));
        }
        reading.take_back_refusals();
        reading.link_agents();
        reading.tasks_end();
        reading.start();
        let read = TranscriptContent {
            facts: reading.facts,
            made: reading.made,
            copies: reading.copies,
            skipped: reading.skipped,
        };
        if self.source.is_wanted {
            for (path, err) in failed {
                let (path, why) = (path.clone(), err.to_string());
                report.left_out.push(ExcludedFile { path, why });
            }
        }
        Ok(read)
    }

    /// Writes the events that are not on record yet, and counts them. Without a `state`, only
    /// counts them.
    ///
    /// Runs under the lock, so that the later of two simultaneous imports finds what the earlier
    /// one wrote.
    fn settle(
        &self,
        state: Option<&StateDir>,
        record: &Record,
        read: TranscriptContent,
        settled: &HashSet<SourceIndex>,
        report: &mut ImportReport,
    ) -> Result<()> {
        let known = self.known()?;
        let lock = state.map(|state| state.lock(CLI_PATIENCE)).transpose()?;
        let before = self.before()?;
        let count_before = before.len();
        let mut all = merge(read.made, before, &read.copies, settled);
        known.leave_out(&mut all);
        let mut lines = Vec::new();
        for made in &all {
            lines.extend_from_slice(&made.line);
            lines.push(b'\n');
        }
        let is_there = match &self.dir {
            Some(dir) => dir.has_imported(&lines)?,
            None => lines.is_empty(),
        };
        if let (Some(state), Some(lock), Some(known)) = (state, &lock, &self.record)
            && known.started_at != record.started_at
        {
            state.update_record_locked(lock, &self.source.id, |present| {
                Some(Record {
                    previous: record.previous.clone(),
                    started_at: record.started_at,
                    ..present.clone()
                })
            })?;
        }
        if is_there && self.record.is_some() {
            return Ok(());
        }
        report.imported += 1;
        report.events += all.len().saturating_sub(count_before) as u64;
        if let (Some(state), Some(lock), Some(dir)) = (state, &lock, &self.dir) {
            if !state.replace_lost_record(lock, record)? {
                dir.create_record(record, Durability::Synced)?;
            }
            let last = all.last().map_or(record.started_at, |made| made.at);
            dir.replace_imported(&lines, last)?;
        }
        Ok(())
    }

    /// Stores the session's token counts, because Claude Code will delete the transcripts some day.
    fn count_tokens(&self, record: &Record, report: &mut ImportReport) {
        let Some(dir) = &self.dir else {
            return;
        };
        let mains = self.source.mains.clone();
        if let Err(err) = usage::of_transcripts(mains, dir, record) {
            let path = self.source.mains.first().cloned().unwrap_or_default();
            let why = format!("its tokens were not counted: {err}");
            report.left_out.push(ExcludedFile { path, why });
        }
    }

    /// Returns which events hooks have recorded. Call this after the transcript was read: a hook
    /// runs before Claude Code writes the line, so the journal then has every event of the lines.
    fn known(&self) -> Result<RecordedIds> {
        let Some(dir) = &self.dir else {
            return Ok(RecordedIds::default());
        };
        let mut events = dir.journal().events()?;
        let known = RecordedIds::of(events.by_ref());
        // Fail if a part of the journal is unreadable: its events would be imported a second time.
        match events.damage().or_retry(dir.path())?.unreadable {
            0 => Ok(known),
            _ => dir.journal().unreadable()?.pop().map_or(Ok(known), Err),
        }
    }

    /// Returns the events of earlier imports.
    fn before(&self) -> Result<Vec<ImportedEvent>> {
        let Some(dir) = &self.dir else {
            return Ok(Vec::new());
        };
        let mut events = dir.imported_events()?;
        let before = events
            .by_ref()
            .filter_map(|event| ImportedEvent::again(&event));
        let before = before.collect();
        // Fail if events could not be read: this import would drop them.
        events.damage().or_retry(&dir.imported())?;
        Ok(before)
    }

    fn leave_out(&self, report: &mut ImportReport, why: &str) {
        let paths = self.source.mains.iter();
        report.left_out.extend(paths.map(|path| ExcludedFile {
            path: path.clone(),
            why: why.to_owned(),
        }));
    }

    /// Creates the record that a hook would have created. Returns `None` if no line names the
    /// session's directory.
    fn new_record(
        &self,
        facts: &SessionFacts,
        ids: &[SessionId],
        capture: Capture,
    ) -> Option<Record> {
        let cwd = facts.cwd.clone()?;
        let project = project_of(Path::new(&cwd));
        let mut record = Record::new(self.source.id.clone(), &project, facts.started_at?);
        let main = self.source.mains.last()?;
        record.cwd = Some(cwd);
        record.transcript_path = Some(main.to_string_lossy().into_owned());
        record.source = Some(TRANSCRIPT.to_owned());
        record.model = facts.model.clone();
        record.agent_type = facts.agent_type.clone();
        record.head = facts.branch.clone().map(|branch| Head {
            branch: Some(branch),
            revision: None,
        });
        let title = facts.title.as_deref();
        let title = title.filter(|_| capture != Capture::Metadata);
        record.name = title.and_then(session_name);
        let copied_from = || ids.get(facts.copied_from?).cloned();
        record.previous = facts.forked_from.clone().or_else(copied_from);
        record.redact_words();
        Some(record)
    }
}

/// Corrects the record of an earlier import, if now the session has been imported, too, that the
/// first lines were copied from.
fn with_origin(
    mut record: Record,
    facts: &SessionFacts,
    ids: &[SessionId],
    settled: &HashSet<SourceIndex>,
) -> Record {
    let origin = facts.copied_from.filter(|origin| settled.contains(origin));
    let origin = origin.and_then(|origin| ids.get(origin));
    let is_ours = record.source.as_deref() == Some(TRANSCRIPT) && facts.forked_from.is_none();
    if let (true, Some(origin), Some(started_at)) = (is_ours, origin, facts.started_at)
        && started_at > record.started_at
    {
        record.previous = Some(origin.clone());
        record.started_at = started_at;
    }
    record
}

/// What was read from a session's transcripts.
struct TranscriptContent {
    facts: SessionFacts,
    made: Vec<ImportedEvent>,
    copies: Copies,
    skipped: SkippedLines,
}

/// Explains why a transcript has no events of this session.
fn nothing_in(facts: &SessionFacts) -> String {
    match &facts.names {
        Some(other) => format!("its lines belong to session `{other}`"),
        None if facts.copied_from.is_some() || facts.forked_from.is_some() => {
            "all its lines are copied from another session".to_owned()
        }
        None => "it has no line of a conversation".to_owned(),
    }
}

/// Returns the project of a directory that may no longer exist.
pub(super) fn project_of(cwd: &Path) -> Project {
    match file::canonical(cwd) {
        Ok(there) => project::discover(&there),
        Err(_) => Project::at(cwd.to_owned()),
    }
}
