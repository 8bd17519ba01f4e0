//! `boss image create`: a node makes an image of its disk.

use std::process::ExitCode;

use super::{Context, follow, image};
use crate::error::{ErrorKind, Result};
use crate::experiment::swaps::Swaps;
use crate::swap::capture::Captured;

/// Asks for it, and follows it.
pub(super) async fn run(context: &Context, create: image::Create) -> Result<ExitCode> {
    let image::Create { image, node, slices, detach } = create;
    if slices.length != 1 {
        let why = "--length: nodes make images of one slice, or of the whole disk (--partition 0)";
        return Err(ErrorKind::Invalid.because(why));
    }
    if image.version.is_some() {
        let why = format!("{image}: it becomes the next version; say <project>/<image>");
        return Err(ErrorKind::Invalid.because(why));
    }
    let (boss, actor) = (context.boss(), context.actor().await?);
    let description = slices.describe(&image, actor.user.login.clone())?;
    let of = Captured {
        image: image.to_string(),
        gid: description.gid,
        load_partition: description.load_partition,
        boot_partition: description.boot_partition,
        global: description.global,
    };
    let swap = Swaps { boss: &boss, actor: &actor }.capture(&node, &of).await?;
    follow::begun(context, swap, detach).await
}
