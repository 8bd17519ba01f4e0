//! The numbers of a user: the replies to `accounts`.
//!
//! A reply holds the password hashes of a whole project, so nothing of it is ever shown, and only
//! numbers leave this module.

use alloc::format;
use core::str::from_utf8;

use super::login::Login;
use super::reply::Answer;
use super::words::{Words, lines, value};
use crate::cmdline::Credentials;

/// As whom to use the files of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The numbers; the experiment's group is the first.
    pub credentials: Credentials,
    /// How many groups there was no room for: NFS carries 16.
    pub left_out: usize,
}

impl Account {
    /// Finds `login` in a reply.
    pub fn find(reply: &[u8], login: &Login) -> Answer<Self> {
        match Self::read(reply, login) {
            Ok(Some(account)) => Answer::Good(account),
            Ok(None) => Answer::Bad(format!(
                "there is no account of {login} in it; the swapper has to be a member of the \
                 experiment's project"
            )),
            Err(why) => Answer::Bad(format!("the account of {login}: {why}")),
        }
    }

    fn read(reply: &[u8], login: &Login) -> Result<Option<Self>, &'static str> {
        let mut found: Option<Self> = None;
        for line in lines(reply) {
            if !starts_with(line, b"ADDUSER") || !says_login(line, login) {
                continue;
            }
            let account = Self::read_user(line)?;
            if found.as_ref().is_some_and(|earlier| *earlier != account) {
                return Err("it is there twice, with different numbers");
            }
            found = Some(account);
        }
        Ok(found)
    }

    fn read_user(line: &[u8]) -> Result<Self, &'static str> {
        if value(line, "LOGIN")?.is_none() {
            return Err("it has no LOGIN=");
        }
        let uid = number(value(line, "UID")?).ok_or("UID= is not a number")?;
        let gid = number(value(line, "GID")?).ok_or("GID= is not a number")?;
        if uid == 0 || gid == 0 {
            return Err("it has root's number");
        }
        let mut groups = heapless::Vec::new();
        let mut left_out = 0_usize;
        let list = value(line, "GLIST")?.unwrap_or_default();
        let list = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        for group in list.filter(|group| !group.is_empty()) {
            let group = number(Some(group)).ok_or("GLIST= has something that is not a number")?;
            // Root's group opens more than a user's files.
            if group == 0 || group == gid || groups.contains(&group) {
                continue;
            }
            if groups.push(group).is_err() {
                left_out = left_out.saturating_add(1);
            }
        }
        let credentials = Credentials { uid, gid, groups };
        Ok(Self { credentials, left_out })
    }
}

fn starts_with(line: &[u8], command: &[u8]) -> bool {
    Words(line).next().is_some_and(|word| word.key == command && word.value.is_empty())
}

/// Whether any `LOGIN=` of the line is this one; whether there are several is another matter.
fn says_login(line: &[u8], login: &Login) -> bool {
    Words(line).any(|word| word.key == b"LOGIN" && word.value == login.as_str().as_bytes())
}

