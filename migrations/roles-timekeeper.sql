-- One more role, made like those of `roles.sql` by a superuser: before migrating an installation that does not have it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'himaya_timekeeper') THEN
        -- has alerts raised when a clock has run; sees no row of any table
        CREATE ROLE himaya_timekeeper LOGIN NOBYPASSRLS NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END $$;
