-- What the release with version 3 of the tables wrote. Never edited: people have such files.
BEGIN TRANSACTION;
CREATE TABLE access (
        bot TEXT PRIMARY KEY,
        body TEXT NOT NULL,
        changed_at TEXT NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "access" VALUES('42','{"v":1,"data":{"policy":"allowlist","senders":{"7":{"sender":"7","role":"owner","name":"Ann","since":"2026-11-20T12:00:00.000000+00:00","by":"pair","welcomed":false}},"groups":{},"pending":[],"invitations":[],"wrong_codes":{}}}','2026-11-20T12:00:00.000000+00:00');
CREATE TABLE audit (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        body TEXT NOT NULL
    );
INSERT INTO "audit" VALUES(1,'42','{"v":1,"data":{"at":"2026-11-20T12:00:00.000000+00:00","actor":"operator","action":"pair","subject":"7","detail":""}}');
INSERT INTO "audit" VALUES(2,'42','{"v":1,"data":{"at":"2026-11-20T12:00:00.000000+00:00","actor":"7","action":"stop","subject":"s1","detail":""}}');
CREATE TABLE authors (
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        message TEXT NOT NULL,
        session TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (bot, chat, message)
    ) WITHOUT ROWID;
INSERT INTO "authors" VALUES('42','7','9','s1','2026-11-20T12:00:00.000000+00:00');
CREATE TABLE choices (
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, chat)
    ) WITHOUT ROWID;
INSERT INTO "choices" VALUES('42','7','{"v":1,"data":"s1"}');
CREATE TABLE closed_chats (
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, chat)
    ) WITHOUT ROWID;
INSERT INTO "closed_chats" VALUES('42','8','{"v":1,"data":"blocked"}');
CREATE TABLE cursors (
        bot TEXT PRIMARY KEY,
        update_id INTEGER NOT NULL,
        moved_at TEXT NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "cursors" VALUES('42',9004,'2026-11-20T12:00:00.000000+00:00');
CREATE TABLE health (
        bot TEXT PRIMARY KEY,
        at TEXT NOT NULL,
        body TEXT NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "health" VALUES('42','2026-11-20T12:00:00.000000+00:00','{"v":1,"data":{"state":"polling","pid":11,"at":"2026-11-20T12:00:00.000000+00:00","problem":"","bot_username":"","last_poll_ok_at":"2026-11-20T12:00:00.000000+00:00","last_drained_at":null}}');
CREATE TABLE inbox (
        entry INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        update_id INTEGER NOT NULL,
        chat TEXT NOT NULL,
        message TEXT NOT NULL,
        stored_at TEXT NOT NULL,
        state TEXT NOT NULL,
        session TEXT,
        emitted_at TEXT,
        redelivered INTEGER NOT NULL,
        noticed INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL,
        wanted INTEGER NOT NULL,
        fetch TEXT NOT NULL,
        body TEXT NOT NULL
    , why TEXT);
INSERT INTO "inbox" VALUES(1,'42',9001,'1001','1','2026-11-20T12:00:00.000000+00:00','read','s1','2026-11-20T12:00:01.000000+00:00',0,0,1,0,'{"v":1,"data":{"state":"none","file":null,"path":"","cause":"","slow":false}}','{"v":1,"data":{"message":{"update":9001,"place":{"chat":"1001","chat_kind":"private","sender":"1001","sender_name":"Ann","chat_title":"","thread":null,"username":null},"message":"1","sent_at":"2026-11-20T12:00:00.000000+00:00","text":"message 1","attachment":null,"album":null,"reply_to":null,"quote":null,"forwarded_from":null,"edited":false,"mentions_bot":false,"details":{}}}}',NULL);
INSERT INTO "inbox" VALUES(2,'42',9002,'1001','2','2026-11-20T12:00:00.000000+00:00','emitted','s1','2026-11-20T12:00:01.000000+00:00',0,0,1,0,'{"v":1,"data":{"state":"none","file":null,"path":"","cause":"","slow":false}}','{"v":1,"data":{"message":{"update":9002,"place":{"chat":"1001","chat_kind":"private","sender":"1001","sender_name":"Ann","chat_title":"","thread":null,"username":null},"message":"2","sent_at":"2026-11-20T12:00:00.000000+00:00","text":"message 2","attachment":null,"album":null,"reply_to":null,"quote":null,"forwarded_from":null,"edited":false,"mentions_bot":false,"details":{}}}}',NULL);
INSERT INTO "inbox" VALUES(3,'42',9003,'1001','3','2026-11-20T12:00:00.000000+00:00','stored','s1','2026-11-20T12:00:01.000000+00:00',1,0,1,0,'{"v":1,"data":{"state":"none","file":null,"path":"","cause":"","slow":false}}','{"v":1,"data":{"message":{"update":9003,"place":{"chat":"1001","chat_kind":"private","sender":"1001","sender_name":"Ann","chat_title":"","thread":null,"username":null},"message":"3","sent_at":"2026-11-20T12:00:00.000000+00:00","text":"message 3","attachment":null,"album":null,"reply_to":null,"quote":null,"forwarded_from":null,"edited":false,"mentions_bot":false,"details":{}}}}',NULL);
INSERT INTO "inbox" VALUES(4,'42',9004,'1001','4','2026-11-20T12:00:00.000000+00:00','stored','s1',NULL,0,0,0,0,'{"v":1,"data":{"state":"none","file":null,"path":"","cause":"","slow":false}}','{"v":1,"data":{"message":{"update":9004,"place":{"chat":"1001","chat_kind":"private","sender":"1001","sender_name":"Ann","chat_title":"","thread":null,"username":null},"message":"4","sent_at":"2026-11-20T12:00:00.000000+00:00","text":"message 4","attachment":null,"album":null,"reply_to":null,"quote":null,"forwarded_from":null,"edited":false,"mentions_bot":false,"details":{}}}}','topic');
CREATE TABLE orders (
        bot TEXT NOT NULL,
        session TEXT NOT NULL,
        kind TEXT NOT NULL,
        given_at TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, session, kind)
    ) WITHOUT ROWID;
INSERT INTO "orders" VALUES('42','s1','stop','2026-11-20T12:00:00.000000+00:00','{"v":1,"data":{"kind":"stop","session":"s1","by":"7","by_name":"Ann","at":"2026-11-20T12:00:00.000000+00:00","chat":"7","message":"5","thread":null,"answered":false}}');
CREATE TABLE prompts (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        prompt TEXT NOT NULL,
        request_key TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        owed INTEGER NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (bot, prompt)
    );
INSERT INTO "prompts" VALUES(1,'42','p1','abcde','2026-11-20T12:00:00.000000+00:00',1,'{"v":2,"data":{"prompt":"p1","session":"s1","request":{"request_id":"abcde","tool_name":"Bash","description":"Run a command","input_preview":"{\"command\": \"ls\"}"},"asked_at":"2026-11-20T12:00:00.000000+00:00","cards":[],"verdict":null,"closing":null,"told_session":false,"cards_closed":false,"details":{"tool_input":"{\"command\": \"ls\"}","suggestions":[{"words":"Always","raw":"{}"}],"agent":"a"}}}');
CREATE TABLE quarantined (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        at TEXT NOT NULL,
        body TEXT NOT NULL
    );
CREATE TABLE questions (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        thread TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (bot, chat, thread)
    );
INSERT INTO "questions" VALUES(1,'42','8','4','{"v":1,"data":{"chat":"8","thread":"4","message":"12","asked_at":"2026-11-20T12:00:00.000000+00:00"}}');
CREATE TABLE seen (
        bot TEXT NOT NULL,
        update_id INTEGER NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (bot, update_id)
    ) WITHOUT ROWID;
INSERT INTO "seen" VALUES('42',9001,'2026-11-20T12:00:00.000000+00:00');
INSERT INTO "seen" VALUES('42',9002,'2026-11-20T12:00:00.000000+00:00');
INSERT INTO "seen" VALUES('42',9003,'2026-11-20T12:00:00.000000+00:00');
INSERT INTO "seen" VALUES('42',9004,'2026-11-20T12:00:00.000000+00:00');
CREATE TABLE sessions (
        bot TEXT NOT NULL,
        session TEXT NOT NULL,
        pid INTEGER NOT NULL,
        last_seen_at TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, session, pid)
    ) WITHOUT ROWID;
