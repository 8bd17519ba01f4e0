//! Network cards.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Sources;
use super::page::Page;
use crate::event::{now, sleep};
use crate::failure::{Failure, FailureKind, Os};
use crate::net::link::Link;
use crate::net::netlink::{Netlink, Request};
use crate::progress::Progress;

/// How long a link may take to come up: cards and switches agree on a speed first.
const LINK_PATIENCE: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(50);

/// What is known of a card's link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The interface is down, so it can't be told.
    Down,
    NoCarrier,
    Up,
}

impl State {
    fn of(card: &Link) -> Self {
        match (card.is_up(), card.has_carrier()) {
            (false, _) => Self::Down,
            (true, false) => Self::NoCarrier,
            (true, true) => Self::Up,
        }
    }
}

/// The lines of all network cards; how many there are.
pub(super) fn print(
    page: &mut Page<'_>,
    sources: &Sources<'_>,
    progress: &Progress,
    problems: &mut Vec<Failure>,
) -> usize {
    let mut cards = sources.links.list();
    // An interface that is made of others, such as a VLAN, has no driver.
    cards.retain(|card| card.driver.is_some());
    let netlink = sources.try_links.then(Netlink::open).and_then(Result::ok);
    let raised = netlink.as_ref().map(|netlink| raise(&cards, netlink, progress));
    for card in &cards {
        print_card(page, card);
    }
    let states: Vec<_> = cards.iter().map(State::of).collect();
    for index in raised.into_iter().flatten() {
        // It was found so; nothing depends on it.
        let _ = netlink.as_ref().map(|netlink| netlink.ask(&Request::down(index)));
    }
    if cards.is_empty() {
        problems.push(
            FailureKind::Network.because("there is no network card; is its driver in the image?"),
        );
    } else if states.contains(&State::NoCarrier) && !states.contains(&State::Up) {
        problems.push(
            FailureKind::Network
                .because("no network card has a link; look at cables and switch ports"),
        );
    }
    cards.len()
}

/// Brings up what is down, and waits for links; the numbers of the interfaces.
fn raise(cards: &[Link], netlink: &Netlink, progress: &Progress) -> Vec<u32> {
    let mut raised = Vec::new();
    for card in cards.iter().filter(|card| State::of(card) == State::Down) {
        match netlink.ask(&Request::up(card.index)) {
            Ok(()) => raised.push(card.index),
            Err(errno) => log::warn!("{}: cannot be brought up: {}", card.name, Os(errno)),
        }
    }
    let start = now();
    while cards.iter().any(|card| raised.contains(&card.index) && State::of(card) != State::Up)
        && now().saturating_sub(start) < LINK_PATIENCE
    {
        progress.beat();
        sleep(LOOK);
    }
    raised
}

fn print_card(page: &mut Page<'_>, card: &Link) {
    page.block(&card.name);
    page.row("driver", card.driver.as_deref().unwrap_or("unknown"));
    page.row("mac", card.mac);
    match (State::of(card), card.speed()) {
        (State::Up, Some(speed)) => page.row("link", format_args!("up, {speed} Mbit/s")),
        (State::Up, None) => page.row("link", "up, speed unknown"),
        (State::NoCarrier, _) => page.row("link", "none: no carrier"),
        (State::Down, _) => page.row("link", "unknown, as the interface is down"),
    }
    page.row("mtu", card.mtu().map_or_else(String::new, |mtu| format!("{mtu}")));
}
