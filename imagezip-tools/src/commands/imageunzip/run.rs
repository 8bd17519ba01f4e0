//! What the options of `imageunzip` come to.

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use imagezip_core::ndz::{Image, Version};
use imagezip_core::pipeline::{Fill, Fit, Gaps, LoadProgress, Order};
use imagezip_core::signature::Signature;

use super::Imageunzip;
use super::work::Work;
use crate::commands::{Exit, Run, exit};
use crate::hash::read as read_signature;
use crate::host::Threads;
use crate::keys::KeyRing;
use crate::progress::{ChunkDots, Dots, GigabyteDots, Show, watch};
use crate::signing::Verifier;
use crate::target;
use crate::unzip::destination::is_standard_output;
use crate::unzip::loading::Manner;
use crate::unzip::meter::LoadMeter;
use crate::unzip::report::{Names, Report};
use crate::unzip::source::{Demands, Source};

impl Run for Imageunzip {
    fn run(self) -> anyhow::Result<Exit> {
        self.check()?;
        let begun = Instant::now();
        let names = self.names();
        let demands = self.demands()?;
        let workers = self.workers();
        let source = Source::open(&self.image, self.retries.unwrap_or(0), &workers)?;
        ensure!(
            !self.needs_whole_image() || matches!(source, Source::File(_)),
            "{}: -F, --verify and --converge need the image in a file: it comes through a pipe",
            names.image
        );
        let image = Image::open_with(source.device(), &demands.keys);
        let image = image.map_err(|error| names.explain(error))?;
        let amount = source.check(&image, &demands, &names)?;
        if amount.version == Some(Version::V1) && self.fill() != Fill::Keep {
            eprintln!(
                "{}: version 1 tells only of free space inside its chunks: no other is filled",
                names.image
            );
        }
        let signature = self.converge.as_deref().map(read_signature).transpose()?;
        let (verify, converge) = (self.verify, signature.is_some());
        let meter = LoadMeter { amount, verify, converge, ..LoadMeter::default() };
        let work = Work {
            options: &self,
            names: &names,
            demands: &demands,
            workers: &workers,
            source: &source,
            image: &image,
            meter: &meter,
            signature: signature.as_ref(),
        };
        let done = self.watch(&meter, || work.run())?;
        let time = begun.elapsed().as_secs_f64();
        let report = Report::new(&names, &done.loaded, &meter, time);
        for note in &done.loaded.notes {
            eprintln!("{}: {note}", names.image);
        }
        if self.detail > 0 {
            eprintln!("{}", report.text());
        }
        let json = self.json.then(|| report.json()).transpose()?;
        match (done.line, json) {
            (Some(line), None) => exit::print(&(line + "\n")),
            (None, Some(json)) if done.stdout_is_free => exit::print(&(json + "\n")),
            (line, Some(json)) => {
                eprintln!("{json}");
                line.map_or(Ok(Exit::OK), |line| exit::print(&(line + "\n")))
            }
            (None, None) => Ok(Exit::OK),
        }
    }
}

impl Imageunzip {
    /// Shows how far `work` is while it is done.
    fn watch<T>(&self, meter: &LoadMeter, work: impl FnOnce() -> T) -> T {
        let LoadProgress { chunks, written, filled, skipped, .. } = &meter.progress;
        let total = meter.amount.chunks.into();
        let mut each = ChunkDots::new(chunks, total);
        let mut large = GigabyteDots::new([written, filled, skipped], chunks, total);
        // Scripts give both; the second then only says what a dot is.
        let dots: Option<&mut dyn Dots> = if self.gigabyte_dots {
            Some(&mut large)
        } else if self.dots {
            Some(&mut each)
        } else {
            None
        };
        watch(meter, Show { bar: !self.quiet, dots }, work)
    }

    /// Refuses what can't be done, with what to do in its place.
    fn check(&self) -> anyhow::Result<()> {
        let stdout = is_standard_output(self.target.as_deref());
        ensure!(!self.crc || stdout, "-C writes no data: leave out the target");
        ensure!(
            !self.allocated_only || stdout,
            "-I writes to standard output: leave out the target"
        );
        let converge = self.converge.is_some();
        let to_device = [self.slice.is_some(), self.verify, converge, self.truncate, self.discard];
        ensure!(
            !stdout || !to_device.contains(&true),
            "-s, -E, --verify, --converge and --truncate need a disk or file as the target, by name"
        );
        ensure!(
            self.signed_by.is_none() || self.image != Path::new("-"),
            "--signed-by needs the image in a file, with its signature beside it"
        );
        if let Some(target) = &self.target {
            ensure!(
                !target::same_file(&self.image, target),
                "{} can't be loaded onto itself",
                self.image.display()
            );
        }
        Ok(())
    }

    fn names(&self) -> Names {
        let name = |path: &Path, standard: &str| {
            if path == Path::new("-") { standard.to_owned() } else { path.display().to_string() }
        };
        let target = self.target.as_deref().unwrap_or(Path::new("-"));
        Names {
            image: name(&self.image, "standard input"),
            target: name(target, "standard output"),
        }
    }

    /// What the image must be; checks what needs only its file.
    fn demands(&self) -> anyhow::Result<Demands> {
        if let Some(key) = &self.signed_by {
            Verifier::load(key)?.verify(&self.image)?;
        }
        let keys = KeyRing::of_files(self.key.as_deref(), self.checksum_key.as_deref())?;
        Ok(Demands { keys, id: self.id })
    }

    fn workers(&self) -> Threads {
        let count = if self.single_thread { Some(1) } else { self.threads };
        count.map_or_else(Threads::all_cpus, Threads::new)
    }

    fn needs_whole_image(&self) -> bool {
        self.random_order || self.verify || self.converge.is_some()
    }

    fn fill(&self) -> Fill {
        match self.pattern {
            Some(pattern) => Fill::Pattern(pattern),
            None if self.zero => Fill::Zero,
            None if self.discard => Fill::Discard,
            None => Fill::Keep,
        }
    }

    pub(super) fn gaps(&self) -> Gaps {
        match self.pattern {
            _ if self.allocated_only => Gaps::Omit,
            Some(pattern) => Gaps::Pattern(pattern),
            None => Gaps::Zero,
        }
    }

    pub(super) fn manner<'a>(&self, signature: Option<&'a Signature>) -> Manner<'a> {
        let fit = if self.slice.is_some() && !self.force { Fit::All } else { Fit::Data };
        // Another order each time, as for any test that is left to chance.
        let order = if self.random_order {
            Order::Scattered(std::hash::BuildHasher::hash_one(
                &std::collections::hash_map::RandomState::new(),
                0,
            ))
        } else {
            Order::Ascending
        };
        Manner {
            signature,
            verify: self.verify,
            fill: self.fill(),
            fit,
            order,
            direct: self.direct,
            truncate: self.truncate,
            partition_type: self.slice.zip(self.partition_type),
        }
    }
}