INSERT INTO "sessions" VALUES('42','s1',11,'2026-11-20T12:00:05.000000+00:00','{"v":2,"data":{"session":"s1","pid":11,"started_at":"2026-11-20T12:00:00.000000+00:00","last_seen_at":"2026-11-20T12:00:05.000000+00:00","name":"shop","is_channel":true,"receives":true,"project":"/srv/shop","branch":"main"}}');
INSERT INTO "sessions" VALUES('42','s2',12,'2026-11-20T12:00:06.000000+00:00','{"v":1,"data":{"session":"s2","pid":12,"started_at":"2026-11-20T12:00:01.000000+00:00","last_seen_at":"2026-11-20T12:00:06.000000+00:00","name":"till","is_channel":false}}');
CREATE TABLE topics (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        thread TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (bot, chat, thread)
    );
INSERT INTO "topics" VALUES(1,'42','-5','3','{"v":1,"data":{"chat":"-5","thread":"3","project":"/srv/shop","session":"s1","name":"shop","is_open":true}}');
CREATE TABLE wishes (
        bot TEXT NOT NULL,
        chat TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (bot, chat)
    ) WITHOUT ROWID;
INSERT INTO "wishes" VALUES('42','7','{"v":1,"data":{"progress":true,"stream":false}}');
CREATE INDEX audit_of_bot ON audit (bot, row);
CREATE INDEX inbox_in_state ON inbox (bot, state, entry);
CREATE INDEX inbox_of_message ON inbox (bot, chat, message, entry);
CREATE INDEX inbox_unacknowledged ON inbox (bot, entry) WHERE acknowledged = 0;
CREATE INDEX inbox_to_fetch ON inbox (bot, entry) WHERE wanted = 1;
CREATE INDEX quarantined_of_bot ON quarantined (bot, row);
CREATE INDEX prompts_of_request ON prompts (bot, request_key, row);
CREATE INDEX prompts_owed ON prompts (bot, row) WHERE owed = 1;
CREATE INDEX inbox_of_session ON inbox (bot, session, state, entry)
        WHERE state = 'stored' OR state = 'emitted';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit',2);
INSERT INTO "sqlite_sequence" VALUES('inbox',4);
INSERT INTO "sqlite_sequence" VALUES('prompts',1);
INSERT INTO "sqlite_sequence" VALUES('topics',1);
INSERT INTO "sqlite_sequence" VALUES('questions',1);
COMMIT;
