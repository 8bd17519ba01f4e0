//! What administrators set for the site, and users for themselves.

use serde_json::json;

use crate::elements::Kind;
use crate::experiments::SAVES;
use crate::world::{PASSWORD, Who, World, sign_in};

#[test]
fn the_site_lets_all_set_state_saving() {
    let world = World::with_nodes(219, 1);
    let browser = world.browser_of("sitevars", Who::Admin);
    browser.click(Kind::Link, "Site");
    browser.wait_path("/sitevars");
    let variable = "swap/exposestatesave";
    browser.choose_in(&browser.find_in(variable, Kind::Choice, "Value"), "1");
    browser.click_on(&browser.find_in(variable, Kind::Button, "Set"));
    browser.wait("what was done", || browser.has_role("status"));
    let value = world.ask(world.boss.db.sitevar(variable)).unwrap();
    assert_eq!(value.as_deref(), Some("1"));
    let other = world.browser_of("sitevars-member", Who::Member);
    other.go("/experiments/new");
    assert!(other.has(Kind::CheckBox, SAVES));

    // A value that can't be is refused, and what was typed is still there.
    let variable = "swap/swapout_command_timeout";
    browser.fill_in(&browser.find_in(variable, Kind::Field, "Value"), "2m");
    browser.click_on(&browser.find_in(variable, Kind::Button, "Set"));
    browser.wait("a refusal", || browser.has_role("alert"));
    browser.check_page("sitevars-wrong");
    browser.check_console();
}

#[test]
fn a_node_is_taken_out_of_service_and_comes_back() {
    let world = World::with_nodes(220, 2);
    let browser = world.browser_of("service", Who::Admin);
    browser.go("/nodes");
    browser.click(Kind::Link, "pc2");
    browser.wait_path("/nodes/pc2");
    browser.fill("Why it isn't to be given out any more", "a broken <fan> & dust");
    browser.click(Kind::Button, "Take it out of service");
    browser.wait_text("a broken <fan> & dust");
    browser.check_page("node-out-of-service");
    browser.go("/nodes");
    browser.wait_text("out of service");
    browser.check_page("nodes-out-of-service");
    browser.go("/");
    browser.check_page("home-out-of-service");
    browser.go("/nodes/pc2");
    browser.click(Kind::Button, "Put it into service again");
    browser.wait("it is in service", || browser.has(Kind::Button, "Take it out of service"));
    browser.check_console();
}

#[test]
fn times_are_those_of_the_user() {
    let world = World::with_nodes(221, 1);
    let browser = world.browser("times");
    browser.chromium("Emulation.setTimezoneOverride", &json!({ "timezoneId": "Asia/Tokyo" }));
    sign_in(&browser, Who::Member);
    let shows = |zones: &[&str]| {
        browser.go("/experiments/fleet/exp0001");
        let times = "return [...document.querySelectorAll('time')].map(t => t.innerText).join(' ')";
        let times = browser.script(times, &[]);
        let times = times.as_str().unwrap_or_default();
        assert!(zones.iter().any(|zone| times.contains(zone)), "{times} has none of {zones:?}");
    };
    // Nobody has said, so the browser does.
    shows(&["GMT+9", "UTC+9", "JST"]);
    browser.go("/me");
    browser.choose("Time zone", "Europe/Berlin");
    browser.click(Kind::Button, "Set the time zone");
    browser.wait("what was done", || browser.has_role("status"));
    shows(&["CET", "CEST"]);
    browser.check_console();
}

#[test]
fn a_password_is_changed_and_other_sessions_end() {
    let world = World::with_nodes(222, 1);
    let browser = world.browser_of("password", Who::Member);
    let other = world.browser_of("password-other", Who::Member);
    browser.go("/me");
    browser.fill("The password that you have", PASSWORD);
    browser.fill("A new one", "quite another horse");
    browser.fill("The new one again", "quite another house");
    browser.click(Kind::Button, "Change the password");
    browser.wait("a refusal", || browser.has_role("alert"));
    browser.check_page("me-wrong");
    browser.fill("The password that you have", PASSWORD);
    browser.fill("A new one", "quite another horse");
    browser.fill("The new one again", "quite another horse");
    browser.click(Kind::Button, "Change the password");
    browser.wait("what was done", || browser.has_role("status"));
    other.go("/me");
    other.wait_path("/signin?next=%2Fme");
    other.fill("Login", Who::Member.login());
    other.fill("Password", "quite another horse");
    other.click(Kind::Button, "Sign in");
    other.wait_path("/me");
    browser.check_console();
}

#[test]
fn a_token_is_shown_once_and_revoked() {
    let world = World::with_nodes(223, 1);
    let browser = world.browser_of("token", Who::Member);
    browser.go("/me");
    browser.fill("What it is for", "nightly runs");
    browser.click(Kind::Button, "Make a token");
    browser.wait_text("This is shown only now");
    let token = browser.value("The token");
    assert!(token.len() > 20, "{token:?}");
    browser.check_page("me-token");
    browser.go("/me");
    browser.wait_text("nightly runs");
    browser.check_page("me-tokens");
    let source = browser.script("return document.documentElement.outerHTML", &[]);
    assert!(!source.as_str().unwrap_or_default().contains(&token));
    browser.click(Kind::Button, "Revoke the token");
    browser.wait("what was done", || browser.has_role("status"));
    assert!(!browser.shows("nightly runs"));
    browser.check_console();
}
