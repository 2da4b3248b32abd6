-- Captures with fewer than half the rows (of rankings: rows a day held) of the readable one before them of the same
-- kind, collector and volume source. Compared by multiplying crosswise, so that nothing is divided.
WITH catalogue_counts AS (
  SELECT capture, COUNT(*) AS row_count FROM watched_catalogue GROUP BY capture
), volume_counts AS (
  SELECT capture, COUNT(*) AS row_count, COUNT(DISTINCT day) AS day_count FROM watched_volumes GROUP BY capture
), counted AS (
  SELECT
    captures.capture,
    captures.captured,
    captures.captured_day,
    captures.of_collector,
    captures.kind,
    captures.collector,
    captures.volume_source,
    CAST(COALESCE(catalogue_counts.row_count, volume_counts.row_count, 0) AS BIGINT) AS row_count,
    CAST(COALESCE(volume_counts.day_count, 1) AS BIGINT) AS day_count
  FROM watched_captures AS captures
  LEFT JOIN catalogue_counts ON catalogue_counts.capture = captures.capture
  LEFT JOIN volume_counts ON volume_counts.capture = captures.capture
  WHERE captures.readable AND NOT captures.repeated
    AND (captures.kind = 'models' OR captures.kind = 'rankings-daily' AND volume_counts.capture IS NOT NULL)
), followed AS (
  SELECT
    *,
    LAG(row_count) OVER before AS last_row_count,
    LAG(day_count) OVER before AS last_day_count
  FROM counted
  WINDOW before AS (PARTITION BY kind, collector, volume_source ORDER BY captured, capture)
)
SELECT
  captured_day AS day,
  captured,
  'payload_shrunk' AS code,
  of_collector || kind AS subject,
  CASE
    WHEN kind = 'models' THEN row_count || ' rows after ' || last_row_count
    ELSE row_count || ' rows of ' || day_count || ' days after ' || last_row_count || ' of ' || last_day_count
  END AS found,
  capture
FROM followed
WHERE 2 * row_count * last_day_count < last_row_count * day_count
