-- Puts the differences of `moved`, a temporary table, into the tallies. `moved_in` has them for every unit.
INSERT INTO tally (unit, hour, what, value, count, forgotten)
SELECT unit, first_hour, what, value, sum(count), sum(forgotten) FROM moved_in
GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0 OR sum(forgotten) <> 0
ON CONFLICT (what, unit, hour, value) DO UPDATE
    SET count = count + excluded.count, forgotten = forgotten + excluded.forgotten;

INSERT INTO campaign_tally (campaign, unit, hour, what, value, count, forgotten)
SELECT campaign, unit, first_hour, what, value, sum(count), sum(forgotten) FROM moved_in
WHERE campaign IS NOT NULL
GROUP BY 1, 2, 3, 4, 5 HAVING sum(count) <> 0 OR sum(forgotten) <> 0
ON CONFLICT (campaign, what, unit, hour, value) DO UPDATE
    SET count = count + excluded.count, forgotten = forgotten + excluded.forgotten;

INSERT INTO campaign (id, last_hour)
SELECT campaign, max(hour) FROM moved WHERE campaign IS NOT NULL AND count > 0 GROUP BY campaign
ON CONFLICT (id) DO UPDATE SET last_hour = excluded.last_hour WHERE excluded.last_hour > last_hour;

DELETE FROM moved;
