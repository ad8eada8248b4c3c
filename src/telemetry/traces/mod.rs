//! Traces of single messages: one trace follows a message through every node that has to do with it, and goes to a
//! collector over OTLP.
//!
//! Whether a message is traced is decided before there is any span: by chance, or because its sender asks for it. For
//! all others there is nothing – no span, no allocation, no byte on the bus. Spans hold the message's id, and nothing of
//! what it says or of whom it is from: the id of a direct conversation is made of its members', so it is left out too.

mod exporter;
mod spans;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, counter, describe_counter};
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span};
use tokio::time::Instant;

use self::exporter::{Exporter, Queue};
use crate::config;
use crate::model::limits::TRACES_ASKED_PER_SECOND_MAX;
use crate::model::{Chance, MessageId, TraceContext, Traceparent};

pub use self::exporter::TracesError;
pub use self::spans::{Batch, Delivering, Sending, Taken};

/// What everything is attributed to, beside the message.
const SERVICE: &str = "switchboard";

/// This node's traces, or none at all. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Tracing>>);

struct Tracing {
    tracer: SdkTracer,
    exporter: Exporter,
    chance: Arc<dyn Chance>,
    /// Of 2³² messages, how many are traced by chance.
    share: u64,
    /// When the second began that clients ask in, and how often they did.
    asked: Mutex<(Instant, u32)>,
    meters: Meters,
}

/// Kept handles.
struct Meters {
    by_chance: Counter,
    asked: Counter,
    declined: Counter,
}

impl Traces {
    /// No message is traced.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// Starts sending traces to the configured collector; `node` is what this node is called there.
    ///
    /// # Errors
    /// If there is no TLS to send with. The collector need not be there.
    pub fn open(settings: &config::Traces, node: String, chance: Arc<dyn Chance>) -> Result<Self, TracesError> {
        let attributes = [
            KeyValue::new("service.name", SERVICE),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", node),
        ];
        let resource = Resource::builder_empty().with_attributes(attributes).build();
        let (queue, exporter): (Queue, Exporter) = exporter::start(&settings.endpoint, &resource)?;
        // Whatever gets as far as a span is to be sent.
        let builder = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_resource(resource);
        let tracer = builder.with_span_processor(queue).build().tracer(SERVICE);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2³², from 0 to 1")]
        let share = (settings.sample.clamp(0.0, 1.0) * (1_u64 << 32) as f64) as u64;
        let asked = Mutex::new((Instant::now(), 0));
        Ok(Self(Some(Arc::new(Tracing { tracer, exporter, chance, share, asked, meters: Meters::new() }))))
    }

    /// Decides whether a message is traced that has just come in, and begins its trace if so. `asked` is what its sender
    /// says: a trace that is recorded there is followed here, up to a bound, and one that is not is none here either.
    #[must_use]
    pub fn begin(&self, id: MessageId, asked: Option<Traceparent>) -> Option<Box<Sending>> {
        let tracing = self.0.as_ref()?;
        let parent = match asked {
            Some(Traceparent { is_sampled: false, .. }) => return None,
            Some(Traceparent { context, .. }) if tracing.may_follow() => Some(context),
            _ if tracing.wins() => None,
            _ => return None,
        };
        let counter = if parent.is_some() { &tracing.meters.asked } else { &tracing.meters.by_chance };
        counter.increment(1);
        Some(Box::new(Sending::begin(tracing.clone(), id, parent)))
    }

    /// A message came over the bus in this span of another node's.
    #[must_use]
    pub fn take(&self, id: MessageId, context: Option<TraceContext>) -> Option<Taken> {
        let (tracing, context) = (self.0.as_ref()?, context?);
        Some(Taken::new(tracing.clone(), id, context))
    }

    /// Several messages are stored together, of which these are traced. A span of its own, since it belongs to all.
    #[must_use]
    pub fn batch(&self, traced: &[TraceContext], messages: usize) -> Option<Batch> {
        let tracing = self.0.as_ref().filter(|_| !traced.is_empty())?;
        Some(Batch::begin(tracing, traced, messages))
    }

    /// Whether the collector takes what is sent to it: asks it with nothing in hand.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<(), TracesError> {
        match &self.0 {
            Some(tracing) => tracing.exporter.probe().await,
            None => Ok(()),
        }
    }

    /// Sends what waits, within this time; what is not sent by then is lost.
    pub async fn close(&self, wait: Duration) {
        if let Some(tracing) = &self.0 {
            tracing.exporter.close(wait).await;
        }
    }
}

impl Tracing {
    /// Whether chance has it that a message is traced.
    fn wins(&self) -> bool {
        self.share > 0 && self.chance.bits() >> 32 < self.share
    }

    /// Whether another trace may be followed in this second, since no client may have everything traced.
    fn may_follow(&self) -> bool {
        let now = Instant::now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(asked.0) >= Duration::from_secs(1) {
            *asked = (now, 0);
        }
        asked.1 = asked.1.saturating_add(1);
        let may = asked.1 <= TRACES_ASKED_PER_SECOND_MAX;
        if !may {
            self.meters.declined.increment(1);
        }
        may
    }

    fn start(&self, builder: SpanBuilder, parent: Option<TraceContext>) -> Span {
        let context = Context::new();
        let context = match parent {
            Some(parent) => context.with_remote_span_context(foreign(parent)),
            None => context,
        };
        self.tracer.build_with_context(builder, &context)
    }
}

impl Meters {
    fn new() -> Self {
        describe_counter!("switchboard_traces_total", "Messages whose trace began on this node, by why");
        describe_counter!(
            "switchboard_traces_declined_total",
            "Messages whose sender asked for a trace when too many had in that second"
        );
        let traces = |reason: &'static str| counter!("switchboard_traces_total", "reason" => reason);
        Self {
            by_chance: traces("chance"),
            asked: traces("asked"),
            declined: counter!("switchboard_traces_declined_total"),
        }
    }
}

fn builder(name: &'static str, kind: SpanKind, id: MessageId) -> SpanBuilder {
    SpanBuilder::from_name(name).with_kind(kind).with_attributes([KeyValue::new("message.id", id.to_string())])
}

/// A span of ours, for others to refer to.
fn context_of(span: &Span) -> Option<TraceContext> {
    let context = span.span_context();
    TraceContext::new(context.trace_id().to_bytes(), context.span_id().to_bytes())
}

/// A span that somebody refers to.
fn foreign(context: TraceContext) -> SpanContext {
    let (trace, span) = (TraceId::from_bytes(context.trace()), SpanId::from_bytes(context.span()));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default())
}

fn link(context: TraceContext) -> Link {
    Link::with_context(foreign(context))
}
