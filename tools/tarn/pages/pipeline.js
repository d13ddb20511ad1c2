/* SPDX-License-Identifier: Apache-2.0 */
"use strict";
/* What the reports of bench and diagnose share: sections about one measurement `r`. */

const withUnit = unit => (value, source) => value === null || value === undefined ? null : {value, unit, source};
const inMs = withUnit("ms"), asShare = withUnit("share");
const pairs = rows => table([{title: "", cell: x => x[0]}, {title: "", number: true, cell: x => figure(x[1])}], rows);
const parts = object => Object.entries(object).filter(([, v]) => typeof v === "number").map(([name, value]) => ({name: name.replaceAll("_", " "), value}));

function headline(r) {
	page.append(html("h1", {}, r.model),
		soft([r.device_name, r.platform && `platform ${r.platform}`, `${r.api}, ${r.nireq} in flight`, `batch ${r.batch}`,
			r.live && `live input from ${r.live}`, r.workers && `${r.workers} workers`, r.mode && `simulated, ${r.mode}`].filter(Boolean).join(" · ")));
}

function verdict(r, ...more) {
	section("Verdict", html("p", {class: "verdict"}, r.verdict.sentence), html("p", {class: "next"}, "next: ", r.verdict.next), ...more);
}

function figures(r) {
	const rows = [["throughput", r.throughput_fps], ["duration", r.duration_ms]];
	if (r.latency_ms)
		for (const key of ["min", "median", "avg", "p90", "p99", "max"])
			rows.push([`latency, ${key}`, inMs(r.latency_ms[key], r.latency_ms.source)]);
	if (r.device_ms.median !== null)
		rows.push(["device, median", {value: r.device_ms.median, unit: "ms", source: r.device_ms.source, band: r.device_ms.band}]);
	rows.push(["read the model", r.read_ms], ["compile", r.compile_ms], ["first inference", r.first_inference_ms],
		["device busy", asShare(r.utilization.busy, r.utilization_source)], ["of its multipliers", asShare(r.utilization.mac, r.utilization_source)],
		["of its memory bandwidth", asShare(r.utilization.ddr, r.utilization_source)], ["memory of the process, peak", r.peak_rss_mb],
		["inferences", r.iterations], ["compilations", r.compilations]);
	section("Figures", pairs(rows),
		soft("measured: on this machine, by its clock; modelled: by the timing model of the simulated device, with its error band"));
}

function phases(r) {
	const list = parts(r.phases);
	section("Where the host's time goes", stack(list),
		table([{title: "phase", cell: x => x.name}, {title: "share", number: true, cell: x => figure(asShare(x.value, r.phases_source))}], list));
}

/* Why the device was idle, and what it did while it was not. */
function device(r) {
	if (r.idle) {
		const why = {busy: "busy", prepare: "idle: the next input was prepared", copies: "idle: copies", host: "idle: the host was slow to notice", no_input: "idle: nothing was asked"};
		const list = Object.keys(why).map(key => ({name: why[key], value: r.idle[key]}));
		section("The device in time", stack(list),
			table([{title: "", cell: x => x.name}, {title: "share", number: true, cell: x => figure(asShare(x.value, r.idle.source))}], list));
	}
	const t = r.device_time;
	if (t && t.total_ms) {
		const names = {fixed_ms: "fixed cost of an inference", dpu_ms: "multipliers", shave_ms: "vector engines", copy_ms: "copies on the chip",
			stall_weights_ms: "waiting for weights", stall_inputs_ms: "waiting for activations", stall_stores_ms: "waiting for stores"};
		const list = Object.keys(names).filter(key => t[key] !== null).map(key => ({name: names[key], value: t[key]}));
		section("One inference on the device", html("p", {}, figure({value: t.total_ms, unit: "ms", source: t.source, band: t.band})), stack(list),
			table([{title: "", cell: x => x.name}, {title: "time", number: true, cell: x => figure(inMs(x.value, t.source))}], list));
	}
}

function fromAdvertisedToAchieved(r) {
	const w = r.waterfall;
	if (!w) return;
	let left = w.advertised;
	const steps = [{name: "advertised", left}];
	for (const l of w.losses) {
		if (l.loss === null) continue;
		left -= l.loss;
		steps.push({name: l.name, left: Math.max(left, 0), lost: l.loss});
	}
	section("From the advertised rate to the achieved one", waterfall(steps, w.unit),
		table([{title: "lost to", cell: l => l.why}, {title: w.unit, number: true, cell: l => figure({value: l.loss, unit: w.unit, source: w.source})}], w.losses),
		html("p", {}, "achieved: ", figure({value: w.achieved, unit: w.unit, source: w.source})));
}

function inTime(r) {
	if (!r.timeline || !r.timeline.length) return;
	const kinds = ["prepare", "copy in", "in flight", "copy out", "callback", "device"], tracks = new Map();
	const put = (name, kind, begin, end) => {
		if (!(begin > 0) || !(end > begin)) return;
		if (!tracks.has(name)) tracks.set(name, []);
		tracks.get(name).push({kind, begin: begin * 1e-6, end: end * 1e-6});
	};
	const numbers = new Map(); /* requests in the order they appear */
	for (const e of r.timeline) {
		if (!numbers.has(e.request)) numbers.set(e.request, numbers.size + 1);
		const name = `request ${numbers.get(e.request)}`;
		put(name, "prepare", e.prepare_ns, e.start_ns);
		put(name, "copy in", e.start_ns, e.start_ns + e.copy_in_ns);
		put(name, "in flight", e.start_ns + e.copy_in_ns, e.end_ns - e.copy_out_ns);
		put(name, "copy out", e.end_ns - e.copy_out_ns, e.end_ns);
		put(name, "callback", e.end_ns, e.callback_end_ns);
		put("device", "device", e.device_begin_ns, e.device_end_ns);
	}
	const order = [...tracks.keys()].sort((a, b) => (a === "device") - (b === "device"));
	section("Host and device in time", lanes(order.map(name => ({name, slices: tracks.get(name)})), kinds, "ms"),
		soft(`the last ${r.timeline.length} inferences; every one is in the trace that --trace writes`));
}

function layers(r) {
	if (!r.layers || !r.layers.length) return;
	const slowest = [...r.layers].sort((a, b) => b.time.value - a.time.value).slice(0, 40), most = slowest.slice(0, 6);
	const sum = list => list.reduce((s, l) => s + l.time.value, 0);
	section("Slowest layers", stack([...most.map(l => ({name: l.name, value: l.time.value})), {name: "all others", value: sum(r.layers) - sum(most)}]),
		table([{title: "layer", cell: l => l.name}, {title: "operator", cell: l => l.type}, {title: "engine", cell: l => l.engine},
			{title: "time", number: true, cell: l => figure(l.time)}], slowest));
}

function notes(r) {
	if (r.notes && r.notes.length) section("Notes", r.notes.map(n => html("p", {}, n)));
}
