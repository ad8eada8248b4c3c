//! People who write, each message at its own time, whatever became of those before.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;
use switchboard::model::{ConversationId, UserId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::talks::Talks;
use crate::Fault;
use crate::arrivals::{Arrivals, Pace, Pattern};
use crate::chance::Dice;
use crate::client::{Address, Client, Order, Outgoing};
use crate::judge::{Device, Record};
use crate::latency::Span;
use crate::options::{Common, get as number, read};
use crate::saying::Saying;
use crate::sizes::Sizes;
use crate::world::{World, get};

/// Messages that wait to be answered; beyond, they are not.
const HEARD_MAX: usize = 16 * 1024;
/// How often it is looked whether all is answered.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How people talk.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) rate: f64,
    arrivals: Pattern,
    sizes: Sizes,
    dice: Dice,
}

/// Somebody who writes: their client, and how many messages they wrote in each conversation.
pub(crate) struct Writer {
    pub(crate) client: Client,
    written: HashMap<ConversationId, u64>,
}

/// What is said, and the chance that decides whatever else must be decided.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    pub(super) dice: Dice,
    sizes: Sizes,
}

/// All who write, and when.
pub(super) struct Chatter {
    pub(super) writers: Vec<Writer>,
    talks: Talks,
    pace: Pace,
    due: Instant,
    contents: Contents,
    answers: Option<Answers>,
}

/// Answers to what somebody was shown, after they thought about it.
pub(super) struct Answers {
    percent: u64,
    think: Sizes,
    heard: mpsc::Receiver<(Device, UserId)>,
    /// When, who, and to whom.
    waiting: BinaryHeap<Reverse<(Instant, usize, usize)>>,
    /// Who is where in the list of writers.
    places: HashMap<UserId, usize>,
}

impl Manner {
    pub(super) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        Ok(Self {
            rate: common.shard.rate(number(matches, "rate").max(1)),
            arrivals: read(matches, "arrivals")?,
            sizes: read(matches, "size")?,
            dice: common.dice(1),
        })
    }

    /// How many messages are due in so long.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and small")]
    pub(super) fn due_in(&self, lasting: Duration) -> u64 {
        (self.rate * lasting.as_secs_f64()).ceil() as u64
    }

    /// When something is said, from now on, and what.
    pub(super) fn begin(&self) -> (Pace, Contents) {
        let Self { rate, arrivals, sizes, mut dice } = self.clone();
        let pace = Pace::begin(Arrivals::new(rate, arrivals, Dice::new(dice.bits(), 0)));
        (pace, Contents { dice, sizes })
    }
}

impl Contents {
    /// Noise, and a size in bytes.
    pub(super) fn next(&mut self) -> (u64, usize) {
        (self.dice.bits(), self.sizes.draw(&mut self.dice))
    }
}

impl Writer {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, written: HashMap::new() }
    }

    /// Somebody who wrote in a conversation before, up to this number.
    pub(crate) fn going_on(client: Client, talk: ConversationId, number: u64) -> Self {
        Self { client, written: HashMap::from([(talk, number)]) }
    }

    /// Writes the next message to `to`.
    pub(crate) async fn write(
        &mut self,
        world: &World,
        to: &Address,
        due: Instant,
        (noise, bytes): (u64, usize),
    ) -> Result<(), Fault> {
        let user = self.client.user.clone();
        let talk = to.talk(&user);
        let number = self.written.entry(talk).or_default();
        *number += 1;
        let (number, due_micros) = (*number, world.latencies.micros(due));
        let saying = Saying { run: world.run, sender: user.clone(), number, due_micros, noise };
        world.counters.ordered.fetch_add(1, Ordering::Relaxed);
        let at = world.latencies.micros(Instant::now());
        world.witness.note(&Record::Sent { conversation: talk, user, number, at });
        let send = Outgoing::new(to.clone(), talk, saying.key()?, saying.text(bytes), due_micros);
        self.client.order(Order::Send(send)).await;
        world.latencies.took(Span::Begun, due);
        Ok(())
    }
}

impl Chatter {
    /// Who writes from now on, and where.
    pub(super) fn begin(writers: Vec<Writer>, talks: Talks, manner: &Manner) -> Self {
        let (mut pace, contents) = manner.begin();
        Self { writers, talks, due: pace.next_due(), pace, contents, answers: None }
    }

