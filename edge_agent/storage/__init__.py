"""The SQLite files: history, memory, outbox and inbox in one transaction; settings and identity in another file."""
