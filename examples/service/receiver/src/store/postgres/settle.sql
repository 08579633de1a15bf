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
moved_in AS (
    SELECT campaign, unit, first_hour(unit, hour) AS first_hour, what, value, count, forgotten
    FROM moved, (VALUES ('hour'), ('day'), ('week'), ('month'), ('ever')) AS units (unit)
),
of_all AS (
    INSERT INTO tally (unit, hour, what, value, count, forgotten)
    SELECT unit, first_hour, what, value, sum(count), sum(forgotten) FROM moved_in
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (what, unit, hour, value) DO UPDATE
        SET count = tally.count + excluded.count, forgotten = tally.forgotten + excluded.forgotten
),
of_campaigns AS (
    INSERT INTO campaign_tally (campaign, unit, hour, what, value, count, forgotten)
    SELECT campaign, unit, first_hour, what, value, sum(count), sum(forgotten) FROM moved_in
    WHERE campaign IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (campaign, what, unit, hour, value) DO UPDATE
        SET count = campaign_tally.count + excluded.count, forgotten = campaign_tally.forgotten + excluded.forgotten
)
INSERT INTO campaign (id, last_hour)
SELECT campaign, max(hour) FROM moved WHERE campaign IS NOT NULL AND count > 0 GROUP BY campaign
ON CONFLICT (id) DO UPDATE SET last_hour = excluded.last_hour WHERE excluded.last_hour > campaign.last_hour
