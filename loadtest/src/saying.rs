//! What messages say: who, the how-manieth, when it was due, noise, and a sum over all of it, so that whoever receives
//! one can tell whether it is whole and how long it took.

use std::hash::{DefaultHasher, Hash, Hasher};

use switchboard::model::{ClientKey, IdError, UserId};

/// The content of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saying {
    pub(crate) sender: UserId,
    /// Counts each sender's messages from 1.
    pub(crate) number: u64,
    /// When it was due, in microseconds after the run began.
    pub(crate) due_micros: u64,
    /// Random.
    pub(crate) noise: u64,
}

impl Saying {
    /// The text of the message.
    pub(crate) fn text(&self) -> String {
        let Self { sender, number, due_micros, noise } = self;
        format!("{sender} {number} {due_micros} {noise:016x} {:016x}", self.sum())
    }

    /// A text as its content; none if a single character of it is not as it was.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let saying = Self {
            sender: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
            due_micros: words.next()?.parse().ok()?,
            noise: u64::from_str_radix(words.next()?, 16).ok()?,
        };
        (saying.text() == text).then_some(saying)
    }

    /// The client key that stands for it.
    pub(crate) fn key(&self) -> Result<ClientKey, IdError> {
        self.number.to_string().parse()
    }

    fn sum(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.sender.as_str(), self.number, self.due_micros, self.noise).hash(&mut hasher);
        hasher.finish()
    }
}

/// The number that a key stands for.
pub(crate) fn number_of(key: &ClientKey) -> Option<u64> {
    key.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_another_character_is_not_read() {
        let saying = Saying { sender: "ann".parse().unwrap(), number: 7, due_micros: 12, noise: 0xAB };
        let text = saying.text();
        assert_eq!(Saying::read(&text), Some(saying));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(Saying::read(std::str::from_utf8(&bytes).unwrap()), None, "changed at {at}");
        }
    }
}
