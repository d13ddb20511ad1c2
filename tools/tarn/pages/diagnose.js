/* SPDX-License-Identifier: Apache-2.0 */
/* The report of tarn diagnose: the verdict, its proof, what each change would gain and what it gained. */
headline(report);
verdict(report, report.proof ? html("p", {}, report.proof) : null);

/* Gains as bars from 1: promised, and measured with its confidence interval. */
function gains(trials) {
	const W = 1000, L = 220, row = 46, most = Math.max(2, ...trials.flatMap(t => [t.predicted_gain || 0, t.ci95[1] || 0, t.gain || 0]));
	const px = g => L + (W - L - 20) * Math.min(g, most) / most;
	const rows = trials.map((t, i) => svg("g", {transform: `translate(0 ${i * row})`}, svg("text", {x: 0, y: 27}, t.change),
		t.predicted_gain === null ? null : svg("rect", {x: L, y: 6, width: px(t.predicted_gain) - L, height: 13, fill: "var(--e)"}, svg("title", {}, `promised: ${digits(t.predicted_gain)} times`)),
		t.gain === null ? svg("text", {class: "soft", x: L + 4, y: 36}, t.not_tried || "not tried") : [
			svg("rect", {x: L, y: 22, width: px(t.gain) - L, height: 13, fill: t.shown ? "var(--c)" : "var(--b)", opacity: .85}, svg("title", {}, `measured: ${digits(t.gain)} times`)),
			svg("path", {d: `M${px(t.ci95[0])} 28H${px(t.ci95[1])}`, stroke: "var(--text)", "stroke-width": 2})]));
	return html("figure", {}, svg("svg", {viewBox: `0 0 ${W} ${trials.length * row + 4}`, role: "img"},
		svg("path", {class: "axis", d: `M${px(1)} 0V${trials.length * row}`}), rows),
		html("div", {class: "legend"}, [["--e", "promised by the model of the pipeline"], ["--c", "measured, a difference is shown"], ["--b", "measured, no difference is shown"]].map(([c, name]) =>
			html("span", {}, html("i", {style: `background:var(${c})`}), name))));
}

if (report.experiments.length)
	section("Experiments: one change at a time, in turns with the baseline", gains(report.experiments),
		table([{title: "change", cell: t => t.what}, {title: "how", cell: t => html("span", {class: "next"}, t.flags)},
			{title: "promised", number: true, cell: t => figure(t.predicted_gain === null ? null : {value: t.predicted_gain, unit: "times", source: "modelled"})},
			{title: "gained", number: true, cell: t => t.gain === null ? t.not_tried : figure({value: t.gain, unit: "times", source: t.source})},
			{title: "95 % interval", number: true, cell: t => t.gain === null ? "" : `${digits(t.ci95[0])} to ${digits(t.ci95[1])}`},
			{title: "", cell: t => t.gain === null ? "" : t.shown ? html("span", {class: t.gain > 1 ? "good" : "bad"}, t.gain > 1 ? "faster" : "slower") : "no difference shown"}], report.experiments));
if (report.turbo) section("Turbo", html("p", {}, report.turbo.sentence), soft(`NPU_TURBO reads back as ${report.turbo.read_back}`));

if (report.roofline) {
	const r = report.roofline, peak = r.peak ? r.peak.value : Infinity, all = r.layers.reduce((sum, l) => sum + l.time.value, 0);
	section("Roofline of this host", roofline(r.layers.filter(l => l.macs > 0 && l.bytes > 0 && l.time.value > 0).map(l => ({
		name: `${l.name} (${l.type}): ${digits(l.time.value)} ms`, x: 2 * l.macs / l.bytes, y: 2e-9 * l.macs / l.time.value,
		size: 3 + 12 * Math.sqrt(l.time.value / all), colour: l.roof === "memory" ? "var(--b)" : "var(--a)"})),
		x => Math.min(peak, r.bandwidth.value * x * 1e-3), "operations for each byte read or written", "TOPS"),
		soft("each circle is a layer, as large as its share of the time; orange: under the slope of the memory; above it: its data was in a cache"),
		pairs([["memory", r.bandwidth], ["products", r.peak]]));
}

for (const part of [figures, phases, device, fromAdvertisedToAchieved, inTime, layers])
	part(report);
section("State of the machine", pairs(Object.entries(report.state).filter(([, v]) => v !== null && typeof v === "number").map(([k, v]) => [k.replaceAll("_", " "), v])));
notes(report);
