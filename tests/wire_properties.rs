//! Whatever bytes come – from a client, or from the bus – decoding ends, in time and memory that the bytes could pay
//! for, in a value or in an error; and what is encoded means the same in both encodings.
//!
//! [`fuzz`] is a fuzzer on the stable toolchain: it changes good frames at random. It runs for a second or so with every
//! change; `scripts/long/fuzz` gives it a seed and minutes.

#![expect(clippy::unwrap_used, reason = "what a test makes itself is as it made it, or the test has failed")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use switchboard::model::limits::{
    ARGUMENTS_MAX, ATTACHMENTS_MAX, CLIENT_KEY_BYTES_MAX, FRAME_BYTES_MAX, USER_ID_BYTES_MAX,
};
use switchboard::model::{
    AsOf, Assignment, ClientKey, Code, ConversationId, Cursor, Event, Generation, Kind, Message, MessageId, Policy,
    Post, Presence, Preview, Role, Seen, Seq, StoreTime, TalkState, Timestamp, UserId,
};
use switchboard::wire::envelope::{Envelope, EnvelopeError};
use switchboard::wire::server::{Assigned, Fault, Member, Row, Sent, Truth};
use switchboard::wire::{ClientFrame, Encoding, ServerFrame, engineio, relay, socketio};

/// What every decoder must bear. An envelope that is understood is also written back the same.
fn decode_all(bytes: &[u8]) {
    for encoding in Encoding::ALL {
        if let Err(error) = encoding.decode::<ClientFrame>(bytes) {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 300, "{text}");
        }
    }
    if let Ok(envelope) = Envelope::decode(bytes) {
        assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
    }
    if let Ok(frame) = relay::Frame::decode(bytes, FRAME_BYTES_MAX) {
        let again = frame.encode().map(|bytes| relay::Frame::decode(&bytes, FRAME_BYTES_MAX));
        assert_eq!(again, Some(Ok(frame)));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        decode_text(text);
        decode_packets(text);
    }
}

fn decode_packets(text: &str) {
    let _ = (engineio::Packet::decode(text), engineio::Query::parse(text), engineio::payload::decode(text));
    if let Ok(sid) = text.parse::<engineio::Sid>() {
        assert_eq!(sid.to_string(), text);
    }
    if let Ok(packet) = socketio::Packet::decode(text) {
        assert!(packet.attachments <= ATTACHMENTS_MAX && packet.namespace.starts_with('/'));
        let arguments: Vec<&str> = packet.arguments().into_iter().flat_map(|arguments| arguments.iter()).collect();
        assert!(arguments.len() <= ARGUMENTS_MAX);
        for argument in arguments {
            assert!(serde_json::from_str::<IgnoredAny>(argument).is_ok(), "{argument}");
        }
    }
}

fn decode_text(text: &str) {
    if let Ok(as_of) = text.parse::<AsOf>() {
        assert_eq!(as_of.to_string().parse(), Ok(as_of));
    }
    if let Ok(user) = text.parse::<UserId>() {
        assert!(user.as_str() == text && text.len() <= USER_ID_BYTES_MAX);
    }
    if let Ok(key) = text.parse::<ClientKey>() {
        assert!(key.as_str() == text && text.len() <= CLIENT_KEY_BYTES_MAX);
    }
    let _ = (text.parse::<ConversationId>(), text.parse::<MessageId>());
}

// What frames are made of.

fn user() -> impl Strategy<Value = UserId> {
    "[A-Za-z0-9_.@|:+-]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn key() -> impl Strategy<Value = ClientKey> {
    "[!-~]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn conversation() -> impl Strategy<Value = ConversationId> {
    any::<[u8; 16]>().prop_map(ConversationId::from_bytes)
}

fn message_id() -> impl Strategy<Value = MessageId> {
    any::<[u8; 12]>().prop_map(MessageId::from_bytes)
}

fn seq() -> impl Strategy<Value = Seq> {
    any::<u64>().prop_map(Seq)
}

