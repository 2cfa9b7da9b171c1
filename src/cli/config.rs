//! `linkspan config`.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::output::{self, Format, Style};
use crate::cli::{Global, print_problems};
use crate::config::{Config, schema, show};

/// Look at the configuration
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Report every problem of the configuration, with its place and remedy
    #[command(after_help = "Examples:\n  linkspan config check\n  linkspan --config /etc/linkspan/linkspan.toml config check")]
    Check,
    /// Print each value in force; credentials are masked
    #[command(after_help = "Examples:\n  linkspan config show\n  linkspan config show --origin")]
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Print the JSON Schema of the file, for editors
    #[command(after_help = "Examples:\n  linkspan config schema > linkspan.schema.json")]
    Schema,
}

impl ConfigArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::Schema => {
                output::print_json(&schema::schema());
                0
            }
            Verb::Check => check(global),
            Verb::Show { origin } => {
                let config = match global.load() {
                    Ok(config) => config,
                    Err(exit) => return exit,
                };
                match global.output {
                    Format::Json => output::print_json(&json!(config.effective)),
                    Format::Text => output::print(&show::to_text(&config.effective, origin)),
                }
                0
            }
        }
    }
}

fn check(global: &Global) -> u8 {
    match Config::load(&global.options()) {
        Ok(config) => {
            match global.output {
                Format::Json => output::print_json(&json!({ "valid": true, "problems": [], "notices": config.notices })),
                Format::Text => {
                    let style = Style::of_stdout();
                    let what = match &config.file {
                        Some(file) => file.display().to_string(),
                        None => "the defaults (there is no configuration file)".to_owned(),
                    };
                    output::print(&format!("{} {what}: no problems\n", style.good("✓")));
                    for notice in &config.notices {
                        output::print(&format!("{} {notice}\n", style.warn("⚠")));
                    }
                }
            }
            0
        }
        Err(problems) => {
            if global.output == Format::Json {
                output::print_json(&json!({ "valid": false, "problems": problems.problems, "notices": [] }));
            }
            print_problems(&problems)
        }
    }
}
