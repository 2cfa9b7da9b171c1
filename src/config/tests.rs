use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::problem::ConfigProblems;
use super::{Config, LoadOptions, schema, show, template};
use crate::model::time::Span;

/// A folder with a configuration file, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, file: &str) -> Self {
        let path = std::env::temp_dir().join(format!("linkspan-config-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        if !file.is_empty() {
            std::fs::write(path.join("linkspan.toml"), file).unwrap();
        }
        Self(path)
    }

    fn options(&self) -> LoadOptions {
        let file = self.0.join("linkspan.toml");
        LoadOptions { config: file.exists().then_some(file), working_directory: self.0.clone(), ..LoadOptions::default() }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn problems(name: &str, file: &str) -> ConfigProblems {
    let folder = Folder::new(name, file);
    Config::load(&folder.options()).unwrap_err()
}

fn said(name: &str, file: &str) -> String {
    let folder = Folder::new(name, file);
    let text = Config::load(&folder.options()).unwrap_err().to_string();
    text.replace(&format!("{}/", folder.0.display()), "")
}

fn origin<'a>(config: &'a Config, key: &str) -> (&'a str, &'a str) {
    let entry = config.effective.iter().find(|entry| entry.key == key).unwrap_or_else(|| panic!("{key} is not shown"));
    (&entry.value, &entry.origin)
}

#[test]
fn without_a_file_everything_has_its_default() {
    let folder = Folder::new("defaults", "");

    let config = Config::load(&folder.options()).unwrap();

    assert_eq!(config.public_url.as_str(), "http://localhost:8080");
    assert_eq!(config.saml.entity_id.as_str(), "http://localhost:8080/saml/metadata");
    assert_eq!(config.oidc.issuer, "http://localhost:8080");
    assert_eq!(config.listen.ops.to_string(), "127.0.0.1:9464");
    assert_eq!(config.storage.directory, folder.0.join("linkspan-data"));
    assert_eq!(config.storage.data.expose(), &format!("sqlite:{}", folder.0.join("linkspan-data/linkspan.db").display()));
    assert_eq!(config.storage.session.expose(), "embedded");
    assert_eq!(config.keys.directory, folder.0.join("linkspan-data/keys"));
    assert_eq!(config.saml.metadata_dir, folder.0.join("metadata"));
    assert_eq!((config.session.idle, config.session.absolute), (Span::hours(8), Span::hours(24)));
    assert!(config.tls.is_none() && config.keys.passphrase.is_none() && config.outbound.allow.is_empty());
}

#[test]
fn a_mistyped_section_is_named_with_line_column_caret_and_the_nearest_key() {
    assert_eq!(
        said("section", "# one\n[sesion]\nidle = \"8h\"\n"),
        "error: linkspan.toml:2:2  unknown key \"sesion\" at the top level\n    2 | [sesion]\n      |  ^^^^^^ did you mean \"session\"?\n\
         1 problem in the configuration."
    );
}

#[test]
fn a_mistyped_key_names_the_nearest_one_of_its_section() {
    assert_eq!(
        said("key", "[session]\nidel = \"8h\"\n"),
        "error: linkspan.toml:2:1  unknown key \"idel\" in [session]\n    2 | idel = \"8h\"\n      | ^^^^ did you mean \"idle\"?\n\
         1 problem in the configuration."
    );
}

#[test]
fn a_key_in_the_wrong_place_is_told_where_it_belongs() {
    assert!(said("place", "entity_id = \"x\"\n").contains("\"entity_id\" belongs in [saml]"));
    assert!(said("place2", "[listen]\npublic_url = \"x\"\n").contains("belongs at the top, before the first section"));
}

#[test]
fn all_problems_of_a_layer_come_together_and_hide_the_layers_behind() {
    let text = said("layers", "[sesion]\nidle = \"8h\"\n[listen]\nwbe = \"x\"\nops = 3\n[saml]\nentity_id = \"\"\n");

    assert!(text.contains("\"sesion\"") && text.contains("\"wbe\"") && text.contains("listen.ops cannot be a number"), "{text}");
    assert!(text.ends_with("3 problems in the configuration."), "{text}");
}

#[test]
fn a_syntax_error_is_the_only_problem() {
    let found = problems("syntax", "[session\nidle = \"8h\"\n[sesion]\n");

    assert_eq!(found.problems.len(), 1);
    let text = found.to_string();
    assert!(text.contains("linkspan.toml:1:") && text.contains("this is not TOML"), "{text}");
}

