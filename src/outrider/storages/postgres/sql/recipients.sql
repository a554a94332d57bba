-- Addresses, preferences, destinations, digests, the in-app list. Contracts: outrider/notification/store.

-- fragment: an_address
id AS address_id, recipient_id, channel, enabled, state, reason, settings_json, secrets, destination_key, version,
    last_test_status, last_test_error, last_test_at, created_at, updated_at

-- fragment: a_destination
key AS destination_key, channel, label, state, blocked_until, failures, strikes, opens, first_failure_at,
    last_success_at, probe_owner, probe_until, tat_short, tat_minute, reason, version

-- fragment: an_item
id AS item_id, record_id, generation, recipient_id, kind, title, body, action_url, priority, created_at, read_at,
    archived_at, expires_at

-- name: notification_addresses
SELECT {an_address}
FROM {address} WHERE recipient_id = :recipient_id ORDER BY channel

-- many: notification_addresses
SELECT a.*
FROM unnest(CAST(:recipient_id AS text[])) WITH ORDINALITY AS g (whose, place)
CROSS JOIN LATERAL (
    SELECT {an_address}
    FROM {address} WHERE recipient_id = g.whose
    OFFSET 0
) AS a
ORDER BY g.place, a.channel

-- name: read_notification_address
SELECT {an_address}
FROM {address} WHERE recipient_id = :recipient_id AND channel = :channel

-- many: read_notification_address
-- OFFSET keeps each of them a look at the index.
SELECT a.*
FROM unnest(CAST(:recipient_id AS text[]), CAST(:channel AS text[])) WITH ORDINALITY AS g (whose, wanted, place)
CROSS JOIN LATERAL (
    SELECT {an_address}
    FROM {address} WHERE recipient_id = g.whose AND channel = g.wanted
    OFFSET 0
) AS a
ORDER BY g.place

-- name: lock_notification_address
SELECT {an_address}
FROM {address} WHERE recipient_id = :recipient_id AND channel = :channel
FOR UPDATE

-- name: insert_notification_address
INSERT INTO {address} (
    id, recipient_id, channel, enabled, settings_json, secrets, destination_key, created_at, updated_at
) VALUES (
    :id, :recipient_id, :channel, :enabled, :settings_json, :secrets, :destination_key, clock_timestamp(),
    clock_timestamp()
)
ON CONFLICT (recipient_id, channel) DO NOTHING

-- name: update_notification_address
UPDATE {address} SET
    enabled = :enabled, settings_json = :settings_json, secrets = :secrets, destination_key = :destination_key, state = 'ok',
    reason = NULL, version = version + 1, updated_at = clock_timestamp()
WHERE recipient_id = :recipient_id AND channel = :channel

-- name: delete_notification_address
DELETE FROM {address} WHERE recipient_id = :recipient_id AND channel = :channel

-- name: note_notification_test
UPDATE {address} SET last_test_status = :status, last_test_error = :error, last_test_at = clock_timestamp()
WHERE recipient_id = :recipient_id AND channel = :channel

-- name: mark_notification_address
UPDATE {address} SET state = :state, reason = :reason, updated_at = clock_timestamp()
WHERE recipient_id = :recipient_id AND channel = :channel

-- name: addresses_of_destination
SELECT recipient_id FROM {address} WHERE destination_key = :destination_key ORDER BY recipient_id LIMIT :limit

-- name: secret_addresses
SELECT {an_address}
FROM {address} WHERE id > :behind AND secrets IS NOT NULL
ORDER BY id LIMIT :limit
FOR UPDATE

-- name: write_notification_secrets
UPDATE {address} SET secrets = :secrets WHERE id = :id

-- name: count_plain_secrets
SELECT count(*) FROM {address} WHERE secrets LIKE '%":"plain:%'

-- name: read_notification_preference
SELECT p.recipient_id, p.zone, p.locale, p.quiet_json, p.order_json, p.muted_json, p.version, p.updated_at,
    clock_timestamp() AS clock_at
FROM (SELECT 1 AS one) AS o LEFT JOIN {preference} AS p ON p.recipient_id = :recipient_id

-- many: read_notification_preference
SELECT p.recipient_id, p.zone, p.locale, p.quiet_json, p.order_json, p.muted_json, p.version, p.updated_at,
    clock_timestamp() AS clock_at
FROM unnest(CAST(:recipient_id AS text[])) WITH ORDINALITY AS g (whose, place)
LEFT JOIN LATERAL (SELECT * FROM {preference} WHERE recipient_id = g.whose OFFSET 0) AS p ON true
ORDER BY g.place

-- name: write_notification_preference
INSERT INTO {preference} AS p (
    recipient_id, zone, locale, quiet_json, order_json, muted_json, updated_at
) VALUES (
    :recipient_id, :zone, :locale, :quiet_json, :order_json, :muted_json, clock_timestamp()
)
ON CONFLICT (recipient_id) DO UPDATE SET
    zone = excluded.zone, locale = excluded.locale, quiet_json = excluded.quiet_json,
    order_json = excluded.order_json, muted_json = excluded.muted_json,
    version = p.version + 1, updated_at = excluded.updated_at

-- name: read_destinations
SELECT {a_destination}
FROM {destination} WHERE key = :key

-- many: read_destinations
SELECT d.*
FROM unnest(CAST(:key AS bytea[])) WITH ORDINALITY AS g (wanted, place)
CROSS JOIN LATERAL (
    SELECT {a_destination}
    FROM {destination} WHERE key = g.wanted
    OFFSET 0
) AS d
ORDER BY g.place

-- name: lock_destinations
SELECT {a_destination}
FROM {destination} WHERE key = :key
FOR UPDATE

