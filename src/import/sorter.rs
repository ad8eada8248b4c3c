//! From one stream of old messages to tasks: short conversations go together in batches, a long one goes by itself, in
//! pieces, while it is still being read.

use tokio::sync::mpsc;

use super::ImportError;
use super::adopt::{Pieces, Target};
use super::talk::Parties;
use super::tasks::Tasks;
use crate::model::limits::{IMPORT_BATCH_MAX, IMPORT_BATCH_MESSAGES_MAX, IMPORT_PIECE_BYTES_MAX, RUN_MESSAGES_MAX};
use crate::store::mongo::classic::OldMessage;

/// Takes old messages, conversation after conversation.
pub(super) struct Sorter<'a> {
    target: &'a Target,
    tasks: Tasks,
    /// The conversation that is being read.
    talk: Option<Talk>,
    batch: Batch,
}

/// Short conversations that were read and wait for others.
#[derive(Default)]
struct Batch {
    talks: Vec<(Parties, Pieces)>,
    messages: usize,
    bytes: usize,
}

/// A conversation that is being read.
struct Talk {
    parties: Parties,
    /// What was read last.
    piece: Vec<OldMessage>,
    bytes: usize,
    /// Where pieces go, once there was a whole one. A task that failed takes none: that is noticed when the next one
    /// starts, or at the end.
    pieces: Option<mpsc::Sender<Vec<OldMessage>>>,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(target: &'a Target) -> Self {
        Self { target, tasks: Tasks::default(), talk: None, batch: Batch::default() }
    }

    /// Takes the next message.
    pub(super) async fn take(&mut self, parties: Parties, message: OldMessage) -> Result<(), ImportError> {
        if self.talk.as_ref().is_some_and(|talk| talk.parties != parties) {
            self.end_talk().await?;
        }
        let talk = self.talk.get_or_insert_with(|| Talk { parties, piece: Vec::new(), bytes: 0, pieces: None });
        talk.bytes += message.text.len();
        talk.piece.push(message);
        if talk.piece.len() < RUN_MESSAGES_MAX && talk.bytes < IMPORT_PIECE_BYTES_MAX {
            return Ok(());
        }
        talk.bytes = 0;
        let piece = std::mem::take(&mut talk.piece);
        let pieces = match &talk.pieces {
            Some(pieces) => pieces,
            None => {
                let (sender, receiver) = mpsc::channel(1);
                let alone = vec![(talk.parties.clone(), Pieces::Coming(receiver))];
                self.tasks.start(self.target.clone().adopt(alone)).await?;
                talk.pieces.insert(sender)
            }
        };
        drop(pieces.send(piece).await);
        Ok(())
    }

    /// Waits until all that was taken is there.
    pub(super) async fn finish(mut self) -> Result<(), ImportError> {
        self.end_talk().await?;
        self.send_batch().await?;
        self.tasks.finish().await
    }

    async fn end_talk(&mut self) -> Result<(), ImportError> {
        match self.talk.take() {
            None => {}
            Some(Talk { piece, pieces: Some(_), .. }) if piece.is_empty() => {}
            Some(Talk { piece, pieces: Some(pieces), .. }) => drop(pieces.send(piece).await),
            Some(Talk { parties, piece, bytes, pieces: None }) => {
                let batch = &mut self.batch;
                batch.messages += piece.len();
                batch.bytes += bytes;
                batch.talks.push((parties, Pieces::Whole(piece)));
                let is_full = batch.talks.len() >= IMPORT_BATCH_MAX
                    || batch.messages >= IMPORT_BATCH_MESSAGES_MAX
                    || batch.bytes >= IMPORT_PIECE_BYTES_MAX;
                if is_full {
                    self.send_batch().await?;
                }
            }
        }
        Ok(())
    }

    async fn send_batch(&mut self) -> Result<(), ImportError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.talks.is_empty() {
            return Ok(());
        }
        self.tasks.start(self.target.clone().adopt(batch.talks)).await
    }
}
