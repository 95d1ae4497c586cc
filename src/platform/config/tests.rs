use super::*;
use crate::platform::random;
use crate::platform::secrets::{Secrets, SecretsFor, make};

const POLICY: [u8; 32] = [7; 32];

/// A folder with everything that a service needs, and a configuration of it that production takes.
fn whole() -> (PathBuf, Config) {
    let folder = std::env::temp_dir().join(format!("himaya-config-{}", random::uuid()));
    make(&folder.join("secrets"), SecretsFor::Service).unwrap();
    std::fs::create_dir(folder.join("checkpoints")).unwrap();
    std::fs::write(folder.join("pins"), "# nobody yet\n").unwrap();
    let text = format!(
        "production = true\nlisten = \"127.0.0.1:8080\"\npolicy_sha256 = \"{}\"\npins = \"{folder}/pins\"\n\
         schema_pin = \"{folder}/schema\"\n         secrets = \"{folder}/secrets\"\ncheckpoints = \"{folder}/checkpoints\"\n\
         [passkeys]\nrelying_party = \"himaya.example\"\norigins = [\"https://desk.himaya.example\"]\n\
         [attachments]\nfolder = \"{folder}/attachments\"\n[database]\n{}",
        "07".repeat(32),
        ["app", "door", "sequencer", "auditor", "sweeper", "timekeeper", "erasure", "erasure_sweeper"]
            .map(|role| format!("{role} = \"postgres://himaya_{role}@localhost/himaya?host=/run/postgresql\"\n"))
            .concat(),
        folder = folder.display()
    );
    std::fs::write(folder.join("himaya.toml"), text).unwrap();
    let config = Config::read(&folder.join("himaya.toml")).unwrap();
    (folder, config)
}

fn said(config: &Config) -> String {
    let secrets = tokio::runtime::Runtime::new().unwrap().block_on(Secrets::read(config)).unwrap();
    refusals(config, &secrets, &POLICY).or_none().map_err(|r| r.to_string()).err().unwrap_or_default()
}

fn own(config: &mut Config) -> &mut PasskeysConfig {
    config.passkeys.as_mut().unwrap()
}

#[test]
fn a_whole_configuration_is_taken_and_each_fault_is_refused_by_its_field_in_production() {
    let (folder, good) = whole();
    assert_eq!(said(&good), "");
    let refused = |field: &str, change: &dyn Fn(&mut Config)| {
        let mut config = good.clone();
        change(&mut config);
        let all = said(&config);
        assert!(all.contains(&format!("the configuration is refused: {field} ")), "{field}: {all}");
        assert!(!all.contains('\n'), "{field} only: {all}");
        config.production = false;
        said(&config)
    };
    let in_a_trial = [
        refused("policy_sha256", &|config| config.policy_sha256 = None),
        refused("database.app", &|config| config.database.app = "postgres://himaya_app@db.example/himaya".into()),
        refused("database.erasure", &|config| {
            config.database.erasure = "postgres://himaya_app@10.0.0.9/e?sslmode=require".into();
        }),
        refused("listen", &|config| config.listen = "0.0.0.0:8080".parse().unwrap()),
        refused("pins", &|config| config.pins = folder.join("no such file")),
        refused("passkeys", &|config| config.passkeys = None),
        refused("passkeys.origins", &|config| own(config).origins = vec!["http://himaya.example".to_owned()]),
    ];
    assert!(in_a_trial.iter().all(String::is_empty), "{in_a_trial:?}");
    // These hold in a trial as well.
    for other in
        ["https://himaya.example.org", "https://nothimaya.example", "https://himaya.example/desk", "himaya.example"]
    {
        let said = refused("passkeys.origins", &|config| {
            if other.starts_with("https") {
                own(config).origins.push(other.to_owned());
            } else {
                own(config).origins.clear();
            }
        });
        assert!(said.contains("passkeys.origins"), "{other}: {said}");
    }
    assert!(refused("policy_sha256", &|config| config.policy_sha256 = Some("08".repeat(32))).contains("policy_sha256"));
    assert!(refused("checkpoints", &|config| config.checkpoints = folder.join("nowhere")).contains("checkpoints"));

    assert!(
        refused("limits.account", &|config| config.limits.account = 0).contains("limits.account is 0: set 3 to 100")
    );
    assert!(refused("limits.address", &|config| config.limits.address = 1_000_000).contains("limits.address"));

    std::fs::write(folder.join("pins"), "# founding\nnot a fingerprint\n").unwrap();
    assert!(said(&good).contains("line 2"), "{}", said(&good));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_demonstrations_secret_is_refused_in_production() {
    let (folder, config) = whole();
    std::fs::remove_file(config.secrets.join("pepper")).unwrap();
    make(&config.secrets, SecretsFor::Demo).unwrap();
    assert!(said(&config).contains("secrets has a demonstration's secret in `pepper`"), "{}", said(&config));
    assert_eq!(said(&Config { production: false, ..config }), "");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_open_address_is_taken_behind_a_proxy_or_with_tls() {
    let (folder, config) = whole();
    let open = Config { listen: "0.0.0.0:443".parse().unwrap(), ..config };
    assert_eq!(said(&Config { behind_proxy: true, ..open.clone() }), "");
    let tls = TlsConfig { certificate: folder.join("c"), key: folder.join("k") };
    assert_eq!(said(&Config { tls: Some(tls), ..open.clone() }), "");
    assert_eq!(said(&Config { listen: "unix:/run/himaya/socket".parse().unwrap(), ..open }), "");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn passwords_come_from_files_and_never_from_the_configuration() {
    let (folder, config) = whole();
    let file = folder.join("himaya.toml");
    let full = config.database.change(|_, address| Ok::<_, ()>(address::with_password(address, "s3 cret"))).unwrap();
    let kept = keep_passwords(&config.secrets, &full).unwrap();
    assert_eq!(kept.app, config.database.app);
    assert_eq!(Config::read(&file).unwrap().database.app, full.app);
    let text = std::fs::read_to_string(&file).unwrap().replace("himaya_door@", "himaya_door:secret@");
    std::fs::write(&file, text).unwrap();
    let refused = Config::read(&file).err().unwrap().to_string();
    assert!(refused.contains("database.door holds a password") && !refused.contains("secret@"), "{refused}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_unknown_missing_or_wrong_field_is_named() {
    let (folder, _) = whole();
    let file = folder.join("himaya.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    for (from, to, named) in [
        ("production = true", "productoin = true", "productoin"),
        ("production = true", "production = \"yes\"", "production"),
        ("127.0.0.1:8080", "everywhere", "listen"),
        ("sweeper = ", "sweepers = ", "sweepers"),
    ] {
        std::fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let refused = Config::read(&file).err().unwrap().to_string();
        assert!(refused.contains(named), "{named}: {refused}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
