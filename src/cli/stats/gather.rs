//! Reads the sessions that are asked for, on all processors at once: each takes the next one that nobody has taken.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;
use serde::Serialize;

use crate::cli::context::missing;
use crate::identity::liveness::Judge;
use crate::lifecycle::{transcript, usage};
use crate::model::activity::Agent;
use crate::model::usage::ModelUsage;
use crate::model::{Activity, Record, SessionId, Timestamp, Trace, Usage};
use crate::store::journal::Damage;
use crate::store::{Environment, Error, SessionDir, clock, index};
use crate::view::stats::{Stats, WallClock};

/// Which sessions are asked for.
#[derive(Debug)]
pub(super) enum Which {
    /// This one.
    One(SessionId),
    /// Those of the project with this root.
    Project(PathBuf),
    /// Every one on record.
    All,
}

/// What is to be gathered, and by whose eyes.
#[derive(Debug)]
pub(super) struct Gather<'a> {
    pub(super) env: &'a Environment,
    pub(super) judge: Judge<'a>,
    pub(super) which: Which,
    pub(super) since: Option<Timestamp>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) stats: Stats,
    pub(super) tokens: Vec<Tokens>,
    /// What each session cost of which the client says so.
    pub(super) costs: Vec<f64>,
    /// Files with lines that are no events.
    pub(super) damaged: Vec<(PathBuf, Damage)>,
    /// What was left out, and why, in words for people.
    pub(super) left_out: Vec<String>,
    /// Why the one session that was asked for could not be read.
    unread: Option<Error>,
}

/// What one agent of a session used of one model.
#[derive(Debug, Serialize)]
pub(super) struct Tokens {
    session_id: SessionId,
    /// The subagent's type; none for the main thread.
    pub(super) agent_type: Option<String>,
    #[serde(flatten)]
    pub(super) used: ModelUsage,
}

/// Gathers what is asked for. Of several sessions one that cannot be read is left out, and named.
///
/// # Errors
/// Where the sessions cannot be listed, or the one that was asked for cannot be read.
pub(super) fn gather(task: &Gather<'_>) -> Result<Gathered> {
    let state = task.judge.state;
    let ids: Vec<SessionId> = match &task.which {
        Which::One(id) => vec![id.clone()],
        Which::Project(_) | Which::All => state.session_ids()?.collect(),
    };
    let live: HashSet<SessionId> = match &task.which {
        Which::Project(_) => index::live_candidates(state)?
            .into_iter()
            .map(|(_, id)| id)
            .collect(),
        Which::One(_) | Which::All => HashSet::new(),
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut worker = Worker::new(task, &live);
        while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
            worker.session(id);
        }
        worker.gathered
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut gathered = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(ids.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut gathered = work();
        for other in others {
            // A panic ends the process, so there is a result.
            gathered.add(other.join().unwrap_or_default());
        }
        gathered
    });
    if let Some(err) = gathered.unread {
        return Err(err.into());
    }
    gathered.sort();
    Ok(gathered)
}

impl Gathered {
    fn add(&mut self, other: Self) {
        self.stats += other.stats;
        self.tokens.extend(other.tokens);
        self.costs.extend(other.costs);
        self.damaged.extend(other.damaged);
        self.left_out.extend(other.left_out);
    }

    fn add_usage(&mut self, id: &SessionId, used: Usage, agents: &[Agent<'_>]) {
        let agent_type = |used: &ModelUsage| {
            let agent_id = used.agent_id.as_deref()?;
            let agent = agents.iter().find(|agent| agent.agent_id == agent_id)?;
            agent.agent_type.map(str::to_owned)
        };
        self.costs.extend(used.cost_usd);
        self.tokens.extend(used.by.into_iter().map(|used| Tokens {
            session_id: id.clone(),
            agent_type: agent_type(&used),
            used,
        }));
    }

    /// Gives the same answer whoever took which session.
    fn sort(&mut self) {
        self.tokens
            .sort_by(|one, other| one.session_id.cmp(&other.session_id));
        self.costs.sort_by(f64::total_cmp);
        self.damaged.sort_by(|one, other| one.0.cmp(&other.0));
        self.left_out.sort();
    }
}

/// One thread's part of the work.
struct Worker<'a> {
    task: &'a Gather<'a>,
    /// The sessions that may be live.
    live: &'a HashSet<SessionId>,
    gathered: Gathered,
    /// Used again for each session.
    trace: Trace,
    clock: WallClock<fn(Timestamp) -> chrono::NaiveDateTime>,
}

