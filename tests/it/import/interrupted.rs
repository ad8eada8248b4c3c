//! Runs that are cut, repeated, or side by side.

use std::time::Duration;

use switchboard::import;
use switchboard::model::{Chance, SystemChance};
use tokio::time::timeout;

use super::copies::{crowd, talk};
use super::world::World;

pub(super) async fn a_second_run_changes_nothing(world: World) {
    crowd(&world, 400).await;
    let first = world.import().await;
    let second = world.import().await;
    assert_eq!((second.imported, second.already_there), (0, 400));
    assert_eq!((second.conversations, second.refused_conversations), (first.conversations, 0));
    world.assert_whole().await;
}

pub(super) async fn a_later_run_adds_what_was_said_since(world: World) {
    let (ann, bob) = (world.user("ann", "user").await, world.user("bob", "user").await);
    for part in 0..3 {
        world.insert((0..150).map(|at| world.message(ann, bob, part * 1_000 + at, part < 2))).await;
        let count = world.import().await;
        assert_eq!((count.imported, count.already_there), (150, part as u64 * 150));
        world.assert_whole().await;
    }
}

pub(super) async fn cut_anywhere_it_is_completed(world: World) {
    let people = crowd(&world, 1_500).await;
    // One conversation of many runs.
    talk(&world, &people[2..4], 1_500).await;
    let (mut cut, mut partly) = (0, 0);
    for _ in 0..12 {
        let app = world.app().await;
        let wait = Duration::from_millis(10 + SystemChance.bits() % 120);
        match timeout(wait, import::run(&app, world.store.clone(), |_| {})).await {
            Ok(done) => assert_eq!(done.unwrap().refused_conversations, 0),
            Err(_) => cut += 1,
        }
        let mut stored = 0;
        for (talk, _) in world.expected().await.0.values() {
            stored += world.messages(talk.id).await.len();
        }
        partly += usize::from(stored > 0 && stored < 3_000);
    }
    assert!(cut > 0, "none was cut: the waits are too long");
    let last = world.import().await;
    assert_eq!((last.imported + last.already_there, last.refused_conversations), (3_000, 0));
    world.assert_whole().await;
    eprintln!("{cut} of 12 runs were cut, {partly} times some messages were there");
}

pub(super) async fn two_at_once_are_as_one(world: World) {
    crowd(&world, 1_000).await;
    let (one, other) = (world.app().await, world.app().await);
    let (one, other) =
        tokio::join!(import::run(&one, world.store.clone(), |_| {}), import::run(&other, world.store.clone(), |_| {}));
    for count in [one.unwrap(), other.unwrap()] {
        assert_eq!((count.imported + count.already_there, count.refused_conversations), (1_000, 0), "{count}");
    }
    world.assert_whole().await;
}
