//! The programs that commands need, installed with apt where they are missing.

use crate::command;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A program and the Debian package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// The Debian and Ubuntu package name.
    pub name: &'static str,
    /// A program of the package, or the absolute path of another file of it.
    pub provides: &'static str,
}

const fn package(name: &'static str, provides: &'static str) -> Package {
    Package { name, provides }
}

/// What unpacking a kernel package needs.
pub const KERNEL_TOOLS: &[Package] =
    &[package("dpkg", "dpkg-deb"), package("xz-utils", "xz"), package("apt", "apt-get")];

/// What booting a guest needs.
pub const QEMU: &[Package] =
    &[package("qemu-system-x86", "qemu-system-x86_64"), package("util-linux", "setpriv")];

/// What making and checking a node's disk needs.
pub const DISK_TOOLS: &[Package] = &[
    package("e2fsprogs", "mke2fs"),
    package("dosfstools", "mkfs.vfat"),
    package("mtools", "mcopy"),
    package("xfsprogs", "xfs_io"),
    package("fdisk", "sfdisk"),
    package("gdisk", "sgdisk"),
    package("util-linux", "mkswap"),
    package("mount", "losetup"),
    package("util-linux", "findmnt"),
    package("util-linux", "blkid"),
    package("qemu-utils", "qemu-img"),
];

/// What makes, uses, checks and describes the file systems that testbed nodes carry.
pub const FILE_SYSTEMS: &[Package] = &[
    package("e2fsprogs", "dumpe2fs"),
    package("dosfstools", "fsck.fat"),
    package("mtools", "mcopy"),
    package("exfatprogs", "mkfs.exfat"),
    package("exfat-fuse", "mount.exfat-fuse"),
    package("ntfs-3g", "ntfscluster"),
    package("xfsprogs", "xfs_db"),
    package("attr", "setfattr"),
    package("btrfs-progs", "btrfs"),
    package("f2fs-tools", "dump.f2fs"),
    package("makefs", "makefs"),
    package("sleuthkit", "blkls"),
    package("lvm2", "lvm"),
    package("cryptsetup-bin", "cryptsetup"),
    package("mdadm", "mdadm"),
    package("partclone", "partclone.xfs"),
];

/// What building fuzz targets needs.
pub const FUZZING: &[Package] = &[package("g++", "c++")];

/// What a node's disk needs to boot by itself.
pub const BOOT_LOADER: &[Package] = &[
    package("syslinux", "syslinux"),
    package("syslinux-common", "/usr/lib/syslinux/mbr/gptmbr.bin"),
    package("mtools", "mcopy"),
];

/// What checking signed images needs.
pub const SIGNING: &[Package] = &[package("minisign", "minisign")];

/// What the speed of SHA-1 is compared with.
pub const OPENSSL: &[Package] = &[package("openssl", "openssl")];

/// What looking into programs needs.
pub const BINARY_TOOLS: &[Package] = &[package("binutils", "readelf")];

/// What reads manual pages and completions.
pub const DOCUMENT_TOOLS: &[Package] =
    &[package("groff", "groff"), package("man-db", "man"), package("bash", "bash")];

/// What checks shell scripts.
pub const SHELL_TOOLS: &[Package] = &[package("shellcheck", "shellcheck")];

/// What making and signing a unified kernel image needs.
pub const UKI: &[Package] = &[
    package("systemd-boot-efi", "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"),
    package("sbsigntool", "sbsign"),
    package("openssl", "openssl"),
];

/// What a network needs whose guests boot from it: firmware, boot loaders, DHCP and TFTP.
pub const LAB: &[Package] = &[
    package("ovmf", "/usr/share/OVMF/OVMF_CODE_4M.fd"),
    package("ipxe-qemu", "/usr/lib/ipxe/qemu/pxe-virtio.rom"),
    package("ipxe", "/usr/lib/ipxe/snponly.efi"),
    package("pxelinux", "/usr/lib/PXELINUX/pxelinux.0"),
    package("syslinux-common", "/usr/lib/syslinux/modules/bios/ldlinux.c32"),
    package("syslinux-efi", "/usr/lib/SYSLINUX.EFI/efi64/syslinux.efi"),
    package("dnsmasq-base", "dnsmasq"),
    package("iproute2", "ip"),
];

/// What an NFS server that knows users needs.
pub const GANESHA: &[Package] = &[
    package("nfs-ganesha", "ganesha.nfsd"),
    package("nfs-ganesha-vfs", "/usr/lib/x86_64-linux-gnu/ganesha/libfsalvfs.so"),
    package("rpcbind", "rpcbind"),
    package("iproute2", "ip"),
];

/// What a network of virtual cables needs, and a DHCP and DNS server on it.
pub const CABLES: &[Package] = &[
    package("dnsmasq-base", "dnsmasq"),
    package("iproute2", "ip"),
    package("mount", "mount"),
    package("util-linux", "unshare"),
];

/// What power drivers and their tests need, and what judges boss' configurations.
pub const BOSS: &[Package] = &[
    package("curl", "curl"),
    package("jq", "jq"),
    package("socat", "socat"),
    package("openssl", "openssl"),
    package("util-linux", "flock"),
    package("dnsmasq-base", "dnsmasq"),
    package("systemd", "systemd-analyze"),
];

