-- The tables of the pipeline, read top to bottom along the flow of data.
-- Keys are kept unique by the loader (delete-and-insert by scope, anti-join on ids) and not by
-- constraints: DuckDB checks a primary key too eagerly when a row is deleted and re-inserted in one
-- transaction.

-- One row: the version of this file's layout. The store refuses a file with another number.
CREATE TABLE IF NOT EXISTS schema_version (
    version  INTEGER NOT NULL
);

-- One row per execution. `header` is the ATIF trajectory without its steps.
CREATE TABLE IF NOT EXISTS traces (
    trace_id        VARCHAR NOT NULL,
    batch           VARCHAR NOT NULL,
    skill           VARCHAR NOT NULL,
    task_id         VARCHAR,
    trial           VARCHAR,
    agent           VARCHAR NOT NULL,
    format          VARCHAR NOT NULL,
    format_version  VARCHAR,
    uri             VARCHAR NOT NULL,
    sha256          VARCHAR NOT NULL,
    warnings        VARCHAR[] NOT NULL,
    status          VARCHAR NOT NULL,
    reward          DOUBLE,
    outcome_source  VARCHAR NOT NULL,
    infra_error     BOOLEAN NOT NULL,
    outcome_detail  VARCHAR,
    input_tokens    BIGINT,
    output_tokens   BIGINT,
    cached_tokens   BIGINT,
    cost_usd        DOUBLE,
    n_steps         INTEGER NOT NULL,
    n_calls         INTEGER NOT NULL,
    header          VARCHAR NOT NULL
);

-- One row per ATIF step; `body` is the step as ATIF JSON.
CREATE TABLE IF NOT EXISTS steps (
    trace_id  VARCHAR NOT NULL,
    batch     VARCHAR NOT NULL,
    step_id   INTEGER NOT NULL,
    source    VARCHAR NOT NULL,
    body      VARCHAR NOT NULL
);

-- What could not be read, and why.
CREATE TABLE IF NOT EXISTS quarantine (
    batch   VARCHAR NOT NULL,
    skill   VARCHAR NOT NULL,
    uri     VARCHAR NOT NULL,
    sha256  VARCHAR,
    reason  VARCHAR NOT NULL
);

-- What was hidden in a trace, as salted fingerprints: a produced skill is searched for them.
CREATE TABLE IF NOT EXISTS redactions (
    trace_id     VARCHAR NOT NULL,
    batch        VARCHAR NOT NULL,
    skill        VARCHAR NOT NULL,
    kind         VARCHAR NOT NULL,
    fingerprint  VARCHAR NOT NULL
);

-- Why a trace waits for a person before anything learns from it.
CREATE TABLE IF NOT EXISTS held (
    trace_id  VARCHAR NOT NULL,
    batch     VARCHAR NOT NULL,
    skill     VARCHAR NOT NULL,
    kind      VARCHAR NOT NULL,
    step_id   INTEGER NOT NULL,
    place     VARCHAR NOT NULL,  -- message, result, …
    excerpt   VARCHAR NOT NULL
);

-- Who released a held trace; kept apart so that reading the batch again does not undo it.
CREATE TABLE IF NOT EXISTS releases (
    trace_id     VARCHAR NOT NULL,
    released_by  VARCHAR NOT NULL,
    released_at  VARCHAR NOT NULL  -- ISO 8601, UTC
);

-- One row per batch and stage that finished: `traces` or `lessons`.
CREATE TABLE IF NOT EXISTS batch_stages (
    batch         VARCHAR NOT NULL,
    skill         VARCHAR NOT NULL,
    stage         VARCHAR NOT NULL,
    code_version  VARCHAR NOT NULL,
    traces        INTEGER NOT NULL,
    duplicates    INTEGER NOT NULL,
    quarantined   INTEGER NOT NULL,
    lessons       INTEGER NOT NULL,
    refused       INTEGER NOT NULL
);

-- One row per tool call, abstracted; what the contrasts across traces are computed from.
CREATE TABLE IF NOT EXISTS actions (
    trace_id   VARCHAR NOT NULL,
    batch      VARCHAR NOT NULL,
    skill      VARCHAR NOT NULL,
    position   INTEGER NOT NULL,  -- ordinal of the call in its trace, from 0
    step_id    INTEGER NOT NULL,
    tool       VARCHAR NOT NULL,
    kind       VARCHAR NOT NULL,  -- sql, shell, python, other
    action     VARCHAR NOT NULL,  -- abstract name: `git commit`, `SELECT`, `book_reservation`
    features   VARCHAR[] NOT NULL,
    error      VARCHAR,           -- error template; null when the call worked
    after_user BOOLEAN NOT NULL,  -- the step just before was a message of the user
    repeated   BOOLEAN NOT NULL   -- the same call gave the same result just before
);

