//! Whether a session waits for a person: by its events, and by what its Claude Code says about
//! itself. This process is the client.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::states::start;
use super::support::time::now_micros;
use super::support::{
    CCSESSION, SESSION_EVENT, SESSION_START, Sandbox, as_client, event, wait_until,
};

const ID: &str = "s-1";

#[test]
fn a_list_colours_what_a_session_waits_for() {
    let sandbox = at_work();
    let listed = |more: &[&str]| {
        let words = [&["list", "--color", "always"], more].concat();
        sandbox.ccsession(words).stdout()
    };
    assert!(!listed(&[]).contains('\u{1b}'), "it works");
    ask(&sandbox, "Bash", json!({}));
    let text = listed(&[]);
    assert!(text.contains("active  \u{1b}[33mpermission "), "{text}");
    assert_eq!(text.matches("\u{1b}[0m  s-1 ").count(), 1, "{text}");
    assert!(!sandbox.ccsession(["list"]).stdout().contains('\u{1b}'));
    hook(&sandbox, "Stop", json!({}));
    let text = listed(&[]);
    assert!(text.contains("\u{1b}[36myour turn "), "{text}");
}

fn hook(sandbox: &Sandbox, name: &str, more: Value) {
    let run = sandbox.hook(&event(name, ID, more));
    run.env("CLAUDE_PID", as_client()).silent();
}

/// A session that works on a prompt.
fn at_work() -> Sandbox {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    hook(&sandbox, "UserPromptSubmit", json!({"prompt": "go"}));
    sandbox
}

fn bash(id: &str) -> Value {
    json!({"tool_name": "Bash", "tool_use_id": id, "tool_input": {"description": "make"}})
}

/// A call of `tool` that asks, as Claude Code reports it: the question names no call.
fn ask(sandbox: &Sandbox, tool: &str, more: Value) {
    let mut call = json!({"tool_name": tool, "tool_input": {"description": "make"}});
    call.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let mut named = call.clone();
    named["tool_use_id"] = json!("t1");
    hook(sandbox, "PreToolUse", named);
    hook(sandbox, "PermissionRequest", call);
}

fn attention(sandbox: &Sandbox) -> Value {
    let list = sandbox.ccsession(["list", "--json"]).json();
    let listed = list["sessions"][0]["attention"].clone();
    let shown = sandbox.ccsession(["show", ID, "--json"]).json();
    assert_eq!(shown["attention"], listed);
    listed
}

#[track_caller]
fn needs(sandbox: &Sandbox, state: &str) -> Value {
    let attention = attention(sandbox);
    assert_eq!(attention["state"], state, "{attention}");
    attention
}

/// Writes what this process, as Claude Code, says about itself.
fn says(sandbox: &Sandbox, status: Value) {
    says_in(&sandbox.home().join(".claude"), status);
}

/// Writes it into this directory of Claude Code.
fn says_in(config: &Path, status: Value) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let start = stat.rsplit(')').next().unwrap().split_whitespace().nth(19);
    let folder = config.join("sessions");
    fs::create_dir_all(&folder).unwrap();
    let mut entry = json!({
        "pid": std::process::id(), "sessionId": ID, "procStart": start, "entrypoint": "cli",
        "statusUpdatedAt": now_micros() / 1000,
    });
    entry
        .as_object_mut()
        .unwrap()
        .extend(status.as_object().unwrap().clone());
    let path = folder.join(format!("{}.json", std::process::id()));
    fs::write(path, entry.to_string()).unwrap();
    // Then nothing that was recorded is so recent that it counts more than the status.
    std::thread::sleep(Duration::from_millis(550));
}

