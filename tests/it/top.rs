//! The board, in a real terminal: what it shows, what keys do, and that the terminal is as it was, however the board ends.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use super::support::states::age;
use super::support::tmux::Tmux;
use super::support::{CCSESSION, Sandbox, event, hook_for, text, wait_until};

const SIZE: (u16, u16) = (80, 24);

/// A Claude Code of its own for a session: a shell that runs the hooks.
struct Client {
    shell: Child,
    answers: BufReader<ChildStdout>,
}

impl Client {
    fn new(sandbox: &Sandbox) -> Self {
        let mut run = sandbox.run("/bin/sh");
        let command = run.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let answers = BufReader::new(shell.stdout.take().unwrap());
        Self { shell, answers }
    }

    fn hook(&mut self, sandbox: &Sandbox, id: &str, name: &str, more: Value) {
        let payload = sandbox.path("payload");
        fs::write(&payload, event(name, id, more).to_string()).unwrap();
        let (hook, payload) = (hook_for(name), payload.display());
        let line = format!("CLAUDE_PID=$$ {hook} < {payload}; echo $?\n");
        let stdin = self.shell.stdin.as_mut().unwrap();
        stdin.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "0\n", "{name}");
    }

    /// Starts a session of this client.
    fn start(sandbox: &Sandbox, id: &str) -> Self {
        let mut client = Self::new(sandbox);
        client.hook(sandbox, id, "SessionStart", json!({"source": "startup"}));
        client
    }

    /// Starts a session that works on a call.
    fn at_work(sandbox: &Sandbox, id: &str, what: &str) -> Self {
        let mut client = Self::start(sandbox, id);
        // It is called by its first prompt.
        client.hook(sandbox, id, "UserPromptSubmit", json!({"prompt": id}));
        client.hook(sandbox, id, "PreToolUse", bash("t1", what));
        client
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn bash(id: &str, what: &str) -> Value {
    json!({"tool_name": "Bash", "tool_use_id": id, "tool_input": {"description": what, "command": "make"}})
}

/// The board, and after it its exit status. The modes of the terminal before and after are in files.
fn script(arguments: &str) -> String {
    format!(
        "cd \"$HOME/..\"\nstty -a > before\n\
         sh -c 'echo $$ > pid; exec {CCSESSION} top {arguments}'\n\
         echo \"status $?\"\nstty -a > after.new\nmv after.new after\nexec sleep 600\n"
    )
}

fn pid(sandbox: &Sandbox) -> Pid {
    let text = fs::read_to_string(sandbox.path("pid")).unwrap();
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
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
    let mut work = Client::at_work(&sandbox, "s-work", "Run the tests");
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
    let screen = terminal.wait_for_text("1 call (1 failed)");
    assert!(screen.contains("WORKING (1)"), "{screen}");
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
    let client = Client::at_work(&sandbox, "s-1", "Run the tests");
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
fn the_numbers_are_those_of_the_timeline() {
    let sandbox = Sandbox::new();
    let mut client = Client::start(&sandbox, "s-1");
    for turn in 0..300 {
        client.hook(&sandbox, "s-1", "UserPromptSubmit", json!({"prompt": "go"}));
        for call in 0..2 {
            let id = format!("t{turn}-{call}");
            client.hook(&sandbox, "s-1", "PreToolUse", bash(&id, "make"));
            let is_failure = turn % 10 == 0;
            let end = if is_failure {
                "PostToolUseFailure"
            } else {
                "PostToolUse"
            };
            client.hook(&sandbox, "s-1", end, bash(&id, "make"));
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
    let mut work = Client::at_work(&sandbox, "s-work", "Run the tests");
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
fn esc_and_control_c_leave_the_board() {
    for (key, status) in [("Escape", "status 0"), ("C-c", "")] {
        let sandbox = Sandbox::new();
        let _client = Client::start(&sandbox, "s-1");
        let script = script("").replace("stty -a > before", "trap : INT; stty -a > before");
        let Some(terminal) = Tmux::start(&sandbox, SIZE, &script) else {
            return;
        };
        terminal.wait_for_text("DONE (1)");
        terminal.press(&[key]);
        terminal.wait_for_text(if status.is_empty() {
            "status 130"
        } else {
            status
        });
        assert_restored(&sandbox, &terminal);
    }
}

#[test]
fn every_signal_that_ends_it_leaves_the_terminal_as_it_was() {
    let sandbox = Sandbox::new();
    let _client = Client::start(&sandbox, "s-1");
    for signal in [
        Signal::TERM,
        Signal::INT,
        Signal::HUP,
        Signal::QUIT,
        Signal::USR1,
        Signal::ALARM,
    ] {
        let _ = fs::remove_file(sandbox.path("after"));
        let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
            return;
        };
        terminal.wait_for_text("DONE (1)");
        assert_eq!(terminal.value("alternate_on"), "1");
        kill_process(pid(&sandbox), signal).unwrap();
        terminal.wait_for_text(&format!("status {}", 128 + signal.as_raw()));
        assert_restored(&sandbox, &terminal);
    }
}

#[test]
fn it_can_be_stopped_and_continued() {
    let sandbox = Sandbox::new();
    let _client = Client::start(&sandbox, "s-1");
    let shell = "cd \"$HOME/..\"; PS1='ready> ' exec bash --norc --noprofile -i\n";
    let Some(terminal) = Tmux::start(&sandbox, SIZE, shell) else {
        return;
    };
    terminal.wait_for_text("ready>");
    terminal.press(&["-l", &format!("stty -a > before; {CCSESSION} top")]);
    terminal.press(&["Enter"]);
    terminal.wait_for_text("DONE (1)");
    for _ in 0..2 {
        terminal.press(&["C-z"]);
        terminal.wait_for_text("Stopped");
        assert_eq!(terminal.value("alternate_on"), "0");
        assert_eq!(terminal.value("cursor_flag"), "1");
        terminal.press(&["-l", "clear; fg"]);
        terminal.press(&["Enter"]);
        terminal.wait_for_text("DONE (1)");
        assert_eq!(terminal.value("alternate_on"), "1");
    }
    terminal.press(&["q"]);
    terminal.wait_for(|screen| !screen.contains("DONE"));
    terminal.press(&["-l", "stty -a > after.new; mv after.new after"]);
    terminal.press(&["Enter"]);
    assert_restored(&sandbox, &terminal);
}

#[test]
fn it_fits_the_terminal_after_each_resize() {
    let sandbox = Sandbox::new();
    let _client = Client::at_work(&sandbox, "s-1", "Run the tests");
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
        return;
    };
    for (width, height) in [(120, 40), (40, 12), (200, 60), (12, 2), (80, 24)] {
        let size = [width.to_string(), height.to_string()];
        terminal.tmux(&["resize-window", "-x", &size[0], "-y", &size[1]]);
        // The last line is the board's, and nothing of another size is left.
        let rules = if height >= 14 { vec![width] } else { vec![] };
        terminal.wait_for(|screen| {
            let last = screen.lines().last().unwrap_or_default();
            let is_whole = screen.lines().count() == height && last.starts_with("Enter");
            let of_screen = screen.lines().filter(|line| line.starts_with('─'));
            let of_screen: Vec<usize> = of_screen.map(|line| line.chars().count()).collect();
            is_whole && of_screen == rules && screen.contains("BRANCH") == (width >= 116)
        });
    }
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    for ignored in ["", "trap '' HUP\n"] {
        let sandbox = Sandbox::new();
        let _client = Client::start(&sandbox, "s-1");
        let Some(terminal) = Tmux::start(&sandbox, SIZE, &format!("{ignored}{}", script("")))
        else {
            return;
        };
        terminal.wait_for_text("DONE (1)");
        let board = pid(&sandbox);
        drop(terminal);
        wait_until(|| test_kill_process(board).is_err());
    }
}

#[test]
fn without_colours_there_are_none_and_with_them_there_are() {
    let sandbox = Sandbox::new();
    let _client = Client::at_work(&sandbox, "s-1", "Run the tests");
    let has_colour = |script: &str| {
        let terminal = Tmux::start(&sandbox, SIZE, script)?;
        terminal.wait_for_text("q quit");
        let screen = terminal.coloured();
        let mut codes = screen
            .split("\x1b[")
            .filter_map(|part| part.split_once('m'));
        let is_colour = |code: &str| matches!(code.parse(), Ok(30..=38 | 90..=97));
        Some(codes.any(|(codes, _)| codes.split(';').any(is_colour)))
    };
    let Some(by_default) = has_colour(&script("")) else {
        return;
    };
    assert!(by_default);
    assert_eq!(has_colour(&script("--color never")), Some(false));
    assert_eq!(
        has_colour(&format!("export NO_COLOR=1\n{}", script(""))),
        Some(false)
    );
}

#[test]
fn in_a_locale_without_other_letters_it_draws_with_ascii() {
    let sandbox = Sandbox::new();
    let _client = Client::at_work(&sandbox, "s-1", "Prüfe das 日本語");
    let script = format!("export LC_ALL=C\n{}", script(""));
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script) else {
        return;
    };
    let screen = terminal.wait_for_text("WORKING (1)");
    assert!(screen.is_ascii(), "{screen}");
    assert!(screen.contains("----------") && screen.contains("Bash: Pr?fe das ???"));
}

#[test]
fn where_no_board_can_be_shown_it_says_what_to_do() {
    let sandbox = Sandbox::new();
    let _client = Client::start(&sandbox, "s-1");
    let said = sandbox.ccsession(["top"]).refused(1);
    assert_eq!(
        said,
        "ccsession: could not show the board: it needs a terminal for input and output; use `ccsession list`"
    );
    for (term, is_shown) in [("dumb", false), ("", false), ("vt100", true)] {
        let script = format!("export TERM={term}\n{}", script(""));
        let Some(terminal) = Tmux::start(&sandbox, SIZE, &script) else {
            return;
        };
        if is_shown {
            terminal.wait_for_text("DONE (1)");
        } else {
            let screen = terminal.wait_for_text("status 1");
            let screen: String = screen.lines().collect();
            assert!(screen.contains("use `ccsession list`"), "{screen}");
        }
    }
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
