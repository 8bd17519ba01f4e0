//! `boss image create`: an image of a node's disk.

use std::process::ExitCode;

use super::image::Create;
use super::{Context, follow};
use crate::error::{ErrorKind, Result};
use crate::experiment::swaps::Swaps;
use crate::swap::capture::Captured;

/// Has the node work, and follows it.
pub(super) async fn run(context: &Context, create: Create) -> Result<ExitCode> {
    let Create { image, node, slices, detach } = create;
    if slices.length != 1 {
        let why = "--length: a node captures one slice, or with --partition 0 the whole disk";
        return Err(ErrorKind::Invalid.because(why));
    }
    if image.version.is_some() {
        let why = format!("{image}: it becomes the next version; say <project>/<image>");
        return Err(ErrorKind::Invalid.because(why));
    }
    let (boss, actor) = (context.boss(), context.actor().await?);
    let what = slices.describe(&image, actor.user.login.clone())?;
    let of = Captured {
        image: image.to_string(),
        gid: what.gid,
        load_partition: what.load_partition,
        boot_partition: what.boot_partition,
        global: what.global,
    };
    let swap = Swaps { boss: &boss, actor: &actor }.capture(&node, &of).await?;
    follow::begun(context, swap, detach).await
}
