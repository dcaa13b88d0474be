//! Encodes OTLP as JSON: ids in hex, 64-bit numbers as strings, enums as numbers, names in
//! lowerCamelCase. Control characters and invisible characters are escaped, so the output is safe
//! on a terminal.

use std::fmt::Write;

use super::ids::{Decimal, push_hex};
use super::value::{Attributes, Value};
use super::{Buckets, LogRecord, Metric, Point, Points, Resource, SCOPE, Span};
use crate::model::text::escaped_json;

/// Returns an `ExportTraceServiceRequest` on one line, without a line break.
pub fn traces(groups: &[(&Resource<'_>, &[Span<'_>])]) -> String {
    request(groups, "resourceSpans", "scopeSpans", "spans", span)
}

/// Returns an `ExportLogsServiceRequest` on one line, without a line break.
pub fn logs(groups: &[(&Resource<'_>, &[LogRecord<'_>])]) -> String {
    request(
        groups,
        "resourceLogs",
        "scopeLogs",
        "logRecords",
        log_record,
    )
}

/// Returns an `ExportMetricsServiceRequest` on one line, without a line break.
pub fn metrics(groups: &[(&Resource<'_>, &[Metric<'_>])]) -> String {
    request(groups, "resourceMetrics", "scopeMetrics", "metrics", metric)
}

/// The usual size of a resource and of an item (a span, a log record or a metric) in bytes, so that
/// the buffer rarely grows.
const USUAL_RESOURCE: usize = 2048;
const USUAL_ITEM: usize = 1800;

