//! `linkspan serve`.

use clap::Args;

use crate::app::{self, ServeOptions};
use crate::cli::output::{self, Failure};
use crate::cli::{Global, print_problems};
use crate::config::Config;

/// Run the server; no configuration is needed
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  linkspan serve\n  linkspan serve --demo\n  linkspan serve --listen 127.0.0.1:9000")]
pub(super) struct Serve {
    /// Add people and two SAML apps to try it with; loopback only, in a directory of its own
    #[arg(long)]
    demo: bool,
    /// Where to listen, instead of the configuration's listen.web
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl Serve {
    pub(super) fn run(self, global: &Global) -> u8 {
        let mut options = global.options();
        options.listen = self.listen;
        options.demo = self.demo;
        let config = match Config::load(&options) {
            Ok(config) => config,
            Err(problems) => {
                let exit = print_problems(&problems);
                output::note("Nothing was started.\n");
                return exit;
            }
        };
        match app::serve(config, ServeOptions { demo: self.demo }) {
            Ok(()) => 0,
            Err(error) => Failure::from(error).print(),
        }
    }
}
