//! Saving the disk: the delta of what is on it to the image that it was loaded from.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use imagezip_core::allocation::{DiskMap, Options, Selection, scan};
use imagezip_core::digest::Sha256;
use imagezip_core::error::{CorruptKind, ErrorKind};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::pipeline::{Saved, Source, save, verify};
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Meta, Part, Phase};
use rustix::fd::AsFd;
use rustix::system::sysinfo;

use crate::cmdline::{CommandLine, Credentials, Node};
use crate::disk::device::DiskDevice;
use crate::disk::{self, Disk};
use crate::failure::{Failure, FailureKind, Os, Result};
use crate::progress::Progress;
use crate::project::commit::{Commit, Member, Recovered};
use crate::project::credentials::{become_root, become_user};
use crate::project::image::{ImageFile, StoredFile};
use crate::project::mount::PROJ;
use crate::project::swapinfo::{BaseSignature, SwapInfo};
use crate::report::heartbeat;
use crate::report::time::unix_time;
use crate::threads::{Processors, Threads};

/// Saves the disk of `node`; what was saved, for the result line.
///
/// # Errors
/// Anything; the previous image is as it was.
pub fn run(
    line: &CommandLine,
    node: &Node,
    threads: &dyn Threads,
    progress: &'static Progress,
) -> Result<String> {
    progress.enter(Phase::Prepare);
    let identity = line.credentials.as_ref();
    use_project(identity)?;
    let info = Arc::new(SwapInfo::open(PROJ, node)?);
    heartbeat::start(threads, Arc::clone(&info), progress)?;
    #[cfg(feature = "drill")]
    crate::drill::play(line.drill, progress);
    match info.commit().recover()? {
        Recovered::Clean => {}
        Recovered::Discarded => log::info!("the unfinished image of an earlier run is removed"),
        Recovered::Completed => log::info!("the image of an earlier run is completed"),
    }
    let part = info.read_part()?;
    let (base, signature) = read_base(&info)?;
    info.check_room();

    // Only root may open the disk.
    become_root().map_err(cannot_switch)?;
    let disk = disk::find(&disk::SYSTEM, &part, &disk::Hints::default(), &|| {}, progress)?;
    let device = DiskDevice::open(&disk::SYSTEM, &disk, progress)?;
    use_project(identity)?;
    log::info!("disk {}: {} bytes, sectors of {}", disk.name, disk.size, disk.sector_size);

    let map = allocation(&device, &disk, &part)?;
    if let Some(end) = signature.end()
        && end.get() > map.sectors().get()
    {
        return Err(FailureKind::SignatureFile.because(format_args!(
            "{}: its last sector is {end}, but what is saved of disk {} ends at {}; it is the \
             signature of something larger",
            base.name,
            disk.name,
            map.sectors()
        )));
    }
    progress.set_total(map.in_use.sector_count().to_bytes().get());

    let job = Job { node, part: &part, disk: &disk, base: &base, threads, progress, info: &info };
    let source = Source { base: Some(&signature), ..Source::new(&device, &map) };
    let commit = info.commit();
    let result = job.save(&commit, source);
    if result.is_err()
        && let Err(failure) = commit.recover()
    {
        log::warn!("{failure}");
    }
    result
}

fn use_project(identity: Option<&Credentials>) -> Result<()> {
    identity.map_or(Ok(()), become_user).map_err(cannot_switch)
}

fn cannot_switch(errno: rustix::io::Errno) -> Failure {
    FailureKind::Resource.because(format_args!("cannot change the user: {}", Os(errno)))
}

/// Reads the signature of the base. It may take a quarter of the memory that is free.
fn read_base(info: &SwapInfo) -> Result<(BaseSignature, Signature)> {
    let memory = sysinfo();
    let free = u64::from(memory.mem_unit).saturating_mul(memory.freeram);
    let limit = usize::try_from(free / 4).unwrap_or(usize::MAX);
    let mut base = info.read_signature(limit)?;
    let bytes = core::mem::take(&mut base.bytes);
    let signature = Signature::read(bytes.as_slice()).map_err(|error| {
        FailureKind::SignatureFile.because(format_args!("{}: {error}", base.name))
    })?;
    log::info!("base {}: SHA-256 {}", base.name, base.sha256);
    Ok((base, signature))
}

