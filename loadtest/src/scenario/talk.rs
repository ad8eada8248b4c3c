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

use crate::Fault;
use crate::arrivals::{Arrivals, Pace, Pattern};
use crate::chance::Dice;
use crate::client::{Client, Order, Outgoing};
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

/// All who write, and when.
pub(super) struct Chatter {
    pub(super) writers: Vec<Writer>,
    pace: Pace,
    due: Instant,
    sizes: Sizes,
    dice: Dice,
    answers: Option<Answers>,
}

/// Answers to what somebody was shown, after they thought about it.
pub(super) struct Answers {
    percent: u64,
    think: Sizes,
    heard: mpsc::Receiver<(Device, UserId)>,
    waiting: BinaryHeap<Reverse<(Instant, usize)>>,
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
        to: &UserId,
        due: Instant,
        (noise, bytes): (u64, usize),
    ) -> Result<(), Fault> {
        let user = self.client.user.clone();
        let talk = ConversationId::direct(&user, to);
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
    /// Who writes from now on; partners are neighbours in the list.
    pub(super) fn begin(writers: Vec<Writer>, manner: &Manner) -> Self {
        let Manner { rate, arrivals, sizes, dice } = manner.clone();
        let mut dice = dice;
        let mut pace = Pace::begin(Arrivals::new(rate, arrivals, Dice::new(dice.bits(), 0)));
        Self { writers, due: pace.next_due(), pace, sizes, dice, answers: None }
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
        usize::try_from(self.dice.below(self.writers.len() as u64)).unwrap_or(0)
    }

    /// Writes whatever is due next, when it is due.
    pub(super) async fn next(&mut self, world: &World) -> Result<(), Fault> {
        self.answer_until(world, self.due).await?;
        if self.due > Instant::now() {
            sleep_until(self.due).await;
        }
        let writer = self.somebody();
        self.write(world, writer, self.due).await?;
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
            let next = answers.waiting.peek().map(|Reverse(next)| *next).filter(|(due, _)| *due <= until);
            let wake = next.map_or(until, |(due, _)| due);
            tokio::select! {
                biased;
                heard = answers.heard.recv() => match heard {
                    Some(heard) => answers.consider(&heard, &mut self.dice),
                    None => self.answers = None,
                },
                () = sleep_until(wake) => {
                    let Some((due, writer)) = next else { return Ok(()) };
                    answers.waiting.pop();
                    self.write(world, writer, due).await?;
                }
            }
        }
        Ok(())
    }

    async fn write(&mut self, world: &World, writer: usize, due: Instant) -> Result<(), Fault> {
        let partner = self.writers[writer ^ 1].client.user.clone();
        let content = (self.dice.bits(), self.sizes.draw(&mut self.dice));
        self.writers[writer].write(world, &partner, due, content).await
    }
}

impl Answers {
    fn consider(&mut self, (device, _): &(Device, UserId), dice: &mut Dice) {
        let place = self.places.get(&device.user).filter(|_| device.number == 1);
        if let Some(place) = place
            && dice.below(100) < self.percent
        {
            let think = Duration::from_millis(self.think.draw(dice) as u64);
            self.waiting.push(Reverse((Instant::now() + think, *place)));
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
