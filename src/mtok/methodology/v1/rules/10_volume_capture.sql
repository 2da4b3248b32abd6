-- R-2. The capture each day's volumes come from: the latest taken after the day was over that holds the day.
--
-- reads   fixing (day) · volume_captures (capture, day) · volume_days (capture, day, reason)
-- returns day, capture
--
-- Captures are numbered in order of time, equal times by sha256, so "latest" is the greatest number.
-- `reason` is empty where the capture holds the day; otherwise it says why that day of it was rejected.
SELECT
  fixing.day,
  MAX(volume_captures.capture) AS capture
FROM fixing
JOIN volume_days ON volume_days.day = fixing.day
JOIN volume_captures ON volume_captures.capture = volume_days.capture
WHERE volume_days.reason IS NULL
  AND volume_captures.day > fixing.day
GROUP BY fixing.day
