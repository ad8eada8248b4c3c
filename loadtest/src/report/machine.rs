//! What this machine is: figures mean nothing without it.

use serde::{Deserialize, Serialize};

/// A machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
}

impl Machine {
    /// This one, as far as it says.
    pub(crate) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory_kib =
            field(&read("/proc/meminfo"), "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".to_owned()),
            memory_gib: memory_kib.unwrap_or(0_u64).div_ceil(1024 * 1024),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }

    /// In a line.
    pub(crate) fn line(&self) -> String {
        let Self { cores, processor, memory_gib, kernel } = self;
        format!("{cores} cores ({processor}), {memory_gib} GiB, Linux {kernel}")
    }
}
