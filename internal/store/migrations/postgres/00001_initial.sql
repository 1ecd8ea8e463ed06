-- The first schema. It mirrors the one of SQLite, migration by migration, and
-- what holds for every table there holds here: ids are 32 hex characters and
-- are never reused, so rows that end stay; times are UTC microseconds, 0 is
-- none; booleans are 0 and 1; NULL stands for a reference to nothing and for
-- no other thing. Texts compare by their bytes, whatever the database's own
-- collation says: COLLATE "C" on each of them.

-- +goose Up

-- What concerns the whole database. min_program is the oldest schema version
-- of a program that may still use it: a migration that an older program cannot
-- live with raises it to its own number. roles_version rises with every change
-- of a role, so that no process acts on roles of yesterday.
CREATE TABLE instance (
    id            SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    min_program   BIGINT NOT NULL,
    roles_version BIGINT NOT NULL
);
-- How a schema is told to be ours.
COMMENT ON TABLE instance IS 'hither';
INSERT INTO instance (id, min_program, roles_version) VALUES (1, 1, 1);

-- The ids of the instance keys that the database was served with, and no key: a
-- server that comes with none of them has lost its keyring.
CREATE TABLE instance_keys (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    seen_on BIGINT NOT NULL
);

-- Rows of the whole database, kept by the transactions that add them.
CREATE TABLE totals (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    n    BIGINT NOT NULL CHECK (n >= 0)
);
INSERT INTO totals (name, n) VALUES ('accounts', 0), ('users', 0);

CREATE TABLE users (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    email      TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 90),
    verified   SMALLINT NOT NULL CHECK (verified IN (0, 1)),
    first_name TEXT COLLATE "C" NOT NULL,
    last_name  TEXT COLLATE "C" NOT NULL,
    telephone  TEXT COLLATE "C" NOT NULL,
    country    TEXT COLLATE "C" NOT NULL,
    zipcode    TEXT COLLATE "C" NOT NULL,
    two_factor SMALLINT NOT NULL CHECK (two_factor IN (0, 1)),
    suspended  SMALLINT NOT NULL CHECK (suspended IN (0, 1)),
    operator   SMALLINT NOT NULL CHECK (operator IN (0, 1)),
    created_on BIGINT NOT NULL,
    locale     TEXT COLLATE "C" NOT NULL DEFAULT '', -- of its messages and pages, '': unknown
    own_factor SMALLINT NOT NULL DEFAULT 0 CHECK (own_factor IN (0, 1)) -- has a confirmed row in factors
);

CREATE TABLE user_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    name       TEXT COLLATE "C" NOT NULL,
    hash       BYTEA NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    disabled   SMALLINT NOT NULL CHECK (disabled IN (0, 1)),
    created_on BIGINT NOT NULL
);
CREATE INDEX user_keys_user ON user_keys (user_id, id);

CREATE TABLE tokens (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT COLLATE "C" REFERENCES users (id), -- NULL: the operator's
    name       TEXT COLLATE "C" NOT NULL,
    hash       BYTEA NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    disabled   SMALLINT NOT NULL CHECK (disabled IN (0, 1)),
    expires_on BIGINT NOT NULL,
    created_on BIGINT NOT NULL
);
CREATE INDEX tokens_user ON tokens (user_id, id);

