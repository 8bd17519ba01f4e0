//! The driver `qemu`, with other programs in the place of QEMU.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use boss::power::{Drivers, Machine, Power, PowerErrorKind};
use tempfile::TempDir;

use super::{directory, machine, until};

/// A node that is a process which waits.
struct Node {
    directory: TempDir,
    drivers: Drivers,
    machine: Machine,
}

impl Node {
    /// Its program's arguments, one in each line.
    fn new(command: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("command"), command.replace("@DIRECTORY@", &path(""))).unwrap();
        let machine = machine(
            "qemu",
            &[
                ("COMMAND_FILE", &path("command")),
                ("PIDFILE", &path("run/pid")),
                ("CONSOLE", &path("console")),
            ],
        );
        Self { directory, drivers: Drivers::new(super::directory()), machine }
    }

    fn pidfile(&self) -> PathBuf {
        self.directory.path().join("run/pid")
    }

    /// What the driver has noted.
    fn noted(&self) -> String {
        fs::read_to_string(self.pidfile()).unwrap_or_default()
    }

    fn pid(&self) -> Option<i32> {
        self.noted().split(' ').next()?.parse().ok()
    }

    async fn status(&self) -> Power {
        self.drivers.status(&self.machine).await.unwrap()
    }
}

/// Ends what a failed test has left.
impl Drop for Node {
    fn drop(&mut self) {
        if self.pidfile().exists() {
            let paths = ["command", "run/pid"].map(|name| self.directory.path().join(name));
            let _ = Command::new(directory().join("qemu"))
                .args(["pc42", "off"])
                .env("POWER_COMMAND_FILE", &paths[0])
                .env("POWER_PIDFILE", &paths[1])
                .output();
        }
    }
}

/// Whether a process is there and not only waits to be asked for its status.
fn lives(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_process_is_started_and_killed() {
    // Arguments with what a shell would take for something else.
    let node = Node::new("tail\n-f\n@DIRECTORY@a b's \"$x\"*\n/dev/null\n");
    fs::write(node.directory.path().join("a b's \"$x\"*"), "on the console\n").unwrap();
    assert_eq!(node.status().await, Power::Off);
    node.drivers.off(&node.machine).await.unwrap();
    node.drivers.on(&node.machine).await.unwrap();
    let pid = node.pid().unwrap();
    assert!(lives(pid));
    assert_eq!(node.status().await, Power::On);
    let console = node.directory.path().join("console");
    until("its output is kept", || {
        fs::read_to_string(&console).unwrap().contains("on the console")
    });

    node.drivers.on(&node.machine).await.unwrap();
    assert_eq!(node.pid(), Some(pid), "there is only one");
    node.drivers.cycle(&node.machine).await.unwrap();
    let next = node.pid().unwrap();
    assert!(next != pid && !lives(pid) && lives(next));
    node.drivers.netboot(&node.machine).await.unwrap();
    node.drivers.diskboot(&node.machine).await.unwrap();

    node.drivers.off(&node.machine).await.unwrap();
    assert!(!lives(next));
    assert_eq!(node.status().await, Power::Off);
    assert!(!node.pidfile().exists());
}

#[tokio::test]
async fn two_who_turn_it_on_start_one() {
    // What it reads first is on the console once for each time that it was started.
    let node = Node::new("tail\n-f\n@DIRECTORY@text\n");
    fs::write(node.directory.path().join("text"), "started\n").unwrap();
    let on = || node.drivers.on(&node.machine);
    let (a, b, c) = tokio::join!(on(), on(), on());
    for result in [a, b, c] {
        result.unwrap();
    }
    let console = node.directory.path().join("console");
    until("it is started", || fs::read_to_string(&console).unwrap().contains("started"));
    assert_eq!(fs::read_to_string(&console).unwrap(), "started\n");
    node.drivers.off(&node.machine).await.unwrap();
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_a_failure() {
    for (command, why) in
        [("ls\n/no/such/file\n", "/no/such/file"), ("/no/such/program", "did not")]
    {
        let node = Node::new(command);
        let error = node.drivers.on(&node.machine).await.unwrap_err();
        assert_eq!(error.kind, PowerErrorKind::Failed, "{error}");
        assert!(error.why.contains(why), "{error}");
        assert_eq!(node.status().await, Power::Off);
    }
}

/// One that ended by itself, as a node does that turns itself off.
#[tokio::test]
async fn a_machine_that_turned_itself_off_is_off() {
    let node = Node::new("sleep\n1000\n");
    node.drivers.on(&node.machine).await.unwrap();
    let pid = node.pid().unwrap();
    let ended = Command::new("kill").arg(pid.to_string()).status().unwrap();
    assert!(ended.success());
    until("it ends", || !lives(pid));
    assert_eq!(node.status().await, Power::Off);
    node.drivers.on(&node.machine).await.unwrap();
    assert_ne!(node.pid(), Some(pid));
    node.drivers.off(&node.machine).await.unwrap();
}

/// A process of this test that the driver must not touch.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    /// When it started, as the kernel counts.
    fn start(&self) -> String {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().to_owned()
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn another_process_with_its_number_is_left_alone() {
    let node = Node::new("sleep\n1000\n");
    let mut stranger = Stranger::new();
    let (pid, start) = (stranger.0.id(), stranger.start());
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = boot.trim();
    fs::create_dir(node.directory.path().join("run")).unwrap();
    let write = |text: String| fs::write(node.pidfile(), text).unwrap();

    // Another start, another boot: the machine's process is gone, and this is somebody else's.
    for noted in [
        format!("{pid} {start}0 {boot}\nsleep\n1000\n"),
        format!("{pid} {start} another-boot\nsleep\n1000\n"),
    ] {
        write(noted);
        assert_eq!(node.status().await, Power::Off);
        node.drivers.off(&node.machine).await.unwrap();
        assert!(stranger.lives());
    }
    // The very process, but what it runs is not what was started: that is no state to say "off" in.
    write(format!("{pid} {start} {boot}\nqemu-system-x86_64\n"));
    assert_eq!(node.status().await, Power::On);
    let error = node.drivers.off(&node.machine).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::Failed);
    assert!(error.why.contains("it is left alone"), "{error}");
    assert!(stranger.lives());
    // With the right arguments it would have been the machine.
    write(format!("{pid} {start} {boot}\nsleep\n1000\n"));
    node.drivers.off(&node.machine).await.unwrap();
    assert!(!stranger.lives());
}
