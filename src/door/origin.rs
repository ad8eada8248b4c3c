//! Which pages may connect. A browser says which page asks; anything else says nothing, and is let in: it could say
//! whatever it likes anyway. What this keeps out is a stranger's page in the browser of one of our users.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

use crate::config::Origin;

/// The pages that may connect: those of the node itself, and those of an exact list.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// The list, besides the node's own pages.
    #[must_use]
    pub fn new(listed: Vec<Origin>) -> Self {
        Self(listed)
    }

    /// Whether a request with these headers may go on.
    #[must_use]
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => {
                origin.to_str().is_ok_and(|origin| self.is_listed(origin) || is_own(origin, headers))
            }
            (Some(_), Some(_)) => false,
        }
    }

    /// Whether this very origin is on the list.
    #[must_use]
    pub fn is_listed(&self, origin: &str) -> bool {
        self.0.iter().any(|listed| listed.as_str() == origin)
    }
}

/// Whether the page came from the same host and port as the request goes to.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some() && authority == host
}