fn as_of() -> impl Strategy<Value = AsOf> {
    (any::<u64>(), any::<u64>())
        .prop_map(|(generation, at)| AsOf { generation: Generation(generation), at: StoreTime(at) })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,80}", "[\\x00-\\x1f\"\\\\]{0,20}", Just("\u{10FFFF}".repeat(30))]
}

fn event() -> impl Strategy<Value = Event> {
    (0..7, user(), text()).prop_map(|(kind, user, name)| match kind {
        0 => Event::Created { name },
        1 => Event::Named { name },
        2 => Event::Added { user },
        3 => Event::Removed { user },
        4 => Event::Left { user },
        5 => Event::Role { user, role: Post::Owner },
        _ => Event::Role { user, role: Post::Member },
    })
}

prop_compose! {
    fn message()(
        conversation in conversation(), seq in seq(), id in message_id(), sender in user(), key in key(),
        at in any::<u64>(), text in text(), event in proptest::option::of(event()),
    ) -> Message {
        Message { conversation, seq, id, sender, key, at: Timestamp(at), text, event }
    }
}

prop_compose! {
    fn cursor()(user in user(), read in seq(), delivered in seq()) -> Cursor {
        Cursor { user, read, delivered }
    }
}

prop_compose! {
    fn presence()(online in any::<bool>(), at in proptest::option::of(any::<u64>())) -> Presence {
        Presence { online, last_seen: at.map(Timestamp).filter(|_| !online) }
    }
}

prop_compose! {
    fn row()(
        conversation in conversation(), last in proptest::option::of(message()), unread in any::<u64>(),
        members in proptest::collection::vec((user(), text(), any::<bool>(), presence()), 0..3),
        name in proptest::option::of(text()), history in proptest::option::of(any::<bool>()),
    ) -> Row {
        let member_count = members.len();
        let (read, delivered) = (Seq(unread / 2), Seq(unread));
        let member = |(user, name, owns, presence): (_, _, bool, _)| {
            let role = owns.then_some(Post::Owner);
            Member { user, name, role, read, delivered, presence }
        };
        let members = members.into_iter().map(member).collect();
        let last = last.as_ref().map(Preview::of);
        let last_seq = last.as_ref().map_or(Seq::ZERO, |last| last.seq);
        let assignment = (unread % 2 == 0).then(|| Assigned::of(Assignment::default(), true));
        Row { conversation, kind: Kind::Group, name, history, member_count, members, last_seq, last, unread, assignment }
    }
}

/// Everything that some server frame holds.
#[derive(Debug)]
struct Ingredients {
    user: UserId,
    key: Option<ClientKey>,
    conversation: Option<ConversationId>,
    message: Message,
    messages: Vec<Message>,
    rows: Vec<Row>,
    row: Row,
    cursor: Cursor,
    as_of: AsOf,
    number: u64,
    text: Option<String>,
    flag: bool,
    code: usize,
}

prop_compose! {
    fn ingredients()(
        (user, key, conversation) in (user(), proptest::option::of(key()), proptest::option::of(conversation())),
        message in message(), messages in proptest::collection::vec(message(), 0..3),
        (rows, row) in (proptest::collection::vec(row(), 0..3), row()), cursor in cursor(), as_of in as_of(),
        (number, flag, code) in (any::<u64>(), any::<bool>(), 0..Code::ALL.len()), text in proptest::option::of(text()),
    ) -> Ingredients {
        Ingredients { user, key, conversation, message, messages, rows, row, cursor, as_of, number, text, flag, code }
    }
}

