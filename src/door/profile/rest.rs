//! The routes that frontends of this family ask beside their socket, with the answers that they know.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router, middleware};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Desk;
use super::render::object;
use super::said;
use super::view::View;
use super::words::{Person, iso};
use crate::chat::{self, Target, Want};
use crate::door::origin::Origins;
use crate::door::rest::{Paces, allow_listed_origins, bearer_token, headers};
use crate::model::limits::{BODY_BYTES_MAX, INBOX_ROWS_MAX, PAGE_MESSAGES_MAX, THREAD_MESSAGES_MAX};
use crate::model::{Code, ConversationId, CursorKind, Identity, Kind, Message, Refusal, Role, Seq, UserId};
use crate::wire::server::Row;

/// What the routes need.
pub struct Api {
    /// The door that they belong to.
    pub desk: Arc<Desk>,
    /// Requests that one user may make.
    pub requests: Paces,
    /// Messages that one user may send, besides.
    pub sends: Paces,
    /// Other origins whose pages may ask.
    pub origins: Arc<Origins>,
}

/// The routes, under both names by which the family asks for them.
pub fn routes(api: Arc<Api>) -> Router {
    let origins = api.origins.clone();
    let table = Router::new()
        .route("/conversations", get(conversations))
        .route("/unread-count", get(unread_count))
        .route("/admin", get(admin))
        .route("/send", post(send))
        .route("/read/{user}", put(read));
    let chat = table.clone().route("/messages/{user}", get(messages));
    let relatives = table.route("/{user}", get(messages));
    Router::new()
        .nest("/api/chat", chat)
        .nest("/api/messages", relatives)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::map_response(allow_credentials))
        .layer(middleware::from_fn_with_state(origins, allow_listed_origins))
        .layer(middleware::map_response(headers::guard_answer))
        .with_state(api)
}

/// Frontends of this family may be set to send cookies. None is ever looked at.
async fn allow_credentials(mut response: Response) -> Response {
    if response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    response
}

/// What was not done, as these frontends read it.
struct Failure(StatusCode, Value, Option<std::time::Duration>);

impl Failure {
    fn new(status: StatusCode, message: &str) -> Self {
        Self(status, json!({ "message": message }), None)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (status, message) = match refusal.code {
            Code::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Code::Forbidden => (StatusCode::FORBIDDEN, "Access denied"),
            Code::Invalid | Code::BadFrame => (StatusCode::BAD_REQUEST, &*refusal.message),
            Code::Unavailable | Code::Busy | Code::Blocked | Code::Draining => {
                (StatusCode::SERVICE_UNAVAILABLE, "Server error")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "Server error"),
        };
        Self(status, json!({ "message": message, "code": refusal.code }), refusal.retry_after)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, body, retry_after) = self;
        let mut response = (status, Json(body)).into_response();
        if let Some(wait) = retry_after {
            let seconds = wait.as_millis().div_ceil(1_000).max(1);
            if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(RETRY_AFTER, seconds);
            }
        }
        response
    }
}

/// The verified bearer of the request's token. These frontends log their user out on exactly these texts.
struct Bearer(Identity);

impl FromRequestParts<Arc<Api>> for Bearer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Failure> {
        let refused = |error| {
            let message = match error {
                crate::auth::AuthError::Missing => "No token provided",
                crate::auth::AuthError::Expired => "Token expired",
                crate::auth::AuthError::Invalid => "Invalid token",
            };
            Failure(StatusCode::UNAUTHORIZED, json!({ "success": false, "message": message }), None)
        };
        let services = &api.desk.services;
        let token = bearer_token(parts).map_err(refused)?;
        let identity = services.verifier.verify(token, services.clock.now()).await.map_err(refused)?;
        api.requests.take(&identity.user, Instant::now())?;
        services.chat.admit_request(&identity).await.map_err(|refusal| match refusal.code {
            Code::Unauthorized => refused(crate::auth::AuthError::Invalid),
            _ => refusal.into(),
        })?;
        Ok(Self(identity))
    }
}

