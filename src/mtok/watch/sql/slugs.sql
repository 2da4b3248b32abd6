-- Slugs of the series' companies that came, went or were renamed since the collector's readable capture before.
-- A capture that shrank is passed over: its alarm is payload_shrunk, and the next one is compared with the last
-- whole one.
WITH ordered AS (
  SELECT
    capture,
    captured,
    captured_day,
    of_collector,
    LAG(capture) OVER (PARTITION BY collector ORDER BY captured, capture) AS previous
  FROM watched_captures
  WHERE kind = 'models' AND readable AND NOT repeated AND capture NOT IN (SELECT capture FROM shrunk)
), listed AS (
  SELECT DISTINCT catalogue.capture, catalogue.slug, catalogue.variant, catalogue.id
  FROM watched_catalogue AS catalogue
  JOIN watched_series AS series
    ON series.author = catalogue.author AND STARTS_WITH(catalogue.name, series.name_prefix)
), came AS (
  SELECT ordered.capture, listed.slug, listed.variant, listed.id
  FROM ordered
  JOIN listed ON listed.capture = ordered.capture
  LEFT JOIN listed AS earlier
    ON earlier.capture = ordered.previous AND earlier.slug = listed.slug AND earlier.id = listed.id
  WHERE ordered.previous IS NOT NULL AND earlier.capture IS NULL
), went AS (
  SELECT ordered.capture, listed.slug, listed.variant, listed.id
  FROM ordered
  JOIN listed ON listed.capture = ordered.previous
  LEFT JOIN listed AS later
    ON later.capture = ordered.capture AND later.slug = listed.slug AND later.id = listed.id
  WHERE later.capture IS NULL
), renamed AS (
  SELECT came.capture, went.id AS old_id, went.slug AS old_slug, came.id, came.slug
  FROM came
  JOIN went ON went.capture = came.capture
    AND (went.id = came.id OR went.slug = came.slug AND went.variant = came.variant)
), slug_moves AS (
  SELECT came.capture, 'slug_new' AS code, came.slug AS subject, 'id ' || MIN(came.id) AS found
  FROM came
  JOIN ordered ON ordered.capture = came.capture
  LEFT JOIN listed AS earlier ON earlier.capture = ordered.previous AND earlier.slug = came.slug
  LEFT JOIN renamed ON renamed.capture = came.capture AND renamed.slug = came.slug
  WHERE earlier.capture IS NULL AND renamed.capture IS NULL
  GROUP BY came.capture, came.slug
  UNION ALL
  SELECT went.capture, 'slug_gone', went.slug, 'id ' || MIN(went.id)
  FROM went
  LEFT JOIN listed AS later ON later.capture = went.capture AND later.slug = went.slug
  LEFT JOIN renamed ON renamed.capture = went.capture AND renamed.old_slug = went.slug
  WHERE later.capture IS NULL AND renamed.capture IS NULL
  GROUP BY went.capture, went.slug
  UNION ALL
  SELECT
    capture,
    'slug_renamed',
    old_id,
    CASE
      WHEN old_id = id THEN 'slug ' || old_slug || ' is now ' || slug
      ELSE 'id ' || old_id || ' is now ' || id
    END
  FROM renamed
)
SELECT
  ordered.captured_day AS day,
  ordered.captured,
  slug_moves.code,
  ordered.of_collector || slug_moves.subject AS subject,
  slug_moves.found
FROM slug_moves
JOIN ordered ON ordered.capture = slug_moves.capture
