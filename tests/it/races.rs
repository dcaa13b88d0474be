//! Races over the pointer: stores against stores, readers, cleanups and ends. No reader may ever see half a pointer or none,
//! and no removal may take a pointer that was stored meanwhile.
//!
//! Short forms run by default; with `CCSESSION_TORTURE=full` (`just torture races`) the full ones do.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ccsession::model::{ProjectName, SessionId};
use ccsession::store::pointer::{Freshness, PointerReading, Pointers, Removal};
use ccsession::store::write::Durability;
use ccsession::store::{Decompressor, Error, Places, StateDir, clock};

use crate::support::pointers::{at_once, in_utc, place, put, set_aside};
use crate::support::time::civil;
use crate::support::torture::{by_form, is_torture};
use crate::support::{SESSION_START, Sandbox, event, text};

const TTL: Duration = Duration::from_secs(24 * 60 * 60);
const STALE: i64 = 25 * 60 * 60;

/// A pointer directory and, where it is there, the state whose lock orders stores and removals.
struct Place {
    dir: PathBuf,
    state: Option<StateDir>,
}

impl Place {
    fn new(sandbox: &Sandbox) -> Self {
        Self::at(&sandbox.pointers(), &sandbox.state())
    }

    fn at(dir: &Path, state: &Path) -> Self {
        let places = Places {
            state: Some(state.to_owned()),
            pointers: dir.to_owned(),
            config: None,
        };
        Self {
            dir: dir.to_owned(),
            state: Some(StateDir::create(&places, Decompressor::BUILT_IN).unwrap()),
        }
    }

    fn pointers(&self) -> Pointers<'_> {
        Pointers {
            dir: &self.dir,
            state: self.state.as_ref(),
            ttl: TTL,
            now: clock::now(),
        }
    }

    fn path(&self) -> PathBuf {
        self.pointers().path(&shop())
    }
}

fn shop() -> ProjectName {
    ProjectName::new("shop".into())
}

fn id(text: &str) -> SessionId {
    text.parse().unwrap()
}

// Stores against stores and readers

const WORKER: &str = "CCSESSION_RACE_WORKER";

/// Not a test of its own: what [`a_hundred_writers_tear_nothing_and_lose_nothing`] starts this program again for.
#[test]
fn store_worker() {
    let Some(task) = std::env::var_os(WORKER) else {
        return;
    };
    let task = task.into_string().unwrap();
    let [number, stores, dir, state] = task.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{task}")
    };
    let place = Place::at(Path::new(dir), Path::new(state));
    for n in 0..stores.parse().unwrap() {
        let id = id(&format!("w{number}-{n}"));
        place
            .pointers()
            .store(&shop(), &id, Durability::Cached)
            .unwrap();
    }
}

fn start_worker(number: usize, stores: usize, sandbox: &Sandbox) -> Child {
    let (dir, state) = (sandbox.pointers(), sandbox.state());
    let task = format!("{number}\n{stores}\n{}\n{}", dir.display(), state.display());
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "races::store_worker", "--nocapture"])
        .env(WORKER, task)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What readers saw.
#[derive(Default)]
struct Seen {
    reads: AtomicUsize,
    missing: AtomicUsize,
    torn: AtomicUsize,
}