-- A deleted account stays as a row, so that its id is never another's.
CREATE TABLE accounts (
    id                  TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    name                TEXT COLLATE "C" NOT NULL CHECK (name <> ''),
    type                TEXT COLLATE "C" NOT NULL,
    enforce_twofactor   SMALLINT NOT NULL CHECK (enforce_twofactor IN (0, 1)),
    abuse_contact_email TEXT COLLATE "C" NOT NULL,
    invite_lifetime     BIGINT NOT NULL CHECK (invite_lifetime >= 0), -- microseconds
    member_limit        BIGINT NOT NULL CHECK (member_limit >= 0),
    suspended           SMALLINT NOT NULL CHECK (suspended IN (0, 1)),
    needs_super_admin   SMALLINT NOT NULL CHECK (needs_super_admin IN (0, 1)),
    created_on          BIGINT NOT NULL,
    deleted_on          BIGINT NOT NULL DEFAULT 0,
    locale              TEXT COLLATE "C" NOT NULL DEFAULT '', -- of its messages and pages, '': the instance's
    brand_name          TEXT COLLATE "C" NOT NULL DEFAULT '',
    brand_color         TEXT COLLATE "C" NOT NULL DEFAULT '',
    brand_logo          TEXT COLLATE "C" NOT NULL DEFAULT '', -- a https URL
    invite_domains      TEXT COLLATE "C" NOT NULL DEFAULT '' -- canonical, sorted, a space between two; '': every domain
);
CREATE INDEX accounts_name ON accounts (name, id) WHERE deleted_on = 0;

