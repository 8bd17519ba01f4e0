//! The bootable image: Debian's kernel, and an initramfs with the modules and the agent.

pub mod cpio;
pub mod firmware;
pub mod index;
pub mod kernel;
pub mod module;
pub mod modules;
pub mod profile;
pub mod uki;

use crate::{command, paths};
use anyhow::{Context, Result, bail, ensure};
use firmware::{Firmware, Missing};
use kernel::KernelPackage;
use modules::{Library, Module};
use profile::{Budget, Load, Profile};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Strong, and no larger than what 256 MiB of memory unpack with ease (8 MiB window).
const ZSTD_LEVEL: i32 = 19;

/// A finished image on disk.
#[derive(Debug)]
pub struct Image {
    /// The kernel.
    pub vmlinuz: PathBuf,
    /// The initramfs, for the boot loader or `qemu -initrd`.
    pub initramfs: PathBuf,
    /// What the image is made of, as in `manifest.json`.
    pub manifest: Manifest,
    budget: (u64, u64),
}

/// `manifest.json`: what an image is made of. The same input gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The profile's name.
    pub profile: String,
    /// The concrete kernel package.
    pub kernel_package: String,
    /// The file name of that package, with its version.
    pub kernel_archive: String,
    /// The kernel's release, as `uname -r` says it.
    pub kernel_release: String,
    /// The kernel image.
    pub vmlinuz: FileFacts,
    /// The compressed initramfs.
    pub initramfs: FileFacts,
    /// The initramfs before compression.
    pub initramfs_unpacked_bytes: u64,
    /// The program that is `/init`.
    pub agent: FileFacts,
    /// In an order that they can be loaded in.
    pub modules: Vec<ModuleFacts>,
    /// The image as one file, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uki: Option<uki::UkiFacts>,
    /// By the paths below `/lib/firmware`.
    pub firmware: BTreeMap<String, FileFacts>,
    /// Firmware that modules name and that is not in the image.
    pub missing_firmware: Vec<Missing>,
}

/// A file's size and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// The size in bytes.
    pub bytes: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

/// One module of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleFacts {
    /// The module's name.
    pub name: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The parameters it is loaded with.
    pub parameters: String,
    /// When it is loaded.
    pub load: Load,
}

/// The directory of the profiles.
pub fn profiles() -> PathBuf {
    paths::workspace().join("initramfs")
}

/// Builds the agent and the image of a profile into `target/mfs/<profile>`. `firmware` is a
/// directory to use instead of the profile's.
pub fn build(profile: &str, firmware: Option<&Path>) -> Result<Image> {
    // First of all, so that a misspelt name does not cost a build.
    let mut loaded = Profile::load(&profiles(), profile)?;
    if let Some(directory) = firmware {
        loaded.firmware.directory = Some(directory.to_owned());
    }
    let agent = build_agent(&[])?;
    assemble(profile, &loaded, &agent, &paths::target().join("mfs").join(profile))
}

/// Builds the image of a profile around any static program, into `out`.
pub fn build_with_init(profile_name: &str, init: &Path, out: &Path) -> Result<Image> {
    assemble(profile_name, &Profile::load(&profiles(), profile_name)?, init, out)
}

fn assemble(profile_name: &str, profile: &Profile, init: &Path, out: &Path) -> Result<Image> {
    let agent =
        fs::read(init).with_context(|| format!("cannot read the agent {}", init.display()))?;
    let kernel = KernelPackage::fetch(&profile.kernel.package)?;
    let modules = Library::open(&kernel.modules())?
        .resolve(&profile.modules)
        .with_context(|| format!("profile {profile_name}, kernel {}", kernel.release))?;
    // A path in a profile is relative to the profile.
    let directory = profile.firmware.directory.as_ref().map(|path| profiles().join(path));
    let firmware = Firmware::collect(&modules, directory.as_deref())?;
    let vmlinuz = fs::read(kernel.vmlinuz())
        .with_context(|| format!("cannot read {}", kernel.vmlinuz().display()))?;

    let agent_facts = FileFacts::of(&agent);
    let release = format!(
        "profile={profile_name}\nkernel={}\npackage={}\nagent={}\n",
        kernel.release, kernel.archive, agent_facts.sha256
    );
    let unpacked = initramfs(agent.clone(), &modules, &firmware, release)?;
    let initramfs = zstd::bulk::compress(&unpacked, ZSTD_LEVEL).context("cannot compress")?;

    let manifest = Manifest {
        profile: profile_name.to_owned(),
        kernel_package: kernel.package,
        kernel_archive: kernel.archive,
        kernel_release: kernel.release,
        vmlinuz: FileFacts::of(&vmlinuz),
        initramfs: FileFacts::of(&initramfs),
        initramfs_unpacked_bytes: unpacked.len() as u64,
        agent: agent_facts,
        modules: modules.iter().map(ModuleFacts::of).collect(),
        uki: None,
        firmware: firmware
            .files
            .iter()
            .map(|(name, content)| (name.clone(), FileFacts::of(content)))
            .collect(),
        missing_firmware: firmware.missing,
    };

    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let image = Image {
        vmlinuz: out.join("vmlinuz"),
        initramfs: out.join("initramfs.cpio.zst"),
        manifest,
        budget: (profile.budget.agent, profile.budget.initramfs),
    };
    write(&image.vmlinuz, &vmlinuz)?;
    write(&image.initramfs, &initramfs)?;
    write(&out.join("mfs-agent"), &agent)?;
    image.write_manifest()?;
    // Checked last: what is too big is then there to be looked at.
    image.manifest.check(&profile.budget)?;
    Ok(image)
}

