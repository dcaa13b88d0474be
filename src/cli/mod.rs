//! The command line. Each verb has a module with its arguments and a function that runs it and
//! returns the exit status.

mod amount;
mod archive;
mod args;
mod board;
mod browser;
mod bundle;
mod choose;
mod cleanup;
mod clock_in;
mod clock_out;
mod collected;
mod commit_search;
mod completions;
mod config;
mod context;
mod current;
mod dashboard;
mod delete;
mod doctor;
mod export;
mod follow;
mod format;
mod gather;
mod help;
mod hints;
mod import;
mod install;
mod list;
mod metrics;
mod notify;
mod output;
mod page;
mod pager;
mod pick;
mod pull;
mod report;
mod resume;
mod run;
mod scope;
mod search;
mod ship;
mod show;
mod stats;
mod status;
mod store;
mod table;
mod timeline;
mod title;
mod top;
mod who;
mod words;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use args::{Arguments, Verb};
use context::Context;
use serde_json::Value;
use status::Status;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::lifecycle::run::LISTEN;
use crate::model::Timestamp;
use crate::model::text::escaped;
use crate::store::log::{self, Log};
use crate::store::{env, write};

pub use completions::{Shell, script as completion_script};

/// Returns the command line without the internal verbs, to generate manual pages.
pub fn command() -> clap::Command {
    let all = Arguments::command();
    let verbs = all.get_subcommands().filter(|verb| !verb.is_hide_set());
    clap::Command::new("ccsession")
        .version(env!("CARGO_PKG_VERSION"))
        .about(all.get_about().cloned().unwrap_or_default())
        .after_help(all.get_after_help().cloned().unwrap_or_default())
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(verbs.cloned().collect::<Vec<_>>())
}

/// Runs the command, from its first instruction to its exit status.
pub fn main() -> u8 {
    write::open_closed_streams();
    // A closed pipe must cause a write error. Without a handler, SIGPIPE would kill the process
    // first. Rust's own startup code would ignore the signal, but it is not run.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::default());
    fail_without_memory();
    run(std::env::args_os().collect())
}

fn run(arguments: Vec<OsString>) -> u8 {
    // The parser must never refuse a hook command from Claude Code's settings. Its exit status
    // would prevent a tool call.
    if arguments.get(1).is_some_and(|verb| verb == "hook") && !is_question(&arguments) {
        let event = arguments.get(2).map(|event| event.to_string_lossy());
        // A word with a dash is not an event; ccsession registers no hook command with an option.
        if !event.as_ref().is_some_and(|event| event.starts_with('-')) {
            let name = event.filter(|event| crate::hook::is_event_name(event));
            crate::hook::run(name.as_deref());
        }
        return Status::Done as u8;
    }
    // Only ccsession itself starts this verb, so the parser does not know it and never suggests it.
    if arguments.get(1).is_some_and(|verb| verb == LISTEN) {
        // This ends when its stdin is closed. A failure need not be reported.
        let _ = crate::lifecycle::run::listen();
        return Status::Done as u8;
    }
    // In this form, a shell's completion script asks for the completions of a word.
    if arguments.get(1).is_some_and(|word| word == "--")
        && let Some(shell) = env::completing_shell()
    {
        return completions::answer(&shell, arguments.into_iter().skip(2).collect()) as u8;
    }
    crate::hook::survive_file_limit();
    report_panics_as_failures();
    let arguments = words::written_out(arguments);
    let parsed = match help::is_front(&arguments) {
        true => help::front()
            .try_get_matches_from(&arguments)
            .and_then(|matches| Arguments::from_arg_matches(&matches)),
        false => Arguments::parse_from_words(&arguments),
    };
    match parsed {
        Ok(arguments) => run_verb(arguments.verb),
        Err(err) => refuse(&err, &arguments) as u8,
    }
}

/// Returns whether a person asks for the help of a verb. No hook command has such an option.
fn is_question(arguments: &[OsString]) -> bool {
    matches!(arguments, [_, _, word] if word == "--help" || word == "-h")
}

