//! What the database's own catalogue says of wall 3, and which columns are clear.

use crate::harness::World;
use himaya::doctor::WITHOUT_ROW_SECURITY;
use sqlx::Row as _;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_is_forced_on_every_table_with_a_persons_or_a_cases_rows() {
    let world = World::new().await;
    let rows = sqlx::query(
        "SELECT relname::text, relrowsecurity, relforcerowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname = 'public' AND relkind = 'r' ORDER BY relname",
    )
    .fetch_all(&mut world.owner().await)
    .await
    .unwrap();
    let open: Vec<String> = rows
        .iter()
        .filter(|row| !(row.get::<bool, _>(1) && row.get::<bool, _>(2)))
        .map(|row| row.get::<String, _>(0))
        .collect();
    assert_eq!(open, WITHOUT_ROW_SECURITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_role_that_logs_in_owns_a_table_bypasses_row_security_or_empties_a_table() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let roles = sqlx::query(
        "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'himaya_%' AND rolname <> 'himaya_superuser'
                             AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)",
    );
    assert!(roles.fetch_all(&mut owner).await.unwrap().is_empty());
    let owners = "SELECT relname::text FROM pg_class c JOIN pg_roles r ON r.oid = relowner JOIN pg_namespace n ON n.oid = relnamespace
                  WHERE nspname = 'public' AND rolcanlogin";
    assert!(sqlx::query(owners).fetch_all(&mut owner).await.unwrap().is_empty());
    let grants =
        "SELECT grantee::text || ' ' || privilege_type || ' ' || table_name FROM information_schema.role_table_grants
                  WHERE table_schema = 'public' AND grantee LIKE 'himaya_%' AND grantee <> 'himaya_owner'
                    AND privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')";
    assert!(sqlx::query(grants).fetch_all(&mut owner).await.unwrap().is_empty());
    let ledger = "SELECT DISTINCT privilege_type::text FROM information_schema.role_table_grants
                  WHERE table_name IN ('ledger_entries', 'ledger_detail_keys', 'ledger_pending') AND grantee = 'himaya_app'";
    let app: Vec<String> = sqlx::query_scalar(ledger).fetch_all(&mut owner).await.unwrap();
    assert_eq!(app, ["INSERT"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_that_runs_as_somebody_else_has_a_fixed_search_path() {
    let world = World::new().await;
    let loose = "SELECT proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
                 WHERE nspname = 'public' AND prosecdef
                   AND NOT COALESCE(proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']";
    let found: Vec<String> = sqlx::query_scalar(loose).fetch_all(&mut world.owner().await).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_is_sealed_or_on_the_reviewed_list_of_clear_columns() {
    let world = World::new().await;
    let columns = "SELECT table_name || '.' || column_name FROM information_schema.columns
                   WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' ORDER BY 1";
    let found: Vec<String> = sqlx::query_scalar(columns).fetch_all(&mut world.owner().await).await.unwrap();
    let listed: BTreeSet<&str> = himaya::guard::columns::CLEAR
        .iter()
        .flat_map(|(table, columns)| columns.iter().map(move |column| (*table, *column)))
        .chain(himaya::guard::columns::SEALED.iter().map(|(table, column)| (*table, *column)))
        .map(|(table, column)| &*Box::leak(format!("{table}.{column}").into_boxed_str()))
        .collect();
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let unknown: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(unknown.is_empty() && gone.is_empty(), "not on the list: {unknown:?}; not there any more: {gone:?}");
}
