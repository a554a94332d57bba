-- The tables of the service that runs the notifier, and of no other. Source: spec/notification.md section 9.
-- Words that are compared are VARBINARY, four bytes a character (S11). JSON is canonical text: its bytes and hashes survive.
-- DDL commits by itself here, so every statement may run again.
CREATE TABLE IF NOT EXISTS {record} (
    id BINARY(16) NOT NULL,
    request_id BINARY(16) NOT NULL,
    request_hash BINARY(32) NOT NULL,
    parent_id BINARY(16),
    step SMALLINT NOT NULL DEFAULT 0,
    channel VARBINARY(128) NOT NULL,
    recipient_id VARBINARY(256) NOT NULL,
    kind VARBINARY(256) NOT NULL,
    subject_type VARBINARY(256),
    subject_id VARBINARY(256),
    correlation_id VARBINARY(512),
    causation_id VARBINARY(512),
    trace_id VARBINARY(512),
    dedupe_key VARBINARY(764),
    scope_hash BINARY(32) NOT NULL,
    requested_at DATETIME(6) NOT NULL,
    deliver_at DATETIME(6),
    expires_at DATETIME(6) NOT NULL,
    priority SMALLINT NOT NULL DEFAULT 1,
    locale VARBINARY(64) NOT NULL,
    route_json MEDIUMTEXT NOT NULL,
    target_url MEDIUMTEXT,
    title MEDIUMTEXT,
    summary_text MEDIUMTEXT,
    fallback_text MEDIUMTEXT,
    fallback_used BOOLEAN NOT NULL DEFAULT 0,
    data_json MEDIUMTEXT,
    status VARBINARY(64) NOT NULL DEFAULT 'pending' CHECK (
        status IN ('pending', 'failed', 'sending', 'sent', 'dead', 'skipped', 'merged', 'canceled', 'unknown')
    ),
    hold VARBINARY(64),
    attempt_count INT NOT NULL DEFAULT 0,
    attempt_no INT NOT NULL DEFAULT 0,
    max_attempts INT NOT NULL DEFAULT 5,
    generation INT NOT NULL DEFAULT 1,
    form VARBINARY(32) CHECK (form IN ('card', 'text', 'neutral')),
    content_json MEDIUMTEXT,
    content_hash BINARY(32),
    next_retry_at DATETIME(6),
    ambiguous_since DATETIME(6),
    last_error_code VARBINARY(256),
    last_error_class VARBINARY(64),
    last_error MEDIUMTEXT,
    provider_message_id VARBINARY(512),
    destination_key BINARY(32),
    address_version BIGINT,
    digest_id BINARY(16),
    digest_record_id BINARY(16),
    lease_owner VARBINARY(512),
    lease_until DATETIME(6),
    epoch BIGINT NOT NULL DEFAULT 0,
    sent_at DATETIME(6),
    ended_at DATETIME(6),
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY by_request (request_id, channel),
    KEY by_key (channel, dedupe_key),
    KEY by_recipient (recipient_id, created_at),
    KEY by_correlation (correlation_id),
    KEY by_causation (causation_id),
    KEY by_due (status, priority, next_retry_at, id),
    KEY by_lease (status, lease_until),
    KEY by_destination (destination_key, status, next_retry_at),
    KEY by_ended (status, ended_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {dedupe} (
    scope_hash BINARY(32) NOT NULL,
    record_id BINARY(16) NOT NULL,
    expires_at DATETIME(6) NOT NULL,
    duplicates INT NOT NULL DEFAULT 0,
    last_duplicate_at DATETIME(6),
    PRIMARY KEY (scope_hash),
    KEY by_expires (expires_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {request} (
    request_id BINARY(16) NOT NULL,
    caller VARBINARY(256) NOT NULL,
    request_hash BINARY(32) NOT NULL,
    response_status SMALLINT NOT NULL,
    response_json MEDIUMTEXT NOT NULL,
    expires_at DATETIME(6) NOT NULL,
    PRIMARY KEY (request_id),
    KEY by_expires (expires_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {attempt} (
    record_id BINARY(16) NOT NULL,
    attempt_no INT NOT NULL,
    generation INT NOT NULL,
    epoch BIGINT NOT NULL,
    owner VARBINARY(512) NOT NULL,
    form VARBINARY(32) NOT NULL CHECK (form IN ('card', 'text', 'neutral')),
    provider_key VARBINARY(256) NOT NULL,
    destination_key BINARY(32),
    started_at DATETIME(6) NOT NULL,
    finished_at DATETIME(6),
    latency_ms INT,
    outcome VARBINARY(64) CHECK (
        outcome IN ('success', 'temporary_fail', 'permanent_fail', 'skipped', 'unknown')
    ),
    error_class VARBINARY(64),
    code VARBINARY(256),
    provider_code VARBINARY(256),
    http_status SMALLINT,
    maybe_done BOOLEAN,
    retry_after_ms BIGINT,
    late BOOLEAN NOT NULL DEFAULT 0,
    request_json MEDIUMTEXT,
    response_json MEDIUMTEXT,
    message MEDIUMTEXT,
    PRIMARY KEY (record_id, attempt_no),
    FOREIGN KEY (record_id) REFERENCES {record} (id) ON DELETE CASCADE,
    KEY by_started (started_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {address} (
    id BINARY(16) NOT NULL,
    recipient_id VARBINARY(256) NOT NULL,
    channel VARBINARY(128) NOT NULL,
    enabled BOOLEAN NOT NULL DEFAULT 1,
    state VARBINARY(64) NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'invalid', 'disabled')),
    reason VARBINARY(256),
    settings_json MEDIUMTEXT NOT NULL,
    secrets MEDIUMTEXT,
    destination_key BINARY(32) NOT NULL,
    version BIGINT NOT NULL DEFAULT 1,
    last_test_status VARBINARY(64) CHECK (last_test_status IN ('success', 'failed')),
    last_test_error MEDIUMTEXT,
    last_test_at DATETIME(6),
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY by_recipient (recipient_id, channel),
    KEY by_destination (destination_key)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {preference} (
    recipient_id VARBINARY(256) NOT NULL,
    zone VARBINARY(256) NOT NULL,
    locale VARBINARY(64) NOT NULL,
    quiet_json MEDIUMTEXT,
    order_json MEDIUMTEXT,
    muted_json MEDIUMTEXT,
    version BIGINT NOT NULL DEFAULT 1,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (recipient_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {destination} (
    `key` BINARY(32) NOT NULL,
    channel VARBINARY(128) NOT NULL,
    label MEDIUMTEXT NOT NULL,
    state VARBINARY(64) NOT NULL DEFAULT 'closed' CHECK (
        state IN ('closed', 'open', 'half_open', 'paused', 'disabled')
    ),
    blocked_until DATETIME(6),
    failures INT NOT NULL DEFAULT 0,
    strikes INT NOT NULL DEFAULT 0,
    opens INT NOT NULL DEFAULT 0,
    first_failure_at DATETIME(6),
    last_success_at DATETIME(6),
    probe_owner VARBINARY(512),
    probe_until DATETIME(6),
    tat_short BIGINT NOT NULL DEFAULT 0,
    tat_minute BIGINT NOT NULL DEFAULT 0,
    reason VARBINARY(256),
    version BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (`key`),
    KEY by_state (state, blocked_until)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {digest} (
    id BINARY(16) NOT NULL,
    channel VARBINARY(128) NOT NULL,
    recipient_id VARBINARY(256) NOT NULL,
    kind VARBINARY(256) NOT NULL,
    open_flag SMALLINT DEFAULT 1 CHECK (open_flag = 1),
    opened_at DATETIME(6) NOT NULL,
    closes_at DATETIME(6) NOT NULL,
    record_id BINARY(16),
    PRIMARY KEY (id),
    UNIQUE KEY by_open (channel, recipient_id, kind, open_flag)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {inbox_item} (
    id BINARY(16) NOT NULL,
    record_id BINARY(16) NOT NULL,
    generation INT NOT NULL,
    recipient_id VARBINARY(256) NOT NULL,
    kind VARBINARY(256) NOT NULL,
    title MEDIUMTEXT NOT NULL,
    body MEDIUMTEXT NOT NULL,
    action_url MEDIUMTEXT,
    priority SMALLINT NOT NULL DEFAULT 1,
    created_at DATETIME(6) NOT NULL,
    read_at DATETIME(6),
    archived_at DATETIME(6),
    expires_at DATETIME(6),
    PRIMARY KEY (id),
    UNIQUE KEY by_record (record_id, generation),
    KEY by_list (recipient_id, archived_at, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

