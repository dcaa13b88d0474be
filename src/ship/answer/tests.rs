//! Each answer and what it means.

use super::*;

const URL: &str = "https://x/v1/traces";

fn asked(protocol: Protocol) -> Asked<'static> {
    Asked {
        url: URL,
        protocol,
        signal: Some(Signal::Traces),
        is_compressed: true,
        has_headers: true,
    }
}

fn answer(status: u16, content_type: &str, body: &[u8]) -> Answer {
    Answer {
        status,
        content_type: content_type.to_owned(),
        body: body.to_vec(),
        ..Answer::default()
    }
}

fn meaning(answer: &Answer) -> Meaning {
    answer.meaning(asked(Protocol::OtlpJson), str::to_owned)
}

#[test]
fn a_success_with_an_empty_body_is_a_success() {
    for (content_type, body) in [
        ("application/json", "{}"),
        ("application/json", r#"{"partialSuccess":{}}"#),
        (
            "application/json",
            r#"{"partialSuccess":{"rejectedSpans":"0","errorMessage":""}}"#,
        ),
        ("application/json", r#"{"partialSuccess":null}"#),
        ("application/json", "not JSON"),
        ("application/x-protobuf", ""),
        ("text/plain", "ok"),
        ("", ""),
    ] {
        let answer = answer(200, content_type, body.as_bytes());
        assert_eq!(meaning(&answer), Meaning::Taken, "{body}");
    }
}

#[test]
fn what_was_rejected_is_read_in_json_and_in_protobuf() {
    let partial = |rejected, message: &str| Meaning::Partial {
        rejected,
        message: message.to_owned(),
    };
    let json = |body: &str| meaning(&answer(200, "application/json", body.as_bytes()));
    assert_eq!(
        json(r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too\nold"}}"#),
        partial(3, "too old")
    );
    assert_eq!(
        json(r#"{"partialSuccess":{"rejectedLogRecords":18446744073709551615}}"#),
        partial(u64::MAX, "")
    );
    assert_eq!(
        json(r#"{"partialSuccess":{"errorMessage":"a warning"}}"#),
        partial(0, "a warning")
    );
    let protobuf = |body: &[u8]| meaning(&answer(200, "application/x-protobuf", body));
    assert_eq!(
        protobuf(b"\x0a\x08\x08\xac\x02\x12\x03old"),
        partial(300, "old")
    );
    assert_eq!(protobuf(b"\x12\x01x\x0a\x02\x08\x02"), partial(2, ""));
    assert_eq!(protobuf(b"\x0a\x00"), Meaning::Taken);
    // A length beyond the end, and a number without one.
    assert_eq!(protobuf(b"\x0a\x7f\x08"), Meaning::Taken);
    assert_eq!(protobuf(&[0xff; 20]), Meaning::Taken);
}

#[test]
fn a_web_page_is_not_a_success() {
    let page = |content_type: &str| answer(200, content_type, b"\n<!doctype html><html>");
    for content_type in ["text/html", ""] {
        assert_eq!(
            meaning(&page(content_type)),
            Meaning::Misconfigured(format!(
                "{URL} answers with a web page; check the host and the path of endpoint"
            ))
        );
    }
}

#[test]
fn each_refusal_says_what_to_do() {
    let check = |status: u16, expected: Meaning| {
        let body = r#"{"message":"no\u001b[2J way"}"#;
        assert_eq!(
            meaning(&answer(status, "application/json", body.as_bytes())),
            expected
        );
    };
    let misconfigured = |line: &str| Meaning::Misconfigured(format!("{URL} {line}"));
    check(
        401,
        misconfigured("refuses the credentials (401): no [2J way; check the headers_file"),
    );
    check(
        403,
        misconfigured("refuses the credentials (403): no [2J way; check the headers_file"),
    );
    check(
        404,
        Meaning::Misconfigured(format!(
            "nothing at {URL} accepts traces (404); correct the path of endpoint, or leave `traces` out of signals"
        )),
    );
    check(
        413,
        Meaning::TooLarge(format!(
            "{URL} accepts no request of this size (413): no [2J way"
        )),
    );
    check(
        415,
        misconfigured(
            "does not take http/json (415); set protocol = \"http/protobuf\", or compression = \"none\"",
        ),
    );
    check(
        400,
        Meaning::Refused(format!("{URL} refused what was sent (400): no [2J way")),
    );
    check(
        422,
        Meaning::Refused(format!("{URL} refused what was sent (422): no [2J way")),
    );
    for status in [429, 502, 503, 504] {
        check(
            status,
            Meaning::Later {
                line: format!("{URL} is overloaded ({status}): no [2J way"),
                repeats: true,
                retry_after: None,
            },
        );
    }
    check(
        500,
        Meaning::Later {
            line: format!("{URL} failed (500): no [2J way"),
            repeats: false,
            retry_after: None,
        },
    );
}

#[test]
fn without_a_headers_file_the_remedy_is_to_have_one() {
    let asked = Asked {
        has_headers: false,
        signal: None,
        ..asked(Protocol::Observability)
    };
    let meaning = |status| answer(status, "", b"").meaning(asked, str::to_owned);
    assert_eq!(
        meaning(401),
        Meaning::Misconfigured(format!("{URL} wants credentials (401); set headers_file"))
    );
    assert_eq!(
        meaning(404),
        Meaning::Misconfigured(format!(
            "nothing at {URL} accepts events (404); correct the path of endpoint"
        ))
    );
}

#[test]
fn a_redirect_is_reported_without_its_secrets() {
    let check = |location: &str, expected: &str| {
        let answer = Answer {
            location: Some(location.to_owned()),
            ..answer(302, "", b"")
        };
        let line =
            format!("{URL} redirects to {expected}, which is not followed; correct the endpoint");
        assert_eq!(meaning(&answer), Meaning::Misconfigured(line));
    };
    check("https://y/login?key=hush", "https://y/login");
    check("https://me:hush@y/", "https://y/");
    check("/login#hush", "/login");
    check("https://y/a@b", "https://y/a@b");
}

#[test]
fn the_reason_is_found_in_each_form_and_cut() {
    let said = |content_type: &str, body: &[u8]| match meaning(&answer(400, content_type, body)) {
        Meaning::Refused(line) => line,
        other => panic!("{other:?}"),
    };
    let head = format!("{URL} refused what was sent (400)");
    assert_eq!(
        said("text/plain", b"bad\r\nthing"),
        format!("{head}: bad thing")
    );
    assert_eq!(
        said("application/json", br#"{"error":"odd"}"#),
        format!("{head}: odd")
    );
    assert_eq!(
        said("application/json", br#"{"error":{"message":"odd"}}"#),
        format!("{head}: odd")
    );
    assert_eq!(said("application/json", br#"{"code":3}"#), head);
    assert_eq!(said("text/html", b"<html>"), head);
    assert_eq!(
        said("application/x-protobuf", b"\x08\x03\x12\x03odd"),
        format!("{head}: odd")
    );
    let long = said("text/plain", &[b'x'; 9999]);
    assert_eq!(long.chars().count(), head.len() + 2 + LONGEST_MESSAGE);
}

#[test]
fn no_bytes_make_it_fail() {
    use proptest::prelude::*;

    proptest!(|(body: Vec<u8>, status in 100..600_u16, protobuf: bool)| {
        let content_type = if protobuf { "application/x-protobuf" } else { "application/json" };
        let answer = answer(status, content_type, &body);
        for protocol in [Protocol::OtlpJson, Protocol::OtlpProtobuf, Protocol::Observability] {
            answer.meaning(asked(protocol), str::to_owned);
        }
    });
}
