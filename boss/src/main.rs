//! `boss`: the control server, and the commands of its operators.

use std::process::ExitCode;

fn main() -> ExitCode {
    boss::cli::main()
}
