//! What an operator sees: log lines, metrics and traces. Knows nobody above it: modules register what they count themselves,
//! through the `metrics` facade, and log through `tracing`.

mod logs;
mod process;
mod recorder;
mod traces;

pub use logs::start as start_logs;
pub use recorder::{Recorder, RecorderError};
pub use traces::{Batch, Delivering, Sending, Taken, Traces, TracesError};
