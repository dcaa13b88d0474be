//! Measures the removal of thousands of stale pointers, beside the plainest program that removes as
//! many files.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::PRE_PAYLOAD;
use crate::case::{Case, Proof};
use crate::crowd;
use crate::surroundings::ccsession;

/// The number of stale pointers, and of sessions that have ended.
const MANY: usize = 10_000;
const ROUNDS: usize = 5;
/// The most that `cleanup` may take, as a multiple of the time `find` needs to delete the same
/// pointers.
const MOST: f64 = 3.0;

/// Prints the comparison and returns whether the budget was kept.
pub(crate) fn report(place: &Path, judge: bool) -> bool {
    let nothing = Proof::Stdout(String::new());
    let case = Case::new(
        place,
        "sweeping",
        &[ccsession(), "cleanup"],
        PRE_PAYLOAD,
        nothing,
    );
    crowd::ended(&case, MANY);
    let pointers = case.path("pointers");
    let folder = pointers
        .to_str()
        .expect("the target directory's name is text");
    let find = [
        "find",
        folder,
        "-name",
        "claude_session_*",
        "-type",
        "f",
        "-mtime",
        "+0",
        "-delete",
    ];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (command, times) in [
            (&find[..], &mut theirs),
            (&[ccsession(), "cleanup"], &mut ours),
        ] {
            let fresh = stale_pointers(&pointers);
            let began = Instant::now();
            case.aside(command, "");
            times.push(began.elapsed());
            assert_eq!(entries(&pointers), fresh, "{command:?} left stale pointers");
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let verdict = match ratio <= MOST {
        _ if !judge => "",
        true => "ok",
        false => "OVER",
    };
    println!(
        "\ncleanup of {MANY} stale pointers among {MANY} ended sessions: {} ms, find -delete {} ms; {ratio:.2}   ≤ {MOST:.2}   {verdict}",
        ours.as_millis(),
        theirs.as_millis()
    );
    ratio <= MOST
}

/// Creates stale pointers beside the case's own, which is fresh. Returns how many are fresh.
fn stale_pointers(pointers: &Path) -> usize {
    let fresh = entries(pointers);
    let text = "2f09356b-a939-40a2-8915-584394440829\n2026-01-02T03:04:05.000000";
    let old = SystemTime::now() - Duration::from_secs(3 * 24 * 60 * 60);
    for number in 0..MANY {
        let path = pointers.join(format!("claude_session_stale-{number}"));
        fs::write(&path, text).unwrap();
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(old).unwrap();
    }
    fresh
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .copied()
        .expect("every round was measured")
}
