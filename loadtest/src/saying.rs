//! What messages say: in which run, who, the how-manieth, when it was due, noise, and a sum over all of it, so that whoever
//! receives one can tell whether it is whole and how long it took.

use std::hash::{DefaultHasher, Hash, Hasher};

use switchboard::model::{ClientKey, IdError, UserId};

/// The content of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saying {
    /// Tells this run from those before it.
    pub(crate) run: u32,
    pub(crate) sender: UserId,
    /// Counts each sender's messages in one conversation from 1.
    pub(crate) number: u64,
    /// When it was due, in microseconds after the run began.
    pub(crate) due_micros: u64,
    /// Random.
    pub(crate) noise: u64,
}

/// What fills a text up to its size: ASCII, so that it may be cut anywhere.
const FILLING: &str = " all work and no play makes a dull load test;";

impl Saying {
    /// The text of the message, filled up to a size in bytes.
    pub(crate) fn text(&self, bytes: usize) -> String {
        let Self { run, sender, number, due_micros, noise } = self;
        let mut text = format!("{run:08x} {sender} {number} {due_micros} {noise:016x} {:016x}", self.sum());
        text.reserve(bytes.saturating_sub(text.len()));
        while text.len() < bytes {
            text.push_str(&FILLING[..FILLING.len().min(bytes - text.len())]);
        }
        // Blanks at the end are what a server may take off.
        if text.ends_with(' ') {
            text.pop();
            text.push('.');
        }
        text
    }

    /// A text as its content; none if a single character of it is not as it was.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let saying = Self {
            run: u32::from_str_radix(words.next()?, 16).ok()?,
            sender: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
            due_micros: words.next()?.parse().ok()?,
            noise: u64::from_str_radix(words.next()?, 16).ok()?,
        };
        (saying.text(text.len()) == text).then_some(saying)
    }

    /// The client key that stands for it, in all runs.
    pub(crate) fn key(&self) -> Result<ClientKey, IdError> {
        format!("{}-{:08x}", self.number, self.run).parse()
    }

    fn sum(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.run, self.sender.as_str(), self.number, self.due_micros, self.noise).hash(&mut hasher);
        hasher.finish()
    }
}

/// The number that a key stands for.
pub(crate) fn number_of(key: &ClientKey) -> Option<u64> {
    key.as_str().split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_another_character_is_not_read() {
        let saying = Saying { run: 9, sender: "ann".parse().unwrap(), number: 7, due_micros: 12, noise: 0xAB };
        for size in [0, 56, 57, 70, 200] {
            let text = saying.text(size);
            assert_eq!(Saying::read(&text).as_ref(), Some(&saying));
            for at in 0..text.len() {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
                assert_eq!(Saying::read(std::str::from_utf8(&bytes).unwrap()), None, "changed at {at}");
            }
        }
    }

    #[test]
    fn a_text_is_as_long_as_asked() {
        let saying = Saying { run: 9, sender: "ann".parse().unwrap(), number: 7, due_micros: 12, noise: 0xAB };
        assert_eq!(saying.text(500).len(), 500);
        assert!(saying.text(1).len() > 40, "what must be said is said");
    }
}
