//! The command line: `linkspan <noun> <verb>`, one file per noun. A command becomes a `flows::command::Command`, which the
//! server that runs here does, or this process itself; what comes back is printed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::environment::Environment;
use crate::config::problem::ConfigProblems;
use crate::config::{Config, LoadOptions};
use crate::flows::command::{Command, Reply};

mod admin;
mod apikey;
mod app;
mod audit;
mod checks;
mod config;
pub mod control;
mod decode;
mod group;
mod health;
mod http;
mod import;
mod init;
mod input;
mod key;
mod manual;
mod output;
mod saml;
mod serve;
mod session;
mod table;
mod trace;
mod user;

use output::{Failure, Format, Render};

/// `linkspan`.
#[derive(Debug, Parser)]
#[command(
    name = "linkspan",
    version,
    about = "A SAML 2.0 identity provider: sign in once, at every app",
    long_about = "A SAML 2.0 identity provider: people sign in once and enter every app with a signed assertion.\n\n\
                  Commands work on the same data as the server that runs on this host; without one they open the data themselves.",
    arg_required_else_help = true,
    after_help = "Examples:\n  linkspan serve --demo\n  linkspan init --public-url https://id.example.com\n  \
                  linkspan app add metadata.xml\n  linkspan user add ada --email ada@example.com\n  linkspan trace show 7F3K-9QXD\n\n\
                  Exit codes: 0 ok, 1 it failed, 2 wrong usage, 3 it ran and found something, 75 try again later, 78 configuration invalid."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    noun: Noun,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Configuration file [default: linkspan.toml in the working directory, or LINKSPAN_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,
    /// Storage directory, instead of the configuration's storage.directory
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    directory: Option<String>,
    /// How data is printed
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t, help_heading = "Global options")]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Noun {
    Serve(serve::Serve),
    Init(init::Init),
    Config(config::ConfigArgs),
    App(app::AppArgs),
    User(user::UserArgs),
    Group(group::GroupArgs),
    Key(key::KeyArgs),
    Session(session::SessionArgs),
    Trace(trace::TraceArgs),
    Saml(saml::SamlArgs),
    Apikey(apikey::ApiKeyArgs),
    Audit(audit::AuditArgs),
    Admin(admin::AdminArgs),
    Health(health::Health),
    Completions(manual::Completions),
    Man(manual::Man),
    Version(manual::Version),
}

/// Parses the command line, runs it, and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are such "errors" too; they go to standard output and end well.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    ExitCode::from(run(cli))
}

fn run(cli: Cli) -> u8 {
    let global = &cli.global;
    match cli.noun {
        Noun::Serve(serve) => serve.run(global),
        Noun::Init(init) => init.run(global),
        Noun::Config(config) => config.run(global),
        Noun::App(app) => app.run(global),
        Noun::User(user) => user.run(global),
        Noun::Group(group) => group.run(global),
        Noun::Key(key) => key.run(global),
        Noun::Session(session) => session.run(global),
        Noun::Trace(trace) => trace.run(global),
        Noun::Saml(saml) => saml.run(global),
        Noun::Apikey(apikey) => apikey.run(global),
        Noun::Audit(audit) => audit.run(global),
        Noun::Admin(admin) => admin.run(global),
        Noun::Health(health) => health.run(global),
        Noun::Completions(completions) => completions.run(Cli::command()),
        Noun::Man(man) => man.run(Cli::command()),
        Noun::Version(version) => version.run(global),
    }
}

impl Global {
    /// What the command line says about the configuration.
    fn options(&self) -> LoadOptions {
        LoadOptions {
            config: self.config.clone(),
            directory: self.directory.clone(),
            listen: None,
            demo: false,
            environment: Environment::of_process(),
            working_directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        }
    }

    /// Loads the configuration, or prints what is wrong with it and gives the exit code.
    fn load(&self) -> Result<Config, u8> {
        Config::load(&self.options()).map_err(|problems| print_problems(&problems))
    }

    /// Loads the configuration, runs one command and prints what comes back.
    fn execute(&self, command: Command, render: Render) -> u8 {
        match self.ask(&command) {
            Ok(reply) => output::print_reply(self.output, &reply, render),
            Err(exit) => exit,
        }
    }

    /// Loads the configuration and runs one command.
    fn ask(&self, command: &Command) -> Result<Reply, u8> {
        let config = self.load()?;
        block_on(control::run_command(&config, command))
    }

    /// As `execute`, where the command could be made.
    fn execute_made(&self, command: Result<Command, Failure>, render: Render) -> u8 {
        match command {
            Ok(command) => self.execute(command, render),
            Err(failure) => failure.print(),
        }
    }

    /// Prints a reply that ended a series of commands, and gives its exit code.
    fn end(&self, reply: &Reply) -> u8 {
        output::print_reply(self.output, reply, |_, _| String::new())
    }
}

/// Prints the problems of a configuration; 78.
fn print_problems(problems: &ConfigProblems) -> u8 {
    output::note(&format!("{problems}\n"));
    78
}

/// Runs a future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, u8> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => Ok(runtime.block_on(future)),
        Err(error) => {
            output::print_error(
                &format!("no event loop could be started: {error}"),
                "see whether the limit of open files is reached: ulimit -n",
            );
            Err(1)
        }
    }
}

#[cfg(test)]
mod tests;
