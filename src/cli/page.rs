//! Reads sessions for the pages of the report and of the dashboard.

use anyhow::Result;
use chrono::NaiveDateTime;

use super::amount::plural;
use super::commit_search::{MadeCommit, SoughtBySession, made_by_each};
use super::context::Context;
use super::gather::{Count, GatheredSession, SessionSelection, gather};
use super::title::title;
use crate::claude::transcript;
use crate::history::{coverage, usage};
use crate::identity::attention::present;
use crate::identity::lineage::{Families, Kinship};
use crate::identity::liveness::Judge;
use crate::identity::present::now_at;
use crate::identity::title::Title;
use crate::model::attention::Attention;
use crate::model::purpose::notes;
use crate::model::usage::ModelUsage;
use crate::model::when::Period;
use crate::model::{Config, Record, SessionId, Timestamp, Usage};
use crate::store::{StateDir, clock};
use crate::view::page::{
    PageCommit, PageCoverage, PageDamage, PageKin, PageNote, PageProject, PageTitle, PageTokens,
    SessionFacts, SessionPage, shown, shown_stats,
};
use crate::view::stats::{Stats, StatsSummary, WallClock};
use crate::view::subtree::Subtrees;

/// The most calls on a page of several sessions. So many make the page about 15 MB large.
const MOST_CALLS: usize = 150_000;

/// The most related sessions that the page of a session names.
const MOST_KIN: usize = 50;

/// The sessions of a page, and what goes with them.
pub(super) struct GatheredPages {
    /// The pages of the sessions, the latest session first.
    pub(super) sessions: Vec<SessionPage>,
    /// The numbers that `stats` shows for all these sessions.
    pub(super) stats: StatsSummary,
    /// What could not be read, in words for people.
    pub(super) left_out: Vec<String>,
}

/// How much is read for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageEffort {
    Whole,
    /// Reads only what an event changes. The tokens are those of the last count. Coverage, commits
    /// and relatives are left out.
    Brief,
}

/// Reads the requested sessions.
///
/// # Errors
/// Fails if the sessions cannot be listed, or the only requested one cannot be read.
pub(super) fn pages(
    context: &Context,
    config: &Config,
    state: &StateDir,
    which: &SessionSelection,
    effort: PageEffort,
) -> Result<GatheredPages> {
    let judge = context.judge(config, state).telling_idle();
    let is_one = matches!(which, SessionSelection::One(_));
    let families = match effort {
        PageEffort::Whole => Some(Families::read(state)?),
        PageEffort::Brief => None,
    };
    let gathered = gather(&judge, which, || PageCounter {
        context,
        judge: &judge,
        families: families.as_ref(),
        config,
        state,
        is_one,
        effort,
        clock: WallClock::new(clock::to_civil),
        stats: Stats::default(),
        pages: Vec::new(),
    })?;
    let PageCounter { stats, pages, .. } = gathered.counts;
    let (mut sessions, sought): (Vec<SessionPage>, Vec<SoughtBySession>) =
        pages.into_iter().unzip();
    if effort == PageEffort::Whole {
        let made = made_by_each(&judge, sought)?;
        for (page, made) in sessions.iter_mut().zip(made) {
            page.facts.commits = made.iter().map(commit).collect();
        }
    }
    sessions.sort_by(|one, other| {
        let key = |page: &SessionPage| (page.facts.started_at, page.session_id.clone());
        key(other).cmp(&key(one))
    });
    let mut left_out = gathered.left_out;
    left_out.extend((!is_one).then(|| leave_out_oldest(&mut sessions)).flatten());
    Ok(GatheredPages {
        sessions,
        stats: shown_stats(stats.summary()),
        left_out,
    })
}

/// Leaves out the calls of the oldest sessions if there are too many for one page. Returns a
/// sentence that says so.
fn leave_out_oldest(sessions: &mut [SessionPage]) -> Option<String> {
    let (mut calls, mut without) = (0, 0_u64);
    for page in sessions {
        calls += page.calls.len();
        if calls > MOST_CALLS {
            page.leave_out_calls();
            without += 1;
        }
    }
    (without > 0).then(|| {
        let sessions = plural(without, "session");
        format!("left out the calls of the oldest {sessions}: more than {MOST_CALLS} calls are too much for one page")
    })
}

/// A related session, with its record.
type NearKin<'a> = (Kinship, &'a SessionId, Option<&'a Record>);

/// Makes the page of each session.
struct PageCounter<'a> {
    context: &'a Context,
    judge: &'a Judge<'a>,
    families: Option<&'a Families>,
    config: &'a Config,
    state: &'a StateDir,
    /// True if a single session was requested. Then its transcripts are searched for in every
    /// folder.
    is_one: bool,
    effort: PageEffort,
    clock: WallClock<fn(Timestamp) -> NaiveDateTime>,
    stats: Stats,
    pages: Vec<(SessionPage, SoughtBySession)>,
}

impl Count for PageCounter<'_> {
    const WITH_LABELS: bool = true;

    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        let activity = &session.activity;
        let (used, why_not) = match self.usage(session) {
            Ok(used) => (used, Ok(())),
            Err(why) => (Usage::default(), Err(why)),
        };
        let mut stats = Stats::default();
        stats.add(session.trace, activity, Period::default(), &mut self.clock);
        self.stats
            .add(session.trace, activity, Period::default(), &mut self.clock);
        let page = SessionPage::new(
            session.id,
            self.facts(session, &used),
            activity,
            &Subtrees::of(activity, &used),
            stats.summary(),
        );
        let sought = SoughtBySession::new(session.record, session.suspect(), session.noted);
        self.pages.push((page, sought));
        why_not
    }

    fn add(&mut self, other: Self) {
        self.stats += other.stats;
        self.pages.extend(other.pages);
    }
}

