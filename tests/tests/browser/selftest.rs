//! What looks at pages finds the faults that it should find, and none where there are none.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use swapmfs_tests::trial::is_root;
use xtask::nfs::namespace::Namespace;

use crate::browser::Browser;
use crate::elements::Kind;
use crate::keys::Key;

/// A page without faults.
const GOOD: &str = r#"<!doctype html><html lang="en"><head><title>Good</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 sans-serif; }
input, select, textarea { border: 1px solid GrayText; min-height: 24px; }
button { min-height: 24px; }
</style></head><body>
<main><h1>Good page</h1>
<p>See <a href="/next">the next one</a>.</p>
<form action="/next"><label for="name">Name</label> <input id="name" name="name">
<label><input type="checkbox" name="save"> Save the disk</label>
<label for="kind">Kind</label> <select id="kind" name="kind"><option>small<option>large</select>
<button>Go on</button></form>
<table><tr><th>Node<th>What<tr><td>pc1<td><a href="/pc1">Show</a><tr><td>pc2<td><a href="/pc2">Show</a></table>
<details><summary>More</summary>hidden words</details>
<div id="here"></div>
<noscript>No scripts here.</noscript></main>
<script>setTimeout(() => document.getElementById('here').textContent = 'later words', 300)</script>
</body></html>"#;

