//! Explains to people why an HTTP request to a destination got no answer.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::Error;

use super::answer::Meaning;
use crate::model::duration;
use crate::model::text::{escaped, one_line};

/// The usual port of OpenTelemetry collectors for gRPC, which ccsession does not speak.
const GRPC: u16 = 4317;

/// The server that a request was sent to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// The scheme, the host and the port.
    pub(super) origin: &'a str,
    pub(super) port: Option<u16>,
    pub(super) timeout: Duration,
}

/// Explains why there is no answer, and decides whether trying again may help.
pub(super) fn meaning(error: &Error, target: Target<'_>) -> Meaning {
    let origin = target.origin;
    let later = |line: String| Meaning::Later {
        line,
        repeats: true,
        retry_after: None,
    };
    match error {
        Error::Io(err) => {
            #[cfg(feature = "tls")]
            if let Some(rustls) = err.get_ref().and_then(|it| it.downcast_ref()) {
                return encryption(rustls, origin);
            }
            later(format!("could not reach {origin}: {}", io_reason(err)))
        }
        #[cfg(feature = "tls")]
        Error::Rustls(err) => encryption(err, origin),
        Error::Timeout(_) => later(format!(
            "{origin} did not answer within {}",
            duration::text(target.timeout)
        )),
        Error::HostNotFound => later(format!(
            "could not reach {origin}: this machine cannot resolve its name"
        )),
        Error::ConnectionFailed => later(format!("could not reach {origin}")),
        Error::ConnectProxyFailed(why) => later(format!(
            "the proxy did not connect to {origin}: {}",
            escaped(&one_line(why, 100))
        )),
        Error::Protocol(_) | Error::LargeResponseHeader(..) | Error::Http(_) => {
            let hint = match target.port {
                Some(GRPC) => "; port 4317 is for gRPC, and 4318 for HTTP",
                _ => "; check the port of endpoint",
            };
            later(format!("{origin} does not answer in HTTP/1.1{hint}"))
        }
        other => later(format!(
            "could not reach {origin}: {}",
            escaped(&one_line(&other.to_string(), 100))
        )),
    }
}

fn io_reason(err: &std::io::Error) -> String {
    match err.kind() {
        ErrorKind::ConnectionRefused => {
            "the connection was refused; is a collector running there?".to_owned()
        }
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => "the server ended the connection".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "this machine has no route to it".to_owned()
        }
        ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => escaped(&one_line(&err.to_string(), 100)),
    }
}

#[cfg(feature = "tls")]
fn encryption(error: &rustls::Error, origin: &str) -> Meaning {
    use rustls::CertificateError as Certificate;

    let why = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            Certificate::UnknownIssuer => {
                "this system does not trust its issuer; add the issuer to the system's certificates, or name a file with it in SSL_CERT_FILE"
            }
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "it has expired, or this machine's clock is wrong"
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "it is not valid yet, or this machine's clock is wrong"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "it is for another host; correct the endpoint"
            }
            Certificate::Revoked => "it was revoked",
            _ => {
                let why = escaped(&one_line(&certificate.to_string(), 100));
                return Meaning::Misconfigured(format!(
                    "the certificate of {origin} was refused: {why}"
                ));
            }
        },
        rustls::Error::InvalidMessage(_) => {
            return Meaning::Misconfigured(format!(
                "{origin} does not speak TLS; check the port, or use `http://`"
            ));
        }
        rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) => {
            let why = escaped(&one_line(&error.to_string(), 100));
            return Meaning::Misconfigured(format!("{origin} refused the TLS handshake: {why}"));
        }
        _ => {
            let why = escaped(&one_line(&error.to_string(), 100));
            return Meaning::Later {
                line: format!("could not reach {origin}: {why}"),
                repeats: true,
                retry_after: None,
            };
        }
    };
    Meaning::Misconfigured(format!("the certificate of {origin} was refused: {why}"))
}
