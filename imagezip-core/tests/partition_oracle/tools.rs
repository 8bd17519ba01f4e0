//! Disks in files, and the programs that partition them.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use imagezip_core::overlay::Patch;
use tempfile::TempDir;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A disk in a file. The file's name is always the same.
pub(crate) struct Disk {
    dir: TempDir,
    path: PathBuf,
}

impl Disk {
    /// A disk of `mib` MiB, partitioned by sfdisk as `script` says.
    pub(crate) fn partitioned(mib: u64, script: &str) -> Outcome<Self> {
        let disk = Self::blank(mib)?;
        disk.program("sfdisk", &["--quiet"], script)?;
        Ok(disk)
    }

    /// A disk of `mib` MiB with nothing on it.
    pub(crate) fn blank(mib: u64) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("disk");
        File::create(&path)?.set_len(mib << 20)?;
        Ok(Self { dir, path })
    }

    /// A disk in a file that holds `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("disk");
        fs::write(&path, bytes)?;
        Ok(Self { dir, path })
    }

    pub(crate) fn bytes(&self) -> Outcome<Vec<u8>> {
        Ok(fs::read(&self.path)?)
    }

    /// Writes patches to the disk.
    pub(crate) fn apply(&self, patches: &[Patch]) -> Outcome {
        let file = File::options().write(true).open(&self.path)?;
        for patch in patches {
            file.write_all_at(&patch.bytes, patch.at.get())?;
        }
        Ok(())
    }

    /// What sfdisk reads, one line for each partition.
    pub(crate) fn dump(&self) -> Outcome<Vec<String>> {
        let dump = self.program("sfdisk", &["--dump"], "")?;
        let lines = dump.lines().filter(|line| line.starts_with("disk"));
        Ok(lines.map(ToOwned::to_owned).collect())
    }

    /// Has sfdisk and, with a GPT, sgdisk check the table: they must have nothing to say.
    pub(crate) fn check(&self, is_gpt: bool) -> Outcome {
        let said = self.program("sfdisk", &["--verify"], "")?;
        if !said.contains("No errors detected") && !said.trim().is_empty() {
            return Err(format!("sfdisk: {said}").into());
        }
        if is_gpt {
            let said = self.program("sgdisk", &["--verify"], "")?;
            // The one thing that it says about every disk of sfdisk's.
            let rest = said.replace("Warning: There is a gap between the main partition table", "");
            if !said.contains("No problems found") || rest.to_lowercase().contains("warning") {
                return Err(format!("sgdisk: {said}").into());
            }
        }
        Ok(())
    }

    /// Attaches the disk as a device with sectors of 4096 bytes, has a program run on it, and
    /// returns what it said.
    pub(crate) fn with_large_sectors(&self, program: &str, args: &[&str]) -> Outcome<String> {
        let attach = ["--find", "--show", "--sector-size=4096"];
        let device = self.program("losetup", &attach, "")?;
        let device = device.trim();
        let link = self.dir.path().join("device");
        std::os::unix::fs::symlink(device, &link)?;
        let args: Vec<_> = args.iter().copied().chain(["device"]).collect();
        let outcome = self.start(program, &args, "");
        fs::remove_file(&link)?;
        self.start("losetup", &["--detach", device], "")?;
        outcome
    }

    /// Runs a program on the disk and returns what it said; fails unless it ends well.
    pub(crate) fn program(&self, program: &str, args: &[&str], input: &str) -> Outcome<String> {
        let args: Vec<_> = args.iter().copied().chain(["disk"]).collect();
        self.start(program, &args, input)
    }

    fn start(&self, program: &str, args: &[&str], input: &str) -> Outcome<String> {
        let mut child = Command::new(program)
            .args(args)
            .current_dir(self.dir.path())
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("{program} (Debian package fdisk, gdisk or mount): {error}")
            })?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        if output.status.success() {
            Ok(said)
        } else {
            Err(format!("{program} {}: {}\n{said}", args.join(" "), output.status).into())
        }
    }
}
