//! A site is set up: what the demo begins with, by an administrator's browser.

use crate::elements::Kind;
use crate::world::{PASSWORD, Who, World, sign_in_as};

#[test]
fn people_projects_and_machines_are_added() {
    let world = World::with_nodes(224, 1);
    let browser = world.browser_of("setup", Who::Admin);
    browser.click(Kind::Link, "People");
    browser.wait_path("/people");
    browser.fill("Login", "newcomer");
    browser.fill("Number (uid)", "62001");
    browser.fill("First password", PASSWORD);
    browser.click(Kind::Button, "Add the user");
    browser.wait("the user", || browser.has_role("status") || browser.has_role("alert"));
    browser.check_page("setup-user");
    browser.go("/people");
    browser.fill("Project", "newproject");
    browser.choose("Head", "newcomer");
    browser.fill("Number of its Unix group", "62001");
    browser.click(Kind::Button, "Add the project");
    browser.wait("the project", || browser.has_role("status") || browser.has_role("alert"));
    browser.check_page("setup-project");
    let project = world.ask(world.boss.db.project(&"newproject".parse().unwrap())).unwrap();
    assert_eq!(project.unwrap().head.as_str(), "newcomer");

    browser.go("/nodes/new");
    browser.fill("Name", "newnode");
    browser.fill("Network card that it boots from", "52:54:00:aa:bb:cc");
    browser.fill("Address on the control network", "10.9.8.7");
    browser.fill("Disk", "sda");
    browser.fill("Size in bytes", "480103981056");
    browser.fill("Bytes of a sector", "512");
    browser.fill("Serial number", "S45PNA0M");
    browser.click(Kind::Button, "Add the node");
    browser.wait("the node", || browser.has_role("status") || browser.has_role("alert"));
    browser.check_page("setup-node");
    assert_eq!(browser.path(), "/nodes/newnode", "{}", browser.text());
    let disks = world.ask(world.boss.db.disks(&"newnode".parse().unwrap())).unwrap();
    assert_eq!(disks[0].serial.as_deref(), Some("S45PNA0M"));
    assert!(disks[0].boots);
    browser.check_console();

    // Who was added can sign in, and begin.
    let other = world.browser("setup-newcomer");
    sign_in_as(&other, "newcomer");
    other.go("/experiments/new");
    assert!(other.text().contains("newproject"), "{}", other.text());
    other.check_console();
}
