//! Answers requests. Work that reads files runs on separate threads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::{Answer, error, error_page, json_text, see_page, with_cookie};
use super::board_feed;
use super::feed::{Feed, Listening};
use super::guard::{Admission, Guard, Refusal};
use super::limits::Limits;
use super::page::WebPage;
use super::peer::Peer;
use super::query::Query;
use super::requests;
use super::routes::Route;
use super::session_feed;
use super::stream::events;
use super::threads::{NoResult, Workers};
use crate::cli::status::{self, Status};
use crate::model::SessionId;
use crate::model::text::escaped;

/// What all connections of the server share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) guard: Guard,
    pub(super) limits: Limits,
    pub(super) workers: Workers,
    page: WebPage,
    session_page: WebPage,
    entrance: WebPage,
    streams: Arc<Semaphore>,
    board: Mutex<Option<Feed>>,
    /// The feeds of the sessions whose pages are open.
    sessions: Mutex<HashMap<SessionId, Feed>>,
}

impl Server {
    pub(super) fn new(guard: Guard, limits: Limits) -> Self {
        Self {
            guard,
            limits,
            workers: Workers::new(limits.workers),
            page: WebPage::dashboard(),
            session_page: WebPage::session(),
            entrance: WebPage::entrance(),
            streams: Arc::new(Semaphore::new(limits.streams)),
            board: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    /// Answers a request.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: &Peer) -> Answer {
        let (head, body) = request.into_parts();
        match self.guard.admit(&head) {
            Ok(_) if !peer.is_ours() => return refused(&head, Refusal::ForeignUser),
            Ok(Admission::Admitted) => {}
            Ok(Admission::Entering { from_elsewhere }) => {
                let answer = match from_elsewhere {
                    true => self.entrance.answer(),
                    false => see_page(),
                };
                return with_cookie(answer, &self.guard.set_cookie());
            }
            Err(refusal) => return refused(&head, refusal),
        }
        let route = match Route::of(&head) {
            Ok(route) => route,
            Err(none) => return none.answer(),
        };
        let answered = match route {
            Route::Page => Ok(self.page.answer()),
            Route::SessionPage => Ok(self.session_page.answer()),
            Route::Board => self.board().await.map(|(_, now)| ok_json(&now.whole.json)),
            Route::BoardEvents => match self.board().await {
                Ok((feed, listening)) => self.stream(feed, listening),
                Err(err) => Err(err),
            },
            Route::Sessions => self.work(requests::sessions).await,
            Route::Session(id) => self.work(move || session_feed::answer(&id)).await,
            Route::SessionEvents(id) => match self.session(id).await {
                Ok((feed, listening)) => self.stream(feed, listening),
                Err(err) => Err(err),
            },
            Route::Search => {
                let query = Query::of(&head.uri).into_owned();
                self.work(move || requests::search(&query)).await
            }
            Route::ClockOut(id) => match self.confirmation(&head, body, &id).await {
                Ok(()) => self.work(move || requests::clock_out(&id)).await,
                Err(err) => Err(err),
            },
        };
        answered.unwrap_or_else(|err| err.answer())
    }

    /// Runs `work`, which reads files, on a separate thread, and answers with the JSON it returns.
    async fn work(
        &self,
        work: impl FnOnce() -> Result<String, Failure> + Send + 'static,
    ) -> Result<Answer, Failure> {
        let json = self.workers.run(work).await??;
        Ok(ok_json(&json))
    }

    /// Returns what the board shows now, and its feed. Starts the feed if none runs.
    async fn board(&self) -> Result<(Feed, Listening), Failure> {
        let feed = {
            let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
            match board.take().filter(|feed| !feed.is_over()) {
                Some(feed) => board.insert(feed).clone(),
                None => board.insert(board_feed::start()?).clone(),
            }
        };
        let listening = feed.ask().await?;
        Ok((feed, listening))
    }

    /// Returns what a session's page shows now, and its feed. Starts the feed if none runs.
    async fn session(&self, id: SessionId) -> Result<(Feed, Listening), Failure> {
        let feed = self.feed_of(&id)?;
        match feed.ask().await {
            // The feed's thread was just ending, because nobody had listened for a while. Start
            // another.
            Err(failure) if failure == Failure::from(NoResult::Panicked) => {
                self.feeds().remove(&id);
                let feed = self.feed_of(&id)?;
                let listening = feed.ask().await?;
                Ok((feed, listening))
            }
            listening => Ok((feed, listening?)),
        }
    }

    fn feed_of(&self, id: &SessionId) -> Result<Feed, NoResult> {
        let mut feeds = self.feeds();
        feeds.retain(|_, feed| !feed.is_over());
        if let Some(feed) = feeds.get(id) {
            return Ok(feed.clone());
        }
        let feed = session_feed::start(id.clone())?;
        feeds.insert(id.clone(), feed.clone());
        Ok(feed)
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<SessionId, Feed>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stream(&self, feed: Feed, listening: Listening) -> Result<Answer, Failure> {
        match Arc::clone(&self.streams).try_acquire_owned() {
            Ok(place) => Ok(events(feed, listening, self.limits, place)),
            Err(_) => Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!(
                    "could not begin another stream: {} are open; close a page of the dashboard",
                    self.limits.streams
                ),
            )),
        }
    }

