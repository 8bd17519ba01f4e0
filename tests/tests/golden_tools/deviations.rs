//! Where our tools are meant to do otherwise than the reference did, and why.

use super::run::Inputs;

macro_rules! reasons {
    ($($name:ident $text:literal;)+) => {
        /// A reason, as docs/interop.md gives it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Reason {
            $($name,)+
        }

        impl Reason {
            /// All reasons, in the order of their letters.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// Why, in words.
            pub(crate) const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

reasons! {
    Refused "The reference refuses such disks.";
    Aborts "The reference's program aborts.";
    ExtMetadata "The reference leaves out sectors that ext4 uses, and saves free ones in their place.";
    SavedWhole "The reference saves all of the partition.";
    FreeSigned "The reference's signature covers free sectors, too.";
    NoDelta "The reference can't compare without signatures.";
    ImagesOfImages "The reference's file is not kept; ours gives back the same sectors.";
    Unsigned "The reference's signature is an empty file, or there is none.";
    Unreadable "The reference's image contradicts itself, and is refused.";
    Empty "An image of nothing is an image, and has a signature.";
    V4 "Images of version 4 are read, but not made; with an identity the image is of version 5.";
    V4Read "The reference's program can't read images of version 4.";
    ShortSector "The reference's imagehash doesn't know relocations of the last sector.";
    FatSectors "The reference leaves out sectors that FAT uses, where those have 4,096 bytes.";
    PageFiles "The beginning of pagefile.sys is saved, and hiberfil.sys unless it surely holds nothing.";
    ChunkEnds "Plain imagehash divides entries where chunks end, and our chunks end elsewhere.";
    Ignored "The reference saves the partition that is to be left out.";
    NotKept "The reference's file is not kept; ours holds what it must.";
}

/// A command whose exit status is another than the reference's.
#[derive(Clone, Copy)]
pub(crate) struct Deviation {
    /// The case, or `*`.
    case: &'static str,
    /// With which inputs; any if `None`.
    inputs: Option<Inputs>,
    /// What the command has in it.
    command: &'static str,
    /// Our status. `None`: the command is not run, since there is nothing that it could read.
    pub(crate) status: Option<i32>,
    pub(crate) reason: Reason,
}

const fn on(case: &'static str, command: &'static str, status: i32, reason: Reason) -> Deviation {
    Deviation { case, inputs: None, command, status: Some(status), reason }
}

const fn only(inputs: Inputs, deviation: Deviation) -> Deviation {
    Deviation { inputs: Some(inputs), ..deviation }
}

const fn left_out(inputs: Inputs, deviation: Deviation) -> Deviation {
    Deviation { status: None, ..only(inputs, deviation) }
}

const DEVIATIONS: &[Deviation] = &[
    on("ext4-64bit-1k", "imagezip", 0, Reason::Refused),
    on("ext4-bigalloc", "imagezip", 0, Reason::Refused),
    on("mbr-ext2-logical-ext3", "imagezip", 0, Reason::Refused),
    on("mbr-ext4-64bit-only", "imagezip", 0, Reason::Refused),
    on("wholedev-ext4", "imagezip base.img nofs.ndz", 0, Reason::Refused),
    on("ext4-metabg", "imagezip -", 0, Reason::ExtMetadata),
    on("filemode", "imagezip -f -H", 0, Reason::Aborts),
    on("filemode", "imageunzip delta.ndz out2", 0, Reason::Aborts),
    on("wholedev-raw", "imagezip -r -H", 0, Reason::Aborts),
    on("options", "imagezip -c", 0, Reason::Aborts),
    on("nochange", "imagehash -q -c -o e.sig delta.ndz", 0, Reason::Empty),
    on("nochange", "imageundelta", 0, Reason::Empty),
    only(Inputs::Own, on("smallswap", "imageunzip base.ndz", 0, Reason::Unreadable)),
    only(Inputs::Reference, on("smallswap", "imageunzip base.ndz", 6, Reason::Unreadable)),
    only(Inputs::Reference, on("smallswap", "imagedump", 1, Reason::Unreadable)),
    only(Inputs::Reference, on("smallswap", "imagehash", 2, Reason::Unreadable)),
    only(Inputs::Reference, on("smallswap", "imagezip -H", 6, Reason::Unreadable)),
    on("formats", "imagezip -a SHA1", 1, Reason::V4),
    on("formats", "-e bf_cbc -k key base.img", 1, Reason::V4),
    on("formats", "imagehash -q -c -o x.sig base.v4.ndz", 0, Reason::V4Read),
    on("formats", "imagezip -1 -U x.sig", 0, Reason::Aborts),
    left_out(Inputs::Own, on("formats", "base.signed.ndz", 0, Reason::V4)),
    left_out(Inputs::Own, on("formats", "base.enc.ndz", 0, Reason::V4)),
    only(Inputs::Reference, on("formats", "imageunzip -e -k", 0, Reason::Aborts)),
    on("*", "imagedelta base.ndz mod.ndz idelta-nosig.ndz", 0, Reason::NoDelta),
    on("wholedev-raw", "imageundelta", 0, Reason::Aborts),
    on("wholedev-raw", "imagedump -dd delta.ndz", 0, Reason::Aborts),
    on("ext4-metabg", "imageundelta", 0, Reason::ExtMetadata),
    on("ext4-metabg", "imagedump -dd delta.ndz", 0, Reason::ExtMetadata),
];

/// Cases in which the reference's imageundelta with signatures aborts.
const UNDELTA_ABORTS: Deviation = on("*", "imageundelta -S", 0, Reason::Aborts);

/// The deviation that applies to a command of which the reference's status is known.
pub(crate) fn find(
    case: &str,
    inputs: Inputs,
    command: &str,
    reference: i32,
) -> Option<&'static Deviation> {
    let listed = DEVIATIONS.iter().find(|deviation| {
        (deviation.case == "*" || deviation.case == case)
            && deviation.inputs.is_none_or(|only| only == inputs)
            && command.contains(deviation.command)
    });
    let aborts = reference == 134 && command.contains(UNDELTA_ABORTS.command);
    listed.or_else(|| aborts.then_some(&UNDELTA_ABORTS))
}

/// Why a file is right that is not the reference's.
pub(crate) fn of_file(case: &str, inputs: Inputs, line: &str, name: &str) -> Option<Reason> {
    let ends_with = |end| name.ends_with(end);
    match case {
        "smallswap" => return Some(Reason::Unreadable),
        "nochange" if ends_with("delta.dump.txt") => return Some(Reason::Empty),
        "ext4-metabg" if ends_with("delta.dump.txt") => return Some(Reason::ExtMetadata),
        "wholedev-raw" if ends_with("delta.dump.txt") => return Some(Reason::Aborts),
        "gapsig-chain" if name == "delta3.ndz" => return Some(Reason::FreeSigned),
        "filemode" if name == "base.N.sig" => return Some(Reason::ShortSector),
        "formats" if name == "x.sig" && line.contains("imagehash") => return Some(Reason::V4Read),
        "formats" if name.starts_with("x.") => return Some(Reason::Aborts),
        "nochange" if name == "e.sig" => return Some(Reason::Empty),
        "options" if line.contains(" -I ") => return Some(Reason::Ignored),
        "options" => return Some(Reason::NotKept),
        _ => {}
    }
    if !line.contains("imagezip") && !line.contains("imagehash") {
        let signature = ends_with(".sig");
        return Some(if signature { Reason::Unsigned } else { Reason::ImagesOfImages });
    }
    let disk = match case {
        "ext4-64bit-1k" | "ext4-bigalloc" | "mbr-ext2-logical-ext3" | "mbr-ext4-64bit-only" => {
            Some(Reason::Refused)
        }
        "wholedev-ext4" if name == "nofs.ndz" => Some(Reason::Refused),
        "mbr-ext4def-swap" => Some(Reason::SavedWhole),
        "mbr-fat16-4ksec" => Some(Reason::FatSectors),
        "mbr-ntfs" => Some(Reason::PageFiles),
        "mbr-ext4-swap" | "wholedev-ext4" => Some(Reason::ExtMetadata),
        case if case.starts_with("ext4-") => Some(Reason::ExtMetadata),
        "wholedev-raw" | "filemode" => Some(Reason::Aborts),
        "multichunk" if line.contains("imagezip") => Some(Reason::NotKept),
        "manyregions" | "multichunk" if line.contains("imagehash") => Some(Reason::ChunkEnds),
        _ => None,
    };
    let signs = line.contains("imagezip") && ends_with(".sig");
    disk.or_else(|| signs.then_some(Reason::FreeSigned))
        .filter(|_| line.contains("imagezip") || inputs == Inputs::Own)
}
