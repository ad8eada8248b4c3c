//! What a message pays for being traced, or for not being: the same steps with no collector, and with samples of nothing, of one
//! in a hundred and of all.

#![expect(clippy::expect_used, reason = "a measurement ends where it cannot be made")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use switchboard::config;
use switchboard::model::{MessageId, SystemChance, TraceContext};
use switchboard::telemetry::Traces;

/// Shares of all messages.
const SAMPLES: [f64; 3] = [0.0, 0.01, 1.0];

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

/// Nobody listens there: spans are made and queued, and what does not fit is dropped, as with a collector that is away.
fn sampled(share: f64) -> Traces {
    let endpoint = "http://127.0.0.1:1".parse().expect("an address");
    Traces::open(&config::Traces { endpoint, sample: share }, "node".to_owned(), Arc::new(SystemChance))
        .expect("traces")
}

fn traces(criterion: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let mut group = criterion.benchmark_group("traces of a message");
    let mut measure = |name: String, traces: Traces| {
        group.bench_function(BenchmarkId::from_parameter(name), |bench| {
            bench.iter(|| follow(&traces, MessageId::from_bytes([7; 12])));
        });
    };
    measure("no collector".to_owned(), Traces::off());
    for share in SAMPLES {
        measure(format!("sample {share}"), sampled(share));
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_secs(1));
    targets = traces
}
criterion_main!(all);
