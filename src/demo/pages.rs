//! The pages of the test apps: templates inside the binary.

use minijinja::{Environment, Value};

use crate::demo::DemoError;

#[derive(rust_embed::Embed)]
#[folder = "templates/demo"]
struct Files;

/// The templates, read once.
pub struct Pages {
    templates: Environment<'static>,
}

impl Pages {
    /// Parses all templates.
    pub fn load() -> Result<Self, DemoError> {
        let mut templates = Environment::new();
        for name in Files::iter().filter(|name| name.ends_with(".html") || name.ends_with(".xml")) {
            if let Some(file) = Files::get(&name) {
                templates.add_template_owned(name.into_owned(), String::from_utf8_lossy(&file.data).into_owned())?;
            }
        }
        Ok(Self { templates })
    }

    /// Renders one template; every value is escaped.
    pub fn render(&self, name: &str, context: Value) -> Result<String, DemoError> {
        Ok(self.templates.get_template(name)?.render(context)?)
    }

    /// A file that is served as it is.
    pub fn asset(name: &str) -> Option<Vec<u8>> {
        Files::get(name).map(|file| file.data.into_owned())
    }
}
