//! All pages that links lead to, for an administrator and for a user.

use std::collections::{BTreeSet, VecDeque};

use crate::browser::Browser;
use crate::keys::lines;
use crate::world::{Who, World, sign_in};

/// More pages than there are.
const MANY: usize = 80;

/// The paths that a page's links lead to, without what only says which part of a page it is.
fn links(browser: &Browser) -> Vec<String> {
    lines(&browser.script(
        "return [...document.querySelectorAll('a[href]')].filter(a => a.origin === location.origin)
            .map(a => a.pathname + a.search)",
        &[],
    ))
}

/// What pages of one kind have in common: two experiments are shown alike, and so are two nodes.
fn kind(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| {
        let is_one = part.ends_with(|end: char| end.is_ascii_digit())
            || Who::ALL.iter().any(|who| who.login() == part);
        if is_one { "one" } else { part }
    });
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Goes to all of them.
fn walk(who: Who, network: u8) {
    let world = World::with_nodes(network, 2);
    let browser = world.browser(&format!("pages-{}", who.login()));
    sign_in(&browser, who);
    let (mut kinds, mut next) = (BTreeSet::from([String::new()]), VecDeque::from(["/".to_owned()]));
    let mut faults = Vec::new();
    while let Some(path) = next.pop_front() {
        assert!(kinds.len() < MANY, "{kinds:?}");
        browser.go(&path);
        let name = format!(
            "{}-{}",
            who.login(),
            if path == "/" { "home".to_owned() } else { kind(&path) }
        );
        let found = browser.faults(Some(&name)).into_iter().chain(browser.complaints());
        faults.extend(found.map(|fault| format!("{path}: {fault}")));
        // Now what is folded away at first.
        let opened = browser.script(
            "const all = document.querySelectorAll('main details:not([open])');
            all.forEach(e => e.open = true); return all.length",
            &[],
        );
        if opened != 0 {
            let found = browser.faults(Some(&format!("{name}-unfolded")));
            faults.extend(found.into_iter().map(|fault| format!("{path}, unfolded: {fault}")));
        }
        if browser.shows("There is no such page") {
            faults.push(format!("{path}: a link that leads nowhere"));
        }
        for link in links(&browser) {
            // The description of the REST interface is for programs.
            if !link.starts_with("/api/") && kinds.insert(kind(&link)) {
                next.push_back(link);
            }
        }
    }
    println!("{} kinds of pages for {who:?}: {kinds:?}", kinds.len());
    assert!(kinds.len() > 5, "{kinds:?}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn all_pages_of_an_administrator_are_good() {
    walk(Who::Admin, 217);
}

#[test]
fn all_pages_of_a_user_are_good() {
    walk(Who::Studly, 218);
}
