//! What the channels are called.

use crate::model::UserId;

/// What every channel's name begins with. Nodes of all versions agree on it.
const PREFIX: &str = "switchboard:u:";

/// The channel of a user.
pub(super) fn name(user: &UserId) -> String {
    format!("{PREFIX}{user}")
}

/// Whose channel this is. None when it is not one of ours.
pub(super) fn user(name: &str) -> Option<UserId> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_names_its_user() {
        let ann: UserId = "ann|1@x".parse().unwrap();
        assert_eq!(name(&ann), "switchboard:u:ann|1@x");
        assert_eq!(user(&name(&ann)), Some(ann));
        for other in ["", "ann", "switchboard:u:", "switchboard:n:ann", "switchboard:u:a b"] {
            assert_eq!(user(other), None, "{other}");
        }
    }
}