fn allocation(device: &DiskDevice<'_>, disk: &Disk, part: &Part) -> Result<DiskMap> {
    let sector_size = LogicalSectorSize::new(disk.sector_size.into()).ok_or_else(|| {
        let Disk { name, sector_size, .. } = disk;
        FailureKind::DiskAbsent.because(format_args!(
            "disk {name} has sectors of {sector_size} bytes, not 512 or 4096"
        ))
    })?;
    let selection = match part.load_partition {
        0 => Selection::WholeDisk,
        number => Selection::Partition(number.into()),
    };
    let map =
        scan(device, selection, Options::new(sector_size)).map_err(|error| match error.kind {
            ErrorKind::Corrupt(CorruptKind::NoSuchPartition) => FailureKind::PartitionAbsent
                .because(format_args!(
                    "disk {} has no partition {}, which LOADPART= of .part asks for",
                    disk.name, part.load_partition
                )),
            _ => {
                Failure::of_core(&error, format_args!("reading the file systems of {}", disk.name))
            }
        })?;
    for note in &map.notes {
        log::warn!("partition table: {note}");
    }
    for report in &map.partitions {
        log::info!("{report}");
        for note in &report.notes {
            log::warn!("partition {}: {note}", report.number);
        }
    }
    Ok(map)
}

/// Everything that describes the image.
struct Job<'a> {
    node: &'a Node,
    part: &'a Part,
    disk: &'a Disk,
    base: &'a BaseSignature,
    info: &'a SwapInfo,
    threads: &'a dyn Threads,
    progress: &'a Progress,
}

impl Job<'_> {
    /// Writes the image, reads it back, and puts it in the place of the previous one.
    fn save(&self, commit: &Commit<'_>, source: Source<'_>) -> Result<String> {
        let Self { progress, disk, .. } = *self;
        let workers = Processors::new(self.threads);
        progress.enter(Phase::Save);
        let mut image = ImageFile::new(commit.create(Member::Image)?, progress);
        let saved = match save(&workers, source, &mut image, progress.engine()) {
            Ok(saved) => saved,
            Err(error) => {
                return Err(match image.errno() {
                    Some(errno) => Failure::of_project(errno, "writing the image"),
                    None => Failure::of_core(&error, format_args!("saving disk {}", disk.name)),
                });
            }
        };
        let (size, digest) = image.finish()?;

        progress.enter(Phase::Verify);
        let name = commit.temporary_name(Member::Image);
        let stored = StoredFile::open(self.info.directory().as_fd(), &name, progress)?;
        let read_back = verify(&workers, &stored, &saved.proof).map_err(|error| {
            let kind =
                if stored.failed() { FailureKind::ProjectFile } else { FailureKind::Verification };
            kind.because(format_args!("reading {name} back: {error}"))
        })?;
        if read_back != digest {
            return Err(FailureKind::Verification.because(format_args!(
                "{name} was written with SHA-256 {digest}, but reading it back gives {read_back}"
            )));
        }

        progress.enter(Phase::Publish);
        let mut signature = Vec::new();
        saved.signature.write(&mut signature).map_err(|error| {
            Failure::of_core(&error, "making the signature of the disk's state")
        })?;
        commit.write(Member::Signature, &signature)?;
        let meta = self.meta(&saved, size, digest, source.map);
        commit.write(Member::Meta, meta.to_string().as_bytes())?;
        commit.publish()?;
        Ok(format!(
            "saved bytes={size} chunks={} sectors={} of={}",
            meta.chunks, meta.sectors_changed, meta.sectors_in_use
        ))
    }

    fn meta(&self, saved: &Saved, image_size: u64, digest: Sha256, map: &DiskMap) -> Meta {
        let Node { pid, eid, vname } = self.node;
        Meta {
            pid: pid.to_string(),
            eid: eid.to_string(),
            vname: vname.to_string(),
            base_signature_sha256: self.base.sha256.0,
            base_name: self.base.name.clone(),
            disk: self.disk.name.clone(),
            load_partition: self.part.load_partition,
            disk_size: self.disk.size,
            sector_size: self.disk.sector_size,
            image_sha256: digest.0,
            image_size,
            chunks: saved.image.chunks.into(),
            regions: saved.image.regions,
            sectors_in_use: map.in_use.sector_count().get(),
            sectors_changed: saved.image.sectors.get(),
            agent: concat!("mfs-agent ", env!("CARGO_PKG_VERSION")).into(),
            created: unix_time(),
        }
    }
}
