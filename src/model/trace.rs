//! Where in a trace something happens, as W3C's Trace Context writes it.

use std::fmt;
use std::str::FromStr;

use super::ids::{parse_hex, write_hex};

/// The bytes of a place in a trace: sixteen of the trace, eight of the span.
pub const TRACE_BYTES: usize = 24;

/// A span of a trace that is recorded. Neither of its ids is zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
}

impl TraceContext {
    /// Of these two ids; nothing where one of them is zero, which names none.
    #[must_use]
    pub fn new(trace: [u8; 16], span: [u8; 8]) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span })
    }

    /// The id of the trace.
    #[must_use]
    pub const fn trace(&self) -> [u8; 16] {
        self.trace
    }

    /// The id of the span.
    #[must_use]
    pub const fn span(&self) -> [u8; 8] {
        self.span
    }

    /// Both ids as bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; TRACE_BYTES] {
        let mut bytes = [0; TRACE_BYTES];
        bytes[..16].copy_from_slice(&self.trace);
        bytes[16..].copy_from_slice(&self.span);
        bytes
    }

    /// Both ids from bytes, if they are ids.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (trace, span) = bytes.split_at_checked(16)?;
        Self::new(trace.try_into().ok()?, span.try_into().ok()?)
    }
}

/// The trace's id, as log lines name it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.trace, f)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.trace, f)?;
        f.write_str("-")?;
        write_hex(&self.span, f)
    }
}

/// What a client says of the trace that a message of it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    /// The span that the message is sent in.
    pub context: TraceContext,
    /// Whether that trace is recorded.
    pub is_sampled: bool,
}

/// Not a `traceparent`. That is no error of the request that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct NotTraceparent;

impl FromStr for Traceparent {
    type Err = NotTraceparent;

    /// `00-` 32 digits `-` 16 digits `-` 2 digits, all lower-case hexadecimal. What a later version writes behind that is
    /// passed over.
    fn from_str(text: &str) -> Result<Self, NotTraceparent> {
        let has_capitals = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut parts = text.splitn(5, '-');
        let mut part = || parts.next().ok_or(NotTraceparent);
        let (version, trace, span, flags) = (part()?, part()?, part()?, part()?);
        let [version] = parse_hex::<1>(version).ok_or(NotTraceparent)?;
        let has_more = parts.next().is_some();
        if has_capitals || version == 0xff || (version == 0 && has_more) {
            return Err(NotTraceparent);
        }
        let ids = parse_hex(trace).zip(parse_hex(span)).ok_or(NotTraceparent)?;
        let [flags] = parse_hex::<1>(flags).ok_or(NotTraceparent)?;
        let context = TraceContext::new(ids.0, ids.1).ok_or(NotTraceparent)?;
        Ok(Self { context, is_sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_the_standard_gives_as_an_example_is_read() {
        let read: Traceparent = GOOD.parse().unwrap();
        assert_eq!(read.context.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(format!("{:?}", read.context), "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7");
        assert!(read.is_sampled);
        assert!(!GOOD.replace("-01", "-00").parse::<Traceparent>().unwrap().is_sampled);
        assert!(GOOD.replace("-01", "-03").parse::<Traceparent>().unwrap().is_sampled, "other flags are not ours");
    }

    #[test]
    fn a_later_version_may_say_more_and_this_one_may_not() {
        let later = GOOD.replacen("00", "01", 1);
        assert_eq!(format!("{later}-what-is-this").parse::<Traceparent>().unwrap(), later.parse().unwrap());
        assert_eq!(format!("{GOOD}-00").parse::<Traceparent>(), Err(NotTraceparent));
    }

    #[test]
    fn everything_else_is_none() {
        let zero_trace = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let zero_span = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
        let capitals = GOOD.to_uppercase();
        let forbidden = GOOD.replacen("00", "ff", 1);
        let bad =
            ["", "00", "-", "---", "00-é-b-01", zero_trace, zero_span, &capitals, &forbidden, &GOOD[1..], &GOOD[..54]];
        for text in bad {
            assert_eq!(text.parse::<Traceparent>(), Err(NotTraceparent), "{text}");
        }
    }

    #[test]
    fn a_place_in_a_trace_survives_its_bytes() {
        let context = GOOD.parse::<Traceparent>().unwrap().context;
        assert_eq!(TraceContext::from_bytes(&context.to_bytes()), Some(context));
        for bytes in [&[][..], &[1; 23], &[1; 25], &[0; 24]] {
            assert_eq!(TraceContext::from_bytes(bytes), None, "{bytes:?}");
        }
    }
}