#[test]
fn the_events_of_a_turn_show_what_a_session_waits_for() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    needs(&sandbox, "prompt");
    hook(&sandbox, "UserPromptSubmit", json!({"prompt": "go"}));
    needs(&sandbox, "none");
    ask(&sandbox, "Bash", json!({}));
    let asked = needs(&sandbox, "permission");
    assert_eq!(
        (&asked["tool"], &asked["what"]),
        (&json!("Bash"), &json!("make"))
    );
    hook(&sandbox, "PostToolUse", bash("t1"));
    needs(&sandbox, "none");
    ask(&sandbox, "AskUserQuestion", json!({}));
    needs(&sandbox, "question");
    hook(
        &sandbox,
        "PostToolUse",
        json!({"tool_name": "AskUserQuestion", "tool_use_id": "t1"}),
    );
    ask(&sandbox, "ExitPlanMode", json!({}));
    needs(&sandbox, "plan");
    hook(
        &sandbox,
        "PostToolUse",
        json!({"tool_name": "ExitPlanMode", "tool_use_id": "t1"}),
    );
    hook(&sandbox, "Stop", json!({}));
    let prompt = needs(&sandbox, "prompt");
    assert!(prompt["since"].as_str().is_some() && prompt["tool"].is_null());
    hook(&sandbox, "UserPromptSubmit", json!({"prompt": "go"}));
    hook(&sandbox, "StopFailure", json!({"error": "rate_limit"}));
    assert_eq!(needs(&sandbox, "error")["what"], "rate_limit");
    hook(&sandbox, "SessionEnd", json!({"reason": "other"}));
    let ended = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(ended["sessions"][0]["attention"]["state"], "none");
}

#[test]
fn a_subagent_that_asks_is_not_silenced_by_the_end_of_the_turn() {
    let sandbox = at_work();
    let agent = json!({"agent_id": "a1", "agent_type": "general-purpose"});
    hook(&sandbox, "SubagentStart", agent.clone());
    ask(&sandbox, "Bash", agent.clone());
    hook(&sandbox, "Stop", json!({}));
    let asked = needs(&sandbox, "permission");
    assert_eq!(
        (&asked["agent_id"], &asked["background"]),
        (&json!("a1"), &json!(1))
    );
    let mut answered = bash("t1");
    answered["agent_id"] = json!("a1");
    hook(&sandbox, "PostToolUse", answered);
    assert_eq!(needs(&sandbox, "prompt")["background"], 1);
    hook(&sandbox, "SubagentStop", agent);
    assert_eq!(needs(&sandbox, "prompt")["background"], 0);
}

#[test]
fn the_clients_status_supplies_what_no_event_reports() {
    let sandbox = at_work();
    ask(&sandbox, "Bash", json!({}));
    let asked = needs(&sandbox, "permission");
    says(
        &sandbox,
        json!({"status": "waiting", "waitingFor": "permission prompt"}),
    );
    let confirmed = needs(&sandbox, "permission");
    assert_eq!(confirmed["since"], asked["since"]);
    // Yes: the command runs, for as long as it takes.
    says(&sandbox, json!({"status": "busy"}));
    needs(&sandbox, "none");
    // No, or Esc.
    says(&sandbox, json!({"status": "idle"}));
    let idle = needs(&sandbox, "prompt");
    assert_ne!(idle["since"], asked["since"]);
    says(&sandbox, json!({"status": "shell"}));
    assert_eq!(needs(&sandbox, "prompt")["background"], 1);
    says(
        &sandbox,
        json!({"status": "waiting", "waitingFor": "input needed"}),
    );
    assert!(needs(&sandbox, "question")["tool"].is_null());
    says(&sandbox, json!({"status": "something new"}));
    needs(&sandbox, "permission");
}

#[test]
fn what_another_process_says_is_not_believed() {
    let sandbox = at_work();
    for other in [
        json!({"status": "idle", "sessionId": "s-2"}),
        json!({"status": "idle", "procStart": "1"}),
    ] {
        says(&sandbox, other);
        needs(&sandbox, "none");
    }
    let entry = sandbox
        .home()
        .join(format!(".claude/sessions/{}.json", std::process::id()));
    for damaged in ["", "{", "[]", "{\"sessionId\":7}", "\0\0"] {
        fs::write(&entry, damaged).unwrap();
        needs(&sandbox, "none");
    }
}

#[test]
fn nobody_is_asked_where_claude_code_runs_without_a_terminal() {
    let sandbox = at_work();
    says(&sandbox, json!({"status": "busy", "entrypoint": "sdk-cli"}));
    ask(&sandbox, "Bash", json!({}));
    needs(&sandbox, "none");
}

