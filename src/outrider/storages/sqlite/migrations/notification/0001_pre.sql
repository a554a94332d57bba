-- The tables of the service that runs the notifier, and of no other. Source: spec/notification.md section 9.
-- JSON is canonical text: its bytes and hashes survive. Times are microseconds since 1970 UTC, given by the caller.
CREATE TABLE {record} (
    id BLOB NOT NULL,
    request_id BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    parent_id BLOB,
    step INTEGER NOT NULL DEFAULT 0,
    channel TEXT NOT NULL CHECK (length(channel) BETWEEN 1 AND 32),
    recipient_id TEXT NOT NULL CHECK (length(recipient_id) BETWEEN 1 AND 64),
    kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    subject_type TEXT CHECK (length(subject_type) BETWEEN 1 AND 64),
    subject_id TEXT CHECK (length(subject_id) BETWEEN 1 AND 64),
    correlation_id TEXT CHECK (length(correlation_id) BETWEEN 1 AND 128),
    causation_id TEXT CHECK (length(causation_id) BETWEEN 1 AND 128),
    trace_id TEXT CHECK (length(trace_id) BETWEEN 1 AND 128),
    dedupe_key TEXT CHECK (length(dedupe_key) BETWEEN 1 AND 191),
    scope_hash BLOB NOT NULL,
    requested_at INTEGER NOT NULL,
    deliver_at INTEGER,
    expires_at INTEGER NOT NULL,
    priority INTEGER NOT NULL DEFAULT 1,
    locale TEXT NOT NULL CHECK (length(locale) BETWEEN 1 AND 16),
    route_json TEXT NOT NULL,
    target_url TEXT,
    title TEXT,
    summary_text TEXT,
    fallback_text TEXT,
    fallback_used INTEGER NOT NULL DEFAULT 0,
    data_json TEXT,
    status TEXT NOT NULL DEFAULT 'pending' CHECK (
        status IN ('pending', 'failed', 'sending', 'sent', 'dead', 'skipped', 'merged', 'canceled', 'unknown')
    ),
    hold TEXT CHECK (length(hold) BETWEEN 1 AND 16),
    attempt_count INTEGER NOT NULL DEFAULT 0,
    attempt_no INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL DEFAULT 5,
    generation INTEGER NOT NULL DEFAULT 1,
    form TEXT CHECK (form IN ('card', 'text', 'neutral')),
    content_json TEXT,
    content_hash BLOB,
    next_retry_at INTEGER,
    ambiguous_since INTEGER,
    last_error_code TEXT CHECK (length(last_error_code) BETWEEN 1 AND 64),
    last_error_class TEXT CHECK (length(last_error_class) BETWEEN 1 AND 16),
    last_error TEXT,
    provider_message_id TEXT CHECK (length(provider_message_id) BETWEEN 1 AND 128),
    destination_key BLOB,
    address_version INTEGER,
    digest_id BLOB,
    digest_record_id BLOB,
    lease_owner TEXT CHECK (length(lease_owner) BETWEEN 1 AND 128),
    lease_until INTEGER,
    epoch INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER,
    ended_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT "{p}record_request_key" UNIQUE (request_id, channel)
);
CREATE INDEX "{p}record_key" ON {record} (channel, dedupe_key);
CREATE INDEX "{p}record_recipient" ON {record} (recipient_id, created_at);
CREATE INDEX "{p}record_correlation" ON {record} (correlation_id);
CREATE INDEX "{p}record_causation" ON {record} (causation_id);
CREATE INDEX "{p}record_due" ON {record} (status, priority, next_retry_at, id)
    WHERE status IN ('pending', 'failed');
CREATE INDEX "{p}record_lease" ON {record} (status, lease_until);
CREATE INDEX "{p}record_destination" ON {record} (destination_key, status, next_retry_at);
CREATE INDEX "{p}record_ended" ON {record} (status, ended_at);

CREATE TABLE {dedupe} (
    scope_hash BLOB NOT NULL,
    record_id BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    duplicates INTEGER NOT NULL DEFAULT 0,
    last_duplicate_at INTEGER,
    PRIMARY KEY (scope_hash)
);
CREATE INDEX "{p}dedupe_expires" ON {dedupe} (expires_at);

CREATE TABLE {request} (
    request_id BLOB NOT NULL,
    caller TEXT NOT NULL CHECK (length(caller) BETWEEN 1 AND 64),
    request_hash BLOB NOT NULL,
    response_status INTEGER NOT NULL,
    response_json TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (request_id)
);
CREATE INDEX "{p}request_expires" ON {request} (expires_at);

