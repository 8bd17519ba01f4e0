//! The settings of a power driver in a form: lines for those that can be seen, and a field for each
//! that can't.

use std::collections::BTreeMap;

use crate::error::{ErrorKind, Result};
use crate::power::is_secret;
use crate::web::fields::Fields;

/// Before the key, the name of the field of a setting that isn't shown.
const SECRET: &str = "secret-";
/// And of the checkbox that takes it away.
const FORGET: &str = "forget-";

/// All settings; without their values, if these aren't to be read.
pub(super) fn shown(settings: &BTreeMap<String, String>) -> Vec<(String, Option<String>)> {
    let all = settings.iter();
    all.map(|(key, value)| (key.clone(), (!is_secret(key)).then(|| value.clone()))).collect()
}

/// Those that can be read, one a line.
pub(super) fn lines(settings: &BTreeMap<String, String>) -> String {
    let seen = settings.iter().filter(|(key, _)| !is_secret(key));
    seen.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
}

/// What a form changes of the settings that are known: an empty value takes one away.
///
/// # Errors
/// `Invalid`: a line is none.
pub(super) fn changes(
    fields: &Fields,
    known: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let mut changes = BTreeMap::new();
    if let Some(text) = fields.given("settings") {
        // What was shown and isn't there any more is taken away.
        let seen = known.keys().filter(|key| !is_secret(key));
        changes.extend(seen.map(|key| (key.clone(), String::new())));
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some((key, value)) = line.split_once('=') else {
                let why = format!("Settings: there is no = in {line:?}; such as ADDRESS=10.0.0.9");
                return Err(ErrorKind::Invalid.because(why));
            };
            changes.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    for key in known.keys().filter(|key| is_secret(key)) {
        if fields.ticked(&format!("{FORGET}{key}")) == Some(true) {
            changes.insert(key.clone(), String::new());
        } else if let Some(value) = fields.given(&format!("{SECRET}{key}"))
            && !value.is_empty()
        {
            changes.insert(key.clone(), value.to_owned());
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn known() -> BTreeMap<String, String> {
        let all =
            [("ADDRESS", "a"), ("PASSWORD", "p"), ("PASSWORD_FILE", "/f"), ("API_TOKEN", "t")];
        all.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    fn changed(body: &str) -> BTreeMap<String, String> {
        let mut headers = HeaderMap::new();
        let kind = "application/x-www-form-urlencoded";
        headers.insert("content-type", kind.parse().unwrap());
        let fields = Fields::read(&headers, body.as_bytes()).unwrap();
        let mut all = known();
        all.extend(changes(&fields, &known()).unwrap());
        all.retain(|_, value| !value.is_empty());
        all
    }

    #[test]
    fn a_secret_is_not_shown_and_stays_if_nothing_is_typed() {
        let text = lines(&known());
        assert_eq!(text, "ADDRESS=a\nPASSWORD_FILE=/f");
        assert!(shown(&known()).contains(&("PASSWORD".to_owned(), None)));
        assert_eq!(changed(""), known());
        let all =
            changed("settings=ADDRESS%3Db%0D%0AUSER%3Dme&secret-PASSWORD=&secret-API_TOKEN=u");
        let pairs: Vec<_> = all.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(pairs, ["ADDRESS=b", "API_TOKEN=u", "PASSWORD=p", "USER=me"]);
        assert!(!changed("secret-PASSWORD=x&forget-PASSWORD=1").contains_key("PASSWORD"));
        assert_eq!(changed("settings=PASSWORD%3Dq")["PASSWORD"], "q");
    }
}
