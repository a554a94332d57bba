-- The tables of the service that runs the notifier, and of no other. Source: spec/notification.md section 9.
-- Lengths by varchar, for a CHECK is parsed anew for every statement; that no word is empty is checked before.
-- JSON is canonical text: its bytes and hashes survive.
CREATE TABLE {record} (
    id uuid NOT NULL,
    request_id uuid NOT NULL,
    request_hash bytea NOT NULL,
    parent_id uuid,
    step smallint NOT NULL DEFAULT 0,
    channel varchar(32) COLLATE "C" NOT NULL,
    recipient_id varchar(64) COLLATE "C" NOT NULL,
    kind varchar(64) COLLATE "C" NOT NULL,
    subject_type varchar(64) COLLATE "C",
    subject_id varchar(64) COLLATE "C",
    correlation_id varchar(128) COLLATE "C",
    causation_id varchar(128) COLLATE "C",
    trace_id varchar(128) COLLATE "C",
    dedupe_key varchar(191) COLLATE "C",
    scope_hash bytea NOT NULL,
    requested_at timestamptz NOT NULL,
    deliver_at timestamptz,
    expires_at timestamptz NOT NULL,
    priority smallint NOT NULL DEFAULT 1,
    locale varchar(16) COLLATE "C" NOT NULL,
    route_json text NOT NULL,
    target_url text,
    title text,
    summary_text text,
    fallback_text text,
    fallback_used boolean NOT NULL DEFAULT false,
    data_json text,
    status varchar(16) COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (
        status IN ('pending', 'failed', 'sending', 'sent', 'dead', 'skipped', 'merged', 'canceled', 'unknown')
    ),
    hold varchar(16) COLLATE "C",
    attempt_count integer NOT NULL DEFAULT 0,
    attempt_no integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 5,
    generation integer NOT NULL DEFAULT 1,
    form varchar(8) COLLATE "C" CHECK (form IN ('card', 'text', 'neutral')),
    content_json text,
    content_hash bytea,
    next_retry_at timestamptz,
    ambiguous_since timestamptz,
    last_error_code varchar(64) COLLATE "C",
    last_error_class varchar(16) COLLATE "C",
    last_error text,
    provider_message_id varchar(128) COLLATE "C",
    destination_key bytea,
    address_version bigint,
    digest_id uuid,
    digest_record_id uuid,
    lease_owner varchar(128) COLLATE "C",
    lease_until timestamptz,
    epoch bigint NOT NULL DEFAULT 0,
    sent_at timestamptz,
    ended_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT "{p}record_request_key" UNIQUE (request_id, channel)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
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
    scope_hash bytea NOT NULL,
    record_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    duplicates integer NOT NULL DEFAULT 0,
    last_duplicate_at timestamptz,
    PRIMARY KEY (scope_hash)
);
CREATE INDEX "{p}dedupe_expires" ON {dedupe} (expires_at);

CREATE TABLE {request} (
    request_id uuid NOT NULL,
    caller varchar(64) COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL,
    response_status smallint NOT NULL,
    response_json text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (request_id)
);
CREATE INDEX "{p}request_expires" ON {request} (expires_at);

CREATE TABLE {attempt} (
    record_id uuid NOT NULL,
    attempt_no integer NOT NULL,
    generation integer NOT NULL,
    epoch bigint NOT NULL,
    owner varchar(128) COLLATE "C" NOT NULL,
    form varchar(8) COLLATE "C" NOT NULL CHECK (form IN ('card', 'text', 'neutral')),
    provider_key varchar(64) COLLATE "C" NOT NULL,
    destination_key bytea,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    latency_ms integer,
    outcome varchar(16) COLLATE "C" CHECK (
        outcome IN ('success', 'temporary_fail', 'permanent_fail', 'skipped', 'unknown')
    ),
    error_class varchar(16) COLLATE "C",
    code varchar(64) COLLATE "C",
    provider_code varchar(64) COLLATE "C",
    http_status smallint,
    maybe_done boolean,
    retry_after_ms bigint,
    late boolean NOT NULL DEFAULT false,
    request_json text,
    response_json text,
    message text,
    PRIMARY KEY (record_id, attempt_no),
    FOREIGN KEY (record_id) REFERENCES {record} (id) ON DELETE CASCADE
);
CREATE INDEX "{p}attempt_started" ON {attempt} (started_at);

CREATE TABLE {address} (
    id uuid NOT NULL,
    recipient_id varchar(64) COLLATE "C" NOT NULL,
    channel varchar(32) COLLATE "C" NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    state varchar(16) COLLATE "C" NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'invalid', 'disabled')),
    reason varchar(64) COLLATE "C",
    settings_json text NOT NULL,
    secrets text,
    destination_key bytea NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    last_test_status varchar(16) COLLATE "C" CHECK (last_test_status IN ('success', 'failed')),
    last_test_error text,
    last_test_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT "{p}address_recipient_key" UNIQUE (recipient_id, channel)
);
CREATE INDEX "{p}address_destination" ON {address} (destination_key);

CREATE TABLE {preference} (
    recipient_id varchar(64) COLLATE "C" NOT NULL,
    zone varchar(64) COLLATE "C" NOT NULL,
    locale varchar(16) COLLATE "C" NOT NULL,
    quiet_json text,
    order_json text,
    muted_json text,
    version bigint NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (recipient_id)
);

CREATE TABLE {destination} (
    key bytea NOT NULL,
    channel varchar(32) COLLATE "C" NOT NULL,
    label text NOT NULL,
    state varchar(16) COLLATE "C" NOT NULL DEFAULT 'closed' CHECK (
        state IN ('closed', 'open', 'half_open', 'paused', 'disabled')
    ),
    blocked_until timestamptz,
    failures integer NOT NULL DEFAULT 0,
    strikes integer NOT NULL DEFAULT 0,
    opens integer NOT NULL DEFAULT 0,
    first_failure_at timestamptz,
    last_success_at timestamptz,
    probe_owner varchar(128) COLLATE "C",
    probe_until timestamptz,
    tat_short bigint NOT NULL DEFAULT 0,
    tat_minute bigint NOT NULL DEFAULT 0,
    reason varchar(64) COLLATE "C",
    version bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (key)
) WITH (fillfactor = 50);
CREATE INDEX "{p}destination_state" ON {destination} (state, blocked_until);

CREATE TABLE {digest} (
    id uuid NOT NULL,
    channel varchar(32) COLLATE "C" NOT NULL,
    recipient_id varchar(64) COLLATE "C" NOT NULL,
    kind varchar(64) COLLATE "C" NOT NULL,
    open_flag smallint DEFAULT 1 CHECK (open_flag = 1),
    opened_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    record_id uuid,
    PRIMARY KEY (id),
    CONSTRAINT "{p}digest_open_key" UNIQUE (channel, recipient_id, kind, open_flag)
);

CREATE TABLE {inbox_item} (
    id uuid NOT NULL,
    record_id uuid NOT NULL,
    generation integer NOT NULL,
    recipient_id varchar(64) COLLATE "C" NOT NULL,
    kind varchar(64) COLLATE "C" NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    action_url text,
    priority smallint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    read_at timestamptz,
    archived_at timestamptz,
    expires_at timestamptz,
    PRIMARY KEY (id),
    CONSTRAINT "{p}inbox_item_record_key" UNIQUE (record_id, generation)
);
CREATE INDEX "{p}inbox_item_list" ON {inbox_item} (recipient_id, archived_at, id);

