-- R-9. What is described on each day: by a rank-1 capture of D or, when there is none at all, of D-7 … D-1.
--
-- reads   fixing · offsets (days: 0, 1, 2, …) · parameters · price_captures · description
-- returns day, series, slug, name, variant
SELECT DISTINCT
  window_captures.day,
  description.series,
  description.slug,
  description.name,
  description.variant
FROM (
  SELECT fixing.day, price_captures.capture
  FROM fixing
  JOIN price_captures ON price_captures.day = fixing.day
  WHERE price_captures.rank = 1
  UNION ALL
  SELECT fixing.day, price_captures.capture
  FROM fixing
  CROSS JOIN parameters
  JOIN offsets ON offsets.days BETWEEN 1 AND parameters.absent_described_days
  JOIN price_captures ON price_captures.day = fixing.day - offsets.days
  LEFT JOIN (SELECT DISTINCT day FROM price_captures WHERE rank = 1) AS own_days ON own_days.day = fixing.day
  WHERE price_captures.rank = 1
    AND own_days.day IS NULL
) AS window_captures
JOIN description ON description.capture = window_captures.capture
