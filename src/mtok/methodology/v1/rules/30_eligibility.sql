-- R-4. Eligible: output is exactly text, by the latest rank-1 capture of D-7 … D that says so, else the earliest
-- of D+1; a constituent that none describes is judged by its name.
--
-- reads   needed · description · offsets · parameters · ineligible_name_parts (part)
-- returns day, slug, variant, eligible
WITH said AS (
  SELECT day, slug, variant, MAX(capture) AS latest, MIN(capture) AS earliest
  FROM description
  WHERE rank = 1 AND text_only IS NOT NULL
  GROUP BY day, slug, variant
),
nearest AS (
  SELECT needed.day, needed.slug, needed.variant, said.latest AS capture, offsets.days AS distance
  FROM needed
  CROSS JOIN parameters
  JOIN offsets ON offsets.days <= parameters.eligibility_days_before
  JOIN said ON said.day = needed.day - offsets.days AND said.slug = needed.slug AND said.variant = needed.variant
  UNION ALL
  SELECT needed.day, needed.slug, needed.variant, said.earliest, parameters.eligibility_days_before + offsets.days
  FROM needed
  CROSS JOIN parameters
  JOIN offsets ON offsets.days BETWEEN 1 AND parameters.eligibility_days_after
  JOIN said ON said.day = needed.day + offsets.days AND said.slug = needed.slug AND said.variant = needed.variant
),
decisive AS (
  SELECT nearest.day, nearest.slug, nearest.variant, description.text_only
  FROM nearest
  JOIN (
    SELECT day, slug, variant, MIN(distance) AS distance FROM nearest GROUP BY day, slug, variant
  ) AS closest
    ON closest.day = nearest.day
    AND closest.slug = nearest.slug
    AND closest.variant = nearest.variant
    AND closest.distance = nearest.distance
  JOIN description
    ON description.capture = nearest.capture
    AND description.slug = nearest.slug
    AND description.variant = nearest.variant
),
named AS (
  SELECT DISTINCT needed.name
  FROM needed
  JOIN ineligible_name_parts ON POSITION(ineligible_name_parts.part IN needed.name) > 0
)
SELECT
  needed.day,
  needed.slug,
  needed.variant,
  COALESCE(decisive.text_only, named.name IS NULL) AS eligible
FROM needed
LEFT JOIN decisive
  ON decisive.day = needed.day AND decisive.slug = needed.slug AND decisive.variant = needed.variant
LEFT JOIN named ON named.name = needed.name
