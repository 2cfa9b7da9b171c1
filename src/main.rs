//! The thin binary: parse the command line, run it, exit code.

fn main() -> std::process::ExitCode {
    linkspan::cli::main()
}