/// The agent's binary with more features than a released one has. The next build replaces it.
///
/// Built on its own: in one build with the host's programs, cargo would give it their features
/// of shared crates (std among them).
pub fn build_agent(features: &[&str]) -> Result<PathBuf> {
    build_agent_with(features, &[])
}

/// As [`build_agent`], with other settings of the release profile, such as `strip=false`.
pub fn build_agent_with(features: &[&str], settings: &[&str]) -> Result<PathBuf> {
    let features = [&["freestanding"], features].concat().join(",");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--package", "mfs-agent", "--release", "--features", &features])
        .args(["--bin", "mfs-agent", "--message-format", "json-render-diagnostics"])
        .current_dir(paths::workspace())
        .stderr(Stdio::inherit());
    for setting in settings {
        // The agent's own part of the profile doesn't take over what is set for all.
        for part in ["profile.release", "profile.release.package.mfs-agent"] {
            cargo.arg("--config").arg(format!("{part}.{setting}"));
        }
    }
    let output =
        cargo.output().with_context(|| format!("cannot run `{}`", command::line(&cargo)))?;
    if !output.status.success() {
        bail!("the agent could not be built: `{}` failed", command::line(&cargo));
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .with_context(|| format!("`{}` did not say where the agent is", command::line(&cargo)))
}

/// The last executable that cargo's JSON messages name.
fn executable(messages: &str) -> Option<PathBuf> {
    let path_in = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    };
    messages.lines().filter_map(path_in).next_back()
}

/// The archive, not compressed.
fn initramfs(
    agent: Vec<u8>,
    modules: &[Module],
    firmware: &Firmware,
    release: String,
) -> Result<Vec<u8>> {
    let mut archive = cpio::Archive::default();
    for mount_point in ["dev", "net", "proc", "sys"] {
        archive.directory(mount_point);
    }
    // The kernel opens it for PID 1 before anybody could have mounted devtmpfs.
    archive.character_device("dev/console", 5, 1);
    archive.file("init", 0o755, agent);
    archive.file("etc/mfs-release", 0o644, release.into_bytes());
    for module in modules {
        archive.file(&format!("lib/modules/{}.ko", module.name), 0o644, module.object.clone());
    }
    archive.file("lib/modules/index", 0o644, index::write(modules).into_bytes());
    for (name, content) in &firmware.files {
        archive.file(&format!("lib/firmware/{name}"), 0o644, content.clone());
    }
    archive.to_bytes()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

impl Manifest {
    fn check(&self, budget: &Budget) -> Result<()> {
        for (what, bytes, limit) in [
            ("the agent", self.agent.bytes, budget.agent),
            ("the initramfs", self.initramfs.bytes, budget.initramfs),
        ] {
            ensure!(
                bytes <= limit,
                "{what} is over its budget of profile {}: {bytes} bytes, {} more than {limit}",
                self.profile,
                bytes - limit
            );
        }
        Ok(())
    }
}

impl Image {
    fn write_manifest(&self) -> Result<()> {
        let json = serde_json::to_string_pretty(&self.manifest)? + "\n";
        write(&self.vmlinuz.with_file_name("manifest.json"), json.as_bytes())
    }

    /// The sizes against the budgets, for a person.
    pub fn summary(&self) -> String {
        let manifest = &self.manifest;
        let size = |bytes: u64| format!("{:>9.1} KiB", precise(bytes) / 1024.0);
        let share = |bytes: u64, limit: u64| {
            let percent = 100.0 * precise(bytes) / precise(limit);
            format!("{} of at most {} ({percent:.0} %)", size(bytes), size(limit).trim_start())
        };
        let modules: u64 = manifest.modules.iter().map(|module| module.bytes).sum();
        let firmware: u64 = manifest.firmware.values().map(|file| file.bytes).sum();
        let (agent_limit, initramfs_limit) = self.budget;
        let mut missing: String =
            manifest.missing_firmware.iter().map(Missing::to_string).collect();
        if !missing.is_empty() {
            missing += "           all names are in manifest.json; --firmware=/lib/firmware puts in \
                        what is there\n";
        }
        format!(
            "profile    {}, kernel {} ({})\n\
             agent      {}\n\
             modules    {} in {} modules\n\
             firmware   {} in {} files\n\
             {}\
             initramfs  {}, {} unpacked\n\
             vmlinuz    {}\n\
             in         {}\n",
            manifest.profile,
            manifest.kernel_release,
            manifest.kernel_archive,
            share(manifest.agent.bytes, agent_limit),
            size(modules),
            manifest.modules.len(),
            size(firmware),
            manifest.firmware.len(),
            missing,
            share(manifest.initramfs.bytes, initramfs_limit),
            size(manifest.initramfs_unpacked_bytes).trim_start(),
            size(manifest.vmlinuz.bytes),
            self.vmlinuz.parent().unwrap_or(Path::new(".")).display(),
        )
    }
}

impl FileFacts {
    fn of(bytes: &[u8]) -> Self {
        let mut sha256 = String::new();
        for byte in Sha256::digest(bytes) {
            // Writing to a String cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Self { bytes: bytes.len() as u64, sha256 }
    }
}

impl ModuleFacts {
    fn of(module: &Module) -> Self {
        Self {
            name: module.name.clone(),
            bytes: module.object.len() as u64,
            parameters: module.parameters.clone(),
            load: module.load,
        }
    }
}

/// For sizes far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
fn precise(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
