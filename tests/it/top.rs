//! The board, in a real terminal: what it shows, and what keys do. The parts are `leaving` and `screens`.

mod leaving;
mod screens;

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::clients::Client;
use crate::support::states::age;
use crate::support::tmux::Tmux;
use crate::support::transcripts::put_lines;
use crate::support::within::Within;
use crate::support::{CCSESSION, Sandbox, event, text, wait_until};

const SIZE: (u16, u16) = (80, 24);

/// Starts a session that works on a call.
fn at_work(sandbox: &Sandbox, id: &str, what: &str) -> Client {
    let mut client = Client::start(sandbox, id);
    // It is called by its first prompt.
    client.hook(sandbox, id, "UserPromptSubmit", json!({"prompt": id}));
    client.hook(sandbox, id, "PreToolUse", bash("t1", what));
    client
}

fn bash(id: &str, what: &str) -> Value {
    json!({"tool_name": "Bash", "tool_use_id": id, "tool_input": {"description": what, "command": "make"}})
}

/// The board, and after it its exit status. The modes of the terminal before and after are in files.
fn script(arguments: &str) -> String {
    format!(
        "cd \"$HOME/..\"\nstty -a > before\n\
         sh -c 'echo $$ > pid; exec {CCSESSION} top {arguments}'\n\
         echo \"status $?\"\nstty -a > after.new\nmv after.new after\nexec cat\n"
    )
}

/// Asserts that the terminal is as it was before the board.
#[track_caller]
fn assert_restored(sandbox: &Sandbox, terminal: &Tmux<'_>) {
    wait_until(|| sandbox.path("after").exists());
    let modes = |name: &str| fs::read_to_string(sandbox.path(name)).unwrap();
    assert_eq!(modes("after"), modes("before"));
    assert_eq!(terminal.value("alternate_on"), "0");
    assert_eq!(terminal.value("cursor_flag"), "1");
    assert!(!terminal.screen().contains("SINCE"));
}

/// The line on the screen that contains this text.
#[track_caller]
fn line<'s>(screen: &'s str, text: &str) -> &'s str {
    let mut lines = screen.lines();
    let line = lines.find(|line| line.contains(text));
    line.unwrap_or_else(|| panic!("there is no {text}:\n{screen}"))
}

/// The place of a line with this text.
#[track_caller]
fn place(screen: &str, text: &str) -> usize {
    let mut lines = screen.lines();
    let place = lines.position(|line| line.contains(text));
    place.unwrap_or_else(|| panic!("there is no {text}:\n{screen}"))
}

#[test]
fn the_board_follows_what_sessions_do() {
    let sandbox = Sandbox::new();
    let mut work = at_work(&sandbox, "s-work", "Run the tests");
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
        return;
    };
    let screen = terminal.wait_for_text("WORKING (1)");
    let row = line(&screen, "s-work");
    assert!(row.contains("working") && row.contains("shop"), "{row}");
    assert!(row.contains("Bash: Run the te"), "{row}");
    terminal.wait_for_text("· 1 call");
    let mut asked = bash("", "Run the tests");
    asked.as_object_mut().unwrap().remove("tool_use_id");
    work.hook(&sandbox, "s-work", "PermissionRequest", asked);
    let screen = terminal.wait_for_text("NEEDS YOU (1)");
    assert!(line(&screen, "> permission").contains("Bash: Run"));
    work.hook(&sandbox, "s-work", "PostToolUseFailure", bash("t1", ""));
    // The calls may be counted before the next look at what the session does.
    terminal.wait_for_text("1 call (1 failed)");
    terminal.wait_for_text("WORKING (1)");
    let mut new = Client::start(&sandbox, "s-new");
    let screen = terminal.wait_for_text("DONE (1)");
    assert!(line(&screen, "s-new").contains("your turn"));
    assert!(place(&screen, "WORKING") < place(&screen, "DONE"));
    new.hook(&sandbox, "s-new", "SessionEnd", json!({"reason": "other"}));
    terminal.wait_for(|screen| !screen.contains("s-new"));
    // The idle timeout is over, and no call is open.
    age(&sandbox, "s-work", 100_000);
    terminal.wait_for_text("IDLE (1)");
}

#[test]
fn a_session_whose_process_was_killed_leaves_the_board() {
    let sandbox = Sandbox::new();
    let client = at_work(&sandbox, "s-1", "Run the tests");
    // Nothing is written any more, so only a look at the process can tell.
    age(&sandbox, "s-1", 100);
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
        return;
    };
    terminal.wait_for_text("WORKING (1)");
    // After a few looks the session is at rest. If there were fewer, the test would prove less.
    std::thread::sleep(Duration::from_millis(1500));
    drop(client);
    terminal.wait_for_text("no session is live");
}

#[test]
fn what_a_session_says_moves_nothing_on_the_board() {
    let sandbox = Sandbox::new();
    let mut client = Client::start(&sandbox, "s-1");
    let prompt = "one\u{1b}[2J\u{1b}[31mtwo\u{7}\u{9b}5A\u{202e}three\r\nfour";
    client.hook(
        &sandbox,
        "s-1",
        "UserPromptSubmit",
        json!({"prompt": prompt}),
    );
    let what = "\u{1b}]0;title\u{7}\u{1b}[Hmake";
    client.hook(&sandbox, "s-1", "PreToolUse", bash("t1", what));
    let Some(terminal) = Tmux::start(&sandbox, (200, 24), &script("")) else {
        return;
    };
    let screen = terminal.wait_for_text("WORKING (1)");
    assert!(screen.starts_with("ccsession top"), "{screen}");
    let row = line(&screen, "> working");
    assert!(row.contains("one") && row.contains("three"), "{row}");
    assert!(row.contains("Bash: ") && row.contains("make"), "{row}");
    assert_ne!(terminal.value("pane_title"), "title");
    terminal.press(&["Enter"]);
    let screen = terminal.wait_for_text("timeline: ");
    assert!(screen.starts_with("timeline: one"), "{screen}");
}

