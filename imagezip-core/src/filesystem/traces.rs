//! Signatures of whatever else may own a partition.
//!
//! Tools that take over a partition often leave the superblock of an earlier file system where it
//! is. A file system that is found is believed only if nothing else left its signature.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::Result;
use crate::sector::{Bytes, Sector};

/// So many bytes from the start hold all signatures that are looked for there.
const HEAD_BYTES: u64 = 256 << 10;

/// The magic number of an uberblock of ZFS; the byte order is that of the machine.
const ZFS_MAGIC: [u8; 8] = 0x00ba_b10c_u64.to_le_bytes();
/// The size of a label, of which there are two at the start and two at the end. Uberblocks are in its
/// second half.
const ZFS_LABEL: u64 = 256 << 10;
/// Where the uberblocks of the first label begin; they end with [`HEAD_BYTES`].
const ZFS_UBERBLOCKS: u64 = 128 << 10;
const UBERBLOCK_BYTES: usize = 128 << 10;
/// The smallest distance between two of them.
const ZFS_STEP: usize = 1 << 10;

/// Where VMFS describes the device that it is on, and how that begins.
const VMFS_AT: u64 = 1 << 20;
const VMFS_MAGIC: [u8; 4] = 0xc001_d00d_u32.to_le_bytes();

/// Bytes that tell an owner, at their place.
struct Signature {
    owner: &'static str,
    at: u64,
    bytes: &'static [u8],
}

const fn signature(owner: &'static str, at: u64, bytes: &'static [u8]) -> Signature {
    Signature { owner, at, bytes }
}

