-- Dead and quarantined messages are listed by their places in the log, however many there are (OB-79).
CREATE INDEX by_log ON {outbox_delivery} (log_id, subscription_id);
