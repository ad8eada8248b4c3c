//! The words everything else is said in: ids, messages, conversations, identities, limits and time.
//!
//! Nothing here does I/O, waits, or knows of any other module.

mod as_of;
mod assignment;
mod clock;
mod conversation;
mod error;
mod group;
mod identity;
mod ids;
pub mod limits;
mod message;
mod presence;
mod standing;
mod trace;

pub use as_of::{AsOf, AsOfError};
pub use assignment::{Assignment, Handling, InboxFilter, TalkState};
pub use clock::{Chance, Clock, StoreTime, SystemChance, SystemClock, Timestamp};
pub use conversation::{Activity, Conversation, Cursor, CursorKind, Kind, Preview, Profile, Summary, address};
pub use error::{Code, Refusal, Truth};
pub use group::{Event, Footing, Group, Post, Range, Step, Term};
pub use identity::{Identity, Role};
pub use ids::{ClientKey, ConversationId, Generation, IdError, MessageId, NodeId, Seq, UserId};
pub use message::{Message, NewMessage};
pub use presence::{Appearance, Presence, Seen, Whereabouts};
pub use standing::{Ban, Policy, Revoked, Standing};
pub use trace::{NotTraceparent, TRACE_BYTES, TraceContext, Traceparent};