impl Ingredients {
    /// One frame of every kind.
    fn frames(&self) -> Vec<ServerFrame> {
        let Message { conversation, at, .. } = self.message;
        let message = Arc::new(self.message.clone());
        let seen = |member: &Member| Seen { user: member.user.clone(), presence: member.presence };
        let frames = vec![
            ServerFrame::Welcome {
                user: self.user.clone(),
                role: Role::Admin,
                as_of: self.as_of,
                expires: at,
                policy: Policy::Open,
            },
            ServerFrame::Resumed { continued: self.messages.len() },
            ServerFrame::Sent(Sent { message: message.clone(), shown: self.flag }),
            ServerFrame::Message(message),
            ServerFrame::Receipt { conversation, cursor: self.cursor.clone() },
            ServerFrame::Typing { conversation, user: self.user.clone(), active: self.flag, expires_ms: self.number },
            ServerFrame::History { conversation, messages: self.messages.clone(), more: self.flag },
            ServerFrame::Conversations { conversations: self.rows.clone(), next: self.text.clone() },
            ServerFrame::Conversation(Box::new(self.row.clone())),
            ServerFrame::Assignment { conversation, assignment: self.assigned() },
            ServerFrame::Inbox { conversations: self.rows.clone(), next: self.text.clone() },
            ServerFrame::Receipts { conversation, cursors: vec![self.cursor.clone()] },
            ServerFrame::Unread {
                total: self.number,
                more: self.flag,
                conversations: self.conversation.map(|id| (id, self.number)).into_iter().collect(),
            },
            ServerFrame::Presence { users: self.rows.iter().flat_map(|row| &row.members).map(seen).collect() },
            ServerFrame::Appeared { offline: self.flag },
            ServerFrame::Refreshed { expires: at },
            ServerFrame::Error(Fault {
                code: Code::ALL[self.code],
                message: self.message.text.clone(),
                key: self.key.clone(),
                conversation: self.conversation,
                retry_after_ms: self.flag.then_some(self.number),
                truth: self
                    .text
                    .is_some()
                    .then(|| Truth::Messages { messages: self.messages.clone(), more: self.flag }),
            }),
            ServerFrame::Blocked { user: self.user.clone(), active: self.flag },
            ServerFrame::Blocks { users: vec![self.user.clone()] },
            ServerFrame::Banned { user: self.user.clone(), active: self.flag },
            ServerFrame::Person { user: self.user.clone(), name: self.message.text.clone() },
            ServerFrame::Reconnect { after_ms: self.number },
            ServerFrame::Pong { as_of: self.as_of },
        ];
        // A new kind of frame does not compile here until it is in the list above.
        for frame in &frames {
            match frame {
                ServerFrame::Welcome { .. }
                | ServerFrame::Resumed { .. }
                | ServerFrame::Sent(_)
                | ServerFrame::Message(_)
                | ServerFrame::Receipt { .. }
                | ServerFrame::Typing { .. }
                | ServerFrame::History { .. }
                | ServerFrame::Conversations { .. }
                | ServerFrame::Conversation(_)
                | ServerFrame::Assignment { .. }
                | ServerFrame::Inbox { .. }
                | ServerFrame::Receipts { .. }
                | ServerFrame::Unread { .. }
                | ServerFrame::Presence { .. }
                | ServerFrame::Appeared { .. }
                | ServerFrame::Refreshed { .. }
                | ServerFrame::Blocked { .. }
                | ServerFrame::Blocks { .. }
                | ServerFrame::Banned { .. }
                | ServerFrame::Person { .. }
                | ServerFrame::Error(_)
                | ServerFrame::Reconnect { .. }
                | ServerFrame::Pong { .. } => {}
            }
        }
        frames
    }

    fn assigned(&self) -> Assigned {
        let agent = if self.flag { Ok(self.user.clone()) } else { Err(TalkState::Closed) };
        Assigned::of(Assignment::default().changed(agent, &self.user, self.message.at), self.number.is_multiple_of(2))
    }

