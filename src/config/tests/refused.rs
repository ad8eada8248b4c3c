//! Every refusal at start: one sentence that says what to set.

use super::{Around, SECRET, load_line};

/// What is given, and the beginning of the sentence that it earns.
const REFUSALS: &[(&str, &str)] = &[
    // What does not go together
    ("REDIS_URL=redis://r JWT_SECRET=SECRET", "SWITCHBOARD_REDIS_URL without SWITCHBOARD_MONGODB_URI would give"),
    ("MONGODB_URI=mongodb://m", "a node with MongoDB needs a key to check tokens with: set SWITCHBOARD_JWT_SECRET,"),
    ("MONGODB_URI=mongodb://m REDIS_URL=redis://r", "a node with MongoDB needs a key"),
    ("LISTEN=0.0.0.0:3000", "development logins let anybody be anyone, so they need a loopback address"),
    ("LISTEN=[::]:3000", "development logins"),
    ("LISTEN=192.168.1.1:3000", "development logins"),
    ("--listen=0.0.0.0:80", "development logins"),
    ("TRUSTED_PROXIES=127.0.0.1", "development logins let anybody be anyone, and SWITCHBOARD_TRUSTED_PROXIES"),
    ("JWT_ALGORITHM=RS256", "SWITCHBOARD_JWT_ALGORITHM is set but no key: set"),
    ("LISTEN=127.0.0.1:9464", "SWITCHBOARD_LISTEN and SWITCHBOARD_OPS_LISTEN are both 127.0.0.1:9464"),
    (
        "JWT_SECRET=SECRET JWT_JWKS_URL=https://i/k",
        "set only one of SWITCHBOARD_JWT_SECRET, SWITCHBOARD_JWT_PUBLIC_KEY",
    ),
    ("JWT_SECRET=SECRET JWT_PUBLIC_KEY_FILE=/public.pem", "set only one of"),
    ("JWT_PUBLIC_KEY_FILE=/public.pem JWT_JWKS_URL=https://i/k", "set only one of"),
    (
        "JWT_SECRET=SECRET JWT_SECRET_FILE=/secret",
        "set SWITCHBOARD_JWT_SECRET or SWITCHBOARD_JWT_SECRET_FILE, not both",
    ),
    ("import", "`import` needs to know the old app's database: set SWITCHBOARD_FROM_FILE, SWITCHBOARD_FROM or --from"),
    ("import FROM=http://hunter2/app", "SWITCHBOARD_FROM must be a connection string that begins with mongodb://"),
    ("POLICY=closed", "SWITCHBOARD_POLICY must be open or support"),
    // Keys
    ("JWT_SECRET=hunter2", "SWITCHBOARD_JWT_SECRET must be at least 32 bytes for each secret"),
    ("JWT_SECRET=SECRET,hunter2", "SWITCHBOARD_JWT_SECRET must be at least 32 bytes for each secret"),
    ("JWT_SECRET=SECRET,", "SWITCHBOARD_JWT_SECRET must be at least 32 bytes for each secret"),
    ("JWT_SECRET=SECRET,SECRET,SECRET", "SWITCHBOARD_JWT_SECRET must be one secret, or two"),
    ("JWT_SECRET=", "SWITCHBOARD_JWT_SECRET is empty: give it a value, or leave it out"),
    ("JWT_SECRET_FILE=/short", "the file of SWITCHBOARD_JWT_SECRET_FILE must be at least 32 bytes"),
    ("JWT_SECRET_FILE=/empty", "the file of SWITCHBOARD_JWT_SECRET_FILE is empty"),
    ("JWT_SECRET_FILE=/absent", "SWITCHBOARD_JWT_SECRET_FILE names \"/absent\", unreadable:"),
    ("--jwt-secret-file /absent", "--jwt-secret-file names \"/absent\", unreadable:"),
    ("JWT_SECRET=SECRET JWT_ALGORITHM=RS256", "SWITCHBOARD_JWT_ALGORITHM must be HS256, or left out"),
    ("JWT_SECRET=SECRET JWT_ALGORITHM=none", "SWITCHBOARD_JWT_ALGORITHM must be HS256, or left out"),
    ("JWT_PUBLIC_KEY=MIIB", "SWITCHBOARD_JWT_PUBLIC_KEY must be a public key in PEM"),
    ("JWT_PUBLIC_KEY_FILE=/private.pem", "the file of SWITCHBOARD_JWT_PUBLIC_KEY_FILE must be a public key in PEM"),
    ("JWT_PUBLIC_KEY_FILE=/public.pem JWT_ALGORITHM=HS256", "SWITCHBOARD_JWT_ALGORITHM must be one of RS256"),
    ("JWT_PUBLIC_KEY_FILE=/public.pem JWT_ALGORITHM=none", "SWITCHBOARD_JWT_ALGORITHM must be one of RS256"),
    ("JWT_PUBLIC_KEY_FILE=/public.pem JWT_ALGORITHM=RS256,PS256", "SWITCHBOARD_JWT_ALGORITHM must be one of RS256"),
    ("JWT_JWKS_URL=http://issuer.example/keys", "SWITCHBOARD_JWT_JWKS_URL must be a URL that begins with https://"),
    ("JWT_JWKS_URL=http://127.0.0.1.example/keys", "SWITCHBOARD_JWT_JWKS_URL must be a URL that begins with https://"),
    ("JWT_JWKS_URL=file:///etc/passwd", "SWITCHBOARD_JWT_JWKS_URL must be a URL that begins with https://"),
    (
        "JWT_JWKS_URL=https://me:pw@issuer.example/keys",
        "SWITCHBOARD_JWT_JWKS_URL must be a URL that begins with https://",
    ),
    ("JWT_JWKS_URL=issuer.example", "SWITCHBOARD_JWT_JWKS_URL must be a URL that begins with https://"),
    ("JWT_JWKS_URL=https://i/k JWT_ALGORITHM=RS256,HS256", "SWITCHBOARD_JWT_ALGORITHM must be one of RS256"),
    ("JWT_JWKS_URL=https://i/k JWT_ALGORITHM=RS256,,ES256", "SWITCHBOARD_JWT_ALGORITHM must be one of RS256"),
    ("JWT_USER_CLAIMS=id,,sub", "SWITCHBOARD_JWT_USER_CLAIMS must be names of claims"),
    ("JWT_USER_CLAIMS=exp", "SWITCHBOARD_JWT_USER_CLAIMS must be names of claims"),
    ("JWT_AUDIENCE=chat,", "SWITCHBOARD_JWT_AUDIENCE must be one audience or several"),
    ("JWT_ISSUER=", "SWITCHBOARD_JWT_ISSUER is empty"),
    // Addresses and names
    (
        "LISTEN=foo",
        "SWITCHBOARD_LISTEN must be an address and a port, such as 127.0.0.1:3000 or [::]:3000, not \"foo\"",
    ),
    ("LISTEN=:3000", "SWITCHBOARD_LISTEN must be an address and a port"),
    ("LISTEN=127.0.0.1", "SWITCHBOARD_LISTEN must be an address and a port"),
    ("LISTEN=127.0.0.1:65536", "SWITCHBOARD_LISTEN must be an address and a port"),
    ("--ops-listen nowhere", "--ops-listen must be an address and a port"),
    ("MONGODB_URI=postgres://u:hunter2@p JWT_SECRET=SECRET", "SWITCHBOARD_MONGODB_URI must be a connection string"),
    ("MONGODB_URI=mongodb://m REDIS_URL=hunter2:6379 JWT_SECRET=SECRET", "SWITCHBOARD_REDIS_URL must be a URL"),
    ("MONGODB_URI=mongodb://m REDIS_URL=http://hunter2 JWT_SECRET=SECRET", "SWITCHBOARD_REDIS_URL must be a URL"),
    ("ALLOW_STANDALONE_MONGODB=yes", "SWITCHBOARD_ALLOW_STANDALONE_MONGODB must be true or false, not \"yes\""),
    ("ALLOWED_ORIGINS=*", "SWITCHBOARD_ALLOWED_ORIGINS must be origins"),
    ("ALLOWED_ORIGINS=null", "SWITCHBOARD_ALLOWED_ORIGINS must be origins"),
    ("ALLOWED_ORIGINS=chat.example.com", "SWITCHBOARD_ALLOWED_ORIGINS must be origins"),
    ("ALLOWED_ORIGINS=https://a.example/path", "SWITCHBOARD_ALLOWED_ORIGINS must be origins"),
    ("ALLOWED_ORIGINS=https://a.example,https://*.b.example", "SWITCHBOARD_ALLOWED_ORIGINS must be origins"),
    ("ALLOWED_ORIGINS=ftp://a.example", "SWITCHBOARD_ALLOWED_ORIGINS must be origins"),
    ("ALLOWED_ORIGINS=https://me@a.example", "SWITCHBOARD_ALLOWED_ORIGINS must be origins"),
    ("TRUSTED_PROXIES=10.0.0.0/33 JWT_SECRET=SECRET", "SWITCHBOARD_TRUSTED_PROXIES must be addresses or networks"),
    ("TRUSTED_PROXIES=all JWT_SECRET=SECRET", "SWITCHBOARD_TRUSTED_PROXIES must be addresses or networks"),
    ("LOG_FORMAT=xml", "SWITCHBOARD_LOG_FORMAT must be text or json, not \"xml\""),
    ("LOG=switchboard=loud", "SWITCHBOARD_LOG must be a level or a filter"),
    ("OTLP_ENDPOINT=collector:4318", "SWITCHBOARD_OTLP_ENDPOINT must be the address of a collector, http or https,"),
    ("OTLP_ENDPOINT=grpc://collector:4317", "SWITCHBOARD_OTLP_ENDPOINT must be"),
    ("OTLP_ENDPOINT=http://name@collector:4318", "SWITCHBOARD_OTLP_ENDPOINT must be"),
    ("OTLP_ENDPOINT=http://collector:4318/?a=b", "SWITCHBOARD_OTLP_ENDPOINT must be"),
    ("OTLP_ENDPOINT=http://c TRACE_SAMPLE=1.5", "SWITCHBOARD_TRACE_SAMPLE must be a number from 0 to 1"),
    ("WORKERS=0", "SWITCHBOARD_WORKERS must be a whole number from 1 to 1024"),
    ("WORKERS=1025", "SWITCHBOARD_WORKERS must be a whole number from 1 to 1024"),
    ("TRACE_SAMPLE=NaN", "SWITCHBOARD_TRACE_SAMPLE must be a number from 0 to 1"),
    ("TRACE_SAMPLE=-0.1", "SWITCHBOARD_TRACE_SAMPLE must be a number from 0 to 1"),
    // Numbers
    ("DRAIN_SECONDS=soon", "SWITCHBOARD_DRAIN_SECONDS must be a whole number from 0 to 3600, not \"soon\""),
    ("DRAIN_SECONDS=-1", "SWITCHBOARD_DRAIN_SECONDS must be a whole number"),
    ("DRAIN_SECONDS=3601", "SWITCHBOARD_DRAIN_SECONDS must be a whole number"),
    ("SENDS_PER_SECOND=0", "SWITCHBOARD_SENDS_PER_SECOND must be a whole number from 1"),
    ("SENDS_BURST=1.5", "SWITCHBOARD_SENDS_BURST must be a whole number"),
    ("FRAMES_PER_SECOND=99999999999999999999", "SWITCHBOARD_FRAMES_PER_SECOND must be a whole number"),
    ("BYTES_PER_SECOND=1", "SWITCHBOARD_BYTES_PER_SECOND must be a whole number from 1024"),
    ("CONNECTIONS_MAX=", "SWITCHBOARD_CONNECTIONS_MAX is empty"),
    ("--connections-max 0", "--connections-max must be a whole number from 1"),
    ("--config /absent", "--config names \"/absent\", unreadable:"),
    ("CONFIG=/absent", "SWITCHBOARD_CONFIG names \"/absent\", unreadable:"),
];

