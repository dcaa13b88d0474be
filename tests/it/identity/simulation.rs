//! Many sessions at once in two projects with the same name, whose hooks send no id: each event is in its own session's journal,
//! attributed by a rung that could know, or in none.
//!
//! The machine decides the order. A seed, which is printed, chooses what each session does; `CCSESSION_SEED` sets it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Call, Client, answer, outside, twins};
use crate::support::torture::is_torture;
use crate::support::{Sandbox, json_lines};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

fn seed() -> u64 {
    let given = std::env::var("CCSESSION_SEED").ok();
    given.map_or_else(
        || {
            u64::try_from(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap()
                    .as_micros(),
            )
            .unwrap()
        },
        |seed| seed.parse().unwrap(),
    )
}

/// Under which circumstances something is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    /// The payload says the id, whatever the environment says.
    Payload,
    /// The variable says the id.
    Variable,
    /// Nothing but the process tree says it.
    Tree,
    /// The variable says another session's id, or this client's last one's.
    StaleVariable,
    /// The client is not above any more.
    LeftBehind,
    /// Another client is in the project, and none above.
    OutsideOfSeveral,
    /// One session is left in the project.
    OutsideOfOne,
    /// No session is left in the project.
    OutsideOfNone,
}

use Condition::{
    LeftBehind, OutsideOfNone, OutsideOfOne, OutsideOfSeveral, Payload, StaleVariable, Tree,
    Variable,
};

/// Where an event must be found: in this session's journal with this rung, or else nowhere.
struct Truth {
    /// The event's `tool_use_id`.
    tag: String,
    condition: Condition,
    found: Option<(String, Option<&'static str>)>,
    /// How large the payload is: what tells an event that is nowhere from every other such.
    bytes: usize,
}

/// An answer that was given, and the one that is true.
struct Answer {
    condition: Condition,
    given: Value,
    expected: Value,
}

/// What happened, for the reckoning at the end.
#[derive(Default)]
struct Account {
    events: Vec<Truth>,
    answers: Vec<Answer>,
    /// New sessions of one process, each with the one before.
    cleared: Vec<(String, String)>,
    /// Sessions, with how each was left.
    left: Vec<(String, &'static str)>,
    /// What programs said that must be silent.
    noise: Vec<String>,
}

impl Account {
    fn add(&mut self, other: Self) {
        self.events.extend(other.events);
        self.answers.extend(other.answers);
        self.cleared.extend(other.cleared);
        self.left.extend(other.left);
        self.noise.extend(other.noise);
    }

    fn silent(&mut self, said: String) {
        self.noise
            .extend(Some(said).filter(|said| !said.is_empty()));
    }