    /// One good client frame of every kind, as a value.
    fn client_frames(&self) -> Vec<Value> {
        let Message { conversation, seq, key, text, .. } = &self.message;
        let cursors = json!({ conversation.to_string(): seq });
        vec![
            json!({ "type": "hello", "token": text }),
            json!({ "type": "hello", "token": text, "resume": { "as_of": self.as_of, "cursors": cursors } }),
            json!({ "type": "resume", "cursors": cursors }),
            json!({ "type": "send", "to": self.user, "key": key, "text": text }),
            json!({ "type": "send", "to": self.user, "for_team": self.flag, "key": key, "text": text }),
            json!({ "type": "send", "to": null, "conversation": conversation, "key": key, "text": text }),
            json!({ "type": "send", "conversation": conversation, "key": key, "text": text, "head": seq }),
            json!({ "type": "read", "conversation": conversation, "seq": seq }),
            json!({ "type": "delivered", "conversation": conversation, "seq": seq, "colour": [self.text] }),
            json!({ "type": "read", "conversation": conversation }),
            json!({ "type": "typing", "conversation": conversation, "active": self.flag }),
            json!({ "type": "typing", "to": self.user, "active": self.flag }),
            json!({ "type": "history", "conversation": conversation, "before": seq, "limit": 7 }),
            json!({ "type": "conversations", "behind": self.text }),
            json!({ "type": "conversation", "conversation": conversation }),
            json!({ "type": "group", "key": key, "action": "create", "name": text, "members": [self.user] }),
            json!({ "type": "group", "key": key, "action": "create", "name": text, "history": self.flag }),
            json!({ "type": "group", "key": key, "action": "name", "conversation": conversation, "name": text }),
            json!({ "type": "group", "key": key, "action": "add", "conversation": conversation, "user": self.user }),
            json!({ "type": "group", "key": key, "action": "remove", "conversation": conversation, "user": self.user }),
            json!({ "type": "group", "key": key, "action": "leave", "conversation": conversation }),
            json!({
                "type": "group", "key": key, "action": "role", "conversation": conversation, "user": self.user,
                "role": "owner",
            }),
            json!({ "type": "claim", "conversation": conversation, "action": "pass", "to": self.user }),
            json!({ "type": "claim", "conversation": conversation, "action": "claim", "from": self.user }),
            json!({ "type": "inbox", "filter": "mine", "behind": self.text }),
            json!({ "type": "inbox" }),
            json!({ "type": "receipts", "conversation": conversation }),
            json!({ "type": "unread" }),
            json!({ "type": "watch", "users": [self.user, self.user] }),
            json!({ "type": "appear", "offline": self.flag }),
            json!({ "type": "refresh", "token": text }),
            json!({ "type": "block", "user": self.user, "active": self.flag }),
            json!({ "type": "blocks" }),
            json!({ "type": "ban", "user": self.user, "active": self.flag, "reason": self.text }),
            json!({ "type": "find", "user": self.user }),
            json!({ "type": "find", "email": self.text }),
            json!({ "type": "ping" }),
        ]
    }

    /// Good bytes of every kind, to begin with.
    fn corpus(&self) -> Vec<Vec<u8>> {
        let json = self.client_frames().into_iter().map(|frame| frame.to_string().into_bytes());
        let msgpack = self.client_frames().into_iter().map(|frame| rmp_serde::to_vec_named(&frame).unwrap());
        let predecessor = Some(StoreTime(1));
        let message = Envelope::Message { message: self.message.clone().into(), predecessor, group: self.flag };
        let receipt = Envelope::Receipt { conversation: self.message.conversation, cursor: self.cursor.clone() };
        let presence = Envelope::Presence { users: vec![self.user.clone()] };
        let packets = [
            r#"0/custom?a=b,{"token":"x"}"#,
            r#"2["message",1,"2",{"3":[true,null]}]"#,
            r#"52-/custom,789["message",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]"#,
            "461-12[]",
            "4hello\u{1e}bAQIDBA==\u{1e}3\u{1e}5",
            "EIO=4&transport=polling&sid=0123456789abcdef0123456789abcdef0123456789abcdef&t=x",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
        ];
        let asked =
            relay::Frame::Reply { id: 1, reply: relay::Reply::Done { payload: "2".into(), is_authenticated: true } };
        let relayed = asked.encode().map(|bytes| bytes.to_vec());
        let assignment = Envelope::Assignment {
            conversation: self.message.conversation,
            assignment: Assignment::default().changed(Ok(self.user.clone()), &self.user, self.message.at),
        };
        let announced = [message, receipt, assignment, presence].map(|envelope| envelope.encode().to_vec());
        json.chain(msgpack).chain(announced).chain(packets.map(Vec::from)).chain(relayed).collect()
    }
}