#[test]
fn with_few_hooks_the_notification_shows_that_a_dialog_waits() {
    let sandbox = at_work();
    hook(&sandbox, "PreToolUse", bash("t1"));
    needs(&sandbox, "none");
    hook(
        &sandbox,
        "Notification",
        json!({"notification_type": "permission_prompt"}),
    );
    let asked = needs(&sandbox, "permission");
    assert_eq!(
        (&asked["tool"], &asked["what"]),
        (&json!("Bash"), &json!("make"))
    );
    hook(&sandbox, "PostToolUse", bash("t1"));
    needs(&sandbox, "none");
    hook(&sandbox, "Elicitation", json!({"mcp_server_name": "m"}));
    needs(&sandbox, "question");
    hook(
        &sandbox,
        "ElicitationResult",
        json!({"mcp_server_name": "m"}),
    );
    needs(&sandbox, "none");
}

#[test]
fn a_form_of_an_mcp_server_is_a_question_of_its_call() {
    let call =
        |id: &str| json!({"tool_use_id": id, "tool_name": "mcp__form__ask", "tool_input": {}});
    let sandbox = at_work();
    hook(&sandbox, "PreToolUse", call("t1"));
    needs(&sandbox, "none");
    for (asks, answered) in [
        ("elicitation_dialog", "elicitation_response"),
        ("elicitation_url_dialog", "elicitation_complete"),
    ] {
        hook(&sandbox, "Notification", json!({"notification_type": asks}));
        assert_eq!(needs(&sandbox, "question")["tool"], "mcp__form__ask");
        hook(
            &sandbox,
            "Notification",
            json!({"notification_type": answered}),
        );
        needs(&sandbox, "none");
    }
    // Claude Code's own file says so before the notification.
    let waits = json!({"status": "waiting", "waitingFor": "input needed"});
    says(&sandbox, waits.clone());
    assert_eq!(needs(&sandbox, "question")["tool"], "mcp__form__ask");
    // Either of two calls may ask.
    hook(&sandbox, "PreToolUse", call("t2"));
    says(&sandbox, waits);
    assert!(needs(&sandbox, "question")["tool"].is_null());
}

#[test]
fn who_waits_comes_first_and_can_be_listed_alone() {
    let sandbox = at_work();
    ask(&sandbox, "Bash", json!({}));
    // The shell is the client of a second session, which works.
    let payload = |name: &str, more: Value| {
        let path = sandbox.path(name);
        fs::write(&path, event(name, "s-2", more).to_string()).unwrap();
        path
    };
    let started = payload("SessionStart", json!({"source": "startup"}));
    let prompted = payload("UserPromptSubmit", json!({"prompt": "go"}));
    let listed = |arguments: &str| {
        let script = format!(
            "export CLAUDE_PID=$$; {SESSION_START} < {}; {SESSION_EVENT} < {}; {CCSESSION} list {arguments} --json",
            started.display(),
            prompted.display(),
        );
        let list = sandbox.run("/bin/sh").arg("-c").arg(script).json();
        let sessions = list["sessions"].as_array().unwrap().clone();
        let ids = sessions.iter().map(|it| it["session_id"].as_str().unwrap());
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(listed(""), "s-1 s-2");
    assert_eq!(listed("--waiting"), "s-1");
}

#[test]
fn a_status_bar_can_show_what_the_session_waits_for() {
    let sandbox = at_work();
    let shown = || {
        let format = ["current", "--format", "[{attention}] {since}"];
        sandbox
            .ccsession(format)
            .env("CLAUDE_CODE_SESSION_ID", ID)
            .stdout()
    };
    assert_eq!(shown(), "[] \n");
    ask(&sandbox, "Bash", json!({}));
    assert_eq!(shown(), "[permission] 0s\n");
    let run = sandbox
        .ccsession(["current", "--json"])
        .env("CLAUDE_CODE_SESSION_ID", ID);
    assert_eq!(run.json()["attention"]["state"], "permission");
}

#[test]
fn metrics_count_who_waits() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    let counted = || {
        let text = sandbox.ccsession(["metrics", "--prometheus"]).stdout();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("ccsession_sessions_waiting{"));
        let count = lines.map(|line| line.replace("ccsession_sessions_waiting{attention=", ""));
        count.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        counted(),
        r#""permission"} 0 "question"} 0 "plan"} 0 "error"} 0 "prompt"} 1"#
    );
    hook(&sandbox, "UserPromptSubmit", json!({"prompt": "go"}));
    ask(&sandbox, "ExitPlanMode", json!({}));
    assert_eq!(
        counted(),
        r#""permission"} 0 "question"} 0 "plan"} 1 "error"} 0 "prompt"} 0"#
    );
    assert_eq!(
        sandbox.ccsession(["metrics", "--json"]).json()["sessions"]["waiting"]["plan"],
        1
    );
}

