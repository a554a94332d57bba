-- `migrate --search`: for operators' lists by topic and key, and by type. Optional, since each costs every add something.
-- Source: spec/outbox.md section 5.
CREATE INDEX IF NOT EXISTS "{p}outbox_message_key" ON {outbox_message} (topic, message_key, id);
CREATE INDEX IF NOT EXISTS "{p}outbox_message_type" ON {outbox_message} (type, id);