impl Seen {
    fn add(&self, counter: &AtomicUsize) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn read_by_library(place: &Place, seen: &Seen) {
    match place.pointers().read(&shop()) {
        PointerReading::Pointer {
            standing: Freshness::Fresh,
            ..
        } => drop(seen.reads.fetch_add(1, Ordering::Relaxed)),
        PointerReading::Absent => seen.add(&seen.missing),
        other => {
            if seen.torn.load(Ordering::Relaxed) == 0 {
                println!("first torn: {other:?}");
            }
            seen.add(&seen.torn);
        }
    }
}

fn read_by_hand(path: &Path, seen: &Seen) {
    let Ok(text) = fs::read_to_string(path) else {
        return seen.add(&seen.missing);
    };
    let is_time = |line: &str| {
        line.len() == 26
            && chrono::NaiveDateTime::parse_from_str(line, "%Y-%m-%dT%H:%M:%S%.6f").is_ok()
    };
    match text.split('\n').collect::<Vec<_>>()[..] {
        [id, time, ""] if id.starts_with('w') && is_time(time) => {
            seen.reads.fetch_add(1, Ordering::Relaxed);
        }
        _ => {
            println!("torn: {text:?}");
            seen.add(&seen.torn);
        }
    }
}

#[test]
fn a_hundred_writers_tear_nothing_and_lose_nothing() {
    let writers = if is_torture() { 100 } else { 16 };
    let stores = by_form(100, 1000);
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    place
        .pointers()
        .store(&shop(), &id("w-first"), Durability::Cached)
        .unwrap();
    let path = place.path();
    let (by_library, by_hand) = (Seen::default(), Seen::default());
    let done = AtomicBool::new(false);
    let started = Instant::now();
    let until_done = |read: &dyn Fn()| {
        while !done.load(Ordering::Relaxed) {
            read();
            // Readers that never rest take the processors from the writers.
            pause(50);
        }
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| until_done(&|| read_by_library(&place, &by_library)));
            scope.spawn(|| until_done(&|| read_by_hand(&path, &by_hand)));
        }
        let workers: Vec<Child> = (0..writers)
            .map(|n| start_worker(n, stores, &sandbox))
            .collect();
        let failed = workers
            .into_iter()
            .filter_map(|mut worker| worker.wait().ok())
            .filter(|status| !status.success())
            .count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(failed, 0, "writers that failed");
    });
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "{writers} writers x {stores} stores, {} reads by the library, {} by hand, {:?}",
        count(&by_library.reads),
        count(&by_hand.reads),
        started.elapsed()
    );
    let found = [&by_library, &by_hand].map(|seen| (count(&seen.missing), count(&seen.torn)));
    assert_eq!(
        found,
        [(0, 0), (0, 0)],
        "(missing, torn) by the library, by hand"
    );
    assert_eq!(fs::read_dir(sandbox.pointers()).unwrap().count(), 1);
    sandbox.assert_no_leftovers();
}

// Stores against removals

/// What became of the pointers that were stored while another was being removed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Rounds after which the new pointer was not there.
    lost: usize,
    /// Rounds of the full form in which the new pointer was there, then not, for a moment.
    absent: usize,
    /// The longest such moment.
    longest: Duration,
    /// Stores and removals that ended with an error.
    failed: usize,
}

