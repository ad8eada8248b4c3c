//! `docs/protocol.md` says what the code does: its examples are frames, its tables are complete, its bounds are true.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use switchboard::model::limits as bound;
use switchboard::model::{Code, ConversationId, Cursor, Kind, Message, Preview, Refusal, Seen, Seq, Timestamp};
use switchboard::wire::server::{Assigned, Fault, Member, Row, Sent, Truth};
use switchboard::wire::{ClientFrame, Close, Encoding, ServerFrame};

const DOC: &str = include_str!("../../docs/protocol.md");

/// The content of all fenced blocks that begin with this.
fn blocks(info: &str) -> Vec<&'static str> {
    let opening = format!("```{info}\n");
    DOC.split(&opening).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

fn lines(info: &str) -> Vec<&'static str> {
    blocks(info).into_iter().flat_map(str::lines).collect()
}

fn name(frame: &ClientFrame) -> &'static str {
    match frame {
        ClientFrame::Hello(_) => "hello",
        ClientFrame::Resume { .. } => "resume",
        ClientFrame::Send(_) => "send",
        ClientFrame::Read(_) => "read",
        ClientFrame::Delivered(_) => "delivered",
        ClientFrame::Typing(_) => "typing",
        ClientFrame::History(_) => "history",
        ClientFrame::Conversations(_) => "conversations",
        ClientFrame::Claim(_) => "claim",
        ClientFrame::Inbox(_) => "inbox",
        ClientFrame::Receipts { .. } => "receipts",
        ClientFrame::Unread {} => "unread",
        ClientFrame::Watch { .. } => "watch",
        ClientFrame::Appear { .. } => "appear",
        ClientFrame::Refresh { .. } => "refresh",
        ClientFrame::Conversation { .. } => "conversation",
        ClientFrame::Group(_) => "group",
        ClientFrame::Block(_) => "block",
        ClientFrame::Blocks {} => "blocks",
        ClientFrame::Ban(_) => "ban",
        ClientFrame::Find(_) => "find",
        ClientFrame::Ping {} => "ping",
    }
}

const CLIENT_FRAMES: [&str; 22] = [
    "hello",
    "resume",
    "send",
    "read",
    "delivered",
    "typing",
    "history",
    "conversations",
    "conversation",
    "group",
    "receipts",
    "unread",
    "claim",
    "inbox",
    "refresh",
    "block",
    "blocks",
    "ban",
    "find",
    "watch",
    "appear",
    "ping",
];

const SERVER_FRAMES: [&str; 23] = [
    "welcome",
    "resumed",
    "sent",
    "message",
    "receipt",
    "typing",
    "history",
    "conversations",
    "conversation",
    "receipts",
    "unread",
    "assignment",
    "inbox",
    "presence",
    "appeared",
    "refreshed",
    "blocked",
    "blocks",
    "banned",
    "person",
    "error",
    "reconnect",
    "pong",
];

#[test]
fn every_example_to_the_server_is_understood_and_every_frame_has_one() {
    let mut shown = BTreeSet::new();
    for line in lines("json to-server") {
        let frame: ClientFrame = Encoding::Json.decode(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e}"));
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["type"], name(&frame));
        assert_no_unknown_field(&value);
        if let ClientFrame::Send(send) = &frame {
            assert_eq!(send.traceparent.is_some(), value.get("traceparent").is_some(), "{line}");
        }
        shown.insert(name(&frame));
    }
    assert_eq!(shown, BTreeSet::from(CLIENT_FRAMES));
}

/// The codec leaves unknown fields aside; an example has none. A field that matters breaks the frame when it has another
/// type, except what is passed over however wrong it is.
fn assert_no_unknown_field(frame: &Value) {
    for field in frame.as_object().unwrap().keys().filter(|field| *field != "traceparent") {
        let mut spoilt = frame.clone();
        spoilt[field] = json!([[[]]]);
        let understood = Encoding::Json.decode::<ClientFrame>(spoilt.to_string().as_bytes());
        assert!(understood.is_err(), "{frame}: {field} is no field of it");
    }
}

