-- The roles of one service, each with what its work needs and nothing more. Safe to run again; what an earlier release granted
-- and this one does not is taken back. Nobody may change a message. Source: spec/outbox.md OB-94, hazard X12.
DO $roles$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['add', 'relay', 'consume', 'subscribe', 'prune', 'read', 'operate', 'migrate'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{p}' || name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', '{p}' || name);
            EXECUTE format('ALTER ROLE %I SET search_path = %s, pg_temp', '{p}' || name, '{schema}');
        END IF;
    END LOOP;
END
$roles$;

GRANT USAGE ON SCHEMA {schema}
TO "{p}add", "{p}relay", "{p}consume", "{p}subscribe", "{p}prune", "{p}read", "{p}operate";

REVOKE ALL ON
    {outrider_meta}, {outbox_message}, {outbox_own}, {outbox_subscription}, {outbox_cursor}, {outbox_advance},
    {outbox_delivery}, {outbox_pause}, {outbox_status}, {inbox_consumer}, {inbox_key}, {inbox_receipt}, {inbox_delivery},
    {outrider_route}, {outrider_process}, {outrider_audit}
FROM "{p}add", "{p}relay", "{p}consume", "{p}subscribe", "{p}prune", "{p}read", "{p}operate";

-- Whoever works is known by name, and looks at the tables' version first.
GRANT SELECT ON {outrider_meta}
TO "{p}add", "{p}relay", "{p}consume", "{p}subscribe", "{p}prune", "{p}read", "{p}operate";
GRANT SELECT, INSERT, UPDATE, DELETE ON {outrider_process} TO "{p}relay", "{p}consume", "{p}subscribe";

-- add: an application. Number, transaction and time of a row are the database's; what is read is what OB-11 compares, and a row
-- may be taken back by the transaction that wrote it alone.
GRANT INSERT (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at, max_retry,
    trace, correlation_id, causation_id
) ON {outbox_message} TO "{p}add";
GRANT SELECT (id, message_id, type, version, topic, message_key, payload) ON {outbox_message} TO "{p}add";
GRANT SELECT, DELETE ON {outbox_own} TO "{p}add";
GRANT SELECT (type, hash) ON {outrider_route} TO "{p}add";

-- relay, and the sweeper in its process, which looks for receipts
GRANT SELECT ON {outbox_message}, {inbox_consumer}, {inbox_receipt} TO "{p}relay";
GRANT SELECT (id, consumer_id, message_id, status, cause, error_code, resolution) ON {inbox_delivery} TO "{p}relay";
GRANT SELECT, INSERT, UPDATE ON
    {outbox_subscription}, {outbox_cursor}, {outbox_delivery}, {outrider_route}, {outrider_meta}
TO "{p}relay";
GRANT SELECT, INSERT ON {outbox_advance} TO "{p}relay";
GRANT SELECT, INSERT, UPDATE, DELETE ON {outbox_pause} TO "{p}relay";
GRANT DELETE ON {outbox_cursor} TO "{p}relay";

-- consume: receipts, and what could not be handled. A receipt proves that a message of the relay's was published (OB-65).
GRANT SELECT, INSERT, UPDATE ON {inbox_consumer}, {inbox_key}, {inbox_delivery}, {outrider_route} TO "{p}consume";
GRANT SELECT, INSERT, DELETE ON {inbox_receipt} TO "{p}consume";
GRANT SELECT ON {outbox_subscription}, {outbox_pause} TO "{p}consume";
GRANT SELECT, UPDATE ON {outbox_delivery} TO "{p}consume";

-- subscribe: a consumer of any service that reads this service's log (OB-32)
GRANT SELECT ON {outbox_message}, {outbox_pause}, {outrider_route} TO "{p}subscribe";
GRANT SELECT, INSERT, UPDATE ON {outbox_subscription}, {outbox_cursor}, {outbox_delivery} TO "{p}subscribe";
GRANT SELECT, INSERT ON {outbox_advance} TO "{p}subscribe";

-- prune
GRANT DELETE ON {outbox_message}, {inbox_delivery} TO "{p}prune";
GRANT SELECT (id, xid, message_id, type, topic, key_hash, created_at) ON {outbox_message} TO "{p}prune";
GRANT SELECT (
    id, consumer_id, message_id, status, resolution, received_at, updated_at, done_at
) ON {inbox_delivery} TO "{p}prune";
GRANT SELECT, DELETE ON
    {outbox_advance}, {outbox_delivery}, {inbox_receipt}, {outrider_audit}, {outrider_process}
