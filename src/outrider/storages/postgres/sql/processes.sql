-- name: beat_process
INSERT INTO {outrider_process} (owner, role, host, pid, version) VALUES (:owner, :role, :host, :pid, :version)
ON CONFLICT (owner) DO UPDATE SET seen_at = clock_timestamp()

-- name: read_processes
SELECT owner FROM {outrider_process} WHERE role = :role AND seen_at > clock_timestamp() - :alive_for

-- name: remove_process
DELETE FROM {outrider_process} WHERE owner = :owner