/// What looks at boss' pages.
pub const BROWSER: &[Package] = &[
    package("chromium", "chromium"),
    package("chromium-driver", "chromedriver"),
    // Text without a font has no size.
    package("fonts-dejavu-core", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    package("util-linux", "unshare"),
];

/// What a data base server of our own needs.
pub const POSTGRES: &[Package] = &[
    // Not the program: it is where only PostgreSQL's own scripts look.
    package("postgresql", "/usr/share/doc/postgresql"),
    package("postgresql", "psql"),
    package("util-linux", "setpriv"),
];

/// Package lists older than this are fetched again before something is installed.
const LISTS_LIFETIME: Duration = Duration::from_hours(24);
const LISTS: &str = "/var/lib/apt/lists";

/// Installs what is missing of `packages`. Touches nothing when everything is there.
pub fn ensure(packages: &[Package]) -> Result<()> {
    /// Tests run side by side, and apt-get only once at a time.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _guard = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<Package> = packages.iter().copied().filter(|p| !is_there(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if command::find_program("apt-get").is_none() {
        bail!(
            "missing: {}. Only Debian and Ubuntu are set up automatically; install the programs \
             with this system's package manager and run the command again",
            names(&missing, |p| p.provides)
        );
    }
    install(&missing).with_context(|| format!("cannot install {}", names(&missing, |p| p.name)))?;
    if let Some(absent) = missing.iter().find(|p| !is_there(p)) {
        bail!("{} is installed, but {} is not there", absent.name, absent.provides);
    }
    Ok(())
}

/// Fetches the package lists if there are none, or only old ones.
pub fn refresh_lists() -> Result<()> {
    if lists_are_fresh(Path::new(LISTS), SystemTime::now()) {
        return Ok(());
    }
    command::run(as_root()?.args(["apt-get", "-q", "update"]))
}

fn is_there(package: &Package) -> bool {
    if package.provides.starts_with('/') {
        Path::new(package.provides).exists()
    } else {
        command::find_program(package.provides).is_some()
    }
}

fn names(packages: &[Package], name: fn(&Package) -> &'static str) -> String {
    packages.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn install(packages: &[Package]) -> Result<()> {
    refresh_lists()?;
    let mut wanted: Vec<String> = Vec::new();
    for package in packages {
        if !wanted.iter().any(|name| name == package.name) {
            wanted.push(package.name.to_owned());
        }
    }
    wanted.extend(companions(packages)?);
    eprintln!("installing {}", wanted.join(" "));
    command::run(
        as_root()?
            .args(["apt-get", "-q", "-y", "--no-install-recommends", "--allow-downgrades"])
            // Somebody else may be installing something.
            .args(["-o", "DPkg::Lock::Timeout=300", "install"])
            .args(&wanted),
    )
}

/// Packages that must be named too. An image may carry a qemu-utils that is newer than any
/// source offers; it conflicts with the qemu-system-x86 that apt offers, and apt would remove
/// it. Naming the version that belongs to the sources makes apt downgrade it instead.
fn companions(packages: &[Package]) -> Result<Vec<String>> {
    let has_utils = command::find_program("qemu-img").is_some();
    if !has_utils || !packages.iter().any(|p| p.name == "qemu-system-x86") {
        return Ok(Vec::new());
    }
    let table = command::stdout(Command::new("apt-cache").args(["madison", "qemu-system-x86"]))?;
    Ok(newest_in_sources(&table)
        .map(|version| format!("qemu-utils={version}"))
        .into_iter()
        .collect())
}

/// The first version in `apt-cache madison` output; it lists sources only, newest first.
fn newest_in_sources(table: &str) -> Option<&str> {
    table.lines().next()?.split('|').nth(1).map(str::trim)
}

/// A command that runs its arguments as root, without asking for a password.
fn as_root() -> Result<Command> {
    let mut command = if command::stdout(Command::new("id").arg("-u"))?.trim() == "0" {
        Command::new("env")
    } else if command::succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    } else {
        bail!("packages are missing, and neither root nor password-less sudo is at hand");
    };
    command.arg("DEBIAN_FRONTEND=noninteractive");
    Ok(command)
}

/// Whether there are package lists, fetched within [`LISTS_LIFETIME`] of `now`. The lists carry
/// the server's dates; when they were fetched shows in the directories they passed through.
fn lists_are_fresh(directory: &Path, now: SystemTime) -> bool {
    let Ok(mut entries) = fs::read_dir(directory) else { return false };
    let any = entries.any(|entry| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    });
    any && [directory.to_owned(), directory.join("partial")].iter().any(|passed| {
        fs::metadata(passed).and_then(|metadata| metadata.modified()).is_ok_and(|modified| {
            // A date in the future (clock set back) is as good as one just now.
            now.duration_since(modified).map_or(true, |age| age < LISTS_LIFETIME)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_left_alone() {
        ensure(&[package("coreutils", "sh"), package("base-files", "/etc/passwd")]).unwrap();
    }

    #[test]
    fn absence_is_noticed() {
        assert!(!is_there(&package("x", "no-such-program-anywhere")));
        assert!(!is_there(&package("x", "/no/such/file")));
    }

    #[test]
    fn the_version_of_the_sources_is_taken() {
        let table = "qemu-system-x86 | 1:7.2+dfsg-7+deb12u18+b3 | http://deb bookworm/main amd64\n\
                     qemu-system-x86 | 1:7.2+dfsg-7+deb12u15 | http://deb security/main amd64\n";
        assert_eq!(newest_in_sources(table), Some("1:7.2+dfsg-7+deb12u18+b3"));
        assert_eq!(newest_in_sources(""), None);
    }

    #[test]
    fn lists_age() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        assert!(!lists_are_fresh(directory.path(), now));
        fs::write(directory.path().join("deb_main_binary-amd64_Packages.lz4"), b"").unwrap();
        assert!(lists_are_fresh(directory.path(), now));
        assert!(!lists_are_fresh(directory.path(), now + LISTS_LIFETIME * 2));
        assert!(!lists_are_fresh(&directory.path().join("absent"), now));
    }
}
