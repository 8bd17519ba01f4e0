//! The tests that every tool has to pass.

use std::fs;
use std::path::Path;

use clap::Command;
use imagezip_tools::commands::{Tool, json};
use serde_json::Value;

use crate::bench::Bench;
use crate::call::Call;

/// What is special about a tool. File names are those of [`Bench`].
pub(crate) struct Contract {
    pub(crate) name: &'static str,
    /// Arguments with which it works.
    pub(crate) works: &'static [&'static str],
    /// Arguments with which it works and writes to standard output.
    pub(crate) to_stdout: &'static [&'static str],
    /// The one of those that it reads.
    pub(crate) input: &'static str,
    /// The one of those that it makes.
    pub(crate) output: Option<&'static str>,
    /// Where in the input damage is found: one of those below.
    pub(crate) damage: &'static [usize],
    /// The exit statuses for damaged input.
    pub(crate) corrupt: i32,
    pub(crate) truncated: i32,
    /// Arguments with which it prints JSON.
    pub(crate) json: &'static [&'static [&'static str]],
    /// A value that an option doesn't take.
    pub(crate) bad_value: (&'static str, &'static str),
}

/// Damage to an image: the magic, the number of regions, the compressed data.
pub(crate) const IMAGE: &[usize] = &[0, 20, 4096 + 5000];

/// Damage to a signature: the magic, the size of hash blocks, the first entry's start.
pub(crate) const SIGNATURE: &[usize] = &[0, 20, 35];

impl Contract {
    fn bench(&self, test: &str) -> Bench {
        Bench::new(&format!("{}-{test}-", self.name))
    }

    /// The arguments that work, with another file in place of one.
    fn with<'a>(&self, old: &str, new: &'a str) -> Vec<&'a str>
    where
        Self: 'a,
    {
        self.works.iter().map(|argument| if *argument == old { new } else { argument }).collect()
    }

    /// Runs the tool on damaged input: it must fail so, name the file and leave no output.
    fn refuses(&self, bench: &Bench, status: i32) {
        let before = bench.names();
        let outcome = bench.call(self.name, self.works).run();
        outcome.failed(self.name, status).names(self.input);
        assert_eq!(bench.names(), before, "{}", outcome.line);
    }
}

pub(crate) fn it_works(test: &str, tool: &Contract) {
    let bench = tool.bench(test);
    for arguments in [tool.works, tool.to_stdout] {
        let outcome = bench.call(tool.name, arguments).run();
        assert_eq!(outcome.status, 0, "{}: {}", outcome.line, outcome.stderr);
    }
    if let Some(output) = tool.output {
        assert!(fs::metadata(bench.path(output)).unwrap().len() > 0);
    }
}

pub(crate) fn a_second_run_gives_the_same(test: &str, tool: &Contract) {
    let Some(output) = tool.output else { return };
    let bench = tool.bench(test);
    let run = || {
        let outcome = bench.call(tool.name, tool.works).run();
        assert_eq!(outcome.status, 0, "{}: {}", outcome.line, outcome.stderr);
        (fs::read(bench.path(output)).unwrap(), bench.names())
    };
    assert!(run() == run(), "{}", tool.name);
}

pub(crate) fn a_failure_keeps_what_was_there(test: &str, tool: &Contract) {
    let Some(output) = tool.output else { return };
    let bench = tool.bench(test);
    let before = vec![0x5a; 4 << 20];
    fs::write(bench.path(output), &before).unwrap();
    bench.damage(tool.input, |content| content[0] ^= 0xff);
    tool.refuses(&bench, tool.corrupt);
    assert!(fs::read(bench.path(output)).unwrap() == before, "{}", tool.name);
}

