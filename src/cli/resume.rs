//! `ccsession resume`: resumes a session in its directory. If Claude Code has deleted the
//! transcript, restores it from the archive first.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::choose::matching;
use super::context::Context;
use super::hints::filled;
use super::list::span;
use super::output;
use super::pick::{self, pick};
use super::scope::{Scope, ScopeArgs, Timeframe};
use super::status::{Status, refusal};
use super::title::title;
use crate::archive::{known, restore};
use crate::claude::resuming::{CONFIG_DIR, ResumeCommand};
use crate::claude::transcript;
use crate::identity::ladder::project_here;
use crate::identity::lost::lost;
use crate::identity::present::now_at;
use crate::model::text::{escaped, one_line};
use crate::model::{Config, Record, SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::{StateDir, shown};

/// How many characters of a title are shown.
const MAX_TITLE: usize = 60;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession resume                        # pick one\n  ccsession resume webhook                # the one with this word in its title\n  \
    ccsession resume --all                  # one of any project\n  \
    ccsession resume --lost                 # what was open when the machine went down\n  ccsession resume 3f2a -- --model opus"
)]
pub(super) struct ResumeArgs {
    /// The session's id or title, or words in its title, project or branch
    pub(super) words: Vec<String>,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Print the commands instead of running one
    #[arg(long)]
    pub(super) print: bool,
    /// Print the commands of what was open in any project when the machine went down; --all adds
    /// earlier times
    #[arg(long, conflicts_with = "words")]
    pub(super) lost: bool,
    /// Print one JSON object instead of running a command
    #[arg(long, short)]
    pub(super) json: bool,
    /// Further arguments for `claude`
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(super) more: Vec<OsString>,
}

/// What still exists of a session's conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conversation {
    /// Claude Code has its transcript.
    Present,
    /// Claude Code has deleted the transcript, and an archive contains it.
    Archived,
    /// Nothing exists any more.
    Gone,
}

/// A session that may be resumed.
struct ResumableSession {
    record: Record,
    title: String,
    last: Timestamp,
    is_live: bool,
    conversation: Conversation,
    command: ResumeCommand,
}

pub(super) fn run(context: &Context, args: ResumeArgs) -> Result<Status> {
    let config = context.config()?;
    let Some(state) = context.state()? else {
        return Err(match args.lost {
            true => none_lost(),
            false => nothing(context, None, None, 0),
        });
    };
    // Sessions of every project were open when the machine went down.
    let about = match args.lost {
        true => Timeframe::Now,
        false => Timeframe::Past,
    };
    let scope = Scope::of(context, Some(&state), &args.scope, about)?;
    let look = Look {
        context,
        config: &config,
        state: &state,
        args: &args,
        scope: &scope,
        by_name: OnceCell::new(),
    };
    if args.lost {
        return look.print_lost();
    }
    let Candidates {
        sessions: found,
        gone,
    } = look.find()?;
    if args.print || args.json {
        print(&args, context.now, &found);
    }
    if found.is_empty() {
        return Err(nothing(context, Some(&state), Some(&scope), gone));
    }
    if args.print || args.json {
        if !args.json {
            scope.say(&context.env);
        }
        return Ok(Status::Done);
    }
    let session = match found.len() {
        1 if !args.words.is_empty() => found.into_iter().next(),
        several if !pick::is_possible() => {
            let why = match args.words.is_empty() {
                true => "name one, or use --print".to_owned(),
                false => format!("the words match {several}; use more of them, or --print"),
            };
            let text = format!("could not choose a session: {why}");
            return Err(refusal(Status::Ambiguous, text));
        }
        _ => {
            let lines: Vec<String> = found.iter().map(|it| it.line(context.now)).collect();
            scope.say(&context.env);
            let place = pick("resume", &lines, "")?;
            place.and_then(|place| found.into_iter().nth(place))
        }
    };
    match session {
        Some(session) => look.take_up(&session),
        None => Ok(Status::NotFound),
    }
}

/// Returns the error for a command line that matches no session to resume. `gone` is the number of
/// matching sessions without a transcript.
fn nothing(
    context: &Context,
    state: Option<&StateDir>,
    scope: Option<&Scope>,
    gone: u64,
) -> anyhow::Error {
    let is_here = scope.is_some_and(Scope::is_here);
    let (nothing, see) = match is_here {
        true => (
            "could not find a session of this project to resume",
            "`ccsession resume --all` looks through the",
        ),
        false => (
            "could not find a session to resume",
            "`ccsession list --all` shows the",
        ),
    };
    let text = match gone {
        0 => filled(nothing, context, state, |sessions| {
            Some(format!("{see} {sessions} on record"))
        }),
        gone => {
            let without = match gone {
                1 => "1 session matches; it has no transcript".to_owned(),
                several => format!("{several} sessions match; none has a transcript"),
            };
            let wider = match is_here {
                true => "; `ccsession resume --all` looks through those of every project",
                false => "",
            };
            format!("{nothing}: {without}{wider}")
        }
    };
    refusal(Status::NotFound, text)
}

