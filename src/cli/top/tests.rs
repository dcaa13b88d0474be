//! The board as it looks, in every size that people use, and what keys do to it.

mod day;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::canvas::Skin;
use super::keys::Key;
use super::model::{Board, BoardLine, KeyEffect, Page};
use super::text_page::TextPage;
use super::view::{body_height, render};
use crate::cli::board::{CallCounts, Group, SortKey};
use crate::model::SessionId;
use crate::model::attention::{Attention, Need};
use day::{ASCII, COLOUR, NONE, call, day, facts, id, now, waits};

fn drawn(board: &mut Board, width: u16, height: u16, skin: Skin) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    board.fit(body_height(&board.page, usize::from(height)));
    terminal
        .draw(|frame| render(board, now(), skin, frame.buffer_mut()))
        .unwrap();
    terminal.backend().buffer().clone()
}

/// The SGR codes of a cell's style.
fn codes(cell: &Cell) -> String {
    let modifiers = [
        (Modifier::BOLD, "1"),
        (Modifier::UNDERLINED, "4"),
        (Modifier::REVERSED, "7"),
    ];
    let colour = match cell.fg {
        Color::Reset => None,
        Color::Red => Some("31"),
        Color::Green => Some("32"),
        Color::Yellow => Some("33"),
        Color::Cyan => Some("36"),
        Color::DarkGray => Some("90"),
        other => panic!("{other}"),
    };
    let modifiers = modifiers
        .iter()
        .filter(|(it, _)| cell.modifier.contains(*it));
    let codes: Vec<&str> = modifiers.map(|(_, code)| *code).chain(colour).collect();
    codes.join(";")
}