    fn answered(
        &mut self,
        condition: Condition,
        said: &str,
        id: Option<&str>,
        rung: &str,
        trust: &str,
    ) {
        let mut given = answer(said);
        given
            .as_object_mut()
            .unwrap()
            .retain(|key, _| ["session_id", "rung", "trust"].contains(&key.as_str()));
        self.answers.push(Answer {
            condition,
            given,
            expected: json!({"session_id": id, "rung": rung, "trust": trust}),
        });
    }
}

/// Sizes of payloads, each given once.
static NEXT_SIZE: AtomicUsize = AtomicUsize::new(300);

const EVENTS: [&str; 7] = [
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "UserPromptSubmit",
    "Notification",
    "SubagentStop",
    "Stop",
];

/// The payload of any event, told from every other by its tag. What `is_told_by_size` has a size of its own, too.
fn payload(random: &mut Random, tag: &str, is_told_by_size: bool) -> Value {
    let name = random.of(&EVENTS);
    let mut payload = json!({
        "hook_event_name": name,
        "tool_name": "Bash",
        "tool_use_id": tag,
        "padding": "",
    });
    if name == "SubagentStop" || random.one_in(8) {
        payload["agent_id"] = "a1".into();
    }
    if is_told_by_size {
        let missing = NEXT_SIZE.fetch_add(1, Ordering::Relaxed) - payload.to_string().len();
        payload["padding"] = "x".repeat(missing).into();
    }
    payload
}

/// What the hooks read: the payload and a line break.
fn bytes(payload: &Value) -> usize {
    payload.to_string().len() + 1
}

/// One of the sessions' processes.
struct Session<'a> {
    stage: &'a Stage,
    number: usize,
    client: Client,
    generation: usize,
    random: Random,
    calls: usize,
    account: Account,
}

/// What all of them share.
struct Stage {
    sandbox: Sandbox,
    projects: [PathBuf; 2],
    clients: usize,
}

impl Stage {
    fn project_of(&self, number: usize) -> &Path {
        &self.projects[number % self.projects.len()]
    }
}

/// The id of a client's first session, and of those after each `/clear`.
fn id(number: usize, generation: usize) -> String {
    format!("s{number}-{generation}")
}

impl<'a> Session<'a> {
    fn start(stage: &'a Stage, number: usize, seed: u64) -> Self {
        let client = Client::in_session(&stage.sandbox, &id(number, 0), stage.project_of(number));
        Self {
            stage,
            number,
            client,
            generation: 0,
            random: Random(seed ^ (number as u64) << 32),
            calls: 0,
            account: Account::default(),
        }
    }

    fn id(&self) -> String {
        id(self.number, self.generation)
    }

    fn project(&self) -> &'a Path {
        self.stage.project_of(self.number)
    }

    /// Two clients of each project stay in their session, so that there always are several.
    fn may_clear(&self) -> bool {
        self.number >= 2 * self.stage.projects.len()
    }

    fn live(&mut self, calls: usize) {
        while self.calls < calls {
            match self.random.below(10) {
                0 if self.may_clear() => self.clear(),
                1 | 2 => self.call_left_behind(),
                3 => self.call_together(),
                _ => self.call(),
            }
        }
    }

    /// An event for the session, and what must become of it.
    fn event(&mut self, condition: Condition) -> (Value, Truth) {
        self.calls += 1;
        let tag = format!("{}/{}", self.id(), self.calls);
        let mut payload = payload(&mut self.random, &tag, condition == LeftBehind);
        let found = match condition {
            Payload => {
                payload["session_id"] = self.id().into();
                Some(None)
            }
            Variable => Some(Some("environment")),
            Tree | StaleVariable => Some(Some("process")),
            _ => None,
        };
        let truth = Truth {
            tag,
            condition,
            found: found.map(|rung| (self.id(), rung)),
            bytes: bytes(&payload),
        };
        (payload, truth)
    }

    fn condition(&mut self) -> Condition {
        self.random.of(&[Payload, Variable, Tree, StaleVariable])
    }

    /// Puts a call into circumstances: a directory, shells between, variables.
    fn under(&mut self, condition: Condition, call: Call) -> Call {
        let depth = self.random.below(4);
        let call = Call {
            dir: self.dir(condition),
            ..call.through(depth)
        };
        // Only a client that has stayed where it was started may leave it to the hook to find out where that is.
        let has_gone = !call.dir.starts_with(self.project());
        let call = if has_gone || self.random.one_in(2) {
            call.env("CLAUDE_PROJECT_DIR", self.project())
        } else {
            call
        };
        match condition {
            Variable if self.random.one_in(2) => call
                .env("CLAUDE_CODE_SESSION_ID", self.id())
                .env("CCSESSION_ID", self.other_id()),
            Variable => {
                let name = self.random.of(&["CLAUDE_CODE_SESSION_ID", "CCSESSION_ID"]);
                call.env(name, self.id())
            }
            StaleVariable => {
                let name = self.random.of(&["CLAUDE_CODE_SESSION_ID", "CCSESSION_ID"]);
                call.env(name, self.other_id())
            }
            Payload | LeftBehind if self.random.one_in(2) => {
                let id = self
                    .random
                    .of(&[id(self.number, self.generation), id(0, 0), id(1, 0)]);
                call.env("CLAUDE_CODE_SESSION_ID", id)
            }
            _ => call,
        }
    }

