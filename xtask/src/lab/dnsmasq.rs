//! dnsmasq in the lab: a real DHCP, TFTP and DNS server.

use crate::nfs::namespace::Namespace;
use crate::process::Tied;
use crate::qemu::Line;
use crate::qemu::console::Console;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long it may take to start. It binds its sockets before it says its first line.
const START: Duration = Duration::from_secs(30);
/// What it logs when it serves.
const READY: &str = "started, ";

/// A configuration, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    text: String,
}

impl Configuration {
    /// DHCP on one interface, with addresses from `first` to `last` for `lease`, such as `12h` or
    /// `120` (seconds; two minutes is the least that dnsmasq gives). Nothing else.
    pub fn dhcp(interface: &str, first: &str, last: &str, lease: &str) -> Self {
        Self::text(&format!("interface={interface}\nbind-interfaces\n"))
            .line(&format!("dhcp-range={first},{last},{lease}"))
    }

    /// A whole configuration file.
    pub fn text(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// Adds a line, any that dnsmasq knows.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
        self
    }

    /// Always gives a card this address.
    #[must_use]
    pub fn reserve(self, mac: &str, address: &str) -> Self {
        self.line(&format!("dhcp-host={mac},{address}"))
    }

    /// Gives out the files below `root` over TFTP.
    #[must_use]
    pub fn tftp(self, root: &Path) -> Self {
        self.line("enable-tftp").line(&format!("tftp-root={}", root.display()))
    }
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Dnsmasq {
    server: Tied,
    log: Console,
    leases: PathBuf,
}

impl Dnsmasq {
    pub(super) fn start(
        namespace: &Namespace,
        directory: &Path,
        name: &str,
        configuration: &Configuration,
    ) -> Result<Self> {
        let file = |suffix: &str| directory.join(format!("{name}.{suffix}"));
        let (path, leases, log) = (file("conf"), file("leases"), file("log"));
        fs::write(&path, &configuration.text)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = namespace.command("dnsmasq");
        let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
        command.arg("--keep-in-foreground").arg(option("conf-file", &path));
        command.arg(option("dhcp-leasefile", &leases));
        // Without this machine's names and name servers, and beside others in the same namespace.
        command.args(["--no-resolv", "--no-hosts", "--except-interface=lo", "--pid-file="]);
        // Nobody else has the addresses; looking for that takes three seconds.
        command.arg("--no-ping");
        // `nobody` could not read what a test put under a private directory.
        command.args(["--user=root", "--log-dhcp", "--log-facility=-"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = Tied::start(command)?;
        let errors = server.child().stderr.take().context("dnsmasq has no output")?;
        let console = Console::start(errors, &log, Instant::now())?;
        let dnsmasq = Self { server, log: console, leases };
        dnsmasq.wait_for_log(READY, START)?;
        Ok(dnsmasq)
    }

    /// Waits for a line that contains `text`; lines that already came count.
    pub fn wait_for_log(&self, text: &str, timeout: Duration) -> Result<Line> {
        self.log.wait_for(text, timeout).with_context(|| {
            format!("dnsmasq did not log {text:?}; its last lines:\n{}", self.log.tail(30))
        })
    }

    /// All lines so far, with the time since its start.
    pub fn log(&self) -> Vec<Line> {
        self.log.lines()
    }

    /// How many lines so far contain `text`.
    pub fn count(&self, text: &str) -> usize {
        self.log.lines().iter().filter(|line| line.text.contains(text)).count()
    }

    /// The leases file: one line for each lease, with the time of its end, the card's address, the
    /// lease's and the host's name.
    pub fn leases(&self) -> String {
        // There is none before the first lease.
        fs::read_to_string(&self.leases).unwrap_or_default()
    }

    /// The process id.
    pub fn process(&self) -> u32 {
        self.server.id()
    }
}