/// The screen as text, with the styles as a terminal reads them.
fn ansi(buffer: &Buffer) -> String {
    let mut text = String::new();
    let width = usize::from(buffer.area.width);
    for cells in buffer.content.chunks(width.max(1)) {
        let (mut line, mut before) = (String::new(), String::new());
        let mut column = 0;
        while let Some(cell) = cells.get(column) {
            let now = codes(cell);
            if now != before {
                line += &match now.as_str() {
                    "" => "\x1b[0m".to_owned(),
                    now if before.is_empty() => format!("\x1b[{now}m"),
                    now => format!("\x1b[0m\x1b[{now}m"),
                };
                before = now;
            }
            line += cell.symbol();
            column += cell.symbol().width().max(1);
        }
        if !before.is_empty() {
            line += "\x1b[0m";
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn text(buffer: &Buffer) -> String {
    let styled = ansi(buffer);
    let mut parts = styled.split("\x1b[");
    let first = parts.next().unwrap().to_owned();
    let text = parts.fold(first, |text, part| text + part.split_once('m').unwrap().1);
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// Compares a screen with the one on record. `CCSESSION_DRAW=1` records it.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test records what it expects")]
fn check(name: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/top")
        .join(name);
    if std::env::var_os("CCSESSION_DRAW").is_some() {
        std::fs::write(&path, screen).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(screen, expected, "{name}: see `just picture`\n{screen}");
}

#[test]
fn the_board_looks_as_recorded_in_every_size() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let buffer = drawn(&mut day(), width, height, COLOUR);
        check(&format!("{width}x{height}.ansi"), &ansi(&buffer));
        let plain = drawn(&mut day(), width, height, NONE);
        assert_eq!(text(&plain), text(&buffer), "colours move nothing");
        check(&format!("{width}x{height}.txt"), &text(&plain));
    }
    for (width, height) in [(40, 24), (40, 12), (80, 6)] {
        let buffer = drawn(&mut day(), width, height, NONE);
        check(&format!("{width}x{height}.txt"), &text(&buffer));
    }
    let buffer = drawn(&mut day(), 80, 24, NONE);
    check("80x24-plain.ansi", &ansi(&buffer));
    let buffer = drawn(&mut day(), 80, 24, ASCII);
    assert!(text(&buffer).is_ascii());
    check("80x24-ascii.txt", &text(&buffer));
}

#[test]
fn without_colour_there_is_none() {
    for cell in &drawn(&mut day(), 120, 40, NONE).content {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
}

#[test]
fn an_empty_board_says_what_would_fill_it() {
    let mut board = Board::default();
    let screen = |board: &mut Board| text(&drawn(board, 80, 24, NONE));
    assert!(screen(&mut board).contains("nothing has been recorded yet; see `ccsession doctor`"));
    board.has_record = true;
    assert!(screen(&mut board).contains("no session is live; start `claude` in a project"));
    let mut board = day();
    type_filter(&mut board, "nowhere");
    assert!(screen(&mut board).contains("no live session matches `nowhere`"));
}

#[test]
fn other_pages_look_as_recorded() {
    let mut board = day();
    board.press(Key::Char('?'));
    check("help.txt", &text(&drawn(&mut board, 80, 24, NONE)));
    board.press(Key::Escape);
    let effect = board.press(Key::Char('c'));
    let command = format!("cd /home/dev/api && claude --resume {}", id(2));
    assert_eq!(effect, KeyEffect::Copy(command.clone()));
    let screen = text(&drawn(&mut board, 40, 24, NONE));
    assert_eq!(screen.lines().skip(2).take(2).collect::<String>(), command);
    board.press(Key::Char('x'));
    let page = TextPage::at_end("one\n\x1b[31mtwo\x1b[0m\n");
    board.page = Page::Timeline(id(2), page);
    let screen = ansi(&drawn(&mut board, 80, 24, COLOUR));
    assert!(screen.contains("\none\n\x1b[31mtwo\x1b[0m\n"), "{screen}");
    let screen = text(&drawn(&mut board, 80, 24, NONE));
    assert!(screen.contains("\none\ntwo\n"), "{screen}");
    assert!(
        screen.starts_with("timeline: Which database do we want"),
        "{screen}"
    );
}

#[test]
fn a_directory_that_would_act_on_a_terminal_is_copied_as_escapes() {
    let mut board = Board::default();
    let resume = "claude --resume 00000001-1111-4222-8333-444455556666";
    for (project, directory) in [
        ("a b'c", r"'/home/dev/a b'\''c'"),
        ("a\u{3}rm -r x", r"$'/home/dev/a\003rm -r x'"),
        ("a\nrm -r x", r"$'/home/dev/a\012rm -r x'"),
    ] {
        board.update(|it| it.observe(vec![facts(1, "", project, "")], now()));
        let command = format!("cd {directory} && {resume}");
        assert_eq!(board.press(Key::Char('c')), KeyEffect::Copy(command));
        board.press(Key::Escape);
    }
}

fn type_filter(board: &mut Board, words: &str) {
    board.press(Key::Char('/'));
    words.chars().for_each(|c| drop(board.press(Key::Char(c))));
    board.press(Key::Enter);
}

fn titles(board: &Board) -> Vec<&str> {
    board.shown().map(|it| it.facts.title.as_str()).collect()
}

#[test]
fn a_filter_finds_title_project_branch_tool_and_state() {
    let cases = [
        ("PUBLISH", vec!["Publish the crate"]),
        ("spike", vec!["Old idea"]),
        ("docs", vec!["Write the manual 📖"]),
        ("grep", vec!["00000005"]),
        ("plan", vec!["検索を速くする"]),
        ("shop login", vec!["Fix the login"]),
        ("速い", vec!["検索を速くする"]),
        ("needs shop", vec!["Publish the crate", "Fix the login"]),
        ("error", vec!["Fix the login"]),
    ];
    for (words, expected) in cases {
        let mut board = day();
        type_filter(&mut board, words);
        assert_eq!(titles(&board), expected, "{words}");
        board.press(Key::Escape);
        assert_eq!(titles(&board).len(), 8);
    }
}

#[test]
fn esc_restores_the_filter_and_backspace_removes_a_letter() {
    let mut board = day();
    type_filter(&mut board, "shop");
    board.press(Key::Char('/'));
    board.press(Key::Char('x'));
    assert_eq!(board.shown().count(), 0);
    board.press(Key::Backspace);
    assert_eq!(board.shown().count(), 3);
    board.press(Key::Clear);
    assert_eq!(board.shown().count(), 8);
    board.press(Key::Escape);
    assert_eq!(board.filter, "shop");
}

#[test]
fn each_sort_orders_the_sessions_of_a_group() {
    let mut board = day();
    let first = |board: &Board| titles(board)[0].to_owned();
    let mut seen = vec![];
    for _ in 0..5 {
        seen.push((board.sort, first(&board)));
        board.press(Key::Char('s'));
    }
    assert_eq!(board.sort, SortKey::Time);
    let expected = [
        (
            SortKey::Time,
            "Which database do we want for the search index?",
        ),
        (SortKey::Title, "Fix the login"),
        (
            SortKey::Project,
            "Which database do we want for the search index?",
        ),
        (SortKey::Calls, "Fix the login"),
        (SortKey::Tokens, "Fix the login"),
    ];
    assert_eq!(seen, expected.map(|(sort, title)| (sort, title.to_owned())));
}

#[test]
fn the_selection_stays_with_its_session() {
    let mut board = day();
    board.press(Key::End);
    board.press(Key::Char('k'));
    let selected = |board: &Board| board.selected().map(|it| it.facts.title.clone());
    let title = Some("Write the manual 📖".to_owned());
    assert_eq!(selected(&board), title);
    board.press(Key::Char('s'));
    assert_eq!(selected(&board), title);
    let mut live: HashSet<SessionId> = (1..=8).map(id).collect();
    live.remove(&id(1));
    board.update(|it| it.keep(&live));
    assert_eq!(selected(&board), title);
    // The one that comes to its place is selected when it is gone.
    live.remove(&id(7));
    board.update(|it| it.keep(&live));
    assert_eq!(selected(&board).as_deref(), Some("Old idea"));
    board.update(|it| it.keep(&HashSet::new()));
    assert_eq!(selected(&board), None);
    for key in [Key::Up, Key::Down, Key::End, Key::Enter, Key::Char('c')] {
        assert_eq!(board.press(key), KeyEffect::Draw);
    }
}

#[test]
fn only_what_changes_its_group_moves() {
    let mut board = day();
    let before: Vec<SessionId> = board.shown().map(|it| it.facts.id.clone()).collect();
    // Calls, ages and numbers change.
    let work = facts(5, "", "infra", "").with_present(
        false,
        Attention::default(),
        vec![call("Read", "main.tf", 0)],
    );
    board.update(|it| it.observe(vec![work.clone()], now()));
    let many = CallCounts {
        calls: 99_999,
        failed: 9,
    };
    board.update(|it| it.set_counts(&id(5), many));
    let order =
        |board: &Board| -> Vec<SessionId> { board.shown().map(|it| it.facts.id.clone()).collect() };
    assert_eq!(order(&board), before);
    // It asks: now it is the last of those that wait, and nothing else moves.
    let asks = work
        .clone()
        .with_present(false, waits(Need::Permission, 0, "Read", ""), vec![]);
    board.update(|it| it.observe(vec![asks], now()));
    let without = |ids: Vec<SessionId>| -> Vec<SessionId> {
        ids.into_iter().filter(|it| *it != id(5)).collect()
    };
    assert_eq!(without(order(&board)), without(before));
    assert_eq!(board.count(Group::NeedsYou), 5);
    let waiting = board
        .shown()
        .filter(|it| it.group == Group::NeedsYou)
        .last();
    assert_eq!(waiting.unwrap().facts.id, id(5));
}

#[test]
fn a_tick_changes_no_cell_but_those_of_ages() {
    let mut board = day();
    let at = |board: &mut Board, seconds: u64| {
        let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 80, 24));
        board.fit(body_height(&board.page, 24));
        let now = now().after(Duration::from_secs(seconds));
        render(board, now, COLOUR, &mut buffer);
        buffer
    };
    let (before, after) = (at(&mut board, 0), at(&mut board, 1));
    let changed = before.diff(&after);
    assert!(!changed.is_empty());
    let details = 24 - 3;
    for (column, line, _) in changed {
        let is_age = (13..20).contains(&column) || line == details;
        assert!(is_age, "column {column}, line {line}");
    }
}

#[test]
fn a_list_that_is_longer_than_the_screen_scrolls_no_further_than_needed() {
    let mut board = Board::default();
    let sessions = (0..100).map(|number| facts(number, "", "shop", ""));
    board.update(|it| it.observe(sessions.collect(), now()));
    board.fit(10);
    let first = |board: &Board| match board.visible()[0] {
        BoardLine::Heading(group, count) => format!("{group:?} {count}"),
        BoardLine::Session(session) => session.facts.title.clone(),
    };
    assert_eq!(first(&board), "Working 100");
    (0..8).for_each(|_| drop(board.press(Key::Down)));
    board.fit(10);
    assert_eq!(first(&board), "Working 100");
    board.press(Key::Down);
    board.fit(10);
    assert_eq!(first(&board), "00000000");
    board.press(Key::Up);
    board.fit(10);
    assert_eq!(first(&board), "00000000");
    board.press(Key::End);
    board.fit(10);
    assert_eq!(board.visible().len(), 10);
    assert_eq!(first(&board), "0000005a");
    board.press(Key::Home);
    board.fit(10);
    assert_eq!(first(&board), "Working 100");
}

proptest! {
    #[test]
    fn no_size_no_title_and_no_keys_stop_the_board(
        width in 0u16..220,
        height in 0u16..70,
        title in "\\PC{0,60}",
        hostile in any::<String>(),
        presses in proptest::collection::vec(any::<char>(), 0..12),
        is_ascii in any::<bool>(),
    ) {
        let mut board = day();
        board.update(|it| it.observe(vec![facts(1, &title, &hostile, &hostile)], now()));
        for c in presses {
            board.press(match c {
                'a'..='h' => Key::Enter,
                'i'..='p' => Key::Down,
                'A'..='M' => Key::Escape,
                'N'..='Z' => Key::PageUp,
                c => Key::Char(c),
            });
            let buffer = drawn(&mut board, width, height, Skin { is_ascii, ..COLOUR });
            for cell in &buffer.content {
                prop_assert!(!cell.symbol().chars().any(char::is_control));
            }
        }
    }
}