/// A decimal number that is somebody's: the highest means "as it is" to setresuid(2).
fn number(text: Option<&[u8]>) -> Option<u32> {
    let text = text?;
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = from_utf8(text).ok()?.parse().ok()?;
    (number != u32::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const REPLY: &str = "ADDGROUP NAME=testbed GID=6000\n\
        ADDGROUP NAME=tbsub GID=6001\n\
        ADDGROUP NAME=foreign GID=7000\n\
        ADDUSER LOGIN=mike PSWD=$1$x$yyyy UID=20001 GID=6001 ROOT=1 NAME=\"M. UID=0 H\" \
        HOMEDIR=/users/mike GLIST=\"6000,6001,6002\" SERIAL=3 EMAIL=\"m@x\" SHELL=tcsh\n\
        PUBKEY LOGIN=mike KEY=\"ssh-rsa AAAA mike UID=5\"\n\
        ADDUSER LOGIN=ann PSWD=* UID=20002 GID=6000 ROOT=0 NAME=\"A\" HOMEDIR=/users/ann GLIST=\"\" SERIAL=1\n";

    fn login(text: &str) -> Login {
        Login::new(text.as_bytes()).unwrap()
    }

    fn find(reply: &[u8], name: &str) -> Result<Account, String> {
        match Account::find(reply, &login(name)) {
            Answer::Good(account) => Ok(account),
            Answer::Bad(why) => Err(why),
            Answer::Doubtful(_) => panic!("doubtful"),
        }
    }

    #[test]
    fn the_experiments_group_is_first() {
        let mike = find(REPLY.as_bytes(), "mike").unwrap();
        let Credentials { uid, gid, groups } = &mike.credentials;
        assert_eq!((*uid, *gid, groups.as_slice()), (20001, 6001, &[6000, 6002][..]));
        let ann = find(REPLY.as_bytes(), "ann").unwrap();
        assert_eq!((ann.credentials.gid, ann.credentials.groups.len()), (6000, 0));
        let crlf = REPLY.replace('\n', "\r\n");
        assert_eq!(find(crlf.as_bytes(), "mike").unwrap(), mike);
        let twice = REPLY.repeat(2);
        assert_eq!(find(twice.as_bytes(), "mike").unwrap(), mike);
    }

    #[test]
    fn who_is_not_there_is_named() {
        let why = find(REPLY.as_bytes(), "mik").unwrap_err();
        assert!(why.contains("no account of mik "), "{why}");
        assert!(find(b"", "mike").is_err());
        // A comment of a key is not an account.
        assert!(find(b"PUBKEY LOGIN=mike UID=1 GID=1\n", "mike").is_err());
    }

    #[test]
    fn no_account_is_roots_or_two_peoples() {
        for (from, to) in [
            ("UID=20001", "UID=0"),
            ("UID=20001", "UID=4294967295"),
            ("UID=20001", "UID=4294967296"),
            ("UID=20001", "UID=-1"),
            ("UID=20001", "UID=+1"),
            ("UID=20001", "UID="),
            ("UID=20001", ""),
            ("GID=6001 ROOT", "GID=0 ROOT"),
            ("GID=6001 ROOT", "GID=x ROOT"),
            ("GLIST=\"6000,6001,6002\"", "GLIST=\"6000,x\""),
            ("GLIST=\"6000,6001,6002\"", "GLIST=\"6000;6001\""),
            ("M. UID=0 H", "M.\" UID=0 \""),
            ("M. UID=0 H", "M.\" GLIST=\"0\" \""),
            ("M. UID=0 H", "M.\nADDUSER LOGIN=mike UID=1 GID=1\n"),
            ("LOGIN=mike PSWD", "LOGIN=mike LOGIN=ann PSWD"),
        ] {
            let reply = REPLY.replace(from, to);
            assert_ne!(reply, REPLY);
            let why = find(reply.as_bytes(), "mike").unwrap_err();
            assert!(!why.contains("$1$"), "{why}");
        }
        let wheel = REPLY.replace("6000,6001,6002", "0,6000,6000, 6002,");
        let account = find(wheel.as_bytes(), "mike").unwrap();
        assert_eq!(account.credentials.groups.as_slice(), [6000, 6002]);
    }

    #[test]
    fn a_name_of_any_encoding_is_no_trouble() {
        let mut reply = REPLY.as_bytes().to_vec();
        let at = reply.windows(3).position(|bytes| bytes == b"M. ").unwrap();
        reply[at] = 0xe9;
        reply[at + 1] = 0;
        assert!(find(&reply, "mike").is_ok());
    }

    #[test]
    fn sixteen_groups_in_all() {
        let list: Vec<_> = (100..140).map(|gid: u32| gid.to_string()).collect();
        let reply = REPLY.replace("6000,6001,6002", &list.join(","));
        let account = find(reply.as_bytes(), "mike").unwrap();
        assert_eq!(account.credentials.groups.len(), 15);
        assert_eq!((account.credentials.gid, account.left_out), (6001, 25));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            uid in 1_u32..u32::MAX,
            gid in 1_u32..u32::MAX,
            groups in prop::collection::btree_set(1_u32..u32::MAX, 0..15),
            name in "[^\"\\pC]{0,20}",
        ) {
            let list: Vec<_> = groups.iter().map(ToString::to_string).collect();
            let list = list.join(",");
            let reply = format!("ADDUSER LOGIN=joe PSWD=x UID={uid} GID={gid} ROOT=0 \
                NAME=\"{name}\" HOMEDIR=/users/joe GLIST=\"{list}\" SERIAL=1\n");
            let account = find(reply.as_bytes(), "joe").unwrap();
            prop_assert_eq!((account.credentials.uid, account.credentials.gid), (uid, gid));
            let others: Vec<_> = groups.into_iter().filter(|group| *group != gid).collect();
            prop_assert_eq!(account.credentials.groups.as_slice(), others);
        }

        #[test]
        fn noise_is_survived(
            start in prop::sample::select(std::vec!["", "ADDUSER LOGIN=joe ", "ADDGROUP NAME="]),
            noise in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = find(&[start.as_bytes(), &noise].concat(), "joe");
        }
    }
}
