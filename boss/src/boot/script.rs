//! The script that a node's iPXE gets.

use super::words::{LONGEST, check_extra, wrong};
use super::{BossUrl, Mac, WordError, Words};

/// What a node shall boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// Its own disk.
    Disk,
    /// Nothing yet: it asks again after some seconds.
    Wait,
    /// The memory file system, with these words.
    Mfs(Box<Words>),
}

/// What is the same for all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where nodes reach this server.
    pub url: BossUrl,
    /// The site's own words for the kernel, with spaces between them. They come after
    /// [`Site::CONSOLE`]; the last console is where the agent's lines go.
    pub words: String,
}

impl Site {
    /// What a machine with a serial port needs, the same as in `initramfs/boot/mfs.ipxe`.
    pub const CONSOLE: &str = "console=tty0 console=ttyS0,115200 panic=10 quiet";

    /// The script of a node. It has the node's one-time key in it, if there is one: whoever logs or
    /// keeps it, gives that away.
    ///
    /// # Errors
    /// Which word the script can't carry.
    pub fn script(&self, mac: Mac, boot: &Boot) -> Result<String, WordError> {
        match boot {
            Boot::Disk => Ok(DISK.to_owned()),
            Boot::Wait => Ok(self.ask_again("#!ipxe\ngoto wait\n", mac)),
            Boot::Mfs(words) => {
                let mut kernel = Self::CONSOLE.to_owned();
                for word in self.words.split_ascii_whitespace() {
                    check_extra(word)?;
                    kernel = format!("{kernel} {word}");
                }
                let words = words.command_line()?;
                if kernel.len() + words.len() > LONGEST {
                    let why = "with the words of the node it is longer than a kernel reads";
                    return Err(wrong("words of the site", &self.words, why));
                }
                let url = &self.url;
                // netX is the interface that this script came over. initrd= is how the kernel's
                // UEFI stub finds it; a BIOS needs it not.
                let load = format!(
                    "#!ipxe\n\
                     imgfree\n\
                     kernel --name vmlinuz {url}/mfs/vmlinuz || goto failed\n\
                     initrd --name initramfs {url}/mfs/initramfs || goto failed\n\
                     imgargs vmlinuz initrd=initramfs {kernel} \
                     BOOTIF=01-${{netX/mac:hexhyp}} {words} || goto failed\n\
                     boot vmlinuz || goto failed\n\
                     \n\
                     :failed\n\
                     echo The memory file system cannot be had or started (see the line above)\n\
                     imgfree\n"
                );
                Ok(self.ask_again(&load, mac))
            }
        }
    }

    /// Goes on with what this server says some seconds later: it may have changed its mind. With
    /// `--replace` there is only ever one script, however long it takes. After a while without an
    /// answer the machine starts again, since its address may be another now.
    fn ask_again(&self, before: &str, mac: Mac) -> String {
        let url = self.url.script(mac);
        format!(
            "{before}\
             \n\
             :wait\n\
             set tries:int32 0\n\
             \n\
             :again\n\
             sleep 5\n\
             chain --replace --autofree {url} ||\n\
             inc tries\n\
             iseq ${{tries:int32}} 60 && goto restart ||\n\
             goto again\n\
             \n\
             :restart\n\
             echo {url} does not answer, this machine starts again\n\
             sleep 5\n\
             reboot\n"
        )
    }
}

/// A BIOS has no way back from iPXE that every machine knows, so iPXE starts the first disk itself;
/// its own description of that drive in memory would be left to what is started (`--no-describe`).
/// A UEFI firmware goes on with its next boot entry, if what it started fails.
const DISK: &str = "\
#!ipxe
iseq ${platform} efi && goto efi ||
sanboot --no-describe --drive 0x80 ||
echo The first disk does not boot; this machine starts again
sleep 10
reboot

:efi
exit 1
";

#[cfg(test)]
mod tests;
