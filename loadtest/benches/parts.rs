//! What the parts of a delivery cost: encodings, what an outbox decides about a message, and a message on its way from
//! the bus to many sessions of a node.

#![expect(clippy::expect_used, reason = "a measurement ends where it cannot be made")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use switchboard::bus::local::LocalHub;
use switchboard::bus::{Bus, Hints, Nodes};
use switchboard::delivery::{Delivery, Item, Ports, Seat, Start};
use switchboard::model::{
    AsOf, ClientKey, Clock, ConversationId, Identity, Message, MessageId, NodeId, Role, Seq, StoreTime, SystemChance,
    SystemClock, Timestamp, UserId,
};
use switchboard::presence::local::LocalWorld;
use switchboard::store::embedded::EmbeddedStore;
use switchboard::store::{Memberships, StandingCache, Store, StoreClock};
use switchboard::telemetry::{Traces, Trail};
use switchboard::wire::envelope::Envelope;
use switchboard::wire::{ClientFrame, Encoding, Form, Sealer, ServerFrame};
use tokio::runtime::Runtime;

/// Sessions of a node that are shown the same message.
const SESSIONS: [u64; 3] = [1, 100, 1_000];

const TEXT: &str = "A text of eighty bytes or so, which is as long as most of what people write here.";

fn message(seq: u64) -> Message {
    Message {
        conversation: ConversationId::from_bytes([7; 16]),
        seq: Seq(seq),
        id: MessageId::from_bytes([7; 12]),
        sender: "somebody-0123".parse().expect("a user id"),
        key: format!("{seq}-0123abcd").parse().expect("a key"),
        at: Timestamp(1_790_000_000_000),
        text: TEXT.to_owned(),
        event: None,
    }
}

/// What a client sends, and what a socket is shown.
fn codecs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codecs");
    let shown = ServerFrame::Message(Arc::new(message(1_000)));
    let (to, key): (UserId, ClientKey) = ("somebody-0124".parse().expect("a user"), "k-1".parse().expect("a key"));
    let said = serde_json::json!({ "type": "send", "to": to, "key": key, "text": TEXT });
    for encoding in Encoding::ALL {
        let name = encoding.subprotocol();
        let sent = encoding.encode(&said);
        assert!(encoding.decode::<ClientFrame>(&sent).is_ok(), "it is a frame of this encoding");
        group
            .bench_function(BenchmarkId::new("encode a message", name), |bench| bench.iter(|| encoding.encode(&shown)));
        group.bench_function(BenchmarkId::new("decode a send", name), |bench| {
            bench.iter(|| encoding.decode::<ClientFrame>(&sent));
        });
    }
    let envelope = Envelope::Message { message: Arc::new(message(1_000)), predecessor: None, group: false };
    let published = envelope.encode();
    group.bench_function("encode for the bus", |bench| bench.iter(|| envelope.encode()));
    group.bench_function("decode from the bus", |bench| bench.iter(|| Envelope::decode(&published)));
    group.finish();
}

/// A node's delivery, with sessions of as many users who have seen the first message of one conversation.
struct World {
    bus: Arc<dyn Bus>,
    users: Vec<UserId>,
    seats: Vec<Seat>,
    seq: u64,
    _delivery: Delivery,
    _directory: tempfile::TempDir,
}

impl World {
    async fn of(sessions: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = EmbeddedStore::open(directory.path(), clock.clone(), &SystemChance).expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let (bus, events) = LocalHub::default().join();
        let bus: Arc<dyn Bus> = Arc::new(bus);
        let (presence, comings) = LocalWorld::default().join(Duration::from_secs(5), clock.clone());
        let ports = Ports {
            store: store.clone(),
            store_clock: Arc::new(StoreClock::set_by(&*store).await.expect("the store's time")),
            memberships: Arc::new(Memberships::new(store.clone())),
            standings: Arc::new(StandingCache::new(store.clone())),
            bus: bus.clone(),
            hints: Hints::new(Sealer::new("secret", store.generation())),
            presence: Arc::new(presence),
            traces: Traces::off(),
            trail: Arc::new(Trail::new(Duration::ZERO, clock.clone())),
            nodes: Arc::new(Nodes::new(NodeId(1), None)),
            clock,
        };
        let delivery = Delivery::start(ports, events, comings);
        let (mut users, mut seats) = (Vec::new(), Vec::new());
        for number in 0..sessions {
            let who = identity(number);
            let as_of = AsOf { generation: store.generation(), at: StoreTime(0) };
            let seat = delivery.join(&who, as_of, StoreTime(u64::MAX)).await;
            let conversation = message(1).conversation;
            seat.outbox().start_from([Start { conversation, shown: Seq(1), wanted: Seq(1), group: false }]);
            seat.outbox().open(ServerFrame::Resumed { continued: 0 });
            while seat.outbox().pop().is_some() {}
            users.push(who.user);
            seats.push(seat);
        }
        Self { bus, users, seats, seq: 1, _delivery: delivery, _directory: directory }
    }

    fn next(&mut self) -> Message {
        self.seq += 1;
        message(self.seq)
    }

    /// A message is published to everybody, and taken by every session in the form of its socket.
    async fn show_to_all(&mut self) {
        let envelope = Envelope::Message { message: Arc::new(self.next()), predecessor: None, group: false };
        let payload = envelope.encode();
        for user in &self.users {
            self.bus.publish(user, payload.clone()).await;
        }
        for seat in &self.seats {
            while !seat.outbox().has_frames() {
                tokio::task::yield_now().await;
            }
            let item = seat.outbox().pop();
            assert!(written(item).is_some(), "it is the message");
        }
    }
}

fn identity(number: u64) -> Identity {
    Identity {
        user: format!("reader-{number}").parse().expect("a user id"),
        role: Role::User,
        name: None,
        email: None,
        token_id: None,
        issued: None,
        expires: Timestamp(u64::MAX),
    }
}

fn written(item: Option<Item>) -> Option<Bytes> {
    let Some(Item::Message(shared)) = item else { return None };
    Some(shared.in_form(Form::Json, |message| Encoding::Json.encode(&ServerFrame::Message(message.clone()))))
}

/// The decision about a message that one wrote oneself: the same as about one from the bus.
fn offer(criterion: &mut Criterion, runtime: &Runtime) {
    let mut world = runtime.block_on(World::of(1));
    let outbox = world.seats[0].outbox().clone();
    criterion.bench_function("offer to an outbox and take", |bench| {
        bench.iter_batched(
            || Arc::new(world.next()),
            |message| {
                outbox.sent(message, None, false);
                assert!(outbox.pop().is_some(), "it is the next one");
            },
            BatchSize::PerIteration,
        );
    });
}

fn fan_out(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("from the bus to all sessions");
    for sessions in SESSIONS {
        let mut world = runtime.block_on(World::of(sessions));
        group.throughput(Throughput::Elements(sessions));
        group.bench_function(BenchmarkId::from_parameter(sessions), |bench| {
            bench.iter(|| runtime.block_on(world.show_to_all()));
        });
    }
    group.finish();
}

fn delivery(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    offer(criterion, &runtime);
    fan_out(criterion, &runtime);
}

criterion_group! {
    name = parts;
    config = Criterion::default().measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_secs(1));
    targets = codecs, delivery
}
criterion_main!(parts);
