"""Every sentence that the page shows, in one place, ready to be translated: a language is one `Strings`."""

from __future__ import annotations

from dataclasses import dataclass, field

MONTHS_EN = "January February March April May June July August September October November December"


@dataclass(frozen=True, slots=True)
class Strings:
    """The words of the page. Braces are filled with `str.format`; what goes in is escaped later, by render.py."""

    lang: str = "en"
    language_name: str = "English"
    months: tuple[str, ...] = tuple(MONTHS_EN.split())
    months_short: tuple[str, ...] = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    decimal: str = "."
    thousands: str = ","
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
    person_templates: tuple[str, ...] = (
        "Who was photographed with {person} at the {event}?",
        "What did {person} say at the {event}?",
    )
    template_any: str = "What happened at the {event}?"

    ask_label: str = "Your question"
    ask_placeholder: str = "Ask about the coverage"
    ask: str = "Ask"
    stop: str = "Stop"
    new: str = "New conversation"
    again: str = "Ask again"
    as_written: str = "Ask as written"
    edit: str = "Edit"
    edit_name: str = "Edit the question: {question}"
    edit_notice: str = "Change the question and ask: it is answered anew from there."
    edit_fork: str = "Change the question and ask. The conversation as it is stays in the list."
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
    supported: str = "supported"
    partial: str = "partly supported"
    unsupported: str = "not supported"
    order_time: str = "In time order"
    order_cited: str = "In the order cited"
    also_one: str = "Also found: 1 passage"
    also_many: str = "Also found: {n} passages"
    also_name: str = "Also found: {title}"
    support_high: str = "Well supported by the coverage"
    support_fair: str = "Fairly supported by the coverage"
    support_low: str = "Thinly supported: read the passage"
    support_checked: str = "Every sentence is backed by its source"
    support_partly: str = "Partly backed: a sentence says more than its source"
    support_unbacked: str = "A sentence is not backed by its source"
    how: str = "Details"
    how_confidence: str = "Chance of being right"
    how_chance: str = "{n} in 10, by the reader's calibration"
    how_question: str = "Searched for"
    how_stages: dict[str, str] = field(
        default_factory=lambda: {
            "retrieve": "Finding passages",
            "first_token": "First words",
            "answer": "Answering",
            "total": "In all",
        }
    )
    how_ms: str = "{n} ms"
    how_hits: str = "Passages that were considered and not cited"
    how_rank: str = "Rank"
    how_headline: str = "Article"
    how_score: str = "Score"
    how_verdicts: str = (
        "Supported: the passage says what the sentence says. Partly supported: it says some of it. "
        "Not supported: nothing in the sources says so."
    )
    good: str = "This is right"
    good_name: str = "This answer is right: {question}"
    bad: str = "This is wrong"
    bad_name: str = "This answer is wrong: {question}"
    judged_often: str = "Too many judgements in a minute. Wait a little, then try again."
    asked_often: str = "Too many questions in a minute. Wait a little, then ask again."
    asked_at_once: str = "Too many questions at once. Wait for an answer, then ask again."
    wait_for_answer: str = "Wait for the answer, or stop it first."
    judged_up: str = "You marked this answer as right. Thank you."
    judged_down: str = "You marked this answer as wrong. Thank you, it is kept with the library."
    scoped: str = "Searched in: {scope}"
    failed: str = "No answer"

    screen_ask: str = "Ask"
    screen_explore: str = "Explore"
    screen_library: str = "Library"
    screen_eval: str = "Evaluation"
    screens: str = "Screens"
    language: str = "Language"
    loading: str = "Reading the library"

    talks: str = "Conversations"
    talks_full: str = "This browser has no room left: this conversation is not kept. Delete older ones, or export it."
    talks_none: str = "Your conversations are kept in this browser. They appear here."
    talks_forget: str = "Delete"
    talks_forget_name: str = "Delete the conversation: {title}"
    talks_sure: str = "Delete it?"
    export: str = "Export"
    cancel: str = "Cancel"

    rate_title: str = "What is wrong with this answer?"
    rate_reason: str = "Reason"
    rate_reasons: dict[str, str] = field(
        default_factory=lambda: {
            "wrong": "The answer is wrong",
            "edition": "It is about another edition or date",
            "source": "The source does not say that",
            "refused": "The coverage does say it",
            "unsaid": "The coverage does not say it",
            "incomplete": "Something is missing",
            "other": "Something else",
        }
    )
    rate_right: str = "What would be right? (optional)"
    rate_comment: str = "Anything else? (optional)"
    rate_send: str = "Send"
    rate_reason_missing: str = "Choose a reason first."

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
    event_open: str = "Open the page of the {event}"
    gone_passage: str = "This article is no longer in the library, or has changed since."
    no_turn: str = "That answer is not part of this conversation."
    talk_gone: str = "That conversation is no longer kept in this browser."
    explore_back: str = "All events"
    explore_empty: str = "There is nothing to explore yet. Add articles on the Library screen."
    event_gone: str = "The library has no such event any more."
    read_only: str = "This library is read-only: its operator adds and removes articles."
    add_files: str = "Files: text, HTML, PDF, Word, JSONL"
    add_web: str = "Address of a page or a feed"
    add: str = "Add to the library"
    shelf_search: str = "Search in the library"
    shelf_search_hint: str = "Headline, outlet, author or event"
    gone: str = "This article is no longer in the library. Ask the question again."
    no_source: str = "That source is not part of this conversation. Choose a source number under an answer."

    empty_title: str = "The library is empty"
    empty_body: str = "Recap answers from the coverage that you give it: files, folders, web pages and feeds. Add some:"
    empty_add: str = "Add articles here"
    empty_or: str = "Or from a terminal:"
    empty_command: str = "recap ingest PATH_OR_URL --library {library}"
    empty_after: str = "Then reload this page."

    error_any: str = (
        "Something went wrong while answering, and it was written to the server's log. "
        "Ask again; if it keeps happening, run: recap doctor"
    )
    too_long: str = "The question has {n} characters; at most {limit} are read. Shorten it."
    no_question: str = "Type a question first."

    # library
    l_columns: dict[str, str] = field(
        default_factory=lambda: {"headline": "Headline", "outlet": "Outlet", "published": "Published", "event": "Event"}
    )
    l_words: str = "Words"
    l_act: str = "Remove"
    l_sort: str = "Sort by {column}, {order}"
    l_sorted: str = "{column}, {order}. Choose it for {other}"
    l_a_z: str = "A to Z"
    l_z_a: str = "Z to A"
    l_newest: str = "newest first"
    l_oldest: str = "oldest first"
    l_caption: str = "Articles in the library"
    l_match_one: str = "1 match for “{words}”"
    l_match_many: str = "{n} matches for “{words}”"
    l_range: str = "{first} to {last} of {n}"
    l_open: str = "Read {title}"
    l_to_event: str = "About the {event}"
    l_remove_name: str = "Remove {title}"
    l_copies_one: str = "1 more copy"
    l_copies_many: str = "{n} more copies"
    l_count_one: str = "1 word"
    l_count_many: str = "{n} words"
    l_lent: str = "The date printed on a copy"
    l_pages: str = "Pages of the library"
    l_page: str = "Page {n}"
    l_page_of: str = "Page {n} of {last}"
    l_before: str = "Previous"
    l_after: str = "Next"
    l_empty: str = "The library is empty"
    l_empty_body: str = (
        "Add files, a web page or a feed: their articles are listed here and can be asked about at once."
    )
    l_empty_read_only: str = "There is nothing to read here yet. Articles are added by whoever runs this page."
    l_none: str = "Nothing matches “{words}”"
    l_none_body: str = (
        "Every word is looked for in the headline, outlet, byline, event, address and file name of each article. "
        "Try fewer words."
    )
    l_all: str = "Show all articles"
    l_ask: str = "Remove “{title}” from the library?"
    l_ask_about: str = "Remove “{title}” ({about}) from the library?"
    l_stay_one: str = "Its other copy stays."
    l_stay_many: str = "Its {n} other copies stay."
    l_keep: str = "Keep it"
    l_keep_name: str = "Keep {title}"
    l_read_only: str = "This library is read-only: whoever runs this page has switched adding and removing off."
    l_no_file: str = "Choose some files, or type a web address."
    l_often: str = "Too much was added in a minute. Wait a little, then try again."
    l_too_many: str = "Up to {limit} files and addresses are added at once. Add the rest after these."
    l_too_large: str = (
        "It is larger than {limit} MB. Split it, or ask whoever runs this page to add it with recap ingest."
    )
    l_unpacks: str = (
        "It unpacks to more than {limit} MB. Split it, or ask whoever runs this page to add it with recap ingest."
    )
    l_no_upload: str = "It did not arrive as a file. Choose it again."
    l_same_name: str = "Another file of this name came with it. Rename one of them and add it again."
    l_cannot_keep: str = "It could not be kept in the library's folder: {reason}."
    l_enough: str = "It has more than {limit} articles; the rest was not read. Ask whoever runs this page to add it with recap ingest."
    l_no_address: str = "Type a web address, such as https://example.org/report."
    l_one_address: str = "Give one web address at a time, without spaces."
    l_scheme: str = "A web address starts with http:// or https://."
    l_bad_address: str = "That is not a web address that can be read. Check it for typing errors."
    l_long_address: str = "That web address is too long."
    l_waiting: str = "Waiting: the library is being changed by someone else"
    l_opening: str = "Opening the library"
    l_reading: str = "Reading {name}, {n} of {total}"
    l_reading_item: str = "Reading {name}, {n} of {total}: article {article}"
    l_finishing: str = "Finishing"
    l_busy: str = "Someone else has been changing the library all along. Nothing was added; try again in a moment."
    l_busy_remove: str = "Someone else is changing the library just now. Nothing was removed; try again in a moment."
    l_other_model: str = (
        "The library was made with another embedding model, so nothing can be added from here. "
        "Whoever runs this page can do it with recap ingest."
    )
    l_failed: str = (
        "Something went wrong, and it was written to the server's log. What is listed as added is in the library."
    )
    l_failed_remove: str = "Something went wrong, and it was written to the server's log. Nothing was removed."
    l_stopped: str = "Stopped. What is listed as added is in the library."
    l_added: str = "Added"
    l_updated: str = "Updated"
    l_unchanged: str = "Already there"
    l_rejected: str = "Not added"
    l_copy_of: str = "Copy of"
    l_is_copy: str = "a copy of “{title}”"
    l_replaces: str = "replaces “{title}”"
    l_sum_added: str = "{n} added"
    l_sum_copy_one: str = "1 copy"
    l_sum_copy_many: str = "{n} copies"
    l_sum_updated: str = "{n} updated"
    l_sum_unchanged: str = "{n} already there"
    l_sum_rejected: str = "{n} not added"
    l_more: str = "and {n} more"
    l_line: str = "{name}, line {n}"
    l_removed: str = "Removed: {title}"
    l_removed_many: str = "{n} articles removed"
    l_gone: str = "It is no longer in the library."

    # evaluation
    runs_title: str = "Evaluation"
    runs_what: str = "How often Recap answers known questions rightly, and how that has changed from run to run."
    runs_empty: str = "No runs yet"
    runs_empty_body: str = "A run asks Recap every question of a fact file and judges the answers. Make one:"
    runs_command: str = "recap eval seeds/facts.jsonl"
    runs_empty_after: str = "It takes a minute or two. Runs are looked for in {folder}; then open this screen again."
    runs_chart: str = "Figures over time"
    runs_chart_of: str = "{n} runs, oldest first: questions answered right, questions rightly declined, and answers about another edition"
    runs_chart_later: str = "A second run of the same facts draws a line here."
    runs_point: str = "{name}, {when}: {figure} {percent}"
    runs_key_right: str = "Answered right, with its 95% interval"
    runs_key_declined: str = "Rightly declined"
    runs_key_edition: str = "Answers about another edition"
    runs_key_sets: str = "A line joins only runs of the same facts by the same engine, which share a letter."
    runs_list: str = "Runs"
    runs_col_run: str = "Run"
    runs_col_engine: str = "Answered by"
    runs_col_facts: str = "Facts"
    runs_col_right: str = "Right"
    runs_col_answered: str = "Answered right"
    runs_col_declined: str = "Rightly declined"
    runs_col_edition: str = "Other edition"
    runs_col_time: str = "Time"
    runs_time_note: str = (
        "Right counts all facts. Answered right is of the questions that the coverage answers, rightly declined of those "
        "that it does not. Percentages in brackets, or below, are 95% intervals."
    )
    runs_open: str = "Open the run {name} of {when}"
    runs_day: str = "{day} {month}"
    runs_clock: str = "{hour:02}:{minute:02}"
    runs_when: str = "{date}, {time}"
    runs_of: str = "{k} of {n}"
    runs_percent: str = "{x}%"
    runs_interval: str = "{low} to {high}"
    runs_none: str = "–"
    runs_half: str = "half in {p50} s"
    runs_most: str = "95 in 100 in {p95} s"
    runs_skipped_one: str = "1 folder is left out: a link, or a summary that is damaged, too large or of another kind."
    runs_skipped_many: str = (
        "{n} folders are left out: links, or summaries that are damaged, too large or of another kind."
    )
    runs_older_one: str = "1 older run is not shown."
    runs_older_many: str = "{n} older runs are not shown."
    run_title: str = "Run of {when}"
    run_back: str = "All runs"
    run_figures: str = "Figures"
    run_declined_wrong: str = "Declined although the coverage says it"
    run_pinned: str = "Pinned facts right"
    run_errors: str = "Ended in an error"
    run_half: str = "half within {p50} s, 95 in 100 within {p95} s"
    run_name: str = "Run {name}"
    run_code: str = "code {git}"
    run_changed: str = "The library held other articles in that run."
    run_types: str = "Right by type of fact"
    run_bar: str = "{type}: {percent} right"
    run_col_type: str = "Type"
    run_col_bar: str = "Share and 95% interval"
    run_pinned_wrong: str = "Pinned facts that are wrong"
    run_lost: str = "Became wrong"
    run_above_one: str = "1 of them is pinned and stands above."
    run_above_many: str = "{n} of them are pinned and stand above."
    run_won: str = "Became right"
    run_since: str = "since the run of {when}"
    run_still: str = "No fact flipped since the run of {when}."
    run_first: str = "No earlier run of the same facts by the same engine can be read, so no flips are shown."
    run_wrong: str = "Wrong"
    run_wrong_too: str = "Also wrong"
    run_all_right: str = "Every fact is right."
    run_more_one: str = "and 1 more, in the run's report.html"
    run_more_many: str = "and {n} more, in the run's report.html"
    run_lacking_one: str = "1 fact of this run could not be read."
    run_lacking_many: str = "{n} facts of this run could not be read."
    run_gone: str = "There is no such run any more. Go back to all runs."
    run_chat: str = "Open as a chat"
    run_chat_of: str = "Open as a chat: {question}"
    run_after: str = "Asked after:"
    run_as_of: str = "as of {date}"
    run_is_pinned: str = "pinned"
    run_expected: str = "Expected"
    run_said: str = "Answered"
    run_before: str = "Before"
    run_now: str = "Now"
    run_nothing: str = "nothing"
    run_decline: str = "that it declines"
    run_decline_or: str = "that it declines, or says {answers}"
    run_never: str = "{answers}, and never {never}"
    run_or: str = " or "
    why_declined: str = "It declined, although the coverage says it."
    why_lacks: str = "It does not say {words}."
    why_says: str = "It says {words}."
    why_no_citation: str = "It cites nothing."
    why_answered: str = "It answered what the coverage does not say."
    why_neither: str = "It neither declined nor corrected the question."
    why_error: str = "An error: {words}"
    type_fact: str = "Single fact"
    type_multi: str = "Several answers"
    type_temporal: str = "Date"
    type_followup: str = "Follow-up"
    type_unanswerable: str = "Not in the coverage"
    type_false_premise: str = "False premise"
    type_wrong_edition: str = "Wrong edition"

    # explore
    x_events: str = "Events"
    x_no_events: str = "The library has no event that Recap knows by name."
    x_event_more_one: str = "1 more event"
    x_event_more_many: str = "{n} more events"
    x_held: str = "Held on {date}"
    x_held_unknown: str = "Day not said"
    x_published_span: str = "Published {first} to {last}"
    x_published_unknown: str = "No date printed"
    x_caption_one: str = "1 caption"
    x_caption_many: str = "{n} captions"
    x_questions: str = "Questions it can answer"
    x_ask_name: str = "Ask: {question}"
    x_articles: str = "Articles"
    x_open: str = "Read {title}"
    x_copy_one: str = "1 more copy"
    x_copy_many: str = "{n} more copies"
    x_timeline: str = "Timeline"
    x_no_moments: str = "Nothing in the library has a date yet."
    x_key_held: str = "Event held"
    x_key_published: str = "Published"
    x_was_held: str = "Held on this day"
    x_about: str = "about the {event}"
    x_strip: str = "Events held and articles published, from {first} to {last}"
    x_tick_month: str = "{month} {year}"
    x_tick_day: str = "{day} {month}"
    x_month: str = "{month} {year}"
    x_day: str = "{day} {month}"
    x_moments_of: str = "{n} of {all} shown: days of events first, then the latest articles."
    x_undated_one: str = "1 article without a date"
    x_undated_many: str = "{n} articles without a date"
    x_as_table: str = "The same as a table"
    x_col_day: str = "Day"
    x_col_what: str = "What"
    x_col_title: str = "Headline or event"
    x_col_outlet: str = "Outlet"
    x_col_event: str = "About"
    x_left_out: str = "Rows left out: {n}."
    x_seen: str = "Seen together"
    x_seen_person: str = "Seen with {person}"
    x_seen_none: str = "No caption or sentence here shows people together."
    x_seen_nobody: str = "No caption or sentence in the library shows {person} together with somebody."
    x_seen_how: str = (
        "People named in one caption, or said in one sentence to be together. Each quote opens its article."
    )
    x_unread: str = "Read from the latest {n} of {all} articles that may say so."
    x_person_one: str = "1 person"
    x_person_many: str = "{n} people"
    x_partner_one: str = "With 1 person"
    x_partner_many: str = "With {n} people"
    x_people_more_one: str = "1 more seen less often"
    x_people_more_many: str = "{n} more seen less often"
    x_pair_more_one: str = "1 more pair"
    x_pair_more_many: str = "{n} more pairs"
    x_sighting_more_one: str = "1 more quote"
    x_sighting_more_many: str = "{n} more quotes"
    x_and: str = "and"
    x_time_one: str = "once"
    x_time_many: str = "{n} times"
    x_in_caption: str = "Caption"
    x_in_sentence: str = "Sentence"
    x_person_open: str = "Who is seen with {person}"
    x_quote_open: str = "Read in its article: {quote}"
    x_edge: str = "{a} and {b}, {times}"
    x_graph_how: str = (
        "A line opens the article that shows two people, a name opens everybody seen with that person. "
        "The thicker the line, the more often."
    )
    x_graph_person: str = "Picture of who is seen with {person}; the list says the same"
    x_undrawn_one: str = "1 more person is in the list and not drawn."
    x_undrawn_many: str = "{n} more people are in the list and not drawn."
    x_col_person: str = "Person"
    x_col_with: str = "Seen with"
    x_col_times: str = "Times"
    x_col_quote: str = "First quote"

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
        "or user:HASH as printed by: recap password"
    )
    plain_auth: str = (
        "RECAP_AUTH holds the password itself. Better is its hash, which lets nobody in who reads it: run recap password, "
        "and set what it prints."
    )
    login: str = "Sign in to Recap."
    sign_out: str = "Sign out"