fn none_lost() -> anyhow::Error {
    let text = "could not find a session that was open when the machine went down";
    refusal(Status::NotFound, text)
}

/// The sessions that a command line may mean.
struct Candidates {
    /// The sessions that can be resumed.
    sessions: Vec<ResumableSession>,
    /// The number of other sessions that match, but have no transcript.
    gone: u64,
}

/// The search for sessions to resume, and everything that it needs.
struct Look<'a> {
    context: &'a Context,
    config: &'a Config,
    state: &'a StateDir,
    args: &'a ResumeArgs,
    scope: &'a Scope,
    /// Claude Code's transcripts by session id, for sessions whose recorded path does not exist.
    by_name: OnceCell<BTreeMap<SessionId, Vec<PathBuf>>>,
}

impl Look<'_> {
    /// Returns the sessions that may be meant: first those of the current directory's project, then
    /// the others. Each group has the most recently active session first.
    fn find(&self) -> Result<Candidates> {
        if !self.args.words.is_empty() {
            let given = self.args.words.join(" ");
            if let [only] = matching(self.context, self.state, &given)?.as_slice() {
                return Ok(Candidates {
                    sessions: vec![self.named(only)?],
                    gone: 0,
                });
            }
        }
        let here = project_here(&self.context.env, Some(self.state)).ok();
        let is_here = |record: &Record| here.as_ref().is_some_and(|it| record.is_in(it.root()));
        let (mut found, mut gone) = (Vec::new(), 0);
        for id in self.state.session_ids()? {
            let Ok(Some(record)) = self.state.session(&id).record() else {
                continue;
            };
            if !self.scope.has(&record.project) {
                continue;
            }
            let session = self.session(record);
            let may_be = |it: &ResumableSession| !it.is_live && it.has(&self.args.words);
            match session.filter(may_be) {
                Some(it) if it.conversation == Conversation::Gone => gone += 1,
                session => found.extend(session),
            }
        }
        found.sort_by_key(|it| (!is_here(&it.record), std::cmp::Reverse(it.last)));
        Ok(Candidates {
            sessions: found,
            gone,
        })
    }

    /// Returns the session that the user named.
    ///
    /// # Errors
    /// Fails if the session is live, or if its conversation no longer exists.
    fn named(&self, id: &SessionId) -> Result<ResumableSession> {
        let record = self.state.session(id).record()?;
        let session = record.and_then(|record| self.session(record));
        let session = session.ok_or_else(|| nothing(self.context, Some(self.state), None, 0))?;
        if session.is_live && !self.args.print && !self.args.json {
            let text = format!(
                "could not resume session {id}: it is live already; see `ccsession show {id}`"
            );
            return Err(refusal(Status::Held, text));
        }
        if session.conversation == Conversation::Gone {
            let text = format!(
                "could not resume session {id}: Claude Code has no transcript of it, and no archive has one"
            );
            return Err(refusal(Status::NotFound, text));
        }
        Ok(session)
    }

    /// Returns what is needed to resume a session; `None` if its directory is not known.
    fn session(&self, record: Record) -> Option<ResumableSession> {
        let Context { env, .. } = self.context;
        let id = record.session_id.clone();
        let dir = self.state.session(&id);
        let finding = self
            .context
            .judge(self.config, self.state)
            .find(&id, &record);
        let began = record.cwd.clone();
        let record = now_at(&dir, record, false);
        let there = transcript::find_named(env, &record, None).or_else(|| {
            let by_name = self.by_name.get_or_init(|| transcript::by_name(env));
            by_name.get(&id)?.first().cloned()
        });
        let conversation = match &there {
            Some(_) => Conversation::Present,
            None => match known(&Archives::of(self.state), &record) {
                Ok(Some(archived)) if archived.has_transcript() => Conversation::Archived,
                _ => Conversation::Gone,
            },
        };
        let was_at = record.transcript_path.as_ref().map(PathBuf::from);
        let dirs: Vec<PathBuf> = [record.cwd.clone(), began]
            .into_iter()
            .flatten()
            .map(PathBuf::from)
            .chain([record.project.root()])
            .collect();
        let place = there.or(was_at);
        let command = ResumeCommand::new(env, &id, place.as_deref(), &dirs, &self.args.more)?;
        let title = title(env, self.state, &record, self.config.capture);
        Some(ResumableSession {
            title: title.map(|title| title.text).unwrap_or_default(),
            last: finding.last_activity.unwrap_or(record.started_at),
            is_live: finding.state.is_live(),
            conversation,
            command,
            record,
        })
    }

    /// Replaces this process by a Claude Code that resumes the session. Returns only if that fails.
    fn take_up(&self, session: &ResumableSession) -> Result<Status> {
        let command = &session.command;
        let id = &session.record.session_id;
        if !command.dir.is_dir() {
            let text = format!(
                "could not resume session {id}: its directory `{}` is gone; create it, then run `{}`",
                shown(&command.dir),
                escaped(&command.line())
            );
            return Err(refusal(Status::Failed, text));
        }
        if session.conversation == Conversation::Archived {
            self.restore(session)?;
        }
        output::warn(&session.command.line());
        let err = start(command);
        let why = match err.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no `claude` on the PATH; install it, or add its directory".to_owned()
            }
            _ => err.to_string(),
        };
        let text = format!("could not resume session {id}: {why}");
        Err(refusal(Status::Failed, text))
    }

    /// Restores the transcript from the archive to where Claude Code had it.
    fn restore(&self, session: &ResumableSession) -> Result<()> {
        let archives = Archives::of(self.state);
        let archived = known(&archives, &session.record)?
            .ok_or_else(|| nothing(self.context, Some(self.state), None, 0))?;
        let restored = restore(&self.context.env, &archived, None)?;
        for path in &restored.written {
            output::warn(&format!("restored {}", shown(path)));
        }
        Ok(())
    }

    fn print_lost(&self) -> Result<Status> {
        let found = lost(&self.context.judge(self.config, self.state))?;
        let earlier = found.earlier.len();
        let is_all = self.args.scope.all;
        let more = found.earlier.into_iter().filter(|_| is_all);
        let sessions: Vec<ResumableSession> = found
            .last
            .into_iter()
            .chain(more)
            .filter(|lost| self.scope.has(&lost.record.project))
            .filter_map(|lost| self.session(lost.record))
            .filter(|session| session.conversation != Conversation::Gone)
            .collect();
        print(self.args, self.context.now, &sessions);
        if sessions.is_empty() {
            return Err(none_lost());
        }
        if earlier > 0 && !is_all && !self.scope.is_narrow() && output::are_warnings_for_people() {
            output::warn(&format!("--all shows {earlier} more from earlier times"));
        }
        Ok(Status::Done)
    }
}

