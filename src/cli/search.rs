//! `ccsession search`: finds what was said and done.

mod print;

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::{Args, FromArgMatches, ValueEnum};

use super::amount::{above_zero, plural};
use super::archive;
use super::args::ColorArg;
use super::choose::find_session;
use super::collected::FromArgs;
use super::context::{Context, period};
use super::hints::say_not_recorded;
use super::output;
use super::pager::Pager;
use super::scope::{Scope, ScopeArgs, Timeframe};
use super::status::{Status, refusal};
use crate::model::text::{escaped, one_line};
use crate::model::{Capture, SessionId, id};
use crate::search::{
    FoundSession, PlaceCounts, SearchFilter, SearchPlaces, SearchQuery, SearchRole, SearchScope,
    SessionHeading, search,
};
use crate::store::archive::Archives;
use crate::store::env::Screen;
use crate::store::{Environment, StateDir};
use print::{SearchLayout, SearchOutput};

#[derive(Debug, Args)]
#[command(
    after_help = "Searches Claude Code's transcripts (of subagents, too), the archives, the titles of sessions, and the labels of recorded prompts \
    and calls. All words must be in one message. One argument is a phrase: `search 'rate limit'`. Case matters for a word with an \
    upper-case letter. A word between slashes is a regular expression. Without words, --tool or --failed lists the calls. The session \
    with the latest hit comes first, with its first hits. Secrets are redacted, and are not found.\n\n\
    Examples:\n  ccsession search webhook retry               # both words in one message\n  ccsession search 'rate limit' --role user    # what I said\n  ccsession search '/E0[0-9]{3}/' --failed     # in calls that failed\n  ccsession search deploy --tool Bash --since 30d --ids\n  ccsession search --failed --since today      # the calls that failed\n  ccsession search deploy --all                # in every project\n  ccsession search deploy --from fleet         # in archives of other machines"
)]
pub(super) struct SearchArgs {
    /// The words to find, or regular expressions between slashes
    #[arg(required_unless_present_any = ["tool", "failed"], value_name = "WORDS")]
    words: Vec<String>,
    /// Only what a person, the model, a tool or Claude Code wrote
    #[arg(long, value_enum, value_name = "ROLE")]
    role: Option<RoleArg>,
    /// Only calls of this tool, and their results; repeatable
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// Only calls that failed or were denied, and their results
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    projects: ScopeArgs,
    /// Only messages since then: `today`, `monday`, `30d`, `2026-11`
    #[arg(long, short, value_name = "WHEN")]
    since: Option<String>,
    /// Only messages before then: the forms of --since; `2026-11` excludes November
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only this session: its id, title, or the beginning of either
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Show at most N sessions
    #[arg(long, short = 'n', value_name = "N", value_parser = above_zero)]
    limit: Option<NonZeroUsize>,
    /// How many hits of each session to show: a number, or `all`
    #[arg(long, value_name = "COUNT", default_value = "5", value_parser = hits)]
    hits: usize,
    /// Print only session ids
    #[arg(long, conflicts_with = "json")]
    ids: bool,
    #[command(flatten)]
    pub(super) from: FromArgs,
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    color: ColorArg,
    /// Do not use a pager
    #[arg(long)]
    no_pager: bool,
    /// Print one JSON object
    #[arg(long, short)]
    json: bool,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleArg {
    /// A person
    User,
    /// The model
    Assistant,
    /// Tools: what they were asked, and what they answered
    Tool,
    /// Claude Code
    Notice,
}

impl From<RoleArg> for SearchRole {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::User => Self::User,
            RoleArg::Assistant => Self::Assistant,
            RoleArg::Tool => Self::Tool,
            RoleArg::Notice => Self::Notice,
        }
    }
}

fn hits(text: &str) -> Result<usize, String> {
    match text {
        "all" => Ok(usize::MAX),
        _ => text
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| "expected a number above 0, or `all`".to_owned()),
    }
}

/// What a search found.
struct Found {
    query: SearchQuery,
    /// The sessions with hits, up to the limit.
    sessions: Vec<(SessionHeading, FoundSession)>,
    /// How many more sessions have hits.
    others: usize,
    notes: Vec<String>,
    left_out: Vec<String>,
    counts: PlaceCounts,
    /// The projects whose sessions were searched.
    projects: Scope,
}

