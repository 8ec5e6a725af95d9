//! The `pillarbox` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    match pillarbox::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pillarbox: {error}");
            ExitCode::from(error.kind.code())
        }
    }
}
