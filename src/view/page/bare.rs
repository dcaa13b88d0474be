//! Removes the content from a page, so that it is safe to share: what remains is structure and
//! times.
//!
//! Every struct is destructured without `..`, so a new member does not compile until its author
//! decides whether it is content. A text is kept only if it is a number, or in a list of words that
//! Claude Code or ccsession itself writes. Any other text is removed or becomes a stand-in such as
//! `agent 1`.

use std::collections::HashMap;

use super::{
    CallColumns, PageAgent, PageCommit, PageCompaction, PageData, PageKin, PageProject, PagePrompt,
    PageSegment, PageTokens, SessionFacts, SessionPage,
};
use crate::model::attention::{Attention, Need};
use crate::model::usage::ModelUsage;
use crate::view::stats::{StatsSummary, ToolStats};

/// The sentence on a page without content that says what was left out.
const LEFT_OUT: &str = "Left out: titles, prompts, labels, paths, project and branch names, commits' hashes, roles, focus, notes and the \
    texts of errors. Stand-ins such as `agent 1` replace ids, MCP tools and names that you chose.";

/// The names of Claude Code's own tools, which are not content.
const TOOLS: [&str; 44] = [
    "Agent",
    "AskUserQuestion",
    "Bash",
    "BashOutput",
    "CronCreate",
    "CronDelete",
    "CronList",
    "Edit",
    "EnterPlanMode",
    "EnterWorktree",
    "ExitPlanMode",
    "ExitWorktree",
    "Glob",
    "Grep",
    "KillBash",
    "KillShell",
    "LS",
    "LSP",
    "ListMcpResourcesTool",
    "Monitor",
    "MultiEdit",
    "NotebookEdit",
    "NotebookRead",
    "PowerShell",
    "Read",
    "ReadMcpResourceTool",
    "SendMessage",
    "Skill",
    "SlashCommand",
    "StructuredOutput",
    "Task",
    "TaskCreate",
    "TaskGet",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "TaskUpdate",
    "TodoRead",
    "TodoWrite",
    "ToolSearch",
    "WebFetch",
    "WebSearch",
    "Workflow",
    "Write",
];

/// Claude Code's own types of subagents, which are not content.
const AGENT_TYPES: [&str; 5] = [
    "Explore",
    "Plan",
    "claude-code-guide",
    "general-purpose",
    "statusline-setup",
];

/// Claude Code's words for how a session or a segment began.
const STARTS: [&str; 5] = ["startup", "resume", "clear", "compact", "fork"];
const ENDS: [&str; 5] = ["clear", "logout", "prompt_input_exit", "other", "resume"];
const TRIGGERS: [&str; 2] = ["manual", "auto"];

/// The words that the name of a model may contain. The other parts of the name must be numbers.
const MODEL_WORDS: [&str; 7] = [
    "claude", "opus", "sonnet", "haiku", "instant", "latest", "fast",
];

/// The most digits of a number in the name of a model: eight, as in a date.
const MAX_DIGITS: usize = 8;

impl PageData {
    /// Returns the page without content, which is all text that a person or another program wrote
    /// into a session.
    #[must_use]
    pub fn without_content(self) -> Self {
        let Self {
            v,
            made_at,
            made_by,
            mode,
            metadata: _,
            left_out,
            stats,
            sessions,
        } = self;
        let mut names = StandIns::default();
        let sessions = sessions
            .into_iter()
            .map(|page| session(page, &mut names))
            .collect();
        let mut sentences = vec![LEFT_OUT.to_owned()];
        match left_out.len() {
            0 => {}
            1 => sentences.push("A message about these sessions was left out, too.".to_owned()),
            count => sentences.push(format!(
                "{count} messages about these sessions were left out, too."
            )),
        }
        Self {
            v,
            made_at,
            made_by,
            mode,
            metadata: true,
            left_out: sentences,
            stats: stats.map(|stats| summary(stats, &mut names)),
            sessions,
        }
    }
}

/// Stand-ins for names, such as `agent 1`. Equal names have equal stand-ins.
#[derive(Debug, Default)]
struct StandIns {
    known: HashMap<(&'static str, String), usize>,
    counts: HashMap<&'static str, usize>,
}

impl StandIns {
    /// Returns the stand-in for a name of this kind, such as `agent 1`.
    fn of(&mut self, kind: &'static str, name: &str) -> String {
        let count = self.counts.entry(kind).or_default();
        let number = self
            .known
            .entry((kind, name.to_owned()))
            .or_insert_with(|| {
                *count += 1;
                *count
            });
        format!("{kind} {number}")
    }

