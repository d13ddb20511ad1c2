/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/fill.h"

void tarn_fill_account(const tarn_account *a, tarn_counters *c)
{
	double t = a->total, array = a->dpu - a->padded;
	c->tiles = a->tiles;
	c->device_tiles = a->device_tiles;
	if (!(t > 0))
		return;
	c->stall_weights = a->stall_weights / t;
	c->stall_activations = (a->stall_inputs + a->stall_stores) / t;
	c->array = array > 0 ? array / t : 0;
	c->compute = a->dpu / t - c->array;
	c->vector = (a->shave + a->copy) / t;
	c->fixed = a->fixed / t;
	c->recurrent = a->recurrent / t;
	c->free_bandwidth_ms = a->free_bandwidth;
	c->free_compute_ms = a->free_compute;
	c->turbo_ms = a->mhz < a->mhz_highest ? a->turbo : 0;
	/* A device that takes longer than its model says runs at a lower clock; a simulated one never does. */
	c->clock = c->device_ms > 0 ? t / c->device_ms : 0;
}

void tarn_fill_summary(const tarn_summary *s, tarn_counters *c)
{
	double all = s->prepare + s->copy_in + s->queue + s->device + s->notice + s->copy_out + s->callback;
	if (!s->n || !(all > 0))
		return;
	c->inferences = (int64_t)s->n;
	c->prepare = s->prepare / all;
	c->copy_in = s->copy_in / all;
	c->wait = s->queue / all;
	c->device = s->device / all;
	c->copy_out = s->copy_out / all;
	c->other = (s->notice + s->callback) / all;
	c->results = s->callback / all;
	c->busy = s->busy;
	c->gap_prepare = s->gap_prepare;
	c->gap_copy = s->gap_copy;
	c->gap_host = s->gap_host;
	c->gap_input = s->gap_input;
}
