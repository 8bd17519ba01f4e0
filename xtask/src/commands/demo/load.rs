//! Node B: another kind of disk, of another size. It is loaded twice, from what two users find.

use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Result, ensure};
use imagezip_core::sector::Sector;
use imagezip_tools::host::FileDevice;
use imagezip_tools::load::load;
use xtask::experiment::{BootProof, Experiment, LoadProof};
use xtask::mfs::Image;
use xtask::nfs::server::Server;
use xtask::node_disk::{NodeDisk, SECTOR};

use super::guest::{self, Run};
use super::step;

/// What is read at once to compare.
const STEP: usize = 1 << 20;

/// Where a GPT's first copy ends, and how long its second one is at the disk's end, in sectors.
const TABLE_END: u64 = 34;
const BACKUP: u64 = 33;

/// Node B, which gets the experiment.
pub(super) struct Node<'a> {
    experiment: &'a Experiment,
    image: &'a Image,
    disk: NodeDisk,
}

/// What a load came to.
pub(super) struct Loaded {
    pub(super) run: Run,
    pub(super) proof: LoadProof,
    pub(super) disk_bytes: u64,
}

/// What a load of another user's disk came to.
pub(super) struct Moved {
    pub(super) loaded: Loaded,
    pub(super) boot: BootProof,
}

impl<'a> Node<'a> {
    /// Makes its disk, full of another user's data, and tells the experiment of it.
    pub(super) fn new(experiment: &'a Experiment, image: &'a Image) -> Result<Self> {
        let disk = experiment.other_disk()?;
        experiment.install_other_part()?;
        Ok(Self { experiment, image, disk })
    }

    /// Loads the other user's disk, of which nothing may be left, and boots from it.
    pub(super) fn load_used_disk(&self) -> Result<Moved> {
        ensure!(self.check_nothing_is_left().is_err(), "nothing of another user's is on the disk");
        step("node B boots the MFS and loads its disk; what is free there becomes zeros");
        let loaded = self.load("mfs.free=zero", "load.log")?;
        self.check_nothing_is_left()?;

        step("node B boots from its own disk");
        let boot = self.experiment.prove_boot(&self.disk)?;
        // The boot has changed nothing, so it is still the disk that was loaded.
        let after = self.experiment.prove_loaded(&self.disk)?;
        ensure!(after == loaded.proof, "the disk is another one after it was booted from");
        Ok(Moved { loaded, boot })
    }

    /// Gives the disk the base image, as all free nodes of a testbed have it, and loads it again.
    pub(super) fn load_base_disk(&self) -> Result<Loaded> {
        step("the same when node B's disk already holds the base image, as is usual on a testbed");
        let Experiment { base_image, .. } = self.experiment;
        File::create(&self.disk.path)?.set_len(self.disk.sectors * SECTOR)?;
        load(base_image, &FileDevice::open_for_writing(&self.disk.path)?, Sector::ZERO)?;
        let loaded = self.load("", "load-again.log")?;
        let (written, avoided) = (loaded.run.number("written")?, loaded.run.number("avoided")?);
        ensure!(written < avoided, "{written} bytes were written, but only {avoided} avoided");
        Ok(loaded)
    }

    /// Boots the MFS, which loads the disk, and compares the disk with the one that was saved.
    fn load(&self, words: &str, log: &str) -> Result<Loaded> {
        let Self { experiment, image, disk } = self;
        let server = Server::started(&experiment.proj(), "/proj")?;
        let machine = experiment
            .loading_machine(image, "/proj", &server.mount_options())
            .append(words)
            .disk(experiment.other_drive(disk))
            .log_to(&experiment.directory.join(log));
        let run = guest::run(experiment, machine, "loaded")?;
        let proof = experiment.prove_loaded(disk)?;
        Ok(Loaded { run, proof, disk_bytes: disk.sectors * SECTOR })
    }

    /// Fails if a sector of the disk, but for the table that was fitted to it, is neither zeros nor
    /// what the disk has there that was saved.
    fn check_nothing_is_left(&self) -> Result<()> {
        let (saved, loaded) = (&self.experiment.disk, &self.disk);
        let (saved_file, loaded_file) = (File::open(&saved.path)?, File::open(&loaded.path)?);
        let (mut was, mut is) = (vec![0; STEP], vec![0; STEP]);
        let (mut at, end) = (TABLE_END * SECTOR, (loaded.sectors - BACKUP) * SECTOR);
        while at < end {
            let len = usize::try_from(end - at)?.min(STEP);
            loaded_file.read_exact_at(&mut is[..len], at)?;
            let there = usize::try_from((saved.sectors * SECTOR).saturating_sub(at))?.min(len);
            saved_file.read_exact_at(&mut was[..there], at)?;
            was[there..].fill(0);
            for (index, (is, was)) in is[..len].chunks(512).zip(was.chunks(512)).enumerate() {
                let sector = at / SECTOR + index as u64;
                let good = is == was || is == [0; 512];
                ensure!(good, "sector {sector} of the disk is still the other user's");
            }
            at += len as u64;
        }
        Ok(())
    }
}
