"""`python -m ui`: the chat in a browser. The same as `recap chat`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Read the flags and serve. Exit status: 0 stopped, 2 could not start (the reason is a sentence on stderr)."""
    parser = argparse.ArgumentParser(prog="python -m ui", description="Ask about events in the browser.")
    parser.add_argument("--library", metavar="DIR", help="where the library is (default: $RECAP_LIBRARY, else .recap)")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1; any other needs RECAP_AUTH)")
    parser.add_argument("--port", type=int, help="port to listen on (default 7860; 0 takes a free one)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    parser.add_argument("--read-only", action="store_true", default=None, help="the page adds and removes nothing")
    flags = parser.parse_args(argv)

    from rag.config import Config
    from rag.errors import RecapError

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        config = Config.load(library=flags.library, host=flags.host, port=flags.port, read_only=flags.read_only)
        from ui.app import serve

        serve(config, browser=False if flags.no_browser else None)
    except RecapError as e:
        print(e, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
