-- Records of notifications, their scopes and attempts. Contracts: outrider/notification/store.

-- fragment: a_record
id AS record_id, request_id, request_hash, parent_id, step, channel, recipient_id, kind, subject_type, subject_id,
    correlation_id, causation_id, trace_id, dedupe_key, scope_hash, requested_at, deliver_at, expires_at, priority,
    locale, route_json, target_url, title, summary_text, fallback_text, fallback_used, data_json, status, hold,
    attempt_count, attempt_no, max_attempts, generation, form, content_json, content_hash, next_retry_at, ambiguous_since,
    last_error_code, last_error_class, last_error, provider_message_id, destination_key, address_version, digest_id,
    digest_record_id, lease_owner, lease_until, epoch, sent_at, ended_at, created_at, updated_at

-- fragment: an_attempt
record_id, attempt_no, generation, epoch, owner, form, provider_key, destination_key, started_at, finished_at,
    latency_ms, outcome, error_class, code, provider_code, http_status, maybe_done, retry_after_ms, late, request_json,
    response_json, message

-- fragment: few
-- True of every place. The planner takes it for rare: a plan that was made while the table was empty goes by the index.
g.place BETWEEN 1 AND 1000000

-- fragment: that_match
(CAST(:status AS text) IS NULL OR status = :status)
    AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    AND (CAST(:kind AS text) IS NULL OR kind = :kind)
    AND (CAST(:code AS text) IS NULL OR last_error_code = :code)
    AND (CAST(:error_class AS text) IS NULL OR last_error_class = :error_class)
    AND (CAST(:recipient_id AS text) IS NULL OR recipient_id = :recipient_id)
    AND (CAST(:dedupe_key AS text) IS NULL OR dedupe_key = :dedupe_key)
    AND (CAST(:correlation_id AS text) IS NULL OR correlation_id = :correlation_id)
    AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR created_at < :until)

-- name: notification_clock
SELECT clock_timestamp() AS at

-- name: insert_notification
INSERT INTO {record} (
    id, request_id, request_hash, parent_id, step, channel, recipient_id, kind, subject_type, subject_id,
    correlation_id, causation_id, trace_id, dedupe_key, scope_hash, requested_at, deliver_at, expires_at, priority,
    locale, route_json, target_url, title, summary_text, fallback_text, fallback_used, data_json, status, hold,
    max_attempts, next_retry_at, last_error_code, last_error_class, destination_key, digest_id, sent_at, ended_at,
    created_at, updated_at
) VALUES (
    :id, :request_id, :request_hash, :parent_id, :step, :channel, :recipient_id, :kind, :subject_type, :subject_id,
    :correlation_id, :causation_id, :trace_id, :dedupe_key, :scope_hash, :requested_at, :deliver_at, :expires_at,
    :priority, :locale, :route_json, :target_url, :title, :summary_text, :fallback_text, :fallback_used, :data_json,
    :status, :hold, :max_attempts, :next_retry_at, :last_error_code, :last_error_class, :destination_key, :digest_id,
    :sent_at, :ended_at, clock_timestamp(), clock_timestamp()
)
ON CONFLICT (request_id, channel) DO NOTHING
RETURNING id AS record_id

-- many: insert_notification
INSERT INTO {record} (
    id, request_id, request_hash, parent_id, step, channel, recipient_id, kind, subject_type, subject_id,
    correlation_id, causation_id, trace_id, dedupe_key, scope_hash, requested_at, deliver_at, expires_at, priority,
    locale, route_json, target_url, title, summary_text, fallback_text, fallback_used, data_json, status, hold,
    max_attempts, next_retry_at, last_error_code, last_error_class, destination_key, digest_id, sent_at, ended_at,
    created_at, updated_at
)
SELECT g.*, clock_timestamp(), clock_timestamp()
FROM unnest(
    CAST(:id AS uuid[]), CAST(:request_id AS uuid[]), CAST(:request_hash AS bytea[]), CAST(:parent_id AS uuid[]),
    CAST(:step AS smallint[]), CAST(:channel AS text[]), CAST(:recipient_id AS text[]), CAST(:kind AS text[]),
    CAST(:subject_type AS text[]), CAST(:subject_id AS text[]), CAST(:correlation_id AS text[]),
    CAST(:causation_id AS text[]), CAST(:trace_id AS text[]), CAST(:dedupe_key AS text[]),
    CAST(:scope_hash AS bytea[]), CAST(:requested_at AS timestamptz[]), CAST(:deliver_at AS timestamptz[]),
    CAST(:expires_at AS timestamptz[]), CAST(:priority AS smallint[]), CAST(:locale AS text[]),
    CAST(:route_json AS text[]), CAST(:target_url AS text[]), CAST(:title AS text[]), CAST(:summary_text AS text[]),
    CAST(:fallback_text AS text[]), CAST(:fallback_used AS boolean[]), CAST(:data_json AS text[]),
    CAST(:status AS text[]), CAST(:hold AS text[]), CAST(:max_attempts AS integer[]),
    CAST(:next_retry_at AS timestamptz[]), CAST(:last_error_code AS text[]), CAST(:last_error_class AS text[]),
    CAST(:destination_key AS bytea[]), CAST(:digest_id AS uuid[]), CAST(:sent_at AS timestamptz[]),
    CAST(:ended_at AS timestamptz[])
) AS g
ON CONFLICT (request_id, channel) DO NOTHING
RETURNING id AS record_id

