//! A keyboard and no mouse.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::elements::Element;

/// More stops than any page has.
const MANY: usize = 400;

/// A key that is no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Tab,
    BackTab,
    Enter,
    Space,
    Down,
}

impl Browser {
    pub(crate) fn press(&self, key: Key) {
        const SHIFT: char = '\u{e008}';
        match key {
            Key::Tab => self.stroke(&['\u{e004}']),
            Key::BackTab => self.stroke(&[SHIFT, '\u{e004}']),
            Key::Enter => self.stroke(&['\u{e007}']),
            Key::Space => self.stroke(&[' ']),
            Key::Down => self.stroke(&['\u{e015}']),
        }
    }

    /// Types text, to wherever the focus is.
    pub(crate) fn type_text(&self, text: &str) {
        for letter in text.chars() {
            self.stroke(&[letter]);
        }
    }

    /// Presses all of these, then lets them go.
    fn stroke(&self, keys: &[char]) {
        let action = |what: &str, key: &char| json!({ "type": what, "value": key });
        let down = keys.iter().map(|key| action("keyDown", key));
        let up = keys.iter().rev().map(|key| action("keyUp", key));
        let actions: Vec<Value> = down.chain(up).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.wire.post("actions", json!({ "actions": [keyboard] })).unwrap();
    }

    /// Presses Tab until something with this name has the focus.
    pub(crate) fn tab_to(&self, name: &str) -> Element {
        let mut stops = Vec::new();
        for _ in 0..MANY {
            self.press(Key::Tab);
            if let Some(element) = self.focused() {
                if element.name == name {
                    return element;
                }
                // All around.
                if stops.iter().filter(|stop| **stop == element.name).count() > 3 {
                    break;
                }
                stops.push(element.name);
            }
        }
        panic!("Tab never comes to {name:?} on {}: {stops:?}", self.path());
    }

    /// Goes once through the page with Tab; what is wrong with it.
    pub(crate) fn keyboard_faults(&self) -> Vec<String> {
        self.script(
            "window.__stops = []; document.activeElement?.blur(); window.scrollTo(0, 0);
            // From here Tab goes on, whatever had the focus before.
            document.body.tabIndex = -1; document.body.focus();
            document.body.removeAttribute('tabindex');",
            &[],
        );
        let mut faults = Vec::new();
        for _ in 0..MANY {
            self.press(Key::Tab);
            let found = self.function("return stop();");
            if found["end"] == json!(true) {
                break;
            }
            faults.extend(lines(&found["faults"]));
        }
        faults.extend(lines(&self.function("return missed();")));
        faults
    }
}

/// A script's list of lines.
pub(crate) fn lines(value: &Value) -> Vec<String> {
    let lines = value.as_array().into_iter().flatten();
    lines.filter_map(|line| line.as_str().map(str::to_owned)).collect()
}