-- Roles beside the built-in ones. A dropped one stays: rows that ended still
-- name it.
CREATE TABLE roles (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account_id  TEXT COLLATE "C" REFERENCES accounts (id), -- NULL: of every account
    origin      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL CHECK (name <> ''),
    description TEXT COLLATE "C" NOT NULL,
    permissions TEXT COLLATE "C" NOT NULL, -- JSON: area to access bits
    dropped_on  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX roles_account ON roles (account_id);

CREATE TABLE memberships (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account_id    TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    email         TEXT COLLATE "C" NOT NULL CHECK (length(email) BETWEEN 3 AND 90),
    user_id       TEXT COLLATE "C" REFERENCES users (id), -- NULL: not answered
    status        TEXT COLLATE "C" NOT NULL,
    roles         TEXT COLLATE "C" NOT NULL CHECK (length(roles) >= 32), -- ids as given, a space between
    super         SMALLINT NOT NULL CHECK (super IN (0, 1)), -- carries Super Administrator
    invited       SMALLINT NOT NULL CHECK (invited IN (0, 1)),
    invited_by    TEXT COLLATE "C" NOT NULL,
    invited_on    BIGINT NOT NULL,
    expires_on    BIGINT NOT NULL,
    grantor_kind  TEXT COLLATE "C" NOT NULL,
    grantor_user  TEXT COLLATE "C" REFERENCES users (id),
    grantor_token TEXT COLLATE "C" REFERENCES tokens (id),
    -- What the account sorts its members by: the user's names while the row is
    -- accepted, '' otherwise. Of somebody who has not accepted the account
    -- learns no name, and none from an order either.
    first_name    TEXT COLLATE "C" NOT NULL,
    last_name     TEXT COLLATE "C" NOT NULL,
    created_on    BIGINT NOT NULL,
    answered_on   BIGINT NOT NULL,
    revision      BIGINT NOT NULL,
    -- Its link and messages. What a link is made of is its generation, and the
    -- instance's key, which is not in the database.
    locale        TEXT COLLATE "C" NOT NULL DEFAULT '', -- '': the account's
    generation    BIGINT NOT NULL DEFAULT 0 CHECK (generation >= 0), -- of the newest link, 0: there is none
    sent_on       BIGINT NOT NULL DEFAULT 0, -- when its newest link was made
    wake_on       BIGINT NOT NULL DEFAULT 0, -- when the clock next has to do with a pending row
    asked_on      BIGINT NOT NULL DEFAULT 0, -- when the holder of a dead link asked for another
    ended_on      BIGINT NOT NULL DEFAULT 0, -- since when it is neither pending nor accepted
    note          TEXT COLLATE "C" NOT NULL DEFAULT '', -- the inviter's word to the invited
    -- How far it came, for statistics: when its mail arrived as far as is known, and
    -- when its page was opened; 0: not.
    delivered_on  BIGINT NOT NULL DEFAULT 0,
    opened_on     BIGINT NOT NULL DEFAULT 0,
    ends_on       BIGINT NOT NULL DEFAULT 0, -- when the membership ends, once it was accepted; 0: never
    end_wake      BIGINT NOT NULL DEFAULT 0, -- when the clock next has to do with that
    -- Who answered is known of the states that an answer leads to, and of no
    -- other; but who holds a mailed link may reject without being a user.
    CHECK (CASE WHEN user_id IS NULL
        THEN ((status = 'pending' OR status = 'rejected') AND invited = 1) OR status = 'expired' OR status = 'canceled'
        ELSE status = 'accepted' OR status = 'rejected' OR status = 'left' OR status = 'removed' END),
    CHECK (CASE grantor_kind
        WHEN 'user' THEN grantor_user IS NOT NULL AND grantor_token IS NULL
        WHEN 'operator' THEN grantor_user IS NULL AND grantor_token IS NOT NULL
        ELSE (grantor_kind = 'command_line' OR grantor_kind = '') AND grantor_user IS NULL AND grantor_token IS NULL END)
);

-- One live row per address and per user of an account.
CREATE UNIQUE INDEX memberships_live_email ON memberships (account_id, email)
    WHERE status = 'pending' OR status = 'accepted';
CREATE UNIQUE INDEX memberships_live_user ON memberships (user_id, account_id)
    WHERE user_id IS NOT NULL AND (status = 'pending' OR status = 'accepted');

-- A user's own lists: what it rejected, and what its address may still answer.
CREATE INDEX memberships_rejected_user ON memberships (user_id, id) WHERE status = 'rejected';
CREATE INDEX memberships_open_email ON memberships (email, id) WHERE status = 'pending' OR status = 'expired';

-- An account's lists, one covering index an order, so that an OFFSET walks
-- that index and nothing else. Names are sorted among accepted rows only:
-- every other row has none.
CREATE INDEX memberships_by_id ON memberships (account_id, status, id, invited, expires_on, ends_on);
CREATE INDEX memberships_by_email ON memberships (account_id, status, email, id, expires_on, ends_on);
CREATE INDEX memberships_by_first_name ON memberships (account_id, first_name, id, ends_on) WHERE status = 'accepted';
CREATE INDEX memberships_by_last_name ON memberships (account_id, last_name, id, ends_on) WHERE status = 'accepted';

-- What is due, and who keeps an account governed.
CREATE INDEX memberships_due ON memberships (account_id, expires_on) WHERE status = 'pending' AND expires_on > 0;
CREATE INDEX memberships_wake ON memberships (wake_on) WHERE status = 'pending' AND wake_on > 0;
CREATE INDEX memberships_over ON memberships (account_id, ends_on) WHERE status = 'accepted' AND ends_on > 0;
CREATE INDEX memberships_end_wake ON memberships (end_wake) WHERE status = 'accepted' AND end_wake > 0;
CREATE INDEX memberships_ended ON memberships (ended_on) WHERE ended_on > 0;
CREATE INDEX memberships_invited ON memberships (account_id, invited_on) WHERE invited = 1;
CREATE INDEX memberships_asked ON memberships (account_id, asked_on) WHERE asked_on > 0;
CREATE INDEX memberships_super ON memberships (account_id) WHERE super = 1 AND status = 'accepted';

-- Memberships by account, state and whether somebody was asked.
CREATE TABLE counts (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    status     TEXT COLLATE "C" NOT NULL,
    invited    SMALLINT NOT NULL CHECK (invited IN (0, 1)),
    n          BIGINT NOT NULL CHECK (n >= 0),
    PRIMARY KEY (account_id, status, invited)
);

-- The audit log holds what happened, also to rows that are gone, and who was
-- refused: it refers to other tables by value. seq is given before a row is
-- committed, and a row with a higher one may be seen first. position is given
-- after, by one transaction at a time: it is the order of the event stream.
CREATE TABLE audit (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation_id TEXT COLLATE "C" NOT NULL UNIQUE CHECK (operation_id <> ''),
    at           BIGINT NOT NULL,
    actor        TEXT COLLATE "C" NOT NULL,
    actor_id     TEXT COLLATE "C" NOT NULL,
    actor_email  TEXT COLLATE "C" NOT NULL,
    credential   TEXT COLLATE "C" NOT NULL,
    action       TEXT COLLATE "C" NOT NULL CHECK (action <> ''),
    denied       TEXT COLLATE "C" NOT NULL,
    account_id   TEXT COLLATE "C" NOT NULL, -- '': of no account
    target_id    TEXT COLLATE "C" NOT NULL,
    state_before TEXT COLLATE "C" NOT NULL,
    state_after  TEXT COLLATE "C" NOT NULL,
    remote_addr  TEXT COLLATE "C" NOT NULL,
    request_id   TEXT COLLATE "C" NOT NULL,
    means        TEXT COLLATE "C" NOT NULL DEFAULT '', -- how the actor proved who it is
    user_id      TEXT COLLATE "C" NOT NULL DEFAULT '', -- whom it concerns beside its actor
    shown        SMALLINT NOT NULL DEFAULT 0, -- how much of its actor the account sees: nothing, the address, all
    sequence     BIGINT NOT NULL DEFAULT 0, -- of what changed a membership: the how many-th of that it is
    position     BIGINT -- NULL: not given yet
);

-- The log of an account, of what a user did, and of what was done to it, each in
-- the order of time.
CREATE INDEX audit_account ON audit (account_id, at, seq);
CREATE INDEX audit_actor ON audit (actor_id, at, seq) WHERE actor = 'user';
CREATE INDEX audit_user ON audit (user_id, at, seq) WHERE user_id <> '';

-- What was refused in an account.
CREATE INDEX audit_denied ON audit (account_id, at) WHERE denied <> '';

-- An account's events in the order of their positions, and what waits for one.
CREATE INDEX audit_events ON audit (account_id, position) WHERE position IS NOT NULL;
CREATE INDEX audit_unplaced ON audit (seq) WHERE position IS NULL;

-- And those of all accounts, for who looks through what came since.
CREATE INDEX audit_placed ON audit (position) WHERE position IS NOT NULL;

-- The last position that was given. Who gives positions holds this row.
CREATE TABLE event_position (
    id       SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL
);
INSERT INTO event_position (id, position) VALUES (1, 0);

-- What requests with an idempotency key led to, for a day. id is the SHA-256
-- of principal, operation and key; request that of what was asked.
CREATE TABLE idempotency (
    id         BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(id) = 32),
    request    BYTEA NOT NULL CHECK (octet_length(request) = 32),
    outcome    TEXT COLLATE "C" NOT NULL CHECK (outcome <> ''), -- JSON, with addresses in it
    created_on BIGINT NOT NULL
);
CREATE INDEX idempotency_created ON idempotency (created_on);