/// The team's inbox, newest first.
async fn conversations(State(api): State<Arc<Api>>, Bearer(who): Bearer) -> Result<Json<Vec<RowObject>>, Failure> {
    if who.role != Role::Admin {
        return Err(Failure::new(StatusCode::FORBIDDEN, "Access denied"));
    }
    let chat = &api.desk.services.chat;
    let (mut rows, mut behind) = (Vec::new(), None);
    while rows.len() < INBOX_ROWS_MAX {
        let page = chat.conversations(&UserId::team(), behind.as_deref(), None).await?;
        rows.extend(page.rows);
        behind = page.next;
        if behind.is_none() {
            break;
        }
    }
    let user = |row: &Row| row.members.iter().map(|member| &member.user).find(|user| **user != UserId::team()).cloned();
    let users: Vec<UserId> = rows.iter().filter_map(user).collect();
    let people = api.desk.people.of(&users).await?;
    let object = |row: Row| {
        let user = user(&row)?;
        let (last, at) = row.last.map(|last| (last.text, iso(last.at))).unwrap_or_default();
        let person = Person::new(&user, people.of(&user));
        Some(RowObject::new(person, row.conversation, last, at, row.unread))
    };
    Ok(Json(rows.into_iter().filter_map(object).collect()))
}

/// A row of the inbox.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowObject {
    #[serde(rename = "_id")]
    id: UserId,
    user_id: UserId,
    name: String,
    email: String,
    last_message: String,
    last_message_time: String,
    unread_count: u64,
    other_user: Person,
    conversation_id: ConversationId,
}

impl RowObject {
    fn new(person: Person, conversation: ConversationId, last: String, at: String, unread: u64) -> Self {
        Self {
            id: person.id.clone(),
            user_id: person.id.clone(),
            name: person.name.clone(),
            email: person.email.clone(),
            last_message: last,
            last_message_time: at,
            unread_count: unread,
            other_user: person,
            conversation_id: conversation,
        }
    }
}

/// Which part of a talk.
#[derive(Deserialize)]
struct Part {
    /// The messages before this place.
    before: Option<u64>,
    /// At most so many.
    limit: Option<usize>,
}

/// The messages between the asker and somebody, oldest first. With that, the asker has read them.
async fn messages(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    Path(user): Path<String>,
    Query(part): Query<Part>,
) -> Result<Response, Failure> {
    let Ok(user) = user.parse::<UserId>() else { return Ok(Json(json!([])).into_response()) };
    let (desk, chat) = (&api.desk, &api.desk.services.chat);
    let alias = desk.people.alias().await?;
    let view = View { viewer: &who, alias: alias.as_ref() };
    let id = view.conversation_with(&user);
    let membership = match chat.member(&who, id).await {
        Ok(membership) => membership,
        // They have not talked yet.
        Err(refusal) if refusal.code == Code::Forbidden => return Ok(Json(json!([])).into_response()),
        Err(refusal) => return Err(refusal.into()),
    };
    let messages = thread(&api, &who, id, &part).await?;
    let cursors = chat.receipts(&who, id).await?;
    let read_by = |reader: &UserId| cursors.iter().find(|of| of.user == *reader).map_or(Seq::ZERO, |of| of.read);
    let conversation = &membership.conversation;
    let writer = |message: &Message| {
        let is_teams = conversation.kind == Kind::Support && !conversation.has(&message.sender);
        if is_teams { UserId::team() } else { message.sender.clone() }
    };
    let is_unread = |message: &Message| read_by(&membership.seat) < message.seq && !view.is_own_side(&writer(message));
    if part.before.is_none()
        && let Some(last) = messages.last()
        && messages.iter().any(is_unread)
    {
        chat.mark(&who, id, CursorKind::Read, Some(last.seq)).await?;
    }

    let parties: Vec<_> = messages.iter().filter_map(|message| view.parties(message, conversation)).collect();
    let mut asked: Vec<UserId> = parties.iter().flat_map(|of| [of.sender.clone(), of.receiver.clone()]).collect();
    asked.extend(parties.iter().filter_map(|of| of.agent.clone()));
    asked.sort();
    asked.dedup();
    let people = desk.people.of(&asked).await?;
    let team = view.team();
    let is_read = |message: &Message| {
        let writer = writer(message);
        conversation.members.iter().filter(|member| **member != writer).any(|member| message.seq <= read_by(member))
    };
    let objects: Vec<_> = messages
        .iter()
        .zip(parties)
        .map(|(message, parties)| object(message, parties, is_read(message), &people, &who, &team))
        .collect();
    Ok(Json(objects).into_response())
}

