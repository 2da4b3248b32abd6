-- Days whose rows in a capture differ from those in the capture before that holds them: which constituents, the
-- first five by name.
WITH pairs AS (
  SELECT capture, previous, day FROM holdings WHERE previous IS NOT NULL
), later AS (
  SELECT pairs.capture, pairs.day, volumes.slug, volumes.variant, volumes.tokens
  FROM pairs
  JOIN watched_volumes AS volumes ON volumes.capture = pairs.capture AND volumes.day = pairs.day
), earlier AS (
  SELECT pairs.capture, pairs.day, volumes.slug, volumes.variant, volumes.tokens
  FROM pairs
  JOIN watched_volumes AS volumes ON volumes.capture = pairs.previous AND volumes.day = pairs.day
), changed AS (
  SELECT
    COALESCE(later.capture, earlier.capture) AS capture,
    COALESCE(later.day, earlier.day) AS day,
    COALESCE(later.slug, earlier.slug)
      || CASE COALESCE(later.variant, earlier.variant)
           WHEN 'standard' THEN ''
           ELSE ':' || COALESCE(later.variant, earlier.variant)
         END AS constituent,
    COALESCE(CAST(earlier.tokens AS VARCHAR), 'no row') AS earlier_tokens,
    COALESCE(CAST(later.tokens AS VARCHAR), 'no row') AS later_tokens
  FROM later
  FULL JOIN earlier
    ON earlier.capture = later.capture AND earlier.day = later.day
    AND earlier.slug = later.slug AND earlier.variant = later.variant
  WHERE later.tokens IS DISTINCT FROM earlier.tokens
), numbered AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY capture, day ORDER BY constituent) AS number FROM changed
), told AS (
  SELECT
    capture,
    day,
    COUNT(*) AS changes,
    STRING_AGG(
      constituent || ' ' || earlier_tokens || ' → ' || later_tokens, ', ' ORDER BY constituent
    ) FILTER (WHERE number <= 5) AS first_five
  FROM numbered
  GROUP BY capture, day
)
SELECT
  holdings.captured_day AS day,
  holdings.captured,
  'restated' AS code,
  holdings.subject,
  told.changes || ' changed: ' || told.first_five
    || CASE WHEN told.changes > 5 THEN ', and ' || (told.changes - 5) || ' more' ELSE '' END AS found
FROM told
JOIN holdings ON holdings.capture = told.capture AND holdings.day = told.day
