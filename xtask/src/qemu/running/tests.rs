//! Real guests, whose init is no program: the kernel boots, panics and resets.

use crate::mfs;
use crate::qemu::{Exit, Machine};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(3);

fn machine(directory: &TempDir) -> Machine {
    let init = directory.path().join("init");
    fs::write(&init, b"no program").unwrap();
    let image = mfs::build_with_init("virtio", &init, &directory.path().join("image")).unwrap();
    Machine::new(&image.vmlinuz, &image.initramfs, &directory.path().join("serial.log"))
}

#[test]
#[ignore = "boots a guest; `cargo xtask test` runs it"]
fn a_panic_is_told_from_a_reboot() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = machine(&directory).append("mfs.test=1").start().unwrap();
    assert_eq!(guest.wait(PATIENCE).unwrap(), Exit::Panic);
    let times = guest.boot_times();
    assert!(times.kernel.unwrap() < times.init.unwrap());
    let log = fs::read_to_string(directory.path().join("serial.log")).unwrap();
    assert!(log.contains("Command line: console=ttyS0 panic=-1 mfs.test=1"), "{log}");
    let error = guest.wait_for_line("never said", PATIENCE).unwrap_err().to_string();
    assert!(error.contains("ended without saying: `never said`"), "{error}");
    assert!(error.contains("Kernel panic"), "{error}");
}

#[test]
#[ignore = "boots a guest; `cargo xtask test` runs it"]
fn a_guest_can_be_paused_and_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = machine(&directory).start().unwrap();
    guest.pause().unwrap();
    let status = guest.qmp("query-status", &serde_json::json!({})).unwrap();
    assert_eq!(status["status"], "paused");
    assert!(guest.wait(Duration::from_millis(50)).is_err());
    guest.resume().unwrap();
    guest.wait_for_line("Linux version", PATIENCE).unwrap();
    guest.kill().unwrap();
    assert_eq!(guest.wait(PATIENCE).unwrap(), Exit::Killed);
}

#[test]
#[ignore = "runs QEMU; `cargo xtask test` runs it"]
fn what_qemu_complains_about_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("serial.log");
    let absent = Path::new("/nonexistent/vmlinuz");
    let error = Machine::new(absent, absent, &log).start().unwrap_err();
    assert!(format!("{error:#}").contains("/nonexistent/vmlinuz"), "{error:#}");
}
