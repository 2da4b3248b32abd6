-- R-2. A few of the rows that do not count, for people to look at: of each day and reason the first in the order of their texts.
--
-- reads   logs (day, reason, sample)
-- returns day, reason, sample
SELECT day, reason, sample
FROM (
  SELECT
    day,
    reason,
    sample,
    ROW_NUMBER() OVER (PARTITION BY day, reason ORDER BY sample) AS place
  FROM logs
  WHERE reason IS NOT NULL
) AS placed
WHERE place <= 5
