-- R-1, R-2. The rows of each series on each day, all from the day's capture. Zero-token rows are rows too.
--
-- reads   volume_capture · volumes (capture, day, slug, author, name, variant, tokens) · series (series, author, name_prefix)
-- returns day, series, slug, name, variant, tokens
SELECT
  volumes.day,
  series.series,
  volumes.slug,
  volumes.name,
  volumes.variant,
  volumes.tokens
FROM volume_capture
JOIN volumes ON volumes.capture = volume_capture.capture AND volumes.day = volume_capture.day
JOIN series
  ON series.author = volumes.author
  AND SUBSTRING(volumes.name, 1, LENGTH(series.name_prefix)) = series.name_prefix
