//! What a signed token must say, and who its bearer then is.

use std::sync::Arc;

use serde_json::Value;

use super::fault::Fault;
use super::members::Members;
use crate::config::Auth;
use crate::model::limits::{EMAIL_BYTES_MAX, NAME_BYTES_MAX, TOKEN_ID_BYTES_MAX, TOKEN_LEEWAY};
use crate::model::{Identity, Role, Timestamp, UserId};

/// What the configuration wants a token to say.
pub(super) struct Rules {
    issuer: Option<String>,
    audiences: Vec<String>,
    user_claims: Vec<String>,
}

impl Rules {
    pub(super) fn of(auth: &Auth) -> Self {
        let Auth { keys: _, issuer, audiences, user_claims } = auth.clone();
        Self { issuer, audiences, user_claims }
    }

    /// The bearer of a token with these claims, now. Only a token that is good otherwise is "expired".
    pub(super) fn identity(&self, claims: &Members, now: Timestamp) -> Result<Identity, Fault> {
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        let issued = time(claims, "iat")?;
        let starts = time(claims, "nbf")?;
        let expires = time(claims, "exp")?.ok_or(Fault::Time)?;
        let identity = Identity {
            user: self.user(claims)?,
            role: role(claims)?,
            name: name(claims)?,
            email: email(claims)?,
            token_id: token_id(claims)?,
            issued,
            expires,
        };
        if [issued, starts].into_iter().flatten().any(|start| start.0 > now.0.saturating_add(leeway())) {
            return Err(Fault::NotYet);
        }
        if now.0 >= expires.0.saturating_add(leeway()) {
            return Err(Fault::Expired);
        }
        Ok(identity)
    }

    /// The first claim present is the one that counts, good or bad: else a token could choose what it is read as.
    fn user(&self, claims: &Members) -> Result<UserId, Fault> {
        let subject = self.user_claims.iter().find_map(|name| claims.get(name)).ok_or(Fault::Subject)?;
        let user = match subject {
            Value::String(text) => text.parse(),
            Value::Number(number) if !number.is_f64() => number.to_string().parse(),
            _ => return Err(Fault::Subject),
        };
        // The team and the system are no people: whoever was the team would be in every conversation with it.
        user.ok().filter(|user: &UserId| !user.is_reserved()).ok_or(Fault::Subject)
    }

    fn check_issuer(&self, claims: &Members) -> Result<(), Fault> {
        let Some(wanted) = &self.issuer else { return Ok(()) };
        let is_wanted = claims.get("iss").and_then(Value::as_str) == Some(wanted);
        if is_wanted { Ok(()) } else { Err(Fault::Issuer) }
    }

    fn check_audience(&self, claims: &Members) -> Result<(), Fault> {
        if self.audiences.is_empty() {
            return Ok(());
        }
        let is_ours = |audience: &Value| audience.as_str().is_some_and(|text| self.audiences.iter().any(|a| a == text));
        let is_meant = match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().all(Value::is_string) && audiences.iter().any(is_ours),
            Some(audience) => is_ours(audience),
            None => false,
        };
        if is_meant { Ok(()) } else { Err(Fault::Audience) }
    }
}

fn leeway() -> u64 {
    u64::try_from(TOKEN_LEEWAY.as_millis()).unwrap_or(u64::MAX)
}

/// The last second of the year 9999. An `exp` beyond it was written in milliseconds, and would never come.
const SECONDS_MAX: u64 = 253_402_300_799;

/// A time in whole seconds since 1970.
fn time(claims: &Members, name: &str) -> Result<Option<Timestamp>, Fault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_u64().filter(|seconds| *seconds <= SECONDS_MAX).ok_or(Fault::Time)?;
    Ok(Some(Timestamp(seconds * 1_000)))
}

fn role(claims: &Members) -> Result<Role, Fault> {
    match claims.get("role").map(Value::as_str) {
        None => Ok(Role::default()),
        Some(Some("user")) => Ok(Role::User),
        Some(Some("admin")) => Ok(Role::Admin),
        Some(Some("service")) => Ok(Role::Service),
        Some(_) => Err(Fault::Role),
    }
}

/// Text about the bearer. Issuers write `null` where they know nothing.
fn text<'a>(claims: &'a Members, name: &str) -> Result<Option<&'a str>, Fault> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.chars().any(char::is_control) => Ok(Some(text)),
        Some(_) => Err(Fault::Profile),
    }
}

fn name(claims: &Members) -> Result<Option<Arc<str>>, Fault> {
    Ok(text(claims, "name")?.map(|name| name[..name.floor_char_boundary(NAME_BYTES_MAX)].into()))
}

fn email(claims: &Members) -> Result<Option<Arc<str>>, Fault> {
    match text(claims, "email")? {
        Some(email) if email.len() > EMAIL_BYTES_MAX => Err(Fault::Profile),
        email => Ok(email.map(Into::into)),
    }
}

fn token_id(claims: &Members) -> Result<Option<Arc<str>>, Fault> {
    match claims.get("jti") {
        None => Ok(None),
        Some(Value::String(id)) if id.len() <= TOKEN_ID_BYTES_MAX => Ok(Some(id.as_str().into())),
        Some(_) => Err(Fault::Profile),
    }
}
