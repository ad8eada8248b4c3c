//! Who plays: their names, and the tokens that say who they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use switchboard::model::{Clock, SystemClock, UserId};

use crate::Fault;
use crate::door::{Dialer, Target};

/// How long a token is good for, in seconds, unless the run is longer.
const TOKEN_SECONDS: u64 = 24 * 3_600;

/// Everybody.
pub(crate) struct People {
    /// What names begin with: nobody of another run has such a name.
    run: String,
    tokens: Tokens,
}

/// Where tokens come from.
enum Tokens {
    /// Signed here, with the cluster's secret.
    Signed(EncodingKey),
    /// Of a file: each user, and their token. The names are theirs.
    Given(Vec<UserId>, HashMap<UserId, String>),
    /// Asked of a node that has no key, where anybody may be anybody.
    Asked,
}

#[derive(Serialize)]
struct Claims<'a> {
    id: &'a UserId,
    exp: u64,
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

impl People {
    pub(crate) fn new(run: &str, secret: Option<&PathBuf>, tokens: Option<&PathBuf>) -> Result<Self, Fault> {
        let tokens = match (secret, tokens) {
            (Some(path), _) => Tokens::Signed(EncodingKey::from_secret(read(path)?.trim().as_bytes())),
            (None, Some(path)) => {
                let of = read(path)?;
                let lines = of.lines().filter(|line| !line.trim().is_empty());
                let given = lines.map(parse).collect::<Result<Vec<_>, _>>()?;
                Tokens::Given(given.iter().map(|(user, _)| user.clone()).collect(), given.into_iter().collect())
            }
            (None, None) => Tokens::Asked,
        };
        Ok(Self { run: run.to_owned(), tokens })
    }

    /// Somebody of this run.
    pub(crate) fn user(&self, index: u64) -> Result<UserId, Fault> {
        if let Tokens::Given(users, _) = &self.tokens {
            let user = users.get(usize::try_from(index)?);
            return user.cloned().ok_or_else(|| format!("the file has tokens for {} users only", users.len()).into());
        }
        self.named(&index.to_string())
    }

    /// Somebody with a name of their own.
    pub(crate) fn named(&self, name: &str) -> Result<UserId, Fault> {
        Ok(format!("{}-{name}", self.run).parse()?)
    }

    /// A token of somebody; none if there is none to be had now.
    pub(crate) async fn token(&self, user: &UserId, dialer: &Dialer, target: &Target) -> Option<String> {
        match &self.tokens {
            Tokens::Signed(key) => {
                let exp = SystemClock.now().0 / 1_000 + TOKEN_SECONDS;
                encode(&Header::default(), &Claims { id: user, exp }, key).ok()
            }
            Tokens::Given(_, tokens) => tokens.get(user).cloned(),
            Tokens::Asked => ask(user, dialer, target).await,
        }
    }
}

fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()).into())
}

fn parse(line: &str) -> Result<(UserId, String), Fault> {
    let (user, token) = line.trim().split_once([' ', '\t', ',']).ok_or("a line of --token-file is: USER TOKEN")?;
    Ok((user.parse()?, token.trim().to_owned()))
}

async fn ask(user: &UserId, dialer: &Dialer, target: &Target) -> Option<String> {
    let body = serde_json::json!({ "name": user }).to_string();
    let request = dialer.http.post(target.http("/dev/login")).header("content-type", "application/json").body(body);
    // Kept open, it would count among the few that one address may have without a token.
    let answer =
        request.header("connection", "close").send().await.ok()?.error_for_status().ok()?.bytes().await.ok()?;
    serde_json::from_slice::<Login>(&answer).ok().map(|login| login.token)
}