-- Lists of people to invite that were taken on as a whole, and who asked for them.
-- A bulk is worked off by whoever holds its account; worker has it to itself until
-- leased_to, so that others look for something else. Before worked no row waits.
CREATE TABLE bulks (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account_id      TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    state           TEXT COLLATE "C" NOT NULL,
    actor           TEXT COLLATE "C" NOT NULL,
    user_id         TEXT COLLATE "C" REFERENCES users (id), -- NULL: no user asked
    credential      TEXT COLLATE "C" NOT NULL,
    means           TEXT COLLATE "C" NOT NULL,
    factor          TEXT COLLATE "C" NOT NULL,
    remote_addr     TEXT COLLATE "C" NOT NULL,
    request_id      TEXT COLLATE "C" NOT NULL,
    total           BIGINT NOT NULL,
    waiting         BIGINT NOT NULL CHECK (waiting >= 0),
    invited         BIGINT NOT NULL,
    already_invited BIGINT NOT NULL,
    already_member  BIGINT NOT NULL,
    refused         BIGINT NOT NULL,
    canceled        BIGINT NOT NULL,
    created_on      BIGINT NOT NULL,
    ended_on        BIGINT NOT NULL, -- 0: it runs
    worker          TEXT COLLATE "C" NOT NULL,
    leased_to       BIGINT NOT NULL,
    worked          BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX bulks_account ON bulks (account_id, id);
CREATE INDEX bulks_running ON bulks (leased_to, id) WHERE ended_on = 0;
CREATE INDEX bulks_ended ON bulks (ended_on) WHERE ended_on > 0;

-- Their rows, and what became of each. What was no address is not kept: email is
-- '' then.
CREATE TABLE bulk_rows (
    bulk_id    TEXT COLLATE "C" NOT NULL,
    number     BIGINT NOT NULL,
    line       BIGINT NOT NULL,
    email      TEXT COLLATE "C" NOT NULL,
    roles      TEXT COLLATE "C" NOT NULL, -- ids, a space between
    expires_on BIGINT NOT NULL,
    ends_on    BIGINT NOT NULL, -- of the membership; 0: never
    locale     TEXT COLLATE "C" NOT NULL,
    note       TEXT COLLATE "C" NOT NULL,
    outcome    TEXT COLLATE "C" NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    field      TEXT COLLATE "C" NOT NULL,
    message    TEXT COLLATE "C" NOT NULL,
    invite_id  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bulk_id, number)
);

