//! A collector that takes OTLP in JSON, checks it strictly, and answers as a test wants.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is taken.
    Taken,
    /// It is taken, and the answer never arrives.
    TakenInSilence,
    /// It is taken without its first item, and the answer says so.
    TakenInPart,
    /// It is not taken, with this status.
    Status(u16),
    /// As 429 or 503, and the sender should come again at once.
    Later(u16),
    /// The connection ends before the request is read.
    HangUp,
}

/// What a collector has.
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
    /// How many requests were taken.
    pub(crate) requests: usize,
    /// How many items came, repetitions included.
    pub(crate) items: usize,
    /// What was wrong with requests.
    pub(crate) faults: Vec<String>,
}

/// A collector on a port of its own, until it goes out of scope.
pub(crate) struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    collected: Mutex<Collected>,
    answer: Mutex<Box<dyn FnMut() -> Answer + Send>>,
    ends: AtomicBool,
}

impl Sink {
    /// Starts a collector that takes everything.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            collected: Mutex::default(),
            answer: Mutex::new(Box::new(|| Answer::Taken)),
            ends: AtomicBool::new(false),
        });
        let of_thread = shared.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.ends.load(Ordering::SeqCst) {
                    return;
                }
                let shared = of_thread.clone();
                // It ends with its connection, at the latest when the sender does.
                std::thread::spawn(move || {
                    let _ = stream.map(|stream| shared.serve(&stream));
                });
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// Returns the URL of the collector.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has the collector answer like this from now on.
    pub(crate) fn answer(&self, answer: impl FnMut() -> Answer + Send + 'static) {
        *self.shared.answer.lock().unwrap() = Box::new(answer);
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
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut reader = BufReader::new(stream);
        loop {
            let answer = (self.answer.lock().unwrap())();
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if answer == Answer::HangUp {
                return Ok(());
            }
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut length = 0;
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
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let (status, text) = match answer {
                Answer::Status(status) => (status, "{}".to_owned()),
                Answer::Later(status) => (status, "{}".to_owned()),
                _ => {
                    let rejected = self.take(&path, &body, answer == Answer::TakenInPart);
                    let is_silent = answer == Answer::TakenInSilence;
                    if is_silent {
                        return Ok(());
                    }
                    (200, rejected)
                }
            };
            let later = match answer {
                Answer::Later(_) => "retry-after: 0\r\n",
                _ => "",
            };
            let size = text.len();
            let mut stream = stream;
            write!(
                stream,
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{later}content-length: {size}\r\n\r\n{text}"
            )?;
        }
    }

    /// Takes a request, and returns the answer.
    fn take(&self, path: &str, body: &[u8], in_part: bool) -> String {
        let mut collected = self.collected.lock().unwrap();
        let request: Value = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(err) => {
                collected.faults.push(format!("{path}: {err}"));
                return "{}".to_owned();
            }
        };
        if path == "/v1/metrics" {
            collected.metrics.push(request);
            return "{}".to_owned();
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
            false => "{}".to_owned(),
        }
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
