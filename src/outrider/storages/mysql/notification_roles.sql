-- The roles of a service that runs the notifier, on its tables; on what every service has they come beside the others.
-- Nobody but the notifier deletes a record. Source: spec/outbox.md OB-94, spec/notification.md NT-44.
CREATE ROLE IF NOT EXISTS `{p}notify`, `{p}serve`;
GRANT SELECT ON {outrider_meta} TO `{p}notify`;
GRANT SELECT ON {outrider_meta} TO `{p}serve`;
GRANT SELECT, INSERT ON {outrider_audit} TO `{p}serve`;

-- notify: `outrider notify run`. It marks addresses and sets none; what it locks to prune it may touch in one column.
GRANT SELECT, INSERT, UPDATE, DELETE ON {record} TO `{p}notify`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {dedupe} TO `{p}notify`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {attempt} TO `{p}notify`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {digest} TO `{p}notify`;
GRANT SELECT, INSERT, UPDATE ON {destination} TO `{p}notify`;
GRANT SELECT ON {preference} TO `{p}notify`;
GRANT SELECT, UPDATE (state, reason, updated_at) ON {address} TO `{p}notify`;
GRANT SELECT, DELETE, UPDATE (expires_at) ON {request} TO `{p}notify`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {inbox_item} TO `{p}notify`;

-- serve: `outrider notify serve`, and the verbs of a person: requests, settings, the inbox, replays; nothing is pruned.
GRANT SELECT, INSERT, UPDATE ON {record} TO `{p}serve`;
GRANT SELECT, INSERT, UPDATE ON {dedupe} TO `{p}serve`;
GRANT SELECT ON {attempt} TO `{p}serve`;
GRANT SELECT, INSERT, UPDATE ON {digest} TO `{p}serve`;
GRANT SELECT, INSERT, UPDATE ON {destination} TO `{p}serve`;
GRANT SELECT, INSERT, UPDATE ON {preference} TO `{p}serve`;
GRANT SELECT, INSERT, UPDATE ON {request} TO `{p}serve`;
GRANT SELECT, INSERT, UPDATE, DELETE ON {address} TO `{p}serve`;
GRANT SELECT, INSERT, UPDATE ON {inbox_item} TO `{p}serve`;

-- read, and operate by it: no text, no body, no secret
GRANT SELECT ON {dedupe} TO `{p}read`;
GRANT SELECT ON {preference} TO `{p}read`;
GRANT SELECT ON {destination} TO `{p}read`;
GRANT SELECT ON {digest} TO `{p}read`;
GRANT SELECT (
    id, request_id, request_hash, parent_id, step, channel, recipient_id, kind, subject_type, subject_id,
    correlation_id, causation_id, trace_id, dedupe_key, scope_hash, requested_at, deliver_at, expires_at, priority,
    locale, route_json, target_url, fallback_used, status, hold, attempt_count, attempt_no, max_attempts,
    generation, form, content_hash, next_retry_at, ambiguous_since, last_error_code, last_error_class, last_error,
    provider_message_id, destination_key, address_version, digest_id, digest_record_id, lease_owner, lease_until,
    epoch, sent_at, ended_at, created_at, updated_at
) ON {record} TO `{p}read`;
GRANT SELECT (
    record_id, attempt_no, generation, epoch, owner, form, provider_key, destination_key, started_at, finished_at,
    latency_ms, outcome, error_class, code, provider_code, http_status, maybe_done, retry_after_ms, late, message
) ON {attempt} TO `{p}read`;
GRANT SELECT (
    id, recipient_id, channel, enabled, state, reason, settings_json, destination_key, version, last_test_status,
    last_test_error, last_test_at, created_at, updated_at
) ON {address} TO `{p}read`;
GRANT SELECT (
    id, record_id, generation, recipient_id, kind, priority, created_at, read_at, archived_at, expires_at
) ON {inbox_item} TO `{p}read`;
GRANT SELECT (
    request_id, caller, request_hash, response_status, expires_at
) ON {request} TO `{p}read`;

-- migrate: may make and change the tables that are known today
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {record} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {dedupe} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {request} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {attempt} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {address} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {preference} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {destination} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {digest} TO `{p}migrate`;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {inbox_item} TO `{p}migrate`;
