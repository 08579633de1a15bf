-- Puts the differences of `moved`, a temporary table, into the tallies.
INSERT INTO tally (hour, what, value, count, forgotten)
SELECT all_hours.hour * moved.hour, what, value, sum(count), sum(forgotten)
FROM moved, (SELECT 0 AS hour UNION ALL SELECT 1) AS all_hours
GROUP BY 1, 2, 3 HAVING sum(count) <> 0 OR sum(forgotten) <> 0
ON CONFLICT (hour, what, value) DO UPDATE
    SET count = count + excluded.count, forgotten = forgotten + excluded.forgotten;

INSERT INTO campaign_tally (campaign, hour, what, value, count, forgotten)
SELECT campaign, all_hours.hour * moved.hour, what, value, sum(count), sum(forgotten)
FROM moved, (SELECT 0 AS hour UNION ALL SELECT 1) AS all_hours
WHERE campaign IS NOT NULL
GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0 OR sum(forgotten) <> 0
ON CONFLICT (campaign, hour, what, value) DO UPDATE
    SET count = count + excluded.count, forgotten = forgotten + excluded.forgotten;

INSERT INTO campaign (id, last_hour)
SELECT campaign, max(hour) FROM moved WHERE campaign IS NOT NULL AND count > 0 GROUP BY campaign
ON CONFLICT (id) DO UPDATE SET last_hour = excluded.last_hour WHERE excluded.last_hour > last_hour;

DELETE FROM moved;
