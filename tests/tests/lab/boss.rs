//! Nodes of an Emulab testbed, whose command line says nothing to the agent: DHCP, DNS and tmcd say
//! it all.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::sync::Arc;

use anyhow::{Context, Result};
use swapmfs_tests::trial::{PATIENCE, Set, Trial, is_root, prepared};
use xtask::apt;
use xtask::lab::{BRIDGE, Configuration, Dnsmasq, Lab};
use xtask::nfs::{Export, Ganesha, Setup, Squash, Versions};
use xtask::qemu::{Access, Exit, Machine, Running, WatchdogAction};
use xtask::tmcd::{Node, Tmcd, User};

/// The swapper, and the group of the experiment.
const USER: u32 = 20001;
const GROUP: u32 = 6001;

const MAC: &str = "52:54:00:77:00:02";

/// Boss' command for a save.
const COMMAND: &str = "/usr/local/bin/create-swapimage";

/// A testbed with one node, whose experiment belongs to the group `sub` of its project.
struct Testbed {
    trial: Trial,
    lab: Lab,
    dnsmasq: Dnsmasq,
    // Ends before the network that it is in.
    _files: Ganesha,
}

impl Testbed {
    fn new(name: &str) -> Result<Self> {
        for packages in [apt::LAB, apt::GANESHA] {
            apt::ensure(packages)?;
        }
        let trial = Trial::new(name)?;
        let directory = &trial.experiment.directory;
        move_to_subgroup(&trial)?;
        let lab = Lab::new(directory)?;
        let names = Configuration::dhcp(BRIDGE, "10.77.0.10", "10.77.0.99", "1h")
            .line("domain=lab.example")
            .line("address=/fs.lab.example/10.77.0.1");
        let dnsmasq = lab.dnsmasq("dnsmasq", &names)?;
        let exports = ["proj/testbed", "groups/testbed/sub"]
            .map(|path| Export::new(directory.join(path), format!("/q/{path}")));
        let setup =
            Setup { exports: exports.into(), squash: Squash::Root, versions: Versions::All };
        let files = Ganesha::start_in(Arc::clone(lab.namespace()), setup, directory)?;
        Ok(Self { trial, lab, dnsmasq, _files: files })
    }

    /// Starts boss at one of its two ports.
    fn boss(&self, port: u16, node: Node) -> Result<Tmcd> {
        Tmcd::new(vec![self.lab.tcp_listener(port)?], node)
    }

    /// The node, with words that say nothing of who it is and what it shall do.
    fn machine(&self, words: &str) -> Result<Machine> {
        let image = &prepared()?.image;
        let log = self.trial.experiment.directory.join("console.log");
        let nic = self.lab.guest_nic(BRIDGE, "virtio-net-pci", MAC)?;
        let machine = Machine::new(&image.vmlinuz, &image.initramfs, &log).append(words);
        let drive = self.trial.experiment.drive(Access::ReadOnly);
        Ok(machine.lab_nic(nic).drive(drive).watchdog(WatchdogAction::Reset))
    }

    fn start(&self, words: &str) -> Result<Running> {
        self.machine(words)?.start_inside(self.lab.namespace())
    }
}

/// What boss knows of the node.
fn allocated() -> Node {
    let experiment = Node::new("testbed", "trial", "node-a").subgroup("sub", GROUP);
    experiment.swapper(User::new("mike", USER, GROUP).with_groups(&[6000]))
}

/// Moves the experiment to where those of a subgroup are, with the link that the testbed makes.
fn move_to_subgroup(trial: &Trial) -> Result<()> {
    let link = trial.experiment.proj().join("testbed/exp/trial");
    let groups = trial.experiment.directory.join("groups/testbed/sub/exp");
    fs::create_dir_all(&groups)?;
    let there = groups.join("trial");
    fs::rename(&link, &there)?;
    chown(there.join("swapinfo"), Some(USER), Some(GROUP))?;
    fs::set_permissions(there.join("swapinfo"), Permissions::from_mode(0o2770))?;
    symlink("/groups/testbed/sub/exp/trial", &link)?;
    Ok(())
}

/// Makes the link lead to the same place on this machine, where there is no such `/groups`.
fn follow_link(trial: &Trial) -> Result<()> {
    let link = trial.experiment.proj().join("testbed/exp/trial");
    fs::remove_file(&link)?;
    Ok(symlink("../../../groups/testbed/sub/exp/trial", &link)?)
}

