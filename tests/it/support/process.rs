//! Child processes that never outlive the test.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

/// A server that runs as a child of this test: killed and reaped when dropped, and killed by the kernel should the
/// test process die first.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// Keeps the thread that started the child. The kernel's "your parent died" goes by thread, not by process, so a
    /// child started from a runtime's thread would die when the runtime retires that thread.
    _parent: mpsc::SyncSender<()>,
}

impl Process {
    /// Starts `program`; what it prints is appended to the file `log`.
    pub(crate) fn spawn(program: &Path, arguments: &[impl AsRef<OsStr>], log: &Path) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments);
        Self::run(command, log)
    }

    fn run(mut command: Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("the log can be written");
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let (started, child) = mpsc::sync_channel(1);
        let (parent, test_is_over) = mpsc::sync_channel::<()>(1);
        thread::spawn(move || {
            started.send(command.spawn()).expect("the test waits for its server");
            test_is_over.recv()
        });
        let child = child.recv().expect("the parent thread answers").unwrap_or_else(|error| {
            panic!("setpriv (of util-linux) could not be started: {error}; run scripts/setup");
        });
        Self { child, log: log.to_owned(), _parent: parent }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Sends `signal`; panics when the process has ended, because the fault that the test wants did not happen.
    pub(crate) fn signal(&mut self, signal: Signal) {
        assert!(
            self.is_running(),
            "{signal:?} came too late: the process has ended, its log ends with\n{}",
            self.log()
        );
        kill_process(Pid::from_child(&self.child), signal).expect("our own child can be signalled");
    }

    /// `kill -9`, and waits for the end. Nothing happens when it has ended already.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("a killed child can be reaped");
    }

    /// The last lines it printed, for a message that explains why it is not there.
    pub(crate) fn log(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where an installed program is. Panics when it is not there: a test that needs it must not pass by being skipped.
pub(crate) fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; run scripts/setup"))
}

/// Where a program is that `scripts/setup` put into `.tools`. Panics when it is not there.
pub(crate) fn downloaded(path: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools").join(path);
    assert!(file.is_file(), "{} is not there; run scripts/setup", file.display());
    file
}
