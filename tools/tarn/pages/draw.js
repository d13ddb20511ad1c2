/* SPDX-License-Identifier: Apache-2.0 */
"use strict";
/* What every report draws with. Figures are objects {value, unit, source, band} of the JSON; each is shown through figure(), which
 * keeps the exact number in data-value, so that a reader (or a test) can compare it with the JSON. */

const report = JSON.parse(document.getElementById("report").textContent);
const page = document.getElementById("page");
const SVG = "http://www.w3.org/2000/svg";
const colours = ["a", "b", "c", "d", "g", "f", "e"].map(c => `var(--${c})`);

function make(space, tag, attributes, children) {
	const e = space ? document.createElementNS(space, tag) : document.createElement(tag);
	for (const [key, value] of Object.entries(attributes || {}))
		if (value !== undefined && value !== null) e.setAttribute(key, value);
	for (const child of children.flat(3))
		if (child !== null && child !== undefined) e.append(child);
	return e;
}
const html = (tag, attributes, ...children) => make(null, tag, attributes, children);
const svg = (tag, attributes, ...children) => make(SVG, tag, attributes, children);

/* Three significant digits, and no exponent for sizes people read. */
function digits(x) {
	if (x === null || x === undefined || Number.isNaN(x)) return "unknown";
	const size = Math.abs(x);
	if (x !== 0 && (size >= 1e12 || size < 1e-4)) return x.toExponential(2);
	if (size >= 100 || Number.isInteger(x)) return Math.round(x).toLocaleString("en");
	return String(Number(x.toPrecision(3)));
}

/* Shares are shown in percent. */
function figure(f) {
	if (f === null || f === undefined) return html("span", {class: "soft"}, "unknown");
	if (typeof f === "number") return html("span", {class: "figure", "data-value": f}, digits(f));
	const share = f.unit === "share";
	const text = share ? `${digits(f.value * 100)} %` : `${digits(f.value)}${f.unit ? " " + f.unit : ""}`;
	const band = f.band ? ` ±${digits(f.band * 100)} %` : "";
	return html("span", {class: "figure", "data-value": f.value}, text + band, " ", html("span", {class: "tag"}, f.source || ""));
}

function section(title, ...children) {
	const s = html("section", {}, html("h2", {}, title), ...children);
	page.append(s);
	return s;
}
const soft = text => html("p", {class: "soft"}, text);

/* columns: [{title, number, cell: row => node or text}] */
function table(columns, rows) {
	const side = c => (c.number ? {class: "number"} : {});
	return html("div", {class: "wide"}, html("table", {},
		html("thead", {}, html("tr", {}, columns.map(c => html("th", side(c), c.title)))),
		html("tbody", {}, rows.map(r => html("tr", {}, columns.map(c => html("td", side(c), c.cell(r))))))));
}

function legend(names) {
	return html("div", {class: "legend"}, names.map((n, i) =>
		html("span", {}, html("i", {style: `background:${colours[i % colours.length]}`}), n)));
}

/* One bar of parts that add up: [{name, value}], any unit; shares of their sum are written where they fit. */
function stack(parts) {
	const total = parts.reduce((s, p) => s + (p.value || 0), 0);
	if (!(total > 0)) return soft("nothing to show");
	let x = 0;
	const bar = parts.map((p, i) => {
		const w = 1000 * (p.value || 0) / total, at = x;
		x += w;
		return svg("g", {}, svg("title", {}, `${p.name}: ${digits(100 * (p.value || 0) / total)} %`),
			svg("rect", {x: at, y: 0, width: Math.max(w, 0), height: 40, fill: colours[i % colours.length]}),
			w > 60 ? svg("text", {x: at + 6, y: 25, style: "fill:#fff;font-size:15px"}, `${digits(100 * p.value / total)} %`) : null);
	});
	return html("figure", {}, svg("svg", {viewBox: "0 0 1000 40", role: "img"}, bar), legend(parts.map(p => p.name)));
}

/* From the first value down to the last: steps [{name, left, lost}]; `left` is what remains after the step. */
function waterfall(steps, unit) {
	const row = 30, label = 250, width = 1000, top = Math.max(...steps.map(s => s.left + (s.lost || 0)));
	const scale = v => (width - label - 130) * v / (top || 1);
	const rows = steps.map((s, i) => svg("g", {transform: `translate(0 ${i * row})`},
		svg("title", {}, `${s.name}: ${digits(s.left)} ${unit} left, ${digits(s.lost || 0)} lost`),
		svg("text", {x: 0, y: 19}, s.name),
		svg("rect", {x: label, y: 5, width: scale(s.left), height: row - 10, fill: "var(--a)"}),
		svg("rect", {x: label + scale(s.left), y: 5, width: scale(s.lost || 0), height: row - 10, fill: "var(--f)", opacity: .45}),
		svg("text", {x: label + scale(s.left + (s.lost || 0)) + 6, y: 19}, `${digits(s.left)} ${unit}`)));
	return html("figure", {}, svg("svg", {viewBox: `0 0 ${width} ${steps.length * row + 4}`, role: "img"}, rows),
		html("div", {class: "legend"}, html("span", {}, html("i", {style: "background:var(--a)"}), "left"),
			html("span", {}, html("i", {style: "background:var(--f);opacity:.45"}), "lost at this step")));
}

const decades = (lo, hi) => {
	const list = [];
	for (let d = Math.floor(Math.log10(lo)); d <= Math.ceil(Math.log10(hi)); d++) list.push(10 ** d);
	return list;
};

