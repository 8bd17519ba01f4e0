//! The control network is found among several, and kept. Each boot saves the disk, and the image
//! is compared with what the host's tool makes of the same disk.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use swapmfs_tests::trial::{PATIENCE, Run, Set, Trial, complete_image};
use swapmfs_tests::trial::{is_root, prepared, wait_until};
use xtask::apt;
use xtask::command;
use xtask::experiment::{EID, PID, VNAME};
use xtask::lab::{ADDRESS, BRIDGE, Configuration, Dnsmasq, Lab};
use xtask::nfs::{Faults, Operation, Server};
use xtask::qemu::network::LabNic;
use xtask::qemu::{Access, Machine, Running, WatchdogAction};

/// A network that is not the one.
const ELSEWHERE: &str = "br1";
const VIRTIO: &str = "virtio-net-pci";
/// The card without a link, the one with a link to elsewhere, and the one that counts.
const MACS: [&str; 3] = ["52:54:00:77:00:01", "52:54:00:77:00:02", "52:54:00:77:00:03"];
/// What the card that counts gets.
const LENT: &str = "10.77.0.50";

/// No run takes so long.
const HELD: Duration = Duration::from_mins(10);
/// How long the cable is out: longer than TCP waits before it sends again.
const OUTAGE: Duration = Duration::from_secs(4);

/// Two networks, and a file server on the first.
struct Site {
    trial: Trial,
    lab: Lab,
    server: Server,
}

impl Site {
    fn new(name: &str) -> Result<Self> {
        for packages in [apt::QEMU, apt::LAB] {
            apt::ensure(packages)?;
        }
        let trial = Trial::new(name)?;
        let lab = Lab::new(&trial.experiment.directory.join("scratch"))?;
        lab.add_bridge(ELSEWHERE)?;
        lab.add_address(ELSEWHERE, "10.78.0.1/24")?;
        let server = lab.nfs(&trial.experiment.proj(), "/proj")?;
        Ok(Self { trial, lab, server })
    }

    /// The DHCP server of the control network, with more lines.
    fn dnsmasq(&self, lines: &[&str]) -> Result<Dnsmasq> {
        let mut configuration =
            Configuration::dhcp(BRIDGE, "10.77.0.10", "10.77.0.20", "2m").reserve(MACS[2], LENT);
        for line in lines {
            configuration = configuration.line(line);
        }
        self.lab.dnsmasq("dnsmasq", &configuration)
    }

    /// Starts the node, whose first card has no link, and lets it come to its first write of the
    /// image, which takes until other faults are set. So the save is under way for as long as a
    /// test wants, however fast the machine is.
    fn start_and_hold(&self, cards: [LabNic; 3], words: &str) -> Result<Running> {
        let delayed = [Operation::Write].into();
        self.server.set_faults(Faults { delay: HELD, delayed, ..Faults::default() });
        let (image, experiment) = (complete_image()?, &self.trial.experiment);
        let log = experiment.directory.join("console.log");
        let mut machine = Machine::new(&image.vmlinuz, &image.initramfs, &log)
            .append(&format!("quiet mfs.job=swapout mfs.pid={PID} mfs.eid={EID} mfs.vname={VNAME}"))
            .append(&format!("mfs.nfs={} mfs.then=poweroff {words}", self.server.mount_options()))
            .drive(experiment.drive(Access::ReadOnly))
            .watchdog(WatchdogAction::Reset)
            // The processor doesn't run before the cable is out.
            .argument("-S");
        for card in cards {
            machine = machine.lab_nic(card);
        }
        let mut node = machine.start_inside(self.lab.namespace())?;
        node.set_cable(0, false)?;
        node.resume()?;
        let image = self.trial.temporary(".ndz");
        assert!(wait_until(&node, || image.exists())?, "{}", node.console().tail(40));
        Ok(node)
    }

    /// Fails unless the node saves its disk.
    fn check_saved(&self, node: &mut Running) -> Result<()> {
        Run::of(node)?.check_saved()?;
        assert!(Set::read(&self.trial.experiment)?.is_same_state(&prepared()?.expected));
        self.trial.check_nothing_is_left()
    }
}

