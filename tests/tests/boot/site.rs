//! A site: the templates with their placeholders replaced, the files beside them, and the servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use swapmfs_tests::trial::{Trial, prepared};
use xtask::experiment::{EID, PID, VNAME};
use xtask::lab::{ADDRESS, BRIDGE, Configuration, Dnsmasq, HttpServer, Lab};
use xtask::nfs::namespace::Namespace;
use xtask::nfs::{Export, Ganesha, Setup, Squash, Versions};
use xtask::qemu::{Boot, EMULATED, Firmware, Line, Machine, Running, WatchdogAction};
use xtask::{apt, mfs};

/// The node's card, in the two ways that files write it.
pub(crate) const MAC: &str = "52:54:00:77:00:01";
pub(crate) const DASHED: &str = "52-54-00-77-00-01";

/// In whose name the node writes.
pub(crate) const USER: u32 = 20001;

/// How long a machine may take from power on to the agent.
const BOOT: Duration = Duration::from_mins(3);

/// What dnsmasq offers: which of the template's alternatives the operator chose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// As it is: iPXE, and all files over TFTP.
    Template,
    /// The same at a site that doesn't know iPXE when it asks, so that the option ROM, which is
    /// iPXE, gets what another one would.
    OtherRom,
    /// iPXE, its script and the rest over HTTP.
    Http,
    /// PXELINUX.
    Pxelinux,
    /// The signed UKI over TFTP.
    Secure,
}

/// A network with one node.
pub(crate) struct Site {
    pub(crate) lab: Lab,
    has_ipv6: bool,
    pub(crate) dnsmasq: Option<Dnsmasq>,
    pub(crate) http: HttpServer,
    /// What the servers give out.
    pub(crate) files: PathBuf,
    directory: PathBuf,
}

impl Site {
    /// Installs kernel, initramfs, boot loaders and templates, and starts the servers. `directory`
    /// is emptied.
    pub(crate) fn install(directory: &Path, choice: Choice) -> Result<Self> {
        apt::ensure(apt::LAB)?;
        let _ = fs::remove_dir_all(directory);
        let files = directory.join("srv");
        for part in ["nodes", "pxelinux.cfg"] {
            fs::create_dir_all(files.join(part))?;
        }
        let image = &prepared()?.image;
        for file in [
            &image.vmlinuz,
            &image.initramfs,
            Path::new("/usr/lib/ipxe/undionly.kpxe"),
            Path::new("/usr/lib/ipxe/snponly.efi"),
            Path::new("/usr/lib/PXELINUX/pxelinux.0"),
            Path::new("/usr/lib/syslinux/modules/bios/ldlinux.c32"),
        ] {
            let name = file.file_name().context("a file has a name")?;
            fs::copy(file, files.join(name)).with_context(|| file.display().to_string())?;
        }
        for name in ["mfs.ipxe", "pxelinux.cfg/default"] {
            fs::write(files.join(name), for_emulation(&template(name)?)?)?;
        }

        let lab = Lab::new(directory)?;
        let has_ipv6 = lab.add_ipv6_address(BRIDGE, "fd77::1/64")?;
        let http = lab.http(&files)?;
        let directory = directory.to_owned();
        let mut site = Self { lab, has_ipv6, dnsmasq: None, http, files, directory };
        site.serve("dnsmasq", choice)?;
        Ok(site)
    }

    /// Ends the DHCP server, if one runs, and starts another.
    pub(crate) fn serve(&mut self, name: &str, choice: Choice) -> Result<()> {
        let text = configuration(choice, &self.files)?;
        self.serve_text(name, &text)
    }

    /// The same with a whole configuration.
    pub(crate) fn serve_text(&mut self, name: &str, text: &str) -> Result<()> {
        self.dnsmasq = None;
        let mut configuration = Configuration::text(text);
        if self.has_ipv6 {
            // iPXE waits for an IPv6 router, 16 seconds if there is none.
            configuration = configuration
                .line("enable-ra")
                .line(&format!("dhcp-range=::,constructor:{BRIDGE},ra-only"));
        }
        self.dnsmasq = Some(self.lab.dnsmasq(name, &configuration)?);
        Ok(())
    }

    /// The DHCP server.
    pub(crate) fn dnsmasq(&self) -> Result<&Dnsmasq> {
        self.dnsmasq.as_ref().context("no dnsmasq runs")
    }

    /// A directory for a site without an experiment.
    pub(crate) fn directory(name: &str) -> PathBuf {
        xtask::paths::target().join("tests/boot").join(name)
    }

    /// Gives the node its words with the template for iPXE; `export` is the server's directory.
    pub(crate) fn name_node(&self, export: &str) -> Result<()> {
        let (user, server) = (USER.to_string(), ADDRESS.to_string());
        let script = replaced(
            &template("nodes/example.ipxe")?,
            &[
                ("@PID@", PID),
                ("@EID@", EID),
                ("@VNAME@", VNAME),
                ("@SERVER@", &server),
                ("@EXPORT@", export),
                ("@UID@", &user),
                ("@GID@", &user),
            ],
        )?;
        Ok(fs::write(self.files.join(format!("nodes/{DASHED}.ipxe")), script)?)
    }

