-- R-1, R-2. The named rows of each day, all from the day's capture, each with the series it belongs to, if any.
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
LEFT JOIN series
  ON series.author = volumes.author
  AND SUBSTRING(volumes.name, 1, LENGTH(series.name_prefix)) = series.name_prefix
WHERE volumes.slug <> 'other'
