-- `migrate --search`: for operators' lists by topic and key, and by type. Optional, since each costs every add something.
-- InnoDB builds them beside the writers. Source: spec/outbox.md section 5.
CREATE INDEX by_key ON {outbox_message} (topic, message_key, id);
CREATE INDEX by_type ON {outbox_message} (type, id);
