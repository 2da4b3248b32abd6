-- Which capture holds which day of which volume source, in the order of R-2, and its total; `latest` is 1 for the
-- capture the day is read from.
WITH totals AS (
  SELECT capture, day, CAST(SUM(CAST(tokens AS DECIMAL(38, 0))) AS HUGEINT) AS tokens
  FROM watched_volumes
  GROUP BY capture, day
)
SELECT
  captures.capture,
  captures.captured,
  captures.captured_day,
  captures.volume_source,
  volume_days.day,
  COALESCE(totals.tokens, 0) AS tokens,
  LAG(captures.capture) OVER before AS previous,
  MIN(captures.captured) OVER (PARTITION BY captures.volume_source, volume_days.day) AS first_captured,
  ROW_NUMBER() OVER (
    PARTITION BY captures.volume_source, volume_days.day ORDER BY captures.instant DESC, captures.sha256 DESC
  ) AS latest,
  CASE WHEN captures.volume_source = 'rankings-daily' THEN '' ELSE captures.volume_source || ' ' END
    || CAST(DATE '1970-01-01' + volume_days.day AS VARCHAR) AS subject
FROM watched_volume_days AS volume_days
JOIN watched_captures AS captures ON captures.capture = volume_days.capture
LEFT JOIN totals ON totals.capture = volume_days.capture AND totals.day = volume_days.day
WHERE volume_days.reason IS NULL
WINDOW before AS (PARTITION BY captures.volume_source, volume_days.day ORDER BY captures.instant, captures.sha256)
