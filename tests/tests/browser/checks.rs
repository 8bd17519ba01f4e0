//! What must hold for every page: for those who see little, who have no mouse, who have a phone.

use serde_json::{Value, json};

use crate::browser::{Browser, Look};
use crate::keys::lines;

/// The functions that scripts have.
const FUNCTIONS: [&str; 3] =
    [include_str!("color.js"), include_str!("structure.js"), include_str!("focus.js")];

/// What must have a name, as Chromium calls it.
const NAMED: [&str; 22] = [
    "button",
    "checkbox",
    "combobox",
    "dialog",
    "DisclosureTriangle",
    "heading",
    "image",
    "img",
    "link",
    "listbox",
    "meter",
    "option",
    "progressbar",
    "ProgressIndicator",
    "radio",
    "radiogroup",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
];

impl Browser {
    /// Looks at the page in all ways, keeps pictures of it, and fails if there are faults. Afterwards
    /// the page looks as at first.
    pub(crate) fn check_page(&self, name: &str) {
        let faults = self.faults(Some(name));
        assert!(faults.is_empty(), "faults of {name} at {}:\n{}", self.path(), faults.join("\n"));
        self.check_console();
    }

    /// The same without the keyboard, for a page that changes all the time.
    pub(crate) fn check_looks(&self, name: &str) {
        let faults = self.looks(Some(name), false);
        assert!(faults.is_empty(), "faults of {name} at {}:\n{}", self.path(), faults.join("\n"));
        self.check_console();
    }

    /// The faults of a page. Pictures are kept if it has a name.
    pub(crate) fn faults(&self, name: Option<&str>) -> Vec<String> {
        self.looks(name, true)
    }

    fn looks(&self, name: Option<&str>, with_keyboard: bool) -> Vec<String> {
        let mut faults = lines(&self.function("return structureFaults();"));
        faults.extend(self.nameless());
        for look in Look::ALL {
            self.look(look);
            let mut found = lines(&self.function("return [...textFaults(), ...fieldFaults()];"));
            if look.is_phone() {
                let width = self.script("return document.documentElement.clientWidth", &[]);
                if width != json!(390) {
                    found.push(format!("a phone's page is {width} wide"));
                }
                found.extend(lines(&self.function("return phoneFaults(390);")));
            } else {
                found.extend(lines(&self.function("return sidewaysFaults();")));
                if with_keyboard {
                    found.extend(self.keyboard_faults());
                }
            }
            // What was focused last isn't what the page looks like.
            self.script("document.activeElement?.blur(); window.scrollTo(0, 0)", &[]);
            if let Some(name) = name {
                self.screenshot(&format!("{name}-{}", look.name()));
            }
            faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", look.name())));
        }
        self.look(Look::Light);
        faults
    }

    /// Runs a script that knows the functions of this directory.
    pub(crate) fn function(&self, script: &str) -> Value {
        self.script(&format!("{}\n{script}", FUNCTIONS.join("\n")), &[])
    }

    /// What Chromium has no name for.
    fn nameless(&self) -> Vec<String> {
        self.chromium("Accessibility.enable", &json!({}));
        let tree = self.chromium("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        let shown = nodes.iter().filter(|node| node["ignored"] != json!(true));
        shown
            .filter_map(|node| {
                let role = node["role"]["value"].as_str()?;
                let name = node["name"]["value"].as_str().unwrap_or_default();
                let is_bad = NAMED.contains(&role) && name.trim().is_empty();
                is_bad.then(|| {
                    let article = if role.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
                    format!("no name for {article} {role}")
                })
            })
            .collect()
    }
}
