//! Delivers over HTTP. A request has a length, a deadline and an answer of limited size. Redirects
//! are not followed, and a request is repeated only where the specification of OTLP/HTTP says so.

use std::io::{Read, Write};
use std::time::Duration;

use flate2::write::GzEncoder;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use super::answer::{Answer, Asked, Meaning};
use super::destination::Compression;
use super::headers::{self, Headers};
use super::retry::{RetryPolicy, retry_after};
use super::trouble::{self, Target};
use super::{Batch, Delivery, Destination, Failure, Outlet, Protocol, Signal, proxy};
use crate::store::clock;

/// How many bytes of an answer are read at most. A collector's answers are far shorter.
const LONGEST_ANSWER: u64 = 64 << 10;

/// A destination that is reached over HTTP.
#[derive(Debug)]
struct HttpOutlet {
    agent: Agent,
    destination: Destination,
    headers: Headers,
    policy: RetryPolicy,
    /// Waits between two attempts.
    pause: fn(Duration),
}

/// Prepares delivery to a destination. Sends nothing yet.
///
/// # Errors
/// Returns what is wrong with the headers file, the proxy or this build of ccsession, on one line.
pub fn open(destination: &Destination) -> Result<Box<dyn Outlet>, String> {
    open_with(destination, RetryPolicy::default())
}

/// Does the same as [`open`], with another retry policy.
///
/// # Errors
/// Fails as [`open`] does.
pub fn open_with(
    destination: &Destination,
    policy: RetryPolicy,
) -> Result<Box<dyn Outlet>, String> {
    let headers = headers::read(destination.headers_file.as_ref());
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(proxy::of(&destination.endpoint)?)
        .timeout_global(Some(destination.timeout))
        .user_agent(concat!("ccsession/", env!("CARGO_PKG_VERSION")));
    #[cfg(feature = "tls")]
    let config = config.tls_config(tls());
    if destination.endpoint.is_encrypted() && !cfg!(feature = "tls") {
        return Err("this ccsession was built without TLS; build it with the feature `tls`".into());
    }
    Ok(Box::new(HttpOutlet {
        agent: config.build().into(),
        destination: destination.clone(),
        headers: headers.map_err(|why| why.to_string())?,
        policy,
        pause: std::thread::sleep,
    }))
}

#[cfg(feature = "tls")]
fn tls() -> ureq::tls::TlsConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    ureq::tls::TlsConfig::builder()
        .provider(ureq::tls::TlsProvider::Rustls)
        .root_certs(ureq::tls::RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build()
}

impl Outlet for HttpOutlet {
    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        match batch {
            Batch::Otlp { signal, body } => {
                let url = self.destination.endpoint.of_signal(*signal);
                let meaning = self.deliver_one(&url, Some(*signal), body);
                delivery(meaning, 0)
            }
            Batch::Events(events) => {
                let url = self.destination.endpoint.of_events();
                for (taken, event) in events.iter().enumerate() {
                    match self.deliver_one(&url, None, event) {
                        Meaning::Taken | Meaning::Partial { .. } => {}
                        other => return delivery(other, taken),
                    }
                }
                Delivery::Accepted
            }
        }
    }
}

fn delivery(meaning: Meaning, taken: usize) -> Delivery {
    let failure = |line| Failure { line, taken };
    match meaning {
        Meaning::Taken => Delivery::Accepted,
        Meaning::Partial { rejected, message } => Delivery::Partial { rejected, message },
        Meaning::TooLarge(line) => Delivery::TooLarge(failure(line)),
        Meaning::Refused(line) => Delivery::Refused(failure(line)),
        Meaning::Misconfigured(line) => Delivery::Misconfigured(failure(line)),
        Meaning::Later {
            line, retry_after, ..
        } => Delivery::Unreachable {
            why: failure(line),
            retry_after,
        },
    }
}

impl HttpOutlet {
    /// Delivers one request. Repeats it if that may help.
    fn deliver_one(&self, url: &str, signal: Option<Signal>, body: &[u8]) -> Meaning {
        let compressed = match self.destination.compression {
            Compression::Gzip => gzip(body),
            Compression::None => None,
        };
        let asked = Asked {
            url,
            protocol: self.destination.protocol,
            signal,
            is_compressed: compressed.is_some(),
            has_headers: !self.headers.is_empty(),
        };
        let body = compressed.as_deref().unwrap_or(body);
        let mut attempt = 1;
        loop {
            let meaning = self.send(asked, body);
            let wait = match &meaning {
                Meaning::Later {
                    repeats: true,
                    retry_after,
                    ..
                } => self.policy.wait(attempt, *retry_after, random()),
                _ => None,
            };
            let Some(wait) = wait else {
                return meaning;
            };
            (self.pause)(wait);
            attempt += 1;
        }
    }

    fn send(&self, asked: Asked<'_>, body: &[u8]) -> Meaning {
        let content_type = match asked.protocol {
            Protocol::OtlpProtobuf => "application/x-protobuf",
            Protocol::OtlpJson | Protocol::Observability => "application/json",
        };
        let mut request = Request::post(asked.url)
            .header("content-type", content_type)
            .header("accept", content_type);
        if asked.is_compressed {
            request = request.header("content-encoding", "gzip");
        }
        if let Some(all) = request.headers_mut() {
            for (name, value) in self.headers.map() {
                all.append(name, value.clone());
            }
        }
        let sent = request.body(body).map_err(ureq::Error::Http);
        match sent.and_then(|request| self.agent.run(request)) {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let mut answer = Answer::of(head.status.as_u16(), &head.headers);
                // Even an incomplete answer has a status.
                let read = body
                    .into_reader()
                    .take(LONGEST_ANSWER)
                    .read_to_end(&mut answer.body);
                match read {
                    Err(err) if answer.status < 300 => {
                        trouble::meaning(&ureq::Error::from(err), self.target())
                    }
                    _ => answer.meaning(asked, |text| self.headers.hide(text)),
                }
            }
            Err(err) => trouble::meaning(&err, self.target()),
        }
    }

    fn target(&self) -> Target<'_> {
        Target {
            origin: self.destination.endpoint.origin(),
            port: self.destination.endpoint.port(),
            timeout: self.destination.timeout,
        }
    }
}

impl Answer {
    fn of(status: u16, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name)?.to_str().ok();
        let content_type = text("content-type").unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default();
        Self {
            status,
            content_type: content_type.trim().to_ascii_lowercase(),
            retry_after: text("retry-after").and_then(|value| retry_after(value, clock::now())),
            location: text("location").map(str::to_owned),
            body: Vec::new(),
        }
    }
}

/// Compresses fast. The strongest compression usually takes longer than it saves on the network.
fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let room = Vec::with_capacity(body.len() / 4);
    let mut encoder = GzEncoder::new(room, flate2::Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests;
