//! The URL at which a destination listens, without secrets, and the paths below it.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

use super::Signal;
use crate::model::text;

/// The base URL of a destination, without user, query or fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The scheme, the host and the port.
    origin: String,
    /// The path without slashes at its end; empty for the root.
    path: String,
    is_encrypted: bool,
    is_loopback: bool,
}

impl Endpoint {
    /// Parses a URL. `insecure` permits `http://` to other machines.
    ///
    /// # Errors
    /// Returns what is wrong and what to do. The text does not contain the URL, which may contain a
    /// secret.
    pub(super) fn parse(url: &str, insecure: bool) -> Result<Self, &'static str> {
        const FORM: &str =
            "expected a URL such as `https://otel.example.com` or `http://127.0.0.1:4318`";
        if url.contains('#') {
            return Err("it has a fragment (`#`), which is never sent; remove it");
        }
        let uri: Uri = url.trim().parse().map_err(|_| FORM)?;
        let is_encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(FORM),
        };
        let authority = uri.authority().ok_or(FORM)?;
        if authority.as_str().contains('@') {
            return Err(
                "it contains a user name or a password; write `Authorization: Basic …` into the headers_file instead",
            );
        }
        if uri.query().is_some() {
            return Err("it has a query (`?`); write keys into the headers_file instead");
        }
        if authority.host().is_empty() || authority.port_u16() == Some(0) {
            return Err(FORM);
        }
        let is_loopback = is_loopback(authority.host());
        if !is_encrypted && !is_loopback && !insecure {
            return Err(
                "`http://` to another machine is readable on the way; use `https://`, or set `insecure = true`",
            );
        }
        Ok(Self {
            origin: format!(
                "{}://{authority}",
                if is_encrypted { "https" } else { "http" }
            ),
            path: uri.path().trim_end_matches('/').to_owned(),
            is_encrypted,
            is_loopback,
        })
    }

    /// Returns the URL to which OTLP requests with this signal go. The endpoint may already end in
    /// the path of any signal.
    pub fn of_signal(&self, signal: Signal) -> String {
        let mut ends = Signal::ALL.iter().map(|it| format!("/v1/{}", it.name()));
        let base = ends.find_map(|end| self.path.strip_suffix(&end));
        let base = base.unwrap_or(&self.path);
        format!("{}{base}/v1/{}", self.origin, signal.name())
    }

    /// Returns the URL to which single events go.
    pub fn of_events(&self) -> String {
        let base = self.path.strip_suffix("/events").unwrap_or(&self.path);
        format!("{}{base}/events", self.origin)
    }

    /// Returns whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Returns whether the destination is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Returns the name or the address of the destination's machine.
    pub fn host(&self) -> &str {
        let (_, authority) = self.origin.split_once("://").unwrap_or_default();
        let end = match authority.rfind(']') {
            Some(end) => end + 1,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        authority.get(..end).unwrap_or_default()
    }

    /// Returns the port, if the URL names one.
    pub fn port(&self) -> Option<u16> {
        let (_, port) = self.origin.rsplit_once(':')?;
        port.parse().ok()
    }

    /// Returns the scheme, the host and the port, for messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, text::escaped(&self.path))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let address: Option<IpAddr> = host.parse().ok();
    address.map_or_else(
        || host.eq_ignore_ascii_case("localhost"),
        |address| address.is_loopback(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_has_its_path_below_the_endpoint() {
        let check = |url: &str, signal, expected: &str| {
            let endpoint = Endpoint::parse(url, true).unwrap();
            assert_eq!(endpoint.of_signal(signal), expected);
        };
        check("https://x", Signal::Traces, "https://x/v1/traces");
        check("https://x/", Signal::Logs, "https://x/v1/logs");
        check(
            "http://x:4318/otlp//",
            Signal::Metrics,
            "http://x:4318/otlp/v1/metrics",
        );
        check("https://x/v1/traces", Signal::Traces, "https://x/v1/traces");
        check(
            "https://x/a/v1/traces/",
            Signal::Logs,
            "https://x/a/v1/logs",
        );
        check(
            "https://x/av1/traces",
            Signal::Logs,
            "https://x/av1/traces/v1/logs",
        );
    }

    #[test]
    fn events_go_to_one_path() {
        for url in ["http://localhost:4000", "http://localhost:4000/events/"] {
            let endpoint = Endpoint::parse(url, false).unwrap();
            assert_eq!(endpoint.of_events(), "http://localhost:4000/events");
        }
    }

    #[test]
    fn the_host_and_the_port_are_those_of_the_url() {
        let check = |url: &str, host: &str, port| {
            let endpoint = Endpoint::parse(url, true).unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (host, port));
        };
        check("https://otel.example.com/a:7", "otel.example.com", None);
        check(
            "http://otel.example.com:4318",
            "otel.example.com",
            Some(4318),
        );
        check("http://[::1]:4318", "[::1]", Some(4318));
        check("http://[::1]", "[::1]", None);
    }
}
