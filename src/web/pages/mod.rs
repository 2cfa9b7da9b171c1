//! Every page is a typed struct with samples; a test renders each sample in strict mode and finds templates without a
//! struct.

pub mod messages;

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::crypto::digest;
use crate::web::pages::messages::Catalogue;

/// The templates, the catalogue and the assets, inside the binary.
#[derive(RustEmbed)]
#[folder = "templates/"]
#[exclude = "demo/*"]
struct Files;

/// A page: its template and what the template is told.
pub trait Page: Serialize {
    const TEMPLATE: &'static str;
    /// Every state that the page can be in, for tests and for looking at.
    fn samples() -> Vec<Self>
    where
        Self: Sized;
}

/// One asset as it is served.
pub struct Asset {
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
    /// The first letters of its digest: the address changes with the content, so that browsers may keep it for good.
    pub version: String,
}

/// Renders pages. Made once.
pub struct Renderer {
    environment: Environment<'static>,
    assets: Arc<HashMap<String, Asset>>,
    catalogue: Arc<Catalogue>,
}

impl Renderer {
    /// Loads everything; fails only if a file of ours is broken, which a test finds first.
    pub fn new(brand: &str, host: &str) -> Result<Self, Error> {
        let catalogue = Arc::new(Catalogue::english()?);
        let mut assets = HashMap::new();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for path in Files::iter() {
            let Some(file) = Files::get(&path) else { continue };
            if let Some(name) = path.strip_prefix("assets/") {
                let version = digest::sha256(&file.data).to_hex().split_off(52);
                assets.insert(name.to_owned(), Asset { content_type: content_type(name), bytes: file.data.into_owned(), version });
            } else if path.ends_with(".html") {
                let text = String::from_utf8(file.data.into_owned())
                    .map_err(|e| Error::new(ErrorKind::InvalidOperation, format!("{path}: {e}")))?;
                environment.add_template_owned(path.into_owned(), text)?;
            }
        }
        let assets = Arc::new(assets);
        environment.add_global("brand", brand);
        environment.add_global("host", host);
        environment.add_global("lang", "en");
        let known = Arc::clone(&assets);
        environment.add_function("asset", move |name: &str| -> Result<String, Error> {
            match known.get(name) {
                Some(asset) => Ok(format!("/assets/{}/{name}", asset.version)),
                None => Err(Error::new(ErrorKind::InvalidOperation, format!("there is no asset {name}"))),
            }
        });
        let texts = Arc::clone(&catalogue);
        environment.add_function("t", move |key: &str, values: Kwargs| -> Result<Value, Error> {
            let mut named = Vec::new();
            for name in values.args() {
                let value: Value = values.get(name)?;
                named.push((name.to_owned(), value.to_string()));
            }
            values.assert_all_used()?;
            texts.text(key, &named).map(Value::from)
        });
        Ok(Self { environment, assets, catalogue })
    }

    /// Renders one page.
    pub fn render<P: Page>(&self, page: &P) -> Result<String, Error> {
        self.environment.get_template(P::TEMPLATE)?.render(Value::from(minijinja::value::Serde(page)))
    }

    /// A text of the catalogue, for code that composes a page's values.
    pub fn text(&self, key: &str, values: &[(&str, &str)]) -> String {
        let values: Vec<(String, String)> = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.catalogue.text(key, &values).unwrap_or_else(|_| key.to_owned())
    }

    /// An asset by its name.
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.get(name)
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// `/login`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LoginPage {
    /// The app that waits, by its registered name.
    pub app: Option<String>,
    pub app_host: Option<String>,
    /// A fresh sign-in of the person who is signed in already.
    pub again: bool,
    pub fixed_user: bool,
    pub username: String,
    pub csrf: String,
    /// Names the interrupted request.
    pub resume: String,
    pub error: Option<String>,
}

impl Page for LoginPage {
    const TEMPLATE: &'static str = "login/login.html";
    fn samples() -> Vec<Self> {
        let plain = Self { csrf: "token".into(), ..Self::default() };
        let app = Self { app: Some("Grafana".into()), app_host: Some("grafana.example.com".into()), resume: "abc".into(), ..plain.clone() };
        let again = Self { again: true, fixed_user: true, username: "ada".into(), ..app.clone() };
        let error = Self { error: Some("That email and password don't match.".into()), username: "ada\"<".into(), ..app.clone() };
        vec![plain, app, again, error]
    }
}

/// The self-posting page that carries a SAML response to an SP.
#[derive(Debug, Clone, Serialize)]
pub struct PostPage {
    pub app: String,
    pub acs: String,
    pub saml_response: String,
    pub relay_state: Option<String>,
    pub success: bool,
}

impl Page for PostPage {
    const TEMPLATE: &'static str = "saml/post.html";
    fn samples() -> Vec<Self> {
        let full = Self {
            app: "Grafana".into(),
            acs: "https://grafana.example.com/saml/acs".into(),
            saml_response: "PHNhbWxwOlJlc3BvbnNlLz4=".into(),
            relay_state: Some("a & \"b\"".into()),
            success: true,
        };
        vec![full.clone(), Self { relay_state: None, success: false, ..full }]
    }
}

/// `/apps`.
#[derive(Debug, Clone, Serialize)]
pub struct AppsPage {
    pub name: String,
    pub since: String,
    pub apps: Vec<AppTile>,
}

