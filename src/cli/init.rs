//! `linkspan init`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::app;
use crate::cli::output::{self, Failure, Format};
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
            let (why, remedy) = match error.kind() {
                io::ErrorKind::AlreadyExists => ("it is there already".to_owned(), "edit it, or choose another folder with --dir"),
                _ => (error.to_string(), "choose a folder that you may write to with --dir"),
            };
            output::print_error(&format!("{} was not written: {why}", file.display()), remedy);
            return 1;
        }
        let (config, keys) = match keys_for(global, &file) {
            Ok(made) => made,
            Err(exit) => {
                // Half an init would refuse the next one.
                let _ = fs::remove_file(&file);
                return exit;
            }
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

/// Loads the new file and makes the keys.
fn keys_for(global: &Global, file: &Path) -> Result<(Config, Value), u8> {
    let mut options = global.options();
    options.config = Some(file.to_owned());
    let config = Config::load(&options).map_err(|problems| print_problems(&problems))?;
    let keys = block_on(app::init(config.clone()))?.map_err(|error| Failure::from(error).print())?;
    Ok((config, keys))
}

/// Writes a file that is not there yet; an existing one stays.
fn write_new(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    OpenOptions::new().write(true).create_new(true).open(file)?.write_all(text.as_bytes())
}
