/* SPDX-License-Identifier: Apache-2.0 */
/* One empty graph for each test: `model` and its main graph `g`, made by a setup that calls fixture_start, released by
 * fixture_teardown. */
#ifndef TARN_TESTS_DEVICES_FIXTURE_H
#define TARN_TESTS_DEVICES_FIXTURE_H

#include "devices/graphs.h"

static tarn_model *model;
static tarn_graph *g;

/* first: where the test's seeded numbers begin. */
static inline int fixture_start(uint32_t first)
{
	seed = first;
	assert_ok(tarn_model_new(&model));
	g = model->main;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	(void)state;
	tarn_model_unref(model);
	return 0;
}

#endif
