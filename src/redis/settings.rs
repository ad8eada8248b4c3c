//! From a URL to clients.

use std::fmt;

use fred::clients::Client;
use fred::types::RespVersion;
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ServerConfig, TcpConfig};

use crate::model::limits::{REDIS_COMMAND_WAIT, REDIS_COMMANDS_MAX, REDIS_SILENCE_MAX};

/// Why a URL is not one of a Redis. Never repeats the URL: there is a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// Another scheme.
    #[error("a Redis URL starts with redis://, redis-cluster:// or redis-sentinel:// (rediss… with TLS)")]
    Scheme,
    /// The right scheme, and something wrong behind it.
    #[error(
        "not a Redis URL: it looks like redis://user:password@host:6379/0, \
         redis-cluster://host:6379?node=host2:6379, or \
         redis-sentinel://host:26379?sentinelServiceName=main&node=host2:26379"
    )]
    Form,
}

/// Where Redis is and how to speak to it.
#[derive(Clone)]
pub struct RedisSettings {
    config: Config,
}

impl RedisSettings {
    /// Reads a URL: one server, a cluster, or sentinels; with or without TLS, a user and a password.
    ///
    /// # Errors
    /// When it is not such a URL.
    pub fn parse(url: &str) -> Result<Self, RedisUrlError> {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let family = scheme.trim_end_matches("-cluster").trim_end_matches("-sentinel");
        if !["redis", "rediss", "valkey", "valkeys"].contains(&family) {
            return Err(RedisUrlError::Scheme);
        }
        let mut config = Config::from_url(url).map_err(|_| RedisUrlError::Form)?;
        config.version = RespVersion::RESP3;
        config.fail_fast = true;
        Ok(Self { config })
    }

    /// Whether channels and keys are spread over several masters.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.config.server.is_clustered()
    }

    /// A client that is not connected yet, and whose connection is never repaired. `backlog` is how many messages its
    /// reader may be ahead of whoever takes them.
    pub(super) fn client(&self, backlog: usize) -> Client {
        let performance = PerformanceConfig {
            default_command_timeout: REDIS_COMMAND_WAIT,
            broadcast_channel_capacity: backlog,
            ..PerformanceConfig::default()
        };
        let connection = ConnectionConfig {
            connection_timeout: 2 * REDIS_SILENCE_MAX,
            internal_command_timeout: 2 * REDIS_SILENCE_MAX,
            max_command_buffer_len: REDIS_COMMANDS_MAX,
            tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
            ..ConnectionConfig::default()
        };
        Client::new(self.config.clone(), Some(performance), Some(connection), None)
    }
}

/// Hosts and ports, for the log; no user, no password.
impl fmt::Display for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.config.server {
            ServerConfig::Clustered { .. } => "cluster ",
            ServerConfig::Sentinel { .. } => "sentinel ",
            ServerConfig::Centralized { .. } => "",
        };
        let hosts: Vec<String> = self.config.server.hosts().iter().map(ToString::to_string).collect();
        write!(f, "{kind}{}", hosts.join(","))
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisSettings({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read_and_no_password_is_shown() {
        let one = RedisSettings::parse("redis://ann:s3cret@cache:6380/2").unwrap();
        assert_eq!((one.to_string().as_str(), one.is_cluster()), ("cache:6380", false));
        assert!(!format!("{one:?}").contains("s3cret"));
        let cluster = RedisSettings::parse("rediss-cluster://:s3cret@a:1?node=b:2").unwrap();
        assert_eq!((cluster.to_string().as_str(), cluster.is_cluster()), ("cluster b:2,a:1", true));
        let sentinel = RedisSettings::parse("redis-sentinel://a:1?sentinelServiceName=main&node=b:2").unwrap();
        assert_eq!((sentinel.to_string().as_str(), sentinel.is_cluster()), ("sentinel b:2,a:1", false));
    }

    #[test]
    fn other_text_is_refused_and_not_repeated() {
        for (bad, why) in [
            ("", RedisUrlError::Scheme),
            ("cache:6379", RedisUrlError::Scheme),
            ("http://:s3cret@cache", RedisUrlError::Scheme),
            ("redis+unix:///tmp/redis", RedisUrlError::Scheme),
            ("redis://", RedisUrlError::Form),
            ("redis://cache:port", RedisUrlError::Form),
            ("redis://cache/zero", RedisUrlError::Form),
            ("redis-sentinel://:s3cret@a:1", RedisUrlError::Form),
            ("redis-cluster://a:1?node=b", RedisUrlError::Form),
        ] {
            let error = RedisSettings::parse(bad).unwrap_err();
            assert_eq!(error, why, "{bad}");
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
