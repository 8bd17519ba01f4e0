//! Network cards.

use alloc::string::String;
use alloc::vec::Vec;

use super::page::Page;
use crate::failure::{Failure, FailureKind};
use crate::net::link::{Link, Links};

/// What is known of a card's link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has brought the interface up, so it can't be told.
    NotTried,
    NoCarrier,
    Up,
}

impl State {
    fn of(card: &Link) -> Self {
        match (card.is_up(), card.has_carrier()) {
            (false, _) => Self::NotTried,
            (true, false) => Self::NoCarrier,
            (true, true) => Self::Up,
        }
    }
}

/// The lines of all network cards; how many there are.
pub(super) fn print(page: &mut Page<'_>, links: Links, problems: &mut Vec<Failure>) -> usize {
    let mut cards = links.list();
    // An interface that is made of others, such as a VLAN, has no driver.
    cards.retain(|card| card.driver.is_some());
    for card in &cards {
        print_card(page, card);
    }
    let states: Vec<_> = cards.iter().map(State::of).collect();
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

fn print_card(page: &mut Page<'_>, card: &Link) {
    page.block(&card.name);
    page.row("driver", card.driver.as_deref().unwrap_or("?"));
    page.row("mac", card.mac);
    let state = match State::of(card) {
        State::NotTried => "not brought up",
        State::NoCarrier => "no carrier",
        State::Up => "up",
    };
    match card.speed() {
        Some(speed) => page.row("link", format_args!("{state}, {speed} Mbit/s")),
        None => page.row("link", format_args!("{state}, speed unknown")),
    }
    page.row("mtu", card.mtu().map_or_else(String::new, |mtu| alloc::format!("{mtu}")));
}
