-- The first schema. What holds for every table: ids are 32 hex characters and
-- are never reused, so rows that end stay; times are UTC microseconds, 0 is
-- none; booleans are 0 and 1; texts compare by their bytes. NULL stands for a
-- reference to nothing and for no other thing.

-- +goose Up

-- How a file is told to be ours: "hith" in ASCII.
PRAGMA application_id = 1751741544;

-- What concerns the whole database. min_program is the oldest schema version
-- of a program that may still use it: a migration that an older program cannot
-- live with raises it to its own number. roles_version rises with every change
-- of a role, so that no process acts on roles of yesterday.
CREATE TABLE instance (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    min_program   INTEGER NOT NULL,
    roles_version INTEGER NOT NULL
) STRICT;
INSERT INTO instance (id, min_program, roles_version) VALUES (1, 1, 1);

-- The ids of the instance keys that the database was served with, and no key: a
-- server that comes with none of them has lost its keyring.
CREATE TABLE instance_keys (
    id      TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    seen_on INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows of the whole database, kept by the transactions that add them.
CREATE TABLE totals (
    name TEXT    NOT NULL PRIMARY KEY,
    n    INTEGER NOT NULL CHECK (n >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO totals (name, n) VALUES ('accounts', 0), ('users', 0);

CREATE TABLE users (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    email      TEXT    NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 90),
    verified   INTEGER NOT NULL CHECK (verified IN (0, 1)),
    first_name TEXT    NOT NULL,
    last_name  TEXT    NOT NULL,
    telephone  TEXT    NOT NULL,
    country    TEXT    NOT NULL,
    zipcode    TEXT    NOT NULL,
    two_factor INTEGER NOT NULL CHECK (two_factor IN (0, 1)),
    suspended  INTEGER NOT NULL CHECK (suspended IN (0, 1)),
    operator   INTEGER NOT NULL CHECK (operator IN (0, 1)),
    created_on INTEGER NOT NULL,
    locale     TEXT    NOT NULL DEFAULT '', -- of its messages and pages, '': unknown
    own_factor INTEGER NOT NULL DEFAULT 0 CHECK (own_factor IN (0, 1)) -- has a confirmed row in factors
) STRICT, WITHOUT ROWID;

-- Credentials lie by what every request finds them by, not by their ids.
CREATE TABLE user_keys (
    id         TEXT    NOT NULL UNIQUE CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES users (id),
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created_on INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX user_keys_user ON user_keys (user_id, id);

CREATE TABLE tokens (
    id         TEXT    NOT NULL UNIQUE CHECK (length(id) = 32),
    user_id    TEXT    REFERENCES users (id), -- NULL: the operator's
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    expires_on INTEGER NOT NULL,
    created_on INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_user ON tokens (user_id, id);

-- A deleted account stays as a row, so that its id is never another's.
CREATE TABLE accounts (
    id                  TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    name                TEXT    NOT NULL CHECK (name <> ''),
    type                TEXT    NOT NULL,
    enforce_twofactor   INTEGER NOT NULL CHECK (enforce_twofactor IN (0, 1)),
    abuse_contact_email TEXT    NOT NULL,
    invite_lifetime     INTEGER NOT NULL CHECK (invite_lifetime >= 0), -- microseconds
    member_limit        INTEGER NOT NULL CHECK (member_limit >= 0),
    suspended           INTEGER NOT NULL CHECK (suspended IN (0, 1)),
    needs_super_admin   INTEGER NOT NULL CHECK (needs_super_admin IN (0, 1)),
    created_on          INTEGER NOT NULL,
    deleted_on          INTEGER NOT NULL DEFAULT 0,
    locale              TEXT    NOT NULL DEFAULT '', -- of its messages and pages, '': the instance's
    brand_name          TEXT    NOT NULL DEFAULT '',
    brand_color         TEXT    NOT NULL DEFAULT '',
    brand_logo          TEXT    NOT NULL DEFAULT '', -- a https URL
    invite_domains      TEXT    NOT NULL DEFAULT '' -- canonical, sorted, a space between two; '': every domain
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_name ON accounts (name, id) WHERE deleted_on = 0;

-- Roles beside the built-in ones. A dropped one stays: rows that ended still
-- name it.
CREATE TABLE roles (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account_id  TEXT    REFERENCES accounts (id), -- NULL: of every account
    origin      TEXT    NOT NULL,
    name        TEXT    NOT NULL CHECK (name <> ''),
    description TEXT    NOT NULL,
    permissions TEXT    NOT NULL, -- JSON: area to access bits
    dropped_on  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX roles_account ON roles (account_id);

CREATE TABLE memberships (
    id            TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account_id    TEXT    NOT NULL REFERENCES accounts (id),
    email         TEXT    NOT NULL CHECK (length(email) BETWEEN 3 AND 90),
    user_id       TEXT    REFERENCES users (id), -- NULL: not answered
    status        TEXT    NOT NULL,
    roles         TEXT    NOT NULL CHECK (length(roles) >= 32), -- ids as given, a space between
    super         INTEGER NOT NULL CHECK (super IN (0, 1)), -- carries Super Administrator
    invited       INTEGER NOT NULL CHECK (invited IN (0, 1)),
    invited_by    TEXT    NOT NULL,
    invited_on    INTEGER NOT NULL,
    expires_on    INTEGER NOT NULL,
    grantor_kind  TEXT    NOT NULL,
    grantor_user  TEXT    REFERENCES users (id),
    grantor_token TEXT    REFERENCES tokens (id),
    -- What the account sorts its members by: the user's names while the row is
    -- accepted, '' otherwise. Of somebody who has not accepted the account
    -- learns no name, and none from an order either.
    first_name    TEXT    NOT NULL,
    last_name     TEXT    NOT NULL,
    created_on    INTEGER NOT NULL,
    answered_on   INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    -- Its link and messages. What a link is made of is its generation, and the
    -- instance's key, which is not in the database.
    locale        TEXT    NOT NULL DEFAULT '', -- '': the account's
    generation    INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0), -- of the newest link, 0: there is none
    sent_on       INTEGER NOT NULL DEFAULT 0, -- when its newest link was made
    wake_on       INTEGER NOT NULL DEFAULT 0, -- when the clock next has to do with a pending row
    asked_on      INTEGER NOT NULL DEFAULT 0, -- when the holder of a dead link asked for another
    ended_on      INTEGER NOT NULL DEFAULT 0, -- since when it is neither pending nor accepted
    note          TEXT    NOT NULL DEFAULT '', -- the inviter's word to the invited
    -- How far it came, for statistics: when its mail arrived as far as is known, and
    -- when its page was opened; 0: not.
    delivered_on  INTEGER NOT NULL DEFAULT 0,
    opened_on     INTEGER NOT NULL DEFAULT 0,
    ends_on       INTEGER NOT NULL DEFAULT 0, -- when the membership ends, once it was accepted; 0: never
    end_wake      INTEGER NOT NULL DEFAULT 0, -- when the clock next has to do with that
    -- Who answered is known of the states that an answer leads to, and of no
    -- other; but who holds a mailed link may reject without being a user. (For a
    -- longer IN SQLite would build a table at every insert.)
    CHECK (CASE WHEN user_id IS NULL
        THEN ((status = 'pending' OR status = 'rejected') AND invited = 1) OR status = 'expired' OR status = 'canceled'
        ELSE status = 'accepted' OR status = 'rejected' OR status = 'left' OR status = 'removed' END),
    CHECK (CASE grantor_kind
        WHEN 'user' THEN grantor_user IS NOT NULL AND grantor_token IS NULL
        WHEN 'operator' THEN grantor_user IS NULL AND grantor_token IS NOT NULL
        ELSE (grantor_kind = 'command_line' OR grantor_kind = '') AND grantor_user IS NULL AND grantor_token IS NULL END)
) STRICT, WITHOUT ROWID;

-- One live row per address and per user of an account. (SQLite sees that
-- status = 'accepted' implies an OR that names it, but not an IN.)
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
    account_id TEXT    NOT NULL REFERENCES accounts (id),
    status     TEXT    NOT NULL,
    invited    INTEGER NOT NULL CHECK (invited IN (0, 1)),
    n          INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (account_id, status, invited)
) STRICT, WITHOUT ROWID;

-- The audit log holds what happened, also to rows that are gone, and who was
-- refused: it refers to other tables by value. Transactions commit one after the
-- other here, so seq is the order in which rows become visible, too.
CREATE TABLE audit (
    seq          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    operation_id TEXT    NOT NULL UNIQUE CHECK (operation_id <> ''),
    at           INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    actor_id     TEXT    NOT NULL,
    actor_email  TEXT    NOT NULL,
    credential   TEXT    NOT NULL,
    action       TEXT    NOT NULL CHECK (action <> ''),
    denied       TEXT    NOT NULL,
    account_id   TEXT    NOT NULL, -- '': of no account
    target_id    TEXT    NOT NULL,
    state_before TEXT    NOT NULL,
    state_after  TEXT    NOT NULL,
    remote_addr  TEXT    NOT NULL,
    request_id   TEXT    NOT NULL,
    means        TEXT    NOT NULL DEFAULT '', -- how the actor proved who it is
    user_id      TEXT    NOT NULL DEFAULT '', -- whom it concerns beside its actor
    shown        INTEGER NOT NULL DEFAULT 0, -- how much of its actor the account sees: nothing, the address, all
    sequence     INTEGER NOT NULL DEFAULT 0 -- of what changed a membership: the how many-th of that it is
) STRICT;

-- The log of an account, of what a user did, and of what was done to it, each in
-- the order of time.
CREATE INDEX audit_account ON audit (account_id, at, seq);
CREATE INDEX audit_actor ON audit (actor_id, at, seq) WHERE actor = 'user';
CREATE INDEX audit_user ON audit (user_id, at, seq) WHERE user_id <> '';

-- What was refused in an account.
CREATE INDEX audit_denied ON audit (account_id, at) WHERE denied <> '';

-- An account's events in the order of their positions.
CREATE INDEX audit_events ON audit (account_id, seq);

-- What requests with an idempotency key led to, for a day. id is the SHA-256
-- of principal, operation and key; request that of what was asked. Outcomes are
-- long and ids random, so rows lie in the order in which they came, not by id.
CREATE TABLE idempotency (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    request    BLOB    NOT NULL CHECK (length(request) = 32),
    outcome    TEXT    NOT NULL CHECK (outcome <> ''), -- JSON, with addresses in it
    created_on INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_created ON idempotency (created_on);

-- Lists of people to invite that were taken on as a whole, and who asked for them.
-- A bulk is worked off by whoever holds its account; worker has it to itself until
-- leased_to, so that others look for something else. Before worked no row waits.
CREATE TABLE bulks (
    id              TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account_id      TEXT    NOT NULL REFERENCES accounts (id),
    state           TEXT    NOT NULL,
    actor           TEXT    NOT NULL,
    user_id         TEXT    REFERENCES users (id), -- NULL: no user asked
    credential      TEXT    NOT NULL,
    means           TEXT    NOT NULL,
    factor          TEXT    NOT NULL,
    remote_addr     TEXT    NOT NULL,
    request_id      TEXT    NOT NULL,
    total           INTEGER NOT NULL,
    waiting         INTEGER NOT NULL CHECK (waiting >= 0),
    invited         INTEGER NOT NULL,
    already_invited INTEGER NOT NULL,
    already_member  INTEGER NOT NULL,
    refused         INTEGER NOT NULL,
    canceled        INTEGER NOT NULL,
    created_on      INTEGER NOT NULL,
    ended_on        INTEGER NOT NULL, -- 0: it runs
    worker          TEXT    NOT NULL,
    leased_to       INTEGER NOT NULL,
    worked          INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX bulks_account ON bulks (account_id, id);
CREATE INDEX bulks_running ON bulks (leased_to, id) WHERE ended_on = 0;
CREATE INDEX bulks_ended ON bulks (ended_on) WHERE ended_on > 0;

-- Their rows, and what became of each. What was no address is not kept: email is
-- '' then.
CREATE TABLE bulk_rows (
    bulk_id    TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    line       INTEGER NOT NULL,
    email      TEXT    NOT NULL,
    roles      TEXT    NOT NULL, -- ids, a space between
    expires_on INTEGER NOT NULL,
    ends_on    INTEGER NOT NULL, -- of the membership; 0: never
    locale     TEXT    NOT NULL,
    note       TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    field      TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    invite_id  TEXT    NOT NULL,
    PRIMARY KEY (bulk_id, number)
) STRICT, WITHOUT ROWID;

-- Messages that are to be sent, or were. A row is written with what it tells
-- of; what it tells, and the link in it, are made when it is sent. id says what
-- the message is about, so that nothing is told twice: the row or operation,
-- kind and generation. A claimed row is due again when its lease ends: due_on.
CREATE TABLE deliveries (
    id            TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    kind          TEXT    NOT NULL,
    account_id    TEXT    NOT NULL, -- '': of no account
    membership_id TEXT    NOT NULL, -- '': of no membership
    user_id       TEXT    NOT NULL, -- '': of no user
    recipient     TEXT    NOT NULL CHECK (length(recipient) BETWEEN 3 AND 90),
    locale        TEXT    NOT NULL,
    generation    INTEGER NOT NULL,
    detail        TEXT    NOT NULL, -- what else the kind needs, never a secret
    state         TEXT    NOT NULL,
    due_on        INTEGER NOT NULL,
    attempts      INTEGER NOT NULL CHECK (attempts >= 0),
    words         TEXT    NOT NULL, -- the server's last, bounded and cleaned
    created_on    INTEGER NOT NULL,
    tried_on      INTEGER NOT NULL, -- the first time, 0: it waits for that
    ended_on      INTEGER NOT NULL, -- 0: it may still be sent
    told          INTEGER NOT NULL DEFAULT 0 -- of how many rows a digest tells, the first of them in detail; 0: it is none
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (due_on) WHERE ended_on = 0;
CREATE INDEX deliveries_urgent ON deliveries (due_on) WHERE ended_on = 0 AND kind IN ('sign_in', 'address');
CREATE INDEX deliveries_ended ON deliveries (ended_on) WHERE ended_on > 0;
-- The last mail to a mailbox, for reports that name no other thing of it.
CREATE INDEX deliveries_recipient ON deliveries (recipient, created_on) WHERE attempts > 0 AND kind IN ('invitation', 'reminder');
CREATE INDEX deliveries_digest ON deliveries (account_id) WHERE ended_on = 0 AND kind = 'expired';

-- What became of a message at each attempt, and what was heard of it later: the
-- last steps of each. They go with the message.
CREATE TABLE delivery_steps (
    delivery_id TEXT    NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    n           INTEGER NOT NULL,
    happened_on INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    code        INTEGER NOT NULL, -- the server's reply, 0: there was none
    words       TEXT    NOT NULL, -- bounded and cleaned
    next_on     INTEGER NOT NULL, -- when it is tried next, 0: it is not
    report      TEXT    NOT NULL, -- a digest of which report told it, '': none
    PRIMARY KEY (delivery_id, n)
) STRICT, WITHOUT ROWID;

-- How often something was done in a stretch of time: messages against their
-- budgets, sign-ins that failed. subject is a hash or an id, never an address.
CREATE TABLE tallies (
    name      TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    starts_on INTEGER NOT NULL,
    ends_on   INTEGER NOT NULL,
    n         INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (name, subject, starts_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX tallies_end ON tallies (ends_on);

-- Who wants no more invitations: from an account, or with '' from anybody here.
CREATE TABLE suppressions (
    recipient  TEXT    NOT NULL CHECK (length(recipient) BETWEEN 3 AND 90),
    account_id TEXT    NOT NULL,
    created_on INTEGER NOT NULL,
    PRIMARY KEY (recipient, account_id)
) STRICT, WITHOUT ROWID;

-- Attempts to prove an address: to sign in, or to take a new address. The link
-- and the code are derived from the row's id and the instance's key; browser is
-- the SHA-256 of what the asking browser holds in its cookie.
CREATE TABLE challenges (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    purpose    TEXT    NOT NULL,
    email      TEXT    NOT NULL CHECK (length(email) BETWEEN 3 AND 90),
    user_id    TEXT    REFERENCES users (id), -- NULL: nobody has that address, and nothing is sent
    browser    BLOB    NOT NULL CHECK (length(browser) = 32),
    failures   INTEGER NOT NULL,
    created_on INTEGER NOT NULL,
    expires_on INTEGER NOT NULL,
    used_on    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX challenges_end ON challenges (expires_on);
CREATE INDEX challenges_user ON challenges (user_id) WHERE used_on = 0;

CREATE TABLE sessions (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id     TEXT    NOT NULL REFERENCES users (id),
    hash        BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    method      TEXT    NOT NULL, -- how the user proved who it is
    factor      TEXT    NOT NULL, -- the second factor that this session showed, '': none
    proved_on   INTEGER NOT NULL, -- the last fresh sign-in
    seen_on     INTEGER NOT NULL, -- noted once in a few minutes
    idle        INTEGER NOT NULL, -- microseconds after seen_on in which it ends by itself
    expires_on  INTEGER NOT NULL,
    ended_on    INTEGER NOT NULL, -- 0: it holds
    remote_addr TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    created_on  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id, id) WHERE ended_on = 0;
CREATE INDEX sessions_end ON sessions (expires_on);

-- Second factors. A seed is sealed by the instance's key, for this row of this
-- user alone. A code works once: last_step only rises. A factor that is removed
-- is gone, with its seed. Of a recovery code a keyed hash is kept.
CREATE TABLE factors (
    id           TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id      TEXT    NOT NULL REFERENCES users (id),
    kind         TEXT    NOT NULL,
    seed         BLOB    NOT NULL,
    last_step    INTEGER NOT NULL, -- the newest time step whose code was used
    session_id   TEXT    NOT NULL, -- that set it up
    created_on   INTEGER NOT NULL,
    confirmed_on INTEGER NOT NULL -- 0: it is being set up, and asks for nothing
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX factors_user ON factors (user_id) WHERE confirmed_on > 0;
CREATE UNIQUE INDEX factors_set_up ON factors (user_id) WHERE confirmed_on = 0;

CREATE TABLE recovery_codes (
    user_id TEXT    NOT NULL REFERENCES users (id),
    hash    TEXT    NOT NULL CHECK (length(hash) = 64),
    used_on INTEGER NOT NULL, -- 0: it works
    PRIMARY KEY (user_id, hash)
) STRICT, WITHOUT ROWID;

-- Users as identity providers know them. A subject is a provider's for good; the
-- address that goes with it is not.
CREATE TABLE identities (
    id         TEXT    NOT NULL UNIQUE CHECK (length(id) = 32),
    issuer     TEXT    NOT NULL CHECK (length(issuer) BETWEEN 1 AND 250),
    subject    TEXT    NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id    TEXT    NOT NULL REFERENCES users (id),
    reason     TEXT    NOT NULL, -- why it was linked
    created_on INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_user ON identities (user_id, id);

-- Where accounts have their events sent. A deleted one stays, without its secrets,
-- until its deliveries are gone. Secrets are sealed by the instance's key, for this
-- webhook of this account alone. Events behind after_position are its own.
CREATE TABLE webhooks (
    id             TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account_id     TEXT    NOT NULL REFERENCES accounts (id),
    name           TEXT    NOT NULL,
    url            TEXT    NOT NULL,
    events         TEXT    NOT NULL, -- patterns, a space between; '': every event
    secret         BLOB    NOT NULL,
    old_secret     BLOB, -- signs too until old_until
    old_until      INTEGER NOT NULL,
    grantor_kind   TEXT    NOT NULL,
    grantor_user   TEXT    REFERENCES users (id),
    grantor_token  TEXT    REFERENCES tokens (id),
    disabled       TEXT    NOT NULL, -- why, '': it is on
    disabled_on    INTEGER NOT NULL,
    after_position INTEGER NOT NULL,
    failures       INTEGER NOT NULL CHECK (failures >= 0), -- in a row
    failing_since  INTEGER NOT NULL,
    due_on         INTEGER NOT NULL, -- 0: nothing waits
    leased_until   INTEGER NOT NULL,
    turn           INTEGER NOT NULL,
    revision       INTEGER NOT NULL,
    created_on     INTEGER NOT NULL,
    deleted_on     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX webhooks_account ON webhooks (account_id, id) WHERE deleted_on = 0;
CREATE INDEX webhooks_on ON webhooks (account_id) WHERE deleted_on = 0 AND disabled = '';
CREATE INDEX webhooks_due ON webhooks (due_on) WHERE due_on > 0;

-- Up to which position deliveries were made of events. Who makes some holds this row.
CREATE TABLE webhook_position (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL
) STRICT;
INSERT INTO webhook_position (id, position) VALUES (1, 0);

-- Events on their way to webhooks. What is sent is made from the audit row when it
-- is: nothing of a person stands here.
CREATE TABLE webhook_deliveries (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    webhook_id TEXT    NOT NULL REFERENCES webhooks (id),
    event_id   TEXT    NOT NULL, -- the operation of the audit row
    action     TEXT    NOT NULL,
    target_id  TEXT    NOT NULL,
    sequence   INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    due_on     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL CHECK (attempts >= 0),
    earlier    INTEGER NOT NULL, -- of these before it was last replayed
    code       INTEGER NOT NULL, -- of the last answer, 0: there was none
    words      TEXT    NOT NULL, -- ours about it
    created_on INTEGER NOT NULL,
    since      INTEGER NOT NULL, -- since when it is tried
    ended_on   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_on) WHERE ended_on = 0;
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_on);

CREATE TABLE webhook_attempts (
    delivery_id TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    took        INTEGER NOT NULL, -- microseconds
    code        INTEGER NOT NULL,
    words       TEXT    NOT NULL,
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;
