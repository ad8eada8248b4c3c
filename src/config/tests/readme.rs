//! The README's table of settings is made from the table in the code.

use std::path::Path;

use super::super::markdown;

const BEGIN: &str = "<!-- settings: made from the code, see src/config/tests/readme.rs -->\n";
const END: &str = "<!-- end of settings -->";

/// When this fails: `REFRESH=1 cargo test --lib config::tests::readme`, then look at the difference and commit it.
#[test]
fn the_readme_lists_the_settings_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has lost the line that begins the settings");
    let (table, after) = rest.split_once(END).expect("README.md has lost the line that ends the settings");
    if std::env::var_os("REFRESH").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", markdown())).unwrap();
        return;
    }
    assert!(
        table == markdown(),
        "the table of settings in README.md is stale; refresh it with\n\n    REFRESH=1 cargo test --lib config::tests::readme\n"
    );
}
