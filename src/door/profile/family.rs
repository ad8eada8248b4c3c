//! What one family of Socket.IO clients says and wants to hear: names of events, and nothing that runs.

/// A profile. Its clients' frontends stay as they are.
#[derive(Debug)]
pub struct Profile {
    /// What the setting calls it.
    pub name: &'static str,
    /// What its events mean, by their plain names (without case, dashes, underscores and colons): the family's own, and those of its relatives.
    pub says: &'static [(&'static str, Meaning)],
    /// What it calls what it hears.
    pub hears: Hears,
}

/// What an event of a client means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Here is my token.
    Authenticate,
    /// Send a message.
    Send,
    /// I have read what somebody wrote.
    Read,
    /// I am writing to somebody.
    Typing,
    /// I am not any more.
    StopTyping,
    /// I am so-and-so: said by clients without tokens, and believed of nobody.
    Join,
}

/// The names of the events that a server emits.
#[derive(Debug)]
pub struct Hears {
    /// Whether the token counts.
    pub authenticated: &'static str,
    /// A message for this user.
    pub message: &'static str,
    /// A message of this socket is stored.
    pub sent: &'static str,
    /// Somebody has read.
    pub read: &'static str,
    /// Somebody writes.
    pub typing: &'static str,
    /// They do not any more.
    pub stop_typing: &'static str,
    /// Somebody is online.
    pub online: &'static str,
    /// They are not any more.
    pub offline: &'static str,
    /// Something was not done.
    pub error: &'static str,
}

/// The chat whose frontend a team brings along: users and a support team.
pub const CLASSIC: &Profile = &Profile {
    name: "classic",
    says: &[
        ("authenticate", Meaning::Authenticate),
        ("sendmessage", Meaning::Send),
        ("markread", Meaning::Read),
        ("markasread", Meaning::Read),
        ("messageseen", Meaning::Read),
        ("typing", Meaning::Typing),
        ("starttyping", Meaning::Typing),
        ("stoptyping", Meaning::StopTyping),
        ("register", Meaning::Join),
        ("join", Meaning::Join),
        ("useronline", Meaning::Join),
    ],
    hears: Hears {
        authenticated: "authenticated",
        message: "receive-message",
        sent: "message-sent",
        read: "messages-read",
        typing: "user-typing",
        stop_typing: "user-stop-typing",
        online: "user-online",
        offline: "user-offline",
        error: "error",
    },
};

impl Profile {
    /// The profile of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        [CLASSIC].into_iter().find(|profile| profile.name == name)
    }

    /// What an event means; none that is not known.
    #[must_use]
    pub fn meaning(&self, event: &str) -> Option<Meaning> {
        let event = plain(event);
        self.says.iter().find(|(name, _)| *name == event).map(|(_, meaning)| *meaning)
    }
}

/// A name without what relatives write differently: `send-message`, `send_message`, `send:message` and `sendMessage`
/// are one.
#[must_use]
pub(super) fn plain(event: &str) -> String {
    event.chars().filter(|c| !matches!(c, '-' | '_' | ':')).take(64).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relatives_are_understood() {
        for name in ["send-message", "send_message", "sendMessage", "send:message"] {
            assert_eq!(CLASSIC.meaning(name), Some(Meaning::Send), "{name}");
        }
        assert_eq!(CLASSIC.meaning("drop-table"), None);
        assert_eq!(Profile::named("classic").map(|profile| profile.name), Some("classic"));
        assert!(Profile::named("another").is_none());
    }
}
