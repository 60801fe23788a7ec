"""SQLite store of readings with their scores. The table is there already: the bench creates it for all peers alike."""

import queue
import sqlite3
import threading

# With a key, a reading that comes again after a crash is stored once; without one (default) twice.
INSERT = "INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class PlainStore:
    """SQLite as it comes: one transaction a message, with SQLite's own defaults."""

    def __init__(self, file):
        self._db = sqlite3.connect(file, check_same_thread=False)

    def add(self, rows):
        with self._db:
            self._db.executemany(INSERT, rows)


class GroupStore:
    """Write-ahead log, synced at each commit; one commit for all messages that came while the last one was synced."""

    ROWS_MAX = 5000

    def __init__(self, file, model):
        self._file = file
        self._model = model
        self._waiting = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def add(self, readings, done):
        """Scores and stores; then calls done(error), error None once everything is on disk, in the writer's thread."""
        self._waiting.put((readings, done))

    def _work(self):
        db = sqlite3.connect(self._file)
        db.execute("PRAGMA synchronous = FULL")
        while True:
            group = [self._waiting.get()]
            count = len(group[0][0])
            while count < self.ROWS_MAX and not self._waiting.empty():
                group.append(self._waiting.get())
                count += len(group[-1][0])
            error = None
            try:
                rows = self._model.rows([reading for readings, _ in group for reading in readings])
                with db:
                    db.executemany(INSERT, rows)
            except Exception as failure:
                error = failure
            for _, done in group:
                done(error)
