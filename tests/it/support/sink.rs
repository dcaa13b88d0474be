//! A collector that takes OTLP in both encodings and events of a dashboard, checks them strictly, and
//! answers as a test wants.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;
use serde_json::{Value, json};

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is taken.
    Taken,
    /// It is taken, and no answer is sent.
    TakenInSilence,
    /// It is taken without its first item, and the answer says so.
    TakenInPart,
    /// It is not taken, with this status.
    Status(u16),
    /// It is not taken, with this status (429 or 503), and the sender should retry at once.
    Later(u16),
    /// The connection ends before the request is read.
    HangUp,
    /// The request is read, and no answer comes until the sender goes away.
    Hang,
    /// It is taken, but the answer has this status of a failure.
    TakenAndDenied(u16),
    /// It is taken, and the answer is a web page, as from another kind of server.
    TakenWithPage,
    /// It is taken, and the answer breaks off.
    TakenAndBrokenOff,
}

/// What a collector has received.
#[derive(Debug, Default, Clone)]
pub(crate) struct Collected {
    /// Each span by its trace and its id.
    pub(crate) spans: BTreeMap<String, Value>,
    /// Each log record by its `log.record.uid`.
    pub(crate) logs: BTreeMap<String, Value>,
    /// The ids of what was rejected for good.
    pub(crate) rejected: BTreeSet<String>,
    /// The resources, by session.
    pub(crate) resources: BTreeMap<String, Value>,
    /// The requests with metrics.
    pub(crate) metrics: Vec<Value>,
    /// What came for a dashboard, in the order in which it came.
    pub(crate) events: Vec<Value>,
    /// How many requests were taken.
    pub(crate) requests: usize,
    /// The content types of these requests.
    pub(crate) types: BTreeSet<String>,
    /// How many items came, repetitions included.
    pub(crate) items: usize,
    /// What was wrong with requests.
    pub(crate) faults: Vec<String>,
}

/// A collector on a separate port, until it goes out of scope.
pub(crate) struct Sink {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    collected: Mutex<Collected>,
    answer: Mutex<Box<dyn FnMut() -> Answer + Send>>,
    asked: AtomicUsize,
    ends: AtomicBool,
}

impl Sink {
    /// Starts a collector that takes everything.
    pub(crate) fn new() -> Self {
        Self::start("http", |shared, stream| shared.serve(stream))
    }

    /// Starts one that speaks TLS, with the certificate of the tests.
    #[cfg(feature = "tls")]
    pub(crate) fn encrypted() -> Self {
        let config = encrypted::config();
        Self::start("https", move |shared, stream| {
            let connection = rustls::ServerConnection::new(config.clone());
            let connection = connection.map_err(std::io::Error::other)?;
            shared.serve(rustls::StreamOwned::new(connection, stream))
        })
    }

