//! What `imagefs cat` copies.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use imagezip_core::filesystem::Content;
use imagezip_core::filesystem::ext::files::FileKind;

use super::find::find;
use super::text::{escape, word};
use super::volume::Volume;
use crate::output::Output;

/// How much is copied at a time, in bytes.
const STEP: usize = 1 << 20;

/// Copies the file at `path`, to which links are followed, to the file `output` or to standard
/// output.
///
/// # Errors
/// If there is no regular file at `path`, or it can't be read or written.
pub fn copy(volume: &Volume<'_>, path: &[u8], output: Option<&Path>) -> anyhow::Result<()> {
    let found = find(volume, path, true)?;
    let kind = found.node.kind();
    if kind != FileKind::Regular {
        bail!("{}: is a {}, not a file that could be copied", escape(path), word(kind));
    }
    let reading = || escape(path);
    let content = volume.content(&found.node).with_context(reading)?;
    if let Some(name) = output.filter(|output| *output != Path::new("-")) {
        let mut output = Output::create(name)?;
        let writing = || format!("writing {}", name.display());
        send(volume, &content, &mut |bytes| output.write_all(bytes).with_context(writing))
            .with_context(reading)?;
        output.finish()?;
    } else {
        let mut out = io::stdout().lock();
        let writing = "writing to standard output";
        send(volume, &content, &mut |bytes| out.write_all(bytes).context(writing))
            .with_context(reading)?;
        out.flush().context(writing)?;
    }
    Ok(())
}

/// Gives all bytes of a content to `write`, in order.
fn send(
    volume: &Volume<'_>,
    content: &Content,
    write: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut buf = vec![0; STEP];
    let mut at = 0_u64;
    loop {
        let read = content.read(volume.device(), at, &mut buf)?;
        if read == 0 {
            return Ok(());
        }
        write(buf.get(..read).unwrap_or_default())?;
        at = at.saturating_add(read as u64);
    }
}
