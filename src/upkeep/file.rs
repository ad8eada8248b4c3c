//! The file of a back-up: lines of JSON. The first says what it is, then comes a record a line, and the last says how many
//! there were and which digest all before it has. So what was cut off or changed is noticed, without reading it twice.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Contents, UpkeepError};
use crate::model::limits::BACKUP_LINE_BYTES_MAX;
use crate::model::{ConversationId, Generation, Seq, Timestamp};
use crate::store::Record;

/// The version of all this.
const VERSION: u32 = 1;

/// How the last line begins.
const END: &[u8] = b"{\"is\":\"end\",";

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Head {
    switchboard_backup: u32,
    made_by: String,
    at: Timestamp,
    generation: u64,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    is: String,
    counts: BTreeMap<String, u64>,
    sha256: String,
}

/// A file that is being written, under another name until it is whole. Dropped before that, it is gone.
pub(super) struct Writer {
    to: PathBuf,
    part: PathBuf,
    out: BufWriter<File>,
    digest: Sha256,
    counts: BTreeMap<String, u64>,
    is_whole: bool,
}

impl Writer {
    /// Begins a file, where there must be none. Only its owner may read it: everything is in it.
    pub(super) fn begin(to: &Path, at: Timestamp, generation: Generation) -> Result<Self, UpkeepError> {
        let failed = |error| UpkeepError::file(to, &error);
        if to.exists() {
            return Err(UpkeepError::File { file: to.to_owned(), detail: "it is there already".to_owned() });
        }
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(failed)?;
        let (out, digest) = (BufWriter::new(file), Sha256::new());
        let mut writer = Self { to: to.to_owned(), part, out, digest, counts: BTreeMap::new(), is_whole: false };
        let made_by = env!("CARGO_PKG_VERSION").to_owned();
        writer.line(&Head { switchboard_backup: VERSION, made_by, at, generation: generation.0 })?;
        Ok(writer)
    }

    /// Writes a record.
    pub(super) fn record(&mut self, record: &Record) -> Result<(), UpkeepError> {
        self.line(record)?;
        match self.counts.get_mut(record.kind()) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(record.kind().to_owned(), 1)),
        }
        Ok(())
    }

    /// Writes the last line, has all of it on the disk, reads it again, and gives it its name.
    pub(super) fn finish(mut self) -> Result<Contents, UpkeepError> {
        let sha256 = hexadecimal(&self.digest.clone().finalize());
        let counts = self.counts.clone();
        self.line(&End { is: "end".to_owned(), counts, sha256 })?;
        let (part, to) = (self.part.clone(), self.to.clone());
        let failed = |error| UpkeepError::file(&to, &error);
        self.out.flush().and_then(|()| self.out.get_ref().sync_all()).map_err(failed)?;
        let mut reader = Reader::open(&part)?;
        while reader.next()?.is_some() {}
        fs::rename(&part, &to).map_err(failed)?;
        self.is_whole = true;
        let directory = to.canonicalize().map_err(failed)?;
        directory.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all()).map_err(failed)?;
        Ok(reader.contents())
    }

    fn line(&mut self, what: &impl Serialize) -> Result<(), UpkeepError> {
        let damaged = |detail: String| UpkeepError::Damaged { file: self.part.clone(), detail };
        let mut line = serde_json::to_vec(what).map_err(|error| damaged(error.to_string()))?;
        line.push(b'\n');
        if line.len() > BACKUP_LINE_BYTES_MAX {
            return Err(damaged(format!("a record of {} bytes", line.len())));
        }
        self.digest.update(&line);
        self.out.write_all(&line).map_err(|error| UpkeepError::file(&self.part, &error))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_whole {
            drop(fs::remove_file(&self.part));
        }
    }
}

/// A file that is read, and found out about while it is.
pub(super) struct Reader {
    file: PathBuf,
    lines: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    digest: Sha256,
    counts: BTreeMap<String, u64>,
    head: Head,
    last: Option<(ConversationId, Seq)>,
    /// Bytes of lines that were read.
    pub(super) bytes: u64,
}

impl Reader {
    /// Opens a file, if it is one of ours.
    pub(super) fn open(file: &Path) -> Result<Self, UpkeepError> {
        let opened = File::open(file).map_err(|error| UpkeepError::file(file, &error))?;
        let head = Head { switchboard_backup: 0, made_by: String::new(), at: Timestamp(0), generation: 0 };
        let mut reader = Self {
            file: file.to_owned(),
            lines: BufReader::new(opened),
            line: Vec::new(),
            number: 0,
            digest: Sha256::new(),
            counts: BTreeMap::new(),
            head,
            last: None,
            bytes: 0,
        };
        reader.read_line()?;
        reader.head =
            serde_json::from_slice(&reader.line).map_err(|_| reader.damaged("it is none of Switchboard's"))?;
        if reader.head.switchboard_backup != VERSION {
            let found = reader.head.switchboard_backup;
            return Err(reader.damaged(&format!("its format is {found}, and this version knows {VERSION}")));
        }
        reader.digest.update(&reader.line);
        Ok(reader)
    }

    /// The next record; none after the last, if all of them were what was written.
    pub(super) fn next(&mut self) -> Result<Option<Record>, UpkeepError> {
        self.read_line()?;
        if self.line.starts_with(END) {
            return self.end().map(|()| None);
        }
        self.digest.update(&self.line);
        let record: Record = serde_json::from_slice(&self.line).map_err(|error| self.damaged(&error.to_string()))?;
        if let Record::Message { message, .. } = &record {
            let follows = |(conversation, seq): (ConversationId, Seq)| {
                conversation != message.conversation || seq.next() == message.seq
            };
            if !self.last.is_none_or(follows) {
                return Err(self.damaged(&format!("conversation {} has a hole", message.conversation)));
            }
            self.last = Some((message.conversation, message.seq));
        }
        match self.counts.get_mut(record.kind()) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(record.kind().to_owned(), 1)),
        }
        Ok(Some(record))
    }

    /// What it holds, as far as it was read.
    pub(super) fn contents(&self) -> Contents {
        let Head { at, generation, .. } = self.head;
        Contents { at, generation: Generation(generation), counts: self.counts.clone() }
    }

    fn end(&mut self) -> Result<(), UpkeepError> {
        let end: End = serde_json::from_slice(&self.line).map_err(|error| self.damaged(&error.to_string()))?;
        if end.sha256 != hexadecimal(&self.digest.clone().finalize()) {
            return Err(self.damaged("it has been changed since it was written: its digest is another"));
        }
        if end.counts != self.counts {
            return Err(self.damaged("there are not as many records as it says"));
        }
        let mut behind = [0];
        match self.lines.read(&mut behind) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.damaged("something follows its end")),
            Err(error) => Err(UpkeepError::file(&self.file, &error)),
        }
    }

    fn read_line(&mut self) -> Result<(), UpkeepError> {
        self.line.clear();
        self.number += 1;
        let mut limited = (&mut self.lines).take(BACKUP_LINE_BYTES_MAX as u64);
        limited.read_until(b'\n', &mut self.line).map_err(|error| UpkeepError::file(&self.file, &error))?;
        self.bytes += self.line.len() as u64;
        match self.line.last() {
            Some(b'\n') => Ok(()),
            _ if self.line.len() >= BACKUP_LINE_BYTES_MAX => Err(self.damaged("a line without end")),
            _ => Err(self.damaged("it was cut off: its end is missing")),
        }
    }

    fn damaged(&self, what: &str) -> UpkeepError {
        UpkeepError::Damaged { file: self.file.clone(), detail: format!("line {}: {what}", self.number) }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