impl PageCounter<'_> {
    fn facts(&self, session: &GatheredSession<'_>, used: &Usage) -> SessionFacts {
        let env = &self.context.env;
        let finding = session.finding();
        let is_live = finding.state.is_live();
        let attention = match is_live {
            true => present(env, session.dir, session.record, &finding, self.context.now).attention,
            false => Attention::default(),
        };
        let record = now_at(session.dir, session.record.clone(), is_live);
        let text = |text: &Option<String>| text.as_deref().map(shown);
        let title = title(env, self.state, &record, self.config.capture);
        let noted = notes(record.notes.as_ref()).into_iter().flatten();
        let coverage = || coverage::of_session(env, session.dir, &record, u64::MAX);
        let is_covered = self.is_one && self.effort == PageEffort::Whole;
        let mut kin = self.kin(session.id);
        let lineage_more = kin.len().saturating_sub(MOST_KIN);
        kin.truncate(MOST_KIN);
        let coverage = is_covered.then(coverage).and_then(Result::ok).flatten();
        SessionFacts {
            title: title.map(shown_title),
            project: Some(PageProject {
                name: shown(&record.project.name),
                root: shown(&record.project.root),
            }),
            state: finding.state.as_str(),
            role: text(&record.role),
            focus: text(&record.focus),
            notes: noted
                .map(|note| PageNote {
                    at: note.at,
                    text: shown(&note.text),
                })
                .collect(),
            branch: record.head.as_ref().and_then(|head| text(&head.branch)),
            model: text(&record.model),
            source: text(&record.source),
            started_at: record.started_at,
            // The record of a resumed session still contains the former end.
            ended_at: record.ended_at.filter(|_| !is_live),
            last_activity: finding.last_activity,
            outcome: text(&record.outcome),
            exit_status: record.exit_status,
            attention: safe(attention),
            commits: Vec::new(),
            lineage: kin.into_iter().map(|kin| self.shown_kin(kin)).collect(),
            lineage_more,
            tokens: tokens(session, used),
            cost_usd: used.cost_usd,
            coverage: coverage.map(|it| PageCoverage {
                calls: it.calls,
                recorded: it.recorded,
            }),
            damage: PageDamage {
                torn: session.damage.torn,
                foreign: session.damage.foreign,
                newer: session.damage.newer,
                unreadable: session.damage.unreadable + session.damage.failed,
            },
        }
    }

    fn kin(&self, id: &SessionId) -> Vec<NearKin<'_>> {
        self.families
            .map(|families| families.nearest(id))
            .unwrap_or_default()
    }

    fn shown_kin(&self, (relation, id, record): NearKin<'_>) -> PageKin {
        let called = |record| title(&self.context.env, self.state, record, self.config.capture);
        PageKin {
            relation: relation.as_str(),
            session_id: id.as_str().to_owned(),
            title: record.and_then(called).map(shown_title),
            state: record.map(|record| self.judge.find(id, record).state.as_str()),
            source: record.and_then(|record| record.source.as_deref().map(shown)),
            started_at: record.map(|record| record.started_at),
        }
    }

    /// Counts the session's tokens as `stats` does.
    fn usage(&self, session: &GatheredSession<'_>) -> Result<Usage, String> {
        let (dir, record) = (session.dir, session.record);
        let env = &self.context.env;
        let used = if self.effort == PageEffort::Brief {
            Ok(usage::known(dir).unwrap_or_default())
        } else if self.is_one {
            usage::of_session(env, dir, record)
        } else {
            let named = transcript::believed(env, record, session.moved.into_iter());
            usage::of_transcripts(named.collect(), dir, record)
        };
        let id = session.id;
        used.map_err(|err| format!("{err}; the tokens of session `{id}` were left out"))
    }
}

fn shown_title(title: Title) -> PageTitle {
    PageTitle {
        text: shown(&title.text),
        source: title.source.as_str().to_owned(),
    }
}

fn safe(attention: Attention) -> Attention {
    let text = |text: Option<String>| text.as_deref().map(shown);
    Attention {
        tool: text(attention.tool),
        what: text(attention.what),
        agent_id: text(attention.agent_id),
        ..attention
    }
}

fn tokens(session: &GatheredSession<'_>, used: &Usage) -> Vec<PageTokens> {
    let agents = &session.activity.agents;
    let tokens = used.by.iter().map(|used| {
        let of_agent = |id: &String| agents.iter().find(|agent| agent.agent_id == id);
        let agent = used.agent_id.as_ref().and_then(of_agent);
        PageTokens {
            agent_type: agent.and_then(|agent| agent.agent_type).map(shown),
            used: ModelUsage {
                model: shown(&used.model),
                agent_id: used.agent_id.as_deref().map(shown),
                ..used.clone()
            },
        }
    });
    tokens.collect()
}

fn commit(made: &MadeCommit) -> PageCommit {
    PageCommit {
        id: shown(&made.commit.id),
        at: made.commit.at,
        how: made.commit.how.as_str(),
        certainty: made.certainty.as_str(),
        replaced_by: made.commit.replaced_by.as_deref().map(shown),
        tool_use_id: made.tool_use_id.as_deref().map(shown),
    }
}
