//! The nodes that an experiment asks for, as rows of a form.

use super::choices::Group;
use crate::db::experiments::WantedNode;
use crate::error::{ErrorKind, Result};
use crate::experiment::manage::MOST_NODES;
use crate::web::fields::Fields;

/// A node in a form, as somebody has typed it.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) vname: String,
    /// Nothing: the machine is taken with what is on its disk.
    pub(super) image: String,
    pub(super) role: String,
}

/// The nodes of a form.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) images: Vec<Group>,
}

impl Rows {
    /// Those that a form has; `None`, if it was shown without. Of more than an experiment can have
    /// there is one too many, so that this is said: each row is shown with all images.
    pub(super) fn of_form(fields: &Fields) -> Option<Vec<Row>> {
        let (mut images, mut roles) = (fields.all("image"), fields.all("role"));
        let rows = fields.all("vname").map(|vname| {
            let next = |of: &mut dyn Iterator<Item = &str>| {
                of.next().unwrap_or_default().trim().to_owned()
            };
            let (image, role) = (next(&mut images), next(&mut roles));
            Row { vname: vname.trim().to_owned(), image, role }
        });
        let mut rows: Vec<_> = rows.collect();
        if rows.len() > MOST_NODES {
            rows.retain(|row| !row.vname.is_empty());
            rows.truncate(MOST_NODES + 1);
        }
        (!rows.is_empty()).then_some(rows)
    }

    /// Those that an experiment has.
    pub(super) fn of_wanted(nodes: &[WantedNode]) -> Vec<Row> {
        let rows = nodes.iter().map(|node| Row {
            vname: node.vname.to_string(),
            image: node.image.as_ref().map(ToString::to_string).unwrap_or_default(),
            role: node.erole.clone(),
        });
        rows.collect()
    }

    /// With the images that may be chosen.
    pub(super) fn new(rows: Vec<Row>, images: Vec<Group>) -> Self {
        Self { rows, images }
    }

    /// Whether a row has an image that was chosen and can't be any more. Only that row offers it.
    pub(super) fn is_gone(&self, image: &str) -> bool {
        let mut all = self.images.iter().flat_map(|group| &group.choices);
        !image.is_empty() && !all.any(|choice| choice.value == image)
    }

    /// Whether other images can be chosen than what is on the disk.
    pub(super) fn has_images(&self) -> bool {
        !self.images.is_empty()
    }
}

/// One more, with a name of its own and the image of the last.
pub(super) fn add(rows: &mut Vec<Row>) {
    let is_new = |name: &String| !rows.iter().any(|row| row.vname == *name);
    let names = (0..=rows.len()).map(|number| format!("node{number}"));
    let vname = names.into_iter().find(is_new).unwrap_or_default();
    let image = rows.last().map(|row| row.image.clone()).unwrap_or_default();
    rows.push(Row { vname, image, role: "node".to_owned() });
}

/// The nodes; a row without a name is none.
///
/// # Errors
/// `Invalid`: names that are none.
pub(super) fn wanted(rows: &[Row]) -> Result<Vec<WantedNode>> {
    let named = rows.iter().filter(|row| !row.vname.is_empty());
    let nodes = named.map(|row| {
        let invalid = |what: &str, error: &dyn std::fmt::Display| {
            ErrorKind::Invalid.because(format_args!("{what} of {}: {error}", row.vname))
        };
        let vname = row.vname.parse().map_err(|error| invalid("Name", &error))?;
        let image = match row.image.as_str() {
            "" => None,
            image => Some(image.parse().map_err(|error| invalid("Image", &error))?),
        };
        let erole = if row.role.is_empty() { "node" } else { row.role.as_str() }.to_owned();
        Ok(WantedNode { vname, erole, image })
    });
    nodes.collect()
}
