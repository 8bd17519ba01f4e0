//! Swaps with simulated nodes, seen as they go on and as they end.

use std::time::Duration;

use boss::swap::request;
use serde_json::{Value, json};
use xtask::fleet::{Behaviour, Limits, Pace, Plan};

use crate::browser::Browser;
use crate::elements::Kind;
use crate::world::{Who, World, sign_in};

/// How long a swap with simulated nodes may take.
const LIMIT: Duration = Duration::from_mins(2);
/// Nodes that take their time, so that one sees them at work: boss looks at each every three seconds.
const SLOW: Pace = Pace {
    boot: Duration::from_millis(50),
    beat: Duration::from_millis(700),
    beats: 20,
    again: Duration::from_millis(500),
};

fn world(network: u8, nodes: usize, pace: Pace) -> World {
    let plan = Plan { network, pace, ..Plan::of(nodes) };
    World::new(&plan, Limits { boot: 20, ..Limits::default() })
}

/// Asks for a swapout on the experiment's page; the page of the swap is shown then.
fn swap_out(browser: &Browser) {
    browser.go("/experiments/fleet/exp0001");
    browser.click(Kind::Link, "Swap out");
    browser.wait_path("/experiments/fleet/exp0001/swapout");
    browser.click(Kind::Button, "Swap out");
    browser.wait("the swap's page", || browser.path().starts_with("/swaps/"));
}

