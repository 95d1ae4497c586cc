-- The database's roles, made once for each PostgreSQL cluster by a superuser (`himaya init` runs this file).
-- Passwords are set apart from this file. Nobody who logs in owns a table, and no role here bypasses row-level security.
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['himaya_owner', 'himaya_resolver'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted);
        END IF;
    END LOOP;
    FOREACH wanted IN ARRAY ARRAY[
        'himaya_migrator',   -- changes the schema, as himaya_owner; never serves a request
        'himaya_app',        -- serves requests: no DDL, no TRUNCATE, sees rows by the session's look-up secret
        'himaya_door',       -- signs people in and starts sessions; sees no record
        'himaya_sequencer',  -- numbers ledger entries and stores checkpoints
        'himaya_auditor'     -- reads the ledger's sealed entries, and nothing else
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOBYPASSRLS NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted);
        END IF;
    END LOOP;
END $$;

GRANT himaya_owner, himaya_resolver TO himaya_migrator;
-- What the migrator creates belongs to the owner, who cannot log in.
ALTER ROLE himaya_migrator SET role TO himaya_owner;
-- The owner hands the resolving functions to the resolver when it creates them.
GRANT himaya_resolver TO himaya_owner;
