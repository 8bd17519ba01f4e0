//! The command that boss wants to be run: the replies to `startupcmd`, and what they ask for.
//!
//! It is compared with the commands that the agent knows. Nothing is ever given to a shell or
//! started, so whatever is not exactly one of them is not done at all.

use alloc::string::{String, ToString};

use super::login::Login;
use super::reply::Answer;
use super::words::only_line;

/// The command, and as whom it is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupCommand {
    /// The command line, as somebody would type it.
    pub text: String,
    /// As whom.
    pub login: Login,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Startup {
    /// `create-swapimage`: save the disk.
    CreateSwapimage {
        /// `-f`: all of it instead of what differs from the base.
        full: bool,
        /// `-s`: only find out how much that would be.
        statistics: bool,
    },
    /// Something else.
    Unknown(String),
}

/// Where a testbed's client programs are, on FreeBSD and on Linux. A directory has to be one of
/// these: a program of the same name in, say, `/proj` is somebody's own, and to run ours in its
/// place would not be what they asked for.
const DIRECTORIES: [&str; 6] = [
    "/usr/local/bin/",
    "/usr/local/etc/emulab/",
    "/usr/local/etc/testbed/",
    "/etc/emulab/",
    "/etc/testbed/",
    "/usr/testbed/bin/",
];

impl StartupCommand {
    /// Reads a reply. An empty one means that there is none.
    pub fn parse(reply: &[u8]) -> Answer<Option<Self>> {
        match Self::read(reply) {
            Ok(None) => Answer::Doubtful(None),
            Ok(command) => Answer::Good(command),
            Err(why) => Answer::Bad(why.into()),
        }
    }

    fn read(reply: &[u8]) -> Result<Option<Self>, &'static str> {
        const FORM: &str = "it is not CMD='<command>' UID=<login>";
        let Some(line) = only_line(reply)? else { return Ok(None) };
        let rest = line.strip_prefix("CMD='").ok_or(FORM)?;
        // The command may have quotes of its own.
        let (text, login) = rest.rsplit_once("' UID=").ok_or(FORM)?;
        let login = Login::new(login.as_bytes()).ok_or("UID= is not a login")?;
        Ok(Some(Self { text: text.to_string(), login }))
    }

    /// What it asks for.
    pub fn meaning(&self) -> Startup {
        Startup::of(&self.text)
    }
}

impl Startup {
    /// What a command line asks for: `[sudo] [<directory>/]create-swapimage [-f] [-s]`.
    pub fn of(text: &str) -> Self {
        Self::known(text).unwrap_or_else(|| Self::Unknown(text.to_string()))
    }