    /// Of 100 messages, answers so many.
    pub(super) fn answer(&mut self, world: &World, percent: u64, think: Sizes) {
        let (listener, heard) = mpsc::channel(HEARD_MAX);
        if world.listener.set(listener).is_ok() {
            let users = self.writers.iter().map(|writer| writer.client.user.clone());
            let places = users.zip(0..).collect();
            self.answers = Some(Answers { percent, think, heard, waiting: BinaryHeap::new(), places });
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.pace.elapsed()
    }

    /// Somebody of them.
    pub(super) fn somebody(&mut self) -> usize {
        usize::try_from(self.contents.dice.below(self.writers.len() as u64)).unwrap_or(0)
    }

    /// Writes whatever is due next, when it is due.
    pub(super) async fn next(&mut self, world: &World) -> Result<(), Fault> {
        self.answer_until(world, self.due).await?;
        if self.due > Instant::now() {
            sleep_until(self.due).await;
        }
        let (writer, partner) = self.talks.next(&mut self.contents.dice);
        self.write(world, writer, partner, self.due).await?;
        self.due = self.pace.next_due();
        Ok(())
    }

    /// Writes the answers to what is still on its way or thought about, as long as something happens: each message is
    /// shown so many times.
    pub(super) async fn finish(&mut self, world: &World, times: u64, patience: Duration) -> Result<(), Fault> {
        let (mut highest, mut moved) = (0, Instant::now());
        while let Some(answers) = &self.answers {
            let (shown, sent) = (get(&world.counters.shown), get(&world.counters.ordered));
            if answers.waiting.is_empty() && answers.heard.is_empty() && shown >= sent * times {
                break;
            }
            if shown + sent > highest {
                (highest, moved) = (shown + sent, Instant::now());
            }
            if moved.elapsed() > patience {
                break;
            }
            self.answer_until(world, Instant::now() + LOOK_AGAIN).await?;
        }
        Ok(())
    }

    /// Writes the answers that are due before something else is.
    async fn answer_until(&mut self, world: &World, until: Instant) -> Result<(), Fault> {
        while let Some(answers) = &mut self.answers {
            let next = answers.waiting.peek().map(|Reverse(next)| *next).filter(|(due, ..)| *due <= until);
            let wake = next.map_or(until, |(due, ..)| due);
            tokio::select! {
                biased;
                heard = answers.heard.recv() => match heard {
                    Some(heard) => answers.consider(&heard, &mut self.contents.dice),
                    None => self.answers = None,
                },
                () = sleep_until(wake) => {
                    let Some((due, writer, partner)) = next else { return Ok(()) };
                    answers.waiting.pop();
                    self.write(world, writer, partner, due).await?;
                }
            }
        }
        Ok(())
    }

    async fn write(&mut self, world: &World, writer: usize, partner: usize, due: Instant) -> Result<(), Fault> {
        let partner = Address::Person(self.writers[partner].client.user.clone());
        let content = self.contents.next();
        self.writers[writer].write(world, &partner, due, content).await
    }
}

impl Answers {
    fn consider(&mut self, (device, from): &(Device, UserId), dice: &mut Dice) {
        let place = self.places.get(&device.user).filter(|_| device.number == 1);
        if let Some((place, partner)) = place.zip(self.places.get(from))
            && dice.below(100) < self.percent
        {
            let think = Duration::from_millis(self.think.draw(dice) as u64);
            self.waiting.push(Reverse((Instant::now() + think, *place, *partner)));
        }
    }
}

/// Goes on until it is stopped; hands back who wrote.
pub(super) fn chat_until(
    stop: tokio_util::sync::CancellationToken,
    world: Arc<World>,
    mut chatter: Chatter,
) -> tokio::task::JoinHandle<Result<Vec<Writer>, Fault>> {
    tokio::spawn(async move {
        loop {
            match stop.run_until_cancelled(chatter.next(&world)).await {
                None => return Ok(chatter.writers),
                Some(Err(fault)) => return Err(fault),
                Some(Ok(())) => {}
            }
        }
    })
}
