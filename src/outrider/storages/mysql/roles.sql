-- The roles of one service, each with what its work needs and nothing more. Safe to run again; nothing is taken back, since that
-- would stop those who work meanwhile. Nobody may change a message. Source: spec/outbox.md OB-94, hazard X12.
CREATE ROLE IF NOT EXISTS `{p}add`, `{p}relay`, `{p}consume`, `{p}subscribe`, `{p}prune`, `{p}read`, `{p}operate`, `{p}migrate`;

-- add: an application. The number of a row is the database's; what is read is what OB-11 compares, and whose rows it writes.
GRANT INSERT (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at, max_retry,
    trace, correlation_id, causation_id, created_at
), SELECT (id, message_id, type, version, topic, message_key, payload) ON {outbox_message} TO `{p}add`;
GRANT INSERT ON {outbox_pending} TO `{p}add`;
GRANT SELECT ON {outrider_meta} TO `{p}add`;
GRANT SELECT ON {outbox_subscription} TO `{p}add`;
GRANT SELECT (subscription_id, lane) ON {outbox_cursor} TO `{p}add`;
GRANT SELECT (type, hash) ON {outrider_route} TO `{p}add`;

-- relay, and the sweeper in its process, which looks for receipts
GRANT SELECT ON {outbox_message} TO `{p}relay`;
GRANT SELECT, INSERT, UPDATE ON {outrider_meta} TO `{p}relay`;
GRANT SELECT, INSERT, UPDATE ON {outbox_subscription} TO `{p}relay`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {outbox_cursor} TO `{p}relay`;
GRANT SELECT, INSERT ON {outbox_advance} TO `{p}relay`;
GRANT SELECT, INSERT, UPDATE ON {outbox_delivery} TO `{p}relay`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {outbox_pending} TO `{p}relay`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {outbox_pause} TO `{p}relay`;
GRANT SELECT, INSERT, UPDATE ON {outrider_route} TO `{p}relay`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {outrider_process} TO `{p}relay`;
GRANT SELECT ON {inbox_consumer} TO `{p}relay`;
GRANT SELECT ON {inbox_receipt} TO `{p}relay`;
GRANT SELECT (id, consumer_id, message_id, status, cause, error_code, resolution) ON {inbox_delivery} TO `{p}relay`;

-- consume: receipts, and what could not be handled. A receipt proves that a message of the relay's was published (OB-65).
GRANT SELECT ON {outrider_meta} TO `{p}consume`;
GRANT SELECT, INSERT, UPDATE ON {inbox_consumer} TO `{p}consume`;
GRANT SELECT, INSERT, UPDATE ON {inbox_key} TO `{p}consume`;
GRANT SELECT, INSERT, UPDATE ON {inbox_delivery} TO `{p}consume`;
GRANT SELECT, INSERT, UPDATE ON {outrider_route} TO `{p}consume`;
-- A receipt that is there already is met by an update that changes nothing.
GRANT SELECT, INSERT, UPDATE, DELETE ON {inbox_receipt} TO `{p}consume`;
GRANT SELECT ON {outbox_subscription} TO `{p}consume`;
GRANT SELECT ON {outbox_pause} TO `{p}consume`;
GRANT SELECT, UPDATE ON {outbox_delivery} TO `{p}consume`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {outrider_process} TO `{p}consume`;

-- subscribe: a consumer of any service that reads this service's log (OB-32)
GRANT SELECT, INSERT, UPDATE ON {outrider_meta} TO `{p}subscribe`;
GRANT SELECT ON {outbox_message} TO `{p}subscribe`;
GRANT SELECT ON {outbox_pause} TO `{p}subscribe`;
GRANT SELECT ON {outrider_route} TO `{p}subscribe`;
GRANT SELECT, INSERT, UPDATE ON {outbox_subscription} TO `{p}subscribe`;
GRANT SELECT, INSERT, UPDATE ON {outbox_cursor} TO `{p}subscribe`;
GRANT SELECT, INSERT, UPDATE ON {outbox_delivery} TO `{p}subscribe`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {outbox_pending} TO `{p}subscribe`;
GRANT SELECT, INSERT ON {outbox_advance} TO `{p}subscribe`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {outrider_process} TO `{p}subscribe`;

