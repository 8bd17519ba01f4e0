//! All tools in one program; the name it is called by says which.

use std::process::ExitCode;

fn main() -> ExitCode {
    imagezip_tools::commands::main(std::env::args_os())
}