/// What an example says, as the frame that the server would encode.
fn encoded(example: &Value) -> Value {
    let text = |field: &str| example[field].as_str().unwrap();
    let number = |field: &str| example[field].as_u64().unwrap();
    let parsed = |value: &Value| serde_json::from_value::<Message>(value.clone()).unwrap();
    let conversation: Option<ConversationId> = example["conversation"].as_str().map(|id| id.parse().unwrap());
    let talk = || conversation.unwrap();
    match text("type") {
        "welcome" => value(&ServerFrame::Welcome {
            user: text("user").parse().unwrap(),
            role: serde_json::from_value(example["role"].clone()).unwrap(),
            as_of: text("as_of").parse().unwrap(),
            expires: Timestamp(number("expires")),
            policy: serde_json::from_value(example["policy"].clone()).unwrap(),
        }),
        "resumed" => value(&ServerFrame::Resumed { continued: usize::try_from(number("continued")).unwrap() }),
        "sent" => {
            let message = Message {
                key: text("key").parse().unwrap(),
                conversation: talk(),
                seq: Seq(number("seq")),
                id: text("id").parse().unwrap(),
                at: Timestamp(number("at")),
                sender: "ann".parse().unwrap(),
                text: "not part of it".to_owned(),
                event: None,
            };
            let shown = example["shown"].as_bool().unwrap();
            value(&ServerFrame::Sent(Sent { message: Arc::new(message), shown }))
        }
        "message" => value(&ServerFrame::Message(Arc::new(parsed(example)))),
        "receipt" => {
            let cursor: Cursor = serde_json::from_value(example.clone()).unwrap();
            value(&ServerFrame::Receipt { conversation: talk(), cursor })
        }
        "typing" => value(&ServerFrame::Typing {
            conversation: talk(),
            user: text("user").parse().unwrap(),
            active: example["active"].as_bool().unwrap(),
            expires_ms: number("expires_ms"),
        }),
        "history" => {
            let messages: Vec<Message> = example["messages"].as_array().unwrap().iter().map(parsed).collect();
            let more = example["more"].as_bool().unwrap();
            value(&ServerFrame::History { conversation: talk(), messages, more })
        }
        "conversations" => {
            let rows: Vec<Row> = example["conversations"].as_array().unwrap().iter().map(row).collect();
            let next = example["next"].as_str().map(str::to_owned);
            value(&ServerFrame::Conversations { conversations: rows, next })
        }
        "conversation" => value(&ServerFrame::Conversation(Box::new(row(example)))),
        "receipts" => {
            let cursors = example["cursors"].as_array().unwrap();
            let cursors = cursors.iter().map(|cursor| serde_json::from_value(cursor.clone()).unwrap()).collect();
            value(&ServerFrame::Receipts { conversation: talk(), cursors })
        }
        "unread" => value(&ServerFrame::Unread {
            total: number("total"),
            more: example["more"].as_bool().unwrap(),
            conversations: serde_json::from_value(example["conversations"].clone()).unwrap(),
        }),
        "assignment" => {
            value(&ServerFrame::Assignment { conversation: talk(), assignment: assigned(example).unwrap() })
        }
        "inbox" => {
            let rows: Vec<Row> = example["conversations"].as_array().unwrap().iter().map(row).collect();
            let next = example["next"].as_str().map(str::to_owned);
            value(&ServerFrame::Inbox { conversations: rows, next })
        }
        "presence" => {
            let users = example["users"].as_array().unwrap();
            let seen = |seen: &Value| serde_json::from_value::<Seen>(seen.clone()).unwrap();
            value(&ServerFrame::Presence { users: users.iter().map(seen).collect() })
        }
        "appeared" => value(&ServerFrame::Appeared { offline: example["offline"].as_bool().unwrap() }),
        "refreshed" => value(&ServerFrame::Refreshed { expires: Timestamp(number("expires")) }),
        "blocked" => value(&ServerFrame::Blocked {
            user: text("user").parse().unwrap(),
            active: example["active"].as_bool().unwrap(),
        }),
        "blocks" => value(&ServerFrame::Blocks { users: serde_json::from_value(example["users"].clone()).unwrap() }),
        "banned" => value(&ServerFrame::Banned {
            user: text("user").parse().unwrap(),
            active: example["active"].as_bool().unwrap(),
        }),
        "person" => value(&ServerFrame::Person { user: text("user").parse().unwrap(), name: text("name").to_owned() }),
        "error" => {
            let key = example["key"].as_str().map(|key| key.parse().unwrap());
            let code = code(text("code"));
            let retry_after_ms = example["retry_after_ms"].as_u64();
            assert_eq!(retry_after_ms.is_some(), code.is_retryable(), "{example}");
            let messages = example["messages"].as_array().map(|messages| Truth::Messages {
                messages: messages.iter().map(parsed).collect(),
                more: example["more"].as_bool().unwrap(),
            });
            let assignment = assigned(&example["assignment"]).map(|assignment| Truth::Assignment { assignment });
            let truth = messages.or(assignment);
            let fault = Fault { code, message: text("message").to_owned(), key, conversation, retry_after_ms, truth };
            value(&ServerFrame::Error(fault))
        }
        "reconnect" => value(&ServerFrame::Reconnect { after_ms: number("after_ms") }),
        "pong" => value(&ServerFrame::Pong { as_of: text("as_of").parse().unwrap() }),
        other => panic!("there is no frame {other}"),
    }
}

