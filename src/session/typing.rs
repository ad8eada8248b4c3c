//! What others were told of a user's writing on this session: said when it changes, and again only once in a while.

use tokio::time::Instant;

use crate::model::ConversationId;
use crate::model::limits::TYPING_REPEAT;

/// Where the user was last said to be writing, and when that was said.
#[derive(Debug, Default)]
pub(super) struct Typing(Option<(ConversationId, Instant)>);

impl Typing {
    /// Whether this is news to others.
    pub(super) fn is_news(&mut self, conversation: ConversationId, active: bool, now: Instant) -> bool {
        let told = self.0.filter(|(at, _)| *at == conversation).map(|(_, since)| since);
        match (told, active) {
            (Some(since), true) if now < since + TYPING_REPEAT => false,
            (_, true) => {
                self.0 = Some((conversation, now));
                true
            }
            (Some(_), false) => {
                self.0 = None;
                true
            }
            (None, false) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_news_is_told() {
        let [here, there] = [1, 2].map(|n| ConversationId::from_bytes([n; 16]));
        let mut typing = Typing::default();
        let mut at = Instant::now();
        assert!(!typing.is_news(here, false, at), "nobody was writing");
        assert!(typing.is_news(here, true, at));
        assert!(!typing.is_news(here, true, at));
        at += TYPING_REPEAT;
        assert!(typing.is_news(here, true, at), "what was said wears off");
        assert!(typing.is_news(there, true, at), "elsewhere");
        assert!(typing.is_news(there, false, at));
        assert!(!typing.is_news(there, false, at));
    }
}
