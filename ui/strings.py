"""Every sentence that the page shows, in one place, ready to be translated: a language is one `Strings`."""

from __future__ import annotations

from dataclasses import dataclass

MONTHS_EN = "January February March April May June July August September October November December"


@dataclass(frozen=True, slots=True)
class Strings:
    """The words of the page. Braces are filled with `str.format`; what goes in is escaped later, by render.py."""

    lang: str = "en"
    months: tuple[str, ...] = tuple(MONTHS_EN.split())
    date: str = "{day} {month} {year}"

    title: str = "Recap"
    tagline: str = "Ask about an event. Every answer quotes the coverage it comes from, with its date."
    covered: str = "The library covers"
    counts: str = "{articles}, about {events}"
    independent: str = "{n} independent"
    article_one: str = "1 article"
    article_many: str = "{n} articles"
    event_one: str = "1 event"
    event_many: str = "{n} events"
    more_events: str = "and {n} more"
    templates: tuple[str, ...] = (
        "Who hosted the {event}?",
        "When did the {event} take place?",
        "Who was honored at the {event}?",
        "Who was photographed backstage at the {event}?",
        "Who performed at the {event}?",
    )
    template_any: str = "What happened at the {event}?"

    ask_label: str = "Your question"
    ask_placeholder: str = "Ask about the coverage"
    ask: str = "Ask"
    stop: str = "Stop"
    new: str = "New conversation"
    again: str = "Ask again"
    as_written: str = "Ask as written"
    edit: str = "Edit the question"
    scope: str = "Search in"
    scope_all: str = "All coverage"
    scope_year: str = "Everything from {year}"
    engine: str = "Answered by"
    engine_reader: str = "Reader, no language model"
    engine_wait: str = "Finding the engine"

    reading: str = "Reading the coverage"
    standalone: str = "Understood as"
    sources: str = "Sources"
    source: str = "Source {n}"
    source_name: str = "Source {n}: {name}"
    undated: str = "undated"
    of_event: str = "event of {date}"
    no_title: str = "Untitled article"
    abstained: str = "Not in the coverage"
    stopped: str = "Stopped before the answer was complete."
    truncated: str = "The answer was cut off before its end."
    seconds: str = "{s} s"
    partial: str = "partly supported"
    unsupported: str = "not supported"
    scoped: str = "Searched in: {scope}"
    failed: str = "No answer"

    talk: str = "Conversation"
    live_region: str = "Answer"
    evidence: str = "Evidence"
    evidence_empty: str = "Choose a source number to read its passage here, in the whole article."
    close: str = "Close"
    published: str = "Published {date}"
    lent: str = "Published {date} (the date printed on a copy)"
    event_line: str = "About the {event}"
    event_on: str = "About the {event}, held on {date}"
    by: str = "By {authors}"
    copies: str = "The coverage has {n} copies of this piece."
    live: str = "Read it on {host}"
    passage_for: str = "Source {n}, for: {question}"
    gone: str = "This article is no longer in the library. Ask the question again."
    no_source: str = "That source is not part of this conversation. Choose a source number under an answer."

    empty_title: str = "The library is empty"
    empty_body: str = "Recap answers from the coverage that you give it: files, folders, web pages and feeds. Add some:"
    empty_command: str = "recap ingest PATH_OR_URL --library {library}"
    empty_after: str = "Then reload this page."

    error_any: str = (
        "Something went wrong while answering, and it was written to the server's log. "
        "Ask again; if it keeps happening, run: recap doctor"
    )
    too_long: str = "The question has {n} characters; at most {limit} are read. Shorten it."
    no_question: str = "Type a question first."

    serving: str = "Recap is open at {url}  (stop it with Ctrl+C)"
    port_busy: str = (
        "Port {port} on {host} is already in use. Choose another with --port, or stop the program that has it."
    )
    bind_denied: str = "Recap cannot listen on {host}:{port}: {reason}. Choose another --host or --port."
    needs_auth: str = (
        "Listening on {host} lets other machines in, so a password is needed. "
        "Set RECAP_AUTH=user:password, or keep --host 127.0.0.1."
    )
    bad_auth: str = (
        "RECAP_AUTH must be user:password, with at least {n} characters in the password, "
        "or user:HASH as printed by: python -m ui --hash-password"
    )
    login: str = "Sign in to Recap."


EN = Strings()