/// How far the bars on the page are.
pub(crate) fn percents(browser: &Browser) -> Vec<u64> {
    let values = browser
        .script("return [...document.querySelectorAll('progress')].map(bar => bar.value)", &[]);
    values.as_array().into_iter().flatten().filter_map(Value::as_f64).map(whole).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
fn whole(percent: f64) -> u64 {
    percent.round() as u64
}

/// Marks the page, to know later whether it is still the same one.
pub(crate) fn mark(browser: &Browser) {
    browser.script("window.__same = true", &[]);
}

pub(crate) fn is_same_page(browser: &Browser) -> bool {
    browser.script("return window.__same === true", &[]) == json!(true)
}

/// Waits until a bar has been seen so often at another place, without the page being loaded again.
pub(crate) fn wait_for_steps(browser: &Browser, limit: Duration, steps: usize) {
    mark(browser);
    let mut seen = std::collections::BTreeSet::new();
    browser.wait_for(limit, &format!("{steps} steps of a bar"), || {
        seen.extend(percents(browser));
        let over = browser.has(Kind::Link, "To the experiment");
        assert!(!over, "it was over after {seen:?}");
        seen.len() >= steps
    });
    assert!(is_same_page(browser), "it came to {seen:?} by loading the page again");
}

#[test]
fn a_swapout_is_seen_as_it_goes_on() {
    let world = world(210, 2, SLOW);
    let browser = world.browser_of("swapout", Who::Studly);
    browser.go("/experiments/fleet/exp0001");
    browser.click(Kind::Link, "Swap out");
    browser.wait_path("/experiments/fleet/exp0001/swapout");
    browser.check_page("experiment-swapout");
    browser.click(Kind::Button, "Swap out");
    browser.wait("the swap's page", || browser.path().starts_with("/swaps/"));
    wait_for_steps(&browser, LIMIT, 3);
    browser.check_looks("swap-going-on");
    // After a reload it goes on from where it is.
    let before = percents(&browser);
    browser.reload();
    let after = percents(&browser);
    assert!(
        after.iter().zip(&before).all(|(after, before)| after >= before),
        "{before:?} {after:?}"
    );
    wait_for_steps(&browser, LIMIT, 2);
    browser.wait_for(LIMIT, "the end", || browser.has(Kind::Link, "To the experiment"));
    browser.check_page("swap-done");
    browser.click(Kind::Link, "To the experiment");
    browser.wait_path("/experiments/fleet/exp0001");
    browser.check_page("experiment-saved");
    browser.check_console();
}

#[test]
fn a_failure_is_shown_and_what_to_do() {
    let world = world(211, 2, Pace::default());
    world.node(1).behave(Behaviour::FailsWith(43));
    let browser = world.browser_of("failure", Who::Studly);
    swap_out(&browser);
    browser.wait_for(LIMIT, "the end", || browser.has(Kind::Link, "To the experiment"));
    let text = browser.text();
    for words in ["failed", "as it should"] {
        assert!(text.contains(words), "{words:?} is not said:\n{text}");
    }
    browser.check_page("swap-failed");
    browser.go("/");
    browser.check_page("home-failed");
    browser.go("/swaps");
    browser.check_page("swaps");
    browser.check_console();
}

#[test]
fn somebody_has_to_see_that_a_machine_is_off() {
    let world = world(212, 1, Pace::default());
    world.node(0).behave(Behaviour::PowerUnreachable);
    let browser = world.browser_of("off", Who::Admin);
    swap_out(&browser);
    browser.wait_for(LIMIT, "the question", || browser.shows("This machine may still be on"));
    browser.check_looks("swap-waits");
    browser.go("/");
    browser.check_page("home-waits");
    browser.back();
    let path = browser.path();
    world.node(0).turn_off();
    browser.click(Kind::Link, "I have seen that pc1 is off");
    browser.wait_path(&format!("{path}/off/pc1"));
    browser.check_page("swap-off");
    browser.click(Kind::CheckBox, "I have seen that pc1 is off");
    browser.click(Kind::Button, "pc1 is off");
    browser.wait_path(&path);
    browser.wait_for(LIMIT, "the end", || browser.has(Kind::Link, "To the experiment"));
    world.wait("the node is free", |world| {
        world.ask(world.boss.db.free_nodes()).unwrap().len() == 1
    });
    browser.check_console();
}

#[test]
fn a_swapout_is_cancelled() {
    let world = world(213, 1, SLOW);
    let browser = world.browser_of("cancel", Who::Studly);
    swap_out(&browser);
    let path = browser.path();
    wait_for_steps(&browser, LIMIT, 2);
    browser.click(Kind::Link, "Cancel it");
    browser.wait_path(&format!("{path}/cancel"));
    browser.check_page("swap-cancel");
    browser.click(Kind::CheckBox, "I know what is lost");
    browser.click(Kind::Button, "Cancel the swapout");
    browser.wait_path(&path);
    browser.wait_for(LIMIT, "the end", || browser.has(Kind::Link, "To the experiment"));
    browser.check_page("swap-cancelled");
    browser.check_console();
}

#[test]
fn a_swap_is_seen_without_scripts() {
    let world = world(214, 1, SLOW);
    let browser = world.browser("swap-scripts");
    browser.scripts(false);
    sign_in(&browser, Who::Studly);
    swap_out(&browser);
    // The page loads itself again.
    let mut seen = std::collections::BTreeSet::new();
    browser.wait_for(LIMIT, "steps of a bar", || {
        seen.extend(percents(&browser));
        seen.len() >= 2
    });
    browser.wait_for(LIMIT, "the end", || browser.has(Kind::Link, "To the experiment"));
    browser.click(Kind::Link, "To the experiment");
    browser.wait_path("/experiments/fleet/exp0001");
    browser.click(Kind::Button, "Swap in");
    browser.wait("the swap's page", || browser.path().starts_with("/swaps/"));
    browser.wait_for(LIMIT, "the end", || browser.has(Kind::Link, "To the experiment"));
}

#[test]
fn what_others_do_is_seen_at_once() {
    let world = world(215, 1, SLOW);
    let browser = world.browser_of("others", Who::Onlooker);
    let id = world.fleet.experiments()[0].clone();
    let by = Who::Studly.login().parse().unwrap();
    let swap = world.ask(request::swapout(&world.boss, &id, &by)).unwrap();
    browser.go(&format!("/swaps/{swap}"));
    assert!(!browser.has(Kind::Link, "Cancel it"));
    wait_for_steps(&browser, LIMIT, 2);
    // A log that somebody has folded away or opened stays so, and the focus where it is.
    let open = || browser.script("return document.querySelector('details').open", &[]);
    for _ in 0..2 {
        let before = open();
        browser.click(Kind::Disclosure, "The log of node1");
        assert_ne!(open(), before);
        wait_for_steps(&browser, LIMIT, 2);
        assert_ne!(open(), before);
    }
    assert_eq!(browser.focused().map(|e| e.name.contains("The log of node1")), Some(true));
    browser.check_console();
}
