-- R-2, R-9. The constituents whose eligibility and price are asked for on a day: those with a row, those described.
--
-- reads   volume · described
-- returns day, series, slug, name, variant
SELECT day, series, slug, name, variant FROM volume
UNION
SELECT day, series, slug, name, variant FROM described
