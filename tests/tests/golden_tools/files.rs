//! The golden files of a case, each unpacked once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::Result;
use serde_json::Value;
use swapmfs_tests::golden::Case;

pub(crate) struct Files {
    case: Case,
    unpacked: RefCell<BTreeMap<String, Rc<Vec<u8>>>>,
}

impl Files {
    pub(crate) fn open(case: &str) -> Result<Self> {
        Ok(Self { case: Case::open(case)?, unpacked: RefCell::default() })
    }

    pub(crate) fn case(&self) -> &str {
        self.case.name()
    }

    pub(crate) fn manifest(&self) -> &Value {
        self.case.manifest()
    }

    /// The names of the disks.
    pub(crate) fn disks(&self) -> Vec<&str> {
        self.case.files().into_iter().filter(|name| name.ends_with(".img")).collect()
    }

    /// A file's content; `None` if it is not kept.
    pub(crate) fn get(&self, name: &str) -> Option<Rc<Vec<u8>>> {
        if let Some(known) = self.unpacked.borrow().get(name) {
            return Some(Rc::clone(known));
        }
        if !self.case.has(name) {
            return None;
        }
        let content = Rc::new(self.case.file(name).unwrap());
        self.unpacked.borrow_mut().insert(name.to_owned(), Rc::clone(&content));
        Some(content)
    }
}
