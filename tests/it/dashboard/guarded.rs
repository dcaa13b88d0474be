//! Whom the server answers, and what it says to everybody else.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{bash, begin, hook};
use crate::support::Sandbox;
use crate::support::dashboard::{Answer, Dashboard, request};
use crate::support::namespaces::root;

/// Every route, with its method.
const ROUTES: [&str; 9] = [
    "GET /",
    "GET /session",
    "GET /api/board",
    "GET /api/events",
    "GET /api/sessions",
    "GET /api/search?q=secret",
    "GET /api/session/s-1",
    "GET /api/session/s-1/events",
    "POST /api/session/s-1/clock-out",
];

/// A session whose words must not be in any refusal.
fn private() -> Sandbox {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "A private secret");
    hook(&sandbox, "s-1", "PreToolUse", bash("t1", "private secret"));
    sandbox
}

#[track_caller]
fn assert_tells_nothing(answer: &Answer) {
    let text = format!("{answer:?}");
    for word in ["secret", "s-1", "shop", "<script"] {
        assert!(!answer.body.contains(word), "{text}");
    }
    assert!(!answer.headers.contains_key("set-cookie"), "{text}");
    assert!(
        !answer.headers.contains_key("access-control-allow-origin"),
        "{text}"
    );
}

#[test]
fn without_token_and_cookie_no_route_reveals_anything() {
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let other = Dashboard::start(&sandbox);
    let stolen = format!("Bearer {}", other.token);
    let origin = format!("http://{}", dashboard.host());
    let wrong = format!("ccsession_{}={}", dashboard.port, dashboard.token);
    for line in ROUTES
        .into_iter()
        .chain(["GET /nowhere", "PUT /", "GET /favicon.ico"])
    {
        for known in [
            ("X-Nothing", ""),
            ("Cookie", "ccsession_1=x"),
            ("Cookie", wrong.as_str()),
            ("Authorization", &stolen),
            ("Authorization", "Bearer "),
        ] {
            let answer = dashboard.ask(line, &[("Origin", &origin), known]);
            assert_eq!(answer.status, 401, "{line} {known:?}");
            assert_tells_nothing(&answer);
            assert!(answer.body.contains("open the address"), "{answer:?}");
        }
    }
    for token in ["", "x", other.token.as_str()] {
        let answer = dashboard.ask(&format!("GET /?token={token}"), &[]);
        assert_eq!(answer.status, 401, "{token}");
        assert_tells_nothing(&answer);
    }
}

#[test]
fn a_foreign_host_or_origin_or_page_is_refused_with_the_right_cookie_too() {
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let (cookie, origin) = (dashboard.cookie(), format!("http://{}", dashboard.host()));
    let known = ("Cookie", cookie.as_str());
    for line in ROUTES {
        for foreign in [
            ("Host", "evil.example"),
            ("Host", "127.0.0.1"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ] {
            let answer = dashboard.ask(line, &[known, ("Origin", &origin), foreign]);
            assert_eq!(answer.status, 403, "{line} {foreign:?}");
            assert_tells_nothing(&answer);
        }
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            let answer = dashboard.ask(line, &[known, ("Origin", origin)]);
            assert_eq!(answer.status, 403, "{line} {origin}");
            assert_tells_nothing(&answer);
        }
    }
    let preflight = [
        ("Origin", "http://evil.example"),
        ("Access-Control-Request-Method", "POST"),
    ];
    let answer = dashboard.ask("OPTIONS /api/board", &preflight);
    assert_eq!(answer.status, 403);
    assert_tells_nothing(&answer);
    let without = dashboard.ask("POST /api/session/s-1/clock-out", &[known]);
    assert_eq!(without.status, 403);
    let missing = dashboard.send(&request("GET /", &[known], ""));
    assert_eq!(missing.status, 400);
}

