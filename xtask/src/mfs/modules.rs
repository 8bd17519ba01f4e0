//! Which modules an image needs, in the order they must be loaded.
//!
//! `depmod` is not needed: a kernel package carries no `modules.dep`, but each module says in
//! its `.modinfo` what it depends on, and `modules.builtin` lists what the kernel has built in.

use super::module::{ModInfo, name_of_file, normal_name, read_unpacked};
use super::profile::{Load, Turn, WantedModule};
use anyhow::{Context, Result, bail};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module that goes into the image.
#[derive(Debug)]
pub struct Module {
    /// Its name, with `_`.
    pub name: String,
    /// The object file's bytes, uncompressed, with the signature at their end.
    pub object: Vec<u8>,
    /// What its `.modinfo` says.
    pub info: ModInfo,
    /// The parameters to load it with; often empty.
    pub parameters: String,
    /// When it is loaded.
    pub load: Load,
    /// Before or after which others.
    pub turn: Turn,
    /// What must be loaded before, without what those need in turn.
    pub needs: Vec<String>,
    /// What is loaded when it is.
    pub brings: Vec<String>,
    /// Whether it is of no use without firmware.
    pub needs_firmware: bool,
}

/// The modules of one kernel.
#[derive(Debug)]
pub struct Library {
    files: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
    /// The modules that answer to a name that is no module's, such as `crc32c`. To know them every
    /// module is read, which is done when the first such name turns up.
    names: OnceCell<BTreeMap<String, Vec<String>>>,
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
        Ok(Self { files, builtin, names: OnceCell::new() })
    }

    /// The wanted modules and all they need, each after what it depends on.
    pub fn resolve(&self, wanted: &[WantedModule]) -> Result<Vec<Module>> {
        let by_name: BTreeMap<String, &WantedModule> =
            wanted.iter().map(|module| (normal_name(&module.name), module)).collect();
        let mut resolution = Resolution {
            library: self,
            wanted: &by_name,
            done: Vec::new(),
            open: Vec::new(),
            brought: Vec::new(),
        };
        for module in wanted {
            let name = normal_name(&module.name);
            resolution
                .visit_with_brought(&name)
                .with_context(|| format!("the profile wants the module `{name}`"))?;
            if self.builtin.contains(&name) && !module.parameters.is_empty() {
                bail!("`{name}` is built in and cannot be given parameters");
            }
        }
        Ok(resolution.done)
    }

    /// Modules that answer to a name that is not one of a module.
    fn by_alias(&self, alias: &str) -> Result<&[String]> {
        let names = if let Some(names) = self.names.get() {
            names
        } else {
            let names = self.read_names()?;
            self.names.get_or_init(|| names)
        };
        Ok(names.get(alias).map_or(&[], Vec::as_slice))
    }

    fn read_names(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, path) in &self.files {
            let info = ModInfo::of_object(&read_unpacked(path)?)
                .with_context(|| format!("cannot read {}", path.display()))?;
            for alias in info.aliases.iter().filter(|alias| !alias.contains(':')) {
                names.entry(normal_name(alias)).or_default().push(name.clone());
            }
        }
        Ok(names)
    }
}

/// Depth first; `open` is the path from a wanted module to the one being visited.
struct Resolution<'a> {
    library: &'a Library,
    wanted: &'a BTreeMap<String, &'a WantedModule>,
    done: Vec<Module>,
    open: Vec<String>,
    /// What has to come, too, but not before anything.
    brought: Vec<String>,
}

impl Resolution<'_> {
    fn visit_with_brought(&mut self, name: &str) -> Result<()> {
        self.visit(name)?;
        while let Some(brought) = self.brought.pop() {
            self.visit(&brought)?;
        }
        Ok(())
    }

    /// Adds a module after all that it needs. Whether it is one: the kernel may have it built in.
    fn visit(&mut self, name: &str) -> Result<bool> {
        if self.library.builtin.contains(name) {
            return Ok(false);
        }
        if self.done.iter().any(|module| module.name == name) {
            return Ok(true);
        }
        if self.open.iter().any(|open| open == name) {
            bail!("modules depend on each other: {} {name}", self.open.join(" "));
        }
        let path = self.library.files.get(name).with_context(|| {
            format!("this kernel has no module `{name}` (needed by: {})", self.open.join(" "))
        })?;
        let object = read_unpacked(path)?;
        let info = ModInfo::of_object(&object)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let how = match self.wanted.get(name) {
            Some(wanted) => (*wanted).clone(),
            None => WantedModule { load: Load::Dependency, ..WantedModule::default() },
        };
        check_parameters(name, &info, &how.parameters)?;

        self.open.push(name.to_owned());
        let mut needs = Vec::new();
        for soft in &info.soft_before {
            if let Some(module) = self.library.soft(soft)?
                && self.visit(&module)?
            {
                needs.push(module);
            }
        }
        for dependency in how.needs.iter().map(|name| normal_name(name)).chain(info.depends.clone())
        {
            if self.visit(&dependency)? {
                needs.push(dependency);
            }
        }
        self.open.pop();

        let mut brings: Vec<String> = how.brings.iter().map(|name| normal_name(name)).collect();
        for soft in &info.soft_after {
            brings.extend(self.library.soft(soft)?);
        }
        brings.retain(|name| !self.library.builtin.contains(name));
        self.brought.extend(brings.iter().cloned());
        self.done.push(Module {
            name: name.to_owned(),
            object,
            info,
            parameters: how.parameters,
            load: how.load,
            turn: how.turn,
            needs,
            brings,
            needs_firmware: how.needs_firmware,
        });
        Ok(true)
    }
}

impl Library {
    /// The module of a soft dependency, which may be an alias that several modules answer to
    /// (`crc32c`). The portable one is taken: which of the others works depends on the CPU. There
    /// may also be none.
    fn soft(&self, name: &str) -> Result<Option<String>> {
        if self.builtin.contains(name) || self.files.contains_key(name) {
            return Ok(Some(name.to_owned()));
        }
        let candidates = self.by_alias(name)?;
        let generic = candidates.iter().find(|candidate| candidate.ends_with("_generic"));
        Ok(generic.or(candidates.first()).cloned())
    }
}

/// The kernel ignores unknown parameters with no more than a line in its log.
fn check_parameters(name: &str, info: &ModInfo, parameters: &str) -> Result<()> {
    let known = &info.parameters;
    for word in parameters.split_whitespace() {
        let parameter = word.split('=').next().unwrap_or(word);
        if !known.iter().any(|candidate| candidate == parameter) {
            bail!(
                "the module `{name}` has no parameter `{parameter}`; it has: {}",
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