/// Plays rounds of: `plant` puts something there, then two threads (four in the full form) `remove` while another `store`s. Both say whether
/// they worked.
fn play(
    name: &str,
    place: &Place,
    plant: impl Fn(&Path),
    remove: impl Fn(Pointers<'_>) -> bool + Sync,
    store: impl Fn(&SessionId) -> bool + Sync,
) -> Tally {
    let removers = if is_torture() { 4 } else { 2 };
    let rounds = by_form(1000, 20_000);
    let (begin, end) = (Barrier::new(removers + 2), Barrier::new(removers + 2));
    let (removing, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let check = |worked: bool| failed.fetch_add(usize::from(!worked), Ordering::SeqCst);
    let path = place.path();
    let started = Instant::now();
    let mut tally = Tally::default();
    thread::scope(|scope| {
        for remover in 0..removers {
            let (begin, end, removing, remove) = (&begin, &end, &removing, &remove);
            scope.spawn(move || {
                for round in 0..rounds {
                    begin.wait();
                    pause((round + 31 * remover) * 104_729 % 500);
                    check(remove(place.pointers()));
                    removing.fetch_sub(1, Ordering::SeqCst);
                    end.wait();
                }
            });
        }
        let storing = scope.spawn(|| {
            let mut moments = Moments::default();
            for round in 0..rounds {
                let new = id(&format!("new-{round}"));
                begin.wait();
                pause(round * 7919 % 300);
                check(store(&new));
                if is_torture() {
                    moments.watch(&path, || removing.load(Ordering::SeqCst) > 0);
                }
                end.wait();
            }
            moments
        });
        for round in 0..rounds {
            removing.store(removers, Ordering::SeqCst);
            plant(&path);
            begin.wait();
            end.wait();
            let reading = place.pointers().read(&shop());
            if reading.fresh() != Some(&id(&format!("new-{round}"))) {
                if tally.lost == 0 {
                    println!("{name}: first lost: {reading:?}");
                }
                tally.lost += 1;
            }
        }
        let moments = storing.join().unwrap();
        tally.absent = moments.absent;
    });
    tally.failed = failed.load(Ordering::SeqCst);
    println!(
        "{name}: {rounds} rounds, {tally:?}, {:?}",
        started.elapsed()
    );
    tally
}

/// Spreads what races over the time that the other takes.
fn pause(micros: usize) {
    thread::sleep(Duration::from_micros(micros as u64));
}

/// The moments in which a pointer that was stored could not be found.
#[derive(Default)]
struct Moments {
    absent: usize,
}

impl Moments {
    fn watch(&mut self, path: &Path, goes_on: impl Fn() -> bool) {
        let mut was_absent = false;
        loop {
            let last = !goes_on();
            was_absent |= path.symlink_metadata().is_err();
            if last {
                break;
            }
        }
        self.absent += usize::from(was_absent);
    }
}

// What is planted names its zone: this process may be in any.

fn plant_stale(path: &Path) {
    put(path, format!("old\n{}Z\n", civil(STALE, 0)), STALE);
}

fn plant_unreadable(path: &Path) {
    put(path, "garbage", STALE);
}

fn plant_open_to_others(path: &Path) {
    plant_stale(path);
    fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
}

fn plant_current(path: &Path) {
    put(path, format!("old\n{}Z\n", civil(60 * 60, 0)), 60 * 60);
}

fn sweep(pointers: Pointers<'_>) -> bool {
    pointers.sweep(false).is_ok()
}

/// A writer that knows no lock, as the older Python tools: a temporary file beside it, renamed.
fn store_without_lock(path: &Path, id: &SessionId) -> bool {
    let temporary = path.with_file_name("python.tmp");
    put(&temporary, format!("{id}\n{}Z\n", civil(0, 0)), 0);
    fs::rename(temporary, path).is_ok()
}

#[track_caller]
fn check_nothing_lost(name: &str, plant: fn(&Path), remove: impl Fn(Pointers<'_>) -> bool + Sync) {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let store = |id: &SessionId| {
        let stored = place.pointers().store(&shop(), id, Durability::Cached);
        stored.is_ok()
    };
    let tally = play(name, &place, plant, remove, store);
    assert_eq!((tally.lost, tally.failed), (0, 0), "{name}");
    sandbox.assert_no_leftovers();
}

/// Stores and removals take turns by the lock: no pointer that was stored meanwhile is lost.
#[test]
fn a_sweep_never_removes_a_pointer_that_was_stored_meanwhile() {
    check_nothing_lost("stale", plant_stale, sweep);
    check_nothing_lost("unreadable", plant_unreadable, sweep);
    check_nothing_lost("open to others", plant_open_to_others, sweep);
}

#[test]
fn a_reader_never_removes_a_pointer_that_was_stored_meanwhile() {
    check_nothing_lost("read", plant_stale, |pointers| {
        worked_or_was_locked(pointers.remove_if_stale(&shop()))
    });
}

#[test]
fn an_end_never_removes_the_next_sessions_pointer() {
    check_nothing_lost("end", plant_current, |pointers| {
        worked_or_was_locked(pointers.remove_if_names(&shop(), &id("old")))
    });
}

/// Who cannot have the lock in time leaves the removal to the next.
fn worked_or_was_locked(removed: Result<Removal, Error>) -> bool {
    matches!(removed, Ok(_) | Err(Error::Locked { .. }))
}

/// What a writer without the lock is promised: its pointer is not lost either. It may be absent for the moment in which
/// a removal that had judged the old one sets the new one aside, looks at it and puts it back; never for as long as
/// a second, unless the remover dies in that moment (then the next sweep puts it back).
#[track_caller]
fn check_without_lock(name: &str, place: &Place) {
    let path = place.path();
    let store = |id: &SessionId| store_without_lock(&path, id);
    let tally = play(name, place, plant_stale, sweep, store);
    assert_eq!((tally.lost, tally.failed), (0, 0), "{name}");
}

#[test]
fn a_pointer_of_a_writer_without_the_lock_is_put_back() {
    let sandbox = Sandbox::new();
    check_without_lock("without the lock", &Place::new(&sandbox));
    sandbox.assert_no_leftovers();

    let sandbox = Sandbox::new();
    let place = Place {
        dir: sandbox.pointers(),
        state: None,
    };
    check_without_lock("nobody with a lock", &place);
    sandbox.assert_no_leftovers();
}

// The lock

#[test]
fn nothing_is_removed_while_another_has_the_lock() {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let names = ["stale", "unreadable", "open"];
    plant_stale(&sandbox.pointer("stale"));
    plant_unreadable(&sandbox.pointer("unreadable"));
    plant_open_to_others(&sandbox.pointer("open"));
    let lock = place.state.as_ref().unwrap().lock(TTL).unwrap();
    let cleanup = || in_utc(&sandbox, ["cleanup"]);
    cleanup().expect(0, "0\n", "");
    in_utc(&sandbox, ["current", "--name", "stale"]).expect(0, "unknown\n", "");
    for name in names {
        assert!(sandbox.pointer(name).exists(), "{name}");
    }
    drop(lock);
    cleanup().expect(0, "3\n", "");
}

#[test]
fn a_cleanup_does_not_wait_for_the_lock_at_each_pointer() {
    let sandbox = Sandbox::new();
    let state = Place::new(&sandbox);
    for n in 0..60 {
        place(&sandbox, &format!("stale-{n}"), "old", STALE);
    }
    let _lock = state.state.as_ref().unwrap().lock(TTL).unwrap();
    let output = at_once("", || in_utc(&sandbox, ["cleanup"]));
    assert_eq!(text(&output.stdout), "0\n");
}

/// A pointer on its way out is its remover's to count and to judge, until that one must be dead.
#[test]
fn a_pointer_that_was_just_set_aside_is_not_touched() {
    for plant in [plant_current, plant_stale] {
        let sandbox = Sandbox::new();
        let place = Place::new(&sandbox);
        let path = place.path();
        plant(&path);
        let lock = place.state.as_ref().unwrap().lock(TTL).unwrap();
        let aside = path.with_file_name(set_aside(0) + "claude_session_shop");
        fs::rename(&path, &aside).unwrap();
        let report = in_utc(&sandbox, ["cleanup", "--json"]).json();
        assert_eq!(
            (&report["removed"], &report["orphans"]),
            (&0.into(), &0.into())
        );
        assert!(aside.exists() && !path.exists());
        drop(lock);
    }
}

#[test]
fn a_store_does_not_wait_long_for_the_lock() {
    let sandbox = Sandbox::just_swept();
    let place = Place::new(&sandbox);
    let _lock = place.state.as_ref().unwrap().lock(TTL).unwrap();
    plant_stale(&place.path());
    let start = event(
        "SessionStart",
        "s-1",
        serde_json::json!({"source": "startup"}),
    );
    at_once(&start.to_string(), || sandbox.run(SESSION_START));
    in_utc(&sandbox, ["current", "--name", "shop"]).expect(0, "s-1\n", "");
    at_once("", || sandbox.ccsession(["store", "s-2"]));
    in_utc(&sandbox, ["current", "--name", "shop"]).expect(0, "s-2\n", "");
    sandbox.assert_no_leftovers();
}

// Removals against removals

#[track_caller]
fn check_cleaners(with_state: bool) {
    const CLEANERS: usize = 4;
    let count = if is_torture() { 10_000 } else { 2000 };
    let sandbox = Sandbox::new();
    for n in 0..count {
        place(&sandbox, &format!("stale-{n}"), "old", STALE);
    }
    place(&sandbox, "fresh", "new", 60);
    if with_state {
        Place::new(&sandbox);
    }
    let cleanup = || {
        let run = in_utc(&sandbox, ["cleanup", "--json"]);
        let output = if with_state {
            run.output()
        } else {
            run.without_env("HOME")
                .without_env("CCSESSION_STATE_DIR")
                .output()
        };
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (
            report["removed"].as_u64().unwrap(),
            report["orphans"].as_u64().unwrap(),
        )
    };
    let started = Instant::now();
    let mut reports: Vec<(u64, u64)> = thread::scope(|scope| {
        let cleaners: Vec<_> = (0..CLEANERS).map(|_| scope.spawn(cleanup)).collect();
        cleaners
            .into_iter()
            .map(|cleaner| cleaner.join().unwrap())
            .collect()
    });
    // What one found locked by another was left to the next.
    reports.push(cleanup());
    println!(
        "{CLEANERS} cleaners and a last one, {count} pointers, (removed, orphans) {reports:?}, {:?}",
        started.elapsed()
    );
    let removed: u64 = reports.iter().map(|(removed, _)| removed).sum();
    assert_eq!(removed, count as u64, "{reports:?}");
    let left: BTreeSet<_> = fs::read_dir(sandbox.pointers())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, BTreeSet::from(["claude_session_fresh".into()]));
}

#[test]
fn several_cleaners_remove_each_pointer_once_and_their_counts_add_up() {
    check_cleaners(true);
}

#[test]
fn several_cleaners_without_a_lock_remove_each_pointer_once_and_their_counts_add_up() {
    check_cleaners(false);
}
