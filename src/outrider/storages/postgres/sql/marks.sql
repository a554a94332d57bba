-- name: find_log_message
SELECT CAST(message_id AS text) FROM {outbox_message} WHERE id = :log_id

-- name: find_unfinished
SELECT log_id FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND log_id = :log_id AND generation = :generation
  AND status IN ('waiting', 'retrying', 'parked')
