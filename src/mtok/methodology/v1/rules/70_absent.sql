-- R-9. Absent constituents: described, eligible, not `free`, a positive price by rungs 1–3, and no row of the day.
--
-- reads   described · eligibility · resolution · volume
-- returns day, series, slug, variant, rung, age_days, collector, source_day, price_seconds
SELECT
  described.day,
  described.series,
  described.slug,
  described.variant,
  resolution.rung,
  resolution.age_days,
  resolution.collector,
  resolution.source_day,
  resolution.price_seconds
FROM described
JOIN eligibility
  ON eligibility.day = described.day
  AND eligibility.slug = described.slug
  AND eligibility.variant = described.variant
JOIN resolution
  ON resolution.day = described.day
  AND resolution.slug = described.slug
  AND resolution.variant = described.variant
LEFT JOIN volume
  ON volume.day = described.day
  AND volume.slug = described.slug
  AND volume.variant = described.variant
WHERE volume.slug IS NULL
  AND described.variant <> 'free'
  AND eligibility.eligible
  AND resolution.rung <= 3
  AND resolution.price_seconds > 0
