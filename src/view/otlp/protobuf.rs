//! Encodes OTLP as protobuf. The field numbers are those of `opentelemetry-proto`.

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

/// Writes a request for traces, logs or metrics. All three have the same outer structure with the
/// same field numbers; `item` writes a span, a log record or a metric.
fn request<T>(groups: &[(&Resource<'_>, &[T])], item: impl Fn(&mut Message, &T)) -> Vec<u8> {
    let items = groups.iter().map(|(_, all)| all.len()).sum::<usize>();
    let mut request = Message(Vec::with_capacity(USUAL_RESOURCE + items * USUAL_ITEM));
    for (resource, all) in groups {
        request.long_message(1, LengthOf::Group, |group| {
            group.long_message(1, LengthOf::Item, |it| {
                attributes(it, 1, &resource.attributes);
            });
            group.long_message(2, LengthOf::Group, |scoped| {
                scoped.message(1, |scope| {
                    scope.text(1, SCOPE);
                    scope.text(2, env!("CARGO_PKG_VERSION"));
                });
                for one in *all {
                    scoped.long_message(2, LengthOf::Item, |it| item(it, one));
                }
            });
        });
    }
    request.0
}

/// The usual size of a resource and of an item (a span, a log record or a metric) in bytes, so that
/// the buffer rarely grows.
const USUAL_RESOURCE: usize = 1024;
const USUAL_ITEM: usize = 900;

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

/// Writes attributes. Because there are many, their lengths are computed before they are written;
/// other messages are written first, then measured.
fn attributes(message: &mut Message, number: u32, all: &Attributes<'_>) {
    for (name, value) in &all.0 {
        let value_length = match value {
            Value::Text(text) => 1 + with_length(text.len()),
            Value::Flag(_) => 2,
            Value::Int(number) => 1 + varint_length(number.cast_unsigned()),
        };
        let length = 1 + with_length(name.len()) + 1 + with_length(value_length);
        message.begin(number, length);
        message.text(1, name);
        message.begin(2, value_length);
        match value {
            Value::Text(text) => message.text(1, text),
            Value::Flag(flag) => message.number(2, u64::from(*flag)),
            // Protobuf writes a negative number as all its 64 bits, in two's complement.
            Value::Int(number) => message.number(3, number.cast_unsigned()),
        }
    }
}

/// Returns how many bytes a text of this length takes, including the varint for its length.
fn with_length(length: usize) -> usize {
    length + varint_length(length as u64)
}

/// Returns how many bytes a number takes as a varint, which has seven bits in each byte.
fn varint_length(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// How many bytes to reserve for the length of a message before the message is written. If the
/// length turns out to need another number of bytes, the message is moved.
#[derive(Debug, Clone, Copy)]
enum LengthOf {
    Part = 1,
    Item = 2,
    Group = 3,
}

/// The bytes of a message that is being written.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    /// Writes a text field, even if the text is empty.
    fn text(&mut self, number: u32, text: &str) {
        self.bytes(number, text.as_bytes());
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.begin(number, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Writes the tag and the length of a field whose content takes `length` bytes.
    fn begin(&mut self, number: u32, length: usize) {
        self.tag(number, 2);
        self.varint(length as u64);
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

    /// Writes a short nested message.
    fn message(&mut self, number: u32, fill: impl FnOnce(&mut Self)) {
        self.long_message(number, LengthOf::Part, fill);
    }

    /// Writes a nested message. Its length stands before it but is known only afterwards, so
    /// `usual` says how many bytes to reserve for the length.
    fn long_message(&mut self, number: u32, usual: LengthOf, fill: impl FnOnce(&mut Self)) {
        self.tag(number, 2);
        let usual = usual as usize;
        let start = self.0.len();
        let filled = start + usual;
        self.0.resize(filled, 0);
        fill(self);
        let end = self.0.len();
        let mut length = (end - filled) as u64;
        let taken = varint_length(length);
        if taken > usual {
            self.0.resize(end + taken - usual, 0);
        }
        if taken != usual {
            self.0.copy_within(filled..end, start + taken);
            self.0.truncate(end + taken - usual);
        }
        for place in self.0.iter_mut().skip(start).take(taken - 1) {
            *place = (length & 0x7f) as u8 | 0x80;
            length >>= 7;
        }
        if let Some(place) = self.0.get_mut(start + taken - 1) {
            *place = length as u8;
        }
    }

    fn tag(&mut self, number: u32, wire: u32) {
        self.varint(u64::from(number << 3 | wire));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            // The seven lowest bits; the highest bit says that more bytes follow.
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
    fn a_length_takes_the_bytes_that_it_needs_whatever_was_expected() {
        for length in [0, 1, 127, 128, 300, 16_383, 16_384, 2_097_151, 2_097_152] {
            for usual in [LengthOf::Part, LengthOf::Item, LengthOf::Group] {
                let mut message = Message(vec![9]);
                message.long_message(1, usual, |it| it.0.resize(it.0.len() + length, 7));
                message.0.push(9);
                let mut expected = Message(vec![9]);
                expected.bytes(1, &vec![7; length]);
                expected.0.push(9);
                assert!(message.0 == expected.0, "{length}, {usual:?}");
            }
        }
        for value in [0, 127, 128, 1 << 14, 1 << 63, u64::MAX] {
            let mut message = Message::default();
            message.varint(value);
            assert_eq!(message.0.len(), varint_length(value), "{value}");
        }
    }

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
