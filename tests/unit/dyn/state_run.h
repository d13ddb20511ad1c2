/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences on a device, for tests of models with state. */
#ifndef TARN_TESTS_STATE_RUN_H
#define TARN_TESTS_STATE_RUN_H

#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "dev/ref/ref.h"
#include "dyn/sequence.h"

enum { ALL = 21, WINDOW = 24, STEP = 4 };

/* Together they are ALL positions. */
static const int64_t calls[] = {5, 1, 1, 4, 9, 1};
enum { CALLS = sizeof calls / sizeof *calls };

static tarn_device device;

static inline tarn_sequence *open_on(const tarn_device_api *api, tarn_model *m, const tarn_state_pair *pair, int n_pair,
				     int64_t step)
{
	tarn_sequence *s;
	tarn_program *p[2] = {NULL};
	tarn_state st[2] = {{{0}}};
	device = (tarn_device){.api = api};
	for (int k = 0; k < 2; k++) {
		tarn_state_spec spec = {pair, n_pair, WINDOW, k ? 1 : step, 0};
		tarn_model *copy = tarn_model_ref(m);
		bool found;
		assert_ok(tarn_model_stateful(&copy, &spec));
		assert_ok(tarn_state_get(copy, &st[k], &found));
		assert_true(found);
		for (size_t i = 0; i < copy->main->input.len; i++)
			assert_true(tarn_shape_is_static(&copy->main->input.at[i]->shape));
		assert_ok(tarn_program_compile(&device, copy, NULL, &p[k]));
		tarn_model_unref(copy);
	}
	assert_ok(tarn_sequence_new(p[0], p[1], &st[0], &st[1], &s));
	for (int k = 0; k < 2; k++) {
		tarn_program_unref(p[k]);
		tarn_state_fini(&st[k]);
	}
	return s;
}

static inline void close_it(tarn_sequence *s)
{
	tarn_sequence_free(s);
	tarn_device_close(&device);
}

static inline tarn_value *sliced(tarn_graph *g, tarn_value *x, tarn_value *from, tarn_value *to, int axis)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Slice"), NULL, 4, 1, -1, &n));
	n->in[0] = x;
	n->in[1] = from;
	n->in[2] = to;
	n->in[3] = ints(g, 1, axis);
	return n->out[0];
}

#endif
