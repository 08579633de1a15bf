-- Each new table belongs to whoever the old one belongs to, and others have the rights to it that they had.
DO $$
DECLARE
    made RECORD;
    given RECORD;
BEGIN
    FOR made IN
        SELECT new.oid::regclass AS name, new.relowner <> old.relowner AS is_moved, old.relowner::regrole AS owner,
               old.relacl AS rights
        FROM (VALUES
            ('history', 'old_history'), ('message', 'old_message'), ('flow', 'old_flow'), ('reply', 'old_reply'),
            ('other', 'old_other'), ('unreadable', 'old_unreadable'), ('change', 'old_change'),
            ('change_counter', 'old_change_counter')
        ) AS pair (new, old)
        JOIN pg_class AS new ON new.oid = pair.new::regclass
        JOIN pg_class AS old ON old.oid = pair.old::regclass
    LOOP
        IF made.is_moved THEN
            EXECUTE format('ALTER TABLE %s OWNER TO %s', made.name, made.owner);
        END IF;
        FOR given IN SELECT * FROM aclexplode(made.rights) LOOP
            EXECUTE format(
                'GRANT %s ON %s TO %s%s', given.privilege_type, made.name,
                CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::TEXT END,
                CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
            );
        END LOOP;
    END LOOP;
END $$;
