//! Cables, servers, and the agent's network between them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use mfs_agent::cmdline::CommandLine;
use mfs_agent::failure::Result;
use mfs_agent::net::link::Links;
use mfs_agent::net::{self, Environment, Network};
use mfs_agent::progress::Progress;
use mfs_agent::threads::{Body, Join, Threads};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::packet::KernelPackets;

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(90);
/// How long something that must happen soon may take.
const SOON: Duration = Duration::from_secs(20);
/// Set for the process that runs in the namespaces.
const INSIDE: &str = "MFS_AGENT_TEST_INSIDE";

/// Runs a test by its full name in a process and namespaces of its own, of which nothing is left.
pub(crate) fn run(test: &str, scenario: fn(&Lab)) {
    if std::env::var_os(INSIDE).is_some() {
        // The namespaces' own view of the interfaces.
        command("mount", &["-t", "sysfs", "sysfs", "/sys"]);
        LOG.call_once(|| {
            log::set_logger(&Log).unwrap();
            log::set_max_level(log::LevelFilter::Debug);
        });
        scenario(&Lab { directory: tempfile::tempdir().unwrap() });
        return;
    }
    if !rustix::process::geteuid().is_root() {
        println!("{test}: skipped, it needs root for its network");
        return;
    }
    let mut child = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .spawn()
        .unwrap();
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            // Its children end with it.
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{test}: not done after {} s", LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{test}: {status}");
}

/// A cable from an interface of the agent's to a machine of its own, which is down at this end.
/// The last byte of the interface's address is `mac`.
pub(crate) fn cable(name: &str, mac: u8) -> Far {
    let mut keeper = Command::new("unshare")
        .args(["--net", "sh", "-c", "echo ready; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = keeper.stdin.take();
    let mut line = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let far = Far { process: keeper.id().to_string(), keeper, stdin };
    let mac = format!("52:54:00:00:00:{mac:02x}");
    ip(&[
        "link",
        "add",
        name,
        "address",
        &mac,
        "type",
        "veth",
        "peer",
        "far",
        "netns",
        &far.process,
    ]);
    far
}

/// A cable whose far end is up and has the address `10.9.<net>.1/24`.
pub(crate) fn live_cable(name: &str, mac: u8, net: u8) -> Far {
    let far = cable(name, mac);
    far.make_live(net);
    far
}

/// What a test works with.
pub(crate) struct Lab {
    directory: tempfile::TempDir,
}

impl Lab {
    /// A DHCP and DNS server at the far end.
    pub(crate) fn serve(&self, far: &Far, interface: &str, options: &[&str]) -> Server {
        let files = fs::read_dir(self.directory.path()).unwrap().count();
        let log = self.directory.path().join(format!("{files}.log"));
        // A server that follows another at the same place knows its leases.
        let leases = self.directory.path().join(format!("{}.leases", far.process));
        let mut dnsmasq = far.command("dnsmasq");
        dnsmasq
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root"])
            .args(["--no-resolv", "--no-hosts", "--no-ping", "--bind-interfaces", "--log-dhcp"])
            .arg(format!("--interface={interface}"))
            .arg(format!("--dhcp-leasefile={}", leases.display()))
            .args(options)
            .stderr(fs::File::create(&log).unwrap());
        let server = Server { process: dnsmasq.arg("--log-facility=-").spawn().unwrap(), log };
        server.wait_for("DHCP, IP range", 1);
        server
    }
}

/// The agent's network.
pub(crate) fn bring_up(line: &str) -> Result<Network> {
    bring_up_with(line, &|| {})
}

/// The agent's network, when devices are looked for by `rescan`.
pub(crate) fn bring_up_with(line: &str, rescan: &dyn Fn()) -> Result<Network> {
    static PROGRESS: Progress = Progress::new();
    let environment = Environment {
        packets: &KernelPackets,
        threads: &StdThreads,
        rescan,
        progress: &PROGRESS,
        links: Links::CARDS_AND_VIRTUAL,
    };
    let warn = &mut |warning: std::fmt::Arguments<'_>| panic!("{warning}");
    net::bring_up(&CommandLine::parse(line, warn)?.network, &environment)
}

/// The machine at the far end of a cable. Its interface is called `far`.
pub(crate) struct Far {
    process: String,
    keeper: Child,
    stdin: Option<ChildStdin>,
}

impl Far {
    /// Brings the far end up, with the address `10.9.<net>.1/24`.
    pub(crate) fn make_live(&self, net: u8) {
        self.ip(&["link", "set", "far", "up"]);
        self.ip(&["address", "add", &format!("10.9.{net}.1/24"), "dev", "far"]);
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.process, "--net", program]);
        command
    }

    pub(crate) fn ip(&self, arguments: &[&str]) {
        let status = self.command("ip").args(arguments).status().unwrap();
        assert!(status.success(), "ip {arguments:?}");
    }
}

