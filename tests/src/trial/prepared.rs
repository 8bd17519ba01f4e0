//! What all tests need and none changes, made once in a process.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::sector::Sector;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Meta};
use imagezip_tools::create::{create, sha256_of};
use imagezip_tools::host::FileDevice;
use imagezip_tools::load::load;
use xtask::experiment::{EID, Experiment, PID, VNAME};
use xtask::mfs::{self, Image};
use xtask::node_disk::{NodeDisk, SECTOR, Sizes};
use xtask::{apt, paths};

use super::{Set, copy_sparse, directory};

/// Enough for each kind of file and change, and soon saved by an emulated CPU.
const SIZES: Sizes = Sizes { esp: 36, root: 96, swap: 16, files: 48 };

/// What all tests share.
#[derive(Debug)]
pub struct Prepared {
    /// What a node boots.
    pub image: Image,
    /// The same with an agent that makes faults when it is told to (`mfs.drill=`).
    pub drill_image: Image,
    /// A node's disk as its user left it, and its base image.
    pub experiment: Experiment,
    /// The disk as the user found it.
    pub loaded_disk: NodeDisk,
    /// What an earlier run saved; the disk was in another state then.
    pub previous: Set,
    /// What this project's host tool makes of the disk; the `meta` is of no use.
    pub expected: Set,
}

/// Makes it at the first call.
pub fn prepared() -> Result<&'static Prepared> {
    static PREPARED: OnceLock<Result<Prepared, String>> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| prepare().map_err(|error| format!("{error:?}")));
    prepared.as_ref().map_err(|error| anyhow!("preparing failed: {error}"))
}

/// The image for every machine, with the same agent. Made at the first call.
pub fn complete_image() -> Result<&'static Image> {
    static IMAGE: OnceLock<Result<Image, String>> = OnceLock::new();
    let build = || {
        let agent = prepared()?.image.vmlinuz.with_file_name("mfs-agent");
        mfs::build_with_init("all", &agent, &paths::target().join("tests/mfs/all"))
    };
    let image = IMAGE.get_or_init(|| build().map_err(|error| format!("{error:?}")));
    image.as_ref().map_err(|error| anyhow!("building the image failed: {error}"))
}

fn prepare() -> Result<Prepared> {
    for packages in [apt::KERNEL_TOOLS, apt::QEMU, apt::DISK_TOOLS] {
        apt::ensure(packages)?;
    }
    let directory = directory("prepared");
    let experiment = Experiment::prepare(&directory, SIZES, &[])?;

    let loaded_disk = experiment.disk.at(&directory.join("loaded.img"));
    File::create(&loaded_disk.path)?.set_len(loaded_disk.sectors * SECTOR)?;
    let device = FileDevice::open_for_writing(&loaded_disk.path)?;
    load(&experiment.base_image, &device, Sector::ZERO)?;

    let expected = save(&experiment, &experiment.disk.path, "expected")?;
    let earlier = directory.join("earlier.img");
    copy_sparse(&experiment.disk.path, &earlier)?;
    // The swap space had another UUID.
    let uuid = experiment.disk.swap.start * SECTOR + 1036;
    File::options().write(true).open(&earlier)?.write_all_at(b"an earlier state", uuid)?;
    let previous = save(&experiment, &earlier, "earlier")?;
    fs::remove_file(&earlier)?;

    let image = build("plain", &[])?;
    let drill_image = build("drill", &["drill"])?;
    Ok(Prepared { image, drill_image, experiment, loaded_disk, previous, expected })
}

fn build(name: &str, features: &[&str]) -> Result<Image> {
    let agent = mfs::build_agent(features)?;
    mfs::build_with_init("virtio", &agent, &paths::target().join("tests/mfs").join(name))
}

/// What a run would have left that saved `disk`.
fn save(experiment: &Experiment, disk: &Path, name: &str) -> Result<Set> {
    let device = FileDevice::open(disk)?;
    let options = Options::new(LogicalSectorSize::B512);
    let map = scan(&device, Selection::WholeDisk, options)?;
    let base = Signature::read(fs::read(&experiment.base_signature)?.as_slice())?;
    let image = experiment.directory.join(format!("{name}.ndz"));
    let signature = experiment.directory.join(format!("{name}.sig"));
    let saved = create(&device, &map, Some(&base), &image, &signature)?;
    let meta = Meta {
        pid: PID.into(),
        eid: EID.into(),
        vname: VNAME.into(),
        base: Some(Base {
            name: "testbed-BASE.sig".into(),
            signature_sha256: sha256_of(&experiment.base_signature)?.0,
            image_sha256: None,
        }),
        disk: "vda".into(),
        load_partition: 0,
        disk_size: experiment.disk.sectors * SECTOR,
        sector_size: 512,
        image_sha256: sha256_of(&image)?.0,
        image_size: fs::metadata(&image)?.len(),
        signature_sha256: Some(sha256_of(&signature)?.0),
        chunks: saved.image.chunks.into(),
        regions: saved.image.regions,
        sectors_in_use: map.in_use.sector_count().get(),
        sectors_changed: saved.image.sectors.get(),
        decided: Vec::new(),
        agent: "an earlier run".into(),
        engine_sha256: None,
        created: 1_000_000_000,
    };
    let meta = meta.to_string().into_bytes();
    Ok(Set { image: fs::read(image)?, signature: fs::read(signature)?, meta })
}
