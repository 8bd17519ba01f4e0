//! A project's own imagezip, where the site allows it: it makes the image, and nothing but a right
//! image becomes the project's.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use imagezip_tools::create::sha256_of;
use swapmfs_tests::trial::{Run, Set, Trial, is_root, prepared};
use xtask::experiment::{Experiment, PID};
use xtask::nfs::{Ganesha, Squash};
use xtask::qemu::WatchdogAction;
use xtask::{apt, command, tools};

use crate::users::USER;

const OVERRIDE: &str = "mfs.override=1 mfs.uid=20001 mfs.gid=20001 mfs.groups=20002";

/// Makes `program` the project's imagezip.
pub(crate) fn install(experiment: &Experiment, program: &Path) -> Result<()> {
    let bin = experiment.proj().join(PID).join("bin");
    fs::create_dir_all(&bin)?;
    fs::copy(program, bin.join("imagezip")).with_context(|| program.display().to_string())?;
    fs::set_permissions(bin.join("imagezip"), fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The static imagezip.
pub(crate) fn imagezip() -> Result<PathBuf> {
    static TOOL: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || tools::build().map(|tools| tools.program("imagezip"));
    TOOL.get_or_init(|| build().map_err(|error| format!("{error:?}")))
        .clone()
        .map_err(|error| anyhow!(error))
}

/// The program that tries what it must not do.
fn hostile(directory: &Path) -> Result<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/qemu/own_engine/hostile.rs");
    let program = directory.join("hostile");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "-Ctarget-feature=+crt-static", "-Crelocation-model=static"]);
    command::run(rustc.arg("-o").arg(&program).arg(source))?;
    Ok(program)
}

#[test]
fn the_projects_own_imagezip_makes_the_image() -> Result<()> {
    if !is_root("the_projects_own_imagezip_makes_the_image") {
        return Ok(());
    }
    apt::ensure(apt::GANESHA)?;
    let trial = Trial::new("own-engine")?;
    let directory = trial.experiment.swapinfo();
    chown(&directory, Some(USER), Some(USER))?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o770))?;
    let program = imagezip()?;
    install(&trial.experiment, &program)?;
    let ganesha =
        Ganesha::start(&trial.experiment.proj(), Squash::Root, &trial.experiment.directory)?;
    let export = ganesha.export().display().to_string();
    let node = trial.experiment.node(&prepared()?.image, &export, &ganesha.mount_options());
    let node = node.append(OVERRIDE).watchdog(WatchdogAction::Reset);
    let run = Run::of(&mut node.start_inside(ganesha.namespace())?)?;
    run.check_saved()?;

    trial.check_nothing_is_left()?;
    trial.experiment.prove()?;
    let digest = sha256_of(&program)?;
    let meta = Set::read(&trial.experiment)?.description()?;
    assert_eq!(meta.engine_sha256, Some(digest.0));
    assert!(run.console.contains(&format!("SHA-256 {digest}")), "{}", run.console);
    for suffix in ["-swap.ndz", "-swap.sig", "-swap.meta", "-swap.status"] {
        let file = fs::metadata(trial.experiment.node_file(suffix))?;
        let facts = (file.uid(), file.gid(), file.mode() & 0o7777);
        assert_eq!(facts, (USER, USER, 0o660), "{suffix}");
    }
    Ok(())
}

#[test]
fn a_hostile_program_gets_the_disk_to_read_and_nothing_else() -> Result<()> {
    let trial = Trial::new("hostile-engine")?;
    install(&trial.experiment, &hostile(&trial.experiment.directory)?)?;
    let run = trial.run(OVERRIDE)?;
    let words = "/proj/testbed/bin/imagezip failed with status 3";
    trial.check_refused(&run, 40, words)?;
    for words in [
        "arguments: imagezip -H node-a.sig /dev/vda node-a-swap.ndz.tmp",
        "environment: 0",
        "status: Uid: 20001 20001 20001 20001",
        "status: Gid: 20001 20001 20001 20001",
        "status: Groups: 20002 4293918720",
        "status: CapPrm: 0000000000000000",
        "status: CapEff: 0000000000000000",
        "status: NoNewPrivs: 1",
        "read: 55aa",
        "could not: write to the disk: Permission denied",
        "could not: write to the memory of PID 1: Permission denied",
        "could not: signal PID 1: Operation not permitted",
        "could not: be root among its own users: No space left on device",
        "could not: read the kernel's words: Permission denied",
        "could not: read the kernel's log: Operation not permitted",
        "could not: the network: Network is unreachable",
    ] {
        assert!(run.console.contains(words), "no {words:?}:\n{}", run.console);
    }
    assert!(!run.console.contains("could: "), "{}", run.console);
    Ok(())
}

#[test]
fn an_image_of_another_state_is_not_saved() -> Result<()> {
    let trial = Trial::new("wrong-engine")?;
    install(&trial.experiment, &hostile(&trial.experiment.directory)?)?;
    fs::write(trial.experiment.swapinfo().join("answer.ndz"), &prepared()?.previous.image)?;
    let run = trial.run(OVERRIDE)?;
    let words = "made by the project's own imagezip, differs from the disk in sector ";
    trial.check_refused(&run, 31, words)
}

#[test]
fn what_cannot_run_here_is_refused_before_the_disk_is_read() -> Result<()> {
    let trial = Trial::new("dynamic-engine")?;
    install(&trial.experiment, Path::new("/bin/true"))?;
    let run = trial.run(OVERRIDE)?;
    trial.check_refused(&run, 39, "not static, and there are no libraries here")?;
    assert!(!run.console.contains("mfs-phase: save"), "{}", run.console);
    Ok(())
}