CREATE TABLE {attempt} (
    record_id BLOB NOT NULL,
    attempt_no INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL CHECK (length(owner) BETWEEN 1 AND 128),
    form TEXT NOT NULL CHECK (form IN ('card', 'text', 'neutral')),
    provider_key TEXT NOT NULL CHECK (length(provider_key) BETWEEN 1 AND 64),
    destination_key BLOB,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    latency_ms INTEGER,
    outcome TEXT CHECK (
        outcome IN ('success', 'temporary_fail', 'permanent_fail', 'skipped', 'unknown')
    ),
    error_class TEXT CHECK (length(error_class) BETWEEN 1 AND 16),
    code TEXT CHECK (length(code) BETWEEN 1 AND 64),
    provider_code TEXT CHECK (length(provider_code) BETWEEN 1 AND 64),
    http_status INTEGER,
    maybe_done INTEGER,
    retry_after_ms INTEGER,
    late INTEGER NOT NULL DEFAULT 0,
    request_json TEXT,
    response_json TEXT,
    message TEXT,
    PRIMARY KEY (record_id, attempt_no),
    FOREIGN KEY (record_id) REFERENCES {record} (id) ON DELETE CASCADE
);
CREATE INDEX "{p}attempt_started" ON {attempt} (started_at);

CREATE TABLE {address} (
    id BLOB NOT NULL,
    recipient_id TEXT NOT NULL CHECK (length(recipient_id) BETWEEN 1 AND 64),
    channel TEXT NOT NULL CHECK (length(channel) BETWEEN 1 AND 32),
    enabled INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'invalid', 'disabled')),
    reason TEXT CHECK (length(reason) BETWEEN 1 AND 64),
    settings_json TEXT NOT NULL,
    secrets TEXT,
    destination_key BLOB NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    last_test_status TEXT CHECK (last_test_status IN ('success', 'failed')),
    last_test_error TEXT,
    last_test_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT "{p}address_recipient_key" UNIQUE (recipient_id, channel)
);
CREATE INDEX "{p}address_destination" ON {address} (destination_key);

CREATE TABLE {preference} (
    recipient_id TEXT NOT NULL CHECK (length(recipient_id) BETWEEN 1 AND 64),
    zone TEXT NOT NULL CHECK (length(zone) BETWEEN 1 AND 64),
    locale TEXT NOT NULL CHECK (length(locale) BETWEEN 1 AND 16),
    quiet_json TEXT,
    order_json TEXT,
    muted_json TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (recipient_id)
);

CREATE TABLE {destination} (
    key BLOB NOT NULL,
    channel TEXT NOT NULL CHECK (length(channel) BETWEEN 1 AND 32),
    label TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'closed' CHECK (
        state IN ('closed', 'open', 'half_open', 'paused', 'disabled')
    ),
    blocked_until INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    strikes INTEGER NOT NULL DEFAULT 0,
    opens INTEGER NOT NULL DEFAULT 0,
    first_failure_at INTEGER,
    last_success_at INTEGER,
    probe_owner TEXT CHECK (length(probe_owner) BETWEEN 1 AND 128),
    probe_until INTEGER,
    tat_short INTEGER NOT NULL DEFAULT 0,
    tat_minute INTEGER NOT NULL DEFAULT 0,
    reason TEXT CHECK (length(reason) BETWEEN 1 AND 64),
    version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (key)
);
CREATE INDEX "{p}destination_state" ON {destination} (state, blocked_until);

CREATE TABLE {digest} (
    id BLOB NOT NULL,
    channel TEXT NOT NULL CHECK (length(channel) BETWEEN 1 AND 32),
    recipient_id TEXT NOT NULL CHECK (length(recipient_id) BETWEEN 1 AND 64),
    kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    open_flag INTEGER DEFAULT 1 CHECK (open_flag = 1),
    opened_at INTEGER NOT NULL,
    closes_at INTEGER NOT NULL,
    record_id BLOB,
    PRIMARY KEY (id),
    CONSTRAINT "{p}digest_open_key" UNIQUE (channel, recipient_id, kind, open_flag)
);

CREATE TABLE {inbox_item} (
    id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    recipient_id TEXT NOT NULL CHECK (length(recipient_id) BETWEEN 1 AND 64),
    kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    action_url TEXT,
    priority INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    read_at INTEGER,
    archived_at INTEGER,
    expires_at INTEGER,
    PRIMARY KEY (id),
    CONSTRAINT "{p}inbox_item_record_key" UNIQUE (record_id, generation)
);
CREATE INDEX "{p}inbox_item_list" ON {inbox_item} (recipient_id, archived_at, id);