proptest! {
    #[test]
    fn no_bytes_harm_a_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        decode_all(&bytes);
    }

    #[test]
    fn no_text_harms_a_decoder(text in "\\PC{0,200}") {
        decode_all(text.as_bytes());
        decode_text(&text);
    }

    #[test]
    fn a_server_frame_means_the_same_in_both_encodings(ingredients in ingredients()) {
        for frame in ingredients.frames() {
            let json: Value = serde_json::from_slice(&Encoding::Json.encode(&frame)).unwrap();
            let msgpack: Value = rmp_serde::from_slice(&Encoding::Msgpack.encode(&frame)).unwrap();
            prop_assert_eq!(&json, &msgpack);
            prop_assert!(json["type"].is_string());
        }
    }

    #[test]
    fn a_client_frame_means_the_same_in_both_encodings(ingredients in ingredients()) {
        for frame in ingredients.client_frames() {
            let json: ClientFrame = Encoding::Json.decode(frame.to_string().as_bytes()).unwrap();
            let msgpack: ClientFrame = Encoding::Msgpack.decode(&rmp_serde::to_vec_named(&frame).unwrap()).unwrap();
            prop_assert_eq!(json, msgpack);
        }
    }

    #[test]
    fn an_envelope_survives_the_bus(
        message in message(), cursor in cursor(), predecessor in any::<Option<u64>>(), group in any::<bool>(),
    ) {
        let conversation = message.conversation;
        let predecessor = predecessor.map(StoreTime);
        let message = Envelope::Message { message: message.into(), predecessor, group };
        let typing = Envelope::Typing { conversation, user: cursor.user.clone(), active: true };
        let receipt = Envelope::Receipt { conversation, cursor };
        for envelope in [message, receipt, typing] {
            let bytes = envelope.encode();
            prop_assert_eq!(Envelope::decode(&bytes), Ok(envelope));
            for end in 0..bytes.len() {
                prop_assert!(Envelope::decode(&bytes[..end]).is_err(), "cut at {}", end);
            }
        }
    }
}

/// What nodes of before wrote and read: a message that is none of a group's has the very same bytes.
#[test]
fn a_message_without_an_event_travels_as_it_always_did() {
    let message = sample().message;
    let before = (
        "m",
        (
            (
                message.conversation,
                message.seq,
                message.id,
                message.sender.clone(),
                message.key.clone(),
                message.at,
                message.text.clone(),
            ),
            Some(StoreTime(1)),
        ),
    );
    let mut expected = vec![1];
    rmp_serde::encode::write(&mut expected, &std::collections::BTreeMap::from([(before.0, before.1)])).unwrap();
    let envelope = Envelope::Message { message: message.into(), predecessor: Some(StoreTime(1)), group: false };
    assert_eq!(envelope.encode(), expected);
    assert_eq!(Envelope::decode(&expected), Ok(envelope));
}

#[test]
fn an_envelope_of_another_version_is_told_apart() {
    assert_eq!(Envelope::decode(&[2, 0x80]), Err(EnvelopeError::Version(2)));
    assert_eq!(Envelope::decode(&[1, 0x80]), Err(EnvelopeError::Malformed));
    assert_eq!(Envelope::decode(&[]), Err(EnvelopeError::Malformed));
}

