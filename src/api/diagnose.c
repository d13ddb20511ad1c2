/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/diagnose.h"

#include "api/handles.h"
#include "base/mem.h"
#include "diag/verdict.h"

static tarn_err diagnose(const tarn_diag_counters *in, tarn_verdict *out)
{
	const tarn_counters c = {
		.inferences = in->inferences,
		.prepare = in->prepare,
		.copy_in = in->copy_in,
		.device = in->device,
		.copy_out = in->copy_out,
		.wait = in->wait,
		.other = in->other,
		.busy = in->busy,
		.mac = in->mac,
		.ddr = in->ddr,
		.int8 = in->int8,
		.in_flight = in->in_flight,
		.optimal = in->optimal,
		.workers = in->workers,
		.processors = in->processors,
		.rate_limited = in->rate_limited,
		.exact = in->exact,
		.decodes_in_full = in->decodes_in_full,
	};
	tarn_str sentence = {0}, next = {0};
	tarn_verdict v = {NULL, NULL, NULL};
	tarn_err err = tarn_verdict_find(&c, &v.name, &sentence, &next);
	if (!err)
		err = tarn_text_out(sentence.at, &v.sentence);
	if (!err)
		err = tarn_text_out(next.at, &v.next);
	tarn_str_fini(&sentence);
	tarn_str_fini(&next);
	if (err)
		tarn_free_verdict(&v);
	else
		*out = v;
	return err;
}

ov_status_e tarn_diagnose_counters(const tarn_diag_counters *counters, tarn_verdict *verdict)
{
	NEED(counters && verdict);
	return tarn_status(diagnose(counters, verdict));
}

void tarn_free_verdict(tarn_verdict *verdict)
{
	if (!verdict)
		return;
	tarn_mem_free(verdict->sentence);
	tarn_mem_free(verdict->next);
	*verdict = (tarn_verdict){NULL, NULL, NULL};
}
