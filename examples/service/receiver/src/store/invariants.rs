//! What always holds in both databases: what that is, and a scan for what is otherwise.

pub const CHANGES: (&str, &str) = (
    "the changes have no gaps",
    "SELECT count || ' changes are there, and ' || purged.number || ' of ' || change_counter.number || ' were purged'
     FROM change_counter, purged, (SELECT count(*) AS count FROM change) AS changes
     WHERE count <> change_counter.number - purged.number",
);

pub const COUNTED: (&str, &str) = (
    "nothing is counted before it is there",
    "SELECT counted.number || ' changes of ' || change_counter.number || ' are counted' FROM counted, change_counter
     WHERE counted.number > change_counter.number",
);

/// Flows and other bodies are of no campaign.
pub const OF_CAMPAIGNS: (&str, &str) = (
    "the tallies of campaigns add up",
    "SELECT 'hour ' || hour || ', ' || what || ' ' || value || ': ' || sum(count) || ' too many, ' || sum(forgotten)
         || ' too many forgotten' FROM (
         SELECT hour, what, value, -count AS count, -forgotten AS forgotten FROM tally
             WHERE hours = 1 AND what NOT IN ('flow', 'other')
         UNION ALL SELECT hour, what, value, count, forgotten FROM campaign_tally WHERE hours = 1
     ) AS every GROUP BY hour, what, value HAVING sum(count) <> 0 OR sum(forgotten) <> 0 LIMIT 20",
);

pub const OF_HOURS: (&str, &str) = (
    "the tallies of days and of all times are sums of hours",
    "SELECT 'campaign ' || coalesce(campaign, '(all)') || ', '
         || CASE span WHEN 0 THEN 'all times' ELSE 'day of hour ' || hour END || ', ' || what || ' ' || value || ': '
         || sum(count) || ' too many, ' || sum(forgotten) || ' too many forgotten'
     FROM (
         SELECT campaign, span, CASE span WHEN 0 THEN 0 ELSE hour / span * span END AS hour, what, value,
                CASE hours WHEN span THEN count ELSE -count END AS count,
                CASE hours WHEN span THEN forgotten ELSE -forgotten END AS forgotten
         FROM (SELECT NULL AS campaign, * FROM tally UNION ALL SELECT * FROM campaign_tally) AS every,
              (SELECT 24 AS span UNION ALL SELECT 0) AS spans
         WHERE hours IN (1, span)
     ) AS signed
     GROUP BY campaign, span, hour, what, value HAVING sum(count) <> 0 OR sum(forgotten) <> 0 LIMIT 20",
);

pub const FORGOTTEN: (&str, &str) = (
    "no more are forgotten than were counted",
    "SELECT 'campaign ' || coalesce(campaign, '(all)') || ', hour ' || hour || ', ' || what || ' ' || value || ': '
         || forgotten || ' of ' || count || ' are forgotten'
     FROM (SELECT NULL AS campaign, * FROM tally UNION ALL SELECT * FROM campaign_tally) AS every
     WHERE hours = 1 AND (forgotten < 0 OR forgotten > count) LIMIT 20",
);