/// The last messages of a talk, or the last before a place, ascending.
async fn thread(api: &Api, who: &Identity, id: ConversationId, part: &Part) -> Result<Vec<Message>, Refusal> {
    let limit = part.limit.unwrap_or(THREAD_MESSAGES_MAX).clamp(1, THREAD_MESSAGES_MAX);
    let mut before = part.before.map(Seq);
    let mut pages = Vec::new();
    let mut missing = limit;
    while missing > 0 {
        let want = Want::of(id, before, None, Some(missing.min(PAGE_MESSAGES_MAX)));
        let page = api.desk.services.chat.history(who, want).await?;
        missing = missing.saturating_sub(page.messages.len());
        before = page.messages.first().map(|first| first.seq);
        let more = page.more && !page.messages.is_empty();
        pages.push(page.messages);
        if !more {
            break;
        }
    }
    Ok(pages.into_iter().rev().flatten().collect())
}

async fn unread_count(State(api): State<Arc<Api>>, Bearer(who): Bearer) -> Result<Json<Value>, Failure> {
    let seat = if who.role == Role::Admin { UserId::team() } else { who.user };
    let unread = api.desk.services.chat.unread_as(&seat).await?;
    // What these pages cannot show is not counted for them.
    Ok(Json(json!({ "count": unread.total - unread.in_groups })))
}

/// Whom a user writes to.
async fn admin(State(api): State<Arc<Api>>, Bearer(_): Bearer) -> Result<Json<Person>, Failure> {
    let Some(alias) = api.desk.people.alias().await? else {
        return Err(Failure::new(StatusCode::NOT_FOUND, "Admin not found"));
    };
    let people = api.desk.people.of(std::slice::from_ref(&alias)).await?;
    Ok(Json(Person::new(&alias, people.of(&alias))))
}

async fn send(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    headers: HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Response, Failure> {
    let incomplete = || Failure::new(StatusCode::BAD_REQUEST, "Receiver and message are required");
    let Json(body) = body.map_err(|_| incomplete())?;
    let outbound = said::outbound(&body);
    let (Some(to), Some(text)) = (outbound.to.and_then(|to| to.parse::<UserId>().ok()), outbound.text) else {
        return Err(incomplete());
    };
    let desk = &api.desk;
    let header = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let key = match outbound.key.or(header) {
        Some(named) => said::client_key(&named),
        None => format!("rest-{:016x}{:016x}", desk.services.chance.bits(), desk.services.chance.bits()).parse().ok(),
    };
    let key = key.ok_or_else(|| Refusal::new(Code::Invalid, "the message's id is no id"))?;
    api.sends.take(&who.user, Instant::now())?;

    let alias = desk.people.alias().await?;
    let view = View { viewer: &who, alias: alias.as_ref() };
    let target = view.support_of(&to).map_or(Target::Person(to.clone()), |user| Target::Support(user.clone()));
    let rights = chat::Rights::of(who.role, desk.services.chat.recent_standing(&who.user).await?);
    let (sender, for_team) = (who.user.clone(), who.role == Role::Admin);
    let send =
        chat::Send { sender, for_team, rights, target, key, text, exact: None, trace: headers::traceparent(&headers) };
    let message = desk.services.chat.send(send, None).await?.message;
    let conversation = desk.services.chat.member(&who, message.conversation).await?.conversation;
    let Some(parties) = view.parties(&message, &conversation) else {
        return Err(Failure::new(StatusCode::FORBIDDEN, "Access denied"));
    };
    let mut asked = vec![parties.sender.clone(), parties.receiver.clone()];
    asked.extend(parties.agent.clone());
    let people = desk.people.of(&asked).await?;
    let object = object(&message, parties, false, &people, &who, &view.team());
    Ok((StatusCode::CREATED, Json(object)).into_response())
}

/// Everything of somebody was read.
async fn read(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    Path(user): Path<String>,
) -> Result<Json<Value>, Failure> {
    let user: UserId = user.parse().map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "There is no such user"))?;
    let alias = api.desk.people.alias().await?;
    let id = View { viewer: &who, alias: alias.as_ref() }.conversation_with(&user);
    match api.desk.services.chat.mark(&who, id, CursorKind::Read, None).await {
        Ok(_) => {}
        Err(refusal) if refusal.code == Code::Forbidden => {} // they have not talked yet
        Err(refusal) => return Err(refusal.into()),
    }
    Ok(Json(json!({ "success": true })))
}
