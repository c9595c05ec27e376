-- Tickets for WebSockets that are good on every replica while there is no Redis to share them: SHA-256 of the ticket, and what was shown
-- for it, sealed with the ticket itself. Elsewhere one process keeps its own.

CREATE TABLE socket_tickets (
    id         TEXT PRIMARY KEY,
    sealed     TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX socket_tickets_by_end ON socket_tickets (expires_at);
