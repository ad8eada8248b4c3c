//! What is accepted, and what it becomes.

use std::time::Duration;

use super::super::{Algorithm, BusKind, Command, Keys, LogFormat, Process, SETTINGS, Secret, Storage, Surroundings};
use super::{Around, PEM, SECRET, config, load_line};
use crate::model::Role;

#[test]
fn nothing_set_is_a_whole_node_on_loopback() {
    let loaded = load_line("").unwrap();
    assert_eq!(loaded.command, Command::Serve);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let config = loaded.config;
    assert_eq!(config.listen, "127.0.0.1:3000".parse().unwrap());
    assert_eq!(config.ops_listen, "127.0.0.1:9464".parse().unwrap());
    assert_eq!(config.storage, Storage::Embedded { dir: "./data".into() });
    assert_eq!(config.bus, BusKind::Local);
    assert!(config.auth.development_logins());
    assert_eq!(config.auth.user_claims, ["id", "userId", "_id", "sub"]);
    assert!(config.auth.audiences.is_empty() && config.allowed_origins.is_empty() && config.trusted_proxies.is_empty());
    assert_eq!((config.log.filter.as_str(), config.log.format), ("info", LogFormat::Text));
    assert_eq!(config.drain, Duration::from_secs(25));
}

#[test]
fn two_urls_and_a_key_are_a_cluster() {
    let config =
        config("MONGODB_URI=mongodb://m1,m2/?replicaSet=rs0 REDIS_URL=redis://r JWT_SECRET=SECRET LISTEN=0.0.0.0:80");
    assert!(matches!(config.storage, Storage::Mongo { allow_standalone: false, .. }));
    assert!(matches!(config.bus, BusKind::Redis { .. }));
    assert!(!config.auth.development_logins());
}

#[test]
fn development_logins_exist_only_where_nobody_else_can_come_by() {
    for (line, expected) in [
        ("", true),
        ("LISTEN=[::1]:80", true),
        ("LISTEN=127.8.8.8:80", true),
        ("LISTEN=[::ffff:127.0.0.1]:80", true),
        ("OPS_LISTEN=0.0.0.0:9464", true),
        ("JWT_SECRET=SECRET", false),
        ("JWT_PUBLIC_KEY_FILE=/public.pem", false),
        ("JWT_JWKS_URL=https://issuer.example/keys", false),
        ("JWT_SECRET=SECRET LISTEN=0.0.0.0:80", false),
    ] {
        assert_eq!(config(line).auth.development_logins(), expected, "{line}");
    }
}

#[test]
fn traces_go_nowhere_until_there_is_a_collector() {
    assert_eq!(config("TRACE_SAMPLE=1").traces, None);
    let traces = config("OTLP_ENDPOINT=http://collector:4318").traces.unwrap();
    assert_eq!((traces.endpoint.as_str(), traces.sample), ("http://collector:4318/", 0.01));
    let traces = config("OTLP_ENDPOINT=https://c/otlp TRACE_SAMPLE=0").traces.unwrap();
    assert_eq!((traces.endpoint.as_str(), traces.sample), ("https://c/otlp", 0.0));
}

#[test]
fn the_nearest_source_wins() {
    let around = Around::default()
        .file("/c.toml", "listen = '127.0.0.1:1'\nops_listen = '127.0.0.1:2'\nnode_id = 'file'")
        .variable("SWITCHBOARD_CONFIG", "/c.toml")
        .variable("SWITCHBOARD_LISTEN", "127.0.0.1:3")
        .variable("SWITCHBOARD_OPS_LISTEN", "127.0.0.1:4");
    let config = around.load(&["--listen", "127.0.0.1:5"]).unwrap().config;
    assert_eq!(config.listen.port(), 5, "flag over variable over file");
    assert_eq!(config.ops_listen.port(), 4, "variable over file");
    assert_eq!(config.node_label.as_deref(), Some("file"), "file over default");
    let after = around.load(&["check", "--listen", "127.0.0.1:6"]).unwrap();
    assert_eq!((after.command, after.config.listen.port()), (Command::Check, 6), "flags count after a command, too");
    let file_over_value = Around::default()
        .file("/s", SECRET)
        .variable("SWITCHBOARD_JWT_SECRET", "ffffffffffffffffffffffffffffffff")
        .load(&["--jwt-secret-file", "/s"])
        .unwrap();
    let Keys::Secrets(secrets) = file_over_value.config.auth.keys else { panic!() };
    assert_eq!(secrets[0].expose(), SECRET, "a flag that names a file wins over a variable that holds the value");
}

