-- Each new table belongs to whoever the old one belongs to, and others have the rights to it that they had. What was not
-- there before is as the table whose rows it comes from.
DO $$
DECLARE
    made RECORD;
    given RECORD;
BEGIN
    FOR made IN
        SELECT new.oid::regclass AS name, new.relowner <> old.relowner AS is_moved,
               old.relowner::regrole AS owner, old.relacl AS rights
        FROM (VALUES
            ('history', 'old_history'), ('change', 'old_history'), ('no_change', 'old_history'),
            ('message', 'old_message'), ('flow', 'old_flow'), ('reply', 'old_reply'),
            ('other', 'old_other'), ('unreadable', 'old_unreadable'),
            ('change_counter', 'old_change_counter'), ('purged', 'old_change_counter'),
            ('tally', 'old_message'), ('campaign_tally', 'old_message'), ('campaign', 'old_message'),
            ('counted', 'old_history'), ('tally_delta', 'old_history'), ('uncounted', 'old_history')
        ) AS pair (new, old)
        JOIN pg_class AS new ON new.oid = pair.new::regclass
        JOIN pg_class AS old ON old.oid = pair.old::regclass
    LOOP
        IF made.is_moved THEN
            EXECUTE format('ALTER TABLE %s OWNER TO %s', made.name, made.owner);
        END IF;
        FOR given IN
            SELECT grantee, is_grantable,
                   -- Counting takes away what it has counted.
                   CASE WHEN made.name = 'tally_delta'::regclass AND privilege_type = 'INSERT' THEN 'INSERT, DELETE'
                        ELSE privilege_type END AS what
            FROM aclexplode(made.rights)
        LOOP
            EXECUTE format(
                'GRANT %s ON %s TO %s%s', given.what, made.name,
                CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::TEXT END,
                CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
            );
        END LOOP;
    END LOOP;
END $$;
