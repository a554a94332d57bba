-- name: beat_process
INSERT INTO {outrider_process} (owner, role, host, pid, version, started_at, seen_at)
VALUES (:owner, :role, :host, :pid, :version, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE seen_at = UTC_TIMESTAMP(6)

-- name: remove_process
DELETE FROM {outrider_process} WHERE owner = :owner

-- name: read_processes
SELECT owner FROM {outrider_process}
WHERE role = :role AND seen_at > UTC_TIMESTAMP(6) - INTERVAL :alive_for MICROSECOND
