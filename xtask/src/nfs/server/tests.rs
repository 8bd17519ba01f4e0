//! Against an independent client, over TCP.

use super::*;
use crate::nfs::Operation;
use nfs3_client::Nfs3ConnectionBuilder;
use nfs3_client::tokio::{TokioConnector, TokioIo};
use nfs3_server::nfs3_types::nfs3::*;
use nfs3_server::nfs3_types::xdr_codec::Opaque;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;
use tokio::net::TcpStream;

type Connection = nfs3_client::Nfs3Connection<TokioIo<TcpStream>>;

/// A client that blocks, as a kernel's does.
struct Client {
    runtime: Runtime,
    connection: Connection,
}

macro_rules! call {
    ($client:expr, $method:ident, $arguments:expr) => {{
        let arguments = $arguments;
        $client.runtime.block_on($client.connection.$method(&arguments)).unwrap()
    }};
}

impl Client {
    fn mount(server: &Server) -> Self {
        Self::try_mount(server, "/proj").unwrap()
    }

    fn try_mount(server: &Server, path: &str) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(
            Nfs3ConnectionBuilder::new(TokioConnector, "127.0.0.1", path)
                .connect_from_privileged_port(false)
                .mount_port(server.port())
                .nfs3_port(server.port())
                .mount(),
        )?;
        Ok(Self { runtime, connection })
    }

    fn at<'a>(&self, name: &'a str) -> diropargs3<'a> {
        diropargs3 { dir: self.connection.root_nfs_fh3(), name: name.as_bytes().into() }
    }

    fn create(&mut self, name: &str, how: createhow3) -> Result<nfs_fh3, nfsstat3> {
        match call!(self, create, CREATE3args { where_: self.at(name), how }) {
            Nfs3Result::Ok(made) => Ok(made.obj.unwrap()),
            Nfs3Result::Err((status, _)) => Err(status),
        }
    }

    fn make(&mut self, name: &str) -> nfs_fh3 {
        self.create(name, createhow3::UNCHECKED(sattr3::default())).unwrap()
    }

    fn write(&mut self, file: &nfs_fh3, offset: u64, data: &[u8]) -> Result<(), nfsstat3> {
        let arguments = WRITE3args {
            file: file.clone(),
            offset,
            count: data.len().try_into().unwrap(),
            stable: stable_how::UNSTABLE,
            data: Opaque::borrowed(data),
        };
        match call!(self, write, arguments) {
            Nfs3Result::Ok(written) => {
                assert_eq!(written.committed, stable_how::UNSTABLE);
                Ok(())
            }
            Nfs3Result::Err((status, _)) => Err(status),
        }
    }

    fn commit(&mut self, file: &nfs_fh3) -> Result<(), nfsstat3> {
        let arguments = COMMIT3args { file: file.clone(), offset: 0, count: 0 };
        match call!(self, commit, arguments) {
            Nfs3Result::Ok(_) => Ok(()),
            Nfs3Result::Err((status, _)) => Err(status),
        }
    }

    fn read(&mut self, file: &nfs_fh3) -> Result<Vec<u8>, nfsstat3> {
        let mut all = Vec::new();
        loop {
            let (offset, count) = (all.len() as u64, 1 << 20);
            let arguments = READ3args { file: file.clone(), offset, count };
            match call!(self, read, arguments) {
                Nfs3Result::Ok(part) => {
                    all.extend_from_slice(&part.data);
                    if part.eof {
                        return Ok(all);
                    }
                }
                Nfs3Result::Err((status, _)) => return Err(status),
            }
        }
    }

    fn lookup(&mut self, name: &str) -> Result<nfs_fh3, nfsstat3> {
        match call!(self, lookup, LOOKUP3args { what: self.at(name) }) {
            Nfs3Result::Ok(found) => Ok(found.object),
            Nfs3Result::Err((status, _)) => Err(status),
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), nfsstat3> {
        match call!(self, rename, RENAME3args { from: self.at(from), to: self.at(to) }) {
            Nfs3Result::Ok(_) => Ok(()),
            Nfs3Result::Err((status, _)) => Err(status),
        }
    }

    fn remove(&mut self, name: &str) -> Result<(), nfsstat3> {
        match call!(self, remove, REMOVE3args { object: self.at(name) }) {
            Nfs3Result::Ok(_) => Ok(()),
            Nfs3Result::Err((status, _)) => Err(status),
        }
    }
}