#[test]
fn another_user_of_the_machine_gets_nothing_with_a_stolen_token_or_cookie() {
    if !root() {
        println!("skipped: only root can ask as another user");
        return;
    }
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let (cookie, bearer) = (dashboard.cookie(), format!("Bearer {}", dashboard.token));
    let host = dashboard.host();
    let enter = format!("GET /?token={}", dashboard.token);
    for (line, known) in [
        ("GET /", ("Cookie", cookie.as_str())),
        ("GET /api/board", ("Cookie", &cookie)),
        ("GET /api/events", ("Authorization", &bearer)),
        (enter.as_str(), ("X-Nothing", "")),
    ] {
        let bytes = request(line, &[("Host", &host), known], "");
        let script = "exec 3<>/dev/tcp/127.0.0.1/$0 && printf %s \"$1\" >&3 && cat <&3";
        let mut other = Command::new("bash");
        other.args(["-c", script, &dashboard.port.to_string()]);
        other.arg(std::str::from_utf8(&bytes).unwrap()).uid(65534);
        let output = other.current_dir("/").output().unwrap();
        let answer = Answer::read(output.stdout.as_slice());
        assert_eq!(answer.status, 403, "{line} {known:?} {output:?}");
        assert_tells_nothing(&answer);
        assert!(
            answer.body.contains("another user of this machine"),
            "{answer:?}"
        );
    }
    assert_eq!(dashboard.ask("GET /", &[("Cookie", &cookie)]).status, 200);
}

#[test]
fn a_visitor_from_a_local_file_is_redirected_by_our_own_page() {
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let visit = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    let entered = dashboard.ask(&format!("GET /?token={}", dashboard.token), &visit);
    assert_eq!(entered.status, 200);
    assert!(
        entered
            .body
            .contains("location.replace('/' + location.hash)")
    );
    let cookie = entered.headers["set-cookie"].split(';').next().unwrap();
    let page = dashboard.ask(
        "GET /",
        &[("Cookie", cookie), ("Sec-Fetch-Site", "same-origin")],
    );
    assert_eq!(page.status, 200);
    // A link on a foreign page comes without the cookie, and learns only what to do.
    let linked = dashboard.ask("GET /", &visit);
    assert_eq!(linked.status, 401);
    assert_tells_nothing(&linked);
}

#[test]
fn the_cookie_is_for_our_page_alone() {
    let sandbox = Sandbox::new();
    let dashboard = Dashboard::start(&sandbox);
    let entered = dashboard.ask(&format!("GET /?token={}", dashboard.token), &[]);
    let cookie = &entered.headers["set-cookie"];
    let mut parts = cookie.split("; ");
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    assert_eq!(name, format!("ccsession_{}", dashboard.port));
    assert_eq!(value.len(), 32);
    assert_ne!(value, dashboard.token);
    let flags: Vec<&str> = parts.collect();
    assert_eq!(flags, ["Path=/", "HttpOnly", "SameSite=Strict"]);
}

#[test]
fn every_answer_has_the_protective_headers() {
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let cookie = dashboard.cookie();
    let token = format!("GET /?token={}", dashboard.token);
    let lines = [
        "GET /",
        "GET /api/board",
        "GET /api/sessions",
        "GET /nowhere",
        "DELETE /",
        "GET /api/session/%00",
        token.as_str(),
    ];
    let answers = lines.map(|line| dashboard.ask(line, &[("Cookie", &cookie)]));
    let refused = ["GET /", "GET /api/board"].map(|line| dashboard.ask(line, &[]));
    let foreign = dashboard.ask("GET /", &[("Host", "evil.example")]);
    let stream = dashboard.listen("/api/events").headers;
    let all = answers.into_iter().chain(refused).chain([foreign]);
    for headers in all.map(|answer| answer.headers).chain([stream]) {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(
                headers.get(name).map(String::as_str),
                Some(value),
                "{headers:?}"
            );
        }
        let policy = &headers["content-security-policy"];
        for rule in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        assert!(
            !headers.contains_key("access-control-allow-origin"),
            "{headers:?}"
        );
    }
}

