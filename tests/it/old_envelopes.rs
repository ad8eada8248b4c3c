//! Nodes of two versions on one bus: what an earlier one writes is understood here, and what is written here is understood
//! by an earlier one, or dropped by it whole.

use std::sync::Arc;

use serde::Deserialize;
use switchboard::model::{
    Assignment, ConversationId, Cursor, Event, Message, MessageId, Seq, StoreTime, TalkState, Timestamp, TraceContext,
    UserId,
};
use switchboard::wire::envelope::{Envelope, Postscript, VERSION};
use switchboard::wire::{SEAL_BYTES, Seal};

const CONVERSATION: ConversationId = ConversationId::from_bytes([7; 16]);
const AT: u64 = 1_764_000_000_123;

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn message(text: &str, event: Option<Event>) -> Arc<Message> {
    Arc::new(Message {
        conversation: CONVERSATION,
        seq: Seq(9),
        id: MessageId::from_bytes([3; 12]),
        sender: user("ann"),
        key: "k1".parse().unwrap(),
        at: Timestamp(AT),
        text: text.to_owned(),
        event,
    })
}

/// What the bytes of the fixture mean, by their names.
fn meant() -> Vec<(&'static str, Envelope)> {
    let said = |predecessor, group| Envelope::Message { message: message("grüezi", None), predecessor, group };
    let added = message("", Some(Event::Added { user: user("bob") }));
    let held = Assignment {
        agent: Some(user("ann")),
        state: TalkState::Claimed,
        by: Some(user("ann")),
        at: Some(Timestamp(AT)),
        change: 3,
    };
    let before = Some(StoreTime(AT - 5));
    vec![
        ("message", said(before, false)),
        ("first message", said(None, false)),
        ("message of a group", said(before, true)),
        ("event of a group", Envelope::Message { message: added, predecessor: before, group: true }),
        (
            "receipt",
            Envelope::Receipt {
                conversation: CONVERSATION,
                cursor: Cursor { user: user("bob"), read: Seq(9), delivered: Seq(300) },
            },
        ),
        ("typing", Envelope::Typing { conversation: CONVERSATION, user: user("bob"), active: true }),
        ("standing", Envelope::Standing {}),
        ("assignment", Envelope::Assignment { conversation: CONVERSATION, assignment: held }),
        (
            "assignment of nobody",
            Envelope::Assignment { conversation: CONVERSATION, assignment: Assignment::default() },
        ),
        ("presence", Envelope::Presence { users: vec![user("ann"), user("bob")] }),
    ]
}

/// The bytes of the fixture, by their names.
fn written() -> Vec<(&'static str, Vec<u8>)> {
    let lines = include_str!("../fixtures/envelopes-1.txt").lines().filter(|line| !line.starts_with('#'));
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    lines.map(|line| line.split_once(": ").unwrap()).map(|(name, hex)| (name, bytes(hex))).collect()
}

#[test]
fn what_nodes_of_the_version_before_write_is_understood() {
    let (written, meant) = (written(), meant());
    assert_eq!(written.len(), meant.len());
    for ((name, bytes), (meant_name, envelope)) in written.iter().zip(meant) {
        assert_eq!(*name, meant_name);
        assert_eq!(Envelope::decode(bytes), Ok(envelope), "{name}");
    }
}

#[test]
fn what_is_written_to_them_is_what_they_write() {
    for ((name, bytes), (_, envelope)) in written().iter().zip(meant()) {
        assert_eq!(envelope.encode().as_ref(), bytes, "{name}: a node of the version before would not understand it");
    }
}

/// What a node of envelope version 1 understands, as it was when this was frozen: a copy that shares nothing with the code.
/// It decodes what stands first behind the version, and does not look at what may follow that.
#[derive(Debug, PartialEq, Deserialize)]
enum Old {
    #[serde(rename = "m")]
    Message {
        #[serde(rename = "m")]
        message: OldMessage,
        #[serde(rename = "p")]
        predecessor: Option<u64>,
        #[serde(rename = "g", default)]
        group: bool,
    },
    #[serde(rename = "r")]
    Receipt {
        #[serde(rename = "c")]
        conversation: String,
        #[serde(rename = "u")]
        cursor: (String, u64, u64),
    },
    #[serde(rename = "t")]
    Typing {
        #[serde(rename = "c")]
        conversation: String,
        #[serde(rename = "u")]
        user: String,
        #[serde(rename = "a")]
        active: bool,
    },
    #[serde(rename = "s")]
    Standing {},
    #[serde(rename = "d")]
    Assignment {
        #[serde(rename = "c")]
        conversation: String,
        #[serde(rename = "a")]
        assignment: (Option<String>, String, Option<String>, Option<u64>, u64),
    },
    #[serde(rename = "p")]
    Presence {
        #[serde(rename = "u")]
        users: Vec<String>,
    },
}