-- Messages that are to be sent, or were. A row is written with what it tells
-- of; what it tells, and the link in it, are made when it is sent. id says what
-- the message is about, so that nothing is told twice: the row or operation,
-- kind and generation. A claimed row is due again when its lease ends: due_on.
CREATE TABLE deliveries (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    kind          TEXT COLLATE "C" NOT NULL,
    account_id    TEXT COLLATE "C" NOT NULL, -- '': of no account
    membership_id TEXT COLLATE "C" NOT NULL, -- '': of no membership
    user_id       TEXT COLLATE "C" NOT NULL, -- '': of no user
    recipient     TEXT COLLATE "C" NOT NULL CHECK (length(recipient) BETWEEN 3 AND 90),
    locale        TEXT COLLATE "C" NOT NULL,
    generation    BIGINT NOT NULL,
    detail        TEXT COLLATE "C" NOT NULL, -- what else the kind needs, never a secret
    state         TEXT COLLATE "C" NOT NULL,
    due_on        BIGINT NOT NULL,
    attempts      BIGINT NOT NULL CHECK (attempts >= 0),
    words         TEXT COLLATE "C" NOT NULL, -- the server's last, bounded and cleaned
    created_on    BIGINT NOT NULL,
    tried_on      BIGINT NOT NULL, -- the first time, 0: it waits for that
    ended_on      BIGINT NOT NULL, -- 0: it may still be sent
    told          BIGINT NOT NULL DEFAULT 0 -- of how many rows a digest tells, the first of them in detail; 0: it is none
);
CREATE INDEX deliveries_due ON deliveries (due_on) WHERE ended_on = 0;
CREATE INDEX deliveries_urgent ON deliveries (due_on) WHERE ended_on = 0 AND kind IN ('sign_in', 'address');
CREATE INDEX deliveries_ended ON deliveries (ended_on) WHERE ended_on > 0;
-- The last mail to a mailbox, for reports that name no other thing of it.
CREATE INDEX deliveries_recipient ON deliveries (recipient, created_on) WHERE attempts > 0 AND kind IN ('invitation', 'reminder');
CREATE INDEX deliveries_digest ON deliveries (account_id) WHERE ended_on = 0 AND kind = 'expired';