fn export() -> (TempDir, Server) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::started(directory.path(), "/proj").unwrap();
    (directory, server)
}

#[test]
fn what_is_written_is_on_the_host_and_can_be_read_back() {
    let (directory, server) = export();
    let mut client = Client::mount(&server);
    let file = client.make("image.tmp");
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for (index, part) in data.chunks(1 << 20).enumerate() {
        client.write(&file, (index << 20) as u64, part).unwrap();
    }
    client.commit(&file).unwrap();
    assert_eq!(fs::read(directory.path().join("image.tmp")).unwrap(), data);
    assert_eq!(client.read(&file).unwrap(), data);
    let statistics = server.statistics();
    assert_eq!((statistics.bytes_written, statistics.bytes_read), (3_000_000, 3_000_000));
    assert_eq!(statistics.count(Operation::Write), 3);
    assert_eq!(statistics.count(Operation::Commit), 1);
}

#[test]
fn a_rename_replaces_and_keeps_the_handle() {
    let (directory, server) = export();
    let mut client = Client::mount(&server);
    fs::write(directory.path().join("image"), b"old").unwrap();
    let old = client.lookup("image").unwrap();
    let file = client.make("image.tmp");
    client.write(&file, 0, b"fresh").unwrap();
    client.rename("image.tmp", "image").unwrap();
    assert_eq!(fs::read(directory.path().join("image")).unwrap(), b"fresh");
    assert_eq!(client.read(&file).unwrap(), b"fresh");
    assert_eq!(client.read(&old), Err(nfsstat3::NFS3ERR_STALE));
    assert_eq!(client.lookup("image.tmp"), Err(nfsstat3::NFS3ERR_NOENT));
    client.remove("image").unwrap();
    assert_eq!(client.read(&file), Err(nfsstat3::NFS3ERR_STALE));
}

#[test]
fn links_are_read_but_never_followed() {
    let (directory, server) = export();
    let mut client = Client::mount(&server);
    symlink("../sig/base.sig", directory.path().join("node.sig")).unwrap();
    symlink("/etc/passwd", directory.path().join("escape")).unwrap();
    let link = client.lookup("node.sig").unwrap();
    let target = call!(client, readlink, READLINK3args { symlink: link }).unwrap();
    assert_eq!(target.data.as_ref(), b"../sig/base.sig");
    let escape = client.lookup("escape").unwrap();
    assert_eq!(client.read(&escape), Err(nfsstat3::NFS3ERR_INVAL));
    assert_eq!(client.write(&escape, 0, b"x"), Err(nfsstat3::NFS3ERR_INVAL));
    let how = createhow3::UNCHECKED(sattr3::default());
    assert_eq!(client.create("escape", how), Err(nfsstat3::NFS3ERR_EXIST));
    for name in ["a/b", "", "../x"] {
        assert_eq!(client.lookup(name), Err(nfsstat3::NFS3ERR_INVAL), "{name}");
    }
    // Above the root is the root.
    assert_eq!(client.lookup("..").unwrap().data, client.connection.root_nfs_fh3().data);
}

#[test]
fn attributes_are_set() {
    let (directory, server) = export();
    let mut client = Client::mount(&server);
    let object = client.make("file");
    client.write(&object, 0, b"0123456789").unwrap();
    let new_attributes = sattr3 {
        mode: Nfs3Option::Some(0o640),
        size: Nfs3Option::Some(4),
        mtime: set_mtime::SET_TO_CLIENT_TIME(nfstime3 { seconds: 1_000_000, nseconds: 5 }),
        ..sattr3::default()
    };
    let guard = Nfs3Option::None;
    call!(client, setattr, SETATTR3args { object: object.clone(), new_attributes, guard }).unwrap();
    let attributes = call!(client, getattr, GETATTR3args { object }).unwrap().obj_attributes;
    assert_eq!((attributes.size, attributes.mode & 0o777), (4, 0o640));
    assert_eq!(attributes.mtime, nfstime3 { seconds: 1_000_000, nseconds: 5 });
    let metadata = fs::metadata(directory.path().join("file")).unwrap();
    assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (4, 0o640));
}

