//! A project's "imagezip" that tries what it must not be able to do. It says what it could and
//! what it couldn't. Then it makes `answer.ndz` its image, or fails with status 3 if there is none.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

unsafe extern "C" {
    fn fork() -> i32;
    fn setsid() -> i32;
    fn kill(pid: i32, signal: i32) -> i32;
    fn setuid(uid: u32) -> i32;
    fn unshare(flags: i32) -> i32;
}

fn tried<T>(what: &str, result: Result<T, Error>) {
    match result {
        Ok(_) => println!("could: {what}"),
        Err(error) => println!("could not: {what}: {error}"),
    }
}

fn called(result: i32) -> Result<(), Error> {
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

fn writable(path: &str) -> Result<File, Error> {
    OpenOptions::new().write(true).open(path)
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    println!("arguments: {}", arguments.join(" "));
    println!("environment: {}", std::env::vars().count());
    let status = fs::read_to_string("/proc/self/status").unwrap();
    for key in ["Uid:", "Gid:", "Groups:", "CapPrm:", "CapEff:", "NoNewPrivs:"] {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        println!("status: {}", line.replace('\t', " "));
    }
    let disk = &arguments[arguments.len() - 2];
    let mut sector = [0; 512];
    File::open(disk).unwrap().read_exact(&mut sector).unwrap();
    println!("read: {:02x}{:02x}", sector[510], sector[511]);

    tried("write to the disk", writable(disk));
    tried("change the disk's mode", fs::set_permissions(disk, PermissionsExt::from_mode(0o666)));
    tried("read the first partition", File::open(format!("{disk}1")));
    tried("write to the memory of PID 1", writable("/proc/1/mem"));
    tried("read the memory of PID 1", File::open("/proc/1/mem"));
    tried("look at the files of PID 1", fs::read_dir("/proc/1/fd"));
    tried("signal PID 1", called(unsafe { kill(1, 0) }));
    tried("become root", called(unsafe { setuid(0) }));
    // CLONE_NEWUSER
    tried("be root among its own users", called(unsafe { unshare(0x1000_0000) }));
    for path in ["/x", "/dev/x", "/run/x", "/tmp/x", "/proc/x", "/sys/x"] {
        tried(path, File::create(path));
    }
    for path in ["/init", "/dev/watchdog", "/dev/mem", "/proc/sysrq-trigger", "/dev/console"] {
        tried(path, writable(path));
    }
    // Boss' key is among them.
    tried("read the kernel's words", fs::read("/proc/cmdline"));
    tried("read the kernel's log", File::open("/dev/kmsg"));
    tried("the network", TcpStream::connect("10.0.2.2:2049"));

    // One that stays: it has a session of its own and keeps the output open.
    if unsafe { fork() } == 0 {
        unsafe { setsid() };
        loop {
            std::thread::sleep(std::time::Duration::from_secs(3600));
        }
    }
    if fs::copy("answer.ndz", arguments.last().unwrap()).is_err() {
        std::process::exit(3);
    }
}
