//! `linkspan init`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::app;
use crate::cli::output::{self, Format};
use crate::cli::{Global, block_on, key, print_problems};
use crate::config::public_url::PublicUrl;
use crate::config::{Config, DEFAULT_FILE, template};

/// Write an annotated linkspan.toml and generate keys
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  linkspan init --public-url https://id.example.com\n  linkspan init --dir /etc/linkspan")]
pub(super) struct Init {
    /// The address under which browsers and apps reach the server
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The folder of the file; made if it is missing
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub(super) fn run(self, global: &Global) -> u8 {
        if let Some(Err((message, remedy))) = self.public_url.as_deref().map(PublicUrl::parse) {
            output::print_error(&format!("--public-url: {message}"), &remedy);
            return 2;
        }
        let file = self.dir.join(DEFAULT_FILE);
        if let Err(error) = write_new(&self.dir, &file, &template::annotated(self.public_url.as_deref())) {
            let remedy = match error.kind() {
                io::ErrorKind::AlreadyExists => "edit it, or choose another folder with --dir",
                _ => "choose a folder that you may write to with --dir",
            };
            output::print_error(&format!("{} was not written: {error}", file.display()), remedy);
            return 1;
        }
        let mut options = global.options();
        options.config = Some(file.clone());
        let config = match Config::load(&options) {
            Ok(config) => config,
            Err(problems) => return print_problems(&problems),
        };
        let keys = match block_on(app::init(config.clone())) {
            Ok(Ok(keys)) => keys,
            Ok(Err(error)) => {
                output::print_error(&error.cause, &error.remedy);
                return error.exit;
            }
            Err(exit) => return exit,
        };
        match global.output {
            Format::Json => output::print_json(&json!({ "file": file, "directory": config.storage.directory, "keys": keys })),
            Format::Text => {
                let table = key::to_text(&keys, output::Style::of_stdout());
                let start = if file == Path::new(".").join(DEFAULT_FILE) {
                    "linkspan serve".to_owned()
                } else {
                    format!("linkspan serve --config {}", file.display())
                };
                output::print(&format!(
                    "wrote    {}\nkeys in  {}\n\n{table}\nNext: look through the file, then {start}\n",
                    file.display(),
                    config.keys.directory.display()
                ));
            }
        }
        0
    }
}

/// Writes a file that is not there yet; an existing one stays.
fn write_new(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    OpenOptions::new().write(true).create_new(true).open(file)?.write_all(text.as_bytes())
}
