//! Races over the live index: a session that is resumed during its removal from the index is in the index afterwards, whoever
//! removes it.
//!
//! In each round, one thread resumes a session that seems to have ended, and another removes it. There is one kind of round for
//! each kind of end. The short form runs by default; with `CCSESSION_TORTURE=full` each kind takes 10,000 rounds.

use std::hint;
use std::sync::Barrier;
use std::thread;

use ccsession::identity::liveness::Judge;
use ccsession::identity::process::{self, Viewpoint};
use ccsession::identity::roster::{self, ArchiveDecision, LeaveOutcome, OpenOutcome};
use ccsession::model::{Config, Event, Owner, Project, Record, SessionId, Timestamp};
use ccsession::store::write::Durability;
use ccsession::store::{Decompressor, Places, StateDir, clock, index};

use crate::support::Sandbox;
use crate::support::torture::is_torture;

/// Who takes the session off.
#[derive(Clone, Copy, Debug)]
enum Leaver {
    /// The hook of a SessionEnd.
    Hook,
    /// The limit on live sessions, which retires an idle one.
    Limit,
    /// A cleanup that finds a session abandoned.
    Cleanup,
    /// A launcher whose command has ended.
    Launcher,
}

struct Races {
    state: StateDir,
    project: Project,
    client: Owner,
}

impl Races {
    fn new(sandbox: &Sandbox) -> Self {
        let places = Places {
            state: Some(sandbox.state()),
            pointers: sandbox.pointers(),
            config: None,
        };
        let this = process::process(std::process::id()).unwrap();
        Self {
            state: StateDir::create(&places, Decompressor::BUILT_IN).unwrap(),
            project: Project::at(sandbox.project()),
            client: Viewpoint::here().unwrap().recorded(this),
        }
    }

    fn event(&self, id: &SessionId, name: &str, at: Timestamp) -> Event {
        Event {
            v: 1,
            ts: Some(at),
            mono: Some(clock::since_boot()),
            event: name.to_owned(),
            session_id: Some(id.clone()),
            ..Event::default()
        }
    }

    /// A session on the index that no process has.
    fn begin(&self, id: &SessionId) {
        let now = clock::now();
        let record = Record::new(id.clone(), &self.project, now);
        let event = self.event(id, "SessionStart", now);
        let session = self.state.session(id);
        let opened =
            roster::open_or_create(&session, &record, &event, Durability::Cached, || Ok(()));
        assert_eq!(opened.unwrap(), OpenOutcome::Created);
        let dead = Owner {
            pid: self.client.pid,
            start: 1,
            ..self.client.clone()
        };
        roster::join(&self.state, id, &self.project, Some(&dead)).unwrap();
    }

    fn resume(&self, id: &SessionId) {
        let event = self.event(id, "SessionStart", clock::now());
        self.state.session(id).journal().append(&event).unwrap();
        roster::join(&self.state, id, &self.project, Some(&self.client)).unwrap();
    }

    /// Leaves the evidence of an end.
    fn end(&self, id: &SessionId, leaver: Leaver) {
        let now = clock::now();
        let append = |name| {
            let event = self.event(id, name, now);
            self.state.session(id).journal().append(&event).unwrap();
        };
        let note = |reason: &str| {
            let change = |record: &Record| {
                Some(Record {
                    ended_at: Some(now),
                    end_reason: Some(reason.to_owned()),
                    ..record.clone()
                })
            };
            let patience = ccsession::store::lock::CLI_PATIENCE;
            self.state.update_record(id, patience, change).unwrap();
        };
        match leaver {
            Leaver::Hook => append("SessionEnd"),
            Leaver::Limit => note("idle"),
            Leaver::Cleanup => {}
            Leaver::Launcher => {
                append("RunEnd");
                note("exit:0");
            }
        }
    }

    fn is_listed(&self, id: &SessionId) -> bool {
        let listed = index::sessions_of_project(&self.state, &self.project.key());
        listed.unwrap().contains(id)
    }

    /// Runs one round, in which the leaver waits `delay` turns longer than whoever resumes, and returns what the leaver saw.
    fn round(&self, id: &SessionId, leaver: Leaver, delay: i32) -> LeaveOutcome {
        self.begin(id);
        self.end(id, leaver);
        let together = Barrier::new(2);
        let wait = |turns: i32| (0..turns).for_each(|_| hint::spin_loop());
        thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                wait(-delay);
                self.resume(id);
            });
            let judge = Judge::new(&self.state, &Config::default(), clock::now());
            together.wait();
            wait(delay);
            roster::leave(&judge, id, [self.project.key()], ArchiveDecision::Off).unwrap()
        })
    }
}

#[test]
fn a_session_resumed_during_its_removal_from_the_index_is_live_afterwards() {
    let rounds = if is_torture() { 10_000 } else { 41 };
    let sandbox = Sandbox::new();
    let races = Races::new(&sandbox);
    for leaver in [
        Leaver::Hook,
        Leaver::Limit,
        Leaver::Cleanup,
        Leaver::Launcher,
    ] {
        let mut resumed = 0;
        for round in 0..rounds {
            let id: SessionId = format!("{leaver:?}-{round}").parse().unwrap();
            let left = races.round(&id, leaver, (round % 41 - 20) * 500);
            resumed += usize::from(left == LeaveOutcome::Resumed);
            assert!(races.is_listed(&id), "{id}: {left:?}, and not on the index");
            std::fs::remove_dir_all(races.state.session(&id).path()).unwrap();
        }
        println!("{leaver:?}: {rounds} rounds, {resumed} seen by the leaver, 0 lost");
    }
}

#[test]
fn a_session_that_nobody_resumes_leaves_the_index() {
    let sandbox = Sandbox::new();
    let races = Races::new(&sandbox);
    for leaver in [
        Leaver::Hook,
        Leaver::Limit,
        Leaver::Cleanup,
        Leaver::Launcher,
    ] {
        let id: SessionId = format!("{leaver:?}").parse().unwrap();
        races.begin(&id);
        races.end(&id, leaver);
        let judge = Judge::new(&races.state, &Config::default(), clock::now());
        let left = roster::leave(&judge, &id, [races.project.key()], ArchiveDecision::Off).unwrap();
        assert_eq!(left, LeaveOutcome::Retired, "{leaver:?}");
        assert!(!races.is_listed(&id), "{leaver:?}");
    }
}
