//! Each class of error against real sockets.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use tempfile::TempDir;

use super::super::destination::SpansSetting;
use super::super::endpoint::Endpoint;
use super::*;

/// What a server does with a request.
#[derive(Clone)]
enum Reply {
    Says(String),
    /// Nothing, until the sender gives up.
    Hangs,
    /// Ends the connection in the middle of its answer.
    BreaksOff,
}

/// A request as it arrived.
#[derive(Debug)]
struct Seen {
    head: String,
    body: Vec<u8>,
}

/// A server on a port of its own, which gives these replies one after the other.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = seen.clone();
        let mut replies = replies.into_iter();
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve(&stream.unwrap(), &shared, &mut replies);
            }
        });
        Self { port, seen }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn serve(
    mut stream: &TcpStream,
    seen: &Mutex<Vec<Seen>>,
    replies: &mut impl Iterator<Item = Reply>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        reader.read_exact(&mut body)?;
        seen.lock().unwrap().push(Seen { head, body });
        match replies.next().unwrap() {
            Reply::Says(text) => stream.write_all(text.as_bytes())?,
            Reply::Hangs => {
                let mut rest = Vec::new();
                reader.read_to_end(&mut rest)?;
                return Ok(());
            }
            Reply::BreaksOff => {
                return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
            }
        }
    }
}

