-- A manifest as the first schema had it: three pictures, one with undecodable bytes in its name, one that failed.
BEGIN TRANSACTION;
CREATE TABLE about (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO "about" VALUES('owner',X'2F636F6E666967732F7468756D62732E79616D6C');
CREATE TABLE claim (
    fold BLOB NOT NULL, path BLOB NOT NULL, source BLOB NOT NULL, rendition TEXT NOT NULL,
    size INTEGER, mtime_ns INTEGER, sha256 BLOB,
    PRIMARY KEY (fold, path)
) WITHOUT ROWID;
INSERT INTO "claim" VALUES(X'612E6A70672D6C617267652E6A7067',X'612E6A70672D6C617267652E6A7067',X'612E6A7067','large',4,17,X'EA0890697A77AF0A2E054CCCEC587C8A42FEB5CF38E778C6C6E2A96BFB945C0B');
INSERT INTO "claim" VALUES(X'612E6A70672D7468756D622E6A7067',X'612E6A70672D7468756D622E6A7067',X'612E6A7067','thumb',4,17,X'EA0890697A77AF0A2E054CCCEC587C8A42FEB5CF38E778C6C6E2A96BFB945C0B');
INSERT INTO "claim" VALUES(X'622FFF2E6A70672D7468756D622E6A7067',X'622FFF2E6A70672D7468756D622E6A7067',X'622FFF2E6A7067','thumb',4,17,X'EA0890697A77AF0A2E054CCCEC587C8A42FEB5CF38E778C6C6E2A96BFB945C0B');
CREATE TABLE library (id INTEGER PRIMARY KEY, versions TEXT NOT NULL UNIQUE);
INSERT INTO "library" VALUES(1,'pillow=1');
CREATE TABLE rendition (
    source INTEGER NOT NULL, name TEXT NOT NULL, target BLOB NOT NULL, shown TEXT,
    source_sha256 BLOB, recipe TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, error TEXT, detail TEXT,
    size INTEGER, mtime_ns INTEGER, sha256 BLOB, format TEXT, width INTEGER, height INTEGER,
    seconds_resize REAL NOT NULL, seconds_encode REAL NOT NULL, seconds_write REAL NOT NULL,
    warnings TEXT NOT NULL, library INTEGER, run INTEGER, at REAL NOT NULL,
    PRIMARY KEY (source, name)
) WITHOUT ROWID;
INSERT INTO "rendition" VALUES(1,'large',X'612E6A70672D6C617267652E6A7067',NULL,X'ED7002B439E9AC845F22357D822BAC1444730FBDB6016D3EC9432297B9EC9F73','r2','done','new',NULL,NULL,4,17,X'EA0890697A77AF0A2E054CCCEC587C8A42FEB5CF38E778C6C6E2A96BFB945C0B','jpeg',32,24,0.1,0.2,0.3,'[]',1,1,1700000001.0);
INSERT INTO "rendition" VALUES(1,'thumb',X'612E6A70672D7468756D622E6A7067',NULL,X'ED7002B439E9AC845F22357D822BAC1444730FBDB6016D3EC9432297B9EC9F73','r1','done','new',NULL,NULL,4,17,X'EA0890697A77AF0A2E054CCCEC587C8A42FEB5CF38E778C6C6E2A96BFB945C0B','jpeg',32,24,0.1,0.2,0.3,'[]',1,1,1700000001.0);
INSERT INTO "rendition" VALUES(2,'thumb',X'622FFF2E6A70672D7468756D622E6A7067','b/\xff.jpg-thumb.jpg',X'D9298A10D1B0735837DC4BD85DAC641B0F3CEF27A47E5D53A54F2F3F5B2FCFFA','r1','done','new',NULL,NULL,4,17,X'EA0890697A77AF0A2E054CCCEC587C8A42FEB5CF38E778C6C6E2A96BFB945C0B','jpeg',32,24,0.1,0.2,0.3,'[]',1,1,1700000001.0);
INSERT INTO "rendition" VALUES(3,'thumb',X'632E6A70672D7468756D622E6A7067',NULL,X'B1E99324505BD32DA0E1F85DCF5E19A09DB0481E8A15F62C41EB320304A8E927','r1','failed','new','truncated','3 bytes short',NULL,NULL,NULL,NULL,NULL,NULL,0.0,0.0,0.0,'[]',1,1,1700000001.0);
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL UNIQUE, config TEXT NOT NULL, argv TEXT NOT NULL,
    pid INTEGER NOT NULL, host TEXT NOT NULL, started REAL NOT NULL, ended REAL, status INTEGER,
    counts TEXT NOT NULL DEFAULT '{}', settings TEXT NOT NULL, libraries TEXT NOT NULL
);
INSERT INTO "run" VALUES(1,'run-1','/configs/thumbs.yaml','["pipeline", "run", "/configs/thumbs.yaml"]',123,'host',1700000000.0,1700000009.0,1,'{"done": 2, "failed": 1}','{"threads": 2}','pillow=1');
CREATE TABLE source (
    id INTEGER PRIMARY KEY, folder BLOB NOT NULL, path BLOB NOT NULL UNIQUE, shown TEXT,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    sha256 BLOB, settled INTEGER NOT NULL, status TEXT NOT NULL, error TEXT, detail TEXT,
    format TEXT, width INTEGER, height INTEGER, frames INTEGER, mode TEXT,
    seconds_read REAL NOT NULL, seconds_decode REAL NOT NULL, peak_memory INTEGER, warnings TEXT NOT NULL,
    run INTEGER, at REAL NOT NULL
);
INSERT INTO "source" VALUES(1,X'',X'612E6A7067',NULL,7,5,6,X'ED7002B439E9AC845F22357D822BAC1444730FBDB6016D3EC9432297B9EC9F73',1,'done',NULL,NULL,'jpeg',320,240,1,'RGB',0.0,0.0,NULL,'[]',1,1700000001.0);
INSERT INTO "source" VALUES(2,X'62',X'622FFF2E6A7067','b/\xff.jpg',5,5,6,X'D9298A10D1B0735837DC4BD85DAC641B0F3CEF27A47E5D53A54F2F3F5B2FCFFA',1,'done',NULL,NULL,'jpeg',320,240,1,'RGB',0.0,0.0,NULL,'[]',1,1700000001.0);
INSERT INTO "source" VALUES(3,X'',X'632E6A7067',NULL,5,5,6,X'B1E99324505BD32DA0E1F85DCF5E19A09DB0481E8A15F62C41EB320304A8E927',1,'failed',NULL,NULL,'jpeg',320,240,1,'RGB',0.0,0.0,NULL,'[]',1,1700000001.0);
CREATE INDEX source_in_folder ON source (folder, path);
CREATE VIEW pictures AS SELECT
    COALESCE(s.shown, CAST(s.path AS TEXT)) AS source, s.status, s.error, s.detail,
    s.format, s.width, s.height, s.frames, s.mode, s.size AS bytes, NULLIF(LOWER(HEX(s.sha256)), '') AS sha256,
    (SELECT COUNT(*) FROM rendition r WHERE r.source = s.id) AS renditions,
    s.warnings, s.seconds_read, s.seconds_decode, s.peak_memory, s.run, DATETIME(s.at, 'unixepoch') AS at