impl Far {
    /// A server that offers an address whenever it is asked, and never acknowledges it; counts the
    /// requests for it.
    pub(crate) fn offer_only(&self, address: Ipv4Addr, requests: &'static AtomicUsize) {
        // Only a thread is in another namespace.
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.process)).unwrap();
        self.ip(&["route", "add", "255.255.255.255", "dev", "far"]);
        thread::spawn(move || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), network).unwrap();
            let socket = UdpSocket::bind("0.0.0.0:67").unwrap();
            socket.set_broadcast(true).unwrap();
            let mut message = [0; 1500];
            loop {
                socket.recv(&mut message).unwrap();
                // The kind of message is the first option of the agent's.
                if message[242] != 1 {
                    requests.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let mut offer = message[..240].to_vec();
                offer[0] = 2;
                offer[16..20].copy_from_slice(&address.octets());
                offer.extend([53, 1, 2, 54, 4, 10, 9, 9, 1, 51, 4, 0, 0, 1, 0, 255]);
                socket.send_to(&offer, "255.255.255.255:68").unwrap();
            }
        });
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A running dnsmasq.
pub(crate) struct Server {
    process: Child,
    log: PathBuf,
}

impl Server {
    /// How often a text is in its log.
    pub(crate) fn count(&self, text: &str) -> usize {
        fs::read_to_string(&self.log).unwrap().matches(text).count()
    }

    /// Waits until a text is in its log so often.
    pub(crate) fn wait_for(&self, text: &str, times: usize) {
        soon(&format!("{times} {text}"), || self.count(text) >= times);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until something is so.
pub(crate) fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "not there: {what}; the agent's log: {:#?}",
            log_lines()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the kernel of this machine has VLANs.
pub(crate) fn has_vlans() -> bool {
    let mut add = Command::new("ip");
    add.args(["link", "add", "link", "lo", "name", "probe", "type", "vlan", "id", "5"]);
    add.stderr(Stdio::null()).status().unwrap().success()
}

/// What the kernel says of the IPv4 addresses of an interface.
pub(crate) fn addresses(interface: &str) -> String {
    command("ip", &["-4", "-oneline", "address", "show", "dev", interface])
}

/// What the kernel says of the routes.
pub(crate) fn routes() -> String {
    command("ip", &["-4", "route", "show"])
}

/// What the kernel says of an interface.
pub(crate) fn link(interface: &str) -> String {
    command("ip", &["-details", "-oneline", "link", "show", "dev", interface])
}

/// Whether the kernel has an interface, and it is up.
pub(crate) fn is_up(interface: &str) -> bool {
    let line = link(interface);
    let (_, flags) = line.split_once('<').unwrap();
    flags.split_once('>').unwrap().0.split(',').any(|flag| flag == "UP")
}

pub(crate) fn ip(arguments: &[&str]) {
    command("ip", arguments);
}

fn command(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) const fn address(net: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, net, host)
}

static LOG: Once = Once::new();
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The agent's log.
pub(crate) fn log_lines() -> Vec<String> {
    LINES.lock().unwrap().clone()
}

/// Whether a line of the agent's log has all of these texts.
pub(crate) fn logged(texts: &[&str]) -> bool {
    log_lines().iter().any(|line| texts.iter().all(|text| line.contains(text)))
}

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        println!("{line}");
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

struct StdThreads;

struct Handle(thread::JoinHandle<()>);

impl Join for Handle {
    fn join(self: Box<Self>) {
        self.0.join().unwrap();
    }
}

impl Threads for StdThreads {
    fn start(&self, body: Body) -> rustix::io::Result<Box<dyn Join>> {
        Ok(Box::new(Handle(thread::spawn(body))))
    }

    fn scope(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(body);
    }
}
