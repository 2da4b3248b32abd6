-- One row a day, code and subject: what its first capture showed and how many show it; past the limit of a day
-- and code the rest is one row without a subject.
WITH numbered AS (
  SELECT
    day,
    code,
    subject,
    captured,
    found,
    COUNT(DISTINCT captured) OVER (PARTITION BY day, code, subject) AS shown,
    ROW_NUMBER() OVER (PARTITION BY day, code, subject ORDER BY captured, found) AS number
  FROM raised
), alarms AS (
  SELECT
    day,
    code,
    subject,
    captured,
    found,
    shown,
    ROW_NUMBER() OVER (PARTITION BY day, code ORDER BY subject) AS place
  FROM numbered
  WHERE number = 1
)
SELECT day, code, subject, found, captured, shown, place
FROM alarms
WHERE place <= {limit}
UNION ALL
SELECT day, code, '', COUNT(*) || ' more', MIN(captured), COUNT(*), {limit} + 1
FROM alarms
WHERE place > {limit}
GROUP BY day, code
ORDER BY day, code, place
