//! The command-line tools as an operator installs them: one static program, manual pages,
//! completions.

mod manual;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap_complete::Shell;
use imagezip_tools::commands::{TOOLS, Tool};
use object::elf::{PT_DYNAMIC, PT_INTERP};
use object::read::elf::{ElfFile64, ProgramHeader};

use crate::{command, paths};

/// The package, and its program that is all tools.
const PACKAGE: &str = "imagezip-tools";

/// What was built.
#[derive(Debug)]
pub struct Tools {
    /// The directory with a program for each tool, and `share/`.
    pub directory: PathBuf,
    /// The size of the program in bytes.
    pub bytes: u64,
}

impl Tools {
    /// The program of the tool of that name.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Builds all tools into `target/tools`. The same sources give the same files.
///
/// # Errors
/// If they can't be built or written, or the program is not static.
pub fn build() -> Result<Tools> {
    let directory = paths::target().join("tools");
    let program = compile()?;
    let bytes = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    check_static(&bytes).with_context(|| program.display().to_string())?;
    install(&program, &directory)?;
    write_documents(&directory.join("share"))?;
    Ok(Tools { directory, bytes: bytes.len() as u64 })
}

/// Writes manual pages and completions into a directory that is laid out as `/usr/share`.
///
/// # Errors
/// If they can't be written.
pub fn write_documents(share: &Path) -> Result<()> {
    for tool in TOOLS {
        let page = share.join("man/man1").join(format!("{}.1", tool.name));
        write(&page, manual::page(tool).as_bytes())?;
        write_completions(tool, share)?;
    }
    Ok(())
}

/// Compiles the program, static, in a directory of its own: with other flags for the compiler,
/// cargo would build everything anew each time the developer's programs and these take turns.
fn compile() -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let build = std::env::var_os("CARGO_TARGET_DIR").map_or_else(paths::target, PathBuf::from);
    let build = build.join("tools-build");
    // Paths of this machine are in the messages of panics; without them, the same sources give
    // the same program elsewhere.
    let remap = |from: PathBuf, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags =
        vec!["-Ctarget-feature=+crt-static".to_owned(), "-Crelocation-model=static".to_owned()];
    flags.push(remap(paths::workspace().to_owned(), "."));
    if let Some(home) = cargo_home() {
        flags.push(remap(home, "cargo"));
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--package", PACKAGE, "--bin", PACKAGE, "--release", "--locked"])
        // With a target, the flags are not for build scripts and macros, which can't be static.
        .args(["--target", &target, "--target-dir"])
        .arg(&build)
        .arg("--config")
        .arg(format!("target.{target}.rustflags={flags:?}"))
        .current_dir(paths::workspace())
        // They would replace those of the configuration.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdout(Stdio::inherit());
    command::run(&mut cargo).context("the tools could not be built")?;
    Ok(build.join(target).join("release").join(PACKAGE))
}

fn cargo_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
}

/// Checks that a program runs by itself: it names no loader and no libraries.
fn check_static(bytes: &[u8]) -> Result<()> {
    let file = ElfFile64::<object::Endianness>::parse(bytes)?;
    for segment in file.elf_program_headers() {
        match segment.p_type(file.endian()) {
            PT_INTERP => bail!("the program is not static: it names a loader"),
            PT_DYNAMIC => bail!("the program is not static: it names libraries"),
            _ => {}
        }
    }
    Ok(())
}

/// Puts the program into `directory` under each tool's name: links of one file, so that all
/// tools together take the space of one, and one that is copied elsewhere is still whole (as it
/// would not be with symbolic links).
fn install(program: &Path, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let whole = directory.join(PACKAGE);
    // Under another name first: a program that runs can't be written to, and nobody should see
    // half of one.
    let fresh = tempfile::NamedTempFile::new_in(directory)?.into_temp_path();
    fs::copy(program, &fresh).with_context(|| format!("cannot write {}", fresh.display()))?;
    fresh.persist(&whole).with_context(|| format!("cannot write {}", whole.display()))?;
    for tool in TOOLS {
        let path = directory.join(tool.name);
        let link = tempfile::Builder::new()
            .make_in(directory, |link| fs::hard_link(&whole, link))
            .with_context(|| format!("cannot link {}", path.display()))?
            .into_temp_path();
        link.persist(&path).with_context(|| format!("cannot link {}", path.display()))?;
    }
    Ok(())
}

fn write_completions(tool: &Tool, share: &Path) -> Result<()> {
    for (shell, place) in [
        (Shell::Bash, format!("bash-completion/completions/{}", tool.name)),
        (Shell::Zsh, format!("zsh/site-functions/_{}", tool.name)),
        (Shell::Fish, format!("fish/vendor_completions.d/{}.fish", tool.name)),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut tool.command(), tool.name, &mut script);
        ensure!(!script.is_empty(), "no completions of {} for {shell}", tool.name);
        write(&share.join(place), &script)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}
