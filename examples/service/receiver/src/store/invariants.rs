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
             WHERE unit = 'hour' AND what NOT IN ('flow', 'other')
         UNION ALL SELECT hour, what, value, count, forgotten FROM campaign_tally WHERE unit = 'hour'
     ) AS every GROUP BY hour, what, value HAVING sum(count) <> 0 OR sum(forgotten) <> 0 LIMIT 20",
);

/// An hour is in the last longer unit that has begun by then.
pub const OF_HOURS: (&str, &str) = (
    "the tallies of days, weeks, months and all times are sums of hours",
    "SELECT 'campaign ' || coalesce(campaign, '(all)') || ', '
         || CASE longer WHEN 'ever' THEN 'all times' ELSE longer || ' of hour ' || min(hour) END || ', ' || what || ' '
         || value || ': ' || sum(count) || ' too many, ' || sum(forgotten) || ' too many forgotten'
     FROM (
         SELECT campaign, longer, hour, what, value,
                CASE unit WHEN longer THEN count ELSE -count END AS count,
                CASE unit WHEN longer THEN forgotten ELSE -forgotten END AS forgotten,
                sum(CASE unit WHEN longer THEN 1 ELSE 0 END) OVER (
                    PARTITION BY campaign, longer, what, value ORDER BY hour, CASE unit WHEN longer THEN 0 ELSE 1 END
                ) AS place
         FROM (SELECT NULL AS campaign, * FROM tally UNION ALL SELECT * FROM campaign_tally) AS every,
              (SELECT 'day' AS longer UNION ALL SELECT 'week' UNION ALL SELECT 'month' UNION ALL SELECT 'ever') AS units
         WHERE unit IN ('hour', longer)
     ) AS signed
     GROUP BY campaign, longer, what, value, place HAVING sum(count) <> 0 OR sum(forgotten) <> 0 LIMIT 20",
);

pub const FORGOTTEN: (&str, &str) = (
    "no more are forgotten than were counted",
    "SELECT 'campaign ' || coalesce(campaign, '(all)') || ', hour ' || hour || ', ' || what || ' ' || value || ': '
         || forgotten || ' of ' || count || ' are forgotten'
     FROM (SELECT NULL AS campaign, * FROM tally UNION ALL SELECT * FROM campaign_tally) AS every
     WHERE unit = 'hour' AND (forgotten < 0 OR forgotten > count) LIMIT 20",
);
