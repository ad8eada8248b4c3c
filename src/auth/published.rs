//! The issuer's published keys (JWKS): fetched in the background, kept for as long as nothing better comes.
//!
//! One task fetches, so there is never more than one fetch under way and no bearer can abort one. Whoever checks a
//! token reads the latest keys; only an unknown key is waited for, and only while a fetch is under way or due.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use metrics::{Counter, counter, describe_counter};
use reqwest::{Client, StatusCode, Url, header, redirect};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::fault::Fault;
use super::jwk;
use super::keys::{Key, KeyError};
use super::token::Token;
use crate::model::limits::{JWKS_BYTES_MAX, JWKS_REFRESH, JWKS_REST, JWKS_RETRY, JWKS_UNNAMED_KEYS_MAX, JWKS_WAIT};

/// The keys, as whoever checks a token sees them.
pub(super) struct Published {
    state: watch::Receiver<State>,
    wanted: Arc<Notify>,
    algorithms: Vec<Algorithm>,
    _keeper: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct State {
    keys: Arc<Vec<Key>>,
    phase: Phase,
    /// Fetches that came to an end, good or bad.
    fetches: u64,
    /// Why the last one was bad.
    failure: Option<Arc<str>>,
}

#[derive(Clone, Copy)]
enum Phase {
    Fetching,
    /// No fetch before this.
    Resting(Instant),
}

impl Published {
    /// Starts fetching from `url`. Needs a Tokio runtime around it.
    pub(super) fn start(url: Url, algorithms: Vec<Algorithm>) -> Result<Self, KeyError> {
        let client = Client::builder()
            .timeout(JWKS_WAIT)
            .redirect(redirect::Policy::none())
            .https_only(url.scheme() == "https")
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build();
        let client = client.map_err(|error| KeyError(format!("no TLS to fetch keys with: {}", reason(&error))))?;
        let nothing = State { keys: Arc::default(), phase: Phase::Fetching, fetches: 0, failure: None };
        let (sender, state) = watch::channel(nothing);
        let wanted = Arc::new(Notify::new());
        describe_counter!("switchboard_jwks_fetches_total", "Times that the issuer was asked for its keys, by outcome");
        let keeper = Keeper {
            client,
            shown: without_query(&url),
            url,
            algorithms: algorithms.clone(),
            state: sender,
            wanted: Arc::clone(&wanted),
            fetched: counter!("switchboard_jwks_fetches_total", "outcome" => "ok"),
            failed: counter!("switchboard_jwks_fetches_total", "outcome" => "failed"),
        };
        Ok(Self { state, wanted, algorithms, _keeper: AbortOnDropHandle::new(tokio::spawn(keeper.keep())) })
    }

    /// Keys among which there is one that may have signed `token`. Waits at most [`JWKS_WAIT`], and only for an unknown
    /// key.
    pub(super) async fn keys_for(&self, token: &Token<'_>) -> Result<Arc<Vec<Key>>, Fault> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(Fault::Algorithm);
        }
        let state = self.state.borrow().clone();
        if candidates(&state.keys, token).next().is_some() {
            return Ok(state.keys);
        }
        if let Phase::Resting(until) = state.phase {
            self.wanted.notify_one();
            if Instant::now() < until {
                return Err(Fault::UnknownKey);
            }
        }
        let keys = timeout(JWKS_WAIT, self.keys_after(state.fetches)).await.ok().flatten();
        keys.filter(|keys| candidates(keys, token).next().is_some()).ok_or(Fault::UnknownKey)
    }

    async fn keys_after(&self, fetches: u64) -> Option<Arc<Vec<Key>>> {
        let mut updates = self.state.clone();
        let state = updates.wait_for(|state| state.fetches > fetches).await.ok()?;
        Some(Arc::clone(&state.keys))
    }

    /// Waits for the first fetch to end: how many keys there are, or why there are none.
    pub(super) async fn settled(&self) -> Result<usize, KeyError> {
        let mut updates = self.state.clone();
        let state = updates.wait_for(|state| state.fetches > 0).await;
        let state = state.map_err(|_| KeyError("the keys are no longer fetched".to_owned()))?;
        match &state.failure {
            Some(why) => Err(KeyError(format!("SWITCHBOARD_JWT_JWKS_URL gives no keys: {why}"))),
            None => Ok(state.keys.len()),
        }
    }
}

/// The key that the token names; of a token that names none, the first few of its algorithm.
pub(super) fn candidates<'k>(keys: &'k [Key], token: &Token<'_>) -> impl Iterator<Item = &'k Key> {
    let may_be = |key: &&Key| key.fits(token.algorithm) && (token.key_id.is_none() || token.key_id == key.id);
    keys.iter().filter(may_be).take(JWKS_UNNAMED_KEYS_MAX)
}

/// The task that fetches.
struct Keeper {
    client: Client,
    url: Url,
    /// The URL for the log: a query may hold a key to the endpoint.
    shown: Url,
    algorithms: Vec<Algorithm>,
    state: watch::Sender<State>,
    wanted: Arc<Notify>,
    fetched: Counter,
    failed: Counter,
}

impl Keeper {
    async fn keep(self) {
        loop {
            self.state.send_modify(|state| state.phase = Phase::Fetching);
            let started = Instant::now();
            let (rest, refresh) = match self.fetch().await {
                Ok(keys) => self.accept(keys),
                Err(why) => self.go_on_without(&why),
            };
            self.state.send_modify(|state| {
                state.phase = Phase::Resting(started + rest);
                state.fetches += 1;
            });
            sleep_until(started + rest).await;
            let _ = timeout_at(started + refresh, self.wanted.notified()).await;
        }
    }

    /// Answers with how long to rest, and after how long to fetch unasked.
    fn accept(&self, keys: Vec<Key>) -> (Duration, Duration) {
        self.fetched.increment(1);
        let is_news = !keys.iter().map(|key| &key.id).eq(self.state.borrow().keys.iter().map(|key| &key.id));
        if is_news {
            info!(url = %self.shown, keys = keys.len(), "the issuer's keys have changed");
        }
        self.state.send_modify(|state| {
            state.keys = Arc::new(keys);
            state.failure = None;
        });
        (JWKS_REST, JWKS_REFRESH)
    }

    /// The keys known before go on counting: a dead endpoint refuses no valid token.
    fn go_on_without(&self, why: &str) -> (Duration, Duration) {
        self.failed.increment(1);
        let known = self.state.borrow().keys.len();
        let retry = if known == 0 { JWKS_RETRY } else { JWKS_REST };
        let again_in = retry.as_secs();
        warn!(url = %self.shown, known, again_in, "cannot fetch the issuer's keys, those known go on counting: {why}");
        self.state.send_modify(|state| state.failure = Some(why.into()));
        (retry, retry)
    }

    async fn fetch(&self) -> Result<Vec<Key>, String> {
        let request = self.client.get(self.url.clone()).header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(|error| reason(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answered {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
            if body.len() + chunk.len() > JWKS_BYTES_MAX {
                return Err(format!("its answer is larger than {JWKS_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        jwk::parse(&body, &self.algorithms)
            .ok_or_else(|| format!("no key in its answer is for signatures by {:?}", self.algorithms))
    }
}

fn without_query(url: &Url) -> Url {
    let mut shown = url.clone();
    shown.set_query(None);
    shown
}

/// An error down to its cause: the outermost says only that something went wrong.
fn reason(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut text = "no answer".to_owned();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    if error.is_timeout() { format!("no answer within {} s", JWKS_WAIT.as_secs()) } else { text }
}
