//! What every request passes on its way to the router, and every answer on its way back.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{HOST, UPGRADE};
use axum::http::{HeaderValue, Method, Request, StatusCode, Version};
use axum::response::Response;
use http_body_util::{LengthLimitError, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tower::ServiceExt;
use tracing::debug;

use super::guests::Unauthenticated;
use super::line::{Line, Stage};
use super::listener::{Exits, House, Place, busy};
use super::peer::{ClientAddress, client_address, is_trusted};
use super::refuse::{close_after, refuse};
use crate::model::limits::{HEADER_BYTES_MAX, HEADER_FIELDS_MAX};
use crate::model::{Code, Refusal};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Receives the requests of one connection.
pub(super) struct Reception {
    house: Arc<House>,
    router: Router,
    peer: IpAddr,
    /// The peer as a guest; `None` when the peer is a proxy of ours, which brings a guest with every request.
    guest: Option<Arc<Unauthenticated>>,
    stage: Arc<Stage>,
}

impl Reception {
    pub(super) fn new(house: Arc<House>, router: Router, peer: IpAddr, guest: Option<Arc<Unauthenticated>>) -> Self {
        Self { house, router, peer, guest, stage: Stage::new() }
    }

    /// Serves HTTP on `stream` until the client or the house has had enough, or the connection becomes a WebSocket.
    pub(super) async fn serve(self, stream: TcpStream, place: Place, exits: Exits) {
        let line = Line::new(stream, Arc::clone(&self.house), place, Arc::clone(&self.stage));
        let requests = service_fn(|request| async { Ok::<_, Infallible>(self.receive(request).await) });
        let connection = http1::Builder::new()
            .header_read_timeout(None) // the line has its own patience, which tells a slow head from a rest
            .max_headers(HEADER_FIELDS_MAX)
            .max_header_size(HEADER_BYTES_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(line), requests)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = exits.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = exits.cut.cancelled() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            debug!(%error, "a connection ended before its time");
        }
    }

    async fn receive(&self, request: Request<Incoming>) -> Response {
        let _serving = self.stage.serve();
        let asks_for_more = request.headers().contains_key(UPGRADE) || request.method() == Method::CONNECT;
        let response = match self.check(&request) {
            Ok((client, guest)) => self.route(request, client, guest).await,
            Err(unfit) => unfit.answer(),
        };
        // A proxy that takes a refused upgrade for an accepted one must not be left with an open tunnel.
        if asks_for_more && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return close_after(response);
        }
        response
    }

    /// Whether the request may go on, and for whom it counts.
    fn check(&self, request: &Request<Incoming>) -> Result<(ClientAddress, Arc<Unauthenticated>), Unfit> {
        let hosts = request.headers().get_all(HOST).iter().count();
        if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
            return Err(Unfit::Hosts);
        }
        if request.body().size_hint().lower() > self.house.settings.body_bytes_max as u64 {
            return Err(Unfit::TooLong);
        }
        self.admit(request)
    }

    fn admit(&self, request: &Request<Incoming>) -> Result<(ClientAddress, Arc<Unauthenticated>), Unfit> {
        if let Some(guest) = &self.guest {
            return Ok((ClientAddress(self.peer), Arc::clone(guest)));
        }
        let (guests, trusted) = (&self.house.guests, &self.house.settings.trusted_proxies);
        let forwarded_for = request.headers().get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes);
        let address = client_address(self.peer, forwarded_for, trusted);
        let guest = if is_trusted(address, trusted) {
            guests.admit_uncounted(address)
        } else {
            guests.admit(address).ok_or_else(|| {
                self.house.counts.address_full.increment(1);
                Unfit::Crowded
            })?
        };
        Ok((ClientAddress(address), Arc::new(guest)))
    }

    async fn route(&self, request: Request<Incoming>, client: ClientAddress, guest: Arc<Unauthenticated>) -> Response {
        let settings = &self.house.settings;
        let (mut parts, body) = request.into_parts();
        let (body, unfit) = bounded(body, settings.body_bytes_max, settings.body_wait);
        parts.extensions.insert(client);
        parts.extensions.insert(Arc::clone(&guest));
        let answered = self.router.clone().oneshot(Request::from_parts(parts, body)).await;
        drop(guest); // what goes on from here, a WebSocket, holds its own
        let response = answered.unwrap_or_else(|never| match never {});
        unfit.get().map_or(response, |unfit| unfit.answer())
    }
}

/// Why a request is answered here, whatever a handler would make of it.
#[derive(Debug, Clone, Copy)]
enum Unfit {
    /// Not exactly one `Host`.
    Hosts,
    /// Its address has too many guests.
    Crowded,
    /// Its body is too long. The rest is not read, so the connection ends.
    TooLong,
    /// Its body did not come in time. The connection ends.
    Late,
}

impl Unfit {
    fn answer(self) -> Response {
        let (status, message) = match self {
            Self::Crowded => return refuse(StatusCode::SERVICE_UNAVAILABLE, &busy()),
            Self::Hosts => (StatusCode::BAD_REQUEST, "A request has exactly one Host header."),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than allowed."),
            Self::Late => (StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."),
        };
        close_after(refuse(status, &Refusal::new(Code::Invalid, message)))
    }
}

/// A body of at most `bytes_max` that must arrive within `wait`, else it ends in an error, and where to find which.
fn bounded(body: Incoming, bytes_max: usize, wait: Duration) -> (Body, Arc<OnceLock<Unfit>>) {
    let unfit = Arc::default();
    if body.is_end_stream() {
        return (Body::empty(), unfit);
    }
    let body = Limited::new(body, bytes_max);
    let bounded = Bounded { body, deadline: Box::pin(sleep(wait)), unfit: Arc::clone(&unfit) };
    (Body::new(bounded), unfit)
}

struct Bounded {
    body: Limited<Incoming>,
    deadline: Pin<Box<Sleep>>,
    unfit: Arc<OnceLock<Unfit>>,
}

impl hyper::body::Body for Bounded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() && self.deadline.as_mut().poll(cx).is_ready() {
            let _ = self.unfit.set(Unfit::Late);
            return Poll::Ready(Some(Err("the body did not arrive in time".into())));
        }
        if let Poll::Ready(Some(Err(error))) = &polled
            && error.is::<LengthLimitError>()
        {
            let _ = self.unfit.set(Unfit::TooLong);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
