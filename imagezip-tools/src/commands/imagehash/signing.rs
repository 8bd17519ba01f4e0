//! Who signed an image: signing it, and checking that.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::signing::{Signer, Verifier};

/// The options about signed images.
#[derive(Debug, Args)]
pub struct Signing {
    /// Sign IMAGE and IMAGE.sig, with -c the new one, with this minisign secret key, in
    /// IMAGE.sha256 and IMAGE.sha256.minisig
    #[arg(long, value_name = "KEY", help_heading = "Signed images")]
    #[arg(conflicts_with_all = ["check", "report", "device", "output", "verify"])]
    pub sign: Option<PathBuf>,
    /// The file with the password of the secret key
    #[arg(long, value_name = "FILE", help_heading = "Signed images", requires = "sign")]
    pub password_file: Option<PathBuf>,
    /// Check first that IMAGE is signed with this minisign key, a file or the key itself
    #[arg(long, visible_alias = "signed-by", value_name = "KEY", help_heading = "Signed images")]
    #[arg(requires = "image")]
    pub verify: Option<OsString>,
}

impl Signing {
    /// Whether there is something to do without any other option.
    pub(super) fn is_wanted(&self) -> bool {
        self.sign.is_some() || self.verify.is_some()
    }

    /// Checks who signed the image; loads the key, which may ask for a password, before any work.
    pub(super) fn begin(&self, image: &Path) -> anyhow::Result<Option<Signer>> {
        if let Some(key) = &self.verify {
            let files = Verifier::load(key)?.verify(image)?;
            let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
            eprintln!("signed with the key: {}", names.join(", "));
        }
        let load = |key: &PathBuf| Signer::load(key, self.password_file.as_deref());
        self.sign.as_ref().map(load).transpose()
    }
}
