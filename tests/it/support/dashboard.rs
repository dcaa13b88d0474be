//! A dashboard of a sandbox, asked as a browser or a hostile program would ask: by bytes on a connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{PATIENCE, Run, Sandbox, wait_until};

/// A running dashboard, which ends with the test.
pub(crate) struct Dashboard {
    child: Child,
    /// What it printed: the address, or the path of the socket.
    pub(crate) printed: String,
    pub(crate) port: u16,
    pub(crate) token: String,
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Dashboard {
    pub(crate) fn start(sandbox: &Sandbox) -> Self {
        Self::of(sandbox.ccsession(["dashboard", "--port", "0"]))
    }

    /// Starts the dashboard that `run` prepares, and waits until it listens.
    #[track_caller]
    pub(crate) fn of(mut run: Run) -> Self {
        let command = run.command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        stdout.read_line(&mut printed).unwrap();
        let printed = printed.trim_end().to_owned();
        let (address, token) = printed.split_once("/?token=").unwrap_or((&printed, ""));
        let token = token.split('#').next().unwrap().to_owned();
        let port = address.strip_prefix("http://127.0.0.1:");
        let port = port.map_or(0, |port| port.parse().unwrap());
        Self {
            child,
            printed,
            port,
            token,
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Ends it with a signal, and returns its exit status and its stderr.
    pub(crate) fn end(mut self, signal: Signal) -> (ExitStatus, String) {
        kill_process(self.pid(), signal).unwrap();
        let mut stderr: ChildStderr = self.child.stderr.take().unwrap();
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        (status, said)
    }

    /// Waits for a line on stderr.
    pub(crate) fn complaint(&mut self) -> String {
        let mut line = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        BufReader::new(stderr).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes, and returns the answer.
    #[track_caller]
    pub(crate) fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // It may answer, and close, before it has everything.
        let _ = stream.write_all(bytes);
        Answer::read(stream)
    }

    /// Asks with these headers besides `Host`.
    #[track_caller]
    pub(crate) fn ask(&self, line: &str, headers: &[(&str, &str)]) -> Answer {
        let host = self.host();
        let has_host = headers.iter().any(|(name, _)| *name == "Host");
        let host = (!has_host).then_some(("Host", host.as_str()));
        let headers: Vec<_> = host.into_iter().chain(headers.iter().copied()).collect();
        self.send(&request(line, &headers, ""))
    }

    /// Opens the printed address, and returns the cookie.
    #[track_caller]
    pub(crate) fn cookie(&self) -> String {
        let entered = self.ask(&format!("GET /?token={}", self.token), &[]);
        assert_eq!(entered.status, 303);
        let cookie = &entered.headers["set-cookie"];
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Asks as our own page does.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        self.ask(&format!("GET {target}"), &[("Authorization", &bearer)])
    }

    /// Posts JSON as our own page does.
    #[track_caller]
    pub(crate) fn post(&self, target: &str, body: &str) -> Answer {
        let (host, origin) = (self.host(), format!("http://{}", self.host()));
        let (cookie, length) = (self.cookie(), body.len().to_string());
        let headers = [
            ("Host", host.as_str()),
            ("Origin", &origin),
            ("Cookie", &cookie),
            ("Content-Type", "application/json"),
            ("Content-Length", &length),
        ];
        self.send(&request(&format!("POST {target}"), &headers, body))
    }

    /// Listens to a stream of events.
    #[track_caller]
    pub(crate) fn listen(&self, target: &str) -> EventStream {
        let (host, bearer) = (self.host(), format!("Bearer {}", self.token));
        let headers = [("Host", host.as_str()), ("Authorization", &bearer)];
        let mut stream = self.connect();
        let bytes = request(&format!("GET {target}"), &headers, "");
        stream.write_all(&bytes).unwrap();
        EventStream::begin(BufReader::new(Box::new(stream)))
    }
}

/// Returns the bytes of a request.
pub(crate) fn request(line: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    (text + "\r\n" + body).into_bytes()
}

/// Asks at a socket file.
#[track_caller]
pub(crate) fn ask_socket(path: &std::path::Path, line: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&request(line, headers, "")).unwrap();
    Answer::read(stream)
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// Reads an answer to its end.
    #[track_caller]
    pub(crate) fn read(mut stream: impl Read) -> Self {
        let mut bytes = Vec::new();
        // A connection that is closed with unread bytes of ours ends in an error, after the answer.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let (status, headers) = parse_head(head);
        Self {
            status,
            headers,
            body: body.to_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let kind = &self.headers["content-type"];
        assert_eq!(kind, "application/json; charset=utf-8", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// The message of an error, which must have this status.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let json = self.json();
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        json["error"].as_str().unwrap().to_owned()
    }
}

#[track_caller]
fn parse_head(head: &str) -> (u16, BTreeMap<String, String>) {
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|it| it.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {head:?}"));
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    });
    (status, headers.collect())
}

/// Server-sent events, as they come.
pub(crate) struct EventStream {
    stream: BufReader<Box<dyn Read>>,
    /// The lines of the current chunk that were not read yet.
    lines: Vec<String>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl EventStream {
    #[track_caller]
    fn begin(mut stream: BufReader<Box<dyn Read>>) -> Self {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let (status, headers) = parse_head(head.trim_end());
        assert_eq!(status, 200, "{head}");
        Self {
            stream,
            lines: Vec::new(),
            headers,
        }
    }

    /// Returns the next event: its name and its data. Fails at the end of the stream.
    #[track_caller]
    pub(crate) fn next(&mut self) -> (String, Value) {
        self.try_next().expect("the stream has ended")
    }

    /// Returns the next event, or `None` at the end of the stream.
    #[track_caller]
    pub(crate) fn try_next(&mut self) -> Option<(String, Value)> {
        let (mut name, mut data) = (String::new(), None);
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", event)) => name = event.to_owned(),
                Some(("data", json)) => data = Some(serde_json::from_str(json).unwrap()),
                _ if line.is_empty() && data.is_some() => return Some((name, data.unwrap())),
                // A keep-alive comment.
                _ => {}
            }
        }
    }

    /// Reads events until one satisfies `is_it`, and returns it.
    #[track_caller]
    pub(crate) fn until(&mut self, is_it: impl Fn(&str, &Value) -> bool) -> Value {
        loop {
            let (name, data) = self.next();
            if is_it(&name, &data) {
                return data;
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        while self.lines.is_empty() {
            let mut size = String::new();
            self.stream.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            if size == 0 {
                return None;
            }
            // Each event is a separate chunk.
            let mut piece = vec![0; size + 2];
            self.stream.read_exact(&mut piece).ok()?;
            let piece = String::from_utf8(piece).unwrap();
            let lines = piece.strip_suffix("\r\n").unwrap();
            let lines = lines.strip_suffix('\n').unwrap_or(lines);
            self.lines = lines.split('\n').rev().map(str::to_owned).collect();
        }
        self.lines.pop()
    }
}

/// Waits until nothing listens on this port.
#[track_caller]
pub(crate) fn wait_until_closed(port: u16) {
    wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_err());
}
