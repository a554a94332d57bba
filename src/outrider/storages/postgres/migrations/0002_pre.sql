-- The messages that the transaction at work has written: what it takes back, it deletes here, and needs no right to delete from
-- the log (OB-9, OB-94).
CREATE VIEW {outbox_own} AS SELECT id FROM {outbox_message} WHERE xid = pg_current_xact_id();
