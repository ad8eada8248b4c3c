//! Who is there, and what others may see of it.

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// Whether a user has a connection, on any node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whereabouts {
    /// They have, or had one a moment ago.
    Here,
    /// They have none.
    Gone,
    /// Nobody can say just now.
    Unknown,
}

/// What the store keeps of how a user appears.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appearance {
    /// When they were last seen by others, if they ever were.
    pub last_seen: Option<Timestamp>,
    /// Whether they wish to be shown as offline.
    pub offline: bool,
}

/// What others see of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Whether they are online.
    pub online: bool,
    /// When they were last seen; only of those who are offline, and only where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen: Option<Timestamp>,
}

impl Presence {
    /// What there is to see of a user who is or is not connected; none where nobody can say.
    #[must_use]
    pub fn of(whereabouts: Whereabouts, appearance: Appearance) -> Option<Self> {
        let online = match whereabouts {
            Whereabouts::Here => !appearance.offline,
            Whereabouts::Gone => false,
            Whereabouts::Unknown if appearance.offline => false,
            Whereabouts::Unknown => return None,
        };
        Some(Self { online, last_seen: appearance.last_seen.filter(|_| !online) })
    }
}

/// A user, and what others see of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Who.
    pub user: UserId,
    /// What there is to see.
    #[serde(flatten)]
    pub presence: Presence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wishes_to_appear_offline_does_and_of_others_only_what_is_known_is_said() {
        use Whereabouts::{Gone, Here, Unknown};
        let at = Some(Timestamp(7));
        let seen = |whereabouts, offline| Presence::of(whereabouts, Appearance { last_seen: at, offline });
        let online = Some(Presence { online: true, last_seen: None });
        let offline = Some(Presence { online: false, last_seen: at });
        assert_eq!([seen(Here, false), seen(Gone, false), seen(Unknown, false)], [online, offline, None]);
        assert_eq!([seen(Here, true), seen(Gone, true), seen(Unknown, true)], [offline; 3]);
    }
}