/// Of three cards, one without a link and two that both reach a DHCP server in the VLAN, the one
/// counts that the node was booted from. DHCP says the MTU and the domain of the server's name.
#[test]
fn a_tagged_network_of_its_own_size_where_servers_have_names() -> Result<()> {
    if !is_root("a_tagged_network_of_its_own_size_where_servers_have_names") {
        return Ok(());
    }
    let site = Site::new("lab-vlan")?;
    let dnsmasq = site.dnsmasq(&[
        "dhcp-option=option:mtu,1400",
        "dhcp-option=option:domain-search,lab.example.org,example.org",
        "local=/example.org/",
        "host-record=server7.example.org,10.77.0.1",
        "cname=fs.example.org,server7.example.org",
        "log-queries",
    ])?;
    let stranger = Configuration::dhcp(ELSEWHERE, "10.78.0.10", "10.78.0.20", "2m");
    let stranger = site.lab.dnsmasq("stranger", &stranger)?;

    let cards = [
        site.lab.guest_nic(BRIDGE, "e1000e", MACS[0])?,
        site.lab.tagged_nic(ELSEWHERE, 42, VIRTIO, MACS[1])?,
        site.lab.tagged_nic(BRIDGE, 42, VIRTIO, MACS[2])?,
    ];
    let booted = MACS[2].replace(':', "-");
    let words = format!("mfs.vlan=42 BOOTIF=01-{booted} mfs.proj=fs:/proj");
    let mut node = site.start_and_hold(cards, &words)?;
    let own = format!(
        ".42: address {LENT}/24, MTU 1400, gateway {ADDRESS}, name server {ADDRESS}, domain \
         lab.example.org, domain example.org, lent by {ADDRESS} for 120 s"
    );
    for line in [&own, "fs is 10.77.0.1", "fs:/proj mounted on /proj"] {
        assert!(node.console().find(line).is_some(), "{line}: {}", node.console().tail(40));
    }
    assert!(dnsmasq.count(&format!("DHCPACK({BRIDGE}) {LENT} {}", MACS[2])) > 0);
    assert_eq!(dnsmasq.count(MACS[0]), 0);
    assert_eq!(stranger.count("DHCPDISCOVER"), 0, "{:?}", stranger.log());
    assert!(dnsmasq.count(&format!("query[A] fs.lab.example.org from {LENT}")) > 0);
    assert!(dnsmasq.count(&format!("query[A] fs.example.org from {LENT}")) > 0);
    // What this kernel knows of the node's MTU: 20 bytes each for IP and TCP, and 12 for the time
    // stamps, are no segment's data.
    let mut ss = site.lab.namespace().command("ss");
    ss.args(["--tcp", "--info", "--numeric", "--no-header"]);
    let connections = command::stdout(ss.args(["state", "established", "dst", LENT]))?;
    assert!(connections.contains(" mss:1348 "), "{connections}");

    site.server.set_faults(Faults::default());
    site.check_saved(&mut node)
}

/// Without a word about it, the interface is the one with a DHCP server. Its lease is renewed
/// while the save stands still, and answers of the file server that were lost with the cable are
/// asked for again.
#[test]
fn the_lease_is_renewed_in_mid_save_and_the_link_comes_back() -> Result<()> {
    if !is_root("the_lease_is_renewed_in_mid_save_and_the_link_comes_back") {
        return Ok(());
    }
    let site = Site::new("lab-lease")?;
    // The shortest time to a renewal that dnsmasq knows.
    let dnsmasq = site.dnsmasq(&["dhcp-option=option:T1,3"])?;
    let cards = [
        site.lab.guest_nic(BRIDGE, "e1000e", MACS[0])?,
        site.lab.guest_nic(ELSEWHERE, VIRTIO, MACS[1])?,
        site.lab.guest_nic(BRIDGE, VIRTIO, MACS[2])?,
    ];
    let mut node = site.start_and_hold(cards, &format!("mfs.proj={ADDRESS}:/proj"))?;
    let own = node.wait_for_line(&format!(": address {LENT}/24, MTU 1500"), PATIENCE)?;
    println!("after {:.1} s: {}", own.at.as_secs_f64(), own.text);

    let acknowledged = || dnsmasq.count(&format!("DHCPACK({BRIDGE}) {LENT} {}", MACS[2]));
    let before = acknowledged();
    assert!(wait_until(&node, || acknowledged() >= before + 2)?, "{}", node.console().tail(40));
    assert!(dnsmasq.count("DHCPREQUEST") > before);
    node.wait_for_line("lease renewed by 10.77.0.1", PATIENCE)?;
    assert!(node.console().find("mfs-phase: verify").is_none());

    node.set_cable(2, false)?;
    site.server.set_faults(Faults::default());
    // Not to wait for something: this is how long the outage is.
    thread::sleep(OUTAGE);
    assert!(node.console().find("mfs-phase: verify").is_none());
    node.set_cable(2, true)?;
    site.check_saved(&mut node)
}
