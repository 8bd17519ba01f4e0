//! The image as one file: a unified kernel image (UKI) for UEFI firmware.
//!
//! A UEFI firmware can load one file over HTTP or TFTP and check one signature (Secure Boot). The
//! UKI is systemd-boot's stub with the kernel, the initramfs and the command line as sections;
//! the stub finds them and starts the kernel (uapi-group.org, "UKI Specification"; systemd-stub(7)).

pub mod sections;

use super::{FileFacts, Image};
use crate::command;
use anyhow::{Context, Result, ensure};
use sections::Section;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// systemd-boot's stub; see [`crate::apt::UKI`].
pub const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/// The command line that a UKI carries if no other is given: no words for a node, who learns from
/// DHCP and tmcd who it is.
pub const COMMAND_LINE: &str = "console=tty0 console=ttyS0,115200 panic=10 quiet";

/// The longest command line that Linux takes on x86, less the final NUL.
const LONGEST_COMMAND_LINE: usize = 2047;

/// A key for Secure Boot and its certificate, as PEM files. The key must not ask for a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// The private key.
    pub key: PathBuf,
    /// The certificate of the key, which the firmware's `db` must know.
    pub certificate: PathBuf,
}

/// What a UKI is made of, in `manifest.json`. Without a signature the same input gives the same
/// bytes; a signature has the time in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UkiFacts {
    /// The file, as it was before it was signed.
    pub unsigned: FileFacts,
    /// The file, if it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<FileFacts>,
    /// systemd-boot's stub.
    pub stub: FileFacts,
    /// The command line.
    pub command_line: String,
}

impl Image {
    /// Makes `mfs.efi` beside the image's other files, and notes it in `manifest.json`.
    ///
    /// # Errors
    /// If the command line is none, the stub isn't there or not as expected, or signing fails.
    pub fn add_uki(&mut self, command_line: &str, signing: Option<&Signing>) -> Result<PathBuf> {
        let directory = self.vmlinuz.parent().context("the image is in no directory")?;
        let path = directory.join("mfs.efi");
        let stub = read(Path::new(STUB))?;
        let unsigned = assemble(&stub, self, command_line)?;
        let mut facts = UkiFacts {
            unsigned: FileFacts::of(&unsigned),
            signed: None,
            stub: FileFacts::of(&stub),
            command_line: command_line.to_owned(),
        };
        super::write(&path, &unsigned)?;
        if let Some(signing) = signing {
            sign(&path, signing)?;
            facts.signed = Some(FileFacts::of(&read(&path)?));
        }
        self.manifest.uki = Some(facts);
        self.write_manifest()?;
        Ok(path)
    }
}

fn assemble(stub: &[u8], image: &Image, command_line: &str) -> Result<Vec<u8>> {
    ensure!(
        command_line.len() <= LONGEST_COMMAND_LINE
            && command_line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "the command line must be printable ASCII, at most {LONGEST_COMMAND_LINE} characters"
    );
    let manifest = &image.manifest;
    let release = format!(
        "ID=swapmfs\nNAME=swapmfs\nPRETTY_NAME=\"swapmfs, profile {}\"\nVERSION_ID={}\n",
        manifest.profile,
        env!("CARGO_PKG_VERSION"),
    );
    let (initramfs, vmlinuz) = (read(&image.initramfs)?, read(&image.vmlinuz)?);
    // The kernel is last, as the specification advises: what unpacks itself in place then runs
    // over none of the others.
    let sections = [
        Section { name: ".osrel", content: release.as_bytes() },
        Section { name: ".uname", content: manifest.kernel_release.as_bytes() },
        Section { name: ".cmdline", content: command_line.as_bytes() },
        Section { name: ".initrd", content: &initramfs },
        Section { name: ".linux", content: &vmlinuz },
    ];
    sections::append(stub, &sections).with_context(|| format!("cannot use the stub {STUB}"))
}

/// Signs a PE file in place.
fn sign(path: &Path, signing: &Signing) -> Result<()> {
    let signed = path.with_extension("efi.signed");
    let mut sbsign = Command::new("sbsign");
    sbsign.arg("--key").arg(&signing.key).arg("--cert").arg(&signing.certificate);
    command::stdout(sbsign.arg("--output").arg(&signed).arg(path))?;
    fs::rename(&signed, path).with_context(|| format!("cannot replace {}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Debian's test key for Secure Boot, which anybody has and the firmware `OVMF_VARS_4M.snakeoil.fd`
/// trusts: for tests only. Its password is removed, into `directory`.
///
/// # Errors
/// If `openssl` or the package `ovmf` is missing.
pub fn snakeoil(directory: &Path) -> Result<Signing> {
    let key = directory.join("snakeoil.key");
    let mut openssl = Command::new("openssl");
    openssl.args(["pkey", "-in", "/usr/share/ovmf/PkKek-1-snakeoil.key"]);
    command::stdout(openssl.args(["-passin", "pass:snakeoil", "-out"]).arg(&key))?;
    Ok(Signing { key, certificate: "/usr/share/ovmf/PkKek-1-snakeoil.pem".into() })
}
