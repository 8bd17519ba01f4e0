//! Experiments, made and changed by people with a mouse.

use crate::browser::Browser;
use crate::elements::Kind;
use crate::world::{Who, World};

/// The checkbox that not everybody has.
pub(crate) const SAVES: &str = "Save disk state on swapout";

/// Writes the name of a new experiment, and of its first node.
fn name(browser: &Browser, eid: &str, vname: &str) {
    let names = browser.all(Kind::Field, "Name");
    browser.fill_in(&names[0], eid);
    browser.fill_in(&names[1], vname);
    browser.choose_in(&browser.all(Kind::Choice, "Image")[0], "BASE");
}

#[test]
fn an_experiment_is_made_changed_and_removed() {
    let world = World::with_nodes(205, 1);
    let browser = world.browser_of("experiments", Who::Studly);
    browser.click(Kind::Link, "Experiments");
    browser.wait_path("/experiments");
    browser.check_page("experiments");

    browser.click(Kind::Link, "New experiment");
    browser.wait_path("/experiments/new");
    browser.check_page("experiment-new");
    name(&browser, "no such name", "node1");
    browser.click(Kind::CheckBox, SAVES);
    browser.click(Kind::Button, "Make the experiment");
    // What is wrong is said, and what was typed is still there.
    browser.wait("what is wrong", || browser.has_role("alert"));
    browser.check_page("experiment-new-wrong");
    assert!(browser.is_checked(SAVES));
    browser.fill_in(&browser.all(Kind::Field, "Name")[0], "trial");
    let rows = browser.all(Kind::Field, "Name").len();
    browser.click(Kind::Button, "Add a row");
    browser.wait("another row", || browser.all(Kind::Field, "Name").len() > rows);
    let names = browser.all(Kind::Field, "Name");
    browser.fill_in(names.last().unwrap(), "node2");
    browser.click(Kind::Button, "Make the experiment");
    browser.wait_path("/experiments/fleet/trial");
    browser.wait_text("fleet/trial is made");
    browser.check_page("experiment-made");
    assert!(world.experiment("fleet/trial").unwrap().savedisk);
    for node in ["node1", "node2"] {
        assert!(browser.shows(node), "{node}");
    }

    browser.click(Kind::Link, "Edit");
    browser.wait_path("/experiments/fleet/trial/edit");
    browser.check_page("experiment-edit");
    browser.click(Kind::CheckBox, SAVES);
    browser.fill_in(&browser.all(Kind::Field, "Name")[1], "another");
    browser.click(Kind::Button, "Save the changes");
    browser.wait_path("/experiments/fleet/trial");
    browser.wait_text("fleet/trial is changed");
    browser.wait_text("another");
    assert!(!browser.shows("node2"));
    assert!(!world.experiment("fleet/trial").unwrap().savedisk);

    browser.click(Kind::Link, "Remove experiment");
    browser.wait_path("/experiments/fleet/trial/remove");
    browser.check_page("experiment-remove");
    browser.click(Kind::CheckBox, "I know that");
    browser.click(Kind::Button, "Remove experiment");
    browser.wait_path("/experiments");
    assert!(world.experiment("fleet/trial").is_none());
    browser.check_console();
}

#[test]
fn only_who_may_sees_the_checkbox() {
    let world = World::with_nodes(206, 1);
    let browser = world.browser_of("gate", Who::Member);
    browser.go("/experiments/new");
    assert!(!browser.has(Kind::CheckBox, SAVES));
    browser.screenshot("experiment-new-gate");
    name(&browser, "plain", "node1");
    browser.click(Kind::Button, "Make the experiment");
    browser.wait_text("fleet/plain is made");
    let saves = || world.experiment("fleet/plain").unwrap().savedisk;
    assert!(!saves());

    // Somebody who may turns it on; who may not changes something else, and it stays.
    let id = "fleet/plain".parse().unwrap();
    assert!(world.ask(world.boss.db.set_savedisk(&id, true)).unwrap());
    browser.go("/experiments/fleet/plain/edit");
    assert!(!browser.has(Kind::CheckBox, SAVES));
    browser.fill_in(&browser.all(Kind::Field, "Name")[0], "other");
    browser.click(Kind::Button, "Save the changes");
    browser.wait_text("fleet/plain is changed");
    assert!(saves() && browser.shows("other"));

    // The site lets all set it.
    world.set("swap/exposestatesave", "1");
    browser.go("/experiments/fleet/plain/edit");
    assert!(browser.is_checked(SAVES));
    browser.click(Kind::CheckBox, SAVES);
    browser.click(Kind::Button, "Save the changes");
    browser.wait_text("fleet/plain is changed");
    assert!(!saves());
    browser.go("/experiments/new");
    assert!(browser.has(Kind::CheckBox, SAVES));
    browser.screenshot("experiment-new-exposed");
    browser.check_console();
}

#[test]
fn who_may_only_look_finds_nothing_to_press() {
    let world = World::with_nodes(207, 1);
    let browser = world.browser_of("onlooker", Who::Onlooker);
    browser.go("/experiments");
    browser.check_page("experiments-onlooker");
    assert!(!browser.has(Kind::Link, "New experiment"));
    browser.click(Kind::Link, "fleet/exp0001");
    browser.wait_path("/experiments/fleet/exp0001");
    browser.check_page("experiment-onlooker");
    for button in ["Swap out", "Swap in", "Edit", "Remove", "Load", "Make"] {
        let found = browser.has(Kind::Button, button) || browser.has(Kind::Link, button);
        assert!(!found, "{button}");
    }
    browser.go("/experiments/fleet/exp0001/edit");
    browser.wait("a refusal", || browser.has_role("alert"));
    browser.check_page("experiment-refused");
}