TO "{p}prune";
GRANT SELECT ON {outbox_subscription}, {outbox_cursor}, {inbox_consumer}, {outrider_route} TO "{p}prune";
GRANT UPDATE (advanced_at) ON {outbox_cursor} TO "{p}prune";  -- it locks them
GRANT UPDATE (receipts_from) ON {inbox_consumer} TO "{p}prune";
GRANT INSERT, UPDATE, DELETE ON {outrider_meta} TO "{p}prune";  -- its lease
GRANT INSERT ON {outrider_audit} TO "{p}prune";

-- read and operate: no body, no header
GRANT SELECT (
    id, xid, message_id, type, version, topic, message_key, key_hash, subject, content_type, deliver_at, max_retry,
    correlation_id, causation_id, created_at
) ON {outbox_message} TO "{p}read", "{p}operate";
GRANT SELECT (
    id, consumer_id, message_id, origin, topic, message_key, key_hash, sequence, fingerprint, type, version, content_type,
    received_at, status, cause, attempts, max_retry, generation, next_retry_at, error_code, last_error, first_failed_at,
    updated_at, done_at, resolution
) ON {inbox_delivery} TO "{p}read", "{p}operate";
GRANT SELECT ON
    {outbox_status}, {outbox_subscription}, {outbox_cursor}, {outbox_advance}, {outbox_delivery}, {outbox_pause},
    {inbox_consumer}, {inbox_key}, {inbox_receipt}, {outrider_route}, {outrider_process}, {outrider_audit}
TO "{p}read", "{p}operate";

-- operate: what a person may mend, and nobody without a word in the audit table
GRANT UPDATE (
    status, cause, attempts, generation, next_retry_at, first_failed_at, done_at, resolution, updated_at
) ON {inbox_delivery} TO "{p}operate";
GRANT INSERT, UPDATE, DELETE ON {outbox_delivery} TO "{p}operate";  -- what is replayed, sent again, read again
GRANT UPDATE ON {outbox_cursor} TO "{p}operate";  -- to go back to a time
GRANT DELETE ON {outbox_advance} TO "{p}operate";
GRANT UPDATE (starts) ON {inbox_consumer} TO "{p}operate";  -- it locks them
GRANT INSERT, UPDATE, DELETE ON {outbox_pause} TO "{p}operate";
GRANT INSERT ON {outrider_audit} TO "{p}operate";
GRANT DELETE ON {outrider_route} TO "{p}operate";

-- migrate: owns the tables from now on
GRANT USAGE, CREATE ON SCHEMA {schema} TO "{p}migrate";
DO $member$
BEGIN
    IF NOT pg_has_role(current_user, '{p}migrate', 'MEMBER') THEN
        GRANT "{p}migrate" TO CURRENT_USER;
    END IF;
END
$member$;
ALTER TABLE {outrider_meta} OWNER TO "{p}migrate";
ALTER TABLE {outbox_message} OWNER TO "{p}migrate";
ALTER TABLE {outbox_subscription} OWNER TO "{p}migrate";
ALTER TABLE {outbox_cursor} OWNER TO "{p}migrate";
ALTER TABLE {outbox_advance} OWNER TO "{p}migrate";
ALTER TABLE {outbox_delivery} OWNER TO "{p}migrate";
ALTER TABLE {outbox_pause} OWNER TO "{p}migrate";
ALTER TABLE {inbox_consumer} OWNER TO "{p}migrate";
ALTER TABLE {inbox_key} OWNER TO "{p}migrate";
ALTER TABLE {inbox_receipt} OWNER TO "{p}migrate";
ALTER TABLE {inbox_delivery} OWNER TO "{p}migrate";
ALTER TABLE {outrider_route} OWNER TO "{p}migrate";
ALTER TABLE {outrider_process} OWNER TO "{p}migrate";
ALTER TABLE {outrider_audit} OWNER TO "{p}migrate";
ALTER VIEW {outbox_own} OWNER TO "{p}migrate";
ALTER VIEW {outbox_status} OWNER TO "{p}migrate";
