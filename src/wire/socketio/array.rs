//! The arguments of an event: the elements of a JSON array, each left as it was written.

use std::borrow::Cow;
use std::slice;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::BadPacket;
use crate::model::limits::{ARGUMENTS_MAX, JSON_DEPTH_MAX};

/// What an event or an answer says: at most [`ARGUMENTS_MAX`] JSON texts, at most [`JSON_DEPTH_MAX`] deep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments<'a> {
    texts: Vec<&'a str>,
    /// How many of them, at the beginning, are no arguments but the name.
    taken: usize,
}

impl<'a> Arguments<'a> {
    /// The elements of a JSON array.
    pub(super) fn decode(array: &'a str) -> Result<Self, BadPacket> {
        if depth(array) > JSON_DEPTH_MAX {
            return Err(BadPacket);
        }
        let mut rest = array.strip_prefix('[').ok_or(BadPacket)?.trim_start_matches(is_space);
        let mut texts = Vec::new();
        if rest != "]" {
            loop {
                let (text, behind) = split_value(rest).filter(|_| texts.len() < ARGUMENTS_MAX).ok_or(BadPacket)?;
                texts.push(text);
                let behind = behind.trim_start_matches(is_space);
                if behind == "]" {
                    break;
                }
                rest = behind.strip_prefix(',').ok_or(BadPacket)?.trim_start_matches(is_space);
            }
        }
        Ok(Self { texts, taken: 0 })
    }

    /// Takes the name of an event off, which is the first element, and a string.
    pub(super) fn take_name(&mut self) -> Option<Cow<'a, str>> {
        let quoted: &'a str = self.texts.first()?;
        let plain = quoted.strip_prefix('"')?.strip_suffix('"')?;
        self.taken = 1;
        if plain.contains('\\') { serde_json::from_str(quoted).ok() } else { Some(Cow::Borrowed(plain)) }
    }

    /// Every argument as JSON.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a, '_> {
        let texts: slice::Iter<'_, &'a str> = self.texts[self.taken..].iter();
        texts.copied()
    }

    /// One argument as JSON, from 0.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&'a str> {
        self.texts.get(self.taken.checked_add(at)?).copied()
    }

    /// One argument as a value; `None` if it is missing or of another kind.
    #[must_use]
    pub fn read<T: Deserialize<'a>>(&self, at: usize) -> Option<T> {
        serde_json::from_str(self.get(at)?).ok()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len() - self.taken
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The JSON value at the beginning, and what follows it. Does not recurse, however deep the value is.
fn split_value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    text.split_at_checked(values.byte_offset())
}

/// Whether this is one JSON value that is not too deep.
pub(super) fn is_json(text: &str) -> bool {
    depth(text) <= JSON_DEPTH_MAX && split_value(text).is_some_and(|(_, behind)| behind.is_empty())
}

/// How deep brackets and braces nest, as far as they do before the text breaks off.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_split_where_they_end() {
        let split = |text| Arguments::decode(text).map(|arguments| arguments.texts);
        assert_eq!(split("[]"), Ok(vec![]));
        assert_eq!(split("[ ]"), Ok(vec![]));
        assert_eq!(
            split(r#"["a,]" ,-1.5e3,[1,[2]],{"]":","}, true]"#),
            Ok(vec![r#""a,]""#, "-1.5e3", "[1,[2]]", r#"{"]":","}"#, "true"])
        );
        for bad in [
            "", "[", "]", "[,]", "[1,]", "[1 2]", "[1]x", "[1] ", "{}", "1", "[01]", "[nul]", "[\"\n\"]", "[1,", "[\"a",
        ] {
            assert_eq!(split(bad), Err(BadPacket), "{bad}");
        }
    }

    #[test]
    fn arrays_are_bounded() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Arguments::decode(&deep(JSON_DEPTH_MAX)).is_ok());
        assert_eq!(Arguments::decode(&deep(JSON_DEPTH_MAX + 1)), Err(BadPacket));
        assert_eq!(Arguments::decode(&"[".repeat(60_000)), Err(BadPacket));
        assert!(Arguments::decode(r#"["[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[[[[[[[["]"#).is_ok(), "not in a string");
        let many = |count| format!("[{}]", vec!["1"; count].join(","));
        assert!(Arguments::decode(&many(ARGUMENTS_MAX)).is_ok());
        assert_eq!(Arguments::decode(&many(ARGUMENTS_MAX + 1)), Err(BadPacket));
    }

    #[test]
    fn arguments_are_read_when_asked_for() {
        let mut arguments = Arguments::decode(r#"["name",7,{"a":"b"}]"#).unwrap();
        assert_eq!(arguments.take_name().as_deref(), Some("name"));
        assert_eq!((arguments.len(), arguments.read::<u8>(0), arguments.read::<u8>(1)), (2, Some(7), None));
        assert_eq!((arguments.get(1), arguments.get(2), arguments.get(usize::MAX)), (Some(r#"{"a":"b"}"#), None, None));
    }
}