    /// Where the client may have gone; what has left it is looked at where it belongs.
    fn dir(&mut self, condition: Condition) -> PathBuf {
        let own = self.project();
        let dirs = [
            own.to_owned(),
            own.join("src/deep"),
            self.stage.project_of(self.number + 1).to_owned(),
            self.stage.sandbox.home(),
        ];
        let reach = if condition == LeftBehind {
            2
        } else {
            dirs.len()
        };
        self.random.of(&dirs[..reach])
    }

    /// An id that is not this session's: another live one's, the one before, or one never heard of.
    fn other_id(&mut self) -> String {
        let other =
            (self.number + 1 + self.random.below(self.stage.clients - 1)) % self.stage.clients;
        let last = self.generation.checked_sub(1);
        match (self.random.below(4), last) {
            (0, _) => "days-old".to_owned(),
            (1, Some(last)) => id(self.number, last),
            _ => id(other, 0),
        }
    }

    fn call(&mut self) {
        let condition = self.condition();
        let (payload, truth) = self.event(condition);
        let call = self.under(condition, Call::hook(&payload, self.project()));
        let said = self.client.run(&call);
        self.account.silent(said);
        self.account.events.push(truth);
        if self.random.one_in(3) {
            self.ask();
        }
    }

    fn call_together(&mut self) {
        let mut calls = Vec::new();
        for _ in 0..2 + self.random.below(3) {
            let condition = self.condition();
            let (payload, truth) = self.event(condition);
            calls.push(self.under(condition, Call::hook(&payload, self.project())));
            self.account.events.push(truth);
        }
        let said = self.client.run_together(&calls);
        self.account.silent(said);
    }

    /// A process whose client is not above it could be anybody's in the project.
    fn call_left_behind(&mut self) {
        let (payload, truth) = self.event(LeftBehind);
        let call = self.under(LeftBehind, Call::hook(&payload, self.project()));
        let said = self.client.leave_behind(&call);
        self.account.silent(said);
        self.account.events.push(truth);
        if self.random.one_in(3) {
            let call = self.under(LeftBehind, Call::current(&[], self.project()));
            let said = self.client.leave_behind(&call);
            self.account
                .answered(LeftBehind, &said, None, "project", "ambiguous");
        }
    }

    fn ask(&mut self) {
        let condition = self.condition();
        let (arguments, rung): (&[&str], _) = match condition {
            Payload => (&["--hook-input"], "payload"),
            Variable => (&[], "environment"),
            _ => (&[], "process"),
        };
        let mut call = Call::current(arguments, self.project());
        call.stdin = json!({"session_id": self.id()}).to_string();
        let call = self.under(condition, call);
        let said = self.client.run(&call);
        self.account
            .answered(condition, &said, Some(&self.id()), rung, "exact");
    }

    /// `/clear`: the same process goes on in another session. The end of the old one may come, come late, or not at all.
    fn clear(&mut self) {
        let (project, old) = (self.project(), self.id());
        self.generation += 1;
        let new = self.id();
        let how = self.random.below(4);
        if how > 1 {
            self.client.end(&old, "clear", project);
        }
        self.client.begin(&new, "clear", project);
        if how == 1 {
            self.client.end(&old, "clear", project);
        }
        self.account
            .left
            .push((old.clone(), if how == 0 { "abandoned" } else { "ended" }));
        self.account.cleared.push((new, old));
        self.ask();
    }

    /// The client's end: it says so, with or without the id, or it is killed.
    fn finish(mut self) -> Account {
        let (project, id) = (self.project(), self.id());
        let how = self.random.below(3);
        match how {
            0 => self.client.end(&id, "prompt_input_exit", project),
            1 => {
                let end = json!({"hook_event_name": "SessionEnd", "reason": "other"});
                let said = self.client.run(&Call::hook(&end, project));
                self.account.silent(said);
            }
            _ => {}
        }
        self.account
            .left
            .push((id, if how == 2 { "abandoned" } else { "ended" }));
        self.client.kill();
        self.account
    }
}