-- What became of a message at each attempt, and what was heard of it later: the
-- last steps of each. They go with the message.
CREATE TABLE delivery_steps (
    delivery_id TEXT COLLATE "C" NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    n           BIGINT NOT NULL,
    happened_on BIGINT NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    code        BIGINT NOT NULL, -- the server's reply, 0: there was none
    words       TEXT COLLATE "C" NOT NULL, -- bounded and cleaned
    next_on     BIGINT NOT NULL, -- when it is tried next, 0: it is not
    report      TEXT COLLATE "C" NOT NULL, -- a digest of which report told it, '': none
    PRIMARY KEY (delivery_id, n)
);

-- How often something was done in a stretch of time: messages against their
-- budgets, sign-ins that failed. subject is a hash or an id, never an address.
CREATE TABLE tallies (
    name      TEXT COLLATE "C" NOT NULL,
    subject   TEXT COLLATE "C" NOT NULL,
    starts_on BIGINT NOT NULL,
    ends_on   BIGINT NOT NULL,
    n         BIGINT NOT NULL CHECK (n >= 0),
    PRIMARY KEY (name, subject, starts_on)
);
CREATE INDEX tallies_end ON tallies (ends_on);

-- Who wants no more invitations: from an account, or with '' from anybody here.
CREATE TABLE suppressions (
    recipient  TEXT COLLATE "C" NOT NULL CHECK (length(recipient) BETWEEN 3 AND 90),
    account_id TEXT COLLATE "C" NOT NULL,
    created_on BIGINT NOT NULL,
    PRIMARY KEY (recipient, account_id)
);

-- Attempts to prove an address: to sign in, or to take a new address. The link
-- and the code are derived from the row's id and the instance's key; browser is
-- the SHA-256 of what the asking browser holds in its cookie.
CREATE TABLE challenges (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    purpose    TEXT COLLATE "C" NOT NULL,
    email      TEXT COLLATE "C" NOT NULL CHECK (length(email) BETWEEN 3 AND 90),
    user_id    TEXT COLLATE "C" REFERENCES users (id), -- NULL: nobody has that address, and nothing is sent
    browser    BYTEA NOT NULL CHECK (length(browser) = 32),
    failures   BIGINT NOT NULL,
    created_on BIGINT NOT NULL,
    expires_on BIGINT NOT NULL,
    used_on    BIGINT NOT NULL
);
CREATE INDEX challenges_end ON challenges (expires_on);
CREATE INDEX challenges_user ON challenges (user_id) WHERE used_on = 0;

CREATE TABLE sessions (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    hash        BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
    method      TEXT COLLATE "C" NOT NULL, -- how the user proved who it is
    factor      TEXT COLLATE "C" NOT NULL, -- the second factor that this session showed, '': none
    proved_on   BIGINT NOT NULL, -- the last fresh sign-in
    seen_on     BIGINT NOT NULL, -- noted once in a few minutes
    idle        BIGINT NOT NULL, -- microseconds after seen_on in which it ends by itself
    expires_on  BIGINT NOT NULL,
    ended_on    BIGINT NOT NULL, -- 0: it holds
    remote_addr TEXT COLLATE "C" NOT NULL,
    agent       TEXT COLLATE "C" NOT NULL,
    created_on  BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, id) WHERE ended_on = 0;
CREATE INDEX sessions_end ON sessions (expires_on);

-- Second factors. A seed is sealed by the instance's key, for this row of this
-- user alone. A code works once: last_step only rises. A factor that is removed
-- is gone, with its seed. Of a recovery code a keyed hash is kept.
CREATE TABLE factors (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    kind         TEXT COLLATE "C" NOT NULL,
    seed         BYTEA NOT NULL,
    last_step    BIGINT NOT NULL, -- the newest time step whose code was used
    session_id   TEXT COLLATE "C" NOT NULL, -- that set it up
    created_on   BIGINT NOT NULL,
    confirmed_on BIGINT NOT NULL -- 0: it is being set up, and asks for nothing
);
CREATE UNIQUE INDEX factors_user ON factors (user_id) WHERE confirmed_on > 0;
CREATE UNIQUE INDEX factors_set_up ON factors (user_id) WHERE confirmed_on = 0;

