//! What the tools print with `--json`: the keys and their meanings, for the manual pages. A test
//! compares them with what is printed (tests/contract).
//!
//! `a.b` is key `b` of the object at key `a`; `a[].b` that of each object of an array. Sectors
//! are of 512 bytes; where something ends is the sector or byte after the last.

/// The path of a key, and what is there.
pub type Key = (&'static str, &'static str);

/// The keys that a tool prints.
pub fn keys(tool: &str) -> &'static [Key] {
    match tool {
        "imagezip" => IMAGEZIP,
        "imageunzip" => IMAGEUNZIP,
        "imagehash" => IMAGEHASH,
        "imagedump" => IMAGEDUMP,
        "imagerestore" => IMAGERESTORE,
        "imagefs" => IMAGEFS,
        "imagenbd" => &[],
        _ => CHAIN,
    }
}

const IMAGERESTORE: &[Key] = &[
    ("target", "the disk or file"),
    ("base", "the bytes that come from the base image, or from a full image"),
    ("delta", "the bytes that come from the delta"),
    ("replaced", "the bytes of the base image that the delta replaces"),
    ("was_compared", "whether the target was compared with the images"),
    ("compared", "the bytes of it that were"),
    ("chunks_read", "the chunks of images whose data were read"),
    ("written", "the bytes of data written"),
    ("avoided", "the bytes of data that the target had already"),
    ("filled", "the bytes of free space written"),
    ("discarded", "the bytes of free space discarded"),
    ("verified", "the bytes that were read back and compared"),
    ("seconds", "how long it took"),
];

const IMAGEZIP: &[Key] = &[
    ("source", "the disk or file"),
    ("sectors", "the sectors that the image is about"),
    ("in_use", "those of them that a full image holds"),
    ("forgotten", "those of the latter that are free, in runs shorter than --min-free"),
    ("unreadable", "sectors that could not be read, and are zeros in the image"),
    ("partitions[].number", "a partition's number; 0 without a partition table"),
    ("partitions[].start", "its first sector"),
    ("partitions[].sectors", "its size"),
    ("partitions[].in_use", "those of its sectors that a full image holds"),
    ("partitions[].verdict", "what was decided about it, in words"),
    ("partitions[].notes", "what could not be trusted in it"),
    ("notes", "what people should know"),
    ("comparison.compared.blocks", "with a base: signature entries with sectors in use"),
    ("comparison.compared.sectors", "the sectors that they are about"),
    ("comparison.identical.blocks", "those of the entries that are as they were"),
    ("comparison.identical.sectors", "their sectors"),
    ("comparison.original", "the sectors that the base's signature is about"),
    ("comparison.current", "the sectors in use"),
    ("comparison.common", "the sectors that are both"),
    ("comparison.modified", "those of them that the delta holds"),
    ("comparison.with_free.blocks", "compared entries that are also about free sectors"),
    ("comparison.with_free.sectors", "those free sectors"),
    ("comparison.with_free_identical.blocks", "those of the entries that are as they were"),
    ("comparison.with_free_identical.sectors", "their free sectors"),
    ("image.name", "the image's file; there is no \"image\" with --info"),
    ("image.version", "its version"),
    ("image.delta", "whether it is a delta"),
    ("image.bytes", "its size"),
    ("image.chunks", "its chunks"),
    ("image.regions", "its regions"),
    ("image.sectors", "the sectors in it"),
    ("image.payload", "bytes of compressed data in it"),
    ("image.relocations", "its relocations"),
    ("image.seconds", "how long it took"),
    ("image.signature", "the signature that was written"),
];

const IMAGEUNZIP: &[Key] = &[
    ("image", "the image's file"),
    ("target", "what it was written to"),
    ("chunks", "the image's chunks"),
    ("chunks_read", "those of them whose data were read"),
    (
        "compared",
        "bytes of the target that were compared with the signature of --converge, or null",
    ),
    ("avoided", "bytes of data that the target held already; null without --converge"),
    ("written", "bytes of data that were written"),
    ("filled", "bytes that were written where the image holds nothing"),
    ("discarded", "bytes that were discarded there"),
    ("skipped", "bytes there that were left as they were"),
    ("end", "the byte of the target at which the image ends"),
    ("verified", "bytes that were read back and compared; null without --verify"),
    ("seconds", "how long it took"),
];

const IMAGEHASH: &[Key] = &[
    ("image", "the image, or file"),
    ("device", "what it was compared with"),
    ("signature", "the signature that was used"),
    ("digest", "the type of its digests"),
    ("block_size", "the size of its hash blocks in bytes"),
    ("entries", "the number of its entries"),
    ("sectors", "the sectors that the signature or image has"),
    ("differing", "entries that differ; with -D raw, sectors"),
    ("missing", "entries or sectors beyond the end of the device"),
    ("differing_bytes", "with -D raw: bytes that differ"),
    ("differing_chunk_numbers", "with --check: entries with another chunk's number"),
    ("header", "with --check: what differs about the signature as a whole"),
    ("differences[].start", "the first of some sectors that differ, from the image's start"),
    ("differences[].end", "where they end"),
    ("differences[].finding", "\"differs\" or \"missing\""),
    ("differences[].bytes", "bytes that differ there, if known"),
    ("differences[].first_byte", "the first of them, if known"),
    ("differences[].relocations", "relocations that are about these sectors"),
    ("differences_left_out", "how many of them are not listed, since there are too many"),
    ("bytes", "bytes that were hashed or compared"),
    ("seconds", "how long it took"),
];

