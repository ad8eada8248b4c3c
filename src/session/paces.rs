//! How fast each user may ask, on this node.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::model::limits::PACED_USERS;
use crate::model::{Code, Refusal, UserId};

use super::{Bucket, Rate};

/// A bucket for each user, in two generations of at most [`PACED_USERS`]: when the young one is full it becomes the old
/// one, and who was not seen during a whole generation is forgotten. So memory is bounded without a sweep.
pub struct Paces {
    rate: Rate,
    seen: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<UserId, Bucket>,
    old: HashMap<UserId, Bucket>,
}

impl Paces {
    /// The same rate for everybody.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, seen: Mutex::default() }
    }

    /// Lets a user do it once more.
    ///
    /// # Errors
    /// `rate_limited` with the time until they may.
    pub fn take(&self, user: &UserId, now: Instant) -> Result<(), Refusal> {
        let taken = self.lock().bucket(user, self.rate, now).take(now);
        taken.map_err(|wait| Refusal::new(Code::RateLimited, "too many requests").after(wait))
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn bucket(&mut self, user: &UserId, rate: Rate, now: Instant) -> &mut Bucket {
        if self.young.len() >= PACED_USERS && !self.young.contains_key(user) {
            self.old = std::mem::take(&mut self.young);
        }
        let old = &mut self.old;
        let known = || old.remove(user).unwrap_or_else(|| Bucket::full(rate, now));
        self.young.entry(user.clone()).or_insert_with(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> UserId {
        format!("u{number}").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_user_has_a_pace_of_their_own() {
        let paces = Paces::new(Rate { per_second: 1.0, burst: 2.0 });
        let take = |number| paces.take(&user(number), Instant::now());
        assert!(take(1).is_ok() && take(1).is_ok());
        let refusal = take(1).unwrap_err();
        assert_eq!(refusal.code, Code::RateLimited);
        assert_eq!(refusal.retry_after, Some(std::time::Duration::from_secs(1)));
        assert!(take(2).is_ok());
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert!(take(1).is_ok() && take(1).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_neither_grows_memory_nor_frees_who_keeps_asking() {
        let paces = Paces::new(Rate { per_second: 0.001, burst: 1.0 });
        let now = Instant::now();
        assert!(paces.take(&user(0), now).is_ok());
        for number in 1..PACED_USERS * 5 {
            let _ = paces.take(&user(number), now);
            if number % (PACED_USERS / 2) == 0 {
                assert!(paces.take(&user(0), now).is_err(), "after {number}");
            }
        }
        let seen = paces.lock();
        assert!(seen.young.len() + seen.old.len() <= 2 * PACED_USERS);
    }
}
