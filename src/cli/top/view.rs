//! Draws the board into a buffer of cells. Pure.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::canvas::{Canvas, Skin};
use super::columns::{MARK, age, columns, state};
use super::model::{Board, BoardLine, Page};
use crate::cli::amount::{brief, plural};
use crate::cli::board::{BoardSession, Group};
use crate::model::Timestamp;
use crate::model::attention::Need;
use crate::model::text::escaped;
use crate::view::timeline::text::cut;

/// The least number of lines at which details of the selected session are shown below the list.
const TALL: usize = 14;
/// The least number of lines at which the columns have headings.
const MEDIUM: usize = 8;

/// Returns how many lines a screen of this height has for sessions, or for the text of a page.
pub(super) fn body_height(page: &Page, height: usize) -> usize {
    let rest = match page {
        Page::Sessions | Page::Filter { .. } => ListParts::of(height).around(),
        Page::Help(_) | Page::Command(_) | Page::Timeline(..) => 2,
    };
    height.saturating_sub(rest)
}

/// Which parts are shown around the list of sessions.
struct ListParts {
    has_headings: bool,
    has_details: bool,
}

impl ListParts {
    fn of(height: usize) -> Self {
        Self {
            has_headings: height >= MEDIUM,
            has_details: height >= TALL,
        }
    }

    /// Returns how many lines the parts take: the first and the last line always, one for the
    /// headings, four for the details and the rule above them.
    fn around(&self) -> usize {
        2 + usize::from(self.has_headings) + 4 * usize::from(self.has_details)
    }
}

/// Draws the board as it is at `now`.
pub(super) fn render(board: &Board, now: Timestamp, skin: Skin, buffer: &mut Buffer) {
    let mut canvas = Canvas::new(buffer, skin);
    match &board.page {
        Page::Sessions | Page::Filter { .. } => sessions(board, now, &mut canvas),
        Page::Help(_) => text(board, "ccsession top: keys", &mut canvas),
        Page::Timeline(id, _) => {
            let title = board.title_of(id).unwrap_or_default();
            let heading = format!("timeline: {title}");
            text(board, &heading, &mut canvas);
        }
        Page::Command(command) => resume(command, &mut canvas),
    }
}

fn sessions(board: &Board, now: Timestamp, canvas: &mut Canvas<'_>) {
    let (width, height) = (canvas.width, canvas.height);
    let parts = ListParts::of(height);
    heading(board, canvas);
    let mut line = 1;
    if parts.has_headings {
        for column in columns(width) {
            let text = column.kind.heading();
            let style = canvas.style(Color::Reset, Modifier::UNDERLINED);
            canvas.cell(
                column.start,
                line,
                column.width,
                text,
                column.kind.is_number(),
                style,
            );
        }
        line += 1;
    }
    let body = body_height(&board.page, height);
    let lines = board.visible();
    if lines.is_empty() && body > 0 {
        canvas.text(MARK, line, &nothing(board), Style::default());
    }
    for (place, shown) in lines.into_iter().take(body).enumerate() {
        match shown {
            BoardLine::Heading(group, count) => {
                let style = canvas.style(colour(group), Modifier::BOLD);
                let text = format!("{} ({count})", group.heading());
                canvas.text(0, line + place, &text, style);
            }
            BoardLine::Session(session) => {
                let is_selected = board.is_selected(session);
                row(session, is_selected, line + place, now, canvas);
            }
        }
    }
    if parts.has_details {
        let rule = "─".repeat(width);
        canvas.text(
            0,
            height - 5,
            &rule,
            canvas.style(Color::DarkGray, Modifier::empty()),
        );
        if let Some(session) = board.selected() {
            details(session, height - 4, now, canvas);
        }
    }
    if height > 1 {
        footer(board, height - 1, canvas);
    }
}

