-- R-5.3. The price of a UTC day from one source: Σ price × seconds over the day's 86,400 seconds, not divided.
--
-- reads   in_force · prices
-- returns collector, rank, day, slug, variant, price_seconds, first_created (of the earliest capture used)
SELECT
  in_force.collector,
  in_force.rank,
  in_force.day,
  in_force.slug,
  in_force.variant,
  CAST(SUM(
    CAST(prices.price AS DECIMAL(19, 0)) * CAST(
      CASE
        WHEN prices.end_second < in_force.end_second THEN prices.end_second
        ELSE in_force.end_second
      END
      - CASE
        WHEN prices.start_second > in_force.start_second THEN prices.start_second
        ELSE in_force.start_second
      END AS DECIMAL(19, 0)
    )
  ) AS DECIMAL(20, 0)) AS price_seconds,
  MAX(CASE WHEN in_force.start_second = 0 THEN in_force.created END) AS first_created
FROM in_force
JOIN prices
  ON prices.capture = in_force.capture
  AND prices.ordinal = in_force.ordinal
WHERE prices.dimension = 'completion'
  AND prices.min_prompt_tokens = 0
  AND prices.start_second < in_force.end_second
  AND in_force.start_second < prices.end_second
GROUP BY in_force.collector, in_force.rank, in_force.day, in_force.slug, in_force.variant
