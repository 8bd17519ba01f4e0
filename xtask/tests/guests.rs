//! Real guests, servers in namespaces and kernel packages: what takes root, QEMU or 70 MB from the
//! package archive.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use xtask::guest::{CUT, Guest, Job};
use xtask::nfs::ganesha::{Ganesha, Squash};
use xtask::nfs::namespace::Namespace;
use xtask::qemu::{EMULATED, Exit, Machine, Program};
use xtask::{apt, command, mfs};

const PATIENCE: Duration = Duration::from_mins(3);

/// A guest whose init is no program: the kernel boots, panics and resets.
fn machine(directory: &TempDir) -> Machine {
    apt::ensure(apt::KERNEL_TOOLS).and_then(|()| apt::ensure(apt::QEMU)).unwrap();
    let init = directory.path().join("init");
    fs::write(&init, b"no program").unwrap();
    let image = mfs::build_with_init("virtio", &init, &directory.path().join("image")).unwrap();
    Machine::new(&image.vmlinuz, &image.initramfs, &directory.path().join("serial.log"))
}

#[test]
fn a_panic_is_told_from_a_reboot() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = machine(&directory).append("mfs.test=1").start().unwrap();
    assert_eq!(guest.wait(PATIENCE).unwrap(), Exit::Panic);
    let times = guest.boot_times();
    assert!(times.kernel.unwrap() < times.init.unwrap());
    let log = fs::read_to_string(directory.path().join("serial.log")).unwrap();
    let words = format!("Command line: console=ttyS0 panic=-1 {EMULATED} mfs.test=1");
    assert!(log.contains(&words), "{log}");
    let error = guest.wait_for_line("never said", PATIENCE).unwrap_err().to_string();
    assert!(error.contains("ended without saying: `never said`"), "{error}");
    assert!(error.contains("Kernel panic"), "{error}");
}

#[test]
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
fn a_guest_runs_a_script_with_this_machines_programs() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk");
    fs::File::create(&disk).unwrap().set_len(16 << 20).unwrap();
    let guest = Guest::prepare().unwrap();
    let job = |script| Job {
        directory: directory.path(),
        script,
        disks: std::slice::from_ref(&disk),
        limit: PATIENCE,
    };
    let make = "mkfs.fat -n GUEST /dev/vda; mount -t vfat /dev/vda /mnt
                echo lasting > /mnt/file; umount /mnt; ls -d /usr > list";
    guest.run(&job(make)).unwrap();
    assert_eq!(fs::read_to_string(directory.path().join("list")).unwrap(), "/usr\n");
    assert!(fs::read(&disk).unwrap()[..512].windows(5).any(|bytes| bytes == b"GUEST"));

    // Nothing is lost of what was synced, and nothing comes after.
    let cut = format!(
        "mount -t vfat /dev/vda /mnt; echo synced > /mnt/other; sync; mkdir /mnt/never; echo '{CUT}'
         sleep 100"
    );
    guest.run_until_cut(&job(&cut), Duration::ZERO).unwrap();
    let read =
        "mount -t vfat /dev/vda /mnt; cp /mnt/file /mnt/other .; test ! -e /mnt/never; exit 3";
    let error = guest.run(&job(read)).unwrap_err().to_string();
    assert!(error.contains("ended with status 3"), "{error}");
    for (name, content) in [("file", "lasting\n"), ("other", "synced\n")] {
        assert_eq!(fs::read_to_string(directory.path().join(name)).unwrap(), content);
    }
}

#[test]
fn what_qemu_complains_about_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("serial.log");
    let absent = Path::new("/nonexistent/vmlinuz");
    let error = Machine::new(absent, absent, &log).start().unwrap_err();
    assert!(format!("{error:#}").contains("/nonexistent/vmlinuz"), "{error:#}");
}

#[test]
fn inside_there_is_only_the_loopback_interface() {
    let namespace = Namespace::new().unwrap();
    let links = command::stdout(namespace.command("ip").args(["-o", "link"])).unwrap();
    assert_eq!(links.lines().count(), 1, "{links}");
    assert!(links.contains("LOOPBACK,UP"), "{links}");
    let run = command::stdout(namespace.command("ls").arg("/run")).unwrap();
    assert_eq!(run, "");
}

#[test]
fn it_exports_and_leaves_nothing_behind() {
    apt::ensure(apt::GANESHA).unwrap();
    let work = tempfile::tempdir().unwrap();
    let export = tempfile::tempdir().unwrap();
    let ganesha = Ganesha::start(export.path(), Squash::Root, work.path()).unwrap();
    let services = command::stdout(ganesha.namespace().command("rpcinfo").arg("-s")).unwrap();
    assert!(services.contains("mountd") && services.contains("nfs"), "{services}");
    let server = PathBuf::from(format!("/proc/{}", ganesha.process()));
    assert!(server.exists());
    drop(ganesha);
    assert!(!server.exists());
}

/// The whole image, from the real kernel package, twice: another directory, another time.
#[test]
fn the_same_input_gives_the_same_bytes() {
    apt::ensure(apt::KERNEL_TOOLS).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let init = directory.path().join("init");
    fs::write(&init, b"not really a program").unwrap();
    let first = mfs::build_with_init("virtio", &init, &directory.path().join("a")).unwrap();
    fs::copy(&init, directory.path().join("copied")).unwrap();
    let copied = directory.path().join("copied");
    let second = mfs::build_with_init("virtio", &copied, &directory.path().join("b/c")).unwrap();
    assert_eq!(first.manifest, second.manifest);
    assert_eq!(fs::read(&first.initramfs).unwrap(), fs::read(&second.initramfs).unwrap());
    let names: Vec<&str> = first.manifest.modules.iter().map(|m| m.name.as_str()).collect();
    let place = |name: &str| names.iter().position(|n| *n == name).unwrap();
    assert!(place("virtio_ring") < place("virtio_net"));
    assert!(place("sunrpc") < place("nfs") && place("nfs") < place("nfsv3"));
    assert!(place("watchdog") < place("i6300esb"));
}

#[test]
fn a_qemu_for_devices_that_the_installed_one_lacks() {
    apt::ensure(apt::QEMU).unwrap();
    assert_eq!(Program::with_device("e1000e").unwrap(), Program::installed());
    assert!(Program::with_device("igb").unwrap().has_device("igb"));
    let error = Program::with_device("no-such-card").unwrap_err();
    assert!(format!("{error:#}").contains("no no-such-card"), "{error:#}");
}
