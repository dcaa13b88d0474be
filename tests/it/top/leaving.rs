//! However the board ends, it leaves the terminal as it was.

use std::fs;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{SIZE, assert_restored, script};
use crate::support::clients::Client;
use crate::support::tmux::Tmux;
use crate::support::{CCSESSION, Sandbox, wait_until};

fn pid(sandbox: &Sandbox) -> Pid {
    let text = fs::read_to_string(sandbox.path("pid")).unwrap();
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
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
