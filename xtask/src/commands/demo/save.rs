//! Node A: its disk is saved, and what was saved is proven on the host.

use anyhow::Result;
use xtask::experiment::{Experiment, Proof};
use xtask::mfs::Image;
use xtask::nfs::server::Server;

use super::guest::{self, Run};
use super::step;

/// What a save came to.
pub(super) struct Saved {
    pub(super) run: Run,
    pub(super) proof: Proof,
    pub(super) disk_bytes: u64,
}

/// Boots node A and saves its disk.
pub(super) fn run(experiment: &Experiment, image: &Image) -> Result<Saved> {
    step("node A boots the MFS and saves its disk to /proj over NFS");
    let server = Server::started(&experiment.proj(), "/proj")?;
    let machine = experiment.node(image, "/proj", &server.mount_options());
    let run =
        guest::run(experiment, machine.log_to(&experiment.directory.join("save.log")), "saved")?;

    step("proving the files that it left: the host loads them onto a disk, and compares");
    let proof = experiment.prove()?;
    let disk_bytes = experiment.disk.sectors * xtask::node_disk::SECTOR;
    Ok(Saved { run, proof, disk_bytes })
}
