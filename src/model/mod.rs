//! The words everything else is said in: ids, messages, conversations, identities, limits and time.
//!
//! Nothing here does I/O, waits, or knows of any other module.

mod as_of;
mod clock;
mod conversation;
mod error;
mod group;
mod identity;
mod ids;
pub mod limits;
mod message;

pub use as_of::{AsOf, AsOfError};
pub use clock::{Chance, Clock, StoreTime, SystemChance, SystemClock, Timestamp};
pub use conversation::{Activity, Conversation, Cursor, CursorKind, Kind, Preview, Profile, Summary};
pub use error::{Code, Refusal};
pub use group::{Event, Group, Post, Range, Standing, Step, Term};
pub use identity::{Identity, Role};
pub use ids::{ClientKey, ConversationId, Generation, IdError, MessageId, NodeId, Seq, UserId};
pub use message::{Message, NewMessage};
