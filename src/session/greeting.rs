//! From a connection to a session: the first frame says who comes, and where they left off.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::io::{read, write};
use super::{Incoming, Known, Outward, Services, Socket, resume, standing};
use crate::auth::AuthError;
use crate::delivery::Seat;
use crate::model::limits::{BAD_FRAMES_MAX, HELLO_WAIT};
use crate::model::{Code, Identity, Refusal, StoreTime};
use crate::wire::client::Resume;
use crate::wire::{ClientFrame, Close, ServerFrame};

/// A session that is about to live.
pub(super) struct Greeted {
    pub(super) identity: Identity,
    pub(super) seat: Seat,
}

/// Waits for `hello`, as long as the door's [`Manners`] say, and lets the session start where its client left off. An
/// error is how the connection ends instead.
pub(super) async fn greet<S: Socket>(services: &Arc<Services>, socket: &mut S) -> Result<Greeted, Option<Close>> {
    let deadline = Instant::now() + socket.manners().hello_wait;
    let introduction = timeout_at(deadline, introduce(services, socket));
    let Guest { identity, resume, since } = introduction.await.unwrap_or(Err(Some(Close::HelloTimeout)))?;
    socket.authenticated(&identity);
    if let Err(refusal) = services.admission.admit(&*services.chance).await {
        return Err(turn_away(services, socket, refusal, Close::TryLater).await);
    }
    let (as_of, from) = resume::start(services, resume.as_ref(), since);
    let seat = services.delivery.join(&identity, as_of, from).await;
    socket.joined(seat.outbox());
    if let Err(refusal) = standing::learn(services, &identity, seat.outbox()).await {
        let close = standing::close_for(&refusal);
        return Err(turn_away(services, socket, refusal, close).await);
    }
    match resume::begin(services, &identity, &seat, resume, socket.manners().starts_live).await {
        Ok(()) => Ok(Greeted { identity, seat }),
        Err(refusal) if refusal.code == Code::Invalid => Err(turn_away(services, socket, refusal, Close::Policy).await),
        Err(refusal) => Err(turn_away(services, socket, refusal, Close::TryLater).await),
    }
}

/// Who comes, and where they left off.
struct Guest {
    identity: Identity,
    resume: Option<Resume>,
    since: StoreTime,
}

/// Hears who comes.
async fn introduce<S: Socket>(services: &Arc<Services>, socket: &mut S) -> Result<Guest, Option<Close>> {
    for _ in 0..BAD_FRAMES_MAX {
        let refusal = match read(socket).await {
            Incoming::Frame(ClientFrame::Hello(hello)) => match authenticate(services, &hello.token).await {
                Ok(identity) => return Ok(Guest { identity, resume: hello.resume, since: StoreTime(0) }),
                Err(refusal) if socket.manners().hears_out => refusal,
                Err(refusal) => return Err(turn_away(services, socket, refusal, Close::Token).await),
            },
            Incoming::Known(known) => {
                let Known { identity, resume, since } = *known;
                return Ok(Guest { identity, resume: Some(resume), since });
            }
            Incoming::Frame(_) => Refusal::new(Code::NotHello, "say hello first"),
            Incoming::Unreadable(error) => Refusal::new(Code::BadFrame, error.to_string()),
            Incoming::Alive => continue,
            Incoming::Gone => return Err(None),
            Incoming::Broken(close) => return Err(Some(close)),
        };
        services.metrics.refused(refusal.code);
        write(socket, error(refusal)).await.map_err(|_| None)?;
    }
    Err(Some(Close::Policy))
}

/// A token's bearer, or what they are told.
pub(super) async fn authenticate(services: &Services, token: &str) -> Result<Identity, Refusal> {
    services.verifier.verify(token, services.clock.now()).await.map_err(|error| match error {
        AuthError::Expired => Refusal::new(Code::TokenExpired, "the token has expired"),
        AuthError::Missing => Refusal::new(Code::Unauthorized, "no token provided"),
        AuthError::Invalid => Refusal::new(Code::Unauthorized, "the token is not valid here"),
    })
}

/// Says why, and how the connection ends.
async fn turn_away<S: Socket>(services: &Services, socket: &mut S, refusal: Refusal, close: Close) -> Option<Close> {
    services.metrics.refused(refusal.code);
    let said = timeout_at(Instant::now() + HELLO_WAIT, write(socket, error(refusal)));
    said.await.ok()?.ok()?;
    Some(close)
}

fn error(refusal: Refusal) -> Outward {
    Outward::Item(ServerFrame::Error(refusal.into()).into())
}
