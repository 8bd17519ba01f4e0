//! `lib/modules/index`, from which the agent knows its modules. It describes the format, in
//! `mfs-agent/src/boot/modules/index.rs`.

use super::modules::Module;
use super::profile::{Load, Turn};
use std::fmt::Write;

/// The index of these modules, which are in an order that they can be loaded in.
pub fn write(modules: &[Module]) -> String {
    let mut text = String::new();
    for module in modules {
        let load = match module.load {
            Load::Always => "always",
            Load::Hardware => "hardware",
            Load::Dependency => "dependency",
        };
        let turn = match module.turn {
            Turn::First => "first",
            Turn::Middle => "middle",
            Turn::Last => "last",
        };
        line(&mut text, &format!("module {} {load} {turn}", module.name), &module.needs.join(" "));
        for (key, value) in
            [("parameters", module.parameters.clone()), ("brings", module.brings.join(" "))]
        {
            if !value.is_empty() {
                line(&mut text, key, &value);
            }
        }
        if module.load == Load::Hardware {
            // Names without a bus are no device's.
            for alias in module.info.aliases.iter().filter(|alias| alias.contains(':')) {
                line(&mut text, "alias", alias);
            }
        }
    }
    text
}

fn line(text: &mut String, start: &str, rest: &str) {
    let space = if rest.is_empty() { "" } else { " " };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{start}{space}{rest}");
}

#[cfg(test)]
mod tests {
    use super::super::module::ModInfo;
    use super::*;

    #[test]
    fn lines() {
        let module = |name: &str, load, turn, needs: &[&str]| Module {
            name: name.into(),
            object: Vec::new(),
            info: ModInfo {
                aliases: vec!["mpt2sas".into(), format!("pci:v{name}*")],
                ..ModInfo::default()
            },
            parameters: String::new(),
            load,
            turn,
            needs: needs.iter().map(|name| (*name).to_owned()).collect(),
            brings: Vec::new(),
            needs_firmware: false,
        };
        let mut modules = [
            module("watchdog", Load::Dependency, Turn::Middle, &[]),
            module("dog", Load::Always, Turn::First, &["watchdog"]),
            module("card", Load::Hardware, Turn::Last, &[]),
        ];
        modules[1].parameters = "heartbeat=60 nowayout=0".into();
        modules[2].brings = vec!["watchdog".into()];
        assert_eq!(
            write(&modules),
            "module watchdog dependency middle\n\
             module dog always first watchdog\n\
             parameters heartbeat=60 nowayout=0\n\
             module card hardware last\n\
             brings watchdog\n\
             alias pci:vcard*\n"
        );
    }
}