fn value(frame: &ServerFrame) -> Value {
    serde_json::from_slice(&Encoding::Json.encode(frame)).unwrap()
}

fn code(name: &str) -> Code {
    Code::ALL.into_iter().find(|code| code.name() == name).unwrap_or_else(|| panic!("there is no code {name}"))
}

fn assigned(example: &Value) -> Option<Assigned> {
    Some(Assigned {
        change: example["change"].as_u64()?,
        agent: serde_json::from_value(example["agent"].clone()).unwrap(),
        state: serde_json::from_value(example["state"].clone()).unwrap(),
        by: serde_json::from_value(example["by"].clone()).unwrap(),
        at: serde_json::from_value(example["at"].clone()).unwrap(),
    })
}

fn row(example: &Value) -> Row {
    let member = |member: &Value| Member {
        user: serde_json::from_value(member["user"].clone()).unwrap(),
        name: member["name"].as_str().unwrap().to_owned(),
        role: serde_json::from_value(member["role"].clone()).unwrap(),
        read: Seq(member["read"].as_u64().unwrap()),
        delivered: Seq(member["delivered"].as_u64().unwrap()),
        presence: serde_json::from_value(member.clone()).unwrap(),
    };
    Row {
        conversation: serde_json::from_value(example["conversation"].clone()).unwrap(),
        kind: serde_json::from_value::<Kind>(example["kind"].clone()).unwrap(),
        name: example["name"].as_str().map(str::to_owned),
        history: example["history"].as_bool(),
        member_count: usize::try_from(example["member_count"].as_u64().unwrap()).unwrap(),
        members: example["members"].as_array().unwrap().iter().map(member).collect(),
        last_seq: Seq(example["last_seq"].as_u64().unwrap()),
        last: serde_json::from_value::<Option<Preview>>(example["last"].clone()).unwrap(),
        unread: example["unread"].as_u64().unwrap(),
        assignment: assigned(&example["assignment"]),
    }
}

