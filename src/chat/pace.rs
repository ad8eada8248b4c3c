//! Keeps shared operations apart, so that what waits goes together: each costs the store the same, however little is in it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The pace of one kind of operation. The first one goes at once, and so does each that comes late.
pub(super) struct Pace {
    apart: Duration,
    next: Instant,
}

impl Pace {
    /// Operations begin so far apart at least.
    pub(super) fn new(apart: Duration) -> Self {
        Self { apart, next: Instant::now() }
    }

    /// Waits until the next operation may begin, unless `most` items are there for it, and takes what has come meanwhile.
    pub(super) async fn gather<T>(&mut self, arriving: &mut mpsc::Receiver<T>, items: &mut Vec<T>, most: usize) {
        if items.len() < most && Instant::now() < self.next {
            sleep_until(self.next).await;
        }
        while items.len() < most {
            let Ok(more) = arriving.try_recv() else { break };
            items.push(more);
        }
        self.next = Instant::now() + self.apart;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn what_comes_alone_goes_at_once_and_what_follows_goes_together() {
        let (sender, mut arriving) = mpsc::channel(10);
        let (mut pace, began) = (Pace::new(APART), Instant::now());
        let mut first = vec![1];
        pace.gather(&mut arriving, &mut first, 5).await;
        assert_eq!((first, began.elapsed()), (vec![1], Duration::ZERO));

        let later = sender.clone();
        tokio::spawn(async move {
            tokio::time::sleep(APART / 2).await;
            later.send(3).await.unwrap();
        });
        let mut second = vec![2];
        pace.gather(&mut arriving, &mut second, 5).await;
        assert_eq!((second, began.elapsed()), (vec![2, 3], APART));

        tokio::time::sleep(APART).await;
        let (mut third, at) = (vec![4], Instant::now());
        pace.gather(&mut arriving, &mut third, 5).await;
        assert_eq!((third, at.elapsed()), (vec![4], Duration::ZERO), "nothing went lately");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_load_does_not_wait() {
        let (sender, mut arriving) = mpsc::channel(10);
        let (mut pace, began) = (Pace::new(APART), Instant::now());
        pace.gather(&mut arriving, &mut vec![0], 3).await;
        for item in 1..=5 {
            sender.send(item).await.unwrap();
        }
        let mut full = Vec::new();
        arriving.recv_many(&mut full, 3).await;
        pace.gather(&mut arriving, &mut full, 3).await;
        assert_eq!((full, began.elapsed()), (vec![1, 2, 3], Duration::ZERO));
    }
}
