-- R-2. The requests of each day and model, of logs whose statistics prove every row sound.
--
-- reads   logs (day, model_permaslug, prompt_tokens, completion_tokens)
-- returns day, model_permaslug, requests, prompt_tokens, completion_tokens, tokens_max (the most of one request)
--
-- A sum that leaves 64 bits is an error on every engine, never a wrap.
SELECT
  day,
  model_permaslug,
  COUNT(1) AS requests,
  CAST(SUM(prompt_tokens) AS BIGINT) AS prompt_tokens,
  CAST(SUM(completion_tokens) AS BIGINT) AS completion_tokens,
  MAX(prompt_tokens + completion_tokens) AS tokens_max
FROM logs
GROUP BY day, model_permaslug