FROM source s;
CREATE VIEW renditions AS SELECT
    COALESCE(s.shown, CAST(s.path AS TEXT)) AS source, r.name AS rendition,
    COALESCE(r.shown, CAST(r.target AS TEXT)) AS target, r.status, r.reason, r.error, r.detail,
    r.format, r.width, r.height, r.size AS bytes, NULLIF(LOWER(HEX(r.sha256)), '') AS sha256, r.recipe,
    s.format AS source_format, s.width AS source_width, s.height AS source_height, s.size AS source_bytes,
    NULLIF(LOWER(HEX(r.source_sha256)), '') AS source_sha256, l.versions AS libraries, r.warnings,
    s.seconds_read, s.seconds_decode, r.seconds_resize, r.seconds_encode, r.seconds_write, s.peak_memory,
    r.run, DATETIME(r.at, 'unixepoch') AS at
FROM rendition r JOIN source s ON s.id = r.source LEFT JOIN library l ON l.id = r.library;
CREATE VIEW runs AS SELECT
    id, run, config, argv, pid, host, DATETIME(started, 'unixepoch') AS started, DATETIME(ended, 'unixepoch') AS ended,
    ended - started AS seconds, status, counts, settings, libraries
FROM run;
INSERT INTO "sqlite_sequence" VALUES('run',1);
COMMIT;
PRAGMA application_id = 1885958245;
PRAGMA user_version = 1;
