//! Fuzzes the hook's scanner and the event that the hook makes of a payload. They are private to
//! the hook, so this target compiles their sources.

#![no_main]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "only a part of these sources of the hook is used"
)]

use ccsession::{claude, model};

#[path = "../../src/hook/body.rs"]
mod body;
#[path = "../../src/hook/scan.rs"]
mod scan;
#[path = "../../src/hook/wire.rs"]
mod wire;

use model::{Capture, Event};
use scan::{Progress, Scanner};

/// The longest journal line, in bytes: a body has at most 128 KiB, and every other member is
/// bounded.
const MAX_LINE: usize = 1 << 20;

/// Returns whether `json` has a floating-point number: it is read as the nearest one, and may be
/// written in another form.
fn has_float(json: &[u8]) -> bool {
    fn is_in(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Number(number) => number.is_f64(),
            serde_json::Value::Array(items) => items.iter().any(is_in),
            serde_json::Value::Object(members) => members.values().any(is_in),
            _ => false,
        }
    }
    serde_json::from_slice(json).is_ok_and(|value| is_in(&value))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The first byte says into pieces of how many bytes the rest is cut.
    let Some((&piece, text)) = data.split_first() else {
        return;
    };
    for capture in [Capture::Metadata, Capture::Summary, Capture::Full] {
        let scanned = |piece: usize| {
            let mut scan = Scanner::new(wire::plan_for(capture));
            text.chunks(piece).for_each(|piece| scan.feed(piece));
            scan
        };
        let (whole, pieces) = (scanned(text.len().max(1)), scanned(usize::from(piece) + 1));
        assert_eq!(whole.progress(), pieces.progress());
        assert_eq!(whole.size(), text.len() as u64);
        if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text).is_ok() {
            assert_eq!(whole.progress(), Progress::Complete);
        }
        let payload = wire::Payload::new(pieces);
        let members = whole.into_members();
        assert_eq!(members, {
            let mut scan = Scanner::new(wire::plan_for(capture));
            text.chunks(7).for_each(|piece| scan.feed(piece));
            scan.into_members()
        });
        let _ = (payload.claim(), payload.cwd(), payload.is_subagent());
        let name = payload.event_name().unwrap_or_else(|| "Stop".to_owned());
        let line = payload.event(&name, capture).encode();
        assert!(line.len() < MAX_LINE && !line.contains(&b'\n'));
        let event = Event::decode(&line).expect("what a hook writes can be read");
        if !has_float(&line) {
            assert_eq!(event.encode(), line);
        }
    }
});
