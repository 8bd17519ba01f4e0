//! As whom a thread uses the file server.
//!
//! The server trusts the numbers that a thread has, and may treat root as nobody. So every
//! thread that uses `/proj` becomes the user whose files they are. It keeps its real and saved
//! user number 0, and so can become root again; opening devices and mounting need root. A new
//! thread is whoever the thread is that starts it.

use rustix::io::Result;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::cmdline::Credentials;

/// Makes the calling thread use files as `credentials` say.
pub fn become_user(credentials: &Credentials) -> Result<()> {
    let gid = Gid::from_raw(credentials.gid);
    let mut groups = heapless::Vec::<Gid, 16>::new();
    // The first of the groups is what servers look at first; NFS carries 16.
    let all = core::iter::once(&credentials.gid).chain(&credentials.groups);
    groups.extend(all.map(|group| Gid::from_raw(*group)));
    // The user last: only root may do the rest.
    set_thread_groups(&groups)?;
    set_thread_res_gid(None, gid, None)?;
    set_thread_res_uid(None, Uid::from_raw(credentials.uid), None)
}

/// Makes the calling thread root again.
pub fn become_root() -> Result<()> {
    set_thread_res_uid(None, Uid::ROOT, None)?;
    set_thread_res_gid(None, Gid::ROOT, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn files_are_the_users_until_root_is_back() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::os::unix::fs::chown(path, Some(20001), Some(6000)).unwrap();
        let groups = heapless::Vec::from_slice(&[6001]).unwrap();
        // Numbers are a thread's own, so the other tests don't notice.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                become_user(&Credentials { uid: 20001, gid: 6000, groups }).unwrap();
                std::fs::write(path.join("user"), "").unwrap();
                assert!(std::fs::read("/etc/shadow").is_err());
                become_root().unwrap();
                std::fs::write(path.join("root"), "").unwrap();
            });
        });
        let owner = |name| {
            let metadata = std::fs::metadata(path.join(name)).unwrap();
            (metadata.uid(), metadata.gid())
        };
        assert_eq!(owner("user"), (20001, 6000));
        assert_eq!(owner("root"), (0, 0));
    }
}
