-- What the calls of one key may use of tokens and money (USD * 1e-9); 0: as much as its owner may.
ALTER TABLE api_keys ADD COLUMN tokens_per_minute BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN tokens_per_day BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN cost_per_day BIGINT NOT NULL DEFAULT 0;
