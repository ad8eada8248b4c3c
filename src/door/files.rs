//! The file descriptors of this process, and how many of them connections may take.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::telemetry::files_max;

/// The descriptors. The system always gives the lowest free number, so a number says how many are in use: nobody has to
/// count a hundred thousand of them.
#[derive(Debug)]
pub struct Files {
    /// The first number that is not for connections.
    bound: u64,
    is_short: AtomicBool,
}

impl Files {
    /// Those of this process, but for so many of the highest, which are kept for others. Of few, a quarter is kept.
    #[must_use]
    pub fn keeping(kept: u64) -> Arc<Self> {
        let most = files_max().unwrap_or(u64::MAX);
        Arc::new(Self { bound: most - kept.min(most / 4), is_short: AtomicBool::new(false) })
    }

    /// How many connections may take, with what else is open.
    #[must_use]
    pub fn bound(&self) -> u64 {
        self.bound
    }

    /// Whether accepting pauses for want of them.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Whether this one, just opened, is the last that connections may take.
    pub(super) fn is_last(&self, opened: &impl AsRawFd) -> bool {
        number(opened.as_raw_fd()).saturating_add(1) >= self.bound
    }

    /// Whether connections may take another one, as a copy of `any` tells. Notes it.
    pub(super) fn is_there_one(&self, any: &impl AsFd) -> bool {
        let copy = any.as_fd().try_clone_to_owned();
        let is_there_one = copy.is_ok_and(|copy| number(copy.as_raw_fd()) < self.bound);
        self.set_short(!is_there_one);
        is_there_one
    }

    pub(super) fn set_short(&self, short: bool) {
        self.is_short.store(short, Ordering::Relaxed);
    }
}

fn number(descriptor: RawFd) -> u64 {
    u64::try_from(descriptor).unwrap_or_default()
}
