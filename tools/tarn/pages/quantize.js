/* SPDX-License-Identifier: Apache-2.0 */
/* The report of tarn quantize: the network coloured by its error, each layer's figures, the models that accuracy control measured. */
{
	const r = report;
	const measured = (value, unit) => value === null || value === undefined ? null : {value, unit, source: "measured"};
	const layers = r.layers || [];
	/* Red at 10 dB and below, green at 45 dB and above; nothing known: grey. */
	const colour = db => db === null ? "var(--e)" : `hsl(${Math.round(120 * Math.min(Math.max((db - 10) / 35, 0), 1))} 60% 45%)`;
	const decibels = db => db === null ? "unknown" : db > 150 ? "no noise" : `${digits(db)} dB`;

	page.append(html("h1", {}, r.model), soft(`${r.file} · preset ${r.preset} · calibrated on ${r.samples} samples`));
	section("The result", table([{title: "", cell: x => x[0]}, {title: "", number: true, cell: x => x[1]}], [
		["layers in INT8", figure(r.nodes_int8)], ["layers left float", figure(r.nodes_float)],
		["multiply-accumulates in INT8", figure(r.mac_share_int8 === null ? null : {value: r.mac_share_int8, unit: "share", source: ""})],
		...Object.entries(r.sqnr_db).map(([name, db]) => [`output ${name}, signal to noise`, figure(measured(db, "dB"))]),
		["samples stored in the model to compare devices with", figure(r.canaries)]]));

	/* From top to bottom; a layer stands below all it reads. */
	function network() {
		const depth = [], rows = [], W = 1000, H = 34;
		layers.forEach((l, i) => {
			depth[i] = l.from.reduce((d, f) => Math.max(d, depth[f] + 1), 0);
			(rows[depth[i]] = rows[depth[i]] || []).push(i);
		});
		const place = i => {
			const row = rows[depth[i]], w = Math.min(W / row.length - 8, 460), at = row.indexOf(i);
			return {x: W / row.length * (at + .5) - w / 2, y: depth[i] * H, w};
		};
		const boxes = layers.map((_, i) => place(i));
		const lines = layers.flatMap((l, i) => l.from.map(f => {
			const a = boxes[f], b = boxes[i], x1 = a.x + a.w / 2, y1 = a.y + H - 10, x2 = b.x + b.w / 2, y2 = b.y;
			const aside = depth[i] - depth[f] > 1 ? 350 : 0; /* around what stands between */
			return svg("path", {class: "axis", style: "stroke:var(--soft)",
				d: `M${x1} ${y1}C${x1 + aside} ${y1 + 12} ${x2 + aside} ${y2 - 12} ${x2} ${y2}`});
		}));
		const shapes = layers.map((l, i) => {
			const b = boxes[i], room = Math.floor(b.w / 8.2), text = `${l.node} · ${l.type}`;
			return svg("g", {"data-layer": l.node}, svg("title", {}, `${l.node} (${l.type}), ${l.state}: ${decibels(l.sqnr_cumulative_db)} in its result, ${decibels(l.sqnr_local_db)} of its own`),
				svg("rect", {x: b.x, y: b.y, width: b.w, height: H - 10, rx: 4, fill: l.state === "int8" ? colour(l.sqnr_cumulative_db) : "var(--card)",
					stroke: colour(l.sqnr_cumulative_db), "stroke-width": 3}),
				svg("text", {x: b.x + 8, y: b.y + 16, style: l.state === "int8" ? "fill:#fff" : ""},
					text.length + 9 > room ? text.slice(0, Math.max(room - 10, 0)) + "…" : text),
				b.w > 160 ? svg("text", {x: b.x + b.w - 8, y: b.y + 16, "text-anchor": "end", style: l.state === "int8" ? "fill:#fff" : ""}, l.sqnr_cumulative_db === null ? "" : decibels(l.sqnr_cumulative_db)) : null);
		});
		return html("figure", {}, svg("svg", {viewBox: `-4 -4 ${W + 8} ${rows.length * H + 8}`, role: "img"}, lines, shapes),
			html("div", {class: "legend"}, [10, 20, 30, 40, 45].map(db => html("span", {}, html("i", {style: `background:${colour(db)}`}), `${db} dB`)),
				html("span", {}, "filled: INT8; outlined: float, or codes passed through")));
	}

	if (layers.length) {
		section("The network by its error", network(),
			soft("SQNR: signal to all noise that has gathered in a layer's result, against the float model, over a few samples"));
		const flags = l => [l.sqnr_local_db !== null && l.sqnr_local_db < 25 && "noisy", l.clip_rate !== null && l.clip_rate > .01 && "clipped",
			l.used_codes > 0 && l.used_codes < 64 && "few codes"].filter(Boolean).join(", ");
		const weakest = [...layers].filter(l => l.state === "int8").sort((a, b) => (a.sqnr_local_db ?? 999) - (b.sqnr_local_db ?? 999));
		section("Layers, the noisiest first", table([{title: "layer", cell: l => l.node}, {title: "operator", cell: l => l.type},
			{title: "SQNR, local", number: true, cell: l => figure(measured(l.sqnr_local_db, "dB"))},
			{title: "SQNR, cumulative", number: true, cell: l => figure(measured(l.sqnr_cumulative_db, "dB"))},
			{title: "clip rate", number: true, cell: l => figure(measured(l.clip_rate, "share"))},
			{title: "used codes", number: true, cell: l => figure(l.used_codes)}, {title: "", cell: l => html("span", {class: "bad"}, flags(l))}], weakest),
			soft("local: the noise that rounding in the layer itself adds; cumulative: all that has gathered; local below 25 dB, more than 1 % clipped, or fewer than 64 of 256 codes in use are worth a look"));
	}

	if (r.steps) {
		const names = {float: "float model", int8: "all in INT8", restore: "to float: ", return: "back in INT8: "};
		const unit = r.drop_of === "accuracy" ? "points of right classes" : "percent of squared error";
		section("What a limit on the loss costs", html("p", {class: "verdict"}, r.met ? `At most ${digits(r.max_drop)} ${unit}: met` : `At most ${digits(r.max_drop)} ${unit}: not met; the best model was kept`),
			curve([...r.steps].sort((a, b) => a.bytes - b.bytes).map(s => ({x: s.bytes * 1e-6, y: Math.max(s.drop, 0), chosen: s.chosen, name: `${names[s.what]}${s.node || ""}`})), "MB of constants", `lost, ${unit}`),
			table([{title: "model", cell: s => `${names[s.what]}${s.node || ""}`}, {title: "accuracy", number: true, cell: s => figure(measured(s.accuracy, "share"))},
				{title: "lost", number: true, cell: s => figure(measured(s.drop, "points"))}, {title: "in INT8", number: true, cell: s => figure({value: s.mac_share_int8, unit: "share", source: ""})},
				{title: "NPU time", number: true, cell: s => figure(s.npu_ms)}, {title: "constants", number: true, cell: s => figure({value: s.bytes * 1e-6, unit: "MB", source: ""})},
				{title: "", cell: s => [s.chosen && "the result", s.pareto && "Pareto"].filter(Boolean).join(", ")}], r.steps),
			soft("Pareto: no other model is better in loss, time and size at once"));
	}

	if (r.reasons.length)
		section("Left float", table([{title: "layer", cell: x => x.node}, {title: "operator", cell: x => x.type}, {title: "why", cell: x => x.why}], r.reasons));
}
