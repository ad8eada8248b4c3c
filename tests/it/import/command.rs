//! The command, as an operator runs it.

use std::process::Command;

use super::copies::crowd;
use super::world::World;
use crate::store_mongo::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_copies_says_so_and_repeats() {
    let world = World::on_disk().await;
    crowd(&world, 300).await;
    let home = tempfile::tempdir().unwrap();
    let import = |target: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["import", "--from", &world.from])
            .envs(target.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code(), text)
    };
    let data = home.path().join("data");
    let file = [("SWITCHBOARD_DATA_DIR", data.to_str().unwrap())];
    let uri = shared().await.uri().replace("/?", "/command?");
    let mongo = [("SWITCHBOARD_MONGODB_URI", uri.as_str())];
    for target in [&file, &mongo] {
        let (code, text) = import(target);
        assert!(code == Some(0) && text.contains("messages imported:           300"), "{code:?} {text}");
        let (code, text) = import(target);
        assert!(code == Some(0) && text.contains("messages there before:       300"), "{code:?} {text}");
    }

    let output = Command::new(env!("CARGO_BIN_EXE_switchboard")).arg("import").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && text.contains("SWITCHBOARD_FROM"), "{text}");
}
