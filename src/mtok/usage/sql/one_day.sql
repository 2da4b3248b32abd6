-- R-2. The same of logs that are all of one day: without the day as a key a large one costs half.
--
-- reads   logs (model_permaslug, prompt_tokens, completion_tokens)
-- returns model_permaslug, requests, prompt_tokens, completion_tokens, tokens_max
SELECT
  model_permaslug,
  COUNT(1) AS requests,
  CAST(SUM(prompt_tokens) AS BIGINT) AS prompt_tokens,
  CAST(SUM(completion_tokens) AS BIGINT) AS completion_tokens,
  MAX(prompt_tokens + completion_tokens) AS tokens_max
FROM logs
GROUP BY model_permaslug
