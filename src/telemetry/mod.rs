//! What an operator sees: log lines, metrics, traces, and what became of the latest messages. Knows nobody above it: modules register what they count themselves,
//! through the `metrics` facade, and log through `tracing`.

mod logs;
mod memory;
mod process;
mod recorder;
mod traces;
mod trail;

pub use logs::start as start_logs;
pub use memory::Memory;
pub use process::files_max;
pub use recorder::{Recorder, RecorderError};
pub use traces::{Batch, Delivering, Sending, Taken, Traces, TracesError};
pub use trail::{Reception, Trail};
