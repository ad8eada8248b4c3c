//! Who asks: every route begins with this.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use tokio::time::Instant;

use super::Api;
use super::problem::Problem;
use crate::auth::AuthError;
use crate::model::{Identity, Refusal, Role};

/// The verified bearer of the request's token, whose pace and standing allow the request.
pub(super) struct Bearer(pub(super) Identity);

impl FromRequestParts<Arc<Api>> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let token = token(parts).map_err(Refusal::from)?;
        let identity = api.verifier.verify(token, api.clock.now()).await.map_err(Refusal::from)?;
        let requests = if identity.role == Role::Service { &api.service_requests } else { &api.requests };
        requests.take(&identity.user, Instant::now())?;
        api.chat.admit_request(&identity).await?;
        Ok(Self(identity))
    }
}

/// The one token of the one `Authorization` header.
pub(in crate::door) fn token(parts: &Parts) -> Result<&str, AuthError> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let only = match (values.next(), values.next()) {
        (None, _) => return Err(AuthError::Missing),
        (Some(only), None) => only.to_str().map_err(|_| AuthError::Invalid)?,
        (Some(_), Some(_)) => return Err(AuthError::Invalid),
    };
    match only.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(AuthError::Missing),
    }
}
