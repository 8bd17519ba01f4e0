use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use tempfile::TempDir;

use super::PowerErrorKind::{Failed, Misconfigured, Unreachable};
use super::*;

/// A directory of drivers, each a shell script.
fn drivers(scripts: &[(&str, &str)]) -> (TempDir, Drivers) {
    let directory = tempfile::tempdir().unwrap();
    for (name, script) in scripts {
        // Another test's child may hold a script open for writing that this process writes itself:
        // a fork copies everything. So it is another's.
        let path = directory.path().join(name);
        let made = std::process::Command::new("sh")
            .args(["-c", "printf '%s\\n' '#!/bin/sh' \"$2\" >\"$1\"", "sh"])
            .arg(&path)
            .arg(script)
            .status();
        assert!(made.unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let drivers = Drivers::new(directory.path()).limit(Duration::from_secs(20));
    (directory, drivers)
}

fn machine(driver: &str) -> Machine {
    Machine::new("pc1".parse().unwrap(), driver, [("ADDRESS", "10.0.0.9")]).unwrap()
}

#[tokio::test]
async fn a_driver_gets_what_the_contract_says_and_nothing_else() {
    let (directory, drivers) =
        drivers(&[("spy", "{ echo \"$# $1 $2\"; readlink /proc/$$/fd/0; env; } >\"$POWER_OUT\"")]);
    let out = directory.path().join("out");
    let settings = [("OUT", out.to_str().unwrap()), ("ADDRESS", "a b;c")];
    let machine = Machine::new("pc1".parse().unwrap(), "spy", settings).unwrap();
    let drivers = drivers.path("/usr/bin:/bin");
    for (action, result) in [
        ("on", drivers.on(&machine).await),
        ("off", drivers.off(&machine).await),
        ("cycle", drivers.cycle(&machine).await),
        ("netboot", drivers.netboot(&machine).await),
        ("diskboot", drivers.diskboot(&machine).await),
    ] {
        result.unwrap();
        let said = fs::read_to_string(&out).unwrap();
        if action == "diskboot" {
            let mut lines: Vec<_> = said.lines().collect();
            assert_eq!(lines.drain(..2).collect::<Vec<_>>(), ["2 pc1 diskboot", "/dev/null"]);
            // The shell adds PWD, and some add more of their own.
            lines.retain(|line| !["PWD=/", "SHLVL=0", "_=/usr/bin/env"].contains(line));
            lines.sort_unstable();
            let out = format!("POWER_OUT={}", out.display());
            assert_eq!(lines, ["PATH=/usr/bin:/bin", "POWER_ADDRESS=a b;c", &out]);
        }
    }
}

#[tokio::test]
async fn each_action_has_its_argument() {
    let (directory, drivers) = drivers(&[("log", "echo \"$2\" >>\"$POWER_LOG\"")]);
    let log = directory.path().join("log.txt");
    let machine =
        Machine::new("pc1".parse().unwrap(), "log", [("LOG", log.to_str().unwrap())]).unwrap();
    drivers.on(&machine).await.unwrap();
    drivers.off(&machine).await.unwrap();
    drivers.cycle(&machine).await.unwrap();
    drivers.netboot(&machine).await.unwrap();
    drivers.diskboot(&machine).await.unwrap();
    assert!(drivers.status(&machine).await.is_err());
    let said = fs::read_to_string(log).unwrap();
    assert_eq!(said, "on\noff\ncycle\nnetboot\ndiskboot\nstatus\n");
}

#[tokio::test]
async fn a_status_is_on_or_off_and_nothing_else() {
    let (_directory, drivers) = drivers(&[
        ("on", "echo on"),
        ("off", "echo off"),
        ("off-bare", "printf off"),
        ("both", "echo on; echo off"),
        ("nothing", ":"),
        ("long", "echo off-line"),
        ("garbage", "printf 'off\\000\\377\\n'"),
        ("lying", "echo off; exit 1"),
        ("giant", "echo off; head -c 3000000 /dev/zero"),
        ("giant-why", "head -c 3000000 /dev/zero | tr '\\000' x >&2; exit 1"),
    ]);
    assert_eq!(drivers.status(&machine("on")).await, Ok(Power::On));
    assert_eq!(drivers.status(&machine("off")).await, Ok(Power::Off));
    assert_eq!(drivers.status(&machine("off-bare")).await, Ok(Power::Off));
    for name in ["both", "nothing", "long", "garbage", "lying", "giant", "giant-why"] {
        let error = drivers.status(&machine(name)).await.unwrap_err();
        assert_eq!(error.kind, Failed, "{error}");
        assert!(error.to_string().chars().count() < 500, "{name}");
        assert!(!error.to_string().contains(char::is_control), "{name}");
    }
}

#[tokio::test]
async fn an_exit_status_says_what_is_to_be_done() {
    let (_directory, drivers) = drivers(&[
        ("one", "echo broken >&2; exit 1"),
        ("two", "echo 'no setting' >&2; exit 2"),
        ("three", "printf 'no\\n\\tanswer\\033[1m \\n' >&2; exit 3"),
        ("four", "exit 4"),
        ("killed", "kill -KILL $$"),
        ("lacking", "exec /no/such/program"),
    ]);
    for (name, kind, why) in [
        ("one", Failed, "broken"),
        ("two", Misconfigured, "no setting"),
        ("three", Unreachable, "no answer [1m"),
        ("four", Failed, "it gave no reason; exit status: 4"),
        ("killed", Failed, "it gave no reason; signal: 9 (SIGKILL)"),
    ] {
        let error = drivers.off(&machine(name)).await.unwrap_err();
        assert_eq!((error.kind, error.why.as_str()), (kind, why));
        let line = format!("pc1: power driver {name}, off: {kind}: {why}");
        assert_eq!(error.to_string(), line);
    }
    let error = drivers.on(&machine("lacking")).await.unwrap_err();
    assert_eq!(error.kind, Misconfigured, "{error}");
    assert!(Failed.may_pass() && Unreachable.may_pass() && !Misconfigured.may_pass());
}

#[tokio::test]
async fn a_driver_that_is_not_there_or_no_program_is_misconfigured() {
    let (directory, drivers) = drivers(&[("plain", "exit 0")]);
    let plain = directory.path().join("plain");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
    for name in ["plain", "absent"] {
        let error = drivers.on(&machine(name)).await.unwrap_err();
        assert_eq!(error.kind, Misconfigured, "{error}");
        assert!(error.why.contains(name), "{error}");
    }
}

/// Whether a process is there and not only waits to be asked for its status.
fn lives(process: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", process.trim()))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X']))
}

/// Waits for something that another process does.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A driver that never ends, with a child of its own whose number it writes down.
fn hanging() -> (TempDir, Drivers, Machine, PathBuf) {
    let script = "echo stuck >&2; sleep 1000 & echo $! >\"$POWER_OUT.new\"\n\
                  mv \"$POWER_OUT.new\" \"$POWER_OUT\"; wait";
    let (directory, drivers) = drivers(&[("hang", script)]);
    let out = directory.path().join("out");
    let settings = [("OUT", out.to_str().unwrap())];
    let machine = Machine::new("pc1".parse().unwrap(), "hang", settings).unwrap();
    (directory, drivers, machine, out)
}

#[tokio::test]
async fn a_driver_that_hangs_is_killed_with_its_children() {
    let (_directory, drivers, machine, out) = hanging();
    let error = drivers.limit(Duration::from_millis(1500)).off(&machine).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::TimedOut, "{error}");
    assert_eq!(error.why, "not done after 1.5s: stuck");
    let child = fs::read_to_string(out).unwrap();
    until("its child is killed", || !lives(&child)).await;
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_is_ended() {
    let (_directory, drivers, machine, out) = hanging();
    let run = tokio::spawn(async move { drivers.off(&machine).await });
    until("the driver runs", || out.exists()).await;
    let child = fs::read_to_string(&out).unwrap();
    assert!(lives(&child));
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    until("its child is killed", || !lives(&child)).await;
}

#[tokio::test]
async fn a_driver_may_leave_something_running_that_holds_its_output() {
    let script = "sleep 1000 & echo $! >\"$POWER_OUT\"; echo on";
    let (directory, drivers) = drivers(&[("leave", script)]);
    let out = directory.path().join("out");
    let settings = [("OUT", out.to_str().unwrap())];
    let machine = Machine::new("pc1".parse().unwrap(), "leave", settings).unwrap();
    assert_eq!(drivers.status(&machine).await, Ok(Power::On));
    let child = fs::read_to_string(out).unwrap();
    assert!(lives(&child));
    let ended = std::process::Command::new("kill").arg(child.trim()).status().unwrap();
    assert!(ended.success());
}

/// Each of two drivers waits for the other: they can only end if they run at the same time.
#[tokio::test]
async fn drivers_run_side_by_side() {
    let script = "touch \"$POWER_OUT.$1\"\n\
                  until [ -e \"$POWER_OUT.a\" ] && [ -e \"$POWER_OUT.b\" ]; do sleep 0.01; done";
    let (directory, drivers) = drivers(&[("meet", script)]);
    let out = directory.path().join("out");
    let settings = || [("OUT", out.to_str().unwrap())];
    let a = Machine::new("a".parse().unwrap(), "meet", settings()).unwrap();
    let b = Machine::new("b".parse().unwrap(), "meet", settings()).unwrap();
    let (a, b) = tokio::join!(drivers.on(&a), drivers.on(&b));
    a.unwrap();
    b.unwrap();
}

#[test]
fn no_description_is_another_program_or_variable() {
    let new = |driver: &str, key: &str, value: &str| {
        Machine::new("pc1".parse().unwrap(), driver, [(key, value)])
    };
    assert!(new("my-driver_2", "PASSWORD_FILE", "/etc/a b").is_ok());
    for driver in
        ["", "..", ".", "../x", "/bin/sh", "a/b", "-x", "Ipmi", "a b", "a\0", &"x".repeat(33)]
    {
        assert_eq!(new(driver, "A", ""), Err(Fault::Driver(driver.to_owned())));
    }
    for key in ["", "a", "A=B", "A B", "_A", "1", "A\0", "A\n"] {
        assert_eq!(new("x", key, ""), Err(Fault::Key(key.to_owned())));
    }
    for value in ["a\nb", "a\0", "\u{1b}[1m", &"x".repeat(4097)] {
        assert_eq!(new("x", "A", value), Err(Fault::Value("A".to_owned())));
    }
    let twice = Machine::new("pc1".parse().unwrap(), "x", [("A", "1"), ("A", "2")]);
    assert_eq!(twice, Err(Fault::Twice("A".to_owned())));
    let secret = new("x", "PASSWORD", "secret").unwrap();
    assert!(!format!("{secret:?}").contains("secret"));
}
