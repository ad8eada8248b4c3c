//! What others were told of a user's writing on this session: said when it changes, and again only once in a while.

use tokio::time::Instant;

use crate::chat::Target;
use crate::model::ConversationId;
use crate::model::limits::TYPING_REPEAT;

/// Where the user was last said to be writing.
#[derive(Debug, Default)]
pub(super) struct Typing(Option<Box<Told>>);

#[derive(Debug)]
struct Told {
    conversation: ConversationId,
    target: Target,
    at: Instant,
}

impl Typing {
    /// What others are to be told: nothing if they know it, and that the user stopped elsewhere if they go on here.
    pub(super) fn news(
        &mut self,
        conversation: ConversationId,
        target: Target,
        active: bool,
        now: Instant,
    ) -> Vec<(Target, bool)> {
        let told = self.0.as_ref().filter(|told| told.conversation == conversation).map(|told| told.at);
        match (told, active) {
            (Some(since), true) if now < since + TYPING_REPEAT => Vec::new(),
            (None, false) => Vec::new(),
            (Some(_), false) => {
                self.0 = None;
                vec![(target, false)]
            }
            (_, true) => {
                let news = Box::new(Told { conversation, target: target.clone(), at: now });
                let elsewhere = self.0.replace(news).filter(|told| told.conversation != conversation);
                elsewhere.map(|told| (told.target, false)).into_iter().chain([(target, true)]).collect()
            }
        }
    }

    /// A message says that its writer has written it: nothing need be told.
    pub(super) fn ended_by_send(&mut self, conversation: ConversationId) {
        self.0.take_if(|told| told.conversation == conversation);
    }

    /// The session is over: where others are still told that the user writes.
    pub(super) fn end(&mut self) -> Option<Target> {
        self.0.take().map(|told| told.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_news_is_told() {
        let [here, there] = [1, 2].map(|n| ConversationId::from_bytes([n; 16]));
        let told = |id, active| (Target::Conversation(id), active);
        let mut typing = Typing::default();
        let mut at = Instant::now();
        let news = |typing: &mut Typing, id, active, at| typing.news(id, Target::Conversation(id), active, at);
        assert_eq!(news(&mut typing, here, false, at), [], "nobody was writing");
        assert_eq!(news(&mut typing, here, true, at), [told(here, true)]);
        assert_eq!(news(&mut typing, here, true, at), []);
        at += TYPING_REPEAT;
        assert_eq!(news(&mut typing, here, true, at), [told(here, true)], "what was said wears off");
        assert_eq!(news(&mut typing, there, true, at), [told(here, false), told(there, true)], "elsewhere");
        assert_eq!(news(&mut typing, there, false, at), [told(there, false)]);
        assert_eq!(news(&mut typing, there, false, at), []);
        assert_eq!(news(&mut typing, here, true, at), [told(here, true)]);
        typing.ended_by_send(there);
        assert_eq!(news(&mut typing, here, true, at), []);
        typing.ended_by_send(here);
        assert_eq!(news(&mut typing, here, false, at), [], "the message said so");
        assert_eq!(typing.end(), None);
        assert_eq!(news(&mut typing, here, true, at), [told(here, true)], "the next word is news at once");
        assert_eq!(typing.end(), Some(Target::Conversation(here)));
    }
}
