//! The paths of the server, and what answers each.

use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::answer::{Answer, error, wrong_method};
use crate::model::SessionId;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Page,
    /// The page of a session. The part after `#`, which no server receives, says which one.
    SessionPage,
    Board,
    BoardEvents,
    /// All sessions on record.
    Sessions,
    Session(SessionId),
    SessionEvents(SessionId),
    Search,
    ClockOut(SessionId),
}

/// Why a request matches no route.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    NotFound,
    /// The path allows only this method.
    WrongMethod(&'static str),
    /// The path names a session, but not by an id.
    InvalidId(String),
}

impl Route {
    /// Returns what a request asks for.
    ///
    /// # Errors
    /// Fails with the [`NoRoute`] that says why nothing matches.
    pub(super) fn of(request: &Parts) -> Result<Self, NoRoute> {
        let path = request.uri.path();
        let route = match path {
            "/" => Self::Page,
            "/session" => Self::SessionPage,
            "/api/board" => Self::Board,
            "/api/events" => Self::BoardEvents,
            "/api/sessions" => Self::Sessions,
            "/api/search" => Self::Search,
            _ => Self::of_session(path)?,
        };
        let (allowed, is_allowed) = match (&route, &request.method) {
            (Self::ClockOut(_), method) => ("POST", *method == Method::POST),
            // A stream never ends, so HEAD could say nothing about it.
            (Self::BoardEvents | Self::SessionEvents(_), method) => ("GET", *method == Method::GET),
            (_, method) => ("GET, HEAD", matches!(*method, Method::GET | Method::HEAD)),
        };
        match is_allowed {
            true => Ok(route),
            false => Err(NoRoute::WrongMethod(allowed)),
        }
    }

    /// Returns whether this is the path of a page, which a person opens.
    pub(super) fn is_page(path: &str) -> bool {
        matches!(path, "/" | "/session")
    }

    fn of_session(path: &str) -> Result<Self, NoRoute> {
        let path = path
            .strip_prefix("/api/session/")
            .ok_or(NoRoute::NotFound)?;
        let (id, route): (_, fn(SessionId) -> Self) = match path.split_once('/') {
            None => (path, Self::Session),
            Some((id, "events")) => (id, Self::SessionEvents),
            Some((id, "clock-out")) => (id, Self::ClockOut),
            Some(_) => return Err(NoRoute::NotFound),
        };
        // An id contains no character that an address would have to encode.
        let id = id.parse::<SessionId>();
        let id = id.map_err(|why| NoRoute::InvalidId(why.to_string()))?;
        Ok(route(id))
    }
}

impl NoRoute {
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::NotFound => error(
                StatusCode::NOT_FOUND,
                "could not find anything at this path; the page is at `/`",
            ),
            Self::WrongMethod(allowed) => wrong_method(allowed),
            Self::InvalidId(why) => error(
                StatusCode::BAD_REQUEST,
                &format!("could not use the session id in this path: {why}"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Route, NoRoute>) {
        let (method, target) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(target);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(Route::of(&parts), expected, "{line}");
    }

    #[test]
    fn each_path_has_its_methods() {
        let id = |text: &str| text.parse::<SessionId>().unwrap();
        check("GET /", Ok(Route::Page));
        check("HEAD /?x=1", Ok(Route::Page));
        check("GET /session", Ok(Route::SessionPage));
        check("GET /api/board", Ok(Route::Board));
        check("GET /api/events", Ok(Route::BoardEvents));
        check("GET /api/sessions", Ok(Route::Sessions));
        check("GET /api/search?q=x", Ok(Route::Search));
        check("GET /api/session/s-1", Ok(Route::Session(id("s-1"))));
        check(
            "GET /api/session/s-1/events",
            Ok(Route::SessionEvents(id("s-1"))),
        );
        check(
            "POST /api/session/s-1/clock-out",
            Ok(Route::ClockOut(id("s-1"))),
        );
        for line in [
            "POST /",
            "POST /session",
            "DELETE /api/board",
            "OPTIONS /api/session/s-1",
            "TRACE /api/search",
        ] {
            check(line, Err(NoRoute::WrongMethod("GET, HEAD")));
        }
        check("HEAD /api/events", Err(NoRoute::WrongMethod("GET")));
        check(
            "GET /api/session/s-1/clock-out",
            Err(NoRoute::WrongMethod("POST")),
        );
    }

    #[test]
    fn other_paths_lead_nowhere() {
        let long = format!("GET /{}", "a".repeat(10_000));
        for line in [
            "GET /index.html",
            "GET /session/",
            "GET /session/s-1",
            "GET /api",
            "GET /api/",
            "GET /api/boards",
            "GET /api/board/",
            "GET //api/board",
            "GET /../etc/passwd",
            "GET /%2e%2e/etc/passwd",
            "GET /api/session",
            "GET /api/session/s-1/",
            "GET /api/session/s-1/journal",
            "GET /api/session/../../etc/passwd",
            "GET /%00",
            long.as_str(),
        ] {
            check(line, Err(NoRoute::NotFound));
        }
        let long = format!("/api/session/{}", "a".repeat(10_000));
        for target in [
            "/api/session/",
            "/api/session/..",
            "/api/session/%2e%2e",
            "/api/session/s%00",
            "/api/session/unknown",
            "/api/session/-x",
            "/api/session/%3Cscript%3E",
            long.as_str(),
            "/api/session/..%2F..%2Fetc/events",
        ] {
            let request = Request::builder().uri(target).body(()).unwrap();
            let route = Route::of(&request.into_parts().0);
            assert!(
                matches!(route, Err(NoRoute::InvalidId(_))),
                "{target} {route:?}"
            );
        }
    }
}
