use super::*;
use crate::platform::random;
use std::os::unix::fs::PermissionsExt as _;

fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("himaya-secrets-{}", random::uuid()))
}

async fn read(folder: &Path) -> Result<Secrets, ConfigError> {
    let text = |name: Named| file::read(&folder.join(name.as_str()), name.as_str(), 0o077);
    Secrets::read_with(&text, &Keeper::Open, true).await
}

async fn said(folder: &Path) -> String {
    read(folder).await.err().unwrap().to_string()
}

#[tokio::test]
async fn a_demonstrations_secrets_are_known_by_themselves() {
    let (demo, own) = (folder(), folder());
    make(&demo, SecretsFor::Demo).unwrap();
    make(&own, SecretsFor::Service).unwrap();
    let all: Vec<&str> = Named::ALL.iter().map(|name| name.as_str()).collect();
    assert_eq!(read(&demo).await.unwrap().of_a_demo, all);
    assert_eq!(read(&own).await.unwrap().of_a_demo, Vec::<&str>::new());
    // One that was copied among others is found as well.
    std::fs::copy(demo.join("ledger"), own.join("ledger")).unwrap();
    assert_eq!(read(&own).await.unwrap().of_a_demo, ["ledger"]);
    for folder in [demo, own] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[tokio::test]
async fn a_secret_that_others_can_read_or_that_is_none_is_refused_by_name() {
    let folder = folder();
    make(&folder, SecretsFor::Service).unwrap();
    let pepper = folder.join("pepper");
    std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(said(&folder).await.contains("secret pepper: the file can be read by others"), "{}", said(&folder).await);
    std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&pepper, "00").unwrap();
    assert!(said(&folder).await.contains("secret pepper: is not 64"), "{}", said(&folder).await);
    std::fs::write(&pepper, format!("public:{}", "11".repeat(32))).unwrap();
    assert!(said(&folder).await.contains("secret pepper: "), "{}", said(&folder).await);
    std::fs::remove_file(&pepper).unwrap();
    assert!(said(&folder).await.contains("secret pepper: the file cannot be read"), "{}", said(&folder).await);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn what_vouched_before_it_had_a_file_stays_what_it_was() {
    let folder = folder();
    make(&folder, SecretsFor::Service).unwrap();
    let vouch = folder.join("vouch");
    std::fs::remove_file(&vouch).unwrap();
    let before = read(&folder).await.unwrap().vouch.get().oldest().id.clone();
    assert!(complete(&folder).unwrap() && !complete(&folder).unwrap());
    assert_eq!(read(&folder).await.unwrap().vouch.get().oldest().id, before);
    // With a file of its own it no longer hangs on the ledger's key.
    std::fs::write(folder.join("ledger"), "5b".repeat(32)).unwrap();
    assert_eq!(read(&folder).await.unwrap().vouch.get().oldest().id, before);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_key_keeps_its_name_when_only_its_public_half_is_kept() {
    let folder = folder();
    make(&folder, SecretsFor::Service).unwrap();
    let whole = read(&folder).await.unwrap().ledger.get().oldest().clone();
    let text = format!("public:{}\n{} 2026-11-22T13:41:00Z\n", hex(whole.value.public.as_bytes()), "5b".repeat(32));
    std::fs::write(folder.join("ledger"), text).unwrap();
    let ledger = read(&folder).await.unwrap().ledger.get();
    assert!(ledger.oldest().id == whole.id && ledger.oldest().value.signing.is_none());
    assert!(ledger.newest().value.signing.is_some());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_lost_vouch_is_derived_from_no_ledger_that_has_a_second_key() {
    let folder = folder();
    make(&folder, SecretsFor::Service).unwrap();
    std::fs::remove_file(folder.join("vouch")).unwrap();
    assert!(read(&folder).await.is_ok());
    let text = |name: Named| file::read(&folder.join(name.as_str()), name.as_str(), 0o077);
    // Under a keeper there was always a file.
    let kept = Secrets::read_with(&text, &Keeper::Open, false).await.err().unwrap().to_string();
    let first = std::fs::read_to_string(folder.join("ledger")).unwrap();
    std::fs::write(folder.join("ledger"), format!("{first}{} 2026-11-22T13:41:00Z\n", "5b".repeat(32))).unwrap();
    for said in [kept, said(&folder).await] {
        assert!(said.contains("secret vouch: the file cannot be read: it is not there"), "{said}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn what_runs_forgets_no_value_that_nothing_drops() {
    let folder = folder();
    make(&folder, SecretsFor::Service).unwrap();
    let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
    let known = read(&folder).await.unwrap();
    for name in [Named::Vouch, Named::Pseudonyms, Named::Ledger, Named::Pepper, Named::Token] {
        let (file, drops) = (folder.join(name.as_str()), matches!(name, Named::Pepper | Named::Token));
        let old = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{}{} {}\n", old, "5b".repeat(32), at(60).to_rfc3339())).unwrap();
        let both = read(&folder).await.unwrap();
        assert!(known.are_all_in(&both, at(0)).is_ok());
        // One that is only prepared may be taken back; one that was used may not.
        assert!(both.are_all_in(&known, at(59)).is_ok());
        assert_eq!(both.are_all_in(&known, at(60)).is_ok(), drops, "{name}");
        std::fs::write(&file, format!("{}\n", "5b".repeat(32))).unwrap();
        let new = read(&folder).await.unwrap();
        assert_eq!(both.are_all_in(&new, at(0)).is_ok(), drops, "{name}");
        std::fs::write(&file, old).unwrap();
    }
    std::fs::remove_dir_all(folder).unwrap();
}
