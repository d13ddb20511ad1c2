/* SPDX-License-Identifier: Apache-2.0 */
/* The report of tarn bench. */
{
	const r = report;
	const ms = (value, source) => value === null || value === undefined ? null : {value, unit: "ms", source};
	const share = (value, source) => value === null || value === undefined ? null : {value, unit: "share", source};

	page.append(html("h1", {}, r.model),
		soft([r.device_name, r.platform && `platform ${r.platform}`, `${r.api}, ${r.nireq} in flight`, `batch ${r.batch}`,
			r.live && `live input from ${r.live}`, r.mode && `simulated, ${r.mode}`].filter(Boolean).join(" · ")));

	section("Verdict", html("p", {class: "verdict"}, r.verdict.sentence), html("p", {class: "next"}, "next: ", r.verdict.next));

	const rows = [["throughput", r.throughput_fps], ["duration", r.duration_ms]];
	if (r.latency_ms)
		for (const key of ["min", "median", "avg", "p90", "p99", "max"])
			rows.push([`latency, ${key}`, ms(r.latency_ms[key], r.latency_ms.source)]);
	if (r.device_ms.median !== null)
		rows.push(["device, median", {value: r.device_ms.median, unit: "ms", source: r.device_ms.source, band: r.device_ms.band}]);
	rows.push(["read the model", r.read_ms], ["compile", r.compile_ms], ["first inference", r.first_inference_ms],
		["device busy", share(r.utilization.busy, r.utilization_source)], ["of its multipliers", share(r.utilization.mac, r.utilization_source)],
		["of its memory bandwidth", share(r.utilization.ddr, r.utilization_source)], ["memory of the process, peak", r.peak_rss_mb],
		["inferences", r.iterations], ["compilations", r.compilations]);
	section("Figures", table([{title: "", cell: x => x[0]}, {title: "", number: true, cell: x => figure(x[1])}], rows),
		soft("measured: on this machine, by its clock; modelled: by the timing model of the simulated device, with its error band"));

	const phases = Object.entries(r.phases).map(([name, value]) => ({name: name.replace("_", " "), value}));
	section("Where the host's time goes", stack(phases),
		table([{title: "phase", cell: x => x.name}, {title: "share", number: true, cell: x => figure(share(x.value, r.phases_source))}], phases));

	if (r.timeline && r.timeline.length) {
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

	if (r.layers && r.layers.length) {
		const slowest = [...r.layers].sort((a, b) => b.time.value - a.time.value).slice(0, 40);
		section("Slowest layers", stack([...slowest.slice(0, 6).map(l => ({name: l.name, value: l.time.value})),
			{name: "all others", value: r.layers.reduce((s, l) => s + l.time.value, 0) - slowest.slice(0, 6).reduce((s, l) => s + l.time.value, 0)}]),
			table([{title: "layer", cell: l => l.name}, {title: "operator", cell: l => l.type}, {title: "engine", cell: l => l.engine},
				{title: "time", number: true, cell: l => figure(l.time)}], slowest));
	}
	if (r.notes && r.notes.length) section("Notes", r.notes.map(n => html("p", {}, n)));
}
