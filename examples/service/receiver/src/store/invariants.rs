//! What always holds in both databases: what that is, and a scan for what is otherwise.

pub const CHANGES: (&str, &str) = (
    "the changes have no gaps",
    "SELECT 'there are ' || count || ' changes, the first ' || coalesce(CAST(first AS TEXT), 'none') || ' and the last '
         || coalesce(CAST(last AS TEXT), 'none') || '; ' || coalesce(CAST(purged AS TEXT), 'none') || ' of '
         || coalesce(CAST(newest AS TEXT), 'none') || ' were purged'
     FROM (SELECT count(*) AS count, min(number) AS first, max(number) AS last, (SELECT number FROM purged) AS purged,
                  (SELECT number FROM change_counter) AS newest FROM change) AS numbers
     WHERE purged IS NULL OR newest IS NULL OR count <> newest - purged OR first <> purged + 1 OR last <> newest",
);

pub const COUNTED: (&str, &str) = (
    "nothing is counted before it is there",
    "SELECT coalesce(CAST(counted AS TEXT), 'none') || ' of ' || coalesce(CAST(newest AS TEXT), 'none') || ' changes are counted'
     FROM (SELECT (SELECT number FROM counted) AS counted, (SELECT number FROM change_counter) AS newest) AS numbers
     WHERE counted IS NULL OR newest IS NULL OR counted > newest",
);

pub const STEPS: (&str, &str) = (
    "every message that was a step of a flow is known as one",
    "SELECT 'message ' || tracking_id FROM message WHERE NOT is_step AND number IN (
         SELECT coalesce(about, number) FROM change WHERE is_step OR kind = 'step'
         UNION ALL SELECT about FROM no_change WHERE kind = 'step'
     )
     UNION ALL SELECT 'change ' || number FROM change WHERE kind = 'step' AND NOT is_step LIMIT 20",
);

/// Flows and other bodies are of no campaign.
pub const OF_CAMPAIGNS: (&str, &str) = (
    "the tallies of campaigns add up",
    "SELECT 'hour ' || hour || ', ' || what || ' ' || value || ': count off by ' || sum(count)
         || ', forgotten off by ' || sum(forgotten) FROM (
         SELECT hour, what, value, -count AS count, -forgotten AS forgotten FROM tally
             WHERE unit = 'hour' AND what NOT IN ('flow', 'other')
         UNION ALL SELECT hour, what, value, count, forgotten FROM campaign_tally WHERE unit = 'hour'
     ) AS every GROUP BY hour, what, value HAVING sum(count) <> 0 OR sum(forgotten) <> 0 LIMIT 20",
);

/// `$first_hour` is the SQL for the hour with which `unit` begins that has `hour` in it.
macro_rules! of_hours {
    ($first_hour:expr) => {
        (
            "the tallies of days, weeks, months and all times are sums of hours",
            concat!(
                "SELECT 'campaign ' || coalesce(campaign, '(all)') || ', ' || unit || ' of hour ' || first_hour || ', ' || what
                     || ' ' || value || ': count off by ' || sum(count) || ', forgotten off by ' || sum(forgotten)
                 FROM (
                     SELECT campaign, unit, CASE WHEN is_sum THEN hour ELSE ",
                $first_hour,
                " END AS first_hour, what, value, CASE WHEN is_sum THEN count ELSE -count END AS count,
                            CASE WHEN is_sum THEN forgotten ELSE -forgotten END AS forgotten
                     FROM (
                         SELECT campaign, sums.unit, every.unit = sums.unit AS is_sum, hour, what, value, count, forgotten
                         FROM (SELECT NULL AS campaign, * FROM tally UNION ALL SELECT * FROM campaign_tally) AS every
                         JOIN (SELECT 'day' AS unit UNION ALL SELECT 'week' UNION ALL SELECT 'month' UNION ALL SELECT 'ever')
                             AS sums ON every.unit IN ('hour', sums.unit)
                     ) AS of_sums
                 ) AS signed
                 GROUP BY campaign, unit, first_hour, what, value HAVING sum(count) <> 0 OR sum(forgotten) <> 0 LIMIT 20"
            ),
        )
    };
}
pub(super) use of_hours;

/// The list of campaigns is made of `campaign`.
pub const LISTED: (&str, &str) = (
    "every campaign that is counted is listed",
    "SELECT DISTINCT 'campaign ' || campaign FROM campaign_tally WHERE campaign NOT IN (SELECT id FROM campaign) LIMIT 20",
);

pub const FORGOTTEN: (&str, &str) = (
    "no more are forgotten than were counted",
    "SELECT 'campaign ' || coalesce(campaign, '(all)') || ', hour ' || hour || ', ' || what || ' ' || value || ': '
         || forgotten || ' of ' || count || ' are forgotten'
     FROM (SELECT NULL AS campaign, * FROM tally UNION ALL SELECT * FROM campaign_tally) AS every
     WHERE unit = 'hour' AND (forgotten < 0 OR forgotten > count) LIMIT 20",
);
