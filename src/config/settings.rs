//! The table of settings: the single source of flags, variables, file keys, help and the README's table.

/// One thing that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in capitals, without the prefix.
    pub name: &'static str,
    /// What sort of value it takes.
    pub sort: Sort,
    /// What stands for the value in the help.
    pub hint: &'static str,
    /// The value when none is given.
    pub default: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

/// What sort of value a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Text, shown in messages.
    Plain,
    /// `true` or `false`; the bare flag means `true`.
    Switch,
    /// Text that may be too long for a variable: `…_FILE` names a file that holds it.
    Document,
    /// Text that is never shown: `…_FILE` names a file that holds it.
    Secret,
}

impl Setting {
    /// The environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// The flag, without its dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.to_ascii_lowercase().replace('_', "-")
    }

    /// The key in the configuration file.
    #[must_use]
    pub fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// Whether `…_FILE` may name a file that holds the value.
    #[must_use]
    pub const fn may_come_from_file(&self) -> bool {
        matches!(self.sort, Sort::Document | Sort::Secret)
    }
}

/// What the name of every variable of ours starts with.
pub(super) const PREFIX: &str = "SWITCHBOARD_";

macro_rules! settings {
    ($($name:ident: $sort:ident $hint:literal = $default:expr, $doc:literal;)+) => {
        $(pub(super) const $name: Setting = Setting {
            name: stringify!($name), sort: Sort::$sort, hint: $hint, default: $default, doc: $doc,
        };)+

        /// Every setting there is, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$($name),+];
    };
}