#[test]
fn the_file_may_say_everything_that_variables_may() {
    let toml = format!(
        "mongodb_uri = 'mongodb://m'\nredis_url = 'rediss-cluster://r'\njwt_secret = ['{SECRET}', '{SECRET}x']\n\
         allowed_origins = ['https://a.example', 'https://b.example']\nallow_standalone_mongodb = true\ndrain_seconds = 7"
    );
    let config = Around::default().file("/c.toml", &toml).load(&["--config=/c.toml"]).unwrap().config;
    assert!(matches!(config.storage, Storage::Mongo { allow_standalone: true, .. }));
    assert!(matches!(&config.auth.keys, Keys::Secrets(secrets) if secrets.len() == 2));
    assert_eq!(config.allowed_origins.len(), 2);
    assert_eq!(config.drain, Duration::from_secs(7));
}

#[test]
fn keys_of_every_kind() {
    for (line, expected) in [
        ("JWT_PUBLIC_KEY_FILE=/public.pem", Algorithm::RS256),
        ("JWT_PUBLIC_KEY_FILE=/public.pem JWT_ALGORITHM=PS512", Algorithm::PS512),
        ("JWT_PUBLIC_KEY_FILE=/public.pem JWT_ALGORITHM=EdDSA", Algorithm::EdDSA),
    ] {
        assert!(matches!(config(line).auth.keys, Keys::PublicKey { algorithm, .. } if algorithm == expected), "{line}");
    }
    let escaped = Around::default().variable("SWITCHBOARD_JWT_PUBLIC_KEY", &PEM.trim_end().replace('\n', "\\n"));
    let Keys::PublicKey { pem, .. } = escaped.load(&[]).unwrap().config.auth.keys else { panic!() };
    assert_eq!(pem, PEM.trim_end(), "line ends may be written out");
    for url in ["https://i.example/k", "http://localhost:8080/k", "http://127.0.0.1/k", "http://[::1]:1/k"] {
        let Keys::Jwks { algorithms, .. } = config(&format!("JWT_JWKS_URL={url}")).auth.keys else { panic!("{url}") };
        assert_eq!(algorithms, [Algorithm::RS256], "{url}");
    }
    let Keys::Jwks { algorithms, .. } = config("JWT_JWKS_URL=https://i/k JWT_ALGORITHM=ES256,EdDSA").auth.keys else {
        panic!()
    };
    assert_eq!(algorithms, [Algorithm::ES256, Algorithm::EdDSA]);
    let auth = config("JWT_SECRET=SECRET JWT_ISSUER=https://i JWT_AUDIENCE=a,b JWT_USER_CLAIMS=https://x/uid,sub").auth;
    assert_eq!((auth.issuer.as_deref(), auth.audiences.len(), auth.user_claims.len()), (Some("https://i"), 2, 2));
}

#[test]
fn origins_take_the_form_that_browsers_send() {
    for (given, sent) in [
        ("https://Chat.Example.com", "https://chat.example.com"),
        ("https://chat.example.com/", "https://chat.example.com"),
        ("https://chat.example.com:443", "https://chat.example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://[::1]:80", "http://[::1]"),
    ] {
        let origins = config(&format!("ALLOWED_ORIGINS={given}")).allowed_origins;
        assert_eq!(origins[0].as_str(), sent);
    }
}

