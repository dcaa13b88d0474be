//! The dashboard's server, asked through its port and its socket. The parts are `guarded`, `living` and `pages`.

mod guarded;
mod living;
mod pages;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use serde_json::json;

use crate::support::dashboard::{Dashboard, ask_socket, wait_until_closed};
use crate::support::{Sandbox, as_client, event, mode, wait_until, write_program};

/// Runs the hook of an event of a session of this process.
#[track_caller]
fn hook(sandbox: &Sandbox, id: &str, name: &str, more: serde_json::Value) {
    let run = sandbox.hook(&event(name, id, more));
    run.env("CLAUDE_PID", as_client()).silent();
}

/// Starts a session that was given a prompt.
#[track_caller]
fn begin(sandbox: &Sandbox, id: &str, prompt: &str) {
    hook(sandbox, id, "SessionStart", json!({"source": "startup"}));
    hook(sandbox, id, "UserPromptSubmit", json!({"prompt": prompt}));
}

fn bash(id: &str, what: &str) -> serde_json::Value {
    json!({"tool_name": "Bash", "tool_use_id": id, "tool_input": {"description": what, "command": "make"}})
}

#[test]
fn the_first_line_is_the_address_and_it_leads_to_the_page() {
    let sandbox = Sandbox::new();
    let dashboard = Dashboard::start(&sandbox);
    let address = format!(
        "http://127.0.0.1:{}/?token={}",
        dashboard.port, dashboard.token
    );
    assert_eq!(dashboard.printed, address);
    assert_eq!(dashboard.token.len(), 32);
    let entered = dashboard.ask(&format!("GET /?token={}", dashboard.token), &[]);
    assert_eq!(
        (entered.status, entered.headers["location"].as_str()),
        (303, "/")
    );
    let cookie = dashboard.cookie();
    let page = dashboard.ask("GET /", &[("Cookie", &cookie)]);
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert!(page.body.contains("<!doctype html>"), "{}", page.body);
    assert!(!page.body.contains(&dashboard.token));
}

#[test]
fn the_address_may_begin_with_a_session() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    let run = sandbox.ccsession(["dashboard", "--port", "0", "Speed"]);
    let dashboard = Dashboard::of(run);
    assert!(
        dashboard.printed.ends_with("#/session/s-1"),
        "{}",
        dashboard.printed
    );
    let unknown = sandbox
        .ccsession(["dashboard", "--port", "0", "s-2"])
        .refused(3);
    assert!(
        unknown.contains("could not find session `s-2`"),
        "{unknown}"
    );
}

#[test]
fn the_browser_is_started_with_a_code_that_works_once() {
    let sandbox = Sandbox::new();
    let opened = sandbox.path("opened");
    let browser = sandbox.path("browser");
    write_program(
        &browser,
        &format!(
            "#!/bin/sh\nprintf %s \"$1\" > {0}.new && mv {0}.new {0}\n",
            opened.display()
        ),
    );
    begin(&sandbox, "s-1", "Speed up the search");
    let run = sandbox.ccsession(["dashboard", "--port", "0", "s-1", "--open"]);
    let dashboard = Dashboard::of(run.env("BROWSER", &browser));
    wait_until(|| opened.exists());
    let address = std::fs::read_to_string(&opened).unwrap();
    // Other users can see the arguments of a process.
    assert!(!address.contains(&dashboard.token), "{address}");
    let target = address
        .strip_prefix(&format!("http://{}", dashboard.host()))
        .unwrap();
    let (target, place) = target.split_once('#').unwrap();
    assert_eq!(place, "/session/s-1");
    let enter = || dashboard.ask(&format!("GET {target}"), &[]);
    assert_eq!(enter().status, 303);
    assert_eq!(enter().status, 401);
}

#[test]
fn a_browser_that_does_not_start_is_named_and_the_server_goes_on() {
    let sandbox = Sandbox::new();
    let browser = sandbox.path("browser");
    write_program(&browser, "#!/bin/sh\nexit 1\n");
    let run = sandbox.ccsession(["dashboard", "--port", "0", "--open"]);
    let mut dashboard = Dashboard::of(run.env("BROWSER", &browser));
    let said = dashboard.complaint();
    assert!(
        said.starts_with("ccsession: could not open the browser: "),
        "{said}"
    );
    assert!(said.ends_with("open the address above"), "{said}");
    assert_eq!(dashboard.get("/api/board").status, 200);
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = sandbox
        .ccsession(["dashboard", "--port", &port.to_string()])
        .refused(1);
    let expected = format!(
        "ccsession: could not listen on 127.0.0.1:{port}: address already in use; \
        choose another port with --port, or --port 0 for any free one"
    );
    assert_eq!(refused.to_lowercase(), expected.to_lowercase());
    let wrong = sandbox
        .ccsession(["dashboard", "--port", "65536"])
        .refused(64);
    assert!(wrong.contains("65536"), "{wrong}");
}

