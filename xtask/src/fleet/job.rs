//! What a node does in the MFS: it saves or loads a disk that isn't there, with real files.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use imagezip_core::swapinfo::{Part, Phase, Status};
use mfs_agent::cmdline::Credentials;

use super::behaviour::{Behaviour, Lie};
use super::files::{Files, Image};
use super::life::Stop;
use super::mfs::{End, Mfs};
use super::record::Did;

/// How large the disks are said to be.
const DISK: u64 = 8 << 30;
/// The exit status of an agent that is told to do something that it doesn't know.
const UNKNOWN: u8 = 20;

/// Does it, or what the node's behaviour makes of it.
pub(super) fn run(mfs: &Mfs<'_>, job: &str, save: &str, owner: &Credentials) -> Result<End, Stop> {
    let seen = mfs.words.directory()?;
    let directory = mfs.node.around.layout.here(&seen);
    let directory = directory.with_context(|| format!("{} is no place", seen.display()))?;
    let vname = mfs.words.need("mfs.vname")?;
    let files = Files { life: mfs.life, directory: &directory, vname, owner };
    let work = Work { mfs, files };
    match job {
        "swapout" | "capture" => work.save(save),
        "swapin" | "load" => work.load(),
        _ => work.fail(UNKNOWN, "not a job of this MFS"),
    }
}

struct Work<'a> {
    mfs: &'a Mfs<'a>,
    files: Files<'a>,
}

impl Work<'_> {
    fn save(&self, save: &str) -> Result<End, Stop> {
        self.beat(Phase::Mount, 0)?;
        let part = self.part()?;
        self.beat(Phase::Prepare, 0)?;
        if let Some(end) = self.middle(Phase::Save)? {
            return Ok(end);
        }
        if save.ends_with("statistics") {
            self.done()?;
            return Ok(End::Code(0));
        }
        let node = self.mfs.node;
        let boots = node.events().iter().filter(|event| event.did == Did::BootsMfs).count();
        let seed = format!("{} {boots} {:?}", node.node_id(), std::time::SystemTime::now());
        let mut image = Image::new(&seed);
        match node.behaviour() {
            Behaviour::Lies(Lie::Truncated) => image.is_truncated = true,
            Behaviour::Lies(Lie::WrongDigest) => image.is_another = true,
            _ => {}
        }
        self.beat(Phase::Verify, 100)?;
        self.beat(Phase::Publish, 100)?;
        let words = &self.mfs.words;
        let names = [words.need("mfs.pid")?, words.need("mfs.eid")?];
        self.files.publish(&image, names, &part, save.starts_with("full"))?;
        node.note(Did::Published);
        self.done()?;
        Ok(End::Code(0))
    }

    fn load(&self) -> Result<End, Stop> {
        self.beat(Phase::Mount, 0)?;
        self.part()?;
        for suffix in ["sig", "ndz"] {
            let path = self.files.path(suffix);
            let link = path.read_link().with_context(|| path.display().to_string())?;
            // A link below /proj or /groups is as nodes see it.
            let target = match self.mfs.node.around.layout.here(&link) {
                Some(here) => here,
                None => self.files.directory.join(link),
            };
            ensure_there(&target)?;
        }
        self.beat(Phase::Prepare, 0)?;
        if let Some(end) = self.middle(Phase::Load)? {
            return Ok(end);
        }
        self.done()?;
        Ok(End::Code(0))
    }

    fn part(&self) -> Result<Part> {
        let path = self.files.path("part");
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Part::parse(&bytes).map_err(|error| anyhow!("{}: {error}", path.display()))
    }

    /// The long part, in which most things go wrong; `Some` if the run ends with it.
    fn middle(&self, phase: Phase) -> Result<Option<End>, Stop> {
        let node = self.mfs.node;
        let behaviour = node.behaviour();
        let pace = node.around.pace;
        let beats = u64::from(pace.beats.max(2));
        for beat in 0..beats {
            self.beat(phase, beat * 100 / beats)?;
            if beat < beats / 2 {
                continue;
            }
            match behaviour {
                Behaviour::HangsSaving => return Ok(Some(End::Nothing)),
                Behaviour::DiesSaving { .. } | Behaviour::ComesBackTwice if self.is_first() => {
                    if behaviour == Behaviour::ComesBackTwice {
                        return self.start_again();
                    }
                    return Ok(Some(End::Nothing));
                }
                Behaviour::Lies(Lie::NoFiles) => return Ok(Some(End::Code(0))),
                Behaviour::Lies(_) if phase == Phase::Load => return Ok(Some(End::Code(0))),
                Behaviour::FailsWith(code) => return self.fail(code, "as it should").map(Some),
                Behaviour::Garbage(text) => return Ok(Some(End::Garbage(text))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Whether this is the first time that it is in the middle of its work.
    fn is_first(&self) -> bool {
        self.mfs.node.interrupted.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// The machine starts again by itself. What it had sent arrives when it has a new key.
    fn start_again(&self) -> Result<Option<End>, Stop> {
        let word = self.mfs.leave_word()?;
        let node = self.mfs.node;
        node.restart(self.mfs.life)?;
        let delay = node.around.pace.boot * 3 + Duration::from_millis(20);
        let name = format!("{}-old", node.node_id());
        thread::Builder::new().name(name).stack_size(128 << 10).spawn(move || {
            thread::sleep(delay);
            // That boss doesn't listen is fine.
            let _ = word();
        })?;
        Err(Stop::Off)
    }

    fn fail(&self, code: u8, why: &str) -> Result<End, Stop> {
        let status = Status {
            phase: Phase::Failed,
            result: Some(code),
            error: Some(why.to_owned()),
            ..Status::default()
        };
        self.write(&status)?;
        Ok(End::Code(code))
    }

    fn done(&self) -> Result<(), Stop> {
        self.write(&Status { result: Some(0), ..status(Phase::Done, 100) })
    }

    /// A heartbeat, and the time until the next one.
    fn beat(&self, phase: Phase, percent: u64) -> Result<(), Stop> {
        self.write(&status(phase, percent))?;
        self.mfs.life.pause(match self.mfs.node.behaviour() {
            Behaviour::SlowHeartbeat(pause) => pause,
            _ => self.mfs.node.around.pace.beat,
        })
    }

    fn write(&self, status: &Status) -> Result<(), Stop> {
        let phase = status.phase;
        self.files.write_status(status)?;
        self.mfs.node.note(Did::Status(phase));
        Ok(())
    }
}

fn status(phase: Phase, percent: u64) -> Status {
    let total = DISK / 4;
    let scanned = total / 100 * percent;
    let changed = scanned / 20;
    Status { phase, scanned, total, changed, written: changed / 3, ..Status::default() }
}

fn ensure_there(path: &Path) -> Result<()> {
    ensure!(path.is_file(), "{} is not there", path.display());
    Ok(())
}
