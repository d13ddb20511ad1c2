/* SPDX-License-Identifier: Apache-2.0 */
/* Networks whose limit is planted, compiled by the simulated driver's compiler; where their time goes. */
#ifndef TARN_TESTS_DIAG_NETS_H
#define TARN_TESTS_DIAG_NETS_H

#include "unit/driver/npu_graphs.h"

#include "diag/fill.h"

/* Chains of one kind of layer: convolutions of k x k with c channels on h x h, functions of each element, steps of a
 * recurrence. */
typedef enum net_kind { NET_CONV, NET_FUNCTION, NET_LSTM } net_kind;
typedef struct net {
	net_kind kind;
	int layers, c, h, k;
	bool int8;
} net;

/* All layers share the weights of the first: they count for each, and are made once. */
static inline tarn_value *net_conv(tarn_graph *g, tarn_value *x, const net *n, const tarn_node **first)
{
	tarn_value *y;
	if (!*first) {
		y = n->int8 ? qconv(g, x, 0.02f, n->c, n->c, n->k, 1, n->k / 2, 1, 1)
			    : conv(g, x, n->c, n->c, n->k, 1, n->k / 2, 1);
		*first = y->def;
	} else {
		y = node(g, "Conv", x, (*first)->in[1], (*first)->in[2]);
		set_ints(g, y, "kernel_shape", 2, n->k, n->k);
		set_ints(g, y, "pads", 4, n->k / 2, n->k / 2, n->k / 2, n->k / 2);
	}
	return n->int8 ? qdq(g, y, 0.02f, 0) : y;
}

static inline tarn_value *net_lstm(tarn_graph *g, tarn_value *x, const net *n)
{
	tarn_node *l;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "LSTM"), NULL, 3, 3, -1, &l));
	l->in[0] = x;
	l->in[1] = weights(g, dims(3, 1, 4 * n->c, n->c));
	l->in[2] = weights(g, dims(3, 1, 4 * n->c, n->c));
	set_int(l->out[0], "hidden_size", n->c);
	return l->out[1];
}

static inline tarn_model *net_build(const net *n, int batch)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = n->kind == NET_LSTM ? input(g, dims(3, n->h, batch, n->c)) : input(g, dims(4, batch, n->c, n->h, n->h));
	tarn_value *y = n->int8 && n->kind == NET_CONV ? qdq(g, x, 0.02f, 128) : x;
	const tarn_node *first = NULL;
	for (int i = 0; i < n->layers; i++)
		y = n->kind == NET_CONV       ? net_conv(g, y, n, &first)
		    : n->kind == NET_FUNCTION ? node(g, i % 2 ? "Mish" : "Softplus", y, NULL, NULL)
					      : net_lstm(g, y, n);
	output(g, y);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static inline tarn_account account_ms(const tarn_npu_account *a, const tarn_arch *arch, bool turbo, uint64_t turbo_ns)
{
	const double to_ms = 1e-6;
	return (tarn_account){.modelled = true,
			      .tops = 4e-6 * arch->tiles * arch->mac_int8 / 2 * arch->dpu_mhz_turbo,
			      .mhz = turbo ? arch->dpu_mhz_turbo : arch->dpu_mhz,
			      .mhz_highest = arch->dpu_mhz_turbo,
			      .tiles = (int)a->tiles,
			      .device_tiles = arch->tiles,
			      .total = (double)a->total_ns * to_ms,
			      .fixed = (double)a->fixed_ns * to_ms,
			      .dpu = (double)a->dpu_ns * to_ms,
			      .shave = (double)a->shave_ns * to_ms,
			      .copy = (double)a->copy_ns * to_ms,
			      .stall_weights = (double)a->stall_weights_ns * to_ms,
			      .stall_inputs = (double)a->stall_inputs_ns * to_ms,
			      .stall_stores = (double)a->stall_stores_ns * to_ms,
			      .int8 = (double)a->int8_ns * to_ms,
			      .mixed = (double)a->mixed_ns * to_ms,
			      .padded = (double)a->padded_ns * to_ms,
			      .recurrent = (double)a->recurrent_ns * to_ms,
			      .macs = (int64_t)a->macs,
			      .macs_int8 = (int64_t)a->macs_int8,
			      .free_bandwidth = (double)a->free_bandwidth_ns * to_ms,
			      .free_compute = (double)a->free_compute_ns * to_ms,
			      .turbo = (double)turbo_ns * to_ms};
}

/* Compiled for at most that many tiles (0: all). */
static inline tarn_account net_account(const net *n, int batch, int platform, int tiles, bool turbo)
{
	const tarn_arch *arch = tarn_arch_find(platform);
	tarn_arena arena = {0};
	tarn_model *m = net_build(n, batch);
	npu_layers layers;
	npu_plan plan;
	tarn_npu_account a;
	assert_ok(tarn_npu_lower(m));
	assert_ok(tarn_npu_group(m->main, &arena, &layers));
	assert_ok(tarn_npu_schedule(arch, m->main, &layers, tiles ? tiles : arch->tiles, &arena, &plan));
	assert_ok(tarn_npu_account_of(arch, &plan, turbo, &a));
	tarn_account out = account_ms(&a, arch, turbo, plan.time[1].total_ns);
	tarn_arena_fini(&arena);
	tarn_model_unref(m);
	return out;
}

#endif
