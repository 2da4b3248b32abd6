-- R-3. The one row by which a capture describes a constituent: latest `created`, then smallest `id` by bytes.
--
-- reads   catalogue (capture, ordinal, id, slug, author, name, variant, created, text_only) · price_captures (capture, collector, rank, day, second) · series
-- returns capture, collector, rank, day, second, ordinal, series, slug, name, variant, created, text_only
--
-- Aliases (`id` starting with `~`) are not in the catalogue. Rows equal in all of that keep the order of the response.
SELECT
  capture, collector, rank, day, second, ordinal, series, slug, name, variant, created, text_only
FROM (
  SELECT
    catalogue.capture,
    price_captures.collector,
    price_captures.rank,
    price_captures.day,
    price_captures.second,
    catalogue.ordinal,
    series.series,
    catalogue.slug,
    catalogue.name,
    catalogue.variant,
    catalogue.created,
    catalogue.text_only,
    ROW_NUMBER() OVER (
      PARTITION BY catalogue.capture, catalogue.slug, catalogue.variant
      ORDER BY catalogue.created DESC, catalogue.id, catalogue.ordinal
    ) AS choice
  FROM catalogue
  JOIN price_captures ON price_captures.capture = catalogue.capture
  JOIN series
    ON series.author = catalogue.author
    AND SUBSTRING(catalogue.name, 1, LENGTH(series.name_prefix)) = series.name_prefix
) AS candidates
WHERE choice = 1
