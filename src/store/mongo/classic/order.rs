//! How the server is asked for the old messages: conversation by conversation, in order.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};

use crate::model::UserId;
use crate::model::limits::IMPORT_TEXT_BYTES_MAX;

/// `sender`, `receiver`, `message`, `createdAt` and `read` of every message, each null where it is not of its type, so
/// that nothing odd or huge is sorted or sent; `bytes` is how long the text is. `one` and `other` stand for the
/// conversation: the person and null where exactly one of the two is an agent, else the two in order.
pub(super) fn pipeline(agents: &[UserId]) -> Vec<Document> {
    let agents: Vec<Bson> =
        agents.iter().filter_map(|agent| ObjectId::parse_str(agent.as_str()).ok()).map(Bson::from).collect();
    let is_agent = |field: &str| doc! { "$in": [field, agents.clone()] };
    let with_team = doc! { "$ne": [is_agent("$sender"), is_agent("$receiver")] };
    let person = doc! { "$cond": [is_agent("$sender"), "$receiver", "$sender"] };
    let length = doc! { "$cond": [is("$message", "string"), { "$strLenBytes": "$message" }, 0] };
    vec![
        doc! { "$project": {
            "sender": typed("$sender", "objectId"),
            "receiver": typed("$receiver", "objectId"),
            "message": typed("$message", "string"),
            "createdAt": typed("$createdAt", "date"),
            "read": typed("$read", "bool"),
            "bytes": length,
        } },
        doc! { "$set": {
            "message": { "$cond": [{ "$gt": ["$bytes", IMPORT_TEXT_BYTES_MAX as i64] }, null, "$message"] },
            "one": { "$cond": [with_team.clone(), person, { "$min": ["$sender", "$receiver"] }] },
            "other": { "$cond": [with_team, null, { "$max": ["$sender", "$receiver"] }] },
        } },
        doc! { "$sort": { "one": 1, "other": 1, "createdAt": 1, "_id": 1 } },
        doc! { "$unset": ["one", "other"] },
    ]
}

fn is(field: &str, kind: &str) -> Document {
    doc! { "$eq": [{ "$type": field }, kind] }
}

fn typed(field: &str, kind: &str) -> Document {
    doc! { "$cond": [is(field, kind), field, null] }
}
