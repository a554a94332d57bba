-- name: write_meta
INSERT INTO {outrider_meta} (name, value) VALUES (:name, CONVERT(:value USING utf8mb4))
ON DUPLICATE KEY UPDATE value = CONVERT(:value USING utf8mb4)