/// Replaces this process by the command. Returns only if that fails.
fn start(command: &ResumeCommand) -> std::io::Error {
    let Some((program, arguments)) = command.words.split_first() else {
        return std::io::ErrorKind::InvalidInput.into();
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this verb is there to start Claude Code"
    )]
    let mut started = Command::new(program);
    started.args(arguments).current_dir(&command.dir);
    if let Some(dir) = &command.config_dir {
        started.env(CONFIG_DIR, dir);
    }
    started.exec()
}

fn print(args: &ResumeArgs, now: Timestamp, sessions: &[ResumableSession]) {
    if args.json {
        let sessions: Vec<Value> = sessions.iter().map(ResumableSession::as_json).collect();
        return output::json(&json!({"v": 1, "sessions": sessions}));
    }
    for session in sessions {
        output::line(&session.command_line(now));
    }
}

impl ResumableSession {
    /// Returns whether each of the words occurs in the session's id, title, project or branch.
    fn has(&self, words: &[String]) -> bool {
        let head = self.record.head.as_ref();
        let branch = head.and_then(|head| head.branch.as_deref());
        let text = [
            self.title.as_str(),
            &self.record.project.name,
            branch.unwrap_or_default(),
            self.record.session_id.as_str(),
        ];
        let text = text.join("\n").to_lowercase();
        words.iter().all(|word| text.contains(&word.to_lowercase()))
    }

    /// Returns the line from which a person picks the session: title, project, branch, age and the
    /// beginning of the id.
    fn line(&self, now: Timestamp) -> String {
        let Record {
            session_id,
            project,
            head,
            ..
        } = &self.record;
        let title = match self.title.as_str() {
            "" => "(no title)",
            title => title,
        };
        let branch = head.as_ref().and_then(|head| head.branch.as_deref());
        let short: String = session_id.as_str().chars().take(8).collect();
        let parts = [
            one_line(title, MAX_TITLE),
            project.name.clone(),
            branch.unwrap_or_default().to_owned(),
            format!("{} ago", span(self.last, now)),
            short,
        ];
        let parts = parts.iter().filter(|part| !part.is_empty());
        escaped(&parts.cloned().collect::<Vec<_>>().join("  "))
    }

    /// Returns the command for a shell, with a comment that describes the session.
    fn command_line(&self, now: Timestamp) -> String {
        let id = &self.record.session_id;
        let restore = match self.conversation {
            Conversation::Archived => format!("ccsession archive restore {id} && "),
            Conversation::Present | Conversation::Gone => String::new(),
        };
        let title = one_line(&self.title, MAX_TITLE);
        let title = format!("{title}, {} ago", span(self.last, now));
        let title = title.trim_start_matches(", ");
        format!("{restore}{}  # {title}", self.command.line())
    }

    fn as_json(&self) -> Value {
        let words = self.command.words.iter();
        let words: Vec<String> = words
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        json!({
            "session_id": self.record.session_id,
            "title": self.title,
            "project": self.record.project,
            "last_activity": self.last,
            "live": self.is_live,
            "transcript": match self.conversation {
                Conversation::Present => "present",
                Conversation::Archived => "archived",
                Conversation::Gone => "gone",
            },
            "directory": self.command.dir.to_string_lossy(),
            "config_directory": self.command.config_dir.as_ref().map(|dir| dir.to_string_lossy()),
            "command": words,
        })
    }
}