#[test]
fn a_command_of_the_users_runs_once_for_each_session_that_begins_to_wait() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    let heard = sandbox.path("heard");
    let command = r#"printf '%s|%s|%s|%s\n' "$CCSESSION_SESSION_ID" "$CCSESSION_ATTENTION" "$CCSESSION_TOOL" "$CCSESSION_WHAT" >> "$HOME/../heard""#;
    let mut follow = sandbox.ccsession(["timeline", "--follow", "--notify", command]);
    let printed = fs::File::create(sandbox.path("printed")).unwrap();
    let _follower = Follower(follow.command.stdout(printed).spawn().unwrap());
    let lines = || fs::read_to_string(&heard).unwrap_or_default();
    let printed = || fs::read_to_string(sandbox.path("printed")).unwrap();
    // What comes before it looks is not shown.
    wait_until(|| {
        hook(&sandbox, "UserPromptSubmit", json!({"prompt": "go"}));
        printed().contains("UserPromptSubmit")
    });
    assert_eq!(lines(), "", "it waited before it was followed");
    ask(
        &sandbox,
        "Bash",
        json!({"tool_input": {"description": "$(touch pwned) `id` \"; x"}}),
    );
    let asked = "s-1|permission|Bash|$(touch pwned) `id` \"; x\n";
    wait_until(|| !lines().is_empty());
    assert_eq!(lines(), asked);
    hook(&sandbox, "PostToolUse", bash("t1"));
    hook(&sandbox, "Stop", json!({}));
    wait_until(|| lines().lines().count() > 1);
    assert_eq!(lines(), format!("{asked}s-1|prompt||\n"));
    wait_until(|| printed().contains("waits  your turn"));
    assert!(printed().contains("waits  permission · Bash · $(touch pwned)"));
}

/// A running `timeline --follow`, which nothing else ends.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_prompt_is_free_while_a_subagent_works_in_the_background() {
    let sandbox = at_work();
    let agent = json!({"agent_id": "a1", "agent_type": "general-purpose"});
    hook(&sandbox, "SubagentStart", agent.clone());
    says(&sandbox, json!({"status": "busy"}));
    needs(&sandbox, "none");
    hook(&sandbox, "Stop", json!({}));
    says(&sandbox, json!({"status": "busy"}));
    assert_eq!(needs(&sandbox, "prompt")["background"], 1);
    hook(
        &sandbox,
        "UserPromptSubmit",
        json!({"prompt": "<task-notification>x"}),
    );
    says(&sandbox, json!({"status": "busy"}));
    needs(&sandbox, "none");
}

#[test]
fn the_status_is_read_beside_the_transcripts_if_the_client_puts_them_there() {
    for (config, state) in [("work", "prompt"), ("home/../work", "none")] {
        let sandbox = Sandbox::new();
        let config = sandbox.path(config);
        let transcript = config.join(format!("projects/shop/{ID}.jsonl"));
        let run = sandbox.hook(&event(
            "SessionStart",
            ID,
            json!({"source": "startup", "transcript_path": transcript}),
        ));
        run.env("CLAUDE_PID", as_client()).silent();
        hook(&sandbox, "UserPromptSubmit", json!({"prompt": "go"}));
        says_in(&config, json!({"status": "idle"}));
        needs(&sandbox, state);
    }
}