#[test]
fn wrong_paths_methods_and_ids_are_named() {
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let long = format!("GET /{}", "a".repeat(10_000));
    let long_id = format!("GET /api/session/{}", "a".repeat(10_000));
    let cookie = dashboard.cookie();
    let ask = |line: &str| dashboard.ask(line, &[("Cookie", &cookie)]);
    for line in [
        "GET /../../etc/passwd",
        "GET /%2e%2e/x",
        "GET /%00",
        "GET //",
        "GET /index.html",
        &long,
    ] {
        let error = ask(line).error(404);
        assert!(
            error.len() < 200 && error.contains("the page is at `/`"),
            "{error}"
        );
    }
    for id in ["..", "%2e%2e%2f", "a%00", "unknown", "%3Cscript%3E"] {
        let error = ask(&format!("GET /api/session/{id}")).error(400);
        assert!(error.contains("could not use the session id"), "{error}");
    }
    let error = ask(&long_id).error(400);
    assert!(
        error.len() < 200 && error.contains("longer than 128 bytes"),
        "{error}"
    );
    let wrong = ask("DELETE /api/board");
    assert_eq!(wrong.headers["allow"], "GET, HEAD");
    wrong.error(405);
    let wrong = ask("GET /api/session/s-1/clock-out");
    assert_eq!(wrong.headers["allow"], "POST");
    wrong.error(405);
    let head = ask("HEAD /api/board");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn an_invalid_or_too_large_request_is_refused_without_details() {
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let large = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n",
        dashboard.host(),
        "x".repeat(20_000)
    );
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    for (bytes, expected) in [
        (large.as_str(), [431].as_slice()),
        (&many, &[431, 400]),
        (&long, &[431, 414]),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n", &[400]),
        ("GET / HTTP/9.9\r\n\r\n", &[400]),
        ("get it\r\n\r\n", &[400]),
    ] {
        let answer = dashboard.send(bytes.as_bytes());
        assert!(
            expected.contains(&answer.status),
            "{} {answer:?}",
            &bytes[..20]
        );
        assert_eq!(answer.body, "");
    }
    assert_eq!(dashboard.get("/api/board").status, 200);
}

#[test]
fn a_confirmation_must_be_complete_small_and_about_this_session() {
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let path = "/api/session/s-1/clock-out";
    for body in [
        "",
        "{}",
        "s-1",
        "{\"confirm\": \"s-2\"}",
        "{\"confirm\": 1}",
        "[\"s-1\"]",
        "{\"confirm\": \"s-1\", \"force\": true}",
        "{\"confirm\": \"s-1\"",
    ] {
        let error = dashboard.post(path, body).error(400);
        assert!(error.contains("could not clock out"), "{error}");
    }
    let large = format!("{{\"confirm\": \"{}\"}}", "x".repeat(70_000));
    let error = dashboard.post(path, &large).error(413);
    assert!(error.contains("longer than 64 KiB"), "{error}");
    // A form of a foreign page could send this type without asking.
    let (host, origin, cookie) = (
        dashboard.host(),
        format!("http://{}", dashboard.host()),
        dashboard.cookie(),
    );
    let body = "{\"confirm\": \"s-1\"}";
    let length = body.len().to_string();
    let headers = [
        ("Host", host.as_str()),
        ("Origin", &origin),
        ("Cookie", &cookie),
        ("Content-Type", "text/plain"),
        ("Content-Length", &length),
    ];
    dashboard
        .send(&request(&format!("POST {path}"), &headers, body))
        .error(400);
    assert!(!sandbox.state().join("archive").join("s-1").exists());
    let listed = sandbox.ccsession(["archive", "list", "--json"]).stdout();
    assert!(!listed.contains("s-1"), "{listed}");
}

#[test]
fn ten_thousand_connections_leave_it_answering() {
    let sandbox = private();
    let dashboard = Dashboard::start(&sandbox);
    let bearer = format!("Bearer {}", dashboard.token);
    let host = dashboard.host();
    let headers = [("Host", host.as_str()), ("Authorization", &bearer)];
    let ask = || {
        let mut stream = dashboard.connect();
        let _ = stream.write_all(&request("GET /api/board", &headers, ""));
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let mut held = Vec::new();
    for number in 0..10_000 {
        let mut stream = dashboard.connect();
        // Every one begins a request and does not end it; a few hundred stay.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: ");
        if number < 400 {
            held.push(stream);
        }
        // The answer shows that the server has accepted all before. The kernel keeps 128 for it; beyond them, a client waits
        // for seconds and tries again.
        if number % 100 == 99 {
            ask();
        }
    }
    let refused = held.pop().map(|mut stream| {
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        said
    });
    assert!(refused.is_some_and(|said| said.is_empty() || said.starts_with("HTTP/1.1 503")));
    drop(held);
    crate::support::wait_until(|| ask().starts_with("HTTP/1.1 200 "));
}
