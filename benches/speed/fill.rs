//! A copy of the world with many more records: what people wrote over years, as rows that nobody here can tell from them.
//!
//! The first case stands for all of them. Its rows are copied under other ids, to other people, with their wraps and
//! their erasure keys; ledger entries, the tree and its signed checkpoint grow along.

use crate::Outcome;
use crate::world::database;
use ed25519_dalek::SigningKey;
use himaya::audit::checkpoint::Checkpoint;
use himaya::audit::note::{self, KeyName, NoteSigner};
use himaya::audit::tree::{Frontier, Hash};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, Row as _};
use std::path::Path;
use std::str::FromStr as _;
use uuid::Uuid;

/// People to whom the others' cases belong.
const PEOPLE: u32 = 500;

/// As the superuser: foreign keys are not checked row by row, and nothing waits for the disk.
const QUICKLY: &str = "SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '256MB';
    CREATE TEMP TABLE model AS SELECT $CASE::uuid AS id;
    CREATE TEMP TABLE keys AS SELECT DISTINCT key_id AS id FROM sealed
        WHERE case_id = $CASE OR record_id IN (SELECT id FROM notices WHERE case_id = $CASE)";
/// In this order; `$N` copies, each under an id that follows from the model's and its own number.
const COPIES: &[&str] = &[
    "INSERT INTO accounts (id, organisation_id, handle, nominated_responsible, nominated_custodian, created_at,
                           registered_by, register_no)
     SELECT md5(n::text)::uuid, a.organisation_id, 'filled' || n, false, false, a.created_at, NULL, NULL
     FROM accounts a, generate_series(0, $PEOPLE - 1) n WHERE a.handle = 'officer1'",
    "INSERT INTO cases (id, organisation_id, state, epoch, opened_at, registered_by, register_no)
     SELECT md5(id || '/' || n)::uuid, organisation_id, state, epoch, opened_at, NULL, NULL
     FROM cases JOIN model USING (id), generate_series(1, $N) n",
    "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at, registered_by, register_no)
     SELECT md5(grant_id || '/' || n)::uuid, md5(case_id || '/' || n)::uuid,
            md5(((n + row_number() OVER (PARTITION BY n)) % $PEOPLE)::text)::uuid, relation, note, started_at, NULL, NULL
     FROM case_access, generate_series(1, $N) n WHERE case_id = $CASE",
    "INSERT INTO subjects (id, case_id, added_at, registered_by, register_no)
     SELECT md5(id || '/' || n)::uuid, md5(case_id || '/' || n)::uuid, added_at, NULL, NULL
     FROM subjects, generate_series(1, $N) n WHERE case_id = $CASE",
    "INSERT INTO sections (id, case_id, subject_id, kind, registered_by, register_no)
     SELECT md5(id || '/' || n)::uuid, md5(case_id || '/' || n)::uuid, md5(subject_id || '/' || n)::uuid, kind, NULL, NULL
     FROM sections, generate_series(1, $N) n WHERE case_id = $CASE",
    "INSERT INTO case_notes (id, case_id, position, author_id, written_at, registered_by, register_no)
     SELECT md5(id || '/' || n)::uuid, md5(case_id || '/' || n)::uuid, position, author_id, written_at, NULL, NULL
     FROM case_notes, generate_series(1, $N) n WHERE case_id = $CASE AND position < 4",
    "INSERT INTO case_heads (case_id, number, note, signer_id, vouch)
     SELECT md5(case_id || '/' || n)::uuid, number, note, signer_id, vouch
     FROM case_heads, generate_series(1, $N) n WHERE case_id = $CASE",
    "INSERT INTO notices (id, sender_id, sender_organisation_id, squad_id, intake_key_id, state, suspected_at, sent_at,
                          acknowledged_at, case_id, registered_by, register_no)
     SELECT md5(id || '/' || n)::uuid, sender_id, sender_organisation_id, squad_id, intake_key_id, state, suspected_at,
            sent_at, acknowledged_at, md5(case_id || '/' || n)::uuid, NULL, NULL
     FROM notices, generate_series(1, $N) n WHERE case_id = $CASE",
    "INSERT INTO sealed (record_id, kind, case_id, key_id, epoch, version, blob, author, signature, vouch)
     SELECT md5(record_id || '/' || n)::uuid, kind, md5(case_id || '/' || n)::uuid, md5(key_id || '/' || n)::uuid, epoch,
            version, blob, author, signature, vouch
     FROM sealed, generate_series(1, $N) n
     WHERE key_id IN (SELECT id FROM keys)
       AND record_id NOT IN (SELECT id FROM case_notes WHERE case_id = $CASE AND position >= 4)",
    "INSERT INTO wraps (key_id, epoch, recipient_account, recipient_key, grant_id, wrap)
     SELECT md5(key_id || '/' || n)::uuid, epoch,
            CASE WHEN recipient_account IS NOT NULL THEN
                md5(((n + row_number() OVER (PARTITION BY key_id, n)) % $PEOPLE)::text)::uuid END,
            recipient_key, md5(grant_id || '/' || n)::uuid, wrap
     FROM wraps, generate_series(1, $N) n WHERE key_id IN (SELECT id FROM keys)",
];
const ENTRIES: &str = "
    INSERT INTO ledger_entries (replica, lane, n, leaf, signature, detail_key, detail)
    SELECT $REPLICA, n % 8, n / 8, substr(decode(repeat(md5(n::text), 14), 'hex'), 1, 222),
           decode(repeat(md5(n::text), 4), 'hex'), k.id,
           decode(repeat(md5(n::text), 24), 'hex')
    FROM generate_series(0, $M - 1) n, (SELECT id FROM ledger_detail_keys LIMIT 1) k;
    INSERT INTO ledger_tree (position, replica, lane, n, leaf_hash)
    SELECT $FROM + row_number() OVER (ORDER BY n, lane) - 1, replica, lane, n, sha256('\\x00'::bytea || leaf)
    FROM ledger_entries WHERE replica = $REPLICA";

