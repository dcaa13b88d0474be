//! A day's sessions, for the tests of the board.

use crate::cli::board::{CallCounts, SessionFacts};
use crate::cli::top::canvas::Skin;
use crate::cli::top::model::Board;
use crate::identity::open_calls::OpenCall;
use crate::model::attention::{Attention, Need};
use crate::model::{Project, Record, SessionId, Timestamp};

pub(super) const COLOUR: Skin = Skin {
    colour: true,
    is_plain: false,
    is_ascii: false,
};
pub(super) const NONE: Skin = Skin {
    colour: false,
    is_plain: false,
    is_ascii: false,
};
pub(super) const ASCII: Skin = Skin {
    colour: false,
    is_plain: true,
    is_ascii: true,
};

pub(super) fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T14:00:00Z").unwrap()
}

pub(super) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_micros(now().micros() - seconds * 1_000_000)
}

pub(super) fn id(number: u32) -> SessionId {
    let id = format!("{number:08x}-1111-4222-8333-444455556666");
    id.parse().unwrap()
}

pub(super) fn facts(number: u32, title: &str, project: &str, branch: &str) -> SessionFacts {
    let project = Project::at(format!("/home/dev/{project}").into());
    let mut record = Record::new(id(number), &project, ago(7200 - i64::from(number)));
    let title = Some(title).filter(|title| !title.is_empty());
    let head = crate::model::record::Head {
        branch: Some(branch.to_owned()),
        revision: None,
    };
    record.head = Some(head).filter(|head| head.branch.as_deref() != Some(""));
    SessionFacts::new(&record, title, vec![4711 + number], Some(ago(5)))
}

pub(super) fn waits(state: Need, seconds: i64, tool: &str, what: &str) -> Attention {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Attention {
        state,
        since: Some(ago(seconds)),
        tool: text(tool),
        what: text(what),
        ..Attention::default()
    }
}

pub(super) fn call(tool: &str, what: &str, seconds: i64) -> OpenCall {
    OpenCall {
        tool: Some(tool.to_owned()),
        what: Some(what.to_owned()),
        since: Some(ago(seconds)),
        asked: None,
        agent_id: None,
        tool_use_id: format!("{tool}-{seconds}"),
    }
}

/// A day's sessions: every group, every need, titles of all kinds.
pub(super) fn day() -> Board {
    let none = Attention::default;
    let mut board = Board::default();
    board.has_record = true;
    let sessions = [
        facts(1, "Publish the crate", "shop", "release-2.1").with_present(
            false,
            waits(Need::Permission, 200, "Bash", "cargo publish --dry-run"),
            vec![call("Bash", "cargo publish --dry-run", 201)],
        ),
        facts(
            2,
            "Which database do we want for the search index?",
            "api",
            "main",
        )
        .with_present(
            true,
            waits(Need::Question, 4000, "AskUserQuestion", "Which database?"),
            vec![],
        ),
        facts(3, "検索を速くする", "検索", "feature/速い").with_present(
            false,
            waits(Need::Plan, 42, "ExitPlanMode", ""),
            vec![],
        ),
        facts(4, "Fix the login", "shop", "fix-login").with_present(
            false,
            waits(Need::Error, 61, "", "rate_limit"),
            vec![],
        ),
        facts(5, "", "infra", "").with_present(
            false,
            none(),
            vec![
                call("Task", "Look at the logs", 300),
                call("Grep", "timeout", 20),
                call("Bash", "terraform plan -out plan.bin", 12),
            ],
        ),
        facts(6, "Speed up the tests", "shop", "main").with_present(false, none(), vec![]),
        facts(7, "Write the manual 📖", "docs", "main").with_present(
            false,
            Attention {
                background: 2,
                ..waits(Need::Prompt, 754, "", "")
            },
            vec![],
        ),
        facts(8, "Old idea", "api", "spike").with_present(
            true,
            waits(Need::Prompt, 3 * 86400 + 7200, "", ""),
            vec![],
        ),
    ];
    let mut sessions = Vec::from(sessions);
    sessions[7].last_activity = ago(3 * 86400 + 7200);
    board.update(|it| it.observe(sessions, now()));
    for number in 1..=8 {
        let id = id(u32::try_from(number).unwrap());
        let counts = CallCounts {
            calls: 7 * number * number * number * number,
            failed: number % 3,
        };
        board.update(|it| it.set_counts(&id, counts));
        if number != 6 {
            board.update(|it| it.set_tokens(&id, 31_000 * number * number * number));
        }
    }
    board
}
