//! Signing in and out, and the frame of all pages.

use crate::browser::Look;
use crate::elements::Kind;
use crate::keys::Key;
use crate::world::{PASSWORD, Who, World, sign_in};

#[test]
fn who_has_the_password_comes_in_and_goes_out_again() {
    let world = World::with_nodes(201, 1);
    let browser = world.browser("signin");
    // One comes to where one wanted to go.
    browser.go("/experiments");
    assert_eq!(browser.path(), "/signin?next=%2Fexperiments");
    browser.check_page("signin");
    assert!(!browser.has(Kind::Link, "Experiments") && !browser.has(Kind::Button, "Sign out"));

    browser.fill("Login", Who::Member.login());
    browser.fill("Password", "a horse with a battery & stables");
    browser.click(Kind::Button, "Sign in");
    browser.wait_text("Login and password don't fit");
    browser.check_page("signin-wrong");
    assert_eq!(browser.value("Login"), Who::Member.login());
    assert_eq!(browser.value("Password"), "");

    browser.fill("Password", PASSWORD);
    browser.click(Kind::Button, "Sign in");
    browser.wait_path("/experiments");
    assert!(browser.has(Kind::Link, "Experiments"));

    browser.click(Kind::Button, "Sign out");
    browser.wait_path("/signin");
    // Nothing is left to go back to.
    browser.go("/");
    browser.wait_path("/signin?next=%2F");
    browser.back();
    browser.go("/experiments");
    browser.wait_path("/signin?next=%2Fexperiments");
    browser.check_console();
}

#[test]
fn the_frame_of_all_pages_is_good_for_everybody() {
    let world = World::with_nodes(202, 1);
    let browser = world.browser("frame");
    for who in [Who::Member, Who::Admin] {
        sign_in(&browser, who);
        browser.check_page(&format!("home-{}", who.login()));
        for (link, admins) in [("Experiments", false), ("Images", false), ("Nodes", true)] {
            assert_eq!(browser.has(Kind::Link, link), !admins || who == Who::Admin, "{link}");
        }
        browser.go("/no/such/page");
        browser.wait_text("There is no such page");
        browser.check_page(&format!("nothing-{}", who.login()));
        browser.click(Kind::Button, "Sign out");
        browser.wait_path("/signin");
    }
}

#[test]
fn one_signs_in_and_out_without_a_mouse() {
    let world = World::with_nodes(203, 1);
    let browser = world.browser("signin-keyboard");
    browser.go("/signin");
    browser.tab_to("Login");
    browser.type_text(Who::Member.login());
    browser.press(Key::Tab);
    browser.type_text(PASSWORD);
    browser.press(Key::Enter);
    browser.wait_path("/");
    // The first stop is the way past the navigation.
    browser.press(Key::Tab);
    assert_eq!(browser.focused().unwrap().name, "Skip to content");
    browser.screenshot("skip-link");
    browser.press(Key::Enter);
    assert_eq!(browser.script("return document.activeElement.id", &[]), "main");
    browser.tab_to("Sign out");
    browser.press(Key::Enter);
    browser.wait_path("/signin");
}

#[test]
fn one_signs_in_without_scripts_and_on_a_phone() {
    let world = World::with_nodes(204, 1);
    let browser = world.browser("signin-scripts");
    browser.scripts(false);
    browser.look(Look::Phone);
    sign_in(&browser, Who::Studly);
    browser.click(Kind::Button, "Sign out");
    browser.wait_path("/signin");
}