#[test]
fn values_are_judged_with_their_place() {
    assert_eq!(
        said("value", "public_url = \"http://id.example.com\"\n"),
        "error: linkspan.toml:1:14  public_url must start with https:// unless the host is localhost, 127.0.0.0/8 or [::1]\n    \
         1 | public_url = \"http://id.example.com\"\n      |              ^^^^^^^^^^^^^^^^^^^^^^^ write \"https://…\"; behind a proxy \
         that ends TLS too, since browsers see https there\n1 problem in the configuration."
    );
}

#[test]
fn every_kind_of_bad_value_is_a_problem_with_a_remedy() {
    for (at, (file, message)) in [
        ("[session]\nidle = \"8\"", "session.idle is no duration"),
        ("[session]\nidle = \"25h\"", "session.idle (25h) is longer than session.absolute (1d)"),
        ("[session]\nidle = \"1s\"", "must lie between 1m and 365d"),
        ("[session]\nidle = 8", "session.idle cannot be a number"),
        ("session = 8", "\"session\" is a section"),
        ("[listen]\nweb = \":8080\"", "write \"0.0.0.0:8080\""),
        ("[listen]\nweb = \"127.0.0.1:9464\"", "are both 127.0.0.1:9464"),
        ("[listen]\ntrusted_proxies = [\"10.0.0.1/8\"]", "10.0.0.0/8"),
        ("[listen]\ntrusted_proxies = \"10.0.0.0/8\"", "cannot be a string"),
        ("[listen]\ntrusted_proxies = [8]", "an entry of listen.trusted_proxies is a number"),
        ("[listen]\nmax_body = \"1MB\"", "listen.max_body is no size"),
        ("[listen]\nmax_connections = 0", "must lie between 1 and"),
        ("[tls]\ncertificate = \"nowhere.crt\"\nkey = \"nowhere.key\"", "nowhere.key is not there"),
        ("[tls]\nkey = \"linkspan.toml\"", "tls.key is given without tls.certificate"),
        ("[storage]\ndata = \"mysql://u:p@h/db\"", "storage.data cannot be \"mysql:…\""),
        ("[storage]\ndata = \"sqlite::memory:\"", "names no file"),
        ("[storage]\nsession = \"memcached://h\"", "storage.session cannot be \"memcached://…\""),
        ("[storage]\nsession = \"redis://\"", "names no host"),
        ("[storage]\nsession = \"redis+sentinel://a,b,c\"", "names no service"),
        ("[storage]\nsync = \"never\"", "choose \"normal\" or \"full\""),
        ("[saml]\nentity_id = \"linkspan\"", "saml.entity_id is no URI"),
        ("[saml]\nauthn_contexts = []", "saml.authn_contexts is empty"),
        ("[saml]\nauthn_contexts = [\"urn:a\", \"urn:a\"]", "stands there twice"),
        ("[oidc]\nissuer = \"http://id.example.com\"\n", "oidc.issuer must be an https URL"),
        ("[keys]\npassphrase_file = \"nowhere\"", "cannot be read"),
        ("[keys]\npassphrase = \"a\"\npassphrase_file = \"b\"", "both keys.passphrase and keys.passphrase_file"),
        ("[log]\nlevel = \"loud\"", "log.level cannot be \"loud\""),
        ("[brand]\nname = \"\"", "brand.name is empty"),
        ("[demo]\napps = [\"127.0.0.1:1\"]", "two different loopback addresses"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = if file.starts_with("[oidc]") { format!("public_url = \"https://id.example.com\"\n{file}") } else { file.to_owned() };
        let found = problems(&format!("bad-{at}"), &file);
        let text = found.to_string();
        assert!(text.contains(message), "{file}: {text}");
        assert!(found.problems.iter().all(|problem| !problem.remedy.is_empty()), "{file}");
    }
}

#[test]
fn the_environment_goes_above_the_file_and_the_command_line_above_both() {
    let folder = Folder::new("precedence", "[listen]\nweb = \"127.0.0.1:1001\"\nops = \"127.0.0.1:1002\"\n[session]\nidle = \"1h\"\n");
    let mut options = folder.options();
    options.environment = environment(&[("LINKSPAN_LISTEN__WEB", "127.0.0.1:2001"), ("LINKSPAN_SESSION__IDLE", "2h")]);
    options.listen = Some("127.0.0.1:3001".to_owned());

    let config = Config::load(&options).unwrap();

    assert_eq!(config.listen.web.port(), 3001);
    assert_eq!(config.public_url.as_str(), "http://localhost:3001");
    assert_eq!(config.listen.ops.port(), 1002);
    assert_eq!(config.session.idle, Span::hours(2));
    assert_eq!(origin(&config, "listen.web"), ("\"127.0.0.1:3001\"", "--listen (command line)"));
    assert_eq!(origin(&config, "session.idle"), ("\"2h\"", "LINKSPAN_SESSION__IDLE (environment)"));
    assert!(origin(&config, "listen.ops").1.ends_with("linkspan.toml:3"));
    assert_eq!(origin(&config, "session.absolute"), ("\"24h\"", "default"));
    assert_eq!(origin(&config, "saml.entity_id").1, "default, from public_url");
}

#[test]
fn lists_come_from_the_environment_by_commas_or_by_number() {
    let folder = Folder::new("lists", "");
    let mut options = folder.options();
    options.environment = environment(&[
        ("LINKSPAN_OUTBOUND__ALLOW", "10.0.0.0/8, fd00::/8"),
        ("LINKSPAN_LISTEN__TRUSTED_PROXIES__1", "192.0.2.1"),
        ("LINKSPAN_LISTEN__TRUSTED_PROXIES__0", "10.0.0.0/8"),
    ]);

    let config = Config::load(&options).unwrap();

    let shown = |networks: &[crate::model::network::Network]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&config.outbound.allow), ["10.0.0.0/8", "fd00::/8"]);
    assert_eq!(shown(&config.listen.trusted_proxies), ["10.0.0.0/8", "192.0.2.1"]);
}

