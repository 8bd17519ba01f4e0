//! What a form says.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::trouble::Trouble;
use crate::error::{ErrorKind, Result};
use crate::server::Boss;

/// The fields of a form that came from one of our pages. Handlers take it as an argument.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl FromRequestParts<Arc<Boss>> for Fields {
    type Rejection = Trouble;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &Arc<Boss>,
    ) -> std::result::Result<Self, Trouble> {
        // Only the guard puts it there.
        let fields = parts.extensions.remove::<Self>();
        fields.ok_or_else(|| Trouble::new(StatusCode::BAD_REQUEST, "A form was expected."))
    }
}

impl Fields {
    /// Reads a form's body.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> std::result::Result<Self, Trouble> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !body.is_empty() && !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let message = "Forms are sent as application/x-www-form-urlencoded.";
            return Err(Trouble::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        serde_urlencoded::from_bytes(body).map(Self).map_err(|error| {
            Trouble::new(StatusCode::BAD_REQUEST, format!("The form can't be read: {error}"))
        })
    }

    /// What a field says, without spaces at its ends; nothing, if the form doesn't have it.
    pub(super) fn text(&self, name: &str) -> &str {
        self.given(name).unwrap_or_default().trim()
    }

    /// What a field says, exactly; `None`, if the form doesn't have it.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        // The last counts: a checkbox comes after the hidden field that says no.
        self.all(name).last()
    }

    /// What all fields of that name say, in order.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let of_name = self.0.iter().filter(move |(key, _)| key == name);
        of_name.map(|(_, value)| value.as_str())
    }

    /// Whether a checkbox is ticked. A page that shows one has a hidden field of its name with the
    /// value 0 before it; `None` says that the page didn't show it, and nothing changes.
    pub(super) fn ticked(&self, name: &str) -> Option<bool> {
        self.given(name).map(|value| value == "1")
    }

    /// A value of some type.
    ///
    /// # Errors
    /// `Invalid`: it is none of that type; says so of `label`, the field's label.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, name: &str, label: &str) -> Result<T> {
        let text = self.text(name);
        text.parse().map_err(|error| {
            let why = if text.is_empty() {
                format!("{label}: it is empty")
            } else {
                format!("{label}: {error}")
            };
            ErrorKind::Invalid.because(why)
        })
    }

    /// The same for a field that may be empty.
    ///
    /// # Errors
    /// As [`Fields::parse`].
    pub(super) fn parse_if_given<T: FromStr<Err: Display>>(
        &self,
        name: &str,
        label: &str,
    ) -> Result<Option<T>> {
        if self.text(name).is_empty() {
            return Ok(None);
        }
        self.parse(name, label).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Fields {
        let mut headers = HeaderMap::new();
        let kind = "application/x-www-form-urlencoded; charset=UTF-8";
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        Fields::read(&headers, body.as_bytes()).unwrap()
    }

    #[test]
    fn a_checkbox_that_was_not_shown_says_nothing() {
        assert_eq!(fields("savedisk=0&savedisk=1").ticked("savedisk"), Some(true));
        assert_eq!(fields("savedisk=0").ticked("savedisk"), Some(false));
        assert_eq!(fields("eid=trial").ticked("savedisk"), None);
    }

    #[test]
    fn values_are_read_and_errors_name_the_label() {
        let fields = fields("n=+7+&bad=x%26y&vname=a&vname=b%20");
        assert_eq!(fields.parse::<u32>("n", "Number").unwrap(), 7);
        let error = fields.parse::<u32>("bad", "Number").unwrap_err();
        assert!(error.to_string().starts_with("Number: "), "{error}");
        assert_eq!(fields.text("bad"), "x&y");
        assert_eq!(fields.all("vname").collect::<Vec<_>>(), ["a", "b "]);
        assert!(fields.parse_if_given::<u32>("none", "None").unwrap().is_none());
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
        assert!(Fields::read(&headers, b"a=b").is_err());
    }
}
