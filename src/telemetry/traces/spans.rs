//! The spans of a message's way. Each ends when its value is dropped, so that none is left open wherever a message stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status};
use opentelemetry_sdk::trace::Span;

use super::{Tracing, builder, context_of, foreign, link};
use crate::model::limits::TRACED_DEVICES_MAX;
use crate::model::{Code, MessageId, TraceContext};

/// What happens to a message on its sender's node, one after the other.
#[derive(Clone, Copy)]
enum Stage {
    /// It waits for its place and is stored.
    Persist,
    /// Its members are told.
    Publish,
    /// Its conversation's head is raised, and its sender answered.
    Acknowledge,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Persist => "message.persist",
            Self::Publish => "message.publish",
            Self::Acknowledge => "message.acknowledge",
        }
    }

    const fn kind(self) -> SpanKind {
        match self {
            Self::Publish => SpanKind::Producer,
            Self::Persist | Self::Acknowledge => SpanKind::Internal,
        }
    }
}

/// A traced message on its sender's node, from when it was accepted until its sender is answered.
pub struct Sending {
    tracing: Arc<Tracing>,
    id: MessageId,
    /// Ends before the span that it is part of.
    stage: Option<Span>,
    whole: Span,
}

impl Sending {
    pub(super) fn begin(tracing: Arc<Tracing>, id: MessageId, parent: Option<TraceContext>) -> Self {
        let whole = tracing.start(builder("message.receive", SpanKind::Server, id), parent);
        let mut sending = Self { tracing, id, stage: None, whole };
        sending.say("a traced message was accepted");
        sending.begin_stage(Stage::Persist);
        sending
    }

    /// It is stored: under this id, which is another where it had been stored before.
    pub fn stored(&mut self, id: MessageId) {
        self.say("a traced message was stored");
        if id != self.id {
            self.whole.set_attribute(KeyValue::new("message.first_id", id.to_string()));
        }
        self.begin_stage(Stage::Publish);
    }

    /// Its members were told.
    pub fn published(&mut self) {
        self.begin_stage(Stage::Acknowledge);
    }

    fn begin_stage(&mut self, stage: Stage) {
        // The one before it ends first.
        self.stage = None;
        self.stage = Some(self.tracing.start(builder(stage.name(), stage.kind(), self.id), context_of(&self.whole)));
    }

    /// The message is, or was to be, stored together with others.
    pub fn join(&mut self, batch: TraceContext) {
        if let Some(stage) = &mut self.stage {
            stage.add_link(foreign(batch), Vec::new());
        }
    }

    /// The stage that it is in, for what happens elsewhere because of it.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        context_of(self.stage.as_ref().unwrap_or(&self.whole))
    }

    /// Ends with its sender being refused.
    pub fn refuse(mut self, code: Code) {
        self.say("a traced message was refused");
        self.whole.set_attribute(KeyValue::new("error.type", code.name()));
        self.whole.set_status(Status::error(code.name()));
    }

    fn say(&self, what: &'static str) {
        if let Some(context) = context_of(&self.whole) {
            tracing::debug!(trace_id = %context, message_id = %self.id, "{what}");
        }
    }
}

/// Several messages that are stored together.
pub struct Batch(Span);

impl Batch {
    pub(super) fn begin(tracing: &Tracing, traced: &[TraceContext], messages: usize) -> Self {
        let count = i64::try_from(messages).unwrap_or(i64::MAX);
        let builder = SpanBuilder::from_name("store.insert")
            .with_kind(SpanKind::Client)
            .with_attributes([KeyValue::new("db.operation.batch.size", count)])
            .with_links(traced.iter().copied().map(link).collect());
        Self(tracing.start(builder, None))
    }

    /// For the messages in it to refer to.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        context_of(&self.0)
    }
}

/// A traced message that came over the bus, on its way to sockets of this node.
pub struct Taken {
    tracing: Arc<Tracing>,
    id: MessageId,
    context: TraceContext,
    since: SystemTime,
    devices: AtomicU32,
    /// Until it was offered to every session.
    taking: std::sync::Mutex<Option<Span>>,
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Taken").field(&self.context).finish()
    }
}

impl Taken {
    pub(super) fn new(tracing: Arc<Tracing>, id: MessageId, published: TraceContext) -> Self {
        let span = tracing.start(builder("message.take", SpanKind::Consumer, id), Some(published));
        tracing::debug!(trace_id = %published, message_id = %id, "a traced message came over the bus");
        let context = context_of(&span).unwrap_or(published);
        let (since, devices) = (opentelemetry::time::now(), AtomicU32::new(0));
        Self { tracing, id, context, since, devices, taking: std::sync::Mutex::new(Some(span)) }
    }

    /// It was offered to every session of its user.
    pub fn offered(&self) {
        drop(self.taking.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
    }

    /// It is being written to a socket. Nothing for sockets beyond the first few: one trace is not to be made of thousands.
    #[must_use]
    pub fn deliver(&self) -> Option<Delivering> {
        if self.devices.fetch_add(1, Ordering::Relaxed) >= TRACED_DEVICES_MAX {
            return None;
        }
        let mut builder = builder("message.deliver", SpanKind::Internal, self.id);
        builder.start_time = Some(self.since);
        let span = self.tracing.start(builder, Some(self.context));
        Some(Delivering { span, context: self.context, id: self.id, is_written: false })
    }
}

/// A traced message on its way into one socket.
pub struct Delivering {
    span: Span,
    context: TraceContext,
    id: MessageId,
    is_written: bool,
}

impl Delivering {
    /// The socket has taken all of it.
    pub fn written(mut self) {
        self.is_written = true;
        tracing::debug!(trace_id = %self.context, message_id = %self.id, "a traced message was written to a socket");
    }
}

impl Drop for Delivering {
    fn drop(&mut self) {
        if !self.is_written {
            self.span.set_status(Status::error("the connection was lost"));
        }
    }
}
