//! Signatures are made by the tool `imagehash`, and nothing it writes counts before it was checked.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use imagezip_core::digest::Sha256;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::lock::Lock;
use super::sound::{check_pair, check_signature, extents};
use super::{Images, place_of, signature_file};
use crate::db::images::{Image, ImageSignature};
use crate::db::now;
use crate::files::{Directory, FILE_MODE, Owner, blocking, digest};
use crate::names::ImageId;

/// A tool that needs longer than that hangs.
const TOOL_LIMIT: Duration = Duration::from_hours(4);
/// How much of what a tool says is kept.
const ERROR_LIMIT: u64 = 4096;
/// The image, as the tool finds it: it is its standard input.
const STDIN: &str = "/proc/self/fd/0";

/// An image that had no good signature, and whether it has one now.
#[derive(Debug)]
pub struct Resigned {
    /// The image.
    pub image: ImageId,
    /// The new signature, or why there is none.
    pub result: anyhow::Result<ImageSignature>,
}

impl Images {
    /// Makes the signature of an image file, and returns it when it was found right.
    pub(super) async fn make_signature(&self, image: &File) -> anyhow::Result<Vec<u8>> {
        // Nobody else can put anything in this directory.
        let scratch = tempfile::Builder::new().prefix("boss-signature-").tempdir()?;
        let output = scratch.path().join("signature");
        let arguments = ["-c".as_ref(), "-o".as_ref(), output.as_os_str(), STDIN.as_ref()];
        self.imagehash(&arguments, image).await.context("no signature was made")?;
        let image = image.try_clone()?;
        blocking(move || {
            let written = File::open(&output).context("imagehash left no signature")?;
            let bytes = crate::files::read(&written, Self::SIGNATURE_LIMIT)?;
            let signature = check_signature(&bytes).context("what imagehash wrote is useless")?;
            check_pair(&signature, &extents(&image)?).context("what imagehash wrote is wrong")?;
            drop(scratch);
            Ok(bytes)
        })
        .await
    }

    /// Whether a signature is that of an image, entry by entry.
    pub(super) async fn compare_signature(
        &self,
        image: &File,
        signature: Vec<u8>,
    ) -> anyhow::Result<()> {
        let scratch = tempfile::Builder::new().prefix("boss-signature-").tempdir()?;
        let path = scratch.path().join("signature");
        let file = path.clone();
        blocking(move || std::fs::write(file, signature).context("writing a signature")).await?;
        let arguments = ["-S".as_ref(), "-o".as_ref(), path.as_os_str(), STDIN.as_ref()];
        self.imagehash(&arguments, image).await.context("the signature isn't the image's")
    }

    /// Runs the tool with an image as standard input.
    async fn imagehash(&self, arguments: &[&std::ffi::OsStr], image: &File) -> anyhow::Result<()> {
        let tool = self.tools.join("imagehash");
        let mut child = Command::new(&tool)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::from(image.try_clone()?))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("starting {}; [directories] tools in boss.toml says where", tool.display())
            })?;
        let stderr = child.stderr.take();
        let work = async {
            let mut said = Vec::new();
            if let Some(mut stderr) = stderr {
                (&mut stderr).take(ERROR_LIMIT).read_to_end(&mut said).await?;
                tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
            }
            Ok::<_, std::io::Error>((child.wait().await?, said))
        };
        let ended = tokio::time::timeout(TOOL_LIMIT, work).await;
        let (status, said) = ended.context("imagehash took hours and was stopped")??;
        if status.success() {
            return Ok(());
        }
        bail!("imagehash: {status}: {}", String::from_utf8_lossy(&said).trim())
    }

    /// Makes the signatures that are missing, gone, or of another file than the image. A signature
    /// that is there stays until there is a better one.
    ///
    /// # Errors
    /// If the data base can't be read. What fails for an image is in its result.
    pub async fn sign_missing(&self) -> anyhow::Result<Vec<Resigned>> {
        let mut resigned = Vec::new();
        for image in self.db.images().await? {
            if self.has_signature(&image).await? {
                continue;
            }
            let result = self.sign(&image).await;
            resigned.push(Resigned { image: image.id(), result });
        }
        Ok(resigned)
    }

    async fn has_signature(&self, image: &Image) -> anyhow::Result<bool> {
        let Some(signature) = self.db.image_signature(image).await? else { return Ok(false) };
        let good = self.read_signature(&signature).await.is_ok();
        Ok(good && signature.image_sha256 == image.sha256)
    }

    /// The bytes of a signature, if they are those that the data base knows.
    pub(super) async fn read_signature(&self, row: &ImageSignature) -> anyhow::Result<Vec<u8>> {
        let (layout, row) = (self.layout.clone(), row.clone());
        blocking(move || crate::swapinfo::read_signature(&layout, &row)).await
    }

    /// Makes the signature of an image anew.
    ///
    /// # Errors
    /// If somebody else is at work with it, its file isn't what it was, or the tool fails.
    pub async fn sign(&self, image: &Image) -> anyhow::Result<ImageSignature> {
        let lock = Lock::take(&self.db, &image.id()).await?;
        let signed = self.sign_locked(image, &lock).await;
        lock.release().await;
        signed.with_context(|| format!("signing {}", image.id()))
    }

    async fn sign_locked(&self, image: &Image, lock: &Lock) -> anyhow::Result<ImageSignature> {
        let (layout, known) = (self.layout.clone(), image.clone());
        let (directory, name, file, owner) = blocking(move || {
            let (directory, name) = place_of(&layout, &known.path)?;
            let file = directory.file(&name)?.context("the image's file is gone")?;
            ensure!(
                digest(&file)?.sha256.to_string() == known.sha256,
                "the file isn't what it was when the image was made; verify it on its page (boss image verify)"
            );
            let data = file.metadata()?;
            Ok((directory, name, file, Owner { uid: data.uid(), gid: data.gid() }))
        })
        .await?;
        let bytes = self.make_signature(&file).await?;
        lock.confirm().await?;
        let row = signature_row(image, &bytes);
        let mode = mode_of(image.global);
        blocking(move || {
            let signatures = match directory.open_if_there("sigs")? {
                Some(signatures) => signatures,
                None => directory.make("sigs", Some(owner), crate::files::DIRECTORY_MODE)?,
            };
            put_signature(&signatures, &name, &bytes, owner, mode)
        })
        .await?;
        self.db.set_image_signature(image, &row).await?;
        Ok(row)
    }
}

/// Puts a signature in its place, durably.
pub(super) fn put_signature(
    signatures: &Directory,
    image: &str,
    bytes: &[u8],
    owner: Owner,
    mode: u32,
) -> anyhow::Result<()> {
    signatures.replace(&signature_file(image), bytes, Some(owner), mode)?;
    signatures.sync()
}

/// What the data base is told of a signature.
pub(super) fn signature_row(image: &Image, bytes: &[u8]) -> ImageSignature {
    let (directory, name) = image.path.rsplit_once('/').unwrap_or_default();
    ImageSignature {
        path: format!("{directory}/sigs/{}", signature_file(name)),
        bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        sha256: Sha256::of(bytes).to_string(),
        image_sha256: image.sha256.clone(),
        created_at: now(),
    }
}

/// The mode of an image's files.
pub(super) const fn mode_of(global: bool) -> u32 {
    if global { FILE_MODE | 0o4 } else { FILE_MODE }
}