-- One row per lesson; `body` is the Lesson as JSON.
CREATE TABLE IF NOT EXISTS lessons (
    lesson_id  VARCHAR NOT NULL,
    batch      VARCHAR NOT NULL,  -- `contrast` lessons: `skill:<name>`
    skill      VARCHAR NOT NULL,
    trace_id   VARCHAR NOT NULL,
    task_id    VARCHAR,
    outcome    VARCHAR NOT NULL,
    engine     VARCHAR NOT NULL,
    analyst    VARCHAR NOT NULL,
    kind       VARCHAR NOT NULL,
    when_      VARCHAR NOT NULL,
    do_        VARCHAR NOT NULL,
    because    VARCHAR NOT NULL,
    body       VARCHAR NOT NULL
);

CREATE TABLE IF NOT EXISTS evidence (
    lesson_id   VARCHAR NOT NULL,
    batch       VARCHAR NOT NULL,
    trace_id    VARCHAR NOT NULL,
    first_step  INTEGER NOT NULL,
    last_step   INTEGER NOT NULL,
    quote       VARCHAR NOT NULL
);

-- Lessons that did not pass the checks, with the reason.
CREATE TABLE IF NOT EXISTS refused_lessons (
    batch     VARCHAR NOT NULL,
    skill     VARCHAR NOT NULL,
    trace_id  VARCHAR NOT NULL,
    analyst   VARCHAR NOT NULL,
    reason    VARCHAR NOT NULL,
    text      VARCHAR NOT NULL
);

-- Analysts that could not read a trace, with the reason; the next run asks them again.
CREATE TABLE IF NOT EXISTS analysis_failures (
    batch     VARCHAR NOT NULL,
    skill     VARCHAR NOT NULL,
    trace_id  VARCHAR NOT NULL,
    analyst   VARCHAR NOT NULL,
    status    VARCHAR NOT NULL,
    reason    VARCHAR NOT NULL
);

-- One row per cluster of the latest consolidation of a skill; `body` is the Cluster as JSON.
CREATE TABLE IF NOT EXISTS clusters (
    cluster_id   VARCHAR NOT NULL,
    skill        VARCHAR NOT NULL,
    kind         VARCHAR NOT NULL,
    section      VARCHAR NOT NULL,
    placement    VARCHAR NOT NULL,
    reason       VARCHAR NOT NULL,
    headline     VARCHAR NOT NULL,
    traces       INTEGER NOT NULL,
    tasks        INTEGER NOT NULL,
    success      INTEGER NOT NULL,
    failure      INTEGER NOT NULL,
    occurrences  INTEGER NOT NULL,
    body         VARCHAR NOT NULL
);

CREATE TABLE IF NOT EXISTS cluster_lessons (
    cluster_id  VARCHAR NOT NULL,
    skill       VARCHAR NOT NULL,
    lesson_id   VARCHAR NOT NULL
);

-- Contradictions found and how they were decided.
CREATE TABLE IF NOT EXISTS conflicts (
    skill     VARCHAR NOT NULL,
    winner    VARCHAR NOT NULL,
    loser     VARCHAR NOT NULL,
    decision  VARCHAR NOT NULL,
    reason    VARCHAR NOT NULL
);

-- One row per rule of the published version of a skill: which lines it is, which cluster it says.
CREATE TABLE IF NOT EXISTS rules (
    rule_id     VARCHAR NOT NULL,
    skill       VARCHAR NOT NULL,
    version     VARCHAR NOT NULL,
    cluster_id  VARCHAR NOT NULL,
    path        VARCHAR NOT NULL,  -- relative to the skill directory
    first_line  INTEGER NOT NULL,  -- 1-based, inclusive
    last_line   INTEGER NOT NULL,
    text        VARCHAR NOT NULL
);

-- Every candidate version of a skill, by content hash.
CREATE TABLE IF NOT EXISTS versions (
    skill       VARCHAR NOT NULL,
    version     VARCHAR NOT NULL,
    parent      VARCHAR,
    created_at  VARCHAR NOT NULL,  -- ISO 8601, UTC
    rules       INTEGER NOT NULL,
    lessons     INTEGER NOT NULL,
    published   BOOLEAN NOT NULL,
    body        VARCHAR NOT NULL   -- patch, lessons added and removed, cost
);

-- One row per model call.
CREATE TABLE IF NOT EXISTS llm_calls (
    call_id        VARCHAR NOT NULL,
    batch          VARCHAR NOT NULL,
    purpose        VARCHAR NOT NULL,
    skill          VARCHAR NOT NULL,
    trace_id       VARCHAR,
    model          VARCHAR NOT NULL,
    input_tokens   BIGINT,
    output_tokens  BIGINT,
    cached_tokens  BIGINT,
    cost_usd       DOUBLE,
    latency_s      DOUBLE NOT NULL,
    attempts       INTEGER NOT NULL,
    from_cache     BOOLEAN NOT NULL,
    status         VARCHAR NOT NULL,
    error          VARCHAR
);
