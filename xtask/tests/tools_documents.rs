//! Manual pages and completions: their readers take them without a complaint.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use imagezip_tools::commands::TOOLS;
use xtask::command::stdout;
use xtask::{apt, tools};

#[test]
fn documents_are_well_formed() {
    apt::ensure(apt::DOCUMENT_TOOLS).unwrap();
    let share = tempfile::tempdir().unwrap();
    tools::write_documents(share.path()).unwrap();
    for tool in TOOLS {
        let name = tool.name;
        let path = |place: String| -> PathBuf { share.path().join(place) };
        let page = path(format!("man/man1/{name}.1"));
        let groff = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-z"])
            .arg(&page)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&groff.stderr), "", "{name}");
        let mut man = Command::new("man");
        man.args(["--no-hyphenation", "--no-justification", "-l"]).arg(&page);
        let text = stdout(man.env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8")).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let command = tool.command();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            for option in command.get_arguments().filter_map(|option| option.get_long()) {
                assert!(text.contains(option), "{name}: no --{option} in its manual page");
            }
        }
        for difference in tool.differences {
            assert!(text.contains(difference), "{name}: not in its manual page: {difference}");
        }
        // Which files they are, the shells' manuals say.
        let bash = path(format!("bash-completion/completions/{name}"));
        stdout(Command::new("bash").arg("-n").arg(&bash)).unwrap();
        let zsh = fs::read_to_string(path(format!("zsh/site-functions/_{name}"))).unwrap();
        assert!(zsh.starts_with(&format!("#compdef {name}\n")));
        let fish = path(format!("fish/vendor_completions.d/{name}.fish"));
        let fish = fs::read_to_string(fish).unwrap();
        // For a tool with commands, there are functions to find which one it is.
        assert!(
            command.has_subcommands()
                || fish.lines().all(|line| line.starts_with(&format!("complete -c {name} "))
                    || line.starts_with('\t')
                    || line.ends_with(|end| "'\"".contains(end)))
        );
    }
}

#[test]
fn the_same_sources_give_the_same_documents() {
    let [one, other] = [(); 2].map(|()| {
        let share = tempfile::tempdir().unwrap();
        tools::write_documents(share.path()).unwrap();
        share
    });
    stdout(Command::new("diff").arg("-r").arg(one.path()).arg(other.path())).unwrap();
}