#[test]
fn exclusive_creates_happen_once() {
    let (_directory, server) = export();
    let mut client = Client::mount(&server);
    let exclusive = |verifier| createhow3::EXCLUSIVE(createverf3([verifier; 8]));
    let made = client.create("lock", exclusive(1)).unwrap();
    // The same verifier is the same request again, after a lost answer.
    assert_eq!(client.create("lock", exclusive(1)).unwrap().data, made.data);
    assert_eq!(client.create("lock", exclusive(2)), Err(nfsstat3::NFS3ERR_EXIST));
}

#[test]
fn a_large_directory_is_listed_completely() {
    let (directory, server) = export();
    let mut client = Client::mount(&server);
    for index in 0..500 {
        fs::write(directory.path().join(format!("file-{index}")), b"").unwrap();
    }
    let (mut names, mut cookie) = (Vec::new(), 0);
    loop {
        let arguments = READDIRPLUS3args {
            dir: client.connection.root_nfs_fh3(),
            cookie,
            cookieverf: cookieverf3::default(),
            dircount: 2048,
            maxcount: 8192,
        };
        let reply = call!(client, readdirplus, arguments).unwrap().reply;
        for entry in reply.entries.0 {
            cookie = entry.cookie;
            names.push(String::from_utf8(entry.name.as_ref().to_vec()).unwrap());
        }
        if reply.eof {
            break;
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 500);
}

#[test]
fn faults_come_and_go() {
    let (directory, server) = export();
    let mut client = Client::mount(&server);
    let file = client.make("file");

    server.set_faults(Faults { no_space_after: Some(6), ..Faults::default() });
    client.write(&file, 0, b"sixsix").unwrap();
    assert_eq!(client.write(&file, 6, b"x"), Err(nfsstat3::NFS3ERR_NOSPC));

    server.set_faults(Faults { read_only: true, ..Faults::default() });
    assert_eq!(client.write(&file, 0, b"x"), Err(nfsstat3::NFS3ERR_ROFS));
    assert_eq!(client.rename("file", "other"), Err(nfsstat3::NFS3ERR_ROFS));
    assert_eq!(client.read(&file).unwrap(), b"sixsix");

    server.set_faults(Faults { fail: [Operation::Commit].into(), ..Faults::default() });
    assert_eq!(client.commit(&file), Err(nfsstat3::NFS3ERR_IO));

    server.set_faults(Faults { damage_byte: Some(7), ..Faults::default() });
    client.write(&file, 6, b"aaa").unwrap();
    assert_eq!(fs::read(directory.path().join("file")).unwrap(), b"sixsixa\x9ea");

    server.set_faults(Faults::default());
    client.commit(&file).unwrap();
}

#[test]
fn a_restarted_server_knows_the_handles() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::new(directory.path(), "/proj").unwrap();
    assert!(Client::try_mount(&server, "/proj").is_err());
    server.start().unwrap();
    assert!(server.start().is_err());
    let mut client = Client::mount(&server);
    let file = client.make("file");
    client.write(&file, 0, b"before").unwrap();
    server.stop();
    assert!(Client::try_mount(&server, "/proj").is_err());
    server.start().unwrap();
    let mut client = Client::mount(&server);
    assert_eq!(client.read(&file).unwrap(), b"before");
}

#[test]
fn only_the_export_can_be_mounted() {
    let (directory, server) = export();
    assert!(Client::try_mount(&server, "/etc").is_err());
    assert!(Client::try_mount(&server, "/proj/none").is_err());
    fs::create_dir_all(directory.path().join("testbed/exp")).unwrap();
    Client::try_mount(&server, "/proj/testbed").unwrap();
    assert!(Server::new(&directory.path().join("absent"), "/proj").is_err());
}

#[test]
fn a_port_that_somebody_else_has_is_told_from_other_errors() {
    let directory = TempDir::new().unwrap();
    let mut server = Server::new(directory.path(), "/proj").unwrap();
    let other = TcpListener::bind(("127.0.0.1", server.port())).unwrap();
    let error = server.start().unwrap_err();
    assert!(is_taken(&error), "{error:?}");
    drop(other);
    server.start().unwrap();
    assert!(!is_taken(&server.start().unwrap_err()));
}
