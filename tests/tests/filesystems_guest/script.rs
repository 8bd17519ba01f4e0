//! The scripts that guests run.

use std::fmt::Write;

use xtask::guest::CUT;

use crate::case::{Case, Volume};

/// What all scripts begin with. Nothing on the host is written to but what is beside the script.
const PRELUDE: &str = r#"
t=/run/job/tool
export LVM_SYSTEM_DIR=/tmp/lvm MDADM_NO_UDEV=1
mkdir -p /tmp/lvm
cat > /tmp/lvm/lvm.conf <<'END'
devices { use_devicesfile=0 scan="/dev" }
backup { backup=0 archive=0 }
activation { udev_sync=0 udev_rules=0 verify_udev_operations=0 monitoring=0 }
global { thin_check_executable="" thin_dump_executable="" thin_repair_executable="" }
END
echo 100000 > /proc/sys/dev/raid/speed_limit_min
say() { echo "$(cut -d ' ' -f 1 /proc/uptime) $n: $*"; }
"#;

/// The devices' letters.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// Makes, fills and ages them all, and notes what is in them (`NAME.0.files`) and how many bytes
/// are free (`NAME.free`).
pub(crate) fn use_them(cases: &[Case]) -> String {
    each(cases, |case, script| {
        section(script, "make", case.make);
        for (number, volume) in case.volumes.iter().enumerate() {
            mount(script, number, volume);
            if volume.mib > 0 {
                let _ = writeln!(script, "$t write $m {} {number}; $t age $m 7", volume.mib);
            }
            let _ = writeln!(
                script,
                "sync -f $m; $t digests $m > $n.{number}.files\n\
                 stat -f -c '%f %S' $m | {{ read a b; echo $((a * b)); }} >> $n.free\n\
                 umount $m"
            );
        }
        let _ = writeln!(script, "( {} ) >> $n.free", case.free);
        section(script, "down", case.down);
    })
}

/// Checks them all and notes what is in them.
pub(crate) fn check_them(cases: &[Case]) -> String {
    each(cases, |case, script| {
        section(script, "up", case.up);
        section(script, "check", case.check);
        for (number, volume) in case.volumes.iter().enumerate() {
            section(script, "check", volume.check);
            mount(script, number, volume);
            let _ = writeln!(script, "$t digests $m > $n.{number}.files\numount $m");
        }
        section(script, "down", case.down);
    })
}

/// Makes them all, writes files that last (`NAME.0.files`), and goes on writing others until the
/// power is cut.
pub(crate) fn write_until_cut(cases: &[Case]) -> String {
    let mut script = each(cases, |case, script| {
        section(script, "make", case.make);
        for (number, volume) in case.volumes.iter().enumerate() {
            mount(script, number, volume);
            let _ = writeln!(
                script,
                "mkdir $m/kept; $t write $m/kept {} {number}; $t age $m/kept 8\n\
                 $t sync $m/kept; $t sync $m; $t digests $m/kept > $n.{number}.files",
                volume.mib / 2
            );
        }
    });
    // Much of what is written shall be on the disks, and some not.
    script.push_str("echo 50 > /proc/sys/vm/dirty_writeback_centisecs\n");
    script.push_str("echo 200 > /proc/sys/vm/dirty_expire_centisecs\n");
    for case in cases {
        for number in 0..case.volumes.len() {
            let _ = writeln!(script, "$t churn /mnt/{}.{number}/churn {number} &", case.name);
        }
    }
    let _ = writeln!(script, "sleep 10\necho '{CUT}'\nsleep 600");
    script
}

/// Repairs them all after a loss of power, checks them, and notes what is in them: what was to last
/// (`NAME.0.files`) and all (`NAME.0.all`).
pub(crate) fn recover_them(cases: &[Case]) -> String {
    each(cases, |case, script| {
        section(script, "up", case.up);
        for (number, volume) in case.volumes.iter().enumerate() {
            let _ = writeln!(script, "m=/mnt/$n.{number}; mkdir -p $m");
            section(script, "recover", volume.recover);
            section(script, "check", volume.check);
            mount(script, number, volume);
            let _ = writeln!(
                script,
                "$t digests $m/kept > $n.{number}.files; $t digests $m > $n.{number}.all\n\
                 umount $m"
            );
        }
        section(script, "down", case.down);
    })
}

fn each(cases: &[Case], mut body: impl FnMut(&Case, &mut String)) -> String {
    let mut script = PRELUDE.to_owned();
    let mut letters = LETTERS.chars();
    for (number, case) in cases.iter().enumerate() {
        let disks: Vec<String> = letters
            .by_ref()
            .take(case.disks.len())
            .map(|letter| format!("/dev/vd{letter}"))
            .collect();
        // `set -e` means nothing in a list that goes on with `||`.
        let _ = writeln!(script, "(\nn={} k={number}\nset -- {}", case.name, disks.join(" "));
        body(case, &mut script);
        script.push_str("say done\n)\n");
    }
    script
}

fn section(script: &mut String, name: &str, commands: &str) {
    if commands != ":" {
        let _ = writeln!(script, "say {name}\n{commands}");
    }
}

fn mount(script: &mut String, number: usize, volume: &Volume) {
    let _ = writeln!(script, "m=/mnt/$n.{number}; mkdir -p $m\n{}", volume.mount);
}
