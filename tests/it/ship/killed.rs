//! `ship` that is killed at any moment, and a collector that answers at random: at the end the
//! collector has everything, and nothing twice.

use std::process::Stdio;
use std::time::Duration;

use super::{NOVEMBER, destinations, ship, shipped};
use crate::support::Sandbox;
use crate::support::sessions::WrittenSession;
use crate::support::sink::{Answer, Sink};
use crate::support::torture::by_form;

/// Random numbers, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's generator: its high bits are good enough here.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn killed_at_any_moment_nothing_is_missing_and_nothing_there_twice() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let mut random = Random(1);
    let mut answers = Random(2);
    sink.answer(move || match answers.below(16) {
        0 => Answer::Status(500),
        1 => Answer::Later(429),
        2 => Answer::Later(503),
        3 => Answer::HangUp,
        4 => Answer::TakenInSilence,
        5 => Answer::TakenInPart,
        6 => Answer::Status(400),
        _ => Answer::Taken,
    });
    let mut sessions: Vec<WrittenSession> = (0..8)
        .map(|number| WrittenSession::begin(&sandbox, number, NOVEMBER + i64::from(number)))
        .collect();
    for session in &mut sessions {
        session.call(200);
    }
    for _ in 0..by_form(40, 1000) {
        let mut run = ship(&sandbox, &[]);
        run.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = run.command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.below(60_000)));
        let _ = child.kill();
        child.wait().unwrap();
        for session in &mut sessions {
            if random.below(3) == 0 {
                session.call(i64::try_from(random.below(20)).unwrap());
            }
        }
    }
    sessions.iter().for_each(WrittenSession::end);
    sink.answer(|| Answer::Taken);
    shipped(&sandbox);
    let collected = sink.collected();

    let complete = Sink::new();
    destinations(&sandbox, &[("complete", &complete)]);
    shipped(&sandbox);
    let all = complete.collected();
    assert_eq!(all.items, all.spans.len() + all.logs.len());
    for (id, span) in &all.spans {
        let has = collected.spans.get(id);
        assert!(
            has == Some(span) || collected.rejected.contains(id),
            "{id}: {span}"
        );
    }
    for (id, record) in &all.logs {
        let has = collected.logs.get(id);
        assert!(
            has == Some(record) || collected.rejected.contains(id),
            "{id}: {record}"
        );
    }
    // A call that was sent while it ran is not there under another id.
    assert!(collected.spans.keys().all(|id| all.spans.contains_key(id)));
    assert!(collected.logs.keys().all(|id| all.logs.contains_key(id)));
}
