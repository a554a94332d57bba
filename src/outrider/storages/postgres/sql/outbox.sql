-- What an outbox does in the caller's transaction. JSON goes in as text, cast twice, so that no codec of the caller's
-- connection touches it. Source: spec/outbox.md OB-8 to OB-11, OB-99.

-- name: add_new_message
-- Its id was made for it a moment ago, so nothing can be there: without ON CONFLICT the insert costs a seventh less.
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id
) VALUES (
    :message_id, :type, :version, :topic, :message_key, :key_hash, :subject, :payload, :content_type,
    CAST(CAST(:headers AS text) AS jsonb), :deliver_at, :max_retry, CAST(CAST(:trace AS text) AS jsonb),
    :correlation_id, :causation_id
) RETURNING id

-- name: add_plain_message
-- As `add_new_message`, for one with its key as subject and no headers, due time, trace or correlation: a third less to send.
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, max_retry
) VALUES (
    :message_id, :type, :version, :topic, :message_key, :key_hash, :message_key, :payload, :content_type, :max_retry
) RETURNING id

-- name: add_message
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id
) VALUES (
    :message_id, :type, :version, :topic, :message_key, :key_hash, :subject, :payload, :content_type,
    CAST(CAST(:headers AS text) AS jsonb), :deliver_at, :max_retry, CAST(CAST(:trace AS text) AS jsonb),
    :correlation_id, :causation_id
) ON CONFLICT (message_id) DO NOTHING
RETURNING id

-- name: add_messages
-- One message a place in the arrays, ids rising in their order. A column that is NULL for every message is a NULL array,
-- one that is the same for every message a NULL array and a value. Nothing is written if any of them conflicts with a
-- message of other content that is there already.
WITH given AS MATERIALIZED (
    SELECT
        given.ord, given.message_id, coalesce(given.type, CAST(:one_type AS text)) AS type,
        coalesce(given.version, CAST(:one_version AS smallint)) AS version,
        coalesce(given.topic, CAST(:one_topic AS text)) AS topic,
        given.message_key, given.key_hash,
        CASE WHEN CAST(:own_subjects AS boolean) THEN given.subject ELSE given.message_key END AS subject,
        given.payload, coalesce(given.content_type, CAST(:one_content_type AS text)) AS content_type,
        CAST(given.headers AS jsonb) AS headers, given.deliver_at,
        coalesce(given.max_retry, CAST(:one_max_retry AS smallint)) AS max_retry,
        CAST(given.trace AS jsonb) AS trace, given.correlation_id, given.causation_id
    FROM unnest(
        CAST(:message_ids AS uuid[]), CAST(:types AS text[]), CAST(:versions AS smallint[]), CAST(:topics AS text[]),
        CAST(:message_keys AS text[]), CAST(:key_hashes AS integer[]), CAST(:subjects AS text[]),
        CAST(:payloads AS bytea[]), CAST(:content_types AS text[]), CAST(:headers AS text[]),
        CAST(:deliver_ats AS timestamptz[]), CAST(:max_retries AS smallint[]), CAST(:traces AS text[]),
        CAST(:correlation_ids AS text[]), CAST(:causation_ids AS text[])
    ) WITH ORDINALITY AS given (
        message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
        max_retry, trace, correlation_id, causation_id, ord
    )
)
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id
)
SELECT
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id
FROM given
WHERE NOT EXISTS (
    SELECT FROM given AS mine JOIN {outbox_message} AS stored ON stored.message_id = mine.message_id
    WHERE (stored.type, stored.version, stored.topic, stored.message_key, stored.payload)
        IS DISTINCT FROM (mine.type, mine.version, mine.topic, mine.message_key, mine.payload)
)
ORDER BY ord
ON CONFLICT (message_id) DO NOTHING
RETURNING message_id, id

-- name: add_new_messages
-- As `add_messages`, for messages whose ids were made for them a moment ago.
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id
)
SELECT
    given.message_id, coalesce(given.type, CAST(:one_type AS text)),
    coalesce(given.version, CAST(:one_version AS smallint)),
    coalesce(given.topic, CAST(:one_topic AS text)),
    given.message_key, given.key_hash,
    CASE WHEN CAST(:own_subjects AS boolean) THEN given.subject ELSE given.message_key END,
    given.payload, coalesce(given.content_type, CAST(:one_content_type AS text)),
    CAST(given.headers AS jsonb), given.deliver_at,
    coalesce(given.max_retry, CAST(:one_max_retry AS smallint)),
    CAST(given.trace AS jsonb), given.correlation_id, given.causation_id
FROM unnest(
    CAST(:message_ids AS uuid[]), CAST(:types AS text[]), CAST(:versions AS smallint[]), CAST(:topics AS text[]),
    CAST(:message_keys AS text[]), CAST(:key_hashes AS integer[]), CAST(:subjects AS text[]),
    CAST(:payloads AS bytea[]), CAST(:content_types AS text[]), CAST(:headers AS text[]),
    CAST(:deliver_ats AS timestamptz[]), CAST(:max_retries AS smallint[]), CAST(:traces AS text[]),
    CAST(:correlation_ids AS text[]), CAST(:causation_ids AS text[])
) WITH ORDINALITY AS given (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id, ord
)
ORDER BY given.ord
RETURNING message_id, id

-- name: stored_messages
SELECT message_id, id, type, version, topic, message_key, payload
FROM {outbox_message}
WHERE message_id = ANY(CAST(:message_ids AS uuid[]))

-- name: withdraw_messages
DELETE FROM {outbox_own} WHERE id = ANY(CAST(:log_ids AS bigint[]))

-- name: get_message
SELECT
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type,
    CAST(headers AS text) AS headers, deliver_at, max_retry, CAST(trace AS text) AS trace, correlation_id,
    causation_id, id, created_at
FROM {outbox_message}
WHERE message_id = :message_id

-- name: get_message_at
SELECT
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type,
    CAST(headers AS text) AS headers, deliver_at, max_retry, CAST(trace AS text) AS trace, correlation_id,
    causation_id, id, created_at
FROM {outbox_message}
WHERE id = :log_id

-- name: tables_exist
SELECT to_regclass('{outrider_meta}') IS NOT NULL AND to_regclass('{outbox_message}') IS NOT NULL AS tables_exist

-- name: read_route_hashes
SELECT type, hash FROM {outrider_route}

-- name: read_meta
SELECT name, value FROM {outrider_meta}
