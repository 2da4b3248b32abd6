-- R-2, R-9. The whole market of each day as its capture shows it: named rows, the smallest of them, the tail, all tokens.
--
-- reads   volume_capture · volumes
-- returns day, capture, named_rows, smallest_named, tail (empty without a row `other`), all_tokens
SELECT
  volume_capture.day,
  volume_capture.capture,
  COUNT(CASE WHEN volumes.slug <> 'other' THEN 1 END) AS named_rows,
  MIN(CASE WHEN volumes.slug <> 'other' THEN volumes.tokens END) AS smallest_named,
  MAX(CASE WHEN volumes.slug = 'other' THEN volumes.tokens END) AS tail,
  SUM(CAST(volumes.tokens AS DECIMAL(38, 0))) AS all_tokens
FROM volume_capture
JOIN volumes ON volumes.capture = volume_capture.capture AND volumes.day = volume_capture.day
GROUP BY volume_capture.day, volume_capture.capture
