-- One more role, made like those of `roles.sql` by a superuser: before migrating an installation that does not have it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'himaya_sweeper') THEN
        -- erases erasure keys whose record never came; sees neither keys nor records
        CREATE ROLE himaya_sweeper LOGIN NOBYPASSRLS NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END $$;
