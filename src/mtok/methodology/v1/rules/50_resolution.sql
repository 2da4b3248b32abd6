-- R-6. The price of each needed constituent: the first rung that answers. A price of 0 ends the search.
--
-- reads   needed · price_of_day · offsets · parameters
-- returns day, slug, variant, rung (1 … 4), age_days, rank, collector, source_day, price_seconds
WITH rungs AS (
  SELECT
    needed.day, needed.slug, needed.variant,
    CASE WHEN price_of_day.rank = 1 THEN 1 ELSE 2 END AS rung,
    0 AS age_days,
    price_of_day.rank, price_of_day.collector, price_of_day.day AS source_day, price_of_day.price_seconds
  FROM needed
  JOIN price_of_day
    ON price_of_day.day = needed.day
    AND price_of_day.slug = needed.slug
    AND price_of_day.variant = needed.variant
  UNION ALL
  SELECT
    needed.day, needed.slug, needed.variant,
    3 AS rung,
    offsets.days AS age_days,
    price_of_day.rank, price_of_day.collector, price_of_day.day, price_of_day.price_seconds
  FROM needed
  CROSS JOIN parameters
  JOIN offsets ON offsets.days BETWEEN 1 AND parameters.resolution_carry_days
  JOIN price_of_day
    ON price_of_day.day = needed.day - offsets.days
    AND price_of_day.slug = needed.slug
    AND price_of_day.variant = needed.variant
  WHERE price_of_day.rank = 1
  UNION ALL
  SELECT
    needed.day, needed.slug, needed.variant,
    4 AS rung,
    -offsets.days AS age_days,
    price_of_day.rank, price_of_day.collector, price_of_day.day, price_of_day.price_seconds
  FROM needed
  CROSS JOIN parameters
  JOIN offsets ON offsets.days BETWEEN 1 AND parameters.resolution_launch_days
  JOIN price_of_day
    ON price_of_day.day = needed.day + offsets.days
    AND price_of_day.slug = needed.slug
    AND price_of_day.variant = needed.variant
  WHERE price_of_day.rank = 1
    AND price_of_day.first_created
      >= (CAST(needed.day AS BIGINT) - parameters.resolution_launch_created_days) * CAST(86400 AS BIGINT)
)
SELECT day, slug, variant, rung, age_days, rank, collector, source_day, price_seconds
FROM (
  SELECT
    day, slug, variant, rung, age_days, rank, collector, source_day, price_seconds,
    ROW_NUMBER() OVER (PARTITION BY day, slug, variant ORDER BY rung, rank, age_days, source_day) AS choice
  FROM rungs
) AS answers
WHERE choice = 1