/// Of all tools that make images of images.
const CHAIN: &[Key] = &[
    ("image", "the image's file"),
    ("sectors", "the sectors in it"),
    ("in_use", "the sectors in use of what it is about: of base image and deltas together"),
    ("regions", "its regions"),
    ("chunks", "its chunks"),
    ("payload", "bytes of compressed data in it"),
];

/// For each file or partition, in an array.
const IMAGEFS: &[Key] = &[
    ("path", "a file's path; what is not UTF-8 in it is shown as the replacement character"),
    ("path_hex", "the path's bytes in hexadecimal, if they are not UTF-8"),
    (
        "type",
        "file, directory, symlink, character device, block device, fifo or socket; with diff: as it \
         is, or was if it was deleted",
    ),
    ("mode", "the permissions, four octal digits"),
    ("uid", "the number of its user; FAT knows none"),
    ("gid", "the number of its group"),
    ("links", "in how many directories it is"),
    ("size", "the size of its content in bytes"),
    ("modified", "when its content was changed last, in seconds since the start of 1970, UTC"),
    ("modified_nanoseconds", "nanoseconds after those"),
    ("device", "the major and the minor number of a device"),
    ("target", "where a symbolic link leads"),
    ("target_hex", "the same in hexadecimal, if it is not UTF-8"),
    ("partition", "with ls of a disk: a partition's number"),
    ("start", "its first sector"),
    ("sectors", "its size"),
    ("table_type", "its type in the partition table"),
    ("holds", "what is in it, in words, or null"),
    ("readable", "whether its files can be read"),
    ("status", "with diff: A, D, M, T or P"),
    ("old_size", "the size that a file had, in bytes"),
    ("new_size", "the size that it has"),
];

/// For each file, in an array.
const IMAGEDUMP: &[Key] = &[
    ("file", "the file's name"),
    ("bytes", "its size"),
    ("chunks", "the number of whole chunks in it"),
    ("version", "their version, 1 to 5; null if there is no readable chunk"),
    ("id", "the identity of versions 4 and 5, in hexadecimal, or null"),
    ("checksum_type", "the type of version 4's checksums: 1 for SHA-1, 32769 if it is signed"),
    ("cipher", "the cipher of version 4: 0 for none, 1 for Blowfish"),
    ("wasted_bytes", "bytes that are not compressed data: headers, padding"),
    ("payload_bytes", "bytes of compressed data"),
    ("regions.total", "the number of regions"),
    ("regions.min", "in the chunk with the fewest"),
    ("regions.max", "in the chunk with the most"),
    ("relocations.count", "the number of relocations"),
    ("relocations.bytes", "the bytes that they are about"),
    ("covered.start", "the first sector that the chunks describe"),
    ("covered.end", "where they end"),
    ("allocated.count", "runs of sectors that the image holds, chunk by chunk"),
    ("allocated.bytes", "their size"),
    ("allocated.min", "the smallest one's"),
    ("allocated.max", "the largest one's"),
    ("free.count", "runs that the image describes and doesn't hold"),
    ("free.bytes", "their size"),
    ("free.min", "the smallest one's"),
    ("free.max", "the largest one's"),
    ("sizes[].below", "allocated runs smaller than so many bytes, and not in the class before"),
    ("sizes[].count", "how many"),
    ("chunk_list[].number", "with -d: a chunk's place in the file, from 0"),
    ("chunk_list[].payload_bytes", "bytes of compressed data in it"),
    ("chunk_list[].covered.start", "the first sector that it describes"),
    ("chunk_list[].covered.end", "where it ends"),
    ("chunk_list[].region_count", "its regions"),
    ("chunk_list[].relocation_count", "its relocations"),
    ("chunk_list[].regions[].start", "with -dd: a region's first sector"),
    ("chunk_list[].regions[].sectors", "its size"),
    ("chunk_list[].relocations[].kind", "with -dd: a relocation's type, as it is stored"),
    ("chunk_list[].relocations[].sector", "the sector with the first byte that it is about"),
    ("chunk_list[].relocations[].offset", "where in that sector the byte is"),
    ("chunk_list[].relocations[].bytes", "how many bytes it is about"),
    ("map[].allocated", "with -m: whether the image holds a run of sectors"),
    ("map[].start", "the run's first sector"),
    ("map[].end", "where it ends"),
    ("notes", "what was noticed and is no fault"),
    ("problems", "what is wrong with the file; nothing if it is good"),
];
