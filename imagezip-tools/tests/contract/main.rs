//! What every tool promises on its command line, whatever it does: the same tests for all.
//!
//! `UPDATE=1 cargo test --test contract` rewrites the expected usage texts.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod all;
mod bench;
mod call;

use all::{Contract, IMAGE, SIGNATURE};

/// A module of tests for each tool, named as the tool. Those of a server are run without it
/// serving anybody.
macro_rules! contracts {
    (
        tools { $($tool:ident: $contract:expr;)* }
        servers { $($server:ident: $server_contract:expr;)* }
    ) => {
        const NAMES: &[&str] = &[$(stringify!($tool),)* $(stringify!($server)),*];
        $(
            mod $server {
                use super::*;

                const CONTRACT: Contract = $server_contract;

                contracts!(@tests
                    help_names_every_option
                    usage_is_as_expected
                    version_is_on_standard_error
                    bad_options_are_named
                    bad_values_are_named
                    missing_operands_are_named
                    corrupt_input_is_refused
                    truncated_input_is_refused
                    missing_input_is_named
                    a_directory_is_no_input
                    unwritable_output_is_refused
                );
            }
        )*
        $(
            mod $tool {
                use super::*;

                const CONTRACT: Contract = $contract;

                contracts!(@tests
                    it_works
                    a_second_run_gives_the_same
                    a_failure_keeps_what_was_there
                    help_names_every_option
                    usage_is_as_expected
                    version_is_on_standard_error
                    bad_options_are_named
                    bad_values_are_named
                    missing_operands_are_named
                    corrupt_input_is_refused
                    truncated_input_is_refused
                    missing_input_is_named
                    a_directory_is_no_input
                    unwritable_output_is_refused
                    a_full_disk_leaves_nothing
                    a_reader_that_has_gone_is_no_reason_to_panic
                    json_keys_are_in_the_manual
                    messages_that_cannot_be_written_are_no_failure
                );
            }
        )*
    };
    (@tests $($test:ident)*) => {
        $(
            #[test]
            fn $test() {
                all::$test(stringify!($test), &CONTRACT);
            }
        )*
    };
}