#[test]
fn networks_may_be_single_addresses() {
    let proxies = config("JWT_SECRET=SECRET TRUSTED_PROXIES=10.0.0.0/8,192.0.2.1,fd00::/8").trusted_proxies;
    assert_eq!(proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"]);
}

#[test]
fn the_bare_switch_means_true() {
    for (line, expected) in
        [("--allow-standalone-mongodb", true), ("--allow-standalone-mongodb=false", false), ("check", false)]
    {
        let config = config(&format!("{line} MONGODB_URI=mongodb://m JWT_SECRET=SECRET"));
        assert!(
            matches!(config.storage, Storage::Mongo { allow_standalone, .. } if allow_standalone == expected),
            "{line}"
        );
    }
}

#[test]
fn a_token_is_asked_for_in_words() {
    let loaded = load_line("token --user ann --role admin --name Ann --email ann@example.com --ttl 15m").unwrap();
    let Command::Token(request) = loaded.command else { panic!() };
    assert_eq!((request.user.as_str(), request.role, request.ttl), ("ann", Role::Admin, Duration::from_secs(900)));
    assert_eq!((request.name.as_deref(), request.email.as_deref()), (Some("Ann"), Some("ann@example.com")));
    let Command::Token(request) = load_line("token --user ann").unwrap().command else { panic!() };
    assert_eq!((request.role, request.ttl), (Role::User, Duration::from_secs(86_400)));
}

#[test]
fn an_import_needs_no_keys() {
    let into_a_file = load_line("FROM=mongodb://old/app import").unwrap();
    assert_eq!(into_a_file.command, Command::Import);
    let line = "import FROM=mongodb://old/app MONGODB_URI=mongodb://m REDIS_URL=redis://r LISTEN=0.0.0.0:80";
    for line in [line, "import --from mongodb://old/app MONGODB_URI=mongodb://m"] {
        let loaded = load_line(line).unwrap();
        assert_eq!(loaded.config.from.as_ref().map(Secret::expose), Some("mongodb://old/app"), "{line}");
        assert_eq!(loaded.config.auth.keys, Keys::Nobody, "nobody is let in");
        assert!(!loaded.warnings.iter().any(|warning| warning.contains("REDIS")), "{:?}", loaded.warnings);
    }
    assert!(load_line("MONGODB_URI=mongodb://m FROM=mongodb://old/app").is_err(), "a node does");
}

#[test]
fn what_is_odd_but_harmless_is_warned_of() {
    for (line, expected) in [
        ("LISTNE=1", Some("SWITCHBOARD_LISTNE means nothing here: did you mean SWITCHBOARD_LISTEN?")),
        ("JWT_SECRT=hunter2", Some("SWITCHBOARD_JWT_SECRT means nothing here: did you mean SWITCHBOARD_JWT_SECRET?")),
        ("LISTEN_FILE=/x", Some("SWITCHBOARD_LISTEN_FILE means nothing here")),
        ("PORT=tcp://10.0.0.1:3000", None),
        ("PORT_3000_TCP_ADDR=10.0.0.1", None),
        ("SERVICE_HOST=10.0.0.1", None),
        ("MONGODB_URI=mongodb://m JWT_SECRET=SECRET", Some("MongoDB without Redis is for one node only")),
        ("MONGODB_URI=mongodb://m JWT_SECRET=SECRET REDIS_URL=valkeys-sentinel://r", None),
        (
            "--jwt-secret=0123456789abcdef0123456789abcdef",
            Some("--jwt-secret can be read by every user of this machine"),
        ),
    ] {
        let warnings = load_line(line).unwrap().warnings;
        assert_eq!(warnings.len(), usize::from(expected.is_some()), "{line}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.starts_with(expected.unwrap()) && !warning.contains("hunter2")));
    }
}

#[test]
fn no_secret_is_shown_by_debug() {
    let config = config("MONGODB_URI=mongodb://u:hunter2@m REDIS_URL=redis://:hunter2@r JWT_SECRET=SECRET");
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(SECRET), "{shown}");
}

#[test]
fn help_names_every_setting_and_nothing_that_was_set() {
    let stop = load_line("--help JWT_SECRET=SECRET").unwrap_err();
    assert_eq!(stop.status, 0);
    for setting in SETTINGS {
        assert!(stop.text.contains(&format!("--{}", setting.flag())), "{}", setting.name);
        assert!(stop.text.contains(&setting.variable()), "{}", setting.name);
    }
    assert!(!stop.text.contains(SECRET));
    assert_eq!(load_line("--version").unwrap_err().status, 0);
}

#[test]
fn every_setting_is_read_from_every_place() {
    // A value that no check passes is refused under the name of the place it was read from.
    for setting in SETTINGS.iter().filter(|setting| setting.name != "CONFIG") {
        let by_variable = Around::default().variable(&setting.variable(), "").load(&[]).unwrap_err();
        assert!(by_variable.text.contains(&format!("{} is empty", setting.variable())), "{}", by_variable.text);
        let by_flag = Around::default().load(&[&format!("--{}=", setting.flag())]).unwrap_err();
        assert!(by_flag.text.contains(&setting.flag()), "{}", by_flag.text);
        let by_file =
            Around::default().file("/c", &format!("{} = ''", setting.key())).load(&["--config=/c"]).unwrap_err();
        assert!(by_file.text.contains(&format!("`{}` in /c is empty", setting.key())), "{}", by_file.text);
    }
}

#[test]
fn the_real_surroundings_read_files_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    assert_eq!(Process.read(&path).unwrap(), SECRET);
    std::fs::write(&path, "x".repeat(64 * 1024 + 1)).unwrap();
    assert!(Process.read(&path).is_err());
    assert!(Process.read(dir.path()).is_err());
    assert!(!Process.variables().is_empty());
}

#[test]
fn users_may_write_to_anybody_unless_the_policy_says_otherwise() {
    use crate::model::Policy;
    assert_eq!(config("").policy, Policy::Open);
    assert_eq!(config("POLICY=open").policy, Policy::Open);
    assert_eq!(config("--policy support").policy, Policy::Support);
}
