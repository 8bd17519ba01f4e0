//! Guests that run a shell script with Debian's kernel and this machine's programs: for file systems
//! and layers that this machine's own kernel doesn't have.
//!
//! The guest's root is this machine's, read-only; `/tmp`, `/run` and `/mnt` are its own. The script
//! finds itself in `/run/job`, a directory of this machine that it can write to, and the disks as
//! `/dev/vda`, `/dev/vdb` … Modules are loaded when they are needed, and there is no udev.

mod initramfs;

use crate::mfs::kernel::KernelPackage;
use crate::qemu::{Access, Drive, Exit, Machine, Running};
use crate::{apt, paths};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// The newest kernel of this machine's Debian.
const KERNEL: &str = "linux-image-amd64";

/// Programs like `xfs_repair` and `fsck.f2fs` want some.
const MEMORY_MIB: u32 = 1024;

/// The line with which a script asks for the power to be cut.
pub const CUT: &str = "guest: cut the power";

/// The start of the line that tells how the script ended.
const ENDED: &str = "guest: the job ended with status ";

/// What guests boot.
#[derive(Debug, Clone)]
pub struct Guest {
    vmlinuz: PathBuf,
    initramfs: PathBuf,
}

/// What a guest is to do.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// A directory of its own, which the guest can write to; what it says is there as `console`.
    pub directory: &'a Path,
    /// For `sh -eu`.
    pub script: &'a str,
    /// The disks, in raw files.
    pub disks: &'a [PathBuf],
    /// How long it may take.
    pub limit: Duration,
}

impl Guest {
    /// Fetches the kernel and makes the initramfs, in `target/guest`.
    ///
    /// # Errors
    /// If there is no network and the kernel is not in the cache, or something can't be written.
    pub fn prepare() -> Result<Self> {
        /// Tests run side by side.
        static PREPARED: Mutex<Option<Guest>> = Mutex::new(None);
        let mut prepared =
            PREPARED.lock().map_err(|_| anyhow::anyhow!("no guest could be made"))?;
        if let Some(guest) = &*prepared {
            return Ok(guest.clone());
        }
        for packages in [apt::KERNEL_TOOLS, apt::QEMU] {
            apt::ensure(packages)?;
        }
        let kernel = KernelPackage::fetch(KERNEL)?;
        let archive = initramfs::archive(&kernel)?;
        let directory = paths::target().join("guest");
        fs::create_dir_all(&directory)?;
        let initramfs = directory.join("initramfs.cpio");
        // Another process may be about to boot the one that is there.
        let partial = directory.join(format!("initramfs.{}", std::process::id()));
        fs::write(&partial, archive)
            .and_then(|()| fs::rename(&partial, &initramfs))
            .with_context(|| format!("cannot write {}", initramfs.display()))?;
        let guest = Self { vmlinuz: kernel.vmlinuz(), initramfs };
        Ok(prepared.insert(guest).clone())
    }

    /// Runs a script to its end, which must be good.
    ///
    /// # Errors
    /// If the script fails, or the guest does, or it takes too long.
    pub fn run(&self, job: &Job) -> Result<()> {
        let mut node = self.start(job)?;
        let exit = node.wait(job.limit)?;
        let said = |text: &str| node.console().find(text);
        let status = said(ENDED).map(|line| line.text.replace(ENDED, ""));
        if exit != Exit::PowerOff || status.as_deref().map(str::trim) != Some("0") {
            let log = job.directory.join("console");
            let tail = node.console().tail(40);
            bail!("the guest's job failed ({exit}); all of it: {}\n{tail}", log.display());
        }
        Ok(())
    }

    /// Runs a script until it prints [`CUT`], and so much longer; then cuts the power. What the
    /// guest has written to its disks until then is on them, and nothing else.
    ///
    /// # Errors
    /// If the script ends without that, or it takes too long.
    pub fn run_until_cut(&self, job: &Job, longer: Duration) -> Result<()> {
        let mut node = self.start(job)?;
        node.wait_for_line(CUT, job.limit)?;
        std::thread::sleep(longer);
        node.kill()?;
        ensure!(node.console().find(ENDED).is_none(), "the job ended before its power was cut");
        Ok(())
    }

    fn start(&self, job: &Job) -> Result<Running> {
        let script = job.directory.join("script");
        fs::write(&script, job.script)
            .with_context(|| format!("cannot write {}", script.display()))?;
        let mut machine =
            Machine::new(&self.vmlinuz, &self.initramfs, &job.directory.join("console"))
                .append("quiet")
                .memory(MEMORY_MIB)
                .without_network();
        for (tag, path, access) in
            [("host", Path::new("/"), "readonly=on"), ("job", job.directory, "readonly=off")]
        {
            let path = path.to_string_lossy().replace(',', ",,");
            machine = machine.argument("-virtfs").argument(format!(
                "local,mount_tag={tag},security_model=none,multidevs=remap,{access},path={path}"
            ));
        }
        for (number, path) in job.disks.iter().enumerate() {
            machine = machine.drive(Drive {
                path: path.clone(),
                serial: format!("DISK{number}"),
                access: Access::ReadWrite,
            });
        }
        machine.start()
    }
}
