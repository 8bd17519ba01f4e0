//! What the tools that make images of images say about what they did.

use std::path::Path;

use anyhow::Context;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Image, Written};
use imagezip_core::sector::SectorCount;
use serde::Serialize;

use super::{Options, Stack};
use crate::commands::{Exit, exit};

/// Statistics of an image that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The image's file.
    pub image: String,
    /// The sectors in it.
    pub sectors: u64,
    /// The sectors in use of what the image is about: of base image and delta together.
    pub in_use: u64,
    /// The regions that they make.
    pub regions: u64,
    /// The image's chunks.
    pub chunks: u32,
    /// The bytes of compressed data in them.
    pub payload: u64,
}

impl Report {
    /// About the image `written` at `path`, which is about `in_use` sectors.
    pub fn new(path: &Path, written: &Written, in_use: SectorCount) -> Self {
        Self {
            image: path.display().to_string(),
            sectors: written.sectors.get(),
            in_use: in_use.get(),
            regions: written.regions,
            chunks: written.chunks,
            payload: written.payload.get(),
        }
    }

    /// The line that scripts expect of imagedelta.
    pub fn delta_line(&self) -> String {
        let tenths = self.sectors.saturating_mul(1000).checked_div(self.in_use).unwrap_or(0);
        // As printf rounds: to the nearest.
        let half = self.sectors.saturating_mul(2000).checked_div(self.in_use).unwrap_or(0) % 2;
        let tenths = tenths.saturating_add(half);
        format!(
            "{}: {} sectors, {}.{}% of full image ({} sectors)",
            self.image,
            self.sectors,
            tenths / 10,
            tenths % 10,
            self.in_use
        )
    }

    /// Prints the statistics as JSON if that was asked for, else `line`, if there is one. Where the
    /// image itself went to standard output, that is on standard error.
    ///
    /// # Errors
    /// If standard output can't be written.
    pub fn print(
        &self,
        line: Option<String>,
        image_is_file: bool,
        options: &Options,
    ) -> anyhow::Result<Exit> {
        let json = || serde_json::to_string(self).context("statistics");
        let text = if options.json { Some(json()?) } else { line.filter(|_| !options.quiet) };
        match text {
            Some(text) if image_is_file => exit::print(&(text + "\n")),
            Some(text) => {
                eprintln!("{text}");
                Ok(Exit::OK)
            }
            None => Ok(Exit::OK),
        }
    }
}

/// Says what is strange about the images, and, if wanted, what they are.
pub fn describe(stack: &Stack<'_>, options: &Options) {
    let layers = &stack.layers;
    if options.detail > 0 {
        for (number, input) in stack.inputs().iter().enumerate() {
            let chunks = layers.image(number).map_or(0, Image::chunk_count);
            let visible = layers.visible(number).map_or(SectorCount::ZERO, ExtentSet::sector_count);
            let name = input.path().display();
            eprintln!("{name}: {chunks} chunks; {visible} sectors come from it");
        }
        eprintln!("together: {} of {} sectors", layers.extents().sector_count(), layers.sectors());
    }
    let cut_off = layers.cut_off();
    if cut_off.get() > 0 && !options.quiet {
        eprintln!("{cut_off} sectors lie beyond the end of the disk in a later image: left out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_classic_one() {
        let line = |sectors, in_use| {
            let sectors = SectorCount::from_u32(sectors);
            let written = Written { sectors, ..Written::default() };
            let in_use = SectorCount::from_u32(in_use);
            Report::new(Path::new("d"), &written, in_use).delta_line()
        };
        // From the reference's runs.
        assert_eq!(line(2092, 13008), "d: 2092 sectors, 16.1% of full image (13008 sectors)");
        assert_eq!(line(518, 3286), "d: 518 sectors, 15.8% of full image (3286 sectors)");
        assert_eq!(line(384, 2620), "d: 384 sectors, 14.7% of full image (2620 sectors)");
        assert_eq!(line(7, 7), "d: 7 sectors, 100.0% of full image (7 sectors)");
        assert_eq!(line(0, 0), "d: 0 sectors, 0.0% of full image (0 sectors)");
    }
}