/// Writes a request for traces, logs or metrics. All three have the same outer structure; `item`
/// writes a span, a log record or a metric.
fn request<T>(
    groups: &[(&Resource<'_>, &[T])],
    resources: &str,
    scopes: &str,
    items: &str,
    item: impl Fn(&mut String, &T),
) -> String {
    let all = groups.iter().map(|(_, all)| all.len()).sum::<usize>();
    let mut json = String::with_capacity(USUAL_RESOURCE + all * USUAL_ITEM);
    put(&mut json, format_args!("{{\"{resources}\":["));
    list(&mut json, groups, |json, (resource, all)| {
        json.push_str("{\"resource\":{");
        attributes(json, &resource.attributes);
        let version = env!("CARGO_PKG_VERSION");
        put(
            json,
            format_args!(
                "}},\"{scopes}\":[{{\"scope\":{{\"name\":\"{SCOPE}\",\"version\":\"{version}\"}},\"{items}\":["
            ),
        );
        list(json, all, &item);
        json.push_str("]}]}");
    });
    json.push_str("]}");
    json
}

fn span(json: &mut String, span: &Span<'_>) {
    json.push_str("{\"traceId\":\"");
    push_hex(json, &span.trace_id.0);
    json.push_str("\",\"spanId\":\"");
    push_hex(json, &span.span_id.0);
    json.push('"');
    if let Some(parent) = span.parent_span_id {
        json.push_str(",\"parentSpanId\":\"");
        push_hex(json, &parent.0);
        json.push('"');
    }
    put(json, format_args!(",\"flags\":{},\"name\":", span.flags()));
    text(json, &span.name);
    put(
        json,
        format_args!(
            ",\"kind\":1,\"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\",",
            span.start_time, span.end_time
        ),
    );
    attributes(json, &span.attributes);
    json.push_str(match span.is_error {
        true => ",\"status\":{\"code\":2}}",
        false => ",\"status\":{}}",
    });
}

fn log_record(json: &mut String, record: &LogRecord<'_>) {
    let time = record.time;
    put(
        json,
        format_args!(
            "{{\"timeUnixNano\":\"{time}\",\"observedTimeUnixNano\":\"{time}\",\"severityNumber\":{},\"severityText\":\"{}\",\"body\":{{\"stringValue\":",
            record.severity.number(),
            record.severity.as_str()
        ),
    );
    text(json, &record.event_name);
    json.push_str("},");
    attributes(json, &record.attributes);
    if let Some((trace, span)) = record.span {
        json.push_str(",\"flags\":1,\"traceId\":\"");
        push_hex(json, &trace.0);
        json.push_str("\",\"spanId\":\"");
        push_hex(json, &span.0);
        json.push('"');
    }
    json.push_str(",\"eventName\":");
    text(json, &record.event_name);
    json.push('}');
}

fn metric(json: &mut String, metric: &Metric<'_>) {
    let (name, description, unit) = (metric.name, metric.description, metric.unit);
    put(
        json,
        format_args!(
            "{{\"name\":\"{name}\",\"description\":\"{description}\",\"unit\":\"{unit}\","
        ),
    );
    let as_int = |json: &mut String, value: &u64| put(json, format_args!("\"asInt\":\"{value}\""));
    match &metric.points {
        Points::Gauge(all) => {
            json.push_str("\"gauge\":{");
            points(json, all, |json, value| {
                put(json, format_args!("\"asDouble\":{value:?}"))
            });
        }
        Points::Sum(all) => {
            json.push_str("\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":false,");
            points(json, all, as_int);
        }
        Points::Counter(all) => {
            json.push_str("\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,");
            points(json, all, as_int);
        }
        Points::Histogram(all) => {
            json.push_str("\"histogram\":{\"aggregationTemporality\":2,");
            points(json, all, histogram);
        }
    }
    json.push_str("}}");
}

fn points<T>(json: &mut String, all: &[Point<'_, T>], value: impl Fn(&mut String, &T)) {
    json.push_str("\"dataPoints\":[");
    list(json, all, |json, point| {
        json.push('{');
        attributes(json, &point.attributes);
        let (start, time) = (point.start_time, point.time);
        put(
            json,
            format_args!(",\"startTimeUnixNano\":\"{start}\",\"timeUnixNano\":\"{time}\","),
        );
        value(json, &point.value);
        json.push('}');
    });
    json.push(']');
}

fn histogram(json: &mut String, value: &Buckets) {
    let (count, sum) = (value.count, value.sum);
    put(
        json,
        format_args!("\"count\":\"{count}\",\"sum\":{sum:?},\"bucketCounts\":["),
    );
    list(json, &value.counts, |json, count| {
        put(json, format_args!("\"{count}\""))
    });
    json.push_str("],\"explicitBounds\":[");
    list(json, &value.bounds, |json, bound| {
        put(json, format_args!("{bound:?}"))
    });
    json.push(']');
}

fn attributes(json: &mut String, all: &Attributes<'_>) {
    json.push_str("\"attributes\":[");
    list(json, &all.0, |json, (name, value)| {
        // Pushing the strings is faster than `write!`, and there are many attributes.
        json.push_str("{\"key\":\"");
        json.push_str(name);
        json.push_str("\",\"value\":{");
        match value {
            Value::Text(value) => {
                json.push_str("\"stringValue\":");
                text(json, value);
            }
            Value::Int(value) => {
                json.push_str("\"intValue\":\"");
                json.push_str(Decimal::of((*value).into()).as_str());
                json.push('"');
            }
            Value::Flag(true) => json.push_str("\"boolValue\":true"),
            Value::Flag(false) => json.push_str("\"boolValue\":false"),
        }
        json.push_str("}}");
    });
    json.push(']');
}

/// Writes a text as a JSON string, with control characters and invisible characters escaped.
fn text(json: &mut String, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
    // Most texts need no escapes, so checking all bytes is faster than stopping at the first that
    // needs one.
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        json.push('"');
        json.push_str(text);
        json.push('"');
        return;
    }
    // Serialising a string cannot fail.
    let written = serde_json::to_string(text).unwrap_or_default();
    // `escaped_json` leaves line breaks and tabs. Here there are none: the serialisation of a
    // string escapes them.
    json.push_str(&escaped_json(&written));
}

/// Writes items with commas between them.
fn list<T>(json: &mut String, items: &[T], mut item: impl FnMut(&mut String, &T)) {
    for (at, one) in items.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        item(json, one);
    }
}

/// Appends formatted text. Writing to a `String` cannot fail.
fn put(json: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = json.write_fmt(text);
}
