//! Development logins: whoever reaches the node may be anybody. The route exists only where no key is configured, and
//! such a node listens on loopback only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HOST, ORIGIN, VIA};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::Minter;
use crate::config::TokenRequest;
use crate::door::rest::input::{Body, id};
use crate::door::rest::problem::Problem;
use crate::model::{Clock, Code, Refusal, Role};

/// How long such a token counts.
const TTL: Duration = Duration::from_secs(12 * 60 * 60);

/// Who somebody wants to be.
#[derive(Deserialize)]
pub(super) struct Login {
    name: String,
    /// A person unless it says `admin`.
    #[serde(default)]
    role: Role,
}

/// `POST /dev/login {name, role?}` → `{token}`
pub(super) async fn login(
    State((minter, clock)): State<(Arc<Minter>, Arc<dyn Clock>)>,
    headers: HeaderMap,
    Body(login): Body<Login>,
) -> Result<Json<Value>, Problem> {
    check_direct(&headers)?;
    check_neighbour(&headers)?;
    let token = mint(&minter, &*clock, &login)?;
    Ok(Json(json!({ "token": token })))
}

/// A proxy on this machine reaches a loopback address for whoever reaches the proxy, perhaps the whole Internet.
fn check_direct(headers: &HeaderMap) -> Result<(), Problem> {
    let signs = [FORWARDED.as_str(), VIA.as_str(), "x-forwarded-for", "x-forwarded-host", "x-real-ip"];
    if !signs.iter().any(|sign| headers.contains_key(*sign)) {
        return Ok(());
    }
    let message = "development logins are not for requests through a proxy: set SWITCHBOARD_JWT_SECRET and use tokens";
    Err(Refusal::new(Code::Forbidden, message).into())
}

/// Only this machine reaches a loopback address, but a stranger's page in a browser of this machine can, under its own
/// name: by having that name resolved to loopback. So the name must be one of this machine's.
fn check_neighbour(headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let is_own_page = origin.is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    if is_of_this_machine(host) && is_own_page {
        return Ok(());
    }
    let message = "development logins are for pages of this machine: open http://localhost with this node's port";
    Err(Refusal::new(Code::Forbidden, message).into())
}

fn is_of_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |p| p.0);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn mint(minter: &Minter, clock: &dyn Clock, login: &Login) -> Result<String, Problem> {
    let user = id("name", login.name.trim())?;
    if login.role == Role::Service {
        return Err(Refusal::new(Code::Invalid, "role is `user` or `admin`").into());
    }
    let request = TokenRequest { user, role: login.role, name: None, email: None, ttl: TTL };
    minter.mint(&request, clock.now()).map_err(|error| Refusal::new(Code::Internal, error.to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_count() {
        for host in ["localhost", "localhost:3000", "LocalHost:1", "127.0.0.1:3000", "127.9.9.9", "[::1]:3000", "[::1]"]
        {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in [
            "",
            ":3000",
            "example.com",
            "example.com:3000",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "[::2]:3000",
            "0.0.0.0:3000",
        ] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
