-- name: beat_process
INSERT INTO {outrider_process} (owner, role, host, pid, version, started_at, seen_at)
VALUES (:owner, :role, :host, :pid, :version, :now, :now)
ON CONFLICT (owner) DO UPDATE SET seen_at = :now

-- name: read_processes
SELECT owner FROM {outrider_process} WHERE role = :role AND seen_at > :now - :alive_for

-- name: remove_process
DELETE FROM {outrider_process} WHERE owner = :owner
