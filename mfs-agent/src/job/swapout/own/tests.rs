//! Programs of all kinds, played by closures; the disk is a file. Needs root, as the agent does.

use super::*;
use std::boxed::Box;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use std::vec;

use imagezip_core::allocation::DiskMap;
use imagezip_core::codec::Level;
use imagezip_core::device::ReadAt;
use imagezip_core::digest::Sha256;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Reloc;
use imagezip_core::pipeline::{Progress as CoreProgress, SingleThread, Source, save};
use imagezip_core::relocation::short_sector;
use imagezip_core::sector::{Bytes, Sector, SectorRange};
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::Part;

use crate::disk::device::DiskDevice;
use crate::disk::{Disk, Kind, Number, SYSTEM};
use crate::job::base::BaseImage;
use crate::names::{Name, NameKind};
use crate::processes::Process;
use crate::progress::Progress;
use crate::project::credentials::become_user;
use crate::project::patience::Patience;
use crate::project::swapinfo::BaseSignature;
use crate::project::tree::Tree;
use crate::ranges::WholeFiles;
use crate::threads::StdThreads;

const USER: u32 = 20001;
/// The sectors of the disk, and those that are saved.
const SECTORS: u64 = 4200;
const SAVED: u64 = 4096;
/// A sector in use that differs from the base.
const CHANGED: u64 = 300;

/// How a program is played: it gets what it was started with, and tells how it ends, if it does.
type Play<'a> = &'a (dyn Fn(&Program<'_>) -> rustix::io::Result<Option<Exit>> + Sync);

struct Played<'a>(Play<'a>);

struct PlayedProcess(Option<Exit>);

impl Processes for Played<'_> {
    fn start(&self, program: &Program<'_>) -> rustix::io::Result<Box<dyn Process>> {
        let exit = (self.0)(program)?;
        Ok(Box::new(PlayedProcess(exit)))
    }
}

impl Process for PlayedProcess {
    fn poll(&mut self) -> rustix::io::Result<Option<Exit>> {
        Ok(self.0)
    }

    fn end_all(&mut self) {
        self.0.get_or_insert(Exit::Signal(9));
    }
}

struct Fixture {
    root: tempfile::TempDir,
    disk: Vec<u8>,
    map: DiskMap,
    base: Signature,
}

fn range(start: u64, end: u64) -> SectorRange {
    SectorRange::new(Sector::new(start).unwrap(), Sector::new(end).unwrap()).unwrap()
}

fn known(area: u64, in_use: &[(u64, u64)]) -> DiskMap {
    let in_use: ExtentSet = in_use.iter().map(|(start, end)| range(*start, *end)).collect();
    DiskMap::known(range(0, area), in_use)
}

/// An image that the core makes.
fn image(disk: &dyn ReadAt, map: &DiskMap, base: Option<&Signature>, relocs: &[Reloc]) -> Vec<u8> {
    let mut image = Vec::new();
    let source = Source { base, relocs, ..Source::new(disk, map) };
    save(&SingleThread, source, &mut image, &CoreProgress::default()).unwrap();
    image
}

