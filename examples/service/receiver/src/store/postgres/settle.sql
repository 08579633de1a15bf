-- Moves what is uncounted into the tallies. Only one transaction at a time does, since `mod.rs` takes a lock before.
WITH moved AS MATERIALIZED (
    SELECT campaign, hour, what, value, count, forgotten FROM uncounted
),
taken AS (
    DELETE FROM tally_delta
),
caught_up AS (
    UPDATE counted SET number = change_counter.number FROM change_counter WHERE counted.number <> change_counter.number
),
of_all AS (
    INSERT INTO tally (hours, hour, what, value, count, forgotten)
    SELECT hours, CASE hours WHEN 0 THEN 0 ELSE hour / hours * hours END, what, value, sum(count), sum(forgotten)
    FROM moved, (VALUES (1), (24), (0)) AS span (hours)
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (what, hours, hour, value) DO UPDATE
        SET count = tally.count + excluded.count, forgotten = tally.forgotten + excluded.forgotten
),
of_campaigns AS (
    INSERT INTO campaign_tally (campaign, hours, hour, what, value, count, forgotten)
    SELECT campaign, hours, CASE hours WHEN 0 THEN 0 ELSE hour / hours * hours END, what, value, sum(count),
           sum(forgotten)
    FROM moved, (VALUES (1), (24), (0)) AS span (hours)
    WHERE campaign IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (campaign, what, hours, hour, value) DO UPDATE
        SET count = campaign_tally.count + excluded.count, forgotten = campaign_tally.forgotten + excluded.forgotten
)
INSERT INTO campaign (id, last_hour)
SELECT campaign, max(hour) FROM moved WHERE campaign IS NOT NULL AND count > 0 GROUP BY campaign
ON CONFLICT (id) DO UPDATE SET last_hour = excluded.last_hour WHERE excluded.last_hour > campaign.last_hour
