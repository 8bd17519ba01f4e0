//! Versions of NFS, and the options that the kernel's client takes for each (nfs(5)).
//!
//! mount(2) negotiates nothing, neither the version nor the minor version of NFSv4: nfs(5)
//! describes what mount.nfs(8) does by trying, and so does this.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::Ipv4Addr;

use rustix::io::Errno;

use crate::failure::{FailureKind, Result};

/// A version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 1813.
    V3,
    /// RFC 7530.
    V4_0,
    /// RFC 8881.
    V4_1,
    /// RFC 7862.
    V4_2,
}

/// The usual version of testbeds first, then the newest.
const ALL: [Version; 4] = [Version::V3, Version::V4_2, Version::V4_1, Version::V4_0];

impl Version {
    /// The versions to try with the options of `mfs.nfs=`. What they name is binding.
    ///
    /// # Errors
    /// `CommandLine`: a version that there isn't.
    pub fn of_options(options: &str) -> Result<&'static [Self]> {
        let Some(named) = options.split(',').filter_map(named).next_back() else {
            return Ok(&ALL);
        };
        match named {
            "3" => Ok(&[Self::V3]),
            "4" => Ok(&[Self::V4_2, Self::V4_1, Self::V4_0]),
            "4.0" => Ok(&[Self::V4_0]),
            "4.1" => Ok(&[Self::V4_1]),
            "4.2" => Ok(&[Self::V4_2]),
            _ => Err(FailureKind::CommandLine.because(format_args!(
                "mfs.nfs={options}: the version must be 3, 4, 4.0, 4.1 or 4.2"
            ))),
        }
    }

    /// All options of a mount, with the `extra` ones of `mfs.nfs=`.
    ///
    /// Data is not given up, whatever `extra` says: `hard`, or a hole could come into a file. There
    /// is no daemon for version 3's locks: `nolock`. An attempt to reach the server may take a
    /// minute before the client says so: `timeo` is in tenths of a second. What is written is sent
    /// at once and stored when it is synced: `write=eager`. Otherwise the client collects it for
    /// seconds, and has each batch stored by a request of its own. The sizes of requests
    /// are the largest that both sides can, and the port is one that only root can use; those are
    /// the client's defaults. It finds out the address for version 4.0's callbacks by itself.
    pub fn options(self, server: Ipv4Addr, extra: &str) -> String {
        let mut options = String::from("proto=tcp,timeo=600,retrans=2,write=eager");
        if self == Self::V3 {
            options.push_str(",mountproto=tcp,nolock");
        }
        for option in extra.split(',').filter(|option| !option.is_empty()) {
            let of_version_3 = option == "nolock" || option.starts_with("mount");
            let left_out = matches!(option, "soft" | "softerr" | "hard")
                || (of_version_3 && self != Self::V3)
                || named(option).is_some();
            if !left_out {
                options.push(',');
                options.push_str(option);
            }
        }
        let number = self.number();
        format!("vers={number},{options},hard,addr={server}")
    }

    /// Whether this error of mount(2) says that the server doesn't speak the version: its port
    /// mapper doesn't know the mount service, that isn't there, or the version is none of the
    /// service's.
    pub fn is_not_spoken(self, errno: Errno) -> bool {
        match errno {
            Errno::CONNREFUSED | Errno::PROTONOSUPPORT | Errno::OPNOTSUPP => true,
            // What some servers answer for a minor version that they don't know.
            Errno::INVAL => matches!(self, Self::V4_2 | Self::V4_1),
            _ => false,
        }
    }

    const fn number(self) -> &'static str {
        match self {
            Self::V3 => "3",
            Self::V4_0 => "4.0",
            Self::V4_1 => "4.1",
            Self::V4_2 => "4.2",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NFSv{}", self.number())
    }
}

/// The version that an option names: `vers=4.2`, `nfsvers=4.2` or `v4.2`.
fn named(option: &str) -> Option<&str> {
    let long = option.strip_prefix("vers=").or_else(|| option.strip_prefix("nfsvers="));
    let short = || option.strip_prefix('v').filter(|rest| rest.starts_with(['2', '3', '4']));
    long.or_else(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_named_is_binding() {
        let of = |options| Version::of_options(options).unwrap();
        assert_eq!(of(""), ALL);
        assert_eq!(of("port=2049"), ALL);
        assert_eq!(of("vers=3,port=2049"), [Version::V3]);
        assert_eq!(of("rsize=8192,vers=4"), [Version::V4_2, Version::V4_1, Version::V4_0]);
        assert_eq!(of("v4.1"), [Version::V4_1]);
        assert_eq!(of("nfsvers=3,vers=4.0"), [Version::V4_0]);
        for bad in ["vers=2", "vers=", "v2", "vers=5"] {
            let failure = Version::of_options(bad).unwrap_err();
            assert_eq!(failure.kind, FailureKind::CommandLine, "{bad}");
        }
    }

    #[test]
    fn options_are_those_of_the_version_and_hard() {
        let server = Ipv4Addr::new(10, 0, 2, 2);
        assert_eq!(
            Version::V3.options(server, "vers=3,port=1,mountport=2,nolock,soft,rsize=4096"),
            "vers=3,proto=tcp,timeo=600,retrans=2,write=eager,mountproto=tcp,nolock,port=1,mountport=2,nolock,\
             rsize=4096,hard,addr=10.0.2.2"
        );
        assert_eq!(
            Version::V4_2.options(server, "port=1,mountport=2,mountproto=tcp,nolock"),
            "vers=4.2,proto=tcp,timeo=600,retrans=2,write=eager,port=1,hard,addr=10.0.2.2"
        );
    }
}
