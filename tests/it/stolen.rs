//! What a thief of both databases and of the service's secrets carries away, and what of it might lead to somebody's keys.

use crate::credentials::{authenticator, words};
use crate::harness::World;
use crate::passkeys::added;
use crate::software_key::SoftwareKey;
use crate::thief::stolen_keys;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use himaya::audit::entry::Place;
use himaya::audit::ledger::open_detail;
use himaya::guard::bytes::{self, ContentKey, Context};
use himaya::guard::keys::derive;
use himaya::guard::passkey::{Bound, PrfOutput, PrfSlot};
use himaya::guard::passphrase::Passphrase;
use himaya::guard::record::{AccountId, CredentialId};
use himaya::platform::secrets::{Named, file};
use serde_json::Value;
use sqlx::Row as _;
use std::collections::BTreeSet;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Every value of every secret of the service, as they lie in its folder. One that cannot be read stops the test: it would be missing
/// from the loot.
fn secrets_of_the_service(world: &World) -> Vec<[u8; 32]> {
    let folder = &world.app.config.secrets;
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    // The addresses of the databases lie there too: what they lead to the thief has.
    let files: BTreeSet<String> =
        files.filter(|name| !name.starts_with('.') && !name.starts_with("database.")).collect();
    let named: BTreeSet<String> = Named::ALL.iter().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(files, named, "a secret of the service is not in the loot");
    let mut found = Vec::new();
    for name in Named::ALL {
        let text = std::fs::read_to_string(folder.join(name.as_str())).unwrap();
        for line in file::parse(*name, &text).unwrap() {
            found.push(himaya::guard::statement::unhex(&line.value).unwrap());
        }
    }
    found
}

/// Every 32 bytes that a thief may take for a secret: the service's own, and of each short value in both databases the beginning and
/// the end.
pub async fn loot(world: &World) -> BTreeSet<[u8; 32]> {
    let mut found: BTreeSet<[u8; 32]> = secrets_of_the_service(world).into_iter().collect();
    for mut connection in [world.owner().await, world.erasure_owner().await] {
        let columns = sqlx::query(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns
             WHERE data_type = 'bytea' AND table_schema IN ('public', 'erasure') AND column_name <> 'signature'",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        for column in columns {
            let (schema, table, name): (String, String, String) = (column.get(0), column.get(1), column.get(2));
            let query = format!("SELECT {name} FROM {schema}.{table} WHERE octet_length({name}) BETWEEN 32 AND 64");
            for row in sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await.unwrap() {
                let value: Vec<u8> = row.get(0);
                found.extend(value.first_chunk().into_iter().chain(value.last_chunk()).copied());
            }
        }
    }
    found
}

/// Two people take every way in that there is: a recovery code, a passkey that opens by itself, an authenticator.
pub async fn take_ways_in(world: &World) {
    authenticator(world, &world.signed_in("duty1").await).await;
    let officer = world.signed_in("officer1").await;
    added(&officer, &SoftwareKey::new(true), words(&officer)).await;
}

/// What lies sealed and is no record, with the label by which its key follows from a secret.
struct Locked {
    what: String,
    owner: Uuid,
    label: &'static str,
    context: Context,
    blob: Vec<u8>,
}

impl Locked {
    fn opens(&self, secret: &[u8; 32]) -> bool {
        let derived = ContentKey::from_bytes(*derive(secret, &[], self.label));
        self.opens_with(&ContentKey::from_bytes(*secret)) || self.opens_with(&derived)
    }

    fn opens_with(&self, key: &ContentKey) -> bool {
        bytes::open(key, 1, &self.context, &self.blob).is_ok()
    }
}

async fn all_locked(world: &World) -> Vec<Locked> {
    let mut all = Vec::new();
    for (table, label, query) in [
        ("sessions", "himaya session wrap v1", "SELECT id, 'keys', sealed_keys, account_id FROM sessions"),
        (
            "credential_slots",
            "himaya passphrase slot v1",
            "SELECT account_id, kind, sealed, account_id FROM credential_slots",
        ),
        ("totp_secrets", "himaya totp secret v1", "SELECT id, 'secret', sealed, account_id FROM totp_secrets"),
        ("passkeys", "himaya passkey v1", "SELECT id, 'binding', sealed, account_id FROM passkeys"),
    ] {
        for row in sqlx::query(query).fetch_all(&mut world.owner().await).await.unwrap() {
            let (id, part): (Uuid, String) = (row.get(0), row.get(1));
            let context = Context::new(table, id.into_bytes(), &part, 1, 1);
            all.push(Locked { what: format!("{table}: {part}"), owner: row.get(3), label, context, blob: row.get(2) });
        }
    }
    all
}

/// No session, no slot, no second factor and no entry's words open with anything of the loot; and each kind of them opens with what it
/// was locked by, so that the thief tries the right door.
pub async fn open_with_nothing_of(world: &World, loot: &BTreeSet<[u8; 32]>) {
    let all = all_locked(world).await;
    let kinds: BTreeSet<&str> = all.iter().map(|locked| locked.what.as_str()).collect();
    let expected = [
        "credential_slots: passkey",
        "credential_slots: passphrase",
        "credential_slots: recovery_code",
        "passkeys: binding",
        "sessions: keys",
        "totp_secrets: secret",
    ];
    assert_eq!(kinds, BTreeSet::from(expected));
    // Eight of a kind stand for all of them, which the same lines made.
    for locked in kinds.iter().flat_map(|kind| all.iter().filter(move |locked| locked.what == **kind).take(8)) {
        assert!(!loot.iter().any(|secret| locked.opens(secret)), "{} opened", locked.what);
    }
    right_secrets_open(world, &all).await;
    no_passkey_opens(world, loot).await;
    no_detail_opens_but_the_foundings(world, loot).await;
}

