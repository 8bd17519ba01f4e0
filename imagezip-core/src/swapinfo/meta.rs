//! `<vname>-swap.meta`: what a swap image is made of and what it belongs to.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::ParseError;
use super::decided::{self, Decided};
use super::words::{Encoded, Hex, Words};

/// What a `.meta` file says. Who restores the image checks it against what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Project of the node.
    pub pid: String,
    /// Experiment of the node.
    pub eid: String,
    /// The node's name in the experiment.
    pub vname: String,
    /// What the image is a delta to; `None` for a full image, which restores a disk by itself.
    pub base: Option<Base>,
    /// The disk's name when it was saved.
    pub disk: String,
    /// The partition that was saved, 1 to 4, or 0 for the whole disk.
    pub load_partition: u8,
    /// The disk's size in bytes.
    pub disk_size: u64,
    /// The disk's logical sector size in bytes.
    pub sector_size: u32,
    /// SHA-256 of the image.
    pub image_sha256: [u8; 32],
    /// The image's size in bytes.
    pub image_size: u64,
    /// SHA-256 of the signature of the disk's state. Programs before did not write it.
    pub signature_sha256: Option<[u8; 32]>,
    /// Chunks of the image.
    pub chunks: u64,
    /// Regions of the image.
    pub regions: u64,
    /// Sectors of 512 bytes that were in use on the disk.
    pub sectors_in_use: u64,
    /// Sectors of 512 bytes that the image holds: at least those that differ from the base, or all
    /// in use if there is none.
    pub sectors_changed: u64,
    /// What was decided about each partition, as far as there was room. Programs before did not write it.
    pub decided: Vec<Decided>,
    /// Name and version of the program that saved.
    pub agent: String,
    /// SHA-256 of the program that made the image, if it was not the one that saved but a project's
    /// own.
    pub engine_sha256: Option<[u8; 32]>,
    /// When, in seconds since 1970 (UTC).
    pub created: u64,
}

/// The base image of a delta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Name of its signature's file.
    pub name: String,
    /// SHA-256 of that file; the image is a delta to exactly this base.
    pub signature_sha256: [u8; 32],
    /// SHA-256 of the base image, if the control server told.
    pub image_sha256: Option<[u8; 32]>,
}

impl Base {
    fn read(words: &Words<'_>) -> Result<Option<Self>, ParseError> {
        let image = words.find("BASESHA256")?;
        // One alone is damage, and must not make a full image of a delta.
        match (words.find("BASE")?, words.find("BASESIGSHA256")?, &image) {
            (None, None, None) => Ok(None),
            _ => Ok(Some(Self {
                name: words.text("BASE")?,
                signature_sha256: words.digest("BASESIGSHA256")?,
                image_sha256: image.map(|word| word.digest("BASESHA256")).transpose()?,
            })),
        }
    }
}

impl Meta {
    /// Reads a `.meta` file.
    ///
    /// # Errors
    /// Where it is not one, and what was expected.
    pub fn parse(file: &[u8]) -> Result<Self, ParseError> {
        let words = Words::new(file)?;
        Ok(Self {
            pid: words.text("PID")?,
            eid: words.text("EID")?,
            vname: words.text("VNAME")?,
            base: Base::read(&words)?,
            disk: words.text("DISK")?,
            load_partition: words.number("LOADPART")?,
            disk_size: words.number("DISKSIZE")?,
            sector_size: words.number("SECTORSIZE")?,
            image_sha256: words.digest("IMAGESHA256")?,
            image_size: words.number("IMAGESIZE")?,
            signature_sha256: words
                .find("SIGSHA256")?
                .map(|word| word.digest("SIGSHA256"))
                .transpose()?,
            chunks: words.number("CHUNKS")?,
            regions: words.number("REGIONS")?,
            sectors_in_use: words.number("INUSE")?,
            sectors_changed: words.number("CHANGED")?,
            decided: decided::read(&words)?,
            agent: words.text("AGENT")?,
            engine_sha256: words
                .find("ENGINESHA256")?
                .map(|word| word.digest("ENGINESHA256"))
                .transpose()?,
            created: words.number("CREATED")?,
        })
    }
}

