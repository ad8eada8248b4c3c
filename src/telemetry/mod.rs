//! What an operator sees: log lines and metrics. Knows nobody above it: modules register what they count themselves,
//! through the `metrics` facade, and log through `tracing`.

mod logs;
mod process;
mod recorder;

pub use logs::start as start_logs;
pub use recorder::{Recorder, RecorderError};
