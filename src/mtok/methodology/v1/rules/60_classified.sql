-- R-9. Each row of a series with its one class, tested in the order ineligible, variant `free`, then R-6.
--
-- reads   volume · eligibility · resolution · conflict
-- returns day, series, slug, variant, tokens, class, rung, age_days, collector, source_day, price_seconds,
--         conflict_grade, conflict_collector, conflict_price_seconds
--
-- Zero-token rows are named rows but no constituents; they are left out here.
SELECT
  volume.day,
  volume.series,
  volume.slug,
  volume.variant,
  volume.tokens,
  CASE
    WHEN NOT eligibility.eligible THEN 'ineligible'
    WHEN volume.variant = 'free' THEN 'unpaid'
    WHEN resolution.rung IS NULL THEN 'missing'
    WHEN resolution.price_seconds = 0 THEN 'unpaid'
    WHEN resolution.rung = 1 THEN 'direct'
    WHEN resolution.rung = 2 THEN 'fallback'
    ELSE 'imputed'
  END AS class,
  resolution.rung,
  resolution.age_days,
  resolution.collector,
  resolution.source_day,
  resolution.price_seconds,
  conflict.grade AS conflict_grade,
  conflict.collector AS conflict_collector,
  conflict.price_seconds AS conflict_price_seconds
FROM volume
JOIN eligibility
  ON eligibility.day = volume.day AND eligibility.slug = volume.slug AND eligibility.variant = volume.variant
LEFT JOIN resolution
  ON resolution.day = volume.day AND resolution.slug = volume.slug AND resolution.variant = volume.variant
LEFT JOIN conflict
  ON conflict.day = volume.day AND conflict.slug = volume.slug AND conflict.variant = volume.variant
WHERE volume.tokens > 0
