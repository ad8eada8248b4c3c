//! The load generator is independent of what it judges: of the server's code it names the wire, and nothing else.

use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn of_the_server_it_uses_ids_and_encodings_only() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.len() > 40, "the sources were not found");
    let mut named = 0;
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        for (at, _) in text.match_indices("switchboard::") {
            let rest = &text[at + "switchboard::".len()..];
            assert!(
                rest.starts_with("model::") || rest.starts_with("wire::"),
                "{}: switchboard::{rest:.40}",
                file.display()
            );
            named += 1;
        }
    }
    assert!(named > 20, "the reader of names sees what it must: {named}");
}