    fn maybe(&mut self, kind: &'static str, name: Option<&str>) -> Option<String> {
        name.map(|name| self.of(kind, name))
    }

    fn tool(&mut self, name: &str) -> String {
        match name {
            // Stands for a tool whose name was not recorded.
            "?" => name.to_owned(),
            name if TOOLS.contains(&name) => name.to_owned(),
            name if name.starts_with("mcp__") => self.of("mcp tool", name),
            name => self.of("tool", name),
        }
    }

    fn agent_type(&mut self, name: &str) -> String {
        match AGENT_TYPES.contains(&name) {
            true => name.to_owned(),
            false => self.of("agent type", name),
        }
    }

    fn model(&mut self, name: &str) -> String {
        let is_known = |part: &str| {
            let is_number = part.len() <= MAX_DIGITS && part.bytes().all(|c| c.is_ascii_digit());
            MODEL_WORDS.contains(&part) || !part.is_empty() && is_number
        };
        match name.split(['-', '.']).all(is_known) {
            true => name.to_owned(),
            false => self.of("model", name),
        }
    }
}

/// Returns the text if it is one of these words, or else `None`.
fn known(text: Option<String>, words: &[&str]) -> Option<String> {
    text.filter(|text| words.contains(&text.as_str()))
}

/// Returns the text of an error if it is only an exit status (`exit:1`), or else `None`.
fn exit_status(error: &str) -> Option<&str> {
    let status = error.strip_prefix("exit:")?;
    let is_number = (1..=3).contains(&status.len()) && status.bytes().all(|c| c.is_ascii_digit());
    is_number.then_some(error)
}

/// Returns a session id if it is a UUID, which reveals nothing. Any other id is a name that a
/// person chose, so it becomes a stand-in.
fn id(id: String, names: &mut StandIns) -> String {
    let is_uuid = id.len() == 36
        && id.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        });
    match is_uuid {
        true => id,
        false => names.of("session", &id).replace(' ', "-"),
    }
}

fn session(page: SessionPage, names: &mut StandIns) -> SessionPage {
    let SessionPage {
        session_id,
        facts,
        span,
        calls_left_out,
        calls,
        prompts,
        agents,
        compactions,
        segments,
        stats,
        events,
        duplicates,
    } = page;
    // Stand-ins for ids are numbered from 1 in each session.
    let mut ids = StandIns::default();
    SessionPage {
        session_id: id(session_id, names),
        agents: agents
            .into_iter()
            .map(|it| agent(it, names, &mut ids))
            .collect(),
        prompts: prompts
            .into_iter()
            .map(|it| prompt(it, names, &mut ids))
            .collect(),
        calls: columns(calls, names, &mut ids),
        facts: session_facts(facts, names, &mut ids),
        span,
        calls_left_out,
        compactions: compactions.into_iter().map(compaction).collect(),
        segments: segments.into_iter().map(segment).collect(),
        stats: summary(stats, names),
        events,
        duplicates,
    }
}

fn session_facts(facts: SessionFacts, names: &mut StandIns, ids: &mut StandIns) -> SessionFacts {
    let SessionFacts {
        title: _,
        project,
        state,
        role: _,
        focus: _,
        notes: _,
        branch,
        model,
        source,
        started_at,
        ended_at,
        last_activity,
        outcome: _,
        exit_status,
        attention,
        commits,
        lineage,
        lineage_more,
        tokens,
        cost_usd,
        coverage,
        damage,
    } = facts;
    let Attention {
        state: need,
        since,
        tool,
        what: _,
        agent_id,
        background,
    } = attention;
    SessionFacts {
        title: None,
        project: project.map(|PageProject { name: _, root }| PageProject {
            name: names.of("project", &root),
            root: String::new(),
        }),
        state,
        role: None,
        focus: None,
        notes: Vec::new(),
        branch: names.maybe("branch", branch.as_deref()),
        model: model.map(|model| names.model(&model)),
        source: known(source, &STARTS),
        started_at,
        ended_at,
        last_activity,
        outcome: None,
        exit_status,
        attention: Attention {
            state: need,
            since: since.filter(|_| need != Need::None),
            tool: tool.map(|tool| names.tool(&tool)),
            what: None,
            agent_id: ids.maybe("agent", agent_id.as_deref()),
            background,
        },
        commits: commits.into_iter().map(|it| commit(it, names)).collect(),
        lineage: lineage.into_iter().map(|it| kin(it, names)).collect(),
        lineage_more,
        tokens: tokens.into_iter().map(|it| used(it, names, ids)).collect(),
        cost_usd,
        coverage,
        damage,
    }
}

