//! A machine without file descriptors left.

use std::process::Command;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{GET, PATIENCE, Raw, start};

/// The limit of open files is the process's, so the test runs once more in a process of its own.
#[test]
fn accepting_pauses_without_descriptors_and_goes_on_by_itself() {
    let myself = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(myself)
        .args(["--exact", "exhaustion::with_few_descriptors", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test above, with few file descriptors"]
fn with_few_descriptors() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    let accept_errors = || -> u32 {
        let text = figures.render();
        let line = text.lines().find_map(|line| line.strip_prefix("switchboard_accept_errors_total "));
        line.expect("the counter is there").parse().unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test = async {
        let served = start(Default::default()).await;
        let mut first = Raw::connect(&served).await;
        first.send(GET.as_bytes()).await;
        assert_eq!(first.status().await, Some(200));

        let mut crowd = Vec::new();
        while let Ok(stream) = TcpStream::connect(served.address).await {
            crowd.push(stream);
            assert!(crowd.len() < 1_000, "there are descriptors enough: the test tests nothing");
        }
        let begin = Instant::now();
        sleep(Duration::from_secs(2)).await;
        let errors = accept_errors();
        assert!(errors > 0, "nothing failed: the test tests nothing");
        let most = 8 + 1 + begin.elapsed().as_secs() as u32;
        assert!(errors <= most, "{errors} errors in {:?}: accepting spins", begin.elapsed());
        for _ in 0..10 {
            first.send(GET.as_bytes()).await;
            assert_eq!(first.status().await, Some(200), "open connections notice nothing");
        }

        drop(crowd);
        let mut next = Raw::connect(&served).await;
        next.send(GET.as_bytes()).await;
        let answer = timeout(PATIENCE, next.status()).await.expect("accepting goes on");
        assert_eq!(answer, Some(200));
    };
    metrics::with_local_recorder(&recorder, || runtime.block_on(test));
}