#[test]
fn every_example_from_the_server_is_what_it_encodes_and_every_frame_has_one() {
    let mut shown = BTreeSet::new();
    for line in lines("json from-server") {
        let example: Value = serde_json::from_str(line).unwrap();
        assert_eq!(encoded(&example), example);
        shown.insert(example["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(shown, SERVER_FRAMES.map(str::to_owned).into());
}

#[test]
fn the_examples_in_messagepack_are_the_same_frames() {
    let bytes = |block: &str| -> Vec<u8> {
        block.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    };
    let frames = blocks("hex to-server");
    for (block, json) in frames
        .iter()
        .zip([r#"{"type":"ping"}"#, r#"{"type":"read","conversation":"a1b8fa77e6fcf526ad43106fa5a06246","seq":3}"#])
    {
        assert!(DOC.contains(&format!("`{json}`")), "{json}");
        let frame: ClientFrame = Encoding::Msgpack.decode(&bytes(block)).unwrap();
        assert_eq!(Encoding::Json.decode::<ClientFrame>(json.as_bytes()).unwrap(), frame);
    }
    assert_eq!(frames.len(), 2);
    let [resumed] = blocks("hex from-server")[..] else { panic!("one example") };
    assert_eq!(bytes(resumed), Encoding::Msgpack.encode(&ServerFrame::Resumed { continued: 1 }));
}

/// The rows of the first table behind a heading, as cells.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = DOC.split_once(&format!("\n## {heading}\n")).unwrap();
    let rows = rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn every_error_code_has_its_row() {
    let rows = table("Error codes");
    let said: Vec<(String, bool)> =
        rows.iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1] == "yes")).collect();
    let codes = Code::ALL.map(|code| (code.name().to_owned(), code.is_retryable()));
    assert_eq!(said, codes);
    for code in Code::ALL {
        assert_eq!(Refusal::new(code, "").retry_after.is_some(), code.is_retryable(), "{code:?}");
    }
}

#[test]
fn every_close_code_has_its_row_and_says_whether_to_come_back() {
    let rows = table("Close codes");
    let said: BTreeSet<u16> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    let closes = Close::ALL.map(Close::code).into_iter().chain([1000]);
    assert_eq!(said, closes.collect());
    for close in Close::ALL {
        let row = rows.iter().find(|row| row[0] == close.code().to_string()).unwrap();
        let comes_back = row[1].starts_with("yes");
        assert!(comes_back || row[1] == "**no**", "{row:?}");
        // The reason in the close frame says the same.
        let reason = close.reason();
        let forbids = reason.contains("do not reconnect") || reason.contains("do not send it again");
        assert_eq!(comes_back, !forbids, "{close:?}");
    }
}

#[test]
fn every_frame_has_a_section() {
    let headings: Vec<&str> = DOC.lines().filter(|line| line.starts_with("### ")).collect();
    for (arrow, names) in [("→", &CLIENT_FRAMES[..]), ("←", &SERVER_FRAMES[..])] {
        for name in names {
            let of_it = |line: &&str| {
                line.strip_prefix(&format!("### {arrow} ")).is_some_and(|named| named.split(", ").any(|n| n == *name))
            };
            assert_eq!(headings.iter().filter(|line| of_it(line)).count(), 1, "{arrow} {name}");
        }
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    let rows = table("Limits");
    let of = |name: &str| rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no row for {name}"))[1];
    let bytes = |bytes: usize| format!("{} bytes", grouped(bytes));
    let seconds = |wait: std::time::Duration| format!("{} s", wait.as_secs());
    for (name, value) in [
        ("one frame", bytes(bound::FRAME_BYTES_MAX)),
        ("one frame before `welcome`", bytes(bound::HELLO_BYTES_MAX)),
        ("text of a message", bytes(bound::TEXT_BYTES_MAX)),
        ("user id, key", bytes(bound::USER_ID_BYTES_MAX)),
        ("user id, key", bytes(bound::CLIENT_KEY_BYTES_MAX)),
        ("token", bytes(bound::TOKEN_BYTES_MAX)),
        ("cursors in one frame", grouped(bound::CURSORS_MAX)),
        ("messages in one `history`", grouped(bound::PAGE_MESSAGES_MAX)),
        ("text in one `history`", bytes(bound::PAGE_BYTES_MAX)),
        ("name of a group", bytes(bound::GROUP_NAME_BYTES_MAX)),
        ("members of a group", grouped(bound::GROUP_MEMBERS_MAX)),
        ("members in a row of a list", grouped(bound::LISTED_MEMBERS_MAX)),
        ("text in one `conflict`", bytes(bound::CONFLICT_BYTES_MAX)),
        ("rows in one `conversations` or `inbox`", grouped(bound::PAGE_CONVERSATIONS_MAX)),
        ("conversations whose receipts one connection is owed", grouped(bound::RECEIPTS_OWED_MAX)),
        ("people whom one user may block", grouped(bound::BLOCKS_MAX)),
        ("the reason of a ban", bytes(bound::BAN_REASON_BYTES_MAX)),
        ("unread messages counted in one conversation", grouped(usize::try_from(bound::UNREAD_COUNT_MAX).unwrap())),
        ("sends under way on one connection", grouped(bound::REQUESTS_IN_FLIGHT_MAX)),
        ("refused sends that a connection may owe", grouped(bound::REFUSED_SENDS_MAX)),
        ("sends waiting in one conversation, on one node", grouped(bound::LANE_SENDS_MAX)),
        ("bytes waiting for one connection", grouped(bound::OUTBOX_BYTES_MAX)),
        ("conversations in which one connection was sent something", grouped(bound::POSITIONS_MAX)),
        ("users that one connection watches", grouped(bound::WATCHED_USERS_MAX)),
        ("nesting of a MessagePack value", grouped(bound::NESTING_DEPTH_MAX)),
        ("frames that were not understood", grouped(bound::BAD_FRAMES_MAX as usize)),
        ("time until `hello`", seconds(bound::HELLO_WAIT)),
        ("time for a message in fragments to become whole", seconds(bound::MESSAGE_WAIT)),
        ("time for a send in all", seconds(bound::SEND_WAIT)),
    ] {
        assert_eq!(of(name), value, "{name}");
    }
    assert_eq!(bound::RECEIPT_MEMBERS_MAX, 20);
    assert_eq!(bound::UNREAD_CONVERSATIONS_MAX, 500);
    assert_eq!(bound::PING_AFTER.as_secs(), 12);
    assert_eq!(bound::SILENCE_MAX.as_secs(), 25);
    assert_eq!(bound::AS_OF_MARGIN.as_secs(), 60);
    assert_eq!(bound::STALL_MAX.as_secs(), 300);
}

/// 65536 as 65,536.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

#[test]
fn the_example_of_a_direct_conversation_is_true() {
    let id = ConversationId::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap());
    assert!(DOC.contains(&format!("For `ann` and `bob`\nit is `{id}`")));
}

#[test]
fn every_link_within_the_page_leads_somewhere() {
    let mut anchors: Vec<String> = Vec::new();
    for heading in
        DOC.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
    {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect();
        let again =
            anchors.iter().filter(|known| **known == anchor || known.starts_with(&format!("{anchor}-"))).count();
        anchors.push(if anchors.contains(&anchor) { format!("{anchor}-{again}") } else { anchor });
    }
    for link in DOC.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link} is not among {anchors:?}");
    }
}