#[test]
fn a_signal_ends_it_and_closes_its_port() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let sandbox = Sandbox::new();
        let dashboard = Dashboard::start(&sandbox);
        let port = dashboard.port;
        let mut listening = dashboard.listen("/api/events");
        assert_eq!(listening.next().0, "board");
        let (status, said) = dashboard.end(signal);
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert_eq!(said, "");
        assert!(listening.try_next().is_none());
        wait_until_closed(port);
    }
}

#[test]
fn a_socket_lets_in_its_user_without_a_token_and_is_removed_at_the_end() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    let path = sandbox.path("dashboard.sock");
    let start = || Dashboard::of(sandbox.ccsession(["dashboard", "--socket"]).arg(&path));
    let dashboard = start();
    assert_eq!(dashboard.printed, path.to_str().unwrap());
    assert_eq!(mode(&path), 0o600);
    for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:443"] {
        let board = ask_socket(&path, "GET /api/board", &[("Host", host)]);
        assert_eq!(board.json()["sessions"][0]["session_id"], "s-1", "{host}");
    }
    let rebound = ask_socket(&path, "GET /api/board", &[("Host", "evil.example")]);
    rebound.error(403);
    let foreign = [("Host", "localhost"), ("Origin", "http://localhost:81")];
    ask_socket(&path, "GET /api/board", &foreign).error(403);

    let second = sandbox
        .ccsession(["dashboard", "--socket"])
        .arg(&path)
        .refused(1);
    assert!(second.contains("another process listens there"), "{second}");
    let (status, _) = dashboard.end(Signal::INT);
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    assert!(!path.exists());

    // A killed one leaves its socket, which does not keep the next from starting.
    start().end(Signal::KILL);
    assert!(path.exists());
    let third = start();
    let board = ask_socket(&path, "GET /api/board", &[("Host", "localhost")]);
    assert_eq!(board.status, 200);
    // A file that took its place meanwhile stays.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "mine").unwrap();
    third.end(Signal::TERM);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    let taken = sandbox
        .ccsession(["dashboard", "--socket"])
        .arg(&path)
        .refused(1);
    assert!(taken.contains("another file has this name"), "{taken}");
}

#[test]
fn a_socket_that_others_could_replace_is_refused() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("shared");
    std::fs::create_dir(&dir).unwrap();
    let path = dir.join("dashboard.sock");
    for mode in [0o777, 0o1777, 0o775, 0o702] {
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = sandbox
            .ccsession(["dashboard", "--socket"])
            .arg(&path)
            .refused(1);
        assert!(
            refused.contains("nobody else may write to it"),
            "{mode:o} {refused}"
        );
        assert!(!path.exists());
    }
    let missing = sandbox.path("nowhere").join("dashboard.sock");
    let refused = sandbox
        .ccsession(["dashboard", "--socket"])
        .arg(&missing)
        .refused(1);
    assert!(refused.contains("nowhere"), "{refused}");
    let long = sandbox.path(&"x".repeat(200));
    let refused = sandbox
        .ccsession(["dashboard", "--socket"])
        .arg(&long)
        .refused(1);
    assert!(refused.contains("too long for a socket"), "{refused}");
    // Another program's socket of the same name is in use as well.
    let other = sandbox.path("other.sock");
    let _other = UnixListener::bind(&other).unwrap();
    let refused = sandbox
        .ccsession(["dashboard", "--socket"])
        .arg(&other)
        .refused(1);
    assert!(
        refused.contains("another process listens there"),
        "{refused}"
    );
}

#[test]
fn two_dashboards_of_one_user_do_not_disturb_each_other() {
    let sandbox = Sandbox::new();
    let (one, other) = (Dashboard::start(&sandbox), Dashboard::start(&sandbox));
    // A browser sends the cookies of all ports of a host.
    let both = format!("{}; {}", one.cookie(), other.cookie());
    for dashboard in [&one, &other] {
        let board = dashboard.ask("GET /api/board", &[("Cookie", &both)]);
        assert_eq!(board.status, 200);
    }
    let foreign = one.ask("GET /api/board", &[("Cookie", &other.cookie())]);
    foreign.error(401);
    let renamed = other
        .cookie()
        .replace(&other.port.to_string(), &one.port.to_string());
    one.ask("GET /api/board", &[("Cookie", &renamed)])
        .error(401);
}
