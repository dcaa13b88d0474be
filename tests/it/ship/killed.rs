//! `ship` that is killed at any moment, and a collector that answers at random: at the end the
//! collector has everything, and nothing twice.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{NOVEMBER, destinations, ship, shipped};
use crate::support::Sandbox;
use crate::support::sessions::WrittenSession;
use crate::support::sink::{Answer, Sink};
use crate::support::torture::by_form;

/// How long a run may take to its first request, and then from one to the next. After a failure it
/// waits for seconds, and shows nothing.
const START: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_millis(60);

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
fn a_ship_killed_at_any_moment_loses_and_repeats_nothing() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let mut random = Random(1);
    let mut answers = Random(2);
    sink.answer(move || match answers.below(24) {
        0 => Answer::Status(500),
        1 => Answer::Later(429),
        2 => Answer::Later(503),
        3 => Answer::HangUp,
        4 => Answer::TakenInSilence,
        5 => Answer::TakenInPart,
        6 => Answer::Status(400),
        7 => Answer::Hang,
        8 => Answer::TakenAndDenied(500),
        9 => Answer::TakenAndDenied(400),
        10 => Answer::TakenWithPage,
        11 => Answer::TakenAndBrokenOff,
        _ => Answer::Taken,
    });
    let mut sessions: Vec<WrittenSession> = (0..8)
        .map(|number| WrittenSession::begin(&sandbox, number, NOVEMBER + i64::from(number)))
        .collect();
    for session in &mut sessions {
        session.call(200);
    }
    let kills = by_form(40, 1000);
    let mut amid = 0;
    for kill in 0..kills {
        let before = sink.asked();
        let mut run = ship(&sandbox, &[]);
        run.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = run.command.spawn().unwrap();
        // Some are killed at any time, and most after some requests, or when nothing happens any more.
        let requests = usize::try_from(random.below(4)).unwrap();
        let mut last = (Instant::now(), before);
        while child.try_wait().unwrap().is_none() {
            let asked = sink.asked();
            if asked != last.1 {
                last = (Instant::now(), asked);
            }
            let patience = if asked == before { START } else { BETWEEN };
            if asked - before >= requests || last.0.elapsed() > patience {
                break;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        std::thread::sleep(Duration::from_micros(random.below(3_000)));
        let is_early = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        child.wait().unwrap();
        amid += usize::from(is_early && sink.asked() > before);
        // There is always something new, and now and then several batches of it.
        let at = usize::try_from(random.below(8)).unwrap();
        let calls = if kill % 20 == 19 {
            100
        } else {
            1 + random.below(3)
        };
        sessions[at].call(i64::try_from(calls).unwrap());
    }
    // Otherwise the kills would all have been too early or too late to show anything.
    assert!(
        amid * 20 >= kills,
        "{amid} of {kills} were amid the sending"
    );
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
