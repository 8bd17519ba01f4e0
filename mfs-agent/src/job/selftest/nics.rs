//! Network cards, by what /sys says of them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rustix::fs::{CWD, readlinkat};

use super::page::Page;
use crate::failure::{Failure, FailureKind};
use crate::file;

/// What is known of a card's link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Nobody has brought the interface up, so it can't be told.
    NotTried,
    NoCarrier,
    Up,
}

/// The lines of all network cards; how many there are.
pub(super) fn print(page: &mut Page<'_>, class: &str, problems: &mut Vec<Failure>) -> usize {
    let names = file::list(class).unwrap_or_default();
    let cards: Vec<_> = names.iter().filter_map(|name| Card::find(class, name)).collect();
    for card in &cards {
        card.print(page);
    }
    let links: Vec<_> = cards.iter().map(Card::link).collect();
    if cards.is_empty() {
        problems.push(
            FailureKind::Network.because("there is no network card; is its driver in the image?"),
        );
    } else if links.contains(&Link::NoCarrier) && !links.contains(&Link::Up) {
        problems.push(
            FailureKind::Network
                .because("no network card has a link; look at cables and switch ports"),
        );
    }
    cards.len()
}

struct Card<'a> {
    name: &'a str,
    directory: String,
}

impl<'a> Card<'a> {
    /// The card behind an interface. One that is made of others, such as a VLAN, has no device.
    fn find(class: &str, name: &'a str) -> Option<Self> {
        /// `ARPHRD_ETHER`
        const ETHERNET: u64 = 1;
        let directory = format!("{class}/{name}");
        let is_card = file::read_number(format!("{directory}/type")) == Ok(ETHERNET)
            && file::list(format!("{directory}/device/")).is_ok();
        is_card.then_some(Self { name, directory })
    }

    fn text(&self, attribute: &str) -> String {
        file::read_text(format!("{}/{attribute}", self.directory)).unwrap_or_default()
    }

    fn link(&self) -> Link {
        /// `IFF_UP`
        const UP: u32 = 1;
        let flags = self.text("flags");
        let flags = flags.strip_prefix("0x").and_then(|flags| u32::from_str_radix(flags, 16).ok());
        if flags.unwrap_or(0) & UP == 0 {
            Link::NotTried
        } else if self.text("carrier") == "1" {
            Link::Up
        } else {
            Link::NoCarrier
        }
    }

    fn print(&self, page: &mut Page<'_>) {
        page.block(self.name);
        let driver = readlinkat(CWD, format!("{}/device/driver", self.directory), Vec::new());
        let driver = driver.unwrap_or_default().to_string_lossy().into_owned();
        page.row(
            "driver",
            driver.rsplit('/').next().filter(|it| !it.is_empty()).unwrap_or("unknown"),
        );
        page.row("mac", self.text("address"));
        let link = match self.link() {
            Link::NotTried => "not brought up",
            Link::NoCarrier => "no carrier",
            Link::Up => "up",
        };
        // A card without a link, and one that is emulated, says -1 or nothing.
        match self.text("speed").parse::<u32>() {
            Ok(speed) => page.row("link", format_args!("{link}, {speed} Mbit/s")),
            Err(_) => page.row("link", format_args!("{link}, speed unknown")),
        }
        page.row("mtu", self.text("mtu"));
    }
}
