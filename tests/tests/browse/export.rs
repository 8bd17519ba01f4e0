//! What `imagenbd` lets others read, against the loaded disk, in qemu's words.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xtask::command::{fed, stdout, tool};
use xtask::process::{Tied, tied_command};

use crate::bench::{Bench, installed, noise};
use crate::client::Client;

/// How long a server may take to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// A server that runs.
pub(crate) struct Running {
    child: Tied,
    pub(crate) socket: PathBuf,
    pub(crate) uri: String,
}

impl Running {
    /// A server that is ready.
    pub(crate) fn start(bench: &Bench, arguments: &[&str]) -> Result<Self> {
        let socket = bench.path("socket");
        let program = installed()?.program("imagenbd");
        let mut command = tied_command(program.to_str().context("the tools' path")?);
        command.current_dir(bench.path("")).arg("--socket").arg(&socket).args(arguments);
        command.stdout(Stdio::piped());
        let mut child = Tied::start(command)?;
        let mut line = String::new();
        let output = child.child().stdout.take().context("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let uri = line.trim_end().strip_prefix("imagenbd: ready at ");
        let uri = uri.with_context(|| format!("not ready: {line}"))?.to_owned();
        Ok(Self { child, socket, uri })
    }

    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.status()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK);
        }
        bail!("the server has not ended")
    }

    fn signal(&self, name: &str) -> Result<()> {
        let line = format!("kill -s {name} {}", self.child.id());
        stdout(tool("sh").args(["-c", &line])).map(drop)
    }
}

fn qemu(program: &str) -> Command {
    let mut command = tool("timeout");
    command.args(["60", program]);
    command
}

/// A disk with partitions and a delta: `base.ndz` and `delta.ndz`; and both loaded: `loaded.img`.
pub(crate) fn prepare() -> Result<Bench> {
    let bench = Bench::new()?;
    let disk = bench.blank("disk.img", 48)?;
    fed(tool("sfdisk").arg("--quiet").arg(&disk), "label: dos\n2048,40960,83\n43008,20480,83\n")?;
    let tree = bench.path("tree");
    fs::create_dir(&tree)?;
    fs::write(tree.join("file"), noise(1, 3 << 20))?;
    let part = bench.formatted("part.img", 20, &format!("mkfs.ext4 -q -d {}", tree.display()))?;
    let file = fs::File::options().write(true).open(&disk)?;
    file.write_all_at(&fs::read(part)?, 1 << 20)?;
    file.write_all_at(&noise(2, 2 << 20), 21 << 20)?;
    bench.run("imagezip", &["-U", "base.sig", "disk.img", "base.ndz"])?;
    file.write_all_at(&noise(3, 100_000), (22 << 20) + 7)?;
    bench.run("imagezip", &["-H", "base.sig", "disk.img", "delta.ndz"])?;
    bench.blank("loaded.img", 48)?;
    for image in ["base.ndz", "delta.ndz"] {
        bench.run("imageunzip", &[image, "loaded.img"])?;
    }
    Ok(bench)
}

