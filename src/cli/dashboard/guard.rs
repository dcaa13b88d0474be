//! Decides who may use the dashboard. Pure, except for the secrets, which the system generates.
//!
//! A request must pass five checks, in this order. Is it for this server? Does our own page send
//! it? Does it contain the secret? Does this user send it (`peer`)? Does what it asks for exist
//! (`routes`)? A refused request learns nothing about the next check.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};
use sha2::{Digest, Sha256};

use super::query::Query;
use super::routes::Route;

/// How many random bytes a secret has: 192 bits.
const SECRET_BYTES: usize = 24;
/// How long a code is valid. The limit is generous, because the browser may first have to start.
const CODE_TIME: Duration = Duration::from_secs(120);

/// A random text that only this server and the user know.
#[derive(Debug)]
pub(super) struct Secret(String);

impl Secret {
    /// Generates a new secret.
    ///
    /// # Errors
    /// Fails if the system has no random numbers.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether `given` is the secret.
    ///
    /// # Security
    /// Compares hashes, not the texts, so the time that this takes says nothing about the secret.
    pub(super) fn is(&self, given: &str) -> bool {
        Sha256::digest(given.as_bytes()) == Sha256::digest(self.0.as_bytes())
    }
}

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// By this port of 127.0.0.1. Every user of this machine can connect.
    Port(u16),
    /// By a socket file. The system says who connects.
    Socket,
}

/// Decides which requests are admitted.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) door: Door,
    /// The secret in the address that is printed.
    pub(super) token: Secret,
    /// The secret in the cookie. It differs from the token, so that a page cannot give the token
    /// away.
    cookie: Secret,
    /// A code that is accepted once instead of the token, and the time until which it is valid.
    code: Mutex<Option<(Secret, Instant)>>,
}

/// How a request that is not refused will be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// The address contains the token or a code. The answer gives the cookie, and leads on to the
    /// page.
    Entering {
        /// True if another page or a file led the browser to this address. In that case the browser
        /// does not send the new cookie after a redirect, but it does when our own page leads on.
        from_elsewhere: bool,
    },
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request has no `Host` header, or several.
    NoHost,
    /// The request is for another server: because of DNS rebinding, or a wrong address.
    ForeignHost,
    /// A page of another server sends the request.
    ForeignPage,
    /// The request is a POST, and no `Origin` header says which page sends it.
    NoOrigin,
    /// The request has neither the token nor the cookie.
    Unknown,
    /// Another user of this machine sends the request, with a token or a cookie that is not theirs.
    ForeignUser,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NoHost => StatusCode::BAD_REQUEST,
            Self::ForeignHost | Self::ForeignPage | Self::NoOrigin | Self::ForeignUser => {
                StatusCode::FORBIDDEN
            }
            Self::Unknown => StatusCode::UNAUTHORIZED,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHost => "could not answer: the request has no Host, or several",
            Self::ForeignHost => {
                "could not answer: the Host is another server's; use the address that `ccsession dashboard` printed"
            }
            Self::ForeignPage => "could not answer: a page of another server sent the request",
            Self::ForeignUser => {
                "could not answer: another user of this machine sent the request"
            }
            Self::NoOrigin => "could not answer: the request has no Origin, which POST must have",
            Self::Unknown => {
                "this browser is not known here: open the address that `ccsession dashboard` printed, which contains the token"
            }
        })
    }
}

impl Guard {
    /// Generates the secrets of a server.
    ///
    /// # Errors
    /// Fails if [`Secret::random`] does.
    pub(super) fn new(door: Door) -> Result<Self, getrandom::Error> {
        Ok(Self {
            door,
            token: Secret::random()?,
            cookie: Secret::random()?,
            code: Mutex::default(),
        })
    }

    /// Returns a code that is accepted once, within two minutes. The address with which a browser
    /// is started contains this code instead of the token: other users can see the arguments of a
    /// process.
    ///
    /// # Errors
    /// Fails if [`Secret::random`] does.
    pub(super) fn code(&self) -> Result<String, getrandom::Error> {
        let secret = Secret::random()?;
        let code = secret.as_str().to_owned();
        let mut kept = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((secret, Instant::now() + CODE_TIME));
        Ok(code)
    }

