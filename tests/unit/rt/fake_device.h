/* SPDX-License-Identifier: Apache-2.0 */
/* A device for tests of the runtime: adds 1 to every float of its only input; stores compiled models; can be held up. */
#ifndef TARN_TEST_FAKE_DEVICE_H
#define TARN_TEST_FAKE_DEVICE_H

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "rt/cache.h"
#include "rt/program.h"
#include "rt/request.h"

static atomic_int fake_running, fake_most, fake_compiled, fake_imported, fake_hold;
static int fake_program_state;

static tarn_err fake_compile(tarn_program *p)
{
	p->impl = &fake_program_state;
	atomic_fetch_add(&fake_compiled, 1);
	return TARN_OK;
}

static tarn_err fake_import(tarn_program *p, tarn_buffer *blob)
{
	CHECK(blob->size == 5 && !memcmp(blob->at, "bytes", 5), TARN_BAD_FILE, "not what was exported");
	p->impl = &fake_program_state;
	atomic_fetch_add(&fake_imported, 1);
	return TARN_OK;
}

static tarn_err fake_export(tarn_program *p, tarn_str *blob)
{
	(void)p;
	tarn_str_add(blob, "bytes");
	return TARN_OK;
}

static tarn_err fake_run(tarn_request *r)
{
	int now = atomic_fetch_add(&fake_running, 1) + 1;
	int most = atomic_load(&fake_most);
	while (now > most && !atomic_compare_exchange_weak(&fake_most, &most, now)) {
	}
	while (atomic_load(&fake_hold) && !atomic_load(&r->cancel))
		tarn_clock_sleep_until(tarn_clock_ns() + 200000);
	tarn_err err = TARN_OK;
	if (!r->out[0].data)
		err = tarn_tensor_new(TARN_F32, r->in[0].rank, r->in[0].dim, &r->out[0]);
	const float *x = r->in[0].data;
	for (int64_t i = 0, n = tarn_tensor_count(&r->in[0]); i < n && !err; i++) {
		if (x[i] < 0)
			err = tarn_err_set(TARN_INTERNAL, "a negative number came in");
		((float *)r->out[0].data)[i] = x[i] + 1;
	}
	atomic_fetch_sub(&fake_running, 1);
	return err;
}

static const tarn_device_api fake_api = {
	.name = "CPU", .compile = fake_compile, .import = fake_import, .export_ = fake_export, .run = fake_run};

/* x: f32[2,3] -> the same as output; the fake device does the adding. */
static inline tarn_model *fake_model(float seed)
{
	tarn_model *m = NULL;
	const int64_t dim[] = {2, 3};
	tarn_shape s = tarn_shape_of(2, dim);
	tarn_value *x, *w;
	if (tarn_model_new(&m) || tarn_value_input(m->main, "x", TARN_F32, &s, &x) ||
	    tarn_value_const_f32(m->main, "w", &seed, 1, &w) || VEC_GROW(&m->main->output))
		return NULL;
	m->main->output.at[m->main->output.len++] = x;
	if (VEC_GROW(&m->main->output))
		return NULL;
	m->main->output.at[m->main->output.len++] = w;
	return m;
}

#endif
