-- Each old number goes to what its delivery has become. Of some, nothing is left.
CREATE TEMP TABLE placed AS
SELECT numbered.number, numbered.kind, kept.id FROM numbered
LEFT JOIN (SELECT was, max(key) AS key FROM renamed GROUP BY was) AS renamed ON renamed.was = numbered.idempotency_key
LEFT JOIN kept ON kept.key = coalesce(renamed.key, numbered.idempotency_key);
CREATE INDEX placed_id ON placed (id);
INSERT INTO change (number, about, kind, received_at, anomalies, body)
SELECT placed.number, no_change.about,
       coalesce(no_change.kind, CASE placed.kind WHEN 'message' THEN 'status' ELSE placed.kind END),
       coalesce(no_change.received_at, 0), no_change.anomalies, no_change.body
FROM placed LEFT JOIN no_change ON no_change.id = placed.id ORDER BY placed.number;
UPDATE later SET change = (SELECT max(number) FROM placed WHERE placed.id = -later.change) WHERE change < 0;
DELETE FROM no_change WHERE id IN (SELECT id FROM placed);
UPDATE purged SET number = (SELECT purged FROM old_counter);

DROP TABLE numbered;
DROP TABLE old_counter;
DROP TABLE kept;
DROP TABLE placed;