async fn right_secrets_open(world: &World, all: &[Locked]) {
    let (duty, officer) = (world.signed_in("duty1").await, world.signed_in("officer1").await);
    let of = |what: &'static str, owner: Uuid| all.iter().filter(move |one| one.what == what && one.owner == owner);
    let session: [u8; 32] = URL_SAFE_NO_PAD.decode(duty.secrets().await.1).unwrap().try_into().unwrap();
    assert!(of("sessions: keys", duty.account).any(|locked| locked.opens(&session)));
    let (duty_keys, officer_keys) = (stolen_keys(world, "duty1").await, stolen_keys(world, "officer1").await);
    for (what, keys, owner) in
        [("totp_secrets: secret", &duty_keys, duty.account), ("passkeys: binding", &officer_keys, officer.account)]
    {
        let opens = |one: &Locked| one.opens_with(&ContentKey::from_bytes(*keys.derive(one.label)));
        assert!(of(what, owner).any(opens), "{what}");
    }
    let row = sqlx::query("SELECT salt, memory_kib, passes, lanes FROM credential_slots WHERE account_id = $1");
    let row = row.bind(duty.account).fetch_one(&mut world.owner().await).await.unwrap();
    let number = |i: usize| u32::try_from(row.get::<i32, _>(i)).unwrap();
    let params = Params::new(number(1), number(2), number(3), Some(32)).unwrap();
    let (peppers, salt) = (world.app.secrets.pepper.get(), row.get::<Vec<u8>, _>(0));
    let pepper = &*peppers.oldest().value;
    let stretch = |words: &str| {
        let argon2 = Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params.clone()).unwrap();
        let mut stretched = [0; 32];
        argon2.hash_password_into(words.as_bytes(), &salt, &mut stretched).unwrap();
        stretched
    };
    let slot = of("credential_slots: passphrase", duty.account).next().unwrap();
    assert!(slot.opens(&stretch(Passphrase::typed(&duty.passphrase).reveal())));
    // What is guessed without knowing the person.
    for guess in ["", duty.handle.as_str()] {
        assert!(!slot.opens(&stretch(guess)), "`{guess}` opens a slot");
    }
}

/// What a passkey locks, with each of the loot in the place of what the authenticator gives.
async fn no_passkey_opens(world: &World, loot: &BTreeSet<[u8; 32]>) {
    let rows = sqlx::query(
        "SELECT p.id, p.account_id, p.registered, s.salt, s.sealed, s.pepper FROM passkeys p
         JOIN credential_slots s ON s.account_id = p.account_id AND s.kind = 'passkey'",
    );
    let rows = rows.fetch_all(&mut world.owner().await).await.unwrap();
    assert_eq!(rows.len(), 1);
    for row in &rows {
        let registered: Vec<u8> = row.get(2);
        let bound = Bound { account: AccountId(row.get(1)), id: CredentialId(row.get(0)), registered: &registered };
        let salt = row.get::<Vec<u8>, _>(3).try_into().unwrap();
        let slot = PrfSlot { salt, sealed: row.get(4), pepper: row.get(5) };
        for secret in loot {
            let given = PrfOutput::parse(&URL_SAFE_NO_PAD.encode(secret)).unwrap();
            assert!(bound.unlock(&world.app.secrets.pepper, &given, &slot).is_none(), "a passkey's slot opened");
        }
    }
}

/// Before there is an office of auditors the founding's own work lies open, and nothing else ever does.
async fn no_detail_opens_but_the_foundings(world: &World, loot: &BTreeSet<[u8; 32]>) {
    let rows = sqlx::query(
        "SELECT e.replica, e.lane, e.n, e.detail, e.detail_key, k.key_id IS NULL, k.wrap FROM ledger_entries e
         JOIN ledger_detail_keys k ON k.id = e.detail_key WHERE e.detail IS NOT NULL",
    );
    let rows = rows.fetch_all(&mut world.owner().await).await.unwrap();
    let read = |row: &sqlx::postgres::PgRow, secret: &[u8; 32]| {
        let place = Place { replica: row.get(0), lane: row.get(1), n: row.get(2) };
        open_detail(&Zeroizing::new(*secret), place, row.get(3))
    };
    let (mut tried, mut open, mut sealed) = (BTreeSet::new(), 0, 0);
    for row in &rows {
        let (key, lies_open): (Uuid, bool) = (row.get(4), row.get(5));
        if lies_open {
            let secret = loot
                .get(&<[u8; 32]>::try_from(row.get::<Vec<u8>, _>(6)).unwrap())
                .expect("a thief finds what lies open");
            let said = read(row, secret).expect("the founding's own work lies open");
            let said: Value = serde_json::from_slice(&said).unwrap();
            let kind = said["kind"].as_str().unwrap();
            let founding = ["organisation", "account", "membership", "session", "credential", "ledger"];
            assert!(founding.contains(&kind), "an entry about a {kind} lies open");
            open += 1;
        } else {
            sealed += 1;
            // One entry of each key stands for all of them.
            if tried.insert(key) {
                assert!(!loot.iter().any(|secret| read(row, secret).is_some()), "what an entry says opened");
            }
        }
    }
    assert!(open > 0 && sealed > 50 && !tried.is_empty(), "{open} open, {sealed} sealed");
}