/* Both axes logarithmic. points: [{name, x, y, size, colour}]; roof(x): the limit, drawn as a line. */
function roofline(points, roof, xTitle, yTitle) {
	const W = 1000, H = 420, L = 70, B = 40;
	const shown = points.filter(p => p.x > 0 && p.y > 0);
	if (!shown.length) return soft("nothing to show");
	const xs = decades(Math.min(...shown.map(p => p.x)), Math.max(...shown.map(p => p.x)));
	const ys = decades(Math.min(...shown.map(p => p.y)), Math.max(...shown.map(p => p.y), roof(xs[xs.length - 1])));
	const place = (v, list, from, to) => from + (to - from) * (Math.log10(v) - Math.log10(list[0])) / (Math.log10(list[list.length - 1]) - Math.log10(list[0]) || 1);
	const px = v => place(v, xs, L, W - 10), py = v => place(v, ys, H - B, 10);
	const line = [];
	for (let i = 0; i <= 100; i++) {
		const x = xs[0] * (xs[xs.length - 1] / xs[0]) ** (i / 100);
		const y = Math.min(Math.max(roof(x), ys[0]), ys[ys.length - 1]);
		line.push(`${i ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`);
	}
	return html("figure", {}, svg("svg", {viewBox: `0 0 ${W} ${H}`, role: "img"},
		xs.map(x => [svg("path", {class: "axis", d: `M${px(x)} 10V${H - B}`}), svg("text", {class: "soft", x: px(x), y: H - B + 16, "text-anchor": "middle"}, digits(x))]),
		ys.map(y => [svg("path", {class: "axis", d: `M${L} ${py(y)}H${W - 10}`}), svg("text", {class: "soft", x: L - 6, y: py(y) + 4, "text-anchor": "end"}, digits(y))]),
		svg("text", {class: "soft", x: (W + L) / 2, y: H - 4, "text-anchor": "middle"}, xTitle),
		svg("text", {class: "soft", x: L + 6, y: 24}, yTitle),
		svg("path", {d: line.join(""), fill: "none", stroke: "var(--f)", "stroke-width": 2}),
		shown.map(p => svg("circle", {cx: px(p.x), cy: py(p.y), r: p.size || 4, fill: p.colour || "var(--a)", opacity: .75},
			svg("title", {}, p.name)))));
}

/* A curve of one quantity against another. points: [{x, y, name, chosen}] in order of x. */
function curve(points, xTitle, yTitle) {
	const W = 1000, H = 320, L = 70, B = 40;
	const shown = points.filter(p => p.y !== null);
	if (!shown.length) return soft("nothing to show");
	const xMost = Math.max(...shown.map(p => p.x)), yMost = Math.max(...shown.map(p => p.y)) || 1;
	const px = x => L + (W - L - 20) * x / xMost, py = y => H - B - (H - B - 20) * y / yMost;
	return html("figure", {}, svg("svg", {viewBox: `0 0 ${W} ${H}`, role: "img"},
		svg("path", {class: "axis", d: `M${L} 10V${H - B}H${W - 10}`}),
		[0, .25, .5, .75, 1].map(s => svg("text", {class: "soft", x: L - 6, y: py(s * yMost) + 4, "text-anchor": "end"}, digits(s * yMost))),
		shown.map(p => svg("text", {class: "soft", x: px(p.x), y: H - B + 16, "text-anchor": "middle"}, digits(p.x))),
		svg("text", {class: "soft", x: (W + L) / 2, y: H - 4, "text-anchor": "middle"}, xTitle),
		svg("text", {class: "soft", x: L + 6, y: 20}, yTitle),
		svg("path", {d: shown.map((p, i) => `${i ? "L" : "M"}${px(p.x)} ${py(p.y)}`).join(""), fill: "none", stroke: "var(--a)", "stroke-width": 2}),
		shown.map(p => svg("circle", {cx: px(p.x), cy: py(p.y), r: p.chosen ? 7 : 4, fill: p.chosen ? "var(--c)" : "var(--a)"},
			svg("title", {}, p.name || `${digits(p.x)}: ${digits(p.y)}`)))));
}

/* Tracks with slices: [{name, slices: [{kind, begin, end}]}] in one unit of time; kinds get colours in the order given. */
function lanes(tracks, kinds, unit) {
	const W = 1000, L = 120, row = 22;
	const all = tracks.flatMap(t => t.slices);
	if (!all.length) return soft("nothing to show");
	const from = Math.min(...all.map(s => s.begin)), to = Math.max(...all.map(s => s.end));
	const px = t => L + (W - L - 10) * (t - from) / (to - from || 1);
	const H = tracks.length * row + 26;
	return html("figure", {}, svg("svg", {viewBox: `0 0 ${W} ${H}`, role: "img"},
		tracks.map((t, i) => svg("g", {transform: `translate(0 ${i * row})`}, svg("text", {x: 0, y: 15}, t.name),
			svg("path", {class: "axis", d: `M${L} ${row}H${W - 10}`}),
			t.slices.map(s => svg("rect", {x: px(s.begin), y: 3, width: Math.max(px(s.end) - px(s.begin), .5), height: row - 5,
				fill: colours[kinds.indexOf(s.kind) % colours.length]}, svg("title", {}, `${s.kind}: ${digits(s.end - s.begin)} ${unit}`))))),
		svg("text", {class: "soft", x: L, y: H - 4}, "0"),
		svg("text", {class: "soft", x: W - 10, y: H - 4, "text-anchor": "end"}, `${digits(to - from)} ${unit}`)), legend(kinds));
}
