//! `linkspan completions`, `linkspan man`, `linkspan version`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;
use serde_json::json;

use crate::cli::Global;
use crate::cli::output::{self, Format};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  linkspan completions bash > /etc/bash_completion.d/linkspan\n  linkspan completions zsh > ~/.zfunc/_linkspan"
)]
pub(super) struct Completions {
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut command: clap::Command) -> u8 {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "linkspan", &mut script);
        output::print(&String::from_utf8_lossy(&script));
        0
    }
}

/// Print the manual page, or write one page per command
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  linkspan man | man -l -\n  linkspan man --out /usr/share/man/man1")]
pub(super) struct Man {
    /// A folder to write the pages of all commands to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, command: clap::Command) -> u8 {
        let done = match self.out {
            Some(folder) => std::fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(command, folder)),
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command).render(&mut page).map(|()| output::print(&String::from_utf8_lossy(&page)))
            }
        };
        match done {
            Ok(()) => 0,
            Err(error) => {
                output::print_error(&format!("the manual was not written: {error}"), "give a folder that you may write to with --out");
                1
            }
        }
    }
}

/// Print the version
#[derive(Debug, Args)]
pub(super) struct Version {}

impl Version {
    pub(super) fn run(self, global: &Global) -> u8 {
        let version = env!("CARGO_PKG_VERSION");
        match global.output {
            Format::Json => output::print_json(&json!({ "version": version })),
            Format::Text => output::print(&format!("linkspan {version}\n")),
        }
        0
    }
}