    /// Gives the node words of our own.
    pub(crate) fn words(&self, words: &str) -> Result<()> {
        let script = format!("#!ipxe\nset words {words}\n");
        Ok(fs::write(self.files.join(format!("nodes/{DASHED}.ipxe")), script)?)
    }

    /// The node, turned off, with a watchdog.
    pub(crate) fn node(&self, firmware: Firmware, boot: Boot) -> Result<Machine> {
        let nic = self.lab.guest_nic(BRIDGE, "virtio-net-pci", MAC)?;
        let machine = Machine::from_network(firmware, boot, &self.directory.join("console.log"));
        Ok(machine.lab_nic(nic).watchdog(WatchdogAction::Reset))
    }

    /// Turns it on.
    pub(crate) fn start(&self, machine: &Machine) -> Result<Running> {
        machine.start_inside(self.lab.namespace())
    }

    /// Waits for the agent's first line, and says how long it took.
    pub(crate) fn wait_for_agent(&self, node: &Running, chain: &str) -> Result<Line> {
        let line = node.wait_for_line("mfs-agent ", BOOT).with_context(|| {
            format!("{chain}: dnsmasq's log:\n{:#?}\nHTTP: {:?}", self.sent(), self.http.log())
        })?;
        println!("{chain}: the agent's first line after {:.1} s", line.at.as_secs_f64());
        Ok(line)
    }

    /// The files that went out over TFTP, by their names below the root, in order.
    pub(crate) fn sent(&self) -> Vec<String> {
        let root = format!("sent {}/", self.files.display());
        let file =
            |line: &Line| Some(line.text.split_once(&root)?.1.split_once(" to ")?.0.to_owned());
        let log = self.dnsmasq.as_ref().map(Dnsmasq::log).unwrap_or_default();
        log.iter().filter_map(file).collect()
    }
}

/// The node's experiment with `/proj` for [`USER`], and a directory for the site below it.
pub(crate) fn experiment(name: &str) -> Result<(Trial, PathBuf)> {
    use std::os::unix::fs::{PermissionsExt, chown};
    let trial = Trial::new(name)?;
    let directory = trial.experiment.swapinfo();
    chown(&directory, Some(USER), Some(USER))?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o770))?;
    let site = trial.experiment.directory.join("site");
    Ok((trial, site))
}

/// A file server in the lab that exports a directory as `/proj` and takes root for nobody.
pub(crate) fn file_server(lab: Arc<Namespace>, proj: PathBuf, work: &Path) -> Result<Ganesha> {
    apt::ensure(apt::GANESHA)?;
    let exports = vec![Export::new(proj, "/proj")];
    Ganesha::start_in(lab, Setup { exports, squash: Squash::Root, versions: Versions::V3 }, work)
}

/// A file of `initramfs/boot/`.
pub(crate) fn template(name: &str) -> Result<String> {
    let path = mfs::profiles().join("boot").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// A template with one more word on the kernel's command line.
pub(crate) fn for_emulation(text: &str) -> Result<String> {
    let common = "panic=10 quiet";
    ensure!(text.contains(common), "the template has no {common}");
    Ok(text.replace(common, &format!("{common} {EMULATED}")))
}

fn configuration(choice: Choice, files: &Path) -> Result<String> {
    let mut text = template("dnsmasq.conf")?;
    let choose = |text: &mut String, name: &str, instead_of: &[&str]| {
        for line in instead_of {
            ensure!(text.contains(&format!("\n{line}\n")), "the template has no line {line}");
            *text = text.replace(&format!("\n{line}\n"), "\n");
        }
        ensure!(text.contains(&format!("\n#{name}#")), "the template has no alternative {name}");
        *text = text.replace(&format!("#{name}#"), "");
        Ok(())
    };
    let undionly = "dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe";
    let snponly = "dhcp-boot=tag:uefi,tag:!ipxe,snponly.efi";
    let script = "dhcp-boot=tag:ipxe,mfs.ipxe";
    match choice {
        Choice::Template => {}
        Choice::OtherRom => {
            for line in ["dhcp-match=set:ipxe,175", "dhcp-userclass=set:ipxe,iPXE"] {
                ensure!(text.contains(line), "the template has no line {line}");
                text = text.replace(line, "");
            }
        }
        Choice::Http => choose(&mut text, "http", &[script])?,
        Choice::Pxelinux => choose(&mut text, "pxelinux", &[undionly, snponly, script])?,
        Choice::Secure => choose(&mut text, "secure", &[snponly])?,
    }
    replaced(
        &text,
        &[
            ("@INTERFACE@", BRIDGE),
            ("@SERVER@", &ADDRESS.to_string()),
            ("@FIRST@", "10.77.0.10"),
            ("@LAST@", "10.77.0.99"),
            ("@DIRECTORY@", &files.display().to_string()),
        ],
    )
}

/// Replaces placeholders outside of comments, as an operator does; none may be left.
fn replaced(text: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        if !line.starts_with('#') {
            for (placeholder, value) in values {
                line = line.replace(placeholder, value);
            }
            ensure!(!line.contains('@'), "a placeholder is left: {line}");
        }
        out += &line;
        out.push('\n');
    }
    Ok(out)
}
