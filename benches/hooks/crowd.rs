//! Fills a state directory as in real use: a hundred live sessions, each with a process of its own,
//! and thousands that have ended.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::case::{Case, session_id};
use crate::surroundings::hook;

/// Processes with a session each. Dropping this ends them.
pub(crate) struct Crowd {
    clients: Vec<Child>,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for client in &mut self.clients {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

/// Starts `count` sessions in `projects` projects.
pub(crate) fn live(case: &Case, count: usize, projects: usize) -> Crowd {
    let script = format!("CLAUDE_PID=$$ {}; exec sleep 86400", hook());
    let start = |number: usize| {
        let project = case.path(&format!("projects/{}/shop", number % projects));
        fs::create_dir_all(project.join(".git")).unwrap();
        let mut client = case.prepare_start(&["/bin/sh", "-c", &script], &session_id());
        client
            .current_dir(&project)
            .env("CLAUDE_PROJECT_DIR", &project)
            .env_remove("CLAUDE_CODE_SESSION_ID");
        client.spawn().unwrap()
    };
    let crowd = Crowd {
        clients: (0..count).map(start).collect(),
    };
    let started = Instant::now();
    // The case's own process is among them.
    while entries(&case.path("state/procs")) <= count {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the crowd did not start"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    crowd
}

/// Creates `count` sessions that have ended.
pub(crate) fn ended(case: &Case, count: usize) {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let sessions = case.path("state/sessions");
    let record = fs::read_to_string(sessions.join(&case.session).join("session.json")).unwrap();
    for _ in 0..count {
        let id = session_id();
        let dir = sessions.join(&id);
        fs::DirBuilder::new().mode(0o700).create(&dir).unwrap();
        let write = |name: &str, text: &str| {
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(dir.join(name))
                .unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        write("session.json", &record.replace(&case.session, &id));
        write("events.jsonl", "\n{\"v\":1,\"event\":\"SessionEnd\"}\n");
    }
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}
