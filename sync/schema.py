"""The tables of the terminal's database: the journal, the replica, the grants and holds. One file, one writer.

Every table is STRICT: SQLite's usual columns would store 1.5 or 'abc' as points.
"""

from __future__ import annotations

__all__ = ["APPLICATION_ID", "PRAGMAS", "SCHEMA_VERSION", "STATEMENTS"]

SCHEMA_VERSION = 2
APPLICATION_ID = 0x4C4F594A  # "LOYJ": `file` and the start-up tell a journal from any other SQLite database.

PRAGMAS = (
    # Before WAL, or it is ignored; it matters for a new file only.
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 8388608",
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA cache_size = -1000",  # Half of the default, in KiB: a long drain fills it, and a sale is no slower for it.
)

STATEMENTS = (
    # Single facts: terminal, journal, previous_journal, previous_hash, epoch, watermark, watermark_hash, cursor,
    # central_time_seen, contact_at; floor_seq and floor_hash where entries were pruned; damaged_file and
    # recorded_again_seq where the journal took up a damaged one, earlier_file where it took up a forked one; revoked
    # since when central has this terminal revoked; feed_at, central's time at the last page of the feed; confirmed_at,
    # its time when it last showed to hold what it acknowledged; feed_anew while the feed is read from its beginning.
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # The journal. `points` is the entry's effect on the member's balance as this terminal worked it out.
    """CREATE TABLE entries (
        seq INTEGER PRIMARY KEY CHECK (seq >= 1),
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        bytes BLOB NOT NULL,
        hash BLOB NOT NULL CHECK (length(hash) = 32),
        member_id TEXT,
        points INTEGER NOT NULL
    ) STRICT""",
    # Covering: the balance shown sums own entries without reading them.
    "CREATE INDEX entries_by_member ON entries (member_id, seq, points) WHERE member_id IS NOT NULL",
    "CREATE INDEX entries_closing_grants ON entries (seq) WHERE kind = 'grant_closed'",
    "CREATE TABLE attachments (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, sealed BLOB NOT NULL) STRICT",
    # For ever: the key is the business date's ordinal and a digest, so that new keys stay together in the tree.
    """CREATE TABLE receipts (
        key BLOB PRIMARY KEY CHECK (length(key) = 19),
        digest BLOB NOT NULL CHECK (length(digest) = 16),
        entry_id BLOB NOT NULL CHECK (length(entry_id) = 16),
        seq INTEGER NOT NULL,
        points INTEGER NOT NULL,
        points_redeemed INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID""",
    # Which entries reverse which sale, for cumulative returns.
    """CREATE TABLE reversals (
        original_seq INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (original_seq, seq)
    ) STRICT, WITHOUT ROWID""",
    # When central acknowledged up to which seq, in central's time: entries are kept for a retention after it.
    "CREATE TABLE acknowledgements (watermark INTEGER PRIMARY KEY, acknowledged_at TEXT NOT NULL) STRICT",
    # What central made of an entry, where it is anything but applied.
    "CREATE TABLE outcomes (seq INTEGER PRIMARY KEY, outcome TEXT NOT NULL, reason TEXT NOT NULL) STRICT",
    """CREATE TABLE programmes (
        version INTEGER PRIMARY KEY,
        document TEXT NOT NULL,
        key_id TEXT NOT NULL,
        signature BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE snapshots (
        member_id TEXT PRIMARY KEY,
        name_masked TEXT NOT NULL,
        tier TEXT NOT NULL,
        balance INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        as_of TEXT NOT NULL,
        includes_seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE aliases (digest BLOB PRIMARY KEY, member_id TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE grants (
        grant_id TEXT PRIMARY KEY,
        member_id TEXT NOT NULL,
        points INTEGER NOT NULL CHECK (points >= 1),
        spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
        held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
        released INTEGER NOT NULL DEFAULT 0 CHECK (released >= 0),
        not_after TEXT NOT NULL,
        redemption_id TEXT,
        document TEXT NOT NULL,
        key_id TEXT NOT NULL,
        signature BLOB NOT NULL,
        state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
        recalled INTEGER NOT NULL DEFAULT 0,
        confirmed INTEGER NOT NULL DEFAULT 1,
        CHECK (spent + held + released <= points)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX grants_open ON grants (member_id) WHERE state = 'open'",
    """CREATE TABLE holds (
        hold_id TEXT PRIMARY KEY,
        member_id TEXT NOT NULL,
        reward_id TEXT NOT NULL,
        count INTEGER NOT NULL,
        points INTEGER NOT NULL,
        discount_minor INTEGER NOT NULL,
        programme_version INTEGER NOT NULL,
        store TEXT NOT NULL,
        register TEXT NOT NULL,
        created_at TEXT NOT NULL,
        offline_since TEXT,
        state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'spent', 'released'))
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX holds_open ON holds (store, register) WHERE state = 'open'",
    "CREATE INDEX holds_offline ON holds (member_id, offline_since) WHERE offline_since IS NOT NULL",
    """CREATE TABLE hold_grants (
        hold_id TEXT NOT NULL REFERENCES holds,
        grant_id TEXT NOT NULL REFERENCES grants,
        points INTEGER NOT NULL CHECK (points >= 1),
        PRIMARY KEY (hold_id, grant_id)
    ) STRICT, WITHOUT ROWID""",
)
