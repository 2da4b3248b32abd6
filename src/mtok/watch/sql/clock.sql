-- Captures whose own time is off the server's by more than 2 s, by more than 60 s.
SELECT
  captured_day AS day,
  captured,
  CASE WHEN ABS(skew) > 60000000 THEN 'clock_wrong' ELSE 'clock_skew' END AS code,
  of_collector || 'clock' AS subject,
  (ABS(skew) // 1000000) || '.' || (ABS(skew) // 100000 % 10) || ' s '
    || CASE WHEN skew > 0 THEN 'ahead of' ELSE 'behind' END || ' the server' AS found
FROM watched_captures
WHERE ABS(skew) > 2000000
