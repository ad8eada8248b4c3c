//! What is accepted, what is refused and in which words, and that no secret is ever among them.

mod accepted;
mod readme;
mod refused;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::{Config, Loaded, Stop, Surroundings, load};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PEM: &str = include_str!("../../../tests/fixtures/keys/rsa2048.pub.pem");

/// Surroundings of a test's own making.
#[derive(Default)]
struct Around {
    variables: Vec<(OsString, OsString)>,
    files: Vec<(&'static str, String)>,
}

impl Surroundings for Around {
    fn variables(&self) -> Vec<(OsString, OsString)> {
        self.variables.clone()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let found = self.files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.clone()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Around {
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn file(mut self, name: &'static str, text: &str) -> Self {
        self.files.push((name, text.to_owned()));
        self
    }

    fn load(&self, arguments: &[&str]) -> Result<Loaded, Stop> {
        let arguments = std::iter::once("switchboard").chain(arguments.iter().copied());
        load(arguments.map(OsString::from), self)
    }
}

/// Loads `line`: words `NAME=value` are variables (without the prefix), others are arguments.
fn load_line(line: &str) -> Result<Loaded, Stop> {
    let is_variable = |word: &&str| word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains('=');
    let (variables, arguments): (Vec<&str>, Vec<&str>) = line.split_whitespace().partition(is_variable);
    let files = Around::default()
        .file("/secret", &format!("{SECRET}\n"))
        .file("/short", "hunter2")
        .file("/empty", "\n")
        .file("/public.pem", PEM)
        .file("/private.pem", include_str!("../../../tests/fixtures/keys/rsa2048.pem"));
    let around = variables.iter().fold(files, |around, variable| {
        let (name, value) = variable.split_once('=').unwrap();
        around.variable(&format!("SWITCHBOARD_{name}"), &value.replace("SECRET", SECRET))
    });
    around.load(&arguments)
}

fn config(line: &str) -> Config {
    load_line(line).unwrap_or_else(|stop| panic!("{line}: {}", stop.text)).config
}
