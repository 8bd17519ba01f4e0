//! `imagenbd`: lets other programs read images as a disk.

use std::path::PathBuf;

use anyhow::Context;
use clap::{CommandFactory, Parser};
use imagezip_core::device::{ReadAt, Window};
use imagezip_core::extent::ExtentSet;

use super::exit::print;
use super::imagefs::Keys;
use super::{Exit, Run, Tool};
use crate::browse::Disk;
use crate::chain::Inputs;
use crate::nbd::{Export, Server, serve};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagenbd",
    arguments: Imagenbd::command,
    run: super::run::<Imagenbd>,
    differences: &[],
    exit_statuses: &[],
    examples: &[
        (
            "A saved disk as a device for others",
            "imagenbd --socket /run/disk.sock base.ndz delta.ndz",
        ),
        ("What it holds, in qemu's words", "qemu-img info 'nbd+unix:///?socket=/run/disk.sock'"),
        (
            "As a device of this machine, which nobody can write to",
            "nbd-client -readonly -unix /run/disk.sock /dev/nbd0",
        ),
        (
            "One partition, for one client",
            "imagenbd --once --partition 2 --socket root.sock disk.ndz",
        ),
    ],
    files: &[],
};

/// The chunks that are kept open, beside one for each image.
const OPEN_CHUNKS: usize = 16;

/// Let other programs read images as a disk.
///
/// IMAGE... are a base image and the deltas on it, in order. They are read when a client asks for
/// their sectors; nothing is loaded before. What no image holds reads as zeros, and is told to
/// clients that ask as holes. Images of version 1 don't say how large the disk was; there the
/// device ends with the last sector in use.
///
/// Clients speak the NBD protocol, as qemu, nbd-client and libnbd do, over a Unix socket that only
/// the same user can connect to. There is one export, without a name. Nobody can write to it; a
/// journal is left to who mounts it, which needs the mount option "noload" for ext3 and ext4.
///
/// When clients can connect, a line on standard output says where. The server ends on SIGINT,
/// SIGTERM or SIGHUP, and removes the socket.
#[derive(Debug, Parser)]
pub struct Imagenbd {
    /// The socket that clients connect to; one that a server left behind is replaced
    #[arg(short, long, value_name = "PATH")]
    socket: PathBuf,
    /// Only this partition of the disk
    #[arg(short, long, value_name = "N")]
    partition: Option<u32>,
    /// End when the last client has gone
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    keys: Keys,
    /// The base image and the deltas on it, in order
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
}

impl Run for Imagenbd {
    fn run(self) -> anyhow::Result<Exit> {
        let inputs = Inputs::open(&self.images, self.keys.ring()?, OPEN_CHUNKS)?;
        let stack = inputs.stack(0..inputs.count())?;
        let device: &dyn ReadAt = &stack.layers;
        let mut range = device.sectors();
        if let Some(number) = self.partition {
            let name = self.images.first().map(|path| path.display().to_string());
            range = Disk::open(device, &name.unwrap_or_default())?.part(Some(number))?.range();
        }
        let window = Window::new(device, range);
        let window = window.context("the partition ends beyond the disk")?;
        let held: ExtentSet = stack.layers.extents().within(range).collect();
        let export = Export::new(&window, held.relative_to(range.start()));
        let server = Server::bind(&self.socket)?;
        print(&format!("imagenbd: ready at {}\n", server.uri()))?;
        let say = |error| eprintln!("imagenbd: {:#}", stack.explain(error));
        serve(&server, &export, self.once, &say)?;
        Ok(Exit::OK)
    }
}
