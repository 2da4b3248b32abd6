-- What the decoders and the collector reported, one row a fault. A short day's alarm belongs to that day, every
-- other one to the day of its capture.
SELECT
  CASE
    WHEN faults.code = 'short_capture'
    THEN COALESCE(DATE_DIFF('day', DATE '1970-01-01', TRY_CAST(faults.subject AS DATE)), captures.captured_day)
    ELSE captures.captured_day
  END AS day,
  captures.captured,
  faults.code,
  captures.of_collector || CASE
    WHEN captures.failure IS NOT NULL THEN captures.kind || COALESCE(' ' || captures.subject, '')
    ELSE COALESCE(NULLIF(faults.subject, ''), NULLIF(faults.place, ''), captures.kind)
  END AS subject,
  faults.found
FROM watched_faults AS faults
JOIN watched_captures AS captures ON captures.capture = faults.capture
