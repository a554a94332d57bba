-- name: read_routes
SELECT type, owner, topic, producers, consumers, consumers_here, version_max, on_dead, late, COALESCE(max_bytes, 0), hash,
       updated_at
FROM {outrider_route} ORDER BY type;

-- name: write_route
INSERT INTO {outrider_route} AS r
    (type, owner, topic, producers, consumers, consumers_here, version_max, on_dead, late, max_bytes, hash, updated_at)
VALUES (:type, :owner, :topic, :producers, :consumers, :consumers_here, :version_max, :on_dead, :late,
        NULLIF(:max_bytes, 0), :hash, :now)
ON CONFLICT (type) DO UPDATE SET
    owner = excluded.owner, topic = excluded.topic, producers = excluded.producers, consumers = excluded.consumers,
    consumers_here = excluded.consumers_here, version_max = excluded.version_max, on_dead = excluded.on_dead,
    late = excluded.late, max_bytes = excluded.max_bytes, hash = excluded.hash, updated_at = excluded.updated_at
WHERE r.hash <> excluded.hash OR r.consumers_here <> excluded.consumers_here
RETURNING type;

-- name: forget_route
DELETE FROM {outrider_route} WHERE type = :type RETURNING type;