pub(crate) fn help_names_every_option(_: &str, tool: &Contract) {
    let command = Tool::named(tool.name.as_ref()).unwrap().command();
    for flag in ["-h", "--help"] {
        for (line, command) in calls(&command) {
            let line: Vec<_> = line.into_iter().chain([flag]).collect();
            let help = Call::new(tool.name, &line, Path::new("/")).run();
            assert_eq!((help.status, help.stderr.as_str()), (0, ""));
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let name = match (argument.get_long(), argument.get_value_names()) {
                    (Some(long), _) => format!("--{long}"),
                    (None, Some([name, ..])) => name.to_string(),
                    (None, _) => panic!("an argument without a name: {argument:?}"),
                };
                assert!(help.stdout.contains(&name), "{line:?}: no {name}");
                assert!(argument.get_help().is_some(), "{name} is not explained");
            }
        }
    }
}

/// A tool's command and its subcommands, and the arguments that lead to each.
fn calls(command: &Command) -> Vec<(Vec<&str>, &Command)> {
    let own = std::iter::once((Vec::new(), command));
    own.chain(command.get_subcommands().map(|sub| (vec![sub.get_name()], sub))).collect()
}

pub(crate) fn usage_is_as_expected(_: &str, tool: &Contract) {
    let command = Tool::named(tool.name.as_ref()).unwrap().command();
    let usage = calls(&command).into_iter().map(|(line, _)| {
        let line: Vec<_> = line.into_iter().chain(["-h"]).collect();
        Call::new(tool.name, &line, Path::new("/")).run().stdout
    });
    let usage = usage.collect::<Vec<_>>().join("\n");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/usage");
    let path = directory.join(format!("{}.txt", tool.name));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &usage).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(usage, expected, "UPDATE=1 takes it over into {}", path.display());
}

pub(crate) fn version_is_on_standard_error(_: &str, tool: &Contract) {
    for flag in ["-v", "--version"] {
        let version = Call::new(tool.name, &[flag], Path::new("/")).run();
        assert_eq!((version.status, version.stdout.as_str()), (0, ""));
        let expected = format!("{} {}\n", tool.name, env!("CARGO_PKG_VERSION"));
        assert!(version.stderr.starts_with(&expected), "{}", version.stderr);
    }
}

pub(crate) fn bad_options_are_named(_: &str, tool: &Contract) {
    for option in ["--no-such-option", "-@"] {
        let arguments = [&[option], tool.works].concat();
        Call::new(tool.name, &arguments, Path::new("/")).run().failed(tool.name, 1).names(option);
    }
}

pub(crate) fn bad_values_are_named(_: &str, tool: &Contract) {
    let (option, value) = tool.bad_value;
    let given = format!("{option}={value}");
    let arguments = [&[given.as_str()], tool.works].concat();
    Call::new(tool.name, &arguments, Path::new("/")).run().failed(tool.name, 1).names(option);
}

pub(crate) fn missing_operands_are_named(_: &str, tool: &Contract) {
    let command = Tool::named(tool.name.as_ref()).unwrap().command();
    if command.has_subcommands() {
        Call::new(tool.name, &[], Path::new("/")).run().failed(tool.name, 1).names("subcommand");
        return;
    }
    let operand = command.get_positionals().next().and_then(|first| first.get_value_names());
    let Some([name, ..]) = operand else { panic!("{} has no operands", tool.name) };
    Call::new(tool.name, &[], Path::new("/")).run().failed(tool.name, 1).names(name);
}

pub(crate) fn corrupt_input_is_refused(test: &str, tool: &Contract) {
    for at in tool.damage {
        let bench = tool.bench(test);
        bench.damage(tool.input, |content| content[*at] ^= 0xff);
        tool.refuses(&bench, tool.corrupt);
    }
}

pub(crate) fn truncated_input_is_refused(test: &str, tool: &Contract) {
    for cut in [1, 40] {
        let bench = tool.bench(test);
        bench.damage(tool.input, |content| content.truncate(content.len() - cut));
        tool.refuses(&bench, tool.truncated);
    }
}

pub(crate) fn missing_input_is_named(test: &str, tool: &Contract) {
    let bench = tool.bench(test);
    fs::remove_file(bench.path(tool.input)).unwrap();
    let before = bench.names();
    let outcome = bench.call(tool.name, tool.works).run();
    assert!([1, 2].contains(&outcome.status), "{}: {}", outcome.line, outcome.status);
    outcome.names(tool.input).names("No such file");
    assert_eq!(bench.names(), before);
}

