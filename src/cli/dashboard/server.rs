//! Listens, and serves each connection within the limits, until a signal ends the process.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::handler::Server;
use super::patience::Patient;
use super::peer::Peer;
use super::threads;
use crate::store::file;

/// How long to wait before accepting connections again, after the system refused one.
const BEFORE_TRYING_AGAIN: Duration = Duration::from_millis(100);
/// How long the server waits at its end for work in progress, such as archiving.
const LAST_WORK: Duration = Duration::from_secs(5);

/// The answer to a connection beyond the limit.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
/// The answer to a client that took too long to send its request.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Where connections come from.
pub(super) enum Listener {
    Port(std::net::TcpListener),
    Socket(std::os::unix::net::UnixListener),
}

/// Serves until a signal comes, and returns the signal. Calls `ready` once clients can connect.
///
/// # Errors
/// Fails if the runtime or the signal handlers cannot be set up.
pub(super) fn serve_until_signal(
    server: Server,
    listener: Listener,
    ready: impl FnOnce(&Server),
) -> io::Result<i32> {
    // One thread runs the tasks. A task that panics blocks its thread for ever, and another thread
    // takes over the other tasks.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let signal = runtime.block_on(async {
        let (sender, mut signals) = mpsc::channel(1);
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let (mut signal, sender) = (signal(kind)?, sender.clone());
            tokio::spawn(async move {
                signal.recv().await;
                let _ = sender.send(kind.as_raw_value()).await;
            });
        }
        let server = Arc::new(server);
        let accepting = match listener {
            Listener::Port(listener) => tokio::spawn(accept_on_port(
                server.clone(),
                TcpListener::from_std(listener)?,
            )),
            Listener::Socket(listener) => tokio::spawn(accept_on_socket(
                server.clone(),
                UnixListener::from_std(listener)?,
            )),
        };
        ready(&server);
        // The channel stays open, because `sender` lives until after this line.
        let signal = signals.recv().await.unwrap_or_default();
        drop(sender);
        accepting.abort();
        let _ = timeout(LAST_WORK, server.workers.all_done()).await;
        Ok(signal)
    });
    // Do not wait for the threads, because one that panicked is blocked for ever.
    runtime.shutdown_background();
    signal
}

async fn accept_on_port(server: Arc<Server>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        match listener.accept().await {
            Ok((stream, theirs)) => {
                // Events are short, and must be sent at once.
                let _ = stream.set_nodelay(true);
                if let Ok(ours) = stream.local_addr() {
                    admit(&server, &places, stream, Peer::between(ours, theirs));
                }
            }
            Err(err) => after_refusal(&err).await,
        }
    }
}

async fn accept_on_socket(server: Arc<Server>, listener: UnixListener) {
    let places = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        match listener.accept().await {
            // The file's mode keeps other users out already; root can always connect.
            Ok((stream, _)) => match stream.peer_cred() {
                Ok(peer) if peer.uid() == file::me() || peer.uid() == 0 => {
                    admit(&server, &places, stream, Peer::default());
                }
                _ => drop(stream),
            },
            Err(err) => after_refusal(&err).await,
        }
    }
}

/// Waits a moment if the system has no room for another connection.
async fn after_refusal(err: &io::Error) {
    let full = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    if full
        .iter()
        .any(|errno| Some(errno.raw_os_error()) == err.raw_os_error())
    {
        sleep(BEFORE_TRYING_AGAIN).await;
    }
}

