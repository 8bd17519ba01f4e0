//! Which modules an image needs, in the order they must be loaded.
//!
//! `depmod` is not needed: a kernel package carries no `modules.dep`, but each module says in
//! its `.modinfo` what it depends on, and `modules.builtin` lists what the kernel has built in.

use super::module::{ModInfo, name_of_file, normal_name, read_object};
use super::profile::WantedModule;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module that goes into the image.
#[derive(Debug)]
pub struct Module {
    /// Its name, with `_`.
    pub name: String,
    /// The object file's bytes, uncompressed.
    pub object: Vec<u8>,
    /// The parameters to load it with; often empty.
    pub parameters: String,
}

/// The modules of one kernel.
#[derive(Debug)]
pub struct Library {
    files: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
}

impl Library {
    /// Indexes `directory`, a kernel's `lib/modules/<release>`.
    pub fn open(directory: &Path) -> Result<Self> {
        let list = directory.join("modules.builtin");
        let builtin = fs::read_to_string(&list)
            .with_context(|| format!("cannot read {}", list.display()))?
            .lines()
            .filter_map(|line| name_of_file(Path::new(line)))
            .collect();
        let mut files = BTreeMap::new();
        index(&directory.join("kernel"), &mut files)?;
        Ok(Self { files, builtin })
    }

    /// The wanted modules and all they need, each after what it depends on.
    pub fn resolve(&self, wanted: &[WantedModule]) -> Result<Vec<Module>> {
        let mut resolution = Resolution { library: self, done: Vec::new(), open: Vec::new() };
        for module in wanted {
            resolution
                .visit(&normal_name(&module.name))
                .with_context(|| format!("the profile wants the module `{}`", module.name))?;
        }
        let mut modules = resolution.done;
        for wanted in wanted.iter().filter(|wanted| !wanted.parameters.is_empty()) {
            let name = normal_name(&wanted.name);
            let module = modules
                .iter_mut()
                .find(|module| module.name == name)
                .with_context(|| format!("`{name}` is built in and cannot be given parameters"))?;
            check_parameters(module, &wanted.parameters)?;
            module.parameters.clone_from(&wanted.parameters);
        }
        Ok(modules)
    }

    /// Modules that answer to an alias. Slow (reads every module), so only for soft
    /// dependencies that are not the name of a module.
    fn by_alias(&self, alias: &str) -> Result<Vec<&str>> {
        let mut names = Vec::new();
        for (name, path) in &self.files {
            let info = ModInfo::of_object(&read_object(path)?)
                .with_context(|| format!("cannot read {}", path.display()))?;
            if info.aliases.iter().any(|candidate| candidate == alias) {
                names.push(name.as_str());
            }
        }
        Ok(names)
    }
}

/// Depth first; `open` is the path from a wanted module to the one being visited.
struct Resolution<'a> {
    library: &'a Library,
    done: Vec<Module>,
    open: Vec<String>,
}

impl Resolution<'_> {
    fn visit(&mut self, name: &str) -> Result<()> {
        if self.library.builtin.contains(name) || self.done.iter().any(|m| m.name == name) {
            return Ok(());
        }
        if self.open.iter().any(|open| open == name) {
            bail!("modules depend on each other: {} {name}", self.open.join(" "));
        }
        let path = self.library.files.get(name).with_context(|| {
            format!("this kernel has no module `{name}` (needed by: {})", self.open.join(" "))
        })?;
        let object = read_object(path)?;
        let info = ModInfo::of_object(&object)
            .with_context(|| format!("cannot read {}", path.display()))?;
        self.open.push(name.to_owned());
        for soft in &info.soft_before {
            self.visit_soft(soft)?;
        }
        for dependency in &info.depends {
            self.visit(dependency)?;
        }
        self.open.pop();
        self.done.push(Module { name: name.to_owned(), object, parameters: String::new() });
        Ok(())
    }

    /// A soft dependency may be an alias that several modules answer to (`crc32c`). The portable
    /// one is taken: which of the others works depends on the CPU. It may also not exist.
    fn visit_soft(&mut self, name: &str) -> Result<()> {
        if self.library.builtin.contains(name) || self.library.files.contains_key(name) {
            return self.visit(name);
        }
        let candidates = self.library.by_alias(name)?;
        let generic = candidates.iter().find(|candidate| candidate.ends_with("_generic"));
        match generic.or(candidates.first()) {
            Some(module) => self.visit(module),
            None => Ok(()),
        }
    }
}

/// The kernel ignores unknown parameters with no more than a line in its log.
fn check_parameters(module: &Module, parameters: &str) -> Result<()> {
    let known = ModInfo::of_object(&module.object)?.parameters;
    for parameter in parameters.split_whitespace() {
        let name = parameter.split('=').next().unwrap_or(parameter);
        if !known.iter().any(|candidate| candidate == name) {
            bail!(
                "the module `{}` has no parameter `{name}`; it has: {}",
                module.name,
                known.join(", ")
            );
        }
    }
    Ok(())
}

fn index(directory: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            index(&path, files)?;
        } else if let Some(name) = name_of_file(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
