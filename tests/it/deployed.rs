//! What lies in `deploy/` fits the program.

use himaya::platform::config::Config;
use himaya::platform::secrets::Named;
use std::path::Path;

fn deploy(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)).unwrap()
}

fn example() -> Config {
    Config::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/himaya.toml")).unwrap()
}

#[test]
fn the_example_names_every_setting() {
    let config = serde_json::to_value(example()).unwrap();
    let text = deploy("himaya.toml");
    for commented in ["#witnesses_needed =", "#[[witnesses]]", "#vkey ="] {
        assert!(text.lines().any(|line| line.starts_with(commented)), "{commented}");
    }
    for field in config.as_object().unwrap().keys().chain(config["database"].as_object().unwrap().keys()) {
        let said = text.lines().any(|line| line.starts_with(&format!("{field} =")) || line == format!("[{field}]"));
        assert!(said, "{field}");
    }
    assert!(text.contains("#[tls]"));
}

#[test]
fn the_unit_hands_over_every_secret_that_the_service_needs_and_no_migrators() {
    let unit = deploy("himaya.service");
    let handed: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("LoadCredential=")).collect();
    let fields = example().database.addresses().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
    let needed = Named::ALL
        .iter()
        .map(|name| name.as_str())
        .chain(fields.into_iter().filter(|field| !field.ends_with("migrator")));
    let mut wanted: Vec<String> = needed.map(|name| format!("{name}:/etc/himaya/secrets/{name}")).collect();
    wanted.push("himaya.toml:/etc/himaya/himaya.toml".to_owned());
    wanted.sort();
    let mut handed: Vec<String> = handed.into_iter().map(str::to_owned).collect();
    handed.sort();
    assert_eq!(handed, wanted);
    for kept in [
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "CapabilityBoundingSet=",
        "SystemCallFilter=@system-service",
        "LimitCORE=0",
    ] {
        assert!(unit.lines().any(|line| line == kept), "{kept}");
    }
}

#[test]
fn the_witness_unit_is_as_closed_as_the_services_and_its_example_is_one() {
    let unit = deploy("himaya-witness.service");
    let (_, closed) =
        deploy("himaya.service").split_once("NoNewPrivileges=yes").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (closed, _) = closed.split_once("LimitNOFILE").unwrap();
    for line in closed.lines().filter(|line| line.contains('=') && !line.starts_with('#')) {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/witness.toml");
    himaya::witness::config::WitnessConfig::read(&example).unwrap().check().unwrap();
}

#[test]
fn the_databases_have_no_network_and_the_image_no_root() {
    let compose = deploy("compose.yaml");
    let ports: Vec<&str> = compose.lines().filter(|line| line.trim_start().starts_with("ports:")).collect();
    assert_eq!(ports, ["    ports: [\"127.0.0.1:8080:8080\"]"]);
    let (_, postgres) = compose.split_once("x-postgres: &postgres").unwrap();
    let (postgres, _) = postgres.split_once("x-himaya:").unwrap();
    assert!(postgres.contains("network_mode: none") && postgres.contains("--auth-local=scram-sha-256"));
    let image = deploy("Containerfile");
    let (_, himaya) = image.split_once("FROM scratch AS himaya").unwrap();
    assert!(himaya.contains("\nUSER 65532:65532\n"));
}

#[test]
fn the_look_at_a_witness_is_as_closed_as_the_witness_runs_daily_and_asks_what_the_program_knows() {
    let (witness, look) = (deploy("himaya-witness.service"), deploy("himaya-witness-status.service"));
    let (_, closed) = witness.split_once("NoNewPrivileges=yes").unwrap();
    let (closed, _) = closed.split_once("LimitNOFILE").unwrap();
    let kept = ["NoNewPrivileges=yes", "DynamicUser=yes", "User=himaya-witness", "StateDirectory=himaya-witness"];
    let closed = closed.lines().filter(|line| line.contains('=') && !line.starts_with('#'));
    for line in kept.into_iter().chain(closed) {
        // It looks at files: no network at all.
        let line = if line.starts_with("RestrictAddressFamilies=") { "RestrictAddressFamilies=AF_UNIX" } else { line };
        assert!(look.lines().any(|own| own == line), "{line}");
    }
    assert!(look.lines().any(|line| line == "PrivateNetwork=yes"));
    let timer = deploy("himaya-witness-status.timer");
    assert!(timer.lines().any(|line| line.starts_with("OnCalendar=*-*-* ")), "every day");
    // What it starts is a command, and the witness's own configuration; whom a failure is told is the administrator's to say.
    let of = |unit: &str| unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap().to_owned();
    assert_eq!(of(&look).replace(" status ", " serve "), of(&witness));
    let told: Vec<&str> = look.lines().filter(|line| line.contains("OnFailure=")).collect();
    assert!(told.len() == 1 && told[0].starts_with("#OnFailure="), "{told:?}");
    let mut asked = std::process::Command::new(env!("CARGO_BIN_EXE_himaya"));
    assert!(asked.args(["witness", "status", "--help"]).output().unwrap().status.success());
}
