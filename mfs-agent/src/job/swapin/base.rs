//! The base image alone, as boss has it loaded when an experiment gets a node for the first time.

use alloc::format;

use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::Part;

use super::contents::{Contents, Expected};
use crate::failure::{FailureKind, Result};
use crate::job::base::BaseImage;
use crate::project::swapinfo::SwapInfo;

/// The base image that boss has for the node. What was saved of the node isn't looked at.
///
/// # Errors
/// `SignatureFile`, `WrongBase`: it isn't there, or can't be read.
pub(super) fn read<'a>(info: &'a SwapInfo, part: &Part) -> Result<Contents<'a>> {
    let BaseImage { file, signature } = BaseImage::read(info)?;
    let expected = part.base_sha256.map(|digest| Expected {
        size: None,
        sha256: Sha256(digest),
        said_by: ".part",
        fault: FailureKind::WrongBase,
    });
    Ok(Contents {
        image: info.open_base()?,
        name: format!("the base image of {}", file.name),
        signature,
        base: None,
        partition: part.load_partition,
        origin: None,
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, PROGRESS};
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn refused(fixture: &Fixture, kind: FailureKind, words: &str) {
        let read = read(&fixture.info, &fixture.part);
        let failure = read.and_then(|contents| contents.check_image(&PROGRESS)).unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }

    #[test]
    fn only_boss_files_are_looked_at() {
        let mut fixture = Fixture::new();
        // Something that nobody could make sense of.
        for suffix in [".ndz", ".sig", ".meta"] {
            fs::write(fixture.directory.join(format!("n-swap{suffix}")), b"odd").unwrap();
        }
        fixture.part.load_partition = 2;
        for digest in [None, Some(Sha256::of(b"an image").0)] {
            fixture.part.base_sha256 = digest;
            let contents = read(&fixture.info, &fixture.part).unwrap();
            contents.check_image(&PROGRESS).unwrap();
            assert!(contents.base.is_none() && contents.origin.is_none());
            assert_eq!((contents.partition, &*contents.name), (2, "the base image of base.sig"));
        }
    }

    #[test]
    fn an_image_that_boss_does_not_mean_is_refused() {
        let mut fixture = Fixture::new();
        fixture.part.base_sha256 = Some([8; 32]);
        refused(&fixture, FailureKind::WrongBase, "but .part says 0808");
        fs::remove_file(fixture.directory.join("n.ndz")).unwrap();
        refused(&fixture, FailureKind::WrongBase, "boss makes it a link");
        symlink("/etc/passwd", fixture.directory.join("n.ndz")).unwrap();
        refused(&fixture, FailureKind::WrongBase, "n.ndz: no such file");
        fs::write(fixture.directory.join("base.sig"), b"odd").unwrap();
        refused(&fixture, FailureKind::SignatureFile, "base.sig: ");
        fs::remove_file(fixture.directory.join("n.sig")).unwrap();
        refused(&fixture, FailureKind::SignatureFile, "n.sig: no such file");
    }
}