#[test]
fn tokens_are_those_of_the_transcript() {
    let sandbox = Sandbox::new();
    let transcript = sandbox.home().join(".claude/projects/shop/s-1.jsonl");
    let usage = json!({"input_tokens": 1000, "output_tokens": 200, "cache_creation_input_tokens": 34,
        "cache_read_input_tokens": 5_000_000});
    let message = json!({"id": "m1", "role": "assistant", "model": "opus", "usage": usage});
    let line = json!({"type": "assistant", "uuid": "u1", "sessionId": "s-1",
        "timestamp": "2026-11-20T12:00:00Z", "message": message});
    put_lines(&transcript, &[line]);
    let mut client = Client::new(&sandbox);
    let started = json!({"source": "startup", "transcript_path": transcript});
    client.hook(&sandbox, "s-1", "SessionStart", started);
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
        return;
    };
    terminal.wait_for_text("1,234 tokens");
}

#[test]
fn the_numbers_are_those_of_the_timeline() {
    let sandbox = Sandbox::new();
    let mut client = Client::start(&sandbox, "s-1");
    let within = Within::new(&sandbox);
    let hook = |name: &str, more: Value| within.feed(&event(name, "s-1", more));
    for turn in 0..300 {
        hook("UserPromptSubmit", json!({"prompt": "go"}));
        for call in 0..2 {
            let id = format!("t{turn}-{call}");
            hook("PreToolUse", bash(&id, "make"));
            let is_failure = turn % 10 == 0;
            let end = if is_failure {
                "PostToolUseFailure"
            } else {
                "PostToolUse"
            };
            hook(end, bash(&id, "make"));
        }
    }
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
        return;
    };
    terminal.wait_for_text("600 calls (60 failed)");
    client.hook(&sandbox, "s-1", "PreToolUse", bash("last", "make"));
    terminal.wait_for_text("601 calls (60 failed)");
    // Its warning that prompts of one moment count once goes to stderr.
    let timeline = text(&sandbox.ccsession(["timeline", "s-1"]).output().stdout);
    let counts = "601 calls (60 failed, 1 running)";
    assert!(timeline.contains(counts), "{timeline}");
}

#[test]
fn keys_open_the_timeline_filter_and_copy() {
    let sandbox = Sandbox::new();
    let mut work = at_work(&sandbox, "s-work", "Run the tests");
    let _client = Client::start(&sandbox, "s-done");
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
        return;
    };
    terminal.wait_for_text("> working");
    terminal.press(&["Down"]);
    terminal.wait_for_text("> your turn");
    terminal.press(&["k"]);
    terminal.wait_for_text("> working");
    terminal.press(&["Enter"]);
    let screen = terminal.wait_for_text("timeline: s-work");
    assert!(
        screen.contains("prompt 1: still at work, 1 call"),
        "{screen}"
    );
    work.hook(&sandbox, "s-work", "PostToolUse", bash("t1", ""));
    terminal.wait_for_text("ok          Bash");
    terminal.press(&["q"]);
    terminal.wait_for_text("WORKING (1)");
    terminal.press(&["/"]);
    "yourturn"
        .chars()
        .for_each(|c| terminal.press(&["-l", &c.to_string()]));
    terminal.wait_for_text("no live session matches `yourturn`");
    terminal.press(&["C-u"]);
    terminal.press(&["-l", "DONE"]);
    terminal.wait_for(|screen| screen.contains("/DONE") && !screen.contains("WORKING (1)"));
    terminal.press(&["Enter"]);
    terminal.wait_for_text("by time  /DONE");
    terminal.press(&["c"]);
    let screen = terminal.wait_for_text("claude --resume s-done");
    let command = screen.lines().skip(2).take_while(|line| !line.is_empty());
    let command: String = command.collect();
    let expected = format!(
        "cd {} && claude --resume s-done",
        sandbox.project().display()
    );
    assert_eq!(command, expected);
    wait_until(|| !terminal.tmux(&["list-buffers"]).is_empty());
    assert_eq!(terminal.tmux(&["show-buffer"]).trim_end(), expected);
    terminal.press(&["Escape"]);
    terminal.wait_for_text("DONE (1)");
    terminal.press(&["Escape"]);
    terminal.wait_for_text("WORKING (1)");
    terminal.press(&["s"]);
    terminal.wait_for_text("by title");
    terminal.press(&["?"]);
    terminal.wait_for_text("copy the command that resumes the session");
    terminal.press(&["Escape"]);
    terminal.wait_for_text("WORKING (1)");
    terminal.press(&["q"]);
    terminal.wait_for_text("status 0");
    assert_restored(&sandbox, &terminal);
}

#[test]
fn it_waits_for_the_first_session_ever() {
    let sandbox = Sandbox::new();
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
        return;
    };
    terminal.wait_for_text("nothing has been recorded yet; see `ccsession doctor`");
    terminal.press(&["?"]);
    terminal.wait_for_text("copy the command");
    terminal.press(&["q"]);
    let _client = Client::start(&sandbox, "s-1");
    terminal.wait_for_text("DONE (1)");
}