    /// Returns whether `given` is the code. A code is accepted only once.
    fn takes_code(&self, given: &str) -> bool {
        let mut kept = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = kept
            .as_ref()
            .is_some_and(|(code, until)| code.is(given) && Instant::now() < *until);
        if is_it {
            *kept = None;
        }
        is_it
    }

    /// Decides about a request.
    ///
    /// # Errors
    /// Fails with the reason if the request is refused.
    pub(super) fn admit(&self, request: &Parts) -> Result<Admission, Refusal> {
        let host = only(&request.headers, HOST.as_str()).ok_or(Refusal::NoHost)?;
        // An address with a host could contradict the `Host` header. Only proxies get such
        // addresses.
        if !self.is_ours(host) || request.uri.authority().is_some() {
            return Err(Refusal::ForeignHost);
        }
        let from_elsewhere = self.judge_page(request, host)?;
        let Door::Port(_) = self.door else {
            return Ok(Admission::Admitted);
        };
        if request.uri.path() == "/" {
            let query = Query::of(&request.uri);
            let has_token = query.one("token").is_some_and(|token| self.token.is(token));
            if has_token || query.one("code").is_some_and(|code| self.takes_code(code)) {
                return Ok(Admission::Entering { from_elsewhere });
            }
        }
        match self.knows(&request.headers) {
            true => Ok(Admission::Admitted),
            false => Err(Refusal::Unknown),
        }
    }

    /// Returns whether a `Host` header names this server. With DNS rebinding, it names another one.
    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !name.is_empty() && !port.contains(']') => (name, Some(port)),
            _ => (host, None),
        };
        let is_number = |port: &str| port.parse::<u16>().is_ok_and(|it| it.to_string() == port);
        let is_port = match (self.door, port) {
            (Door::Port(ours), Some(port)) => port == ours.to_string(),
            (Door::Port(ours), None) => ours == 80,
            // The port may be any, because the user chooses it when forwarding the socket.
            (Door::Socket, Some(port)) => is_number(port),
            (Door::Socket, None) => true,
        };
        is_port
            && matches!(
                name.to_ascii_lowercase().as_str(),
                "127.0.0.1" | "localhost" | "[::1]"
            )
    }

    /// Refuses a request that another page sends, as far as the browser's headers tell. Returns
    /// true if a link on another page led a person to this server.
    fn judge_page(&self, request: &Parts, host: &str) -> Result<bool, Refusal> {
        let header = |name: &str| match request.headers.get_all(name).iter().count() {
            0 => Ok(None),
            _ => only(&request.headers, name)
                .map(Some)
                .ok_or(Refusal::ForeignPage),
        };
        let site = header("sec-fetch-site")?;
        let from_elsewhere = !matches!(site, None | Some("none" | "same-origin"));
        let is_visit = request.method == Method::GET
            && Route::is_page(request.uri.path())
            && header("sec-fetch-mode")? == Some("navigate")
            && header("sec-fetch-dest")? == Some("document");
        if from_elsewhere && !is_visit {
            return Err(Refusal::ForeignPage);
        }
        match header(ORIGIN.as_str())? {
            Some(origin) if !origin.eq_ignore_ascii_case(&format!("http://{host}")) => {
                Err(Refusal::ForeignPage)
            }
            None if request.method == Method::POST => Err(Refusal::NoOrigin),
            _ => Ok(from_elsewhere),
        }
    }

    /// Returns whether a request has the cookie, or the token in an `Authorization` header.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let cookies = headers.get_all(COOKIE).iter();
        let cookies = cookies.filter_map(|it| it.to_str().ok());
        let mut pairs = cookies.flat_map(|it| it.split(';'));
        let has_cookie = pairs.any(|pair| {
            let pair = pair.trim().split_once('=');
            pair.is_some_and(|(key, value)| key == name && self.cookie.is(value))
        });
        let bearer = only(headers, AUTHORIZATION.as_str());
        let bearer = bearer.and_then(|it| it.strip_prefix("Bearer "));
        has_cookie || bearer.is_some_and(|token| self.token.is(token))
    }

    /// Returns the name of the cookie. A browser sends cookies to every port of a host, so two
    /// dashboards need two names.
    fn cookie_name(&self) -> String {
        match self.door {
            Door::Port(port) => format!("ccsession_{port}"),
            Door::Socket => "ccsession".to_owned(),
        }
    }

    /// Returns the header that gives a browser the cookie. The browser keeps it until the browser
    /// closes.
    pub(super) fn set_cookie(&self) -> String {
        let (name, value) = (self.cookie_name(), self.cookie.as_str());
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict")
    }
}