-- name: read_notification
SELECT {a_record}
FROM {record} WHERE id = :id

-- name: lock_notification
SELECT {a_record}, clock_timestamp() AS clock_at
FROM {record} WHERE id = :id
FOR UPDATE

-- many: lock_notification
SELECT r.*, clock_timestamp() AS clock_at
FROM unnest(CAST(:id AS uuid[])) WITH ORDINALITY AS g (wanted, place)
CROSS JOIN LATERAL (
    SELECT {a_record}
    FROM {record} WHERE id = g.wanted
    FOR UPDATE
) AS r
ORDER BY g.place

-- name: write_notification
UPDATE {record} SET
    status = :status, hold = :hold, attempt_count = :attempt_count, attempt_no = :attempt_no,
    max_attempts = :max_attempts, generation = :generation, form = :form, content_json = :content_json,
    content_hash = :content_hash, next_retry_at = :next_retry_at, ambiguous_since = :ambiguous_since,
    last_error_code = :last_error_code, last_error_class = :last_error_class, last_error = :last_error,
    provider_message_id = :provider_message_id, destination_key = :destination_key,
    address_version = :address_version, digest_id = :digest_id, digest_record_id = :digest_record_id,
    lease_owner = :lease_owner, lease_until = :lease_until, epoch = :epoch, sent_at = :sent_at, ended_at = :ended_at,
    updated_at = clock_timestamp()
WHERE id = :id AND epoch = :known_epoch

-- many: write_notification
UPDATE {record} AS r SET
    status = g.status, hold = g.hold, attempt_count = g.attempt_count, attempt_no = g.attempt_no,
    max_attempts = g.max_attempts, generation = g.generation, form = g.form, content_json = g.content_json,
    content_hash = g.content_hash, next_retry_at = g.next_retry_at, ambiguous_since = g.ambiguous_since,
    last_error_code = g.last_error_code, last_error_class = g.last_error_class, last_error = g.last_error,
    provider_message_id = g.provider_message_id, destination_key = g.destination_key,
    address_version = g.address_version, digest_id = g.digest_id, digest_record_id = g.digest_record_id,
    lease_owner = g.lease_owner, lease_until = g.lease_until, epoch = g.epoch, sent_at = g.sent_at,
    ended_at = g.ended_at, updated_at = clock_timestamp()
FROM unnest(
    CAST(:id AS uuid[]), CAST(:known_epoch AS bigint[]), CAST(:status AS text[]), CAST(:hold AS text[]),
    CAST(:attempt_count AS integer[]), CAST(:attempt_no AS integer[]), CAST(:max_attempts AS integer[]),
    CAST(:generation AS integer[]), CAST(:form AS text[]), CAST(:content_json AS text[]),
    CAST(:content_hash AS bytea[]), CAST(:next_retry_at AS timestamptz[]), CAST(:ambiguous_since AS timestamptz[]),
    CAST(:last_error_code AS text[]), CAST(:last_error_class AS text[]), CAST(:last_error AS text[]),
    CAST(:provider_message_id AS text[]), CAST(:destination_key AS bytea[]), CAST(:address_version AS bigint[]),
    CAST(:digest_id AS uuid[]), CAST(:digest_record_id AS uuid[]), CAST(:lease_owner AS text[]),
    CAST(:lease_until AS timestamptz[]), CAST(:epoch AS bigint[]), CAST(:sent_at AS timestamptz[]),
    CAST(:ended_at AS timestamptz[])
) WITH ORDINALITY AS g (
    id, known_epoch, status, hold, attempt_count, attempt_no, max_attempts, generation, form, content_json,
    content_hash, next_retry_at, ambiguous_since, last_error_code, last_error_class, last_error, provider_message_id,
    destination_key, address_version, digest_id, digest_record_id, lease_owner, lease_until, epoch, sent_at, ended_at,
    place
)
WHERE r.id = g.id AND r.epoch = g.known_epoch AND {few}

