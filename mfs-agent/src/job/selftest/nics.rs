//! Network cards, by what /sys says of them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use rustix::fs::{CWD, readlinkat};

use super::Sources;
use super::page::Page;
use crate::event::{now, sleep};
use crate::failure::{Failure, FailureKind, Os};
use crate::file;
use crate::net::netlink::{Netlink, Request};
use crate::progress::Progress;

/// How long a link may take to come up: cards and switches agree on a speed first.
const LINK_PATIENCE: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(50);

/// What is known of a card's link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// The interface is down, so it can't be told.
    Down,
    NoCarrier,
    Up,
}

/// The lines of all network cards; how many there are.
pub(super) fn print(
    page: &mut Page<'_>,
    sources: &Sources<'_>,
    progress: &Progress,
    problems: &mut Vec<Failure>,
) -> usize {
    let class = sources.interfaces;
    let names = file::list(class).unwrap_or_default();
    let cards: Vec<_> = names.iter().filter_map(|name| Card::find(class, name)).collect();
    let netlink = sources.try_links.then(Netlink::open).and_then(Result::ok);
    let raised = netlink.as_ref().map(|netlink| raise(&cards, netlink, progress));
    for card in &cards {
        card.print(page);
    }
    let links: Vec<_> = cards.iter().map(Card::link).collect();
    for index in raised.into_iter().flatten() {
        // It was found so; nothing depends on it.
        let _ = netlink.as_ref().map(|netlink| netlink.ask(&Request::down(index)));
    }
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

/// Brings up what is down, and waits for links; the numbers of the interfaces.
fn raise(cards: &[Card<'_>], netlink: &Netlink, progress: &Progress) -> Vec<u32> {
    let mut raised = Vec::new();
    for card in cards.iter().filter(|card| card.link() == Link::Down) {
        match netlink.ask(&Request::up(card.index)) {
            Ok(()) => raised.push(card.index),
            Err(errno) => log::warn!("{}: cannot be brought up: {}", card.name, Os(errno)),
        }
    }
    let start = now();
    while cards.iter().any(|card| raised.contains(&card.index) && card.link() != Link::Up)
        && now().saturating_sub(start) < LINK_PATIENCE
    {
        progress.beat();
        sleep(LOOK);
    }
    raised
}

struct Card<'a> {
    name: &'a str,
    index: u32,
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
        let index = file::read_number(format!("{directory}/ifindex")).unwrap_or(0);
        is_card.then(|| Self { name, index: index.try_into().unwrap_or(0), directory })
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
            Link::Down
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
        // A card that is emulated has no speed, and says -1 or nothing.
        match (self.link(), self.text("speed").parse::<u32>()) {
            (Link::Up, Ok(speed)) => page.row("link", format_args!("up, {speed} Mbit/s")),
            (Link::Up, Err(_)) => page.row("link", "up, speed unknown"),
            (Link::NoCarrier, _) => page.row("link", "none: no carrier"),
            (Link::Down, _) => page.row("link", "unknown, as the interface is down"),
        }
        page.row("mtu", self.text("mtu"));
    }
}
