/* SPDX-License-Identifier: Apache-2.0 */
/* The graph of a test (devices/fixture.h) on the CPU device, at every instruction-set level of this processor, against the
 * operators' reference code. */
#ifndef TARN_TESTS_DEVICES_LEVELS_H
#define TARN_TESTS_DEVICES_LEVELS_H

#include "base/pool.h"
#include "dev/cpu/cpu.h"
#include "devices/fixture.h"
#include "kern/isa.h"

enum { LEVEL_OUTPUTS = 2 };

/* What a test says of a level: how a copy of the graph is prepared, which steps it must have become, and how near output i is.
 */
typedef struct level_test {
	void (*prepare)(tarn_model *copy);
	void (*look)(const cpu_program *p);
	void (*compare)(const tarn_tensor *got, const tarn_tensor *want, size_t i);
} level_test;

static inline void run_level(const level_test *t, const tarn_tensor *in, const tarn_tensor *want)
{
	tarn_model *copy;
	cpu_program *p;
	tarn_pool *pool;
	tarn_buffer *arena = NULL;
	tarn_tensor got[LEVEL_OUTPUTS] = {0};
	assert_ok(tarn_model_clone(model, &copy));
	t->prepare(copy);
	assert_ok(tarn_cpu_program_new(copy->main, NULL, NULL, &p));
	t->look(p);
	assert_ok(tarn_pool_new(2, &pool));
	assert_ok(tarn_cpu_graph_run(p, pool, &arena, &in, got, NULL));
	for (size_t i = 0; i < g->output.len; i++) {
		t->compare(&got[i], &want[i], i);
		tarn_tensor_fini(&got[i]);
	}
	tarn_pool_free(pool);
	tarn_buffer_unref(arena);
	tarn_cpu_program_free(p);
	tarn_model_unref(copy);
}

static inline void run_levels(const level_test *t)
{
	tarn_isa before = tarn_isa_get();
	assert_ok(tarn_graph_infer(g));
	assert_true(g->output.len <= LEVEL_OUTPUTS);
	tarn_tensor in = filled(g->input.at[0]->shape), want[LEVEL_OUTPUTS] = {0};
	const tarn_tensor *ptr = &in;
	assert_ok(tarn_graph_eval(g, &ptr, want, NULL, NULL));
	for (int level = 0; level < TARN_ISA_COUNT; level++)
		if (tarn_isa_set((tarn_isa)level))
			run_level(t, &in, want);
	tarn_isa_set(before);
	for (size_t i = 0; i < g->output.len; i++)
		tarn_tensor_fini(&want[i]);
	tarn_tensor_fini(&in);
}

#endif
