//! The unit that runs boss, as systemd reads it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// How exposed the service may be by systemd's count, in tenths: 100 is a service without limits.
const EXPOSED: u32 = 30;

/// `systemd-analyze` on the unit, with a program that is there in the place of boss.
fn analyze(arguments: &[&str], change: impl Fn(&str) -> String) -> Output {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/systemd/boss.service");
    let text = fs::read_to_string(unit).unwrap();
    let program = "ExecStart=/usr/local/bin/boss ";
    assert!(text.contains(program), "{text}");
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("boss.service");
    fs::write(&copy, change(&text.replace(program, "ExecStart=/bin/true "))).unwrap();
    let run = Command::new("systemd-analyze").args(arguments).arg("--no-pager").arg(copy).output();
    run.expect("systemd-analyze is there: `cargo xtask test` installs it")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn systemd_understands_every_line() {
    let output = analyze(&["verify", "--man=no"], str::to_owned);
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
    // It does tell.
    let output = analyze(&["verify", "--man=no"], |text| text.replace("UMask=", "UMaks="));
    assert!(said(&output).contains("UMaks"), "{}", said(&output));
}

#[test]
fn the_service_has_little_that_it_does_not_need() {
    let threshold = format!("--threshold={EXPOSED}");
    let security = ["security", "--offline=true", &threshold];
    let output = analyze(&security, str::to_owned);
    assert!(output.status.success(), "{}", said(&output));
    let all = |text: &str| text.replace("CapabilityBoundingSet=CAP_", "#CapabilityBoundingSet=");
    assert!(!analyze(&security, all).status.success());
}