/// Lets a copy of the world hold so many sealed records. Nothing may serve it meanwhile.
pub async fn fill(superuser: &str, name: &str, folder: &Path, case: Uuid, records: u32) -> Outcome {
    let mut main = PgConnectOptions::from_str(&database(superuser, name))?.connect().await?;
    let quoted = format!("'{case}'");
    run(&mut main, &QUICKLY.replace("$CASE", &quoted)).await?;
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM sealed").fetch_one(&mut main).await?;
    // Three sections of the case, two of the person, four notes, and the notice.
    let copies = (i64::from(records) - there) / 10;
    if copies <= 0 {
        return Ok(());
    }
    for statement in COPIES {
        let statement = statement.replace("$CASE", &quoted).replace("$PEOPLE", &PEOPLE.to_string());
        run(&mut main, &statement.replace("$N", &copies.to_string())).await?;
    }
    let keys: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM keys").fetch_all(&mut main).await?;
    let mut erasure = PgConnectOptions::from_str(&database(superuser, &format!("{name}_erasure")))?.connect().await?;
    let more = "INSERT INTO erasure.keys (key_id, key)
                SELECT md5(k || '/' || n)::uuid, decode(md5(n::text) || md5(k::text), 'hex')
                FROM unnest($1::uuid[]) k, generate_series(1, $2) n";
    sqlx::query(more).bind(&keys).bind(copies).execute(&mut erasure).await?;
    run(&mut erasure, "VACUUM ANALYZE").await?;
    ledger(&mut main, folder, i64::from(records)).await?;
    run(&mut main, "VACUUM ANALYZE").await?;
    run(&mut main, "CHECKPOINT").await
}

async fn run(connection: &mut PgConnection, statements: &str) -> Outcome {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(connection).await?;
    Ok(())
}

/// As many entries as there are records, with their places in the tree and a checkpoint over all of them.
async fn ledger(main: &mut PgConnection, folder: &Path, entries: i64) -> Outcome {
    let newest = "SELECT size, right_edge FROM ledger_checkpoints ORDER BY size DESC LIMIT 1";
    let row = sqlx::query(newest).fetch_one(&mut *main).await?;
    let (size, edge): (i64, Vec<Vec<u8>>) = (row.try_get(0)?, row.try_get(1)?);
    let hash = |bytes: Vec<u8>| -> Outcome<Hash> {
        Ok(Hash::from_bytes(bytes.try_into().map_err(|_| "a hash of another length")?))
    };
    let edge = edge.into_iter().map(hash).collect::<Outcome<Vec<_>>>()?;
    let mut tree = Frontier::from_hashes(u64::try_from(size)?, edge)?;
    let replica = format!("'{}'::uuid", himaya::platform::random::uuid());
    let statements = ENTRIES.replace("$REPLICA", &replica).replace("$FROM", &size.to_string());
    run(main, &statements.replace("$M", &entries.to_string())).await?;
    let query = "SELECT leaf_hash FROM ledger_tree WHERE position >= $1 ORDER BY position";
    let leaves: Vec<Vec<u8>> = sqlx::query_scalar(query).bind(size).fetch_all(&mut *main).await?;
    for leaf in leaves {
        tree.append(hash(leaf)?)?;
    }
    let origin = "himaya.example/ledger";
    let key = std::fs::read_to_string(folder.join("secrets/ledger"))?;
    let key = SigningKey::from_bytes(&himaya::guard::statement::unhex(key.trim())?);
    let signer = NoteSigner::new(KeyName::new(origin)?, &key);
    let stated = note::sign(&Checkpoint::new(origin, tree.head())?.to_text(), &[&signer])?;
    let edge: Vec<Vec<u8>> = tree.hashes().iter().map(|hash| hash.as_bytes().to_vec()).collect();
    sqlx::query("INSERT INTO ledger_checkpoints (size, note, right_edge, made_at) VALUES ($1, $2, $3, now())")
        .bind(i64::try_from(tree.size())?)
        .bind(stated)
        .bind(edge)
        .execute(main)
        .await?;
    Ok(())
}
