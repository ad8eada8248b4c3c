//! Up to when a client has been told everything: what it hands back when it returns.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Generation, StoreTime};

/// A point in one store's history. Everything that the store took more than
/// [`AS_OF_MARGIN`](super::limits::AS_OF_MARGIN) before it has been written to the socket that it was sent on.
/// For clients it is an opaque text: `<generation>-<milliseconds>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// Which history.
    pub generation: Generation,
    /// Up to when, by that store's clock.
    pub at: StoreTime,
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.generation, self.at.0)
    }
}

/// Not an `as_of` that a server of this protocol sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an as_of is the text that a welcome or a pong carried")]
pub struct AsOfError;

impl FromStr for AsOf {
    type Err = AsOfError;

    fn from_str(text: &str) -> Result<Self, AsOfError> {
        let (generation, at) = text.split_once('-').ok_or(AsOfError)?;
        if generation.len() != 16 {
            return Err(AsOfError);
        }
        let generation = u64::from_str_radix(generation, 16).map_err(|_| AsOfError)?;
        let at = at.parse().map_err(|_| AsOfError)?;
        Ok(Self { generation: Generation(generation), at: StoreTime(at) })
    }
}

impl Serialize for AsOf {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AsOf {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = AsOf;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an as_of as text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<AsOf, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_as_of_survives_its_text() {
        let as_of = AsOf { generation: Generation(0xAB), at: StoreTime(1_700_000_000_123) };
        assert_eq!(as_of.to_string().parse(), Ok(as_of));
        for bad in ["", "-", "0-0", "00000000000000ab", "00000000000000ab-", "00000000000000ab--1", "é-1"] {
            assert_eq!(bad.parse::<AsOf>(), Err(AsOfError), "{bad}");
        }
    }
}
