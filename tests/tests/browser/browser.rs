//! A browser that a test looks through: it goes to pages, waits for words on them, and keeps pictures.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use xtask::nfs::namespace::Namespace;
use xtask::paths;

use crate::wire::Wire;

/// How long a page may take to show what it should.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Light,
    Dark,
    Phone,
    DarkPhone,
}

impl Look {
    pub(crate) const ALL: [Self; 4] = [Self::Light, Self::Dark, Self::Phone, Self::DarkPhone];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Phone => "phone",
            Self::DarkPhone => "dark-phone",
        }
    }

    pub(crate) const fn is_phone(self) -> bool {
        matches!(self, Self::Phone | Self::DarkPhone)
    }

    const fn size(self) -> (u32, u32) {
        if self.is_phone() { (390, 844) } else { (1200, 900) }
    }

    const fn scheme(self) -> &'static str {
        match self {
            Self::Light | Self::Phone => "light",
            Self::Dark | Self::DarkPhone => "dark",
        }
    }
}

/// A browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) wire: Wire,
    /// What is before the path in an address.
    site: String,
    /// The test's name, for what is kept of a failure.
    test: String,
}

impl Browser {
    /// Opens one for the site at `address` (host and port), in a network of its own if there is one.
    pub(crate) fn open(test: &str, address: &str, network: Option<&Namespace>) -> Self {
        xtask::apt::ensure(xtask::apt::BROWSER).unwrap();
        let wire = Wire::open(network).unwrap();
        let browser = Self { wire, site: format!("http://{address}"), test: test.to_owned() };
        browser.look(Look::Light);
        // Times on pages are the same wherever the test runs.
        browser.chromium("Emulation.setTimezoneOverride", &json!({ "timezoneId": "UTC" }));
        browser
    }

    /// Gives a command to Chromium.
    pub(crate) fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.wire.chromium(command, parameters).unwrap()
    }

    /// Runs a function's body in the page, also where pages can't run scripts.
    pub(crate) fn script(&self, body: &str, arguments: &[Value]) -> Value {
        self.wire.script(body, arguments).unwrap()
    }

    /// Goes to a path of the site.
    pub(crate) fn go(&self, path: &str) {
        self.wire.post("url", json!({ "url": format!("{}{path}", self.site) })).unwrap();
    }

    pub(crate) fn reload(&self) {
        self.wire.post("refresh", json!({})).unwrap();
    }

    pub(crate) fn back(&self) {
        self.wire.post("back", json!({})).unwrap();
    }

    /// The path of the page that is shown, with its query.
    pub(crate) fn path(&self) -> String {
        let url = self.wire.get("url").unwrap();
        let url = url.as_str().unwrap_or_default();
        url.strip_prefix(&self.site).unwrap_or(url).to_owned()
    }

    /// All that can be read on the page, without what is hidden.
    pub(crate) fn text(&self) -> String {
        let text = self.script("return document.body ? document.body.innerText : ''", &[]);
        text.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn shows(&self, words: &str) -> bool {
        self.text().contains(words)
    }

    /// Waits until something is so.
    pub(crate) fn wait(&self, what: &str, so: impl FnMut() -> bool) {
        self.wait_for(PATIENCE, what, so);
    }

    /// The same, for what takes longer.
    pub(crate) fn wait_for(&self, limit: Duration, what: &str, mut so: impl FnMut() -> bool) {
        let deadline = Instant::now() + limit;
        while !so() {
            assert!(
                Instant::now() < deadline,
                "not within {limit:?}: {what}; {} shows:\n{}",
                self.path(),
                self.text()
            );
            thread::sleep(LOOK);
        }
    }

    /// Waits until words can be read.
    pub(crate) fn wait_text(&self, words: &str) {
        self.wait(&format!("{words:?}"), || self.shows(words));
    }

    /// Waits until another page is shown.
    pub(crate) fn wait_path(&self, path: &str) {
        self.wait(&format!("the page {path}"), || self.path() == path);
    }

    /// From now on the page is looked at like this.
    pub(crate) fn look(&self, look: Look) {
        let (width, height) = look.size();
        self.chromium(
            "Emulation.setDeviceMetricsOverride",
            &json!({
                "width": width, "height": height, "deviceScaleFactor": 1,
                "mobile": look.is_phone(),
            }),
        );
        let features = json!([
            { "name": "prefers-color-scheme", "value": look.scheme() },
            // What is judged and kept is the state that something comes to.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.chromium("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Whether pages may run scripts, from the next one on.
    pub(crate) fn scripts(&self, allowed: bool) {
        self.chromium("Emulation.setScriptExecutionDisabled", &json!({ "value": !allowed }));
    }

    /// Keeps a picture of the whole page.
    pub(crate) fn screenshot(&self, name: &str) {
        self.try_screenshot(name).unwrap();
    }

    fn try_screenshot(&self, name: &str) -> Result<PathBuf> {
        let size = self.wire.chromium("Page.getLayoutMetrics", &json!({}))?;
        let size = &size["cssContentSize"];
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1,
        });
        let parameters = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.wire.chromium("Page.captureScreenshot", &parameters)?;
        let picture = BASE64_STANDARD.decode(picture["data"].as_str().context("no picture")?)?;
        let directory = paths::target().join("browser");
        fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{name}.png"));
        fs::write(&path, picture)?;
        Ok(path)
    }

    /// Fails if the browser has complained since it was asked last: of scripts, of what the page may
    /// not do by its own policy, of parts that aren't there. That a page itself came with an error is
    /// for the test to judge.
    pub(crate) fn check_console(&self) {
        let complaints = self.complaints();
        assert!(
            complaints.is_empty(),
            "{} made the browser complain: {complaints:#?}",
            self.path()
        );
    }

    /// What the browser has complained of since it was asked last.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let entries = self.wire.post("se/log", json!({ "type": "browser" })).unwrap();
        let entries = entries.as_array().cloned().unwrap_or_default();
        let complaints = entries.iter().filter(|entry| entry["level"] != "INFO");
        let texts = complaints.filter_map(|entry| entry["message"].as_str());
        // Boss' parts of pages are all below /static.
        let own = |text: &&str| {
            text.contains("responded with a status of 4") && !text.contains("/static/")
        };
        texts.filter(|text| !own(text)).map(str::to_owned).collect()
    }
}

impl Drop for Browser {
    /// A failure leaves a picture.
    fn drop(&mut self) {
        if thread::panicking() {
            match self.try_screenshot(&format!("failed-{}", self.test)) {
                Ok(path) => eprintln!("the page is in {}", path.display()),
                Err(error) => eprintln!("no picture of the page: {error:#}"),
            }
        }
    }
}
