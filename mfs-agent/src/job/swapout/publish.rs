//! From an image under its temporary name that was found right to the node's current set.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use imagezip_core::allocation::{Row, rows};
use imagezip_core::digest::Sha256;
use imagezip_core::sector::SectorCount;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Decided, Meta, Phase};

use super::plan::Plan;
use crate::cmdline::Node;
use crate::failure::{Failure, Result};
use crate::project::commit::Member;
use crate::report::time::unix_time;

/// An image that is whole, durable and checked, under its temporary name.
pub(super) struct Made {
    /// Its size in bytes.
    pub(super) size: u64,
    /// The file that was checked: another one may come under its name.
    pub(super) inode: u64,
    pub(super) digest: Sha256,
    pub(super) chunks: u64,
    pub(super) regions: u64,
    /// The sectors that it holds.
    pub(super) sectors: SectorCount,
    /// The signature of the disk's state.
    pub(super) signature: Signature,
    /// The program that made it, if that wasn't the agent.
    pub(super) engine: Option<Sha256>,
}

/// Makes the image the current one; the numbers of the result line.
pub(super) fn publish(plan: &Plan<'_>, made: &Made) -> Result<String> {
    let commit = plan.info.commit();
    plan.progress.enter(Phase::Publish);
    let mut signature = Vec::new();
    made.signature
        .write(&mut signature)
        .map_err(|error| Failure::of_core(&error, "making the signature of the disk's state"))?;
    commit.write(Member::Signature, &signature)?;
    let meta = describe(plan, made, Sha256::of(&signature));
    commit.write(Member::Meta, meta.to_string().as_bytes())?;
    commit.publish(made.inode)?;
    Ok(format!(
        "bytes={} chunks={} sectors={} of={}",
        made.size, meta.chunks, meta.sectors_changed, meta.sectors_in_use
    ))
}

fn describe(plan: &Plan<'_>, made: &Made, signature: Sha256) -> Meta {
    let Node { pid, eid, vname } = plan.node;
    Meta {
        pid: pid.to_string(),
        eid: eid.to_string(),
        vname: vname.to_string(),
        base: plan.base.map(|base| Base {
            name: base.file.name.clone(),
            signature_sha256: base.file.sha256.0,
            image_sha256: plan.part.base_sha256,
        }),
        disk: plan.disk.name.clone(),
        load_partition: plan.part.load_partition,
        disk_size: plan.disk.size,
        sector_size: plan.disk.sector_size,
        image_sha256: made.digest.0,
        image_size: made.size,
        signature_sha256: Some(signature.0),
        chunks: made.chunks,
        regions: made.regions,
        sectors_in_use: plan.map.in_use.sector_count().get(),
        sectors_changed: made.sectors.get(),
        decided: rows(&plan.map.partitions).iter().map(decided).collect(),
        agent: concat!("mfs-agent ", env!("CARGO_PKG_VERSION")).into(),
        engine_sha256: made.engine.map(|digest| digest.0),
        created: unix_time(),
    }
}

fn decided(row: &Row) -> Decided {
    Decided {
        name: row.name.clone(),
        sectors: row.size.get(),
        in_use: row.in_use.get(),
        verdict: row.verdict.to_string(),
    }
}
