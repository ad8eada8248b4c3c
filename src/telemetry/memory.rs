//! How much memory this process may use, and whether so much of it is in use that nobody new should be let in.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{Counter, Gauge, Unit, counter, describe_gauge, gauge};
use tokio::time::sleep;

use crate::model::limits::{MEMORY_PERIOD, MEMORY_RETRY, MEMORY_SHARE_PERCENT};
use crate::model::{Chance, Code, Refusal};

/// The kernel counts memory in pages of 4 KiB on every machine that we are built for.
const PAGE_BYTES: u64 = 4_096;

/// The memory of this process, as it was when it was last looked at.
#[derive(Debug)]
pub struct Memory {
    /// Bytes in use at which nobody new is let in; none where nobody says how many there are.
    bound: Option<u64>,
    is_short: AtomicBool,
    turned_away: Counter,
    /// 1 while nobody new is let in.
    short: Gauge,
}

impl Memory {
    /// Memory of so many bytes; without a figure, as many as the control group of this process has, or the machine.
    /// Nothing is looked at before [`keep`](Self::keep).
    #[must_use]
    pub fn of(limit: Option<u64>) -> Arc<Self> {
        Self::bounded(limit.or_else(|| limit_of(Path::new("/"))))
    }

    /// Memory that nobody bounds: what a test wants, and a program that is no node.
    #[must_use]
    pub fn boundless() -> Arc<Self> {
        Self::bounded(None)
    }

    fn bounded(limit: Option<u64>) -> Arc<Self> {
        let (bound, short) = ("switchboard_memory_bound_bytes", "switchboard_memory_short");
        describe_gauge!(bound, Unit::Bytes, "Memory at which no new connection is let in; 0: there is no bound");
        describe_gauge!(short, "1 while no new connection is let in for want of memory, otherwise 0");
        let memory = Self {
            bound: limit.map(|bytes| bytes / 100 * MEMORY_SHARE_PERCENT + bytes % 100 * MEMORY_SHARE_PERCENT / 100),
            is_short: AtomicBool::new(false),
            turned_away: counter!("switchboard_connections_turned_away_total", "reason" => "memory"),
            short: gauge!(short),
        };
        gauge!(bound).set(memory.bound.unwrap_or_default() as f64);
        Arc::new(memory)
    }

    /// Bytes in use at which nobody new is let in.
    #[must_use]
    pub fn bound(&self) -> Option<u64> {
        self.bound
    }

    /// Whether nobody new is to be let in.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Lets somebody new in.
    ///
    /// # Errors
    /// While memory is short. When to come back is left to chance, so that not all come back together.
    pub fn admit(&self, chance: &dyn Chance) -> Result<(), Refusal> {
        if !self.is_short() {
            return Ok(());
        }
        self.turned_away.increment(1);
        let share = f64::from((chance.bits() >> 32) as u32) / f64::from(u32::MAX);
        let refusal = Refusal::new(Code::Busy, "this node is short of memory and takes nobody new");
        Err(refusal.after(MEMORY_RETRY + MEMORY_RETRY.mul_f64(share)))
    }

    /// Looks at it every [`MEMORY_PERIOD`], for ever.
    pub async fn keep(self: Arc<Self>) {
        let Some(bound) = self.bound else { return };
        loop {
            if let Some(used) = resident() {
                self.note(used, bound);
            }
            sleep(MEMORY_PERIOD).await;
        }
    }

    fn note(&self, used: u64, bound: u64) {
        let is_short = used >= bound;
        if self.is_short.swap(is_short, Ordering::Relaxed) != is_short {
            let (used, bound) = (Mebibytes(used), Mebibytes(bound));
            match is_short {
                true => tracing::warn!(%used, %bound, "short of memory: nobody new is let in"),
                false => tracing::info!(%used, %bound, "there is memory again: everybody is let in"),
            }
        }
        self.short.set(f64::from(u8::from(is_short)));
    }
}

/// Bytes, for people.
struct Mebibytes(u64);

impl std::fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} MiB", self.0 >> 20)
    }
}

/// What the process holds now.
fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// What the control groups of this process allow, or else what the machine has. `root` is `/`.
fn limit_of(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let of_groups = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        match controllers {
            "" => lowest(&root.join("sys/fs/cgroup"), path, "memory.max"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                lowest(&root.join("sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")
            }
            _ => None,
        }
    });
    of_groups.chain(machine(root)).min()
}

/// The lowest limit of a group and those that it is part of, up to the mount, which in a container is its own.
fn lowest(mount: &Path, path: &str, file: &str) -> Option<u64> {
    let group = Path::new(path.trim_start_matches('/'));
    // A group without a limit says "max".
    let limit = |group: &Path| fs::read_to_string(mount.join(group).join(file)).ok()?.trim().parse().ok();
    group.ancestors().filter_map(limit).min()
}

fn machine(root: &Path) -> Option<u64> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(total.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u64);
    impl Chance for Always {
        fn bits(&self) -> u64 {
            self.0
        }
    }

    /// A machine of 8 GiB with these files.
    fn machine_with(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [("proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n")].iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        limit_of(root.path())
    }

    #[test]
    fn the_lowest_limit_of_all_groups_counts_in_either_version() {
        const MIB: u64 = 1 << 20;
        let second = ("proc/self/cgroup", "0::/pods/chat\n");
        assert_eq!(machine_with(&[]), Some(8 << 30), "no groups");
        assert_eq!(machine_with(&[second, ("sys/fs/cgroup/pods/chat/memory.max", "max\n")]), Some(8 << 30));
        let own = ("sys/fs/cgroup/pods/chat/memory.max", "268435456\n");
        assert_eq!(machine_with(&[second, own]), Some(256 * MIB));
        let above = ("sys/fs/cgroup/pods/memory.max", "134217728\n");
        assert_eq!(machine_with(&[second, own, above]), Some(128 * MIB));
        let in_a_container = ("sys/fs/cgroup/memory.max", "67108864\n");
        assert_eq!(machine_with(&[("proc/self/cgroup", "0::/\n"), in_a_container]), Some(64 * MIB));
        let first = ("proc/self/cgroup", "7:cpu,cpuacct:/a\n4:memory:/docker/abc\n0::/\n");
        let nowhere = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "33554432\n");
        assert_eq!(machine_with(&[first, nowhere]), Some(32 * MIB), "a path that is not seen from inside");
        let unlimited = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(machine_with(&[first, unlimited]), Some(8 << 30), "that is no limit");
    }

    #[test]
    fn this_process_holds_something() {
        assert!((1 << 20..1 << 40).contains(&resident().unwrap()));
        assert!(limit_of(Path::new("/")).is_some());
    }

    #[test]
    fn above_the_share_nobody_is_let_in_and_below_everybody_again() {
        let memory = Memory::of(Some(1_000));
        let bound = memory.bound().unwrap();
        assert_eq!(bound, 10 * MEMORY_SHARE_PERCENT);
        assert!(memory.admit(&Always(0)).is_ok(), "nothing was looked at");
        memory.note(bound, bound);
        for (bits, after) in [(0, MEMORY_RETRY), (u64::MAX, 2 * MEMORY_RETRY)] {
            let refusal = memory.admit(&Always(bits)).unwrap_err();
            assert_eq!((refusal.code, refusal.retry_after), (Code::Busy, Some(after)));
        }
        memory.note(bound - 1, bound);
        assert!(memory.admit(&Always(0)).is_ok());
    }
}