-- name: date_notification
UPDATE {record} SET next_retry_at = :next_retry_at, hold = :hold, updated_at = clock_timestamp()
WHERE id = :id AND epoch = :known_epoch

-- many: date_notification
UPDATE {record} AS r SET
    next_retry_at = g.next_retry_at, hold = g.hold, updated_at = clock_timestamp()
FROM unnest(
    CAST(:id AS uuid[]), CAST(:known_epoch AS bigint[]), CAST(:next_retry_at AS timestamptz[]), CAST(:hold AS text[])
) WITH ORDINALITY AS g (
    id, known_epoch, next_retry_at, hold, place
)
WHERE r.id = g.id AND r.epoch = g.known_epoch AND {few}

-- name: extend_notification
UPDATE {record} SET expires_at = :expires_at WHERE id = :id

-- name: renew_notification
UPDATE {record} SET
    request_hash = :request_hash, expires_at = :expires_at, locale = :locale, target_url = :target_url,
    title = :title, summary_text = :summary_text, fallback_text = :fallback_text, fallback_used = :fallback_used,
    data_json = :data_json,
    updated_at = clock_timestamp()
WHERE id = :id AND (status = 'skipped' OR (status IN ('pending', 'failed') AND attempt_no = 0))

-- name: notifications_of_request
SELECT {a_record}
FROM {record} WHERE request_id = :request_id ORDER BY created_at, id

-- name: find_notifications
SELECT {a_record}
FROM {record} WHERE channel = :channel AND dedupe_key = :dedupe_key
ORDER BY created_at DESC, id DESC LIMIT :limit

-- name: list_notifications
SELECT {a_record}
FROM {record}
WHERE (CAST(:before AS uuid) IS NULL OR id < :before) AND {that_match}
ORDER BY id DESC LIMIT :limit

-- name: matching_notifications
SELECT {a_record}
FROM {record}
WHERE (CAST(:behind AS uuid) IS NULL OR id > :behind) AND {that_match}
ORDER BY id LIMIT :limit

-- name: unbegun_fallbacks
SELECT {a_record}
FROM {record} WHERE request_id = :request_id AND parent_id = :parent_id
    AND status IN ('pending', 'failed') AND attempt_no = 0
ORDER BY id
FOR UPDATE

-- name: due_notifications
-- Each state is read along its index, as far as is asked for: a backlog is never sorted (NT-9).
-- The clock stands in a subselect, or no index would be searched by it.
SELECT d.*, clock_timestamp() AS clock_at
FROM (VALUES ('pending'), ('failed')) AS s (waiting)
CROSS JOIN LATERAL (
    SELECT {a_record}
    FROM {record}
    WHERE status IN ('pending', 'failed') AND status = s.waiting AND priority = :priority
        AND next_retry_at <= (SELECT clock_timestamp()) AND (lease_until IS NULL OR lease_until <= (SELECT clock_timestamp()))
    ORDER BY next_retry_at, id LIMIT :limit
    FOR UPDATE SKIP LOCKED
) AS d
ORDER BY d.next_retry_at, d.record_id LIMIT :limit

-- many: due_notifications
-- The same for one priority after the other.
SELECT d.*, clock_timestamp() AS clock_at
FROM unnest(CAST(:priority AS smallint[]), CAST(:limit AS integer[])) WITH ORDINALITY AS g (wanted, most, place)
CROSS JOIN LATERAL (
    SELECT e.*
    FROM (VALUES ('pending'), ('failed')) AS s (waiting)
    CROSS JOIN LATERAL (
        SELECT {a_record}
        FROM {record}
        WHERE status IN ('pending', 'failed') AND status = s.waiting AND priority = g.wanted
            AND next_retry_at <= (SELECT clock_timestamp())
            AND (lease_until IS NULL OR lease_until <= (SELECT clock_timestamp()))
        ORDER BY next_retry_at, id LIMIT g.most
        FOR UPDATE SKIP LOCKED
    ) AS e
    ORDER BY e.next_retry_at, e.record_id LIMIT g.most
) AS d
ORDER BY g.place, d.next_retry_at, d.record_id

-- name: next_due_notification
-- The first of each state and priority along their index; what is due already is whoever's who takes it.
SELECT min(n.next_retry_at) AS due_at, clock_timestamp() AS clock_at
FROM (VALUES ('pending'), ('failed')) AS s (waiting)
CROSS JOIN (VALUES (0), (1), (2)) AS p (wanted)
CROSS JOIN LATERAL (
    SELECT next_retry_at
    FROM {record}
    WHERE status IN ('pending', 'failed') AND status = s.waiting AND priority = p.wanted
        AND next_retry_at > (SELECT clock_timestamp())
    ORDER BY next_retry_at LIMIT 1
) AS n

