//! The Socket.IO door: unchanged frontends of a family of chats, each family described by a [`Profile`].
//!
//! Its sessions are the same as those of every door. [`ChatSocket`](socket) stands between: what clients say becomes the
//! frames that a session reads ([`said`]), and what a session says becomes the events that pages hear ([`render`],
//! [`words`]), as each person must see it ([`view`]). [`recovery`] lets a client go on where it was, on any node.
//! [`rest`] are the routes that such frontends ask besides.

mod family;
mod people;
mod presence;
mod recovery;
mod render;
mod rest;
mod said;
mod socket;
mod typists;
mod view;
mod words;

use std::sync::Arc;

pub use family::{CLASSIC, Hears, Meaning, Profile};
pub use rest::{Api, routes};

use self::people::People;
use self::recovery::Recovery;
use self::socket::ChatSocket;
use super::engineio::{EngineSocket, Layer, Opening, Run};
use crate::model::UserId;
use crate::session::{self, Services};
use crate::wire::Close;

/// What the door is made of.
pub struct Desk {
    services: Arc<Services>,
    profile: &'static Profile,
    people: People,
    /// None where it is switched off.
    recovery: Option<Recovery>,
}

/// How the door is to be.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Which family's clients come.
    pub profile: &'static Profile,
    /// Whom users see in place of the team; without it, the first agent who comes.
    pub team: Option<UserId>,
    /// Whether clients may go on where they were.
    pub recovery: bool,
}

impl Desk {
    /// A door in this manner. All nodes seal with the same secret what clients bring back.
    #[must_use]
    pub fn open(services: Arc<Services>, manner: Manner, secret: &str) -> Arc<Self> {
        let recovery = if manner.recovery { Recovery::new(secret) } else { None };
        let people = People::new(services.chat.clone(), manner.team);
        Arc::new(Self { services, profile: manner.profile, people, recovery })
    }
}

impl Layer for Desk {
    fn run(self: Arc<Self>, engine: EngineSocket, opening: Opening) -> Run {
        Box::pin(async move {
            let services = self.services.clone();
            let mut socket = ChatSocket::new(self, engine, &opening);
            drop(opening);
            let mut ending = session::run(&services, &mut socket).await;
            while ending == Some(Close::Forbidden) && socket.begins_anew() {
                ending = session::run(&services, &mut socket).await;
            }
            socket.close(ending).await;
        })
    }
}