/// One app of the portal.
#[derive(Debug, Clone, Serialize)]
pub struct AppTile {
    pub name: String,
    pub host: String,
    pub href: String,
    pub joined: bool,
}

impl Page for AppsPage {
    const TEMPLATE: &'static str = "portal/apps.html";
    fn samples() -> Vec<Self> {
        let tile =
            |name: &str, joined| AppTile { name: name.into(), host: "app.example.com".into(), href: "/saml/start?sp=x".into(), joined };
        vec![
            Self { name: "Ada".into(), since: "2026-11-24 14:02".into(), apps: vec![tile("Grafana", true), tile("<Payroll>", false)] },
            Self { name: "Ada".into(), since: "2026-11-24 14:02".into(), apps: Vec::new() },
        ]
    }
}

/// `/logout`, before.
#[derive(Debug, Clone, Serialize)]
pub struct LogoutPage {
    pub csrf: String,
}

impl Page for LogoutPage {
    const TEMPLATE: &'static str = "portal/logout.html";
    fn samples() -> Vec<Self> {
        vec![Self { csrf: "token".into() }]
    }
}

/// `/logout`, after.
#[derive(Debug, Clone, Serialize)]
pub struct SignedOutPage {
    pub apps: Vec<String>,
}

impl Page for SignedOutPage {
    const TEMPLATE: &'static str = "portal/signed_out.html";
    fn samples() -> Vec<Self> {
        vec![Self { apps: vec!["Grafana".into()] }, Self { apps: Vec::new() }]
    }
}

/// `/setup/TOKEN`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SetupPage {
    pub csrf: String,
    pub display_name: String,
    pub username: String,
    pub error: Option<String>,
    /// The host as typed, where it is not that of the public URL.
    pub wrong_host: Option<String>,
    pub public_url: String,
}

impl Page for SetupPage {
    const TEMPLATE: &'static str = "setup/setup.html";
    fn samples() -> Vec<Self> {
        let plain = Self { csrf: "token".into(), public_url: "http://localhost:8080".into(), ..Self::default() };
        let error = Self {
            error: Some("The password needs at least 12 characters.".into()),
            username: "ada".into(),
            wrong_host: Some("10.0.0.5".into()),
            ..plain.clone()
        };
        vec![plain, error]
    }
}

/// `/setup/TOKEN` that no longer works.
#[derive(Debug, Clone, Serialize)]
pub struct SetupDeadPage {}

impl Page for SetupDeadPage {
    const TEMPLATE: &'static str = "setup/dead.html";
    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}

/// Every refusal that has nowhere else to go.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorPage {
    pub heading: String,
    pub body: String,
    pub reference: Option<String>,
    pub app: Option<String>,
    pub at: String,
    pub at_words: String,
}

impl Page for ErrorPage {
    const TEMPLATE: &'static str = "error/error.html";
    fn samples() -> Vec<Self> {
        let full = Self {
            heading: "We couldn't sign you in to Grafana".into(),
            body: "What Grafana asked for doesn't fit.".into(),
            reference: Some("7F3K-9QXD".into()),
            app: Some("Grafana".into()),
            at: "2026-11-24T14:02:11Z".into(),
            at_words: "24 November 2026, 14:02 (UTC)".into(),
        };
        vec![full.clone(), Self { app: None, ..full.clone() }, Self { reference: None, app: None, ..full }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered<P: Page>(renderer: &Renderer, seen: &mut Vec<&'static str>) {
        seen.push(P::TEMPLATE);
        for (at, sample) in P::samples().iter().enumerate() {
            let html = renderer.render(sample).unwrap_or_else(|e| panic!("{} sample {at}: {e:#}", P::TEMPLATE));
            assert!(html.contains("<h1>"), "{} has a heading", P::TEMPLATE);
            assert!(
                !html.contains("style=") && !html.contains("onclick") && !html.contains("<script>"),
                "{} is free of inline code",
                P::TEMPLATE
            );
        }
    }

    #[test]
    fn every_page_renders_in_every_state_and_no_template_is_left_over() {
        let renderer = Renderer::new("Example", "id.example.com").unwrap();
        let mut seen = vec!["layout.html"];

        rendered::<LoginPage>(&renderer, &mut seen);
        rendered::<PostPage>(&renderer, &mut seen);
        rendered::<AppsPage>(&renderer, &mut seen);
        rendered::<LogoutPage>(&renderer, &mut seen);
        rendered::<SignedOutPage>(&renderer, &mut seen);
        rendered::<SetupPage>(&renderer, &mut seen);
        rendered::<SetupDeadPage>(&renderer, &mut seen);
        rendered::<ErrorPage>(&renderer, &mut seen);

        let left: Vec<String> =
            Files::iter().filter(|path| path.ends_with(".html") && !seen.contains(&path.as_ref())).map(|path| path.into_owned()).collect();
        assert_eq!(left, Vec::<String>::new());
    }

    #[test]
    fn values_are_escaped() {
        let renderer = Renderer::new("Example", "id.example.com").unwrap();
        let page = LoginPage { app: Some("<script>alert(1)</script>".into()), username: "\"><b>".into(), ..LoginPage::default() };

        let html = renderer.render(&page).unwrap();

        assert!(!html.contains("<script>alert") && !html.contains("\"><b>"));
    }
}