    fn known(text: &str) -> Option<Self> {
        // A line break would end the command.
        let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
        let mut program = words.next()?;
        if program == "sudo" {
            program = words.next()?;
        }
        let directory = DIRECTORIES.iter().find_map(|directory| program.strip_prefix(directory));
        if directory.unwrap_or(program) != "create-swapimage" {
            return None;
        }
        let (mut full, mut statistics) = (false, false);
        for word in words {
            let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?;
            for letter in letters.chars() {
                match letter {
                    'f' => full = true,
                    's' => statistics = true,
                    _ => return None,
                }
            }
        }
        Some(Self::CreateSwapimage { full, statistics })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    #[test]
    fn commands_that_are_known() {
        for (text, full, statistics) in [
            ("/usr/local/bin/create-swapimage", false, false),
            ("create-swapimage", false, false),
            ("sudo /usr/local/bin/create-swapimage", false, false),
            ("  sudo \t create-swapimage  ", false, false),
            ("/usr/local/etc/emulab/create-swapimage -f", true, false),
            ("/usr/local/bin/create-swapimage -s", false, true),
            ("/usr/local/bin/create-swapimage -f -s", true, true),
            ("/usr/local/bin/create-swapimage  -s\t-f ", true, true),
            ("/etc/testbed/create-swapimage -fs", true, true),
            ("/usr/local/bin/create-swapimage -sf", true, true),
            ("/usr/local/bin/create-swapimage -f -f", true, false),
        ] {
            assert_eq!(Startup::of(text), Startup::CreateSwapimage { full, statistics }, "{text}");
        }
    }

    #[test]
    fn commands_that_are_not() {
        for text in [
            "",
            " ",
            "sudo",
            "sudo sudo create-swapimage",
            "sudo -n create-swapimage",
            "/usr/bin/sudo create-swapimage",
            "/proj/testbed/bin/create-swapimage",
            "/usr/local/bin/../bin/create-swapimage",
            "//usr/local/bin/create-swapimage",
            "./create-swapimage",
            "/usr/local/bin/create-swapimagex",
            "/usr/local/bin/create-image",
            "/usr/local/bin/create-swapimage x",
            "/usr/local/bin/create-swapimage -",
            "/usr/local/bin/create-swapimage --",
            "/usr/local/bin/create-swapimage --full",
            "/usr/local/bin/create-swapimage -fx",
            "/usr/local/bin/create-swapimage -f /dev/sda",
            "/usr/local/bin/create-swapimage; reboot",
            "/usr/local/bin/create-swapimage;",
            "/usr/local/bin/create-swapimage & ",
            "/usr/local/bin/create-swapimage && reboot",
            "/usr/local/bin/create-swapimage | cat",
            "/usr/local/bin/create-swapimage > /dev/sda",
            "/usr/local/bin/create-swapimage >/dev/null",
            "/usr/local/bin/create-swapimage $(reboot)",
            "/usr/local/bin/create-swapimage `reboot`",
            "/usr/local/bin/create-swapimage -f\nreboot",
            "/usr/local/bin/create-swapimage\n-f",
            "/usr/local/bin/create-swapimage -f\r",
            "'/usr/local/bin/create-swapimage'",
            "\"create-swapimage\"",
            "create-swapimage -\\f",
            "create-swapimage # -f",
            "X=1 create-swapimage",
            "create-swapimage\u{a0}-f",
            "create-swapimage\0",
        ] {
            assert_eq!(Startup::of(text), Startup::Unknown(text.to_string()), "{text:?}");
        }
    }

    #[test]
    fn the_command_ends_at_the_last_quote_before_uid() {
        let parse = |reply: &str| StartupCommand::parse(reply.as_bytes());
        let good = |text: &str, login: &str| {
            let login = Login::new(login.as_bytes()).unwrap();
            Answer::Good(Some(StartupCommand { text: text.into(), login }))
        };
        assert_eq!(
            parse("CMD='/usr/local/bin/create-swapimage' UID=mike\n"),
            good("/usr/local/bin/create-swapimage", "mike")
        );
        assert_eq!(parse("CMD='a' UID=x' UID=mike\r\n"), good("a' UID=x", "mike"));
        assert_eq!(parse("CMD='' UID=mike"), good("", "mike"));
        assert_eq!(parse(""), Answer::Doubtful(None));
        for bad in [
            "CMD='a'\n",
            "CMD=a UID=mike\n",
            "CMD='a' UID=\n",
            "CMD='a' UID=mike x\n",
            "XCMD='a' UID=mike\n",
            "CMD='a' UID=mike\nCMD='b' UID=mike\n",
            "CMD='a\0' UID=mike\n",
            "CMD='ä' UID=mike\n",
        ] {
            assert!(matches!(parse(bad), Answer::Bad(_)), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[ -~]{0,255}", login in "[a-z][a-z0-9]{0,7}") {
            let reply = format!("CMD='{text}' UID={login}\n");
            let Answer::Good(Some(command)) = StartupCommand::parse(reply.as_bytes()) else {
                panic!("{reply}");
            };
            prop_assert_eq!(command.text, text);
            prop_assert_eq!(command.login.as_str(), login);
        }

        #[test]
        fn a_known_command_has_no_other_characters(
            text in "(sudo )?(/usr/local/bin/)?create-swapimage[ -~\\t\\n]{0,6}",
        ) {
            if matches!(Startup::of(&text), Startup::CreateSwapimage { .. }) {
                let harmless =
                    |byte: u8| byte.is_ascii_lowercase() || b"/- \t".contains(&byte);
                prop_assert!(text.bytes().all(harmless), "{:?}", text);
            }
        }

        #[test]
        fn noise_is_survived(reply in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = StartupCommand::parse(&reply);
        }
    }
}