EN = Strings()

# French is set as in print: a thin no-break space (U+202F) before ; ? !, a no-break space (U+00A0) before : and
# between « and », the apostrophe ’. tests/test_strings.py knows, since nobody sees it in an editor.
MONTHS_FR = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"

FR = Strings(
    lang="fr",
    language_name="Français",
    months_short=("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
    decimal=",",
    thousands="\u202f",
    months=tuple(MONTHS_FR.split()),
    title="Recap",
    tagline="Posez une question sur un événement. Chaque réponse cite l’article dont elle vient, avec sa date.",
    covered="La bibliothèque contient",
    counts="{articles}, à propos de {events}",
    independent="{n} hors copies",
    article_one="1 article",
    article_many="{n} articles",
    event_one="1 événement",
    event_many="{n} événements",
    more_events="et {n} de plus",
    # templates, person_templates, template_any: left in English, the language of the coverage that they are put to
    ask_label="Votre question",
    ask_placeholder="Interrogez les articles",
    ask="Demander",
    stop="Arrêter",
    new="Nouvelle conversation",
    again="Redemander",
    as_written="Poser telle quelle",
    edit="Modifier",
    edit_name="Modifier la question : {question}",
    edit_notice="Modifiez la question et posez-la : la réponse sera refaite à partir de là.",
    edit_fork="Modifiez la question et posez-la. La conversation actuelle reste dans la liste.",
    scope="Recherche",
    scope_all="Partout",
    scope_year="Année {year}",
    engine="Moteur",
    engine_reader="Lecteur, sans modèle de langage",
    engine_wait="Recherche du moteur",
    reading="Lecture des articles",
    standalone="Compris comme",
    sources="Sources",
    source="Source {n}",
    source_name="Source {n} : {name}",
    undated="sans date",
    of_event="événement du {date}",
    no_title="Article sans titre",
    abstained="Absent des articles",
    stopped="Arrêté avant la fin de la réponse.",
    truncated="La réponse a été coupée avant la fin.",
    seconds="{s} s",
    supported="étayé",
    partial="étayé en partie",
    unsupported="non étayé",
    order_time="Par ordre chronologique",
    order_cited="Par ordre de citation",
    also_one="Aussi trouvé : 1 passage",
    also_many="Aussi trouvés : {n} passages",
    also_name="Aussi trouvé : {title}",
    support_high="Bien étayée par les articles",
    support_fair="Assez bien étayée par les articles",
    support_low="Peu étayée : lisez le passage",
    support_checked="Chaque phrase est étayée par sa source",
    support_partly="Étayée en partie : une phrase en dit plus que sa source",
    support_unbacked="Une phrase n’est pas étayée par sa source",
    how="Détails",
    how_confidence="Chances d’être juste",
    how_chance="{n} sur 10, selon l’étalonnage du lecteur",
    how_question="Recherche",
    how_stages={
        "retrieve": "Recherche des passages",
        "first_token": "Premiers mots",
        "answer": "Réponse",
        "total": "En tout",
    },
    how_ms="{n} ms",
    how_hits="Passages examinés mais non cités",
    how_rank="Rang",
    how_headline="Article",
    how_score="Score",
    how_verdicts=(
        "Étayé : le passage dit ce que dit la phrase. Étayé en partie : il n’en dit qu’une partie. "
        "Non étayé : rien dans les sources ne le dit."
    ),
    good="C’est juste",
    good_name="Cette réponse est juste : {question}",
    bad="C’est faux",
    bad_name="Cette réponse est fausse : {question}",
    judged_often="Trop d’avis en une minute. Patientez un peu, puis réessayez.",
    asked_often="Trop de questions en une minute. Patientez un peu, puis reposez la vôtre.",
    asked_at_once="Trop de questions à la fois. Attendez une réponse, puis reposez la vôtre.",
    wait_for_answer="Attendez la réponse, ou arrêtez-la d’abord.",
    judged_up="Vous avez jugé cette réponse juste. Merci.",
    judged_down="Vous avez jugé cette réponse fausse. Merci, votre avis est conservé avec la bibliothèque.",
    scoped="Recherche : {scope}",
    failed="Pas de réponse",
    screen_ask="Interroger",
    screen_explore="Explorer",
    screen_library="Articles",
    screen_eval="Bilan",
    screens="Écrans",
    language="Langue",
    loading="Lecture de la bibliothèque",
    talks="Conversations",
    talks_full=(
        "Ce navigateur n’a plus de place : cette conversation n’est pas conservée. "
        "Supprimez-en d’anciennes, ou exportez-la."
    ),
    talks_none="Vos conversations sont conservées dans ce navigateur. Elles s’affichent ici.",
    talks_forget="Supprimer",
    talks_forget_name="Supprimer la conversation : {title}",
    talks_sure="La supprimer ?",
    export="Exporter",
    cancel="Annuler",
    rate_title="Qu’est-ce qui ne va pas dans cette réponse ?",
    rate_reason="Motif",
    rate_reasons={
        "wrong": "La réponse est fausse",
        "edition": "Elle porte sur une autre édition ou une autre date",
        "source": "La source ne dit pas cela",
        "refused": "Les articles le disent pourtant",
        "unsaid": "Les articles ne le disent pas",
        "incomplete": "Il manque quelque chose",
        "other": "Autre chose",
    },
    rate_right="Quelle serait la bonne réponse ? (facultatif)",
    rate_comment="Autre chose à signaler ? (facultatif)",
    rate_send="Envoyer",
    rate_reason_missing="Choisissez d’abord un motif.",
    talk="Conversation",
    live_region="Réponse",
    evidence="À l’appui",
    evidence_empty="Choisissez un numéro de source pour lire ici son passage, dans l’article entier.",
    close="Fermer",
    published="Publié le {date}",
    lent="Publié le {date} (date imprimée sur une copie)",
    event_line="Événement : {event}",
    event_on="Événement : {event}, le {date}",
    by="Par {authors}",
    copies="La bibliothèque contient {n} exemplaires de cet article.",
    live="Lire sur {host}",
    passage_for="Source {n}, pour : {question}",
    event_open="Ouvrir la page de l’événement : {event}",
    gone_passage="Cet article n’est plus dans la bibliothèque, ou il a changé depuis.",
    no_turn="Cette réponse ne fait pas partie de la conversation.",
    talk_gone="Cette conversation n’est plus conservée dans ce navigateur.",
    explore_back="Tous les événements",
    explore_empty="Il n’y a encore rien à explorer. Ajoutez des articles depuis l’écran Articles.",
    event_gone="La bibliothèque ne contient plus cet événement.",
    read_only="Cette bibliothèque est en lecture seule : son responsable ajoute et retire les articles.",
    add_files="Fichiers : texte, HTML, PDF, Word, JSONL",
    add_web="Adresse d’une page ou d’un flux",
    add="Ajouter à la bibliothèque",
    shelf_search="Chercher dans la bibliothèque",
    shelf_search_hint="Titre, média, auteur ou événement",
    gone="Cet article n’est plus dans la bibliothèque. Reposez la question.",
    no_source=("Cette source ne fait pas partie de la conversation. Choisissez un numéro de source sous une réponse."),
    empty_title="La bibliothèque est vide",
    empty_body=(
        "Recap répond à partir des articles que vous lui donnez : fichiers, dossiers, pages web et flux. Ajoutez-en :"
    ),
    empty_add="Ajouter des articles ici",
    empty_or="Ou depuis un terminal :",
    empty_after="Puis rechargez cette page.",
    error_any=(
        "Une erreur s’est produite pendant la réponse ; elle est inscrite au journal du serveur. "
        "Reposez la question ; si l’erreur se répète, lancez : recap doctor"
    ),
    too_long="La question compte {n} caractères ; {limit} au plus sont lus. Raccourcissez-la.",
    no_question="Écrivez d’abord une question.",
    # library
    l_columns={"headline": "Titre", "outlet": "Média", "published": "Parution", "event": "Événement"},
    l_words="Mots",
    l_act="Retirer",
    l_sort="Trier : {column}, {order}",
    l_sorted="{column}, {order}. Choisir pour : {other}",
    l_a_z="de A à Z",
    l_z_a="de Z à A",
    l_newest="récents d’abord",
    l_oldest="anciens d’abord",
    l_caption="Articles de la bibliothèque",
    l_match_one="1 résultat pour « {words} »",
    l_match_many="{n} résultats pour « {words} »",
    l_range="{first} à {last} sur {n}",
    l_open="Lire : {title}",
    l_to_event="Événement : {event}",
    l_remove_name="Retirer : {title}",
    l_copies_one="1 autre copie",
    l_copies_many="{n} autres copies",
    l_count_one="1 mot",
    l_count_many="{n} mots",
    l_lent="Date imprimée sur une copie",
    l_pages="Pages de la bibliothèque",
    l_page="Page {n}",
    l_page_of="Page {n} sur {last}",
    l_before="Précédente",
    l_after="Suivante",
    l_empty="La bibliothèque est vide",
    l_empty_body=(
        "Ajoutez des fichiers, une page web ou un flux : leurs articles s’affichent ici et peuvent aussitôt être interrogés."
    ),
    l_empty_read_only="Il n’y a encore rien à lire ici. C’est le responsable de cette page qui ajoute les articles.",
    l_none="Rien ne correspond à « {words} »",
    l_none_body=(
        "Chaque mot est cherché dans le titre, le média, la signature, l’événement, l’adresse et le nom de fichier de "
        "chaque article. Essayez avec moins de mots."
    ),
    l_all="Afficher tous les articles",
    l_ask="Retirer « {title} » de la bibliothèque ?",
    l_ask_about="Retirer « {title} » ({about}) de la bibliothèque ?",
    l_stay_one="L’autre copie reste.",
    l_stay_many="Les {n} autres copies restent.",
    l_keep="Garder",
    l_keep_name="Garder : {title}",
    l_read_only=(
        "Cette bibliothèque est en lecture seule : le responsable de cette page n’y autorise ni ajout ni retrait."
    ),
    l_no_file="Choisissez des fichiers, ou saisissez une adresse web.",
    l_often="Trop d’ajouts en une minute. Patientez un peu, puis réessayez.",
    l_too_many="On peut ajouter jusqu’à {limit} fichiers et adresses à la fois. Ajoutez le reste ensuite.",
    l_too_large=(
        "Le fichier dépasse {limit} Mo. Divisez-le, ou demandez au responsable de cette page de l’ajouter avec recap ingest."
    ),
    l_unpacks=(
        "Décompressé, le fichier dépasse {limit} Mo. Divisez-le, ou demandez au responsable de cette page de l’ajouter "
        "avec recap ingest."
    ),
    l_no_upload="Ce qui est arrivé n’est pas un fichier. Choisissez-le de nouveau.",
    l_same_name="Un autre fichier du même nom a été envoyé avec lui. Renommez l’un des deux et ajoutez-le de nouveau.",
    l_cannot_keep="Impossible de le garder dans le dossier de la bibliothèque : {reason}.",
    l_enough=(
        "Il contient plus de {limit} articles ; le reste n’a pas été lu. Demandez au responsable de cette page de "
        "l’ajouter avec recap ingest."
    ),
    l_no_address="Saisissez une adresse web, par exemple https://example.org/report.",
    l_one_address="Donnez une seule adresse web à la fois, sans espaces.",
    l_scheme="Une adresse web commence par http:// ou https://.",
    l_bad_address="Cette adresse web ne peut pas être lue. Vérifiez-en la saisie.",
    l_long_address="Cette adresse web est trop longue.",
    l_waiting="En attente : quelqu’un d’autre modifie la bibliothèque",
    l_opening="Ouverture de la bibliothèque",
    l_reading="Lecture de {name}, {n} sur {total}",
    l_reading_item="Lecture de {name}, {n} sur {total} : article {article}",
    l_finishing="Dernière étape",
    l_busy=(
        "Quelqu’un d’autre modifie la bibliothèque depuis le début. Rien n’a été ajouté ; réessayez dans un instant."
    ),
    l_busy_remove=(
        "Quelqu’un d’autre modifie la bibliothèque en ce moment. Rien n’a été retiré ; réessayez dans un instant."
    ),
    l_other_model=(
        "La bibliothèque a été créée avec un autre modèle de vectorisation ; rien ne peut donc être ajouté d’ici. "
        "Le responsable de cette page peut le faire avec recap ingest."
    ),
    l_failed=(
        "Une erreur s’est produite ; elle est inscrite au journal du serveur. "
        "Ce qui est indiqué comme ajouté est dans la bibliothèque."
    ),
    l_failed_remove="Une erreur s’est produite ; elle est inscrite au journal du serveur. Rien n’a été retiré.",
    l_stopped="Arrêté. Ce qui est indiqué comme ajouté est dans la bibliothèque.",
    l_added="Ajouté",
    l_updated="Mis à jour",
    l_unchanged="Déjà là",
    l_rejected="Non ajouté",
    l_copy_of="Copie de",
    l_is_copy="copie de « {title} »",
    l_replaces="remplace « {title} »",
    # "1 ajouté" would need "2 ajoutés": words that do not change with the number
    l_sum_added="{n} en plus",
    l_sum_copy_one="1 copie",
    l_sum_copy_many="{n} copies",
    l_sum_updated="{n} mis à jour",
    l_sum_unchanged="{n} déjà là",
    l_sum_rejected="{n} non admis",
    l_more="et {n} de plus",
    l_line="{name}, ligne {n}",
    l_removed="Retiré : {title}",
    l_removed_many="{n} articles retirés",
    l_gone="Il n’est plus dans la bibliothèque.",
    # evaluation: a run is "un essai", a fact is the question put to it
    runs_title="Bilan",
    runs_what="Combien de fois Recap répond juste à des questions témoins, et comment cela évolue d’un essai à l’autre.",
    runs_empty="Aucun essai pour l’instant",
    runs_empty_body=(
        "Un essai pose à Recap toutes les questions d’un fichier de faits et juge les réponses. Pour en faire un :"
    ),
    runs_empty_after=(
        "Cela prend une minute ou deux. Les essais sont cherchés dans {folder} ; rouvrez ensuite cet écran."
    ),
    runs_chart="Évolution des chiffres",
    runs_chart_of=(
        "{n} essais, du plus ancien au plus récent : réponses justes, abstentions justes, et réponses sur une autre édition"
    ),
    runs_chart_later="Un deuxième essai sur les mêmes questions tracera ici une courbe.",
    runs_point="{name}, {when} : {figure}, {percent}",
    runs_key_right="Réponses justes, avec l’intervalle à 95 %",
    runs_key_declined="Abstentions justes",
    runs_key_edition="Réponses sur une autre édition",
    runs_key_sets=(
        "Une courbe ne relie que des essais des mêmes questions par le même moteur, qui portent la même lettre."
    ),
    runs_list="Essais",
    runs_col_run="Essai",
    runs_col_engine="Moteur",
    runs_col_facts="Questions",
    runs_col_right="Justes",
    runs_col_answered="Réponses justes",
    runs_col_declined="Abstentions justes",
    runs_col_edition="Autre édition",
    runs_col_time="Temps",
    runs_time_note=(
        "« Justes » porte sur toutes les questions, « Réponses justes » sur celles auxquelles les articles répondent, "
        "« Abstentions justes » sur les autres. Les pourcentages entre parenthèses, ou en dessous, sont des intervalles "
        "à 95 %."
    ),
    runs_open="Ouvrir l’essai {name} du {when}",
    # no letter fewer: "jui" would be June or July
    runs_day="{day} {month}",
    runs_clock="{hour} h {minute:02}",
    runs_when="{date} à {time}",
    runs_of="{k} sur {n}",
    runs_percent="{x} %",
    runs_interval="{low} à {high}",
    runs_half="la moitié en {p50} s",
    runs_most="95 sur 100 en {p95} s",
    runs_skipped_one="1 dossier est laissé de côté : un lien, ou un résumé abîmé, trop gros ou d’un autre genre.",
    runs_skipped_many=(
        "{n} dossiers sont laissés de côté : des liens, ou des résumés abîmés, trop gros ou d’un autre genre."
    ),
    runs_older_one="1 essai plus ancien n’est pas affiché.",
    runs_older_many="{n} essais plus anciens ne sont pas affichés.",
    run_title="Essai du {when}",
    run_back="Tous les essais",
    run_figures="Chiffres",
    run_declined_wrong="Abstentions alors que les articles le disent",
    run_pinned="Questions épinglées, justes",
    run_errors="Terminées par une erreur",
    run_half="la moitié en moins de {p50} s, 95 sur 100 en moins de {p95} s",
    run_name="Essai {name}",
    run_code="code {git}",
    run_changed="La bibliothèque contenait d’autres articles lors de cet essai.",
    run_types="Justes par type de question",
    run_bar="{type}, part juste : {percent}",
    run_col_type="Type",
    run_col_bar="Part et intervalle à 95 %",
    run_pinned_wrong="Questions épinglées, fausses",
    run_lost="Devenues fausses",
    run_above_one="1 d’entre elles est épinglée et figure plus haut.",
    run_above_many="{n} d’entre elles sont épinglées et figurent plus haut.",
    run_won="Devenues justes",
    run_since="depuis l’essai du {when}",
    run_still="Aucune question n’a basculé depuis l’essai du {when}.",
    run_first=(
        "Aucun essai antérieur des mêmes questions par le même moteur ne peut être lu : aucun changement n’est donc montré."
    ),
    run_wrong="Fausses",
    run_wrong_too="Fausses également",
    run_all_right="Tout est juste.",
    run_more_one="et 1 de plus, dans le fichier report.html de l’essai",
    run_more_many="et {n} de plus, dans le fichier report.html de l’essai",
    run_lacking_one="1 question de cet essai n’a pas pu être lue.",
    run_lacking_many="{n} questions de cet essai n’ont pas pu être lues.",
    run_gone="Cet essai n’existe plus. Revenez à la liste des essais.",
    run_chat="Ouvrir en conversation",
    run_chat_of="Ouvrir en conversation : {question}",
    run_after="Posée après :",
    run_as_of="à la date du {date}",
    run_is_pinned="épinglée",
    run_expected="Attendu",
    run_said="Répondu",
    run_before="Avant",
    run_now="Maintenant",
    run_nothing="rien",
    run_decline="une abstention",
    run_decline_or="une abstention, ou {answers}",
    run_never="{answers}, et jamais {never}",
    run_or=" ou ",
    why_declined="Abstention, alors que les articles le disent.",
    why_lacks="La réponse ne dit pas {words}.",
    why_says="La réponse dit {words}.",
    why_no_citation="La réponse ne cite rien.",
    why_answered="La réponse dit ce que les articles ne disent pas.",
    why_neither="Ni abstention, ni correction de la question.",
    why_error="Une erreur : {words}",
    type_fact="Fait unique",
    type_multi="Plusieurs réponses",
    type_temporal="Date",
    type_followup="Relance",
    type_unanswerable="Absent des articles",
    type_false_premise="Prémisse fausse",
    type_wrong_edition="Mauvaise édition",
    # explore
    x_events="Événements",
    x_no_events="La bibliothèque ne contient aucun événement que Recap connaisse de nom.",
    x_event_more_one="1 autre événement",
    x_event_more_many="{n} autres événements",
    x_held="A eu lieu le {date}",
    x_held_unknown="Jour non précisé",
    x_published_span="Publié du {first} au {last}",
    x_published_unknown="Aucune date imprimée",
    x_caption_one="1 légende",
    x_caption_many="{n} légendes",
    x_questions="Questions qui ont leur réponse ici",
    x_ask_name="Demander : {question}",
    x_articles="Articles",
    x_open="Lire : {title}",
    x_copy_one="1 autre copie",
    x_copy_many="{n} autres copies",
    x_timeline="Chronologie",
    x_no_moments="Rien dans la bibliothèque n’est encore daté.",
    x_key_held="Jour d’événement",
    x_key_published="Parution",
    x_was_held="A eu lieu ce jour-là",
    x_about="événement : {event}",
    x_strip="Événements et parutions d’articles, du {first} au {last}",
    x_moments_of="{n} affichés sur {all} : d’abord les jours d’événement, puis les derniers articles.",
    x_undated_one="1 article sans date",
    x_undated_many="{n} articles sans date",
    x_as_table="La même chose en tableau",
    x_col_day="Jour",
    x_col_what="Nature",
    x_col_title="Titre ou événement",
    x_col_outlet="Média",
    x_col_event="Événement",
    x_left_out="Lignes laissées de côté : {n}.",
    x_seen="Vus ensemble",
    x_seen_person="Qui apparaît avec {person}",
    x_seen_none="Ici, aucune légende ni aucune phrase ne montre des personnes ensemble.",
    x_seen_nobody="Aucune légende ni aucune phrase de la bibliothèque ne montre {person} en compagnie de quelqu’un.",
    x_seen_how=(
        "Personnes nommées dans une même légende, ou qu’une phrase dit ensemble. Chaque citation ouvre son article."
    ),
    x_unread="Lu dans les {n} plus récents des {all} articles qui pourraient le dire.",
    x_person_one="1 personne",
    x_person_many="{n} personnes",
    x_partner_one="Avec 1 personne",
    x_partner_many="Avec {n} personnes",
    x_people_more_one="1 autre, moins souvent",
    x_people_more_many="{n} autres, moins souvent",
    x_pair_more_one="1 autre duo",
    x_pair_more_many="{n} autres duos",
    x_sighting_more_one="1 autre citation",
    x_sighting_more_many="{n} autres citations",
    x_and="et",
    x_time_one="une fois",
    x_time_many="{n} fois",
    x_in_caption="Légende",
    x_in_sentence="Phrase",
    x_person_open="Qui apparaît avec {person}",
    x_quote_open="Lire dans l’article : {quote}",
    x_edge="{a} et {b}, {times}",
    x_graph_how=(
        "Un trait ouvre l’article qui montre deux personnes, un nom ouvre tous ceux qui apparaissent avec cette personne. "
        "Plus le trait est épais, plus c’est fréquent."
    ),
    x_graph_person="Schéma : qui apparaît avec {person} ; la liste dit la même chose",
    x_undrawn_one="1 autre personne est dans la liste sans être dessinée.",
    x_undrawn_many="{n} autres personnes sont dans la liste sans être dessinées.",
    x_col_person="Personne",
    x_col_with="Avec",
    x_col_times="Fois",
    x_col_quote="Première citation",
    # terminal, and the page to sign in
    serving="Recap est ouvert à l’adresse {url}  (Ctrl+C pour l’arrêter)",
    port_busy=(
        "Le port {port} de {host} est déjà utilisé. Choisissez-en un autre avec --port, ou arrêtez le programme qui l’occupe."
    ),
    bind_denied="Recap ne peut pas écouter sur {host}:{port} : {reason}. Choisissez un autre --host ou --port.",
    needs_auth=(
        "Écouter sur {host} ouvre l’accès à d’autres machines ; il faut donc un mot de passe. "
        "Définissez RECAP_AUTH=user:password, ou gardez --host 127.0.0.1."
    ),
    bad_auth=(
        "RECAP_AUTH doit être de la forme user:password, avec au moins {n} caractères dans le mot de passe, "
        "ou user:HASH, tel que l’affiche : recap password"
    ),
    plain_auth=(
        "RECAP_AUTH contient le mot de passe lui-même. Mieux vaut son empreinte, qui n’ouvre rien à qui la lit : lancez "
        "recap password, et définissez ce qu’il affiche."
    ),
    login="Connectez-vous à Recap.",
    sign_out="Se déconnecter",
)

LANGUAGES: dict[str, Strings] = {EN.lang: EN, FR.lang: FR}
