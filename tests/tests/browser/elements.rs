//! Things on a page, found as people find them: by what they are and what they are called. Both are
//! what Chromium tells assistive technology.

use serde_json::{Value, json};

use crate::browser::Browser;

/// How the protocol marks an element.
const MARK: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Elements that may be called so. Chromium then says what they are called.
const CANDIDATES: &str = r"
const [within, wanted] = arguments;
const flat = text => String(text ?? '').replace(/\s+/g, ' ').trim();
const kinds = 'a[href],button,input,select,textarea,summary,[role],[tabindex],progress,meter,table';
return [...(within ?? document).querySelectorAll(kinds)].filter(e => {
    if (!e.checkVisibility({ visibilityProperty: true })) return false;
    const others = ['aria-labelledby'].flatMap(name => (e.getAttribute(name) ?? '').split(/\s+/))
        .map(id => id && document.getElementById(id)).filter(e => e);
    const texts = [e.textContent, e.value, e.title, e.getAttribute('aria-label'),
        ...[...(e.labels ?? []), ...others].map(e => e.textContent)];
    return texts.some(text => flat(text).includes(wanted));
});";

/// What something on a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Field,
    Choice,
    CheckBox,
    Button,
    Link,
    Disclosure,
}

impl Kind {
    /// What Chromium calls it.
    const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Field => &["textbox", "searchbox", "spinbutton", "TextField", ""],
            Self::Choice => &["combobox", "listbox"],
            Self::CheckBox => &["checkbox", "switch"],
            Self::Button => &["button"],
            Self::Link => &["link"],
            Self::Disclosure => &["DisclosureTriangle", "DisclosureTriangleGrouped", "button"],
        }
    }
}

/// An element.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    id: String,
    pub(crate) role: String,
    pub(crate) name: String,
}

impl Browser {
    /// All of a kind with a name, or with one that contains the words if none has them as its name.
    pub(crate) fn all(&self, kind: Kind, name: &str) -> Vec<Element> {
        self.all_within(None, kind, name)
    }

    fn all_within(&self, within: Option<&Element>, kind: Kind, name: &str) -> Vec<Element> {
        let within = within.map_or(Value::Null, Element::value);
        let found = self.script(CANDIDATES, &[within, json!(name)]);
        let found = found.as_array().cloned().unwrap_or_default();
        let elements = found.iter().filter_map(|element| self.element(element));
        let (exact, others): (Vec<_>, Vec<_>) = elements
            .filter(|e| kind.roles().contains(&e.role.as_str()) && e.name.contains(name))
            .partition(|element| element.name == name);
        if exact.is_empty() { others } else { exact }
    }

    /// Whether there is one.
    pub(crate) fn has(&self, kind: Kind, name: &str) -> bool {
        !self.all(kind, name).is_empty()
    }

    /// Whether something says that it has such a role, an alert for example, and can be seen.
    pub(crate) fn has_role(&self, role: &str) -> bool {
        let script = "return [...document.querySelectorAll(`[role=${arguments[0]}]`)]
            .some(e => e.checkVisibility() && e.innerText.trim())";
        self.script(script, &[json!(role)]) == json!(true)
    }

    /// The one that there is.
    pub(crate) fn find(&self, kind: Kind, name: &str) -> Element {
        self.only(kind, name, self.all(kind, name))
    }

    /// The one that there is in the table's row, list item or section that begins with `row`.
    pub(crate) fn find_in(&self, row: &str, kind: Kind, name: &str) -> Element {
        let rows = self.script(
            "return [...document.querySelectorAll('tr,li,section,article,fieldset,form')]
                .filter(e => e.innerText.trim().startsWith(arguments[0]))",
            &[json!(row)],
        );
        let rows = rows.as_array().cloned().unwrap_or_default();
        let mut found = rows.iter().filter_map(|row| {
            let within = self.element(row)?;
            let all = self.all_within(Some(&within), kind, name);
            (!all.is_empty()).then_some(all)
        });
        self.only(kind, name, found.next().unwrap_or_default())
    }

    fn only(&self, kind: Kind, name: &str, mut all: Vec<Element>) -> Element {
        let here = || format!("{} shows:\n{}", self.path(), self.text());
        assert!(!all.is_empty(), "there is no {kind:?} {name:?}; {}", here());
        assert!(all.len() == 1, "{kind:?} {name:?} is not one thing but {all:?}; {}", here());
        all.swap_remove(0)
    }

    fn element(&self, value: &Value) -> Option<Element> {
        let id = value.get(MARK)?.as_str()?.to_owned();
        let ask = |what: &str| {
            let answer = self.wire.get(&format!("element/{id}/{what}")).ok()?;
            answer.as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        Some(Element { role: ask("computedrole")?, name: ask("computedlabel")?, id })
    }

    /// The element that has the focus, if it is one that can.
    pub(crate) fn focused(&self) -> Option<Element> {
        let element = self
            .script("const e = document.activeElement; return e === document.body ? null : e", &[]);
        self.element(&element)
    }

    pub(crate) fn click(&self, kind: Kind, name: &str) {
        self.click_on(&self.find(kind, name));
    }

    pub(crate) fn click_on(&self, element: &Element) {
        self.wire.post(&format!("element/{}/click", element.id), json!({})).unwrap();
    }

    /// Writes into the field with this label, instead of what is there.
    pub(crate) fn fill(&self, label: &str, text: &str) {
        self.fill_in(&self.find(Kind::Field, label), text);
    }

    pub(crate) fn fill_in(&self, field: &Element, text: &str) {
        self.wire.post(&format!("element/{}/clear", field.id), json!({})).unwrap();
        self.wire.post(&format!("element/{}/value", field.id), json!({ "text": text })).unwrap();
    }

    /// Chooses what is called `option` where the label is `label`.
    pub(crate) fn choose(&self, label: &str, option: &str) {
        self.choose_in(&self.find(Kind::Choice, label), option);
    }

    pub(crate) fn choose_in(&self, list: &Element, option: &str) {
        let found = self.script(
            "return [...arguments[0].options].find(o => o.label.trim() === arguments[1])
                ?? [...arguments[0].options].find(o => o.label.includes(arguments[1]))",
            &[list.value(), json!(option)],
        );
        let id = found.get(MARK).and_then(Value::as_str);
        let all = || self.script("return arguments[0].innerText", &[list.value()]);
        assert!(id.is_some(), "{:?} has no {option:?}, only {}", list.name, all());
        self.wire.post(&format!("element/{}/click", id.unwrap_or_default()), json!({})).unwrap();
    }

    /// What a field holds.
    pub(crate) fn value(&self, label: &str) -> String {
        let field = self.find(Kind::Field, label);
        let value = self.script("return arguments[0].value", &[field.value()]);
        value.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn is_checked(&self, label: &str) -> bool {
        let box_ = self.find(Kind::CheckBox, label);
        self.script("return arguments[0].checked", &[box_.value()]) == json!(true)
    }
}

impl Element {
    /// As an argument of a script.
    pub(crate) fn value(&self) -> Value {
        json!({ MARK: self.id })
    }
}
