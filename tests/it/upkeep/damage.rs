//! A back-up that is not what was written is refused, before anything is done with it.

use std::fs;
use std::path::Path;

use switchboard::upkeep::{UpkeepError, examine};

use super::copies::furnish;
use super::{Place, back_up};

async fn refusal(file: &Path, bytes: &[u8]) -> String {
    fs::write(file, bytes).unwrap();
    match examine(file).await {
        Err(error @ UpkeepError::Damaged { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_flipped_cut_or_added_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let source = Place::File(home.path().join("source"));
    furnish(&source.open().await).await;
    let backup = home.path().join("backup");
    back_up(&source, &backup).await;
    let whole = fs::read(&backup).unwrap();
    let spoilt = home.path().join("spoilt");
    for at in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        refusal(&spoilt, &bytes).await;
    }
    for length in (0..whole.len()).step_by(101) {
        refusal(&spoilt, &whole[..length]).await;
    }
    let refused = refusal(&spoilt, &[&whole[..], b"\n"].concat()).await;
    assert!(refused.contains("something follows its end"), "{refused}");
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let without_one = [&lines[..9], &lines[10..]].concat().concat();
    refusal(&spoilt, &without_one).await;
    let refused = refusal(&spoilt, b"{\"not\":\"ours\"}\n").await;
    assert!(refused.contains("none of Switchboard's"), "{refused}");
    fs::write(&spoilt, &whole).unwrap();
    examine(&spoilt).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_gives_no_back_up() {
    const MARK: &[u8] = b"these very bytes";
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let source = Place::File(directory.clone());
    let store = source.open().await;
    furnish(&store).await;
    let profile = switchboard::model::Profile::default();
    store.put_profile(&"zoe".parse().unwrap(), &profile).await.unwrap();
    let talk = switchboard::model::Conversation::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap());
    let found = store.page(talk.id, switchboard::store::Span::After(switchboard::model::Seq(4)), 1).await.unwrap();
    let switchboard::model::Message { conversation, sender, at, event, .. } = found[0].clone();
    for seq in 6..=7 {
        let text = if seq == 6 { String::from_utf8(MARK.to_vec()).unwrap() } else { "hides it".to_owned() };
        let new = switchboard::model::NewMessage {
            conversation,
            id: switchboard::model::MessageId::from_bytes([9; 12]),
            sender: sender.clone(),
            key: format!("m{seq}").parse().unwrap(),
            at,
            text,
            event: event.clone(),
        };
        let attempt = switchboard::store::Attempt { message: new, seq: switchboard::model::Seq(seq) };
        assert_eq!(store.append_each(vec![attempt]).await, [switchboard::store::Outcome::Stored]);
    }
    store.close().await;
    drop(store);
    let file = directory.join("switchboard.db");
    let mut bytes = fs::read(&file).unwrap();
    let windows = bytes.windows(MARK.len()).enumerate();
    let found: Vec<usize> = windows.filter(|(_, window)| *window == MARK).map(|(at, _)| at).collect();
    assert!(!found.is_empty(), "the text is in the file");
    found.into_iter().for_each(|at| bytes[at] ^= 1);
    fs::write(&file, bytes).unwrap();
    let to = home.path().join("backup");
    let original = source.original().await;
    let refused = switchboard::upkeep::back_up(original, &to, &switchboard::model::SystemClock, |_| {}).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("checksum"), "{refused}");
    assert!(!to.exists() && !home.path().join("backup.part").exists(), "nothing is left of it");
}
