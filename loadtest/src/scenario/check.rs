//! A history file, judged once more.

use std::path::Path;

use crate::Fault;
use crate::judge::check;
use crate::report::Findings;

/// Judges it; answers whether nothing was damaged.
pub(crate) fn run(path: &Path, late_ms: Option<u64>) -> Result<bool, Fault> {
    let findings = Findings::judged(check(path, late_ms.map(|ms| ms.saturating_mul(1_000)))?);
    println!("\n{}\n{}", path.display(), findings.table.text());
    for example in findings.verdict.iter().flat_map(|verdict| &verdict.examples) {
        println!("  {}: {}", example.damage.name(), example.what);
    }
    let passed = findings.reasons.is_empty();
    println!("{} {}", if passed { "PASS" } else { "FAIL" }, path.display());
    Ok(passed)
}
