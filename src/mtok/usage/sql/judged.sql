-- R-2. The same of logs that have to be looked at row by row: those that count, and how many do not, by reason.
--
-- reads   logs (day, reason, model_permaslug, prompt_tokens, completion_tokens)
-- returns day (empty where the row says none), model_permaslug, reason (empty: it counts), requests, prompt_tokens, completion_tokens, tokens_max
SELECT
  day,
  model_permaslug,
  reason,
  COUNT(1) AS requests,
  CAST(SUM(prompt_tokens) AS BIGINT) AS prompt_tokens,
  CAST(SUM(completion_tokens) AS BIGINT) AS completion_tokens,
  MAX(prompt_tokens + completion_tokens) AS tokens_max
FROM (
  SELECT
    day,
    reason,
    CASE WHEN reason IS NULL THEN model_permaslug END AS model_permaslug,
    CASE WHEN reason IS NULL THEN prompt_tokens END AS prompt_tokens,
    CASE WHEN reason IS NULL THEN completion_tokens END AS completion_tokens
  FROM logs
) AS judged
GROUP BY day, model_permaslug, reason
