/* SPDX-License-Identifier: Apache-2.0 */
/* The report of tarn tune: one curve for each setting. */
{
	const r = report, c = r.choice;
	page.append(html("h1", {}, r.model), soft(r.device_name));
	section("Choice", html("p", {class: "verdict"},
		`${c.hint}, ${c.nireq} in flight` + (c.nstreams ? `, ${c.nstreams} streams` : "") + (c.workers ? `, ${c.workers} workers` : "") + (c.batch > 1 ? `, batch ${c.batch}` : "")),
		html("p", {}, figure(r.throughput_fps), `, ${digits(r.gain)} times the rate of the first setting`));
	for (const name of new Set(r.points.map(p => p.sweep))) {
		const points = r.points.filter(p => p.sweep === name);
		section(name, curve(points.map(p => ({x: p.value, y: p.throughput_fps ? p.throughput_fps.value : null, chosen: p.kept})), name, "1/s"),
			table([{title: name, number: true, cell: p => String(p.value)}, {title: "rate", number: true, cell: p => p.throughput_fps ? figure(p.throughput_fps) : p.why},
				{title: "latency", number: true, cell: p => figure(p.latency_ms)}, {title: "", cell: p => p.kept ? "kept" : ""}], points));
	}
}