settings! {
    LISTEN: Plain "ADDRESS" = Some("127.0.0.1:3000"),
        "Where clients connect.";
    OPS_LISTEN: Plain "ADDRESS" = Some("127.0.0.1:9464"),
        "Where `/metrics`, `/livez` and `/readyz` are served. Keep it off the Internet.";
    CONFIG: Plain "FILE" = None,
        "A TOML file with any of these settings, each named as its flag with `_` for `-`. Flags win over variables, \
         variables over the file.";
    DATA_DIR: Plain "DIRECTORY" = Some("./data"),
        "Where the embedded store keeps its data when there is no MongoDB.";
    MONGODB_URI: Secret "URI" = None,
        "Where messages are kept in a cluster: `mongodb://…` or `mongodb+srv://…`, naming a replica set.";
    ALLOW_STANDALONE_MONGODB: Switch "BOOL" = Some("false"),
        "Accept a MongoDB server that is no replica set. Acknowledged messages may then be lost with it.";
    REDIS_URL: Secret "URL" = None,
        "How nodes tell each other: `redis://…`, or `rediss`, `redis-sentinel`, `redis-cluster` and their TLS forms. \
         Needs MongoDB.";
    JWT_SECRET: Secret "SECRET" = None,
        "The secret that signs tokens (HS256), at least 32 bytes. Two, separated by a comma, while rotating: the first \
         mints.";
    JWT_PUBLIC_KEY: Document "PEM" = None,
        "The public key that tokens are checked with, instead of a secret.";
    JWT_JWKS_URL: Plain "URL" = None,
        "Where the issuer publishes its keys, instead of a secret or a public key: `https`, unless on this machine. \
         Fetched without a proxy, redirects are not followed.";
    JWT_ALGORITHM: Plain "NAME" = None,
        "The algorithm of the tokens, whatever they say themselves: HS256 with a secret; else RS256 unless set, or \
         one of RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA (several, comma-separated, with a JWKS URL).";
    JWT_ISSUER: Plain "TEXT" = None,
        "What `iss` in a token must be.";
    JWT_AUDIENCE: Plain "LIST" = None,
        "What `aud` in a token must name: one of these, comma-separated.";
    JWT_USER_CLAIMS: Plain "LIST" = Some("id,userId,_id,sub"),
        "The claims that may hold the user id. The first one that a token has is the one that counts.";
    ALLOWED_ORIGINS: Plain "LIST" = None,
        "Origins of the pages that may connect, besides the node's own, comma-separated: `https://chat.example.com`.";
    PROFILE: Plain "NAME" = Some("classic"),
        "Which family of Socket.IO frontends comes to `/socket.io/`: `classic`.";
    TEAM_ID: Plain "USER" = None,
        "Whom users of such frontends see in place of the support team. Without it, the first agent who comes, for ever.";
    RECOVERY: Switch "BOOL" = Some("true"),
        "Let Socket.IO clients go on where they were after a connection was lost, on any node.";
    POLICY: Plain "NAME" = Some("open"),
        "What users may do with each other: `open`, or `support`, where they write to the team only.";
    CLAIM_AWAY_SECONDS: Plain "SECONDS" = Some("300"),
        "How long an agent may be away until the talks that they see to are everybody's again; 0: for ever.";
    TRUSTED_PROXIES: Plain "LIST" = None,
        "Addresses or networks of your load balancers, comma-separated: what they say of a client's address is \
         believed.";
    NODE_ID: Plain "LABEL" = None,
        "A label for this node in logs and metrics.";
    DRAIN_SECONDS: Plain "SECONDS" = Some("25"),
        "How long a node that is told to stop may take to see its clients off.";
    PRESENCE_GRACE_SECONDS: Plain "SECONDS" = Some("5"),
        "How long a user is still shown as online after their last connection ended: as long as a page takes to reload.";
    SENDS_PER_SECOND: Plain "N" = Some("20"),
        "Messages that one user may send per second, over time.";
    SENDS_BURST: Plain "N" = Some("60"),
        "Messages that one user may send at once.";
    REQUESTS_PER_SECOND: Plain "N" = Some("50"),
        "Requests over REST that one user may make per second, over time.";
    REQUESTS_BURST: Plain "N" = Some("200"),
        "Requests over REST that one user may make at once.";
    SERVICE_SENDS_PER_SECOND: Plain "N" = Some("200"),
        "Messages that one service may send per second, over time.";
    SERVICE_SENDS_BURST: Plain "N" = Some("1000"),
        "Messages that one service may send at once.";
    SERVICE_REQUESTS_PER_SECOND: Plain "N" = Some("500"),
        "Requests over REST that one service may make per second, over time.";
    SERVICE_REQUESTS_BURST: Plain "N" = Some("2000"),
        "Requests over REST that one service may make at once.";
    FRAMES_PER_SECOND: Plain "N" = Some("200"),
        "Frames per second of one connection; a faster one is read more slowly.";
    BYTES_PER_SECOND: Plain "N" = Some("262144"),
        "Bytes per second of one connection; a faster one is read more slowly.";
    CONNECTIONS_MAX: Plain "N" = Some("100000"),
        "Connections on this node; more are refused.";
    UNAUTHENTICATED_PER_ADDRESS: Plain "N" = Some("100"),
        "Connections of one address that have not shown a token yet; more are refused.";
    ADMISSIONS_PER_SECOND: Plain "N" = Some("1000"),
        "Connections admitted per second on this node; in a storm the others wait.";
    MEMORY_BYTES: Plain "N" = None,
        "Memory that this node may use. At 80 % of it nobody new is let in; who is there stays. Without it, what the \
         container allows, or else what the machine has.";
    WORKERS: Plain "N" = None,
        "Threads that do this node's work. Without it, one for each processor that the container or the machine has: set it \
         where several nodes share a machine.";
    FROM: Secret "URI" = None,
        "The database that `switchboard import` copies, the old app's: `mongodb://…/database`. It is only read.";
    TRAIL_SECONDS: Plain "SECONDS" = Some("900"),
        "How long nodes remember what became of a message, for whoever asks where it is; 0: not at all.";
    LOG: Plain "FILTER" = Some("info"),
        "What is logged: a level, or a filter such as `info,switchboard::auth=debug`.";
    LOG_FORMAT: Plain "FORMAT" = Some("text"),
        "How a line looks: `text` or `json`.";
    OTLP_ENDPOINT: Plain "URL" = None,
        "The collector that traces of messages are sent to, by OTLP over HTTP: `http://collector:4318`. Without it, no \
         message is traced.";
    TRACE_SAMPLE: Plain "RATIO" = Some("0.01"),
        "Of how many messages the way is traced, from 0 to 1. Besides, those whose senders ask for it (`traceparent`).";
}
