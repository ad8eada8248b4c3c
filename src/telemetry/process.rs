//! What the process uses of its machine, under the names that Prometheus's own client libraries give it, and what its
//! runtime has to do.

use std::fs;
use std::time::Duration;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// The kernel counts a process's time in ticks of a hundredth of a second, and its memory in pages of 4 KiB, on every
/// machine that we are built for.
const TICKS_PER_SECOND: u64 = 100;
const PAGE_BYTES: u64 = 4_096;
/// How often the runtime is tried.
const LAG_PERIOD: Duration = Duration::from_millis(100);

/// Kept handles.
pub(super) struct Process {
    cpu: Counter,
    memory: Gauge,
    started: Gauge,
    files: Gauge,
    files_max: Gauge,
    tasks: Gauge,
}

impl Process {
    /// Registers them, so that each exists from the start.
    pub(super) fn new() -> Self {
        describe_counter!("process_cpu_seconds_total", Unit::Seconds, "Processor time of this process");
        describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory that this process holds");
        describe_gauge!("process_start_time_seconds", Unit::Seconds, "When this process started, since 1970");
        describe_gauge!("process_open_fds", "Files and sockets that this process holds open");
        describe_gauge!("process_max_fds", "How many it may");
        describe_gauge!("switchboard_runtime_tasks", "Tasks that exist");
        Self {
            cpu: counter!("process_cpu_seconds_total"),
            memory: gauge!("process_resident_memory_bytes"),
            started: gauge!("process_start_time_seconds"),
            files: gauge!("process_open_fds"),
            files_max: gauge!("process_max_fds"),
            tasks: gauge!("switchboard_runtime_tasks"),
        }
    }

    /// Reads all of them. What cannot be read keeps its last value.
    pub(super) fn read(&self) {
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            self.cpu.absolute(stat.cpu_ticks / TICKS_PER_SECOND);
            self.memory.set((stat.resident_pages * PAGE_BYTES) as f64);
            if let Some(boot) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_seconds) {
                self.started.set((boot + stat.started_ticks / TICKS_PER_SECOND) as f64);
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // The directory that is being read is itself one of them.
            self.files.set(open.count().saturating_sub(1) as f64);
        }
        if let Some(most) = files_max() {
            self.files_max.set(most as f64);
        }
        self.tasks.set(Handle::current().metrics().num_alive_tasks() as f64);
    }
}

/// Records, for ever, how late a task is woken: so long does every other task wait for a thread, too. The runtime's timer is
/// late by up to a millisecond of itself.
pub(super) async fn feel_lag() {
    let (name, what) =
        ("switchboard_runtime_lag_seconds", "How late a task is woken that sleeps for 100 ms, for want of a thread");
    describe_histogram!(name, Unit::Seconds, what);
    let lag = histogram!(name);
    loop {
        let due = Instant::now() + LAG_PERIOD;
        sleep_until(due).await;
        lag.record(due.elapsed());
    }
}

/// Of `/proc/self/stat`, what is shown.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    started_ticks: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(line: &str) -> Option<Self> {
        // The second field is the program's name in brackets, and may hold anything. What follows it is field 3.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self { cpu_ticks: field(14)? + field(15)?, started_ticks: field(22)?, resident_pages: field(24)? })
    }
}

fn boot_seconds(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// How many files and sockets this process may hold open.
#[must_use]
pub fn files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_confuses_nobody() {
        let line = "7 (a b) c) S 1 7 7 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 5 0 4242 1000000 77 18446744073709551615 1";
        let expected = Stat { cpu_ticks: 200, started_ticks: 4242, resident_pages: 77 };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("7 (short) S 1"), None);
    }

    #[test]
    fn this_process_is_found_to_be_as_it_is() {
        let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        assert!((1_000_000..1 << 40).contains(&(stat.resident_pages * PAGE_BYTES)), "{stat:?}");
        assert!(boot_seconds(&fs::read_to_string("/proc/stat").unwrap()).unwrap() > 1_000_000_000);
        assert!(files_max().unwrap() >= 256);
    }
}