-- name: expired_sendings
SELECT {a_record}, clock_timestamp() AS clock_at
FROM {record} WHERE status = 'sending' AND lease_until <= (SELECT clock_timestamp())
ORDER BY lease_until, id LIMIT :limit
FOR UPDATE SKIP LOCKED

-- name: waiting_of_destination
-- The earliest due, along the index of each state: what waits in all is never sorted.
SELECT d.*
FROM (VALUES ('pending'), ('failed')) AS s (waiting)
CROSS JOIN LATERAL (
    SELECT {a_record}
    FROM {record}
    WHERE destination_key = :destination_key AND status = s.waiting
        AND next_retry_at > :after AND next_retry_at <= :before
        AND (lease_until IS NULL OR lease_until <= (SELECT clock_timestamp()))
    ORDER BY next_retry_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
) AS d
ORDER BY d.next_retry_at, d.record_id LIMIT :limit

-- name: last_turn_of_destination
-- Backwards along the index of each state, past the few that something else holds.
SELECT max(d.next_retry_at) AS due_at
FROM (VALUES ('pending'), ('failed')) AS s (waiting)
CROSS JOIN LATERAL (
    SELECT next_retry_at
    FROM {record}
    WHERE destination_key = :destination_key AND status = s.waiting AND next_retry_at > :after AND next_retry_at <= :until
        AND hold IN ('rate', 'breaker', 'paused')
    ORDER BY next_retry_at DESC LIMIT 1
) AS d

-- name: skipped_notifications
-- The few that ended lately are looked at, never all ids from there on: the order is written so that no planner does.
SELECT {a_record}, clock_timestamp() AS clock_at
FROM {record}
WHERE status = 'skipped' AND id > :behind AND ended_at > :since
ORDER BY CAST(id AS text) COLLATE "C" LIMIT :limit
FOR UPDATE SKIP LOCKED

-- name: unknown_notifications
-- As skipped_notifications, and locks nothing: a provider is asked meanwhile.
SELECT {a_record}
FROM {record}
WHERE status = 'unknown' AND channel = :channel AND id > :behind AND ended_at > :since
ORDER BY CAST(id AS text) COLLATE "C" LIMIT :limit

-- name: notification_owners
SELECT DISTINCT lease_owner
FROM {record}
WHERE status IN ('sending', 'pending', 'failed') AND lease_until > (SELECT clock_timestamp())

-- name: end_notification_leases
UPDATE {record} SET lease_until = clock_timestamp()
WHERE status IN ('sending', 'pending', 'failed') AND lease_until > (SELECT clock_timestamp()) AND lease_owner = :owner

-- name: digest_members
SELECT {a_record}
FROM {record}
WHERE recipient_id = :recipient_id AND digest_id = :digest_id AND status = 'pending'
ORDER BY id LIMIT :limit
FOR UPDATE

-- name: merged_notifications
SELECT {a_record}
FROM {record} WHERE recipient_id = :recipient_id AND digest_record_id = :record_id
ORDER BY created_at, id LIMIT :limit

-- name: take_notification_scope
INSERT INTO {dedupe} AS d (scope_hash, record_id, expires_at) VALUES (:scope_hash, :record_id, :expires_at)
ON CONFLICT (scope_hash) DO UPDATE SET duplicates = d.duplicates
RETURNING scope_hash, record_id, expires_at

-- many: take_notification_scope
INSERT INTO {dedupe} AS d (scope_hash, record_id, expires_at)
SELECT * FROM unnest(CAST(:scope_hash AS bytea[]), CAST(:record_id AS uuid[]), CAST(:expires_at AS timestamptz[]))
ON CONFLICT (scope_hash) DO UPDATE SET duplicates = d.duplicates
RETURNING scope_hash, record_id, expires_at

-- name: read_scope_holder
SELECT {a_record}
FROM {record} WHERE id = :id

-- name: read_request_holder
SELECT {a_record}
FROM {record} WHERE request_id = :request_id AND channel = :channel

-- name: pass_notification_scope
UPDATE {dedupe} SET record_id = :record_id, expires_at = :expires_at, duplicates = 0, last_duplicate_at = NULL
WHERE scope_hash = :scope_hash

-- name: count_notification_duplicate
UPDATE {dedupe} SET duplicates = duplicates + 1, last_duplicate_at = clock_timestamp() WHERE scope_hash = :scope_hash