#[test]
fn qemu_reads_the_loaded_disk() -> Result<()> {
    let bench = prepare()?;
    let loaded = bench.path("loaded.img");
    let mut server = Running::start(&bench, &["base.ndz", "delta.ndz"])?;
    let mode = fs::metadata(&server.socket)?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let info = stdout(qemu("qemu-img").args(["info", "--output=json"]).arg(&server.uri))?;
    let info: serde_json::Value = serde_json::from_str(&info)?;
    assert_eq!(info["virtual-size"], 48 << 20);
    let list = stdout(tool("qemu-nbd").args(["--list", "-k"]).arg(&server.socket))?;
    for words in ["size:  50331648", "( readonly", "base:allocation"] {
        assert!(list.contains(words), "no {words:?} in {list}");
    }
    let compare = |from: &str| {
        stdout(qemu("qemu-img").args(["compare", "-f", "raw", "-F", "raw", from]).arg(&loaded))
    };
    compare(&server.uri)?;
    // Several at once.
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| compare(&server.uri))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(outcome) => outcome.map(drop),
            Err(_) => bail!("a thread panicked"),
        })
    })?;

    // Holes are told, and copies are sparse.
    let map = stdout(qemu("qemu-img").args(["map", "--output=json"]).arg(&server.uri))?;
    let map: serde_json::Value = serde_json::from_str(&map)?;
    let data = map.as_array().context("no map")?.iter().filter(|part| part["data"] == true);
    let data: u64 = data.filter_map(|part| part["length"].as_u64()).sum();
    assert!(((5 << 20)..(20 << 20)).contains(&data), "{data}");
    let copy = bench.path("copy.img");
    stdout(qemu("qemu-img").args(["convert", "-O", "raw", &server.uri]).arg(&copy))?;
    assert!(fs::read(&copy)? == fs::read(&loaded)?);

    // Any bytes, also such as begin and end inside of sectors.
    let mut client = Client::connect(&server.socket)?;
    assert_eq!(client.go()?, 48 << 20);
    let disk = fs::read(&loaded)?;
    for (offset, len) in [(0, 1), (511, 2), ((22 << 20) + 3, 70_001), ((48 << 20) - 5, 5)] {
        client.request(0, offset, len)?;
        assert_eq!(client.reply()?, 0);
        let mut bytes = vec![0; usize::try_from(len)?];
        std::io::Read::read_exact(&mut client.0, &mut bytes)?;
        let at = usize::try_from(offset)?;
        assert!(bytes == disk[at..at + bytes.len()], "{offset}");
    }

    let read =
        stdout(qemu("qemu-io").args(["-r", "-f", "raw", "-c", "read 1M 4M"]).arg(&server.uri))?;
    assert!(read.contains("read 4194304/4194304 bytes"), "{read}");
    // Nobody can write.
    let write =
        qemu("qemu-io").args(["-f", "raw", "-c", "write 0 4k"]).arg(&server.uri).output()?;
    assert!(!write.status.success());

    server.signal("TERM")?;
    let status = server.wait()?;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    assert!(!server.socket.exists());
    Ok(())
}

#[test]
fn a_partition_alone() -> Result<()> {
    let bench = prepare()?;
    let mut server =
        Running::start(&bench, &["--once", "--partition", "2", "base.ndz", "delta.ndz"])?;
    let copy = bench.path("copy.img");
    stdout(qemu("qemu-img").args(["convert", "-O", "raw", &server.uri]).arg(&copy))?;
    let loaded = fs::read(bench.path("loaded.img"))?;
    let expected = loaded.get(21 << 20..31 << 20).context("too small a disk")?;
    assert!(fs::read(&copy)? == expected);
    // The last client has gone.
    assert!(server.wait()?.success());
    assert!(!server.socket.exists());
    let none = bench.outcome("imagenbd", &["-s", "socket", "-p", "3", "base.ndz"])?;
    assert!(
        String::from_utf8_lossy(&none.stderr).contains("base.ndz has no partition 3, only 1, 2")
    );
    Ok(())
}

#[test]
fn a_socket_is_replaced_only_if_nobody_answers() -> Result<()> {
    let bench = prepare()?;
    let mut first = Running::start(&bench, &["base.ndz"])?;
    let second = bench.outcome("imagenbd", &["-s", "socket", "base.ndz"])?;
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(second.status.code() == Some(1) && said.contains("a server answers there"), "{said}");
    Client::connect(&first.socket)?.go()?;
    // It can't remove its socket.
    first.signal("KILL")?;
    first.wait()?;
    ensure!(first.socket.exists(), "the socket has gone");
    let third = Running::start(&bench, &["base.ndz"])?;
    Client::connect(&third.socket)?.go()?;
    drop(third);

    let other = bench.outcome("imagenbd", &["-s", "disk.img", "base.ndz"])?;
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(said.contains("no socket") && fs::metadata(bench.path("disk.img"))?.len() == 48 << 20);
    Ok(())
}
