-- R-7. Where rungs 1 and 2 both have a positive price of the day and differ: how much of the one used.
--
-- reads   needed · price_of_day · parameters
-- returns day, slug, variant, collector, price_seconds (of rung 2), grade (major, minor)
WITH fallback AS (
  SELECT day, slug, variant, collector, price_seconds
  FROM (
    SELECT
      day, slug, variant, collector, price_seconds,
      ROW_NUMBER() OVER (PARTITION BY day, slug, variant ORDER BY rank) AS choice
    FROM price_of_day
    WHERE rank > 1
  ) AS others
  WHERE choice = 1
),
gaps AS (
  SELECT
    needed.day, needed.slug, needed.variant, fallback.collector, fallback.price_seconds,
    CAST(own.price_seconds AS DECIMAL(38, 0)) AS used,
    ABS(CAST(own.price_seconds AS DECIMAL(38, 0)) - CAST(fallback.price_seconds AS DECIMAL(38, 0))) AS gap
  FROM needed
  JOIN price_of_day AS own
    ON own.day = needed.day AND own.slug = needed.slug AND own.variant = needed.variant
  JOIN fallback
    ON fallback.day = needed.day AND fallback.slug = needed.slug AND fallback.variant = needed.variant
  WHERE own.rank = 1 AND own.price_seconds > 0 AND fallback.price_seconds > 0
)
SELECT
  gaps.day, gaps.slug, gaps.variant, gaps.collector, gaps.price_seconds,
  CASE WHEN gaps.gap * parameters.conflict_major_denominator > gaps.used * parameters.conflict_major_numerator THEN 'major' ELSE 'minor' END AS grade
FROM gaps
CROSS JOIN parameters
WHERE gaps.gap * parameters.conflict_minor_denominator > gaps.used * parameters.conflict_minor_numerator
