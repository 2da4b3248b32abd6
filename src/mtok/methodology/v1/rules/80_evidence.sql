-- R-6, R-9. The captures behind each price that was found, and those of D that were discarded, with the reason.
--
-- reads   classified · absent · in_force · posted
-- returns day, slug, variant, capture, reason (empty: the price rests on it)
WITH found AS (
  SELECT day, slug, variant, collector, source_day FROM classified
  UNION ALL
  SELECT day, slug, variant, collector, source_day FROM absent
)
SELECT found.day, found.slug, found.variant, in_force.capture, CAST(NULL AS VARCHAR) AS reason
FROM found
JOIN in_force
  ON in_force.collector = found.collector
  AND in_force.day = found.source_day
  AND in_force.slug = found.slug
  AND in_force.variant = found.variant
WHERE in_force.start_second < in_force.end_second
UNION ALL
SELECT classified.day, classified.slug, classified.variant, posted.capture, posted.reason
FROM classified
JOIN posted
  ON posted.day = classified.day
  AND posted.slug = classified.slug
  AND posted.variant = classified.variant
WHERE posted.reason IS NOT NULL
