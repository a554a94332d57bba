-- name: read_routes
SELECT type, owner, topic, producers, consumers, consumers_here, version_max, on_dead, late, COALESCE(max_bytes, 0), hash,
       updated_at
FROM {outrider_route} ORDER BY type;

-- name: write_route
SET @outrider_changed = NOT EXISTS (
    SELECT 1 FROM {outrider_route}
    WHERE type = :type AND hash = :hash AND consumers_here = CONVERT(:consumers_here USING utf8mb4));
INSERT INTO {outrider_route}
    (type, owner, topic, producers, consumers, consumers_here, version_max, on_dead, late, max_bytes, hash, updated_at)
VALUES (:type, :owner, :topic, CONVERT(:producers USING utf8mb4), CONVERT(:consumers USING utf8mb4),
    CONVERT(:consumers_here USING utf8mb4), :version_max, :on_dead, :late, NULLIF(:max_bytes, 0), :hash, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE
    owner = :owner, topic = :topic, producers = CONVERT(:producers USING utf8mb4),
    consumers = CONVERT(:consumers USING utf8mb4), consumers_here = CONVERT(:consumers_here USING utf8mb4),
    version_max = :version_max, on_dead = :on_dead, late = :late, max_bytes = NULLIF(:max_bytes, 0), hash = :hash,
    updated_at = CASE WHEN @outrider_changed THEN UTC_TIMESTAMP(6) ELSE updated_at END;
SELECT type FROM {outrider_route} WHERE type = :type AND @outrider_changed

-- name: forget_route
SELECT type FROM {outrider_route}
WHERE type = :type
FOR UPDATE;
DELETE FROM {outrider_route}
WHERE type = :type