/// The end of the sessions of one project, one after the other, as seen from outside.
fn wind_down(stage: &Stage, mut sessions: Vec<Session<'_>>, mut random: Random) -> Account {
    let mut account = Account::default();
    let project = sessions[0].project();
    loop {
        for _ in 0..2 {
            let tag = format!("outside/{}", NEXT_SIZE.load(Ordering::Relaxed));
            let last = sessions.last().map(Session::id);
            let (condition, id, rung, trust) = match sessions.len() {
                0 => (OutsideOfNone, None, "unknown", "none"),
                1 => (OutsideOfOne, last, "project", "exact"),
                _ => (OutsideOfSeveral, None, "project", "ambiguous"),
            };
            let payload = payload(&mut random, &tag, true);
            let dir = random.of(&[project.to_owned(), project.join("src/deep")]);
            let depth = random.below(3);
            account.silent(outside(
                &stage.sandbox,
                &Call::hook(&payload, &dir).through(depth),
            ));
            account.events.push(Truth {
                tag,
                condition,
                found: id.clone().map(|id| (id, Some(rung))),
                bytes: bytes(&payload),
            });
            let said = outside(&stage.sandbox, &Call::current(&[], &dir).through(depth));
            account.answered(condition, &said, id.as_deref(), rung, trust);
        }
        if sessions.is_empty() {
            return account;
        }
        let next = random.below(sessions.len());
        account.add(sessions.swap_remove(next).finish());
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    events: usize,
    right: usize,
    wrong: usize,
    nowhere: usize,
    lost: usize,
    answers: usize,
    wrong_answers: usize,
}

/// Holds what was recorded against what is true.
fn reckon(stage: &Stage, account: &Account) -> BTreeMap<Condition, Count> {
    let mut journaled: BTreeMap<String, (String, Option<String>)> = BTreeMap::new();
    for entry in fs::read_dir(stage.sandbox.state().join("sessions")).unwrap() {
        let id = entry.unwrap().file_name().into_string().unwrap();
        for line in stage.sandbox.journal(&id) {
            let Some(tag) = line["tool_use_id"].as_str() else {
                continue;
            };
            let rung = line["rung"].as_str().map(str::to_owned);
            let twice = journaled.insert(tag.to_owned(), (id.clone(), rung));
            assert_eq!(twice, None, "{tag} is there twice");
        }
    }
    let nowhere = json_lines(&stage.sandbox.state().join("unattributed.jsonl"));
    let sizes: BTreeSet<u64> = nowhere
        .iter()
        .map(|line| line["bytes"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes.len(), nowhere.len(), "an event is there twice");

    let mut counts: BTreeMap<Condition, Count> = BTreeMap::new();
    for truth in &account.events {
        let count = counts.entry(truth.condition).or_default();
        count.events += 1;
        let found = journaled.remove(&truth.tag);
        let expected = truth
            .found
            .as_ref()
            .map(|(id, rung)| (id.clone(), rung.map(str::to_owned)));
        let complain = |what: &str| {
            println!(
                "{}, {:?}: {what}: {found:?}, not {expected:?}",
                truth.tag, truth.condition
            )
        };
        if found.is_some() && found == expected {
            count.right += 1;
        } else if found.is_some() {
            complain("wrong");
            count.wrong += 1;
        } else if expected.is_none() && sizes.contains(&(truth.bytes as u64)) {
            count.nowhere += 1;
        } else {
            complain("lost");
            count.lost += 1;
        }
    }
    for given in &account.answers {
        let count = counts.entry(given.condition).or_default();
        count.answers += 1;
        if given.given != given.expected {
            println!(
                "{:?}: answered {}, not {}",
                given.condition, given.given, given.expected
            );
            count.wrong_answers += 1;
        }
    }
    assert_eq!(journaled, BTreeMap::new(), "nobody's events");
    counts
}

#[test]
fn many_sessions_at_once_are_never_taken_for_each_other() {
    let (clients, calls) = if is_torture() { (64, 200) } else { (8, 25) };
    let seed = seed();
    let sandbox = Sandbox::just_swept();
    let stage = Stage {
        projects: twins(&sandbox),
        sandbox,
        clients,
    };
    let started = Instant::now();
    let mut sessions: Vec<Session<'_>> = thread::scope(|scope| {
        let starting: Vec<_> = (0..clients)
            .map(|number| {
                let stage = &stage;
                scope.spawn(move || Session::start(stage, number, seed))
            })
            .collect();
        starting
            .into_iter()
            .map(|session| session.join().unwrap())
            .collect()
    });
    let goes_on = AtomicBool::new(true);
    let cleanups = thread::scope(|scope| {
        let cleaning = scope.spawn(|| {
            let mut cleanups = 0;
            while goes_on.load(Ordering::Relaxed) {
                stage.sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
                cleanups += 1;
            }
            cleanups
        });
        let living: Vec<_> = sessions
            .iter_mut()
            .map(|session| scope.spawn(|| session.live(calls)))
            .collect();
        let lived: Vec<_> = living.into_iter().map(|session| session.join()).collect();
        goes_on.store(false, Ordering::Relaxed);
        lived.into_iter().for_each(Result::unwrap);
        cleaning.join().unwrap()
    });
    let mut account = Account::default();
    sessions
        .iter_mut()
        .for_each(|session| account.add(std::mem::take(&mut session.account)));
    let (even, odd): (Vec<_>, Vec<_>) = sessions
        .into_iter()
        .partition(|session| session.number % 2 == 0);
    for (own, sessions) in [even, odd].into_iter().enumerate() {
        account.add(wind_down(&stage, sessions, Random(seed + own as u64)));
    }
    println!(
        "seed {seed}: {clients} clients x {calls} calls, {} sessions, {cleanups} cleanups, {:?}",
        account.left.len(),
        started.elapsed()
    );
    let counts = reckon(&stage, &account);
    for (condition, count) in &counts {
        println!("{condition:?}: {count:?}");
    }

    assert_eq!(account.noise, [""; 0]);
    for (condition, count) in &counts {
        let is_known = !matches!(condition, LeftBehind | OutsideOfSeveral | OutsideOfNone);
        let expected = Count {
            right: if is_known { count.events } else { 0 },
            nowhere: if is_known { 0 } else { count.events },
            wrong: 0,
            lost: 0,
            wrong_answers: 0,
            ..*count
        };
        assert_eq!(*count, expected, "{condition:?}, seed {seed}");
    }
    assert_eq!(counts.len(), 8, "not every condition was met");
    for (new, old) in &account.cleared {
        assert_eq!(stage.sandbox.record(new)["previous"], **old, "{new}");
    }
    let list = stage.sandbox.ccsession(["list", "--all", "--json"]).json();
    let states: BTreeMap<_, _> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| {
            (
                session["session_id"].as_str().unwrap(),
                session["state"].as_str().unwrap(),
            )
        })
        .collect();
    for (id, state) in &account.left {
        assert_eq!(states[&**id], *state, "{id}");
    }
    assert_eq!(states.len(), account.left.len());
    let errors = stage.sandbox.state().join("hook-errors.jsonl");
    let errors = if errors.exists() {
        json_lines(&errors)
    } else {
        Vec::new()
    };
    // Who waits too long for the lock leaves a pointer's removal to the next.
    let is_about_the_lock = |error: &Value| {
        error["what"]
            .as_str()
            .unwrap()
            .starts_with("could not lock ")
    };
    assert!(errors.iter().all(is_about_the_lock), "{errors:#?}");
    println!("{} waited too long for the lock", errors.len());
    stage.sandbox.assert_no_leftovers();
}