/// File systems, and layers below them, whose free sectors are not told.
const FOREIGN: &[Signature] = &[
    signature("LUKS", 0, b"LUKS\xba\xbe"),
    signature("dm-verity", 0, b"verity\0\0"),
    signature("dm-integrity", 0, b"integrt\0"),
    signature("Ceph BlueStore", 0, b"bluestore block device\n"),
    signature("bcache", 4120, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
    signature(
        "bcachefs",
        4120,
        b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef",
    ),
    signature("JFS", 0x8000, b"JFS1"),
    signature("ReiserFS", 0x1_0034, b"ReIsEr"),
    // Its first format.
    signature("ReiserFS", 0x2034, b"ReIsEr"),
    signature("Reiser4", 0x1_0000, b"ReIsEr4"),
    signature("GFS2", 0x1_0000, b"\x01\x16\x19\x70"),
    // In the third block, of 512 to 4096 bytes.
    signature("OCFS2", 0x400, b"OCFSV2"),
    signature("OCFS2", 0x800, b"OCFSV2"),
    signature("OCFS2", 0x1000, b"OCFSV2"),
    signature("OCFS2", 0x2000, b"OCFSV2"),
    signature("NILFS2", 0x400, b"\x02\0\0\0\0\x0044"),
    // Magic numbers of 16 bits with what is before or after them: the size of zones and the
    // largest size of files, or the size of blocks.
    signature("Minix", 0x40a, b"\0\0\0\x1c\x08\x10\x7f\x13"),
    signature("Minix", 0x40a, b"\0\0\0\x1c\x08\x10\x8f\x13"),
    signature("Minix", 0x40a, b"\0\0\xff\xff\xff\x7f\x68\x24"),
    signature("Minix", 0x40a, b"\0\0\xff\xff\xff\x7f\x78\x24"),
    signature("Minix", 0x418, b"\x5a\x4d\0\0\0\x04\0"),
    signature("Minix", 0x418, b"\x5a\x4d\0\0\0\x08\0"),
    signature("Minix", 0x418, b"\x5a\x4d\0\0\0\x10\0"),
    signature("squashfs", 0, b"hsqs"),
    signature("EROFS", 0x400, b"\xe2\xe1\xf5\xe0"),
    signature("cramfs", 0, b"\x45\x3d\xcd\x28"),
    signature("ISO 9660", 0x8001, b"CD001"),
    signature("UDF", 0x8001, b"BEA01"),
    signature("HFS+", 0x400, b"H+\0\x04"),
    signature("HFS+", 0x400, b"HX\0\x05"),
    signature("APFS", 32, b"NXSB"),
    signature("ReFS", 3, b"ReFS\0\0\0\0"),
    signature("BitLocker", 3, b"-FVE-FS-"),
    signature("big-endian UFS", 8192 + 1372, b"\x00\x01\x19\x54"),
    signature("big-endian UFS", 8192 + 1372, b"\x19\x54\x01\x19"),
    signature("big-endian UFS", 65536 + 1372, b"\x19\x54\x01\x19"),
    // Of a removable disk, which looks like FAT otherwise.
    signature(
        "BitLocker",
        424,
        b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01",
    ),
];

/// The same, so many bytes before the end of the device.
const AT_END: &[Signature] = &[
    signature("Intel RAID", 1024, b"Intel Raid ISM Cfg Sig. "),
    signature("DDF RAID", 512, b"\xde\x11\xde\x11"),
    // What is encrypted may be anywhere, above what was there before.
    signature("GELI", 512, b"GEOM::ELI"),
    signature("GELI", 4096, b"GEOM::ELI"),
];

/// What DRBD has at this place in the last 4 KiB, with a number for the version behind it.
const DRBD: Signature = signature("DRBD", 60, b"\x83\x74\x02");
const DRBD_VERSIONS: core::ops::RangeInclusive<u8> = 0x6b..=0x6d;

/// So many bytes at the end hold these signatures.
const TAIL_BYTES: u64 = 4096;

/// Where the second header of LUKS2 may be.
const LUKS_SECOND: [u64; 9] =
    [0x4000, 0x8000, 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000, 0x10_0000, 0x20_0000, 0x40_0000];
const LUKS_SECOND_MAGIC: &[u8; 6] = b"SKUL\xba\xbe";

/// The bytes of a device where owners leave their signatures.
pub(super) struct Traces {
    head: Vec<u8>,
    /// The last bytes, from a multiple of 4 KiB on.
    tail: Vec<u8>,
    /// Where VMFS has its mark.
    vmfs: [u8; 4],
}

impl Traces {
    /// Reads the places where signatures may be.
    ///
    /// # Errors
    /// `Read` if the device fails.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self> {
        let size = device.size().get();
        let head = usize::try_from(size.min(HEAD_BYTES)).unwrap_or_default();
        let tail_at = size.saturating_sub(TAIL_BYTES) & !0xfff;
        let tail = usize::try_from(size.saturating_sub(tail_at)).unwrap_or_default();
        let mut traces = Self { head: vec![0; head], tail: vec![0; tail], vmfs: [0; 4] };
        device.read_at(Bytes(0), &mut traces.head)?;
        device.read_at(Bytes(tail_at), &mut traces.tail)?;
        if size >= VMFS_AT.saturating_add(4) {
            device.read_at(Bytes(VMFS_AT), &mut traces.vmfs)?;
        }
        Ok(traces)
    }

    /// The first bytes of the device.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The bytes from position `at` on, as far as they were read.
    fn from(&self, at: u64) -> &[u8] {
        usize::try_from(at).ok().and_then(|at| self.head.get(at..)).unwrap_or_default()
    }

    fn tail_from(&self, at: u64) -> &[u8] {
        usize::try_from(at).ok().and_then(|at| self.tail.get(at..)).unwrap_or_default()
    }

    /// Whoever else left a signature, each once.
    pub(super) fn foreign(&self) -> Vec<&'static str> {
        let mut owners = Vec::new();
        if has_uberblocks(self.from(ZFS_UBERBLOCKS)) {
            owners.push("ZFS");
        }
        if self.vmfs == VMFS_MAGIC {
            owners.push("VMFS");
        }
        let drbd = self.tail_from(DRBD.at).strip_prefix(DRBD.bytes).and_then(|rest| rest.first());
        if drbd.is_some_and(|version| DRBD_VERSIONS.contains(version)) {
            owners.push(DRBD.owner);
        }
        let at_end = AT_END.iter().filter(|signature| {
            let len = u64::try_from(self.tail.len()).unwrap_or_default();
            let at = len.checked_sub(signature.at);
            at.is_some_and(|at| self.tail_from(at).starts_with(signature.bytes))
        });
        let at_start = FOREIGN.iter().filter(|known| self.from(known.at).starts_with(known.bytes));
        for Signature { owner, .. } in at_start.chain(at_end) {
            if !owners.contains(owner) {
                owners.push(owner);
            }
        }
        owners
    }

    /// Whoever left a signature at the end of a device that begins with somebody else's data, and in
    /// which sector.
    ///
    /// # Errors
    /// `Read` if the device fails.
    pub(super) fn at_end(device: &dyn ReadAt) -> Result<Option<(&'static str, Sector)>> {
        let sector = |at: u64| Sector::new(Bytes(at).whole_sectors().get());
        if let Some(at) = super::raid::mark_at_end(device)?.and_then(sector) {
            return Ok(Some((super::raid::NAME, at)));
        }
        for Signature { owner, at, bytes } in AT_END {
            let Some(at) = device.size().get().checked_sub(*at) else { continue };
            let mut found = [0; 24];
            let found = found.get_mut(..bytes.len()).unwrap_or_default();
            device.read_at(Bytes(at), found)?;
            if *found == **bytes {
                return Ok(sector(at).map(|at| (*owner, at)));
            }
        }
        Ok(None)
    }

    /// Whoever left no more than a copy of what was at the start, and may only have lost that. If
    /// there is anything else, that came later: it is what took the copy's original away.
    ///
    /// # Errors
    /// `Read` if the device fails.
    pub(super) fn remains(device: &dyn ReadAt) -> Result<Option<&'static str>> {
        let size = device.size().get();
        let labels = size & !ZFS_LABEL.saturating_sub(1);
        for back in [ZFS_LABEL, ZFS_LABEL.saturating_mul(2)] {
            let mut uberblocks = vec![0; UBERBLOCK_BYTES];
            if let Some(label) = labels.checked_sub(back) {
                device.read_at(Bytes(label.saturating_add(ZFS_UBERBLOCKS)), &mut uberblocks)?;
            }
            if has_uberblocks(&uberblocks) {
                return Ok(Some("ZFS"));
            }
        }
        for at in LUKS_SECOND {
            let mut magic = [0; LUKS_SECOND_MAGIC.len()];
            if at.saturating_add(512) <= size {
                device.read_at(Bytes(at), &mut magic)?;
            }
            if magic == *LUKS_SECOND_MAGIC {
                return Ok(Some("LUKS"));
            }
        }
        Ok(None)
    }
}

fn has_uberblocks(bytes: &[u8]) -> bool {
    bytes.chunks(ZFS_STEP).any(|bytes| is_either_endian(bytes, &ZFS_MAGIC))
}

/// Whether `bytes` begin with a magic number, in either byte order.
fn is_either_endian(bytes: &[u8], magic: &[u8]) -> bool {
    bytes.starts_with(magic) || bytes.iter().take(magic.len()).eq(magic.iter().rev())
}
