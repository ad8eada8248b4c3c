//! Stage one: the string of each setting, and where it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::nearest::nearest;
use super::settings::{CONFIG, PREFIX, SETTINGS, Setting, Sort};
use super::surroundings::Surroundings;
use super::{ConfigError, Secret};

/// What the command line gave: flag, without dashes, to value.
pub(super) type Flags = BTreeMap<String, String>;

/// The settings that were given, each with its winner's string.
#[derive(Debug, Default)]
pub(super) struct Raw {
    given: BTreeMap<&'static str, Given>,
}

/// A string, and what to call its origin in a sentence.
#[derive(Debug, Clone)]
struct Given {
    text: Secret,
    origin: String,
}

/// One place that settings come from.
struct Layer<'a> {
    /// How the place gives the setting of this name (capitals), or the file that holds it (`…_FILE`).
    get: &'a dyn Fn(&str) -> Option<String>,
    /// What the setting of this name is called there.
    call: &'a dyn Fn(&str) -> String,
}

impl Raw {
    /// Reads flags, environment and file; the first that has a setting wins. Answers with warnings, too.
    pub(super) fn gather(flags: &Flags, around: &dyn Surroundings) -> Result<(Self, Vec<String>), ConfigError> {
        let mut warnings = Vec::new();
        let variables = variables(around, &mut warnings)?;
        let flag_name = |name: &str| name.to_ascii_lowercase().replace('_', "-");
        let flag_layer =
            Layer { get: &|name| flags.get(&flag_name(name)).cloned(), call: &|name| format!("--{}", flag_name(name)) };
        let env_layer = Layer {
            get: &|name| variables.get(&format!("{PREFIX}{name}")).cloned(),
            call: &|name| format!("{PREFIX}{name}"),
        };
        let path = match flag_layer.find(&CONFIG, around)? {
            Some(given) => Some(given),
            None => env_layer.find(&CONFIG, around)?,
        };
        let (path, file) = match path {
            Some(given) => (PathBuf::from(given.text.expose()), read_table(&given, around)?),
            None => (PathBuf::new(), BTreeMap::new()),
        };
        let file_layer = Layer {
            get: &|name| file.get(&name.to_ascii_lowercase()).cloned(),
            call: &|name| format!("`{}` in {}", name.to_ascii_lowercase(), path.display()),
        };
        for setting in SETTINGS.iter().filter(|setting| setting.sort == Sort::Secret) {
            if flags.contains_key(&setting.flag()) {
                warnings.push(format!(
                    "--{} can be read by every user of this machine in the list of processes: use {}_FILE",
                    setting.flag(),
                    setting.variable()
                ));
            }
        }
        Ok((Self::merge(&[flag_layer, env_layer, file_layer], around)?, warnings))
    }

