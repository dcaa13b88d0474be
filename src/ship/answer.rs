//! Decides what a destination's answer means. Pure.

use std::time::Duration;

use serde_json::Value;

use super::{Protocol, Signal};
use crate::model::text::{escaped, one_line};

/// The longest message of another program that is shown, in characters.
const LONGEST_MESSAGE: usize = 200;

/// The HTTP answer of a destination, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The content type, in lower case and without parameters.
    pub(super) content_type: String,
    pub(super) retry_after: Option<Duration>,
    /// The address to which a redirect leads.
    pub(super) location: Option<String>,
    /// The content, cut at a maximum length.
    pub(super) body: Vec<u8>,
}

/// The request to which the answer belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) url: &'a str,
    pub(super) protocol: Protocol,
    /// The signal of an OTLP request.
    pub(super) signal: Option<Signal>,
    pub(super) is_compressed: bool,
    /// True if the headers file contains at least one header.
    pub(super) has_headers: bool,
}

/// What an answer means for the sender. The texts are for a person.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Taken,
    Partial {
        rejected: u64,
        message: String,
    },
    TooLarge(String),
    Refused(String),
    Misconfigured(String),
    /// The destination does not accept the request now. `repeats` is true if OTLP's specification
    /// lets a sender try again soon.
    Later {
        line: String,
        repeats: bool,
        retry_after: Option<Duration>,
    },
}

impl Answer {
    /// Decides what the answer means. `hide` removes secrets from text that the destination wrote.
    pub(super) fn meaning(&self, asked: Asked<'_>, hide: impl Fn(&str) -> String) -> Meaning {
        let url = asked.url;
        let said = self.message().map(|message| hide(&message));
        let said = said.map(|message| format!(": {}", one_line(&message, LONGEST_MESSAGE)));
        let said = said.unwrap_or_default();
        match self.status {
            200..=299 if self.is_page() => Meaning::Misconfigured(format!(
                "{url} answers with a web page; check the host and the path of endpoint"
            )),
            200..=299 => self.success(asked, hide),
            300..=399 => Meaning::Misconfigured(match &self.location {
                Some(location) => format!(
                    "{url} redirects to {}, which is not followed; correct the endpoint",
                    place(&hide(location))
                ),
                None => format!("{url} redirects; correct the endpoint"),
            }),
            status @ (401 | 403) => Meaning::Misconfigured(if asked.has_headers {
                format!("{url} refuses the credentials ({status}){said}; check the headers_file")
            } else {
                format!("{url} wants credentials ({status}){said}; set headers_file")
            }),
            status @ (404 | 405) => {
                let what = asked.signal.map_or("events", Signal::name);
                let remedy = match asked.signal {
                    Some(_) => {
                        format!("; correct the path of endpoint, or leave `{what}` out of signals")
                    }
                    None => "; correct the path of endpoint".to_owned(),
                };
                Meaning::Misconfigured(format!(
                    "nothing at {url} accepts {what} ({status}){remedy}"
                ))
            }
            407 => Meaning::Misconfigured(
                "the proxy wants credentials (407); put them into its variable".to_owned(),
            ),
            413 => Meaning::TooLarge(format!("{url} accepts no request of this size (413){said}")),
            415 => Meaning::Misconfigured(wrong_form(asked)),
            status @ (429 | 502 | 503 | 504) => Meaning::Later {
                line: format!("{url} is overloaded ({status}){said}"),
                repeats: true,
                retry_after: self.retry_after,
            },
            status @ 500..=599 => Meaning::Later {
                line: format!("{url} failed ({status}){said}"),
                repeats: false,
                retry_after: self.retry_after,
            },
            status => Meaning::Refused(format!("{url} refused what was sent ({status}){said}")),
        }
    }

    fn success(&self, asked: Asked<'_>, hide: impl Fn(&str) -> String) -> Meaning {
        let partial = match asked.protocol {
            Protocol::Observability => None,
            _ if self.content_type == "application/json" => partial_of_json(&self.body),
            _ if self.content_type == "application/x-protobuf" => partial_of_protobuf(&self.body),
            _ => None,
        };
        match partial {
            Some((rejected, message)) if rejected > 0 || !message.is_empty() => Meaning::Partial {
                rejected,
                message: one_line(&hide(&message), LONGEST_MESSAGE),
            },
            _ => Meaning::Taken,
        }
    }

