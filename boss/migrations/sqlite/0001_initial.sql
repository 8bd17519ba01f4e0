-- Times are seconds since 1970 (UTC), flags are 0 or 1. migrations/postgres has the same tables.

CREATE TABLE users (
    login TEXT NOT NULL PRIMARY KEY,
    uid BIGINT NOT NULL UNIQUE,
    full_name TEXT NOT NULL DEFAULT '',
    admin BIGINT NOT NULL DEFAULT 0,
    -- May see and set what is not offered to everybody yet.
    studly BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE projects (
    pid TEXT NOT NULL PRIMARY KEY,
    head TEXT NOT NULL REFERENCES users (login),
    unix_gid BIGINT NOT NULL,
    -- The site's, if NULL.
    file_server TEXT
);

-- The subgroups of projects; a project's default group is the project.
CREATE TABLE subgroups (
    pid TEXT NOT NULL REFERENCES projects (pid),
    gid TEXT NOT NULL,
    unix_gid BIGINT NOT NULL,
    PRIMARY KEY (pid, gid)
);

CREATE TABLE memberships (
    login TEXT NOT NULL REFERENCES users (login),
    pid TEXT NOT NULL REFERENCES projects (pid),
    gid TEXT NOT NULL,
    -- user, local_root, group_root or project_root
    trust TEXT NOT NULL,
    PRIMARY KEY (login, pid, gid)
);

CREATE TABLE nodes (
    node_id TEXT NOT NULL PRIMARY KEY,
    mac TEXT NOT NULL UNIQUE,
    control_ip TEXT NOT NULL UNIQUE,
    power_driver TEXT NOT NULL DEFAULT '',
    -- JSON object of strings: POWER_<KEY> of the driver.
    power_settings TEXT NOT NULL DEFAULT '{}',
    -- What the node has last said of itself, and when.
    event_state TEXT NOT NULL DEFAULT '',
    event_at BIGINT NOT NULL DEFAULT 0,
    -- May not be given out.
    out_of_service TEXT
);

CREATE TABLE disks (
    node_id TEXT NOT NULL REFERENCES nodes (node_id) ON DELETE CASCADE,
    -- As the MFS calls it, such as sda.
    name TEXT NOT NULL,
    boots BIGINT NOT NULL DEFAULT 0,
    bytes BIGINT,
    sector_size BIGINT,
    serial TEXT,
    wwn TEXT,
    disk_guid TEXT,
    PRIMARY KEY (node_id, name)
);

CREATE TABLE images (
    pid TEXT NOT NULL REFERENCES projects (pid),
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- As nodes see it, below /proj or /groups.
    path TEXT NOT NULL,
    -- 0: the whole disk.
    load_partition BIGINT NOT NULL,
    load_length BIGINT NOT NULL DEFAULT 1,
    boot_partition BIGINT NOT NULL,
    -- Where it was imported to or captured: bytes and SHA-256 of the file.
    bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    creator TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- All projects may use it.
    global BIGINT NOT NULL DEFAULT 0,
    -- A newer version is there, or the file is not what it was.
    stale BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (pid, name, version)
);

-- Who is making a version of an image.
CREATE TABLE image_locks (
    pid TEXT NOT NULL,
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (pid, name)
);

CREATE TABLE image_signatures (
    pid TEXT NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    path TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (pid, name, version),
    FOREIGN KEY (pid, name, version) REFERENCES images (pid, name, version) ON DELETE CASCADE
);

-- Which image a slice was last loaded from. Written before the load begins.
CREATE TABLE partitions (
    node_id TEXT NOT NULL REFERENCES nodes (node_id) ON DELETE CASCADE,
    slice BIGINT NOT NULL,
    -- Whether the node boots from it.
    boots BIGINT NOT NULL DEFAULT 0,
    image_pid TEXT,
    image_name TEXT,
    image_version BIGINT,
    PRIMARY KEY (node_id, slice)
);

CREATE TABLE experiments (
    pid TEXT NOT NULL REFERENCES projects (pid),
    eid TEXT NOT NULL,
    -- The project's name, or a subgroup's.
    gid TEXT NOT NULL,
    creator TEXT NOT NULL REFERENCES users (login),
    -- Who swapped it last.
    swapper TEXT NOT NULL REFERENCES users (login),
    savedisk BIGINT NOT NULL DEFAULT 0,
    firewalled BIGINT NOT NULL DEFAULT 0,
    -- swapped, activating, active, swapping
    state TEXT NOT NULL DEFAULT 'swapped',
    created_at BIGINT NOT NULL,
    PRIMARY KEY (pid, eid)
);

-- What the experiment asks for.
CREATE TABLE experiment_nodes (
    pid TEXT NOT NULL,
    eid TEXT NOT NULL,
    vname TEXT NOT NULL,
    -- node, delaynode, virthost, ...: only "node" is saved
    erole TEXT NOT NULL DEFAULT 'node',
    -- NULL: the machine is taken with what is on its disk.
    image_pid TEXT,
    image_name TEXT,
    -- The newest, if NULL.
    image_version BIGINT,
    PRIMARY KEY (pid, eid, vname),
    FOREIGN KEY (pid, eid) REFERENCES experiments (pid, eid) ON DELETE CASCADE
);

CREATE TABLE reservations (
    node_id TEXT NOT NULL PRIMARY KEY REFERENCES nodes (node_id),
    pid TEXT NOT NULL,
    eid TEXT NOT NULL,
    vname TEXT NOT NULL,
    erole TEXT NOT NULL DEFAULT 'node',
    reserved_at BIGINT NOT NULL,
    UNIQUE (pid, eid, vname),
    FOREIGN KEY (pid, eid) REFERENCES experiments (pid, eid)
);

CREATE TABLE sitevars (
    name TEXT NOT NULL PRIMARY KEY,
    -- NULL: the default counts. An empty string is a value.
    value TEXT,
    default_value TEXT NOT NULL,
    description TEXT NOT NULL
);

-- An experiment is swapped in or out, or an image is captured: one row, and one run per node.
CREATE TABLE swaps (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- swapout, swapin, load or capture
    kind TEXT NOT NULL,
    pid TEXT NOT NULL,
    eid TEXT NOT NULL,
    -- running, ended
    state TEXT NOT NULL DEFAULT 'running',
    -- What to do when a node fails: warn or fail.
    failaction TEXT NOT NULL,
    -- What a swapout's nodes run; a capture's image.
    command TEXT NOT NULL DEFAULT '',
    requested_by TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- done, warned, failed
    outcome TEXT,
    cancelled BIGINT NOT NULL DEFAULT 0,
    -- The boss process that drives it, and until when nobody else may.
    owner TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0
);

-- Those that go on are looked for all the time, and there are few beside those that have ended.
CREATE INDEX swaps_by_state ON swaps (state);

CREATE TABLE runs (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    swap_id BIGINT NOT NULL REFERENCES swaps (id),
    node_id TEXT NOT NULL REFERENCES nodes (node_id),
    vname TEXT NOT NULL,
    -- What the node does: swapout (what boss' startup command says), swapin, load or capture.
    job TEXT NOT NULL,
    -- Where the node finds and leaves its files, as it sees it.
    directory TEXT NOT NULL,
    file_server TEXT NOT NULL,
    -- Limits in seconds: until it is up, for the work, without progress.
    boot_limit BIGINT NOT NULL,
    work_limit BIGINT NOT NULL,
    idle_limit BIGINT NOT NULL,
    -- SHA-256 of .meta when the run was requested: a new image has another.
    meta_before TEXT NOT NULL DEFAULT '',

    -- What the supervisor has decided.
    -- requested, booting, in-mfs, working, verifying, stopping, ended, released
    state TEXT NOT NULL DEFAULT 'requested',
    entered_at BIGINT NOT NULL,
    -- done, skipped, failed or timed-out, and why
    outcome TEXT,
    reason TEXT NOT NULL DEFAULT '',
    attempt BIGINT NOT NULL DEFAULT 1,
    not_before BIGINT NOT NULL DEFAULT 0,
    -- When the machine was turned on for this attempt, and when it was found off.
    power_at BIGINT,
    off_at BIGINT,
    -- What the heartbeat says, and when something in it last changed.
    phase TEXT NOT NULL DEFAULT '',
    scanned BIGINT NOT NULL DEFAULT 0,
    total BIGINT NOT NULL DEFAULT 0,
    changed BIGINT NOT NULL DEFAULT 0,
    written BIGINT NOT NULL DEFAULT 0,
    progress_at BIGINT NOT NULL DEFAULT 0,

    -- What the node has said since it was given a key.
    -- SHA-256 of the one-time key of this boot.
    key_digest TEXT,
    boots BIGINT NOT NULL DEFAULT 0,
    setup_at BIGINT,
    up_at BIGINT,
    failed_at BIGINT,
    startstatus TEXT,
    -- An operator has seen that the machine is off.
    seen_off BIGINT NOT NULL DEFAULT 0,
    UNIQUE (swap_id, vname)
);
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX runs_by_node ON runs (node_id, id);

CREATE TABLE events (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    swap_id BIGINT NOT NULL REFERENCES swaps (id),
    run_id BIGINT REFERENCES runs (id),
    at BIGINT NOT NULL,
    -- info, warning or error
    level TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX events_by_swap ON events (swap_id, id);

INSERT INTO sitevars (name, default_value, description) VALUES
    ('swap/swapout_command', '', 'Command that nodes run in the MFS when an experiment swaps out; create-swapimage saves disks, only of experiments that ask for it. Empty: none'),
    ('swap/swapout_command_failaction', 'warn', 'If that fails: "warn" goes on with the swapout, "fail" leaves the experiment swapped in'),
    ('swap/swapout_command_timeout', '120', 'Seconds for that command, from the moment that a node is up. For create-swapimage it is the least; larger disks get more'),
    ('images/create/maxwait', '72', 'Minutes that capturing an image may take'),
    ('images/create/idlewait', '8', 'Minutes that a capture may take without progress'),
    ('swap/exposestatesave', '0', '"1" lets every user ask for state saving; else only those with the studly flag');