fn says(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Says(format!(
        "HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))
}

fn taken() -> Reply {
    says(200, "content-type: application/json\r\n", "{}")
}

fn destination(url: &str) -> Destination {
    Destination {
        name: "team".to_owned(),
        endpoint: Endpoint::parse(url, false).unwrap(),
        protocol: Protocol::OtlpJson,
        signals: vec![Signal::Traces],
        spans: SpansSetting::Auto,
        headers_file: None,
        compression: Compression::None,
        batch: 2 << 20,
        timeout: Duration::from_secs(60),
    }
}

const AT_ONCE: RetryPolicy = RetryPolicy {
    attempts: 3,
    first: Duration::ZERO,
    longest: Duration::from_secs(30),
};

fn outlet(destination: &Destination) -> Box<dyn Outlet> {
    open_with(destination, AT_ONCE).unwrap()
}

fn batch(body: &str) -> Batch<'_> {
    Batch::Otlp {
        signal: Signal::Traces,
        body: body.as_bytes().into(),
    }
}

fn unreachable(line: impl Into<String>) -> Delivery {
    Delivery::Unreachable {
        why: Failure {
            line: line.into(),
            taken: 0,
        },
        retry_after: None,
    }
}

fn misconfigured(line: impl Into<String>) -> Delivery {
    Delivery::Misconfigured(Failure {
        line: line.into(),
        taken: 0,
    })
}

/// What comes of one delivery to a server with these replies, and how many requests it gets.
#[track_caller]
fn check(replies: Vec<Reply>, requests: usize, expected: impl FnOnce(&str) -> Delivery) {
    let server = Server::new(replies);
    let delivery = outlet(&destination(&server.url())).deliver(&batch("{}"));
    assert_eq!(delivery, expected(&server.url()));
    assert_eq!(server.requests(), requests);
}

#[test]
fn a_request_has_a_path_a_type_a_length_and_the_headers_of_the_file() {
    let dir = TempDir::new().unwrap();
    let file = headers_file(
        dir.path(),
        "# mine\n\nAuthorization: Bearer hush-hush\n",
        0o600,
    );
    let server = Server::new(vec![taken(), taken()]);
    let destination = Destination {
        headers_file: Some(file),
        ..destination(&format!("{}/otlp/", server.url()))
    };
    let mut outlet = outlet(&destination);
    assert_eq!(outlet.deliver(&batch("{\"a\":1}")), Delivery::Accepted);
    assert_eq!(outlet.deliver(&batch("{}")), Delivery::Accepted);
    let seen = server.seen.lock().unwrap();
    let head = &seen[0].head;
    assert!(
        head.starts_with("POST /otlp/v1/traces HTTP/1.1\r\n"),
        "{head}"
    );
    for line in [
        "content-type: application/json",
        "content-length: 7",
        "authorization: Bearer hush-hush",
        concat!("user-agent: ccsession/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|it| it == line), "{line} in {head}");
    }
    assert!(!head.contains("encoding"), "{head}");
    assert_eq!(seen[0].body, b"{\"a\":1}");
    assert!(!format!("{outlet:?}").contains("hush"));
}

#[test]
fn a_request_is_compressed_and_may_be_protobuf() {
    let server = Server::new(vec![says(
        200,
        "content-type: application/x-protobuf\r\n",
        "\n\u{4}\u{8}\u{2}",
    )]);
    let destination = Destination {
        protocol: Protocol::OtlpProtobuf,
        compression: Compression::Gzip,
        batch: 2 << 20,
        ..destination(&server.url())
    };
    let body = "many words ".repeat(1000);
    // The length of the answer's partial success is wrong, so it says nothing.
    assert_eq!(
        outlet(&destination).deliver(&batch(&body)),
        Delivery::Accepted
    );
    let seen = server.seen.lock().unwrap();
    let head = &seen[0].head;
    assert!(
        head.contains("content-type: application/x-protobuf\r\n"),
        "{head}"
    );
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    assert!(seen[0].body.len() < body.len() / 10);
    let mut read = String::new();
    GzDecoder::new(&seen[0].body[..])
        .read_to_string(&mut read)
        .unwrap();
    assert_eq!(read, body);
}

#[test]
fn a_temporary_failure_is_retried_a_bounded_number_of_times() {
    let later = |status| says(status, "", "");
    check(vec![later(503), later(429), taken()], 3, |_| {
        Delivery::Accepted
    });
    check(
        vec![later(502), later(503), later(504), taken()],
        3,
        |url| unreachable(format!("{url}/v1/traces is overloaded (504)")),
    );
    check(vec![Reply::BreaksOff, taken()], 2, |_| Delivery::Accepted);
}

#[test]
fn what_stays_wrong_is_sent_once() {
    let taken_nothing = |line| Failure { line, taken: 0 };
    check(vec![says(500, "", "oh")], 1, |url| {
        unreachable(format!("{url}/v1/traces failed (500): oh"))
    });
    check(vec![says(400, "", "odd")], 1, |url| {
        Delivery::Refused(taken_nothing(format!(
            "{url}/v1/traces refused what was sent (400): odd"
        )))
    });
    check(vec![says(413, "", "")], 1, |url| {
        Delivery::TooLarge(taken_nothing(format!(
            "{url}/v1/traces accepts no request of this size (413)"
        )))
    });
    check(vec![says(401, "", "")], 1, |url| {
        misconfigured(format!(
            "{url}/v1/traces wants credentials (401); set headers_file"
        ))
    });
    check(vec![says(301, "location: https://y/\r\n", "")], 1, |url| {
        misconfigured(format!(
            "{url}/v1/traces redirects to https://y/, which is not followed; correct the endpoint"
        ))
    });
    check(
        vec![says(
            200,
            "content-type: text/html; charset=utf-8\r\n",
            "<html>",
        )],
        1,
        |url| {
            misconfigured(format!(
                "{url}/v1/traces answers with a web page; check the host and the path of endpoint"
            ))
        },
    );
}

#[test]
fn a_destination_that_asks_for_a_pause_gets_one() {
    let later = |value: &str| says(429, &format!("retry-after: {value}\r\n"), "");
    check(vec![later("0"), taken()], 2, |_| Delivery::Accepted);
    let waits = |value: &str, expected: u64| {
        check(vec![later(value)], 1, |url| Delivery::Unreachable {
            why: Failure {
                line: format!("{url}/v1/traces is overloaded (429)"),
                taken: 0,
            },
            retry_after: Some(Duration::from_secs(expected)),
        });
    };
    waits("31", 31);
    waits("Fri, 01 Jan 2100 00:00:00 GMT", 24 * 60 * 60);
}

#[test]
fn what_was_rejected_is_told() {
    let body = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#;
    check(
        vec![says(200, "content-type: application/json\r\n", body)],
        1,
        |_| Delivery::Partial {
            rejected: 2,
            message: "too old".to_owned(),
        },
    );
}

#[test]
fn a_secret_that_comes_back_is_not_shown() {
    let dir = TempDir::new().unwrap();
    let file = headers_file(dir.path(), "Authorization: Bearer hush-hush", 0o400);
    let server = Server::new(vec![says(403, "", "no Bearer hush-hush here, hush-hush")]);
    let destination = Destination {
        headers_file: Some(file),
        ..destination(&server.url())
    };
    let url = server.url();
    assert_eq!(
        outlet(&destination).deliver(&batch("{}")),
        misconfigured(format!(
            "{url}/v1/traces refuses the credentials (403): no [redacted] here, [redacted]; check the headers_file"
        ))
    );
}

#[test]
fn a_destination_that_does_not_answer_is_left_in_time() {
    let replies = vec![Reply::Hangs, Reply::Hangs, Reply::Hangs];
    let server = Server::new(replies);
    let destination = Destination {
        timeout: Duration::from_millis(50),
        ..destination(&server.url())
    };
    assert_eq!(
        outlet(&destination).deliver(&batch("{}")),
        unreachable(format!("{} did not answer within 50ms", server.url()))
    );
}

#[test]
fn a_destination_that_is_not_there_is_named() {
    let url = "http://127.0.0.1:1";
    assert_eq!(
        outlet(&destination(url)).deliver(&batch("{}")),
        unreachable(format!(
            "could not reach {url}: the connection was refused; is a collector running there?"
        ))
    );
    let garbled = vec![Reply::Says("\0\0\u{12}\u{4}\0\0\0\0\0\0\r\n\r\n".to_owned()); 3];
    let server = Server::new(garbled);
    assert_eq!(
        outlet(&destination(&server.url())).deliver(&batch("{}")),
        unreachable(format!(
            "{} does not answer in HTTP/1.1; check the port of endpoint",
            server.url()
        ))
    );
}

#[test]
fn an_answer_without_an_end_is_not_read_to_its_end() {
    let endless = Reply::Says(format!(
        "HTTP/1.1 400 x\r\ncontent-type: text/plain\r\ncontent-length: 99999999\r\n\r\n{}",
        "x".repeat(1 << 20)
    ));
    check(vec![endless], 1, |url| {
        let said = format!("{}…", "x".repeat(199));
        Delivery::Refused(Failure {
            line: format!("{url}/v1/traces refused what was sent (400): {said}"),
            taken: 0,
        })
    });
}

#[test]
fn events_are_sent_one_by_one_and_accepted_ones_are_counted() {
    let server = Server::new(vec![
        taken(),
        says(503, "", ""),
        taken(),
        says(400, "", "odd"),
    ]);
    let destination = Destination {
        protocol: Protocol::Observability,
        ..destination(&server.url())
    };
    let events = ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}", "{\"n\":4}"];
    let events = events.map(|event| event.as_bytes().to_vec());
    let delivery = outlet(&destination).deliver(&Batch::Events(events.to_vec()));
    let line = format!("{}/events refused what was sent (400): odd", server.url());
    assert_eq!(delivery, Delivery::Refused(Failure { line, taken: 2 }));
    let seen = server.seen.lock().unwrap();
    let bodies: Vec<&[u8]> = seen.iter().map(|it| &it.body[..]).collect();
    assert_eq!(bodies, [&events[0], &events[1], &events[1], &events[2]]);
    assert!(
        seen.iter()
            .all(|it| it.head.starts_with("POST /events HTTP/1.1\r\n"))
    );
}

fn headers_file(dir: &Path, text: &str, mode: u32) -> std::path::PathBuf {
    let path = dir.join("headers");
    #[expect(
        clippy::disallowed_methods,
        reason = "what a person does with an editor"
    )]
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn a_readable_or_invalid_headers_file_is_refused_without_showing_it() {
    let check = |text: &str, mode: u32, expected: &str| {
        let dir = TempDir::new().unwrap();
        let path = headers_file(dir.path(), text, mode);
        let destination = Destination {
            headers_file: Some(path.clone()),
            ..destination("http://127.0.0.1:1")
        };
        let said = open(&destination).unwrap_err();
        assert_eq!(said, expected.replace("FILE", path.to_str().unwrap()));
    };
    check(
        "A: hush",
        0o640,
        "could not trust `FILE`: others may read it (mode 0640); run chmod 600 on it",
    );
    check(
        "A: hush",
        0o622,
        "could not trust `FILE`: others may write to it (mode 0622); run chmod go-w on it",
    );
    let not_a_header = "could not read `FILE`: line 2 is not a header: expected `Name: value`";
    check("# x\nhush", 0o600, not_a_header);
    check("\nhush hush: x", 0o600, not_a_header);
    check("\nA: hu\0sh", 0o600, not_a_header);
    check(
        "Content-Type: hush",
        0o600,
        "could not read `FILE`: line 1 sets a header that ccsession sets itself; remove it",
    );
    let nowhere = Destination {
        headers_file: Some("/nowhere/headers".into()),
        ..destination("http://127.0.0.1:1")
    };
    assert_eq!(
        open(&nowhere).unwrap_err(),
        "could not read `/nowhere/headers`: it does not exist; write a line `Name: value` for each header into it, with mode 600"
    );
}

#[cfg(feature = "tls")]
mod encrypted {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../tests/data/tls/server.pem");
    const KEY: &[u8] = include_bytes!("../../../tests/data/tls/server.key");

    #[test]
    fn an_untrusted_certificate_is_refused_without_a_retry() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
                PrivateKeyDer::from_pem_slice(KEY).unwrap(),
            );
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            connection.complete_io(&mut stream).unwrap_err();
            listener.set_nonblocking(true).unwrap();
            listener.accept().is_err()
        });
        assert_eq!(
            outlet(&destination(&url)).deliver(&batch("{}")),
            misconfigured(format!(
                "the certificate of {url} was refused: this system does not trust its issuer; add the issuer to the system's certificates, or name a file with it in SSL_CERT_FILE"
            ))
        );
        assert!(server.join().unwrap(), "it came once");
    }

    #[test]
    fn a_server_without_tls_is_told() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 64];
            stream.read_exact(&mut hello).unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        assert_eq!(
            outlet(&destination(&url)).deliver(&batch("{}")),
            misconfigured(format!(
                "{url} does not speak TLS; check the port, or use `http://`"
            ))
        );
        server.join().unwrap();
    }
}