fn kin(kin: PageKin, names: &mut StandIns) -> PageKin {
    let PageKin {
        relation,
        session_id,
        title: _,
        state,
        source,
        started_at,
    } = kin;
    PageKin {
        relation,
        session_id: id(session_id, names),
        title: None,
        state,
        source: known(source, &STARTS),
        started_at,
    }
}

fn commit(commit: PageCommit, names: &mut StandIns) -> PageCommit {
    let PageCommit {
        id,
        at,
        how,
        certainty,
        replaced_by,
        tool_use_id: _,
    } = commit;
    PageCommit {
        id: names.of("commit", &id),
        at,
        how,
        certainty,
        replaced_by: names.maybe("commit", replaced_by.as_deref()),
        tool_use_id: None,
    }
}

fn used(tokens: PageTokens, names: &mut StandIns, ids: &mut StandIns) -> PageTokens {
    let PageTokens { agent_type, used } = tokens;
    let ModelUsage {
        model,
        agent_id,
        messages,
        input,
        output,
        cache_read,
        cache_creation,
    } = used;
    PageTokens {
        agent_type: agent_type.map(|name| names.agent_type(&name)),
        used: ModelUsage {
            model: names.model(&model),
            agent_id: ids.maybe("agent", agent_id.as_deref()),
            messages,
            input,
            output,
            cache_read,
            cache_creation,
        },
    }
}

fn columns(columns: CallColumns, names: &mut StandIns, ids: &mut StandIns) -> CallColumns {
    let CallColumns {
        strings,
        id,
        tool,
        what,
        state,
        closed,
        agent,
        prompt,
        start,
        start_clock,
        end,
        end_clock,
        duration,
        wait,
        permission,
        input_bytes,
        output_bytes,
        asked,
        error,
        background,
        background_ended,
        spawned,
        pid: _,
    } = columns;
    let mut texts = NewTexts::new(&strings);
    let mut each = |column: Vec<i64>, replace: &mut dyn FnMut(&str) -> Option<String>| {
        let column = column.into_iter();
        column
            .map(|index| texts.replaced(index, &mut *replace))
            .collect::<Vec<i64>>()
    };
    let tool = each(tool, &mut |name| Some(names.tool(name)));
    // These words come from ccsession, never from a journal.
    let state = each(state, &mut |word| Some(word.to_owned()));
    let closed = each(closed, &mut |word| Some(word.to_owned()));
    let agent = each(agent, &mut |id| ids.of("agent", id).into());
    let prompt = each(prompt, &mut |id| ids.of("prompt", id).into());
    let mut pairs = |column: Vec<[i64; 2]>, replace: &mut dyn FnMut(&str) -> Option<String>| {
        let column = column.into_iter();
        let pairs = column.map(|[call, index]| [call, texts.replaced(index, &mut *replace)]);
        pairs.filter(|[_, index]| *index >= 0).collect::<Vec<_>>()
    };
    let error = pairs(error, &mut |error| exit_status(error).map(str::to_owned));
    let background = pairs(background, &mut |id| ids.of("task", id).into());
    let spawned = pairs(spawned, &mut |id| ids.of("agent", id).into());
    CallColumns {
        strings: texts.new,
        id: vec![None; id.len()],
        tool,
        what: vec![-1; what.len()],
        state,
        closed,
        agent,
        prompt,
        start,
        start_clock,
        end,
        end_clock,
        duration,
        wait,
        permission,
        input_bytes,
        output_bytes,
        asked,
        error,
        background,
        background_ended,
        spawned,
        pid: Vec::new(),
    }
}

/// Collects the texts that calls still use after their columns were stripped of content.
struct NewTexts<'a> {
    old: &'a [String],
    new: Vec<String>,
    places: HashMap<String, i64>,
}

