-- R-5.1, R-5.2, R-5.4. What each capture posts for a constituent's completion tokens, and why it does not count.
--
-- reads   description · prices (capture, ordinal, dimension, min_prompt_tokens, start_second, end_second, price, base_price, reason) · offsets · parameters
-- returns capture, collector, rank, day, second, ordinal, slug, variant, created, reason (empty: in force)
WITH posted AS (
  SELECT
    description.capture,
    description.collector,
    description.rank,
    description.day,
    description.second,
    description.ordinal,
    description.slug,
    description.variant,
    description.created,
    MAX(prices.base_price) AS base_price,
    MAX(prices.reason) AS reason
  FROM description
  JOIN prices ON prices.capture = description.capture AND prices.ordinal = description.ordinal
  WHERE prices.dimension = 'completion' AND prices.min_prompt_tokens = 0
  GROUP BY
    description.capture,
    description.collector,
    description.rank,
    description.day,
    description.second,
    description.ordinal,
    description.slug,
    description.variant,
    description.created
),
paid AS (
  SELECT DISTINCT posted.collector, posted.day + offsets.days AS day, posted.slug, posted.variant
  FROM posted
  CROSS JOIN parameters
  JOIN offsets ON offsets.days <= parameters.price_glitch_days
  WHERE posted.base_price > 0
)
SELECT
  posted.capture,
  posted.collector,
  posted.rank,
  posted.day,
  posted.second,
  posted.ordinal,
  posted.slug,
  posted.variant,
  posted.created,
  CASE
    WHEN posted.base_price = 0 AND posted.variant <> 'free' AND paid.day IS NOT NULL THEN 'zero_glitch'
    ELSE posted.reason
  END AS reason
FROM posted
LEFT JOIN paid
  ON paid.collector = posted.collector
  AND paid.day = posted.day
  AND paid.slug = posted.slug
  AND paid.variant = posted.variant
