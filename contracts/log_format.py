"""The one log line of gateway and cloud: a JSON object with time, level, logger, message, and what was given as extra.

A frame is named by ``gateway/epoch/lane/seq`` on both sides, so one search follows a reading through both programs;
docs/ops/following.md shows it.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

PROGRAMS = ("edge_agent", "device_registry", "cloud_api", "contracts")
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """One JSON object a line. context: what is to stand in every line that is written now, such as a request's id."""

    def __init__(self, context: Callable[[], Mapping[str, str]] = dict) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """The line. Values that JSON does not know are written as text."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(self._context())
        line.update({name: value for name, value in vars(record).items() if name not in _PLAIN})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def log_as_json(level: str, context: Callable[[], Mapping[str, str]] = dict) -> None:
    """Write every log record of ours to standard error as JsonLines; of libraries, what is worth a warning."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(context))
    logging.basicConfig(level="WARNING" if level == "debug" else level.upper(), handlers=[handler], force=True)
    for program in PROGRAMS:
        logging.getLogger(program).setLevel(level.upper())