    fn start(
        scheme: &'static str,
        serve: impl Fn(&Shared, TcpStream) -> std::io::Result<()> + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            collected: Mutex::default(),
            answer: Mutex::new(Box::new(|| Answer::Taken)),
            asked: AtomicUsize::new(0),
            ends: AtomicBool::new(false),
        });
        let of_thread = shared.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.ends.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, serve) = (of_thread.clone(), serve.clone());
                // The thread ends with its connection, at the latest when the sender does.
                std::thread::spawn(move || {
                    let _ = stream.map(|stream| {
                        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
                        serve(&shared, stream)
                    });
                });
            }
        });
        Self {
            address,
            scheme,
            shared,
            thread: Some(thread),
        }
    }

    /// Returns the URL of the collector.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Has the collector answer like this from now on.
    pub(crate) fn answer(&self, answer: impl FnMut() -> Answer + Send + 'static) {
        *self.shared.answer.lock().unwrap() = Box::new(answer);
    }

    /// Returns how many requests came so far, taken or not.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Returns what was taken so far.
    #[track_caller]
    pub(crate) fn collected(&self) -> Collected {
        let collected = self.shared.collected.lock().unwrap().clone();
        assert_eq!(collected.faults, [""; 0]);
        collected
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, stream: impl Read + Write) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let answer = (self.answer.lock().unwrap())();
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            if answer == Answer::HangUp {
                return Ok(());
            }
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let (mut length, mut content_type) = (0, String::new());
            loop {
                let mut header = String::new();
                reader.read_line(&mut header)?;
                let header = header.trim_end().to_ascii_lowercase();
                if header.is_empty() {
                    break;
                }
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                if let Some(value) = header.strip_prefix("content-type:") {
                    content_type = value.trim().to_owned();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            if answer == Answer::Hang {
                reader.read_to_end(&mut Vec::new())?;
                return Ok(());
            }
            let (status, text) = match answer {
                Answer::Status(status) | Answer::Later(status) => (status, "{}".to_owned()),
                _ => {
                    let in_part = answer == Answer::TakenInPart;
                    let text = self.take(&path, &content_type, &body, in_part);
                    match answer {
                        Answer::TakenInSilence => return Ok(()),
                        Answer::TakenAndDenied(status) => (status, text),
                        _ => (200, text),
                    }
                }
            };
            let mut length = text.len();
            let more = match answer {
                Answer::Later(_) => "retry-after: 0\r\n",
                _ => "",
            };
            let answer_type = match answer {
                Answer::TakenWithPage => "text/html",
                _ => &content_type,
            };
            if answer == Answer::TakenAndBrokenOff {
                length += 1;
            }
            let stream = reader.get_mut();
            // By one write: the system keeps the rest of an answer back until its beginning is acknowledged.
            let whole = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: {answer_type}\r\n{more}content-length: {length}\r\n\r\n{text}"
            );
            stream.write_all(whole.as_bytes())?;
            stream.flush()?;
            if answer == Answer::TakenAndBrokenOff {
                return Ok(());
            }
        }
    }

    /// Takes a request, and returns the answer.
    fn take(&self, path: &str, content_type: &str, body: &[u8], in_part: bool) -> String {
        let is_protobuf = content_type == "application/x-protobuf";
        let nothing = if is_protobuf { "" } else { "{}" };
        let mut collected = self.collected.lock().unwrap();
        let request = match is_protobuf {
            true => of_protobuf(path, body),
            false => serde_json::from_slice(body).map_err(|err| err.to_string()),
        };
        let request: Value = match request {
            Ok(request) => request,
            Err(err) => {
                collected.faults.push(format!("{path}: {err}"));
                return nothing.to_owned();
            }
        };
        collected.types.insert(content_type.to_owned());
        if path == "/events" {
            collected.events.push(request);
            return nothing.to_owned();
        }
        if path == "/v1/metrics" {
            collected.metrics.push(request);
            return nothing.to_owned();
        }
        let [resources, scopes, items, rejected] = match path {
            "/v1/traces" => ["resourceSpans", "scopeSpans", "spans", "rejectedSpans"],
            "/v1/logs" => [
                "resourceLogs",
                "scopeLogs",
                "logRecords",
                "rejectedLogRecords",
            ],
            _ => {
                collected.faults.push(format!("nothing is at {path}"));
                return "{}".to_owned();
            }
        };
        collected.requests += 1;
        let mut leaves_out = in_part;
        for group in request[resources].as_array().into_iter().flatten() {
            let session = attribute(&group["resource"], "session.id");
            let session = session.and_then(Value::as_str).unwrap_or("none").to_owned();
            let resource = group["resource"].clone();
            collected.resources.insert(session, resource);
            let scopes = group[scopes].as_array().into_iter().flatten();
            for item in scopes.flat_map(|scope| scope[items].as_array().into_iter().flatten()) {
                let id = match items {
                    "spans" => format!("{}/{}", text(&item["traceId"]), text(&item["spanId"])),
                    _ => {
                        let uid = attribute(item, "log.record.uid");
                        uid.map(text).unwrap_or_default().to_owned()
                    }
                };
                collected.items += 1;
                if id.len() < 16 {
                    collected.faults.push(format!("no id: {item}"));
                }
                if std::mem::take(&mut leaves_out) {
                    collected.rejected.insert(id);
                    continue;
                }
                match items {
                    "spans" => collected.spans.insert(id, item.clone()),
                    _ => collected.logs.insert(id, item.clone()),
                };
            }
        }
        match in_part {
            true => {
                json!({"partialSuccess": {rejected: "1", "errorMessage": "one is odd"}}).to_string()
            }
            false => nothing.to_owned(),
        }
    }
}

/// Converts a request in protobuf to the same request in JSON.
fn of_protobuf(path: &str, body: &[u8]) -> Result<Value, String> {
    fn decoded<M: Message + Default + Serialize>(body: &[u8]) -> Result<Value, String> {
        let message = M::decode(body).map_err(|err| err.to_string())?;
        serde_json::to_value(message).map_err(|err| err.to_string())
    }
    match path {
        "/v1/traces" => decoded::<ExportTraceServiceRequest>(body),
        "/v1/logs" => decoded::<ExportLogsServiceRequest>(body),
        "/v1/metrics" => decoded::<ExportMetricsServiceRequest>(body),
        _ => Err("no protobuf belongs here".to_owned()),
    }
}

#[cfg(feature = "tls")]
mod encrypted {
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    const CERTIFICATE: &[u8] = include_bytes!("../../data/tls/server.pem");
    const KEY: &[u8] = include_bytes!("../../data/tls/server.key");

    pub(super) fn config() -> Arc<rustls::ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
                PrivateKeyDer::from_pem_slice(KEY).unwrap(),
            );
        Arc::new(config.unwrap())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the value of an attribute.
pub(crate) fn attribute<'v>(of: &'v Value, key: &str) -> Option<&'v Value> {
    let all = of["attributes"].as_array()?;
    let found = all.iter().find(|it| it["key"] == key)?;
    found["value"].as_object()?.values().next()
}
