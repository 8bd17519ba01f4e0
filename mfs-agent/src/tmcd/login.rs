//! Logins, and the users of an experiment: the replies to `creator`.

use core::fmt;

use super::reply::Answer;
use super::words::{only_line, value};

/// The name of a user: letters, digits, `_`, `-` and `.`, the first a letter, a digit or `_`; 1 to
/// 32 in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login(heapless::String<32>);

impl Login {
    /// Checks a login; `None` if it is none.
    pub fn new(text: &[u8]) -> Option<Self> {
        let first = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let other = |byte: &u8| first(byte) || matches!(byte, b'-' | b'.');
        if !text.first().is_some_and(first) || !text.iter().all(other) {
            return None;
        }
        let text = core::str::from_utf8(text).ok()?;
        text.try_into().ok().map(Self)
    }

    /// The login.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The users that an experiment has to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// Who made it.
    pub creator: Login,
    /// Who swapped it in or changed it last; boss of a version up to 20 doesn't say.
    pub swapper: Option<Login>,
}

impl Users {
    /// As whom commands run: the swapper, or else the creator.
    pub fn acting(&self) -> &Login {
        self.swapper.as_ref().unwrap_or(&self.creator)
    }

    /// Reads a reply.
    pub fn parse(reply: &[u8]) -> Answer<Self> {
        match Self::read(reply) {
            Ok(users) => Answer::Good(users),
            Err(why) => Answer::Bad(why.into()),
        }
    }

    fn read(reply: &[u8]) -> Result<Self, &'static str> {
        let line = only_line(reply)?.ok_or("it is empty, as for a node of no experiment")?;
        let login = |key| {
            value(line.as_bytes(), key)?
                .map(|text| Login::new(text).ok_or("it has a login that is none"))
                .transpose()
        };
        let creator = login("CREATOR")?.ok_or("it has no CREATOR=")?;
        Ok(Self { creator, swapper: login("SWAPPER")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn users_of_both_generations() {
        let login = |text: &str| Login::new(text.as_bytes()).unwrap();
        let users = |reply| match Users::parse(reply) {
            Answer::Good(users) => users,
            other => panic!("{other:?}"),
        };
        let both = users(b"CREATOR=mike SWAPPER=ann\n");
        assert_eq!(both, Users { creator: login("mike"), swapper: Some(login("ann")) });
        assert_eq!(both.acting(), &login("ann"));
        assert_eq!(users(b"CREATOR=mike\r\n").acting(), &login("mike"));
        for bad in [
            &b""[..],
            b"SWAPPER=ann\n",
            b"CREATOR=\n",
            b"CREATOR=mike SWAPPER=\n",
            b"CREATOR=../x\n",
            b"CREATOR=-x\n",
            b"CREATOR=mike CREATOR=ann\n",
            b"CREATOR=mike\nCREATOR=ann\n",
            b"CREATOR=mi\0ke\n",
            b"CREATOR=a23456789012345678901234567890123\n",
        ] {
            assert!(matches!(Users::parse(bad), Answer::Bad(_)), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            creator in "[a-zA-Z0-9_][-a-zA-Z0-9_.]{0,31}",
            swapper in "[a-zA-Z0-9_][-a-zA-Z0-9_.]{0,31}",
        ) {
            let reply = std::format!("CREATOR={creator} SWAPPER={swapper}\n");
            let Answer::Good(users) = Users::parse(reply.as_bytes()) else { panic!("{reply}") };
            prop_assert_eq!(users.creator.as_str(), creator);
            prop_assert_eq!(users.acting().as_str(), swapper);
        }

        #[test]
        fn noise_is_survived(reply in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Users::parse(&reply);
        }
    }
}