#[derive(Debug, PartialEq, Deserialize)]
struct OldMessage {
    conversation: String,
    seq: u64,
    id: String,
    from: String,
    key: String,
    at: u64,
    text: String,
    #[serde(default)]
    event: Option<serde::de::IgnoredAny>,
}

fn as_an_old_node_reads(bytes: &[u8]) -> Result<Old, String> {
    let (version, rest) = bytes.split_first().ok_or("nothing")?;
    assert_eq!(*version, 1, "an old node drops every other version");
    rmp_serde::from_slice(rest).map_err(|error| error.to_string())
}

/// Whether nodes of version 1 know it. With a new kind of envelope this does not compile until that is decided: they
/// must do without it.
const fn is_known_to_old_nodes(envelope: &Envelope) -> bool {
    match envelope {
        Envelope::Message { .. }
        | Envelope::Receipt { .. }
        | Envelope::Typing { .. }
        | Envelope::Standing {}
        | Envelope::Assignment { .. }
        | Envelope::Presence { .. } => true,
        Envelope::Node { .. } | Envelope::Trail { .. } => false,
    }
}

#[test]
fn an_old_node_reads_what_is_written_here_or_drops_it_whole() {
    assert_eq!(VERSION, 1, "with another version, every node must still read the one before");
    let node = Envelope::Node { node: 7, label: "one".to_owned(), leaves: false };
    let trail = Envelope::Trail { message: MessageId::from_bytes([3; 12]), asker: 7, request: 1 };
    for (name, envelope) in meant().into_iter().chain([("node", node), ("trail", trail)]) {
        let read = as_an_old_node_reads(&envelope.encode());
        assert_eq!(read.is_ok(), is_known_to_old_nodes(&envelope), "{name}: {read:?}");
        let trace = TraceContext::new([1; 16], [2; 8]);
        let seals = [7, 0xc1].map(|byte| Seal::from_bytes(&[byte; SEAL_BYTES]));
        for (seal, trace) in [(None, trace), (seals[0], None), (seals[1], None), (seals[0], trace)] {
            let postscript = Postscript { seal, trace };
            let more = as_an_old_node_reads(&envelope.encode_with(&postscript));
            assert_eq!(more, read, "{name}: what stands behind it is not looked at: {postscript:?}");
        }
    }
    let said = Envelope::Message { message: message("grüezi", None), predecessor: Some(StoreTime(5)), group: true };
    let expected = Old::Message {
        message: OldMessage {
            conversation: "07".repeat(16),
            seq: 9,
            id: "03".repeat(12),
            from: "ann".to_owned(),
            key: "k1".to_owned(),
            at: AT,
            text: "grüezi".to_owned(),
            event: None,
        },
        predecessor: Some(5),
        group: true,
    };
    assert_eq!(as_an_old_node_reads(&said.encode()), Ok(expected));
}

#[test]
fn what_a_newer_node_adds_does_no_harm() {
    let known = meant().remove(0).1;
    // Bytes behind the envelope are not looked at.
    let mut longer = known.encode().to_vec();
    longer.extend(b"whatever else");
    assert_eq!(Envelope::decode(&longer), Ok(known));
    // A kind of envelope that is not known, and a field more than is known: dropped whole, and found in the store.
    for strange in [&b"\x01\x81\xa1z\x91\x01"[..], b"\x01\x81\xa1t\x94\xa1c\xa1u\xc3\x01"] {
        assert!(Envelope::decode(strange).is_err(), "{}", strange.escape_ascii());
        assert!(as_an_old_node_reads(strange).is_err());
    }
}