#[test]
fn a_field_that_comes_twice_is_no_frame() {
    let talk = "0".repeat(32);
    for frame in [
        r#"{"type":"ping","type":"ping"}"#.to_owned(),
        r#"{"type":"refresh","token":"a","token":"b"}"#.to_owned(),
        format!(r#"{{"type":"read","conversation":"{talk}","seq":1,"seq":2}}"#),
        r#"{"type":"send","to":"bob","to":"eve","key":"1","text":"x"}"#.to_owned(),
    ] {
        assert!(Encoding::Json.decode::<ClientFrame>(frame.as_bytes()).is_err(), "{frame}");
    }
    let twice = b"\x83\xa4type\xa7refresh\xa5token\xa1a\xa5token\xa1b";
    assert!(Encoding::Msgpack.decode::<ClientFrame>(twice).is_err());
}

#[test]
fn bytes_behind_a_frame_are_no_frame() {
    assert!(Encoding::Json.decode::<ClientFrame>(br#"{"type":"ping"} {"type":"ping"}"#).is_err());
    assert!(Encoding::Msgpack.decode::<ClientFrame>(b"\x81\xa4type\xa4ping\xc0").is_err());
}

/// Values that are small and claim to be large, or nest as deep as a frame allows.
fn bombs() -> Vec<Vec<u8>> {
    let mut bombs: Vec<Vec<u8>> = ["[", "{\"a\":", "{\"type\":\"ping\",\"x\":[", "[[[[{\"\":"]
        .into_iter()
        .map(|piece| piece.repeat(FRAME_BYTES_MAX / piece.len()).into_bytes())
        .collect();
    // Nested arrays, maps and extensions.
    for piece in [&b"\x91"[..], b"\x81\xa1x", b"\x81\xa4type", b"\xdc\x00\x01", b"\xde\x00\x01\xa1x", b"\xc7\x01\x05"] {
        bombs.push(piece.repeat(FRAME_BYTES_MAX / piece.len()));
    }
    // Arrays, maps, strings, bytes and extensions that claim four thousand million of something.
    for marker in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
        let huge = [&[marker][..], &[0xff; 4], &[5]].concat();
        bombs.push(huge.clone());
        bombs.push([b"\x82\xa4type\xa6resume\xa7cursors", &huge[..]].concat());
        bombs.push([b"\x82\xa4type\xa7refresh\xa5token", &huge[..]].concat());
        bombs.push([b"\x82\xa4type\xa4ping\xa1x", &huge[..]].concat());
        // The same, nested: each level reserves room for itself.
        bombs.push([b"\x82\xa4type\xa4ping\xa1x", &huge[..5].repeat(1_000)[..]].concat());
    }
    // Many small things instead of a large one.
    bombs.push([b"\x82\xa4type\xa4ping\xa1x\xdc\xff\x00".to_vec(), vec![0x90; 0xff00]].concat());
    bombs.push(format!(r#"{{"type":"ping","x":[{}]}}"#, vec!["[]"; 20_000].join(",")).into_bytes());
    bombs.push(format!(r#"{{"type":"refresh","token":"{}"}}"#, "\\u0000".repeat(10_000)).into_bytes());
    bombs.push(format!(r#"{{"type":"read","seq":{}}}"#, "9".repeat(60_000)).into_bytes());
    bombs.push(format!(r#"{{"type":"read","seq":1e{}}}"#, "9".repeat(60_000)).into_bytes());
    bombs
}

#[test]
fn bombs_do_not_go_off() {
    let before = resident_high_water_kib();
    for (number, bomb) in bombs().into_iter().enumerate() {
        let began = Instant::now();
        decode_all(&bomb);
        decode_all(&[&[1], &bomb[..]].concat());
        assert!(began.elapsed() < Duration::from_secs(30), "bomb {number} took {:?}", began.elapsed());
    }
    let grown = resident_high_water_kib() - before;
    assert!(grown < 64 * 1024, "the bombs took {grown} KiB");
}

/// The most memory that this process ever held.
fn resident_high_water_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Random numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound.max(1) as u64).unwrap()
    }
}

/// Bytes that mean something to one of the decoders.
const SPICE: [&[u8]; 14] = [
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc1",
    b"\xc0",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x91",
    b"\"",
    b"\\ud800",
    b"}",
    b"[",
    b"\xff",
    b"null",
    b"1e999",
    b"\"type\":\"hello\",",
];

/// One change to good bytes: cut, doubled, mixed with others, or damaged.
fn change(dice: &mut Dice, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = dice.below(bytes.len() + 1);
    match dice.below(7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..bytes.len().min(at + dice.below(8)))),
        2 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        3 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
        4 => {
            let other = &others[dice.below(others.len())];
            let from = dice.below(other.len());
            bytes.splice(at..at, other[from..other.len().min(from + dice.below(64))].iter().copied());
        }
        5 => {
            let piece = bytes[at..bytes.len().min(at + dice.below(32))].to_vec();
            bytes.splice(at..at, piece.repeat(1 + dice.below(4)));
        }
        _ => drop(bytes.splice(at..at, SPICE[dice.below(SPICE.len())].iter().copied())),
    }
    bytes.truncate(FRAME_BYTES_MAX);
}

#[expect(clippy::disallowed_methods, reason = "a long run says how long, and from which seed")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn fuzz() {
    const INPUTS_AT_LEAST: u64 = 100_000;
    let seed = setting("SWITCHBOARD_FUZZ_SEED").unwrap_or(1);
    let budget = Duration::from_secs(setting("SWITCHBOARD_FUZZ_SECONDS").unwrap_or(0));
    let corpus = sample().corpus();
    let (mut dice, mut inputs, mut understood) = (Dice(seed), 0_u64, 0_u64);
    let began = Instant::now();
    while inputs < INPUTS_AT_LEAST || began.elapsed() < budget {
        let mut bytes = corpus[dice.below(corpus.len())].clone();
        for _ in 0..=dice.below(4) {
            change(&mut dice, &mut bytes, &corpus);
        }
        decode_all(&bytes);
        inputs += 1;
        understood += u64::from(Encoding::ALL.iter().any(|encoding| encoding.decode::<ClientFrame>(&bytes).is_ok()));
    }
    let took = began.elapsed();
    println!("fuzz: {inputs} inputs, {understood} of them frames, seed {seed}, {:.1} s", took.as_secs_f64());
    assert!(understood > 0 && understood < inputs, "the changes are neither too small nor too large");
    let per_100_000 = took / u32::try_from(inputs / INPUTS_AT_LEAST).unwrap();
    assert!(per_100_000 < Duration::from_secs(120), "{per_100_000:?} for {INPUTS_AT_LEAST}");
}

fn sample() -> Ingredients {
    let user: UserId = "ann".parse().unwrap();
    let key: ClientKey = "key-1".parse().unwrap();
    let message = Message {
        conversation: ConversationId::from_bytes([0xab; 16]),
        seq: Seq(7),
        id: MessageId::from_bytes([0xcd; 12]),
        sender: user.clone(),
        key: key.clone(),
        at: Timestamp(1_790_000_000_000),
        text: "What it says: \u{1F600} \"\\\n".to_owned(),
        event: None,
    };
    Ingredients {
        cursor: Cursor { user: user.clone(), read: Seq(3), delivered: Seq(4) },
        user,
        key: Some(key),
        conversation: Some(message.conversation),
        messages: vec![message.clone()],
        message,
        rows: Vec::new(),
        row: Row {
            conversation: ConversationId::from_bytes([0xab; 16]),
            kind: Kind::Group,
            name: Some("Cooks".to_owned()),
            history: Some(false),
            member_count: 0,
            members: Vec::new(),
            last_seq: Seq::ZERO,
            last: None,
            unread: 0,
            assignment: None,
        },
        as_of: AsOf { generation: Generation(0xab), at: StoreTime(1_790_000_000_000) },
        number: 9,
        text: Some("more".to_owned()),
        flag: true,
        code: 0,
    }
}
