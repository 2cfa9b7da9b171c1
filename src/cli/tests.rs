use clap::CommandFactory as _;

use super::*;

fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("linkspan").chain(arguments.iter().copied()))
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    assert_eq!(parse(&["app", "no-such-verb"]).unwrap_err().exit_code(), 2);
    assert_eq!(parse(&["app", "set", "one", "saml.sign"]).unwrap_err().exit_code(), 2);
    assert_eq!(parse(&["app", "add", "client.json", "--type", "oidc"]).unwrap_err().exit_code(), 2);
    assert_eq!(parse(&["apikey", "new", "--name", "x"]).unwrap_err().exit_code(), 2);
    assert_eq!(parse(&["session", "end"]).unwrap_err().exit_code(), 2);
    assert_eq!(parse(&["session", "end", "s_1", "--user", "ada"]).unwrap_err().exit_code(), 2);
    assert_eq!(parse(&["--help"]).unwrap_err().exit_code(), 0);
    assert_eq!(parse(&["--version"]).unwrap_err().exit_code(), 0);
}

#[test]
fn global_options_stand_before_and_behind_the_noun() {
    for arguments in [
        &["--config", "c.toml", "-o", "json", "app", "list"][..],
        &["app", "list", "-o", "json", "--config", "c.toml"],
        &["app", "-o", "json", "list", "--config=c.toml"],
    ] {
        let cli = parse(arguments).unwrap();
        assert_eq!((cli.global.config, cli.global.output), (Some(PathBuf::from("c.toml")), Format::Json));
    }
}

#[test]
fn every_command_of_the_contract_is_there() {
    for line in [
        "serve",
        "serve --demo --listen 127.0.0.1:9000",
        "init --public-url https://id.example.com --dir d",
        "config check",
        "config show --origin",
        "config schema",
        "app add FILE --name N --type saml --replace --preset basic --preset groups --signer C --entity E --accept-expired --allow-http",
        "app add -",
        "app list",
        "app show ID",
        "app set ID saml.sign=both saml.scope=",
        "app lint FILE",
        "app preview ID --user U",
        "app test ID --as U",
        "app refresh ID",
        "app rm ID",
        "user add NAME --email E --display-name D --group G --group H --attr K=V --attr K=W --password-stdin",
        "user list",
        "user show NAME",
        "user set NAME admin=true",
        "user passwd NAME --password-stdin",
        "user disable NAME",
        "user enable NAME",
        "user rm NAME",
        "user import FILE.csv --dry-run --update",
        "group list",
        "group add G",
        "group rm G",
        "group add-member G U",
        "group rm-member G U",
        "key list",
        "key new",
        "key promote ID",
        "key retire ID",
        "key import FILE",
        "session list --user U",
        "session end ID",
        "session end --user U",
        "trace list",
        "trace show REF",
        "trace tail",
        "saml decode FILE",
        "saml explain - --at 2026-11-24T20:46:59Z --destination https://id.example.com/saml/sso",
        "apikey new --name N --scope apps:read --expires 90d --network 10.0.0.0/8",
        "apikey list",
        "apikey rm ID",
        "audit tail",
        "audit export",
        "admin setup-link",
        "health",
        "completions bash",
        "man",
        "version",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        if let Err(error) = parse(&arguments) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn every_command_explains_itself() {
    fn walk(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some_and(|about| !about.to_string().is_empty()), "{path} has no description");
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            walk(inner, &path);
        }
    }
    walk(&Cli::command(), "");
}
