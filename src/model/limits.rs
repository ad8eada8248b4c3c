//! Every bound of the system in one place, its unit in its name. What happens at each is written beside it.

mod bus;
mod delivery;
mod import;
mod lanes;
mod listener;
mod people;
mod presence;
mod sessions;
mod socketio;
mod store;
mod talks;
mod tokens;
mod traces;
mod upkeep;

pub use bus::*;
pub use delivery::*;
pub use import::*;
pub use lanes::*;
pub use listener::*;
pub use people::*;
pub use presence::*;
pub use sessions::*;
pub use socketio::*;
pub use store::*;
pub use talks::*;
pub use tokens::*;
pub use traces::*;
pub use upkeep::*;
