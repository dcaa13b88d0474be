//! What the server answers: a text or a stream, always with the same protective headers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::model::text::escaped_json;

/// An answer.
pub(super) type Answer = Response<AnswerBody>;

/// The content security policy of an answer that is not a page: it allows nothing.
const NOTHING: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/// The headers that every answer has, besides its content security policy.
const ALWAYS: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The content of an answer.
#[derive(Debug)]
pub(super) enum AnswerBody {
    Text(Option<Bytes>),
    /// The events that come from the first channel. The stream ends with that channel, or when the
    /// second one is used or dropped.
    Stream(mpsc::Receiver<Bytes>, oneshot::Receiver<()>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take()),
            Self::Stream(events, ended) => match events.poll_recv(task) {
                Poll::Pending => Pin::new(ended).poll(task).map(|_| None),
                next => next,
            },
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(..) => SizeHint::default(),
        }
    }
}

/// Returns an answer with this status, content type and body, and the headers of every answer.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(NOTHING));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// Returns an answer with a JSON text. Escapes control characters, which would act on a terminal.
pub(super) fn json_text(status: StatusCode, text: &str) -> Answer {
    let text = escaped_json(text).into_owned();
    let body = AnswerBody::Text(Some(text.into()));
    answer(status, "application/json; charset=utf-8", body)
}

/// Returns a JSON answer with a sentence that says what is wrong.
pub(super) fn error(status: StatusCode, sentence: &str) -> Answer {
    json_text(status, &json!({"error": sentence}).to_string())
}

/// Returns a page with a sentence that says to a person what is wrong.
pub(super) fn error_page(status: StatusCode, sentence: &str) -> Answer {
    let text = sentence
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
        <meta name=\"viewport\" content=\"width=device-width\"><title>ccsession</title><p>{text}</p></html>\n"
    );
    page(status, html.into(), NOTHING)
}

/// Returns a page with its own content security policy.
pub(super) fn page(status: StatusCode, html: Bytes, policy: &str) -> Answer {
    let body = AnswerBody::Text(Some(html));
    let mut answer = answer(status, "text/html; charset=utf-8", body);
    if let Ok(policy) = HeaderValue::from_str(policy) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// Returns a redirect to the page at `/`.
pub(super) fn see_page() -> Answer {
    let body = AnswerBody::Text(None);
    let mut answer = answer(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", body);
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    answer
}

/// Returns the error for a method that a path does not allow.
pub(super) fn wrong_method(allowed: &'static str) -> Answer {
    let sentence = format!("could not answer: this path is only for {allowed}");
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, &sentence);
    let allowed = HeaderValue::from_static(allowed);
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

/// Adds a cookie for the browser to an answer.
pub(super) fn with_cookie(mut answer: Answer, cookie: &str) -> Answer {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().insert(SET_COOKIE, cookie);
    }
    answer
}