-- prune
GRANT SELECT, INSERT, UPDATE, DELETE ON {outrider_meta} TO `{p}prune`;
GRANT DELETE, SELECT (id, message_id, type, topic, key_hash, created_at) ON {outbox_message} TO `{p}prune`;
GRANT DELETE, SELECT (
    id, consumer_id, message_id, status, resolution, received_at, updated_at, done_at
) ON {inbox_delivery} TO `{p}prune`;
GRANT SELECT, DELETE ON {outbox_pending} TO `{p}prune`;
GRANT SELECT, DELETE ON {outbox_advance} TO `{p}prune`;
GRANT SELECT, DELETE ON {outbox_delivery} TO `{p}prune`;
GRANT SELECT, DELETE ON {inbox_receipt} TO `{p}prune`;
GRANT SELECT, INSERT, DELETE ON {outrider_audit} TO `{p}prune`;
GRANT SELECT, DELETE ON {outrider_process} TO `{p}prune`;
GRANT SELECT ON {outbox_subscription} TO `{p}prune`;
GRANT SELECT ON {outrider_route} TO `{p}prune`;
GRANT SELECT, UPDATE (advanced_at) ON {outbox_cursor} TO `{p}prune`;
GRANT SELECT, UPDATE (receipts_from) ON {inbox_consumer} TO `{p}prune`;

-- read: no body, no header
GRANT SELECT (
    id, message_id, type, version, topic, message_key, key_hash, subject, content_type, deliver_at, max_retry,
    correlation_id, causation_id, created_at
) ON {outbox_message} TO `{p}read`;
GRANT SELECT (
    id, consumer_id, message_id, origin, topic, message_key, key_hash, sequence, fingerprint, type, version, content_type,
    received_at, status, cause, attempts, max_retry, generation, next_retry_at, error_code, last_error, first_failed_at,
    updated_at, done_at, resolution
) ON {inbox_delivery} TO `{p}read`;
GRANT SELECT ON {outrider_meta} TO `{p}read`;
GRANT SELECT ON {outbox_status} TO `{p}read`;
GRANT SELECT ON {outbox_subscription} TO `{p}read`;
GRANT SELECT ON {outbox_cursor} TO `{p}read`;
GRANT SELECT ON {outbox_advance} TO `{p}read`;
GRANT SELECT ON {outbox_delivery} TO `{p}read`;
GRANT SELECT ON {outbox_pending} TO `{p}read`;
GRANT SELECT ON {outbox_pause} TO `{p}read`;
GRANT SELECT ON {inbox_consumer} TO `{p}read`;
GRANT SELECT ON {inbox_key} TO `{p}read`;
GRANT SELECT ON {inbox_receipt} TO `{p}read`;
GRANT SELECT ON {outrider_route} TO `{p}read`;
GRANT SELECT ON {outrider_process} TO `{p}read`;
GRANT SELECT ON {outrider_audit} TO `{p}read`;

-- operate: as read; what a person may mend, and nobody without a word in the audit table
GRANT `{p}read` TO `{p}operate`;
GRANT INSERT, UPDATE, DELETE ON {outbox_delivery} TO `{p}operate`;
GRANT INSERT ON {outbox_pending} TO `{p}operate`;
GRANT UPDATE (
    status, cause, attempts, generation, next_retry_at, first_failed_at, done_at, resolution, updated_at
) ON {inbox_delivery} TO `{p}operate`;
GRANT UPDATE ON {outbox_cursor} TO `{p}operate`;
GRANT DELETE ON {outbox_advance} TO `{p}operate`;
GRANT UPDATE (starts) ON {inbox_consumer} TO `{p}operate`;
GRANT INSERT, UPDATE, DELETE ON {outbox_pause} TO `{p}operate`;
GRANT INSERT ON {outrider_audit} TO `{p}operate`;
GRANT DELETE ON {outrider_route} TO `{p}operate`;

-- migrate: may make and change the tables that are known today
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outrider_meta} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outbox_message} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outbox_subscription} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outbox_cursor} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outbox_advance} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outbox_delivery} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outbox_pending} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outbox_pause} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {inbox_consumer} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {inbox_key} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {inbox_receipt} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {inbox_delivery} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outrider_route} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outrider_process} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {outrider_audit} TO `{p}migrate`;
GRANT SELECT, CREATE VIEW, SHOW VIEW, DROP ON {outbox_status} TO `{p}migrate`;
