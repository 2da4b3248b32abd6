-- R-5.3. Each valid capture is in force from its second to the next one's: the first from 00:00:00, the last to 24:00:00.
--
-- reads   posted
-- returns capture, collector, rank, day, ordinal, slug, variant, created, start_second, end_second
SELECT
  capture,
  collector,
  rank,
  day,
  ordinal,
  slug,
  variant,
  created,
  CASE
    WHEN LAG(second) OVER (PARTITION BY collector, day, slug, variant ORDER BY capture) IS NULL THEN 0
    ELSE second
  END AS start_second,
  COALESCE(LEAD(second) OVER (PARTITION BY collector, day, slug, variant ORDER BY capture), 86400) AS end_second
FROM posted
WHERE reason IS NULL