#[test]
fn every_refusal_says_what_to_set_in_one_sentence() {
    for (line, expected) in REFUSALS {
        let stop = load_line(line).expect_err(line);
        let sentence = stop.text.strip_prefix("switchboard: ").unwrap_or_else(|| panic!("{line}: {}", stop.text));
        assert!(sentence.starts_with(expected), "{line}\n  wanted: {expected}\n  got:    {sentence}");
        assert_eq!(stop.status, 2, "{line}");
        assert_eq!(sentence.trim_end().lines().count(), 1, "{line}: {sentence}");
        assert!(!sentence.contains("hunter2") && !sentence.contains(SECRET), "{line} shows a secret: {sentence}");
    }
}

#[test]
fn a_mistake_in_the_file_names_the_file_and_the_key_and_shows_no_secret() {
    let table = [
        ("lisen = '127.0.0.1:1'", "`lisen` in /c.toml means nothing: did you mean `listen`?"),
        ("config = '/d.toml'", "`config` in /c.toml means nothing"),
        ("listen = 'foo'", "`listen` in /c.toml must be an address and a port"),
        ("listen = ''", "`listen` in /c.toml is empty"),
        ("drain_seconds = 1.5", "`drain_seconds` in /c.toml must be text, a number, true, false or a list of texts"),
        ("drain_seconds = 9999", "`drain_seconds` in /c.toml must be a whole number"),
        ("jwt_secret = 'hunter2'", "`jwt_secret` in /c.toml must be at least 32 bytes"),
        ("jwt_secret_file = '/absent'", "`jwt_secret_file` in /c.toml names \"/absent\", unreadable"),
        ("[server]\nlisten = '127.0.0.1:1'", "`server` in /c.toml means nothing"),
        ("trusted_proxies = [1]", "`trusted_proxies` in /c.toml must be text"),
        ("\n\njwt_secret = 'hunter2", "/c.toml, line 3, is not TOML"),
        ("jwt_secret = hunter2", "/c.toml, line 1, is not TOML"),
        ("jwt_secret = 'hunter2' x", "/c.toml, line 1, is not TOML"),
        ("jwt_secret = \"\\hunter2\"", "/c.toml, line 1, is not TOML"),
        ("jwt_secret = 'a'\njwt_secret = 'hunter2'", "/c.toml, line 2, is not TOML"),
    ];
    for (text, expected) in table {
        let stop = Around::default().file("/c.toml", text).load(&["--config", "/c.toml"]).expect_err(text);
        let sentence = stop.text.trim_start_matches("switchboard: ");
        assert!(sentence.starts_with(expected), "{text}\n  wanted: {expected}\n  got:    {sentence}");
        assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_help() {
    for line in [
        "--lisen 1",
        "launch",
        "token",
        "token --user a/b",
        "token --user ann --role root",
        "token --user ann --ttl 1y",
        "token --user ann --ttl 0s",
        "token --user ann --ttl 99999999999999999999d",
        "token --user ann --ttl",
        "--log a --log b",
        "token --user ann --ttl ä",
        "--user ann",
    ] {
        let stop = load_line(line).expect_err(line);
        assert_eq!(stop.status, 2, "{line}: {}", stop.text);
        assert!(stop.text.starts_with("error: "), "{line}: {}", stop.text);
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let mut around = Around::default();
    around.variables.push(("SWITCHBOARD_JWT_SECRET".into(), std::ffi::OsString::from_vec(vec![0xff; 40])));
    assert_eq!(around.load(&[]).unwrap_err().text, "switchboard: SWITCHBOARD_JWT_SECRET must be UTF-8 text\n");
    let mut around = Around::default();
    around.variables.push((std::ffi::OsString::from_vec(vec![0xff; 40]), "x".into()));
    assert!(around.load(&[]).is_ok(), "what is not ours is none of our business");
}
