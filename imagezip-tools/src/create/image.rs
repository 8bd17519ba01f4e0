//! Writing an image and what belongs to it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use embedded_io_adapters::std::FromStd;
use imagezip_core::error::{Error, ErrorKind, Limit, Place};
use imagezip_core::ndz::Format;
use imagezip_core::pipeline::{Progress, Saved, verify};
use imagezip_core::sector::{Bytes, Sector};
use imagezip_core::signature::Signature;

use super::dots::Dots;
use super::request::{Destination, Request};
use crate::output::{Output, write_atomically};
use crate::progress::{SaveMeter, Show, watch};
use crate::signing::Signer;
use crate::target::same_place;

/// An image that has been written.
#[derive(Debug)]
pub struct Written {
    /// What was saved.
    pub saved: Saved,
    /// The version of the image.
    pub format: Format,
    /// The size of the image.
    pub size: Bytes,
    /// How long reading, compressing and writing took.
    pub time: Duration,
}

/// What is known about a save before it begins, and while it goes on.
#[derive(Clone, Copy)]
pub struct Outlook<'a> {
    /// How much is to be read; 0 if that isn't known.
    pub total: Bytes,
    /// The number of sectors that could not be read so far.
    pub bad: &'a (dyn Fn() -> u64 + Sync),
}

/// The signature of an image that goes to standard output, if nobody names another file.
pub const STDOUT_SIGNATURE: &str = "/tmp/stdout.sig";

/// Where the data of an image go while it is made.
pub type Sink<'a> = FromStd<&'a mut (dyn Write + Send)>;

/// Writes the image that `make` makes, its signature, and who signed it.
///
/// # Errors
/// If something can't be read or written, or the image is not as it should be. Then there is no
/// image.
pub fn write(
    request: &Request,
    destination: &Destination,
    format: Format,
    outlook: Outlook<'_>,
    make: impl FnOnce(Sink<'_>, &Progress) -> Result<Saved, Error>,
) -> anyhow::Result<Written> {
    let password_file = destination.password_file.as_deref();
    let load = |key: &PathBuf| Signer::load(key, password_file);
    let signer = destination.key.as_ref().map(load).transpose()?;
    let mut output = Output::create(&destination.image)?.synced(destination.sync);
    let progress = Progress::default();
    let start = Instant::now();
    let mut dots = Dots::new(&mut output, destination.dots, &progress);
    let sink: &mut (dyn Write + Send) = &mut dots;
    let meter = SaveMeter::new(&progress, outlook.total, outlook.bad);
    let show = Show { bar: !destination.quiet && !destination.dots, dots: None };
    let saved = watch(&meter, show, || make(FromStd::new(sink), &progress));
    dots.finish();
    let saved = saved.map_err(|error| match error.kind {
        ErrorKind::Write(_) => output.explain(error),
        ErrorKind::Read(_) | ErrorKind::Truncated => {
            anyhow::Error::new(error).context(format!("reading {}", request.source.display()))
        }
        _ => anyhow::Error::new(error),
    })?;
    let time = start.elapsed();
    if format == Format::V1 {
        for (at, bytes) in saved.image.totals() {
            output.patch(at.get(), &bytes)?;
        }
    }
    if let Some(written) = output.written()?.filter(|_| destination.verify) {
        verify(&request.workers, &written, &saved.proof)
            .with_context(|| format!("checking {}", destination.image.display()))?;
    }
    let (size, is_file) = (output.len(), output.is_file());
    output.finish()?;
    if let Some(signature) = &destination.signature {
        let image = is_file.then_some(destination.image.as_path());
        write_signature(&saved.signature, signature, image)?;
    }
    if let Some(signer) = signer {
        signer.sign(&destination.image)?;
    }
    Ok(Written { saved, format, size, time })
}

/// Checks before a long save that the signature can be written after it.
///
/// # Errors
/// If the sectors have no numbers in signature files, there is no such directory, or the signature
/// would take the place of the image or of what it is made of.
pub fn check_signature(
    request: &Request,
    destination: &Destination,
    end: Option<Sector>,
) -> anyhow::Result<()> {
    let Some(signature) = &destination.signature else { return Ok(()) };
    let name = signature.display();
    let device = fs::metadata(signature).is_ok_and(|file| file.file_type().is_char_device());
    for other in [&destination.image, &request.source] {
        ensure!(
            device || !same_place(signature, other),
            "{name}: -U would overwrite {}: give another name",
            other.display()
        );
    }
    if let Some(end) = end.filter(|end| end.get() > 1 << 32) {
        let error = ErrorKind::TooLarge(Limit::Sector32).at(Place::Sector(end));
        return Err(anyhow::Error::new(error).context(format!("{name}: leave out -U")));
    }
    let directory = signature.parent().filter(|path| !path.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    fs::metadata(directory).with_context(|| format!("{name}: {}", directory.display()))?;
    Ok(())
}

/// Writes a signature, as old as its image.
fn write_signature(signature: &Signature, path: &Path, image: Option<&Path>) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    signature.write(&mut bytes).with_context(|| format!("writing {}", path.display()))?;
    let modified = image.map(|image| {
        let modified = fs::metadata(image).and_then(|metadata| metadata.modified());
        modified.with_context(|| image.display().to_string())
    });
    if path == Path::new(STDOUT_SIGNATURE) {
        return write_where_others_may(path, &bytes);
    }
    write_atomically(path, &bytes, modified.transpose()?)
}

/// Writes a file in a directory where others may have put something under its name: no link is
/// followed, and nobody else gets to own it.
fn write_where_others_may(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let writing = || format!("writing {}", path.display());
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(directory).with_context(writing)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).with_context(writing)?;
    file.persist(path).map_err(|error| error.error).with_context(writing)?;
    Ok(())
}
