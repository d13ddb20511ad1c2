/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to a compiled model of two buckets, (u16 place, u8 value) each, behind the container whose checksum would find them.
 * Loading fails with a sentence, or gives a program whose requests stay inside their memory. A device that stores nothing of
 * its own stands inside. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dev/wrap/bucket.h"
#include "ops/ops.h"
#include "rt/program.h"
#include "rt/request.h"

static int state;

static tarn_err compile(tarn_program *p)
{
	p->impl = &state;
	return TARN_OK;
}

static tarn_err import(tarn_program *p, tarn_buffer *blob)
{
	(void)blob;
	return compile(p);
}

static tarn_err export(tarn_program *p, tarn_str *blob)
{
	(void)p;
	tarn_str_add(blob, "fake");
	return TARN_OK;
}

/* Sums the bytes of all inputs, so that a sanitizer sees them read. */
static tarn_err run(tarn_request *r)
{
	unsigned sum = 0;
	for (int i = 0; i < r->n_in; i++)
		for (size_t k = 0; k < tarn_tensor_bytes(&r->in[i]); k++)
			sum += ((const unsigned char *)r->in[i].data)[k];
	for (int i = 0; i < r->n_out; i++)
		if (r->out[i].data && tarn_tensor_bytes(&r->out[i]))
			memset(r->out[i].data, (int)sum, tarn_tensor_bytes(&r->out[i]));
	return TARN_OK;
}

static const tarn_device_api fake = {.name = "CPU", .compile = compile, .import = import, .export_ = export, .run = run};

/* A stand-in for dyn/: sizes become static, and a length comes in. */
static tarn_err bound(tarn_model **m, const char *const *name, const int64_t *max, int n, int *length)
{
	tarn_graph *g = (*m)->main;
	tarn_value *v;
	(void)name;
	(void)n;
	*length = (int)g->input.len;
	g->input.at[0]->shape.dim[0] = g->output.at[0]->shape.dim[0] = max[0];
	return tarn_value_input(g, "length", TARN_I64, &(tarn_shape){.rank = 1, .dim = {1}}, &v);
}

/* y = relu(x), both f32 [n, 3]. */
static tarn_err make_model(tarn_model **out)
{
	tarn_model *m;
	tarn_node *n;
	tarn_shape s = {.rank = 2, .dim = {0, 3}};
	tarn_value *x;
	TRY(tarn_model_new(&m));
	TRY(tarn_symtab_named(&m->syms, "n", &s.dim[0]));
	TRY(tarn_value_input(m->main, "x", TARN_F32, &s, &x));
	TRY(tarn_node_new(m->main, tarn_op_find(NULL, "Relu"), "y", 1, 1, -1, &n));
	n->in[0] = x;
	n->out[0]->type = TARN_F32;
	n->out[0]->shape = s;
	TRY(VEC_GROW(&m->main->output));
	m->main->output.at[m->main->output.len++] = n->out[0];
	*out = m;
	return TARN_OK;
}

/* What the device's import is given: without the container. */
static tarn_err make_payload(tarn_device *outer, tarn_str *payload)
{
	tarn_model *m;
	tarn_program *p;
	tarn_props props = {0};
	TRY(make_model(&m));
	TRY(tarn_props_set(&props, "TARN_BUCKETS", "n=4,16"));
	TRY(tarn_program_compile(outer, m, &props, &p));
	tarn_err err = outer->api->export_(p, payload);
	tarn_program_unref(p);
	tarn_model_unref(m);
	tarn_props_fini(&props);
	return err ? err : tarn_str_done(payload);
}

/* A program with the model's ports, as the container's reader makes it. */
static tarn_err load(tarn_device *outer, tarn_buffer *b, tarn_program **out)
{
	static tarn_port in = {.name = "x", .type = TARN_F32, .rank = 2, .lo = {1, 3}, .hi = {16, 3}};
	static tarn_port result = {.name = "y", .type = TARN_F32, .rank = 2, .lo = {1, 3}, .hi = {16, 3}};
	TRY(tarn_program_new(outer, NULL, out));
	(*out)->in = &in;
	(*out)->out = &result;
	(*out)->n_in = (*out)->n_out = 1;
	return outer->api->import(*out, b);
}

/* At the largest size, then at 5. */
static void try_request(tarn_program *p)
{
	tarn_request *r;
	if (tarn_request_new(p, &r) != TARN_OK)
		return;
	for (int64_t n = 16; n >= 5; n -= 11) {
		tarn_tensor_fini(&r->in[0]);
		if (tarn_tensor_new(TARN_F32, 2, (int64_t[]){n, 3}, &r->in[0]) != TARN_OK)
			break;
		if (tarn_request_begin(r) == TARN_OK && tarn_request_infer(r) != TARN_OK && !*tarn_err_text())
			abort();
	}
	tarn_request_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tarn_device inner = {.api = &fake}, outer = {0};
	tarn_bucket_device d = {.inner = &inner, .bound = bound};
	tarn_buffer *b = NULL;
	tarn_program *p = NULL;
	tarn_str payload = {0};
	tarn_mutex_init(&inner.lock);
	tarn_mutex_init(&outer.lock);
	tarn_bucket_device_init(&outer, &d);
	if (make_payload(&outer, &payload) != TARN_OK || tarn_buffer_new(payload.len, &b) != TARN_OK)
		abort();
	memcpy(b->at, payload.at, payload.len);
	for (size_t i = 0; i + 3 <= size; i += 3)
		((uint8_t *)b->at)[(data[i] | (size_t)data[i + 1] << 8) % b->size] = data[i + 2];
	tarn_err err = load(&outer, b, &p);
	if (!err)
		try_request(p);
	else if (!*tarn_err_text() || size < 3)
		abort();
	tarn_program_unref(p);
	tarn_buffer_unref(b);
	tarn_str_fini(&payload);
	tarn_device_close(&outer);
	tarn_device_close(&inner);
	return 0;
}
