//! The power drivers of `scripts/power`, run as boss runs them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ipmi;
mod qemu;
mod redfish;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use boss::power::{Drivers, Machine, PowerErrorKind};

/// The drivers of this tree.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/power")
}

/// The drivers, with a directory of other programs before the system's.
fn drivers(programs: &Path) -> Drivers {
    let system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    Drivers::new(directory()).path(format!("{}:{system}", programs.display()))
}

fn machine(driver: &str, settings: &[(&str, &str)]) -> Machine {
    Machine::new("pc42".parse().unwrap(), driver, settings.iter().copied()).unwrap()
}

/// Makes a program of a shell script. Another process writes it: a child that another test starts
/// just then would hold the file open for writing, and nobody could run it.
fn script(path: &Path, text: &str) {
    let made = Command::new("sh")
        .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\"", "sh"])
        .args([path.as_os_str(), text.as_ref()])
        .status();
    assert!(made.unwrap().success());
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits for something that another process does.
fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn shellcheck_finds_nothing() {
    let files = ["ipmi", "redfish", "qemu"].map(|name| directory().join(name));
    let run = Command::new("shellcheck").args(files).output();
    let run = run.expect("shellcheck is there: `cargo xtask test` installs it");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

/// Called by hand without what it needs, a driver says so in one line.
#[tokio::test]
async fn a_driver_without_its_settings_is_misconfigured() {
    let drivers = Drivers::new(directory());
    for name in ["ipmi", "redfish", "qemu"] {
        let error = drivers.status(&machine(name, &[])).await.unwrap_err();
        assert_eq!(error.kind, PowerErrorKind::Misconfigured, "{error}");
        assert!(error.why.starts_with(&format!("{name}: pc42: POWER_")), "{error}");
        for arguments in [&[][..], &["pc42"], &["pc42", "on", "now"]] {
            let run = Command::new(directory().join(name)).args(arguments).output().unwrap();
            assert_eq!(run.status.code(), Some(2));
            let said = String::from_utf8(run.stderr).unwrap();
            assert!(said.contains("usage: ") && said.lines().count() == 1, "{said}");
        }
    }
}
