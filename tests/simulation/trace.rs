//! What happened, for a run that failed.

use std::sync::Mutex;

use tokio::time::Instant;

/// The events of one run, kept only when it is replayed.
pub struct Trace {
    began: Instant,
    lines: Option<Mutex<Vec<String>>>,
}

impl Trace {
    pub fn new(kept: bool) -> Self {
        Self { began: Instant::now(), lines: kept.then(Mutex::default) }
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let line = format!("{:>7} ms  {}", self.began.elapsed().as_millis(), what());
            if crate::run::setting("SIM_ECHO").is_some() {
                println!("{line}");
            }
            lines.lock().unwrap().push(line);
        }
    }

    /// The lines that mention any of these words.
    pub fn about(&self, words: &[String]) -> Vec<String> {
        let Some(lines) = &self.lines else { return Vec::new() };
        let lines = lines.lock().unwrap();
        lines.iter().filter(|line| words.iter().any(|word| line.contains(word.as_str()))).cloned().collect()
    }
}
