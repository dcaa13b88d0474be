//! `ccsession dashboard`: shows the sessions in a browser, from a server that answers only this
//! user.
//!
//! `guard`, `routes`, `query`, `page`, `rows` and `limits` are pure. `server` listens and `handler`
//! answers. `threads` and `feed` do slow work on separate threads.

mod answer;
mod board_feed;
mod feed;
mod guard;
mod handler;
mod limits;
mod page;
mod patience;
mod peer;
mod query;
mod requests;
mod routes;
mod rows;
mod server;
mod session_feed;
mod stream;
mod threads;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueHint};
use signal_hook::low_level::emulate_default_handler;

use super::browser;
use super::choose::find_session;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::store::socket::{self, SocketFile};
use crate::store::{env, reason, shown};
use guard::{Door, Guard};
use handler::Server;
use limits::Limits;
use server::{Listener, serve_until_signal};

/// The default port. No well-known program uses it.
const PORT: u16 = 7790;

#[derive(Debug, Args)]
#[command(
    after_help = "Prints an address for your browser. It contains a token: whoever has it can read your sessions. Only programs on this \
    machine can connect, and without the token they get nothing. Ctrl-C ends it.\n\n\
    Examples:\n  ccsession dashboard                     # then open the printed address\n  ccsession dashboard 3f2a --open         # open the browser, at the page of a session\n  \
    ccsession dashboard --port 0            # on any free port\n  ccsession dashboard --socket ~/.cache/ccsession.sock"
)]
pub(super) struct DashboardArgs {
    /// Begin with the page of this session: its id, title, or the beginning of either
    id: Option<String>,
    /// Listen on this port of 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = PORT, conflicts_with = "socket")]
    port: u16,
    /// Open it in the browser
    #[arg(long, conflicts_with = "socket")]
    open: bool,
    /// Listen on a new socket file instead, which only you can use
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    socket: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: DashboardArgs) -> Result<Status> {
    // Report invalid settings or an unusable state directory now, not only on the page.
    context.config()?;
    let state = context.state()?;
    let id = args.id.as_deref();
    let id = id.map(|given| find_session(context, state.as_ref(), given));
    let place = id.transpose()?.map(|id| format!("#/session/{id}"));
    let place = place.unwrap_or_default();
    let (listener, door, socket) = match &args.socket {
        Some(path) => {
            let (listener, socket) = listen_on_socket(path)?;
            (listener, Door::Socket, Some(socket))
        }
        None => {
            let (listener, port) = listen_on_port(args.port)?;
            (listener, Door::Port(port), None)
        }
    };
    let guard = Guard::new(door).map_err(|err| failed(&err.into()))?;
    let server = Server::new(guard, Limits::USUAL);
    let signal = serve_until_signal(server, listener, |server| match (door, &args.socket) {
        (Door::Port(port), _) => {
            let token = server.guard.token.as_str();
            output::line(&format!("http://127.0.0.1:{port}/?token={token}{place}"));
            say_how_from_afar(port, &format!("127.0.0.1:{port}"));
            if args.open {
                open(port, &server.guard, &place);
            }
        }
        (Door::Socket, path) => {
            let path = path.as_deref().map(shown).unwrap_or_default();
            output::line(&path);
            say_how_from_afar(PORT, &path);
        }
    });
    drop(socket);
    let signal = signal.map_err(|err| failed(&err))?;
    // End this process as the signal would have, so that a waiting script learns of the interrupt.
    let _ = emulate_default_handler(signal);
    Ok(Status::Done)
}

/// Opens the page in the browser. If that fails, the server keeps running.
fn open(port: u16, guard: &Guard, place: &str) {
    let failed = |why: &str| {
        output::complain(&format!(
            "could not open the browser: {why}; open the address above"
        ));
    };
    match guard.code() {
        Ok(code) => {
            let address = format!("http://127.0.0.1:{port}/?code={code}{place}");
            let body = move || {
                if let Err(why) = browser::start(OsStr::new(&address)) {
                    failed(&why);
                }
            };
            // If the thread could not be started, an error was printed already.
            let _ = threads::start("browser", || (), body);
        }
        Err(err) => failed(&err.to_string()),
    }
}

/// Tells a person who is connected by `ssh` how a browser on their own machine reaches the server.
fn say_how_from_afar(port: u16, here: &str) {
    if output::are_warnings_for_people() && env::is_remote() {
        output::warn(&format!(
            "on the machine of your browser, run `ssh -L {port}:{here} HOST`; HOST is the name of this machine"
        ));
    }
}

fn failed(err: &std::io::Error) -> anyhow::Error {
    let text = format!("could not start the dashboard: {}", reason(err));
    refusal(Status::Failed, text)
}

/// Listens on a port of 127.0.0.1. On any other address, others on the network could read the
/// token.
fn listen_on_port(port: u16) -> Result<(Listener, u16)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listening = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok((Listener::Port(listener), port))
    });
    listening.map_err(|err| {
        let why = reason(&err);
        let text = format!(
            "could not listen on {address}: {why}; choose another port with --port, or --port 0 for any free one"
        );
        refusal(Status::Failed, text)
    })
}

fn listen_on_socket(path: &Path) -> Result<(Listener, SocketFile)> {
    let (listener, socket) = socket::listen(path).map_err(|why| {
        let text = format!("could not listen on `{}`: {why}", shown(path));
        refusal(Status::Failed, text)
    })?;
    listener.set_nonblocking(true).map_err(|err| failed(&err))?;
    Ok((Listener::Socket(listener), socket))
}