-- name: read_notification_scope
SELECT record_id, expires_at, duplicates, last_duplicate_at FROM {dedupe} WHERE scope_hash = :scope_hash

-- name: insert_notification_attempt
INSERT INTO {attempt} (
    record_id, attempt_no, generation, epoch, owner, form, provider_key, destination_key, started_at
) VALUES (
    :record_id, :attempt_no, :generation, :epoch, :owner, :form, :provider_key, :destination_key, :started_at
)

-- many: insert_notification_attempt
INSERT INTO {attempt} (
    record_id, attempt_no, generation, epoch, owner, form, provider_key, destination_key, started_at
)
SELECT * FROM unnest(
    CAST(:record_id AS uuid[]), CAST(:attempt_no AS integer[]), CAST(:generation AS integer[]), CAST(:epoch AS bigint[]),
    CAST(:owner AS text[]), CAST(:form AS text[]), CAST(:provider_key AS text[]), CAST(:destination_key AS bytea[]),
    CAST(:started_at AS timestamptz[])
)

-- name: lock_notification_attempt
SELECT {an_attempt}
FROM {attempt} WHERE record_id = :record_id AND attempt_no = :attempt_no
FOR UPDATE

-- many: lock_notification_attempt
SELECT a.*
FROM unnest(CAST(:record_id AS uuid[]), CAST(:attempt_no AS integer[])) WITH ORDINALITY AS g (wanted, number, place)
CROSS JOIN LATERAL (
    SELECT {an_attempt}
    FROM {attempt} WHERE record_id = g.wanted AND attempt_no = g.number
    FOR UPDATE
) AS a
ORDER BY g.place

-- name: finish_notification_attempt
UPDATE {attempt} SET
    finished_at = :finished_at, latency_ms = :latency_ms, outcome = :outcome, error_class = :error_class,
    code = :code, provider_code = :provider_code, http_status = :http_status, maybe_done = :maybe_done,
    retry_after_ms = :retry_after_ms, late = :late, request_json = :request_json, response_json = :response_json,
    message = :message
WHERE record_id = :record_id AND attempt_no = :attempt_no AND finished_at IS NULL

-- many: finish_notification_attempt
-- What is open is asked of each that was found, not of the table, or an empty one would be read from end to end.
UPDATE {attempt} AS a SET
    finished_at = g.finished_at, latency_ms = g.latency_ms, outcome = g.outcome, error_class = g.error_class,
    code = g.code, provider_code = g.provider_code, http_status = g.http_status, maybe_done = g.maybe_done,
    retry_after_ms = g.retry_after_ms, late = g.late, request_json = g.request_json, response_json = g.response_json,
    message = g.message
FROM unnest(
    CAST(:record_id AS uuid[]), CAST(:attempt_no AS integer[]), CAST(:finished_at AS timestamptz[]),
    CAST(:latency_ms AS integer[]), CAST(:outcome AS text[]), CAST(:error_class AS text[]), CAST(:code AS text[]),
    CAST(:provider_code AS text[]), CAST(:http_status AS smallint[]), CAST(:maybe_done AS boolean[]),
    CAST(:retry_after_ms AS bigint[]), CAST(:late AS boolean[]), CAST(:request_json AS text[]),
    CAST(:response_json AS text[]), CAST(:message AS text[])
) WITH ORDINALITY AS g (
    record_id, attempt_no, finished_at, latency_ms, outcome, error_class, code, provider_code, http_status,
    maybe_done, retry_after_ms, late, request_json, response_json, message, place
)
WHERE a.record_id = g.record_id AND a.attempt_no = g.attempt_no AND (a.finished_at IS NULL) = (g.place > 0) AND {few}

-- name: notification_attempts
SELECT {an_attempt}
FROM {attempt} WHERE record_id = :record_id ORDER BY attempt_no

-- name: count_ambiguous_attempts
SELECT count(*) FROM {attempt}
WHERE record_id = :record_id AND generation = :generation AND attempt_no < :attempt_no AND maybe_done

-- name: take_notification_answer
INSERT INTO {request} AS r (request_id, caller, request_hash, response_status, response_json, expires_at)
VALUES (:request_id, :caller, :request_hash, 0, '', :expires_at)
ON CONFLICT (request_id) DO UPDATE SET response_status = r.response_status
RETURNING request_hash, response_status, response_json, expires_at, clock_timestamp() AS clock_at

-- name: write_notification_answer
UPDATE {request} SET
    caller = :caller, request_hash = :request_hash, response_status = :response_status, response_json = :response_json,
    expires_at = :expires_at
WHERE request_id = :request_id
