/* SPDX-License-Identifier: Apache-2.0 */
/* The report of tarn check: the page about a model, and a roofline for each platform. */
{
	const r = report, share = (value, source) => value === null ? null : {value, unit: "share", source};
	const megabytes = (value, source) => value === null ? null : {value: value * 1e-6, unit: "MB", source};
	page.append(html("h1", {}, r.model), soft(r.static ? "static shapes" : "free dimensions"));
	section("The model", table([{title: "", cell: x => x[0]}, {title: "", number: true, cell: x => x[1]}], [
		...r.inputs.map(p => [`input ${p.name}`, `${p.type} ${p.shape}`]), ...r.outputs.map(p => [`output ${p.name}`, `${p.type} ${p.shape}`]),
		["nodes", figure(r.nodes)], ["multiply-accumulates", figure(r.macs)], ["of them in INT8", figure(share(r.mac_share_int8, ""))],
		["weights", figure(megabytes(r.weight_bytes, ""))], ["intermediate results", figure(megabytes(r.activation_bytes, "planned"))]]));
	section("What runs where", table([{title: "", cell: x => x[0]}, {title: "", cell: x => x[1]}], [
		["CPU", r.cpu.runs ? `runs; ${r.cpu.nodes_reference} nodes on reference code` : r.cpu.why],
		["NPU", r.npu.known ? `takes ${r.npu.nodes_supported} of ${r.npu.nodes} nodes` : r.npu.why]]),
		r.npu.unsupported.length ? table([{title: "node", cell: n => n.node}, {title: "operator", cell: n => n.type}, {title: "why not", cell: n => n.why}], r.npu.unsupported) : null);
	if (r.helps.length) section("What helps", r.helps.map(h => html("p", {class: "next"}, h)));
	for (const p of r.predicted) {
		if (!p.latency_ms) {
			section(`NPU ${p.platform}`, soft(p.why || "latency unknown"));
			continue;
		}
		const peak = p.peak_int8.value, bandwidth = p.peak_ddr.value;
		const points = p.layers.filter(l => l.macs > 0 && l.ddr_bytes > 0 && l.time.value > 0).map(l => ({
			name: `${l.name} (${l.type}): ${digits(l.time.value)} ms`, x: 2 * l.macs / l.ddr_bytes, y: 2e-9 * l.macs / l.time.value,
			size: 3 + 12 * Math.sqrt(l.time.value / p.latency_ms.value), colour: l.engine === "DMA" ? "var(--b)" : "var(--a)"}));
		const slowest = [...p.layers].sort((a, b) => b.time.value - a.time.value).slice(0, 25);
		section(`NPU ${p.platform}`, html("p", {class: "verdict"}, figure(p.latency_ms)),
			table([{title: "", cell: x => x[0]}, {title: "", number: true, cell: x => x[1]}], [
				["memory traffic", figure(megabytes(p.ddr_bytes.value, p.ddr_bytes.source))],
				["of the multipliers' INT8 peak", figure(p.mac_share)], ["of the memory bandwidth", figure(p.ddr_share)],
				["peak, INT8", figure(p.peak_int8)], ["peak, FP16", figure(p.peak_fp16)], ["bandwidth", figure(p.peak_ddr)]]),
			html("h2", {}, "Roofline"), roofline(points, x => Math.min(peak, bandwidth * x * 1e-3), "operations for each byte of memory traffic", "TOPS"),
			soft("each circle is a layer, as large as its share of the time; orange: moving data keeps it busy longest; below the line: neither limit is reached; above it: its data was fetched while other layers ran"),
			table([{title: "layer", cell: l => l.name}, {title: "operator", cell: l => l.type}, {title: "engine", cell: l => l.engine},
				{title: "time", number: true, cell: l => figure(l.time)}, {title: "MMAC", number: true, cell: l => figure(l.macs * 1e-6)},
				{title: "MB", number: true, cell: l => figure(l.ddr_bytes * 1e-6)}], slowest));
	}
}