/// Returns the value of a header, if the request has it exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const PORT: u16 = 4711;

    fn guard() -> Guard {
        Guard::new(Door::Port(PORT)).unwrap()
    }

    /// Asks `guard` about a request: method and target, then headers.
    fn ask(guard: &Guard, line: &str, headers: &[(&str, &str)]) -> Result<Admission, Refusal> {
        let (method, target) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        guard.admit(&request.body(()).unwrap().into_parts().0)
    }

    fn cookie(guard: &Guard) -> String {
        let set = guard.set_cookie();
        set.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_eq!(one.as_str().len(), 32);
        assert!(one.is(one.as_str()));
        assert!(!one.is(other.as_str()) && !one.is("") && !one.is(&one.as_str()[..31]));
    }

    #[test]
    fn only_the_names_of_this_server_are_a_host() {
        let guard = guard();
        let cookie = cookie(&guard);
        for host in [
            "127.0.0.1:4711",
            "localhost:4711",
            "LOCALHOST:4711",
            "[::1]:4711",
        ] {
            let asked = ask(&guard, "GET /", &[("host", host), ("cookie", &cookie)]);
            assert_eq!(asked, Ok(Admission::Admitted), "{host}");
        }
        for host in [
            "evil.example:4711",
            "127.0.0.1",
            "localhost",
            "127.0.0.1:4712",
            "127.0.0.1:04711",
            "127.0.0.1.evil.example:4711",
            "localhost.:4711",
            "0.0.0.0:4711",
            "[::1]",
            "::1:4711",
            "user@127.0.0.1:4711",
            "127.0.0.1:4711:4711",
            "",
            ":4711",
            "[::1]4711",
        ] {
            let asked = ask(&guard, "GET /", &[("host", host), ("cookie", &cookie)]);
            assert_eq!(asked, Err(Refusal::ForeignHost), "{host}");
        }
        assert_eq!(
            ask(&guard, "GET /", &[("cookie", &cookie)]),
            Err(Refusal::NoHost)
        );
        let twice = [
            ("host", "127.0.0.1:4711"),
            ("host", "evil.example"),
            ("cookie", &cookie),
        ];
        assert_eq!(ask(&guard, "GET /", &twice), Err(Refusal::NoHost));
        let absolute = ask(
            &guard,
            "GET http://evil.example/",
            &[("host", "127.0.0.1:4711"), ("cookie", &cookie)],
        );
        assert_eq!(absolute, Err(Refusal::ForeignHost));
    }

    #[test]
    fn a_forwarded_socket_may_have_any_port_and_no_other_name() {
        let guard = Guard::new(Door::Socket).unwrap();
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:1",
            "[::1]:65535",
            "[::1]",
        ] {
            let asked = ask(&guard, "GET /", &[("host", host)]);
            assert_eq!(asked, Ok(Admission::Admitted), "{host}");
        }
        for host in [
            "evil.example:8080",
            "evil.example",
            "localhost:",
            "localhost:x",
            "localhost:65536",
        ] {
            let asked = ask(&guard, "GET /", &[("host", host)]);
            assert_eq!(asked, Err(Refusal::ForeignHost), "{host}");
        }
    }

    #[test]
    fn the_token_in_the_first_address_opens_the_door_and_no_other_does() {
        let guard = guard();
        let host = ("host", "127.0.0.1:4711");
        let address = format!("GET /?token={}", guard.token.as_str());
        let entering = |from_elsewhere| Ok(Admission::Entering { from_elsewhere });
        assert_eq!(ask(&guard, &address, &[host]), entering(false));
        let visit = [
            host,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(ask(&guard, &address, &visit), entering(true));
        for target in ["/", "/?token=", "/?token=wrong", "/?tokens=x"] {
            let asked = ask(&guard, &format!("GET {target}"), &[host]);
            assert_eq!(asked, Err(Refusal::Unknown), "{target}");
        }
        // Only the page takes it from an address.
        let elsewhere = address.replace("/?", "/api/board?");
        assert_eq!(ask(&guard, &elsewhere, &[host]), Err(Refusal::Unknown));
        let other = Guard::new(Door::Port(PORT)).unwrap();
        assert_eq!(ask(&other, &address, &[host]), Err(Refusal::Unknown));
    }

    #[test]
    fn a_code_admits_once() {
        let guard = guard();
        let host = ("host", "127.0.0.1:4711");
        let enter = |code: &str| ask(&guard, &format!("GET /?code={code}"), &[host]);
        assert_eq!(enter(""), Err(Refusal::Unknown));
        let (first, second) = (guard.code().unwrap(), guard.code().unwrap());
        // The first was replaced before it was used.
        assert_eq!(enter(&first), Err(Refusal::Unknown));
        let entered = Ok(Admission::Entering {
            from_elsewhere: false,
        });
        assert_eq!(enter(&second), entered);
        assert_eq!(enter(&second), Err(Refusal::Unknown));
        let bearer = format!("Bearer {}", guard.code().unwrap());
        let asked = ask(&guard, "GET /", &[host, ("authorization", &bearer)]);
        assert_eq!(asked, Err(Refusal::Unknown));
    }

    #[test]
    fn a_cookie_or_a_bearer_token_is_needed_for_everything() {
        let guard = guard();
        let host = ("host", "localhost:4711");
        let cookie = cookie(&guard);
        let among = format!("theme=dark; {cookie}; ccsession_4712=x");
        let bearer = format!("Bearer {}", guard.token.as_str());
        for known in [
            ("cookie", cookie.as_str()),
            ("cookie", &among),
            ("authorization", &bearer),
        ] {
            let asked = ask(&guard, "GET /api/board", &[host, known]);
            assert_eq!(asked, Ok(Admission::Admitted), "{known:?}");
        }
        let stolen = cookie.replace("_4711", "_4712");
        let token_as_cookie = format!("ccsession_4711={}", guard.token.as_str());
        for unknown in [
            ("cookie", stolen.as_str()),
            ("cookie", "ccsession_4711="),
            ("cookie", "ccsession_4711"),
            ("cookie", &token_as_cookie),
            ("authorization", "Bearer x"),
            ("authorization", guard.token.as_str()),
        ] {
            for line in ["GET /", "GET /api/board", "GET /nowhere", "DELETE /"] {
                let asked = ask(&guard, line, &[host, unknown]);
                assert_eq!(asked, Err(Refusal::Unknown), "{line} {unknown:?}");
            }
        }
    }

    #[test]
    fn a_page_of_another_server_gets_nothing() {
        let guard = guard();
        let host = ("host", "127.0.0.1:4711");
        let cookie = cookie(&guard);
        let known = ("cookie", cookie.as_str());
        let ours = ("origin", "http://127.0.0.1:4711");
        let post = "POST /api/session/s-1/clock-out";
        assert_eq!(
            ask(&guard, post, &[host, known, ours]),
            Ok(Admission::Admitted)
        );
        assert_eq!(ask(&guard, post, &[host, known]), Err(Refusal::NoOrigin));
        assert_eq!(
            ask(&guard, "GET /api/board", &[host, known, ours]),
            Ok(Admission::Admitted)
        );
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:4712",
            "https://127.0.0.1:4711",
            "null",
            "http://localhost:4711",
            "http://127.0.0.1:4711/",
            "",
        ] {
            for line in [post, "GET /api/board", "GET /"] {
                let asked = ask(&guard, line, &[host, known, ("origin", origin)]);
                assert_eq!(asked, Err(Refusal::ForeignPage), "{line} {origin}");
            }
        }
        for site in ["cross-site", "same-site", "anything"] {
            let asked = ask(
                &guard,
                "GET /api/board",
                &[host, known, ("sec-fetch-site", site)],
            );
            assert_eq!(asked, Err(Refusal::ForeignPage), "{site}");
            // A frame or an image is no visit.
            let framed = [
                host,
                known,
                ("sec-fetch-site", site),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
            ];
            assert_eq!(
                ask(&guard, "GET /", &framed),
                Err(Refusal::ForeignPage),
                "{site}"
            );
        }
        for site in ["none", "same-origin"] {
            let asked = ask(
                &guard,
                "GET /api/board",
                &[host, known, ("sec-fetch-site", site)],
            );
            assert_eq!(asked, Ok(Admission::Admitted), "{site}");
        }
    }
}
