// What the page does in the browser: markers open the evidence, names and roles reach the screen reader, the thread
// follows the answer, conversations are kept. No library, no network: a click on a drawn button writes its value into a
// hidden box, and Gradio carries it to the server.
(() => {
	"use strict";
	const $ = (id) => document.getElementById(id);
	let say = window.recapWords.en;
	const narrow = () => matchMedia("(max-width: 60rem)").matches;
	let asked = null; // the marker that was chosen last
	let until = 0; // so long its article may still arrive, or be drawn once more (ms)
	let clicks = 0;

	function send(id, value) {
		const box = document.querySelector(`#${id} textarea, #${id} input`);
		if (!box) return false;
		box.value = value;
		box.dispatchEvent(new Event("input", { bubbles: true }));
		return true;
	}

	// --- names and roles: Gradio's sanitiser drops aria-* and viewBox, so they are given here, before anything is drawn
	function name(root) {
		for (const b of root.querySelectorAll("button.cite:not([aria-label]), button.quote:not([aria-haspopup])")) {
			if (b.classList.contains("cite")) b.setAttribute("aria-label", b.title);
			b.setAttribute("aria-controls", "evidence");
			b.setAttribute("aria-haspopup", "true");
		}
		for (const b of root.querySelectorAll("button.act[title]:not([aria-label])"))
			if (b.title !== b.textContent) b.setAttribute("aria-label", b.title);
		for (const c of root.querySelectorAll("svg.chart:not([viewBox])")) {
			c.setAttribute("viewBox", `0 0 ${c.getAttribute("width")} ${c.getAttribute("height")}`);
			c.setAttribute("role", "img");
			c.setAttribute("aria-label", c.querySelector("title")?.textContent || "");
		}
		for (const t of root.querySelectorAll(".talks li.current .talk-open:not([aria-current])"))
			t.setAttribute("aria-current", "true");
	}
	function roles() {
		const set = (id, values) => {
			const el = $(id);
			if (el) for (const [k, v] of Object.entries(values)) if (el.getAttribute(k) !== v) el.setAttribute(k, v);
		};
		const lang = document.querySelector("#brand .brand")?.lang || "en";
		if (document.documentElement.lang !== lang) {
			document.documentElement.lang = lang;
			say = window.recapWords[lang] || say;
		}
		const on = document.querySelector("#tabs [role=tab][aria-selected=true]")?.dataset.tabId || "ask";
		if (document.body.dataset.screen !== on) {
			document.body.dataset.screen = on;
			if (document.body.classList.contains("sheet")) sheet(false);
			if (document.body.classList.contains("shelf")) drawer(false);
			document.body.classList.remove("reading");
			if (narrow() && on !== "ask") scrollTo(0, 0);
		}
		const up = document.body.classList.contains("sheet");
		set("talk", { role: "region", "aria-label": say.talk });
		set("shelf", { role: "region", "aria-label": say.talks });
		set("lang", { "aria-label": say.language, lang: say.other });
		set("talks-open", { "aria-expanded": String(document.body.classList.contains("shelf")), "aria-controls": "shelf" });
		document.querySelector("#tabs [role=tablist]")?.setAttribute("aria-label", say.screens);
		set("evidence", { role: up ? "dialog" : "region", "aria-label": say.evidence, tabindex: "-1" });
		const busy = document.querySelector("#live .turn.streaming") ? "true" : "false";
		set("live", { role: "region", "aria-live": "polite", "aria-label": say.live, "aria-busy": busy });
	}

	// --- the evidence
	const spot = (b) =>
		b.value.startsWith("passage:") ? b.value.split(":").slice(1).join("-") : b.value;
	const at = (value) => document.querySelector(`#reader .reader[class~="at-${value}"]`);
	const opens = "button.cite, button.quote, button.act[value^='passage:']";
	function current(value) {
		for (const b of document.querySelectorAll(opens)) b.classList.toggle("current", spot(b) === value);
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
		current(spot(button));
		document.body.classList.add("reading");
		if (narrow()) sheet(true);
		if (at(spot(button))) return show();
		if (button.matches(".act")) send("act", `${button.value}~${++clicks}`);
		else send("open", `${button.value}.${++clicks}`);
	}
	function sheet(up) {
		document.body.classList.toggle("sheet", up);
		for (const id of ["screens", "bar"]) if ($(id)) $(id).inert = up;
		if ($("evidence")) {
			$("evidence").setAttribute("role", up ? "dialog" : "region");
			if (up) $("evidence").setAttribute("aria-modal", "true");
			else $("evidence").removeAttribute("aria-modal");
		}
	}
	function back() {
		sheet(false);
		document.body.classList.remove("reading");
		const same = asked && (asked.isConnected ? asked : document.querySelector(`button[value="${CSS.escape(asked.value)}"]`));
		if (same) same.focus();
	}

	// --- conversations: each under a key of its own, so that two tabs never overwrite each other's
	const KEY = "recap.talk.";
	const store = {
		get(id) {
			try {
				return JSON.parse(localStorage.getItem(KEY + id));
			} catch {
				return null;
			}
		},
		all() {
			let ids = [];
			try {
				ids = Object.keys(localStorage).filter((k) => k.startsWith(KEY));
			} catch {} // no storage here
			const found = ids.map((k) => store.get(k.slice(KEY.length))).filter((t) => t && t.id);
			return found
				.map(({ id, title, when }) => ({ id, title, when }))
				.sort((a, b) => (a.when < b.when ? 1 : -1));
		},
		// Of many, the oldest make room for the latest; of a few, none does: then others have filled this storage.
		put(talk) {
			const out = [];
			for (;;) {
				try {
					localStorage.setItem(KEY + talk.id, JSON.stringify(talk));
					return true;
				} catch {
					const others = store.all().filter((t) => t.id !== talk.id);
					const oldest = others.length > 20 && out.length < 5 && others.pop();
					if (!oldest) break;
					out.push([KEY + oldest.id, localStorage.getItem(KEY + oldest.id)]);
					localStorage.removeItem(KEY + oldest.id);
				}
			}
			try {
				for (const [key, value] of out) localStorage.setItem(key, value);
			} catch {}
			return false;
		},
	};
	function remember(id) {
		try {
			sessionStorage.setItem("recap.open", id);
		} catch {}
	}
	let taken = "";
	const moved = new Map(); // conversations that two tabs went on with: here they have a name of their own
	function keep() {
		const told = document.querySelector("#keep .keep")?.textContent || "";
		if (!told || told === taken) return;
		taken = told;
		const { ids, turns, ...talk } = JSON.parse(decodeURIComponent(told));
		const stored = store.get(moved.get(talk.id) || talk.id)?.turns || [];
		const fresh = new Map(turns.map((t) => [t.id, t]));
		// a turn that is asked again takes a new number: the same number under another key is another tab's
		const mixed = stored.some((t) => fresh.has(t.id) && fresh.get(t.id).key !== t.key);
		if (mixed) moved.set(talk.id, [...crypto.getRandomValues(new Uint8Array(6))].map((n) => n.toString(16).padStart(2, "0")).join(""));
		const id = moved.get(talk.id) || talk.id;
		const before = stored.filter((t) => ids.includes(t.id) && !fresh.has(t.id));
		const kept = store.put({ ...talk, id, turns: [...before, ...turns].sort((a, b) => a.id - b.id) });
		remember(id);
		if (!kept) tell({ full: true });
		else if (mixed) tell({});
	}
	function tell(more) {
		try {
			return send("kept", JSON.stringify({ talks: store.all(), at: ++clicks, ...more }));
		} catch {
			return false; // no storage here
		}
	}
	let arrived = false;
	function arrive() {
		if (arrived || !document.querySelector("#kept textarea, #kept input") || !$("question")) return;
		arrived = true;
		setTimeout(() => {
			let lang = "en", last = "", talks = [];
			try {
				lang = localStorage.getItem("recap.lang") || (navigator.language || "en").slice(0, 2);
				last = sessionStorage.getItem("recap.open") || "";
				talks = store.all();
			} catch {}
			if (last && store.get(last)) send("resume", JSON.stringify({ talk: store.get(last), talks, lang, at: ++clicks }));
			else if (talks.length || (lang !== "en" && window.recapWords[lang])) tell({ lang });
		}, 0);
	}
	addEventListener("storage", (e) => {
		if (!e.key?.startsWith(KEY)) return;
		if (e.newValue === null) depart(e.key.slice(KEY.length)); // deleted in another tab
		tell({});
	});
	function depart(id) {
		if (document.querySelector(`#talks li.current button[value="talk:${id}"]`)) $("new").click();
	}
	function talks(button) {
		const [verb, id] = button.value.split(":");
		if (verb === "talk") {
			remember(id);
			drawer(false);
			return send("resume", JSON.stringify({ talk: store.get(id), talks: store.all(), at: ++clicks }));
		}
		if (!button.classList.contains("sure")) {
			button.classList.add("sure");
			button.firstElementChild.textContent = say.sure;
			button.setAttribute("aria-label", `${say.sure} ${button.title}`);
			return;
		}
		try {
			localStorage.removeItem(KEY + id);
			if (sessionStorage.getItem("recap.open") === id) remember("");
		} catch {}
		depart(id);
		tell({});
		back_to = "#talks button, #new";
	}
	let fetched = "";
	function download() {
		const out = document.querySelector("#download .download");
		if (!out || out.textContent === fetched) return;
		fetched = out.textContent;
		const link = document.createElement("a");
		link.href = URL.createObjectURL(new Blob([decodeURIComponent(fetched)], { type: "text/markdown" }));
		link.download = out.title;
		link.click();
		setTimeout(() => URL.revokeObjectURL(link.href), 10000);
	}

	// --- every other button that is drawn; what is drawn anew takes the focus with it, so it is given back
	let back_to = "";
	function refocus() {
		if (!back_to || document.activeElement !== document.body) return;
		const el = document.querySelector(back_to);
		if (el) el.focus({ preventScroll: true });
	}
	function act(button) {
		const verb = button.value.split(":")[0];
		const same = `button[value="${CSS.escape(button.value)}"]`;
		back_to = verb === "remove" ? ".l-confirm button" : ["event", "person"].includes(verb) ? "#explore .trail button" : `${same}, #explore .act, #table .act`;
		if (verb === "talk" || verb === "forget") return talks(button);
		if (verb === "ask" || verb === "replay") return send("begin", `${button.value}~${++clicks}`);
		send("act", `${button.value}~${++clicks}`);
		if (verb === "edit") document.querySelector("#question textarea")?.focus();
	}
	// a line or a dot of the picture of who is seen with whom does what its button in the list does
	function follows(drawn) {
		const mark = [...drawn.classList].find((c) => c.startsWith("go-"));
		const b = drawn.closest(".x-seen").querySelector(`button.${mark}`);
		const fold = b?.closest("details");
		if (fold) fold.open = true;
		b?.click();
	}
	function drawer(up) {
		document.body.classList.toggle("shelf", up);
		if ($("talk")) $("talk").inert = up;
	}
	const shelf = (up) => {
		drawer(up);
		roles();
		(up ? document.querySelector("#shelf button") : $("talks-open"))?.focus();
	};

	document.addEventListener("click", (e) => {
		const b = e.target.closest("button");
		if (e.target.closest("#signout a")) {
			e.preventDefault(); // Gradio opens every link in a tab of its own
			return location.assign("/logout");
		}
		if (b?.matches(opens)) return open(b);
		if (b?.matches(".act")) return act(b);
		const drawn = e.target.closest(".x-seen svg [class*='go-']");
		if (drawn) return follows(drawn);
		if (b?.id === "close") return back();
		if (b?.id === "talks-open") return shelf(!document.body.classList.contains("shelf"));
		if (b?.id === "talks-close") return shelf(false);
		if (b?.id === "new") {
			remember("");
			drawer(false);
		}
		if (b?.id === "lang")
			try {
				localStorage.setItem("recap.lang", say.other);
			} catch {}
		if (b?.id === "export") fetched = "";
		if (document.body.classList.contains("sheet") && !e.target.closest("#evidence")) back();
		if (document.body.classList.contains("shelf") && !e.target.closest("#shelf")) drawer(false);
	});
	document.addEventListener("keydown", (e) => {
		if (e.key !== "Escape" || e.defaultPrevented) return;
		if (document.body.classList.contains("shelf")) return shelf(false);
		if (document.body.classList.contains("sheet") || $("evidence")?.contains(document.activeElement)) back();
	});
	addEventListener("resize", () => {
		if (innerWidth > 1280 && document.body.classList.contains("shelf")) drawer(false);
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
		const nav = document.querySelector("#tabs > .tab-wrapper");
		const top = narrow() ? $("bar").offsetHeight + nav.offsetHeight : thread.getBoundingClientRect().top;
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
				const here = document.activeElement;
				if (!narrow() && (here === document.body || here.closest("#composer")))
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
		if (asked) current(spot(asked));
		if (article && asked && performance.now() < until && at(spot(asked))) show();
		answer();
		keep();
		download();
		arrive();
		refocus();
	}).observe(document.documentElement, { childList: true, subtree: true });
})();