contracts! {
    tools {
    imagezip: Contract {
        name: "imagezip",
        works: &["-r", "-H", "disk.ndz.sig", "changed.img", "out.ndz"],
        to_stdout: &["-r", "changed.img", "-"],
        input: "disk.ndz.sig",
        output: Some("out.ndz"),
        damage: SIGNATURE,
        corrupt: 6,
        truncated: 5,
        json: &[&["--json", "-r", "-H", "disk.ndz.sig", "-U", "", "changed.img", "out.ndz"]],
        bad_value: ("--level", "11"),
    };
    imageunzip: Contract {
        name: "imageunzip",
        works: &["disk.ndz", "out.img"],
        to_stdout: &["disk.ndz", "-"],
        input: "disk.ndz",
        output: Some("out.img"),
        damage: IMAGE,
        corrupt: 6,
        truncated: 5,
        json: &[&["--json", "--verify", "disk.ndz", "out.img"]],
        bad_value: ("--slice", "x"),
    };
    imagehash: Contract {
        name: "imagehash",
        works: &["-c", "-o", "out.sig", "disk.ndz"],
        to_stdout: &["-o", "disk.ndz.sig"],
        input: "disk.ndz",
        output: Some("out.sig"),
        damage: IMAGE,
        corrupt: 2,
        truncated: 2,
        json: &[
            &["--json", "-c", "-o", "out.sig", "disk.ndz"],
            &["--json", "disk.ndz", "changed.img"],
            &["--json", "-D", "raw", "disk.ndz", "changed.img"],
            &["--json", "-S", "disk.ndz"],
        ],
        bad_value: ("--block-size", "513"),
    };
    imagedelta: Contract {
        name: "imagedelta",
        works: &["disk.ndz", "changed.ndz", "out.ndz"],
        to_stdout: &["disk.ndz", "changed.ndz", "-"],
        input: "changed.ndz",
        output: Some("out.ndz"),
        damage: IMAGE,
        corrupt: 6,
        truncated: 5,
        json: &[&["--json", "disk.ndz", "changed.ndz", "out.ndz"]],
        bad_value: ("--digest", "crc"),
    };
    imageundelta: Contract {
        name: "imageundelta",
        works: &["disk.ndz", "delta.ndz", "out.ndz"],
        to_stdout: &["disk.ndz", "delta.ndz", "-"],
        input: "disk.ndz",
        output: Some("out.ndz"),
        damage: IMAGE,
        corrupt: 6,
        truncated: 5,
        json: &[&["--json", "disk.ndz", "delta.ndz", "out.ndz"]],
        bad_value: ("--level", "x"),
    };
    imagerebase: Contract {
        name: "imagerebase",
        works: &["disk.ndz", "delta.ndz", "out.ndz"],
        to_stdout: &["disk.ndz", "delta.ndz", "-"],
        input: "delta.ndz",
        output: Some("out.ndz"),
        damage: IMAGE,
        corrupt: 6,
        truncated: 5,
        json: &[&["--json", "disk.ndz", "delta.ndz", "out.ndz"]],
        bad_value: ("--block-size", "0"),
    };
    imagerestore: Contract {
        name: "imagerestore",
        works: &["disk.ndz", "out.img"],
        to_stdout: &["--json", "disk.ndz", "changed.img"],
        input: "disk.ndz",
        output: Some("out.img"),
        damage: IMAGE,
        corrupt: 6,
        truncated: 5,
        json: &[&["--json", "disk.ndz", "out.img"]],
        bad_value: ("--free", "x"),
    };
    imagerezip: Contract {
        name: "imagerezip",
        works: &["disk.ndz", "out.ndz"],
        to_stdout: &["disk.ndz", "-"],
        input: "disk.ndz",
        output: Some("out.ndz"),
        damage: IMAGE,
        corrupt: 6,
        truncated: 5,
        json: &[&["--json", "disk.ndz", "out.ndz"]],
        bad_value: ("--level", "-1"),
    };
    imagedump: Contract {
        name: "imagedump",
        works: &["-c", "-m", "disk.ndz"],
        to_stdout: &["disk.ndz"],
        input: "disk.ndz",
        output: None,
        damage: IMAGE,
        corrupt: 1,
        truncated: 1,
        json: &[&["--json", "-dd", "-m", "-c", "disk.ndz"]],
        bad_value: ("--checksum-key", ""),
    };
    imagefs: Contract {
        name: "imagefs",
        works: &["cat", "-o", "out.bin", "fat.ndz", "1:/noise.bin"],
        to_stdout: &["ls", "-l", "fat.ndz", "1:/"],
        input: "fat.ndz",
        output: Some("out.bin"),
        damage: IMAGE,
        corrupt: 6,
        truncated: 5,
        json: &[
            &["ls", "--json", "fat.ndz"],
            &["ls", "--json", "-R", "fat.ndz", "1:/"],
            &["diff", "--json", "fat.ndz", "fat-delta.ndz", "1:/"],
        ],
        bad_value: ("--checksum-key", ""),
    };
    }
    servers {
    imagenbd: Contract {
        name: "imagenbd",
        works: &["--socket", "socket", "disk.ndz"],
        to_stdout: &[],
        input: "disk.ndz",
        output: Some("socket"),
        damage: &[0, 20],
        corrupt: 6,
        truncated: 5,
        json: &[],
        bad_value: ("--partition", "x"),
    };
    }
}

#[test]
fn no_tool_is_forgotten() {
    let mut names: Vec<_> = imagezip_tools::commands::TOOLS.iter().map(|tool| tool.name).collect();
    let mut tested = NAMES.to_vec();
    names.sort_unstable();
    tested.sort_unstable();
    assert_eq!(names, tested);
}

#[test]
fn the_first_argument_names_a_tool_where_the_programs_name_does_not() {
    let bench = bench::Bench::new("dispatch");
    let named = bench.call("imagedump", &["disk.ndz"]).run();
    let argument = bench.call("imagezip-tools", &["imagedump", "disk.ndz"]).run();
    assert_eq!((named.status, &named.stdout), (0, &argument.stdout));
    let path = bench.call("/proj/testbed/bin/imagedump", &["disk.ndz"]).run();
    assert_eq!(path.stdout, named.stdout);
    let version = bench.call("imagezip-tools", &["--version"]).run();
    assert!(version.status == 0 && version.stderr.starts_with("imagezip-tools "));
    for (arguments, status) in [(&["--help"][..], 0), (&[], 1), (&["imagesmash"], 1)] {
        let list = bench.call("imagezip-tools", arguments).run();
        let text = if status == 0 { &list.stdout } else { &list.stderr };
        assert_eq!(list.status, status);
        for name in NAMES {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
}
