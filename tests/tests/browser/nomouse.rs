//! The same without a mouse, and without scripts.

use crate::elements::Kind;
use crate::experiments::SAVES;
use crate::keys::Key;
use crate::world::{PASSWORD, Who, World};

#[test]
fn an_experiment_is_made_without_a_mouse() {
    let world = World::with_nodes(208, 1);
    let browser = world.browser("keyboard-only");
    browser.go("/signin");
    browser.tab_to("Login");
    browser.type_text(Who::Studly.login());
    browser.press(Key::Tab);
    browser.type_text(PASSWORD);
    browser.press(Key::Enter);
    browser.wait_path("/");
    browser.tab_to("Experiments");
    browser.press(Key::Enter);
    browser.wait_path("/experiments");
    browser.tab_to("New experiment");
    browser.press(Key::Enter);
    browser.wait_path("/experiments/new");
    browser.tab_to("Name");
    browser.type_text("keys");
    browser.tab_to("Name");
    browser.type_text("node1");
    browser.tab_to("Image");
    browser.press(Key::Down);
    browser.tab_to(SAVES);
    browser.press(Key::Space);
    browser.screenshot("keyboard-checkbox");
    browser.tab_to("Make the experiment");
    browser.press(Key::Enter);
    browser.wait_path("/experiments/fleet/keys");
    assert!(world.experiment("fleet/keys").unwrap().savedisk);

    // Enter in a field sends the form, and doesn't add a row.
    browser.tab_to("Edit");
    browser.press(Key::Enter);
    browser.wait_path("/experiments/fleet/keys/edit");
    browser.tab_to(SAVES);
    browser.press(Key::Space);
    browser.tab_to("Name");
    browser.type_text("renamed");
    browser.press(Key::Enter);
    browser.wait_path("/experiments/fleet/keys");
    browser.wait_text("renamed");
    assert!(!world.experiment("fleet/keys").unwrap().savedisk);
    browser.check_console();
}

#[test]
fn all_works_without_scripts() {
    let world = World::with_nodes(209, 1);
    let browser = world.browser("no-scripts");
    browser.scripts(false);
    crate::world::sign_in(&browser, Who::Studly);
    browser.click(Kind::Link, "Experiments");
    browser.wait_path("/experiments");
    browser.click(Kind::Link, "New experiment");
    browser.wait_path("/experiments/new");
    let rows = browser.all(Kind::Field, "Name").len();
    browser.click(Kind::Button, "Add a row");
    browser.wait("another row", || browser.all(Kind::Field, "Name").len() > rows);
    browser.fill_in(&browser.all(Kind::Field, "Name")[0], "plain");
    browser.fill_in(&browser.all(Kind::Field, "Name")[rows], "node9");
    browser.click(Kind::CheckBox, SAVES);
    browser.click(Kind::Button, "Make the experiment");
    browser.wait_path("/experiments/fleet/plain");
    browser.wait_text("node9");
    assert!(world.experiment("fleet/plain").unwrap().savedisk);
}
