//! What a process costs: by the kernel's account, or by what it says itself on `/metrics`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Fault;

/// A second of processor time, in the kernel's ticks. The same on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: u64 = 4_096;

/// Whom to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Pid(u32),
    Metrics(String),
}

/// What it had used up to a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) files: u64,
}

impl FromStr for Watched {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "--watch takes NAME=PID, or NAME=http://host:port/metrics";
        let (name, source) = text.split_once('=').ok_or(FORM)?;
        let source = match source.parse() {
            Ok(pid) => Source::Pid(pid),
            Err(_) if source.starts_with("http://") || source.starts_with("https://") => {
                Source::Metrics(source.to_owned())
            }
            Err(_) => return Err(FORM),
        };
        if name.is_empty() { Err(FORM) } else { Ok(Self { name: name.to_owned(), source }) }
    }
}

impl Source {
    /// What it has used; none if it does not say now: it may be dead for a while.
    pub(crate) async fn usage(&self, http: &reqwest::Client) -> Option<Usage> {
        match self {
            Self::Pid(pid) => of_pid(&pid.to_string()),
            Self::Metrics(url) => {
                let answer = http.get(url).timeout(std::time::Duration::from_secs(2)).send().await.ok()?;
                of_metrics(&answer.error_for_status().ok()?.text().await.ok()?)
            }
        }
    }
}

/// This process.
pub(crate) fn own() -> Option<Usage> {
    of_pid("self")
}

/// Resident bytes of a process, by the kernel's account.
///
/// # Errors
/// If there is no such process.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64, Fault> {
    let usage = of_pid(&pid.to_string()).ok_or_else(|| format!("process {pid} cannot be measured"))?;
    Ok(usage.resident_bytes)
}

fn of_pid(pid: &str) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold blanks and brackets.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
    #[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^52")]
    let cpu_seconds = (field(11)? + field(12)?) as f64 / TICKS_PER_SECOND;
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |files| files.count() as u64);
    Some(Usage { cpu_seconds, resident_bytes: field(21)? * PAGE_BYTES, files })
}

/// The usual names of the Prometheus exposition.
fn of_metrics(text: &str) -> Option<Usage> {
    let value = |name: &str| {
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))?;
        line.rsplit_once(' ')?.1.parse::<f64>().ok()
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes are whole and not negative")]
    let whole = |name: &str| value(name).map(|value| value as u64);
    Some(Usage {
        cpu_seconds: value("process_cpu_seconds_total")?,
        resident_bytes: whole("process_resident_memory_bytes")?,
        files: whole("process_open_fds").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_or_says_it_itself() {
        let pid = Watched { name: "gateway 1".to_owned(), source: Source::Pid(7) };
        assert_eq!("gateway 1=7".parse(), Ok(pid));
        let url = "http://127.0.0.1:9464/metrics";
        let metrics = Watched { name: "b".to_owned(), source: Source::Metrics(url.to_owned()) };
        assert_eq!(format!("b={url}").parse(), Ok(metrics));
        for wrong in ["7", "=7", "a=b", "a="] {
            assert!(wrong.parse::<Watched>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_kernel_and_the_process_are_believed() {
        let own = own().unwrap();
        assert!(own.resident_bytes > 1024 * 1024 && own.files > 2, "{own:?}");
        assert_eq!(of_pid("0"), None);
        let text = "# TYPE x counter\nprocess_cpu_seconds_total 12.5\nprocess_resident_memory_bytes 4.2e7\n";
        let said = Usage { cpu_seconds: 12.5, resident_bytes: 42_000_000, files: 0 };
        assert_eq!(of_metrics(text), Some(said));
        assert_eq!(of_metrics("nothing 1"), None);
    }
}
