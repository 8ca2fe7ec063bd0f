// What the page does in the browser: markers open the evidence, names and roles reach the screen reader, the thread
// follows the answer. No library, no network: a click on a marker writes its target into the hidden #open box, and
// Gradio carries it to the server.
(() => {
	"use strict";
	const say = window.recapWords;
	document.documentElement.lang = say.lang;
	const $ = (id) => document.getElementById(id);
	const narrow = () => matchMedia("(max-width: 60rem)").matches;
	let asked = null; // the marker that was chosen last
	let until = 0; // so long its article may still arrive, or be drawn once more (ms)
	let clicks = 0;

	// --- names and roles: Gradio's sanitiser drops aria-*, so they are given here, before anything is drawn
	function name(root) {
		for (const b of root.querySelectorAll("button.cite:not([aria-label]), button.quote:not([aria-haspopup])")) {
			if (b.classList.contains("cite")) b.setAttribute("aria-label", b.title);
			b.setAttribute("aria-controls", "evidence");
			b.setAttribute("aria-haspopup", "true");
		}
	}
	function roles() {
		const set = (id, values) => {
			const el = $(id);
			if (el) for (const [k, v] of Object.entries(values)) if (el.getAttribute(k) !== v) el.setAttribute(k, v);
		};
		const up = document.body.classList.contains("sheet");
		set("talk", { role: "region", "aria-label": say.talk });
		set("evidence", { role: up ? "dialog" : "region", "aria-label": say.evidence, tabindex: "-1" });
		const busy = document.querySelector("#live .turn.streaming") ? "true" : "false";
		set("live", { role: "region", "aria-live": "polite", "aria-label": say.live, "aria-busy": busy });
	}

	// --- the evidence
	const at = (value) => document.querySelector(`#reader .reader[class~="at-${value}"]`);
	function current(value) {
		for (const b of document.querySelectorAll("button.cite, button.quote"))
			b.classList.toggle("current", b.value === value);
	}
	function show() {
		until = Math.min(until, performance.now() + 500);
		const lit = document.querySelector("#reader mark.lit");
		const head = document.querySelector("#reader .headline") || $("evidence");
		if (!lit) $("evidence").scrollTop = 0;
		else {
			const box = $("evidence");
			const gap = lit.getBoundingClientRect().top - box.getBoundingClientRect().top;
			box.scrollTop += gap - box.clientHeight * 0.3;
		}
		head.focus({ preventScroll: true });
	}
	function open(button) {
		asked = button;
		until = performance.now() + 20000;
		current(button.value);
		if (narrow()) sheet(true);
		if (at(button.value)) return show();
		const box = document.querySelector("#open textarea, #open input");
		box.value = `${button.value}.${++clicks}`;
		box.dispatchEvent(new Event("input", { bubbles: true }));
	}
	function sheet(up) {
		document.body.classList.toggle("sheet", up);
		for (const id of ["talk", "bar"]) if ($(id)) $(id).inert = up;
		if ($("evidence")) {
			$("evidence").setAttribute("role", up ? "dialog" : "region");
			if (up) $("evidence").setAttribute("aria-modal", "true");
			else $("evidence").removeAttribute("aria-modal");
		}
	}
	function back() {
		sheet(false);
		const same = asked && (asked.isConnected ? asked : document.querySelector(`button.cite[value="${asked.value}"]`));
		if (same) same.focus();
	}

	document.addEventListener("click", (e) => {
		const b = e.target.closest("button.cite, button.quote");
		if (b) return open(b);
		if (e.target.closest("#close")) return back();
		if (document.body.classList.contains("sheet") && !e.target.closest("#evidence")) back();
	});
	document.addEventListener("keydown", (e) => {
		if (e.key !== "Escape" || e.defaultPrevented) return;
		if (document.body.classList.contains("sheet") || $("evidence")?.contains(document.activeElement)) back();
	});
	addEventListener("resize", () => {
		if (!narrow() && document.body.classList.contains("sheet")) sheet(false);
	});

	// --- the question goes to the top of the thread and the answer grows under it, unless the reader scrolls
	let follow = 0; // until when (ms)
	let before = "";
	const leave = () => (follow = 0);
	for (const kind of ["wheel", "touchmove"]) document.addEventListener(kind, leave, { passive: true });
	function pin(turn) {
		const thread = $("thread");
		const scroller = narrow() ? document.scrollingElement : thread;
		const top = narrow() ? $("bar").offsetHeight : thread.getBoundingClientRect().top;
		const gap = turn.getBoundingClientRect().top - top - (turn.id === "turn-1" ? 36 : 0);
		if (gap > 0) scroller.scrollTop += gap;
	}
	function answer() {
		const turn = document.querySelector("#live .turn");
		const key = turn ? turn.id + (turn.classList.contains("streaming") ? "+" : "") : "";
		if (turn && (key !== before || key.endsWith("+"))) {
			if (turn.id !== before.replace("+", "")) follow = Infinity;
			if (key !== before && !key.endsWith("+") && follow) {
				follow = performance.now() + 600; // the buttons under it are still to come
				if (!narrow() && !$("evidence").contains(document.activeElement))
					document.querySelector("#question textarea")?.focus({ preventScroll: true });
			}
		}
		if (turn && performance.now() < follow) pin(turn);
		before = key;
	}

	new MutationObserver((changes) => {
		let article = false;
		for (const c of changes) {
			const el = c.target.nodeType === 1 ? c.target : c.target.parentElement;
			if (!el) continue;
			if (el.closest("#reader")) article = true;
		}
		name(document);
		roles();
		if (asked) current(asked.value);
		if (article && asked && performance.now() < until && at(asked.value)) show();
		answer();
	}).observe(document.documentElement, { childList: true, subtree: true });
})();
