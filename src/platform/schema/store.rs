//! What the catalogue says of the structure, line by line in a fixed order.

use sqlx::PgConnection;

/// Everything outside PostgreSQL's own schemas that decides what a statement does and who may send it. Names are written
/// out, so that the lines do not depend on who asks or on a search path.
///
/// # Errors
/// When the database does not answer.
pub async fn structure(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    // Expressions are printed by the search path that holds: an empty one names everything in full.
    let mut transaction = sqlx::Connection::begin(connection).await?;
    sqlx::query!("SELECT set_config('search_path', '', true)").fetch_one(&mut *transaction).await?;
    let lines = sqlx::query_scalar!(
        r#"WITH spaces AS (SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace
                           WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
           relations AS (SELECT c.* FROM pg_catalog.pg_class c JOIN spaces s ON s.oid = c.relnamespace
                         WHERE c.relname <> '_sqlx_migrations' AND c.relname <> '_sqlx_migrations_pkey')
           SELECT line AS "line!" FROM (
               SELECT pg_catalog.format('schema %s %s %s', nspname, nspowner::regrole, nspacl IS NULL) AS line FROM spaces
               UNION ALL
               SELECT pg_catalog.format('relation %s %s %s %s %s %s %s', oid::regclass, relkind, relowner::regrole,
                                        relrowsecurity, relforcerowsecurity, relacl IS NULL, reloptions)
               FROM relations WHERE relkind NOT IN ('i', 'I', 't')
               UNION ALL
               SELECT pg_catalog.format('column %s %s %s %s %s %s %s %s', a.attrelid::regclass, a.attname, a.atttypid::regtype,
                                        a.attnotnull, a.attidentity, a.attgenerated, a.attacl IS NULL,
                                        pg_catalog.pg_get_expr(d.adbin, d.adrelid))
               FROM pg_catalog.pg_attribute a JOIN relations c ON c.oid = a.attrelid
               LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
               WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 't')
               UNION ALL
               SELECT pg_catalog.format('constraint %s %s %s', conrelid::regclass, conname, pg_catalog.pg_get_constraintdef(k.oid))
               FROM pg_catalog.pg_constraint k JOIN relations c ON c.oid = k.conrelid
               UNION ALL
               SELECT pg_catalog.format('policy %s %s %s %s %s %s %s', polrelid::regclass, polname, polcmd, polpermissive,
                                        polroles::regrole[], pg_catalog.pg_get_expr(polqual, polrelid),
                                        pg_catalog.pg_get_expr(polwithcheck, polrelid))
               FROM pg_catalog.pg_policy
               UNION ALL
               SELECT pg_catalog.format('function %s %s %s', p.proowner::regrole, p.proacl IS NULL,
                                        CASE WHEN p.prokind IN ('f', 'p') THEN pg_catalog.pg_get_functiondef(p.oid)
                                             ELSE p.oid::regprocedure::text END)
               FROM pg_catalog.pg_proc p JOIN spaces s ON s.oid = p.pronamespace
               UNION ALL
               -- Those that hold foreign keys are the database's own, named by its numbers: only whether they work.
               SELECT CASE WHEN tgisinternal THEN pg_catalog.format('foreign key trigger %s %s', tgrelid::regclass, tgenabled)
                           ELSE pg_catalog.format('trigger %s %s', pg_catalog.pg_get_triggerdef(g.oid), tgenabled) END
               FROM pg_catalog.pg_trigger g JOIN relations c ON c.oid = g.tgrelid
               UNION ALL
               SELECT pg_catalog.format('rule %s %s', pg_catalog.pg_get_ruledef(r.oid), r.ev_enabled)
               FROM pg_catalog.pg_rewrite r JOIN relations c ON c.oid = r.ev_class
               UNION ALL
               SELECT pg_catalog.format('event trigger %s %s %s', evtname, evtfoid::regprocedure, evtenabled)
               FROM pg_catalog.pg_event_trigger
               UNION ALL
               SELECT pg_catalog.format('operator %s', o.oid::regoperator)
               FROM pg_catalog.pg_operator o JOIN spaces s ON s.oid = o.oprnamespace
               UNION ALL
               SELECT pg_catalog.format('cast %s %s %s', castsource::regtype, casttarget::regtype, castfunc::regprocedure)
               FROM pg_catalog.pg_cast WHERE oid >= 16384
               UNION ALL
               SELECT pg_catalog.format('extension %s %s', extname, extversion) FROM pg_catalog.pg_extension
               UNION ALL
               SELECT pg_catalog.format('default rights %s %s %s', defaclrole::regrole, defaclobjtype, defaclacl IS NULL)
               FROM pg_catalog.pg_default_acl
               UNION ALL
               SELECT pg_catalog.format('role %s %s %s %s %s %s %s', rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
                                        rolcanlogin, rolreplication)
               FROM pg_catalog.pg_roles
               WHERE rolname IN ('himaya_owner', 'himaya_resolver', 'himaya_migrator', 'himaya_app', 'himaya_door',
                                 'himaya_sequencer', 'himaya_auditor', 'himaya_sweeper', 'himaya_timekeeper')
               UNION ALL
               SELECT pg_catalog.format('member %s %s %s', m.roleid::regrole, m.member::regrole, m.admin_option)
               FROM pg_catalog.pg_auth_members m
               WHERE m.member::regrole::text LIKE 'himaya\_%' OR m.roleid::regrole::text LIKE 'himaya\_%'
               UNION ALL
               -- For a role, for this database, and for a role in this database: each role sets the last for itself.
               SELECT pg_catalog.format('setting %s %s %s', setrole::regrole, setdatabase = 0, setconfig)
               FROM pg_catalog.pg_db_role_setting
               WHERE (setrole = 0 OR setrole::regrole::text LIKE 'himaya\_%')
                 AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
               UNION ALL
               -- Each right on a line of its own: a restored backup holds the same ones in another order.
               SELECT pg_catalog.format('right on schema %s %s', nspname, item) FROM spaces, pg_catalog.unnest(nspacl) AS item
               UNION ALL
               SELECT pg_catalog.format('right on relation %s %s', oid::regclass, item)
               FROM relations, pg_catalog.unnest(relacl) AS item
               UNION ALL
               SELECT pg_catalog.format('right on column %s %s %s', a.attrelid::regclass, a.attname, item)
               FROM pg_catalog.pg_attribute a JOIN relations c ON c.oid = a.attrelid, pg_catalog.unnest(a.attacl) AS item
               UNION ALL
               SELECT pg_catalog.format('right on function %s %s', p.oid::regprocedure, item)
               FROM pg_catalog.pg_proc p JOIN spaces s ON s.oid = p.pronamespace, pg_catalog.unnest(p.proacl) AS item
           ) AS structure ORDER BY line COLLATE "C""#
    )
    .fetch_all(&mut *transaction)
    .await?;
    transaction.rollback().await?;
    Ok(lines)
}