    fn is_page(&self) -> bool {
        self.content_type == "text/html" || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Returns the reason in the answer's body, if the body is not a web page.
    fn message(&self) -> Option<String> {
        if self.body.is_empty() || self.is_page() {
            return None;
        }
        if self.content_type == "application/x-protobuf" {
            // The message is field 2 of a google.rpc.Status.
            let message = Fields(&self.body).find_map(|(number, field)| match (number, field) {
                (2, Field::Bytes(bytes)) => Some(bytes),
                _ => None,
            });
            return Some(String::from_utf8_lossy(message?).into_owned());
        }
        let Ok(json) = serde_json::from_slice::<Value>(&self.body) else {
            return Some(String::from_utf8_lossy(&self.body).into_owned());
        };
        let places = ["/message", "/error/message", "/error"].into_iter();
        let mut texts = places.filter_map(|place| json.pointer(place)?.as_str());
        texts.next().map(str::to_owned)
    }
}

fn wrong_form(asked: Asked<'_>) -> String {
    let url = asked.url;
    let other = match asked.protocol {
        Protocol::OtlpJson => Protocol::OtlpProtobuf,
        Protocol::OtlpProtobuf => Protocol::OtlpJson,
        Protocol::Observability => {
            return format!("{url} does not take JSON (415); is it an observability server?");
        }
    };
    let compression = match asked.is_compressed {
        true => ", or compression = \"none\"",
        false => "",
    };
    format!(
        "{url} does not take {} (415); set protocol = \"{}\"{compression}",
        asked.protocol.name(),
        other.name()
    )
}

/// Returns a URL that the destination sent, without user, query and fragment, which may be secrets.
fn place(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = url.get(..end).unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.find('/').unwrap_or(rest.len());
    let start = rest.get(..host).and_then(|host| host.rfind('@'));
    let rest = rest.get(start.map_or(0, |at| at + 1)..).unwrap_or_default();
    let separator = if scheme.is_empty() { "" } else { "://" };
    escaped(&one_line(
        &format!("{scheme}{separator}{rest}"),
        LONGEST_MESSAGE,
    ))
}

/// Returns how many items were rejected and why, from a response of OTLP in JSON.
fn partial_of_json(body: &[u8]) -> Option<(u64, String)> {
    let response: Value = serde_json::from_slice(body).ok()?;
    let partial = response.get("partialSuccess")?.as_object()?;
    let rejected = ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"]
        .into_iter()
        .find_map(|name| partial.get(name));
    // A 64-bit number is a string in protobuf's JSON; some servers write a number.
    let rejected = rejected.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok()));
    let message = partial.get("errorMessage").and_then(Value::as_str);
    Some((
        rejected.unwrap_or(0),
        message.unwrap_or_default().to_owned(),
    ))
}

/// Does the same as [`partial_of_json`] for protobuf. For each signal, field 1 of the response is
/// the partial success. In that, field 1 is the number and field 2 the message.
fn partial_of_protobuf(body: &[u8]) -> Option<(u64, String)> {
    let partial = Fields(body).find_map(|(number, field)| match (number, field) {
        (1, Field::Bytes(bytes)) => Some(bytes),
        _ => None,
    })?;
    let mut found = (0, String::new());
    for field in Fields(partial) {
        match field {
            (1, Field::Number(rejected)) => found.0 = rejected,
            (2, Field::Bytes(message)) => found.1 = String::from_utf8_lossy(message).into_owned(),
            _ => {}
        }
    }
    Some(found)
}

/// The fields of a protobuf message, until its end or a fault.
struct Fields<'a>(&'a [u8]);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A field of fixed size. Its value is skipped, because no message that is read here needs one.
    Fixed,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.bytes(8).map(|_| Field::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.bytes(length)?)
            }
            5 => self.bytes(4).map(|_| Field::Fixed)?,
            _ => return None,
        };
        Some((tag >> 3, field))
    }
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests;