/// Draws the first line: the command's name, the number of sessions in each group, order and
/// filter.
fn heading(board: &Board, canvas: &mut Canvas<'_>) {
    let count = |group: &Group| (board.count(*group), *group);
    let counts = Group::ALL.iter().map(count);
    let counts: Vec<_> = counts.filter(|(count, _)| *count > 0).collect();
    let name = if canvas.width < 60 {
        ""
    } else {
        "ccsession top"
    };
    let bold = canvas.style(Color::Reset, Modifier::BOLD);
    let mut column = canvas.text(0, 0, name, bold);
    for (count, group) in counts {
        if column > 0 {
            column = canvas.text(column, 0, " · ", Style::default());
        }
        let style = canvas.style(colour(group), Modifier::empty());
        column = canvas.text(column, 0, &format!("{count} {}", group.name()), style);
    }
    let mut notes = vec![format!("by {}", board.sort.name())];
    if !board.filter.is_empty() && matches!(board.page, Page::Sessions) {
        notes.push(format!("/{}", board.filter));
    }
    let notes = escaped(&notes.join("  "));
    let room = canvas.width.saturating_sub(column + 2);
    let notes = cut(&notes, room);
    let start = canvas.width.saturating_sub(notes.width());
    canvas.text(start, 0, &notes, Style::default());
}

/// Says why the list is empty.
fn nothing(board: &Board) -> String {
    if board.total() > 0 {
        let filter = escaped(&board.filter);
        return format!("no live session matches `{filter}`; press / to change the filter");
    }
    if board.has_record {
        "no session is live; start `claude` in a project".to_owned()
    } else {
        "nothing has been recorded yet; see `ccsession doctor`".to_owned()
    }
}

fn row(
    session: &BoardSession,
    is_selected: bool,
    line: usize,
    now: Timestamp,
    canvas: &mut Canvas<'_>,
) {
    if is_selected {
        let style = canvas.style(Color::Reset, Modifier::BOLD);
        canvas.text(0, line, ">", style);
    }
    for column in columns(canvas.width) {
        use super::columns::ColumnKind as Kind;
        let is_failure =
            column.kind == Kind::Failed && session.counts.is_some_and(|it| it.failed > 0);
        let colour = match column.kind {
            Kind::State => colour_of(session),
            Kind::Failed if is_failure => Color::Red,
            _ => Color::Reset,
        };
        let style = canvas.style(colour, Modifier::empty());
        let text = column.kind.cell(session, now);
        canvas.cell(
            column.start,
            line,
            column.width,
            &text,
            column.kind.is_number(),
            style,
        );
    }
    if is_selected {
        canvas.reverse(line);
    }
}

/// Describes the selected session in three lines, more fully than its row does.
fn details(session: &BoardSession, line: usize, now: Timestamp, canvas: &mut Canvas<'_>) {
    let facts = &session.facts;
    let bold = canvas.style(Color::Reset, Modifier::BOLD);
    canvas.text(0, line, &facts.title, bold);
    let mut parts = vec![format!("{} {}", state(session), age(session.since(), now))];
    parts.extend(facts.doing());
    if let Some(counts) = session.counts {
        let failed = match counts.failed {
            0 => String::new(),
            failed => format!(" ({} failed)", brief(failed)),
        };
        parts.push(format!("{}{failed}", plural(counts.calls, "call")));
    }
    parts.extend(
        session
            .tokens
            .map(|tokens| format!("{} tokens", brief(tokens))),
    );
    if facts.attention.background > 0 && facts.doing().is_none_or(|it| !it.ends_with("background"))
    {
        parts.push(format!("{} in background", facts.attention.background));
    }
    canvas.text(0, line + 1, &parts.join(" · "), Style::default());
    let mut parts = vec![facts.id.to_string(), facts.project.clone()];
    parts.extend(facts.branch.clone());
    let pids = facts.pids.iter().map(|pid| format!("pid {pid}"));
    parts.extend(pids);
    parts.push(facts.root.clone());
    canvas.text(0, line + 2, &parts.join(" · "), Style::default());
}