    fn merge(layers: &[Layer<'_>], around: &dyn Surroundings) -> Result<Self, ConfigError> {
        let mut raw = Self::default();
        for setting in SETTINGS {
            for layer in layers {
                if let Some(given) = layer.find(setting, around)? {
                    raw.given.insert(setting.name, given);
                    break;
                }
            }
        }
        Ok(raw)
    }

    /// Whether anybody set it.
    pub(super) fn has(&self, setting: &Setting) -> bool {
        self.given.contains_key(setting.name)
    }

    /// The string that was given, or the default.
    pub(super) fn text(&self, setting: &Setting) -> Option<&str> {
        self.given.get(setting.name).map(|given| given.text.expose()).or(setting.default)
    }

    /// The refusal of a setting: "… must be `wanted`", with what was given instead unless that is a secret.
    pub(super) fn refuse(&self, setting: &Setting, wanted: &str) -> ConfigError {
        let origin = self.given.get(setting.name).map_or_else(|| setting.variable(), |given| given.origin.clone());
        match (setting.sort, self.text(setting)) {
            (Sort::Plain | Sort::Switch, Some(text)) => {
                let shown: String = text.chars().take(100).collect();
                ConfigError(format!("{origin} must be {wanted}, not {shown:?}"))
            }
            _ => ConfigError(format!("{origin} must be {wanted}")),
        }
    }

    /// The checked value of a setting that has a default.
    pub(super) fn need<T>(
        &self,
        setting: &Setting,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.text(setting).and_then(parse).ok_or_else(|| self.refuse(setting, wanted))
    }

    /// The checked value of a setting, if there is one.
    pub(super) fn want<T>(
        &self,
        setting: &Setting,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        self.text(setting).map(|text| parse(text).ok_or_else(|| self.refuse(setting, wanted))).transpose()
    }

    /// The checked items of a comma-separated setting; none when it is not set.
    pub(super) fn list<T>(
        &self,
        setting: &Setting,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, ConfigError> {
        let items = self.text(setting).into_iter().flat_map(|text| text.split(','));
        items.map(|item| parse(item.trim()).ok_or_else(|| self.refuse(setting, wanted))).collect()
    }
}

impl Layer<'_> {
    /// The setting here, whether given as it is or by the name of a file. Empty is a mistake, not "unset".
    fn find(&self, setting: &Setting, around: &dyn Surroundings) -> Result<Option<Given>, ConfigError> {
        let name = setting.name;
        let file_name = format!("{name}_FILE");
        let by_file = setting.may_come_from_file().then(|| (self.get)(&file_name)).flatten();
        let given = match ((self.get)(name), by_file) {
            (Some(_), Some(_)) => {
                let (one, other) = ((self.call)(name), (self.call)(&file_name));
                return Err(ConfigError(format!("set {one} or {other}, not both")));
            }
            (Some(text), None) => Given { text: Secret::new(text), origin: (self.call)(name) },
            (None, Some(path)) => {
                let origin = (self.call)(&file_name);
                let text = read(&origin, &path, around)?;
                Given {
                    text: Secret::new(text.trim_end_matches(['\r', '\n'])),
                    origin: format!("the file of {origin}"),
                }
            }
            (None, None) => return Ok(None),
        };
        if given.text.expose().is_empty() {
            return Err(ConfigError(format!("{} is empty: give it a value, or leave it out", given.origin)));
        }
        Ok(Some(given))
    }
}

fn read(origin: &str, path: &str, around: &dyn Surroundings) -> Result<String, ConfigError> {
    around.read(Path::new(path)).map_err(|error| ConfigError(format!("{origin} names {path:?}, unreadable: {error}")))
}

/// Our variables. Unknown ones are warned of, with the nearest known name.
fn variables(around: &dyn Surroundings, warnings: &mut Vec<String>) -> Result<BTreeMap<String, String>, ConfigError> {
    let known = known_names();
    let mut ours = BTreeMap::new();
    for (variable, value) in around.variables() {
        let Some(name) = variable.to_str().and_then(|variable| variable.strip_prefix(PREFIX)) else { continue };
        if known.iter().any(|known| known == name) {
            let value = value.into_string();
            let value = value.map_err(|_| ConfigError(format!("{PREFIX}{name} must be UTF-8 text")))?;
            ours.insert(format!("{PREFIX}{name}"), value);
        } else if !is_service_link(name) {
            let meant = nearest(name, known.iter().map(String::as_str)).unwrap_or_default();
            warnings.push(format!("{PREFIX}{name} means nothing here: did you mean {PREFIX}{meant}?"));
        }
    }
    Ok(ours)
}

/// Kubernetes gives every pod beside a service named `switchboard` variables of these names.
fn is_service_link(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_")
}

fn known_names() -> Vec<String> {
    let with_files = |setting: &Setting| {
        let file = setting.may_come_from_file().then(|| format!("{}_FILE", setting.name));
        std::iter::once(setting.name.to_owned()).chain(file)
    };
    SETTINGS.iter().flat_map(with_files).collect()
}

/// The configuration file as strings. An unknown key is refused: nobody but us writes there.
fn read_table(path: &Given, around: &dyn Surroundings) -> Result<BTreeMap<String, String>, ConfigError> {
    let name = path.text.expose();
    let text = read(&path.origin, name, around)?;
    // The parser's own message quotes the line, which may hold a secret.
    let broken = |error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        ConfigError(format!("{name}, line {line}, is not TOML: {}", error.message()))
    };
    let table: toml::Table = text.parse().map_err(broken)?;
    let known: Vec<String> = known_names().iter().map(|name| name.to_ascii_lowercase()).collect();
    let mut strings = BTreeMap::new();
    for (key, value) in table {
        if key == CONFIG.key() || !known.contains(&key) {
            let meant = nearest(&key, known.iter().map(String::as_str).filter(|known| *known != CONFIG.key()));
            let meant = meant.unwrap_or_default();
            return Err(ConfigError(format!("`{key}` in {name} means nothing: did you mean `{meant}`?")));
        }
        let string = as_string(&value).ok_or_else(|| {
            ConfigError(format!("`{key}` in {name} must be text, a number, true, false or a list of texts"))
        })?;
        strings.insert(key, string);
    }
    Ok(strings)
}

fn as_string(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(switch) => Some(switch.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            Some(texts?.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