impl<'a> NewTexts<'a> {
    fn new(old: &'a [String]) -> Self {
        Self {
            old,
            new: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn replaced(&mut self, index: i64, replace: impl FnOnce(&str) -> Option<String>) -> i64 {
        let old = usize::try_from(index).ok().and_then(|at| self.old.get(at));
        let Some(text) = old.and_then(|text| replace(text)) else {
            return -1;
        };
        let next = i64::try_from(self.new.len()).unwrap_or(i64::MAX);
        *self.places.entry(text.clone()).or_insert_with(|| {
            self.new.push(text);
            next
        })
    }
}

fn prompt(prompt: PagePrompt, names: &mut StandIns, ids: &mut StandIns) -> PagePrompt {
    let PagePrompt {
        prompt_id,
        what: _,
        branch,
        at,
        notification,
        task_id,
        ended,
        end,
        error: _,
    } = prompt;
    PagePrompt {
        prompt_id: ids.maybe("prompt", prompt_id.as_deref()),
        what: None,
        branch: names.maybe("branch", branch.as_deref()),
        at,
        notification,
        task_id: ids.maybe("task", task_id.as_deref()),
        ended,
        end,
        error: None,
    }
}

fn agent(agent: PageAgent, names: &mut StandIns, ids: &mut StandIns) -> PageAgent {
    let PageAgent {
        agent_id,
        agent_type,
        started,
        ended,
        parent,
        linked,
        subtree,
        runs,
    } = agent;
    PageAgent {
        agent_id: ids.of("agent", &agent_id),
        agent_type: agent_type.map(|name| names.agent_type(&name)),
        started,
        ended,
        parent: ids.maybe("agent", parent.as_deref()),
        linked,
        subtree,
        runs,
    }
}

fn compaction(compaction: PageCompaction) -> PageCompaction {
    let PageCompaction {
        started,
        ended,
        trigger,
    } = compaction;
    PageCompaction {
        started,
        ended,
        trigger: known(trigger, &TRIGGERS),
    }
}

fn segment(segment: PageSegment) -> PageSegment {
    let PageSegment {
        started,
        ended,
        source,
        reason,
        pid: _,
    } = segment;
    PageSegment {
        started,
        ended,
        source: known(source, &STARTS),
        reason: known(reason, &ENDS),
        pid: None,
    }
}

fn summary(stats: StatsSummary, names: &mut StandIns) -> StatsSummary {
    let StatsSummary {
        counts,
        tools,
        calls,
        failed,
        open,
        abandoned,
        total_ms,
        wait_ms,
        permission_ms,
        hours,
        days,
    } = stats;
    StatsSummary {
        counts,
        tools: tools.into_iter().map(|it| tool(it, names)).collect(),
        calls,
        failed,
        open,
        abandoned,
        total_ms,
        wait_ms,
        permission_ms,
        hours,
        days,
    }
}

fn tool(stats: ToolStats, names: &mut StandIns) -> ToolStats {
    let ToolStats {
        tool,
        calls,
        by_state,
        p50_ms,
        p95_ms,
        max_ms,
        total_ms,
        share,
        wait_ms,
        permission_ms,
    } = stats;
    ToolStats {
        tool: names.tool(&tool),
        calls,
        by_state,
        p50_ms,
        p95_ms,
        max_ms,
        total_ms,
        share,
        wait_ms,
        permission_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_pass() {
        let mut names = StandIns::default();
        for (given, shown) in [
            ("Bash", "Bash"),
            ("mcp__acme__ship", "mcp tool 1"),
            ("mcp__acme__bill", "mcp tool 2"),
            ("mcp__acme__ship", "mcp tool 1"),
            ("AcmeTool", "tool 1"),
        ] {
            assert_eq!(names.tool(given), shown);
        }
        for (given, shown) in [
            ("claude-opus-4-1-20250805", "claude-opus-4-1-20250805"),
            ("claude-acme-1", "model 1"),
            ("arn:aws:bedrock:123456789012", "model 2"),
            ("claude-opus-123456789012", "model 3"),
            ("", "model 4"),
        ] {
            assert_eq!(names.model(given), shown);
        }
        assert_eq!(names.agent_type("Explore"), "Explore");
        assert_eq!(names.agent_type("acme-fixer"), "agent type 1");
        assert_eq!(exit_status("exit:101"), Some("exit:101"));
        assert_eq!(exit_status("exit:acme"), None);
        assert_eq!(exit_status("acme"), None);
    }

    #[test]
    fn a_session_id_that_a_person_chose_is_replaced() {
        let mut names = StandIns::default();
        let uuid = "5b48472b-1111-4222-8333-444455556666";
        assert_eq!(id(uuid.to_owned(), &mut names), uuid);
        assert_eq!(id("acme-nightly".to_owned(), &mut names), "session-1");
    }
}