fn footer(board: &Board, line: usize, canvas: &mut Canvas<'_>) {
    if let Page::Filter { .. } = board.page {
        let end = canvas.text(
            0,
            line,
            &format!("/{}", escaped(&board.filter)),
            Style::default(),
        );
        let reversed = canvas.style(Color::Reset, Modifier::REVERSED);
        canvas.text(end, line, " ", reversed);
        return;
    }
    if let Some(fault) = &board.fault {
        let style = canvas.style(Color::Red, Modifier::BOLD);
        canvas.text(0, line, &escaped(fault), style);
        return;
    }
    let keys = match canvas.width {
        ..60 => "Enter open  / filter  ? help  q quit",
        _ => "Enter timeline  / filter  s sort  c copy resume command  ? help  q quit",
    };
    canvas.text(
        0,
        line,
        keys,
        canvas.style(Color::DarkGray, Modifier::empty()),
    );
}

/// Draws a page of text.
fn text(board: &Board, heading: &str, canvas: &mut Canvas<'_>) {
    let bold = canvas.style(Color::Reset, Modifier::BOLD);
    canvas.text(0, 0, heading, bold);
    let body = body_height(&board.page, canvas.height);
    if let Some((page, top)) = board.text_page() {
        for (place, line) in page.lines.iter().skip(top).take(body).enumerate() {
            let (colour, line) = coloured(line);
            let style = canvas.style(colour, Modifier::empty());
            canvas.text(0, place + 1, line, style);
        }
        let last = (top + body).min(page.lines.len());
        let shown = format!(
            "{}-{last} of {}  j k scroll  q back",
            (top + 1).min(last),
            page.lines.len()
        );
        if canvas.height > 1 {
            let style = canvas.style(Color::DarkGray, Modifier::empty());
            canvas.text(0, canvas.height - 1, &shown, style);
        }
    }
}

/// Splits a line of a timeline into its colour and its text.
fn coloured(line: &str) -> (Color, &str) {
    let styled = line.strip_prefix("\x1b[").and_then(|rest| {
        let (code, text) = rest.strip_suffix("\x1b[0m")?.split_once('m')?;
        let colour = match code {
            "31" => Color::Red,
            "32" => Color::Green,
            "33" => Color::Yellow,
            "34" => Color::Blue,
            "35" => Color::Magenta,
            "36" => Color::Cyan,
            _ => Color::Reset,
        };
        Some((colour, text))
    });
    styled.unwrap_or((Color::Reset, line))
}

/// Shows the command that resumes a session. It begins at the left edge with nothing beside it, so
/// that it can be copied by hand.
fn resume(command: &str, canvas: &mut Canvas<'_>) {
    let bold = canvas.style(Color::Reset, Modifier::BOLD);
    canvas.text(0, 0, "To resume this session, run in a shell:", bold);
    let mut line = 2;
    let mut rest = String::new();
    for c in escaped(command).chars() {
        let longer = format!("{rest}{c}");
        if longer.width() > canvas.width && !rest.is_empty() {
            canvas.text(0, line, &rest, Style::default());
            line += 1;
            rest = c.to_string();
        } else {
            rest = longer;
        }
    }
    canvas.text(0, line, &rest, Style::default());
    let asked = "The terminal was asked to copy it; not every terminal does.";
    canvas.text(0, line + 2, asked, Style::default());
    if canvas.height > 1 {
        let style = canvas.style(Color::DarkGray, Modifier::empty());
        canvas.text(0, canvas.height - 1, "any key returns", style);
    }
}

fn colour(group: Group) -> Color {
    match group {
        Group::NeedsYou => Color::Yellow,
        Group::Working => Color::Green,
        Group::Done => Color::Cyan,
        Group::Idle => Color::DarkGray,
    }
}

fn colour_of(session: &BoardSession) -> Color {
    match session.facts.attention.state {
        Need::Error => Color::Red,
        _ => colour(session.group),
    }
}
