//! A long conversation: it is made if it is not there yet, read page by page, each page looked at, and somebody comes
//! back who missed the end of it.

use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use switchboard::model::{AsOf, ConversationId, Seq, UserId};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::archive::Archivist;
use super::groups::demand_native_door;
use super::reach;
use super::talk::Writer;
use crate::Fault;
use crate::chance::Dice;
use crate::client::{Address, Beginning, Client, Order};
use crate::frames::Page;
use crate::judge::{Device, Record};
use crate::latency::Span;
use crate::options::{Common, get};
use crate::report::Findings;
use crate::saying::Saying;
use crate::world::{World, get as now};

/// How long anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a page may take; then it is asked for again.
const PAGE_WAIT: Duration = Duration::from_secs(10);
/// Times that a page is asked for.
const ATTEMPTS_MAX: u32 = 20;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of text at which a server ends a page.
const PAGE_BYTES_MAX: usize = 128 * 1024;

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    messages: u64,
    rate: u64,
    writers: u64,
    pages: u64,
    page: u64,
    readers: u64,
    behind: u64,
}

/// The conversation.
#[derive(Debug, Clone)]
struct Talk {
    id: ConversationId,
    writer: UserId,
    other: UserId,
}

/// What somebody who read pages found.
#[derive(Debug, Default)]
struct Reading {
    pages: u64,
    wrong: Vec<String>,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        demand_native_door(common)?;
        Ok(Self {
            common: common.clone(),
            messages: get(matches, "messages").max(2),
            rate: get(matches, "rate").max(1),
            writers: get(matches, "writers").max(1),
            pages: get(matches, "pages"),
            page: get(matches, "page").clamp(1, 100),
            readers: get(matches, "readers").max(1),
            behind: get(matches, "behind"),
        })
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let (writer, other) = (world.people.named("writer")?, world.people.named("reader")?);
    let talk = Talk { id: ConversationId::direct(&writer, &other), writer, other };
    let (present, as_of) = length(&world, &talk).await?;
    let made = options.messages.saturating_sub(present);
    if made > 0 {
        let archivist = Archivist { writer: talk.writer.clone(), other: talk.other.clone() };
        archivist.make(&world, present, made, options.rate, options.writers).await?;
    }
    let last = present.max(options.messages);
    let began = Instant::now();
    let reading = read(options, &world, &talk, last).await?;
    let seconds = began.elapsed().as_secs_f64();
    let back = come_back(options, &world, &talk, last, as_of).await?;

    let mut findings = Findings::judged(world.witness.close()?);
    for wrong in reading.wrong.iter().take(5) {
        findings.demand(false, wrong.clone());
    }
    findings.demand(reading.pages == options.pages, format!("{} of {} pages were read", reading.pages, options.pages));
    findings
        .table
        .row("messages in the conversation", last)
        .row("made for this run", made)
        .row("pages read", reading.pages)
        .row("seconds for all pages", format!("{seconds:.1}"))
        .row(format!("**seconds to come back, {} messages behind**", options.behind), format!("{back:.2}"));
    findings.details = json!({ "messages": last, "made": made, "pages": reading.pages, "seconds_to_come_back": back });
    Ok(findings)
}

/// How long the conversation is, and what a client that was here now would know.
async fn length(world: &Arc<World>, talk: &Talk) -> Result<(u64, AsOf), Fault> {
    let probe = Client::start(world.clone(), Beginning::new(talk.other.clone(), 0));
    reach("connected", &world.counters.connected, 1, PATIENCE).await?;
    let page = ask(&probe, talk.id, None, 1).await;
    let as_of = probe.finish().await.as_of.ok_or("the node did not say what time it is")?;
    let last = page.and_then(|page| page.messages.last().map(|message| message.seq.0));
    Ok((last.unwrap_or(0), as_of))
}

async fn ask(client: &Client, talk: ConversationId, before: Option<Seq>, limit: u64) -> Option<Page> {
    let (to, page) = oneshot::channel();
    client.order(Order::History { talk, before, limit, to }).await;
    timeout(PAGE_WAIT, page).await.ok()?.ok()
}

/// Reads pages all over the conversation.
async fn read(options: &Options, world: &Arc<World>, talk: &Talk, last: u64) -> Result<Reading, Fault> {
    let mut readers = JoinSet::new();
    let already = now(&world.counters.connected);
    let mut clients = Vec::new();
    for number in 0..options.readers {
        let device = Device { user: talk.other.clone(), number: 2 + u32::try_from(number)? };
        clients.push(Client::start(world.clone(), Beginning::on(device, usize::try_from(number)?)));
    }
    reach("connected", &world.counters.connected, already + options.readers, PATIENCE).await?;
    for (client, number) in clients.into_iter().zip(0..) {
        let share = options.pages / options.readers + u64::from(number < options.pages % options.readers);
        let (world, talk, page) = (world.clone(), talk.clone(), options.page);
        let dice = options.common.dice(100 + number);
        readers.spawn(async move { read_some(&world, client, &talk, (share, page, last), dice).await });
    }
    let mut all = Reading::default();
    while let Some(one) = readers.join_next().await {
        let one = one?;
        all.pages += one.pages;
        all.wrong.extend(one.wrong);
    }
    Ok(all)
}

