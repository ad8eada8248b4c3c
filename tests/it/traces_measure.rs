//! What a message pays for being traced, or for not being: the same steps with no collector, with a sample of 0, of 1 in 100
//! and of all, one after the other in one run. Not part of the tests; run it without other load, and optimised:
//! `cargo nextest run --release --test it --run-ignored only --no-capture -E 'test(traces_measure)'`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use switchboard::config;
use switchboard::model::{MessageId, SystemChance, TraceContext};
use switchboard::telemetry::Traces;

const ROUNDS: usize = 5;
const MESSAGES: u32 = 100_000;

/// What happens to one message on two nodes, of all that has to do with traces.
fn follow(traces: &Traces, id: MessageId) {
    let mut sending = black_box(traces.begin(id, None));
    let traced: Vec<TraceContext> = sending.iter().filter_map(|sending| sending.context()).collect();
    let batch = traces.batch(&traced, 1).and_then(|batch| batch.context());
    if let Some(sending) = &mut sending {
        batch.into_iter().for_each(|batch| sending.join(batch));
        sending.stored(id);
    }
    let published = sending.as_ref().and_then(|sending| sending.context());
    if let Some(sending) = &mut sending {
        sending.published();
    }
    if let Some(taken) = black_box(traces.take(id, published)) {
        taken.offered();
        taken.deliver().into_iter().for_each(|delivering| delivering.written());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_traces_cost_a_message() {
    let open = |sample| {
        let endpoint = "http://127.0.0.1:1".parse().unwrap();
        Traces::open(&config::Traces { endpoint, sample }, "node".to_owned(), Arc::new(SystemChance)).unwrap()
    };
    let kinds = [("no collector", Traces::off()), ("0", open(0.0)), ("0.01", open(0.01)), ("1", open(1.0))];
    let id = MessageId::from_bytes([7; 12]);
    for (name, traces) in &kinds {
        let mut nanos: Vec<u128> = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            (0..MESSAGES).for_each(|_| follow(traces, id));
            nanos.push(began.elapsed().as_nanos() / u128::from(MESSAGES));
        }
        nanos.sort_unstable();
        println!("sample {name}: {} ns a message (median of {ROUNDS} rounds: {nanos:?})", nanos[ROUNDS / 2]);
    }
}
