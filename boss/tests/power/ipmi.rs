//! The driver `ipmi` and a program in the place of `ipmitool` that keeps a machine's state in files.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use boss::power::{Drivers, Machine, Power, PowerErrorKind};
use tempfile::TempDir;

use super::{drivers, machine, script};

/// What it knows of `ipmitool`: the options, the words for a machine's power and for what fails.
/// Files beside it say how it behaves.
const IPMITOOL: &str = r#"
dir=${0%/*}
echo "$*" >>"$dir/calls"
user= file=
while getopts I:H:U:f:p:C:L: option; do
    case $option in
    U) user=$OPTARG ;;
    f) file=$OPTARG ;;
    *) ;;
    esac
done
shift $((OPTIND - 1))
[ ! -e "$dir/hang" ] || exec sleep 1000
if [ -e "$dir/deaf" ]; then
    echo "Error: Unable to establish IPMI v2 / RMCP+ session" >&2
    exit 1
fi
# Deaf for some calls.
if [ -s "$dir/pause" ]; then
    left=$(cat "$dir/pause")
    if [ "$left" -gt 0 ]; then
        echo $((left - 1)) >"$dir/pause"
        echo "Error: Unable to establish IPMI v2 / RMCP+ session" >&2
        exit 1
    fi
fi
if [ "$user:$(cat "$file")" != "boss:secret word" ]; then
    printf 'RAKP 2 HMAC is invalid\nError: Unable to establish IPMI v2 / RMCP+ session\n' >&2
    exit 1
fi
case "$*" in
"chassis power status")
    # Goes on for some calls with what it was.
    left=$(cat "$dir/delay" 2>/dev/null || echo 0)
    if [ -e "$dir/wanted" ]; then
        if [ "$left" -gt 0 ]; then
            echo $((left - 1)) >"$dir/delay"
        else
            mv "$dir/wanted" "$dir/state"
        fi
    fi
    echo "Chassis Power is $(cat "$dir/state")"
    ;;
"chassis power on" | "chassis power off")
    if [ -e "$dir/refuse" ]; then
        echo "Set Chassis Power Control to Down/Off failed: Command not supported" >&2
        exit 1
    fi
    echo "$3" >"$dir/wanted"
    [ ! -e "$dir/then-pause" ] || mv "$dir/then-pause" "$dir/pause"
    echo "Chassis Power Control: Down/Off"
    ;;
"chassis power soft") echo off >"$dir/wanted" ;;
"chassis bootdev"*) echo "Set Boot Device to $3" ;;
*) echo "Invalid command: $*" >&2; exit 1 ;;
esac
"#;

/// A machine with such a BMC.
struct Bmc {
    directory: TempDir,
    drivers: Drivers,
    machine: Machine,
}

impl Bmc {
    fn new(state: &str, more: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        script(&directory.path().join("ipmitool"), IPMITOOL);
        let drivers = drivers(directory.path());
        let password = directory.path().join("password");
        fs::write(&password, "secret word\n").unwrap();
        let mut settings = vec![
            ("ADDRESS", "10.1.0.42"),
            ("USER", "boss"),
            ("PASSWORD_FILE", password.to_str().unwrap()),
            ("REST", "0"),
        ];
        settings.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
        settings.extend(more);
        let machine = machine("ipmi", &settings);
        let bmc = Self { directory, drivers, machine };
        bmc.set("state", state);
        bmc
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    fn state(&self) -> String {
        fs::read_to_string(self.file("state")).unwrap().trim().to_owned()
    }

    /// What it was called with, from the command on.
    fn commands(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.file("calls")).unwrap_or_default();
        calls.lines().map(|call| call.split_once("chassis ").unwrap().1.to_owned()).collect()
    }
}

#[tokio::test]
async fn a_machine_is_turned_on_and_off() {
    let bmc = Bmc::new("off", &[]);
    assert_eq!(bmc.drivers.status(&bmc.machine).await, Ok(Power::Off));
    bmc.drivers.on(&bmc.machine).await.unwrap();
    assert_eq!(bmc.state(), "on");
    assert_eq!(bmc.drivers.status(&bmc.machine).await, Ok(Power::On));
    bmc.drivers.off(&bmc.machine).await.unwrap();
    assert_eq!(bmc.state(), "off");
    let calls = fs::read_to_string(bmc.file("calls")).unwrap();
    let password = bmc.file("password");
    let start =
        format!("-I lanplus -H 10.1.0.42 -U boss -f {} chassis power status", password.display());
    assert!(calls.lines().all(|call| !call.contains("secret")), "{calls}");
    assert_eq!(calls.lines().next(), Some(start.as_str()));
}

#[tokio::test]
async fn what_is_so_already_is_not_asked_for() {
    let bmc = Bmc::new("off", &[]);
    bmc.drivers.off(&bmc.machine).await.unwrap();
    bmc.set("state", "on");
    bmc.drivers.on(&bmc.machine).await.unwrap();
    assert_eq!(bmc.commands(), ["power status", "power status"]);
}

/// The BMC takes the order and says nothing for a moment, and then that the machine still is on.
#[tokio::test]
async fn off_is_only_said_when_it_was_seen() {
    let bmc = Bmc::new("on", &[]);
    bmc.set("then-pause", "1");
    bmc.set("delay", "1");
    bmc.drivers.off(&bmc.machine).await.unwrap();
    assert_eq!(bmc.state(), "off");
    let expected = ["power status", "power off", "power status", "power status", "power status"];
    assert_eq!(bmc.commands(), expected);
}

#[tokio::test]
async fn a_machine_that_stays_on_is_not_off() {
    let bmc = Bmc::new("on", &[("LIMIT", "3")]);
    bmc.set("delay", "1000");
    let error = bmc.drivers.off(&bmc.machine).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::Failed);
    let why = "ipmi: pc42: not confirmed off after 3 seconds: 10.1.0.42 still says that it is on";
    assert_eq!(error.why, why);
    bmc.set("refuse", "");
    let error = bmc.drivers.off(&bmc.machine).await.unwrap_err();
    assert!(error.why.ends_with("Command not supported"), "{error}");
}

#[tokio::test]
async fn a_cycle_goes_through_off() {
    for state in ["on", "off"] {
        let bmc = Bmc::new(state, &[]);
        bmc.drivers.cycle(&bmc.machine).await.unwrap();
        assert_eq!(bmc.state(), "on");
        let mut orders = bmc.commands();
        orders.retain(|command| command != "power status");
        let expected = if state == "on" { &["power off", "power on"][..] } else { &["power on"] };
        assert_eq!(orders, expected);
    }
}

#[tokio::test]
async fn a_bmc_that_does_not_answer_is_unreachable() {
    let bmc = Bmc::new("on", &[("LIMIT", "2")]);
    bmc.set("deaf", "");
    let error = bmc.drivers.off(&bmc.machine).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::Unreachable, "{error}");
    fs::remove_file(bmc.file("deaf")).unwrap();
    bmc.set("hang", "");
    let start = Instant::now();
    let error = bmc.drivers.status(&bmc.machine).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::Unreachable, "{error}");
    assert_eq!(error.why, "ipmi: pc42: 10.1.0.42 did not answer within 2 seconds");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn what_somebody_has_to_change_is_not_tried_again() {
    let nobody = ("USER", "nobody");
    let no_file = ("PASSWORD_FILE", "/no/such/file");
    for wrong in [nobody, no_file, ("LIMIT", "56"), ("LIMIT", "x"), ("FIRMWARE", "coreboot")] {
        let bmc = Bmc::new("on", &[wrong]);
        for result in [bmc.drivers.off(&bmc.machine).await, bmc.drivers.netboot(&bmc.machine).await]
        {
            let error = result.unwrap_err();
            assert_eq!(error.kind, PowerErrorKind::Misconfigured, "{error}");
        }
        assert_eq!(bmc.state(), "on");
    }
}

#[tokio::test]
async fn the_next_start_is_from_where_it_was_asked_for() {
    let bmc = Bmc::new("on", &[("FIRMWARE", "uefi"), ("PORT", "6230"), ("CIPHER", "17")]);
    bmc.drivers.netboot(&bmc.machine).await.unwrap();
    bmc.drivers.diskboot(&bmc.machine).await.unwrap();
    let expected = ["bootdev pxe options=efiboot", "bootdev disk options=efiboot"];
    assert_eq!(bmc.commands(), expected);
    let calls = fs::read_to_string(bmc.file("calls")).unwrap();
    assert!(calls.contains(" -p 6230 ") && calls.contains(" -C 17 "), "{calls}");
}

#[tokio::test]
async fn a_system_is_asked_to_end_and_not_waited_for() {
    let bmc = Bmc::new("on", &[]);
    bmc.set("delay", "1");
    bmc.drivers.shutdown(&bmc.machine).await.unwrap();
    assert_eq!(bmc.drivers.status(&bmc.machine).await.unwrap(), Power::On);
    assert_eq!(bmc.drivers.status(&bmc.machine).await.unwrap(), Power::Off);
    assert!(bmc.commands().iter().any(|command| command.contains("power soft")));
}