-- many: lock_destinations
SELECT d.*
FROM unnest(CAST(:key AS bytea[])) WITH ORDINALITY AS g (wanted, place)
CROSS JOIN LATERAL (
    SELECT {a_destination}
    FROM {destination} WHERE key = g.wanted
    FOR UPDATE
) AS d
ORDER BY g.place

-- name: insert_destination
INSERT INTO {destination} (key, channel, label) VALUES (:key, :channel, :label)
ON CONFLICT (key) DO NOTHING

-- name: write_destination
UPDATE {destination} SET
    state = :state, blocked_until = :blocked_until, failures = :failures, strikes = :strikes, opens = :opens,
    first_failure_at = :first_failure_at, last_success_at = :last_success_at, probe_owner = :probe_owner,
    probe_until = :probe_until, tat_short = :tat_short, tat_minute = :tat_minute, reason = :reason, version = :version
WHERE key = :key

-- many: write_destination
UPDATE {destination} AS d SET
    state = g.state, blocked_until = g.blocked_until, failures = g.failures, strikes = g.strikes, opens = g.opens,
    first_failure_at = g.first_failure_at, last_success_at = g.last_success_at, probe_owner = g.probe_owner,
    probe_until = g.probe_until, tat_short = g.tat_short, tat_minute = g.tat_minute, reason = g.reason,
    version = g.version
FROM unnest(
    CAST(:key AS bytea[]), CAST(:state AS text[]), CAST(:blocked_until AS timestamptz[]),
    CAST(:failures AS integer[]), CAST(:strikes AS integer[]), CAST(:opens AS integer[]),
    CAST(:first_failure_at AS timestamptz[]), CAST(:last_success_at AS timestamptz[]), CAST(:probe_owner AS text[]),
    CAST(:probe_until AS timestamptz[]), CAST(:tat_short AS bigint[]), CAST(:tat_minute AS bigint[]),
    CAST(:reason AS text[]), CAST(:version AS bigint[])
) WITH ORDINALITY AS g (
    key, state, blocked_until, failures, strikes, opens, first_failure_at, last_success_at, probe_owner, probe_until,
    tat_short, tat_minute, reason, version, place
)
WHERE d.key = g.key AND {few}

-- name: list_destinations
SELECT {a_destination}
FROM {destination}
ORDER BY CASE state WHEN 'disabled' THEN 0 WHEN 'open' THEN 1 WHEN 'half_open' THEN 2 WHEN 'paused' THEN 3 ELSE 4 END, key
LIMIT :limit

-- name: open_digest
SELECT id AS digest_id, closes_at FROM {digest}
WHERE channel = :channel AND recipient_id = :recipient_id AND kind = :kind AND open_flag = 1
FOR UPDATE

-- name: insert_digest
INSERT INTO {digest} (id, channel, recipient_id, kind, opened_at, closes_at)
VALUES (:id, :channel, :recipient_id, :kind, clock_timestamp(), :closes_at)
ON CONFLICT (channel, recipient_id, kind, open_flag) DO NOTHING

-- name: lock_digest
SELECT open_flag FROM {digest} WHERE id = :id
FOR UPDATE

-- name: close_digest
UPDATE {digest} SET open_flag = NULL, record_id = :record_id WHERE id = :id

-- name: open_digests
SELECT id AS digest_id, recipient_id FROM {digest}
WHERE open_flag = 1 AND (CAST(:behind AS uuid) IS NULL OR id > :behind)
    AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    AND (CAST(:recipient_id AS text) IS NULL OR recipient_id = :recipient_id)
    AND (CAST(:kind AS text) IS NULL OR kind = :kind)
ORDER BY id LIMIT :limit

-- name: insert_inbox_item
INSERT INTO {inbox_item} (
    id, record_id, generation, recipient_id, kind, title, body, action_url, priority, expires_at, created_at
) VALUES (
    :id, :record_id, :generation, :recipient_id, :kind, :title, :body, :action_url, :priority, :expires_at,
    clock_timestamp()
)
ON CONFLICT (record_id, generation) DO NOTHING

-- many: insert_inbox_item
INSERT INTO {inbox_item} (
    id, record_id, generation, recipient_id, kind, title, body, action_url, priority, expires_at, created_at
)
SELECT g.*, clock_timestamp()
FROM unnest(
    CAST(:id AS uuid[]), CAST(:record_id AS uuid[]), CAST(:generation AS integer[]), CAST(:recipient_id AS text[]),
    CAST(:kind AS text[]), CAST(:title AS text[]), CAST(:body AS text[]), CAST(:action_url AS text[]),
    CAST(:priority AS smallint[]), CAST(:expires_at AS timestamptz[])
) AS g
ON CONFLICT (record_id, generation) DO NOTHING

-- name: list_inbox_items
SELECT {an_item}
FROM {inbox_item}
WHERE recipient_id = :recipient_id AND archived_at IS NULL AND id < :before AND (NOT CAST(:unread AS boolean) OR read_at IS NULL)
ORDER BY id DESC LIMIT :limit

-- name: count_unread_inbox
SELECT count(*) FROM {inbox_item}
WHERE recipient_id = :recipient_id AND archived_at IS NULL AND read_at IS NULL

-- name: has_inbox_item
SELECT count(*) FROM {inbox_item} WHERE id = :id AND recipient_id = :recipient_id

-- name: read_inbox_item
UPDATE {inbox_item} SET read_at = coalesce(read_at, clock_timestamp()) WHERE id = :id AND recipient_id = :recipient_id

-- name: archive_inbox_item
UPDATE {inbox_item} SET archived_at = coalesce(archived_at, clock_timestamp())
WHERE id = :id AND recipient_id = :recipient_id

-- name: read_inbox
UPDATE {inbox_item} SET read_at = clock_timestamp()
WHERE recipient_id = :recipient_id AND archived_at IS NULL AND read_at IS NULL
