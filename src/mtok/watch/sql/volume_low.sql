-- Days whose total is under half of the median of the days held among the 28 before. Four times the total is held
-- against the sum of the two middle ones (the same one twice where their number is odd).
WITH latest AS (
  SELECT volume_source, day, first_captured, tokens, subject FROM holdings WHERE latest = 1
), before AS (
  SELECT latest.volume_source, latest.day, LIST(earlier.tokens ORDER BY earlier.tokens) AS totals
  FROM latest
  JOIN latest AS earlier
    ON earlier.volume_source = latest.volume_source AND earlier.day BETWEEN latest.day - 28 AND latest.day - 1
  GROUP BY latest.volume_source, latest.day
), middle AS (
  SELECT
    volume_source,
    day,
    LEN(totals) AS days,
    totals[(LEN(totals) + 1) // 2] + totals[(LEN(totals) + 2) // 2] AS twice_median
  FROM before
)
SELECT
  latest.day,
  latest.first_captured AS captured,
  'volume_low' AS code,
  latest.subject,
  latest.tokens || ' tokens; the median of the 28 days before is ' || twice_median // 2
    || ' (' || middle.days || ' held)' AS found
FROM latest
JOIN middle ON middle.volume_source = latest.volume_source AND middle.day = latest.day
WHERE 4 * latest.tokens < twice_median