impl<'a> Worker<'a> {
    fn new(task: &'a Gather<'a>, live: &'a HashSet<SessionId>) -> Self {
        Self {
            task,
            live,
            gathered: Gathered::default(),
            trace: Trace::default(),
            clock: WallClock::new(clock::to_civil),
        }
    }

    fn session(&mut self, id: &SessionId) {
        let dir = self.task.judge.state.session(id);
        let counted = match dir.record() {
            Ok(Some(record)) if self.is_wanted(id, &record) => self.count(id, &dir, &record),
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                if dir.last_activity().is_some() {
                    let why = format!("could not find the record of session `{id}`");
                    self.gathered.left_out.push(why + "; it was left out");
                }
                Ok(())
            }
            Err(err) => Err(err),
        };
        match (counted, &self.task.which) {
            (Ok(()), _) => {}
            (Err(err), Which::One(_)) => self.gathered.unread = Some(err),
            (Err(err), Which::Project(_) | Which::All) => {
                let why = format!("{err}; it was left out");
                self.gathered.left_out.push(why);
            }
        }
    }

    /// Whether the session is asked for. Where its client was started matters only while it runs, so that sessions that
    /// have ended need not be judged.
    fn is_wanted(&self, id: &SessionId, record: &Record) -> bool {
        match &self.task.which {
            Which::One(_) | Which::All => true,
            Which::Project(root) if self.live.contains(id) => {
                self.task.judge.find(id, record).is_in(record, root)
            }
            Which::Project(root) => record.is_in(root),
        }
    }

    fn count(&mut self, id: &SessionId, dir: &SessionDir, record: &Record) -> Result<(), Error> {
        self.trace.clear();
        let mut moved: Option<String> = None;
        let lines = dir.lines()?;
        self.gathered.left_out.extend(missing(&lines));
        let damage = lines.for_each(|line| {
            self.trace.push(line);
            if let Some(path) = line
                .transcript_path
                .filter(|path| moved.as_deref() != Some(path))
            {
                moved = Some(path.to_owned());
            }
        });
        if damage != Damage::default() {
            self.gathered.damaged.extend(dir.damage_by_file()?);
        }
        self.trace.order();
        let mut activity = Activity::of(&self.trace);
        if activity.open_calls().next().is_some() {
            let finding = self.task.judge.find(id, record);
            activity.close(|pid| finding.has(pid));
        }
        let since = self.task.since;
        let stats = &mut self.gathered.stats;
        if stats.add(&self.trace, &activity, since, &mut self.clock) {
            match self.usage(id, dir, record, moved.as_deref()) {
                Ok(used) => self.gathered.add_usage(id, used, &activity.agents),
                Err(why) => self.gathered.left_out.push(why),
            }
        }
        Ok(())
    }

    /// What the session used of the models. One alone is searched for its transcript wherever that may be.
    fn usage(
        &self,
        id: &SessionId,
        dir: &SessionDir,
        record: &Record,
        moved: Option<&str>,
    ) -> Result<Usage, String> {
        let used = match (&self.task.which, transcript::find_named(record, moved)) {
            (Which::One(_), None) => usage::of_session(self.task.env, dir, record),
            (_, main) => usage::of_transcript(main.as_deref(), dir, record),
        };
        used.map_err(|err| format!("{err}; the tokens of session `{id}` were left out"))
    }
}