#[test]
fn an_unknown_variable_is_an_error_that_names_the_nearest_and_kubernetes_is_let_be() {
    let folder = Folder::new("unknown-variable", "");
    let mut options = folder.options();
    options.environment = environment(&[
        ("LINKSPAN_SESION__IDLE", "8h"),
        ("LINKSPAN_SERVICE_HOST", "10.0.0.1"),
        ("LINKSPAN_SERVICE_PORT_HTTP", "80"),
        ("LINKSPAN_PORT", "tcp://10.0.0.1:80"),
        ("LINKSPAN_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("LINKSPAN_OPS_PORT_9464_TCP", "tcp://10.0.0.1:9464"),
        ("LINKSPAN_TLS__KEY", ""),
    ]);

    let found = Config::load(&options).unwrap_err();

    assert_eq!(found.problems.len(), 1, "{found}");
    let text = found.to_string();
    assert!(text.contains("LINKSPAN_SESION__IDLE (environment)") && text.contains("write LINKSPAN_SESSION__IDLE"), "{text}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let folder = Folder::new("missing", "");
    let mut options = folder.options();
    options.environment = environment(&[("LINKSPAN_CONFIG", "/nowhere/linkspan.toml")]);

    let text = Config::load(&options).unwrap_err().to_string();

    assert!(text.contains("LINKSPAN_CONFIG (environment)") && text.contains("/nowhere/linkspan.toml cannot be read"), "{text}");
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = Folder::new(
        "secrets",
        "[storage]\ndata = \"postgres://ada:s3cret@db/linkspan\"\nsession_file = \"redis-url\"\n[keys]\npassphrase_file = \"pass\"\n",
    );
    folder.write("redis-url", "redis://:s3cret@host:6379/0\n");
    folder.write("pass", "s3cret words\r\n");

    let config = Config::load(&folder.options()).unwrap();

    assert_eq!(config.storage.session.expose(), "redis://:s3cret@host:6379/0");
    assert_eq!(config.keys.passphrase.as_ref().unwrap().expose(), "s3cret words");
    assert_eq!(origin(&config, "storage.data").0, "\"postgres://ada:***@db/linkspan\"");
    let shown = format!("{}{config:?}", show::to_text(&config.effective, true));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn problems_do_not_print_credentials() {
    for file in [
        "[storage]\ndata = \"mysql://ada:s3cret@db/x\"",
        "[storage]\nsession = \"redis:/ada:s3cret@db/x\"",
        "[keys]\npassphrase = \"s3cret\"\npassphrase_file = \"x\"",
        "[keys]\npassphrase = \"s3cret",
        "keys = { passphrase = \"s3cret\", colour = 1 }",
    ] {
        let text = problems(&format!("credentials-{}", file.len()), file).to_string();
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_layer_above_replaces_a_secret_by_either_of_its_names() {
    let folder = Folder::new("twins", "[keys]\npassphrase_file = \"nowhere\"\n");
    let mut options = folder.options();
    options.environment = environment(&[("LINKSPAN_KEYS__PASSPHRASE", "from the environment")]);

    let config = Config::load(&options).unwrap();

    assert_eq!(config.keys.passphrase.unwrap().expose(), "from the environment");
}

#[test]
fn relative_paths_count_from_the_file_and_those_of_the_command_line_from_where_it_was_typed() {
    let folder = Folder::new("relative", "[storage]\ndirectory = \"./state\"\ndata = \"sqlite:other/people.db\"\n");
    let mut options = folder.options();
    options.working_directory = PathBuf::from("/elsewhere");

    let config = Config::load(&options).unwrap();
    assert_eq!(config.storage.directory, folder.0.join("state"));
    assert_eq!(config.storage.data.expose(), &format!("sqlite:{}", folder.0.join("other/people.db").display()));

    options.directory = Some("typed".to_owned());
    let config = Config::load(&options).unwrap();
    assert_eq!(config.storage.directory, Path::new("/elsewhere/typed"));
    assert_eq!(config.keys.directory, Path::new("/elsewhere/typed/keys"));
}

#[test]
fn the_demo_leaves_the_files_storage_and_keys_alone() {
    let folder =
        Folder::new("demo", "[storage]\ndirectory = \"production\"\nsession = \"redis://production\"\n[keys]\ndirectory = \"certs\"\n");
    let mut options = LoadOptions { demo: true, ..folder.options() };

    let config = Config::load(&options).unwrap();
    assert_eq!(config.storage.directory, folder.0.join("linkspan-demo"));
    assert_eq!(config.keys.directory, folder.0.join("linkspan-demo/keys"));
    assert!(config.storage.session_is_embedded() && config.storage.data_is_local());

    options.environment = environment(&[("LINKSPAN_STORAGE__SESSION", "redis://127.0.0.1:7001/0")]);
    assert!(!Config::load(&options).unwrap().storage.session_is_embedded());
}

#[test]
fn the_demo_is_for_loopback_only() {
    let folder = Folder::new("demo-open", "public_url = \"https://id.example.com\"\n[listen]\nweb = \"0.0.0.0:8080\"\n");

    let found = Config::load(&LoadOptions { demo: true, ..folder.options() }).unwrap_err();

    assert_eq!(found.problems.len(), 2, "{found}");
}

#[test]
fn tls_makes_the_default_address_https_and_refuses_an_http_one() {
    let folder = Folder::new("tls", "[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n");
    folder.write("tls.crt", "");
    folder.write("tls.key", "");
    let mut options = folder.options();

    let config = Config::load(&options).unwrap();
    assert_eq!(config.public_url.as_str(), "https://localhost:8080");

    options.environment = environment(&[("LINKSPAN_PUBLIC_URL", "http://localhost:8080")]);
    assert!(Config::load(&options).unwrap_err().to_string().contains("although [tls] is on"));
}

#[test]
fn what_is_allowed_but_dangerous_is_a_notice() {
    let folder = Folder::new("notices", "[listen]\nweb = \"0.0.0.0:8080\"\nops = \"0.0.0.0:9464\"\n[tls]\nmtls = \"0.0.0.0:8443\"\n");

    let notices = Config::load(&folder.options()).unwrap().notices.join("\n");

    for part in ["public_url is still", "without Secure", "listen.ops", "tls.mtls has no effect"] {
        assert!(notices.contains(part), "{notices}");
    }
}

#[test]
fn the_annotated_file_loads_as_it_is_and_with_every_key_uncommented_it_names_only_known_keys() {
    let folder = Folder::new("annotated", &template::annotated(Some("https://id.example.com")));
    assert_eq!(Config::load(&folder.options()).unwrap().public_url.as_str(), "https://id.example.com");

    let all: String = template::annotated(None)
        .lines()
        .filter(|line| !line.contains("_file = ") && !line.contains("passphrase"))
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .collect();
    folder.write("linkspan.toml", &all);
    let found = Config::load(&folder.options()).unwrap_err().to_string();
    assert!(found.contains("certs/tls.crt is not there") && found.ends_with("2 problems in the configuration."), "{found}");
}

#[test]
fn the_schema_has_every_key_and_refuses_others() {
    let schema = schema::schema();

    let session = &schema["properties"]["session"];
    assert_eq!(session["properties"]["idle"]["default"], "8h");
    assert_eq!(session["additionalProperties"], false);
    assert_eq!(schema["properties"]["listen"]["properties"]["max_connections"]["default"], 10000);
    assert_eq!(schema["properties"]["keys"]["properties"]["passphrase_file"]["type"], "string");
    assert!(schema["properties"]["public_url"]["default"].is_null());
}

#[test]
fn every_key_that_is_in_force_is_shown_once() {
    let folder = Folder::new("shown", "");

    let config = Config::load(&folder.options()).unwrap();

    let shown: Vec<&str> = config.effective.iter().map(|entry| entry.key.as_str()).collect();
    let mut unique = shown.clone();
    unique.dedup();
    assert_eq!(shown, unique);
    for section in super::key::SECTIONS {
        for key in section.keys {
            let path = section.path(key.name);
            let is_shown = shown.contains(&path.as_str());
            assert!(is_shown || key.default_note.starts_with("none"), "{path} is not shown");
        }
    }
}