/// A page with one fault of each kind.
const BAD: &str = r#"<!doctype html><html><head><title> </title>
<style>
:root { color-scheme: light dark; }
p.pale { color: rgb(150 150 150); background: white; }
@media (prefers-color-scheme: dark) { p.night { color: #333; background: #111; } }
a { text-decoration: none; }
#flat:focus { outline: none; }
#edge { border: 1px solid #eee; background: white; }
</style></head><body>
<h1>One</h1><h1>Two</h1><h3>Three</h3>
<p class="pale">pale words</p><p class="night">night words</p>
<p>Words and <a href="/x">words</a>.</p>
<input placeholder="no label"> <input id="edge" aria-label="Edge"> <input type="password" aria-label="P">
<button></button> <a id="flat" href="/y">Flat</a> <a id="flat" href="/z" tabindex="3">Third</a>
<svg role="img" width="9" height="9"></svg><img src="/static/absent.png">
<div style="width: 1000px">wide</div>
<label for="nobody">Nobody</label>
<button style="width: 9px; height: 9px; padding: 0" aria-label="tiny"></button>
<script>console.error('an error of its own'); nothing.at.all;</script>
</body></html>"#;

/// Serves pages for as long as the process lives.
fn serve() -> SocketAddr {
    serve_at(TcpListener::bind("127.0.0.1:0").unwrap())
}

fn serve_at(listener: TcpListener) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A browser opens connections that it may not use.
            thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(stream: TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    let first = lines.next()?;
    let _rest: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let path = first.split(' ').nth(1)?;
    let (status, kind, body) = match path.split('?').next()? {
        "/good" => ("200 OK", "text/html", GOOD),
        "/bad" => ("200 OK", "text/html", BAD),
        "/strict" => ("200 OK\r\nContent-Security-Policy: default-src 'none'", "text/html", GOOD),
        "/next" => ("200 OK", "text/html", "<title>Next</title><h1>Next page</h1>"),
        "/favicon.ico" => ("200 OK", "image/x-icon", ""),
        _ => ("404 Not Found", "text/html", "<h1>Nothing there</h1>"),
    };
    let mut stream = stream;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .ok()
}

fn open(test: &str) -> Browser {
    Browser::open(test, &serve().to_string(), None)
}

#[test]
fn a_good_page_has_no_faults() {
    let browser = open("good");
    browser.go("/good");
    browser.check_page("selftest-good");
    for look in ["light", "dark", "phone", "dark-phone"] {
        let picture = xtask::paths::target().join(format!("browser/selftest-good-{look}.png"));
        assert!(fs::read(picture).unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn each_fault_is_found() {
    let browser = open("bad");
    browser.go("/bad");
    let faults = browser.faults(None);
    for fault in [
        "html has no lang",
        "the page has no title",
        "no viewport for phones",
        "2 headings h1 instead of one",
        "a heading's level is left out before <h3>",
        "0 main instead of one",
        "the id flat is there twice",
        "for=\"nobody\" leads nowhere",
        "no label: <input>",
        "a password without autocomplete",
        "an image without alt",
        "its place for Tab is not that in the page: <a#flat> \"Third\"",
        "a link that only its colour tells: <a> \"words\"",
        "no name for a button",
        "no name for an image",
        "light: contrast 2.96, not 4.5: rgb(150,150,150) on rgb(255,255,255): <p.pale>",
        "light: contrast of a field's edge",
        "light: the focus doesn't show: <a#flat> \"Flat\"",
        "dark: contrast 1.",
        "phone: a phone's page is 9",
        "phone: the page is 10",
        "phone: too wide: <div> \"wide\"",
        "phone: 9×9 is too small",
    ] {
        assert!(faults.iter().any(|f| f.starts_with(fault)), "{fault:?} is not in {faults:#?}");
    }
    assert!(!faults.iter().any(|f| f.starts_with("light: contrast") && f.contains("night")));
    let complaints = browser.complaints();
    for what in ["an error of its own", "nothing is not defined", "404"] {
        assert!(complaints.iter().any(|text| text.contains(what)), "{what}: {complaints:#?}");
    }
    assert!(browser.complaints().is_empty(), "they are told once");
}

#[test]
fn what_a_policy_forbids_is_noticed() {
    let browser = open("strict");
    browser.go("/strict");
    let complaints = browser.complaints();
    let forbidden = |text: &String| text.contains("Content Security Policy");
    assert!(complaints.iter().any(forbidden), "{complaints:#?}");
    // That a page isn't there is for the test to say.
    browser.go("/absent");
    assert!(browser.shows("Nothing there"));
    browser.check_console();
}

#[test]
fn a_form_is_filled_in_by_its_labels() {
    let browser = open("form");
    browser.go("/good");
    browser.wait_text("later words");
    browser.fill("Name", "first");
    browser.fill("Name", "Ünïcode & more");
    assert_eq!(browser.value("Name"), "Ünïcode & more");
    browser.choose("Kind", "large");
    assert!(!browser.is_checked("Save the disk"));
    browser.click(Kind::CheckBox, "Save the disk");
    assert!(browser.is_checked("Save the disk"));
    assert!(!browser.has(Kind::Button, "Go back"));
    browser.click(Kind::Button, "Go on");
    browser.wait_path("/next?name=%C3%9Cn%C3%AFcode+%26+more&save=on&kind=large");
    browser.back();
    browser.wait_path("/good");
    assert!(!browser.shows("hidden words"));
    browser.click(Kind::Disclosure, "More");
    browser.wait_text("hidden words");
    browser.click(Kind::Link, "the next one");
    browser.wait_path("/next");
    browser.back();
    browser.wait_path("/good");
    browser.reload();
    browser.click_on(&browser.find_in("pc2", Kind::Link, "Show"));
    browser.wait_path("/pc2");
    browser.check_console();
}

#[test]
fn a_keyboard_is_enough() {
    let browser = open("keyboard");
    browser.go("/good");
    let stop = browser.tab_to("Name");
    assert_eq!(stop.role, "textbox");
    browser.type_text("me");
    browser.tab_to("Save the disk");
    browser.press(Key::Space);
    browser.press(Key::Tab);
    browser.press(Key::Down);
    browser.press(Key::BackTab);
    assert_eq!(browser.focused().unwrap().name, "Save the disk");
    browser.tab_to("Go on");
    browser.press(Key::Enter);
    browser.wait_path("/next?name=me&save=on&kind=large");
}

#[test]
fn pages_do_without_scripts_when_they_must() {
    let browser = open("scripts");
    browser.scripts(false);
    browser.go("/good");
    browser.wait_text("No scripts here.");
    browser.fill("Name", "me");
    browser.click(Kind::Button, "Go on");
    browser.wait_path("/next?name=me&kind=small");
    browser.scripts(true);
    browser.go("/good");
    browser.wait_text("later words");
}

#[test]
fn a_browser_sees_the_network_it_is_in() {
    if !is_root("a_browser_sees_the_network_it_is_in") {
        return;
    }
    let network = Namespace::new().unwrap();
    let listener = network.inside(|| TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let browser = Browser::open("network", &serve_at(listener).to_string(), Some(&network));
    browser.go("/good");
    browser.wait_text("Good page");
}

#[test]
fn nothing_is_left_of_a_browser() {
    let browser = open("left");
    browser.go("/good");
    let home = browser.wire.home().display().to_string();
    let running = || {
        let all = fs::read_dir("/proc").unwrap().map_while(Result::ok);
        let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(&home)).count()
    };
    assert!(running() > 1);
    drop(browser);
    assert_eq!(running(), 0);
    assert!(!fs::exists(&home).unwrap());
}