pub(crate) fn a_directory_is_no_input(test: &str, tool: &Contract) {
    let bench = tool.bench(test);
    fs::remove_file(bench.path(tool.input)).unwrap();
    fs::create_dir(bench.path(tool.input)).unwrap();
    let before = bench.names();
    let outcome = bench.call(tool.name, tool.works).run();
    assert_ne!(outcome.status, 0);
    outcome.failed(tool.name, outcome.status).names(tool.input);
    assert_eq!(bench.names(), before);
}

pub(crate) fn unwritable_output_is_refused(test: &str, tool: &Contract) {
    let Some(output) = tool.output else { return };
    let bench = tool.bench(test);
    fs::create_dir(bench.path("directory")).unwrap();
    let before = bench.names();
    for name in ["directory", "no-directory/out", "/dev/full"] {
        let outcome = bench.call(tool.name, &tool.with(output, name)).run();
        assert_ne!(outcome.status, 0, "{}", outcome.line);
        outcome.failed(tool.name, outcome.status).names(name);
        assert_eq!(bench.names(), before, "{}", outcome.line);
    }
}

/// A limit of the process's is the nearest thing to a full disk that needs no root.
pub(crate) fn a_full_disk_leaves_nothing(test: &str, tool: &Contract) {
    let Some(output) = tool.output else { return };
    let bench = tool.bench(test);
    let before = bench.names();
    let outcome = Call::limited(tool.name, tool.works, bench.directory(), 1).run();
    assert_ne!(outcome.status, 0, "{}", outcome.line);
    outcome.failed(tool.name, outcome.status).names(output);
    assert_eq!(bench.names(), before, "{}", outcome.line);
}

pub(crate) fn a_reader_that_has_gone_is_no_reason_to_panic(test: &str, tool: &Contract) {
    let bench = tool.bench(test);
    for arguments in [&["--help"], tool.to_stdout] {
        let outcome = bench.call(tool.name, arguments).without_reader().run();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (141, ""), "{}", outcome.line);
    }
}

pub(crate) fn messages_that_cannot_be_written_are_no_failure(test: &str, tool: &Contract) {
    let bench = tool.bench(test);
    for arguments in [tool.works, &["--no-such-option"], &[]] {
        let expected = bench.call(tool.name, arguments).run().status;
        let outcome = bench.call(tool.name, arguments).with_full_stderr().run();
        assert_eq!(outcome.status, expected, "{}", outcome.line);
    }
}

pub(crate) fn json_keys_are_in_the_manual(test: &str, tool: &Contract) {
    let bench = tool.bench(test);
    let known: Vec<_> = json::keys(tool.name).iter().map(|(key, _)| (*key).to_owned()).collect();
    let mut seen = Vec::new();
    for arguments in tool.json {
        let outcome = bench.call(tool.name, arguments).run();
        let json: Value = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", outcome.line, outcome.stderr));
        // imagedump prints an array, with an object for each file.
        for object in json.as_array().unwrap_or(&vec![json.clone()]) {
            paths(object, "", &mut seen);
        }
    }
    assert!(!seen.is_empty());
    for path in &seen {
        assert!(known.contains(path), "{}: {path} is not explained", tool.name);
    }
}

/// The paths of all values in `json`, as manual pages have them.
fn paths(json: &Value, path: &str, seen: &mut Vec<String>) {
    match json {
        Value::Object(object) => {
            for (key, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                paths(value, &format!("{path}{dot}{key}"), seen);
            }
        }
        Value::Array(array) if array.first().is_some_and(Value::is_object) => {
            for value in array {
                paths(value, &format!("{path}[]"), seen);
            }
        }
        // Of an empty array, nobody knows what it would hold.
        Value::Array(array) if array.is_empty() => {}
        _ => seen.push(path.to_owned()),
    }
}
