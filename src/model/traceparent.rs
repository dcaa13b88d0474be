//! A span of another program, as the W3C's trace context writes it:
//! `00-{trace id}-{span id}-{flags}`, in lower-case hex.

/// A span of another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The id of the trace to which the span belongs.
    pub trace: [u8; 16],
    /// The id of the span.
    pub span: [u8; 8],
    /// True if that program keeps the trace.
    pub is_sampled: bool,
}

/// The length of a `traceparent` of version 00, in bytes.
const LENGTH: usize = 55;

impl TraceParent {
    /// Reads a `traceparent` of version 00. Returns `None` for any other text, and for ids of
    /// zeros.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        let rest = text.strip_prefix("00-")?;
        let (trace, rest) = rest.split_once('-')?;
        let (span, flags) = rest.split_once('-')?;
        let (trace, span, [flags]) = (hex(trace)?, hex(span)?, hex::<1>(flags)?);
        let is_some = |id: &[u8]| id.iter().any(|byte| *byte != 0);
        (is_some(&trace) && is_some(&span)).then_some(Self {
            trace,
            span,
            is_sampled: flags & 1 == 1,
        })
    }
}

/// Returns the bytes of exactly `N` pairs of lower-case hex digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_version_00_is_read() {
        let read = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let read = read.unwrap();
        assert_eq!((read.trace[0], read.trace[15]), (0x0a, 0x9c));
        assert_eq!((read.span[0], read.span[7]), (0xb7, 0x31));
        assert!(read.is_sampled);
        let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02";
        assert!(!TraceParent::parse(unsampled).unwrap().is_sampled);
    }

    #[test]
    fn any_other_header_is_ignored() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-101",
            "00-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331--01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-éaf7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }
}
