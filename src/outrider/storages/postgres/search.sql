-- `migrate --search`: for operators' lists by topic and key, by type, and by time. Optional, since each costs every add
-- something. Built beside the writers, so each is a transaction of its own; one that was interrupted stays behind invalid,
-- and is dropped by hand. Source: spec/outbox.md section 5.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "{p}outbox_message_key" ON {outbox_message} (topic, message_key, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "{p}outbox_message_type" ON {outbox_message} (type, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "{p}outbox_message_time" ON {outbox_message} USING brin (created_at);
