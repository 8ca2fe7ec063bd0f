"""The look: one theme for Gradio's own components; style.css carries the rest.

System fonts only: nothing is fetched.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ui.strings import LANGUAGES, Strings

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Liberation Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace")

LIGHT = {
    "paper": "#fbfaf7",
    "surface": "#ffffff",
    "ink": "#1d1b18",
    "muted": "#625d54",
    "rule": "#e5e0d6",
    "accent": "#0e5a6b",
}
DARK = {
    "paper": "#151617",
    "surface": "#1d1f20",
    "ink": "#ece9e2",
    "muted": "#a9a499",
    "rule": "#34363a",
    "accent": "#86cbd9",
}


def theme() -> Any:
    """Return the Gradio theme, in the colours of style.css."""
    import gradio as gr

    pairs = {
        "body_background_fill": "paper",
        "body_text_color": "ink",
        "body_text_color_subdued": "muted",
        "background_fill_primary": "surface",
        "background_fill_secondary": "paper",
        "block_background_fill": "paper",
        "block_label_text_color": "muted",
        "border_color_primary": "rule",
        "input_background_fill": "surface",
        "input_border_color": "rule",
        "input_placeholder_color": "muted",
        "link_text_color": "accent",
        "link_text_color_hover": "ink",
        "link_text_color_visited": "accent",
        "button_primary_background_fill": "accent",
        "button_primary_background_fill_hover": "ink",
        "button_primary_text_color": "paper",
        "button_primary_text_color_hover": "paper",
        "button_secondary_background_fill": "surface",
        "button_secondary_background_fill_hover": "paper",
        "button_secondary_text_color": "ink",
        "button_secondary_border_color": "rule",
    }
    values = {k: LIGHT[v] for k, v in pairs.items()} | {f"{k}_dark": DARK[v] for k, v in pairs.items()}
    return gr.themes.Base(font=list(SANS), font_mono=list(MONO)).set(
        **values, block_border_width="0px", block_shadow="none", button_border_width="1px", button_transition="none"
    )


def head() -> str:
    """Return the stylesheet, the words that the script needs, and the script, as they go into the page's head.

    Not `css=`: Gradio rewrites every selector given there. Not `js=`: it is run through eval, which our CSP forbids.
    """
    here = Path(__file__).parent
    css = (here / "style.css").read_text(encoding="utf-8")
    js = (here / "page.js").read_text(encoding="utf-8")
    words = json.dumps({lang: _spoken(s) for lang, s in LANGUAGES.items()}).replace("<", "\\u003c")
    return f"<style>{css}</style><script>window.recapWords = {words};</script><script>{js}</script>"


def _spoken(s: Strings) -> dict[str, str]:
    """Return the words that page.js says itself."""
    names = list(LANGUAGES)
    return {
        "talk": s.talk, "talks": s.talks, "evidence": s.evidence, "live": s.live_region, "language": s.language,
        "screens": s.screens, "sure": s.talks_sure, "other": names[(names.index(s.lang) + 1) % len(names)],
    }  # fmt: skip


def favicon(folder: Path) -> Path:
    """Write the page's icon into `folder` and return its path."""
    icon = folder / "recap.svg"
    icon.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="7" fill="{LIGHT["accent"]}"/>'
        '<path d="M7 10h18M7 16h18M7 22h9" stroke="#fff" stroke-width="2.6" stroke-linecap="round" opacity=".55"/>'
        '<path d="M7 16h18" stroke="#ffe08a" stroke-width="3.4" stroke-linecap="round"/></svg>',
        encoding="utf-8",
    )
    return icon
