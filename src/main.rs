//! The binary: parse, run, exit code.

fn main() -> std::process::ExitCode {
    wavegate::cli::run().into()
}
