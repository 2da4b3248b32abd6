-- R-8.1, R-9. N and W of each day and series, and the tokens of each class.
--
-- reads   classified
-- returns day, series, n, w, then the tokens of each class and those in conflict
--
-- An overflow of DECIMAL(38, 0) is an error on every engine, never a wrap.
SELECT
  day,
  series,
  SUM(
    CASE
      WHEN class IN ('direct', 'fallback', 'imputed')
        THEN CAST(tokens AS DECIMAL(38, 0)) * CAST(price_seconds AS DECIMAL(38, 0))
      ELSE CAST(0 AS DECIMAL(38, 0))
    END
  ) AS n,
  SUM(CASE WHEN class IN ('direct', 'fallback', 'imputed') THEN CAST(tokens AS DECIMAL(38, 0)) ELSE CAST(0 AS DECIMAL(38, 0)) END) AS w,
  SUM(CASE WHEN class = 'direct' THEN CAST(tokens AS DECIMAL(38, 0)) ELSE CAST(0 AS DECIMAL(38, 0)) END) AS direct,
  SUM(CASE WHEN class = 'fallback' THEN CAST(tokens AS DECIMAL(38, 0)) ELSE CAST(0 AS DECIMAL(38, 0)) END) AS fallback,
  SUM(CASE WHEN class = 'imputed' THEN CAST(tokens AS DECIMAL(38, 0)) ELSE CAST(0 AS DECIMAL(38, 0)) END) AS imputed,
  SUM(CASE WHEN class = 'missing' THEN CAST(tokens AS DECIMAL(38, 0)) ELSE CAST(0 AS DECIMAL(38, 0)) END) AS missing,
  SUM(CASE WHEN class = 'unpaid' THEN CAST(tokens AS DECIMAL(38, 0)) ELSE CAST(0 AS DECIMAL(38, 0)) END) AS unpaid,
  SUM(CASE WHEN class = 'ineligible' THEN CAST(tokens AS DECIMAL(38, 0)) ELSE CAST(0 AS DECIMAL(38, 0)) END) AS ineligible,
  SUM(
    CASE
      WHEN class = 'direct' AND conflict_grade = 'major' THEN CAST(tokens AS DECIMAL(38, 0))
      ELSE CAST(0 AS DECIMAL(38, 0))
    END
  ) AS conflict
FROM classified
GROUP BY day, series