    /// Checks the content of a request to clock a session out: it must repeat the session's id.
    async fn confirmation(
        &self,
        head: &Parts,
        body: Incoming,
        id: &SessionId,
    ) -> Result<(), Failure> {
        let body = Limited::new(body, self.limits.body).collect();
        let body = timeout(self.limits.body_time, body).await.map_err(|_| {
            let text = "could not answer: the content of the request took too long to come";
            Failure::new(StatusCode::REQUEST_TIMEOUT, text)
        })?;
        let body = body.map_err(|err| match err.downcast_ref::<LengthLimitError>() {
            Some(_) => Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "could not answer: the content of the request is longer than {} KiB",
                    self.limits.body >> 10
                ),
            ),
            None => {
                let text = "could not read the content of the request: it is not complete";
                Failure::new(StatusCode::BAD_REQUEST, text)
            }
        })?;
        let kind = head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|it| it.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        let given = serde_json::from_slice::<Value>(&body.to_bytes());
        let is_confirmed = given.is_ok_and(|given| given == json!({"confirm": id}));
        match is_confirmed && kind == Some("application/json") {
            true => Ok(()),
            false => Err(Failure::new(
                StatusCode::BAD_REQUEST,
                "could not clock out: the content must be the JSON object {\"confirm\": ID} with the session's id",
            )),
        }
    }
}

fn ok_json(json: &str) -> Answer {
    json_text(StatusCode::OK, json)
}

/// Returns the answer to a refused request: a page for a person, JSON for a program.
fn refused(head: &Parts, refusal: Refusal) -> Answer {
    let text = refusal.to_string();
    match Route::is_page(head.uri.path()) {
        true => error_page(refusal.status(), &text),
        false => error(refusal.status(), &text),
    }
}

/// Why a request gets no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    sentence: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { status, sentence }
    }

    fn answer(&self) -> Answer {
        error(self.status, &self.sentence)
    }

    /// Returns the failure as the content of an event.
    pub(super) fn json(&self) -> Value {
        json!({"error": self.sentence})
    }
}

impl From<NoResult> for Failure {
    fn from(none: NoResult) -> Self {
        let text = match none {
            NoResult::Panicked => {
                "could not answer: internal error; the terminal of the dashboard shows where"
            }
            NoResult::NoThread => "could not answer: the system starts no more threads",
        };
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(err: anyhow::Error) -> Self {
        let status = match status::of(&err) {
            Status::NotFound | Status::Pruned => StatusCode::NOT_FOUND,
            Status::Usage | Status::Ambiguous => StatusCode::BAD_REQUEST,
            Status::Held => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, escaped(&err.to_string()))
    }
}