pub(super) fn run(context: &Context, args: SearchArgs) -> Result<Status> {
    let config = context.config()?;
    let state = context.state()?;
    let env = searched_env(context, state.as_ref(), &args);
    let time = Timeframe::past_of(&args.from);
    let found = find(context, &env, config.capture, state.as_ref(), &args, time)?;
    for text in found.notes.iter().chain(&found.left_out) {
        output::complain(text);
    }
    print(
        &args,
        &found.query,
        &found.sessions,
        found.others,
        &found.left_out,
    )?;
    if !found.sessions.is_empty() && !args.json {
        found.projects.say(&context.env);
    }
    if !args.from.is_given() {
        let project = found.projects.project();
        say_not_recorded(&context.host(&config, state.as_ref()), project.as_ref());
    }
    Ok(
        match (found.left_out.is_empty(), found.sessions.is_empty()) {
            (false, _) => Status::Failed,
            (true, false) => Status::Done,
            (true, true) => {
                output::complain(&nothing(&args, &found));
                Status::NotFound
            }
        },
    )
}

/// Searches with these arguments, and returns what `--json` prints.
///
/// # Errors
/// Fails if an argument is invalid, if no single session matches `--session`, or if the
/// configuration, the state directory or an archive cannot be read.
pub(super) fn json_of(
    context: &Context,
    arguments: impl Iterator<Item = String>,
) -> Result<String> {
    let command = SearchArgs::augment_args(clap::Command::new("search").no_binary_name(true));
    let matches = command.try_get_matches_from(arguments);
    let args = matches.and_then(|matches| SearchArgs::from_arg_matches(&matches));
    let args = args.map_err(|err| {
        let text = err.render().to_string();
        let why = text.split("\n\n").next().unwrap_or_default();
        let why = one_line(why.trim_start_matches("error: "), 300);
        refusal(Status::Usage, format!("could not search: {why}"))
    })?;
    let (config, state) = (context.config()?, context.state()?);
    // The dashboard searches every project, in whatever directory its server was started.
    let (env, time) = (&context.env, Timeframe::Now);
    let found = find(context, env, config.capture, state.as_ref(), &args, time)?;
    let output = SearchOutput::new(&found.query, &found.sessions, found.others, &found.left_out);
    Ok(serde_json::to_string(&output)?)
}

fn scope(args: &SearchArgs) -> SearchScope {
    match args.from.is_given() {
        true => SearchScope::Collected,
        false => SearchScope::Here,
    }
}

/// Returns the environment that says where Claude Code's files are. With `--from` no file is found:
/// collected sessions have their files on another machine.
fn searched_env(context: &Context, state: Option<&StateDir>, args: &SearchArgs) -> Environment {
    let env = context.env.clone();
    match state.filter(|_| args.from.is_given()) {
        // A collected state directory has no `claude`, so no file of this machine is searched.
        Some(collected) => Environment {
            claude_config_dir: Some(collected.root().join("claude")),
            ..env
        },
        None => env,
    }
}

fn find(
    context: &Context,
    env: &Environment,
    capture: Capture,
    state: Option<&StateDir>,
    args: &SearchArgs,
    time: Timeframe,
) -> Result<Found> {
    let query = match args.words.as_slice() {
        [] => Ok(SearchQuery::of_everything()),
        words => SearchQuery::parse(words),
    };
    let query = query.map_err(|err| refusal(Status::Usage, err.to_string()))?;
    if (args.failed || !args.tool.is_empty()) && args.role.is_some_and(|role| role != RoleArg::Tool)
    {
        let text = "could not search: --tool and --failed are about tools; leave out --role";
        return Err(refusal(Status::Usage, text));
    }
    let period = period(args.since.as_deref(), args.until.as_deref(), context.now)?;
    if let Some(state) = state {
        archive::finish_interrupted(&Archives::of(state))?;
    }
    let mut places = SearchPlaces::find(env, state, scope(args), capture)?;
    // A session chosen by id or title may belong to any project.
    let time = args.session.as_ref().map_or(time, |_| Timeframe::Now);
    let mut projects = Scope::of_texts(context, state, &args.projects, time)?;
    if let Some(given) = &args.session {
        let id = session(context, state, &places, given)?;
        places.retain_session(&id);
    }
    if let Some(since) = period.since {
        places.retain_since(since);
    }
    if projects.is_narrow() {
        places.retain_projects(|project| projects.has(project));
    }
    if places.counts() == PlaceCounts::default() {
        projects = projects.known()?;
    }
    let filter = SearchFilter {
        role: args.role.map(SearchRole::from),
        tools: args.tool.clone(),
        failed: args.failed,
        period,
        keep: if args.ids { 1 } else { args.hits },
    };
    let result = search(&places, &query, &filter);
    let notes = places.notes.iter().cloned().chain(result.notes).collect();
    let mut left_out = places.left_out.clone();
    left_out.extend(result.left_out);
    let limit = args.limit.map_or(usize::MAX, NonZeroUsize::get);
    let others = result.sessions.len().saturating_sub(limit);
    let sessions = result.sessions.into_iter().take(limit);
    Ok(Found {
        sessions: sessions
            .map(|found| (places.heading(&found.id), found))
            .collect(),
        query,
        others,
        notes,
        left_out,
        counts: places.counts(),
        projects,
    })
}