CREATE TABLE recovery_codes (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    hash    TEXT COLLATE "C" NOT NULL CHECK (length(hash) = 64),
    used_on BIGINT NOT NULL, -- 0: it works
    PRIMARY KEY (user_id, hash)
);

-- Users as identity providers know them. A subject is a provider's for good; the
-- address that goes with it is not.
CREATE TABLE identities (
    id         TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(id) = 32),
    issuer     TEXT COLLATE "C" NOT NULL CHECK (length(issuer) BETWEEN 1 AND 250),
    subject    TEXT COLLATE "C" NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    reason     TEXT COLLATE "C" NOT NULL, -- why it was linked
    created_on BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id, id);

-- Where accounts have their events sent. A deleted one stays, without its secrets,
-- until its deliveries are gone. Secrets are sealed by the instance's key, for this
-- webhook of this account alone. Events behind after_position are its own.
CREATE TABLE webhooks (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account_id     TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    name           TEXT COLLATE "C" NOT NULL,
    url            TEXT COLLATE "C" NOT NULL,
    events         TEXT COLLATE "C" NOT NULL, -- patterns, a space between; '': every event
    secret         BYTEA NOT NULL,
    old_secret     BYTEA, -- signs too until old_until
    old_until      BIGINT NOT NULL,
    grantor_kind   TEXT COLLATE "C" NOT NULL,
    grantor_user   TEXT COLLATE "C" REFERENCES users (id),
    grantor_token  TEXT COLLATE "C" REFERENCES tokens (id),
    disabled       TEXT COLLATE "C" NOT NULL, -- why, '': it is on
    disabled_on    BIGINT NOT NULL,
    after_position BIGINT NOT NULL,
    failures       BIGINT NOT NULL CHECK (failures >= 0), -- in a row
    failing_since  BIGINT NOT NULL,
    due_on         BIGINT NOT NULL, -- 0: nothing waits
    leased_until   BIGINT NOT NULL,
    turn           BIGINT NOT NULL,
    revision       BIGINT NOT NULL,
    created_on     BIGINT NOT NULL,
    deleted_on     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX webhooks_account ON webhooks (account_id, id) WHERE deleted_on = 0;
CREATE INDEX webhooks_on ON webhooks (account_id) WHERE deleted_on = 0 AND disabled = '';
CREATE INDEX webhooks_due ON webhooks (due_on) WHERE due_on > 0;

-- Up to which position deliveries were made of events. Who makes some holds this row.
CREATE TABLE webhook_position (
    id       SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL
);
INSERT INTO webhook_position (id, position) VALUES (1, 0);

-- Events on their way to webhooks. What is sent is made from the audit row when it
-- is: nothing of a person stands here.
CREATE TABLE webhook_deliveries (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    webhook_id TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id),
    event_id   TEXT COLLATE "C" NOT NULL, -- the operation of the audit row
    action     TEXT COLLATE "C" NOT NULL,
    target_id  TEXT COLLATE "C" NOT NULL,
    sequence   BIGINT NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    due_on     BIGINT NOT NULL,
    attempts   BIGINT NOT NULL CHECK (attempts >= 0),
    earlier    BIGINT NOT NULL, -- of these before it was last replayed
    code       BIGINT NOT NULL, -- of the last answer, 0: there was none
    words      TEXT COLLATE "C" NOT NULL, -- ours about it
    created_on BIGINT NOT NULL,
    since      BIGINT NOT NULL, -- since when it is tried
    ended_on   BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_on) WHERE ended_on = 0;
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_on);

CREATE TABLE webhook_attempts (
    delivery_id TEXT COLLATE "C" NOT NULL,
    number      BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    took        BIGINT NOT NULL, -- microseconds
    code        BIGINT NOT NULL,
    words       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (delivery_id, number)
);