/// Serves a connection if the limit allows another one. A panic ends only this connection.
fn admit<S>(server: &Arc<Server>, places: &Arc<Semaphore>, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + AsFd + Unpin + Send + 'static,
{
    let server = Arc::clone(server);
    match Arc::clone(places).try_acquire_owned() {
        Ok(place) => {
            let same = stream.as_fd().try_clone_to_owned();
            let close = move || {
                drop(place);
                // `TcpStream` is used only for its `shutdown`, which works for a Unix socket, too.
                if let Ok(same) = same.map(std::net::TcpStream::from) {
                    let _ = same.shutdown(Shutdown::Both);
                }
            };
            threads::spawn(serve(server, stream, peer), close);
        }
        Err(_) => say_last(stream, TOO_MANY),
    }
}

/// Sends a short answer before a connection is closed. Sends nothing if the connection has no room
/// for it now.
fn say_last(mut stream: impl AsyncWrite + Unpin, bytes: &[u8]) {
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = std::pin::Pin::new(&mut stream).poll_write(&mut task, bytes);
}

async fn serve<S>(server: Arc<Server>, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = server.limits;
    let peer = Arc::new(peer);
    let io = TokioIo::new(Patient::new(stream, limits.stalled));
    let service = service_fn(move |request| {
        #[cfg(test)]
        tests::panic_if_asked(&request);
        let (server, peer) = (Arc::clone(&server), Arc::clone(&peer));
        async move { Ok::<_, std::convert::Infallible>(server.answer(request, &peer).await) }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(64 << 10))
        .serve_connection(io, service);
    let served = (&mut connection).await;
    // A client that sent a part of a request gets an answer. One that sent nothing gets none.
    if served.is_err_and(|err| err.is_timeout()) {
        let stream = connection.into_parts().io.into_inner();
        if stream.is_asking() {
            say_last(stream, TOO_SLOW);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::mpsc::channel;

    use super::super::guard::{Door, Guard};
    use super::super::limits::Limits;
    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    /// Starts a server with these limits, which lives until the tests end. Returns its port and token.
    fn start(limits: Limits) -> (u16, String) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, token) = channel();
        std::thread::spawn(move || {
            let guard = Guard::new(Door::Port(port)).unwrap();
            sender.send(guard.token.as_str().to_owned()).unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Arc::new(Server::new(guard, limits));
                let listener = TcpListener::from_std(listener).unwrap();
                let _ = tokio::spawn(accept_on_port(server, listener)).await;
            });
        });
        (port, token.recv().unwrap())
    }

    /// Stands for a defect in what a connection does.
    pub(super) fn panic_if_asked<T>(request: &hyper::Request<T>) {
        assert_ne!(request.uri().path(), "/defect");
    }

    #[test]
    fn a_panic_ends_its_connection_and_no_other() {
        let (port, token) = start(Limits {
            connections: 2,
            ..Limits::USUAL
        });
        let head = format!("Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n");
        let mut stream = connect(port);
        let open = format!("GET /api/events HTTP/1.1\r\n{head}\r\n");
        stream.write_all(open.as_bytes()).unwrap();
        let mut begun = [0; 15];
        stream.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200 OK");
        // As often as there are places, and more: each gives its place back.
        for _ in 0..5 {
            let answer = send(port, &format!("GET /defect HTTP/1.1\r\n{head}\r\n"));
            assert_eq!(answer, "");
            let close = "Connection: close\r\n\r\n";
            let answer = send(port, &format!("GET / HTTP/1.1\r\n{head}{close}"));
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let mut more = [0; 15];
        stream.read_exact(&mut more).unwrap();
    }

    fn connect(port: u16) -> TcpStream {
        TcpStream::connect(("127.0.0.1", port)).unwrap()
    }

    /// Sends these bytes, and returns what comes until the connection is closed.
    fn send(port: u16, bytes: &str) -> String {
        let mut stream = connect(port);
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn a_slow_request_gets_an_error_and_a_silent_connection_is_closed() {
        let (port, token) = start(Limits {
            head_time: SOON,
            body_time: SOON,
            ..Limits::USUAL
        });
        assert_eq!(send(port, ""), "");
        for part in [
            "G",
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: y",
        ] {
            let answer = send(port, part);
            assert!(answer.starts_with("HTTP/1.1 408 "), "{part}: {answer}");
        }
        let head = format!(
            "POST /api/session/s-1/clock-out HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
            Origin: http://127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nContent-Length: 10\r\n\r\n{{"
        );
        let answer = send(port, &head);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("took too long to come"), "{answer}");
        // A connection that is kept open after an answer ends without a word.
        let whole = format!(
            "GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let answer = send(port, &whole);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }

    #[test]
    fn beyond_the_limits_there_is_no_connection_and_no_stream() {
        let (port, token) = start(Limits {
            connections: 3,
            streams: 1,
            ..Limits::USUAL
        });
        let head = format!(
            "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        );
        let mut stream = connect(port);
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let mut begun = [0; 15];
        stream.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200 OK");
        let second = send(port, &format!("{head}Connection: close\r\n\r\n"));
        assert!(second.starts_with("HTTP/1.1 503 "), "{second}");
        assert!(second.contains("close a page of the dashboard"), "{second}");
        let _idle = [connect(port), connect(port)];
        let mut refused = connect(port);
        let mut answer = String::new();
        refused.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}