async fn read_some(
    world: &World,
    client: Client,
    talk: &Talk,
    (pages, limit, last): (u64, u64, u64),
    mut dice: Dice,
) -> Reading {
    let mut reading = Reading::default();
    for _ in 0..pages {
        let before = Seq(2 + dice.below(last));
        for _ in 0..ATTEMPTS_MAX {
            let began = Instant::now();
            if let Some(page) = ask(&client, talk.id, Some(before), limit).await {
                world.latencies.took(Span::Page, began);
                reading.pages += 1;
                reading.wrong.extend(look_at(&page, before, limit));
                break;
            }
            // It was refused for now, or the connection was lost.
            sleep(PAUSE).await;
        }
    }
    client.finish().await;
    reading
}

/// What is wrong with a page.
fn look_at(page: &Page, before: Seq, limit: u64) -> Option<String> {
    let places: Vec<u64> = page.messages.iter().map(|message| message.seq.0).collect();
    let Some((first, last)) = places.first().zip(places.last()) else {
        return Some(format!("nothing before {}", before.0));
    };
    let has_holes = places.windows(2).any(|pair| pair[1] != pair[0] + 1) || *last + 1 != before.0;
    let bytes: usize = page.messages.iter().map(|message| message.text.len()).sum();
    let is_short = (places.len() as u64) < limit.min(before.0 - 1) && bytes < PAGE_BYTES_MAX;
    let more_is_wrong = page.more != (*first > 1);
    if has_holes || is_short || more_is_wrong {
        let more = page.more;
        return Some(format!(
            "the page before {} has {first} to {last}, {} messages, more: {more}",
            before.0,
            places.len()
        ));
    }
    let spoilt =
        page.messages.iter().find(|message| Saying::read(&message.text).is_none_or(|said| said.sender != message.from));
    spoilt.map(|message| format!("message {} is not as it was written", message.seq.0))
}

/// Somebody who missed the last messages of the conversation comes back. Answers how many seconds it takes them.
async fn come_back(options: &Options, world: &Arc<World>, talk: &Talk, last: u64, as_of: AsOf) -> Result<f64, Fault> {
    let devices = vec![Device::first(talk.writer.clone()), Device::first(talk.other.clone())];
    world.witness.note(&Record::Room { conversation: talk.id, devices, echoes: false });
    let already = (now(&world.counters.connected), now(&world.counters.acked));
    let mut writer =
        Writer::going_on(Client::start(world.clone(), Beginning::new(talk.writer.clone(), 0)), talk.id, last);
    reach("connected", &world.counters.connected, already.0 + 1, PATIENCE).await?;
    let mut pace = crate::arrivals::Pace::even(options.rate);
    let mut dice = options.common.dice(5);
    let reader = Address::Person(talk.other.clone());
    for _ in 0..options.behind.min(u64::from(u32::MAX)) {
        let due = pace.wait().await;
        writer.write(world, &reader, due, (dice.bits(), 80)).await?;
    }
    reach("acknowledged", &world.counters.acked, already.1 + options.behind, PATIENCE).await?;
    writer.client.finish().await;

    let shown = now(&world.counters.shown);
    let began = Instant::now();
    let resume = Some((as_of, vec![(talk.id, Seq(last))]));
    // What it missed is not late: it was away.
    let late = Beginning { resume, is_slow: true, ..Beginning::new(talk.other.clone(), 1) };
    let client = Client::start(world.clone(), late);
    reach("shown to who came back", &world.counters.shown, shown + options.behind, PATIENCE).await?;
    world.latencies.took(Span::Back, began);
    let seconds = began.elapsed().as_secs_f64();
    client.finish().await;
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::Heard;

    fn page(places: std::ops::RangeInclusive<u64>, more: bool) -> Page {
        let sender: UserId = "ann".parse().unwrap();
        let message = |seq| Heard {
            conversation: ConversationId::from_bytes([1; 16]),
            seq: Seq(seq),
            from: sender.clone(),
            text: Saying { run: 0, sender: sender.clone(), number: seq, due_micros: 0, noise: 0 }.text(0),
            event: None,
        };
        Page { messages: places.map(message).collect(), more }
    }

    #[test]
    fn a_page_is_looked_at() {
        assert_eq!(look_at(&page(11..=20, true), Seq(21), 10), None);
        assert_eq!(look_at(&page(1..=5, false), Seq(6), 10), None, "there are no more");
        assert!(look_at(&page(11..=19, true), Seq(21), 10).is_some(), "the last one is missing");
        assert!(look_at(&page(12..=20, true), Seq(21), 10).is_some(), "one too few");
        assert!(look_at(&page(11..=20, false), Seq(21), 10).is_some(), "there are more");
        let mut holed = page(11..=20, true);
        holed.messages.remove(4);
        assert!(look_at(&holed, Seq(21), 9).is_some());
        let mut spoilt = page(11..=20, true);
        spoilt.messages[3].text.push('x');
        assert!(look_at(&spoilt, Seq(21), 10).unwrap().contains("message 14"));
    }
}