/// What a run asks and says that comes as far as its job.
const ASKED: [&str; 7] =
    ["status", "state MFSSETUP", "nodeid", "mounts", "state ISUP", "startupcmd", "accounts"];

#[test]
fn an_emulab_boss_needs_no_words_for_a_save() -> Result<()> {
    if !is_root("an_emulab_boss_needs_no_words_for_a_save") {
        return Ok(());
    }
    let testbed = Testbed::new("boss-save")?;
    // At the second port, as where a firewall lets only that through.
    let boss = testbed.boss(14447, allocated().startup_command(COMMAND))?;
    let mut node = testbed.start("quiet")?;
    boss.wait_for("startstatus 0", PATIENCE * 2).with_context(|| node.console().tail(40))?;
    node.wait_for_line("mfs-end: stay", PATIENCE)?;

    let expected: Vec<_> = ASKED.into_iter().chain(["startstatus 0"]).collect();
    assert_eq!(boss.history(), expected);
    assert_eq!(boss.malformed(), Vec::<String>::new());
    let records = boss.records();
    assert!(records.iter().all(|record| record.peer.to_string().starts_with("10.77.0.")));
    assert_eq!(
        records.first().map(|record| record.bytes.as_slice()),
        Some(&b"VERSION=25 status "[..])
    );
    // The lease of the only DHCP server, which is the name server and boss, too.
    assert_eq!(testbed.dnsmasq.count("DHCPACK("), 1);

    follow_link(&testbed.trial)?;
    assert!(Set::read(&testbed.trial.experiment)?.is_same_state(&prepared()?.expected));
    testbed.trial.check_nothing_is_left()?;
    for suffix in ["-swap.ndz", "-swap.sig", "-swap.meta", "-swap.status"] {
        let path = testbed.trial.experiment.node_file(suffix);
        let file = fs::metadata(&path).with_context(|| path.display().to_string())?;
        let facts = (file.uid(), file.gid(), file.mode() & 0o7777);
        assert_eq!(facts, (USER, GROUP, 0o660), "{suffix}");
    }
    // It is left to boss what becomes of the node now.
    assert!(!node.console().has_ended(), "{}", node.console().tail(20));
    node.kill()
}

#[test]
fn a_command_that_is_not_known_is_not_run() -> Result<()> {
    if !is_root("a_command_that_is_not_known_is_not_run") {
        return Ok(());
    }
    let testbed = Testbed::new("boss-unknown")?;
    let mut node = testbed.start("quiet")?;
    // Boss is late.
    testbed.dnsmasq.wait_for_log("DHCPACK(", PATIENCE)?;
    let command = format!("{COMMAND}; touch /proj/testbed/was-here");
    let boss = testbed.boss(7777, allocated().startup_command(&command))?;
    boss.wait_for("startstatus 38", PATIENCE).with_context(|| node.console().tail(40))?;
    node.wait_for_line("mfs-end: stay", PATIENCE)?;

    let history = boss.history();
    let (said, asked): (Vec<_>, Vec<_>) =
        history.into_iter().partition(|request| request.starts_with("boot"));
    let expected: Vec<_> = ASKED[..6].iter().copied().chain(["startstatus 38"]).collect();
    assert_eq!(asked, expected);
    assert!(said[0].starts_with("bootlog boss asks for ") && said[0].contains("touch"), "{said:?}");
    assert_eq!(said[1..], ["booterrno 38"]);
    let proj = testbed.trial.experiment.proj();
    assert!(!proj.join("testbed/was-here").exists());
    follow_link(&testbed.trial)?;
    testbed.trial.check_previous_is_untouched()?;
    node.kill()
}

/// Without its files the node never is up; boss learns why, and the node starts again.
#[test]
fn a_node_that_cannot_mount_says_so_to_boss() -> Result<()> {
    if !is_root("a_node_that_cannot_mount_says_so_to_boss") {
        return Ok(());
    }
    let testbed = Testbed::new("boss-no-mount")?;
    let node = allocated().file_server("fs", "/nowhere", "/q/groups").startup_command(COMMAND);
    let boss = testbed.boss(7777, node)?;
    let mut node = testbed.start("quiet mfs.mntwait=1")?;
    assert_eq!(node.wait(PATIENCE)?, Exit::Reboot);
    let history = boss.history();
    assert_eq!(history[..4], ASKED[..4]);
    assert!(history[4].starts_with("bootlog cannot mount fs:/nowhere/testbed: "), "{history:?}");
    assert_eq!(history[5..], ["booterrno 23", "state TBFAILED", "startstatus 23"]);
    Ok(())
}
