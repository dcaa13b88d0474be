//! Listens, and serves each connection within the limits, until a signal ends it.

use std::io;
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
use crate::store::file;

/// How long to wait before connections are accepted again, if the system refused.
const BEFORE_TRYING_AGAIN: Duration = Duration::from_millis(100);
/// How long the end waits for an archive that is being made.
const LAST_WORK: Duration = Duration::from_secs(5);

/// What is said to a connection beyond the limit.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
/// What is said to a client that took too long to say what it wants.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Where connections come from.
pub(super) enum Listener {
    Port(std::net::TcpListener),
    Socket(std::os::unix::net::UnixListener),
}

/// Serves until a signal comes, and returns it. Calls `ready` once a client can ask.
///
/// # Errors
/// If the system gives no runtime or no signals.
pub(super) fn serve_until_signal(
    server: Server,
    listener: Listener,
    ready: impl FnOnce(&Server),
) -> io::Result<i32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
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
        // A sender is kept here, so the channel stays open.
        let signal = signals.recv().await.unwrap_or_default();
        drop(sender);
        accepting.abort();
        let _ = timeout(LAST_WORK, server.workers.all_done()).await;
        Ok(signal)
    })
}

async fn accept_on_port(server: Arc<Server>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Events are short, and must not wait for more.
                let _ = stream.set_nodelay(true);
                admit(&server, &places, stream);
            }
            Err(err) => after_refusal(&err).await,
        }
    }
}

async fn accept_on_socket(server: Arc<Server>, listener: UnixListener) {
    let places = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        match listener.accept().await {
            // The file's mode lets nobody else in; root would come in anyway.
            Ok((stream, _)) => match stream.peer_cred() {
                Ok(peer) if peer.uid() == file::me() || peer.uid() == 0 => {
                    admit(&server, &places, stream);
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

/// Serves a connection if there is a place for it.
fn admit<S>(server: &Arc<Server>, places: &Arc<Semaphore>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let server = Arc::clone(server);
    match Arc::clone(places).try_acquire_owned() {
        Ok(place) => drop(tokio::spawn(async move {
            let _place = place;
            serve(server, stream).await;
        })),
        Err(_) => say_last(stream, TOO_MANY),
    }
}

/// Says a few bytes before a connection is closed. If there is no room even for them, they are left out.
fn say_last(mut stream: impl AsyncWrite + Unpin, bytes: &[u8]) {
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = std::pin::Pin::new(&mut stream).poll_write(&mut task, bytes);
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(server: Arc<Server>, stream: S) {
    let limits = server.limits;
    let io = TokioIo::new(Patient::new(stream, limits.stalled));
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(64 << 10))
        .serve_connection(io, service);
    let served = (&mut connection).await;
    // A client that sent a part of a request is told. One that sent nothing is simply left.
    if served.is_err_and(|err| err.is_timeout()) {
        let stream = connection.into_parts().io.into_inner();
        if stream.is_asking() {
            say_last(stream, TOO_SLOW);
        }
    }
}