fn run_verb(verb: Verb) -> u8 {
    let mut context = Context::new();
    if let Some(variable) = context.env.relative.first() {
        output::complain(&format!(
            "could not use {variable}: it is not an absolute path; correct or unset it"
        ));
        return Status::Failed as u8;
    }
    // The programs that these verbs start, or that replace this process, must get the original
    // limit.
    if !matches!(verb, Verb::Run(_) | Verb::Become(_) | Verb::Resume(_)) {
        raise_limit_of_files();
    }
    let collected = match collected::open(&mut context, &verb) {
        Ok(collected) => collected,
        Err(err) => {
            output::complain(&err.to_string());
            return status::of(&err) as u8;
        }
    };
    let done = match verb {
        Verb::Current(args) => current::run(&context, args),
        Verb::Store(args) => store::run(&context, args),
        Verb::List(args) => list::run(&context, args),
        Verb::Show(args) => show::run(&context, args),
        Verb::ClockOut(args) => clock_out::run(&context, args),
        Verb::Archive(verb) => archive::run(&context, verb),
        Verb::Who(args) => who::run(&context, args),
        Verb::Search(args) => search::run(&context, args),
        Verb::Delete(args) => delete::run(&context, args),
        Verb::Cleanup(args) => cleanup::run(&context, args),
        Verb::Completions(args) => completions::run(args),
        Verb::Config(args) => config::run(&context, args),
        Verb::Timeline(args) => timeline::run(&context, args),
        Verb::Top(args) => top::run(&context, args),
        Verb::Dashboard(args) => dashboard::run(&context, args),
        Verb::Stats(args) => stats::run(&context, args),
        Verb::Export(args) => export::run(&context, args),
        Verb::Report(args) => report::run(&context, args),
        Verb::Metrics(args) => metrics::run(&context, args),
        Verb::Pull(args) => pull::run(&args),
        Verb::Send(args) => pull::send(&context, &args),
        Verb::Ship(args) => ship::run(&context, &args),
        Verb::ClockIn(args) => clock_in::run(&context, args),
        Verb::Run(args) => {
            let status = run::run(&context, args);
            say_operations(&context);
            return status;
        }
        Verb::Become(args) => return run::become_command(&context, args),
        Verb::Resume(args) => resume::run(&context, args),
        Verb::Import(args) => import::run(&context, args),
        Verb::Install(args) => install::install(&context, args),
        Verb::Uninstall(args) => install::uninstall(&context, args),
        Verb::Doctor(args) => doctor::run(&context, args),
        // These verbs never arrive here. `run` handles hooks before parsing, and the parser treats
        // the others as `--help` and `--version`.
        Verb::Hook { .. } | Verb::Help { .. } | Verb::Version => Ok(Status::Done),
    };
    say_operations(&context);
    drop(collected);
    let status = done.unwrap_or_else(|err| {
        output::complain(&err.to_string());
        status::of(&err)
    });
    status as u8
}

/// Makes the process exit with [`Status::Failed`] if memory runs out. The standard library prints
/// to stderr and aborts then, which cannot be prevented. So a handler turns the abort's signal into
/// an exit.
fn fail_without_memory() {
    let always = Arc::new(AtomicBool::new(true));
    let status = Status::Failed as i32;
    let aborts = signal_hook::consts::SIGABRT;
    let _ = signal_hook::flag::register_conditional_shutdown(aborts, status, always);
}

/// Raises this process's limit of open files to the maximum, because a journal may have very many
/// parts.
fn raise_limit_of_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        limit.current = limit.maximum;
        // If the system refuses, the usual limit is enough for most sessions.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Prints to stderr what this process has logged, if the user is debugging.
fn say_operations(context: &Context) {
    if !context.env.hook_debug {
        return;
    }
    let Ok(Some(state)) = context.state() else {
        return;
    };
    for line in log::read(&state, Log::Operations) {
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_own = line.get("pid").and_then(Value::as_u64) == Some(std::process::id().into());
        if is_own && Timestamp::parse(text("ts")).is_ok_and(|at| at >= context.now) {
            let said = format!("[SESSION_MANAGER] {} {}", text("what"), text("session_id"));
            output::complain(said.trim_end());
        }
    }
}

/// Prints what the parser returned instead of arguments: help and version on stdout, an error as
/// one line on stderr. Never returns exit status 2, with which a hook would block a tool call.
fn refuse(err: &clap::Error, arguments: &[OsString]) -> Status {
    match err.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::print(&err.render().to_string());
            Status::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::warn(err.render().to_string().trim_end());
            Status::Usage
        }
        _ => {
            let command = Arguments::command();
            let verbs = help::verbs_of(&command, arguments);
            let text = match unknown_verb(err, &command, &verbs) {
                Some(text) => text,
                None => wrong_usage(err, &verbs),
            };
            output::complain(&text);
            Status::Usage
        }
    }
}

/// Describes an unknown verb, and names the verb that was probably meant.
fn unknown_verb(err: &clap::Error, command: &clap::Command, below: &[&str]) -> Option<String> {
    let Some(ContextValue::String(word)) = err.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let nearest = match err.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(nearest)) => nearest.as_slice(),
        _ => &[],
    };
    let suggested = words::suggested(command, below, word, nearest);
    let place: String = below.iter().map(|verb| format!("{verb} ")).collect();
    let text = format!("there is no verb `{place}{}`", escaped(word));
    if let Some(remedy) = words::remedy(word).filter(|_| below.is_empty()) {
        return Some(format!("{text}; {remedy}"));
    }
    Some(match suggested.as_slice() {
        [] => format!(
            "{text}; see `{}`",
            [&["ccsession help"], below].concat().join(" ")
        ),
        verbs => format!("{text}; did you mean `{}`?", verbs.join("` or `")),
    })
}

/// Describes a wrong option or argument in one line, with the usage of its verb.
fn wrong_usage(err: &clap::Error, verbs: &[&str]) -> String {
    let text = err.render().to_string();
    let (why, usage) = text.split_once("Usage:").unwrap_or((&text, ""));
    let one_line = |text: &str| {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more"));
        lines.collect::<Vec<_>>().join(" ")
    };
    let why = one_line(why).replace(" tip: ", "; ");
    let why = escaped(why.trim_start_matches("error: "));
    let usage = match one_line(usage) {
        usage if usage.is_empty() => String::new(),
        usage => format!("; usage: {}", escaped(&usage)),
    };
    let page = [&["ccsession"], verbs].concat().join(" ");
    format!("{why}{usage}; see `{page} --help`")
}

fn report_panics_as_failures() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        output::complain(&format!("internal error at {place}; please report it"));
        std::process::exit(Status::Failed as i32);
    }));
}
