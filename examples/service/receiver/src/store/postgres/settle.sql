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
    INSERT INTO tally (hour, what, value, count, forgotten)
    SELECT all_hours.hour * moved.hour, what, value, sum(count), sum(forgotten)
    FROM moved, (VALUES (0), (1)) AS all_hours (hour)
    GROUP BY 1, 2, 3
    ON CONFLICT (hour, what, value) DO UPDATE
        SET count = tally.count + excluded.count, forgotten = tally.forgotten + excluded.forgotten
),
of_campaigns AS (
    INSERT INTO campaign_tally (campaign, hour, what, value, count, forgotten)
    SELECT campaign, all_hours.hour * moved.hour, what, value, sum(count), sum(forgotten)
    FROM moved, (VALUES (0), (1)) AS all_hours (hour)
    WHERE campaign IS NOT NULL
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (campaign, hour, what, value) DO UPDATE
        SET count = campaign_tally.count + excluded.count, forgotten = campaign_tally.forgotten + excluded.forgotten
)
INSERT INTO campaign (id, last_hour)
SELECT campaign, max(hour) FROM moved WHERE campaign IS NOT NULL AND count > 0 GROUP BY campaign
ON CONFLICT (id) DO UPDATE SET last_hour = excluded.last_hour WHERE excluded.last_hour > campaign.last_hour
