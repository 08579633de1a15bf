-- Puts the differences of `moved`, a temporary table, into the tallies.
INSERT INTO tally (hours, hour, what, value, count, forgotten)
SELECT hours, CASE hours WHEN 0 THEN 0 ELSE hour / hours * hours END, what, value, sum(count), sum(forgotten)
FROM moved, (SELECT 1 AS hours UNION ALL SELECT 24 UNION ALL SELECT 0)
GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0 OR sum(forgotten) <> 0
ON CONFLICT (what, hours, hour, value) DO UPDATE
    SET count = count + excluded.count, forgotten = forgotten + excluded.forgotten;

INSERT INTO campaign_tally (campaign, hours, hour, what, value, count, forgotten)
SELECT campaign, hours, CASE hours WHEN 0 THEN 0 ELSE hour / hours * hours END, what, value, sum(count), sum(forgotten)
FROM moved, (SELECT 1 AS hours UNION ALL SELECT 24 UNION ALL SELECT 0)
WHERE campaign IS NOT NULL
GROUP BY 1, 2, 3, 4, 5 HAVING sum(count) <> 0 OR sum(forgotten) <> 0
ON CONFLICT (campaign, what, hours, hour, value) DO UPDATE
    SET count = count + excluded.count, forgotten = forgotten + excluded.forgotten;

INSERT INTO campaign (id, last_hour)
SELECT campaign, max(hour) FROM moved WHERE campaign IS NOT NULL AND count > 0 GROUP BY campaign
ON CONFLICT (id) DO UPDATE SET last_hour = excluded.last_hour WHERE excluded.last_hour > last_hour;

DELETE FROM moved;
