-- name: write_meta
INSERT INTO {outrider_meta} (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
