//! A network of its own for servers with fixed ports, and the guests that talk to them.

use crate::process::{Tied, tied_command};
use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::thread;

/// Linux network and mount namespaces with only a loopback interface and an empty `/run`: a
/// portmapper in there neither meets nor disturbs one of this machine, whether over ports or over
/// its socket in `/run`. They vanish with the last process in them. Needs root.
#[derive(Debug)]
pub struct Namespace {
    holder: Tied,
}

/// What holds the namespaces. The disks that other tests have mounted at this moment are not kept
/// mounted: each would be written, and could be mounted anew, only after the namespaces are gone.
/// `cat` ends with its input, which this process holds.
const HOLD: &str = r#"
    ip link set lo up && mount -t tmpfs run /run || exit
    mounts=$(cat /proc/mounts)
    while read -r device at rest; do
        case $device in /dev/loop*) umount "$at";; esac
    done <<END
$mounts
END
    echo ready
    exec cat
"#;

impl Namespace {
    /// Makes the namespaces; they live as long as the value or a process started in them.
    pub fn new() -> Result<Self> {
        let mut command = tied_command("unshare");
        command.args(["--net", "--mount", "sh", "-c"]);
        command.arg(HOLD);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut holder = Tied::start(command)?;
        let output = holder.child().stdout.take().context("the holder has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(
            line == "ready\n",
            "cannot make network and mount namespaces (it takes root, and `ip`)"
        );
        Ok(Self { holder })
    }

    /// Begins a command, for [`Tied::start`], that runs inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = tied_command("nsenter");
        command.arg(format!("--target={}", self.holder.id()));
        command.args(["--net", "--mount", "--", program]);
        command
    }

    /// Does `work` in a thread whose network is the one inside. A socket that it makes stays
    /// inside, whoever uses it later.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let path = format!("/proc/{}/ns/net", self.holder.id());
        let network = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(work())
            });
            inside.join().map_err(|_| anyhow!("what was done in the namespace panicked"))?
        })
    }
}

#[cfg(test)]
mod tests {
    use fixtures::Disk;

    use super::Namespace;
    use crate::command::{stdout, tool};

    #[test]
    fn disks_of_others_are_not_kept_mounted() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: namespaces and mounting need root");
            return;
        }
        let disk = Disk::blank(16).unwrap();
        stdout(tool("mke2fs").arg("-q").arg(disk.path())).unwrap();
        let mount = disk.mount("").unwrap();
        let namespace = Namespace::new().unwrap();
        mount.unmount().unwrap();
        drop(namespace);
    }
}
