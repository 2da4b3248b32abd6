-- Base prices of completion that are far from the last one of the same constituent and collector, at most 7 days
-- before. Where several catalogue rows describe a constituent, the row is the one of R-3. A price of 0 is no price
-- here: price_zero tells it.
WITH described AS (
  SELECT
    catalogue.capture,
    catalogue.ordinal,
    catalogue.slug,
    catalogue.variant,
    ROW_NUMBER() OVER (
      PARTITION BY catalogue.capture, catalogue.slug, catalogue.variant
      ORDER BY catalogue.created DESC, catalogue.id, catalogue.ordinal
    ) AS choice
  FROM watched_catalogue AS catalogue
  JOIN watched_series AS series
    ON series.author = catalogue.author AND STARTS_WITH(catalogue.name, series.name_prefix)
), posted AS (
  SELECT DISTINCT capture, ordinal, CAST(base_price AS HUGEINT) AS price
  FROM watched_prices
  WHERE base_price > 0
), followed AS (
  SELECT
    captures.captured,
    captures.captured_day,
    captures.of_collector,
    described.slug,
    described.variant,
    posted.price,
    LAG(posted.price) OVER before AS last_price,
    LAG(captures.captured) OVER before AS last_captured
  FROM described
  JOIN posted ON posted.capture = described.capture AND posted.ordinal = described.ordinal
  JOIN watched_captures AS captures ON captures.capture = described.capture
  WHERE described.choice = 1
  WINDOW before AS (
    PARTITION BY captures.collector, described.slug, described.variant ORDER BY captures.captured, captures.capture
  )
), moved AS (
  SELECT
    *,
    GREATEST(
      CASE WHEN 100 * price BETWEEN 98 * 1000 * last_price AND 102 * 1000 * last_price THEN 1 ELSE 0 END,
      CASE WHEN 100 * price BETWEEN 98 * 1000000 * last_price AND 102 * 1000000 * last_price THEN 1 ELSE 0 END,
      CASE WHEN 100 * 1000 * price BETWEEN 98 * last_price AND 102 * last_price THEN 1 ELSE 0 END,
      CASE WHEN 100 * 1000000 * price BETWEEN 98 * last_price AND 102 * last_price THEN 1 ELSE 0 END
    ) = 1 AS slipped
  FROM followed
  WHERE captured - last_captured <= 7 * CAST(86400000000 AS BIGINT)
)
SELECT
  captured_day AS day,
  captured,
  CASE WHEN slipped THEN 'unit_slip' ELSE 'price_jump' END AS code,
  of_collector || slug || CASE WHEN variant = 'standard' THEN '' ELSE ':' || variant END AS subject,
  RTRIM(RTRIM(CAST(CAST(price AS DECIMAL(18, 0)) * CAST('0.000000000001' AS DECIMAL(12, 12)) AS VARCHAR), '0'), '.')
    || ' after '
    || RTRIM(RTRIM(CAST(CAST(last_price AS DECIMAL(18, 0)) * CAST('0.000000000001' AS DECIMAL(12, 12)) AS VARCHAR), '0'), '.')
    || ' USD per 1M output tokens' AS found
FROM moved
WHERE slipped OR price > 2 * last_price OR 2 * price < last_price