static PROGRESS: Progress = Progress::new();

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let swapinfo = root.path().join("proj/testbed/exp/exp1/swapinfo");
        fs::create_dir_all(&swapinfo).unwrap();
        chown(&swapinfo, Some(USER), Some(USER)).unwrap();
        let mut disk: Vec<u8> =
            (0..SECTORS).flat_map(|sector| [sector.to_le_bytes(); 64]).flatten().collect();
        let map = known(SAVED, &[(0, 2000), (2100, 4000)]);
        let mut signature = Vec::new();
        let source = Source::new(&disk, &map);
        let saved = save(&SingleThread, source, Vec::new(), &CoreProgress::default()).unwrap();
        saved.signature.write(&mut signature).unwrap();
        let base = Signature::read(signature.as_slice()).unwrap();
        disk[usize::try_from(CHANGED).unwrap() * 512] ^= 1;
        fs::write(root.path().join("disk"), &disk).unwrap();
        Self { root, disk, map, base }
    }

    fn temporary(&self) -> PathBuf {
        self.root.path().join("proj/testbed/exp/exp1/swapinfo/n-swap.ndz.tmp")
    }

    /// What comes of it that the project's program is played so.
    fn run(&self, play: Play<'_>) -> Result<Made> {
        let _ = fs::remove_file(self.temporary());
        // Users are a thread's own.
        std::thread::scope(|scope| scope.spawn(|| self.run_here(play)).join().unwrap())
    }

    fn run_here(&self, program: Play<'_>) -> Result<Made> {
        let name = |kind, text| Name::new(kind, text).unwrap();
        let node = Node {
            pid: name(NameKind::Project, "testbed"),
            eid: name(NameKind::Experiment, "exp1"),
            vname: name(NameKind::Node, "n"),
        };
        let tree = Tree::of_directory(self.root.path()).unwrap();
        let info = SwapInfo::open(tree, &node, Patience::new(Duration::ZERO, &PROGRESS))?;
        let part = Part::parse(b"DISK=vda LOADPART=0 BOOTPART=1\n").unwrap();
        let disk = Disk {
            // Where /dev is, there is the way up from it.
            name: std::format!("..{}", self.root.path().join("disk").display()),
            size: SECTORS * 512,
            sector_size: 512,
            serial: None,
            wwn: None,
            kind: Kind::Fixed,
            // That of what is no device.
            number: Number { major: 0, minor: 0 },
            sequence: None,
        };
        // The plan keeps it for as long as the program runs.
        let progress: &'static Progress = Box::leak(Box::new(Progress::new()));
        let device = DiskDevice::open_shared(&SYSTEM, &disk, progress)?;
        let mut bytes = Vec::new();
        self.base.write(&mut bytes).unwrap();
        let base = BaseImage {
            file: BaseSignature { bytes: vec![], name: "base.sig".into(), sha256: Sha256([1; 32]) },
            signature: Signature::read(bytes.as_slice()).unwrap(),
        };
        let plan = Plan {
            node: &node,
            part: &part,
            disk: &disk,
            device: &device,
            map: &self.map,
            base: Some(&base),
            level: Level::default(),
            info: &info,
            threads: &StdThreads,
            ranges: &WholeFiles,
            progress,
        };
        let engine = Engine {
            path: "/proj/testbed/bin/imagezip".into(),
            executable: Executable {
                file: file::open("/dev/null").unwrap(),
                size: 7,
                digest: Sha256([7; 32]),
            },
            user: Credentials {
                uid: USER,
                gid: USER,
                groups: heapless::Vec::from_slice(&[0, 5]).unwrap(),
            },
            limit: Duration::from_millis(500),
        };
        become_user(&engine.user).unwrap();
        engine.make(&plan, &Played(program))
    }

    /// What comes of a program that makes this its image.
    fn given(&self, image: &[u8]) -> Result<Made> {
        self.run(&|_| {
            fs::write(self.temporary(), image).unwrap();
            chown(self.temporary(), Some(USER), Some(USER)).unwrap();
            Ok(Some(Exit::Status(0)))
        })
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a_right_image_is_taken_whoever_made_it() {
    if !is_root() {
        return;
    }
    let fixture = Fixture::new();
    let delta = image(&fixture.disk, &fixture.map, Some(&fixture.base), &[]);
    let made = fixture.given(&delta).unwrap();
    assert_eq!((made.digest, made.size), (Sha256::of(&delta), delta.len() as u64));
    assert_eq!((made.chunks, made.regions, made.engine), (1, 1, Some(Sha256([7; 32]))));
    assert!(made.sectors.get() < 200 && made.signature.iter().count() > 30);
    // More than it must hold.
    let full = image(&fixture.disk, &fixture.map, None, &[]);
    let made = fixture.given(&full).unwrap();
    assert_eq!((made.sectors.get(), made.regions), (3900, 2));
    let all = image(&fixture.disk, &known(SAVED, &[(0, SAVED)]), None, &[]);
    assert_eq!(fixture.given(&all).unwrap().sectors.get(), SAVED);
}

#[test]
fn the_program_gets_the_classic_arguments_and_the_disks_group() {
    if !is_root() {
        return;
    }
    let fixture = Fixture::new();
    let disk = std::format!("/dev/..{}", fixture.root.path().join("disk").display());
    let failure = fixture.run(&|program| {
        let words: Vec<_> = program.arguments.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(words, ["imagezip", "-H", "n.sig", &disk, "n-swap.ndz.tmp"]);
        // Root's group is not among them.
        assert_eq!((program.uid, program.gid, program.groups), (USER, USER, &[5, 0xFFF0_0000][..]));
        assert_eq!(
            fs::metadata(&disk).unwrap().permissions(),
            PermissionsExt::from_mode(0o100_440)
        );
        Err(Errno::NOEXEC)
    });
    assert_eq!(failure.err().unwrap().kind, FailureKind::OwnEngineStart);
    let after = fs::metadata(&disk).unwrap().permissions();
    assert_eq!(after, PermissionsExt::from_mode(0o100_644));
}

#[test]
fn ends_are_told_apart() {
    if !is_root() {
        return;
    }
    let fixture = Fixture::new();
    for (exit, kind, words) in [
        (Some(Exit::Status(3)), FailureKind::OwnEngineStatus, "failed with status 3"),
        (Some(Exit::Signal(11)), FailureKind::OwnEngineSignal, "killed by signal 11"),
        (None, FailureKind::NoProgress, "stood still"),
    ] {
        let failure = fixture.run(&|_| Ok(exit)).err().unwrap();
        assert!(failure.kind == kind && failure.message.contains(words), "{failure}");
    }
}

#[test]
fn a_wrong_image_is_refused_with_the_sector_that_shows_it() {
    if !is_root() {
        return;
    }
    let fixture = Fixture::new();
    let refused = |result: Result<Made>, words: &str| {
        let failure = result.err().unwrap();
        assert_eq!(failure.kind, FailureKind::Verification, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    };
    refused(fixture.run(&|_| Ok(Some(Exit::Status(0)))), "is not to be had");
    refused(fixture.given(&vec![7; 1 << 20]), "can't be read");
    refused(fixture.given(b"short"), "can't be read");
    // The delta holds hash blocks: 256 to 384 here.
    refused(fixture.given(b""), "lacks sector 256 and 128 in all");
    let part = image(&fixture.disk, &known(SAVED, &[(0, CHANGED), (CHANGED + 1, 4000)]), None, &[]);
    refused(fixture.given(&part), "lacks sector 300 and 1 in all");

    let mut disk = fixture.disk.clone();
    for sector in [CHANGED, 3000] {
        disk[usize::try_from(sector).unwrap() * 512 + 511] ^= 1;
    }
    let other = image(&disk, &fixture.map, None, &[]);
    refused(fixture.given(&other), "differs from the disk in sector 300 and 2 in all");
    let longer = image(&fixture.disk, &known(SECTORS, &[(0, SECTORS)]), None, &[]);
    refused(fixture.given(&longer), "goes on to sector 4200");
    // A reader would write the first 100 bytes of the sector only.
    let short = short_sector(Sector::new(CHANGED).unwrap(), Bytes(100)).unwrap();
    let short = image(&fixture.disk, &known(SAVED, &[(0, CHANGED + 1)]), None, &[short]);
    refused(fixture.given(&short), "lacks sector 301");

    refused(
        fixture.run(&|_| {
            let mode = Mode::from_raw_mode(0o666);
            rustix::fs::mknodat(
                rustix::fs::CWD,
                fixture.temporary(),
                rustix::fs::FileType::Fifo,
                mode,
                0,
            )?;
            Ok(Some(Exit::Status(0)))
        }),
        "is no file",
    );
}

#[test]
fn parts_of_sectors_are_not_enough() {
    if !is_root() {
        return;
    }
    let mut fixture = Fixture::new();
    fixture.map = known(SAVED, &[(0, CHANGED + 1)]);
    let short = short_sector(Sector::new(CHANGED).unwrap(), Bytes(100)).unwrap();
    let short = image(&fixture.disk, &fixture.map, None, &[short]);
    let failure = fixture.given(&short).err().unwrap();
    assert!(failure.message.contains("holds parts of sectors only"), "{failure}");
}
