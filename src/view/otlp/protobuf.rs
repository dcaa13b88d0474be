//! OTLP as protobuf, by the field numbers of `opentelemetry-proto`.

use super::value::{Attributes, Value};
use super::{Buckets, LogRecord, Metric, Point, Points, Resource, SCOPE, Span};

/// Returns an `ExportTraceServiceRequest`.
pub fn traces(groups: &[(&Resource<'_>, &[Span<'_>])]) -> Vec<u8> {
    request(groups, span)
}

/// Returns an `ExportLogsServiceRequest`.
pub fn logs(groups: &[(&Resource<'_>, &[LogRecord<'_>])]) -> Vec<u8> {
    request(groups, log_record)
}

/// Returns an `ExportMetricsServiceRequest`.
pub fn metrics(groups: &[(&Resource<'_>, &[Metric<'_>])]) -> Vec<u8> {
    request(groups, metric)
}

/// Writes the parts that all three requests have: they have the same numbers in all.
fn request<T>(groups: &[(&Resource<'_>, &[T])], item: impl Fn(&mut Message, &T)) -> Vec<u8> {
    let mut request = Message::default();
    for (resource, all) in groups {
        request.message(1, |group| {
            group.message(1, |it| attributes(it, 1, &resource.attributes));
            group.message(2, |scoped| {
                scoped.message(1, |scope| {
                    scope.text(1, SCOPE);
                    scope.text(2, env!("CARGO_PKG_VERSION"));
                });
                for one in *all {
                    scoped.message(2, |it| item(it, one));
                }
            });
        });
    }
    request.0
}

fn span(message: &mut Message, span: &Span<'_>) {
    message.bytes(1, &span.trace_id.0);
    message.bytes(2, &span.span_id.0);
    if let Some(parent) = span.parent_span_id {
        message.bytes(4, &parent.0);
    }
    message.text(5, &span.name);
    message.number(6, 1);
    message.fixed64(7, span.start_time);
    message.fixed64(8, span.end_time);
    attributes(message, 9, &span.attributes);
    message.message(15, |status| {
        if span.is_error {
            status.number(3, 2);
        }
    });
    message.fixed32(16, span.flags());
}

fn log_record(message: &mut Message, record: &LogRecord<'_>) {
    message.fixed64(1, record.time);
    message.number(2, record.severity.number().into());
    message.text(3, record.severity.as_str());
    message.message(5, |body| body.text(1, &record.event_name));
    attributes(message, 6, &record.attributes);
    if let Some((trace, span)) = record.span {
        message.fixed32(8, 1);
        message.bytes(9, &trace.0);
        message.bytes(10, &span.0);
    }
    message.fixed64(11, record.time);
    message.text(12, &record.event_name);
}

fn metric(message: &mut Message, metric: &Metric<'_>) {
    const CUMULATIVE: u64 = 2;
    message.text(1, metric.name);
    message.text(2, metric.description);
    message.text(3, metric.unit);
    let sum = |message: &mut Message, all: &[Point<'_, u64>], is_monotonic: bool| {
        message.message(7, |sum| {
            for point in all {
                sum.message(1, |it| {
                    times(it, point);
                    it.fixed64(6, point.value);
                    attributes(it, 7, &point.attributes);
                });
            }
            sum.number(2, CUMULATIVE);
            sum.number(3, u64::from(is_monotonic));
        });
    };
    match &metric.points {
        Points::Gauge(all) => message.message(5, |gauge| {
            for point in all {
                gauge.message(1, |it| {
                    times(it, point);
                    it.fixed64(4, point.value.to_bits());
                    attributes(it, 7, &point.attributes);
                });
            }
        }),
        Points::Sum(all) => sum(message, all, false),
        Points::Counter(all) => sum(message, all, true),
        Points::Histogram(all) => message.message(9, |histogram| {
            for point in all {
                histogram.message(1, |it| {
                    times(it, point);
                    buckets(it, &point.value);
                    attributes(it, 9, &point.attributes);
                });
            }
            histogram.number(2, CUMULATIVE);
        }),
    }
}

fn times<T>(message: &mut Message, point: &Point<'_, T>) {
    message.fixed64(2, point.start_time);
    message.fixed64(3, point.time);
}

fn buckets(message: &mut Message, value: &Buckets) {
    let packed = |numbers: &[u64]| -> Vec<u8> {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        bytes.collect()
    };
    message.fixed64(4, value.count);
    message.fixed64(5, value.sum.to_bits());
    message.bytes(6, &packed(&value.counts));
    let bounds: Vec<u64> = value.bounds.iter().map(|bound| bound.to_bits()).collect();
    message.bytes(7, &packed(&bounds));
}

fn attributes(message: &mut Message, number: u32, all: &Attributes<'_>) {
    for (name, value) in &all.0 {
        message.message(number, |pair| {
            pair.text(1, name);
            pair.message(2, |any| match value {
                Value::Text(text) => any.text(1, text),
                Value::Flag(flag) => any.number(2, u64::from(*flag)),
                // A negative number has all its 64 bits, as two's complement.
                Value::Int(number) => any.number(3, number.cast_unsigned()),
            });
        });
    }
}

/// A message as it is written.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    /// Writes a text, also an empty one.
    fn text(&mut self, number: u32, text: &str) {
        self.bytes(number, text.as_bytes());
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, 2);
        self.varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u32, value: u64) {
        self.tag(number, 0);
        self.varint(value);
    }

    fn fixed64(&mut self, number: u32, value: u64) {
        self.tag(number, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn fixed32(&mut self, number: u32, value: u32) {
        self.tag(number, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a message within this one. Its length stands before it and is known only afterwards.
    fn message(&mut self, number: u32, fill: impl FnOnce(&mut Self)) {
        self.tag(number, 2);
        let start = self.0.len();
        // Most messages are shorter than 128 bytes: their length has one byte.
        self.0.push(0);
        fill(self);
        let length = self.0.len() - start - 1;
        let mut prefix = Self::default();
        prefix.varint(u64::try_from(length).unwrap_or(u64::MAX));
        self.0.splice(start..=start, prefix.0);
    }

    fn tag(&mut self, number: u32, wire: u32) {
        self.varint(u64::from(number << 3 | wire));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            // The seven lowest bits, and the mark that more follow.
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_are_varints() {
        let of = |value: u64| {
            let mut message = Message::default();
            message.number(1, value);
            message.0
        };
        assert_eq!(of(0), [8, 0]);
        assert_eq!(of(300), [8, 0xac, 2]);
        assert_eq!(of(u64::MAX).len(), 11);
        let mut message = Message::default();
        message.message(2, |inner| inner.text(1, &"a".repeat(300)));
        assert_eq!(message.0[..6], [0x12, 0xaf, 2, 0x0a, 0xac, 2]);
        assert_eq!(message.0.len(), 306);
    }
}