impl fmt::Display for Meta {
    /// The file, a word per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "PID={}", Encoded(&self.pid))?;
        writeln!(f, "EID={}", Encoded(&self.eid))?;
        writeln!(f, "VNAME={}", Encoded(&self.vname))?;
        if let Some(Base { name, signature_sha256, image_sha256 }) = &self.base {
            if let Some(digest) = image_sha256 {
                writeln!(f, "BASESHA256={}", Hex(digest))?;
            }
            writeln!(f, "BASESIGSHA256={}", Hex(signature_sha256))?;
            writeln!(f, "BASE={}", Encoded(name))?;
        }
        writeln!(f, "DISK={}", Encoded(&self.disk))?;
        writeln!(f, "LOADPART={}", self.load_partition)?;
        writeln!(f, "DISKSIZE={}", self.disk_size)?;
        writeln!(f, "SECTORSIZE={}", self.sector_size)?;
        writeln!(f, "IMAGESHA256={}", Hex(&self.image_sha256))?;
        writeln!(f, "IMAGESIZE={}", self.image_size)?;
        if let Some(digest) = &self.signature_sha256 {
            writeln!(f, "SIGSHA256={}", Hex(digest))?;
        }
        writeln!(f, "CHUNKS={}", self.chunks)?;
        writeln!(f, "REGIONS={}", self.regions)?;
        writeln!(f, "INUSE={}", self.sectors_in_use)?;
        writeln!(f, "CHANGED={}", self.sectors_changed)?;
        decided::write(&self.decided, f)?;
        writeln!(f, "AGENT={}", Encoded(&self.agent))?;
        if let Some(digest) = &self.engine_sha256 {
            writeln!(f, "ENGINESHA256={}", Hex(digest))?;
        }
        writeln!(f, "CREATED={}", self.created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swapinfo::Expected;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn meta() -> Meta {
        Meta {
            pid: "testbed".into(),
            eid: "exp1".into(),
            vname: "node-1".into(),
            base: Some(Base {
                name: "emulab-ops-UBUNTU.sig".into(),
                signature_sha256: [0xab; 32],
                image_sha256: None,
            }),
            disk: "sda".into(),
            load_partition: 0,
            disk_size: 1 << 40,
            sector_size: 512,
            image_sha256: [0; 32],
            image_size: 123,
            signature_sha256: None,
            chunks: 4,
            regions: 5,
            sectors_in_use: 6,
            sectors_changed: 7,
            decided: Vec::new(),
            agent: "mfs-agent 0.1.0".into(),
            engine_sha256: None,
            created: 1_795_413_000,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = meta().to_string();
        assert!(text.contains("\nDISKSIZE=1099511627776\n"), "{text}");
        assert!(text.contains("\nAGENT=mfs-agent%200.1.0\n"), "{text}");
        assert_eq!(Meta::parse(text.as_bytes()), Ok(meta()));
        let shuffled = text.lines().rev().collect::<Vec<_>>().join(" ");
        assert_eq!(Meta::parse((shuffled + " LATER=1").as_bytes()), Ok(meta()));
    }

    #[test]
    fn each_word_is_needed() {
        let text = meta().to_string();
        for line in text.lines() {
            let without = text.replace(&(line.to_string() + "\n"), "");
            let error = Meta::parse(without.as_bytes()).unwrap_err();
            assert!(
                matches!(error.expected, Expected::Key(key) if line.starts_with(key)),
                "{line}"
            );
        }
    }

    #[test]
    fn what_was_decided_comes_back() {
        let row = |name: &str, verdict: &str| Decided {
            name: name.into(),
            sectors: 1 << 40,
            in_use: 12,
            verdict: verdict.into(),
        };
        let decided = std::vec![
            row("1", "aware(ext4)"),
            row("2", "raw(has the signatures of ext and swap)"),
            row("2/a%", ""),
        ];
        let meta = Meta { decided, ..meta() };
        let text = meta.to_string();
        assert!(text.contains("\nMAP1=1,1099511627776,12,aware(ext4)\n"), "{text}");
        assert_eq!(Meta::parse(text.as_bytes()), Ok(meta));
        let broken = text.replace(",12,aware", ",x,aware");
        assert!(Meta::parse(broken.as_bytes()).is_err());
    }

    #[test]
    fn of_many_partitions_the_first_are_told() {
        let row = Decided { verdict: "raw(unknown)".into(), ..Decided::default() };
        let meta = Meta { decided: std::vec![row; 5000], ..meta() };
        let text = meta.to_string();
        let read = Meta::parse(text.as_bytes()).unwrap();
        assert!((50..500).contains(&read.decided.len()), "{}", read.decided.len());
    }

    #[test]
    fn a_full_image_has_no_base() {
        let full = Meta { base: None, engine_sha256: Some([7; 32]), ..meta() };
        let text = full.to_string();
        assert!(!text.contains("BASE"), "{text}");
        assert!(text.contains("\nENGINESHA256=0707"), "{text}");
        assert_eq!(Meta::parse(text.as_bytes()), Ok(full));
    }

    #[test]
    fn digests_that_earlier_programs_did_not_write() {
        let mut meta = meta();
        meta.signature_sha256 = Some([9; 32]);
        meta.base.as_mut().unwrap().image_sha256 = Some([8; 32]);
        let text = meta.to_string();
        assert!(text.contains("\nBASESHA256=0808") && text.contains("\nSIGSHA256=0909"), "{text}");
        assert_eq!(Meta::parse(text.as_bytes()), Ok(meta));
        // The digest of a base image without the rest of it is damage.
        let alone =
            text.lines().filter(|line| !line.starts_with("BASE=") && !line.starts_with("BASESIG"));
        assert!(Meta::parse(alone.collect::<Vec<_>>().join("\n").as_bytes()).is_err());
    }

    #[test]
    fn a_digest_has_its_length() {
        let text = meta().to_string().replace("BASESIGSHA256=ab", "BASESIGSHA256=");
        assert!(Meta::parse(text.as_bytes()).is_err());
        let text = meta().to_string().replace("BASESIGSHA256=ab", "BASESIGSHA256=+b");
        assert!(Meta::parse(text.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn damage_is_refused_or_read_but_never_worse(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()
        ) {
            let mut text = meta().to_string().into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            let _ = Meta::parse(&text);
            let _ = Meta::parse(&text[..cut.index(text.len())]);
        }
    }
}