fn print(
    args: &SearchArgs,
    query: &SearchQuery,
    found: &[(SessionHeading, FoundSession)],
    others: usize,
    left_out: &[String],
) -> Result<()> {
    if args.json {
        return output::json_of(&SearchOutput::new(query, found, others, left_out));
    }
    if args.ids {
        found
            .iter()
            .for_each(|(_, found)| output::line(found.id.as_str()));
        return Ok(());
    }
    if found.is_empty() {
        return Ok(());
    }
    let screen = Screen::read();
    let layout = SearchLayout {
        width: output::width(screen),
        colour: output::wants_colour(args.color, screen),
        drawn: !screen.is_plain,
    };
    let mut pager = Pager::start(!args.no_pager);
    for (number, (heading, found)) in found.iter().enumerate() {
        let gap = if number > 0 { "\n" } else { "" };
        pager.print(&format!("{gap}{}", layout.session(query, heading, found)));
    }
    if others > 0 {
        pager.print(&layout.more_sessions(others));
    }
    pager.end();
    Ok(())
}

/// Returns the session whose id is `given`, or the only one whose id begins with it. A session on
/// record may also be given by its title.
fn session(
    context: &Context,
    state: Option<&StateDir>,
    places: &SearchPlaces<'_>,
    given: &str,
) -> Result<SessionId> {
    let mut found = match id::is_prefix(given) {
        true => places.sessions(given),
        false => Vec::new(),
    };
    match (found.len(), found.pop()) {
        (1, Some(only)) => Ok(only),
        (0, _) => find_session(context, state, given),
        (several, _) => find_session(context, state, given).map_err(|_| {
            let given = escaped(given);
            let text = format!(
                "could not choose a session: `{given}` matches {several}; use a longer prefix"
            );
            refusal(Status::Ambiguous, text)
        }),
    }
}

/// Returns the message for a search without hits: what was searched, and how to find more.
fn nothing(args: &SearchArgs, found: &Found) -> String {
    let counts = found.counts;
    let words: Vec<String> = args.words.iter().map(|word| one_line(word, 40)).collect();
    let words = one_line(&words.join(" "), 80);
    let nothing = match words.as_str() {
        "" => "found no such call".to_owned(),
        words => format!("found nothing for `{words}`"),
    };
    let filters = [
        ("--role", args.role.is_some()),
        ("--tool", !args.tool.is_empty()),
        ("--failed", args.failed),
        ("--project", args.projects.project.is_some()),
        ("--since", args.since.is_some()),
        ("--until", args.until.is_some()),
        ("--session", args.session.is_some()),
    ];
    let given: Vec<&str> = filters
        .iter()
        .filter(|(_, is_given)| *is_given)
        .map(|(name, _)| *name)
        .collect();
    let mut wider = Vec::new();
    if found.projects.is_here() {
        wider.push("search every project with --all".to_owned());
    }
    if !given.is_empty() {
        wider.push(format!("leave out {}", given.join(", ")));
    }
    if args.words.len() > 1 {
        wider.push("use fewer words".to_owned());
    }
    if args
        .words
        .iter()
        .any(|word| word.chars().any(char::is_uppercase))
    {
        wider.push("type lower case, which also matches upper case".to_owned());
    }
    let is_narrow = found.projects.is_here();
    if !words.is_empty() && (wider.is_empty() || wider.len() == 1 && is_narrow) {
        wider.push("use a part of the word".to_owned());
    }
    let wider = wider.join(", or ");
    if counts == PlaceCounts::default() {
        let hint = match given.is_empty() && !found.projects.is_here() {
            true if args.from.is_given() => {
                "to search what was said, collect archives with `ccsession pull --archives`"
                    .to_owned()
            }
            true => "Claude Code has no transcripts here, and nothing is on record".to_owned(),
            false => format!("to search more, {wider}"),
        };
        return format!("{nothing}: there was nothing to search; {hint}");
    }
    let places = [
        (counts.files, "file"),
        (counts.archives, "archive"),
        (counts.journals, "journal"),
    ];
    let places: Vec<String> = places
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| plural(*count, noun))
        .collect();
    format!(
        "{nothing} in {} ({}); to find more, {wider}",
        plural(counts.sessions, "session"),
        places.join(", "),
    )
}
